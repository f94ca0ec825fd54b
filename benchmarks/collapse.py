"""Does landmark-only training collapse, and does the warm-up cure it? Three seeds of each: results/collapse.json.

python benchmarks/collapse.py [--steps 2000]
A run that is finished is kept in runs/collapse and not trained again.
Same network, data and number of steps: L_sub from scratch, or L_warm for the first half and L_sub after it. Measured on unseen rendered people.
"""

import argparse, json, time
from pathlib import Path
import numpy as np
import torch
from f3a_lite.fitting import landmark_error
from f3a_lite.core import run_info, save_json, set_threads
from f3a_lite.morphable import open_model
from f3a_lite.projection import posed_landmarks
from f3a_lite.regressor import (
    Regressor,
    RegressorConfig,
    augment,
    pose_error,
    shape_loss,
    sub_loss,
    variance_share,
    warm_loss,
)
from f3a_lite.rendered import render_set

ROOT = Path(__file__).resolve().parent.parent


def measure(net, x, truth, model):
    "Errors on unseen people, and variance of the coefficients over that of the truth."
    with torch.no_grad():
        p = net.eval()(x)
    straight = posed_landmarks(model, truth.replace(rotation=torch.zeros(1, 3)))
    e = landmark_error(
        model, p, posed_landmarks(model, truth)[..., :2], (straight[:, 36] - straight[:, 45]).norm(dim=-1)
    )
    return dict(
        points=float(e.mean()),
        pose=float(pose_error(p, truth).mean()),
        shape=float(shape_loss(model, p, truth)),
        **variance_share(p, truth),
    )


def run(warm, seed, steps, train, test, model, size=64, batch=32, lr=1e-3):
    torch.manual_seed(seed)
    net = Regressor(RegressorConfig(base=8, size=size))
    opt = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.999))
    rng, g = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    small = lambda x: torch.nn.functional.interpolate(x, (size, size), mode="area")
    idx = np.arange(400)
    x, truth = small(test.images(idx)), test.params[torch.from_numpy(idx)]
    curve = []
    for k in range(steps):
        if k % (steps // 10) == 0:
            curve.append(dict(step=k, **measure(net, x, truth, model)))
        j = rng.integers(0, len(train), batch)
        b, p = augment(small(train.images(j)), train.params[torch.from_numpy(j)], g, 0.5)
        net.train()
        out = net(b)
        loss = (
            warm_loss(model, out, p)
            if warm and k < steps // 2
            else sub_loss(model, out, posed_landmarks(model, p)[..., :2])
        )
        opt.zero_grad()
        loss["total"].backward()
        opt.step()
    curve.append(dict(step=steps, **measure(net, x, truth, model)))
    return dict(seed=seed, curve=curve)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--steps", type=int, default=2000)
    args = ap.parse_args()
    set_threads()
    train, test = (
        render_set(ROOT / "runs" / "rendered" / "train", 20000, (0, 4000), 0, workers=2),
        render_set(ROOT / "runs" / "rendered" / "test", 1000, (4000, 4200), 1, workers=2),
    )
    runs = {}
    for seed in range(3):
        for name, warm in (("landmarks only", False), ("warm-up first", True)):
            kept = ROOT / "runs" / "collapse" / f"{args.steps}_{'warm' if warm else 'sub'}_{seed}.json"
            if not kept.exists():
                t1 = time.time()
                save_json(
                    {**run(warm, seed, args.steps, train, test, open_model()), "seconds": round(time.time() - t1)}, kept
                )
            r = json.loads(kept.read_text())
            runs.setdefault(name, []).append(r)
            print(name, seed, r["curve"][-1], flush=True)
    save_json(
        dict(
            runs=runs,
            size=64,
            info={
                **run_info(f"python benchmarks/collapse.py --steps {args.steps}", [0, 1, 2]),
                "seconds": sum(r["seconds"] for v in runs.values() for r in v),
            },
        ),
        ROOT / "results" / "collapse.json",
    )
