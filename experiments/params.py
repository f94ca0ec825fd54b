"""Which parameters drive the better animation, the fit's or the regressor's? results/params.json.

python experiments/params.py [--steps 200] [--seeds 0 1 2]
The bundled clip is prepared with each; each warps the photo, and drives the same short trainings of T_warp at 64x64.
"""

from dataclasses import dataclass
from pathlib import Path
import time
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.data.estimation import PARAM_SOURCES
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.schedule import TrainConfig
from short_trainings import over_seeds, save_comparison

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "results" / "params.json"


@dataclass
class Options:
    "Train T_warp on the bundled clip with parameters from each source."

    steps: int = 200  # of each training
    seeds: tuple[int, ...] = (0, 1, 2)  # one training each
    out: Path = RESULT  # where the records go


def main(argv=None):
    "Write the records; those of the first protocol are kept."
    with friendly_errors():
        options = parse_options("params.py", Options, argv)
        set_threads()
        start = time.monotonic()
        records = []
        for source in PARAM_SOURCES:
            folder = ROOT / "runs" / "params" / source
            clip = prepare_clip(data_path("woman_laughing.mp4"), folder, param_source=source)
            config = TrainConfig.lite(
                "t_warp", size=64, steps=options.steps, batch=16, lowres_fraction=0.0, gan_fraction=0.0, ema=0.99
            )
            trained = over_seeds(config, [clip], options.seeds, dict(param_source=source))
            for record in trained:
                record.figures["fit_error"] = clip.meta["fit_error"]
            records += trained
        save_comparison(records, "params.py", options, start)


if __name__ == "__main__":
    main()
