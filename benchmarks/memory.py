"""Peak memory where it must not grow with the input: results/memory.json.

python benchmarks/memory.py --only driver --sizes 600
python benchmarks/memory.py --only full --sizes 20
python benchmarks/memory.py --only fit --sizes 500 15000
python benchmarks/memory.py --only evaluation --sizes 12

A driver at 512 × 512 (the bundled clip, again and again) that moves the head of a painting at 512 pixels (`driver`) or
the whole of a photo of 33 megapixels (`full`); pairs of pictures of 4K with a face; and the one thing that holds all
frames of a clip at once, the fit to their landmarks. Each size is measured in a process of its own, and takes the place
of its record. Memory is the resident set of the process (VmRSS in Linux), looked at fifty times a second; what is
mapped from a file counts in the first figure and not in the second (RssAnon): the system takes it back where memory is
short. Ten minutes of the large photo take hours on one core, so that this record is extrapolated, and says so: the
longest driver that was measured, and what its fit takes more.
"""

from dataclasses import dataclass
from fractions import Fraction
import itertools
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time
from typing import Literal
import av
import numpy as np
import torch
from PIL import Image
from f3a_lite.animator import Animator
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error, landmark_model
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.options import parse_options
from f3a_lite.projection import posed_landmarks, project
from f3a_lite.data.prepare import clip_in
from f3a_lite.data.video import iter_frames, write_image
from f3a_lite.lab.measure_files import measure_sets
from f3a_lite.lab.results import Record, load_records, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent
UNITS = dict(driver="seconds", full="seconds", evaluation="pictures", fit="frames")
FPS, TEN_MINUTES = 25, 600  # frames a second of the driver; seconds


@dataclass
class Options:
    "Measure one kind of input at several sizes."

    only: Literal["driver", "full", "evaluation", "fit"] = "driver"  # what is measured, see above
    sizes: tuple[int, ...] = (20, 60)  # seconds of the driver, pictures, or frames
    out: Path = ROOT / "results" / "memory.json"  # where the records go; those of other sizes stay
    child: Path | None = None  # used by this program itself: the folder of the input


def film(path, n, size):
    "The head of the bundled clip, again and again, in n frames of this (width, height)."
    with av.open(str(path), "w") as c:
        s = c.add_stream("mpeg4", rate=Fraction(FPS))
        s.width, s.height, s.pix_fmt, s.bit_rate = *size, "yuv420p", 8_000_000
        clip = data_path("woman_laughing.mp4")
        frames = itertools.chain.from_iterable(iter_frames(clip) for _ in itertools.count())
        for _, f in itertools.islice(frames, n):
            f = Image.fromarray(f[:, 140:500] if size[0] == size[1] else f).resize(size)
            c.mux(s.encode(av.VideoFrame.from_ndarray(np.asarray(f), format="rgb24")))
        c.mux(s.encode())


def fit(n):
    "Fit n frames, with few steps: each needs the same memory."
    m, params = landmark_model(open_model()), FaceParams.neutral(n, open_model().K, open_model().L, 0.6)
    params.rotation[:, 1] = torch.linspace(0, n / 10, n).sin() / 2
    points = [project(posed_landmarks(m, params[k : k + 1]))[0].double() for k in range(n)]  # as the tracker has them
    marks = torch.stack(points).float()
    landmark_error(m, fit_landmarks(m, marks, cfg=FitConfig(steps=3)), marks)


def work(kind, folder, n):
    "What is measured."
    if kind == "fit":
        fit(n)
        return
    if kind == "evaluation":
        measure_sets(folder / "film.mp4", folder / "film.mp4")
        return
    clip, _ = clip_in(folder / "clips", folder / "film.mp4", dict(split=None), progress=False)
    photo, how = data_path("pearl.jpg"), dict(size=512)
    if kind == "full":
        photo, how = folder / "photo.jpg", dict(full=True)
    film = Animator("t_warp", "cpu")(photo, clip.path, **how)
    film.save(folder / "film-film.mp4")
    film.save(folder / "film-film.gif")
    film.sheet()


def resident():
    "Megabytes of this process now: all, and without files that are mapped."
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return [int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]


def watched(kind, folder, n):
    "Run it, and print its peaks."
    peaks, over = [0.0, 0.0], threading.Event()

    def watch():
        while not over.is_set():
            peaks[:] = map(max, peaks, resident())
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work(kind, folder, n)
    finally:
        over.set()
        watcher.join()
    print(*peaks)


def measure(kind, n):
    "The record of one size."
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as d:
        if kind != "fit":
            frames, size = (n, (3840, 2160)) if kind == "evaluation" else (n * FPS, (512, 512))
            film(Path(d) / "film.mp4", frames, size)
        if kind == "full":
            photo = next(iter_frames(data_path("woman_laughing.mp4")))[1]
            write_image(np.asarray(Image.fromarray(photo).resize((7680, 4320))), Path(d) / "photo.jpg")
        words = [sys.executable, __file__, "--only", kind, "--sizes", str(n), "--child", d]
        out = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout.split()
    figures = dict(zip(("megabytes", "megabytes_unmapped"), (round(float(v)) for v in out[-2:])))
    print(n, UNITS[kind], figures)
    info = run_info(f"python benchmarks/memory.py --only {kind} --sizes {n}", 0, start)
    return Record(kind, {UNITS[kind]: n}, figures, info)


def ten_minutes(records):
    "The record of a driver that was not measured, from those that were; a list, empty where one is missing."
    fits = {r.setting["frames"]: r.figures for r in records if r.name == "fit"}
    drivers = [r for r in records if r.name == "full" and "extrapolated" not in r.setting]
    longest = max(drivers, key=lambda r: r.setting["seconds"], default=None)
    seconds = longest.setting["seconds"] if longest else TEN_MINUTES
    if seconds >= TEN_MINUTES or not {seconds * FPS, TEN_MINUTES * FPS} <= set(fits):
        return []
    few, many = fits[seconds * FPS], fits[TEN_MINUTES * FPS]
    figures = {name: value + many[name] - few[name] for name, value in longest.figures.items()}
    facts = dict(measured=f"{seconds} s, and fits of {seconds * FPS} and {TEN_MINUTES * FPS} frames")
    info = run_info("python benchmarks/memory.py --only fit", 0, time.monotonic(), **facts)
    return [Record("full", dict(seconds=TEN_MINUTES, extrapolated=True), figures, info)]


def main(argv=None):
    "Write the records."
    with friendly_errors():
        o = parse_options("memory.py", Options, argv)
        if o.child is not None:
            watched(o.only, o.child, o.sizes[0])
            return
        for n in o.sizes:
            new = measure(o.only, n)
            old = load_records(o.out) if o.out.exists() else []
            records = [r for r in old if (r.name, r.setting) != (new.name, new.setting)] + [new]
            records = [r for r in records if "extrapolated" not in r.setting]
            records += ten_minutes(records)
            save_records(sorted(records, key=lambda r: (r.name, *r.setting.values())), o.out)


if __name__ == "__main__":
    main()
