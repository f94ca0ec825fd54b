"Exercises: the starter is told what is missing, a wrong answer is refused in other words, the solution passes."

import json
import re
from pathlib import Path
import pytest
from f3a_lite import course

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "nbs").glob("[0-3]*.ipynb"))


def cells_of(path):
    "Source and tags of the cells of a notebook."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [("".join(c["source"]), c["metadata"].get("tags", []), c["metadata"]) for c in cells]


def names_in(path):
    "Names of the exercises of a lesson."
    return [
        n for source, tags, _ in cells_of(path) if tags == ["check"] for n in re.findall(r'check\("([\d.]+)"', source)
    ]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_the_form_of_an_exercise(path):
    "Three cells; the starter has dots, the check calls the check, the solution is folded and calls it too."
    cells = cells_of(path)
    assert not any("<details>" in source for source, _, _ in cells), "a solution stands in the text"
    for k, (source, tags, _) in enumerate(cells):
        if tags != ["exercise"]:
            continue
        assert "..." in source and "f3a_lite.checks" not in source
        (check, check_tags, _), (solution, solution_tags, meta) = cells[k + 1], cells[k + 2]
        assert (check_tags, solution_tags) == (["check"], ["solution"])
        (name,) = re.findall(r'^check\("([\d.]+)"', check, re.M)
        assert name.split(".")[0] == str(int(path.name[:2])), f"{name} in {path.name}"
        assert solution.startswith("# Solution: click the dots\n") and meta["jupyter"]["source_hidden"]
        assert f'assert check("{name}"' in solution
    assert sum(tags == ["solution"] for _, tags, _ in cells) == len(names_in(path))


def test_most_lessons_have_exercises():
    assert sum(bool(names_in(p)) for p in LESSONS) >= 20


@pytest.mark.parametrize(
    "name", sorted({n for p in LESSONS for n in names_in(p)}, key=lambda n: [int(x) for x in n.split(".")])
)
def test_dots_and_wrong_answers_are_refused(name, capsys):
    check = course.find_check(name)
    open_words, wrong_words = course.hint(name, ...), course.hint(name, check.wrong)
    assert "dots" in open_words and wrong_words and wrong_words != open_words
    assert "could not be used" not in wrong_words and not course.check(name, check.wrong)
    assert len(capsys.readouterr().out.strip().splitlines()) == 1


def test_every_check_has_its_exercise():
    for part in set(course.PARTS.values()):
        course.importlib.import_module(f"f3a_lite.checks.part_{part}")
    assert set(course.CHECKS) == {n for p in LESSONS for n in names_in(p)}


def test_no_answer_ends_in_a_traceback():
    name = next(n for p in LESSONS for n in names_in(p))
    for answer in (None, "text", [...], lambda: 1 / 0, object(), float("nan")):
        assert course.hint(name, answer)
