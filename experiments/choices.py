"""What the paper's smaller choices bring, at equal steps with three seeds: results/choices.json.

python experiments/choices.py [--steps 150] [--only "ReLU" "film of 9"]
Short trainings at 64 × 64, each beside its base with the same seed. On the bundled clip: losses and layers of the
generator, a head that is still, and the length of MotionGAN's films. On rendered faces: weights and regularisation of
the regressor's losses. A training that is done is kept in runs/choices and not done again, and records of variants that
--only leaves out stay as they are. Beside each variant stands by how much the base is ahead of it, seed by seed.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
import json
from pathlib import Path
import re
import time
from unittest.mock import patch
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from f3a_lite.augmentation import augment
from f3a_lite.baselines import MotionGANConfig
from f3a_lite.core import friendly_errors, save_json
from f3a_lite.fitting import landmark_error
from f3a_lite.landmarks import laplacian_variance
from f3a_lite.lab.results import Record, figure, load_records, run_info, save_records
from f3a_lite.losses import weighted_pixel_loss
from f3a_lite.morphable import open_model
from f3a_lite.pairs import make_batch, sample_pairs, split_clips
from f3a_lite.projection import posed_landmarks, to_pixels
from f3a_lite.regressor import LAMBDAS, Regressor, RegressorConfig, shape_loss, sub_loss, warm_loss
from f3a_lite.schedule import TrainConfig
from f3a_lite.spade import DownBlock
from f3a_lite.synth.rendered import render_set
from f3a_lite.training import Trainer
from ablations import config_of
from collapse import small
from short_trainings import ROOT, begin

SEEDS = (0, 1, 2)
FACES, BATCH = 4000, 32  # rendered faces, and how many a step, of the regressor
LONGEST = 9  # frames of a film
PAIRS = 64  # that a generator is measured on
STILL = 120  # frames that a training on a still head, and one on a turning head, may see


class Pooling(DownBlock):
    "Halve the resolution by averaging, after a convolution without a stride."

    def __init__(self, cin, cout, norm=True):
        super().__init__(cin, cout, norm)
        self.conv = nn.Conv2d(cin, cout, 5, 1, 2, bias=not norm)

    def forward(self, x):  # (B,cin,H,W)
        return F.avg_pool2d(self.act(self.norm(self.conv(x))), 2)  # (B,cout,H/2,W/2)


BLOCKS = {"ReLU": {"act": lambda channels: nn.ReLU()}, "pooling": {"DownBlock": Pooling}}  # what is put into spade.py
LOSSES = {"without the perceptual loss": dict(perceptual=0.0)}
GENERATORS = ("the paper's generator", "without the perceptual loss", "weight 1 in Eq. 10", *BLOCKS)
HEADS = ("a turning head", "a still head")
FILMS = tuple(f"film of {n}" for n in (3, 1, 5, 9))
REGRESSORS = ("the paper's regressor", "weight 1 in Eq. 5", "λ3 = 0")
GROUPS = (GENERATORS, REGRESSORS, HEADS, FILMS)  # the first of each is the base
LOWER = ("mae", "features", "jitter", "gap", "points", "shape")  # figures of which less is better


@dataclass
class Options:
    "Train every variant with three seeds for the same number of steps."

    steps: int = 150  # of each training of a generator; a regressor has three times as many
    only: tuple[str, ...] = ()  # names of variants; none: all
    out: Path = ROOT / "results" / "choices.json"


# ---- generators


def yaw_of(clip) -> np.ndarray:  # (T,) degrees
    "How far the head of each frame is turned."
    return np.degrees(clip.params.rotation[:, 1].numpy())


def seen_by(name, clip, frames) -> np.ndarray:  # numbers of frames
    "The training frames that a variant may see: all, those with the stillest head, or as many of all."
    if name not in HEADS:
        return frames
    if name == "a turning head":
        return frames[np.linspace(0, len(frames) - 1, STILL).astype(int)]
    yaw = yaw_of(clip)[frames]
    return np.sort(frames[np.argsort(np.abs(yaw - np.median(yaw)))[:STILL]])


@torch.no_grad()
def figures_of(system, batch) -> dict:  # metric → number
    "Errors everywhere and in the boxes around eyes, nose and mouth, and fine detail of the face over the true one."
    image = system(batch["source"], batch["condition"])["image"]
    error = (image - batch["target"]).abs().mean(1, keepdim=True) * batch["valid"]
    boxes = (batch["weight"] > 1) * batch["valid"]
    points = to_pixels(F.pad(batch["landmarks"], (0, 1)), 64, 64)[..., :2].numpy()  # (n,68,2)
    fine = [laplacian_variance(x, points).mean() for x in (image, batch["target"])]
    features = float((error * boxes).sum() / boxes.sum())
    return dict(mae=float(error.mean()), features=features, sharpness=float(fine[0] / fine[1]))


def train_generator(name, steps, seed, clip) -> dict:  # metric → number
    "One training, measured on random held-out frames."
    film = name in FILMS
    config = config_of({}, LOSSES.get(name, {}))
    if film:
        config = TrainConfig.lite("motiongan", generator=MotionGANConfig(), size=64, lowres_fraction=0.0, ema=0.99)
    config = replace(config, steps=steps, batch=8, low_batch=8, seed=seed)
    with ExitStack() as changes:
        for what, other in BLOCKS.get(name, {}).items():
            changes.enter_context(patch(f"f3a_lite.spade.{what}", other))
        if film:
            for module in ("conditions", "pairs"):
                changes.enter_context(patch(f"f3a_lite.{module}.FILM", LONGEST))
            n, whole = int(name.split()[-1]), make_batch
            changes.enter_context(patch("f3a_lite.training.make_batch", lambda *a, **k: last_frames(whole(*a, **k), n)))
            changes.enter_context(patch(f"{__name__}.make_batch", lambda *a, **k: last_frames(whole(*a, **k), n)))
        if name == "weight 1 in Eq. 10":
            changes.enter_context(patch("f3a_lite.systems.weighted_pixel_loss", unweighted))
        split = split_clips([clip])[0]
        split["train"] = seen_by(name, clip, split["train"])
        changes.enter_context(patch("f3a_lite.training.split_clips", lambda clips: [split]))
        trainer = Trainer(config, [clip])
        system, curve = trainer.averaged(), []
        held_out, seen = (
            make_batch([clip], sample_pairs([split], which, PAIRS, 9), 64, system.condition, open_model(), "target")
            for which in ("random", "train")
        )
        while trainer.done < steps:
            curve.append(trainer.step()["l1"])
            if trainer.done == steps // 2:
                half = figures_of(trainer.averaged(), held_out)["mae"]
        system = trainer.averaged()
        found = figures_of(system, held_out)
        found["gap"] = found["mae"] - figures_of(system, seen)["mae"]
    late = np.log(curve[steps // 2 :])
    return dict(found, psnr_half=float(-20 * np.log10(half)), jitter=float(np.abs(np.diff(late)).mean()))


def last_frames(batch, n) -> dict:
    "A batch whose films are n frames long."
    return dict(batch, condition=batch["condition"][:, -n:])


def unweighted(fake, real, weight, valid=None):
    "Eq. 10 with weight 1 everywhere."
    return weighted_pixel_loss(fake, real, torch.ones_like(weight), valid)


# ---- regressors


def train_regressor(name, steps, seed, sets) -> dict:  # metric → number
    "One training, by L_warm and then by L_sub, measured on people whom it did not see."
    train, test = sets
    face_model, lambdas = open_model(), LAMBDAS if name != "λ3 = 0" else (*LAMBDAS[:2], 0.0)
    torch.manual_seed(seed)
    net = Regressor(RegressorConfig(base=8, size=64))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.999))
    rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    with ExitStack() as changes:
        if name == "weight 1 in Eq. 5":
            changes.enter_context(patch("f3a_lite.regressor.point_weights", lambda: torch.ones(68)))
        for step in range(steps):
            k = rng.integers(0, len(train), BATCH)
            x, labels = augment(small(train.images(k)), train.params[torch.from_numpy(k)], g, 0.5)
            params = net.train()(x)
            points = posed_landmarks(face_model, labels)[..., :2]
            if step < steps // 2:
                terms = warm_loss(face_model, params, labels, lambdas)
            else:
                terms = sub_loss(face_model, params, points, lambdas)
            optimiser.zero_grad()
            sum(terms.values()).backward()
            optimiser.step()
    k = np.arange(len(test))
    truth = test.params[torch.from_numpy(k)]
    with torch.no_grad():
        p = net.eval()(small(test.images(k)))
        want = posed_landmarks(face_model, truth)[..., :2]  # (B,68,2)
        error = (posed_landmarks(face_model, p)[..., :2] - want).norm(dim=-1)  # (B,68)
        unit = (want[:, 36] - want[:, 45]).norm(dim=-1)
        overall = landmark_error(face_model, p, want, unit).mean()
        return dict(
            points=float(overall),
            features=float((error[:, 36:] / unit[:, None]).mean()),
            shape=float(shape_loss(face_model, p, truth)),
        )


# ---- records


def kept(name, steps, seed, make) -> dict:
    "The figures of one training, made unless they are there."
    path = ROOT / "runs" / "choices" / f"{re.sub('[^a-z0-9λ]+', '_', name.lower())}_{steps}_{seed}.json"
    if not path.exists():
        start = time.monotonic()
        save_json(dict(make(), seconds=round(time.monotonic() - start)), path)
    return json.loads(path.read_text(encoding="utf-8"))


def leads(base: list, other: list) -> dict:  # figures of each seed → metric → figure
    "By how much the base is better, seed by seed."
    names = [m for m in base[0] if m != "seconds"]
    return {m: figure([(b[m] - a[m]) * (1 if m in LOWER else -1) for a, b in zip(base, other)]) for m in names}


def main(argv=None):
    "Write the records of what is done."
    with friendly_errors():
        options, start, clip = begin("choices.py", Options, argv)
        info = run_info(f"python experiments/choices.py --steps {options.steps}", list(SEEDS), start)
        for group in GROUPS:
            if options.only and not set(options.only) & set(group):
                continue
            train, data, steps, done, records = train_generator, clip, options.steps, {}, []
            if group == REGRESSORS:
                people = dict(train=(FACES, (0, 1000), 0), test=(400, (4000, 4100), 1))
                data = [render_set(ROOT / "runs" / "rendered_small" / part, *how) for part, how in people.items()]
                train, steps = train_regressor, 3 * options.steps
            for name in group:
                if options.only and name not in options.only and name != group[0]:
                    continue
                done[name] = [kept(name, steps, s, lambda: train(name, steps, s, data)) for s in SEEDS]
                print(name, done[name], f"{time.monotonic() - start:.0f} s", flush=True)
                figures = {m: figure([d[m] for d in done[name]]) for m in done[name][0] if m != "seconds"}
                spent = dict(info, seconds=sum(d["seconds"] for d in done[name]))
                common = dict(variant=name, base=group[0], steps=steps, size=64, spread="seeds")
                records.append(Record(name, dict(common, lead=False), figures, spent))
                if name != group[0]:
                    ahead = leads(done[group[0]], done[name])
                    records.append(Record(f"before {name}", dict(common, lead=True), ahead, spent))
            new, before = {r.name for r in records}, load_records(options.out) if options.out.exists() else []
            save_records([r for r in before if r.name not in new] + records, options.out)


if __name__ == "__main__":
    main()
