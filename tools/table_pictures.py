"""What the trainings of a table make of the same frames: nbs/images/compared_DATA.png.

python tools/table_pictures.py bundled

A column for each pair, a row for each system, from the strips that f3a_tables left in runs/tables. Only of data that
may be shown: the bundled clip and rendered people.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
import matplotlib.pyplot as plt
import numpy as np
from tyro.conf import Positional
from f3a_lite.core import F3AError, atomic_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.lab.paper_tables import ROWS
from f3a_lite.lab.tables import SIZE, groups_of, measures_of, strip_of
from f3a_lite.data.video import read_image

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Put the strips of a table's trainings together."

    data: Positional[Literal["bundled", "rendered"]] = "bundled"  # whose
    runs: Path = ROOT / "runs"  # folder of f3a_tables
    out: Path = ROOT / "nbs" / "images"  # folder of the picture


def rows_of(o):
    "Name and strip of each row: source, target, and all systems that are trained."
    group = groups_of((o.data,), runs=o.runs)[0]
    parts = next(iter(measures_of(group, SIZE).values())).parts
    yield "source", strip_of(lambda part: part.source.picture, parts)
    yield "target", strip_of(lambda part: part.truth, parts)
    for row in ("warping", *ROWS):
        path = o.runs / "tables" / f"strip_{o.data}_{row}_0.png"
        if path.exists():
            yield ROWS[row].title if row in ROWS else row, read_image(path)


def main(argv=None):
    "Draw and write."
    with friendly_errors():
        o = parse_options("table_pictures.py", Options, argv)
        rows = list(rows_of(o))
        if len(rows) < 4:
            raise F3AError(f"No training of '{o.data}' is there: run f3a_tables --data {o.data} first.")
        high, wide = rows[0][1].shape[:2]
        fig, axes = plt.subplots(len(rows), 1, figsize=(7.2, 0.98 * len(rows)), dpi=90)
        for ax, (name, strip) in zip(axes, rows):
            ax.imshow(np.asarray(strip), interpolation="nearest", aspect="equal")
            ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
            ax.set(xticks=[], yticks=[])
            for side in ax.spines.values():
                side.set_visible(False)
        fig.subplots_adjust(left=0.2, right=0.995, top=0.995, bottom=0.005, hspace=0.03)
        with atomic_path(o.out / f"compared_{o.data}.png") as tmp:
            fig.savefig(tmp, format="png")
        print(f"wrote {o.out / f'compared_{o.data}.png'}: {len(rows)} rows of {wide // high} pictures")


if __name__ == "__main__":
    main()
