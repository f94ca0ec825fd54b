"""Where should a flow store its motion? Short trainings with the same steps and pairs: results/anchor.json.

python experiments/anchor.py [--steps 300] [--seeds 0 1 2]
"""

from dataclasses import dataclass
from pathlib import Path
from f3a_lite.core import friendly_errors
from f3a_lite.generator import GeneratorConfig
from f3a_lite.schedule import TrainConfig
from short_trainings import ROOT, begin, over_seeds, save_comparison

RESULT = ROOT / "results" / "anchor.json"


@dataclass
class Options:
    "Train the paper's generator with the motion stored at the source's place, and at the target's."

    steps: int = 300  # of each training
    seeds: tuple[int, ...] = (0, 1, 2)  # one training each
    out: Path = RESULT  # where the records go


def main(argv=None):
    "Write the records; those of the first protocol are kept."
    with friendly_errors():
        options, start, clip = begin("anchor.py", Options, argv)
        records = []
        for anchor in ("source", "target"):
            config = TrainConfig.lite(
                generator=GeneratorConfig.lite(anchor=anchor),
                size=64,
                steps=options.steps,
                batch=16,
                lowres_fraction=0.0,
                gan_fraction=0.0,
            )
            records += over_seeds(config, [clip], options.seeds, dict(anchor=anchor))
        save_comparison(records, "anchor.py", options, start)


if __name__ == "__main__":
    main()
