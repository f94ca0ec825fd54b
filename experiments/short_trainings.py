"""Short trainings of one config with several seeds, for the comparisons beside this file."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
import time
import torch
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.lab.evaluation import evaluate
from f3a_lite.landmarks import laplacian_variance
from f3a_lite.morphable import open_model
from f3a_lite.pairs import HELD_OUT, make_batch, sample_pairs
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.projection import to_pixels
from f3a_lite.lab.results import Record, figure, load_records, run_info, save_records
from f3a_lite.schedule import stage_of
from f3a_lite.training import Trainer

ROOT = Path(__file__).resolve().parent.parent


def begin(program: str, options, argv) -> tuple:  # the options read, the time, and the bundled clip
    "What every comparison begins with."
    read = parse_options(program, options, argv)
    set_threads()
    return read, time.monotonic(), bundled_clip(ROOT / "runs" / "clips")


def sharpness(system, clips: list, splits: list, size: int, n: int = 96) -> dict:  # split → ratio
    "Fine detail inside the face's box, generated over true: the mean over held-out pairs of each split."
    found = {}
    for which in (w for w in HELD_OUT if sum(len(s[w]) for s in splits)):
        pairs = sample_pairs(splits, which, n, seed=9)
        batch = make_batch(clips, pairs, size, system.condition, open_model(), system.cfg.anchor)
        with torch.no_grad():
            image = system(batch["source"], batch["condition"])["image"]
        flat = torch.nn.functional.pad(batch["landmarks"], (0, 1))  # (n,68,3), depth 0
        points = to_pixels(flat, size, size)[..., :2].numpy()
        fine = [laplacian_variance(x, points).mean() for x in (image, batch["target"])]
        found[which] = float(fine[0] / fine[1])
    return found


def train_once(config, clips, measured=None) -> tuple:  # Records of evaluate, seconds of the training, its log
    "Train one config, and measure it on what was held out, of all clips or of those that are named."
    start = time.monotonic()
    trainer = Trainer(config, clips)
    while trainer.done < config.steps:
        trainer.step()
    seconds = time.monotonic() - start
    system, shown = trainer.averaged(), range(len(clips)) if measured is None else measured
    some, splits = [clips[k] for k in shown], [trainer.splits[k] for k in shown]
    records = evaluate(system, some, splits, size=config.size)
    fine = sharpness(system, some, splits, config.size)
    for record in records:
        if record.name == system.title and "split" in record.setting:
            record.figures["sharpness"] = figure([fine[record.setting["split"]]])
    return records, seconds, trainer.log


def kinds_of_steps(config) -> Counter:  # (level, whether it fades, critic) → how many steps
    "What kinds of steps a training has."
    stages = [stage_of(config, k) for k in range(config.steps)]
    return Counter((s.level, s.alpha < 1, s.critic) for s in stages)


def steps_for(config, clips: list, minutes: float) -> int:
    "How many steps of a config fill a time on a quiet machine: processor time a step of each kind, over the threads."
    trainer = Trainer(replace(config, steps=1000), clips)
    counts, kinds, total = kinds_of_steps(trainer.cfg), {}, 0.0
    for k in range(trainer.cfg.steps):
        stage = stage_of(trainer.cfg, k)
        kinds.setdefault((stage.level, stage.alpha < 1, stage.critic), k)
    for kind, step in kinds.items():
        spent = []
        for _ in range(4):
            start = time.process_time()
            trainer.learn(step)
            spent.append((time.process_time() - start) / torch.get_num_threads())
        total += min(spent) * counts[kind]
    return max(20, int(minutes * 60 / total * 1000))


def over_seeds(
    config,  # TrainConfig
    clips: list,  # prepared clips
    seeds: tuple,  # one training each
    setting: dict,  # what tells these trainings from others
    measured=None,  # numbers of the clips that are measured; None: all
    logs: dict = None,  # seed → log of the training; filled here
) -> list:  # Records
    "The system's figures with their spread over seeds; copying and warping, with theirs over samples of pairs."
    title, by_split, baselines = None, {}, []
    for seed in seeds:
        records, seconds, log = train_once(replace(config, seed=seed), clips, measured)
        if logs is not None:
            logs[seed] = log
        measured = [r for r in records if "split" in r.setting]
        baselines = [r for r in measured if r.name in ("copying", "warping only")]
        for r in measured:
            if r.name in ("copying", "warping only"):
                continue
            title = r.name
            row = {metric: r.mean(metric) for metric in r.figures}
            by_split.setdefault(r.setting["split"], []).append(dict(row, seconds=seconds))
        print(
            title, setting, f"seed {seed}", {s: round(rows[-1]["psnr"], 2) for s, rows in by_split.items()}, flush=True
        )
    common = dict(setting, size=config.size, protocol="second")
    means = [Record(r.name, dict(common, split=r.setting["split"], spread="samples"), r.figures) for r in baselines]
    for split, rows in by_split.items():
        figures = {name: figure([row[name] for row in rows]) for name in rows[0]}
        own = dict(common, split=split, spread="seeds", steps=config.steps)
        means.append(Record(title, own, figures))
    return means


def first_protocol(
    path,  # a results file, perhaps not there
) -> list:  # Records
    "The records of the first protocol, which are kept beside those of the second."
    return [r for r in load_records(path) if r.setting.get("protocol") == "first"] if path.exists() else []


def save_comparison(
    records: list,  # Records of all trainings
    script: str,  # the file in this folder that made them
    options,  # its `steps` or `minutes`, `seeds` and `out`
    start: float,  # `time.monotonic()` when it began
):
    "Write the records with the command that made them."
    seeds = " ".join(str(s) for s in options.seeds)
    length = f"--steps {options.steps}" if hasattr(options, "steps") else f"--minutes {options.minutes:g}"
    info = run_info(f"python benchmarks/{script} {length} --seeds {seeds}", list(options.seeds), start)
    for record in records:
        record.info = info
    save_records(first_protocol(options.out) + records, options.out)
