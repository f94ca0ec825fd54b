"The form of the first lessons: a header of four lines, an early picture, and no more than a reader can follow."

import json
import re
from pathlib import Path
import pytest

NBS = Path(__file__).resolve().parent.parent / "nbs"
LESSONS = sorted(NBS.glob("0[0-8]_*.ipynb"))
LATER = sorted([*NBS.glob("2[0-8]_*.ipynb"), *NBS.glob("3[0-4]_*.ipynb")])
HEADER = ("# ", "> ", "**You will be able to** ", "**You need first**: ", "**Time**: ")


def lines(cell):
    "Lines of a cell that are neither empty nor for nbdev."
    return sum(bool(line.strip()) and not line.startswith("#|") for line in cell["source"])


def header_of(cells):
    "The paragraphs of the first cell, which must be those of HEADER, with the minutes and seconds of the lesson."
    header = "".join(cells[0]["source"]).replace("**You need first**: ", "**You need first** ").split("\n\n")
    wanted = [start.replace("**: ", "** ") if "need" in start else start for start in HEADER]
    assert all(map(str.startswith, header, wanted)), header
    assert "minutes to read" in header[4] and "to run" in header[4] and "**The paper**: " in header[4]
    return header


def has_picture(cell):
    return any(kind.startswith("image/") for output in cell["outputs"] for kind in output.get("data", ()))


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_form_of_a_lesson(path):
    "Of what stands before the workshop, whose code is exported and no part of the lesson."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    workshop = [k for k, cell in enumerate(cells) if cell["source"] and cell["source"][0].startswith("## Workshop")]
    cells = cells[: workshop[0] if workshop else None]
    assert len(header_of(cells)) == len(HEADER)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    first = next(k for k, cell in enumerate(code) if has_picture(cell))
    assert sum(map(lines, code[: first + 1])) <= 15, "the first picture comes late"
    taught = [cell for cell in code if not cell["metadata"].get("tags")]
    assert sum(map(lines, taught)) <= 200 and len(cells) <= 40
    assert all(lines(cell) <= 25 for cell in taught if not cell["source"][0].startswith("#| export"))
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert sum("## Summary" in text for text in texts) == sum("## Exercises" in text for text in texts) == 1
    assert any("before you" in text.lower() for text in texts), "no prediction before a run"


@pytest.mark.parametrize("path", LATER, ids=lambda p: p.stem)
def test_the_form_of_a_later_lesson(path):
    "The same header; a prediction; one summary; and a stored picture wherever a cell shows some."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    header_of(cells)
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert sum("## Summary" in text for text in texts) == 1
    assert any("**predict" in text.lower() for text in texts), "no prediction before a run"


@pytest.mark.parametrize("path", sorted(NBS.glob("[0-3][0-9]_*.ipynb")), ids=lambda p: p.stem)
def test_what_a_cell_shows_is_stored(path):
    "Whoever reads a page without running it sees the pictures; executed with another backend they would be lost."
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(r"^(show_images|show_rows|fig, ax\w*) ?[(=]", source, re.M):
            assert has_picture(cell), f"no picture is stored: python tools/executed.py {path.stem}\n{source}"
