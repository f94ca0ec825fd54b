"Numbers that options cannot be: 0, less than 0, huge, and no number at all."

import dataclasses
import importlib
import re
import typing
from pathlib import Path
import pytest
from conftest import run_command
from f3a_lite.data.datasets import DATASETS
from f3a_lite.data.estimation import PARAMS, PARAM_SOURCES
from f3a_lite.data.licensed_models import KINDS
from f3a_lite.driving import HALVES
from f3a_lite.options import (
    LIMITS,
    AnimateOptions,
    AppOptions,
    CourseOptions,
    EvaluateOptions,
    ModelOptions,
    PrepareOptions,
    RegressorRunOptions,
    TableOptions,
    TrainRunOptions,
    parse_options,
)
from f3a_lite.registry import SYSTEMS
from f3a_lite.schedule import RECIPES
from f3a_lite.ui.app import f3a_app
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.ui.train import TrainOptions, default_options, f3a_train
from f3a_lite.regressor_training import RegressorOptions, f3a_train_regressor
from f3a_lite.lab.tables import f3a_tables
from f3a_lite.lab.measure_files import f3a_evaluate

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    (f3a_animate, AnimateOptions),
    (f3a_prepare, PrepareOptions),
    (f3a_train, TrainOptions),
    (f3a_train_regressor, RegressorOptions),
    (f3a_tables, TableOptions),
    (f3a_evaluate, EvaluateOptions),
    (f3a_app, AppOptions),
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


WITH_HELP = dict(
    f3a_animate=AnimateOptions,
    f3a_prepare=PrepareOptions,
    f3a_model=ModelOptions,
    f3a_train=TrainRunOptions,
    f3a_train_regressor=RegressorRunOptions,
    f3a_tables=TableOptions,
    f3a_evaluate=EvaluateOptions,
    f3a_app=AppOptions,
    f3a_course=CourseOptions,
)


@pytest.mark.parametrize("name, options", WITH_HELP.items(), ids=WITH_HELP)
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
    whole = dict(f3a_train=TrainOptions, f3a_train_regressor=RegressorOptions).get(name, options)
    for line in lines:
        default = default_options if name == "f3a_train" else None
        assert isinstance(parse_options(name, whole, line.split()[1:], default), whole)


def test_choices_are_those_that_the_commands_know():
    "The words of an option stand where nothing slow is imported, and again where they are understood."
    for options, name, choices in (
        (PrepareOptions, "dataset", DATASETS),
        (PrepareOptions, "param_source", PARAM_SOURCES),
        (AnimateOptions, "only", HALVES),
        (ModelOptions, "kind", tuple(KINDS)),
        (TrainRunOptions, "recipe", RECIPES),
    ):
        assert tuple(re.findall(r"'(\w+)'", str(typing.get_type_hints(options)[name]))) == choices, name
    assert PrepareOptions.param_source == AnimateOptions.param_source == PARAMS


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
