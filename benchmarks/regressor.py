"""The bundled regressor on unseen rendered people, on real clips and on AFLW2000 images: results/regressor.json.

python benchmarks/regressor.py FACES [--clips N]
python benchmarks/regressor.py FACES --attempts WEIGHTS...: the legs of the training, into results/regressor_attempts.json
FACES holds clips/*.mp4 and aflw2000/*.{jpg,mat}; what is missing is left out of the result.
"""

import argparse, time
from pathlib import Path
import numpy as np
import torch
from f3a_lite.clips import load_clip, needs_preparing, prepare_clip
from f3a_lite.core import data_path, run_info, save_json, set_threads, sha256
from f3a_lite.datasets import read_annotation, read_labelled
from f3a_lite.fitting import landmark_error, landmark_model
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import posed_landmarks
from f3a_lite.regressor import (
    LazyFrames,
    Regressor,
    evaluate_rendered,
    finetune,
    jitter,
    load_regressor,
    pose_error,
    pose_error_between_models,
    regress_clip,
    rotation_angle,
    variance_share,
    warm_loss,
)
from f3a_lite.rendered import render_set, rendered_face

ROOT = Path(__file__).resolve().parent.parent


def first_shares(net):
    "Shares of the terms of L_warm for an untrained network: step 0."
    torch.manual_seed(0)
    faces = [rendered_face(k) for k in range(48)]
    x = torch.from_numpy(np.stack([f[0] for f in faces])).movedim(-1, 1).float() / 255
    terms = warm_loss(
        open_model(),
        Regressor(net.cfg)(x),
        FaceParams.stack([f[1] for f in faces]),
        shp=net.info.get("train", {}).get("shp", 1.0),
    )
    return {"0": {k: float((v / terms["total"]).detach()) for k, v in terms.items() if k != "total"}}


def by_yaw(net, faces, edges=(0, 15, 30, 45, 60, 75, 90)):
    "Pose errors on rendered faces by how far they are turned."
    t = faces.params
    p = FaceParams.stack([net.predict(faces.images(i)) for i in np.array_split(np.arange(len(faces)), 10)])
    yaw = t.rotation[:, 1].abs() * 180 / np.pi
    rows = {}
    for lo, hi in zip(edges, edges[1:]):
        k = (yaw >= lo) & (yaw <= hi)
        rows[f"{lo}–{hi}"] = dict(
            share=float(k.float().mean()),
            pose=float(pose_error(p[k], t[k]).mean()),
            turn=float(rotation_angle(p.rotation[k], t.rotation[k]).mean()),
        )
    return rows


def variety(net, faces, n=400, units=("jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "mouthPucker", "browInnerUp")):
    "Mode collapse: variance shares, and correlations of some expression units with the truth."
    p, t, names = net.predict(faces.images(range(n))), faces.params[torch.arange(n)], open_model().exp_names
    corr = lambda k: float(np.corrcoef(p.exp_coeff[:, k], t.exp_coeff[:, k])[0, 1])
    return variance_share(p, t), {u: corr(names.index(u)) for u in units}


def on_clips(net, clips):
    "Errors and jitter of the shipped weights, after fine-tuning, and of the fitter, over clips."
    m, rows = landmark_model(open_model()), {}
    for c in clips:
        ok = torch.as_tensor(c.found)
        x = LazyFrames(c.frames)
        for name, p in (
            ("as shipped", regress_clip(net, x, c.found)),
            ("as shipped, one look", regress_clip(net, x, c.found, 1)),
            ("after fine-tuning", regress_clip(finetune(net, x, c.landmarks, c.found), x, c.found)),
            ("the fitter", c.params),
        ):
            e = landmark_error(m, p[ok], c.landmarks[ok])
            rows.setdefault(name, []).append((c.path.name, float(e.mean()), jitter(posed_landmarks(m, p)[..., :2])))
        print(c.path.name, {k: f"{v[-1][1]:.2%}" for k, v in rows.items()}, flush=True)
    return {
        k: dict(
            points=float(np.mean([e for _, e, _ in v])),
            worst=float(max(e for _, e, _ in v)),
            jitter=float(np.mean([j for *_, j in v])),
            clips={n: [round(e, 4), round(j, 5)] for n, e, j in v},
        )
        for k, v in rows.items()
    }


def on_aflw(net, folder):
    "Pose on annotated photos: the regressor needs no tracker, only the crop."
    ann = torch.tensor(
        np.stack([read_annotation(p).rotation for p in sorted(folder.glob("*.mat"))]), dtype=torch.float32
    )
    rows = [r for r in read_labelled(folder) if len(r) == 4]
    x = torch.from_numpy(np.stack([r[1] for r in rows])).movedim(-1, 1).float() / 255
    pred = net.predict(x)
    once = pose_error_between_models(net.predict(x, looks=1).rotation, ann)
    e = pose_error_between_models(pred.rotation, ann)
    fit = pose_error_between_models(torch.cat([r[2].rotation for r in rows]), ann)
    return dict(
        images=len(ann),
        pose=float(e.mean()),
        one_look=float(once.mean()),
        pitch=float(e[:, 0].mean()),
        yaw=float(e[:, 1].mean()),
        roll=float(e[:, 2].mean()),
        yaw_range=[float(ann[:, 1].min() * 180 / np.pi), float(ann[:, 1].max() * 180 / np.pi)],
        each={r[0]: [round(float(v), 2) for v in k] for r, k in zip(rows, e)},
        fitted_to_the_annotated_points=float(fit.mean()),
    )


def rate(net, n=256, rounds=7):
    "Faces a second, with all looks: the median of some rounds, since other work disturbs single ones."
    x, seconds = torch.rand(n, 3, 128, 128), []
    net.predict(x)
    for _ in range(rounds):
        t = time.perf_counter()
        net.predict(x)
        seconds.append(time.perf_counter() - t)
    return n / float(np.median(seconds))


def attempts(paths, unseen, folder):
    "Each leg with one look and with two."
    rows = []
    for p in paths:
        net = load_regressor(p)
        share, corr = variety(net, unseen)
        rows.append(
            {
                "command": net.info["command"],
                "steps": net.info["steps"],
                "one look": evaluate_rendered(net, unseen, looks=1),
                "two looks": evaluate_rendered(net, unseen),
                "aflw": on_aflw(net, folder),
                "variance_share": share,
                "unit_correlation": corr,
            }
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("faces", nargs="?")
    ap.add_argument("--clips", type=int, default=0, help="only every n-th clip")
    ap.add_argument("--attempts", nargs="+", default=())
    args = ap.parse_args()
    set_threads()
    t0 = time.time()
    net = load_regressor()
    faces = Path(args.faces) if args.faces else None
    unseen = render_set(ROOT / "runs" / "rendered" / "test", 1000, (4000, 4200), 1, workers=2)
    if args.attempts:
        save_json(
            dict(
                attempts=attempts(args.attempts, unseen, faces / "aflw2000"),
                info=run_info("python benchmarks/regressor.py FACES --attempts " + " ".join(args.attempts), 0, t0),
            ),
            ROOT / "results" / "regressor_attempts.json",
        )
        raise SystemExit
    shares = first_shares(net) | {k: v for k, v in net.info.get("loss_shares", {}).items() if k != "0"}
    training = {k: net.info[k] for k in ("command", "seed", "commit", "machine", "seconds", "steps", "date")}
    out = dict(sha256=sha256(data_path("regressor.safetensors")), loss_shares=shares, training=training)
    out["rendered"], out["rendered_one_look"], out["by_yaw"] = (
        evaluate_rendered(net, unseen),
        evaluate_rendered(net, unseen, looks=1),
        by_yaw(net, unseen),
    )
    print(out["rendered"], flush=True)
    out["variance_share"], out["unit_correlation"] = variety(net, unseen)
    out["faces_a_second"] = rate(net)
    print("faces a second", out["faces_a_second"])
    if faces and (faces / "aflw2000").is_dir():
        out["aflw2000"] = on_aflw(net, faces / "aflw2000")
        print(out["aflw2000"], flush=True)
    if faces and (faces / "clips").is_dir():
        clips = []
        for v in sorted((faces / "clips").glob("*.mp4"))[:: max(1, args.clips)]:
            if v.stem == "pf_pexels":
                continue  # the bundled clip
            f = ROOT / "runs" / "real" / v.stem
            clips.append(prepare_clip(v, f) if needs_preparing(v, f) else load_clip(f))
        out["clips"] = on_clips(net, clips)
        for k, v in out["clips"].items():
            print(f"{k}: {v['points']:.2%}, worst {v['worst']:.2%}, jitter {v['jitter']:.3%}")
    save_json(
        dict(
            out,
            info=run_info(
                "python benchmarks/regressor.py FACES" + (f" --clips {args.clips}" if args.clips else ""), 0, t0
            ),
        ),
        ROOT / "results" / "regressor.json",
    )
