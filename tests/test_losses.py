"Eq. 10 to 13."

import math
from dataclasses import replace
from types import SimpleNamespace
import numpy as np
import torch
from f3a_lite import schedule as schedule_module, training
from f3a_lite.data.clips import load_clip
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.generator import Generator, GeneratorConfig
from f3a_lite.losses import adversarial_loss, critic_loss, perceptual_loss, weighted_pixel_loss
from f3a_lite.pairs import feature_weights, make_batch, sample_pairs, split_frames
from f3a_lite.registry import make_system
from f3a_lite.schedule import TrainConfig
from f3a_lite.systems import LossConfig
from f3a_lite.ui import train
from helpers import CPU, half_real


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


def test_a_layer_costs_nothing_where_the_picture_never_was(clip):
    s = make_system("t_warp", channels=(8, 8, 8))
    b = make_batch([half_real(clip)], np.array([[0, 0, 9], [0, 3, 20]]), 32, "geometry_maps")
    out = s(b["source"], b["condition"])
    out["layer"].retain_grad()
    s.generator_terms(out, b, training.Stage(critic=False))["residual"].backward()
    gradient = out["layer"].grad
    assert (gradient[b["valid"] == 0] == 0).all() and gradient.abs().sum() > 0


def test_pixels_that_the_picture_never_had_count_in_no_term(clip):
    "What the generator paints there changes no loss, and gets no gradient."
    s = make_system("f3a_gan", channels=(8, 8), flow_channels=(4, 4))
    s.critic.eval()
    b = make_batch([half_real(clip)], np.array([[0, 0, 9], [0, 3, 20]]), 32)
    assert b["valid"].mean() == 0.5
    image = s(b["source"], b["condition"])["image"].detach()
    other = torch.where(b["valid"] > 0, image, torch.rand_like(image)).requires_grad_(True)
    stage = training.Stage()
    terms = [s.generator_terms(dict(image=x), b, stage) for x in (image, other)]
    assert terms[0].keys() == terms[1].keys() == {"pixel", "adversarial", "perceptual"}
    for name in terms[0]:
        assert torch.allclose(terms[0][name], terms[1][name], rtol=1e-5), name
    sum(terms[1].values()).backward()
    assert (other.grad[b["valid"].expand_as(other) == 0] == 0).all() and other.grad.abs().sum() > 0
    critics = [s.critic_terms(dict(image=x), b, stage)["critic"] for x in (image, other)]
    assert torch.allclose(*critics, rtol=1e-5)
