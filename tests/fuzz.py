"""Valid inputs of every reader and command, corrupted in many ways: each must be read, or refused in a sentence.

python tests/fuzz.py generator --n 10000  one target
python tests/fuzz.py all --n 1000         all of them, shared out
python tests/fuzz.py readers --n 300      all but the commands

A target runs in a process of its own, so that a crash is seen. The table counts what was accepted, what was refused in
a sentence, and what must not be: other exceptions, half-written outputs, crashes, and runs of more than two minutes."""

import traceback
import argparse, ast, contextlib, io, json, os, re, shutil, struct, subprocess, sys, tempfile, zlib
from pathlib import Path
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
NASTY = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**30,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    1e-320,
    0.5,
    "",
    "x",
    "../x",
    "/etc",
    "a\0b",
    "é" * 50,
    [],
    [[]],
    [1, 2],
    {},
    {"a": 1},
    [None] * 128,
]


# --- ways to corrupt -------------------------------------------------------------------------------------------------


def flip(data, rng):
    "Change one to twenty bytes, one bit each or all of it."
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 21))):
        if out:
            k = int(rng.integers(len(out)) if rng.random() < 0.5 else rng.integers(min(len(out), 400)))
            out[k] = out[k] ^ (1 << int(rng.integers(8))) if rng.random() < 0.6 else int(rng.integers(256))
    return bytes(out)


def cut(data, rng):
    "End too early, or lose the beginning, or a piece."
    a, b = sorted(int(v) for v in rng.integers(0, len(data) + 1, 2))
    return [data[:a], data[a:], data[:a] + data[b:]][int(rng.integers(3))]


def grow(data, rng):
    "Bytes too many, or a piece twice."
    a, b = sorted(int(v) for v in rng.integers(0, len(data) + 1, 2))
    return [data[:a] + rng.bytes(int(rng.integers(1, 40))) + data[a:], data[:b] + data[a:b] + data[b:], data + data][
        int(rng.integers(3))
    ]


def blank(data, rng):
    "A piece of zeros, or of ones."
    a, b = sorted(int(v) for v in rng.integers(0, len(data) + 1, 2))
    return data[:a] + [b"\0", b"\xff"][int(rng.integers(2))] * (b - a) + data[b:]


def nasty(rng):
    return NASTY[int(rng.integers(len(NASTY)))]


def edit_value(x, rng, depth=0):
    "A JSON value with one part changed, missing or added."
    if isinstance(x, (dict, list)) and x and (depth == 0 or rng.random() < 0.7):
        keys = list(x) if isinstance(x, dict) else list(range(len(x)))
        k, way = keys[int(rng.integers(len(keys)))], rng.random()
        x = x.copy()
        if way < 0.15:
            del x[k]
        elif way < 0.25 and isinstance(x, dict):
            x[["x", "../x", "/etc", "format", "__class__", ""][int(rng.integers(6))]] = (
                x.pop(k) if rng.random() < 0.5 else nasty(rng)
            )
        else:
            x[k] = edit_value(x[k], rng, depth + 1)
        return x
    return nasty(rng)


def edit_json(data, rng):
    return json.dumps(edit_value(json.loads(data), rng) if rng.random() < 0.9 else nasty(rng)).encode()


def edit_safetensors(data, rng):
    "Another header: shapes, kinds of numbers, offsets, or what it says of the run; or other numbers."
    n = struct.unpack("<Q", data[:8])[0]
    head, body = json.loads(data[8 : 8 + n]), data[8 + n :]
    facts, way = head.get("__metadata__", {}), rng.random()
    if way < 0.6 and facts:
        k = list(facts)[int(rng.integers(len(facts)))]
        text = facts[k]
        try:
            text = json.dumps(edit_value(json.loads(text), rng))
        except ValueError:
            text = str(nasty(rng))
        head["__metadata__"] = {**facts, k: text}
    elif way < 0.8:
        head = edit_value(head, rng)
    else:
        k = [k for k in head if k != "__metadata__"][int(rng.integers(len(head) - bool(facts)))]
        lo, hi = head[k]["data_offsets"]
        value = struct.pack("<f", [np.nan, np.inf, 1e30, -1e9, 0][int(rng.integers(5))])
        a = lo + 4 * int(rng.integers(max(1, (hi - lo) // 4)))
        body = body[:a] + value[: max(0, hi - a)] + body[min(hi, a + 4) :]
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


def edit_npy(data, rng):
    "Another shape, kind or number in an .npy file."
    x = np.load(io.BytesIO(data))
    way, out = rng.random(), io.BytesIO()
    if way < 0.4:
        n = struct.unpack("<H", data[8:10])[0]
        head = ast.literal_eval(data[10 : 10 + n].decode())
        shape = list(head["shape"])
        k = int(rng.integers(max(1, len(shape))))
        shape[k : k + 1] = [[], [0], [-1], [2**40], [2**62], [1, 1], [shape[k] * 2], [shape[k] // 2], [True], ["x"]][
            int(rng.integers(10))
        ]
        head["shape"] = tuple(shape)
        if rng.random() < 0.3:
            head["descr"] = ["|O", "<f8", "<U9", "|b1", "<M8[D]", "|V5", "<c16", "x", ">u1"][int(rng.integers(9))]
        text = repr(head).encode().ljust(117) + b"\n"
        return data[:8] + struct.pack("<H", len(text)) + text + data[10 + n :]
    if way < 0.7:
        x = x.copy()
        if x.size:
            with np.errstate(all="ignore"):
                x.reshape(-1)[int(rng.integers(x.size))] = np.array(
                    [np.nan, np.inf, 1e9, -1e30, 0, 5e4][int(rng.integers(6))]
                ).astype(x.dtype)
    else:
        with np.errstate(all="ignore"):
            x = [
                x.astype(np.float64),
                x.astype(np.int16),
                x[None],
                x.reshape(-1),
                x[:-1],
                np.swapaxes(x, 0, -1),
                x.astype("U3"),
                x[:0],
                x * 0,
                x + x,
                np.array(3),
            ][int(rng.integers(11))]
    np.save(out, x)
    return out.getvalue()


def edit_text(data, rng):
    "Another word in a table, or a line too many or too few."
    parts = re.split(rb"([\s,]+)", data)
    k = 2 * int(rng.integers((len(parts) + 1) // 2))
    way = rng.random()
    if way < 0.7:
        parts[k] = [
            b"1e9",
            b"nan",
            b"inf",
            b"-1",
            b"",
            b"x",
            b"1e308",
            b"0",
            b"2,5",
            b"\xff",
            b"{",
            b"}",
            b'"',
            b"99999999999999999999",
            b"1e5",
            b"-5e4",
        ][int(rng.integers(16))]
    else:
        lines = data.split(b"\n")
        k = int(rng.integers(len(lines)))
        lines[k : k + 1] = [] if way < 0.85 else [lines[k]] * 2
        return b"\n".join(lines)
    return b"".join(parts)


def edit_mat(data, rng):
    "A variable of another kind, size or value."
    from scipy.io import loadmat, savemat

    m = {k: v for k, v in loadmat(io.BytesIO(data)).items() if not k.startswith("__")}
    k = list(m)[int(rng.integers(len(m)))]
    x = m[k]
    with np.errstate(all="ignore"):
        cell = np.empty((1, 2), object)
        cell[:] = x, "x"
        one = x.astype(float) if x.dtype.kind in "iuf" else np.zeros((1, 1))
        one = one.copy()
        one.reshape(-1)[int(rng.integers(one.size))] = [np.nan, np.inf, 2e7, 1e300, -1e5, 0, 3e4][int(rng.integers(7))]
        options = [
            cell,
            one,
            one,
            one,
            one * 1e300,
            one * 0,
            one.T,
            one[:, :1],
            one[:0],
            "text",
            dict(a=x),
            one + 1j,
            one.astype(np.int8),
            None,
            one * 1000,
            one * -1,
        ]
        m[k] = options[int(rng.integers(len(options)))]
    out = io.BytesIO()
    savemat(out, {k: v for k, v in m.items() if v is not None})
    return out.getvalue()


def edit_npz(data, rng):
    "Another array in the place of one."
    with np.load(io.BytesIO(data)) as f:
        parts = dict(f)
    name = list(parts)[int(rng.integers(len(parts)))]
    out = io.BytesIO()
    np.save(out, parts[name])
    with contextlib.suppress(Exception):
        parts[name] = np.load(io.BytesIO(edit_npy(out.getvalue(), rng)))
    out = io.BytesIO()
    np.savez(out, **parts)
    return out.getvalue()


EDITS = {
    ".json": edit_json,
    ".safetensors": edit_safetensors,
    ".npy": edit_npy,
    ".csv": edit_text,
    ".pts": edit_text,
    ".mat": edit_mat,
    ".npz": edit_npz,
    ".obj": edit_text,
}


def corrupt(path, rng, others):
    "Corrupt one file in place; gives the name of the way."
    data = path.read_bytes()
    ways = [flip, cut, grow, blank]
    edit = EDITS.get(path.suffix)
    if rng.random() < 0.05 and others:
        path.write_bytes(others[int(rng.integers(len(others)))].read_bytes())
        return "swapped"
    way = edit if edit and rng.random() < 0.65 else ways[int(rng.integers(len(ways)))]
    path.write_bytes(way(data, rng))
    return way.__name__


# --- valid inputs, and what reads them -------------------------------------------------------------------------------


def make_inputs(root):
    "A valid input for each target, in a folder of its name."
    import torch
    from conftest import first_coefficients, write_movie
    from scipy.io import savemat
    from f3a_lite.conditions import AU_NAMES
    from f3a_lite.core import data_path
    from f3a_lite.warp_generator import WarpConfig
    from f3a_lite.morphable import FaceParams, open_model
    from f3a_lite.data.prepare import prepare_clip
    from f3a_lite.data.prepare_datasets import prepare_dataset
    from f3a_lite.projection import pose, to_pixels
    from f3a_lite.regressor import Regressor, RegressorConfig, save_regressor
    from f3a_lite.synth.rendered import rendered_face
    from f3a_lite.systems import TWarp, save_system
    from f3a_lite.data.video import iter_frames, write_image

    rng, at = np.random.default_rng(0), lambda name: (root / name).mkdir(exist_ok=True) or root / name
    arrays = dict(
        u=rng.normal(size=(210, 1)).astype("f4"),
        w_shp=rng.normal(size=(210, 4)).astype("f4"),
        w_exp=rng.normal(size=(210, 2)),
        keypoints=np.arange(68),
        tri=np.arange(6).reshape(2, 3),
    )
    np.savez(at("npz_model") / "bfm.npz", **arrays)
    corners = "".join(f"v {k} {k % 7} {k % 5}\n" for k in range(70))
    for name in ("generic_neutral_mesh", "identity000", "jawOpen"):
        (at("ict") / f"{name}.obj").write_text(f"{corners}f 1/1 2/2 3/3 4/4\n")
    facts = dict(expressions=["jawOpen"], idx_to_landmark_verts=list(range(68)))
    (at("ict") / "vertex_indices.json").write_text(json.dumps(facts))
    torch.manual_seed(0)
    for name in ("generator", "animate_weights", "train_init"):
        save_system(
            TWarp(WarpConfig(channels=(8, 8))),
            at(name) / "w.safetensors",
            people=[[0.1] * 128],
            steps=1,
            seconds=1.0,
            command="f3a_train",
        )
    for name in ("regressor",):
        save_regressor(
            Regressor(RegressorConfig(base=1, hidden=8)), at(name) / "w.safetensors", steps=1, seconds=1.0, command="x"
        )
    m = open_model()
    first_coefficients(1).save(at("model") / "m.safetensors")
    FaceParams.neutral(3, 4, 5).save(at("params") / "p.safetensors")
    head = ["frame", "success", "pose_Rx", "pose_Ry", "pose_Rz", *[f"{n}_r" for n in AU_NAMES]]
    (at("openface") / "a.csv").write_text(
        "\n".join([", ".join(head)] + [", ".join([str(k + 1), "1", *[f"{0.1 * k:.2f}"] * 20]) for k in range(4)]) + "\n"
    )
    frames = [f for _, f in iter_frames(data_path("woman_laughing.mp4"), max_frames=4)]
    for name in ("prepare_video", "prepare_landmarks", "video", "prepare_300vw/001"):
        (root / name).mkdir(parents=True, exist_ok=True)
        write_movie(
            root / name / ("vid.avi" if "300vw" in name else "v.mp4"),
            frames,
            codec="mpeg4" if "300vw" in name else "libx264",
        )
    clip = prepare_clip(root / "video" / "v.mp4", root / "clip" / "c", progress=False)
    box = clip.meta["crop"]
    points = (clip.landmarks.numpy() * [1, -1] + 1) / 2 * (box[2] - box[0]) + box[:2] - 0.5
    np.save(root / "prepare_landmarks" / "own.npy", points)

    def text(points):
        rows = [f"{x + 1:.3f} {y + 1:.3f}" for x, y in points]
        return "version: 1\nn_points: 68\n{\n" + "\n".join(rows) + "\n}\n"

    (at("pts") / "a.pts").write_text(text(points[0]))
    (root / "prepare_300vw" / "001" / "annot").mkdir()
    for k, p in enumerate(points):
        (root / "prepare_300vw" / "001" / "annot" / f"{k + 1:06d}.pts").write_text(text(p))
    for name in ("animate_clip", "train"):
        shutil.copytree(root / "clip" / "c", root / name / "c")
    for k in range(2):
        im, p, _ = rendered_face(k, size=150)
        px = to_pixels(m.landmarks(pose(m, p)), 150, 150)[0].double().numpy()
        for name in ("annotation", "prepare_300w3d"):
            write_image(im, at(name) / f"p{k}.jpg")
            savemat(
                at(name) / f"p{k}.mat",
                {
                    "Shape_Para": np.zeros((199, 1)),
                    "Exp_Para": np.zeros((29, 1)),
                    "Pose_Para": np.array([[*p.rotation[0].tolist(), 75, 75, 0, 5e-4]]),
                    "pt3d_68": (px + [1, 1, 0]).T,
                },
            )
    prepare_dataset(root / "prepare_300w3d", root / "labelled", "300w3d", progress=False)
    shutil.copytree(root / "labelled", root / "manifest")
    for name in ("animate_photo", "image"):
        write_image(frames[0], at(name) / "p.png")
        write_image(frames[0], at(name) / "p.jpg")
    savemat(
        at("mat_model") / "m.mat",
        dict(
            mu_shape=np.ones((9, 1)),
            w=np.ones((9, 2)),
            sigma=np.ones((2, 1)),
            tri=np.ones((3, 4)),
            keypoints=np.ones((1, 68)),
            meanshape=np.ones((1, 9)),
            idBase=np.ones((9, 2)),
            exBase=np.ones((9, 2)),
            mu_exp=np.ones((9, 1)),
            w_exp=np.ones((9, 2)),
            sigma_exp=np.ones((2, 1)),
        ),
    )
    return root


def read_clip(path):
    from f3a_lite.data.clips import load_clip

    c = load_clip(path)
    c.images(range(len(c)))
    return len(c.params), c.meta["tracking"]


def read_manifest(path):
    from f3a_lite.data.clips import LabelledSet, expand_clips, load_clip

    return LabelledSet([load_clip(c) for c in expand_clips([path])]).images([0])


def read_video(path):
    from f3a_lite.data.video import iter_frames, video_info

    return [f.sum() for _, f in iter_frames(path, video_info(path).fps, 20)]


def first_error(folder):
    "Photos one by one; an error that no check foresaw counts as a traceback."
    from f3a_lite.data.datasets import read_annotation, read_photo

    for p in sorted(folder.glob("*.mat")):
        read_annotation(p)
        read_photo(p)


def each_loader(path):
    "Two readers of MATLAB files, whose arrays are all in this one."
    from f3a_lite.data.licensed_models import load_basel_3ddfa, load_deep3d

    return load_deep3d(path), load_basel_3ddfa(path, path)


def lazily(module, name):
    "A reader, imported when it is used."

    def read(path):
        import importlib

        return getattr(importlib.import_module(f"f3a_lite.{module}"), name)(path)

    return read


READERS = dict(  # what is corrupted, and what reads it
    npz_model=("*.npz", lazily("data.licensed_models", "load_3ddfa_v2")),
    ict=("*.*", lambda p: lazily("data.licensed_models", "load_ict")(p.parent)),
    generator=("*.safetensors", lazily("systems", "load_system")),
    regressor=("*.safetensors", lazily("regressor", "load_regressor")),
    model=("*.safetensors", lazily("morphable", "load_model")),
    params=("*.safetensors", lambda p: __import__("f3a_lite.morphable").morphable.FaceParams.load(p)),
    openface=("*.csv", lazily("data.openface", "read_openface")),
    pts=("*.pts", lazily("landmarks", "read_pts")),
    mat_model=("*.mat", each_loader),
    annotation=("*.mat", lambda p: first_error(p.parent)),
    image=("p.*", lazily("data.video", "read_image")),
    video=("*.mp4", read_video),
    clip=("c/*", lambda p: read_clip(p.parent)),
    manifest=("**/*.*", lambda p: read_manifest(p.parents[1] if p.parent.name.startswith("photos") else p.parent)),
)


def command(module, name, *args):
    "Run a command: 0, or the exit code."
    import importlib
    from conftest import run_command

    return run_command(getattr(importlib.import_module(f"f3a_lite.{module}"), name), *args)


TRAIN = ["--steps", 1, "--batch", 2, "--size", 64, "--device", "cpu"]
COMMANDS = dict(  # what is corrupted, and the command on the folder it lies in (d), with the output folder (o)
    prepare_video=("*.mp4", lambda p, d, o: command("ui.prepare", "f3a_prepare", p, o)),
    prepare_landmarks=("*.npy", lambda p, d, o: command("ui.prepare", "f3a_prepare", d / "v.mp4", o, "--landmarks", p)),
    prepare_300w3d=("*.*", lambda p, d, o: command("ui.prepare", "f3a_prepare", d, o, "--dataset", "300w3d")),
    prepare_300vw=("001/**/*.*", lambda p, d, o: command("ui.prepare", "f3a_prepare", d, o, "--dataset", "300vw")),
    animate_weights=(
        "*.safetensors",
        lambda p, d, o: command(
            "ui.animate", "f3a_animate", "--person", p, "--script", "blink", "--out", o, "--device", "cpu"
        ),
    ),
    animate_photo=(
        "p.*",
        lambda p, d, o: command("ui.animate", "f3a_animate", p, "--script", "blink", "--out", o, "--device", "cpu"),
    ),
    animate_clip=(
        "c/*",
        lambda p, d, o: command(
            "ui.animate", "f3a_animate", d / "c", "--script", "blink", "--out", o, "--device", "cpu"
        ),
    ),
    train=("c/*", lambda p, d, o: command("ui.train", "f3a_train", d / "c", "--out", o, *TRAIN)),
    train_init=(
        "*.safetensors",
        lambda p, d, o: command(
            "ui.train", "f3a_train", d.parent.parent / "inputs" / "clip" / "c", "--out", o, "--init", p, *TRAIN
        ),
    ),
    labelled=(
        "**/*.*",
        lambda p, d, o: command(
            "regressor_training",
            "f3a_train_regressor",
            "--labelled",
            d,
            "--out",
            o,
            "--steps",
            1,
            "--batch",
            2,
            "--base",
            1,
            "--device",
            "cpu",
        ),
    ),
)
TARGETS = {**READERS, **COMMANDS}


def unfinished(out, code):
    "What a command left that is neither nothing nor complete; and errors that a data set's manifest hides."
    from f3a_lite.data.clips import load_clip
    from f3a_lite.core import F3AError

    if not out.exists():
        return ""
    for p in sorted(out.rglob("*")):
        if p.name.startswith(".") and p.name != ".f3a":
            return f"left over: {p.name}"
        if p.name == "frames.npy":
            try:
                load_clip(p.parent)
            except F3AError as e:
                return f"unreadable: {e}"
        if p.name.startswith("manifest"):
            for v in json.loads(p.read_text())["items"].values():
                if re.search(r"^\w+(Error|Exception): |cannot be read \(\w+", str(v.get("failed", ""))):
                    return f"unforeseen: {v['failed']}"
        if code and p.suffix in (".mp4", ".gif", ".png", ".safetensors"):
            return f"exit code {code}, but there is {p.name}"
    return ""


def where_from(error):
    "The names of the last functions that an error came through."
    return [f.name for f in traceback.extract_tb(error.__traceback__)][-6:]


def trial(inputs, target, seed, k):
    "Corrupt and read once: (outcome, details)."
    from f3a_lite.core import F3AError

    rng = np.random.default_rng([seed, zlib.crc32(target.encode()), k])
    with tempfile.TemporaryDirectory(dir=inputs.parent) as tmp:
        folder, out = Path(tmp) / target, Path(tmp) / "out"
        shutil.copytree(inputs / target, folder)
        pattern, read = TARGETS[target]
        files = sorted(p for p in folder.glob(pattern) if p.is_file())
        path = files[int(rng.integers(len(files)))]
        others = sorted(p for p in inputs.rglob("*") if p.is_file() and p.stat().st_size < 10**6)
        way = corrupt(path, rng, others)
        what, code = f"{path.relative_to(folder)} {way}", 0
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
                if target in COMMANDS:
                    code = read(path, folder, out)
                else:
                    read(path)
        except F3AError as e:
            return ("refused", what) if "\n" not in str(e) else ("traceback", f"{what}: more than a sentence: {e}")
        except Exception as e:
            return (
                "traceback",
                f"{what}: {type(e).__name__}: {str(e)[:200]} in {where_from(e)}",
            )
        if code not in (0, 2) or "Traceback" in err.getvalue():
            return "traceback", f"{what}: exit code {code}"
        left = unfinished(out, code) if target in COMMANDS else ""
        if left:
            return ("traceback" if left.startswith("unforeseen") else "half-written"), f"{what}: {left}"
        return ("refused" if code else "accepted"), what


# --- many of them ----------------------------------------------------------------------------------------------------

BAD = ("traceback", "half-written", "crashed", "hung")


def child(inputs, target, seed, first, last):
    "Trials in this process, one line before and one after each."
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    import torch

    torch.set_num_threads(1)
    for k in range(first, last):
        print(json.dumps([k]), flush=True)
        print(json.dumps([k, *trial(inputs, target, seed, k)]), flush=True)


def run_target(inputs, target, n, seed=0, patience=120):
    "n trials in a process of their own, which is started again where it dies: list of (outcome, details)."
    import threading

    results, k = [], 0
    while k < n:
        p = subprocess.Popen(
            [sys.executable, __file__, "--child", str(inputs), target, str(seed), str(k), str(n)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if os.name == "nt" else subprocess.DEVNULL,
            text=True,
        )
        begun, hung = None, []

        def stop():
            hung.append(1)
            p.kill()

        timer = threading.Timer(patience, stop)
        timer.start()
        for line in p.stdout:
            timer.cancel()
            timer = threading.Timer(patience, stop)
            timer.start()
            row = json.loads(line)
            begun = row[0] if len(row) == 1 else None
            if len(row) == 3:
                results.append((row[1], f"{target} {row[0]}: {row[2]}"))
                k = row[0] + 1
        timer.cancel()
        p.wait()
        if k < n:
            results.append(("hung" if hung else "crashed", f"{target} {begun}: exit code {p.returncode}"))
            k = (k if begun is None else begun) + 1
    return results


def main():
    if sys.argv[1:2] == ["--child"]:
        inputs, target, *numbers = sys.argv[2:]
        return child(Path(inputs), target, *map(int, numbers))
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["all", "readers", "commands", *TARGETS])
    ap.add_argument("--n", type=int, default=1000, help="corrupted inputs in all; one in seven goes to the commands")
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args()
    names = dict(all=list(TARGETS), readers=list(READERS), commands=list(COMMANDS)).get(args.what, [args.what])
    few = [t for t in names if t in COMMANDS]
    share = args.n // 7 if len(few) < len(names) else args.n
    counts = {t: share // len(few) for t in few}
    rest = [t for t in names if t not in few]
    counts.update({t: (args.n - sum(counts.values())) // len(rest) for t in rest})
    counts[names[0]] += args.n - sum(counts.values())
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        inputs = Path(tmp) / "inputs"
        inputs.mkdir()
        make_inputs(inputs)
        print(
            f"{'target':<18}{'inputs':>8}{'accepted':>10}{'refused':>9}" + "".join(f"{b:>14}" for b in BAD), flush=True
        )
        total = []
        for t in names:
            rows = run_target(inputs, t, counts[t], args.seed)
            total += rows
            bad += [r for r in rows if r[0] in BAD]
            print_row(t, rows)
        print_row("all", total)
    for outcome, details in bad[:40]:
        print(f"{outcome}: {details}")
    sys.exit(bool(bad))


def print_row(name, rows):
    count = lambda what: sum(r[0] == what for r in rows)
    print(
        f"{name:<18}{len(rows):>8}{count('accepted'):>10}{count('refused'):>9}"
        + "".join(f"{count(b):>14}" for b in BAD),
        flush=True,
    )


if __name__ == "__main__":
    main()
