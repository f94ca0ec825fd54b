"Layers, losses, augmentation, conditions and metrics against plain loops, torch.nn.functional, scipy and scikit-image."

import copy
from types import SimpleNamespace
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torch import nn
from f3a_lite import augmentation
from f3a_lite import metrics
from f3a_lite.synth.open_model import MIRROR
from f3a_lite.conditions import AU_NAMES, CONDITIONS, Frames, action_units, landmark_heatmap, make_condition, replicated
from f3a_lite.core import F3AError
from f3a_lite.pictures import to_tensor
from f3a_lite.flow import facial_flow
from f3a_lite.diagrams import draw_manipulation, draw_streams
from f3a_lite.generator import Generator, GeneratorConfig, UpBlock
from f3a_lite.warp_generator import WarpConfig, WarpGenerator
from f3a_lite.landmarks import resize_square
from f3a_lite.tracker import Tracker
from f3a_lite.metrics import liveliness, mae, mse, picture_metrics, psnr, ssim
from f3a_lite.morphable import FaceParams, PARAM_NAMES, mirror_twins, open_model
from f3a_lite.projection import euler_to_matrix, matrix_to_euler, pose, posed_landmarks, project, to_pixels
from f3a_lite.augmentation import (
    augment,
    centring,
    cover,
    move_in_plane,
    move_params,
    move_picture,
    random_move,
    recolour,
    undo,
)
from f3a_lite.regressor import (
    LAMBDAS,
    LazyFrames,
    Regressor,
    RegressorConfig,
    ResBlock,
    angle_difference,
    coefficient_loss,
    folded,
    jitter,
    landmark_loss,
    refine,
    mirror_matrix,
    mirror_params,
    point_weights,
    pose_error_between_models,
    regress_clip,
    shape_loss,
    sub_loss,
    transformation_loss,
    variance_share,
    warm_loss,
)
from f3a_lite.regressor_metrics import evaluate_rendered, loss_shares, pose_error, rotation_angle
from f3a_lite.regressor_training import RegressorTrainer, RegressorTraining, finetune, regressor_lr, wake
from f3a_lite.synth.rendered import render_set
from f3a_lite.spade import DownBlock, Encoder, SPADE
from f3a_lite.data.video import iter_frames
from test_geometry import close, some_faces

MODEL = open_model()


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# the two streams


def test_an_encoders_block_by_hand():
    "Convolution with stride 2, instance normalisation, PReLU with slope 0.2; and without normalisation a bias."
    torch.manual_seed(0)
    x = randn(2, 3, 16, 12)
    b = DownBlock(3, 5)
    h = F.instance_norm(F.conv2d(x, b.conv.weight, stride=2, padding=1))
    close(b(x), torch.where(h > 0, h, 0.2 * h), 1e-5)
    b = DownBlock(3, 5, norm=False)
    h = F.conv2d(x, b.conv.weight, b.conv.bias, stride=2, padding=1)
    close(b(x), torch.where(h > 0, h, 0.2 * h), 1e-5)
    assert b.act.weight.shape == (5,)


def test_encoders_give_every_scale():
    torch.manual_seed(0)
    e = Encoder(3, (4, 6, 8))
    x = randn(1, 3, 32, 16)
    h = e(x)
    assert [tuple(v.shape[1:]) for v in h] == [(4, 32, 16), (6, 16, 8), (8, 8, 4)]
    first = F.instance_norm(F.conv2d(x, e.first[0][0].weight, padding=2))
    close(h[0], torch.where(first > 0, first, 0.2 * first), 1e-5)
    close(h[2], e.down[1](e.down[0](h[0])), 1e-6)
    assert not any(isinstance(m, nn.InstanceNorm2d) for m in Encoder(3, (4, 6), norm=False).modules())


def test_how_gamma_and_beta_start():
    "γ around 1 and β around 0, for features of unit size scattered by 0.3/√3."
    torch.manual_seed(0)
    s = SPADE(64, 32)
    assert (s.gamma_beta.bias[:64] == 1).all() and (s.gamma_beta.bias[64:] == 0).all()
    close(s.gamma_beta.weight.abs().max(), 0.3 / (32 * 9) ** 0.5, 1e-4)
    with torch.no_grad():
        gamma, beta = s.gamma_beta(randn(8, 32, 16, 16)).chunk(2, 1)
    for v, mean in ((gamma, 1), (beta, 0)):
        close(v.mean(), mean, 0.02)
        close(v.std(), 0.3 / 3**0.5, 0.03)


def test_eq_4_by_hand():
    torch.manual_seed(0)
    s = SPADE(3, 2)
    h_enc, h_flow, h_dec = randn(2, 3, 6, 5) * 3 + 1, randn(2, 2, 6, 5, seed=1), randn(2, 3, 6, 5, seed=2)
    gb = F.conv2d(h_flow, s.gamma_beta.weight, s.gamma_beta.bias, padding=1)
    for n in range(2):
        for c in range(3):
            h = h_enc[n, c]
            normal = (h - h.mean()) / (h.var(unbiased=False) + 1e-5).sqrt()
            bracket = gb[n, c] * normal + gb[n, 3 + c]
            close(s(h_enc, h_flow)[n, c], bracket, 1e-5)
            close((h_dec * s(h_enc, h_flow))[n, c], h_dec[n, c] * bracket, 1e-5)


# the generators


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


def seen_by(module):
    "A list that will hold what a module is given."
    given = []
    module.register_forward_pre_hook(lambda _, x: given.append(x[0].detach().clone()))
    return given


def test_what_the_two_streams_see():
    "T_enc sees the photo between −1 and 1; T_flow sees the flow times 4."
    g = small()
    enc, flow = seen_by(g.T_enc), seen_by(g.T_flow)
    photo, f = rand(2, 3, 32, 32), 0.1 * randn(2, 3, 32, 32)
    g(photo, f)
    close(enc[0], photo * 2 - 1, 1e-6)
    assert g.cfg.flow_scale == 4 and torch.equal(flow[0], f * 4)
    one = small(flow_scale=1.0)
    one.load_state_dict(g.state_dict())
    seen_by_one = seen_by(one.T_flow)
    one(photo, f)
    assert torch.equal(seen_by_one[0], f)
    g.features(photo)
    close(enc[1], photo * 2 - 1, 1e-6)
    assert set(small()(photo, f)) == {"image"}


def test_a_flow_that_is_not_normalised_keeps_its_size():
    f = 0.1 * randn(1, 3, 32, 32)
    for norm, least, most in ((True, 0, 0.02), (False, 0.002, 1)):
        g = small(flow_norm=norm)
        gap = (g.T_flow(f * 4)[-1] - g.T_flow(f * 2)[-1]).abs().mean() / g.T_flow(f * 4)[-1].abs().mean()
        assert least <= gap <= most, (norm, float(gap))


def told(warp):
    "A condition of noise: a flow, or all twelve maps."
    if not warp:
        return 0.1 * randn(2, 3, 32, 32)
    flags = (rand(2, 13, 32, 32) > 0.5).float()
    flags[:, [0, 1, 2, 6, 7]] = 0.1 * randn(2, 5, 32, 32)
    return flags


@pytest.mark.parametrize("warp", [False, True])
def test_every_weight_takes_part(warp):
    g = small(warp=warp)
    g(rand(2, 3, 32, 32), told(warp))["image"].square().mean().backward()
    assert not [n for n, p in g.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_presets_of_the_generator():
    paper, lite = GeneratorConfig.paper(), GeneratorConfig.lite(anchor="source")
    assert paper.channels == (64, 128, 256, 512, 512)
    assert paper.flow_channels == tuple(c // 2 for c in paper.channels)
    assert lite.flow_norm and (lite.anchor, lite.condition) == ("source", "flow")
    aus = Generator(GeneratorConfig(channels=(4, 4), flow_channels=(2, 2), condition="aus"))
    assert aus.T_flow.first[0][0].in_channels == 20


# metrics


def test_metrics_as_scikit_image_has_them():
    a = rand(3, 3, 40, 28)
    b = (a + 0.2 * randn(3, 3, 40, 28) * torch.tensor([0.1, 0.5, 1.0]).view(3, 1, 1, 1)).clamp(0, 1)
    x, y = a.double().numpy(), b.double().numpy()
    close(mse(a, b), [mean_squared_error(p, q) for p, q in zip(x, y)], 1e-6)
    close(mae(a, b), np.abs(x - y).mean((1, 2, 3)), 1e-6)
    close(psnr(a, b), [peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(x, y)], 1e-3)
    want = [
        structural_similarity(
            p, q, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for p, q in zip(x, y)
    ]
    close(ssim(a, b), want, 1e-3)
    table = picture_metrics(a, b)
    assert list(table) == ["mae", "mse", "psnr", "ssim"] and torch.equal(table["ssim"], ssim(a, b))
    assert (psnr(a, a) == 100).all()


@pytest.mark.parametrize("left,top,right,bottom", [(0, 3, 28, 40), (2, 0, 20, 33), (5, 8, 16, 19)])
def test_what_no_picture_had_counts_in_no_metric(left, top, right, bottom):
    "Whatever stands outside of the valid rectangle: the figures are scikit-image's of what is inside."
    a = rand(2, 3, 40, 28)
    b = (a + 0.2 * randn(2, 3, 40, 28)).clamp(0, 1)
    valid = torch.zeros(2, 1, 40, 28)
    valid[:, :, top:bottom, left:right] = 1
    fake = torch.where(valid > 0, a, rand(2, 3, 40, 28, seed=5))
    fake[:, :, valid[0, 0] == 0] = float("nan")
    x, y = (v[..., top:bottom, left:right].double().numpy() for v in (a, b))
    got = picture_metrics(fake, b, valid)
    close(got["mae"], np.abs(x - y).mean((1, 2, 3)), 1e-6)
    close(got["mse"], [mean_squared_error(p, q) for p, q in zip(x, y)], 1e-6)
    close(got["psnr"], [peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(x, y)], 1e-3)
    options = dict(data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    close(got["ssim"], [structural_similarity(p, q, **options) for p, q in zip(x, y)], 1e-3)


def test_each_picture_has_its_own_valid_pixels():
    a, b = rand(2, 3, 20, 20), rand(2, 3, 20, 20, seed=1)
    valid = torch.ones(2, 1, 20, 20)
    valid[1, :, :5] = 0
    close(mae(a, b, valid)[0], mae(a, b)[0], 1e-6)
    close(mae(a, b, valid)[1], mae(a[1:, :, 5:], b[1:, :, 5:])[0], 1e-6)
    for name, value in picture_metrics(a, b, torch.ones(2, 1, 20, 20)).items():
        assert torch.equal(value, picture_metrics(a, b)[name])


def test_metrics_refuse_what_they_cannot_compare():
    two = rand(2, 3, 20, 20)
    for wrong in (torch.ones(1, 1, 20, 20), torch.ones(2, 3, 20, 20), torch.ones(2, 20, 20)):
        with pytest.raises(F3AError, match="mask"):
            mse(two, two, wrong)
    with pytest.raises(F3AError, match="single valid pixel"):
        mae(two, two, torch.zeros(2, 1, 20, 20))
    narrow = torch.zeros(2, 1, 20, 20)
    narrow[..., :10] = 1
    with pytest.raises(F3AError, match="11×11"):
        ssim(two, two, narrow)
    for a, b in ((rand(1, 3, 20, 20), rand(2, 3, 20, 20)), (rand(3, 20, 20), rand(3, 20, 20))):
        with pytest.raises(F3AError, match="same shape"):
            mae(a, b)
    with pytest.raises(F3AError, match="11 pixels"):
        ssim(rand(1, 3, 10, 30), rand(1, 3, 10, 30))


def test_tracked_pictures_have_their_own_pixels(video):
    "Landmarks found in small pictures are those of the large ones, divided; a picture without a face is not found."
    frame = next(iter_frames(video))[1][:, 250:610]
    small_ = to_tensor(np.stack([np.zeros((120, 120, 3), np.uint8), resize_square(frame, 120)]))
    marks, found = metrics.track_pictures(small_)
    assert found.tolist() == [False, True] and np.isnan(marks[0]).all()
    large = (Tracker()(frame)[0] + 0.5) * 120 / 360 - 0.5
    assert np.abs(marks[1] - large).mean() < 0.5


def test_a_picture_is_not_helped_by_the_one_before(video):
    "Black after a face is no face, and a face after black is found as if it stood alone."
    frame = to_tensor(resize_square(next(iter_frames(video))[1][:, 250:610], 120))
    black = torch.zeros_like(frame)
    marks, found = metrics.track_pictures(torch.stack([frame, black, black, frame]))
    assert found.tolist() == [True, False, False, True] and np.isnan(marks[1:3]).all()
    assert np.array_equal(marks[0], marks[3]) and np.array_equal(marks[0], metrics.track_pictures(frame[None])[0][0])


def test_liveliness_by_hand(monkeypatch):
    "Correlations over the frames that were found in both, the ratio of fine detail, and the share of frames found."
    T = 12
    rng = np.random.default_rng(0)

    def marks(eyes, mouth):
        m = np.zeros((T, 68, 2))
        m[:, 45, 0] = 2.0
        for a, b in ((37, 41), (38, 40), (43, 47), (44, 46)):
            m[:, b, 1] = m[:, a, 1] + eyes
        for a, b in ((61, 67), (62, 66), (63, 65)):
            m[:, b, 1] = m[:, a, 1] + mouth
        m[:, :17] = rng.uniform(0, 30, (17, 2)) + [1, 1]
        return m

    e, mo = rng.random((2, T)), rng.random((2, T))
    fa, fb = np.arange(T) != 3, np.arange(T) != 7
    answers = iter([(marks(e[0], mo[0]), fa), (marks(e[1], mo[1]), fb)])
    monkeypatch.setattr(metrics, "track_pictures", lambda x: next(answers))
    fake = rand(T, 3, 32, 32)
    got = liveliness(fake, fake * 2 - 0.5)
    ok = fa & fb
    close(
        [got["eyes"], got["mouth"]],
        [np.corrcoef(e[0][ok], e[1][ok])[0, 1], np.corrcoef(mo[0][ok], mo[1][ok])[0, 1]],
        1e-6,
    )
    close(got["sharpness"], 0.25, 1e-3)
    close(got["tracked"], 10 / 11, 1e-9)
    answers = iter([(marks(e[0], mo[0]), fa & False), (marks(e[1], mo[1]), fb)])
    with pytest.raises(F3AError, match="fewer than three"):
        liveliness(fake, fake)


# conditions


def test_the_heatmap_by_hand():
    "Pixel by pixel: the largest of the Gaussians around the dots, x to the right and y up."
    marks = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    got = landmark_heatmap(marks, 24, sigma=0.05)
    px = to_pixels(F.pad(marks, (0, 1)), 24, 24)[..., :2].numpy()
    y, x = np.mgrid[:24, :24]
    for b in range(2):
        d2 = ((x[..., None] - px[b, :, 0]) ** 2 + (y[..., None] - px[b, :, 1]) ** 2) * (2 / 24) ** 2
        close(got[b, 0], np.exp(-d2 / (2 * 0.05**2)).max(-1), 1e-4)


def test_action_units_by_hand():
    "Each unit with its weight, the mean of left and right, cut to 0 to 1."
    e = MODEL.expression(
        1,
        mouthSmileLeft=1.0,
        browInnerUp=0.5,
        jawOpen=0.6,
        mouthClose=0.2,
        mouthLowerDown=0.5,
        mouthUpperUp=0.1,
        mouthPress=0.4,
        mouthRollUpper=0.2,
        eyeBlink=0.9,
    )
    au = dict(zip(AU_NAMES, action_units(e)[0].tolist()))
    want = dict(AU12=0.5, AU01=0.5, AU25=0.6 - 0.2 + 0.35 + 0.03, AU26=0.6, AU10=0.1, AU23=0.3, AU45=0.9)
    for n, v in au.items():
        close(v, want.get(n, 0.0), 1e-5)
    closed = MODEL.expression(1, mouthClose=1.0)
    assert action_units(closed)[0, AU_NAMES.index("AU25")] == 0
    assert len(AU_NAMES) == 17


def test_conditions_are_functions_of_two_frames():
    s, t = Frames(some_faces(2, turn=0.2)), Frames(some_faces(2, seed=1, turn=0.2))
    channels = dict(flow=3, geometry_maps=13, mesh_flow=4, landmarks=1, aus=20, picture=3, au_pair=34, landmark_film=5)
    assert {n: c.channels for n, c in CONDITIONS.items()} == channels
    flow, mask = facial_flow(MODEL, s.params, t.params, 32, "target")
    close(make_condition("flow", MODEL, s, t, 32), flow, 1e-6)
    close(make_condition("geometry_maps", MODEL, s, t, 32)[:, :4], torch.cat([flow, mask.float()], 1), 1e-6)
    at_source = facial_flow(MODEL, s.params, t.params, 32, "source")[0]
    close(make_condition("flow", MODEL, s, t, 32, "source"), at_source, 1e-6)
    placed = landmark_heatmap(project(posed_landmarks(MODEL, t.params)), 32)
    close(make_condition("landmarks", MODEL, s, t, 32), placed, 1e-6)
    tracked = rand(2, 68, 2) - 0.5
    seen = Frames(t.params, rand(2, 3, 64, 64), tracked)
    close(make_condition("landmarks", MODEL, s, seen, 32), landmark_heatmap(tracked, 32), 1e-6)
    aus = make_condition("aus", MODEL, s, t, 8)
    twenty = torch.cat([action_units(t.params.exp_coeff), t.params.rotation], 1)
    assert aus.shape == (2, 20, 8, 8) and torch.equal(aus[..., 3, 5], twenty)
    assert (aus == aus[..., :1, :1]).all() and replicated(torch.ones(2, 4), 5).shape == (2, 4, 5, 5)
    close(make_condition("picture", MODEL, s, seen, 32), F.avg_pool2d(seen.picture, 2), 1e-6)
    with pytest.raises(F3AError, match="choose from flow, geometry_maps, mesh_flow, landmarks"):
        make_condition("smell", MODEL, s, t)
    with pytest.raises(F3AError, match="driving"):
        make_condition("picture", MODEL, s, t)


# the regressor: layers


def test_a_residual_block_by_hand():
    "4×4 convolutions padded so that resolutions are halved or kept; the shortcut is added before the last ReLU."
    torch.manual_seed(0)
    for cin, cout, stride, pad in ((4, 8, 2, (1, 1, 1, 1)), (8, 8, 1, (1, 2, 1, 2))):
        b, x = ResBlock(cin, cout, stride).eval(), randn(2, cin, 12, 12)
        h = F.relu(F.conv2d(x, b.down.weight) / (1 + 1e-5) ** 0.5)
        h = F.relu(F.conv2d(F.pad(h, pad), b.look.weight, stride=stride) / (1 + 1e-5) ** 0.5)
        h = F.conv2d(h, b.up.weight)
        skip = x if stride == 1 else F.conv2d(x, b.skip.weight, stride=stride)
        close(b(x), F.relu((h + skip) / (1 + 1e-5) ** 0.5), 1e-4)
        assert b.look.in_channels == cout // 2


def tiny_net(seed=0, **kw):
    torch.manual_seed(seed)
    net = Regressor(RegressorConfig(base=4, hidden=32, **kw))
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
                m.weight.uniform_(0.5, 1.5)
                m.bias.normal_(0, 0.1)
                m.running_mean.normal_(0, 0.1)
                m.running_var.uniform_(0.5, 1.5)
        net.fc2.weight.mul_(10)
    return net.eval()


def test_what_the_heads_say():
    "138 numbers with names: shifts in fifths, sizes as an exponential around 0.64, no depth."
    net, h = tiny_net(), randn(3, 128, 2, 2)
    raw = net.fc2(F.leaky_relu(net.norm(net.fc1(h.flatten(1))), 0.1))
    p = net.heads(h)
    assert raw.shape == (3, 80 + 52 + 3 + 2 + 1)
    close(p.id_coeff, raw[:, :80], 1e-6)
    close(p.exp_coeff, raw[:, 80:132], 1e-6)
    close(p.rotation, raw[:, 132:135], 1e-6)
    close(p.translation, F.pad(raw[:, 135:137] * 0.2, (0, 1)), 1e-6)
    close(p.scale, 0.64 * (raw[:, 137] * 0.3).clamp(-2, 2).exp(), 1e-6)
    x = rand(2, 3, 128, 128)
    close(net.features(x), net.blocks(net.stem((x - 0.5) * 4)), 1e-6)
    close(net(x).rotation, net.heads(net.features(x)).rotation, 1e-6)
    assert net.features(x).shape == (2, 128, 2, 2)
    paper = RegressorConfig.paper(K=199)
    assert (paper.base, paper.stem_stride, paper.hidden, paper.K) == (16, 1, 512, 199) and RegressorConfig.lite(
        base=7
    ).base == 7
    wide = Regressor(RegressorConfig(base=2, hidden=8, stem_stride=1)).eval()
    assert wide.features(x).shape == (2, 64, 4, 4) and len(wide(x)) == 2


def test_folded_says_the_same():
    net = tiny_net()
    x, before = rand(2, 3, 128, 128), copy.deepcopy(net.state_dict())
    fast = folded(net)
    with torch.no_grad():
        for n in PARAM_NAMES:
            close(getattr(fast(x), n), getattr(net(x), n), 1e-4)
    counts = [sum(isinstance(v, nn.BatchNorm2d) for v in m.modules()) for m in (net, fast)]
    assert counts == [31, 10]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


# the regressor: losses


def test_eq_5_by_hand():
    a, b = randn(3, 68, 2), randn(3, 68, 2, seed=1)
    weight = [5.0 if 36 <= i < 48 else 10.0 if i >= 48 else 1.0 for i in range(68)]
    assert point_weights().tolist() == weight
    want = np.mean(
        [
            sum(weight[i] * float((a[k, i, c] - b[k, i, c]).abs()) for i in range(68)) / sum(weight)
            for k in range(3)
            for c in range(2)
        ]
    )
    close(landmark_loss(a, b), want, 1e-5)


@pytest.mark.parametrize("part", ["id_coeff", "exp_coeff", "both"])
def test_eq_6_by_hand(part):
    "Identity and expression both count, by the vertices that they move; pose does not."
    p, q = some_faces(2), some_faces(2, seed=1)
    if part != "both":
        q = p.replace(**{part: getattr(q, part)}, rotation=q.rotation)
    want = (MODEL.shape(p.id_coeff, p.exp_coeff) - MODEL.shape(q.id_coeff, q.exp_coeff)).abs().mean()
    close(shape_loss(MODEL, p, q), want, 1e-6)
    assert shape_loss(MODEL, p, q) > 0.004 and shape_loss(MODEL, p, p.replace(rotation=q.rotation)) == 0


def test_eq_7_by_hand():
    p, q = some_faces(3), some_faces(3, seed=1)
    q.translation[:, 2] = 5
    want = 0.0
    for k in range(3):
        want += sum(abs(float(p.rotation[k, c] - q.rotation[k, c])) for c in range(3)) + abs(
            float(p.scale[k] - q.scale[k])
        )
        want += sum(abs(float(p.translation[k, c] - q.translation[k, c])) for c in range(2))
    close(transformation_loss(p, q), want / 3, 1e-5)


def test_the_regulariser_by_hand():
    p = some_faces(3)
    want = (p.id_coeff / MODEL.id_std).abs().mean() + p.exp_coeff.abs().mean()
    close(coefficient_loss(p, MODEL), want, 1e-6)


def test_eq_8_and_9_weigh_their_terms():
    "λ1 is ten and weighs the landmarks, λ2 is one and weighs the pose, λ3 a thousandth; the jaw at the true yaw."
    p, q = some_faces(3), some_faces(3, seed=1)
    assert LAMBDAS == (10.0, 1.0, 1e-3)
    points = [MODEL.landmarks(pose(MODEL, f), q.rotation[:, 1])[..., :2] for f in (p, q)]
    want = dict(
        shp=2 * shape_loss(MODEL, p, q),
        lm=10 * landmark_loss(*points),
        tr=transformation_loss(p, q),
        reg=1e-3 * coefficient_loss(p, MODEL),
    )
    got = warm_loss(MODEL, p, q, shp=2.0)
    assert list(got) == ["shp", "lm", "tr", "reg"]
    for n, v in want.items():
        close(got[n], v, 1e-5)
    other = warm_loss(MODEL, p, q, (3.0, 5.0, 7.0))
    for n, v in dict(shp=want["shp"] / 2, lm=want["lm"] * 0.3, tr=want["tr"] * 5, reg=want["reg"] * 7000).items():
        close(other[n], v, 1e-4)
    marks = posed_landmarks(MODEL, q)[..., :2]
    got = sub_loss(MODEL, p, marks)
    lm = landmark_loss(posed_landmarks(MODEL, p)[..., :2], marks)
    assert list(got) == ["lm", "reg"]
    close(got["lm"], lm, 1e-5)
    close(got["reg"], want["reg"], 1e-5)
    close(sub_loss(MODEL, p, marks, (3.0, 5.0, 7.0))["reg"], want["reg"] * 7000, 1e-4)


# the regressor: moving and disturbing

MOVE = torch.tensor([0.4, -0.3]), torch.tensor([0.8, 1.3]), torch.tensor([[0.2, -0.1], [-0.15, 0.05]])


def test_moved_parameters_move_the_mesh():
    "Every vertex: turned counter-clockwise, scaled, shifted."
    p = some_faces(2)
    X, Y = pose(MODEL, p), pose(MODEL, move_params(p, *MOVE))
    marks = move_params(project(X), *MOVE)
    for k in range(2):
        a, z, d = (float(MOVE[0][k]), float(MOVE[1][k]), MOVE[2][k].numpy())
        turn = z * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        want = X[k, :, :2].numpy() @ turn.T + d
        close(Y[k, :, :2], want, 1e-4)
        close(marks[k], want, 1e-5)
        close(Y[k, :, 2], z * X[k, :, 2], 1e-4)


def test_moved_pictures_go_with_the_points():
    "Against scipy: each new pixel reads where the inverse move came from."
    S, x = 40, rand(2, 3, 40, 40)
    got, _ = move_in_plane(x, randn(2, 68, 2), *MOVE)
    y_, x_ = np.mgrid[:S, :S]
    plane = np.stack([(x_ + 0.5) * 2 / S - 1, 1 - (y_ + 0.5) * 2 / S], -1)
    for k in range(2):
        a, z, d = (float(MOVE[0][k]), float(MOVE[1][k]), MOVE[2][k].numpy())
        turn = z * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        at = (plane - d) @ np.linalg.inv(turn).T
        row, col = (1 - at[..., 1]) * S / 2 - 0.5, (at[..., 0] + 1) * S / 2 - 0.5
        for c in range(3):
            close(got[k, c], map_coordinates(x[k, c].numpy(), [row, col], order=1, mode="nearest"), 2e-4)


def test_centred_faces_stand_upright_in_the_middle():
    p = some_faces(6)
    to = centring(p)
    q = move_params(p, *to)
    close(q.translation, torch.zeros(6, 3), 1e-5)
    close(q.scale, torch.full((6,), 0.66), 1e-5)
    up = euler_to_matrix(q.rotation)[:, :2, 1]
    close(up[:, 0], torch.zeros(6), 1e-5)
    assert (up[:, 1] > 0).all()
    back = move_params(q, *undo(*to))
    for n in ("rotation", "translation", "scale"):
        close(getattr(back, n), getattr(p, n), 1e-4)
    small_one = p.replace(scale=torch.full((6,), 0.1))
    close(centring(small_one)[1], torch.full((6,), 2.0), 1e-6)


def test_random_moves_have_the_described_size():
    "Angles to 0.35, shifts to 0.12, one face in twelve farther off; near the middle for the share `centred`."
    n, g = 4000, lambda: torch.Generator().manual_seed(0)
    angle, zoom, shift = random_move(n, g())
    assert angle.abs().max() <= 0.35 and angle.std() > 0.19
    far = (shift.abs().amax(1) > 0.12) | (zoom.log().abs() > 0.18)
    assert 0.06 < far.float().mean() < 0.085 and 0.4 < shift.abs().max() <= 0.47 and zoom.log().abs().max() <= 0.53
    half = random_move(n, g(), 0.5)
    assert half[0].abs().max() <= 0.175
    still = random_move(n, g(), 0.0)
    assert not still[0].any() and (still[1] == 1).all() and not still[2].any()
    p = some_faces(50)
    p = FaceParams.stack([p] * 40)
    near = move_params(p, *random_move(2000, g(), 1.0, p, 1.0))
    up = euler_to_matrix(near.rotation)[:, :2, 1]
    assert near.translation[:, :2].abs().max() < 0.061 and (near.scale / 0.66).log().abs().max() < 0.101
    tilt = torch.atan2(-up[:, 0], up[:, 1])
    assert 0.1 < tilt.abs().max() < 0.1201
    some = move_params(p, *random_move(2000, g(), 1.0, p, 0.3))
    assert 0.25 < (some.translation[:, :2].abs().amax(1) < 0.0601).float().mean() < 0.5


def test_recoloured_pictures():
    "Nothing at strength 0; otherwise one in five grey, and all within 0 to 1; places stay."
    x = rand(400, 3, 8, 8)
    close(recolour(x, torch.Generator().manual_seed(0), 0.0), x, 1e-6)
    y = recolour(x, torch.Generator().manual_seed(0))
    assert y.min() >= 0 and y.max() <= 1
    spread = (y - y.mean(1, keepdim=True)).flatten(1).std(1)
    tinted = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    grey = (
        torch.stack(
            [
                torch.stack(
                    [torch.corrcoef(torch.stack([a[c].flatten(), t[c].flatten()]))[0, 1] for c in range(3)]
                ).mean()
                for a, t in zip(y, tinted)
            ]
        )
        > 0.9
    )
    assert 0.14 < grey.float().mean() < 0.26 and spread.min() > 0
    other = recolour(x[:1].expand(200, -1, -1, -1), torch.Generator().manual_seed(1))
    assert other.mean((1, 2, 3)).std() > 0.05


def test_covered_faces():
    "A share of the faces get a fringe, a strand or glasses; the rest of each picture stays."
    p = some_faces(200, turn=0.2)
    x = rand(200, 3, 48, 48)
    y = cover(x, p, torch.Generator().manual_seed(0), 0.5)
    changed = (y != x).any(1)
    share = changed.flatten(1).any(1).float().mean()
    assert 0.4 < share < 0.58
    some = changed.flatten(1).float().mean(1)
    assert (some[some > 0] < 0.9).float().mean() > 0.9 and y.min() >= 0 and y.max() <= 1
    assert torch.equal(cover(x, p, torch.Generator().manual_seed(0), 0.0), x)
    close(
        torch.stack(augmentation._head_axes(FaceParams.neutral(1, scale=0.5), 16))[:, 0].flatten(1).mean(1),
        [0.0, 0.0],
        1e-4,
    )


def test_the_heads_axes():
    "For a head that looks ahead: right and up of the picture, in dm of the head; sunglasses lie over the eyes."
    p = FaceParams.neutral(1, scale=0.5).replace(translation=torch.tensor([[0.1, -0.2, 0]]))
    x, y = augmentation._head_axes(p, 64)
    damp = 1 / (1 + 0.15**2)
    c = (torch.arange(64) + 0.5) / 32 - 1
    close(x[0, 5], (c - 0.1) / 0.5 * damp, 1e-4)
    close(y[0, :, 7], (-c + 0.2) / 0.5 * damp, 1e-4)
    turned = FaceParams.neutral(1, scale=0.5).replace(rotation=torch.tensor([[0.2, -0.4, 0.3]]))
    lm = to_pixels(posed_landmarks(MODEL, turned), 128, 128)[0]
    x, y = augmentation._head_axes(turned, 128)
    for k in (27, 30, 33):
        i, j = lm[k, 1].round().long(), lm[k, 0].round().long()
        close([float(x[0, i, j]), float(y[0, i, j])], MODEL.mean_shape[MODEL.landmark_vertices[k], :2], 0.2)


def test_augmented_batches():
    "Nothing at strength 0; the parameters are moved as the picture is; noise and patches touch the picture only."
    x, p = rand(60, 3, 32, 32), some_faces(60)
    same_x, same_p = augment(x, p, torch.Generator().manual_seed(0), 0.0)
    close(same_x, x, 1e-4)
    close(same_p.rotation, p.rotation, 1e-4)
    y, q = augment(x, p, torch.Generator().manual_seed(3), 1.0, 0.5)
    move = random_move(60, torch.Generator().manual_seed(3), 1.0, p, 0.5)
    want = move_params(p, *move)
    for n in PARAM_NAMES:
        close(getattr(q, n), getattr(want, n), 1e-6)
    marks = project(posed_landmarks(MODEL, p))
    _, m = augment(x, marks, torch.Generator().manual_seed(3), 1.0)
    close(m, move_params(marks, *random_move(60, torch.Generator().manual_seed(3), 1.0)), 1e-6)
    flat = torch.full((60, 3, 32, 32), 0.5)
    z, _ = augment(flat, marks, torch.Generator().manual_seed(0), 1.0)
    rough = (z - z.flatten(2).median(2).values[..., None, None]).abs()
    close(rough.flatten(1).median(1).values.median(), 0.02 * 0.6745, 0.002)
    patched = (rough.amax(1) > 0.12).flatten(1).float().mean(1) > 0.004
    assert 0.05 < patched.float().mean() < 0.35, "every second patch is cut from another picture, here of one colour"


# the regressor: looking twice


def test_the_mirrored_face():
    "Vertex by vertex: the mirrored parameters pose the twins at the mirrored places."
    p = some_faces(3, turn=0.3).replace(id_coeff=torch.zeros(3, MODEL.K))
    q = mirror_params(p, True)
    twin = mirror_twins(MODEL.mean_shape)
    want = pose(MODEL, p)[:, twin] * torch.tensor([-1.0, 1, 1])
    assert (pose(MODEL, q) - want).norm(dim=-1).mean() < 0.004
    close(
        project(posed_landmarks(MODEL, q))[:, 17:],
        (project(posed_landmarks(MODEL, p)) * torch.tensor([-1.0, 1]))[:, MIRROR][:, 17:],
        0.03,
    )
    other = mirror_params(some_faces(2))
    assert torch.equal(other.id_coeff, some_faces(2).id_coeff) and torch.equal(other.exp_coeff, some_faces(2).exp_coeff)
    names = list(MODEL.exp_names)
    e = mirror_params(
        FaceParams.neutral(1).replace(exp_coeff=MODEL.expression(1, mouthLeft=0.3, eyeBlinkRight=0.7, jawOpen=0.2)),
        True,
    ).exp_coeff[0]
    for n, v in dict(mouthRight=0.3, eyeBlinkLeft=0.7, jawOpen=0.2, mouthLeft=0, eyeBlinkRight=0).items():
        close(e[names.index(n)], v, 1e-6)


def test_the_mirror_matrix_is_a_least_squares_fit():
    B = MODEL.id_basis.flatten(1).double()  # (K,3N)
    twin = (MODEL.id_basis[:, mirror_twins(MODEL.mean_shape)] * torch.tensor([-1.0, 1, 1])).flatten(1).double()
    close(mirror_matrix(), torch.linalg.solve(B @ B.T, B @ twin.T), 2e-3)
    M = mirror_matrix()
    assert (M @ M - torch.eye(MODEL.K)).abs().mean() < 0.05, "a mirror in a mirror shows the face itself, nearly"


def test_identities_in_the_mirror():
    "Mirrored coefficients make the mirrored head, nearly; the same coefficients do not."
    who = FaceParams.neutral(20).replace(id_coeff=randn(20, MODEL.K))
    there = mirror_params(who, True)
    flip, twin = torch.tensor([-1.0, 1, 1]), mirror_twins(MODEL.mean_shape)
    mirrored = MODEL.shape(who.id_coeff, who.exp_coeff)[:, twin] * flip

    def off(p):
        return float((MODEL.shape(p.id_coeff, p.exp_coeff) - mirrored).norm(dim=-1).mean())

    assert off(there) < 0.4 * off(who), (off(there), off(who))


@pytest.mark.parametrize("open_face", [True, False])
def test_a_second_look_by_hand(open_face):
    "What the network is shown, and the mean of three answers, each brought back to its place."
    x, first = rand(2, 3, 64, 64), some_faces(2)
    answers, shown = [some_faces(2, seed=5, turn=0.1), some_faces(2, seed=6, turn=0.1)], []

    def net(images):
        shown.append(images)
        return answers[len(shown) - 1]

    got = refine(net, x, first, open_face)
    to = centring(first)
    close(shown[0], move_picture(x, *to), 1e-6)
    close(shown[1], shown[0].flip(-1), 1e-6)
    back = undo(*to)
    three = [first, move_params(answers[0], *back), move_params(mirror_params(answers[1], open_face), *back)]
    R = Rotation.concatenate([Rotation.from_matrix(euler_to_matrix(q.rotation).double().numpy()) for q in three])
    for k in range(2):
        mean = R[[k, k + 2, k + 4]].mean().as_matrix()
        close(euler_to_matrix(got.rotation)[k], mean, 1e-4)
    for n in ("translation", "scale"):
        close(getattr(got, n), sum(getattr(q, n) for q in three) / 3, 1e-5)
    voices = three if open_face else three[:2]
    for n in ("id_coeff", "exp_coeff"):
        close(getattr(got, n), sum(getattr(q, n) for q in voices) / len(voices), 1e-5)


def test_predict_goes_through_everything_in_batches():
    "Any batch and picture size; one look is the network, two looks are `refine`; expressions are cut to 0 to 1."
    net, x = tiny_net(), rand(5, 3, 128, 128)
    with torch.no_grad():
        once = net(x)
        twice = refine(net, x, once, True)
    assert net.looks == 2 and once.exp_coeff.min() < 0
    for looks, want in ((1, once), (None, twice), (2, twice)):
        for batch in (2, 64):
            got = net.predict(x, batch, looks)
            for n in PARAM_NAMES:
                v = getattr(want, n)
                close(getattr(got, n), v.clamp(0, 1) if n == "exp_coeff" else v, 2e-4)
    big = F.interpolate(x, (256, 256), mode="nearest")
    close(net.predict(big, looks=1).rotation, once.rotation, 0.05)
    frames = (x.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    lazy = LazyFrames(frames)
    assert len(lazy) == 5 and torch.equal(
        lazy[torch.tensor([3, 1])], torch.from_numpy(frames[[3, 1]]).permute(0, 3, 1, 2) / 255.0
    )
    close(net.predict(lazy, looks=1).rotation, once.rotation, 0.02)
    other = tiny_net(K=10, L=4)
    close(other.predict(x, looks=1).exp_coeff, other(x).exp_coeff, 1e-4)


# the regressor: measuring


def test_angles():
    a = torch.tensor([[179.0, 10, -90], [0, 0, 0]]) * np.pi / 180
    b = torch.tensor([[-179.0, 15, 90], [1, 2, 3]]) * np.pi / 180
    close(angle_difference(a, b), [[2, 5, 180], [1, 2, 3]], 1e-3)
    close(pose_error(SimpleNamespace(rotation=a), SimpleNamespace(rotation=b)), [1.5, 3.5, 91.5], 1e-3)
    p, q = randn(20, 3), randn(20, 3, seed=1)
    turns = [Rotation.from_euler("XYZ", -r.numpy()) for r in (p, q)]
    close(rotation_angle(p, q), np.degrees((turns[0] * turns[1].inv()).magnitude()), 0.1)


def test_one_constant_rotation_between_models():
    "Leaving one out, by hand with scipy; the image that is judged has no say in the rotation that is removed."
    ann = randn(8, 3) * 0.3
    C = euler_to_matrix(torch.tensor([[0.2, -0.1, 0.05]]))
    pred = matrix_to_euler(euler_to_matrix(ann) @ C)
    assert pose_error_between_models(pred, ann).max() < 0.1
    pred = pred.clone()
    pred[2, 1] += 0.3
    e = pose_error_between_models(pred, ann)
    P, A = (euler_to_matrix(v).double().numpy() for v in (pred, ann))
    for k in range(8):
        rest = [j for j in range(8) if j != k]
        mean = Rotation.from_matrix(np.stack([A[j].T @ P[j] for j in rest])).mean().as_matrix()
        want = matrix_to_euler(torch.as_tensor(P[k] @ mean.T)[None])[0] - ann[k]
        close(e[k], np.degrees(np.abs(want.numpy())), 0.1)
    assert e[2].max() > 14


def test_the_share_of_the_variance():
    "Answers half as far from their mean have a quarter of the variance; one answer for all has none."
    t = some_faces(50)
    half = t.replace(id_coeff=t.id_coeff / 2 + 1, rotation=t.rotation.mean(0, keepdim=True).expand(50, -1))
    got = variance_share(half, t)
    assert list(got) == ["id_coeff", "exp_coeff", "rotation"]
    close(list(got.values()), [0.25, 1, 0], 1e-5)


def test_jitter_and_shares_by_hand():
    base = project(posed_landmarks(MODEL, FaceParams.neutral()))
    t = torch.arange(7.0)[:, None, None]
    eye = (base[0, 36] - base[0, 45]).norm()
    close(jitter(base + 0.02 * t), 0.0, 1e-5)
    close(jitter(base + torch.tensor([0.01, 0]) * t**2), 0.02 / eye, 1e-5)
    log = [dict(step=k, shp=1.0, lm=2.0, tr=3.0, reg=4.0, total=10.0 + (k >= 20) * 10) for k in range(30)] + [
        dict(step=1000, lm=1.0, reg=1.0, total=2.0)
    ]
    close(list(loss_shares(log)[0].values()), [0.1, 0.2, 0.3, 0.4], 1e-9)
    assert list(loss_shares(log)) == [0] and list(loss_shares(log, (0, 20))) == [0, 20]
    close(loss_shares(log, (20,))[20]["reg"], 0.2, 1e-9)


def test_evaluation_with_a_network_that_errs_by_a_known_amount():
    t = some_faces(120, turn=0.5)
    asked = []

    def predict(x, looks=None):
        asked.append((len(x), looks))
        k = x[:, 0, 0, 0].long()
        return t[k].replace(rotation=t.rotation[k] + torch.tensor([0.01, 0.02, 0.03]))

    faces = SimpleNamespace(params=t, images=lambda i: torch.as_tensor(i).view(-1, 1, 1, 1).float().expand(-1, 3, 4, 4))
    faces = type("Set", (), dict(params=t, images=staticmethod(faces.images), __len__=lambda s: 120))()
    r = evaluate_rendered(SimpleNamespace(predict=predict), faces, looks=3)
    close([r["pitch"], r["yaw"], r["roll"], r["pose"]], np.degrees([0.01, 0.02, 0.03, 0.02]), 1e-3)
    assert r["pictures"] == 120 and sum(n for n, _ in asked) == 120 and {k for _, k in asked} == {3}
    moved = t.replace(rotation=t.rotation + torch.tensor([0.01, 0.02, 0.03]))
    straight = posed_landmarks(MODEL, t.replace(rotation=torch.zeros(120, 3)))
    unit = (straight[:, 36] - straight[:, 45]).norm(dim=-1)
    e = (project(posed_landmarks(MODEL, moved)) - project(posed_landmarks(MODEL, t))).norm(dim=-1).mean(1) / unit
    close([r["points"], r["points_median"]], [float(e.mean()), float(e.median())], 1e-5)
    yaw = t.rotation[:, 1].abs() * 180 / np.pi
    assert (yaw > 45).any() and (yaw > 60).any()
    close(r["points_frontal"], e[yaw < 45].mean(), 1e-5)
    close(r["turn"], rotation_angle(moved.rotation, t.rotation).mean(), 1e-3)
    assert evaluate_rendered(SimpleNamespace(predict=predict), faces, n=30)["pictures"] == 30


def test_a_clips_identity_is_the_mean_of_the_found_frames():
    p = some_faces(4)
    net = SimpleNamespace(predict=lambda x, looks: p.replace(scale=p.scale * (looks or 1)))
    got = regress_clip(net, [0] * 4, [1, 0, 1, 0])
    close(got.id_coeff, p.id_coeff[[0, 2]].mean(0).expand(4, -1), 1e-6)
    assert torch.equal(got.rotation, p.rotation) and torch.equal(regress_clip(net, [0] * 4, looks=3).scale, 3 * p.scale)
    close(regress_clip(net, [0] * 4).id_coeff, p.id_coeff.mean(0).expand(4, -1), 1e-6)


def test_fine_tuning_learns_the_found_frames_and_leaves_the_network():
    net, x = tiny_net(), rand(6, 3, 128, 128)
    marks = project(posed_landmarks(MODEL, some_faces(6, turn=0.1)))
    marks[2] = float("nan")
    found = [True, True, False, True, True, True]
    before = copy.deepcopy(net.state_dict())
    new = finetune(net, x, marks, found, steps=30, batch=4, lr=5e-3)
    ok = torch.tensor(found)

    def loss(n):
        with torch.no_grad():
            return float(sub_loss(MODEL, n(x[ok]), marks[ok])["lm"])

    assert loss(new) < 0.9 * loss(net) and new.looks == 1 and net.looks == 2
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(new.norm.running_mean, net.norm.running_mean), "statistics stay as they are"
    with pytest.raises(F3AError, match="at least one frame"):
        finetune(net, x, marks, [False] * 6)


def test_a_training_begins_with_every_unit_awake_and_the_mean_face():
    net, x = Regressor(RegressorConfig(base=4, hidden=32)).eval(), rand(8, 3, 128, 128)
    with torch.no_grad():
        net.fc1.bias[:5] = -100.0
    wake(net, x)
    with torch.no_grad():
        answers = net.norm(net.fc1(net.features(x).flatten(1)))
    close(answers.mean(0), torch.zeros(answers.shape[1]), 0.02)
    assert (answers > 0).any(0).all() and (net(x).rotation == 0).all()


# the regressor: training


def test_the_learning_rate_by_hand():
    "Fifty steps up, a cosine to a hundredth; in the second phase the same from a tenth."
    cfg = RegressorTraining(steps=1000, sub_steps=400, lr=1.0)

    def lr(k):
        return regressor_lr(cfg, k)

    close(
        [lr(0), lr(24), lr(500), lr(1000 - 1)],
        [0.02, 0.5 * (0.01 + 0.99 * 0.5 * (1 + np.cos(0.024 * np.pi))), 0.01 + 0.99 * 0.5, 0.01],
        1e-4,
    )
    close([lr(1000), lr(1200), lr(1399)], [0.002, 0.1 * (0.01 + 0.99 * 0.5), 0.001], 1e-4)
    paper = RegressorTraining.paper()
    assert (paper.lr, paper.batch, paper.betas, paper.steps) == (1e-4, 256, (0.9, 0.999), 20 * 122450 // 256)
    assert RegressorTraining.lite(steps=7).steps == 7


def test_a_training_step_by_hand(tmp_path):
    "The loss of the phase, each part of the network with its own rate, and the average that follows the weights."
    faces = render_set(tmp_path, 6, size=128, progress=False)
    clip = SimpleNamespace(
        found=np.array([False, True, True]),
        landmarks=project(posed_landmarks(MODEL, faces.params[:3])),
        images=lambda j: faces.images([j]),
    )
    cfg = RegressorTraining(
        net=RegressorConfig(base=4, hidden=16), steps=2, sub_steps=2, batch=4, shp=10.0, fc1_lr=0.25, ema=0.9
    )
    t = RegressorTrainer(cfg, faces, [clip], device=torch.device("cpu"))
    a, b = t.batch(0), t.batch(0)
    assert (
        torch.equal(a[0], b[0]) and torch.equal(a[1].rotation, b[1].rotation) and not torch.equal(a[0], t.batch(1)[0])
    )
    net = copy.deepcopy(t.net).train()
    net.norm.eval()
    terms = warm_loss(MODEL, net(a[0]), a[1], shp=10.0)
    row = t.step()
    for n in ("shp", "lm", "tr", "reg"):
        close(row[n], round(float(terms[n].detach()), 5), 2e-5)
    close(row["total"], float(sum(terms.values()).detach()), 5e-5)
    groups = t.optimisers["regressor"].param_groups
    rates = {g["factor"]: g["lr"] for g in groups}
    close([rates[1.0], rates[0.25]], [regressor_lr(cfg, 0), regressor_lr(cfg, 0) / 4], 1e-9)
    assert [p is t.net.fc1.weight or p is t.net.fc1.bias for p in groups[1]["params"]] == [True, True]
    assert t.net.training and not t.net.norm.training, "the last norm keeps its statistics"
    t.step()
    assert "shp" not in t.step() and len(t.batch(2)) == 2 and t.batch(2)[1].shape == (4, 68, 2)
    with pytest.raises(F3AError, match="warm-up"):
        RegressorTrainer(cfg)
    with pytest.raises(F3AError, match="prepared clips"):
        RegressorTrainer(cfg, faces)


@pytest.mark.parametrize("middle", [12, 20])
def test_drawings_show_the_shapes_that_modules_have(middle):
    "Figures 4 and 5 say of every scale what the modules give, and follow a change of the channels."
    net = Generator(GeneratorConfig(channels=(8, middle, 16), flow_channels=(4, 6, 8), grows=1)).eval()
    figures = draw_streams(net, 32), draw_manipulation(net, 1, 32)
    streams, module = ([text.get_text() for text in figure.axes[0].texts] for figure in figures)
    assert sum(f"\n{middle} × 16 × 16" in text for text in streams) == 3  # h_enc, h_dec and h_out
    assert sum("\n16 × 8 × 8" in text for text in streams) == 2 and sum(text == "DeConv" for text in streams) == 2
    assert any(f"DeConv 4 × 4, {middle} → 8\n8 × 32 × 32" == text for text in module)
