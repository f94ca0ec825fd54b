"""What keeps the critic of Eq. 11 bounded, and what each loss does, at equal time: results/losses.json.

python experiments/losses.py [--minutes 2.5] [--seeds 0]
The terms of the training with all losses, step by step: results/losses_log.json.
"""

from dataclasses import dataclass, replace
from pathlib import Path
import numpy as np
from f3a_lite.core import friendly_errors
from f3a_lite.generator import GeneratorConfig
from f3a_lite.checkpoints import DivergedError
from f3a_lite.lab.results import Record, run_info, save_records
from f3a_lite.systems import LossConfig
from f3a_lite.schedule import TrainConfig
from short_trainings import ROOT, begin, over_seeds, save_comparison, steps_for

RESULT = ROOT / "results" / "losses.json"
LOSSES = {  # name → the fields of the losses that differ from ours
    "hinge and spectral norm": {},
    "Eq. 11 as printed, spectral norm": dict(form="difference"),
    "Eq. 11 as printed, gradient penalty": dict(form="difference", spectral=False, penalty=10.0),
    "hinge without a bound": dict(spectral=False),
    "Eq. 11 as printed, without a bound": dict(form="difference", spectral=False),
    "no perceptual loss": dict(perceptual=0.0),
    "no critic": dict(adversarial=0.0),
}
ALL = "hinge and spectral norm"


@dataclass
class Options:
    "Train the generator with other forms of its losses, all from the first step on, for the same time."

    minutes: float = 2.5  # of each training, on a quiet machine
    seeds: tuple[int, ...] = (0,)  # one training each
    out: Path = RESULT  # where the records go


def config_of(**fields) -> TrainConfig:
    "A training at 64 × 64 with all losses of Eq. 13 from its first step on, as in the supplement."
    generator = GeneratorConfig.lite(flow_norm=False)
    own = dict(size=64, batch=16, lowres_fraction=0.0, gan_fraction=1.0, ema=0.99, losses=LossConfig(**fields))
    return TrainConfig.lite(generator=generator, **own)


def thin(log: list, n: int = 60) -> dict:  # term → n values
    "Means of the terms over n stretches of a training."
    parts = np.array_split(np.arange(len(log)), min(n, len(log)))
    names = [k for k in log[0] if k not in ("size", "seconds")]
    return {k: [round(float(np.mean([log[j][k] for j in part])), 5) for part in parts] for k in names}


def main(argv=None):
    "Write the records, and the log of the training with all losses."
    with friendly_errors():
        options, start, clip = begin("losses.py", Options, argv)
        records = []
        for name, fields in LOSSES.items():
            config = config_of(**fields)
            config = replace(config, steps=steps_for(config, [clip], options.minutes))
            setting, logs = dict(losses=name, minutes=options.minutes), {}
            try:
                records += over_seeds(config, [clip], options.seeds, setting, logs=logs)
            except DivergedError as e:
                print(name, e, flush=True)
                records.append(Record("F3A-GAN", dict(setting, failed=str(e)), {}))
            if name == ALL:
                info = run_info(f"python experiments/losses.py --minutes {options.minutes:g}", 0, start)
                curves = Record("terms", setting, thin(next(iter(logs.values()))), info)
                save_records([curves], options.out.with_name("losses_log.json"))
            save_comparison(records, "losses.py", options, start)


if __name__ == "__main__":
    main()
