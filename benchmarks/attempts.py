"""Collect trainings into one list with their commands: results/attempts.json.

python benchmarks/attempts.py WEIGHTS...
WEIGHTS are files written by f3a_train; figures and commands come from their headers, the test without motion is done here.
"""

import sys
from pathlib import Path
import torch
from f3a_lite.animation import BUNDLED_FRAME, animate, face_of_clip
from f3a_lite.clips import load_clip, needs_preparing, prepare_clip, split_frames
from f3a_lite.core import data_path, run_info, save_json, set_threads
from f3a_lite.generator import load_generator
from f3a_lite.metrics import liveliness
from f3a_lite.training import still_psnr

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    set_threads()
    folder, video = ROOT / "runs" / "clips" / "woman_laughing", data_path("woman_laughing.mp4")
    clip = prepare_clip(video, folder) if needs_preparing(video, folder) else load_clip(folder)
    rows = []
    split = split_frames(len(clip), found=clip.found)["blocks"]
    face, real = face_of_clip(clip, BUNDLED_FRAME), clip.images(split)
    for f in sys.argv[1:]:
        g = load_generator(f)
        rows.append(
            dict(
                name=g.cfg.name,
                flow_norm=g.cfg.flow_norm,
                still=dict(psnr=still_psnr(g, clip)),
                liveliness_blocks=liveliness(animate(g, face, clip.params[torch.as_tensor(split)])["output"], real),
                **{
                    k: g.info[k]
                    for k in ("results", "command", "seed", "commit", "machine", "seconds", "steps", "date")
                },
            )
        )
        print(
            rows[-1]["name"],
            rows[-1]["still"],
            rows[-1]["liveliness_blocks"],
            rows[-1]["results"]["random"]["model"]["psnr"],
            flush=True,
        )
    save_json(
        dict(attempts=rows, info=run_info("python benchmarks/attempts.py " + " ".join(sys.argv[1:]), 0)),
        ROOT / "results" / "attempts.json",
    )
