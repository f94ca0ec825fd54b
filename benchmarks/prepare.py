"""Seconds a frame that a prepared clip costs on one core: results/prepare.json.

python benchmarks/prepare.py
"""

from dataclasses import dataclass
from pathlib import Path
import resource
import sys
import tempfile
import time
import torch
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.lab.results import Record, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Prepare the bundled clip on one core, then parts of it again."

    again: int = 4  # further clips, of 100 frames each, to see whether memory grows
    out: Path = ROOT / "results" / "prepare.json"  # where the records go


def megabytes() -> float:
    "The most memory that this process has held."
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(argv=None):
    "Write the record."
    with friendly_errors():
        options = parse_options("prepare.py", Options, argv)
        torch.set_num_threads(1)
        start = time.monotonic()
        video = data_path("woman_laughing.mp4")
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            prepare_clip(video, folder / "warm", max_frames=8, progress=False)
            t = time.perf_counter()
            clip = prepare_clip(video, folder / "clip", progress=False)
            seconds = time.perf_counter() - t
            first = megabytes()
            for k in range(options.again):
                prepare_clip(video, folder / f"again{k}", max_frames=100, progress=False)
        figures = dict(
            frames=len(clip),
            seconds_a_frame=round(seconds / len(clip), 4),
            megabytes_after_the_first_clip=round(first),
            megabytes_after_more=round(megabytes()),
        )
        print(figures)
        setting = dict(clip=video.name, size=128, more=options.again)
        info = run_info("python benchmarks/prepare.py", 0, start)
        save_records([Record("prepare_clip", setting, figures, info)], options.out)


if __name__ == "__main__":
    main()
