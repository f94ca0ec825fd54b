"""One frame's fit by Levenberg–Marquardt beside the clip's 400 steps of Adam: results/one_frame.json.

python benchmarks/one_frame.py
Frames of the bundled clip in turn, each fitted alone both ways, on one core. Adam fits two copies of the frame as a
clip without smoothing, which is the same problem.
"""

from dataclasses import dataclass
from pathlib import Path
import time
import numpy as np
import torch
from f3a_lite.core import friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.morphable import open_model

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Fit single frames in two ways."

    frames: int = 24  # of the bundled clip, evenly spread
    out: Path = ROOT / "results" / "one_frame.json"  # where the records go


def main(argv=None):
    "Write the records."
    with friendly_errors():
        options = parse_options("one_frame.py", Options, argv)
        torch.set_num_threads(1)
        clip, model, start = bundled_clip(ROOT / "runs" / "clips"), open_model(), time.monotonic()
        where = np.flatnonzero(clip.found)
        marks = clip.landmarks[where[np.linspace(0, len(where) - 1, options.frames).astype(int)]]
        variants = {
            "Levenberg–Marquardt": lambda p: fit_landmarks(model, p),
            "Adam": lambda p: fit_landmarks(model, p.repeat(2, 1, 1), cfg=FitConfig(smooth_exp=0.0, smooth_pose=0.0))[
                :1
            ],
        }
        seconds, errors = {name: [] for name in variants}, {name: [] for name in variants}
        variants["Levenberg–Marquardt"](marks[:1])
        for points in marks.split(1):
            for name, variant in variants.items():
                began = time.process_time()
                params = variant(points)
                seconds[name].append(time.process_time() - began)
                errors[name].append(float(landmark_error(model, params, points)))
        info = run_info("python benchmarks/one_frame.py", 0, start)
        records = []
        for name in variants:
            found = dict(seconds=figure(seconds[name]), error=figure(errors[name]))
            records.append(Record(name, dict(frames=options.frames, clip="bundled", threads=1), found, info))
            print(name, {k: f"{v['mean']:.4f}" for k, v in found.items()})
        save_records(records, options.out)


if __name__ == "__main__":
    main()
