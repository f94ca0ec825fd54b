"What every system must do, whatever it is: it sees what it is told."

from dataclasses import replace
import numpy as np
import subprocess
import sys
import pytest
import torch
from f3a_lite.conditions import CONDITIONS, make_condition
from f3a_lite.morphable import open_model
from f3a_lite.pairs import pick_frames
from f3a_lite.lab.paper_tables import ROWS
from f3a_lite.registry import SYSTEMS
from f3a_lite.lab.tables import table_config

OWN = [(row, None) for row in ROWS]  # with the condition of its row
OTHERS = [("flow", name) for name in CONDITIONS if name != "flow"]  # the paper's generator can be told anything


def new_system(row, condition):
    "A system as it is before its training, and its condition's name."
    cfg = table_config(row, 8)
    generator = cfg.generator if condition is None else replace(cfg.generator, condition=condition)
    torch.manual_seed(0)
    system = SYSTEMS[cfg.system](generator, cfg.losses).eval()
    return system, generator.condition


@pytest.mark.parametrize("row, condition", OWN + OTHERS)
def test_another_condition_gives_another_picture(clip, row, condition):
    """The condition of another target, and the conditions of two pairs exchanged, change the picture.

    A number that is the same at every pixel is a constant to a convolution, and instance normalisation subtracts
    constants: a network can be blind to what it is told, and train without a word.
    """
    system, name = new_system(row, condition)
    model, sources, targets = open_model(), np.array([[0, 2], [0, 8]]), np.array([[0, 20], [0, 33]])
    source, target = (pick_frames([clip], rows, 64) for rows in (sources, targets))
    condition = make_condition(name, model, source, target, 64, system.cfg.anchor)
    other = make_condition(name, model, source, pick_frames([clip], targets[::-1], 64), 64, system.cfg.anchor)
    assert (condition - other).abs().max() > 1e-3
    with torch.no_grad():
        conditions = (condition, other, condition.flip(0))
        picture, another, exchanged = (system(source.picture, c)["image"] for c in conditions)
    for changed in (another, exchanged):
        assert (picture - changed).abs().amax((1, 2, 3)).min() > 3e-5  # ten times what rounding does


@pytest.mark.parametrize(
    "module", ["animator", "schedule", "training", "lab.tables", "ui.train", "ui.animate", "ui.studio"]
)
def test_every_program_knows_every_system(module):
    "A class enters SYSTEMS when it is defined, so whoever reads weights or configs has to have all of them defined."
    code = f"import f3a_lite.{module}; from f3a_lite.systems import SYSTEMS; print(*SYSTEMS)"
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert set(r.stdout.split()) == set(SYSTEMS), r.stderr


def test_the_front_door_knows_every_system():
    code = "from f3a_lite import load_system; from f3a_lite.systems import SYSTEMS; print(*SYSTEMS)"
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert set(r.stdout.split()) == set(SYSTEMS), r.stderr
