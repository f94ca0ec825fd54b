"""The site: what is folded, linked and mapped; and, in a browser, that it lives without a kernel and without a network.

`pytest -m browser tests/test_site.py` builds three notebooks and opens them over http and as files.
"""

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import free_port, load_program, serving
from f3a_lite.core import F3AError
from f3a_lite.pictures import to_image
from f3a_lite.ui.explore import explore
from f3a_lite.ui.strips import strip_values
from test_browser import SHOTS, Watched, browser, launch  # noqa: F401 (the fixtures)

ROOT = Path(__file__).resolve().parent.parent
ONLY = ("04_facial_flow", "87_explore")
notebooks, places, pages, reference = (load_program(f"site/{n}") for n in ("notebooks", "places", "pages", "reference"))


@pytest.fixture(scope="module")
def stored() -> dict:
    "Every notebook of the course: name → what is stored."
    paths = sorted((ROOT / "nbs").glob("*.ipynb"))
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in paths}


def cell(source, kind="code", outputs=(), **metadata):
    "A cell as nbformat has it."
    return dict(cell_type=kind, id="a1", metadata=metadata, source=source, outputs=list(outputs))


def test_the_map_is_complete(stored):
    "13 equations, 4 tables and 15 figures, each with a cell that is there."
    numbers = {place[0].split(" ")[0] for place in places.equation_places(stored)}
    assert {str(k) for k in range(1, 14)} <= numbers
    assert [t[0] for t in places.TABLES] == ["Table I", "Table II", "Table III", "Table IV"]
    names = [f"Fig. {k}" for k in range(1, 12)] + [f"Fig. S-{k}" for k in range(1, 5)]
    assert [f[0] for f in places.FIGURES] == names
    labels = {notebooks.label_of(n, c) for n, nb in stored.items() for c in nb["cells"]}
    found = [*places.picture_places(stored, places.TABLES), *places.picture_places(stored, places.FIGURES)]
    assert len(found) == 19 and {place[3] for place in found} <= labels
    page = pages.map_page(stored)
    for name in [*names, "Eq. 1", "Eq. 13", "Table IV"]:
        assert f"| {name} |" in page, name


def pictures_of(cell):
    "Files that a cell of text shows, and pictures among a cell's outputs."
    shown = re.findall(r"\]\((images/[\w.]+)\)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else []
    return shown + [kind for o in cell.get("outputs", []) for kind in o.get("data", {}) if kind.startswith("image/")]


@pytest.mark.parametrize("place", places.FIGURES, ids=lambda place: place[0])
def test_each_figure_of_the_paper_is_seen_at_its_place(stored, place):
    "In the cell that the map names, or in one of the two below it; a file is there, and its cells are large."
    name, _, notebook, words = place
    cells = stored[notebook]["cells"]
    first = next(k for k, c in enumerate(cells) if k and words in notebooks.source_of(c))
    pictures = [p for c in cells[first : first + 3] for p in pictures_of(c)]
    assert pictures, f"{name}: nbs/{notebook}.ipynb shows no picture at '{words}'"
    for path in (ROOT / "nbs" / p for p in pictures if p.startswith("images/fig_")):
        wide, _ = Image.open(path).size
        assert wide >= 4 * 150 and path.stat().st_size <= 120_000, path.name


def test_each_equation_is_where_its_cell_shows_it(stored):
    sources = {notebooks.label_of(n, c): notebooks.source_of(c) for n, nb in stored.items() for c in nb["cells"]}
    for number, _, label, _ in places.equation_places(stored):
        if number.isdigit():
            assert re.search(rf"\({number}\)|tag{{{number}}}|Eq\. {number}\b", sources[label]), number
    assert "L_{tr}" in sources[places.equation_places(stored)[9][2]], "Eq. 7"


def test_a_cell_that_has_gone_is_named(stored):
    broken = {**stored, "10_conditions": dict(cells=[cell("# Conditions", "markdown")])}
    with pytest.raises(F3AError, match="'## Fig. 2' in nbs/10_conditions.ipynb"):
        pages.map_page(broken)


def test_claims_are_read_from_the_notebook_where_there_is_one(stored):
    rows = "| no. | claim | verdict |\n|---|---|---|\n| 1 | flows are dense | holds |\n| **C12** | a, b | no |"
    shown = cell("x", outputs=[dict(output_type="display_data", data={"text/markdown": rows}, metadata={})])
    notebook = dict(cells=[cell("# The paper's claims", "markdown"), shown], metadata={})
    found = places.claim_places({places.CLAIMS: notebook})
    assert [(number, wording) for number, wording, _ in found] == [(1, "flows are dense"), (12, "a, b")]
    assert "## Claims" in pages.map_page({**stored, places.CLAIMS: notebook})
    without = {name: nb for name, nb in stored.items() if name != places.CLAIMS}
    assert "## Claims" not in pages.map_page(without)


@pytest.mark.parametrize(
    "text, linked",
    [
        ("as Eq. 3 says", "as [Eq. 3](#e3) says"),
        ("Eq. 1, 2 and 3.", "[Eq. 1](#e1), [2](#e2) and [3](#e3)."),
        ("Eq. 1–3", "[Eq. 1](#e1)–[3](#e3)"),
        ("`Eq. 3` and $Eq. 3$ and [Eq. 3](x.ipynb)", "`Eq. 3` and $Eq. 3$ and [Eq. 3](x.ipynb)"),
        ("## Eq. 3: a heading\nand Eq. 2", "## Eq. 3: a heading\nand [Eq. 2](#e2)"),
        ("Eq. 2 and 30 % of it", "[Eq. 2](#e2) and 30 % of it"),
        ("own: Eq. 7", "own: Eq. 7"),
    ],
)
def test_numbers_of_equations_are_links(text, linked):
    assert notebooks.link_equations(text, {"1": "e1", "2": "e2", "3": "e3", "7": "own"}, "own") == linked


def test_links_that_are_no_page_lead_to_the_repository():
    text = "[a](04_facial_flow.ipynb) [b](05_landmarks.ipynb) [c](../results/README.md) ![d](images/x.png) [e](https://x.y/z.html)"
    found = notebooks.link_files(text, {"04_facial_flow"}, "https://h/r")
    at = "https://h/r/blob/main"
    assert f"(04_facial_flow.ipynb) [b]({at}/nbs/05_landmarks.ipynb) [c]({at}/results/README.md)" in found
    assert "(images/x.png)" in found and "(https://x.y/z.html)" in found


def test_what_is_folded_and_what_is_dropped():
    "Directives go; exported cells and solutions are folded under their names; the state of widgets is not kept."

    def one(c, strips=""):
        return notebooks.code_cell(c, "04_facial_flow", strips, str)

    shown = one(cell("#| export\ndef flow(x):\n    return x"))
    assert shown["source"].startswith("def flow") and shown["metadata"]["tags"] == ["hide-input"]
    assert shown["metadata"]["mystnb"]["code_prompt_show"] == "Show flow"
    assert one(cell("#| default_exp flow"))["source"] == ""
    assert one(cell("# Solution: click the dots\nx = 1", tags=["solution"]))["metadata"]["tags"][-1] == "hide-cell"
    assert one(cell("x = 1"))["metadata"]["tags"] == []
    data = {notebooks.WIDGET: dict(model_id="1"), "text/plain": "Explorer: run this notebook to move its sliders"}
    shown = cell("e", outputs=[dict(output_type="display_data", data={**data, "image/png": "x"}, metadata={})])
    assert notebooks.WIDGET not in one(shown)["outputs"][0]["data"]
    assert one(shown, "<div>strips</div>")["outputs"][0]["data"] == {"text/html": "<div>strips</div>"}


def test_the_reference_has_every_public_name_and_every_equation(stored):
    written = pages.reference_pages(ROOT / "f3a_lite", stored, {}, "https://h/r")
    for module in (reference.Module(p, ROOT / "f3a_lite") for p in (ROOT / "f3a_lite").rglob("[a-z]*.py")):
        text = written.get(f"api/{module.name}", "")
        for name in module.public:
            assert re.search(rf"{{py:(data|function|class)}} {re.escape(name)}\b", text), f"{module.name}.{name}"
    flow = written["api/f3a_lite.flow"]
    assert "| `theta` |" in written["api/f3a_lite.flow"] and "(M,) tensor" not in written["api/index"], flow[:500]
    for _, _, _, function in places.equation_places(stored):
        module = next(m for m in sorted(written, key=len, reverse=True) if f"api/{function}".startswith(m + "."))
        kind = "method" if function.removeprefix(module[4:] + ".").count(".") else "function"
        assert f"{{py:{kind}}} {function.rsplit('.', 1)[1]}(" in written[module], function


def test_commands_print_their_help():
    page = pages.commands_page()
    assert page.count("\n## f3a_") == len(pages.commands.__all__) and "--driving" in page and "\x1b" not in page


def wheel(turn, width):
    "An explorer's function: a picture that one of its two controls changes."
    x = np.linspace(0, 1, 80)[None].repeat(80, 0)
    return {"ramp": to_image(np.clip(x * turn / 10, 0, 1)[..., None].repeat(3, -1)), "width": f"{width}"}


def test_strips_show_what_the_explorer_computes():
    "Every position's picture, and each picture once; a control that changes nothing has no strip."
    explorer = explore(wheel, {"full": dict(turn=10)}, turn=(0, 10, 2), width=(1.0, 2.0))
    page = explorer.strips(5)
    assert "http" not in page and page.count("<input") == 3
    data = json.loads(page.split('<script type="application/json">')[1].split("</script>")[0])
    assert [s["title"] for s in data["strips"]] == ["preset", "turn left–right, °", "width"]
    strip = data["strips"][1]
    values = strip_values(explorer.controls["turn"], 5)
    assert strip["labels"] == [str(v) for v in values] and values[strip["start"]] == 2
    for value, moment in zip(values, strip["moments"]):
        ((caption, place),) = moment["pictures"]
        pixels = np.asarray(Image.open(io.BytesIO(b64decode(data["images"][place].split(",")[1]))).convert("RGB"), int)
        assert caption == "ramp" and abs(pixels - wheel(value, 1.0)["ramp"]).mean() < 3
    assert len(data["images"]) == len(values), "width changes no picture, and 'full' is one that is there"
    still = explore(lambda turn, no: wheel(turn, 1.0), turn=(0, 10), no=(0, 5))
    assert still.strips(3).count("<input") == 1
    with pytest.raises(F3AError, match="two or more"):
        explorer.strips(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "Three pages of notebooks, the map, the reference and the commands."
    for name in ("sphinx", "myst_nb", "sphinx_book_theme"):
        if importlib.util.find_spec(name) is None:
            pytest.skip("the extra 'site' is not installed")
    if shutil.which("npm") is None:
        pytest.skip("MathJax comes from npm, which is not on this machine")
    out = tmp_path_factory.mktemp("site") / "made"
    command = [sys.executable, str(ROOT / "tools" / "site"), "--out", str(out), "--only", *ONLY]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2 and "npm could not bring" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    assert "WARNING:" not in done.stderr, done.stderr[-2000:]
    return out


@pytest.mark.browser
def test_every_link_of_the_map_leads_to_a_cell(site):
    text = (site / "map.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="([\w/.-]+\.html)#([\w.-]+)"', text))
    assert len(links) >= 4
    for page, anchor in links:
        assert f'id="{anchor}"' in (site / page).read_text(encoding="utf-8"), (page, anchor)


class OnThisMachine(Watched):
    "A page that may read files too."

    def pass_on(self, route):
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            super().pass_on(route)


@pytest.fixture(scope="module", params=["http", "file"])
def address(request, site):
    "Where the site is: on a server, or as files."
    if request.param == "file":
        yield site.as_uri()
        return
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(site)]
    with serving(command, f"http://127.0.0.1:{port}/", site.parent / "server.log"):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.browser
def test_the_site_lives_without_a_kernel(browser, address):  # noqa: F811
    "Formulas are drawn, code is no wider than its column, a strip answers a key, and nothing is asked of other hosts."
    w = OnThisMachine(browser)
    page = w.page
    page.goto(f"{address}/04_facial_flow.html")
    page.locator("mjx-container").first.wait_for()
    assert page.locator("mjx-container").count() >= 10 and page.locator("mjx-merror").count() == 0
    text = page.locator("article").inner_text()
    assert "#|" not in text and "\\tag" not in text
    wide = "all => all.filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.textContent.slice(0, 80))"
    assert page.locator("div.cell_input pre").evaluate_all(wide) == []
    folded = page.locator("details.hide", has_text="facial_flow").first
    assert not folded.locator("pre").first.is_visible()
    folded.locator("summary").click()
    assert folded.locator("pre").first.is_visible()
    w.shot(f"site_lesson_{address[:4]}")
    page.goto(f"{address}/87_explore.html")
    strip, kinds = page.locator(".f3a-strips").first, []
    strip.scroll_into_view_if_needed()
    for number in range(strip.locator("input").count()):
        slider = strip.locator("input").nth(number)
        before = strip.locator("img").first.get_attribute("src")
        slider.focus()
        page.keyboard.press("ArrowRight")
        kinds.append(strip.locator("img").first.get_attribute("src") != before)
    assert len(kinds) >= 2 and all(kinds), "each strip answers the arrow key"
    assert strip.locator("img").first.evaluate("x => x.naturalWidth") > 60
    w.shot(f"site_strips_{address[:4]}")
    for name in ("index", "map", "commands", "api/index", "api/f3a_lite.flow"):
        page.goto(f"{address}/{name}.html")
        assert page.locator("article h1").first.is_visible()
    assert not w.elsewhere, f"the page asked other hosts: {w.elsewhere[:3]}"
    errors = [e for e in w.errors if "favicon" not in e]
    assert not errors, errors[:3]


@pytest.mark.browser
def test_search_finds_a_function(browser, address):  # noqa: F811
    w = OnThisMachine(browser)
    w.page.goto(f"{address}/search.html?q=facial_flow")
    w.page.locator("#search-results li").first.wait_for()
    assert "facial_flow" in w.page.locator("#search-results").inner_text()
    errors = [e for e in w.errors if "favicon" not in e and address.startswith("http")]  # files have no excerpts
    assert not w.elsewhere and not errors, errors[:3]
    SHOTS.mkdir(parents=True, exist_ok=True)
    w.shot(f"site_search_{address[:4]}")
