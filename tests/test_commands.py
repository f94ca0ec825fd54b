"The commands as installation puts them on the path: each runs once, on tiny inputs, and explains itself."

import importlib
import importlib.metadata
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
import pytest
from conftest import one_sentence
from f3a_lite.data import prepare_datasets
from f3a_lite.ui import prepare as prepare_command
from f3a_lite.ui import commands
from f3a_lite import core
from f3a_lite.data.video import read_image
from f3a_lite.data.clips import load_clip
from f3a_lite.data.video import video_info

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = dict(  # name → an option that its help must name; f3a_demo runs in test_demo.py
    f3a_demo="--out",
    f3a_prepare="--landmarks",
    f3a_model="--landmarks",
    f3a_train="--recipe",
    f3a_train_regressor="--out",
    f3a_animate="--driving",
    f3a_evaluate="--cross",
    f3a_tables="--pictures",
    f3a_app="--port",
    f3a_course="--student",
)


def call(monkeypatch, name, *argv):
    "Call an entry point as its console script does: no arguments, all from sys.argv; gives the exit code."
    monkeypatch.setattr(sys, "argv", [name, *map(str, argv)])
    try:
        getattr(commands, name)()
    except SystemExit as e:
        return e.code or 0
    return 0


def test_the_installed_scripts_are_these():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert all(f'"{n}"' in setup for n in COMMANDS) and all(callable(getattr(commands, n)) for n in COMMANDS)
    there = {
        e.name: e.value
        for e in importlib.metadata.entry_points(group="console_scripts")
        if e.value.startswith("f3a_lite")
    }
    if not there:
        pytest.skip("f3a_lite is not installed here")
    assert there == {n: f"f3a_lite.ui.commands:{n}" for n in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("given, policy", [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_words_may_be_given(monkeypatch, capsys, name, given, policy):
    "A function of words; without them it takes those of the process. It sets a policy where there is none."
    assert str(inspect.signature(getattr(commands, name))) == "(argv=None)"
    monkeypatch.setattr(sys, "argv", ["something else", "--never-heard-of"])
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    with pytest.raises(SystemExit) as e:
        getattr(commands, name)(["--help"])
    assert e.value.code in (0, None) and "usage" in capsys.readouterr().out
    assert os.environ["OMP_WAIT_POLICY"] == policy


@pytest.mark.parametrize("name", COMMANDS)
def test_help(monkeypatch, capsys, name):
    "The quick help is that of the command itself, which imports more; a training has more options."
    assert call(monkeypatch, name, "--help") == 0
    short = capsys.readouterr().out
    assert short.startswith(f"usage: {name} ") and COMMANDS[name] in short
    assert call(monkeypatch, name, "--help-all") == 0
    whole = capsys.readouterr().out
    if not name.startswith("f3a_train"):
        assert short == whole
    options, more = (set(re.findall(r"--[a-z][a-z-]+", text)) for text in (short, whole))
    assert "--help-all" in options or not name.startswith("f3a_train")
    assert options - {"--help-all"} <= more


def test_prepare(monkeypatch, tmp_path, video):
    assert call(monkeypatch, "f3a_prepare", video, tmp_path / "out", "--max_frames", 3) == 0
    (folder,) = (tmp_path / "out").iterdir()
    clip = load_clip(folder)
    assert len(clip) == 3 and folder.name.startswith("woman_laughing-")
    page = read_image(folder / "sheet.png").astype(int)
    points = (page[..., 1] - page[..., ::2].max(-1) > 60).sum()
    assert 3 * 68 * 2 < points < 3 * 68 * 40, "the tracked points of three frames are drawn"


def test_train(monkeypatch, tmp_path, clip):
    assert (
        call(
            monkeypatch,
            "f3a_train",
            clip.path,
            "--out",
            tmp_path / "r",
            "--size",
            64,
            "--steps",
            1,
            "--batch",
            1,
            "--test_pairs",
            2,
        )
        == 0
    )
    assert (tmp_path / "r" / "weights.safetensors").exists() and (tmp_path / "r" / "metrics.json").exists()


def test_train_regressor(monkeypatch, tmp_path):
    assert (
        call(
            monkeypatch,
            "f3a_train_regressor",
            "--out",
            tmp_path / "r",
            "--faces",
            tmp_path / "f",
            "--pictures",
            8,
            "--people",
            4,
            "--steps",
            1,
            "--batch",
            2,
            "--workers",
            1,
        )
        == 0
    )
    assert (tmp_path / "r" / "weights.safetensors").exists() and (tmp_path / "r" / "metrics.json").exists()


def test_animate(monkeypatch, tmp_path, clip):
    assert call(monkeypatch, "f3a_animate", clip.path, "--script", "blink", "--out", tmp_path, "--name", "b") == 0
    assert (
        video_info(tmp_path / "b.mp4").frames == 14 and (tmp_path / "b.gif").exists() and (tmp_path / "b.png").exists()
    )


@pytest.mark.parametrize(
    "name,argv",
    [
        ("f3a_prepare", ["nothing.mp4", "out"]),
        ("f3a_model", ["ict", "nothing", "out.safetensors"]),
        ("f3a_train", ["nothing"]),
        ("f3a_train_regressor", ["nothing", "--sub-steps", 2]),
        ("f3a_animate", ["nothing.jpg"]),
        ("f3a_evaluate", ["nothing", "nothing"]),
        ("f3a_tables", ["--data", "nothing"]),
    ],
)
def test_wrong_words_are_one_sentence_and_leave_nothing(monkeypatch, tmp_path, capsys, name, argv):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, name, *argv) == 2
    assert "nothing" in one_sentence(capsys) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, module, within, true",
    [
        (
            "f3a_demo",
            "ui.demo",
            "run_demo",
            "a clip that was prepared is kept, and the same command begins the rest anew",
        ),
        ("f3a_prepare", "ui.prepare", "prepare_videos", core.RESUMES),
        ("f3a_train", "ui.train", "get_processes", core.RESUMES),
        ("f3a_train_regressor", "regressor_training", "get_processes", core.RESUMES),
        ("f3a_animate", "ui.animate", "Animator", "the film is not finished, and the same command begins it anew"),
        ("f3a_evaluate", "lab.measure_files", "measure_sets", "no figures are kept, and the same command begins anew"),
        ("f3a_tables", "lab.tables", "Tables", core.RESUMES),
        ("f3a_app", "ui.app", "serve", "the app has ended, and what was uploaded is deleted"),
    ],
)
def test_an_interrupt_says_what_is_kept(monkeypatch, tmp_path, capsys, video, name, module, within, true):
    "Ctrl-C within the work of a command: its own sentence, which is true of it, and the code of an interrupt."

    def press(*args, **kw):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module(f"f3a_lite.{module}"), within, press)
    assert call(monkeypatch, name, *([video, video] if name == "f3a_evaluate" else [])) == 130
    assert one_sentence(capsys) == f"Interrupted; {true}."


def test_an_interrupted_preparation_goes_on(monkeypatch, tmp_path, capsys, video):
    "The video that was finished is kept."
    second = tmp_path / "second.mp4"
    shutil.copy(video, second)
    words = [video, second, tmp_path / "out", "--max-frames", 2]
    one = prepare_datasets.prepare_one
    monkeypatch.setattr(
        prepare_command, "prepare_one", lambda path, *a: os.kill(os.getpid(), 2) if path == second else one(path, *a)
    )
    assert call(monkeypatch, "f3a_prepare", *words) == 130
    monkeypatch.setattr(prepare_command, "prepare_one", one)
    capsys.readouterr()
    assert call(monkeypatch, "f3a_prepare", *words) == 0
    assert "woman_laughing.mp4: already prepared" in capsys.readouterr().out


@pytest.mark.processes
def test_a_script_of_its_own_process(tmp_path):
    "The thread policy is set before torch is imported, and the exit code reaches the shell."
    code = (
        "import sys; from f3a_lite.ui.commands import f3a_prepare; assert 'torch' not in sys.modules\n"
        "sys.argv = ['f3a_prepare', 'nothing.mp4', 'out']\n"
        "try: f3a_prepare()\nfinally: import os; print(os.environ['OMP_WAIT_POLICY'])"
    )
    env = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
    r = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=env)
    assert (
        r.returncode == 2
        and r.stdout.strip() == "PASSIVE"
        and "nothing.mp4" in r.stderr
        and "Traceback" not in r.stderr
    )
