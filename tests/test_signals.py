"What ends a program from outside, and what is left then."

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
import pytest
from conftest import run_command
from f3a_lite import core
from f3a_lite.core import F3AError, atomic_path, friendly_errors, make_folder
from f3a_lite.ui.animate import f3a_animate

HANGUPS = [s for s in ("SIGTERM", "SIGHUP") if hasattr(signal, s)]


@pytest.mark.parametrize("name", HANGUPS)
def test_a_request_to_end_is_as_ctrl_c(name, capsys):
    "The sentence of an interrupt, the code that shells give, and afterwards the handler that was there."
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as end, friendly_errors("all is kept"):
        signal.raise_signal(number)
        time.sleep(1)
    assert end.value.code == 128 + number and capsys.readouterr().err == "Interrupted; all is kept.\n"
    assert signal.getsignal(number) is before


def test_what_was_to_be_ignored_still_is(monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with friendly_errors():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def sleeper(folder):
    "A job: say who works, and take long."
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def is_alive(pid):
    "Whether a process runs, and is no zombie."
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not say who runs")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_command(tmp_path, number):
    "After a kill of the command its workers are gone within seconds, in the midst of their jobs."
    here = str(Path(__file__).parent)
    code = f"""
import sys
sys.path.insert(0, {here!r})
from test_signals import sleeper
from f3a_lite.core import friendly_errors
from f3a_lite.jobs import run_jobs
with friendly_errors("what is finished is kept"):
    list(run_jobs(sleeper, [{str(tmp_path)!r}] * 4, 2, progress=False))
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(here).parent), here])}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=env)
    start = time.monotonic()
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() - start < 60:
        time.sleep(0.2)
    process.send_signal(number)
    said = process.communicate(timeout=20)[1]
    if number == signal.SIGTERM:
        assert process.returncode == 143 and "Interrupted; what is finished is kept." in said
    workers = [int(p.name) for p in tmp_path.iterdir()]
    start = time.monotonic()
    while any(map(is_alive, workers)) and time.monotonic() - start < 6:
        time.sleep(0.2)
    assert len(workers) >= 2 and not any(map(is_alive, workers))


@pytest.mark.processes
def test_no_folder_for_the_compiled_code(tmp_path):
    "Installed read-only, and a home that nobody can write: it is compiled and drawn all the same."
    code = """
import numba
import f3a_lite.kernels as kernels
from numba.core.caching import CompileResultCacheImpl
CompileResultCacheImpl._locator_classes = []  # none of the folders can be written
def next_number(x):
    return x + 1
try:
    numba.njit(next_number, cache=True)
except RuntimeError:
    kernels.numba = numba
    print(kernels._compiled(next_number)(1))
"""
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert r.stdout.strip() == "2", r.stderr[-400:]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    "Written, flushed to the disk, renamed: in this order."
    order = []
    monkeypatch.setattr(core.os, "fsync", lambda fd: order.append(stat.S_ISREG(os.fstat(fd).st_mode)))
    replace = os.replace
    monkeypatch.setattr(core.os, "replace", lambda a, b: order.append("renamed") or replace(a, b))
    with atomic_path(tmp_path / "a.txt") as tmp:
        tmp.write_text("all of it")
    assert order == [True, "renamed"]


def test_temporary_files_of_killed_runs_are_swept(tmp_path):
    "Ours, and older than a day: what is young, a link, or of another name stays."
    old = time.time() - 2 * 24 * 3600
    for name in (".f3a_file-old.pt", ".f3a_file-young.pt", ".mine.pt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".f3a_file-link.pt").symlink_to(tmp_path / ".mine.pt")
    for name in (".f3a_file-old.pt", ".mine.pt"):
        os.utime(tmp_path / name, (old, old))
    with atomic_path(tmp_path / "a.txt") as tmp:
        assert tmp.name.startswith(".f3a_file-")
        tmp.write_text("")
    assert {p.name for p in tmp_path.iterdir()} == {".f3a_file-young.pt", ".f3a_file-link.pt", ".mine.pt", "a.txt"}


@pytest.mark.parametrize("words", [("--name", "a\0b"), ("--out", "a\0b")])
def test_a_name_that_no_system_takes(words, capsys):
    assert run_command(f3a_animate, "--script", "blink", *words) == 2
    assert "no name may hold" in capsys.readouterr().err


def test_too_many_folders_in_each_other(tmp_path):
    with pytest.raises(F3AError, match="Cannot create the folder"):
        make_folder(tmp_path.joinpath(*"a" * 1200))


def test_a_name_that_is_too_long(tmp_path, capsys):
    "The name is to blame, and it is said before anything is made."
    assert run_command(f3a_animate, "--script", "blink", "--out", tmp_path, "--name", "n" * 300) == 2
    assert "name too long" in capsys.readouterr().err.lower()


def test_clips_left_by_a_kill_are_swept_by_whoever_makes_one(tmp_path, video):
    left = tmp_path / ".f3a_clip-0123"
    left.mkdir()
    (left / "frames.npy").write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    from f3a_lite.data.clips import new_clip

    with new_clip(tmp_path / "clip") as part:
        (part / "meta.json").write_text("{}")
    assert not left.exists() and (tmp_path / "clip").exists()
