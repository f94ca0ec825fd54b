"""T_warp on people whom no training has seen, beside copying, warping, the paper's generator: results/strangers.json.

python experiments/strangers.py FACES [WEIGHTS ...] [--keep FOLDER]

FACES holds clips/*.mp4 and clips.csv, whose column `identity` says who is who. Random pairs within each clip, at 128
pixels; the error inside and outside the target's mesh, by how far the head turns between source and target, averaged
over people. Then each clip drives one of its own frames: is a face found where the warped photo has one,
how near its identity is to the source's, and do eyes and mouth open as the driving frames' do?
The bundled clip's person is left out. Settings of T_warp are chosen on every second person of the alphabetical list
(`--part chosen`), and its figures are reported on the others (part `reported`). Real faces are measured here and are no
part of the project.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
import tempfile
import numpy as np
import torch
from typing import Literal
from tqdm.auto import tqdm
from tyro.conf import Positional
from f3a_lite.animation import BUNDLED, Face, animate
from f3a_lite.conditions import GeometryMaps
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.landmarks import eye_opening, mouth_opening
from f3a_lite.metrics import csim, track_faces, mae, psnr
from f3a_lite.pairs import make_batch, sample_pairs
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.systems import Warping, load_system

ROOT = Path(__file__).resolve().parent.parent
YAWS = (("yaw_0_10", 0, 10), ("yaw_10_25", 10, 25), ("yaw_over_25", 25, 180))  # degrees between source and target
BUNDLED_PERSON = "pf_pexels"  # whom the bundled weights have seen


@dataclass
class Options:
    "Measure weights on real people."

    faces: Positional[Path] = ROOT.parent / "shared" / "faces"  # folder with clips/ and clips.csv
    weights: Positional[tuple[Path, ...]] = ()  # default: the bundled ones
    keep: Path | None = None  # folder of the prepared clips; default: a temporary one
    pairs: int = 48  # a clip
    frames: int = 160  # at most, of a clip
    part: Literal["all", "chosen", "reported"] = "all"  # whom to measure
    animated: int = 24  # frames of each clip that drive one of its frames; 0: none
    size: int = 128  # pixels
    seed: int = 7
    out: Path = ROOT / "results" / "strangers.json"


def read_people(faces):
    "Clips of each person: name of the person → paths."
    table = faces / "clips.csv"
    if not table.exists():
        raise F3AError(f"'{faces}' holds no clips.csv: give the folder with the faces to measure on.")
    people = {}
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        path = faces / row["file"]
        if path.suffix == ".mp4" and path.exists() and path.stem != BUNDLED_PERSON:
            people.setdefault(row["identity"], []).append(path)
    return people


def parts_of(names):
    "Whom settings are chosen on, and whom figures are reported on."
    names = sorted(names)
    return dict(chosen=names[1::2], reported=names[::2])


def error_of(image, batch):
    "What each pair's picture is like: PSNR, MAE, MAE inside and outside the target's mesh."
    target, valid, mesh = batch["target"], batch["valid"], GeometryMaps.split(batch["condition"]).mask
    return dict(
        psnr=psnr(image, target, valid),
        mae=mae(image, target, valid),
        inside=mae(image, target, valid * mesh),
        outside=mae(image, target, valid * (1 - mesh)),
    )


@torch.no_grad()
def measure_clip(clip, systems, n, size, seed):
    "Figures of every pair of one clip: method → figure → (n,); and the yaw differences (n,) in degrees."
    found = np.flatnonzero(clip.found)
    pairs = sample_pairs([dict(train=found, people=found)], "people", n, seed)
    yaw = clip.params.rotation[:, 1].numpy() * 180 / np.pi
    rows = {}
    for part in np.array_split(pairs, max(1, n // 16)):
        batch = make_batch([clip], part, size, "geometry_maps")
        warped = Warping().run(batch["source"], batch["condition"][:, :4])["image"]
        images = {"copying": batch["source"], "warping only": warped}
        for name, system in systems.items():
            condition = batch["condition"] if system.condition == "geometry_maps" else batch["condition"][:, :3]
            out = system(batch["source"], condition)
            images[name] = out["image"]
            if "warped" in out:
                images[f"{name}, moved only"] = out["warped"]
        for name, image in images.items():
            for k, v in error_of(image, batch).items():
                rows.setdefault(name, {}).setdefault(k, []).append(v)
    rows = {name: {k: torch.cat(v).numpy() for k, v in r.items()} for name, r in rows.items()}
    return rows, np.abs(yaw[pairs[:, 1]] - yaw[pairs[:, 2]])


def source_frame(clip):
    "The frame that is animated: a face that looks ahead with its mouth nearly closed."
    found = np.flatnonzero(clip.found)
    angle = clip.params.rotation.abs().sum(1).numpy()[found]
    return int(found[np.argmin(angle + 2 * mouth_opening(clip.landmarks.numpy()[found]))])


def animate_clip(clip, systems, frames):
    "How alive and how whole a clip's own motion leaves one of its frames: method → figures."
    source = source_frame(clip)
    driving = np.flatnonzero(clip.found)
    driving = driving[np.linspace(0, len(driving) - 1, min(frames, len(driving))).astype(int)]
    face = Face(clip.images(source), clip.params[source], np.zeros(128))
    targets, real = clip.params[torch.as_tensor(driving)], clip.images(driving)
    images = {"warping only": animate(Warping(), face, targets)["output"]}
    for name, system in systems.items():
        images[name] = animate(system, face, targets, real)["output"]
    points, _ = track_faces(real)
    found_real, me = np.isfinite(points).all((1, 2)), track_faces(face.image)[1]
    looked = {name: track_faces(x) for name, x in images.items()}
    found_warped = np.isfinite(looked["warping only"][0]).all((1, 2))
    out = {}
    for name, (marks, identity) in looked.items():
        found = np.isfinite(marks).all((1, 2))
        both = found & found_real
        figures = dict(found=float(found[found_warped].mean()) if found_warped.any() else float("nan"))
        figures["identity"] = float(np.nanmean(csim(identity, me))) if found.any() else float("nan")
        for part, opening in (("eyes", eye_opening), ("mouth", mouth_opening)):
            a, b = opening(marks[both]), opening(points[both])
            enough = both.sum() >= 8 and b.std() > 0.01
            figures[part] = float(np.corrcoef(a, b)[0, 1]) if enough else float("nan")
        out[name] = figures
    return out


def means_of_person(parts):
    "One person's means: method → figure → number, PSNR by yaw as well."
    away = np.concatenate([yaw for _, yaw in parts])
    means = {}
    for name in parts[0][0]:
        values = {k: np.concatenate([rows[name][k] for rows, _ in parts]) for k in parts[0][0][name]}
        means[name] = {k: float(v.mean()) for k, v in values.items()}
        for label, low, high in YAWS:
            here = (away >= low) & (away < high)
            if here.sum() >= 3:
                means[name][label] = float(values["psnr"][here].mean())
    return means


def add_animation(means, clips):
    "Add the means over a person's clips to what is known of her."
    for name in clips[0]:
        for k in clips[0][name]:
            values = np.array([c[name][k] for c in clips])
            means[name][k] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def summary(rows, warped):
    "Means over people of one method, and on how many of them it is better than warping."
    keys = ["psnr", "mae", "inside", "outside", *[label for label, _, _ in YAWS], "found", "identity", "eyes", "mouth"]
    known = {k: [r[k] for r in rows.values() if k in r] for k in keys}
    figures = {k: figure(values) for k, values in known.items() if values}
    better = [r["psnr"] > warped[who]["psnr"] for who, r in rows.items()]
    return {**figures, "better_than_warping": float(np.mean(better))}


def as_records(people, size, info, parts=None):
    "One record a method over all people, one a part of them, and one a person."
    records = []
    warped = {who: means["warping only"] for who, means in people.items()}
    for name in next(iter(people.values())):
        rows = {who: {k: v for k, v in means[name].items() if np.isfinite(v)} for who, means in people.items()}
        records.append(Record(name, dict(size=size, people=len(rows)), summary(rows, warped), info))
        for part, names in (parts or {}).items():
            setting = dict(size=size, part=part)
            records.append(Record(name, setting, summary({who: rows[who] for who in names}, warped), info))
        for who, r in rows.items():
            records.append(Record(name, dict(size=size, person=who), r, info))
    return records


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o = parse_options("strangers.py", Options, argv)
        set_threads(None)
        paths = o.weights or [data_path(name) for name in BUNDLED]
        systems = {}
        for path in paths:
            system = load_system(path)
            systems[system.title if system.title not in systems else f"{system.title} {path.stem}"] = system
        with tempfile.TemporaryDirectory() as temporary:
            keep, people = o.keep or Path(temporary), {}
            known = read_people(o.faces)
            wanted = known if o.part == "all" else parts_of(known)[o.part]
            for who, videos in tqdm([(who, known[who]) for who in sorted(wanted)], desc="people"):
                clips = [
                    prepare_clip(v, keep / v.stem, split=None, max_frames=o.frames, progress=False) for v in videos
                ]
                people[who] = means_of_person([measure_clip(c, systems, o.pairs, o.size, o.seed) for c in clips])
                if o.animated:
                    add_animation(people[who], [animate_clip(c, systems, o.animated) for c in clips])
        parts = parts_of(people) if o.part == "all" else {}
        records = as_records(people, o.size, run_info(seed=o.seed), parts)
        save_records(records, o.out)
        for r in records:
            if "person" not in r.setting:
                print(f"{r.name:<28}", {k: round(float(r.mean(k)), 4) for k in r.figures})


if __name__ == "__main__":
    main()
