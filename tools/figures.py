"""The README's pictures and figures from the bundled weights: results/bundled.json, nbs/images/*, README.md.

make figures
The protocol: parameters from a fit that saw no test frame; targets are random held-out frames and each held-out block;
sources are training frames; pixels beyond the photo do not count; every figure has its spread.
"""

from dataclasses import dataclass
from pathlib import Path
import shutil
import time
import numpy as np
import torch
from f3a_lite.animation import BUNDLED
from f3a_lite.ui.animate import BUNDLED_FRAME
from f3a_lite.core import F3AError, data_path, friendly_errors, file_hash
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.pictures import label_sheet
from f3a_lite.weights import weights_digest
from f3a_lite.ui.demo import run_demo
from f3a_lite.lab.evaluation import evaluate, print_results
from f3a_lite.metrics import liveliness, psnr
from f3a_lite.pairs import HELD_OUT, pick_frames, split_clips
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.lab.results import figure, find_record, run_info, save_records
from f3a_lite.systems import Warping, load_system
from f3a_lite.data.video import write_image
from readme import write_readme

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "results" / "bundled.json"
BASELINES = ("copying", "warping only")
LIVELY = ("eyes", "mouth", "sharpness", "tracked")  # what `liveliness` answers
TRAINING = ("command", "seed", "commit", "machine", "threads", "seconds", "steps", "date")  # facts of a training


@dataclass
class Options:
    "Measure the bundled weights on the bundled clip; write figures, pictures and README."

    pairs: int = 48  # pairs a sample
    samples: int = 5  # samples a split
    sources: int = 3  # source frames that liveliness is measured from
    seed: int = 123  # of pairs and sources
    out: Path = RESULT  # where the records go
    film: bool = True  # also make the pictures, the demo's film and the README


def training_of(system) -> dict:
    "What made a system's weights, as their header says."
    return {name: system.info.get(name) for name in TRAINING}


def images_of(systems, clip, source, frames) -> dict:  # name → (n,3,H,W), with the targets and the warped source
    "What warping and each system make of one source frame and the motion of other frames."
    images = {}
    pairs = np.array([(0, source, j) for j in frames])
    size = clip.frames.shape[1]
    for part in np.array_split(pairs, max(1, len(pairs) // 8)):
        source, target = (pick_frames([clip], part[:, [0, c]], size) for c in (1, 2))
        rows = {"warping only": Warping().generate(source, target)["image"], "target": target.picture}
        for name, system in systems.items():
            rows[name] = system.generate(source, target)["image"]
        for name, pictures in rows.items():
            images.setdefault(name, []).append(pictures)
    return {name: torch.cat(parts) for name, parts in images.items()}


def lively_figures(fake, real) -> dict:
    "What `liveliness` answers; not-a-number where nothing can be measured."
    try:
        answer = liveliness(fake, real)
    except F3AError:
        answer = {}
    return {name: np.nan if answer.get(name) is None else answer[name] for name in LIVELY}


def measure_liveliness(systems, clip, split, sources=(BUNDLED_FRAME,)) -> dict:  # (name, split) → figures
    "Do eyes and mouth follow, split by split? A sample is a source frame."
    answers = {}
    for source in sources:
        for which in (w for w in HELD_OUT if len(split[w])):
            images = images_of(systems, clip, source, split[which])
            real = images.pop("target")
            for name, fake in images.items():
                answers.setdefault((name, which), []).append(lively_figures(fake, real))
    return {key: {n: figure([r[n] for r in rows]) for n in LIVELY} for key, rows in answers.items()}


def measure(systems, clip, split, options) -> list:  # Records
    "Copying, warping and each system on every split and at every distance."
    records = []
    for name, system in systems.items():
        measured = evaluate(
            system, [clip], [split], options.pairs, options.samples, seed=options.seed, shuffle=True, progress=True
        )
        for record in measured:
            if record.name == name and "split" in record.setting:
                exchanged = find_record(measured, "shuffled", split=record.setting["split"])
                record.figures["shuffled"] = exchanged.mean("mae") / record.mean("mae")
        measured_before = BASELINES if records else ()
        records += [r for r in measured if r.name != "shuffled" and r.name not in measured_before]
    rng = np.random.default_rng(options.seed)
    sources = [BUNDLED_FRAME, *rng.choice(split["train"], options.sources - 1, replace=False).tolist()]
    for (name, which), figures in measure_liveliness(systems, clip, split, sources).items():
        find_record(records, name, split=which).figures.update(figures)
    return records


def worst_frames(systems, clip, split, n=6):
    "Rows: target, warping, each system; the frames of both blocks on which the systems do worst."
    frames = np.concatenate([split[which] for which in HELD_OUT if which.startswith("block")])
    images = images_of(systems, clip, BUNDLED_FRAME, frames)
    score = torch.stack([psnr(images[name], images["target"]) for name in systems]).mean(0)
    take = []
    for k in score.argsort().tolist():
        if all(abs(frames[k] - frames[j]) > 4 for j in take):  # not six neighbours of one moment
            take.append(k)
        if len(take) == n:
            break
    names = ["target", "warping only", *systems]
    cells = [images[name][k] for name in names for k in take]
    return label_sheet(cells, [f"frame {frames[k]}" for k in take], ["target", "warping", *systems])


def main(argv=None):
    "Measure, draw, and write the README."
    with friendly_errors():
        options = parse_options("figures.py", Options, argv)
        set_threads()
        start = time.monotonic()
        clip = bundled_clip(ROOT / "runs" / "clips")
        split = split_clips([clip])[0]
        if BUNDLED_FRAME not in split["train"]:
            raise F3AError(
                f"Frame {BUNDLED_FRAME} of the bundled clip is held out: the source must be a training frame."
            )
        files, systems = {}, {}
        for file in reversed(BUNDLED):
            system = load_system(data_path(file))
            files[system.title], systems[system.title] = file, system
        records = measure(systems, clip, split, options)
        video = "woman_laughing.mp4"
        info = run_info("make figures", options.seed, start, clip=video, clip_sha256=file_hash(data_path(video)))
        for record in records:
            record.setting["protocol"] = "second"
            record.info = dict(info)
            if record.name in systems:
                file = files[record.name]
                training = training_of(systems[record.name])
                own = dict(weights=file, digest=weights_digest(data_path(file)), training=training)
                record.info.update(own)
        print_results(records)
        save_records(records, options.out)
        if not options.film:
            return
        images = ROOT / "nbs" / "images"
        write_image(worst_frames(systems, clip, split), images / "worst_frames.png")
        run_demo(ROOT / "out")
        for name in ("demo.gif", "demo.png"):
            shutil.copy(ROOT / "out" / name, images / name)
        write_readme()


if __name__ == "__main__":
    main()
