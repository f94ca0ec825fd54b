"""A generator and a critic that grow: the ends of each fade, what runs at a level, variants and readings."""

import json
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
import pytest
from f3a_lite.core import F3AError
from f3a_lite.generator import Generator, GeneratorConfig
from f3a_lite.systems import PatchDiscriminator, gradient_penalty
from f3a_lite.losses import critic_loss, perceptual_loss
from f3a_lite.pairs import make_batch
from f3a_lite.spade import Encoder
from f3a_lite.systems import LossConfig, make_system
from f3a_lite.schedule import TrainConfig, stage_of
from f3a_lite.training import Trainer
from f3a_lite.data.video import write_image
from conftest import load_program

CPU = torch.device("cpu")
SMALL = dict(channels=(4, 6, 8, 10), flow_channels=(2, 3, 4, 5))


def new_generator(**fields):
    "A small generator of four scales, the same numbers each time."
    torch.manual_seed(0)
    return Generator(GeneratorConfig(**{**SMALL, "grows": 2, **fields})).eval()


def inputs(size, seed=0):
    "A photo and a flow."
    torch.manual_seed(seed)
    return torch.rand(2, 3, size, size), 0.1 * torch.randn(2, 3, size, size)


def half(x):
    "Means of two by two pixels."
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2).mean((3, 5))


def twice(x):
    "Linear up-sampling, by another way than the module's."
    return nn.Upsample(scale_factor=2, mode="bilinear")(x)


def same(a, b):
    assert a.shape == b.shape and torch.equal(a, b), float((a - b).abs().max())


@torch.no_grad()
def test_at_alpha_0_there_is_the_old_path_bit_for_bit():
    "The picture of the level below, up-sampled; the finer level's weights do not matter."
    g = new_generator()
    photo, flow = inputs(32)
    h_enc, h_flow = g.encode(photo * 2 - 1, flow, 0, 0.0)
    old_enc, old_flow = g.encode(half(photo) * 2 - 1, half(flow), 1, 1.0)
    for new, old in zip(h_enc[1:] + h_flow[1:], old_enc + old_flow):
        assert torch.allclose(new, old, atol=1e-6), "both encoders see the smaller picture"
    image = g(photo, flow, 0, 0.0)["image"]
    small = g(half(photo), half(flow), 1, 1.0)["image"]
    assert torch.allclose(image, torch.sigmoid(twice(torch.logit(small))), atol=1e-4)
    other = new_generator()
    for part in (other.to_rgb[0], other.T_dec[0], other.T_enc.first[0], other.T_flow.first[0], other.T_enc.down[0]):
        for p in part.parameters():
            p.normal_()
    same(other(photo, flow, 0, 0.0)["image"], image)


@torch.no_grad()
def test_at_alpha_1_there_is_the_new_path_bit_for_bit():
    "It is the generator that never grew, with the same weights."
    g, plain = new_generator(), new_generator(grows=0)
    plain.load_state_dict({k: v for k, v in g.state_dict().items() if k in plain.state_dict()})
    photo, flow = inputs(32)
    image = plain(photo, flow)["image"]
    same(g(photo, flow, 0, 1.0)["image"], image)
    for part in (g.to_rgb[1], g.to_rgb[2], g.T_enc.first[1], g.T_enc.first[2], g.T_flow.first[1]):
        for p in part.parameters():
            p.normal_()
    same(g(photo, flow, 0, 1.0)["image"], image)


@torch.no_grad()
def test_between_the_two_everything_is_mixed():
    "α·new + (1 − α)·old in both encoders and before the picture; the ends are reached without a jump."
    g = new_generator()
    photo, flow = inputs(32)
    a = 0.3
    x = photo * 2 - 1
    mixed = g.T_enc(x, 0, a)[1]
    want = a * g.T_enc.down[0](g.T_enc.first[0](x)) + (1 - a) * g.T_enc.first[1](half(x))
    assert torch.allclose(mixed, want, atol=1e-6)
    ends = [g(photo, flow, 0, v)["image"] for v in (0.0, 1e-4, 1 - 1e-4, 1.0)]
    assert (ends[0] - ends[1]).abs().max() < 0.01 > (ends[2] - ends[3]).abs().max()
    assert (ends[0] - ends[3]).abs().max() > 0.02


@torch.no_grad()
def test_what_alpha_mixes_by_hand():
    "While a level fades in, the picture below it is the one that was made before: from its own h_dec."
    g = new_generator()
    photo, flow = inputs(32)
    h_enc, h_flow = g.encode(photo * 2 - 1, flow, 0, 0.3)
    h_out = g.spade["3"](h_enc[3], h_flow[3])
    h_out = g.T_dec[2](h_out) * g.spade["2"](h_enc[2], h_flow[2])
    below = g.T_dec[1](h_out)
    h_dec = g.T_dec[0](below * g.spade["1"](h_enc[1], h_flow[1]))
    want = 0.3 * g.to_rgb[0](h_dec) + 0.7 * twice(g.to_rgb[1](below))
    assert torch.allclose(g.decode(h_enc, h_flow, 0, 0.3), want, atol=1e-5)


def test_only_the_low_part_runs_at_a_low_level():
    "No weight of a finer scale gets a gradient; every weight of the coarser ones does."
    g = new_generator()
    g(*inputs(8), 2, 1.0)["image"].square().mean().backward()
    used = {n for n, p in g.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    fine = ("T_enc.first.0", "T_enc.first.1", "T_enc.down.0", "T_enc.down.1", "T_flow.down.1", "spade.1", "spade.2")
    assert not [n for n in used if n.startswith(fine + ("T_dec.0", "T_dec.1", "to_rgb.0", "to_rgb.1"))]
    coarse = ("T_enc.first.2", "T_enc.down.2", "T_flow.first.2", "T_flow.down.2", "spade.3", "T_dec.2")
    expected = [n for n, _ in g.named_parameters() if n.startswith(coarse + ("to_rgb.2",))]
    assert used == set(expected)


@torch.no_grad()
def test_the_critic_grows():
    torch.manual_seed(0)
    d, plain = PatchDiscriminator(4, grows=2), PatchDiscriminator(4)
    for m in (d, plain):
        m.eval()
    plain.load_state_dict({k: v for k, v in d.state_dict().items() if k in plain.state_dict()})
    x = torch.rand(2, 3, 64, 64)
    same(d(x, 0, 1.0), plain(x))
    assert torch.allclose(d(x, 0, 0.0), d(half(x), 1, 1.0), atol=1e-5)
    from_rgb = F.leaky_relu(d.first[1](half(x) * 2 - 1), 0.2)
    deeper = F.leaky_relu(d.down[0](F.leaky_relu(d.first[0](x * 2 - 1), 0.2)), 0.2)
    h = F.leaky_relu(d.down[1](0.3 * deeper + 0.7 * from_rgb), 0.2)
    want = d.last[1](F.leaky_relu(d.last[0](h), 0.2))
    assert torch.allclose(d(x, 0, 0.3), want, atol=1e-5)
    for level in range(5):
        size = 128 >> level
        assert d(torch.rand(1, 3, size, size), level).shape[1] == 1


# the variants


def test_one_stream():
    "T_os: photo and condition go into one encoder; no SPADE, no second encoder; the flow is seen."
    g = new_generator(streams="one")
    assert g.T_enc.first[0][0].in_channels == 6 and not hasattr(g, "T_flow")
    given = []
    g.T_enc.register_forward_pre_hook(lambda _, x: given.append(x[0]))
    photo, flow = inputs(32)
    out = g(photo, flow)["image"]
    same(given[0], torch.cat([photo * 2 - 1, flow * 4], 1))
    assert (g(photo, flow.flip(-1))["image"] - out).abs().max() > 1e-3
    out.mean().backward()
    assert g.spade["1"].norm.weight.grad.abs().sum() > 0
    g.features(photo)
    same(given[-1], torch.cat([photo * 2 - 1, 0 * flow], 1))


@torch.no_grad()
def test_fusion_at_the_latent_only():
    "T_sl: the decoder works from the deepest scale alone."
    g = new_generator(fusion="latent", grows=0)
    assert list(g.spade) == ["3"]
    photo, flow = inputs(32)
    h_enc, h_flow = g.encode(photo * 2 - 1, flow, 0, 1.0)
    h = g.spade["3"](h_enc[3], h_flow[3])
    for k in (2, 1, 0):
        h = g.T_dec[k](h)
    assert torch.allclose(g(photo, flow)["image"], torch.sigmoid(g.to_rgb[0](h)), atol=1e-6)


VARIANTS = {
    "T_os": dict(streams="one"),
    "T_sl": dict(fusion="latent"),
    "T_np": dict(grows=0),
    "landmarks": dict(condition="landmarks"),
    "action units": dict(condition="aus"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_through_all_its_levels(clip, name):
    "Its loss is finite at every level, and the critic, the features and the pixels all reach its weights."
    own = dict(channels=(6, 8, 8), flow_channels=(3, 4, 4), grows=2)
    cfg = TrainConfig(
        generator=GeneratorConfig(**{**own, **VARIANTS[name]}),
        size=32,
        steps=6,
        batch=2,
        low_batch=2,
        lowres_fraction=0.0,
        gan_fraction=1.0,
        grow_fraction=0.6,
        fade_share=1.0,
    )
    t = Trainer(cfg, [clip], device=CPU)
    before = {n: p.detach().clone() for n, p in t.net.named_parameters()}
    for _ in range(6):
        row = t.step()
        assert {"pixel", "adversarial", "perceptual"} < set(row) and row["l1"] > 0
    levels = [stage_of(cfg, k).level for k in range(6)]
    assert levels == ([0] * 6 if name == "T_np" else [2, 2, 1, 1, 0, 0])
    changed = {n for n, p in t.net.named_parameters() if not torch.equal(p, before[n])}
    still = {n for n in before if n not in changed}
    assert not {n for n in still if "norm" not in n and "critic" not in n}, "every weight is learned at some level"


# growing in a training


def test_growth_is_a_function_of_the_step():
    "A level after the other, equally long; α rises from nothing to 1 in its share of each, and never in the first."
    cfg = TrainConfig.lite(steps=120, grow_fraction=0.5, fade_share=0.5)
    stages = [stage_of(cfg, k) for k in range(120)]
    assert [s.level for s in stages] == [2] * 30 + [1] * 30 + [0] * 60
    assert [s.size for s in stages] == [32] * 30 + [64] * 30 + [128] * 60
    want = [1.0] * 30 + [min(1, (k + 1) / 15) for k in range(30)] + [min(1, (k + 1) / 30) for k in range(60)]
    assert torch.allclose(torch.tensor([s.alpha for s in stages]), torch.tensor(want))
    assert [s.batch for s in stages] == [16] * 60 + [8] * 60
    for bad, said in (
        (dict(generator=GeneratorConfig(grows=2)), "lowres_fraction"),
        (dict(generator=GeneratorConfig(grows=4), lowres_fraction=0.0, size=64), "less than 8 pixels"),
        (dict(generator=GeneratorConfig(grows=2), lowres_fraction=0.0, grow_fraction=1.0), "grow_fraction"),
        (dict(fade_share=3.0), "fade_share"),
        (dict(accumulate=0), "at least 1"),
        (dict(size=32), "too small for 5 scales"),
    ):
        with pytest.raises(F3AError, match=said):
            TrainConfig(**bad)
    with pytest.raises(F3AError, match="grows by 1 at most"):
        GeneratorConfig(channels=(4, 4), flow_channels=(4, 4), grows=2)


# the losses that can be chosen


def test_eq_11_as_printed():
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([1.0, -3.0])
    assert float(critic_loss(real, fake, "difference")) == -1 - 3, "less D(real), more D(fake)"
    assert float(critic_loss(real * 10, fake, "difference")) < -30, "it has no lower bound"


def test_gradient_penalty_of_a_linear_critic():
    "A critic ⟨w, x⟩ has the gradient w everywhere: the penalty is (‖w‖ − 1)²."
    w = torch.zeros(1, 3, 8, 8)
    w[0, 0, 0, 0] = 3.0
    critic = lambda x: (x * w).flatten(1).sum(1)[:, None, None, None]
    assert float(gradient_penalty(critic, torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8))) == pytest.approx(4, 1e-5)
    where = []
    counting = lambda x: (where.append(x.detach()), critic(x))[1]
    gradient_penalty(counting, torch.ones(4, 3, 8, 8), torch.zeros(4, 3, 8, 8))
    assert torch.allclose(where[0][:, 0, 0, 0], torch.tensor([0.125, 0.375, 0.625, 0.875]))


def test_forms_and_bounds_are_fields_of_the_losses(clip):
    "Penalty and form reach the critic's step; without a spectral norm its weights are free."
    s = make_system("f3a_gan", channels=(4, 4), flow_channels=(2, 2), losses=LossConfig(form="difference", penalty=5.0))
    free = make_system("f3a_gan", channels=(4, 4), flow_channels=(2, 2), losses=LossConfig(spectral=False))
    assert any("parametrizations" in n for n, _ in s.critic.named_parameters())
    assert not any("parametrizations" in n for n, _ in free.critic.named_parameters())
    s.critic.eval()
    batch = make_batch([clip], np.array([[0, 0, 9], [0, 3, 20]]), 32)
    stage = stage_of(TrainConfig(size=32, lowres_fraction=0.0, gan_fraction=1.0), 0)
    out = s(batch["source"], batch["condition"], stage)
    terms = s.critic_terms(out, batch, stage)
    valid = batch["valid"]
    fake = out["image"].detach() * valid + batch["target"] * (1 - valid)
    real = s.critic(batch["target"])
    assert torch.allclose(terms["critic"], s.critic(fake).mean() - real.mean(), atol=1e-6)
    assert torch.allclose(terms["penalty"], 5 * gradient_penalty(s.critic, batch["target"], fake), rtol=1e-4)
    assert "penalty" not in free.critic_terms(out, batch, stage)


def test_the_perceptual_loss_looks_at_the_level():
    g = new_generator()
    fake, real = inputs(16)[0].requires_grad_(True), inputs(16, 1)[0]
    want = sum((a - b).abs().mean() for a, b in zip(g.T_enc(fake * 2 - 1, 1, 0.4), g.T_enc(real * 2 - 1, 1, 0.4))) / 3
    assert torch.allclose(perceptual_loss(g, fake, real, 1, 0.4), want, rtol=1e-5)


def test_an_encoder_that_begins_lower_has_its_own_entry():
    e = Encoder(3, (4, 6, 8), grows=1)
    x = torch.randn(1, 3, 16, 16)
    h = e(x, 1)
    assert [tuple(v.shape[1:]) for v in h] == [(6, 16, 16), (8, 8, 8)]
    same(h[0], e.first[1](x))


def test_words_that_are_no_choice_are_refused():
    for fields, said in ((dict(streams="three"), "two, one"), (dict(grows=-1), "from 0 to 16")):
        with pytest.raises(F3AError, match=said):
            GeneratorConfig(**fields)


def test_what_is_bundled_of_a_growing_run(tmp_path):
    "The moments that are shown, the sheets nearest to them, and the means of a log in which a term begins late."
    bundle = load_program("bundle")
    cfg = TrainConfig.lite(steps=100, grow_fraction=0.5, size=64, generator=GeneratorConfig(**SMALL, grows=1))
    moments = bundle.moments(cfg)
    assert moments["32, last step"] == 49 and moments["64, last step"] == 99
    fading = moments["64, α = 0.5"]
    assert 0.45 < stage_of(cfg, fading).alpha < 0.6 and stage_of(cfg, moments["64, α = 1"]).alpha == 1
    for step in range(
        10, 101, 10
    ):  # three rows (source, target, made) of two pairs; the made one is as bright as its step
        sheet = np.zeros((3 * 64, 2 * 64, 3), np.uint8)
        sheet[64:128], sheet[128:] = 255, step
        write_image(sheet, tmp_path / f"step_{step:06d}.png")
    picture = bundle.growing_picture(tmp_path, cfg, pairs=2)
    top, left = 16, 58  # of the pictures, below and beside their names
    shown = [int(picture[top + 34, left + 2 + 33 + 66 * k, 0]) for k in range((picture.shape[1] - left + 2) // 66)]
    assert picture[:top].min() < 100 and picture[:, :left].min() < 100, "columns and rows have names"
    assert shown[0] == 50 and shown[-2:] == [100, 255] and shown[:-1] == sorted(shown[:-1])
    rows = [dict(step=k, l1=1.0) for k in range(4)] + [dict(step=k, l1=3.0, critic=2.0) for k in range(4, 8)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert bundle.curves(tmp_path / "log.jsonl", 2) == dict(step=[1.5, 5.5], l1=[1.0, 3.0], critic=[None, 2.0])
