"""Where should a flow store its motion, and should T_flow normalise it? Short trainings, same seed, steps and pairs.

python benchmarks/anchor.py [--steps 420]
"""

import argparse, time
from pathlib import Path
from f3a_lite.clips import load_clip, needs_preparing, prepare_clip
from f3a_lite.core import data_path, run_info, save_json, set_threads
from f3a_lite.generator import GeneratorConfig
from f3a_lite.training import TrainConfig, Trainer, evaluate

if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--steps", type=int, default=420)
    ap.add_argument("--out", default="results/anchor.json")
    args = ap.parse_args()
    set_threads()
    t0 = time.time()
    video, folder = data_path("woman_laughing.mp4"), Path("runs/clips/woman_laughing")
    clip, rows = prepare_clip(video, folder) if needs_preparing(video, folder) else load_clip(folder), []
    for anchor, norm in (("source", True), ("target", True), ("target", False)):
        t = Trainer(
            TrainConfig(
                generator=GeneratorConfig(anchor=anchor, flow_norm=norm),
                size=64,
                steps=args.steps,
                batch=16,
                low_share=0.0,
                adv_share=0.0,
            ),
            [clip],
        )
        while t.done < args.steps:
            t.step()
        r = evaluate(t.averaged(), [clip], t.splits, size=64)
        rows.append(
            dict(
                name=f"F3A-GAN, flow at the {anchor}'s place" + ("" if norm else ", no normalisation in T_flow"),
                anchor=anchor,
                flow_norm=norm,
                psnr=r["random"]["model"]["psnr"],
                mae=r["random"]["model"]["mae"],
                blocks_psnr=r["blocks"]["model"]["psnr"],
                seconds=round(t.seconds),
            )
        )
        print(rows[-1], flush=True)
    save_json(
        dict(
            rows=rows,
            copy=r["random"]["copy"],
            warp=r["random"]["warp"],
            info=run_info(f"python benchmarks/anchor.py --steps {args.steps}", 0, t0),
        ),
        args.out,
    )
