"What training does: every term of the loss, critic, schedules, average; its command, resuming, what needs a GPU."

import copy
import json
import math
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite import training
from f3a_lite.flow import extend_flow, warp_by_flow
from f3a_lite.generator import Generator, GeneratorConfig, load_generator, save_generator
from f3a_lite.losses import (
    adversarial_loss,
    critic_loss,
    feature_weights,
    perceptual_loss,
    total_loss,
)
from f3a_lite.losses import weighted_pixel_loss
from f3a_lite.training import (
    TrainConfig,
    Trainer,
    evaluate,
    f3a_train,
    make_batch,
    shuffle_flows,
    start_from,
    still_psnr,
)
from f3a_lite.training import without_flow_norm

CPU = torch.device("cpu")


def small_trainer(clip, warp=False, **kw):
    "A trainer of two scales at 32 pixels, whose critic takes part from the first step on."
    generator = GeneratorConfig(channels=(8, 8), flow_channels=(4, 4), warp=warp)
    cfg = dict(generator=generator, size=32, steps=6, batch=2, low_batch=2, low_share=0.0, adv_share=1.0)
    return Trainer(TrainConfig(**{**cfg, **kw}), [clip], device=CPU)


def tensors(x):
    "All tensors of nested dicts and lists, in order."
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, dict):
        return [t for k in sorted(x, key=str) for t in tensors(x[k])]
    return [t for v in x for t in tensors(v)] if isinstance(x, (list, tuple)) else []


# ---- Eq. 10 to 13 by themselves


def test_boxes_of_eq_10_are_the_right_way_up():
    "Against a loop over pixels: row 0 is the top, where y is 1."
    marks = torch.zeros(1, 68, 2)
    marks[0, 17:22], marks[0, 36:42] = (
        torch.tensor([-0.6, 0.7]),
        torch.tensor([-0.4, 0.5]),
    )  # one eye with its brow, upper left
    marks[0, 22:27], marks[0, 42:48] = torch.tensor([0.3, 0.7]), torch.tensor([0.5, 0.5])
    marks[0, 27:36] = torch.tensor([0.0, 0.1])
    marks[0, 48:68] = torch.tensor([0.2, -0.8])  # a mouth, low and to the right
    boxes = [(-0.6, 0.5, -0.4, 0.7), (0.3, 0.5, 0.5, 0.7), (0, 0.1, 0, 0.1), (0.2, -0.8, 0.2, -0.8)]
    want = torch.ones(32, 32)
    for row in range(32):
        for column in range(32):
            x, y = (column + 0.5) / 16 - 1, 1 - (row + 0.5) / 16
            if any(a - 0.04 <= x <= c + 0.04 and b - 0.04 <= y <= d + 0.04 for a, b, c, d in boxes):
                want[row, column] = 3
    w = feature_weights(marks, 32)
    assert w.shape == (1, 1, 32, 32) and torch.equal(w[0, 0], want)
    assert w[0, 0, :16, :12].max() == 3 and w[0, 0, 20:, :12].max() == 1, (
        "the left eye is up, the mouth is not on the left"
    )


def test_eq_10_is_the_weighted_mean():
    fake, real, w = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4), torch.randint(1, 4, (2, 1, 4, 4)).float()
    want = np.mean(
        [
            float(w[b, 0, i, j] * abs(fake[b, c, i, j] - real[b, c, i, j]))
            for b in range(2)
            for c in range(3)
            for i in range(4)
            for j in range(4)
        ]
    )
    assert math.isclose(float(weighted_pixel_loss(fake, real, w)), want, rel_tol=1e-5)


def test_signs_of_eq_11():
    "The critic wants real above fake, the generator wants its pictures to be scored high."
    real, fake = torch.zeros(1, 1, 2, 2, requires_grad=True), torch.zeros(1, 1, 2, 2, requires_grad=True)
    critic_loss(real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    adversarial_loss(fake).backward()
    assert torch.allclose(fake.grad, torch.full((1, 1, 2, 2), -0.25))
    assert float(adversarial_loss(torch.tensor([3.0, 1.0]))) == -2
    assert float(critic_loss(torch.tensor([0.5]), torch.tensor([-0.25]))) == 0.5 + 0.75


def test_eq_12_hears_every_scale_and_holds_the_encoder():
    g = Generator(GeneratorConfig(channels=(4, 4, 4), flow_channels=(4, 4, 4)))
    features = {
        "real": [torch.zeros(1, 1), torch.zeros(1, 2), torch.zeros(1, 4)],
        "fake": [torch.ones(1, 1) * k for k in (1.0, 2.0, 6.0)],
    }
    stub = SimpleNamespace(T_enc=g.T_enc, features=features.__getitem__)
    assert float(perceptual_loss(stub, "fake", "real")) == 3, "the mean over scales"
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    perceptual_loss(g, x, torch.rand(2, 3, 16, 16)).backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is None and p.requires_grad for p in g.T_enc.parameters())


def test_weights_of_eq_13():
    assert [total_loss(*v) for v in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))] == [1, 100, 10]


# ---- a step, against the same step written out by hand


def watch(t, monkeypatch):
    "Make a step of a trainer; give its batch, and gradient and learning rate as the optimiser steps."
    seen, plain, step = {}, training.make_batch, t.opt_G.step

    def batch(*a, **k):
        seen["batch"] = plain(*a, **k)
        return seen["batch"]

    def spy(*a):
        seen["grad"] = {n: p.grad.clone() for n, p in t.G.named_parameters() if p.grad is not None}
        seen["lr"] = t.opt_G.param_groups[0]["lr"]
        return step(*a)

    monkeypatch.setattr(training, "make_batch", batch)
    t.opt_G.step = spy
    t.step()
    t.opt_G.step = step
    monkeypatch.setattr(training, "make_batch", plain)
    return seen


def critic_by_hand(t, before, real, fake, steps):
    "The critic after some steps of the hinge loss on one batch, from a copy of the trainer before its step."
    D = before["D"]
    opt = torch.optim.Adam(D.parameters(), lr=t.cfg.critic_lr, betas=(0.5, 0.999))
    opt.load_state_dict(before["opt_D"])
    for _ in range(steps):
        loss = (1 - D(real)).clamp(min=0).mean() + (1 + D(fake.detach())).clamp(min=0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return D, opt


def gradient_by_hand(t, before, b, terms):
    "Gradient of the terms of Eq. 13 and of our penalty, added up by hand; and the critic that took part."
    G = before["G"]
    out = G(b["source"], b["flow"], b["warped"], b["mask"])
    fake, loss = out["image"], 0.0
    if "pixels" in terms:
        w = feature_weights(b["landmarks"], 32)
        loss = loss + 100 * (w * (fake - b["target"]).abs()).sum() / fake.numel()
    if "plain pixels" in terms:
        loss = loss + 100 * (fake - b["target"]).abs().mean()
    D, opt = critic_by_hand(t, before, b["target"], fake, 2)
    if "critic" in terms:
        loss = loss - D(fake).mean()
    if "features" in terms:
        encoder = copy.deepcopy(G.T_enc).requires_grad_(False)
        one = torch.ones_like(fake[:, :1])
        a, c = (
            encoder((torch.cat([x, x, one], 1) if t.cfg.generator.warp else x) * 2 - 1) for x in (fake, b["target"])
        )
        loss = loss + 10 * sum((x - y).abs().mean() for x, y in zip(a, c)) / 2
    if "mask" in terms:
        loss = loss + 100 * t.cfg.mask_penalty * (out["paint"] * b["mask"]).mean()
    names, params = zip(*G.named_parameters())
    grad = torch.autograd.grad(loss, params, allow_unused=True)
    return {n: g for n, g in zip(names, grad) if g is not None}, D, opt


def snapshot(t):
    "Copies of what a step changes."
    return dict(G=copy.deepcopy(t.G).train(), D=copy.deepcopy(t.D), opt_D=copy.deepcopy(t.opt_D.state_dict()))


def distance(a, b):
    "Relative distance of two gradients."
    assert a.keys() == b.keys()
    off, size = (math.sqrt(sum(float((v**2).sum()) for v in x)) for x in ([a[n] - b[n] for n in a], list(b.values())))
    return off / size


@pytest.mark.parametrize("warp", [False, True])
def test_every_term_of_eq_13_acts_in_the_step(clip, monkeypatch, warp):
    "Two steps in a row, so that critic and encoder go on after the first; then each term left out."
    t = small_trainer(clip, warp, mask_penalty=0.5)
    terms = ["pixels", "critic", "features"] + ["mask"] * warp
    for _ in range(2):
        before, encoder = snapshot(t), t.G.T_enc.state_dict()
        encoder = {n: v.clone() for n, v in encoder.items()}
        seen = watch(t, monkeypatch)
        want, D, opt = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], terms)
        assert distance(seen["grad"], want) < 1e-3
        for n, v in D.state_dict().items():
            assert torch.allclose(v, t.D.state_dict()[n], atol=1e-6), (
                "the critic after two steps, and its spectral norm"
            )
        for a, c in zip(tensors(opt.state_dict()), tensors(t.opt_D.state_dict())):
            assert torch.allclose(a, c, atol=1e-6)
        assert any(not torch.equal(v, encoder[n]) for n, v in t.G.T_enc.state_dict().items()), "T_enc trains on"
    for out in terms:
        fewer = [x for x in terms if x != out]
        other = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], fewer)[0]
        assert distance(seen["grad"], other) > 3e-3, f"{out} is seen to act"
    plain = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], ["plain pixels"] + terms[1:])[0]
    assert distance(seen["grad"], plain) > 0.05, "the boxes' weights are seen to act"


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_critic_steps_as_often_as_it_is_told(clip, steps):
    t = small_trainer(clip, critic_steps=steps)
    weights, step = [], t.opt_D.step

    def spy():
        step()
        weights.append(t.D.net[0].parametrizations.weight.original.detach().clone())

    t.opt_D.step = spy
    first = t.D.net[0].parametrizations.weight.original.detach().clone()
    t.step()
    assert len(weights) == steps
    for a, b in zip([first] + weights, weights):
        assert not torch.equal(a, b)
    assert TrainConfig().critic_steps == TrainConfig.paper().critic_steps == 2


def test_the_critic_learns_to_tell_and_the_generator_to_please_it(clip):
    t = small_trainer(clip, lr=0.0)
    b = make_batch([clip], t.pairs(0), 32)
    fake = training.run_generator(t.G, b)["image"].detach()
    gap = [float((t.D(b["target"]).mean() - t.D(fake).mean()).detach())]
    for _ in range(10):
        t.step_critic(b["target"], fake)
        gap.append(float((t.D(b["target"]).mean() - t.D(fake).mean()).detach()))
    assert gap[-1] > gap[0] + 0.1
    t.D.eval()
    x = fake.clone().requires_grad_(True)
    adversarial_loss(t.D(x)).backward()
    assert t.D(x - 10 * x.grad).mean() > t.D(x).mean(), "downhill is where the critic says real"


def test_critic_and_features_take_part_from_their_step_on(clip, monkeypatch):
    t = small_trainer(clip, steps=4, adv_share=0.5)
    calls, plain = [], t.opt_D.step
    t.opt_D.step = lambda: (calls.append(t.done), plain())
    for k in range(4):
        before = snapshot(t)
        seen = watch(t, monkeypatch)
        terms = ["pixels"] if k < 2 else ["pixels", "critic", "features"]
        assert distance(seen["grad"], gradient_by_hand(t, before, seen["batch"], terms)[0]) < 1e-3, k
    assert calls == [2, 2, 3, 3]
    none = small_trainer(clip, adv_share=0.0)
    assert not any(none.adversarial(k) for k in range(6))


def test_learning_rate_and_average_follow_their_formulas(clip, monkeypatch):
    n = 30
    t = small_trainer(clip, steps=n, adv_share=0.0, lr=1e-3, ema=0.6)
    mean = {k: v.double().clone() for k, v in t.G.state_dict().items()}
    rates = []
    for k in range(n):
        rates.append(watch(t, monkeypatch)["lr"])
        share = min(0.6, (k + 1) / (k + 10))
        mean = {name: share * mean[name] + (1 - share) * v.double() for name, v in t.G.state_dict().items()}
        for name, v in mean.items():
            assert torch.allclose(t.average[name].double(), v, atol=1e-5), (name, k)
    want = [1e-3 * min(1, (k + 1) / 20) * (0.05 + 0.95 * (1 + math.cos(math.pi * k / n)) / 2) for k in range(n)]
    assert np.allclose(rates, want, rtol=1e-9)
    assert rates[0] < 0.06e-3 and max(rates) > 5 * rates[-1], "it rises, and it falls"
    now = t.G.state_dict()
    assert any(not torch.allclose(t.average[name], now[name], atol=1e-4) for name in now), (
        "not a copy of the last weights"
    )
    for name, v in t.averaged().state_dict().items():
        assert torch.equal(v, t.average[name]), "what is used is the average"


def test_share_of_pairs_that_stay_still(clip, monkeypatch):
    for still, low, high in ((0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 1, 1)):
        t = small_trainer(clip, batch=400, still=still)
        pairs = t.step_pairs(0)
        assert low <= np.mean(pairs[:, 1] == pairs[:, 2]) <= high
    t = small_trainer(clip, still=1.0)
    b = watch(t, monkeypatch)["batch"]
    assert torch.equal(b["source"], b["target"])
    b = watch(small_trainer(clip), monkeypatch)["batch"]
    assert not torch.equal(b["source"], b["target"])


# ---- figures


def test_figures_are_measured_on_held_out_frames(clip, monkeypatch):
    seen, plain = [], training.make_batch

    def spy(clips, pairs, *a, **k):
        b = plain(clips, pairs, *a, **k)
        seen.append((pairs, float((b["source"] - b["target"]).abs().mean())))
        return b

    monkeypatch.setattr(training, "make_batch", spy)
    results = evaluate(None, [clip], n=16, size=32)
    split = training.split_frames(len(clip), found=clip.found)
    assert len(seen) == 4 and set(results) == {"random", "blocks"}
    for which, part in (("random", seen[:2]), ("blocks", seen[2:])):
        pairs = np.concatenate([p for p, _ in part])
        assert len(pairs) == 16
        assert set(pairs[:, 1]) <= set(split["train"]) and set(pairs[:, 2]) <= set(split[which])
        assert not set(pairs[:, 2]) & set(split["train"])
        assert math.isclose(results[which]["copy"]["mae"], np.mean([e for _, e in part]), rel_tol=1e-4)


@pytest.mark.parametrize("warp", [False, True])
def test_shuffled_means_the_flow_of_another_pair(clip, warp):
    pairs = training.sample_pairs([training.split_frames(len(clip))], "train", 3, seed=4)
    b = make_batch([clip], pairs, 32)
    asked = []

    def generator(source, flow, warped, mask):
        asked.append((source, flow, warped, mask))
        return dict(image=source)

    generator.cfg = SimpleNamespace(warp=warp)
    shuffle_flows(generator, b)
    source, flow, warped, mask = asked[0]
    assert torch.equal(source, b["source"])
    for k in range(3):
        assert torch.equal(flow[k], b["flow"][k - 1]) and not torch.equal(flow[k], b["flow"][k])
        assert torch.equal(mask[k], b["mask"][k - 1])
        if warp:
            other = extend_flow(b["flow"][k - 1 :][:1], b["mask"][k - 1 :][:1] > 0)
            assert torch.allclose(warped[k], warp_by_flow(b["source"][k : k + 1], other)[0], atol=1e-5)


def test_no_motion_is_measured_against_the_picture_itself(clip):
    "A generator that answers with its source is perfect; one that adds 0.1 has 20 dB."

    def generator(add):
        def run(source, flow, warped, mask):
            assert float(flow.abs().max()) < 1e-5
            return dict(image=source + add)

        run.cfg = SimpleNamespace(anchor="target")
        return run

    assert abs(still_psnr(generator(0.1), clip, 4, 32) - 20) < 0.01
    assert still_psnr(generator(0.0), clip, 4, 32) > 60


# ---- checkpoints and second legs


def test_a_critic_that_has_stepped_is_restored(clip, tmp_path):
    a, b = small_trainer(clip), small_trainer(clip)
    for _ in range(3):
        a.step()
    a.save(tmp_path / "c.pt")
    assert a.opt_D.state_dict()["state"], "the critic's optimiser has a past"
    b.load(tmp_path / "c.pt")
    for k in range(3):
        for n in ("G", "D", "opt_G", "opt_D"):
            x, y = (tensors(getattr(t, n).state_dict()) for t in (a, b))
            assert len(x) == len(y) > 0
            for v, w in zip(x, y):
                assert v.dtype == w.dtype and torch.equal(v, w), f"{n} after {k} more steps"
        assert all(torch.equal(a.average[n], b.average[n]) for n in a.average)
        a.step()
        b.step()


def test_second_leg_begins_with_the_weights_of_the_first(clip, tmp_path):
    first = small_trainer(clip)
    for _ in range(2):
        first.step()
    save_generator(first.G, tmp_path / "w.safetensors", steps=2, seconds=5, command="first")
    t = small_trainer(clip, seed=1)
    info = start_from(t, tmp_path / "w.safetensors")
    assert info["steps"] == 2 and len(t.init) == 64
    for n, v in first.G.state_dict().items():
        assert torch.equal(t.G.state_dict()[n], v.half().float()) and torch.equal(t.average[n], v.half().float())
    t.step()
    assert any(
        not torch.equal(t.G.state_dict()[n], v)
        for n, v in load_generator(tmp_path / "w.safetensors").state_dict().items()
    )
    wider = Trainer(
        TrainConfig(generator=GeneratorConfig(channels=(8, 12), flow_channels=(4, 4)), size=32), [clip], device=CPU
    )
    with pytest.raises(training.F3AError, match="w.safetensors.*another shape"):
        start_from(wider, tmp_path / "w.safetensors")


def test_normalisation_is_folded_into_the_convolutions(clip):
    "For that very flow, the features are those of the normalised network; the rest has the same weights."
    torch.manual_seed(3)
    g = Generator(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4)))
    for m in g.T_flow.modules():
        if isinstance(m, torch.nn.InstanceNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 2)
            torch.nn.init.uniform_(m.bias, -1, 1)
    flow = torch.randn(1, 3, 32, 32) * 0.05
    h = without_flow_norm(g, flow)
    assert not h.cfg.flow_norm and not [m for m in h.T_flow.modules() if isinstance(m, torch.nn.InstanceNorm2d)]
    for a, b in zip(g.T_flow(flow * g.cfg.flow_scale), h.T_flow(flow * g.cfg.flow_scale)):
        assert torch.allclose(a, b, atol=1e-3)
    change = [(net.T_flow(flow * 4)[0] - net.T_flow(flow * 2)[0]).abs().mean() for net in (g, h)]
    assert change[1] > 10 * change[0], "now the size of a motion is seen"
    for n, v in g.T_enc.state_dict().items():
        assert torch.equal(v, h.T_enc.state_dict()[n])


def test_init_from_the_command_line(clip, tmp_path, capsys):
    common = [clip.path, "--size", "64", "--batch", "2", "--test_pairs", "4"]
    old = Generator(GeneratorConfig.lite())
    save_generator(old, tmp_path / "w.safetensors", steps=30, seconds=60, command="f3a_train first")
    leg = [*common, "--init", tmp_path / "w.safetensors", "--out", tmp_path / "leg", "--no_flow_norm", "--lr", "1e-9"]
    assert run_command(f3a_train, *leg, "--steps", "2", "--minutes", "1e-5") == 0
    assert (
        run_command(f3a_train, *leg[:5], "--out", tmp_path / "leg", "--no_flow_norm", "--lr", "1e-9", "--steps", "2")
        == 2
    )
    assert "other first weights" in capsys.readouterr().err
    assert run_command(f3a_train, *leg, "--steps", "2") == 0
    g = load_generator(tmp_path / "leg" / "weights.safetensors")
    assert g.info["steps"] == 32 and g.info["seconds"] >= 60 and g.info["command"].startswith("f3a_train first, then ")
    assert not g.cfg.flow_norm
    for n, v in old.T_enc.state_dict().items():
        assert torch.allclose(g.T_enc.state_dict()[n], v, atol=2e-3), (
            "a learning rate of nearly nothing leaves them as they were"
        )
    other = [*common, "--init", tmp_path / "w.safetensors", "--out", tmp_path / "other", "--steps", "1", "--warp"]
    assert run_command(f3a_train, *other) == 2 and "another shape" in capsys.readouterr().err
    assert (
        run_command(
            f3a_train, *common, "--init", tmp_path / "none.safetensors", "--out", tmp_path / "other", "--steps", "1"
        )
        == 2
    )


@pytest.mark.parametrize("warp", [False, True])
def test_train_command_writes_weights_and_figures_of_one_run(clip, tmp_path, warp):
    args = [clip.path, "--out", tmp_path / "r", "--size", "64", "--steps", "3", "--batch", "2"] + ["--warp"] * warp
    assert run_command(f3a_train, *args) == 0
    g, m = (
        load_generator(tmp_path / "r" / "weights.safetensors"),
        json.loads((tmp_path / "r" / "metrics.json").read_text()),
    )
    assert g.cfg.warp == warp and g.info["steps"] == 3 and len(g.info["people"][0]) == 128
    assert g.info["results"] == m["results"] and {"copy", "warp", "model", "shuffled"} <= set(m["results"]["random"])


@pytest.mark.parametrize("pairs", [0, 5])
def test_interrupted_and_resumed_is_the_same_run(clip, tmp_path, pairs):
    "From the command line; the critic steps before the interruption and after it."
    base = [clip.path, "--size", "64", "--batch", "2", "--adv_share", "1", "--pairs", pairs]
    short = [*base, "--steps", "3", "--test_pairs", "4"]
    assert run_command(f3a_train, *short, "--out", tmp_path / "a") == 0
    assert run_command(f3a_train, *short, "--out", tmp_path / "b", "--minutes", "0.00001") == 0
    assert torch.load(tmp_path / "b" / "checkpoint.pt", weights_only=True)["done"] == 1
    assert run_command(f3a_train, *short, "--out", tmp_path / "b") == 0
    a, b = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True) for n in "ab")
    assert a["done"] == b["done"] == 3 and a["opt_D"]["state"]
    for n in ("G", "D", "opt_G", "opt_D", "average"):
        x, y = tensors(a[n]), tensors(b[n])
        assert len(x) == len(y) > 0
        for v, w in zip(x, y):
            assert v.dtype == w.dtype and torch.equal(v, w), n
    if not pairs:  # a finished run can be made longer, and measured on more pairs
        assert run_command(f3a_train, *base, "--steps", "4", "--test_pairs", "6", "--out", tmp_path / "a") == 0
        assert load_generator(tmp_path / "a" / "weights.safetensors").info["steps"] == 4


def test_same_seed_same_weights_other_seed_other_weights(clip):
    def run(seed):
        t = small_trainer(clip, steps=2, seed=seed)
        t.step()
        t.step()
        return t.average["to_rgb.0.weight"]

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_paper_preset_builds_and_runs_small(clip):
    cfg = TrainConfig.paper()
    assert cfg.batch == 64 and cfg.lr == 1e-4 and cfg.generator.channels[-1] == 512 and cfg.adv_share == 1
    assert (cfg.pairs, cfg.test_pairs, cfg.steps) == (
        91_000,
        91_000,
        56_875,
    ) and TrainConfig.voxceleb2().pairs == 840_100
    t = Trainer(
        TrainConfig(generator=cfg.generator, size=64, steps=1, batch=1, low_batch=1, adv_share=1.0), [clip], device=CPU
    )
    weight = t.G.to_rgb[0].weight.detach().clone()
    assert 0 < t.step() < 1 and not torch.equal(weight, t.G.to_rgb[0].weight)


@pytest.mark.gpu
def test_step_on_the_gpu_agrees_with_the_cpu(clip):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    losses = [
        Trainer(TrainConfig(size=64, steps=2, batch=4, low_batch=4), [clip], device=torch.device(d)).step()
        for d in ("cpu", "cuda")
    ]
    assert abs(losses[0] - losses[1]) < 1e-3


@pytest.mark.gpu
def test_torch_rasteriser_on_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from f3a_lite.morphable import FaceParams, open_model
    from f3a_lite.projection import pose, to_pixels
    from f3a_lite.rasterizer import rasterize, rasterize_torch

    m = open_model()
    X = to_pixels(pose(m, FaceParams.neutral(2)), 64, 64)
    assert (
        rasterize_torch(X.cuda(), m.triangles.cuda(), 64, 64, True)[0].cpu()
        == rasterize(X, m.triangles, 64, 64, True)[0]
    ).float().mean() > 0.999
