"""Peak memory where it must not grow with the input: results/memory.json.

python benchmarks/memory.py --only driver --sizes 20 60

A driver at 512 × 512 (the bundled clip, again and again) that moves the whole of a large photo, and pictures of 4K with
a face. Each size is measured in a process of its own, and takes the place of its record. What is mapped from a file
(frames.npy) counts in the first figure and not in the second: the system takes it back where memory is short.
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
from PIL import Image
from f3a_lite.animator import Animator
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.data.prepare import clip_in
from f3a_lite.data.video import iter_frames, write_image
from f3a_lite.lab.measure_files import measure_sets
from f3a_lite.lab.results import Record, load_records, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent
UNITS = dict(driver="seconds", evaluation="pictures")


@dataclass
class Options:
    "Measure one kind of input at several sizes."

    only: Literal["driver", "evaluation"] = "driver"  # a film that is prepared and animates a photo; or pictures of 4K
    sizes: tuple[int, ...] = (20, 60)  # seconds of the driver, or pictures
    out: Path = ROOT / "results" / "memory.json"  # where the records go; those of other sizes stay
    child: Path | None = None  # used by this program itself: the folder of the input


def film(path, n, size):
    "The head of the bundled clip, again and again, in n frames of this (width, height)."
    with av.open(str(path), "w") as c:
        s = c.add_stream("mpeg4", rate=Fraction(25))
        s.width, s.height, s.pix_fmt, s.bit_rate = *size, "yuv420p", 8_000_000
        clip = data_path("woman_laughing.mp4")
        frames = itertools.chain.from_iterable(iter_frames(clip) for _ in itertools.count())
        for _, f in itertools.islice(frames, n):
            f = Image.fromarray(f[:, 140:500] if size[0] == size[1] else f).resize(size)
            c.mux(s.encode(av.VideoFrame.from_ndarray(np.asarray(f), format="rgb24")))
        c.mux(s.encode())


def work(kind, folder):
    "What is measured."
    if kind == "evaluation":
        measure_sets(folder / "film.mp4", folder / "film.mp4")
        return
    clip, _ = clip_in(folder / "clips", folder / "film.mp4", dict(split=None), progress=False)
    photo = next(iter_frames(data_path("woman_laughing.mp4")))[1]
    write_image(np.asarray(Image.fromarray(photo).resize((7680, 4320))), folder / "photo.jpg")
    made = Animator("t_warp", "cpu")(folder / "photo.jpg", clip.path, full=True)
    made.save(folder / "film-made.mp4")
    made.save(folder / "film-made.gif")
    made.sheet()


def resident():
    "Megabytes of this process now: all, and without files that are mapped."
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return [int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]


def watched(kind, folder):
    "Run it, and print its peaks."
    peaks, over = [0.0, 0.0], threading.Event()

    def watch():
        while not over.is_set():
            peaks[:] = map(max, peaks, resident())
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work(kind, folder)
    finally:
        over.set()
        watcher.join()
    print(*peaks)


def measure(kind, n):
    "The record of one size."
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as d:
        frames, size = (n * 25, (512, 512)) if kind == "driver" else (n, (3840, 2160))
        film(Path(d) / "film.mp4", frames, size)
        words = [sys.executable, __file__, "--only", kind, "--child", d]
        out = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout.split()
    figures = dict(zip(("megabytes", "megabytes_unmapped"), (round(float(v)) for v in out[-2:])))
    print(n, UNITS[kind], figures)
    info = run_info(f"python benchmarks/memory.py --only {kind} --sizes {n}", 0, start)
    return Record(kind, {UNITS[kind]: n}, figures, info)


def main(argv=None):
    "Write the records."
    with friendly_errors():
        o = parse_options("memory.py", Options, argv)
        if o.child is not None:
            watched(o.only, o.child)
            return
        for n in o.sizes:
            new = measure(o.only, n)
            old = load_records(o.out) if o.out.exists() else []
            records = [r for r in old if (r.name, r.setting) != (new.name, new.setting)] + [new]
            save_records(sorted(records, key=lambda r: (r.name, *r.setting.values())), o.out)


if __name__ == "__main__":
    main()
