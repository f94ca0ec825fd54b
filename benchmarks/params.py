"""Which parameters drive the better animation, the fit's or the regressor's? results/params.json.

python benchmarks/params.py [--steps 300]
The bundled clip is prepared once with each; each warps the photo, and drives the same short training of T_warp at 64x64.
"""

import argparse, time
from pathlib import Path
import torch
from f3a_lite.clips import PARAM_SOURCES, load_clip, needs_preparing, prepare_clip, split_frames
from f3a_lite.core import data_path, run_info, save_json, set_threads
from f3a_lite.generator import GeneratorConfig
from f3a_lite.training import TrainConfig, Trainer, evaluate

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--steps", type=int, default=300)
    args = ap.parse_args()
    set_threads()
    rows, t0 = {}, time.time()
    for source in PARAM_SOURCES:
        folder = ROOT / "runs" / "params" / source
        video = data_path("woman_laughing.mp4")
        clip = (
            prepare_clip(video, folder, params=source)
            if needs_preparing(video, folder, params=source)
            else load_clip(folder)
        )
        split = split_frames(len(clip), found=clip.found)
        t = Trainer(
            TrainConfig(
                generator=GeneratorConfig(warp=True),
                size=64,
                steps=args.steps,
                batch=16,
                low_share=0.0,
                adv_share=0.0,
                ema=0.99,
            ),
            [clip],
            [split],
            torch.device("cpu"),
        )
        for _ in range(args.steps):
            t.step()
        res = evaluate(t.averaged(), [clip], [split], n=200, size=64)
        rows[source] = dict(
            steps=args.steps,
            fit_error=clip.meta["fit_error"],
            **{m: {w: round(res[w][m]["psnr"], 3) for w in res} for m in ("warp", "model")},
        )
        print(source, rows[source], flush=True)
    save_json(
        dict(sources=rows, info=run_info(f"python benchmarks/params.py --steps {args.steps}", 0, t0)),
        ROOT / "results" / "params.json",
    )
