"""Prepare every clip of a folder; fit errors, and copying against warping: results/fit_clips.json.

python experiments/fit_clips.py FOLDER [--keep FOLDER]
The fit's error is a residual: it is measured on the very points that were fitted.
"""

from dataclasses import dataclass
from pathlib import Path
import tempfile
import time
import numpy as np
import torch
from tyro.conf import Positional
from f3a_lite.core import F3AError, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.lab.evaluation import measure_pairs
from f3a_lite.fitting import fit_landmarks, landmark_error
from f3a_lite.landmarks import eye_opening
from f3a_lite.morphable import open_model
from f3a_lite.pairs import sample_pairs
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.lab.results import Record, figure, run_info, save_records, show_figure

ROOT = Path(__file__).resolve().parent.parent
SPREAD = ("error", "p95", "blink", "copy_mae", "warp_mae")  # figures whose spread over clips is told


@dataclass
class Options:
    "Fit the open model to every clip (.mp4) of a folder."

    folder: Positional[Path] = Path("clips")  # with the videos
    keep: Path | None = None  # folder for the prepared clips; default: a temporary one
    out: Path = ROOT / "results" / "fit_clips.json"  # where the records go


def measure_clip(clip, face_model) -> tuple:  # figures, seconds of the fit
    "Figures of one prepared clip: the fit's residual, how well it follows a blink, copying and warping."
    start = time.monotonic()
    fit = fit_landmarks(face_model, clip.landmarks, clip.found)
    seconds = time.monotonic() - start
    ok = torch.as_tensor(clip.found)
    error = landmark_error(face_model, fit, clip.landmarks)[ok]
    blink = fit.exp_coeff[:, face_model.unit("eyeBlink")].mean(1)[ok].numpy()
    frames = np.flatnonzero(clip.found)
    pairs = sample_pairs([dict(train=frames, random=frames)], "random", 40, 0)
    measured = measure_pairs(None, [clip], pairs, face_model=face_model)
    figures = dict(
        frames=len(clip),
        found=int(ok.sum()),
        error=float(error.mean()),
        p95=float(error.quantile(0.95)),
        blink=float(np.corrcoef(eye_opening(clip.landmarks[ok]), blink)[0, 1]),
        copy_mae=float(measured["copying"]["mae"].mean()),
        warp_mae=float(measured["warping only"]["mae"].mean()),
    )
    return figures, seconds


def main(argv=None):
    "Write the records: all clips, and each."
    with friendly_errors():
        options = parse_options("fit_clips.py", Options, argv)
        videos = sorted(options.folder.glob("*.mp4"))
        if not videos:
            raise F3AError(f"The folder '{options.folder}' holds no .mp4 file: name a folder with videos of faces.")
        set_threads()
        start, face_model = time.monotonic(), open_model()
        keep = options.keep or Path(tempfile.mkdtemp())
        rows, fitting = {}, 0.0
        for video in videos:
            clip = prepare_clip(video, keep / video.stem, progress=False)
            rows[video.name], seconds = measure_clip(clip, face_model)
            fitting += seconds
            print(video.name, {name: round(value, 4) for name, value in rows[video.name].items()}, flush=True)
        summary = {name: figure([row[name] for row in rows.values()]) for name in SPREAD}
        summary["worst"] = max(row["error"] for row in rows.values())
        summary["seconds_per_200"] = 200 * fitting / sum(row["frames"] for row in rows.values())
        summary["clips"] = len(rows)
        info = run_info("python experiments/fit_clips.py FOLDER", 0, start)
        records = [Record("all clips", dict(size=128), summary, info)]
        records += [Record(name, dict(size=128), row, info) for name, row in rows.items()]
        save_records(records, options.out)
        print("error", show_figure(summary["error"], digits=2, percent=True))


if __name__ == "__main__":
    main()
