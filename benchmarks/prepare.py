"""Seconds a frame that a prepared clip costs on one core: results/prepare.json.

python benchmarks/prepare.py
"""

import resource, tempfile, time
from pathlib import Path
import torch
from f3a_lite.clips import prepare_clip
from f3a_lite.core import data_path, run_info, save_json

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    torch.set_num_threads(1)
    memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as d:
        prepare_clip(data_path("woman_laughing.mp4"), Path(d) / "warm", max_frames=8, progress=False)
        t0 = time.perf_counter()
        c = prepare_clip(data_path("woman_laughing.mp4"), Path(d) / "clip", progress=False)
        s = time.perf_counter() - t0
        first = memory()
        for k in range(4):
            prepare_clip(data_path("woman_laughing.mp4"), Path(d) / f"again{k}", max_frames=100, progress=False)
    row = dict(
        frames=len(c),
        seconds_a_frame=round(s / len(c), 4),
        megabytes_after_the_first_clip=round(first),
        megabytes_after_four_more=round(memory()),
    )
    print(row)
    save_json(dict(row, info=run_info("python benchmarks/prepare.py", 0)), ROOT / "results" / "prepare.json")
