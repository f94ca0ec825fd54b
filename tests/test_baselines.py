"The compared systems do what their papers say, not what our own generator does; their sizes are the published ones."

import dataclasses
import numpy as np
import pytest
import torch
from torch import nn
from conftest import run_command
from f3a_lite.baseline_blocks import ScaleCritics, feature_matching, lsgan_loss
from f3a_lite.baselines import BASELINES, ConvLSTM, GANimationConfig, GANimationGenerator, UNITS, total_variation
from f3a_lite.conditions import CONDITIONS, FILM, Frames, action_units, landmark_heatmap, make_condition
from f3a_lite.core import F3AError
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.pairs import pick_frames
from f3a_lite.registry import SYSTEMS, load_system, make_system, save_system
from f3a_lite.systems import Stage
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer
from f3a_lite.ui.train import f3a_train

KINDS = [s.kind for s in BASELINES]
SMALL = dict(channels=(8, 16, 16), blocks=1)
SMALL_X2FACE = dict(channels=(8, 16, 16), drive_channels=(8, 16, 16))


def batch_of(kind, size=64, n=2):
    "A batch of noise that a system can be asked about."
    rng = torch.Generator().manual_seed(0)
    return dict(
        source=torch.rand(n, 3, size, size, generator=rng),
        target=torch.rand(n, 3, size, size, generator=rng),
        condition=torch.rand(n, CONDITIONS[SYSTEMS[kind].Config().condition].channels, size, size, generator=rng),
        weight=torch.ones(n, 1, size, size),
        valid=torch.ones(n, 1, size, size),
    )


def small_config(kind):
    "The settings of a small system."
    return SYSTEMS[kind].Config(**(SMALL_X2FACE if kind == "x2face" else SMALL))


def small(kind):
    "A small system, the same at every call."
    torch.manual_seed(0)
    return SYSTEMS[kind](small_config(kind))


def values(terms):
    "Terms as numbers."
    return {name: float(value.detach()) for name, value in terms.items()}


# ---- the contract


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_hears_from_the_terms(kind):
    s, b = small(kind), batch_of(kind)
    out = s(b["source"], b["condition"])
    assert out["image"].shape == (2, 3, 64, 64) and 0 <= out["image"].min() and out["image"].max() <= 1
    terms = s.generator_terms(out, b, Stage(64))
    assert all(np.isfinite(v) for v in values(terms).values())
    sum(terms.values()).backward()
    assert [n for n, p in s.generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("kind", ["pix2pixhd", "ganimation", "motiongan"])
def test_the_critic_learns_and_leaves_the_generator_alone(kind):
    s, b = small(kind), batch_of(kind)
    out = s(b["source"], b["condition"])
    sum(s.critic_terms(out, b, Stage(64)).values()).backward()
    assert all(p.grad is None or not p.grad.abs().sum() for p in s.generator.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in s.critic.named_parameters() if "bias" not in n)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_same_picture(kind, tmp_path):
    s, b = small(kind).eval(), batch_of(kind)
    again = load_system(save_system(s, tmp_path / "w.safetensors", half=False))
    assert again.kind == kind and again.cfg == s.cfg
    with torch.no_grad():
        one, two = (x(b["source"], b["condition"])["image"] for x in (s, again))
    assert torch.equal(one, two)
    if s.critic is not None:
        again = load_system(save_system(s, tmp_path / "c.safetensors", half=False, critic=True))
        for name, value in s.critic.state_dict().items():
            assert torch.equal(value, again.critic.state_dict()[name])


PUBLISHED = dict(x2face=(64_770_692, 0), pix2pixhd=(182_436_995, 5_531_522), ganimation=(8_471_296, 44_860_352))


@pytest.mark.parametrize("kind", PUBLISHED)
def test_as_many_parameters_as_the_published_code(kind):
    "Counted from oawiles/X2Face (driving code of 128), NVIDIA/pix2pixHD and albertpumarola/GANimation (17 units)."
    with torch.device("meta"):
        s = make_system(kind, "paper")
    for net, published in zip((s.generator, s.critic), PUBLISHED[kind]):
        count = sum(p.numel() for p in net.parameters()) if net is not None else 0
        assert abs(count - published) <= 0.1 * published


@pytest.mark.parametrize("kind", KINDS)
def test_the_lite_size_is_ours_within_a_quarter(kind):
    count = [sum(p.numel() for p in make_system(k).generator.parameters()) for k in (kind, "f3a_gan")]
    assert 0.75 < count[0] / count[1] < 1.25


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_in_the_same_loop(clip, kind):
    "Three steps are finite, and both networks move."
    generator = small_config(kind)
    cfg = TrainConfig(kind, generator, size=64, steps=3, batch=2, low_batch=2, lowres_fraction=0.0, gan_fraction=1.0)
    t = Trainer(cfg, [clip], device="cpu")
    before = {n: p.detach().clone() for n, p in t.net.named_parameters()}
    for _ in range(3):
        t.step()
    parts = {n.split(".")[0] for n, p in t.net.named_parameters() if not torch.equal(before[n], p)}
    assert parts == ({"generator"} if kind == "x2face" else {"generator", "critic"})


def test_the_command_trains_a_compared_system(clip, tmp_path, capsys):
    words = [
        "--system",
        "x2face",
        "--steps",
        "2",
        "--size",
        "64",
        "--batch",
        "2",
        "--low-batch",
        "2",
        "--test-pairs",
        "8",
    ]
    assert run_command(f3a_train, clip.path, *words, "--out", tmp_path / "run") == 0
    loaded = load_system(tmp_path / "run" / "weights.safetensors")
    assert loaded.kind == "x2face" and loaded.condition == "picture"
    assert "X2Face" in capsys.readouterr().out
    assert run_command(f3a_train, clip.path, "--system", "soup") == 2
    assert "choose from" in capsys.readouterr().err


# ---- X2Face


def test_x2face_with_identity_grids_copies():
    s, b = small("x2face"), batch_of("x2face")
    for glass in (s.generator.embed, s.generator.drive):
        nn.init.zeros_(glass.up[0].weight)
    assert torch.allclose(s(b["source"], b["condition"])["image"], b["source"], atol=1e-5)


def test_x2face_reads_and_never_paints():
    "A source of one colour gives that colour, whoever drives; both grids act."
    s, b = small("x2face"), batch_of("x2face")
    plain = torch.tensor([0.2, 0.5, 0.8]).view(1, 3, 1, 1).expand(2, -1, 64, 64)
    assert torch.allclose(s(plain, b["condition"])["image"], plain, atol=1e-5)
    for glass in (s.generator.embed, s.generator.drive):
        nn.init.normal_(glass.up[0].weight, std=0.3)
    out = s(b["source"], b["condition"])
    other = s(b["source"], b["condition"].flip(0))
    assert torch.equal(out["laid"], other["laid"]) and not torch.equal(out["read"], other["read"])
    assert (out["image"] - other["image"]).abs().max() > 0.1


def test_x2face_takes_pictures_of_any_size():
    s = small("x2face")
    x = torch.rand(1, 3, 52, 52)
    assert s(x, x)["image"].shape == x.shape
    cfg = TrainConfig.paper("x2face")
    assert len(cfg.generator.channels) == 8 and cfg.size == 128


SMALLEST = dict(x2face=32, pix2pixhd=32, ganimation=64, motiongan=32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_picture_works_and_a_smaller_one_is_one_sentence(clip, kind):
    generator = small_config(kind)
    how = dict(steps=2, batch=2, low_batch=2, gan_fraction=1.0)
    t = Trainer(TrainConfig(kind, generator, size=SMALLEST[kind], lowres_fraction=0.0, **how), [clip], device="cpu")
    t.step()
    if kind != "x2face":
        with pytest.raises(F3AError, match=f"which need {SMALLEST[kind]}"):
            TrainConfig(kind, generator, size=SMALLEST[kind], lowres_fraction=0.5, **how)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_condition_is_one_sentence(kind, tmp_path):
    "As is a file that says so."
    with pytest.raises(F3AError, match=f"must be one of {SYSTEMS[kind].Config().condition}"):
        make_system(kind, condition="geometry_maps")
    s = small(kind)
    s.cfg.condition = "flow"
    with pytest.raises(F3AError, match="The setting condition is flow"):
        load_system(save_system(s, tmp_path / "w.safetensors"))


def test_odd_channels_can_be_normalised():
    cfg = dict(channels=(12, 20), drive_channels=(6, 10))
    assert make_system("x2face", **cfg)(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))["image"].shape[-1] == 32


# ---- pix2pixHD


def test_pix2pixhd_has_critics_at_two_scales():
    "Each verdict of the second depends on a region twice as wide as one of the first."
    critic = ScaleCritics(4, 8)
    x = torch.rand(1, 3, 256, 256, requires_grad=True)
    label = torch.zeros(1, 1, 256, 256)
    assert len(critic.critics) == 2
    widths = []
    for k in range(2):
        for layers in critic.critics:  # what normalisation spreads over the whole picture is not meant
            for layer in layers[1:-1]:
                layer[1] = nn.Identity()
        verdict = critic(label, x)[k][-1]
        grad = torch.autograd.grad(verdict[0, 0, verdict.shape[2] // 2, verdict.shape[3] // 2], x)[0]
        widths.append(int((grad.abs().sum((0, 1, 2)) > 0).sum()))
    assert widths[0] == 70 and 140 <= widths[1] <= 142


def test_pix2pixhd_does_not_see_the_source():
    s, b = small("pix2pixhd").eval(), batch_of("pix2pixhd")
    with torch.no_grad():
        one, two = (s(x, b["condition"])["image"] for x in (b["source"], b["target"]))
        other = s(b["source"], b["condition"].flip(0))["image"]
    assert torch.equal(one, two) and not torch.allclose(one, other)


def test_feature_matching_and_squares_by_hand():
    "As published: features are a sum over layers and a mean over critics, squares a sum; verdicts are no features."
    ones, twos = (
        [[torch.full((1, 2), v), torch.full((1, 3), v), torch.full((1, 1), w)] for _ in range(2)]
        for v, w in ((1.0, 1.0), (3.0, 4.0))
    )
    assert float(feature_matching(ones, twos)) == 4 and float(feature_matching(ones, ones)) == 0
    assert float(lsgan_loss(twos, 1.0)) == 18 and float(lsgan_loss(ones, 1.0)) == 0


def test_feature_matching_is_part_of_the_step():
    s, b = small("pix2pixhd"), batch_of("pix2pixhd")
    terms = values(s.generator_terms(dict(image=b["target"]), b, Stage(64)))
    assert terms["matching"] == 0 and terms["pixel"] == 0
    assert values(s.generator_terms(dict(image=b["source"]), b, Stage(64)))["matching"] > 0
    assert sorted(s.generator_terms(dict(image=b["source"]), b, Stage(64, critic=False))) == ["pixel"]


# ---- GANimation


def test_ganimation_mixes_photo_and_colour_by_its_mask():
    s, b = small("ganimation"), batch_of("ganimation")
    out = s(b["source"], b["condition"])
    mask = out["attention"]
    assert torch.allclose(out["image"], mask * b["source"] + (1 - mask) * out["colour"], atol=1e-6)
    assert 0.01 < mask.mean() < 0.99 and mask.std() > 1e-3
    assert (out["image"] - out["colour"]).abs().mean() > 0.05 and (out["image"] - b["source"]).abs().mean() > 0.05


def test_ganimation_does_not_look_at_the_target():
    s, b = small("ganimation"), batch_of("ganimation")
    out = s(b["source"], b["condition"])
    one = values(s.generator_terms(out, b, Stage(64)))
    two = values(s.generator_terms(out, dict(b, target=1 - b["target"]), Stage(64)))
    assert one == two and set(one) == {"adversarial", "units", "back", "attention", "smooth"}


def test_ganimation_finds_its_way_back_with_the_sources_units():
    "The second pass is told the second half of the condition."
    s, b = small("ganimation"), batch_of("ganimation")
    conditions = []
    usual = s.generator.forward
    s.generator.forward = lambda source, condition: conditions.append(condition) or usual(source, condition)
    s.generator_terms(usual(b["source"], b["condition"]), b, Stage(64))
    assert len(conditions) == 1 and torch.equal(conditions[0], b["condition"][:, UNITS:])


def test_the_unit_critic_is_taught_by_true_photos():
    s, b = small("ganimation"), batch_of("ganimation")
    out = s(b["source"], b["condition"])
    read = s.critic(b["source"])[1]
    want = 160 * (read - b["condition"][:, UNITS:, 0, 0]).square().mean()
    assert torch.allclose(s.critic_terms(out, b, Stage(64))["units"], want)


def test_total_variation_by_hand():
    x = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]], [[[0.0, 0.0], [5.0, 5.0]]]])
    assert float(total_variation(x)) == (1 + 3 + 0 + 2) + (5 + 5)


def test_ganimations_way_back_and_penalty_are_of_pictures_between_minus_one_and_one():
    "By hand: a way back that is 0.1 off costs 10 · 0.2; a critic that adds up pixels has the slope of one of them."
    s, b = small("ganimation"), batch_of("ganimation")
    usual = s.generator.forward
    s.generator.forward = lambda *x: dict(usual(*x), image=b["source"] + 0.1)
    terms = values(s.generator_terms(usual(b["source"], b["condition"]), b, Stage(64)))
    assert terms["back"] == pytest.approx(2.0, rel=1e-5)
    s.critic.forward = lambda x: ((2 * x - 1)[:, :1, ::32, ::32], torch.zeros(2, UNITS))  # four verdicts, slope 1 each
    terms = values(s.critic_terms(dict(image=b["target"]), b, Stage(64)))
    assert terms["penalty"] == pytest.approx(10 * (4**0.5 - 1) ** 2, rel=1e-5)


def test_keeping_the_photo_costs():
    "0.1 of each pass's mean attention, and 1e-5 of its edges: by hand, with masks that are set."
    s, b = small("ganimation"), batch_of("ganimation")
    half = (torch.arange(64) < 32).float().expand(2, 1, 64, 64)
    usual = s.generator.forward
    s.generator.forward = lambda *x: dict(usual(*x), attention=torch.full((2, 1, 64, 64), 0.25))
    out = dict(usual(b["source"], b["condition"]), attention=half)
    terms = values(s.generator_terms(out, b, Stage(64)))
    assert terms["attention"] == pytest.approx(0.1 * (0.5 + 0.25)) and terms["smooth"] == pytest.approx(1e-5 * 2 * 64)


def test_attention_of_one_is_the_photo():
    net = GANimationGenerator(GANimationConfig(**SMALL))
    nn.init.zeros_(net.to_attention.weight)
    nn.init.constant_(net.to_attention.bias, 40.0)
    b = batch_of("ganimation")
    assert torch.allclose(net(b["source"], b["condition"])["image"], b["source"])


# ---- MotionGAN


def test_motiongan_remembers_the_order_of_the_frames():
    s, b = small("motiongan").eval(), batch_of("motiongan")
    with torch.no_grad():
        one = s(b["source"], b["condition"])["image"]
        two = s(b["source"], b["condition"][:, [1, 0, 2, 3, 4]])["image"]
        last = s(b["source"], b["condition"][:, [0, 1, 2, 4, 3]])["image"]
    assert 1e-7 < (one - two).abs().max() < (one - last).abs().max()


def test_the_memory_is_an_lstm():
    "On pictures of one pixel, against torch's LSTM with the same weights."
    torch.manual_seed(0)
    ours, theirs = ConvLSTM(5), nn.LSTM(5, 5)
    with torch.no_grad():
        centre = ours.gates.weight[:, :, 1, 1].reshape(4, 5, 10)[[1, 0, 3, 2]]  # forget, take, give, new → i, f, g, o
        bias = (ours.gates.bias + torch.tensor([1.0, 0, 0, 0]).repeat_interleave(5)).reshape(4, 5)[[1, 0, 3, 2]]
        theirs.weight_ih_l0.copy_(centre[..., :5].reshape(20, 5))
        theirs.weight_hh_l0.copy_(centre[..., 5:].reshape(20, 5))
        theirs.bias_ih_l0.copy_(bias.reshape(20))
        theirs.bias_hh_l0.zero_()
        x = torch.randn(6, 2, 5)
        hidden = cell = torch.zeros(2, 5, 1, 1)
        for k in range(6):
            hidden, cell = ours(x[k, :, :, None, None], hidden, cell)
        assert torch.allclose(hidden[..., 0, 0], theirs(x)[0][-1], atol=1e-6)


# ---- what they are told


def test_the_film_is_the_frames_before(clip):
    "From the landmarks themselves; the first frame has nothing before it but itself."
    frames = pick_frames([clip], np.array([[0, 20], [0, 2]]), 64)
    condition = make_condition("landmark_film", open_model(), frames, frames, 64)
    for row, numbers in enumerate([(16, 17, 18, 19, 20), (0, 0, 0, 1, 2)]):
        for k, number in enumerate(numbers):
            assert torch.equal(condition[row, k : k + 1], landmark_heatmap(clip.landmarks[number][None], 64)[0])
    still = make_condition("landmark_film", open_model(), frames, dataclasses.replace(frames, before=None), 64)
    assert all(torch.equal(still[:, k], condition[:, -1]) for k in range(FILM))


def test_the_pair_of_units_is_target_then_source():
    model = open_model()
    rest = FaceParams.neutral(2)
    smile = rest.replace(exp_coeff=model.expression(2, mouthSmile=0.7))
    condition = make_condition("au_pair", model, Frames(rest[:1]), Frames(smile), 8)
    assert condition.shape == (2, 34, 8, 8) and torch.equal(condition[:, :, 0, 0], condition[:, :, 7, 3])
    assert torch.allclose(condition[:, :UNITS, 0, 0], action_units(smile.exp_coeff))
    assert torch.allclose(condition[:, UNITS:, 0, 0], action_units(rest.exp_coeff))
