"""What can be measured of the paper's sentences without any training: results/claims.json.

python experiments/claims.py
python experiments/claims.py --only shifted_by_a_pixel
Each record answers a statement of data_samples/statements.toml, or stands beside one: which axis of the flow a motion
shows in, what is lost in profile, frames made from the photo against frames made one from the other, who a film shows,
expression or pose alone, what instance normalisation leaves of numbers that are the same at every pixel, and what a
shift by one pixel does to features. With --only some are measured, and the other records stay.
"""

from dataclasses import dataclass, replace
import math
from pathlib import Path
import time
import numpy as np
import torch
from torch import nn
from f3a_lite.conditions import Frames, make_condition
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.fitting import FitConfig, fit_landmarks
from f3a_lite.flow import facial_flow, interpolate_params
from f3a_lite.jobs import set_threads
from f3a_lite.lab.measuring import over_clips
from f3a_lite.lab.results import Record, figure, load_records, run_info, save_records
from f3a_lite.metrics import csim, fit_faces, identity_mean, prmse, psnr, track_faces
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.pairs import pick_frames
from f3a_lite.projection import posed_landmarks, project
from f3a_lite.registry import load_system
from f3a_lite.sparse_conditions import action_units
from f3a_lite.synth.people import person
from f3a_lite.systems import make_system

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ("f3a_gan.safetensors", "t_warp.safetensors")
PEOPLE = 8  # invented people whose flows and landmarks are looked at
EXPRESSIONS = (
    dict(mouthSmile=0.8, cheekSquint=0.5),
    dict(jawOpen=0.6),
    dict(mouthPucker=0.8),
    dict(browInnerUp=0.9, eyeWide=0.6),
)


@dataclass
class Options:
    "Measure what needs no training."

    draws: int = 4  # of noise on landmarks, for every fit
    frames: int = 36  # of a film that is made frame by frame
    films: int = 6  # that begin at other frames of the bundled clip
    size: int = 128  # pixels
    only: tuple[str, ...] = ()  # names of functions of this file; none: all
    out: Path = ROOT / "results" / "claims.json"


def faces_of(k: int, scale: float = 0.62) -> FaceParams:
    "An invented person at rest."
    return FaceParams.neutral(1, scale=scale).replace(id_coeff=person(k).id_coeff)


def turned(face: FaceParams, degrees: float) -> FaceParams:
    "A face, turned to the side."
    return face.replace(rotation=torch.tensor([[0.0, math.radians(degrees), 0.0]]))


def axes_of_the_flow(o: Options) -> list:  # Records
    "Fig. 11: the share of the flow along each axis, for a head that turns and a mouth that opens."
    model, shares = open_model(), {}
    for k in range(PEOPLE):
        rest = faces_of(k)
        open_mouth = rest.replace(exp_coeff=model.expression(jawOpen=0.9))
        for motion, target in (("turning head", turned(rest, 26)), ("opening mouth", open_mouth)):
            flow = facial_flow(model, rest, target, o.size)[0][0].abs().mean((1, 2))  # (3,)
            for axis, share in zip("xyz", flow / flow.sum()):
                shares.setdefault(f"{motion}, {axis}", []).append(float(share))
    return [Record(name, dict(people=PEOPLE), dict(share=figure(values))) for name, values in shares.items()]


def eyes_half_way(o: Options) -> list:  # Records
    "Fig. 9: how far apart the eyes' outer corners are, half way between a head turned to one side and to the other."
    model, found = open_model(), {}
    for degrees in (10, 20, 46):
        for k in range(PEOPLE):
            rest = faces_of(k)
            one, other, true = (project(posed_landmarks(model, turned(rest, d)))[0] for d in (-degrees, degrees, 0))
            wide = float((true[36] - true[45]).norm())
            between = interpolate_params(turned(rest, -degrees), turned(rest, degrees), [0.5])
            middles = {"half way in space": project(posed_landmarks(model, between))[0]}
            middles["half way in the plane"] = (one + other) / 2
            for name, points in middles.items():
                share = float((points[36] - points[45]).norm()) / wide
                found.setdefault(name, {}).setdefault(f"eyes_{degrees}", []).append(share)
    return [
        Record(name, dict(people=PEOPLE), {k: figure(v) for k, v in values.items()}) for name, values in found.items()
    ]


def fits_at(yaw: float, rng, model) -> tuple:  # true faces, fitted faces
    "The four expressions at an angle, and what a fit makes of their landmarks with half a pixel of noise of 128."
    faces = FaceParams.stack([turned(faces_of(0).replace(exp_coeff=model.expression(**e)), yaw) for e in EXPRESSIONS])
    marks = project(posed_landmarks(model, faces))
    marks = marks + torch.randn(marks.shape, generator=rng) * 0.5 / 64
    options = dict(cfg=FitConfig(steps=150), identity=faces.id_coeff[:1])
    fits = [fit_landmarks(model, marks[k : k + 1], start=faces[k], **options) for k in range(len(faces))]
    return faces, faces.replace(exp_coeff=FaceParams.stack(fits).exp_coeff)


def in_profile(o: Options) -> list:  # Records
    "Fig. 2: what landmarks, action units and flow lose from the front to profile; the pose is known to the fit."
    model, rng, records, growth = open_model(), torch.Generator().manual_seed(0), [], {}
    for name, yaw in (("front", 0), ("profile", 90)):
        rows = {}
        for _ in range(o.draws):
            true, fitted = fits_at(yaw, rng, model)
            units, wanted = (action_units(p.exp_coeff) for p in (fitted, true))  # (4,17)
            calm = true.replace(exp_coeff=0 * true.exp_coeff)
            flows = [facial_flow(model, calm, p, o.size)[0] for p in (fitted, true)]
            moves = flows[1].norm(dim=1) > 0
            off = (flows[0] - flows[1]).norm(dim=1)
            apart = torch.cdist(units, units, p=1) / units.shape[1]
            error = float((units - wanted).abs().mean())
            rows.setdefault("units_error", []).append(error)
            rows.setdefault("units_apart", []).append(float(apart[~torch.eye(len(apart), dtype=bool)].mean()))
            rows.setdefault("told_apart", []).append(rows["units_apart"][-1] / error)
            rows.setdefault("flow_error", []).append(float(off[moves].mean()))
        points = project(posed_landmarks(model, true))[:, 17:]
        gaps = torch.cdist(points, points) + 1e9 * torch.eye(51)
        figures = {k: figure(v) for k, v in rows.items()}
        figures["gap"] = figure(gaps.amin(2).mean(1) * o.size / 2)  # pixels, one value an expression
        records.append(Record(name, dict(expressions=len(EXPRESSIONS), draws=o.draws), figures))
        growth[name] = rows
    for name, key in (("flow", "flow_error"), ("action units", "units_error")):
        ratios = np.array(growth["profile"][key]) / np.mean(growth["front"][key])
        records.append(Record(name, dict(draws=o.draws), dict(growth=figure(ratios))))
    return records


def starts_of(clip, o: Options) -> np.ndarray:
    "Where the films begin: frames spread over the clip."
    return np.linspace(0, len(clip) - o.frames - 1, o.films).astype(int)


def made_frame_by_frame(clip, system, o: Options) -> list:  # Records
    "Frames made from the photo against frames made each from the one before, with exact knowledge of the motion."
    model, curves = open_model(), dict(direct=[], recursive=[])
    for start in starts_of(clip, o):
        every = pick_frames([clip], [(0, start + k) for k in range(o.frames + 1)], o.size)
        photo = Frames(every.params[[0]], every.picture[:1])
        last, quality = photo, dict(direct=[], recursive=[])
        for k in range(1, o.frames + 1):
            target, valid = Frames(every.params[[k]], landmarks=every.landmarks[[k]]), clip.valid(o.size)[None]
            direct = system.generate(photo, target, model)["image"]
            last = Frames(target.params, system.generate(last, target, model)["image"])
            for mode, image in (("direct", direct), ("recursive", last.picture)):
                quality[mode].append(float(psnr(image, every.picture[k : k + 1], valid)))
        for mode, values in quality.items():
            curves[mode].append(values)
    records, quarter = [], o.frames // 4
    curves = {mode: np.array(values) for mode, values in curves.items()}  # (films,frames)
    for mode, values in curves.items():
        figures = dict(psnr=over_clips(values), early=over_clips(values[:, :quarter]))
        figures.update(late=over_clips(values[:, -quarter:]), curve=values.mean(0).round(3).tolist())
        records.append(Record(mode, dict(frames=o.frames, films=o.films), figures))
    gap = curves["direct"] - curves["recursive"]
    figures = dict(early=over_clips(gap[:, :quarter]), late=over_clips(gap[:, -quarter:]))
    return [*records, Record("direct before recursive", dict(frames=o.frames, films=o.films), figures)]


def films_between(clip, system, o: Options, steps: int = 13) -> list:  # Records
    "Films from one frame to another: how even are the steps, and do they show the person of the photo?"
    model, jumps, likeness = open_model(), [], []
    for start in starts_of(clip, o):
        frames = np.linspace(start, start + o.frames, steps).astype(int)
        every = pick_frames([clip], [(0, k) for k in frames], o.size)
        photo = Frames(every.params[[0]], every.picture[:1])
        path = interpolate_params(every.params[[0]], every.params[[-1]], np.linspace(1, 0, steps).tolist())
        film = system.generate(photo, Frames(path), model)["image"]
        change = (film[1:] - film[:-1]).abs().mean((1, 2, 3))
        jumps.append(float(change.max() / change.mean()))
        who = [track_faces(x)[1] for x in (film[1:], every.picture[1:], photo.picture)]
        generated, true = (csim(x, np.broadcast_to(who[2], x.shape), identity_mean()) for x in who[:2])
        likeness.append((generated, true, generated - true))
    setting = dict(films=o.films, steps=steps)
    records = [Record("film from face to face", setting, dict(largest_step=figure(jumps)))]
    for name, values in zip(("generated film", "true film", "generated before true"), zip(*likeness)):
        records.append(Record(name, setting, dict(likeness=over_clips(list(values)))))
    return records


def one_of_two(clip, system, o: Options, drawn: int = 300, most: int = 24) -> list:  # Records
    """S-2: expression alone and pose alone, measured in the generated pictures by the tracker.

    What arrived of a change is the distance to the photo, as a share of those to the photo and to the driver: 0 is the
    photo's pose or action units, 1 the driver's. The leak is what arrived without being asked for.
    """
    model, rng = open_model(), np.random.default_rng(5)
    pairs = rng.choice(np.flatnonzero(clip.found), (drawn, 2))
    rotation, e = clip.params.rotation.numpy(), action_units(clip.params.exp_coeff).numpy()
    turn = np.rad2deg(np.abs(rotation[pairs[:, 0]] - rotation[pairs[:, 1]]).mean(1))
    face = np.abs(e[pairs[:, 0]] - e[pairs[:, 1]]).mean(1)
    rank = np.minimum(turn.argsort().argsort(), face.argsort().argsort())  # both must change much
    pairs = pairs[np.argsort(-rank)[:most]]
    source, driver = (pick_frames([clip], [(0, i) for i in pairs[:, c]], o.size) for c in (0, 1))
    here, there = source.params, driver.params
    asked = dict(
        both=here.replace(exp_coeff=there.exp_coeff, rotation=there.rotation),
        expression=here.replace(exp_coeff=there.exp_coeff),
        pose=here.replace(rotation=there.rotation),
    )
    pictures = [source.picture, driver.picture]
    pictures += [system.generate(source, Frames(p), model)["image"] for p in asked.values()]
    points, who = (np.concatenate(x) for x in zip(*(track_faces(p) for p in pictures)))
    read = fit_faces(points, who, pictures[0].shape[-2:])  # one person: one identity
    pose, units = (np.split(x, len(pictures)) for x in (read.pose, read.units))
    records, arrived = [], {}
    for k, name in enumerate(asked, 2):
        turns, changes = (
            [prmse(pose[k], pose[j]) for j in (0, 1)],
            [np.abs(units[k] - units[j]).mean(1) for j in (0, 1)],
        )
        arrived[name] = dict(pose=turns[0] / sum(turns), units=changes[0] / sum(changes))
        found = dict(pose_to_photo=turns[0], pose_to_driver=turns[1])
        found.update(units_to_photo=changes[0], units_to_driver=changes[1])
        found.update({f"arrived_{n}": v for n, v in arrived[name].items()})
        figures = {n: over_clips(list(v[:, None])) for n, v in found.items()}
        records.append(Record(f"asked for {name}", dict(pairs=len(pairs)), figures))
    leaks = [over_clips(list(x[:, None])) for x in (arrived["expression"]["pose"], arrived["pose"]["units"])]
    worst = max(leaks, key=lambda x: x["mean"])
    return [*records, Record("one of the two", dict(pairs=len(pairs)), dict(leak=worst))]


def neighbours_in_a_batch(o: Options, seeds: int = 5) -> list:  # Records
    "By how much a picture's features change when its neighbours in the batch are others."
    records = []
    for name, layer in (("instance normalisation", nn.InstanceNorm2d(8)), ("batch normalisation", nn.BatchNorm2d(8))):
        changes = []
        for seed in range(seeds):
            x = torch.randn(5, 8, 16, 16, generator=torch.Generator().manual_seed(seed))
            changes.append(float((layer(x[:3])[0] - layer(x[[0, 3, 4]])[0]).detach().abs().mean()))
        records.append(Record(name, dict(batch=3), dict(change=figure(changes))))
    return records


HALVINGS = dict(  # ways to halve a picture
    strides=lambda c, d: [nn.Conv2d(c, d, 3, 2, 1)],
    max_pooling=lambda c, d: [nn.Conv2d(c, d, 3, 1, 1), nn.MaxPool2d(2)],
    mean_pooling=lambda c, d: [nn.Conv2d(c, d, 3, 1, 1), nn.AvgPool2d(2)],
)


def shifted_by_a_pixel(clip, o: Options, seeds: int = 5, channels=(3, 16, 32, 64)) -> list:  # Records
    """Supplement I-B: do strides or pooling depend less on where a picture lies?

    Of encoders that have learned nothing: by how much their features change, as a share of what they are, when the
    picture is moved by one pixel, and by eight, which is one of their own pixels; then they are moved back.
    """
    records, rim = [], 2
    picture = clip.images(list(range(0, 40, 8)))  # (5,3,H,W)
    for name, halve in HALVINGS.items():
        rows = {}
        for seed in range(seeds):
            torch.manual_seed(seed)
            layers = [x for c, d in zip(channels, channels[1:]) for x in (*halve(c, d), nn.PReLU(d, 0.2))]
            net = nn.Sequential(*layers).eval()
            with torch.no_grad():
                h = net(picture)
                for pixels in (1, 8):
                    moved = net(torch.roll(picture, pixels, 3)).roll(-(pixels // 8), 3)
                    inner = (h - moved)[..., rim:-rim, rim:-rim]
                    share = float(inner.norm() / h[..., rim:-rim, rim:-rim].norm())
                    rows.setdefault(f"moved_by_{pixels}", []).append(share)
        records.append(
            Record(name.replace("_", " "), dict(halvings=3, trained=False), {k: figure(v) for k, v in rows.items()})
        )
    return records


def replicated_numbers(clip, o: Options, seeds: int = 5) -> list:  # Records
    """What instance normalisation leaves of numbers that are the same at every pixel.

    Of generators that have learned nothing: by how much the features of T_flow change when the condition of one frame
    is exchanged for another's, or halved, as a share of what they are. Zeros beyond the rim tell one constant from
    another; a reflected rim does not.
    """
    model, pairs = open_model(), [(0, 20), (60, 140), (96, 159), (200, 300), (250, 420)]
    records, kinds = (
        [],
        (("aus", True, "zeros"), ("aus", True, "reflect"), ("aus", False, "zeros"), ("flow", True, "zeros")),
    )
    for condition, norm, padding in kinds:
        rows = {}
        for seed, (one, other) in zip(range(seeds), pairs):
            torch.manual_seed(seed)
            net = make_system("f3a_gan", condition=condition, flow_norm=norm).generator.eval()
            for layer in net.T_flow.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.padding_mode = padding
            source = pick_frames([clip], [(0, 2)] * 2, o.size)
            conditions = make_condition(condition, model, source, Frames(clip.params[[one, other]]), o.size)
            with torch.no_grad():
                features = net.T_flow(torch.cat([conditions, conditions[:1] / 2]))
            for key, h in dict(finest=features[0], deepest=features[-1]).items():
                size = h[0].norm().clamp(min=1.0)  # a reflected rim leaves nothing but rounding
                rows.setdefault(key, []).append(float((h[0] - h[1]).norm() / size))
                rows.setdefault(f"{key}_halved", []).append(float((h[0] - h[2]).norm() / size))
        setting = dict(condition=condition, flow_norm=norm, padding=padding, trained=False)
        records.append(Record("exchanged condition", setting, {k: figure(v) for k, v in rows.items()}))
    return records


OF_MODELS = (axes_of_the_flow, eyes_half_way, in_profile, neighbours_in_a_batch)
OF_THE_CLIP = (replicated_numbers, shifted_by_a_pixel)
OF_WEIGHTS = (made_frame_by_frame, films_between, one_of_two)


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o, start = parse_options("claims.py", Options, argv), time.monotonic()
        set_threads(None)
        clip = bundled_clip(ROOT / "runs" / "clips")
        chosen = [f for f in (*OF_MODELS, *OF_THE_CLIP, *OF_WEIGHTS) if not o.only or f.__name__ in o.only]
        if not chosen:
            raise F3AError(f"There is no measurement '{o.only[0]}': see the functions of experiments/claims.py.")
        records = [r for f in chosen if f in OF_MODELS for r in f(o)]
        records += [r for f in chosen if f in OF_THE_CLIP for r in f(clip, o)]
        for name in WEIGHTS if set(chosen) & set(OF_WEIGHTS) else ():
            system = load_system(data_path(name))
            for measure in (f for f in chosen if f in OF_WEIGHTS):
                found = measure(clip, system, o)
                records += [replace(r, setting=dict(r.setting, system=system.title)) for r in found]
                print(f"{system.title}: {measure.__name__}, {time.monotonic() - start:.0f} s", flush=True)
        command = " ".join(["python experiments/claims.py", *(["--only", *o.only] if o.only else [])])
        info = run_info(command, 0, start, sha256=clip.meta["sha256"])
        for record in records:
            record.info = info
        made = {(r.name, str(r.setting)) for r in records}
        before = load_records(o.out) if o.only and o.out.exists() else []
        save_records([r for r in before if (r.name, str(r.setting)) not in made] + records, o.out)
        for r in records:
            print(r.name, r.setting, {k: round(r.mean(k), 4) for k, v in r.figures.items() if not isinstance(v, list)})


if __name__ == "__main__":
    main()
