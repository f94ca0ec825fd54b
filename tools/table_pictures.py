"""What the trainings of a table make of the same frames: nbs/images/compared_DATA.png.

python tools/table_pictures.py bundled

A column for each pair, a row for each system that f3a_tables has trained (runs/tables). Only of data that may be shown:
the bundled clip and rendered people.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
import matplotlib.pyplot as plt
import numpy as np
import torch
from tyro.conf import Positional
from f3a_lite.core import F3AError, atomic_path, friendly_errors
from f3a_lite.options import TableOptions, parse_options
from f3a_lite.lab.measuring import BASE, generate_part
from f3a_lite.lab.paper_tables import ROWS, rows_called
from f3a_lite.lab.tables import Tables, WEIGHTS, measures_of
from f3a_lite.pictures import tile_images

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 6


@dataclass
class Options:
    "Draw what a table's trainings make of six pairs."

    data: Positional[Literal["bundled", "rendered"]] = "bundled"  # whose
    pictures: int | None = None  # that the trainings saw; default: the budget of f3a_tables
    runs: Path = ROOT / "runs"  # folder of f3a_tables
    out: Path = ROOT / "nbs" / "images"  # folder of the picture


def strip_of(
    make,  # function of a Part that gives pictures
    parts: list,  # of Part
) -> np.ndarray:  # (H,6·W,3) uint8
    "What a system makes of the first frame of six parts, or of six frames of the only one."
    images = make(parts[0])[:COLUMNS] if len(parts) == 1 else torch.cat([make(p)[:1] for p in parts[:COLUMNS]])
    return tile_images(list(images), ncols=COLUMNS, pad=0)


def rows_of(o):
    "Name and strip of each row: source, target, and all systems that are trained."
    tables = Tables(TableOptions(data=(o.data,), runs=o.runs, pictures=o.pictures, train=False, device="cpu"))
    group = tables.groups[0]
    parts = next(iter(measures_of(group, tables.size).values())).parts
    yield "source", strip_of(lambda part: part.source.picture, parts)
    yield "target", strip_of(lambda part: part.truth, parts)
    yield "warping", strip_of(BASE["warping"], parts)
    for row in ROWS:
        if (tables.folder(group, row, 0) / WEIGHTS).exists():
            yield rows_called(row), strip_of(generate_part(tables.trained(group, row, 0)), parts)


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
