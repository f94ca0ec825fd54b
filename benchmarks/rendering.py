"""Pictures a second of the rendered faces in one process and in two: results/rendering.json.

python benchmarks/rendering.py
"""

import tempfile
import time
from pathlib import Path
import torch
from f3a_lite.synth.rendered import rendered_face
from f3a_lite.synth.rendered import PIECE, render_set
from f3a_lite.lab.results import Record, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent


def seconds_of(work):
    "How long a function takes."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def one_process(n=300):
    "Pictures a second in this process."
    rendered_face(0)  # compiles the rasteriser
    start = time.perf_counter()
    for k in range(n):
        rendered_face(k)
    return n / (time.perf_counter() - start)


def two_processes(n=4 * PIECE):
    "Pictures a second in two processes, without the time that they take to start."
    with tempfile.TemporaryDirectory() as d:
        folder = Path(d)
        render_set(folder / "first", 2, workers=2, progress=False)
        start = seconds_of(lambda: render_set(folder / "start", 2, people=(0, 5), workers=2, progress=False))
        both = seconds_of(lambda: render_set(folder / "all", n, workers=2, progress=False))
    return n / (both - start)


if __name__ == "__main__":
    torch.set_num_threads(1)
    t0 = time.monotonic()
    rates = {"one process": one_process(), "two processes": two_processes()}
    info = run_info("python benchmarks/rendering.py", 0, t0)
    records = [Record(name, dict(size=128), dict(pictures_a_second=round(v, 1)), info) for name, v in rates.items()]
    for r in records:
        print(r.name, r.figures)
    save_records(records, ROOT / "results" / "rendering.json")
