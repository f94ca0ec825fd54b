"""Pairs in which the expression changes and the head stays, the task of GANimation: results/still_heads.json.

python experiments/still_heads.py --data rendered
python experiments/still_heads.py --data bundled --drawn 20000 --pairs 24
python experiments/still_heads.py --data runs/faces --people ../shared/faces/clips.csv

Measures what f3a_tables has trained (runs/tables). Of many pairs of each clip those are taken whose rigid points, the
corners of the eyes and the bridge of the nose, move by less than a share of the picture, and of these the ones whose
mouth moves most beyond that. New figures replace those of the same rows and clips.
"""

from dataclasses import dataclass
from pathlib import Path
import sys
import time
import numpy as np
from f3a_lite.core import F3AError, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.lab.measuring import BASE, Measure, Part, generate_part
from f3a_lite.pairs import pick_frames, sample_pairs, split_clips
from f3a_lite.lab.results import Record, load_records, run_info, save_records, show_figure
from f3a_lite.lab.tables import SIZE, TableOptions, Tables
from short_trainings import ROOT

RIGID = [27, 28, 29, 30, 36, 39, 42, 45]  # of 68 points: bridge of the nose, corners of the eyes
MOUTH = list(range(48, 68))


@dataclass
class Options:
    "Measure pairs of equal pose."

    data: tuple[str, ...] = ("rendered",)  # as for f3a_tables
    people: Path | None = None  # as for f3a_tables
    pairs: int = 6  # a clip
    drawn: int = 400  # pairs of a clip, of which these are chosen
    still: float = 0.01  # how far rigid points may move in the mean, as a share of the picture's side
    least: float = 0.01  # how far the mouth must move at least
    rows: tuple[str, ...] = ("ganimation", "flow", "t_warp")
    prepared: str | None = None  # a word for clips that were prepared anew, whose figures stand apart
    runs: Path = ROOT / "runs"
    out: Path = ROOT / "results" / "still_heads.json"


def still_parts(clips: list, o: Options) -> list:  # of Part
    "The pairs of each clip that has any."
    parts = []
    for k, (clip, split) in enumerate(zip(clips, split_clips(clips))):
        mine = dict(train=split["train"], these=np.concatenate([split[w] for w in ("random", "block_1", "block_2")]))
        if len(mine["these"]) == 0 or len(mine["train"]) < 2:
            continue
        pairs = np.unique(sample_pairs([mine], "these", o.drawn, (77, k)), axis=0)  # (n,3): clip, source, target
        points = np.asarray(clip.landmarks)
        distance = np.linalg.norm(points[pairs[:, 2]] - points[pairs[:, 1]], axis=-1) / 2  # (n,68) shares of the side
        rigid, mouth = distance[:, RIGID].mean(1), distance[:, MOUTH].mean(1)
        good = np.flatnonzero((rigid < o.still) & (mouth > o.least))
        best = good[np.argsort(-(mouth - rigid)[good])][: o.pairs]
        if len(best):
            source, target = (pick_frames([clip], pairs[best][:, [0, c]], SIZE) for c in (1, 2))
            valid = clip.valid(SIZE).expand(len(best), -1, -1, -1)
            parts.append(Part(source, target, target.picture, valid, k))
    return parts


def main(argv=None):
    "Measure and write."
    with friendly_errors():
        o, start = parse_options("still_heads.py", Options, argv), time.monotonic()
        set_threads()
        tables = Tables(TableOptions(data=o.data, people=o.people, runs=o.runs, device="cpu", train=False))
        group = tables.groups[0]
        parts = still_parts(group.clips, o)
        if not parts:
            raise F3AError("No pair has a still head and a mouth that moves: allow more with --still.")
        makers = {name: BASE[name] for name in ("copying", "warping")}
        makers.update({row: generate_part(tables.trained(group, row, 0)) for row in o.rows})
        own = dict(data=tables.data, group=group.name, seen=group.mark(), pictures=tables.pictures)
        own["prepared"] = o.prepared
        chosen = dict(clips=len(parts), pairs=o.pairs, drawn=o.drawn, still=o.still, least=o.least)
        records = load_records(o.out) if o.out.exists() else []
        records = [r for r in records if r.name not in makers or any(r.setting.get(k) != v for k, v in own.items())]
        measure, words = Measure(parts, progress=True), argv or sys.argv[1:]
        for name, make in makers.items():
            found = measure.figures(make)
            figures = {metric: found[metric] for metric in ("mae", "psnr", "csim", "aucon")}
            info = run_info(" ".join(["python experiments/still_heads.py", *words]), 0, start)
            records.append(Record(name, {**own, **chosen}, figures, info))
            means = {metric: show_figure(value, metric) for metric, value in figures.items()}
            print(f"{name:<12} {means} on {len(parts)} clips", flush=True)
            save_records(records, o.out)


if __name__ == "__main__":
    main()
