"""Eq. 4's μ and σ, what the decoder goes on from, and how a new level fades in: results/fusion_and_fade.json.

python experiments/fusion_and_fade.py [--minutes 3] [--seeds 0 1 2] [--only NAMES] [--steps 504]
Each reading of the paper's generator is trained for the same processor time at 64 × 64, growing from 16 × 16, on the
bundled clip without the frames in which a hand hides the face and on 40 rendered people, with the pixel loss. Measured
on held-out frames of the bundled clip; and at each switch to a larger picture, on 48 held-out pairs, the error of the
small picture enlarged and of the first picture of the new level (α = 0): the fade must not jump.
"""

from dataclasses import dataclass, replace
from pathlib import Path
import time
import numpy as np
import torch
from torch import nn
from f3a_lite.core import friendly_errors
from f3a_lite.generator import GeneratorConfig, UpBlock, double
from f3a_lite.metrics import picture_metrics
from f3a_lite.morphable import open_model
from f3a_lite.pairs import make_batch, sample_pairs
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.spade import Encoder, SPADE
from f3a_lite.systems import F3AGan, SYSTEMS
from f3a_lite.schedule import TrainConfig, stage_of
from f3a_lite.training import Trainer
from short_trainings import ROOT, begin, kinds_of_steps

PEOPLE, FRAMES, TIMES = 40, 48, 3  # rendered people, frames of each, and how often the bundled clip counts
READINGS = {  # name → what is read in another way
    "shipped": {},  # until this comparison: statistics, and Up before `to_rgb`
    "learned μ, σ": dict(learned=True),
    "goes on from h_dec": dict(goes_on="h_dec"),
    "learned μ, σ, goes on from h_dec": dict(learned=True, goes_on="h_dec"),
    "Up after to_rgb": dict(fade="up last"),
    "to_rgb is one 1 × 1": dict(fade="1 × 1"),
    "the same Conv in both terms": dict(fade="same"),
    "learned μ, σ, Up after to_rgb": dict(learned=True, fade="up last"),
    "learned μ, σ, to_rgb is one 1 × 1": dict(learned=True, fade="1 × 1"),
}


class ReadGenerator(nn.Module):
    "The two-stream generator in one reading of Eq. 4 and of the formula below it."

    def __init__(self, cfg, learned=False, goes_on="h_out", fade="pictures"):
        super().__init__()
        self.cfg, self.goes_on, self.fade = cfg, goes_on, fade
        c, cf, self.deepest = cfg.channels, cfg.flow_channels, len(cfg.channels) - 1
        self.T_enc = Encoder(3, c, grows=cfg.grows)
        self.T_flow = Encoder(3, cf, norm=False, grows=cfg.grows)
        fused = range(0 if goes_on == "h_dec" else 1, self.deepest + 1)
        self.spade = nn.ModuleDict({str(k): SPADE(c[k], cf[k]) for k in fused})
        if not learned:  # statistics of each channel of each picture
            for k in fused:
                self.spade[str(k)].norm = nn.InstanceNorm2d(c[k], affine=False)
        self.T_dec = nn.ModuleList([UpBlock(c[k + 1], c[k]) for k in range(self.deepest)])
        self.to_rgb = nn.ModuleList([self.conv(c[k]) for k in range(cfg.grows + 1)])
        if fade == "same":
            self.narrow = nn.ModuleList([nn.Conv2d(c[k + 1], c[k], 1) for k in range(cfg.grows)])

    def conv(self, channels):
        "Conv of one level."
        if self.fade == "1 × 1":
            return nn.Conv2d(channels, 3, 1)
        two = nn.Conv2d(channels, channels, 3, 1, 1), nn.Conv2d(channels, 3, 3, 1, 1)
        return nn.Sequential(two[0], nn.PReLU(channels, init=0.2), two[1])

    def decode(self, h_enc, h_flow, level, alpha):
        "The picture of a level, before the sigmoid."
        h_out = h_dec = self.spade[str(self.deepest)](h_enc[-1], h_flow[-1])
        for k in reversed(range(level, self.deepest)):
            below, carried = (h_dec if self.goes_on == "h_out" else h_out), h_out
            h_dec = self.T_dec[k](h_out if self.goes_on == "h_out" else h_dec)  # (B,Ck,2H,2W)
            if k > level or self.goes_on == "h_dec":
                h_out = h_dec * self.spade[str(k)](h_enc[k - level], h_flow[k - level])  # Eq. 4
        shown = h_dec if self.goes_on == "h_out" else h_out
        picture = self.to_rgb[level](shown)
        if level == self.cfg.grows or alpha >= 1:
            return picture
        if self.fade == "up last":
            old = double(self.to_rgb[level + 1](below))
        elif self.fade == "same":
            old = self.to_rgb[level](self.narrow[level](double(carried)))
        else:
            old = self.to_rgb[level + 1](double(below))
        return torch.lerp(old, picture, alpha)

    def forward(self, source, condition, level=0, alpha=1.0):  # (B,3,H,W), (B,3,H,W)
        "The picture of a level."
        h_enc, h_flow = self.T_enc(source * 2 - 1, level, alpha), self.T_flow(condition * 4, level, alpha)
        return dict(image=torch.sigmoid(self.decode(h_enc, h_flow, level, alpha)))


class Read(F3AGan):
    "The paper's system with a generator in another reading."

    kind = "read"
    reading = {}

    def make_generator(self):
        "The generator in the reading that is set."
        return ReadGenerator(self.cfg, **self.reading)


SYSTEMS[Read.kind] = Read


@dataclass
class Options:
    "Train the generator in every reading for the same time."

    minutes: float = 3.0  # processor time of each training, divided by the number of threads
    seeds: tuple[int, ...] = (0, 1, 2)  # one training each
    only: tuple[str, ...] = ()  # names of readings; none: all
    steps: int | None = None  # of the shipped reading, the others by their cost beside it; None: what fills the minutes
    out: Path = ROOT / "results" / "fusion_and_fade.json"


def config_of() -> TrainConfig:
    "A training at 64 × 64 with the pixel loss, which tells readings apart soonest."
    generator = GeneratorConfig.lite(grows=2, flow_norm=False)
    own = dict(size=64, batch=16, low_batch=16, gan_fraction=0.0, ema=0.99, grow_fraction=0.5)
    return TrainConfig.lite("read", generator=generator, **own)


def lengths(names, clips, minutes, shipped) -> dict:  # name → steps
    "How many steps of each reading fill a time: processor time over threads, in turn, the least of five rounds."
    trainers, least, names = {}, {}, dict.fromkeys(["shipped", *names])
    for name in names:
        Read.reading = READINGS[name]
        trainers[name] = Trainer(replace(config_of(), steps=1000), clips)
    counts, kinds = kinds_of_steps(trainers[name].cfg), {}
    for k in range(1000):
        stage = stage_of(trainers[name].cfg, k)
        kinds.setdefault((stage.level, stage.alpha < 1, stage.critic), k)
    for _ in range(5):
        for name, trainer in trainers.items():
            for kind, step in kinds.items():
                start = time.process_time()
                trainer.learn(step)
                spent = (time.process_time() - start) / torch.get_num_threads()
                least[name, kind] = min(spent, least.get((name, kind), spent))
    cost = {name: sum(least[name, kind] * n for kind, n in counts.items()) / 1000 for name in names}
    whole = shipped * cost["shipped"] if shipped else minutes * 60
    return {name: int(whole / seconds) for name, seconds in cost.items()}


@torch.no_grad()
def error_at(trainer, level, alpha, size):
    "Mean absolute error of a level's pictures, enlarged to a size, on held-out pairs of the bundled clip."
    splits = [trainer.splits[0]]
    pairs = np.concatenate([sample_pairs(splits, which, 16, 9) for which in ("random", "block_1", "block_2")])
    small = trainer.cfg.size >> level
    batch = make_batch(trainer.clips[:1], pairs, small, "flow", open_model(), "target")
    large = make_batch(trainer.clips[:1], pairs, size, "flow", open_model(), "target")
    trainer.net.eval()
    image = trainer.net.generator(batch["source"], batch["condition"], level, alpha)["image"]
    if small != size:
        image = double(image)
    return float(((image - large["target"]).abs() * large["valid"]).mean())


@torch.no_grad()
def measured(trainer, n: int = 48) -> dict:  # split → metric → number
    "MAE and PSNR of the averaged weights on held-out pairs of the bundled clip."
    system, rows = trainer.averaged(), {}
    for which in ("random", "block_1", "block_2"):
        pairs = sample_pairs(trainer.splits[:1], which, n, 123)
        batch = make_batch(trainer.clips[:1], pairs, trainer.cfg.size, "flow", open_model(), "target")
        image = system(batch["source"], batch["condition"])["image"]
        values = picture_metrics(image, batch["target"], batch["valid"])
        rows[which] = {m: float(values[m].mean()) for m in ("mae", "psnr")}
    return rows


def train_one(config, clips) -> tuple:  # split → metric → number, and the errors around each switch
    "Train, and look at each switch on the way."
    trainer, switches = Trainer(config, clips), []
    while trainer.done < config.steps:
        before, now = stage_of(config, max(0, trainer.done - 1)), stage_of(config, trainer.done)
        if now.level != before.level:
            around = error_at(trainer, before.level, 1.0, now.size), error_at(trainer, now.level, 0.0, now.size)
            switches.append(dict(size=now.size, before=around[0], after=around[1]))
        trainer.step()
    return measured(trainer), switches


def main(argv=None):
    "Write the records of what is done."
    with friendly_errors():
        options, start, clip = begin("fusion_and_fade.py", Options, argv)
        people = [prepare_rendered(k, ROOT / "runs" / "people" / f"{k:03d}", frames=FRAMES) for k in range(PEOPLE)]
        clips, records = [clip] * TIMES + people, []
        steps = lengths(options.only or READINGS, clips, options.minutes, options.steps)
        for name in options.only or READINGS:
            Read.reading = READINGS[name]
            began, config = time.monotonic(), replace(config_of(), steps=steps[name])
            done = [train_one(replace(config, seed=seed), clips) for seed in options.seeds]
            command = f"python experiments/fusion_and_fade.py --minutes {options.minutes:g} --steps {steps['shipped']}"
            info = run_info(command, list(options.seeds), began)
            common = dict(reading=name, size=64, steps=config.steps, minutes=options.minutes, spread="seeds")
            for split in done[0][0]:
                figures = {m: figure([rows[split][m] for rows, _ in done]) for m in done[0][0][split]}
                records.append(Record("F3A-GAN", dict(common, split=split), figures, info))
                print(name, split, round(figures["psnr"]["mean"], 2), f"{time.monotonic() - start:.0f} s", flush=True)
            for k, switch in enumerate(done[0][1]):
                figures = {when: figure([s[k][when] for _, s in done]) for when in ("before", "after")}
                records.append(Record("F3A-GAN", dict(common, split="switch", to=switch["size"]), figures, info))
                print(name, "switch to", switch["size"], {w: round(f["mean"], 4) for w, f in figures.items()})
            save_records(records, options.out)


if __name__ == "__main__":
    main()
