"""What do test frames lose when they have no say in the fit? results/split_fit.json.

python experiments/split_fit.py
The bundled clip is fitted twice: all frames as one, and held-out frames by themselves with the identity of the others.
"""

import time
from pathlib import Path
import numpy as np
from f3a_lite.jobs import set_threads
from f3a_lite.fitting import landmark_error
from f3a_lite.landmarks import Track
from f3a_lite.morphable import open_model
from f3a_lite.pairs import split_frames
from f3a_lite.data.estimation import training_frames
from f3a_lite.fitting import fit_clip
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.lab.results import Record, figure, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent


def compare_fits(clip) -> list:  # Records
    "How far the two fits lie apart, and their errors, in the training frames and in each part that is held out."
    face_model = open_model()
    track = Track(clip.landmarks, clip.found, clip.found, np.arange(len(clip)))
    one, apart = (fit_clip(face_model, track, who) for who in (None, training_frames(clip.found)))
    errors = [landmark_error(face_model, p, clip.landmarks).numpy() for p in (one, apart)]
    turned = ((one.rotation - apart.rotation).abs().mean(1) * 180 / np.pi).numpy()  # (T,)
    changed = (one.exp_coeff - apart.exp_coeff).abs().mean(1).numpy()  # (T,)
    records = []
    for which, frames in split_frames(len(clip), found=clip.found).items():
        if not len(frames):
            continue
        figures = dict(
            degrees=figure(turned[frames]),
            expression=figure(changed[frames]),
            error_as_one=figure(errors[0][frames]),
            error_apart=figure(errors[1][frames]),
        )
        records.append(Record("fit", dict(split=which), figures))
        print(which, {k: round(v["mean"], 4) for k, v in figures.items()})
    return records


if __name__ == "__main__":
    set_threads()
    t0 = time.monotonic()
    clip = bundled_clip(ROOT / "runs" / "clips")
    records = compare_fits(clip)
    info = run_info("python experiments/split_fit.py", 0, t0, sha256=clip.meta["sha256"])
    for record in records:
        record.info = info
    save_records(records, ROOT / "results" / "split_fit.json")
