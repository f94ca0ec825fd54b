"""A training that saves after every step and says so, for the test that kills it.

python tests/killed_run.py CLIP OUT
"""

import sys
from f3a_lite.data.clips import load_clip
from f3a_lite.jobs import set_threads
from f3a_lite.generator import GeneratorConfig
from f3a_lite.loop import run_training
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer

STEPS = 24


def trainer_of(path):
    "Grows through three levels; its critic takes part from the first step on."
    small = GeneratorConfig(channels=(6, 8, 8), flow_channels=(3, 4, 4), grows=2)
    cfg = dict(size=32, steps=STEPS, batch=2, low_batch=4, lowres_fraction=0.0, gan_fraction=1.0, grow_fraction=0.7)
    return Trainer(TrainConfig(generator=small, **cfg), [load_clip(path)], device="cpu")


if __name__ == "__main__":
    set_threads(1)
    t = trainer_of(sys.argv[1])
    say = lambda trainer: print(trainer.done, flush=True)
    run_training(t, STEPS, sys.argv[2], save_every=-1, progress=False, watchers=[say])
