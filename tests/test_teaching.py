"The teacher's page names what the lessons have; slides and the printed page are built and need no other file."

import json
import re
from pathlib import Path
from conftest import load_program
import pytest
from f3a_lite.ui.course_command import check_cells, lessons_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "nbs" / "teaching.md").read_text(encoding="utf-8")
MINUTES = {"90 minutes": 90, "2 hours": 120, "6 hours": 360, "12 hours": 720}
EXERCISES = {"all exercises": 3, "E1": 1, "E2": 2, "E3": 3}


def section(title):
    "The text below a heading, up to the next of its kind."
    found = re.search(rf"^(#+) {re.escape(title)}[^\n]*\n(.*?)(?=^#{{1,3}} |\Z)", PAGE, re.M | re.S)
    assert found, title
    return found[2]


def plan(title):
    "Rows of a plan: minutes, lesson, sections, how."
    rows = re.findall(r"^\| (\d+) \| \[(\w+)\]\(\w+\.ipynb\): (.*?) \| (.*) \|$", section(title), re.M)
    assert rows
    return rows


def headings(lesson):
    "The headings of a lesson."
    cells = json.loads((ROOT / "nbs" / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return set(re.findall(r"^##+ (.*)$", text, re.M))


@pytest.mark.parametrize("title", MINUTES)
def test_a_plan_adds_up_and_names_sections_and_exercises_that_are_there(title):
    rows = plan(title)
    assert sum(int(minutes) for minutes, *_ in rows) == MINUTES[title]
    for _, lesson, sections, how in rows:
        named = re.findall(r"\*([^*]+)\*", sections)
        assert named and not set(named) - headings(lesson), f"{lesson}: {set(named) - headings(lesson)}"
        asked = [count for words, count in EXERCISES.items() if words in how]
        there = len(check_cells(ROOT / "nbs" / f"{lesson}.ipynb"))
        assert not asked or max(asked) <= there, f"{lesson} has {there} exercises"


def test_every_lesson_has_two_questions_with_answers_and_a_misunderstanding():
    names = [path.stem for path in lessons_of()]
    wrong = re.findall(r"^\| (\w+) \| [^|]+ \| [^|]+ \|$", section("What students misunderstand"), re.M)
    assert [w for w in wrong if w != "lesson"] == names
    answers = re.findall(r"^\| (\w+) \| ([abc]) \| ([abc]) \|$", section("Answers"), re.M)
    assert [name for name, *_ in answers] == names
    letters = [letter for _, *both in answers for letter in both]
    assert max(letters.count(c) for c in "abc") < len(letters) / 2  # nobody wins by one letter
    blocks = re.findall(r"^\*\*(\w+)\*\*\n(.*?)(?=^\*\*\w+\*\*\n|\Z)", section("Questions"), re.M | re.S)
    assert [name for name, _ in blocks] == names
    for name, block in blocks:
        questions = re.findall(r"^(\d)\. (.+?)  \n   \(a\) (.+?) \(b\) (.+?) \(c\) (.+)$", block, re.M)
        assert [q[0] for q in questions] == ["1", "2"], name
        assert all(len({*q[2:]}) == 3 for q in questions)


def test_files_that_the_page_names_are_there():
    for link in re.findall(r"\]\(([^):]+)\)", PAGE):
        assert (ROOT / "nbs" / link).is_file(), link
    seconds = []
    for path in lessons_of():
        head = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        seconds += [int(n) for n in re.findall(r"(\d+) seconds to run", head)]
    assert len(seconds) > 20 and f"{min(seconds)} to {max(seconds)} seconds" in PAGE
    address = re.search(r"^git_url = (.*)$", (ROOT / "settings.ini").read_text(encoding="utf-8"), re.M)[1]
    assert f"git+{address}" in PAGE


def test_the_printed_page_is_todays_and_has_every_equation():
    handouts = load_program("handouts")
    text = (ROOT / "nbs" / "one_page.md").read_text(encoding="utf-8")
    assert text == handouts.page(), "run `python tools/handouts.py --page`"
    assert re.findall(r"^\| (\d+) \|", text, re.M) == [str(n) for n in range(1, 14)]
    html = handouts.page_html()
    assert html.count("<svg") >= 13 + 10 and "$" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.S)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) > 100 and not set(re.findall(r'="#([^"]+)"', html)) - set(ids)


def test_slides_are_built_and_need_no_network():
    html = load_program("handouts").slides_html()
    assert html.count("<section>") >= 15 and html.count("<img") >= 9 and html.count('class="formula"') >= 4
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", html) and "import " not in html
    assert 1e5 < len(html) < 2e6
    for title in ("Eq. 1", "Eq. 3", "Stage 2", "Faces are people"):
        assert title in html
