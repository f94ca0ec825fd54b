"""Figures 6 to 11 and S-1 to S-4 of the paper, large: nbs/images/fig_*.jpg.

python tools/paper_figures.py bundled
python tools/paper_figures.py rendered
python tools/paper_figures.py weights

`bundled` and `rendered` show what f3a_tables has trained on these data (runs/tables); a figure whose rows are not all
trained is left out. `weights` shows the bundled weights. Only people are seen who may be shown: the bundled clip,
rendered people, and the bundled portraits. Which frames are taken is ruled by numbers: see `turn_pair`, `mouth_pair`.
"""

from dataclasses import dataclass
import io
from pathlib import Path
from typing import Literal
import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from tyro.conf import Positional
from f3a_lite.animation import Face, animate
from f3a_lite.conditions import Frames
from f3a_lite.core import F3AError, atomic_path, data_path, friendly_errors
from f3a_lite.flow import add_noise, interpolate_params, render_posed
from f3a_lite.jobs import set_threads
from f3a_lite.lab.paper_tables import NOISE, rows_called
from f3a_lite.lab.tables import SIZE, TableOptions, Tables, WEIGHTS
from f3a_lite.linear_model import reenact
from f3a_lite.morphable import FaceParams, REGIONS, open_model
from f3a_lite.options import parse_options
from f3a_lite.pairs import pick_frames, split_clips
from f3a_lite.pictures import flow_to_rgb, to_image, to_tensor
from f3a_lite.projection import pose, posed_landmarks, project
from f3a_lite.registry import load_system
from f3a_lite.synth.people import person
from f3a_lite.synth.rendered_clips import render_clip
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.ui.gallery import portrait

ROOT = Path(__file__).resolve().parent.parent
CELL, GAP, LABEL, HEAD = 160, 4, 136, 24  # pixels: of a cell, between cells, for names of rows and of columns
LARGEST = 118_000  # bytes of a picture
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
THETA = (0.8, 0.6, 0.4, 0.2, 0.0)  # 1 is the source, 0 the target
STRANGERS = 900  # rendered people from this number on were seen by no training
FULL = 0.25  # a motion that is drawn in full colour, image-plane units
CALM = 260  # a frame of the bundled clip with open eyes


@dataclass
class Options:
    "Draw the paper's figures."

    source: Positional[Literal["bundled", "rendered", "weights"]] = "bundled"  # whose pictures
    only: tuple[str, ...] = ()  # figures, such as 6 or S-2; none: all
    pictures: int | None = None  # that the trainings saw; default: the budget of f3a_tables
    seed: int = 0  # of the trainings
    runs: Path = ROOT / "runs"  # folder of f3a_tables
    out: Path = ROOT / "nbs" / "images"  # folder of the pictures


def cell_of(x, mark=None) -> Image.Image:
    "A picture as a cell; `mark` is (left, top, right, bottom) of a frame, as shares of the side."
    cell = Image.fromarray(to_image(x)).resize((CELL, CELL), Image.LANCZOS)
    if mark is not None:
        ImageDraw.Draw(cell).rectangle([CELL * v for v in mark], outline="white", width=2)
    return cell


def write_sheet(rows: list, columns: list, path: Path):
    "Rows of (name, cells) under named columns, as a JPEG of limited size; None leaves a place empty."
    wide, high = LABEL + len(columns) * (CELL + GAP), HEAD + len(rows) * (CELL + GAP)
    sheet, font = Image.new("RGB", (wide, high), "white"), ImageFont.truetype(FONT, 13)
    pen = ImageDraw.Draw(sheet)
    for k, name in enumerate(columns):
        pen.text((LABEL + k * (CELL + GAP) + CELL / 2, HEAD / 2), name, fill="black", font=font, anchor="mm")
    for j, (name, cells) in enumerate(rows):
        top = HEAD + j * (CELL + GAP)
        pen.multiline_text((LABEL - 8, top + CELL / 2), name, fill="black", font=font, anchor="rm", align="right")
        for k, cell in enumerate(cells):
            if cell is not None:
                cell = cell if isinstance(cell, Image.Image) else cell_of(cell)
                sheet.paste(cell, (LABEL + k * (CELL + GAP), top))
    for quality in range(90, 40, -5):
        data = io.BytesIO()
        sheet.save(data, "JPEG", quality=quality, optimize=True)
        if data.tell() <= LARGEST:
            break
    with atomic_path(path) as tmp:
        tmp.write_bytes(data.getvalue())
    print(f"wrote {path}: {wide} × {high} pixels, {data.tell() / 1000:.0f} kB", flush=True)


def film(system, source: Frames, targets: FaceParams, landmarks=None, pictures=None) -> dict:
    "What `animate` gives of one source frame."
    return animate(system, Face(source.picture, source.params, None), targets, pictures, landmarks)


def between(system, source: Frames, target: Frames, theta=THETA, fine: int = 4) -> torch.Tensor:  # (n,3,H,W)
    """The way from one frame to another: parameters are interpolated in space, landmarks in the plane.

    It is walked in finer steps than are shown, for the system that watches a film.
    """
    steps = np.interp(np.arange(len(theta) * fine + 1) / fine, np.arange(len(theta) + 1), (1.0, *theta))
    flat = [t * source.landmarks + (1 - t) * target.landmarks for t in steps]
    way = interpolate_params(source.params, target.params, steps.tolist())
    return film(system, source, way, torch.cat(flat))["output"][fine::fine]


def parts_of(clip) -> tuple:  # two arrays of frame numbers
    "A clip's training frames, and those that training did not see."
    split = split_clips([clip])[0]
    return split["train"], np.concatenate([split[w] for w in ("random", "block_1", "block_2")])


def turn_pair(clip) -> tuple:  # source and target frame
    "A training frame and a held-out frame between which the head turns farthest."
    train, held = parts_of(clip)
    yaw = clip.params.rotation[:, 1].numpy()
    i, j = np.unravel_index(np.abs(yaw[train][:, None] - yaw[held]).argmax(), (len(train), len(held)))
    return int(train[i]), int(held[j])


def mouth_pair(clip, still: float = 6.0) -> tuple:  # source and target frame
    "The training and the held-out frame between which the mouth opens widest, and no angle changes by more degrees."
    train, held = parts_of(clip)
    turned = np.rad2deg(np.abs(clip.params.rotation.numpy()[train][:, None] - clip.params.rotation.numpy()[held]))
    jaw = clip.params.exp_coeff[:, open_model().unit("jawOpen")].mean(1).numpy()
    opened = np.where(turned.max(-1) < still, jaw[held] - jaw[train][:, None], -np.inf)
    i, j = np.unravel_index(opened.argmax(), opened.shape)
    return int(train[i]), int(held[j])


def stretch(clip, values: np.ndarray, calm: np.ndarray, longest: int, n: int) -> np.ndarray:  # (n,) frame numbers
    """Frames of the stretch of usable frames in which a value (T,) grows most, from a training frame to any.

    What else moves, calm (T,k), must change by less than 1.
    """
    best, train = (0.0, 0, 0), parts_of(clip)[0]
    for i in train.tolist():
        for j in range(max(0, i - longest), min(len(clip), i + longest + 1)):
            way = slice(min(i, j), max(i, j) + 1)
            if clip.usable[way].all() and np.abs(calm[way] - calm[i]).max() < 1:
                best = max(best, (float(values[j] - values[i]), i, j))
    return np.linspace(best[1], best[2], n).round().astype(int)


def samples_of(group, n: int = 2) -> list:  # of (clip, source frame, target frame)
    "Of one clip its farthest turn and its widest mouth; of several those whose heads turn farthest."
    if len(group.clips) == 1:
        return [(group.clips[0], *pair(group.clips[0])) for pair in (turn_pair, mouth_pair)]
    every = [(clip, *turn_pair(clip)) for clip in group.clips]
    every.sort(key=lambda x: -abs(float(x[0].params.rotation[x[1], 1] - x[0].params.rotation[x[2], 1])))
    return every[:n]


def two_frames(sample, size: int = SIZE) -> tuple:  # two Frames
    "Source and target of a sample."
    clip, source, target = sample
    return pick_frames([clip], [(0, source)], size), pick_frames([clip], [(0, target)], size)


def sequences(rows: tuple, systems: dict, samples: list, size: int = SIZE) -> tuple:  # rows and columns of a sheet
    "Source, target, and the way between them; a row for each system, a block for each sample."
    lines = []
    for sample in samples:
        source, target = two_frames(sample, size)
        for k, row in enumerate(rows):
            ends = [source.picture[0], target.picture[0]] if k == 0 else [None, None]
            lines.append((called(row), [*ends, *between(systems[row], source, target)]))
    return lines, ["source", "target", *(f"θ = {t}" for t in THETA)]


def called(row: str) -> str:
    "A row's name on two lines."
    return rows_called(row).replace(", ", ",\n")


def fig_6(systems, group, o):
    "Sequences beside GANimation and MotionGAN."
    return sequences(("ganimation", "motiongan", "flow"), systems, samples_of(group))


def fig_9(systems, group, o):
    "The three conditions, interpolated."
    return sequences(("flow", "landmarks", "aus"), systems, samples_of(group))


def ear_box(params: FaceParams, side: float = 0.62) -> list:  # left, top, right, bottom as shares of the side
    "A square around the ear that is turned to the camera, and the hair beside it."
    X = pose(open_model(), params)[0]
    ears = X[open_model().regions == REGIONS.index("ears")]
    nose = float(project(posed_landmarks(open_model(), params))[0, 30, 0])
    halves = [ears[ears[:, 0] < nose], ears[ears[:, 0] >= nose]]
    ear = max((h for h in halves if len(h)), key=lambda h: abs(float(h[:, 0].mean()) - nose))
    x, y = (float(v) for v in ear[:, :2].mean(0))
    left, top = (np.clip((v + 1) / 2 - side / 4, 0, 1 - side / 2) for v in (x, -y - 0.08))
    return [left, top, left + side / 2, top + side / 2]


def enlarged(x, box) -> Image.Image:
    "A part of a picture as a cell."
    image = Image.fromarray(to_image(x))
    return image.resize((CELL, CELL), Image.LANCZOS, [image.width * v for v in box])


def fig_8(systems, group, o):
    "The variants, with ear and hair enlarged."
    rows, lines = ("flow", "t_np", "t_sl", "t_os"), []
    samples = samples_of(group, 3)
    if len(group.clips) == 1:
        samples.append((group.clips[0], *samples[0][:0:-1]))  # turned the other way round: the other ear
    for sample in samples:
        source, target = two_frames(sample)
        made = [film(systems[row], source, target.params, target.landmarks)["output"][0] for row in rows]
        shown, box = [source.picture[0], target.picture[0], *made], ear_box(target.params)
        lines.append(("", [cell_of(shown[0]), *(cell_of(x, box) for x in shown[1:])]))
        lines.append(("ear and hair", [None, *(enlarged(x, box) for x in shown[1:])]))
    return lines, ["source", "target", *map(rows_called, rows)]


def with_points(picture, *clouds) -> Image.Image:  # clouds: (colour, (68,2) on the image plane)
    "A cell with landmarks drawn in."
    cell = cell_of(picture)
    pen = ImageDraw.Draw(cell)
    for colour, points in clouds:
        for x, y in points.tolist():
            u, v = (x + 1) / 2 * CELL, (1 - y) / 2 * CELL
            pen.ellipse([u - 1.5, v - 1.5, u + 1.5, v + 1.5], fill=colour)
    return cell


def fig_10(systems, group, o):
    "Landmarks, flow and picture with noise on the parameters."
    lines = []
    for sample in samples_of(group):
        source, target = two_frames(sample)
        for k, std in enumerate((0.0, *NOISE)):
            params = add_noise(target.params, std, open_model(), torch.Generator().manual_seed(1))
            made = film(systems["flow"], source, params)
            points = project(posed_landmarks(open_model(), params))[0]
            drawn = with_points(target.picture[0], ("red", target.landmarks[0]), ("white", points))
            ends = [source.picture[0], target.picture[0]] if k == 0 else [None, None]
            lines.append((f"noise {std}", [*ends, drawn, flow_to_rgb(made["flow"][0], FULL), made["output"][0]]))
    return lines, ["source", "target", "landmarks", "flow", "Ours, flow"]


def fig_11(systems, group, o, n: int = 7):
    "The flow's x and y, and the picture, over real frames: a head that turns, a mouth that opens."
    clip, lines = group.clips[0], []
    jaw = clip.params.exp_coeff[:, open_model().unit("jawOpen")].mean(1).numpy()
    degrees, place = np.rad2deg(clip.params.rotation.numpy()), clip.params.translation.numpy()
    turn = degrees[:, 1], degrees[:, [0, 2]] / 8, 60
    mouth = jaw, np.concatenate([degrees / 5, place / 0.1], 1), 40
    for values, calm, longest in (turn, mouth):
        frames = pick_frames([clip], [(0, k) for k in stretch(clip, values, calm, longest, n)], SIZE)
        photo = Frames(frames.params[[0]], frames.picture[:1])
        made = film(systems["flow"], photo, frames.params)
        flow = made["flow"][:, :2]
        grey = flow / flow.abs().max() / 2 + 0.5  # (n,2,H,W)
        lines.append(("x-flow", [g.expand(3, -1, -1) for g in grey[:, :1]]))
        lines.append(("y-flow", [g.expand(3, -1, -1) for g in grey[:, 1:]]))
        lines.append(("Ours, flow", list(made["output"])))
        lines.append(("true frame", list(frames.picture)))
    return lines, ["the photo", *(f"frame {k}" for k in range(2, n + 1))]


def fig_7(systems, group, o, person: int = 0, targets: int = 4):
    "Self-reenactment and cross-reenactment of somebody whom the trainings did not see."
    rows, lines, rng = ("x2face", "pix2pixhd", "flow"), [], np.random.default_rng((7, person))
    clip = group.people[person]
    for title, driver in (("self", clip), ("cross", group.people[person + 2])):
        photo = int(rng.choice(np.flatnonzero(clip.usable)))
        chosen = rng.choice(np.flatnonzero(driver.usable), targets, replace=False)
        source = pick_frames([clip], [(0, photo)], SIZE)
        target = pick_frames([driver], [(0, i) for i in chosen], SIZE)
        wanted, points = target.params, target.landmarks
        if driver is not clip:
            wanted, points = reenact(source.params, target.params, translation=False), None
        lines.append((f"{title}: target", [source.picture[0], *target.picture]))
        for row in rows:
            made = film(systems[row], source, wanted, points, target.picture)["output"]
            lines.append((called(row), [None, *made]))
    return lines, ["source", *(f"target {k + 1}" for k in range(targets))]


def fig_s3_rows(systems, group, o):
    "The same of somebody else."
    return fig_7(systems, group, o, person=1)


ROWS_SHOWN = {  # figure → rows, by data
    "6": ("ganimation", "motiongan", "flow"),
    "7": ("x2face", "pix2pixhd", "flow"),
    "8": ("flow", "t_np", "t_sl", "t_os"),
    "9": ("flow", "landmarks", "aus"),
    "10": ("flow",),
    "11": ("flow",),
    "S-3": ("x2face", "pix2pixhd", "flow"),
}
FIGURES = {"6": fig_6, "7": fig_7, "8": fig_8, "9": fig_9, "10": fig_10, "11": fig_11, "S-3": fig_s3_rows}
SHOWN = dict(bundled=("6", "8", "9", "10", "11"), rendered=("6", "7", "8", "9", "S-3"))


def stranger(number: int, frames: int = 24) -> tuple:  # Frames at 128 pixels
    "A rendered person whom no training saw."
    pictures, params = render_clip(number, frames, size=128, fps=4.0, natural=True)
    return Frames(params, to_tensor(pictures))


def one(frames: Frames, k: int) -> Frames:
    "One of some frames."
    points = None if frames.landmarks is None else frames.landmarks[[k]]
    return Frames(frames.params[[k]], frames.picture[k : k + 1], points)


def portraits() -> dict:  # name → Frames
    "The bundled portraits of strangers."
    faces = {name: portrait(name) for name in ("astronaut", "pearl")}
    return {name: Frames(face.params, face.image) for name, face in faces.items()}


def driven(system, source: Frames, params: FaceParams) -> list:
    "Pictures of a source with some faces' motion, in its own place."
    return list(film(system, source, params)["output"])


DRIVERS = (2, 300, 380)  # frames of the bundled clip: calm, laughing, tilted


def fig_s1(systems, clip, o):
    "Ways from one frame to another, by the paper's generator."
    wide = mouth_pair(clip)
    lines, columns = sequences(
        ("f3a_gan",), systems, [(clip, *turn_pair(clip)), (clip, *wide), (clip, wide[1], 2)], 128
    )
    return [(f"sample {k + 1}", cells) for k, (_, cells) in enumerate(lines)], columns


def fig_s2(systems, clip, o):
    "Expression alone, and pose alone."
    drivers = pick_frames([clip], [(0, k) for k in DRIVERS], 128)
    sources = {"F3A-GAN": one(pick_frames([clip], [(0, CALM)], 128), 0), **portraits()}
    lines = []
    for title, kinds in (("expression", dict(rotation=False)), ("pose", dict(expression=False))):
        lines.append((f"{title} only:\ndriver", [None, *drivers.picture]))
        for name, source in sources.items():
            system = systems["f3a_gan" if name == "F3A-GAN" else "t_warp"]
            wanted = reenact(source.params, drivers.params, translation=False, **kinds)
            words = name if name == "F3A-GAN" else "T_warp"
            lines.append((words, [source.picture[0], *driven(system, source, wanted)]))
    return lines, ["source", *(f"driver {k + 1}" for k in range(len(DRIVERS)))]


def self_lines(systems: dict, number: int) -> list:  # lines of a sheet
    "A rendered stranger driven by frames of the same clip."
    people, targets = stranger(number), [6, 14, 21]
    lines = [("target", [people.picture[0], *people.picture[targets]])]
    for system in systems.values():
        made = film(system, one(people, 0), people.params[targets])["output"]
        lines.append((system.title, [None, *made]))
    return lines


def cross_lines(systems: dict, clip, source: Frames) -> list:  # lines of a sheet
    "A stranger driven by the bundled clip."
    drivers = pick_frames([clip], [(0, k) for k in DRIVERS], 128)
    wanted = reenact(source.params, drivers.params, translation=False)
    lines = [("driver", [source.picture[0], *drivers.picture])]
    lines += [(system.title, [None, *film(system, source, wanted)["output"]]) for system in systems.values()]
    return lines


TARGETS = ["source", *(f"target {k + 1}" for k in range(len(DRIVERS)))]


def fig_7_weights(systems, clip, o):
    "People never seen, driven by themselves and by another."
    return self_lines(systems, STRANGERS + 1) + cross_lines(systems, clip, portraits()["astronaut"]), TARGETS


def fig_s3(systems, clip, o):
    "More of it, by the generator that has seen many people."
    known = dict(t_warp=systems["t_warp"])
    lines = [line for k in (0, 2) for line in self_lines(known, STRANGERS + k)]
    strangers = (portraits()["pearl"], one(stranger(STRANGERS + 1), 0))
    return lines + [line for source in strangers for line in cross_lines(known, clip, source)], TARGETS


def case(system, source: Frames, target: FaceParams, picture=None) -> list:  # six cells
    "A line of Fig. S-4: source, target, both meshes, flow, output."
    made = film(system, source, target)
    meshes = [render_posed(pose(open_model(), p), open_model().triangles, 128)[0][0] for p in (source.params, target)]
    return [source.picture[0], picture, *meshes, flow_to_rgb(made["flow"][0], FULL), made["output"][0]]


def blink_of(clip, source: int, still: float = 8.0) -> int:  # a frame number
    "The frame with the lowest lids of those in which no angle differs by more degrees from a frame."
    lids = clip.params.exp_coeff[:, open_model().unit("eyeBlink")].mean(1).numpy()
    turned = np.rad2deg((clip.params.rotation - clip.params.rotation[source]).abs().amax(1).numpy())
    return int(np.where(clip.usable & (turned < still), lids, -1).argmax())


def fig_s4(systems, clip, o):
    "Good and bad cases."
    warp, gan, model = systems["t_warp"], systems["f3a_gan"], open_model()
    number = next(n for n in range(STRANGERS, STRANGERS + 99) if person(n).look.glasses and not person(n).look.shades)
    wearer = stranger(number)
    yaw = wearer.params.rotation[:, 1]
    away = int((yaw - yaw[0]).abs().argmax())
    calm, shut = CALM, blink_of(clip, CALM)
    here, blink, laugh, hand = (one(pick_frames([clip], [(0, k)], 128), 0) for k in (calm, shut, 300, 228))
    astronaut = portraits()["astronaut"]
    cross = reenact(astronaut.params, laugh.params, translation=False)
    turned = here.params.replace(rotation=here.params.rotation + torch.tensor([[0.0, 0.7, 0.0]]))
    look = here.params.exp_coeff.clone()
    look[:, [*model.unit("eyeLookOutLeft"), *model.unit("eyeLookInRight")]] = 0.9
    lines = [
        ("T_warp: glasses", case(warp, one(wearer, 0), wearer.params[[away]], wearer.picture[away])),
        ("T_warp:\nanother's motion", case(warp, astronaut, cross, laugh.picture[0])),
        ("T_warp:\neyes closed", case(warp, here, blink.params, blink.picture[0])),
        ("F3A-GAN:\neyes closed", case(gan, here, blink.params, blink.picture[0])),
        ("F3A-GAN:\neyes to the side", case(gan, here, here.params.replace(exp_coeff=look))),
        ("F3A-GAN:\nturned by 40°", case(gan, here, turned)),
        ("T_warp: a hand\nin the photo", case(warp, hand, laugh.params, laugh.picture[0])),
    ]
    return lines, ["source", "target", "source's mesh", "target's mesh", "flow", "output"]


SUPPLEMENT = {"7": fig_7_weights, "S-1": fig_s1, "S-2": fig_s2, "S-3": fig_s3, "S-4": fig_s4}


def figures_of_tables(o):  # yields the name of a figure, and the lines and columns of its sheet
    "What the trainings of a table show."
    tables = Tables(TableOptions(data=(o.source,), runs=o.runs, pictures=o.pictures, train=False, device="cpu"))
    group = tables.groups[0]
    for name in o.only or SHOWN[o.source]:
        rows = ROWS_SHOWN[name]
        absent = [r for r in rows if not (tables.folder(group, r, o.seed) / WEIGHTS).exists()]
        if absent:
            print(f"Fig. {name}: not trained yet: {', '.join(map(rows_called, absent))}")
            continue
        systems = {row: tables.trained(group, row, o.seed) for row in rows}
        yield name, FIGURES[name](systems, group, o)


def figures_of_weights(o):  # yields the name of a figure, and the lines and columns of its sheet
    "What the bundled weights show."
    systems = {name: load_system(data_path(f"{name}.safetensors")) for name in ("f3a_gan", "t_warp")}
    clip = bundled_clip(o.runs / "clips")
    for name in o.only or SUPPLEMENT:
        yield name, SUPPLEMENT[name](systems, clip, o)


def main(argv=None):
    "Draw and write."
    with friendly_errors():
        o = parse_options("paper_figures.py", Options, argv)
        known = tuple(SUPPLEMENT) if o.source == "weights" else SHOWN[o.source]
        if wrong := [name for name in o.only if name not in known]:
            raise F3AError(f"'{o.source}' has no figure '{wrong[0]}': choose from {', '.join(known)}.")
        set_threads()
        for name, (lines, columns) in (figures_of_weights if o.source == "weights" else figures_of_tables)(o):
            end = "" if o.source == "weights" else f"_{o.source}"
            write_sheet(lines, columns, o.out / f"fig_{name.lower().replace('-', '')}{end}.jpg")


if __name__ == "__main__":
    main()
