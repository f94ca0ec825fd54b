"What training does: every term of the loss, critic, schedules, average; its command, resuming, what needs a GPU."

import copy
import math
from pathlib import Path
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite import schedule as schedule_module
from f3a_lite.ui import train
from f3a_lite import conditions
from f3a_lite.lab import evaluation
from f3a_lite import training
from f3a_lite.data.clips import load_clip
from f3a_lite.conditions import CONDITIONS, GeometryMaps
from f3a_lite.core import F3AError, data_path
from f3a_lite.lab.evaluation import evaluate, measure_pairs, identity_psnr
from f3a_lite.generator import Generator, GeneratorConfig, NetworkConfig
from f3a_lite.losses import adversarial_loss, critic_loss, perceptual_loss, weighted_pixel_loss
from f3a_lite.pairs import feature_weights, make_batch, sample_pairs, split_clips, split_frames, split_people
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.lab.results import find_record, load_records
from f3a_lite.registry import SYSTEMS, load_system, make_system, save_system
from f3a_lite.systems import Copying, LossConfig, System
from f3a_lite.schedule import TrainConfig, lr_of, stage_of, load_recipe
from f3a_lite.training import Trainer, start_from
from f3a_lite.ui.train import f3a_train

CPU = torch.device("cpu")
KINDS = ["f3a_gan", "t_warp"]


def small_config(kind="f3a_gan", **kw):
    "A generator of two scales."
    flow = dict(flow_channels=(4, 4)) if kind == "f3a_gan" else {}
    return SYSTEMS[kind].Config(**{**dict(channels=(8, 8)), **flow, **kw})


def small_trainer(clip, kind="f3a_gan", **kw):
    "A trainer of two scales at 32 pixels, whose critic takes part from the first step on."
    kind = kw.pop("system", kind)
    cfg = dict(system=kind, generator=small_config(kind), size=32, steps=6, batch=2, low_batch=2, lowres_fraction=0.0)
    return Trainer(TrainConfig(**{**cfg, "gan_fraction": 1.0, **kw}), [clip], device=CPU)


def tensors(x):
    "All tensors of nested dicts and lists, in order."
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, dict):
        return [t for k in sorted(x, key=str) for t in tensors(x[k])]
    return [t for v in x for t in tensors(v)] if isinstance(x, (list, tuple)) else []


def all_real(clip):
    "The clip, as if its picture had been larger than the crop."
    copied = copy.copy(clip)
    copied.valid = lambda size=None: torch.ones(1, size, size)
    return copied


def half_real(clip):
    "The clip, as if its picture had ended in the middle of the crop."
    copied = copy.copy(clip)
    copied.valid = lambda size=None: (torch.arange(size or 128) < (size or 128) / 2).float().expand(1, size or 128, -1)
    return copied


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
    stub = SimpleNamespace(T_enc=g.T_enc, features=lambda x, *rest: features[x])
    assert float(perceptual_loss(stub, "fake", "real")) == 3, "the mean over scales"
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    perceptual_loss(g, x, torch.rand(2, 3, 16, 16)).backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is None and p.requires_grad for p in g.T_enc.parameters())


def test_the_share_of_rendered_people(clip, tmp_path):
    "Three rendered people and one real clip: three pairs in four show the rendered ones, however long the clips are."
    drawn = [prepare_rendered(k, tmp_path / str(k), frames=20) for k in range(3)]
    clips = [clip, *drawn]
    splits = [split_frames(len(c)) for c in clips]
    cfg = TrainConfig(people=3, people_share=0.75)
    weights = schedule_module.clip_weights(cfg, clips, splits)
    pairs = sample_pairs(splits, "train", 4000, 0, weights)
    share = np.bincount(pairs[:, 0], minlength=4) / len(pairs)
    assert abs(share[0] - 0.25) < 0.03 and np.abs(share[1:] - 0.25).max() < 0.03
    assert schedule_module.clip_weights(TrainConfig(), clips, splits) is None, "no rendered people were asked for"
    assert schedule_module.clip_weights(cfg, drawn, splits[1:]) is None, "there is nothing to weigh against"
    schedule = schedule_module.PairSchedule(replace(cfg, steps=3, lowres_fraction=0.0), splits, weights)
    want = sample_pairs(splits, "train", 8, (0, 1), weights)
    assert np.array_equal(schedule.drawn(1), want)


def test_people_are_drawn_where_the_command_runs(tmp_path, monkeypatch):
    "As many as asked for, of so many frames, as a camera takes them; nobody where nobody is asked for."
    monkeypatch.chdir(tmp_path)
    team = training.get_processes("no", CPU)
    assert train.drawn_people(TrainConfig(), team) == []
    paths = train.drawn_people(TrainConfig(people=2, people_frames=2, size=64), team)
    assert [str(p)[:-9] for p in paths] == [f"runs/people_64_2/person_0000{k}" for k in range(2)]
    for path in paths:
        clip = load_clip(path)
        assert len(clip) == 2 and clip.frames.shape[1] == 64 and clip.meta["natural"] is True


def test_weights_of_eq_13():
    "The supplement's λ4 and λ5; L_adv has none."
    assert (LossConfig().pixel, LossConfig().perceptual, LossConfig().adversarial) == (100, 10, 1)


def test_the_mask_costs_nothing_where_the_picture_never_was(clip):
    s = make_system("t_warp", channels=(8, 8))
    b = make_batch([half_real(clip)], np.array([[0, 0, 9], [0, 3, 20]]), 32, "geometry_maps")
    out = s(b["source"], b["condition"])
    out["paint"].retain_grad()
    s.generator_terms(out, b, training.Stage(critic=False))["mask"].backward()
    gradient = out["paint"].grad * out["visible_skin"]
    assert (gradient[b["valid"] == 0] == 0).all() and gradient.abs().sum() > 0


def test_pixels_that_the_picture_never_had_count_in_no_term(clip):
    "What the generator paints there changes no loss, and gets no gradient."
    s = make_system("f3a_gan", channels=(8, 8), flow_channels=(4, 4))
    s.critic.eval()
    b = make_batch([half_real(clip)], np.array([[0, 0, 9], [0, 3, 20]]), 32)
    assert b["valid"].mean() == 0.5
    made = s(b["source"], b["condition"])["image"].detach()
    other = torch.where(b["valid"] > 0, made, torch.rand_like(made)).requires_grad_(True)
    stage = training.Stage()
    terms = [s.generator_terms(dict(image=x), b, stage) for x in (made, other)]
    assert terms[0].keys() == terms[1].keys() == {"pixel", "adversarial", "perceptual"}
    for name in terms[0]:
        assert torch.allclose(terms[0][name], terms[1][name], rtol=1e-5), name
    sum(terms[1].values()).backward()
    assert (other.grad[b["valid"].expand_as(other) == 0] == 0).all() and other.grad.abs().sum() > 0
    critics = [s.critic_terms(dict(image=x), b, stage)["critic"] for x in (made, other)]
    assert torch.allclose(*critics, rtol=1e-5)


# ---- a step, against the same step written out by hand


def watch(t, monkeypatch):
    "Make a step of a trainer; give its batch, and gradient and learning rate as the optimiser steps."
    optimiser = t.optimisers["generator"]
    seen, plain, step = {}, training.make_batch, optimiser.step

    def batch(*a, **k):
        seen["batch"] = plain(*a, **k)
        return seen["batch"]

    def spy(*a):
        seen["grad"] = {n: p.grad.clone() for n, p in t.net.generator.named_parameters() if p.grad is not None}
        seen["lr"] = optimiser.param_groups[0]["lr"]
        return step(*a)

    monkeypatch.setattr(training, "make_batch", batch)
    optimiser.step = spy
    t.step()
    optimiser.step = step
    monkeypatch.setattr(training, "make_batch", plain)
    return seen


def critic_by_hand(t, before, real, fake, steps):
    "The critic after some steps of the hinge loss on one batch, from a copy of the trainer before its step."
    critic = before["critic"]
    opt = torch.optim.Adam(critic.parameters(), lr=t.cfg.critic_lr, betas=(0.5, 0.999))
    opt.load_state_dict(before["optimiser"])
    for _ in range(steps):
        loss = (1 - critic(real)).clamp(min=0).mean() + (1 + critic(fake.detach())).clamp(min=0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return critic, opt


def still_maps(x):
    "The maps of a picture that is its own target: no motion, mesh everywhere, nothing hidden."
    maps = torch.zeros(len(x), 13, *x.shape[-2:])
    maps[:, 3:5] = 1
    return GeometryMaps.split(maps)


def gradient_by_hand(t, before, b, terms):
    "Gradient of the terms of Eq. 13 and of our penalty, added up by hand; and the critic that took part."
    G = before["generator"]
    out = G(b["source"], b["condition"])
    warp = t.cfg.system == "t_warp"
    fake, loss = out["image"], 0.0
    if "pixels" in terms:
        w = feature_weights(b["landmarks"], 32)
        loss = loss + 100 * (w * (fake - b["target"]).abs()).sum() / fake.numel()
    if "plain pixels" in terms:
        loss = loss + 100 * (fake - b["target"]).abs().mean()
    critic, opt = critic_by_hand(t, before, b["target"], fake, 2)
    if "critic" in terms:
        loss = loss - critic(fake).mean()
    if "features" in terms:
        encoder = copy.deepcopy(G.T_enc).requires_grad_(False)
        see = lambda x: encoder(G.inputs(x, still_maps(x))[0] if warp else x * 2 - 1)
        loss = loss + 10 * sum((x - y).abs().mean() for x, y in zip(see(fake), see(b["target"]))) / 2
    if "mask" in terms:
        loss = loss + 100 * t.cfg.losses.mask * (out["paint"] * out["visible_skin"]).mean()
    if "moved" in terms:
        w = feature_weights(b["landmarks"], 32)
        loss = loss + 100 * t.cfg.losses.moved * (w * (out["warped"] - b["target"]).abs()).sum() / fake.numel()
    if "residual" in terms:
        loss = loss + 100 * t.cfg.losses.residual * out["residual"].abs().mean()
    names, params = zip(*G.named_parameters())
    grad = torch.autograd.grad(loss, params, allow_unused=True)
    return {n: g for n, g in zip(names, grad) if g is not None}, critic, opt


def snapshot(t):
    "Copies of what a step changes."
    optimiser = copy.deepcopy(t.optimisers["critic"].state_dict())
    return dict(
        generator=copy.deepcopy(t.net.generator).train(), critic=copy.deepcopy(t.net.critic), optimiser=optimiser
    )


def distance(a, b):
    "Relative distance of two gradients."
    assert a.keys() == b.keys()
    off, size = (math.sqrt(sum(float((v**2).sum()) for v in x)) for x in ([a[n] - b[n] for n in a], list(b.values())))
    return off / size


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_of_eq_13_acts_in_the_step(clip, monkeypatch, kind):
    "Two steps in a row, so that critic and encoder go on after the first; then each term left out."
    t = small_trainer(all_real(clip), kind, losses=LossConfig(mask=0.5, residual=0.5))
    terms = ["pixels", "critic", "features"] + ["mask", "moved", "residual"] * (kind == "t_warp")
    for _ in range(2):
        before = snapshot(t)
        encoder = {n: v.clone() for n, v in t.net.generator.T_enc.state_dict().items()}
        seen = watch(t, monkeypatch)
        want, critic, opt = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], terms)
        assert distance(seen["grad"], want) < 1e-3
        for n, v in critic.state_dict().items():
            assert torch.allclose(v, t.net.critic.state_dict()[n], atol=1e-6), (
                "the critic after two steps, and its spectral norm"
            )
        for a, c in zip(tensors(opt.state_dict()), tensors(t.optimisers["critic"].state_dict())):
            assert torch.allclose(a, c, atol=1e-6)
        now = t.net.generator.T_enc.state_dict()
        assert any(not torch.equal(v, encoder[n]) for n, v in now.items()), "T_enc trains on"
    for out in terms:
        fewer = [x for x in terms if x != out]
        other = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], fewer)[0]
        assert distance(seen["grad"], other) > 3e-3, f"{out} is seen to act"
    plain = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], ["plain pixels"] + terms[1:])[0]
    assert distance(seen["grad"], plain) > 0.05, "the boxes' weights are seen to act"


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_critic_steps_as_often_as_it_is_told(clip, steps):
    t = small_trainer(clip, critic_steps=steps)
    weights, step = [], t.optimisers["critic"].step

    def spy():
        step()
        weights.append(t.net.critic.first[0].parametrizations.weight.original.detach().clone())

    t.optimisers["critic"].step = spy
    first = t.net.critic.first[0].parametrizations.weight.original.detach().clone()
    t.step()
    assert len(weights) == steps
    for a, b in zip([first] + weights, weights):
        assert not torch.equal(a, b)
    assert TrainConfig().critic_steps == TrainConfig.paper().critic_steps == 2


def test_the_critic_learns_to_tell_and_the_generator_to_please_it(clip):
    t = small_trainer(clip, lr=0.0)
    critic = t.net.critic
    b = make_batch([clip], t.pairs(0), 32)
    out = {k: v.detach() for k, v in t.net(b["source"], b["condition"]).items()}
    gap = lambda: float((critic(b["target"]).mean() - critic(out["image"]).mean()).detach())
    before = gap()
    for _ in range(10):
        t.optimizer_step("critic", [lambda: t.net.critic_terms(out, b, training.Stage())])
    assert gap() > before + 0.1
    critic.eval()
    x = out["image"].clone().requires_grad_(True)
    adversarial_loss(critic(x)).backward()
    assert critic(x - 10 * x.grad).mean() > critic(x).mean(), "downhill is where the critic says real"


def test_critic_and_features_take_part_from_their_step_on(clip, monkeypatch):
    t = small_trainer(all_real(clip), steps=4, gan_fraction=0.5)
    calls, plain = [], t.optimisers["critic"].step
    t.optimisers["critic"].step = lambda: (calls.append(t.done), plain())
    for k in range(4):
        before = snapshot(t)
        seen = watch(t, monkeypatch)
        terms = ["pixels"] if k < 2 else ["pixels", "critic", "features"]
        assert distance(seen["grad"], gradient_by_hand(t, before, seen["batch"], terms)[0]) < 1e-3, k
    assert calls == [2, 2, 3, 3]
    none = TrainConfig(gan_fraction=0.0, steps=6)
    assert not any(stage_of(none, k).critic for k in range(6))


def test_learning_rate_and_average_follow_their_formulas(clip, monkeypatch):
    n = 30
    t = small_trainer(clip, steps=n, gan_fraction=0.0, lr=1e-3, ema=0.6)
    mean = {k: v.double().clone() for k, v in t.net.generator.state_dict().items()}
    rates = []
    for k in range(n):
        rates.append(watch(t, monkeypatch)["lr"])
        share = min(0.6, (k + 1) / (k + 10))
        mean = {name: share * mean[name] + (1 - share) * v.double() for name, v in t.net.generator.state_dict().items()}
        for name, v in mean.items():
            assert torch.allclose(t.average[name].double(), v, atol=1e-5), (name, k)
    want = [1e-3 * min(1, (k + 1) / 20) * (0.05 + 0.95 * (1 + math.cos(math.pi * k / n)) / 2) for k in range(n)]
    assert np.allclose(rates, want, rtol=1e-9)
    assert rates[0] < 0.06e-3 and max(rates) > 5 * rates[-1], "it rises, and it falls"
    now = t.net.generator.state_dict()
    assert any(not torch.allclose(t.average[name], now[name], atol=1e-4) for name in now), (
        "not a copy of the last weights"
    )
    for name, v in t.averaged().generator.state_dict().items():
        assert torch.equal(v, t.average[name]), "what is used is the average"


def test_share_of_pairs_that_stay_still(clip, monkeypatch):
    for still, low, high in ((0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 1, 1)):
        t = small_trainer(clip, batch=400, still=still)
        pairs = t.pairs(0)
        assert low <= np.mean(pairs[:, 1] == pairs[:, 2]) <= high
    t = small_trainer(clip, still=1.0)
    b = watch(t, monkeypatch)["batch"]
    assert torch.equal(b["source"], b["target"])
    b = watch(small_trainer(clip), monkeypatch)["batch"]
    assert not torch.equal(b["source"], b["target"])


# ---- figures


def test_figures_are_measured_on_held_out_frames(clip, monkeypatch):
    "Every pair of every split: the source is a training frame, the target a held-out one of that split."
    seen, plain = [], evaluation.measure_pairs

    def spy(system, clips, pairs, *a, **k):
        b = make_batch(clips, pairs, 32)
        error = ((b["source"] - b["target"]).abs() * b["valid"]).sum((1, 2, 3)) / b["valid"].sum((1, 2, 3)) / 3
        seen.append((pairs, error))
        return plain(system, clips, pairs, *a, **k)

    monkeypatch.setattr(evaluation, "measure_pairs", spy)
    records = evaluate(None, [clip], n=16, samples=2, size=32)
    split = split_frames(len(clip), found=clip.found)
    assert {r.setting.get("split") for r in records} - {None} == {"random", "block_1", "block_2"}
    assert len(seen) == 12
    for k, which in enumerate(("random", "block_1", "block_2")):
        part = seen[4 * k : 4 * k + 4]
        pairs = np.concatenate([p for p, _ in part])
        assert len(pairs) == 32
        assert set(pairs[:, 1]) <= set(split["train"]) and set(pairs[:, 2]) <= set(split[which])
        assert not set(pairs[:, 2]) & set(split["train"])
        samples = [torch.cat([e for _, e in part[i : i + 2]]).mean() for i in (0, 2)]
        stored = find_record(records, "copying", split=which).figures["mae"]
        assert math.isclose(stored["mean"], np.mean(samples), rel_tol=1e-4) and stored["n"] == 2
        assert math.isclose(stored["sd"], np.std(samples, ddof=1), rel_tol=1e-3, abs_tol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_read_each_frame_once_and_make_each_flow_once(clip, monkeypatch, kind):
    "Eight pairs: 16 frames are read, 16 meshes posed, and the mesh of each target is rasterised once."
    read, posed, drawn = [], [], []
    images, flows, rasterize = type(clip).images, conditions.flow_between, conditions.rasterize_map
    usual = conditions.pose

    def count(*args, **kw):
        drawn.append(len(args[0]))
        return rasterize(*args, **kw)

    monkeypatch.setattr(type(clip), "images", lambda self, i: read.append(i) or images(self, i))
    monkeypatch.setattr(conditions, "pose", lambda model, params: posed.append(len(params)) or usual(model, params))
    monkeypatch.setattr(conditions, "rasterize_map", count)
    monkeypatch.setattr(conditions, "flow_between", lambda *a: drawn.append(len(a[1])) or flows(*a))
    system = make_system(kind, **(dict(channels=(8, 8), flow_channels=(4, 4)) if kind == "f3a_gan" else {}))
    measure_pairs(system, [clip], sample_pairs(split_clips([clip]), "random", 8), 32)
    assert len(read) == 16 and sum(posed) == 16
    assert drawn == ([8] if kind == "f3a_gan" else [8] * 3), (
        "T_warp's maps: the target's, mouth's opening, source's depth"
    )


def test_a_clip_that_was_fitted_as_one_is_not_measured(clip):
    "Its held-out frames took part in its fit; another seed of the split is another split."
    whole = replace(clip, meta={**clip.meta, "split": None})
    for use in (lambda: evaluate(None, [whole], n=4, samples=1, size=32), lambda: small_trainer(whole)):
        with pytest.raises(F3AError, match="was fitted as one"):
            use()
    other = split_clips([replace(clip, meta={**clip.meta, "split": 7})])[0]
    assert set(other["random"]) == set(split_frames(len(clip), 7, found=clip.found)["random"])
    drawn = replace(clip, meta={**clip.meta, "split": None, "param_source": "exact"})
    assert len(split_clips([drawn])[0]["train"]), "rendered clips have no fit that could leak"


def test_whole_people_are_held_out(clip, monkeypatch):
    "Of a person that training never saw, any frame is a source and any a target."
    split = split_people([clip])
    pairs = sample_pairs(split, "people", 200, seed=1)
    usual = split_frames(len(clip), found=clip.found)
    for column in (1, 2):
        for which in ("train", "random", "block_1", "block_2"):
            assert set(pairs[:, column]) & set(usual[which])
    records = evaluate(None, [clip, clip], split_clips([clip]) + split, n=8, samples=2, size=32)
    assert {r.setting["split"] for r in records if "split" in r.setting} == {"random", "block_1", "block_2", "people"}
    assert all(r.figures["mae"]["n"] == 2 for r in records if r.setting.get("split") == "people")


def test_t_warp_says_what_it_needs(clip, capsys):
    for words in (["--anchor", "source"], ["--condition", "aus"]):
        assert run_command(f3a_train, clip.path, "--system", "t_warp", *words) == 2
        assert "invalid choice" in capsys.readouterr().err.lower()
    assert TrainConfig(system="t_warp").generator.condition == "geometry_maps"


def test_distances_to_the_training_frames(clip):
    "Frames of a block that are far from training have figures of their own."
    split = split_frames(200)
    away = evaluation.train_distance(split, split["block_2"])
    assert away.max() == 20 and away.min() == 1
    records = evaluate(None, [clip], n=16, samples=2, size=32)
    near = find_record(records, "copying", distance="1 to 5 frames away")
    assert near.figures["psnr"]["n"] == 2, "two samples, each over all splits"
    one, two = [(0, dict(psnr=np.array([1.0]))), (0, dict(psnr=np.array([2.0, 3.0, 4.0])))]
    assert evaluation.merge_samples([one, two]) == [dict(psnr=2.5)], "every pair counts once"


def test_shuffled_means_the_condition_of_another_pair(clip):
    pairs = sample_pairs(split_clips([clip]), "train", 3, seed=4)
    b = make_batch([clip], pairs, 32)
    asked = []

    class Echo(Copying):
        "Answers with its source, and remembers what it was told."

        title, generate = "echo", System.generate

        def forward(self, source, condition, stage=None):
            asked.append((source, condition))
            return dict(image=source)

    rows = measure_pairs(Echo(), [clip], pairs, 32, shuffle=True)
    assert set(rows) == {"copying", "warping only", "echo", "shuffled"}
    (_, told), (source, other) = asked
    assert torch.equal(source, b["source"]) and torch.equal(told, b["condition"])
    for k in range(3):
        assert torch.equal(other[k], b["condition"][k - 1]) and not torch.equal(other[k], b["condition"][k])


def test_no_motion_is_measured_against_the_picture_itself(clip):
    "A system that answers with its source is perfect; one that adds 0.1 has 20 dB."

    class Adding(Copying):
        title, generate = "one", System.generate
        add = 0.1

        def forward(self, source, condition, stage=None):
            assert float(condition.abs().max()) < 1e-5
            return dict(image=source + self.add)

    system = Adding()
    assert abs(identity_psnr(system, clip, 4, 32) - 20) < 0.01
    system.add = 0.0
    assert identity_psnr(system, clip, 4, 32) > 60


# ---- checkpoints and second legs


def test_a_critic_that_has_stepped_is_restored(clip, tmp_path):
    a, b = small_trainer(clip), small_trainer(clip)
    for _ in range(3):
        a.step()
    a.save(tmp_path / "c.pt")
    assert a.optimisers["critic"].state_dict()["state"], "the critic's optimiser has a past"
    b.load(tmp_path / "c.pt")
    for k in range(3):
        parts = [(a.net, b.net)] + [(a.optimisers[n], b.optimisers[n]) for n in ("generator", "critic")]
        for one, other in parts:
            x, y = tensors(one.state_dict()), tensors(other.state_dict())
            assert len(x) == len(y) > 0
            for v, w in zip(x, y):
                assert v.dtype == w.dtype and torch.equal(v, w), f"after {k} more steps"
        assert all(torch.equal(a.average[n], b.average[n]) for n in a.average)
        a.step()
        b.step()


def test_a_run_begins_with_the_weights_it_is_given(clip, tmp_path):
    first = small_trainer(clip)
    for _ in range(2):
        first.step()
    save_system(first.net, tmp_path / "w.safetensors", steps=2, seconds=5, command="first")
    t = small_trainer(clip, seed=1)
    start_from(t, tmp_path / "w.safetensors")
    assert len(t.init) == 64
    for n, v in first.net.generator.state_dict().items():
        assert torch.equal(t.net.generator.state_dict()[n], v.half().float())
        assert torch.equal(t.average[n], v.half().float())
    t.step()
    stored = load_system(tmp_path / "w.safetensors").generator.state_dict()
    assert any(not torch.equal(t.net.generator.state_dict()[n], v) for n, v in stored.items())
    wider = small_trainer(clip, generator=small_config(channels=(8, 12)))
    for other in (wider, small_trainer(clip, "t_warp")):
        with pytest.raises(F3AError, match="w.safetensors.*another shape"):
            start_from(other, tmp_path / "w.safetensors")


def test_first_weights_of_another_system_are_refused_first(tmp_path, capsys, monkeypatch):
    "Before a clip is prepared or people are drawn."
    monkeypatch.setattr(train, "bundled_clip", None)
    monkeypatch.setattr(train, "drawn_people", None)
    words = ["--system", "t_warp", "--init", "f3a_gan", "--out", tmp_path / "run"]
    assert run_command(f3a_train, *words) == 2
    assert "start from weights of the same system" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_init_from_the_command_line(clip, tmp_path, capsys):
    common = [clip.path, "--size", "64", "--batch", "2", "--test_pairs", "4"]
    old = make_system("f3a_gan", grows=2)
    save_system(old, tmp_path / "w.safetensors", steps=30, seconds=60, command="f3a_train first")
    leg = [*common, "--out", tmp_path / "leg", "--lr", "1e-9"]
    begun = [*leg, "--init", tmp_path / "w.safetensors", "--steps", "2"]
    assert run_command(f3a_train, *begun, "--minutes", "1e-5") == 0
    assert run_command(f3a_train, *leg, "--steps", "2") == 2
    assert "other first weights" in capsys.readouterr().err
    assert run_command(f3a_train, *begun) == 0
    s = load_system(tmp_path / "leg" / "weights.safetensors")
    assert s.info["steps"] == 2 and len(s.info["init"]) == 64
    for n, v in old.generator.T_enc.state_dict().items():
        assert torch.allclose(s.generator.T_enc.state_dict()[n], v, atol=2e-3), (
            "a learning rate of nearly nothing leaves them as they were"
        )
    other = [*common, "--out", tmp_path / "other", "--steps", "1", "--system", "t_warp"]
    assert run_command(f3a_train, *other, "--init", tmp_path / "w.safetensors") == 2
    assert "another shape" in capsys.readouterr().err
    assert run_command(f3a_train, *common, "--init", tmp_path / "none.safetensors", "--out", tmp_path / "o") == 2


def test_init_alone_is_a_fine_tuning_of_what_the_file_holds(clip, tmp_path, monkeypatch):
    "The file's own generator, small steps at full size; a bundled name stands for its file; options still count."
    got = {}

    def look(cfg, clips, out, minutes, device, init=None, **more):
        got.update(cfg=cfg, init=init)
        return []

    monkeypatch.setattr(train, "train", look)
    old = make_system("t_warp", channels=(6, 8))
    own = save_system(old, tmp_path / "w.safetensors")
    assert run_command(f3a_train, clip.path, "--init", own) == 0
    cfg = got["cfg"]
    assert (cfg.system, cfg.generator, got["init"]) == ("t_warp", old.cfg, own)
    assert (cfg.lowres_fraction, cfg.gan_fraction, cfg.people) == (0, 0, 0) and cfg.lr < TrainConfig().lr
    for name in ("t_warp", "f3a_gan"):
        bundled = load_system(data_path(f"{name}.safetensors"))
        assert run_command(f3a_train, clip.path, "--init", name, "--steps", "7") == 0
        assert (got["cfg"].system, got["cfg"].generator, got["cfg"].steps) == (name, bundled.cfg, 7)
        assert got["init"] == data_path(f"{name}.safetensors")
        assert all(stage_of(got["cfg"], k).level == 0 for k in range(1, 7)), "nothing grows again"


@pytest.mark.parametrize("kind", KINDS)
def test_train_command_writes_weights_and_figures_of_one_run(clip, tmp_path, kind):
    args = [clip.path, "--out", tmp_path / "r", "--size", "64", "--steps", "3", "--batch", "2", "--test_pairs", "6"]
    assert run_command(f3a_train, *args, "--system", kind) == 0
    s, records = load_system(tmp_path / "r" / "weights.safetensors"), load_records(tmp_path / "r" / "metrics.json")
    assert s.kind == kind and s.info["steps"] == 3 and len(s.info["people"][0]) == 128
    for name in ("copying", "warping only", s.title, "shuffled"):
        stored = find_record(records, name, split="random")
        assert stored.figures in [r["figures"] for r in s.info["records"] if r["name"] == name]
        assert stored.info["command"] and stored.info["sha256"] == [clip.meta["sha256"]]


@pytest.mark.parametrize("pairs", [0, 5])
def test_interrupted_and_resumed_is_the_same_run(clip, tmp_path, pairs):
    "From the command line; the critic steps before the interruption and after it."
    base = [clip.path, "--size", "64", "--batch", "2", "--gan_fraction", "1", "--pairs", pairs]
    base += ["--grows", "0", "--lowres_fraction", "0.5"] if not pairs else []
    short = [*base, "--steps", "3", "--test_pairs", "4"]
    assert run_command(f3a_train, *short, "--out", tmp_path / "a") == 0
    assert run_command(f3a_train, *short, "--out", tmp_path / "b", "--minutes", "0.00001") == 0
    assert torch.load(tmp_path / "b" / "checkpoint.pt", weights_only=True)["done"] == 1
    assert run_command(f3a_train, *short, "--out", tmp_path / "b") == 0
    a, b = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True) for n in "ab")
    assert a["done"] == b["done"] == 3 and a["optimisers"]["critic"]["state"]
    for n in ("net", "optimisers", "average"):
        x, y = tensors(a[n]), tensors(b[n])
        assert len(x) == len(y) > 0
        for v, w in zip(x, y):
            assert v.dtype == w.dtype and torch.equal(v, w), n
    if not pairs:  # a finished run can be made longer, and measured on more pairs
        assert run_command(f3a_train, *base, "--steps", "4", "--test_pairs", "6", "--out", tmp_path / "a") == 0
        assert load_system(tmp_path / "a" / "weights.safetensors").info["steps"] == 4


def test_without_clips_the_bundled_one_is_trained_on(clip, tmp_path, monkeypatch):
    got = {}
    monkeypatch.setattr(train, "bundled_clip", lambda face_model: clip)
    monkeypatch.setattr(train, "train", lambda cfg, clips, *a, **k: got.update(clips=clips, people=k["people"]))
    assert run_command(f3a_train, "--out", tmp_path) == 0
    assert [c.path for c in got["clips"]] == [clip.path] and got["people"] == []


def test_every_field_of_the_config_can_be_set(clip, tmp_path, monkeypatch):
    "Each option of the command line reaches the config; presets and systems give the defaults."
    got = {}
    monkeypatch.setattr(train, "train", lambda cfg, *a, **k: got.update(cfg=cfg))
    words = ["--lr", "0.5", "--channels", "8", "16", "--flow_channels", "4", "4", "--anchor", "source", "--pixel", "3"]
    words += ["--grows", "1", "--fusion", "latent"]
    assert run_command(f3a_train, clip.path, *words, "--no-flow-norm", "--condition", "landmarks") == 0
    cfg = got["cfg"]
    assert (cfg.lr, cfg.generator.channels, cfg.generator.anchor, cfg.losses.pixel) == (0.5, (8, 16), "source", 3)
    assert not cfg.generator.flow_norm and cfg.generator.condition == "landmarks"
    assert (cfg.generator.grows, cfg.generator.fusion) == (1, "latent")
    assert run_command(f3a_train, clip.path, "--preset", "paper", "--system", "t_warp", "--batch", "2") == 0
    cfg = got["cfg"]
    assert (cfg.batch, cfg.lr, cfg.generator.channels[-1], cfg.generator.condition) == (2, 1e-4, 512, "geometry_maps")


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_every_condition_is_one_field_of_the_config(clip, condition):
    "The generator is told the condition that its config names, and learns from it."
    t = small_trainer(clip, generator=small_config(condition=condition))
    first = t.net.generator.T_flow.first[0][0].weight
    before = first.detach().clone()
    batch = t.batches[0][0]
    assert batch["condition"].shape == (2, CONDITIONS[condition].channels, 32, 32)
    t.step()
    assert not torch.equal(first, before)


@pytest.fixture
def made_up():
    "A system of somebody else's: its own settings, a network of one colour, a loss; it enters by being defined."

    @dataclass
    class ColourConfig(NetworkConfig):
        grey: bool = False  # one number for three channels

    class Colour(System, kind="made_up"):
        title, Config = "one colour", ColourConfig

        def make_generator(self):
            net = torch.nn.Module()
            net.colour = torch.nn.Parameter(torch.zeros(1, 1 if self.cfg.grey else 3, 1, 1))
            return net

        def forward(self, source, condition, stage=None):
            return dict(image=self.generator.colour.expand_as(source))

        def generator_terms(self, out, batch, stage):
            return dict(pixel=weighted_pixel_loss(out["image"], batch["target"], batch["weight"], batch["valid"]))

    yield Colour
    SYSTEMS.pop("made_up")


def test_the_loop_trains_a_system_it_has_never_seen(clip, tmp_path, made_up, capsys):
    "One more system is one more class: trained by the command, resumed, saved, read and measured."
    how = dict(size=32, steps=6, batch=2, low_batch=2, lowres_fraction=0.0, lr=0.1, ema=0.0)
    a, b = (Trainer(TrainConfig("made_up", **how), [clip], device=CPU) for _ in range(2))
    assert list(a.optimisers) == ["generator"]
    errors = [a.step()["l1"] for _ in range(6)]
    assert errors[-1] < errors[0]
    a.save(tmp_path / "c.pt")
    b.load(tmp_path / "c.pt")
    assert torch.equal(b.net.generator.colour, a.net.generator.colour) and b.done == 6
    assert "one colour" in measure_pairs(a.averaged(), [clip], a.pairs(0), 32)
    words = ["--size", "32", "--steps", "2", "--batch", "2", "--low-batch", "2", "--test-pairs", "8", "--grey"]
    assert run_command(f3a_train, clip.path, "--system", "made_up", *words, "--out", tmp_path / "run") == 0
    read = load_system(tmp_path / "run" / "weights.safetensors")
    assert isinstance(read, made_up) and read.cfg.grey and read.generator.colour.shape == (1, 1, 1, 1)
    assert "one colour" in capsys.readouterr().out


def test_a_system_without_a_loss_or_without_weights_cannot_be_trained(clip, made_up):
    "It says so; a training that learns nothing must not pass in silence."
    how = dict(size=32, steps=2, batch=2, low_batch=2, lowres_fraction=0.0)
    made_up.generator_terms = System.generator_terms
    with pytest.raises(F3AError, match="defines generator_terms"):
        Trainer(TrainConfig("made_up", **how), [clip], device=CPU).step()
    made_up.make_generator = lambda self: torch.nn.Identity()
    with pytest.raises(F3AError, match="no weights"):
        Trainer(TrainConfig("made_up", **how), [clip], device=CPU)


def test_a_recipe_is_a_stored_config(clip, monkeypatch, capsys):
    got = {}
    monkeypatch.setattr(train, "train", lambda cfg, *a, **k: got.update(cfg=cfg))
    monkeypatch.setattr(train, "drawn_people", lambda cfg, team: [])  # drawing them takes minutes
    assert run_command(f3a_train, clip.path, "--recipe", "t_warp", "--steps", "3") == 0
    assert got["cfg"] == replace(load_recipe("t_warp"), steps=3) and got["cfg"].p_identity == 0.05
    assert run_command(f3a_train, clip.path, "--recipe", "soup") == 2 and "no recipe" in capsys.readouterr().err
    assert run_command(f3a_train, clip.path, "--recipe", "t_warp", "--preset", "paper") == 2
    assert "leave --preset" in capsys.readouterr().err


def test_help_fits_two_screens(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        f3a_train(["--help"])
    said = capsys.readouterr().out
    assert 20 < len(said.splitlines()) <= 120
    for option in ("--preset", "--system", "--init", "--critic-steps", "--anchor", "--perceptual"):
        assert said.count(f" {option} ") + said.count(f" {option},") == 1, option


def test_same_seed_same_weights_other_seed_other_weights(clip):
    def run(seed):
        t = small_trainer(clip, steps=2, seed=seed)
        t.step()
        t.step()
        return t.average["to_rgb.0.0.weight"]

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_the_paper_preset_is_the_supplement(clip):
    "No cosine, no warm-up, no average of its own, all losses from the start, equal shares of the epochs a level."
    cfg = TrainConfig.paper()
    assert (cfg.batch, cfg.low_batch, cfg.gan_fraction, cfg.critic_steps) == (64, 64, 1, 2)
    assert (cfg.pairs, cfg.test_pairs, cfg.steps) == (91_000, 91_000, 56_875)
    assert TrainConfig.voxceleb2().pairs == 840_100 and TrainConfig.voxceleb2().steps == 840_100 * 40 // 64
    for k in (0, 1, 30_000, 56_874):
        assert lr_of(cfg, k) == 1e-4 and stage_of(cfg, k).critic and stage_of(cfg, k).batch == 64
    levels = [stage_of(cfg, k).level for k in range(cfg.steps)]
    assert [levels.count(k) for k in range(5)] == [11_375] * 5 and levels == sorted(levels, reverse=True)
    fades = [stage_of(cfg, k).level for k in range(cfg.steps) if stage_of(cfg, k).alpha < 1]
    assert [fades.count(k) for k in range(5)] == [5687] * 4 + [0], "half of each level, but for the first"
    t = small_trainer(clip, ema=cfg.ema)
    t.step()
    for name, value in t.net.generator.state_dict().items():
        assert torch.equal(t.average[name], value), "an average of 0 is the network itself"


def test_steps_of_the_paper_preset_run_on_a_cpu(clip):
    "Batch 2, at full width: a step of the first level, and one of the last."
    t = Trainer(TrainConfig.paper(batch=2, low_batch=2, pairs=0), [clip], device=CPU)
    assert sum(p.numel() for p in t.net.generator.parameters()) > 25e6
    first, last = t.net.generator.to_rgb[4][0].weight, t.net.generator.to_rgb[0][0].weight
    for step, moves, stays in ((0, first, last), (56_000, last, first)):
        before = moves.detach().clone(), stays.detach().clone()
        row = t.learn(step)
        assert row["size"] == (8, 128)[step > 0] and 0 < row["l1"] < 1
        assert not torch.equal(moves, before[0]) and torch.equal(stays, before[1])


def on_the_gpu():
    "Skip, with a reason, where there is no CUDA device."
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_steps_on_the_gpu_agree_with_the_cpu(clip, precision):
    "Growing, critic and all; 16 bits up to their rounding. The weights stay in 32 bits. A process has one precision."
    on_the_gpu()
    program = f"""
import torch
from f3a_lite.data.clips import load_clip
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer
from team_run import SMALL
rows = []
for device, bits in (("cpu", "no"), ("cuda", {precision!r})):
    own = dict(generator=SMALL, size=32, steps=4, batch=4, low_batch=4, lowres_fraction=0.0, gan_fraction=1.0)
    t = Trainer(TrainConfig(**own, precision=bits), [load_clip({str(clip.path)!r})], device=device)
    rows.append([t.step() for _ in range(4)][-1]["l1"])
    assert all(p.dtype == torch.float32 for p in t.net.parameters())
assert abs(rows[0] - rows[1]) < {1e-3 if precision == "no" else 0.05} * rows[0], rows
"""
    tests = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tests, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
def test_the_paper_preset_on_the_gpu(clip, capsys):
    "A step of the last level with the paper's batch of 64; says what it takes."
    on_the_gpu()
    t = Trainer(TrainConfig.paper(pairs=0), [clip], device="cuda")
    t.learn(56_000)
    torch.cuda.synchronize()
    start = time.time()
    row = t.learn(56_001)
    torch.cuda.synchronize()
    with capsys.disabled():
        gb = torch.cuda.max_memory_allocated() / 2**30
        print(f"\n{torch.cuda.get_device_name()}: {time.time() - start:.2f} s a step, {gb:.1f} GB")
    assert 0 < row["l1"] < 1 and row["size"] == 128
