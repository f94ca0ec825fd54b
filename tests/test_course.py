"Exercises: the starter is told what is missing, a wrong answer is refused in other words, the solution passes."

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from conftest import one_sentence, run_command
import nbformat
from nbclient import NotebookClient
import pytest
from f3a_lite import course
from f3a_lite.ui import commands
from f3a_lite.ui.course_command import answers_of, lessons_of

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


# ---- the command for a class


def words_of_solutions():
    "Lines that stand in a solution and nowhere else in its lesson: they may not leave it."
    for path in LESSONS:
        cells = cells_of(path)
        rest = "\n".join(source for source, tags, _ in cells if tags != ["solution"])
        for source, tags, _ in cells:
            for line in source.splitlines() if tags == ["solution"] else ():
                if len(line.strip()) > 12 and line.strip() not in rest and not line.startswith("assert check("):
                    yield path.name, line.strip()


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    "The student's copy of all lessons."
    out = tmp_path_factory.mktemp("course") / "handout"
    assert run_command(commands.f3a_course, "--student", out) == 0
    return out


def test_no_word_of_a_solution_is_in_a_students_copy(handout):
    names, leaked = list(words_of_solutions()), []
    assert len(names) > 150
    for name, line in names:
        text = "\n".join(source for source, _, _ in cells_of(handout / name))
        leaked += [f"{name}: {line}"] if line in text or "# Solution" in text else []
    assert not leaked, leaked[:5]


def test_a_students_copy_is_whole_and_holds_no_output(handout):
    taught = [p for p in LESSONS if int(p.name[:2]) < 35]
    assert {p.name for p in handout.glob("*.ipynb")} == {p.name for p in taught}
    index = (handout / "index.md").read_text(encoding="utf-8")
    for path in taught:
        assert f"({path.name})" in index
        notebook = nbformat.read(handout / path.name, 4)
        nbformat.validate(notebook)
        code = [c for c in notebook.cells if c.cell_type == "code"]
        assert not any(c.outputs or c.execution_count for c in code)
        assert not any(line.startswith("#|") for c in code for line in c.source.splitlines())
        assert names_in(path) == names_in(handout / path.name)
        for link in re.findall(
            r"\]\(((?:images/)?[\w.]+\.(?:png|jpg|ipynb))\)", str([c.source for c in notebook.cells])
        ):
            assert (handout / link).is_file(), f"{path.name} links to {link}"


def test_parts_of_the_course(tmp_path):
    names = [p for part in ("I", "II", "III", "IV", "V", "VI") for p in lessons_of(part)]
    assert names == lessons_of()
    assert run_command(commands.f3a_course, "--student", tmp_path / "out", "--part", "IV", "--install") == 0
    assert sorted(p.name[:2] for p in (tmp_path / "out").glob("*.ipynb")) == ["14", "15", "16", "17"]
    first, _, _ = cells_of(tmp_path / "out" / "14_pairs_and_splits.ipynb")[0]
    address = re.search(r"^git_url = (.*)$", (ROOT / "settings.ini").read_text(encoding="utf-8"), re.M)[1]
    assert first == f'%pip install -q "f3a_lite[course] @ git+{address}"'


@pytest.mark.parametrize(
    "words, said",
    [
        (["--student", "out", "--part", "seven"], "choose one of I, II, III, IV, V, VI"),
        (["--student", "out", "--part", ""], "choose one of"),
        (["--check", "nowhere"], "is no folder"),
        (["--check", "empty"], "holds no copy of a lesson"),
        (["--check", "empty", "--part", "I"], "go with --student"),
        ([], "--student OUT"),
        (["--student", "full"], "give a new folder"),
        (["--check", "full", "--out", "full/00_tour.ipynb"], "no table of answers"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "00_tour.ipynb").write_text("mine", encoding="utf-8")
    assert run_command(commands.f3a_course, *words) == 2
    assert said in one_sentence(capsys)
    assert (tmp_path / "full" / "00_tour.ipynb").read_text(encoding="utf-8") == "mine" and not Path("out").exists()


def hand_in(path, lesson, answers):
    "A copy of a lesson with answers in place of its starters: name of an exercise → source; others stay as they are."
    cells = [c for c in json.loads(lesson.read_text(encoding="utf-8"))["cells"] if c["metadata"].get("tags")]
    kept = []
    for starter, check, solution in zip(cells[::3], cells[1::3], cells[2::3]):
        name = re.search(r'check\("([\d.]+)"', "".join(check["source"]))[1]
        text = answers.get(name, "".join(starter["source"]))
        text = "".join(solution["source"]).split("assert check(")[0] if text == "solution" else text
        kept += [dict(starter, source=text.replace("# Solution", "#")), check]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(nbformat=4, nbformat_minor=5, metadata={}, cells=kept)), encoding="utf-8")


@pytest.mark.processes
def test_copies_are_judged(tmp_path, capsys):
    "Starter, wrong answer and solution of one lesson; a changed check, a failing cell, a file that is no notebook."
    lesson = ROOT / "nbs" / "04_facial_flow.ipynb"
    work = tmp_path / "handed_in"
    hand_in(work / "anna" / lesson.name, lesson, {"4.1": "solution", "4.2": "solution"})
    hand_in(work / "bert" / lesson.name, lesson, {"4.1": "flow_there = [0.3, -0.2, 0.0]", "4.2": "came_from = 1 / 0"})
    cheat = (work / "bert" / lesson.name).read_text(encoding="utf-8")
    cheat = cheat.replace('check(\\"4.1\\", flow_there)', 'check(\\"4.1\\", flow_there)\\nprint(\\"4.1: right.\\")')
    (work / "bert" / lesson.name).write_text(cheat, encoding="utf-8")
    (work / "04_facial_flow_carl.ipynb").write_text("no notebook", encoding="utf-8")
    (work / ".ipynb_checkpoints").mkdir()
    shutil.copy(work / "anna" / lesson.name, work / ".ipynb_checkpoints" / lesson.name)
    table = tmp_path / "answers.csv"
    assert run_command(commands.f3a_course, "--check", work, "--out", table) == 0
    printed = capsys.readouterr().out
    assert "3 notebooks of 3 students" in printed and "anna, 04_facial_flow: 2 of 3 right" in printed
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["who", "notebook", "exercise", "answer"] and len(rows) == 9
    said = {(row["who"], row["exercise"]): row["answer"] for row in rows}
    assert said["anna", "4.1"] == said["anna", "4.2"] == "right"
    assert "NameError" in said["anna", "4.3"]  # the starter of 4.3 rests on cells that this copy does not have
    assert "subtracts the other way round" in said["bert", "4.1"]
    assert "NameError" in said["bert", "4.2"]
    assert said["carl", "4.1"] == "The notebook cannot be read."
    hand_in(work / "anna" / lesson.name, lesson, {})
    assert answers_of(work / "anna" / lesson.name, lesson)["4.1"].startswith("Replace the dots")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="a test cannot press Ctrl-C there")
def test_ctrl_c_keeps_what_was_checked(tmp_path):
    lesson = ROOT / "nbs" / "04_facial_flow.ipynb"
    for who in ("anna", "bert"):
        answers = {"4.1": "import time\ntime.sleep(600)"} if who == "bert" else {}
        hand_in(tmp_path / "work" / who / lesson.name, lesson, answers)
    code = "from f3a_lite.ui.commands import f3a_course; f3a_course()"
    words = [sys.executable, "-c", code, "--check", "work"]
    settings = dict(cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, env=environment, **settings) as program:
        while "anna" not in program.stdout.readline():
            assert program.poll() is None, program.stderr.read()
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert program.returncode == 130 and "the table holds the notebooks that were checked until then" in err
    assert "Traceback" not in err
    text = (tmp_path / "answers.csv").read_text(encoding="utf-8-sig")
    assert "anna" in text and "bert" not in text


@pytest.mark.processes
def test_a_lesson_runs_away_from_the_checkout(handout, tmp_path):
    "Lesson 03 reads stored results; here it stands alone in a folder."
    shutil.copy(handout / "03_rasterizer.ipynb", tmp_path)
    notebook = nbformat.read(tmp_path / "03_rasterizer.ipynb", 4)
    assert "stored_records" in str(notebook)
    notebook.cells = [c for c in notebook.cells if c.metadata.get("tags", []) not in (["exercise"], ["check"])]
    where = dict(metadata=dict(path=str(tmp_path)))
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    assert all(c.execution_count for c in notebook.cells if c.cell_type == "code")


def test_no_lesson_reaches_beside_itself():
    "Data, results and pictures are asked for by name: a relative path holds in a checkout only."
    for path in LESSONS:
        for source, _, _ in cells_of(path):
            found = re.findall(r"[\"'](?:\.\./|images/|nbs/|results/|data_samples/)[^\"']*", source)
            found = [word for word in found if f"shipped_path({word}" not in source and "{" not in word]
            assert not found, f"{path.name}: {found}"
