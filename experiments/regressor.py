"""The bundled regressor on fresh rendered people, on real clips and on AFLW2000's photos: results/regressor.json.

python experiments/regressor.py FACES [--clips N]
python experiments/regressor.py FACES --attempts WEIGHTS...: legs of the training, into results/regressor_attempts.json

FACES holds clips/*.mp4 and aflw2000/*.{jpg,mat}; what is missing is left out of the result.

The protocol. Rendered people: three thousands that no choice was made on (mean and standard deviation). Photos: mean
with a 95 % bootstrap interval over photos. Clips: mean and standard deviation over clips; an error on the very points
that a fit or a fine-tuning was given is called a residual, an error on frames that were held out from it is not.
The legs of the training are compared on the thousand that its choices were made on.
"""

import argparse
import time
from pathlib import Path
import numpy as np
import torch
from f3a_lite.core import F3AError, data_path, file_hash
from f3a_lite.jobs import set_threads
from f3a_lite.data.datasets import read_annotation, read_labelled
from f3a_lite.fitting import landmark_error, landmark_model
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.pictures import LazyFrames
from f3a_lite.projection import posed_landmarks
from f3a_lite.regressor import (
    Regressor,
    jitter,
    load_regressor,
    pose_error_between_models,
    regress_clip,
    variance_share,
    warm_loss,
)
from f3a_lite.regressor_metrics import evaluate_rendered, pose_error, rotation_angle
from f3a_lite.data.estimation import finetune
from f3a_lite.synth.rendered import rendered_face
from f3a_lite.synth.rendered import render_set
from f3a_lite.lab.results import Record, figure, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent
FRESH = [[101, 20000], [102, 21000], [103, 22000]]  # seed and first of 200 people: a thousand pictures each
CHOSEN_ON = (1000, (4000, 4200), 1)  # pictures, people and seed of the thousand that choices were made on
UNITS = ("jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "mouthPucker", "browInnerUp")
YAWS = (0, 15, 30, 45, 60, 75, 90)  # degrees
BLOCK = 10  # frames; every second block is held out


def columns(rows):
    "Figures of several measurements: name → mean, spread and number."
    return {name: figure([row[name] for row in rows]) for name in rows[0]}


def interval(values, draws=10000, seed=0):
    "Mean, and where 95 of 100 bootstrap draws of as many values have theirs."
    values = np.asarray(values, np.float64)
    k = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(values[k].mean(1), (0.025, 0.975))
    return dict(mean=float(values.mean()), low=float(low), high=float(high), n=len(values))


def fresh_sets():
    "Three thousand rendered pictures of people that nobody has seen, in three sets."
    sets = []
    for seed, first in FRESH:
        folder = ROOT / "runs" / "fresh" / str(seed)
        sets.append(render_set(folder, 1000, (first, first + 200), seed, workers=2))
    return sets


def predict_all(net, faces):
    "Parameters of a whole set, a hundred pictures at a time."
    parts = np.array_split(np.arange(len(faces)), max(1, len(faces) // 100))
    return FaceParams.stack([net.predict(faces.images(part)) for part in parts])


def yaw_row(params, truth, low, high):
    "Share of the faces between two yaws, and their errors."
    yaw = truth.rotation[:, 1].abs() * 180 / np.pi
    k = (yaw >= low) & (yaw <= high)
    turn = rotation_angle(params.rotation[k], truth.rotation[k]).mean()
    return dict(share=float(k.float().mean()), pose=float(pose_error(params[k], truth[k]).mean()), turn=float(turn))


def unit_correlations(params, truth):
    "Correlations of some expression units with the truth."
    names, out = list(open_model().exp_names), {}
    for unit in UNITS:
        k = names.index(unit)
        out[unit] = float(np.corrcoef(params.exp_coeff[:, k], truth.exp_coeff[:, k])[0, 1])
    return out


def on_rendered(net, sets, info):
    "Records of the fresh people: errors with one look and two, by yaw, and how varied the answers are."
    facts, records = dict(on="rendered", sets=FRESH), []
    for looks in (1, 2):
        rows = [evaluate_rendered(net, faces, looks=looks) for faces in sets]
        records.append(Record("regressor", dict(facts, looks=looks), columns(rows), info))
        print(records[-1].figures["pose"], records[-1].figures["points"], flush=True)
    answers = [(predict_all(net, faces), faces.params) for faces in sets]
    for low, high in zip(YAWS, YAWS[1:]):
        rows = [yaw_row(p, truth, low, high) for p, truth in answers]
        records.append(Record("by yaw", dict(facts, yaw=f"{low}–{high}"), columns(rows), info))
    shares = columns([variance_share(p, truth) for p, truth in answers])
    correlations = columns([unit_correlations(p, truth) for p, truth in answers])
    records.append(Record("share of the variance", facts, shares, info))
    records.append(Record("correlation with the truth", facts, correlations, info))
    return records


def read_photos(folder):
    "Pictures (n,3,H,W), annotated angles (n,3), and angles of a fit to the annotated points (n,3)."
    rows = [r for r in read_labelled(folder) if not isinstance(r[1], F3AError)]
    angles = [read_annotation(folder / f"{r[0]}.mat").rotation for r in rows]
    x = torch.from_numpy(np.stack([r[1] for r in rows])).movedim(-1, 1).float() / 255
    return x, torch.tensor(np.stack(angles), dtype=torch.float32), torch.cat([r[2].rotation for r in rows])


def photo_figures(angles, annotated):
    "Pose errors on photos, degrees, each with its interval."
    e = pose_error_between_models(angles, annotated).numpy()  # (n,3)
    figures = dict(pose=interval(e.mean(1)))
    for k, name in enumerate(("pitch", "yaw", "roll")):
        figures[name] = interval(e[:, k])
    return figures


def on_photos(net, folder, info):
    "Records of the annotated photos: the regressor needs no tracker, only the crop; a fit to the points beside it."
    x, annotated, fitted = read_photos(folder)
    yaw = annotated[:, 1] * 180 / np.pi
    facts = dict(on="AFLW2000", yaws=[round(float(yaw.min())), round(float(yaw.max()))])
    records = []
    for looks in (1, 2):
        figures = photo_figures(net.predict(x, looks=looks).rotation, annotated)
        records.append(Record("regressor", dict(facts, looks=looks), figures, info))
    records.append(Record("a fit to the annotated points", facts, photo_figures(fitted, annotated), info))
    for r in records:
        print(r.name, r.figures["pose"], flush=True)
    return records


def clip_rows(net, clip, face_model):
    "What is measured on one clip: (name, frames, kind of error) → error and jitter."
    found = np.asarray(clip.found)
    held = found & (np.arange(len(found)) // BLOCK % 2 == 1)
    x, marks = LazyFrames(clip.frames), clip.landmarks
    all_of_it, half = finetune(net, x, marks, found), finetune(net, x, marks, found & ~held)
    answers = {
        ("as shipped", "all", "points"): (regress_clip(net, x, found), found),
        ("as shipped", "held out", "points"): (regress_clip(net, x, found), held),
        ("as shipped, one look", "all", "points"): (regress_clip(net, x, found, 1), found),
        ("after fine-tuning on all frames", "all", "residual"): (regress_clip(all_of_it, x, found), found),
        ("after fine-tuning on half of the frames", "held out", "points"): (
            regress_clip(half, x, found & ~held),
            held,
        ),
        ("the fitter", "all", "residual"): (clip.params, found),
    }
    rows = {}
    for key, (p, frames) in answers.items():
        k = torch.from_numpy(np.flatnonzero(frames))
        error = float(landmark_error(face_model, p[k], marks[k]).mean())
        rows[key] = error, jitter(posed_landmarks(face_model, p)[..., :2])
    return rows


def on_clips(net, clips, info):
    "Records of the real clips."
    face_model, rows = landmark_model(open_model()), {}
    for clip in clips:
        for key, row in clip_rows(net, clip, face_model).items():
            rows.setdefault(key, []).append(row)
        print(clip.path.name, {key[:2]: f"{v[-1][0]:.2%}" for key, v in rows.items()}, flush=True)
    records = []
    for (name, frames, kind), values in rows.items():
        errors, trembling = zip(*values)
        figures = {kind: figure(errors), "worst": max(errors), "jitter": figure(trembling)}
        each = {clip.path.name: round(error, 4) for clip, error in zip(clips, errors)}
        setting = dict(on="real clips", frames=frames, clips=each)
        records.append(Record(name, setting, figures, info))
    return records


def first_shares(net):
    "Shares of the terms of L_warm for an untrained network: step 0."
    torch.manual_seed(0)
    faces = [rendered_face(k) for k in range(48)]
    x = torch.from_numpy(np.stack([f[0] for f in faces])).movedim(-1, 1).float() / 255
    truth = FaceParams.stack([f[1] for f in faces])
    shp = net.info.get("train", {}).get("shp", 1.0)
    with torch.no_grad():
        terms = warm_loss(open_model(), Regressor(net.cfg)(x), truth, shp=shp)
    total = sum(terms.values())
    return {name: float(value / total) for name, value in terms.items()}


def rate(net, n=256, rounds=7):
    "Faces a second, with all looks: the median of some rounds, since other work disturbs single ones."
    x, seconds = torch.rand(n, 3, 128, 128), []
    net.predict(x)
    for _ in range(rounds):
        t = time.perf_counter()
        net.predict(x)
        seconds.append(time.perf_counter() - t)
    return n / float(np.median(seconds))


def of_the_training(net, info):
    "Records of the training itself: shares of the loss; and the speed."
    records = [Record("share of the loss", dict(step=0), first_shares(net), info)]
    for step, shares in net.info.get("loss_shares", {}).items():
        if step != "0":
            records.append(Record("share of the loss", dict(step=int(step)), shares, info))
    records.append(Record("rate", dict(looks=net.looks), dict(faces_a_second=rate(net)), info))
    return records


def attempts(paths, faces, folder, info):
    "Each leg with one look and with two, on the thousand that choices were made on."
    records = []
    x, annotated, _ = read_photos(folder)
    for path in paths:
        net = load_regressor(path)
        once, twice = evaluate_rendered(net, faces, looks=1), evaluate_rendered(net, faces)
        photos = {looks: pose_error_between_models(net.predict(x, looks=looks).rotation, annotated) for looks in (1, 2)}
        p = net.predict(faces.images(range(400)))
        truth = faces.params[torch.arange(400)]
        figures = dict(
            pose_one_look=once["pose"],
            pose=twice["pose"],
            points_one_look=once["points"],
            points=twice["points"],
            aflw2000_one_look=float(photos[1].mean()),
            aflw2000=float(photos[2].mean()),
            **variance_share(p, truth),
            **unit_correlations(p, truth),
        )
        setting = dict(steps=net.info["steps"], command=net.info["command"])
        records.append(Record(f"leg {len(records) + 1}", setting, figures, info))
        print(records[-1].name, figures, flush=True)
    return records


def real_clips(folder, every):
    "Every so many-th real clip, prepared; without the bundled one."
    clips = []
    for video in sorted(folder.glob("*.mp4"))[:: max(1, every)]:
        if video.stem == "pf_pexels":
            continue
        out = ROOT / "runs" / "real" / video.stem
        clips.append(prepare_clip(video, out))
    return clips


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("faces", nargs="?", type=Path)
    ap.add_argument("--clips", type=int, default=1, help="only every n-th clip")
    ap.add_argument("--attempts", nargs="+", default=())
    args = ap.parse_args()
    set_threads()
    t0 = time.monotonic()
    command = "python experiments/regressor.py FACES"
    if args.attempts:
        thousand = render_set(ROOT / "runs" / "rendered" / "test", *CHOSEN_ON, workers=2)
        info = run_info(f"{command} --attempts {' '.join(args.attempts)}", CHOSEN_ON[2])
        records = attempts(args.attempts, thousand, args.faces / "aflw2000", info)
        info["seconds"] = round(time.monotonic() - t0, 1)
        save_records(records, ROOT / "results" / "regressor_attempts.json")
        raise SystemExit
    net = load_regressor()
    training = {k: net.info[k] for k in ("command", "seed", "commit", "machine", "seconds", "steps", "date")}
    facts = dict(sha256=file_hash(data_path("regressor.safetensors")), training=training)
    info = run_info(command + (f" --clips {args.clips}" if args.clips > 1 else ""), [s for s, _ in FRESH], **facts)
    records = of_the_training(net, info) + on_rendered(net, fresh_sets(), info)
    if args.faces and (args.faces / "aflw2000").is_dir():
        records += on_photos(net, args.faces / "aflw2000", info)
    if args.faces and (args.faces / "clips").is_dir():
        records += on_clips(net, real_clips(args.faces / "clips", args.clips), info)
    info["seconds"] = round(time.monotonic() - t0, 1)
    save_records(records, ROOT / "results" / "regressor.json")
