"""The course as a site that needs no network: out/site, from the stored outputs of the notebooks.

python tools/site
python tools/site --only 04_facial_flow 87_explore --out out/part
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from configparser import ConfigParser
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from notebooks import is_explorer, label_of, site_notebook
from pages import commands_page, contents, map_page, reference_pages
from places import equation_places
from f3a_lite.core import F3AError, atomic_path, cache_folder, friendly_errors, make_folder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NOTEBOOKS = ROOT / "nbs"
MATHJAX = "3.2.2"  # draws the formulas: one file of the npm package `mathjax`
MATHJAX_SHA256 = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
MOST = 4_000_000  # characters that the strips of one explorer may take
# Put before a notebook's cells; the notebook of explorers defines the class itself.
BEFORE = """
from f3a_lite.ui.strips import draw_strips

for module in ("f3a_lite.ui.explore", "__main__"):
    shown = get_ipython().display_formatter.mimebundle_formatter
    shown.for_type_by_name(module, "Explorer", lambda explorer: {"text/html": draw_strips(explorer)})
"""


def mathjax() -> Path:
    "The file that draws formulas, from the cache or from npm."
    file = cache_folder() / f"mathjax-{MATHJAX}" / "tex-svg.js"
    if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == MATHJAX_SHA256:
        return file
    npm = shutil.which("npm")
    if npm is None:
        raise F3AError(
            f"Formulas on the site are drawn by MathJax, which npm brings: install Node.js, or put `tex-svg.js` of "
            f"mathjax {MATHJAX} at {file}."
        )
    with tempfile.TemporaryDirectory() as folder:
        asked = subprocess.run([npm, "pack", f"mathjax@{MATHJAX}"], cwd=folder, capture_output=True, text=True)
        archives = list(Path(folder).glob("*.tgz"))
        if asked.returncode or not archives:
            said = (asked.stderr.strip().splitlines() or ["no reason"])[0]
            raise F3AError(f"npm could not bring mathjax {MATHJAX} ({said}): is there a network?")
        with tarfile.open(archives[0]) as archive:
            script = archive.extractfile("package/es5/tex-svg.js").read()
    if hashlib.sha256(script).hexdigest() != MATHJAX_SHA256:
        raise F3AError(f"What npm brought is not the tex-svg.js of mathjax {MATHJAX} that is known here; try again.")
    make_folder(file.parent)
    with atomic_path(file) as tmp:
        tmp.write_bytes(script)
    return file


def sources_digest(path: Path) -> str:
    "Of everything that an explorer's pictures may depend on."
    digest = hashlib.sha256(path.read_bytes())
    for file in sorted((ROOT / "f3a_lite").rglob("*.py")) + sorted((ROOT / "data_samples").iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def draw_strips(path: Path) -> dict:  # id of a cell → HTML
    "Run a notebook up to its last explorer; each is drawn as strips. What was drawn before is kept in the cache."
    notebook = nbformat.read(path, 4)
    cells = [k for k, cell in enumerate(notebook.cells) if is_explorer(cell)]
    if not cells:
        return {}
    kept = cache_folder() / "strips" / f"{path.stem}-{sources_digest(path)}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    notebook.cells = [nbformat.v4.new_code_cell(BEFORE), *notebook.cells[: cells[-1] + 1]]
    os.environ["F3A_STATIC"] = "1"
    place = dict(metadata=dict(path=str(path.parent)))
    NotebookClient(notebook, kernel_name="python3", resources=place, timeout=600).execute()
    drawn = {}
    for cell in (notebook.cells[k + 1] for k in cells):
        (page,) = [o["data"]["text/html"] for o in cell.outputs if "text/html" in o.get("data", {})]
        if len(page) > MOST:
            raise F3AError(f"The strips of an explorer in {path.name} take {len(page):,} characters of {MOST:,}.")
        drawn[cell["id"]] = page
    make_folder(kept.parent)
    for older in kept.parent.glob(f"{path.stem}-*.json"):
        older.unlink()
    with atomic_path(kept) as tmp:
        tmp.write_text(json.dumps(drawn), encoding="utf-8")
    return drawn


def read_notebooks(only: list) -> dict:  # name → notebook
    "The notebooks of the site, in order; the index is always there."
    names = sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb"))
    unknown = set(only) - set(names)
    if unknown:
        raise F3AError(f"'{min(unknown)}' is not a notebook of nbs/: give a name such as 00_tour.")
    wanted = [n for n in names if not only or n in only or n == "index"]
    return {n: json.loads((NOTEBOOKS / f"{n}.ipynb").read_text(encoding="utf-8")) for n in wanted}


def write_sources(folder: Path, notebooks: dict, facts):
    "Everything that Sphinx reads: notebooks as the site shows them, generated pages, pictures, style, MathJax."
    places = equation_places(notebooks)
    equations = {number: label for number, _, label, _ in places}
    code_of = {}
    for number, _, label, function in places:
        called = f"Eq. {number}" if number[0].isdigit() else number
        code_of.setdefault(label, []).append(f"*{called} in code:* {{py:obj}}`{function}`")
    for name, notebook in notebooks.items():
        strips = draw_strips(NOTEBOOKS / f"{name}.ipynb")
        page = site_notebook(notebook, name, strips, equations, code_of, set(notebooks), facts["git_url"])
        if name == "index":
            end = dict(cell_type="markdown", id="contents", metadata={}, source=contents(notebooks))
            page["cells"].append(end)
        (folder / f"{name}.ipynb").write_text(json.dumps(page), encoding="utf-8")
    labels = {(name, cell["id"]): label_of(name, cell) for name, nb in notebooks.items() for cell in nb["cells"]}
    pages = dict(map=map_page(notebooks), commands=commands_page())
    pages.update(reference_pages(ROOT / "f3a_lite", notebooks, labels, facts["git_url"]))
    (folder / "api").mkdir()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.copytree(NOTEBOOKS / "images", folder / "images")
    (folder / "_static").mkdir()
    shutil.copy(HERE / "site.css", folder / "_static")
    shutil.copy(mathjax(), folder / "_static" / "mathjax.js")


def configuration(facts) -> dict:
    "What Sphinx is told; there is no conf.py."
    theme = dict(
        repository_url=facts["git_url"],
        repository_branch=facts["branch"],
        path_to_docs="nbs",
        use_repository_button=True,
        use_download_button=False,
        navbar_persistent=[],  # the search stands at the side
        show_toc_level=2,
        home_page_in_toc=True,
    )
    return dict(
        project=facts["lib_name"],
        author=facts["author"],
        copyright=facts["copyright"],
        version=facts["version"],
        language="en",
        extensions=["myst_nb"],
        html_theme="sphinx_book_theme",
        html_theme_options=theme,
        html_context=dict(default_mode="auto"),
        html_title=facts["lib_name"],
        html_baseurl=f"{facts['doc_host']}{facts['doc_baseurl']}/",
        html_static_path=["_static"],
        html_css_files=["site.css"],
        html_show_sourcelink=False,
        html_copy_source=False,
        mathjax_path="mathjax.js",
        nb_execution_mode="off",
        nb_render_markdown_format="myst",
        myst_enable_extensions=["colon_fence", "dollarmath", "html_image"],
        suppress_warnings=["myst.header"],  # a notebook may begin with a small heading
        add_module_names=False,
        python_maximum_signature_line_length=90,
        toc_object_entries_show_parents="hide",
    )


def build(out: Path, only: list) -> list:  # Sphinx's warnings
    "Build the site in a folder beside the old one, and exchange them."
    try:
        from sphinx.application import Sphinx
        import myst_nb  # noqa: F401
        import sphinx_book_theme  # noqa: F401
    except ImportError as e:
        raise F3AError("The site is built by Sphinx: run `pip install -e '.[site]'`.") from e
    config = ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    facts, warnings = config["DEFAULT"], io.StringIO()
    make_folder(out.parent)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site") as work:
        source, site = Path(work) / "source", Path(work) / "site"
        source.mkdir()
        write_sources(source, read_notebooks(only), facts)
        settings = dict(srcdir=source, confdir=None, outdir=site, doctreedir=Path(work) / "trees", buildername="html")
        parallel = min(4, os.cpu_count() or 1) if sys.platform != "win32" else 1
        settings.update(confoverrides=configuration(facts), status=None, warning=warnings, parallel=parallel)
        Sphinx(**settings).build()
        if out.exists():
            shutil.rmtree(out)
        shutil.move(site, out)
    return [line.replace(str(source), "nbs") for line in warnings.getvalue().splitlines() if line.strip()]


def main(argv=None):
    "Build the site and say how large it is."
    parser = argparse.ArgumentParser("site", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "site", help="folder of the site")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these notebooks, without .ipynb")
    options = parser.parse_args(argv)
    start = time.monotonic()
    with friendly_errors():
        for line in build(options.out, options.only):
            print(line, file=sys.stderr)
        files = [p for p in options.out.rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in files) / 1e6
        pages = sum(p.suffix == ".html" for p in files)
        print(f"{options.out / 'index.html'}: {pages} pages, {size:.1f} MB, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
