"""Regenerate the README's pictures and numbers from the bundled weights: results/bundled.json, nbs/images/*, index.ipynb, README.md.

make figures
"""

import argparse, re, shutil, subprocess, sys, time
from pathlib import Path
import numpy as np
import torch
from f3a_lite.animation import BUNDLED, BUNDLED_FRAME, animate, face_of_clip
from f3a_lite.clips import load_clip, needs_preparing, prepare_clip, split_frames
from f3a_lite.core import data_path, run_info, save_json, seed_everything, set_threads, sha256, tile_images
from f3a_lite.demo import run_demo
from f3a_lite.generator import load_generator
from f3a_lite.landmarks import write_image
from f3a_lite.metrics import liveliness, psnr
from f3a_lite.training import evaluate, make_batch, run_generator

ROOT = Path(__file__).resolve().parent.parent


def worst_frames(G, clip, split, n=6):
    "Rows: target, warp only, each generator; the frames of the blocks on which the generators do worst."
    pairs = np.array([(0, BUNDLED_FRAME, j) for j in split["blocks"]])
    made = {}
    for part in np.array_split(pairs, max(1, len(pairs) // 8)):
        b = make_batch([clip], part)
        with torch.no_grad():
            out = {
                "target": b["target"],
                "warp": b["warped"],
                **{k: run_generator(g, b)["image"] for k, g in G.items()},
            }
        for k, v in out.items():
            made.setdefault(k, []).append(v)
    made = {k: torch.cat(v) for k, v in made.items()}
    score = torch.stack([psnr(made[k], made["target"]) for k in G]).mean(0)
    order, take = score.argsort().tolist(), []
    for i in order:  # the worst, but not six neighbours of one moment
        if all(abs(i - j) > 4 for j in take):
            take.append(i)
        if len(take) == n:
            break
    return tile_images([made[k][i] for k in made for i in take], ncols=len(take))


def write_readme():
    "Execute index.ipynb and turn it into README.md; pictures are linked where they lie."
    run = lambda *a: subprocess.run([sys.executable, "-m", "nbconvert", *a], check=True, cwd=ROOT / "nbs")
    run("--to", "notebook", "--execute", "--inplace", "--log-level=ERROR", "index.ipynb")
    run("--to", "markdown", "--no-input", "--log-level=ERROR", "--output", "../README.md", "index.ipynb")
    readme = ROOT / "README.md"
    s = readme.read_text(encoding="utf-8")
    s = re.sub(r"\]\(images/", "](nbs/images/", s)
    s = re.sub(r"\]\(([0-9]\w+\.ipynb)", r"](nbs/\1", s)
    s = re.sub(r'src="images/', 'src="nbs/images/', s)
    readme.write_text(re.sub(r"\n{3,}", "\n\n", s).strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--readme", action="store_true", help="only the README, from stored numbers")
    ap.add_argument("--pairs", type=int, default=200)
    args = ap.parse_args()
    if args.readme:
        write_readme()
        raise SystemExit
    set_threads()
    seed_everything(0)
    t0 = time.time()
    video, folder = data_path("woman_laughing.mp4"), ROOT / "out" / "clips" / "woman_laughing"
    clip = prepare_clip(video, folder) if needs_preparing(video, folder) else load_clip(folder)
    split = split_frames(len(clip), found=clip.found)
    face = face_of_clip(clip, BUNDLED_FRAME)
    G = {g.cfg.name: g for g in (load_generator(data_path(f)) for f in reversed(BUNDLED))}
    files = {load_generator(data_path(f)).cfg.name: f for f in BUNDLED}
    weights = {}
    real = {w: clip.images(split[w]) for w in ("random", "blocks")}
    targets = {w: clip.params[torch.as_tensor(split[w])] for w in real}
    for name, g in G.items():
        res = evaluate(g, [clip], [split], n=args.pairs, shuffle=True)
        live = {w: liveliness(animate(g, face, targets[w])["output"], real[w]) for w in real}
        weights[name] = dict(
            file=files[name],
            sha256=sha256(data_path(files[name])),
            **{k: g.info[k] for k in ("command", "seed", "commit", "machine", "threads", "seconds", "steps", "date")},
            results=res,
            liveliness=live,
        )
        print(name, {w: {k: round(v, 3) for k, v in live[w].items()} for w in live}, flush=True)
    warp_live = {w: liveliness(animate(None, face, targets[w])["output"], real[w]) for w in real}
    save_json(
        dict(
            weights=weights, warp_liveliness=warp_live, clip_sha256=sha256(video), info=run_info("make figures", 0, t0)
        ),
        ROOT / "results" / "bundled.json",
    )
    for name, w in weights.items():
        save_json(
            dict(
                name=name,
                results=w["results"],
                info={k: w[k] for k in ("command", "seed", "commit", "machine", "threads", "seconds", "steps", "date")},
            ),
            ROOT / "results" / f"train_{Path(w['file']).stem}.json",
        )
    write_image(worst_frames(G, clip, split), ROOT / "nbs" / "images" / "worst_frames.png")
    run_demo(ROOT / "out")
    for n in ("demo.gif", "demo.png"):
        shutil.copy(ROOT / "out" / n, ROOT / "nbs" / "images" / n)
    write_readme()
