"What training does: every term of the loss, critic, schedules, average; its command, resuming, what needs a GPU."

import copy
import math
import numpy as np
import pytest
import torch
from f3a_lite import training
from f3a_lite.conditions import GeometryMaps
from f3a_lite.losses import adversarial_loss
from f3a_lite.pairs import feature_weights, make_batch
from f3a_lite.schedule import TrainConfig, stage_of
from f3a_lite.systems import LossConfig
from helpers import KINDS, small_trainer, tensors


def all_real(clip):
    "The clip, as if its picture had been larger than the crop."
    copied = copy.copy(clip)
    copied.valid = lambda size=None: torch.ones(1, size, size)
    return copied


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
    maps = torch.zeros(len(x), 11, *x.shape[-2:])
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
    if "residual" in terms:
        loss = loss + 100 * t.cfg.losses.residual * (out["layer"] - out["fade"]).abs().mean()
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
    t = small_trainer(all_real(clip), kind, losses=LossConfig(residual=0.5))
    terms = ["pixels", "critic", "features"] + ["residual"] * (kind == "t_warp")
    for _ in range(2):
        before = snapshot(t)
        encoder = {n: v.clone() for n, v in t.net.generator.T_enc.state_dict().items()}
        seen = watch(t, monkeypatch)
        want, critic, opt = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], terms)
        assert distance(seen["grad"], want) < 1e-4
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
        assert distance(seen["grad"], other) > (5e-4 if kind == "t_warp" else 3e-3), f"{out} is seen to act"
    plain = gradient_by_hand(t, copy.deepcopy(before), seen["batch"], ["plain pixels"] + terms[1:])[0]
    if kind == "t_warp":
        assert distance(seen["grad"], plain) < 1e-5, "the boxes lie on the mesh, which always moves: nothing to learn"
    else:
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
        t = small_trainer(clip, batch=400, p_identity=still)
        pairs = t.pairs(0)
        assert low <= np.mean(pairs[:, 1] == pairs[:, 2]) <= high
    t = small_trainer(clip, p_identity=1.0)
    b = watch(t, monkeypatch)["batch"]
    assert torch.equal(b["source"], b["target"])
    b = watch(small_trainer(clip), monkeypatch)["batch"]
    assert not torch.equal(b["source"], b["target"])
