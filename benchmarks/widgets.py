"""How long one update of each explorer takes, from the sliders' values to the pictures' bytes: results/widgets.json.

python benchmarks/widgets.py
"""

from dataclasses import dataclass
from pathlib import Path
import time
import numpy as np
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.systems import load_system
from f3a_lite.ui import widgets
from f3a_lite.ui.gallery import portrait

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "results" / "widgets.json"


@dataclass
class Options:
    "Time every explorer."

    updates: int = 20  # of each explorer
    out: Path = RESULT  # where the records go


def explorers() -> dict:  # name → explorer
    "Every explorer of the lesson, on the bundled photo and clip."
    me = portrait("woman")
    f3a, t_warp = (load_system(data_path(f"{name}.safetensors")) for name in ("f3a_gan", "t_warp"))
    clip = bundled_clip(ROOT / "runs" / "clips")
    return dict(
        model=widgets.model_explorer(),
        turning=widgets.turning_explorer(),
        projection=widgets.projection_explorer(),
        flow=widgets.flow_explorer(me),
        fusion=widgets.fusion_explorer(f3a, me),
        growing=widgets.growing_explorer(f3a, me),
        losses=widgets.loss_explorer(f3a, me),
        reenactment=widgets.reenactment_explorer([f3a, t_warp], me),
        errors=widgets.error_explorer([f3a, t_warp], clip),
    )


def other_value(control, share: float):
    "A value of a control, somewhere on its way."
    if hasattr(control, "options"):
        return control.options[int(share * len(control.options)) % len(control.options)]
    value = control.min + share * (control.max - control.min)
    return int(value) if isinstance(control.value, int) else value


def main(argv=None):
    "Move every control of every explorer, and write the times."
    with friendly_errors():
        options = parse_options("widgets.py", Options, argv)
        set_threads()
        start, records = time.monotonic(), []
        for name, explorer in explorers().items():
            spent, rng = [], np.random.default_rng(0)
            for k in range(options.updates + 2):
                values = {n: other_value(c, rng.uniform()) for n, c in explorer.controls.items()}
                begin = time.perf_counter()
                explorer.move(**values)
                if k > 1:  # the first two compile and fill caches
                    spent.append(1e3 * (time.perf_counter() - begin))
            records.append(Record(name, dict(updates=options.updates), dict(ms=figure(spent))))
            print(f"{name:12} {np.median(spent):6.0f} ms, slowest {max(spent):.0f}", flush=True)
        for record in records:
            record.info = run_info("python benchmarks/widgets.py", 0, start)
        save_records(records, options.out)


if __name__ == "__main__":
    main()
