"Numbers that options cannot be: 0, less than 0, huge, and no number at all."

import dataclasses
import importlib
from pathlib import Path
import pytest
from conftest import run_command
from f3a_lite.options import LIMITS, parse_options
from f3a_lite.registry import SYSTEMS
from f3a_lite.ui.app import AppOptions, main
from f3a_lite.ui.animate import AnimateOptions, f3a_animate
from f3a_lite.ui.prepare import PrepareOptions, f3a_prepare
from f3a_lite.ui.course_command import CourseOptions
from f3a_lite.ui.train import TrainOptions, default_options, f3a_train
from f3a_lite.data.licensed_models import ModelOptions
from f3a_lite.regressor_training import RegressorOptions, f3a_train_regressor
from f3a_lite.lab.tables import TableOptions, f3a_tables
from f3a_lite.lab.measure_files import EvaluateOptions, f3a_evaluate

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    (f3a_animate, AnimateOptions),
    (f3a_prepare, PrepareOptions),
    (f3a_train, TrainOptions),
    (f3a_train_regressor, RegressorOptions),
    (f3a_tables, TableOptions),
    (f3a_evaluate, EvaluateOptions),
    (main, AppOptions),
]


def numeric(options):
    "The options of a command that are numbers: name, how many numbers each has, and whether they may be fractions."
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if dataclasses.is_dataclass(value):
            yield from numeric(value)
        elif "int" in str(f.type) or "float" in str(f.type):
            yield f.name, 2 if "tuple" in str(f.type) else 1, "float" in str(f.type)


def wrong_numbers(name, fraction):
    "What an option of this name must refuse."
    zero = ["0"] if LIMITS.get(name, (0,))[0] > 0 else []
    return ["-3", "1" + "0" * 30, *zero, *(["nan"] if fraction else [])]


CASES = [
    (command, name, value, n)
    for command, options in COMMANDS
    for name, n, fraction in numeric(options())
    for value in wrong_numbers(name, fraction)
]


@pytest.mark.parametrize("command, name, value, n", CASES, ids=[f"{c.__name__}-{k}-{v[:4]}" for c, k, v, _ in CASES])
def test_a_number_that_cannot_be(command, name, value, n, tmp_path, monkeypatch, capsys):
    "A sentence, before anything is made."
    monkeypatch.chdir(tmp_path)
    assert run_command(command, "--" + name.replace("_", "-"), *[value] * n) == 2
    said = capsys.readouterr().err
    assert said and "Traceback" not in said and not list(tmp_path.iterdir())


WITH_HELP = [(f"f3a_{c.__name__[4:]}", options) for c, options in COMMANDS if c is not main]
WITH_HELP += [("f3a_model", ModelOptions), ("f3a_app", AppOptions), ("f3a_course", CourseOptions)]


@pytest.mark.parametrize("name, options", WITH_HELP, ids=[name for name, _ in WITH_HELP])
def test_help_speaks_plainly_and_its_examples_can_be_read(name, options, capsys, monkeypatch):
    "No None, no type where a word is known; each example is a line that the command itself understands."
    monkeypatch.setenv("COLUMNS", "120")
    before = dict(options.__annotations__)
    with pytest.raises(SystemExit) as end:
        parse_options(name, options, ["--help"])
    said = capsys.readouterr().out
    assert not end.value.code and "{None}" not in said and "default: None" not in said and len(said.splitlines()) < 60
    assert options.__annotations__ == before, "the class is as it was"
    lines = [line.strip() for line in said.splitlines() if line.startswith(f"  {name} ")]
    assert len(lines) == len(options.examples) == 2
    for line in lines:
        words = line.split()[1:]
        default = default_options(words) if name == "f3a_train" else None
        assert isinstance(parse_options(name, options, words, default), options)


def test_the_defaults_of_every_program_are_allowed(monkeypatch):
    from f3a_lite.options import check_numbers

    checked, systems = 0, dict(SYSTEMS)
    for folder in ("experiments", "benchmarks"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
        for path in sorted((ROOT / folder).glob("*.py")):
            if "class Options" in path.read_text(encoding="utf-8"):
                check_numbers(importlib.import_module(path.stem).Options())
                checked += 1
    for name in set(SYSTEMS) - set(systems):  # one of them tries a system of its own
        SYSTEMS.pop(name)
    assert checked > 5
