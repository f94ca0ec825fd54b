"""Does landmark-only training collapse, and does the warm-up cure it? Three seeds of each: results/collapse.json.

python experiments/collapse.py [--steps 2000]
A run that is finished is kept in runs/collapse and not trained again.
Same network, data and number of steps: L_sub from scratch, or L_warm for the first half and L_sub after it. Measured
on unseen rendered people, eleven times in a run.
"""

import argparse
import json
import time
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F
from f3a_lite.core import save_json
from f3a_lite.jobs import set_threads
from f3a_lite.fitting import landmark_error
from f3a_lite.morphable import open_model
from f3a_lite.projection import posed_landmarks
from f3a_lite.augmentation import augment
from f3a_lite.regressor import Regressor, RegressorConfig, shape_loss, sub_loss, variance_share, warm_loss
from f3a_lite.regressor_metrics import pose_error
from f3a_lite.synth.rendered import render_set
from f3a_lite.lab.results import Record, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent
SIZE, BATCH, LR = 64, 32, 1e-3
KINDS = {"landmarks only": False, "warm-up first": True}  # name → whether L_warm comes first


def small(x):
    "Pictures at the size of this study."
    return F.interpolate(x, (SIZE, SIZE), mode="area")


def measure(net, x, truth, face_model):
    "Errors on unseen people, and variance of the coefficients over that of the truth."
    with torch.no_grad():
        p = net.eval()(x)
    straight = posed_landmarks(face_model, truth.replace(rotation=torch.zeros(1, 3)))
    unit = (straight[:, 36] - straight[:, 45]).norm(dim=-1)
    error = landmark_error(face_model, p, posed_landmarks(face_model, truth)[..., :2], unit)
    return dict(
        points=float(error.mean()),
        pose=float(pose_error(p, truth).mean()),
        shape=float(shape_loss(face_model, p, truth)),
        **variance_share(p, truth),
    )


def run(warm, seed, steps, train, test, face_model):
    "One training: eleven rows of figures."
    torch.manual_seed(seed)
    net = Regressor(RegressorConfig(base=8, size=SIZE))
    optimiser = torch.optim.Adam(net.parameters(), lr=LR, betas=(0.9, 0.999))
    rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    k = np.arange(400)
    x, truth = small(test.images(k)), test.params[torch.from_numpy(k)]
    curve = []
    for step in range(steps):
        if step % (steps // 10) == 0:
            curve.append(dict(step=step, **measure(net, x, truth, face_model)))
        k = rng.integers(0, len(train), BATCH)
        pictures, labels = augment(small(train.images(k)), train.params[torch.from_numpy(k)], g, 0.5)
        net.train()
        params = net(pictures)
        if warm and step < steps // 2:
            terms = warm_loss(face_model, params, labels)
        else:
            terms = sub_loss(face_model, params, posed_landmarks(face_model, labels)[..., :2])
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
    curve.append(dict(step=steps, **measure(net, x, truth, face_model)))
    return curve


def as_records(name, seed, kept, info):
    "One finished run as records, one a measurement."
    records = []
    for row in kept["curve"]:
        figures = {k: v for k, v in row.items() if k != "step"}
        records.append(Record(name, dict(seed=seed, step=row["step"], size=SIZE), figures, info))
    return records


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--steps", type=int, default=2000)
    args = ap.parse_args()
    set_threads()
    rendered = ROOT / "runs" / "rendered"
    train = render_set(rendered / "train", 20000, (0, 4000), 0, workers=2)
    test = render_set(rendered / "test", 1000, (4000, 4200), 1, workers=2)
    records, seconds = [], 0
    info = run_info(f"python experiments/collapse.py --steps {args.steps}", [0, 1, 2])
    for seed in range(3):
        for name, warm in KINDS.items():
            kept = ROOT / "runs" / "collapse" / f"{args.steps}_{'warm' if warm else 'sub'}_{seed}.json"
            if not kept.exists():
                start = time.monotonic()
                curve = run(warm, seed, args.steps, train, test, open_model())
                save_json(dict(curve=curve, seconds=round(time.monotonic() - start)), kept)
            stored = json.loads(kept.read_text())
            seconds += stored["seconds"]
            records += as_records(name, seed, stored, info)
            print(name, seed, records[-1].figures, flush=True)
    info["seconds"] = seconds
    save_records(records, ROOT / "results" / "collapse.json")
