"""Pictures a second of the rendered faces on one and two processes: results/rendering.json.

python benchmarks/rendering.py
"""

import tempfile, time
from pathlib import Path
from f3a_lite.core import run_info, save_json
from f3a_lite.rendered import PIECE, render_set, rendered_face

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    rendered_face(0)
    rows = {}
    t0 = time.perf_counter()
    [rendered_face(k) for k in range(300)]
    rows["one core"] = 300 / (time.perf_counter() - t0)
    with tempfile.TemporaryDirectory() as d:
        render_set(d, 2, workers=2, progress=False)  # the processes' start, which is not counted below
        t0 = time.perf_counter()
        render_set(Path(d) / "a", 2, people=(0, 5), workers=2, progress=False)
        start = time.perf_counter() - t0
        t0 = time.perf_counter()
        render_set(Path(d) / "b", 4 * PIECE, workers=2, progress=False)
        rows["two processes"] = 4 * PIECE / (time.perf_counter() - t0 - start)
    rows = {k: round(v, 1) for k, v in rows.items()}
    print(rows)
    save_json(
        dict(pictures_a_second=rows, size=128, info=run_info("python benchmarks/rendering.py", 0)),
        ROOT / "results" / "rendering.json",
    )
