"""What the `paper` preset costs on a GPU, estimated from counted operations: results/paper_costs.json.

python benchmarks/paper_costs.py
One step of each level is run on this machine with two pairs, and its operations are counted. Hours and memory of a GPU
are estimates: its stated rate times the share of it that such trainings usually reach.
"""

from dataclasses import dataclass
from pathlib import Path
import time
from torch.utils.flop_counter import FlopCounterMode
from f3a_lite.core import friendly_errors
from f3a_lite.generator import costs_of
from f3a_lite.results import Record, run_info, save_records
from f3a_lite.training import TrainConfig, Trainer, stage_of
from short_trainings import ROOT, begin

RESULT = ROOT / "results" / "paper_costs.json"
GPUS = {  # name → TFLOP a second in the arithmetic named, as its maker states
    "A100, TF32": 156.0,
    "H100, TF32": 495.0,
    "H100, bfloat16": 989.0,
}
SHARE = 0.15  # of the stated rate: a guess for convolutions of this size between instance normalisations


@dataclass
class Options:
    "Count the operations of the paper's training."

    out: Path = RESULT  # where the counts go


def step_of_level(config, level: int) -> int:
    "A step in which a level is on its own."
    return next(k for k in range(config.steps) if stage_of(config, k).level == level and stage_of(config, k).alpha == 1)


def main(argv=None):
    "Write the counts and the estimates."
    with friendly_errors():
        options, start, clip = begin("paper_costs.py", Options, argv)
        paper = TrainConfig.paper()
        trainer = Trainer(TrainConfig.paper(batch=2, low_batch=2, pairs=0), [clip], device="cpu")
        levels = []
        for level in range(paper.generator.grows + 1):
            begun = time.time()
            with FlopCounterMode(display=False) as counter:
                trainer.learn(step_of_level(paper, level))
            cost = costs_of(paper.generator, paper.size, level)
            steps = sum(stage_of(paper, k).level == level for k in range(paper.steps))
            figures = dict(
                steps=steps,
                tflop_a_step=round(counter.get_total_flops() / 2 * paper.batch / 1e12, 4),
                activation_gb=round(cost["activation_bytes"] * paper.batch / 2**30, 3),
                seconds_of_two_pairs_here=round(time.time() - begun, 2),
            )
            levels.append(Record("paper", dict(size=paper.size >> level), figures))
        total = sum(r.figures["tflop_a_step"] * r.figures["steps"] for r in levels)
        weights = sum(p.numel() for p in trainer.net.parameters())
        memory = 3 * max(r.figures["activation_gb"] for r in levels) + weights * 16 / 2**30
        hours = {name: round(total / (rate * SHARE) / 3600, 1) for name, rate in GPUS.items()}
        told = dict(estimate=f"at {SHARE:.0%} of the stated rate")
        levels.append(Record("paper", told, dict(total_tflop=round(total), memory_gb=round(memory, 1), **hours)))
        info = run_info("python benchmarks/paper_costs.py", 0, start)
        for record in levels:
            record.info = info
        save_records(levels, options.out)
        print(levels[-1].figures)


if __name__ == "__main__":
    main()
