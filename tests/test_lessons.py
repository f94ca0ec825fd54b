"The form of the lessons: a header of four lines, an early picture, and no more than a reader can follow."

import json
import re
from pathlib import Path
import pytest
from f3a_lite.lab.overview import minutes_of

NBS = Path(__file__).resolve().parent.parent / "nbs"
LESSONS = sorted(path for path in NBS.glob("[0-3][0-9]_*.ipynb") if int(path.name[:2]) <= 34)
HEADER = ("# ", "> ", "**You will be able to** ", "**You need first** ", "**Time**: ")
CELLS, LINES, CELL = 40, 200, 25  # at most: cells of a lesson, lines of its code without exercises, lines of a cell
EXPORTED, PICTURE = 0.3, 15  # at most: share of all its lines that are exported, lines up to the first picture


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def lines(cell):
    "Lines of a cell that are neither empty nor for nbdev."
    return sum(bool(line.strip()) and not line.startswith("#|") for line in cell["source"])


def is_exported(cell):
    return any(re.match(r"#\| ?export", line) for line in cell["source"])


def has_picture(cell):
    return any(kind.startswith("image/") for output in cell["outputs"] for kind in output.get("data", ()))


def code_of(cells):
    "The cells of code: all of them, and those that are no exercise, check or solution."
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return code, [cell for cell in code if not cell["metadata"].get("tags")]


def texts_of(cells):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def test_there_are_all_lessons():
    assert len(LESSONS) == 31


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_header_of_a_lesson(path):
    "A question, what one will be able to do, what is needed first, the time and the part of the paper; no more."
    title, question, able, need, time = texts_of(cells_of(path))[0].split("\n\n")
    starts = (title, question, able, need.replace("first**:", "first**"), time)
    assert all(map(str.startswith, starts, HEADER)), starts
    assert question.rstrip().endswith("?")
    assert re.search(r"^\*\*Time\*\*: \d+ minutes to read, \d+ seconds to run\. \*\*The paper\*\*: \S", time), time


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_size_of_a_lesson(path):
    "Counted in the whole notebook: what is no lesson stands in the workshop."
    cells = cells_of(path)
    code, taught = code_of(cells)
    assert len(cells) <= CELLS, f"{len(cells)} cells"
    assert sum(map(lines, taught)) <= LINES, f"{sum(map(lines, taught))} lines of code"
    long = {cell["id"]: lines(cell) for cell in code if lines(cell) > CELL}
    assert not long, f"cells of more than {CELL} lines: {long}"
    exported = sum(lines(cell) for cell in taught if is_exported(cell)) / sum(map(lines, code))
    assert exported <= EXPORTED, f"{exported:.0%} of the lines are exported"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_first_picture_comes_early(path):
    code, _ = code_of(cells_of(path))
    first = next(k for k, cell in enumerate(code) if has_picture(cell))
    before = sum(map(lines, code[: first + 1]))
    assert before <= PICTURE, f"{before} lines of code up to the first picture"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_end_of_a_lesson(path):
    "A prediction before a run; one summary; then exercises, three or more."
    cells = cells_of(path)
    texts = texts_of(cells)
    assert any(re.search(r"\*\*predict|before you", text.lower()) for text in texts), "no prediction before a run"
    ends = [sum(f"## {heading}" in text for text in texts) for heading in ("Summary", "Exercises")]
    assert ends == [1, 1], f"summaries and headings of exercises: {ends}"
    assert sum(cell["metadata"].get("tags") == ["exercise"] for cell in cells) >= 3


@pytest.mark.parametrize("path", sorted(NBS.glob("[0-3][0-9]_*.ipynb")), ids=lambda p: p.stem)
def test_what_a_cell_shows_is_stored(path):
    "Whoever reads a page without running it sees the pictures; executed with another backend they would be lost."
    for cell in cells_of(path):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(r"^(show_images|show_rows|fig, ax\w*) ?[(=]", source, re.M):
            assert has_picture(cell), f"no picture is stored: python tools/executed.py {path.stem}\n{source}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_minutes_of_the_header_are_those_of_the_readme(path):
    "Both come from what there is to read."
    assert f"**Time**: {minutes_of(path)} minutes to read" in texts_of(cells_of(path))[0]
