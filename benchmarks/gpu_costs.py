"""What a step of the `paper` preset takes on a GPU: results/gpu_costs.json.

python benchmarks/gpu_costs.py
python benchmarks/gpu_costs.py --precision bf16
A process has one precision, so each has its own call, and the figures of the other stay in the file. A batch of each
level is made once, and steps are timed on it; what making it takes on one core is told beside.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal
import sys
import time
import torch
from torch.utils.flop_counter import FlopCounterMode
from f3a_lite.data.clips import load_clip
from f3a_lite.core import F3AError, friendly_errors, get_device
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.lab.results import Record, load_records, run_info, save_records
from f3a_lite.schedule import TrainConfig, stage_of
from f3a_lite.training import Trainer

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Time the steps of the paper's training."

    precision: Literal["no", "bf16", "fp16"] = "no"  # 'no': 32 bits (convolutions in TF32 where the GPU has it)
    batch: int = 64  # pairs a step; the paper's are 64
    steps: int = 10  # that are timed, after three that are not
    clip: Path | None = None  # a prepared clip; default: the bundled one
    device: str | None = None  # default: the best there is
    out: Path = ROOT / "results" / "gpu_costs.json"  # where the figures go

    def __post_init__(self):
        if self.batch < 1 or self.steps < 1:
            raise F3AError("A step has one pair at least, and one step at least is timed.")


def step_of_level(config, level: int) -> int:
    "A step in which a level is on its own."
    return next(k for k in range(config.steps) if stage_of(config, k).level == level and stage_of(config, k).alpha == 1)


def wait_for(device):
    "All that was asked of a device is done."
    if device.type == "cuda":
        torch.cuda.synchronize()


def time_level(trainer: Trainer, level: int, repeats: int) -> dict:  # seconds, rate, memory
    "Steps of one level on one batch."
    step, device = step_of_level(trainer.cfg, level), trainer.device
    start = time.monotonic()
    parts = trainer.batches[step]
    making = time.monotonic() - start
    batch = [{name: value.to(device) for name, value in part.items()} for part in parts]
    trainer.parts_of = lambda step: batch
    with FlopCounterMode(display=False) as counter:
        trainer.learn(step)
    for _ in range(2):
        trainer.learn(step)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    took = []
    for _ in range(repeats):
        wait_for(device)
        start = time.monotonic()
        trainer.learn(step)
        wait_for(device)
        took.append(time.monotonic() - start)
    tflop = counter.get_total_flops() / 1e12
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None
    return dict(
        seconds_a_step=round(median(took), 4),
        tflop_a_step=round(tflop, 4),
        tflop_a_second=round(tflop / median(took), 2),
        memory_gb=None if memory is None else round(memory, 2),
        seconds_to_make_a_batch=round(making, 3),
    )


def main(argv=None):
    "Time all levels, from the coarsest to the finest."
    with friendly_errors():
        o, start = parse_options("gpu_costs.py", Options, argv), time.monotonic()
        set_threads(1)
        clip = load_clip(o.clip) if o.clip else bundled_clip(ROOT / "runs" / "clips")
        cfg = TrainConfig.paper(batch=o.batch, low_batch=o.batch, precision=o.precision)
        trainer = Trainer(cfg, [clip], device=get_device(o.device))
        trainer.batches[step_of_level(cfg, 0)]  # what is compiled at the first call
        records = [r for r in load_records(o.out) if r.setting["precision"] != o.precision] if o.out.exists() else []
        for level in reversed(range(cfg.generator.grows + 1)):
            setting = dict(size=cfg.size >> level, precision=o.precision, batch=o.batch)
            records.append(Record("paper", setting, time_level(trainer, level, o.steps)))
            print(records[-1].setting, records[-1].figures, flush=True)
        info = run_info(" ".join(["python benchmarks/gpu_costs.py", *(argv or sys.argv[1:])]), cfg.seed, start)
        for record in records:
            record.info = record.info or info
        save_records(records, o.out)


if __name__ == "__main__":
    main()
