"What all tests share. Real faces that may not enter the project are used where they are, else skipped with a reason."

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "agg")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # several processes run tests: one thread each, before numpy and torch start theirs
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "F3A_THREADS"):
        os.environ.setdefault(name, "1")
import ast
from contextlib import contextmanager
import json
from pathlib import Path
import re
import signal
import sys
import socket
import subprocess
import threading
import time
import types
import urllib.request
import numpy as np
import pytest

# A shell ignores Ctrl-C in what it starts with `&`, and `nohup` a hang-up: tests of ended runs would wait in vain.
USUAL = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL}
for name in USUAL if threading.current_thread() is threading.main_thread() else ():
    number = getattr(signal, name, None)  # Windows has no hang-up
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, USUAL[name])

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("benchmarks", "experiments", "tools")
FACES = Path(os.environ.get("F3A_FACES", ROOT.parent / "shared" / "faces"))


LONG = (  # tests of more than some seconds, the longest first
    "test_demo",
    "test_notebook[11_spade_fusion]",
    "test_notebook[20_metrics]",
    "test_a_killed_run_goes_on",
    "test_a_row_of_a_table_by_two_processes",
    "test_notebook[17_training]",
    "test_bundled_clip",
    "test_notebook[28_tables]",
    "test_notebook[32_your_own_face]",
    "test_notebook[74_rendered_faces]",
    "test_notebook[83_measure_files]",
    "test_the_command_in_two_processes_writes_one_run",
    "test_notebook[33_limits]",
    "test_notebook[06_fitting]",
    "test_notebook[00_tour]",
    "test_notebook[07_regressor]",
    "test_notebook[31_widgets]",
    "test_notebook[15_losses]",
    "test_notebook[14_pairs_and_splits]",
    "test_notebook[66_prepare_datasets]",
    "test_notebook[30_animation]",
    "test_notebook[12_fade_in_decoding]",
    "test_the_installed_wheel_finds_its_files_animates_a_face_and_hands_out_lessons",
)


def pytest_collection_modifyitems(items):
    "What takes longest begins first: at the end of a run no core waits for it."
    rank = {name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.name, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    "A cache of its own for the tests."
    os.environ["F3A_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def faces():
    "The folder of real faces."
    if not (FACES / "clips").is_dir():
        pytest.skip("the folder of real faces is not here (set F3A_FACES)")
    return FACES


@pytest.fixture(scope="session")
def video():
    from f3a_lite.core import data_path

    return data_path("woman_laughing.mp4")


@pytest.fixture(scope="session")
def clip(tmp_path_factory, video):
    "40 frames of the bundled clip, prepared once."
    from f3a_lite.data.prepare import prepare_clip

    return prepare_clip(video, tmp_path_factory.mktemp("clips") / "woman", max_frames=40, progress=False)


def write_movie(path, frames, fps=25, pix_fmt="yuv420p", codec="libx264", pts=None):
    "A small real video; `pts` in milliseconds makes the frame rate vary."
    import av
    from fractions import Fraction

    with av.open(str(path), "w") as c:
        s = c.add_stream(codec, rate=fps)
        s.height, s.width, s.pix_fmt = *frames[0].shape[:2], pix_fmt
        if pts is not None:
            s.codec_context.time_base = Fraction(1, 1000)
        for k, f in enumerate(frames):
            v = av.VideoFrame.from_ndarray(np.ascontiguousarray(f), format="rgb24")
            v.pts = k if pts is None else pts[k]
            v.time_base = Fraction(1, fps) if pts is None else Fraction(1, 1000)
            for p in s.encode(v):
                c.mux(p)
        for p in s.encode():
            c.mux(p)
    return path


def run_command(func, *argv):
    "Run a command in this process: exit code (0 where it returns)."
    try:
        func([str(a) for a in argv])
    except SystemExit as e:
        return e.code
    return 0


def first_coefficients(n):
    "The open model with its first n coefficients of identity and of expression: a small file."
    from dataclasses import replace
    from f3a_lite.morphable import open_model

    m = open_model()
    few = {name: getattr(m, name)[:n] for name in ("id_basis", "exp_basis", "id_std", "exp_std", "exp_names")}
    return replace(m, **few)


def load_program(name):
    "A program of benchmarks/, experiments/ or tools/ as a module."
    import importlib.util

    (path,) = (p for p in (ROOT / folder / f"{name}.py" for folder in PROGRAMS) if p.exists())
    spec = importlib.util.spec_from_file_location(f"program_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # programs import what lies beside them
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def load_notebook(name):
    "What a notebook defines, as a module: imports, functions, classes and constants; nothing else of it runs."
    module = types.ModuleType(f"notebook_{name}")

    def defines(node):
        if isinstance(node, ast.Assign):
            return re.fullmatch("[A-Z_]{2,}", ast.unparse(node.targets[0]))
        return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))

    for cell in json.loads((ROOT / "nbs" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
        tree = ast.parse("".join(cell["source"]) if cell["cell_type"] == "code" else "")
        tree.body = [node for node in tree.body if defines(node)]
        exec(compile(tree, module.__name__, "exec"), vars(module))
    return module


def one_sentence(capsys):
    "What went to stderr, without progress bars; must be one line."
    lines = [
        s
        for s in capsys.readouterr().err.replace("\r", "\n").split("\n")
        if s.strip() and "it/s" not in s and "%|" not in s and "tracking" not in s
    ]
    assert len(lines) == 1 and "Traceback" not in lines[0], lines
    return lines[0]


def all_bytes(folder):
    "Every file and folder below, with its content."
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))
    }


def free_port() -> int:
    "A port that nobody uses."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def serving(command, address, log, **env):
    "A server as a process of its own, ready to answer."
    with open(log, "w", encoding="utf-8") as out:
        own = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": str(ROOT), **env}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=own)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=120).read(1)
                break
            except OSError:
                assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
                time.sleep(0.5)
        else:
            raise AssertionError(f"no answer from {address}: " + log.read_text(encoding="utf-8")[-2000:])
        yield process
    finally:
        process.terminate()
        process.wait(30)


from helpers import filmed, movie, shots  # noqa: E402, F401 (fixtures of several files; they need what stands above)
