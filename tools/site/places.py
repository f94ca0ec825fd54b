"""Where the paper's equations, tables, figures and claims are in the notebooks: found by words that a cell holds."""

import importlib
import inspect
import re
from notebooks import label_of, source_of
from f3a_lite.core import F3AError
from f3a_lite.lab.overview import EQUATIONS

CLAIMS = "27_claims"  # the notebook whose tables number the paper's claims
TABLES = (  # name, what it shows, notebook, words of the cell
    ("Table I", "ours, X2Face and pix2pixHD", "25_reenactment", "Table I, self-reenactment"),
    ("Table II", "conditions, variants, GANimation, MotionGAN", "23_conditions_compared", "## Our Table II beside"),
    ("Table III", "what each metric measures", "20_metrics", "## Table III, generated"),
    ("Table IV", "noise on the parameters", "26_noise_and_components", "## In figures"),
)
FIGURES = (
    ("Fig. 1", "the whole method", "00_tour", "(Fig. 1)"),
    ("Fig. 2", "landmarks and action units in profile", "10_conditions", "## Fig. 2"),
    ("Fig. 3", "continuous facial flows", "04_facial_flow", "## Continuous flows"),
    ("Fig. 4", "two streams", "11_spade_fusion", "(Fig. 4)"),
    ("Fig. 5", "one scale of the decoder", "12_fade_in_decoding", "## One scale of the decoder"),
    ("Fig. 6", "sequences beside GANimation and MotionGAN", "25_reenactment", "Fig. 6 of the paper"),
    ("Fig. 7", "self- and cross-reenactment", "25_reenactment", "Fig. 7 of the paper"),
    ("Fig. 8", "the variants, ear and hair enlarged", "24_ablations", "images/fig_8_bundled.jpg"),
    ("Fig. 9", "the conditions in pictures", "23_conditions_compared", "images/fig_9_bundled.jpg"),
    ("Fig. 10", "noise in pictures", "26_noise_and_components", "Fig. 10 of the paper"),
    ("Fig. 11", "the flow's components on real frames", "26_noise_and_components", "Fig. 11 of the paper"),
    ("Fig. S-1", "more continuous generation", "30_animation", "Fig. S-1 of the paper"),
    ("Fig. S-2", "expression or pose alone", "30_animation", "Fig. S-2 of the paper"),
    ("Fig. S-3", "more cross-reenactment", "25_reenactment", "Fig. S-3 of the paper"),
    ("Fig. S-4", "good and bad cases", "33_limits", "Fig. S-4 of the paper"),
)
UNNUMBERED = {  # formulas of the README's table that the paper does not number → words of the cell
    "III-A.1": "def facial_flow(",
    "III-B (decoder)": r"\mathrm{DeConv}(h_{dec}^l)",
}
CLAIM = re.compile(r"^\| *\*{0,2}C?(\d+)\*{0,2} *\|(.*)\|\s*$", re.M)


def cell_with(notebooks: dict, name: str, words: str) -> dict:
    "The first cell after a notebook's head that holds some words. Raises `F3AError` where none does."
    for cell in notebooks[name]["cells"][1:]:
        if words in source_of(cell):
            return cell
    raise F3AError(f"The map looks for '{words}' in nbs/{name}.ipynb, where no cell has it: mend tools/site/places.py.")


def equation_cell(notebooks: dict, name: str, lesson: str) -> dict:
    "Where a lesson shows an equation: its tag, its number in the paper's words, or in a heading."
    if name in UNNUMBERED:
        return cell_with(notebooks, lesson, UNNUMBERED[name])
    number = name.split(" ")[0]
    signs = (rf"\\tag\{{{number}\}}", rf"^>.*\({number}\)", rf"^#+ .*\bEq\. {number}\b")
    for sign in signs:
        for cell in notebooks[lesson]["cells"][1:]:
            if cell["cell_type"] == "markdown" and re.search(sign, source_of(cell), re.M):
                return cell
    raise F3AError(f"The map finds no cell of nbs/{lesson}.ipynb that shows Eq. {name}: mend tools/site/places.py.")


def defined_as(function: str) -> str:
    "The place where a name of the package is defined; another module may only bring it along."
    module, name, *method = function.split(".")
    found = getattr(importlib.import_module(f"f3a_lite.{module}"), name)
    return ".".join([inspect.getmodule(found).__name__, name, *method])


def equation_places(notebooks: dict) -> list:  # (number, lesson, label of the cell, function)
    "The table of the README, with cells."
    found = []
    for number, lesson, function in EQUATIONS:
        if lesson in notebooks:
            cell = equation_cell(notebooks, number, lesson)
            found.append((number, lesson, label_of(lesson, cell), defined_as(function)))
    return found


def picture_places(notebooks: dict, wanted: tuple) -> list:  # (name, what, notebook, label of the cell)
    "Tables or figures with their cells."
    there = [row for row in wanted if row[2] in notebooks]
    return [(name, what, nb, label_of(nb, cell_with(notebooks, nb, words))) for name, what, nb, words in there]


def claim_places(notebooks: dict) -> list:  # (number, wording, label of the cell)
    "The numbered rows of every table in the notebook of claims, in its text and in its outputs."
    found = {}
    for cell in notebooks.get(CLAIMS, {}).get("cells", []):
        shown = ["".join(o.get("data", {}).get("text/markdown", "")) for o in cell.get("outputs", [])]
        texts = [source_of(cell)] if cell["cell_type"] == "markdown" else shown
        for number, row in (match for text in texts for match in CLAIM.findall(text)):
            wording = max((part.strip() for part in row.split("|")), key=len)
            found.setdefault(int(number), (int(number), wording, label_of(CLAIMS, cell)))
    return sorted(found.values())
