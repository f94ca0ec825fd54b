"""A short training for `torchrun`, for the tests beside this file: what each process saw, and what it holds.

python -m torch.distributed.run --nproc_per_node 2 tests/team_run.py KIND CLIP OUT
"""

from functools import partial
from pathlib import Path
import sys
import torch
from f3a_lite import metrics
from f3a_lite.lab import tables
from f3a_lite.data.clips import load_clip
from f3a_lite.fitting import FitConfig
from f3a_lite.jobs import set_threads
from f3a_lite.generator import GeneratorConfig
from f3a_lite.team import leave_team
from f3a_lite.regressor import RegressorConfig
from f3a_lite.regressor_training import RegressorTrainer, RegressorTraining
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer

SMALL = GeneratorConfig(channels=(8, 8, 8), flow_channels=(4, 4, 4), grows=1)


def generator_trainer(path, **changes):
    "A system whose critic takes part from the first step on, and which grows."
    own = dict(generator=SMALL, size=32, steps=4, batch=4, low_batch=8, lowres_fraction=0.0, gan_fraction=1.0)
    t = Trainer(TrainConfig(**{**own, **changes}), [load_clip(path)], device="cpu")
    for optimiser in t.optimisers.values():
        for group in optimiser.param_groups:
            group["eps"] = 1.0  # Adam divides by the gradient's size, and would blow up the rounding of a tiny one
    return t


def regressor_trainer(path, **changes):
    "The second phase of a regressor, without augmentation, whose numbers each process draws for itself."
    net = RegressorConfig(base=4, hidden=16)
    cfg = RegressorTraining(net=net, steps=0, sub_steps=4, batch=4, augment=0.0, **changes)
    return RegressorTrainer(cfg, None, [load_clip(path)], device="cpu")


def state_of(t):
    "Weights, average, and the step."
    return dict(net=t.net.state_dict(), average=t.average, log=[dict(r, seconds=0) for r in t.log])


def small_tables(path, out):
    "One row of a table on one clip, two pairs a split and two steps; faces are fitted in a tenth of the steps."
    metrics.FitConfig = partial(FitConfig, steps=40)
    tables.groups_of = lambda *a: [tables.Group("bundled", "one person", [load_clip(path)], [], ("flow",), 2)]
    tables.find_features = lambda *a: None
    return tables.Tables(tables.TableOptions(pictures=16, runs=out / "runs", out=out / "results", device="cpu"))


if __name__ == "__main__":
    kind, path, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    set_threads(1)
    if kind == "tables":
        t = small_tables(path, out)
        t.run()
        left = [job for job in t.jobs() if not t.is_done(*job)]
        print(f"process {t.team.rank} of {t.team.count} has {len(left)} jobs left")
        leave_team()
        sys.exit()
    t = generator_trainer(path) if kind == "generator" else regressor_trainer(path)
    batches = []
    if kind == "generator":
        make = t.parts_of
        t.parts_of = lambda step: (parts := make(step), batches.append([p["target"] for p in parts]))[0]
    else:
        batches.append(t.batch(0)[0])
    for _ in range(4):
        t.step()
    torch.save(dict(state_of(t), batches=batches, count=t.team.count), out / f"{kind}-{t.team.rank}.pt")
    assert t.team.any(t.team.rank == t.team.count - 1) and not t.team.any(False)
    t.team.any(False)
    leave_team()
