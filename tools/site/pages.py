"""Pages that no notebook holds: the map of the paper, the commands, the API reference, and the contents."""

import contextlib
import io
import os
import re
from pathlib import Path
from unittest.mock import patch
from notebooks import link_equations, source_of
from places import CLAIMS, FIGURES, TABLES, claim_places, equation_places, picture_places
from reference import Module, module_page
from f3a_lite.lab.overview import PARTS
from f3a_lite.ui import commands

WINGS = {  # folder of the package → what is in it
    "f3a_lite": "The paper, step by step",
    "f3a_lite.data": "Videos, clips and data sets",
    "f3a_lite.synth": "The open face model and rendered people",
    "f3a_lite.lab": "Measuring, tables and results",
    "f3a_lite.checks": "Checks of the exercises",
    "f3a_lite.ui": "Commands, explorers and the app",
}


def title_of(notebook: dict) -> str:
    "The first heading of a notebook."
    return re.search(r"^# (.+)$", source_of(notebook["cells"][0]), re.M)[1]


def map_page(notebooks: dict) -> str:
    "Equation, table, figure and claim → cell."

    def at(name, label):
        return f"[{name[:2]} {title_of(notebooks[name])}](#{label})"

    lines = ["# Map of the paper", "", "Where each part of the paper is shown: a link leads to the cell.", ""]
    lines += ["## Equations", "", "| equation | cell | function |", "|---|---|---|"]
    for number, lesson, label, function in equation_places(notebooks):
        called = f"Eq. {number}" if number[0].isdigit() else number
        lines.append(f"| {called} | {at(lesson, label)} | {{py:obj}}`{function}` |")
    for heading, wanted in (("Tables", TABLES), ("Figures", FIGURES)):
        lines += ["", f"## {heading}", "", "| paper | what it shows | cell |", "|---|---|---|"]
        for name, what, notebook, label in picture_places(notebooks, wanted):
            lines.append(f"| {name} | {what} | {at(notebook, label)} |")
    if claims := claim_places(notebooks):
        lines += ["", "## Claims", "", f"The verdicts are computed in [{title_of(notebooks[CLAIMS])}]({CLAIMS}.ipynb)."]
        lines += ["", "| number | claim |", "|---|---|"]
        lines += [f"| [{number}](#{label}) | {wording} |" for number, wording, label in claims]
    return "\n".join(lines) + "\n"


def help_of(name: str) -> str:
    "What a command prints for --help, at 100 columns and without colours."
    said = io.StringIO()
    plain = patch.dict(os.environ, COLUMNS="100", NO_COLOR="1", TERM="dumb")
    with plain, contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        getattr(commands, name)(["--help"])
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


def commands_page() -> str:
    "What each program says of itself."
    lines = ["# Commands", "", "Installation puts these programs on the path; each explains itself with `--help`.", ""]
    for name in commands.__all__:
        lines += [f"## {name}", "", "```text", help_of(name), "```", ""]
    return "\n".join(lines)


def reference_pages(package: Path, notebooks: dict, labels: dict, repository: str) -> dict:  # name → Markdown
    "The API reference: an index, and a page for each module that has public names."

    def link(notebook, cell, words):
        label = labels.get((notebook, cell))
        if notebook not in notebooks:
            return f"[{words}]({repository}/blob/main/nbs/{notebook}.ipynb)"
        return f"[{words}](#{label})" if label else f"[{words}](../{notebook}.ipynb)"

    modules = [Module(path, package) for path in sorted(package.rglob("[a-z]*.py"))]
    modules = [m for m in modules if m.public or list(m.patched())]
    patched = {}
    for module in modules:
        for name, function in module.patched():
            patched.setdefault(name, []).append(function)
    equations = {number: label for number, _, label, _ in equation_places(notebooks)}
    pages, lines = {}, ["# API reference", "", "Every public name, from its docstring and the comments beside it.", ""]
    for wing, words in WINGS.items():
        own = [m for m in modules if m.name.rpartition(".")[0] == wing]
        lines += [f"## {words}", "", "| module | |", "|---|---|"]
        lines += [f"| [{m.name}]({m.name}.md) | {m.words.splitlines()[0] if m.words else ''} |" for m in own]
        lines += ["", "```{toctree}", ":hidden:", "", *[m.name for m in own], "```", ""]
        for m in own:
            pages[f"api/{m.name}"] = link_equations(module_page(m, patched, link), equations)
    return {"api/index": "\n".join(lines), **pages}


def contents(notebooks: dict) -> str:
    "The table of contents at the side, part by part."
    numbered = [n for n in sorted(notebooks) if n[:2].isdigit()]
    parts = {part: [n for n in numbered if int(n[:2]) in numbers] for part, numbers in PARTS.items()}
    parts["Reference"] = ["map", "commands", "api/index"]
    parts["The workshop"] = [n for n in numbered if int(n[:2]) >= 35]
    lines = []
    for part, names in parts.items():
        entries = [f"{n[:2]} {title_of(notebooks[n])} <{n}>" if n in notebooks else n for n in names]
        if entries:
            lines += ["```{toctree}", ":hidden:", f":caption: {part}", "", *entries, "```", ""]
    return "\n".join(lines)
