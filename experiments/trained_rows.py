"""What the trainings of f3a_tables decide beyond its tables: results/trained_rows.json.

python experiments/trained_rows.py --data bundled
python experiments/trained_rows.py --data rendered --seeds 3

Two questions. How far apart are the eyes that each condition makes, half way between a head turned to one side and to
the other (Fig. 9)? And on rendered people, whose parts are known: how large is the error, and how much detail is there,
in skin, mouth, eyes, ears, hair and glasses (Fig. 8, S-4)? New figures replace those of the same data.
"""

from dataclasses import dataclass
import math
from pathlib import Path
import re
import time
from typing import Literal
from unittest.mock import patch
import numpy as np
import torch
import torch.nn.functional as F
from f3a_lite.conditions import Frames
from f3a_lite.core import F3AError, friendly_errors
from f3a_lite.jobs import set_threads
from f3a_lite.lab.measuring import BASE, generate_part, over_clips, paired_difference
from f3a_lite.lab.results import Record, load_records, run_info, save_records
from f3a_lite.lab.tables import PEOPLE_FRAMES, SIZE, TableOptions, Tables, WEIGHTS, measures_of
from f3a_lite.metrics import track_faces
from f3a_lite.morphable import FaceParams, REGIONS, open_model
from f3a_lite.options import parse_options
from f3a_lite.pairs import pick_frames, split_clips
from f3a_lite.projection import posed_landmarks, project, to_pixels
from f3a_lite.rasterizer import rasterize_map
from f3a_lite.synth import rendered_clips
from f3a_lite.synth.parts import BODY, CLOTH, GLASSES, GUMS, HAIR, LASHES, STRANDS, TEETH, TORSO
from f3a_lite.synth.people import strand_cover
from f3a_lite.synth.rendered import posed_mesh

ROOT = Path(__file__).resolve().parent.parent
ANGLES = (10, 20, 46)  # degrees to each side
CONDITIONS = ("flow", "landmarks", "aus")
VARIANTS = ("t_os", "t_np", "t_sl")  # each is compared with ours, region by region
PARTS = ("skin", "mouth", "eyes", "ears", "hair", "glasses", "body")
LEAST = 4.0  # pixels that a region must have in a picture


@dataclass
class Options:
    "Measure what a table has trained."

    data: Literal["bundled", "rendered"] = "bundled"  # as for f3a_tables
    seeds: int = 1  # trainings of each row
    rows: tuple[str, ...] = ("flow", "landmarks", "aus", "t_os", "t_np", "t_sl", "t_warp")  # whose regions are measured
    photos: int = 12  # from which half-way pictures are made
    pictures: int | None = None  # that the trainings saw; default: the budget of f3a_tables
    runs: Path = ROOT / "runs"
    out: Path = ROOT / "results" / "trained_rows.json"


# ---- eyes half way


def photos_of(group, n: int) -> Frames:
    "Training frames spread over the clips, one a clip where there are many."
    some = (
        group.clips
        if len(group.clips) < n
        else [group.clips[k] for k in np.linspace(0, len(group.clips) - 1, n, dtype=int)]
    )
    where = []
    for k in range(n):
        clip = k % len(some)
        train = split_clips([some[clip]])[0]["train"]
        where.append((clip, train[int((k + 0.5) / n * len(train))]))
    return pick_frames(some, where, SIZE)


def outer_corners(points) -> np.ndarray:  # (n,68,2) → (n,)
    "The distance of the outer corners of the eyes."
    return np.linalg.norm(np.asarray(points)[:, 36] - np.asarray(points)[:, 45], axis=-1)


def looking(params: FaceParams, degrees: float) -> FaceParams:
    "The same faces, turned so far to the side."
    rotation = params.rotation.clone()
    rotation[:, 1] = math.radians(degrees)
    return params.replace(rotation=rotation)


def half_way(photos: Frames, degrees: float) -> torch.Tensor:  # (n,68,2)
    "The mean of the landmarks of a head turned to one side and to the other: half way in the plane."
    sides = [project(posed_landmarks(open_model(), looking(photos.params, d))) for d in (-degrees, degrees)]
    return sum(sides) / 2


def eyes_made(system, photos: Frames, landmarks=None) -> np.ndarray:  # (n,) not-a-number where no face was found
    "How far apart the eyes are in pictures of a head that looks ahead, as a share of what they should be."
    middle = looking(photos.params, 0.0)
    wanted = outer_corners(project(posed_landmarks(open_model(), middle))) / 2  # shares of the picture's side
    image = system.generate(photos, Frames(middle, landmarks=landmarks), open_model())["image"]
    points = track_faces(image)[0]  # pixels
    return outer_corners(points) / image.shape[-1] / wanted


def eyes_of_conditions(tables, group, o: Options) -> list:  # Records
    "Each condition half way between two turned heads; landmarks also as they are in space."
    photos, records, found = photos_of(group, o.photos), [], {}
    for seed in range(o.seeds):
        for row in CONDITIONS:
            system = tables.trained(group, row, seed)
            if row != "landmarks":
                values = eyes_made(system, photos)
                found.setdefault(row, {f"eyes_{d}": [] for d in ANGLES})
                for d in ANGLES:  # their half way is the same for all angles
                    found[row][f"eyes_{d}"].append(values)
                continue
            for d in ANGLES:
                found.setdefault(row, {}).setdefault(f"eyes_{d}", []).append(
                    eyes_made(system, photos, half_way(photos, d))
                )
            found.setdefault("landmarks in space", {}).setdefault("eyes", []).append(eyes_made(system, photos))
    setting = dict(question="eyes half way", photos=o.photos, seeds=o.seeds)
    for name, rows in found.items():
        figures = {key: over_clips(list(np.concatenate(v)[:, None])) for key, v in rows.items()}
        records.append(Record(name, setting, figures))
    ahead = {}
    for d in ANGLES:
        one, other = (np.stack(found[row][f"eyes_{d}"]) for row in ("flow", "landmarks"))
        ahead[f"eyes_{d}"] = difference(one, other, np.arange(o.photos))
    return [*records, Record("flow before landmarks", setting, ahead)]


def difference(one: np.ndarray, other: np.ndarray, clips: np.ndarray) -> dict:  # (seeds,n), (seeds,n), (n,)
    "The bootstrap of a difference, pair by pair, with the number of pairs that count."
    found = paired_difference(one, other, clips)
    n = int(np.isfinite(one - other).sum())
    return dict(mean=found["mean"], low=found["low"], high=found["high"], n=n, undefined=one.size - n)


# ---- regions of rendered people


def look_of(clip) -> tuple:  # the first and the seventh argument of `render_face` there
    "How the person of a table's rendered clip looks, combed and dressed as in the clip, and how the shoulders stand."
    number, found = int(re.search(r"person_(\d+)", clip.path.name)[1]), []

    def note(look, params, rng, size, scene, shoot, shoulders):
        found.append((look, shoulders))
        return np.zeros((size, size, 3), np.float32)

    with patch.object(rendered_clips, "render_face", note):
        rendered_clips.render_clip(number, PEOPLE_FRAMES, size=SIZE, fps=clip.meta["fps"], natural=True)
    return found[0]


OF_HEAD = dict(lips="mouth", mouth_interior="mouth", eyes="eyes", eyeballs="eyes", ears="ears")  # the rest is skin
OF_PARTS = {TEETH: "mouth", GUMS: "mouth", HAIR: "hair", STRANDS: "hair", LASHES: "eyes", GLASSES: "glasses"}
OF_PARTS.update({BODY: "body", CLOTH: "body", TORSO: "body"})


def labels_of(part: np.ndarray) -> np.ndarray:  # (N,) numbers of parts; those of the head come first → (N,len(PARTS))
    "What each vertex belongs to, as a row of zeros and a one."
    head = np.array([PARTS.index(OF_HEAD.get(name, "skin")) for name in REGIONS])
    numbers, part = np.zeros(len(part), int), np.rint(part).astype(int)
    numbers[: len(open_model().mean_shape)] = head[open_model().regions.numpy()]
    for value, name in OF_PARTS.items():
        numbers[part == value] = PARTS.index(name)
    return np.eye(len(PARTS), dtype=np.float32)[numbers]


def regions_of(look, params: FaceParams, size: int, shoulders=None, fine: int = 3) -> torch.Tensor:
    "How much of each pixel belongs to which part of a rendered face (len(PARTS)+1,size,size); the last is behind it."
    X, tri, attributes = posed_mesh(look, params, shoulders)
    big, n = size * fine, len(PARTS)
    values = np.concatenate([labels_of(attributes[:, 8]), attributes, X[:, 2:]], 1)[None]
    pixels, loose = to_pixels(torch.from_numpy(X)[None], big, big), attributes[tri[:, 0], 8] >= STRANDS
    a, covered = (x[0] for x in rasterize_map(pixels, tri[~loose], values, big, big))
    covered, depth = covered[0], a[-1]
    shares = torch.cat([a[:n] * covered, 1.0 - covered[None].float()])
    if loose.any():  # hair through which one sees
        a, seen = (x[0] for x in rasterize_map(pixels, tri[loose], values, big, big))
        seen = seen[0] & ~(covered & (depth > a[-1]))
        cover = torch.zeros(big, big)
        cover[seen] = torch.as_tensor(strand_cover(look, a[n:-1, seen].T.numpy())).float()
        shares = shares * (1 - cover)
        shares[:n] += cover * a[:n]
    return F.avg_pool2d(shares[None], fine)[0]


def detail(x: torch.Tensor) -> torch.Tensor:  # (B,3,H,W) → (B,1,H,W)
    "How much each pixel differs from its four neighbours."
    grey = F.pad(x.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return F.conv2d(grey, kernel).abs()


def measured(made: torch.Tensor, true: torch.Tensor, masks: torch.Tensor) -> dict:  # (B,3,H,W) twice, (B,R,H,W)
    "Error and detail of pictures by region, (B,) each; not-a-number where a region is hardly seen."
    error, found = (made - true).abs().mean(1, keepdim=True), {}
    fine, wanted = detail(made), detail(true)
    of = {name: masks[:, [k]] for k, name in enumerate((*PARTS, "background"))}
    of["ears_and_hair"] = of["ears"] + of["hair"]
    for name, mask in of.items():
        area = mask.sum((1, 2, 3))
        seen = area >= LEAST
        for key, value in ((f"error_{name}", error), (f"detail_{name}", fine)):
            total = (value * mask).sum((1, 2, 3))
            over = area if key.startswith("error") else (wanted * mask).sum((1, 2, 3))
            found[key] = torch.where(seen, total / over.clamp(min=1e-6), torch.nan).double().numpy()
    return found


def regions_of_rows(tables, group, o: Options) -> list:  # Records
    "Every row by region, on each split; and the variants against ours, pair by pair."
    records, splits = [], measures_of(group, SIZE)
    looks = {id(clip): look_of(clip) for clip in (*group.clips[:: group.every], *group.people)}
    for split, measure in splits.items():
        if split == "cross":
            continue
        clips = group.people if split == "people" else group.clips[:: group.every]
        masks = []
        for part in measure.parts:
            look, still = looks[id(clips[part.number])]
            faces = [part.target.params[[k]] for k in range(len(part.truth))]
            masks.append(torch.stack([regions_of(look, p, SIZE, still) for p in faces]))
        clip_of, kept = measure.facts()["clip"], {}
        for row in (*BASE, *o.rows):
            for seed in range(1 if row in BASE else o.seeds):
                make = BASE[row] if row in BASE else generate_part(tables.trained(group, row, seed))
                values = [measured(make(p), p.truth, m) for p, m in zip(measure.parts, masks)]
                kept.setdefault(row, []).append({k: np.concatenate([v[k] for v in values]) for k in values[0]})
        setting = dict(question="regions", split=split, seeds=o.seeds)
        for row, seeds in kept.items():
            figures = {}
            for key in seeds[0]:
                every = np.nanmean(np.stack([s[key] for s in seeds]), 0) if len(seeds) > 1 else seeds[0][key]
                figures[key] = over_clips([every[clip_of == c] for c in np.unique(clip_of)])
            records.append(Record(row, setting, figures))
        for other in (r for r in (*VARIANTS, "copying") if r in kept and "flow" in kept):
            ahead = {}
            for key in kept["flow"][0]:
                one, two = (np.stack([s[key] for s in kept[row]]) for row in ("flow", other))
                two = np.broadcast_to(two, one.shape)
                sign = -1 if key.startswith("error") else 1
                ahead[key] = difference(sign * one, sign * two, clip_of)
            records.append(Record(f"flow before {other}", setting, ahead))
        print(f"{split}: {len(kept)} rows", flush=True)
    return records


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o, start = parse_options("trained_rows.py", Options, argv), time.monotonic()
        set_threads()
        tables = Tables(TableOptions(data=(o.data,), runs=o.runs, pictures=o.pictures, device="cpu", train=False))
        group = tables.groups[0]
        absent = [r for r in CONDITIONS if not (tables.folder(group, r, 0) / WEIGHTS).exists()]
        if absent:
            raise F3AError(f"Not trained yet: {', '.join(absent)}; f3a_tables --data {o.data} does it.")
        records = eyes_of_conditions(tables, group, o)
        if o.data == "rendered":
            records += regions_of_rows(tables, group, o)
        words = ["--data", o.data] + ["--seeds", str(o.seeds)] * (o.seeds > 1)
        info = run_info(" ".join(["python experiments/trained_rows.py", *words]), 0, start)
        own = dict(data=o.data, clips=group.mark(), pictures=tables.pictures)
        records = [Record(r.name, {**own, **r.setting}, r.figures, info) for r in records]
        before = load_records(o.out) if o.out.exists() else []
        save_records([r for r in before if r.setting["data"] != o.data] + records, o.out)
        for r in records:
            print(r.name, r.setting.get("split", ""), {k: r.mean(k) for k in r.figures})


if __name__ == "__main__":
    main()
