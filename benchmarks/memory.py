"""Peak memory of preparing a driver and of measuring pictures of 4K, for a short input and one four times as long.

python benchmarks/memory.py [--seconds 5] [--pictures 2]

Each is measured in a process of its own. What is mapped from a file (frames.npy) counts in the first figure and not in
the second: the system takes it back where memory is short.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
import av
import numpy as np
from PIL import Image
from f3a_lite.core import data_path
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.video import iter_frames
from f3a_lite.lab.measure_files import measure_sets

KINDS = dict(driver="s of a driver", evaluation="pictures of 4K", pixels="pictures of 4K, without faces")


def film(path, n, size):
    "The bundled clip, again and again, up to n frames of this (width, height)."
    with av.open(str(path), "w") as c:
        s = c.add_stream("mpeg4", rate=Fraction(25))
        s.width, s.height, s.pix_fmt, s.bit_rate = *size, "yuv420p", 8_000_000
        frames = itertools.chain.from_iterable(iter_frames(data_path("woman_laughing.mp4")) for _ in itertools.count())
        for _, f in itertools.islice(frames, n):
            c.mux(s.encode(av.VideoFrame.from_ndarray(np.asarray(Image.fromarray(f).resize(size)), format="rgb24")))
        c.mux(s.encode())


def work(kind, folder):
    "What is measured."
    if kind == "driver":
        prepare_clip(folder / "film.mp4", folder / "clip", split=None, progress=False)
    else:
        measure_sets(folder / "film.mp4", folder / "film.mp4", faces=kind == "evaluation")


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
    work(kind, Path(folder))
    over.set()
    watcher.join()
    print(*peaks)


def main():
    "All of them."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.only:
        return watched(*o.only)
    for kind, unit in KINDS.items():
        for n in (o.seconds, 4 * o.seconds) if kind == "driver" else (o.pictures, 4 * o.pictures):
            with tempfile.TemporaryDirectory() as d:
                frames, size = (n * 25, (480, 270)) if kind == "driver" else (n, (3840, 2160))
                film(Path(d) / "film.mp4", frames, size)
                words = [sys.executable, __file__, "--only", kind, d]
                out = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ).stdout.split()
            peak, own = (float(v) for v in out[-2:])
            print(f"{n} {unit}: {peak:.0f} MB, {own:.0f} MB without mapped files")


if __name__ == "__main__":
    main()
