"""A notebook as the site shows it: folded cells, links that lead somewhere, strips in the place of explorers."""

import ast
import re

DIRECTIVE = re.compile(r"^#\| ?\w+.*\n?", re.M)
EXPORT = re.compile(r"^#\| ?exporti?\b", re.M)
EXPLORER = "Explorer: run this notebook"  # how the stored text of an explorer begins
WIDGET = "application/vnd.jupyter.widget-view+json"
LINK = re.compile(r"(?<=\]\()([^()\s#]+\.\w+|\.\./[^()\s#]*)(#[^()\s]*)?(?=\))")
# Code, formulas, links and tags of Markdown, in which no equation is looked for.
KEPT = re.compile(r"(```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|\[[^\]]*\]\([^)]*\)|<[^>]+>|^#[^\n]*$)", re.S | re.M)
MENTION = re.compile(r"\bEq\. (\d+)((?:(?:, | to | and | or |–)\d+\b(?![.\d]*[ ]?[%°]))*)")


def source_of(cell: dict) -> str:
    "The text of a cell."
    return "".join(cell["source"])


def is_explorer(cell: dict) -> bool:
    "Whether a cell's stored output is the picture of an explorer."
    texts = ("".join(o.get("data", {}).get("text/plain", "")) for o in cell.get("outputs", []))
    return any(t.startswith(EXPLORER) for t in texts)


def label_of(name: str, cell: dict) -> str:
    "How links call a cell."
    return f"cell-{name}-{cell['id']}".lower().replace("_", "-")


def defined_in(code: str) -> str:
    "The names that a cell defines at its top level, for the line that unfolds it."
    names = []
    for node in ast.parse(code).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [t.id for t in targets if isinstance(t, ast.Name)]
    return ", ".join(dict.fromkeys(names))


def link_equations(
    text: str,  # Markdown
    labels: dict,  # number of an equation → label of its cell
    own: str = "",  # label of the cell that the text stands in
) -> str:
    "The numbers in 'Eq. 3', 'Eq. 5 to 9' and 'Eq. 1, 2' as links to the cells of these equations."

    def one(number, shown):
        label = labels.get(number, own)
        return shown if label == own else f"[{shown}](#{label})"

    def linked(match):
        more = re.sub(r"\d+", lambda m: one(m[0], m[0]), match[2])
        return one(match[1], f"Eq. {match[1]}") + more

    parts = KEPT.split(text)
    return "".join(p if k % 2 else MENTION.sub(linked, p) for k, p in enumerate(parts))


def link_files(
    text: str,  # Markdown
    built: set,  # names of the notebooks that the site has
    repository: str,  # address of the project's files
    folder: str = "nbs/",  # where the text's own file lies
) -> str:
    "Links to files that are no page of the site lead to the repository."

    def linked(match):
        target, anchor = match[1], match[2] or ""
        page = target.removesuffix(".ipynb") in built and target.endswith(".ipynb")
        if "://" in target or target.startswith("images/") or page:
            return target + ("" if page else anchor)
        place = target.removeprefix("../") if target.startswith("../") else folder + target
        return f"{repository}/blob/main/{place}{anchor}"

    return LINK.sub(linked, text)


def code_cell(cell: dict, name: str, strips: str, linked) -> dict:
    "A code cell without directives: folded where it is exported or a solution, without the state of widgets."
    source, tags = source_of(cell), list(cell["metadata"].get("tags", []))
    code = DIRECTIVE.sub("", source)
    shown = dict(tags=tags)
    if name == "index":
        tags.append("remove-input")
    elif "solution" in tags:
        tags.append("hide-cell")
        shown["mystnb"] = dict(code_prompt_show="Show a solution", code_prompt_hide="Hide the solution")
    elif EXPORT.search(source) or cell["metadata"].get("jupyter", {}).get("source_hidden"):
        tags.append("hide-input")
        what = defined_in(code) or "what is imported"
        shown["mystnb"] = dict(code_prompt_show=f"Show {what}", code_prompt_hide=f"Hide {what}")
    outputs = [dict(o) for o in cell.get("outputs", [])]
    for output in outputs:
        data = dict(output.get("data", {}))
        data.pop(WIDGET, None)
        if strips and "".join(data.get("text/plain", "")).startswith(EXPLORER):
            data = {"text/html": strips}
        if "text/markdown" in data:
            data["text/markdown"] = linked("".join(data["text/markdown"]))
        if "data" in output:
            output["data"] = data
    outputs = [o for o in outputs if o.get("data", True)]
    return {**cell, "source": code, "metadata": shown, "outputs": outputs}


def site_notebook(
    notebook: dict,  # as it is stored
    name: str,  # its file's stem
    strips: dict,  # id of a cell → HTML of its explorer
    equations: dict,  # number → label of its cell
    code_of: dict,  # label of a cell → lines of Markdown below it: which function is its equation
    built: set,  # names of the notebooks that the site has
    repository: str,  # address of the project's files
) -> dict:
    "What Sphinx reads of a notebook."
    cells = []
    for cell in notebook["cells"]:
        label = label_of(name, cell)

        def linked(text):
            return link_equations(link_files(text, built, repository), equations, label)

        if cell["cell_type"] == "markdown":
            below = code_of.get(label, [])
            cells.append({**cell, "source": "\n\n".join([f"({label})=", linked(source_of(cell)), *below])})
            continue
        cell = code_cell(cell, name, strips.get(cell["id"], ""), linked)
        if cell["source"].strip() or cell["outputs"]:
            place = dict(cell_type="markdown", id=f"at-{cell['id']}", metadata={}, source=f"({label})=")
            cells += [place, cell]
    cells[0]["source"] = cells[0]["source"].split("=\n\n", 1)[-1]  # a page's title has the page's own address
    metadata = {k: v for k, v in notebook["metadata"].items() if k != "widgets"}
    return {**notebook, "cells": cells, "metadata": metadata}
