"""Prepare every clip of a folder and write the table of fit errors, and of copying against warping.

python benchmarks/fit_clips.py FOLDER [--keep FOLDER]
"""

import argparse, tempfile, time
from pathlib import Path
import numpy as np
import torch
from f3a_lite.clips import needs_preparing, load_clip, prepare_clip, sample_pairs
from f3a_lite.core import run_info, save_json, set_threads
from f3a_lite.fitting import fit_landmarks, landmark_error
from f3a_lite.metrics import eye_opening, mae
from f3a_lite.morphable import open_model
from f3a_lite.training import make_batch

if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("folder")
    ap.add_argument("--keep", help="folder for the prepared clips")
    ap.add_argument("--out", default="results/fit_clips.json")
    args = ap.parse_args()
    set_threads()
    t0, model, rows, fit_seconds, frames = time.time(), open_model(), [], 0.0, 0
    keep = Path(args.keep or tempfile.mkdtemp())
    for video in sorted(Path(args.folder).glob("*.mp4")):
        clip = (
            load_clip(keep / video.stem)
            if not needs_preparing(video, keep / video.stem)
            else prepare_clip(video, keep / video.stem, progress=False)
        )
        t = time.time()
        fit = fit_landmarks(model, clip.landmarks, clip.found)
        fit_seconds += time.time() - t
        frames += len(clip)
        ok = torch.as_tensor(clip.found)
        e = landmark_error(model, fit, clip.landmarks)[ok]
        blink = fit.exp_coeff[:, model.unit("eyeBlink")].mean(1)[ok].numpy()
        split = [dict(train=np.flatnonzero(clip.found), random=np.flatnonzero(clip.found))]
        b = make_batch([clip], sample_pairs(split, "random", 40, 0), 128, model)
        rows.append(
            dict(
                clip=video.name,
                frames=len(clip),
                found=int(ok.sum()),
                error=float(e.mean()),
                p95=float(e.quantile(0.95)),
                blink=float(np.corrcoef(eye_opening(clip.landmarks[ok]), blink)[0, 1]),
                copy_mae=float(mae(b["source"], b["target"]).mean()),
                warp_mae=float(mae(b["warped"], b["target"]).mean()),
            )
        )
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    mean = lambda k: float(np.mean([r[k] for r in rows]))
    summary = dict(
        error=mean("error"), worst=max(r["error"] for r in rows), copy_mae=mean("copy_mae"), warp_mae=mean("warp_mae")
    )
    save_json(
        dict(
            summary=summary,
            seconds_per_200=fit_seconds / frames * 200,
            clips=rows,
            info=run_info("python benchmarks/fit_clips.py FOLDER", 0, t0),
        ),
        args.out,
    )
    print(summary, f"{fit_seconds / frames * 200:.1f} s of fitting per 200 frames")
