"The generators."

import pytest
import torch
import torch.nn.functional as F
from f3a_lite.generator import Generator, GeneratorConfig, UpBlock
from f3a_lite.warp_generator import WarpConfig, WarpGenerator
from helpers import rand, randn
from helpers import close


def small(**kw):
    torch.manual_seed(0)
    warp = kw.pop("warp", False)
    if warp:
        return WarpGenerator(WarpConfig(channels=(6, 8, 10), **kw)).eval()
    return Generator(GeneratorConfig(channels=(6, 8, 10), flow_channels=(3, 4, 5), **kw)).eval()


def test_the_decoder_by_hand():
    "Fuse at the deepest scale, deconvolve, fuse, deconvolve; the finest scale gives the picture."
    g = small()
    h_enc = [randn(2, c, 32 >> k, 32 >> k, seed=k) for k, c in enumerate((6, 8, 10))]
    h_flow = [randn(2, c, 32 >> k, 32 >> k, seed=9 + k) for k, c in enumerate((3, 4, 5))]
    h = g.spade["2"](h_enc[2], h_flow[2])
    h = g.T_dec[1](h) * g.spade["1"](h_enc[1], h_flow[1])
    h = g.T_dec[0](h)
    close(g.decode(h_enc, h_flow), g.to_rgb[0](h), 1e-5)
    u, x = UpBlock(4, 3), randn(1, 4, 5, 7)
    up = F.instance_norm(F.conv_transpose2d(x, u.deconv.weight, stride=2, padding=1))
    close(u(x), torch.where(up > 0, up, 0.2 * up), 1e-5)


def inputs_of(module):
    "A list that will hold what a module is given."
    given = []
    module.register_forward_pre_hook(lambda _, x: given.append(x[0].detach().clone()))
    return given


def test_what_the_two_streams_see():
    "T_enc sees the photo between −1 and 1; T_flow sees the flow times 4."
    g = small()
    enc, flow = inputs_of(g.T_enc), inputs_of(g.T_flow)
    photo, f = rand(2, 3, 32, 32), 0.1 * randn(2, 3, 32, 32)
    g(photo, f)
    close(enc[0], photo * 2 - 1, 1e-6)
    assert g.cfg.flow_scale == 4 and torch.equal(flow[0], f * 4)
    one = small(flow_scale=1.0)
    one.load_state_dict(g.state_dict())
    inputs_of_one = inputs_of(one.T_flow)
    one(photo, f)
    assert torch.equal(inputs_of_one[0], f)
    g.features(photo)
    close(enc[1], photo * 2 - 1, 1e-6)
    assert set(small()(photo, f)) == {"image"}


def test_a_flow_that_is_not_normalised_keeps_its_size():
    f = 0.1 * randn(1, 3, 32, 32)
    for norm, least, most in ((True, 0, 0.02), (False, 0.002, 1)):
        g = small(flow_norm=norm)
        gap = (g.T_flow(f * 4)[-1] - g.T_flow(f * 2)[-1]).abs().mean() / g.T_flow(f * 4)[-1].abs().mean()
        assert least <= gap <= most, (norm, float(gap))


def condition_of(warp):
    "A condition of noise: a flow, or all maps of the mesh."
    if not warp:
        return 0.1 * randn(2, 3, 32, 32)
    flags = (rand(2, 11, 32, 32) > 0.5).float()
    flags[:, :3] = 0.1 * randn(2, 3, 32, 32)
    flags[:, 3], flags[:, 3, 12:20, 12:20] = 0, 1  # a mesh with something around it
    return flags


@pytest.mark.parametrize("warp", [False, True])
def test_every_weight_takes_part(warp):
    g = small(warp=warp).train()
    g(rand(2, 3, 32, 32), condition_of(warp))["image"].square().mean().backward()
    assert not [n for n, p in g.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_presets_of_the_generator():
    paper, lite = GeneratorConfig.paper(), GeneratorConfig.lite(anchor="source")
    assert paper.channels == (64, 128, 256, 512, 512)
    assert paper.flow_channels == tuple(c // 2 for c in paper.channels)
    assert lite.flow_norm and (lite.anchor, lite.condition) == ("source", "flow")
    aus = Generator(GeneratorConfig(channels=(4, 4), flow_channels=(2, 2), condition="aus"))
    assert aus.T_flow.first[0][0].in_channels == 20
