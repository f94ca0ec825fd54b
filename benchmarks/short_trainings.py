"""Short trainings of one config with several seeds, for the comparisons beside this file."""

from collections import Counter
from dataclasses import replace
import time
import torch
from f3a_lite.evaluation import evaluate
from f3a_lite.results import Record, figure, load_records, run_info, save_records
from f3a_lite.training import Trainer, stage_of


def train_once(config, clips) -> tuple:  # Records of evaluate, seconds of the training
    "Train one config, and measure it on what was held out."
    start = time.time()
    trainer = Trainer(config, clips)
    while trainer.done < config.steps:
        trainer.step()
    seconds = time.time() - start
    return evaluate(trainer.averaged(), clips, trainer.splits, size=config.size), seconds


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
) -> list:  # Records
    "The system's figures with their spread over seeds; copying and warping, with theirs over samples of pairs."
    title, by_split, baselines = None, {}, []
    for seed in seeds:
        records, seconds = train_once(replace(config, seed=seed), clips)
        told = [r for r in records if "split" in r.setting]
        baselines = [r for r in told if r.name in ("copying", "warping only")]
        for r in told:
            if r.name in ("copying", "warping only"):
                continue
            title = r.name
            row = {metric: r.mean(metric) for metric in r.figures}
            by_split.setdefault(r.setting["split"], []).append(dict(row, seconds=seconds))
        print(
            title, setting, f"seed {seed}", {s: round(rows[-1]["psnr"], 2) for s, rows in by_split.items()}, flush=True
        )
    common = dict(setting, size=config.size, protocol="second")
    made = [Record(r.name, dict(common, split=r.setting["split"], spread="samples"), r.figures) for r in baselines]
    for split, rows in by_split.items():
        figures = {name: figure([row[name] for row in rows]) for name in rows[0]}
        own = dict(common, split=split, spread="seeds", steps=config.steps)
        made.append(Record(title, own, figures))
    return made


def first_protocol(
    path,  # a results file, perhaps not there
) -> list:  # Records
    "The records of the first protocol, which are kept beside those of the second."
    return [r for r in load_records(path) if r.setting.get("protocol") == "first"] if path.exists() else []


def save_comparison(
    records: list,  # Records of all trainings
    script: str,  # the file in this folder that made them
    options,  # its `steps` or `minutes`, `seeds` and `out`
    start: float,  # `time.time()` when it began
):
    "Write the records with the command that made them."
    seeds = " ".join(str(s) for s in options.seeds)
    length = f"--steps {options.steps}" if hasattr(options, "steps") else f"--minutes {options.minutes:g}"
    info = run_info(f"python benchmarks/{script} {length} --seeds {seeds}", list(options.seeds), start)
    for record in records:
        record.info = info
    save_records(first_protocol(options.out) + records, options.out)
