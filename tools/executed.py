"""Execute notebooks in place; write down in nbs/executed.json which bundled and result files each read or listed.

python tools/executed.py 00_tour 07_regressor
python tools/executed.py                         # every notebook that read a file which has changed since
"""

import base64
import hashlib
import io
import json
import os
from pathlib import Path
import sys
from nbclient import NotebookClient
from nbdev.clean import nbdev_clean
import nbformat
import numpy as np
from PIL import Image, ImageChops
from f3a_lite.core import F3AError, atomic_path, friendly_errors, save_json, file_hash

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = ROOT / "nbs" / "executed.json"
FOLDERS = ("data_samples", "results")
WIDEST = 620  # pixels of a photograph among the stored outputs
PATCHES = 3  # grey levels by which 256 colours may be off at 95 % of the pixels; a smooth picture falls into patches
ELSEWHERE = ("index",)  # tools/readme.py executes it, and the README's test compares it with the results
# Two cells around the notebook's own. Bundled files are asked for by `data_path`; weights are opened outside Python.
BEFORE = """
exec('''
import sys
from f3a_lite import core

find, core.files_read = core.data_path, set()

def data_path(name=""):
    path = find(name)
    core.files_read.add(str(path.resolve()))
    return path

def watch(event, arguments):
    if event in ("open", "os.scandir", "os.listdir") and isinstance(arguments[0], (str, core.os.PathLike)):
        core.files_read.add(core.os.path.abspath(arguments[0]))

core.data_path = data_path
sys.addaudithook(watch)
''', {})
"""
AFTER = "import f3a_lite.core; print('\\n'.join(f3a_lite.core.files_read))"


def digest(file) -> str:
    "The first twelve digits of a file's fingerprint; of a folder's, that of the names in it."
    path = ROOT / file
    if path.is_dir():
        return hashlib.sha256("\n".join(sorted(n for n in os.listdir(path) if n[0] != ".")).encode()).hexdigest()[:12]
    return file_hash(path)[:12]


def changed(stored: dict) -> list:
    "(notebook, file) for every file that is no longer what the notebook read."
    return [
        (notebook, file)
        for notebook, files in stored.items()
        for file, then in files.items()
        if not (ROOT / file).exists() or digest(file) != then
    ]


def as_stored(picture: str) -> dict:
    "What to store of a picture, in place of its base64 PNG: a JPEG of photographs, 256 colours of a chart."
    image, jpeg, chart = Image.open(io.BytesIO(base64.b64decode(picture)), formats=["PNG"]), io.BytesIO(), io.BytesIO()
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    photo = image.copy()
    photo.thumbnail((WIDEST, 10 * WIDEST))
    photo.save(jpeg, "JPEG", quality=54, optimize=True, progressive=True)
    few = image.quantize(256, dither=Image.Dither.NONE)
    few.save(chart, "PNG", optimize=True)
    off = np.asarray(ImageChops.difference(image, few.convert("RGB"))).max(-1)  # (H,W) grey levels
    smooth = np.percentile(off, 95) > PATCHES or len(jpeg.getvalue()) * 3 / 2 < len(chart.getvalue())
    kind, data = ("jpeg", jpeg) if smooth else ("png", chart)  # lines and text stay sharp as PNG
    return {f"image/{kind}": base64.b64encode(data.getvalue()).decode()}


def lighten(notebook) -> None:
    "Change the outputs of a notebook, a dictionary or what nbformat reads, to what is stored of them."
    for cell in notebook["cells"]:
        if cell.get("outputs"):  # a progress bar is a widget, which shows nothing without a kernel
            cell["outputs"] = [o for o in cell["outputs"] if "widget-view" not in " ".join(o.get("data", {}))]
    for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            data.update(as_stored(data.pop("image/png")))


def execute(path: Path) -> dict:
    "Execute a notebook, store its outputs, and answer the files that it read: name → digest."
    notebook = nbformat.read(path, 4)
    metadata = dict(notebook.metadata)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(BEFORE))
    notebook.cells.append(nbformat.v4.new_code_cell(AFTER))
    os.environ["F3A_STATIC"] = "1"  # a picture in the place of every widget
    place = dict(metadata=dict(path=str(path.parent)))
    NotebookClient(notebook, kernel_name="python3", resources=place, coalesce_streams=True).execute()
    read = [Path(line) for line in notebook.cells.pop().outputs[0].text.splitlines()]
    notebook.cells.pop(0)
    lighten(notebook)
    notebook.metadata = nbformat.from_dict(metadata)  # without the kernel's own remarks
    with atomic_path(path) as tmp:
        nbformat.write(notebook, str(tmp))
    nbdev_clean(str(path))
    ours = (f for f in read if f.exists() and f.is_relative_to(ROOT))
    names = sorted(f.relative_to(ROOT).as_posix() for f in ours)
    return {name: digest(name) for name in names if name.split("/")[0] in FOLDERS}


def main(names):
    "Execute the notebooks that are named, or those whose files have changed."
    with friendly_errors():
        stored = json.loads(EXECUTED.read_text(encoding="utf-8")) if EXECUTED.exists() else {}
        for name in names or sorted({notebook for notebook, _ in changed(stored)}):
            path = ROOT / "nbs" / f"{name}.ipynb"
            if name in ELSEWHERE or not path.exists():
                raise F3AError(f"'{name}' is not a notebook of nbs/ to execute here: give a name such as 00_tour.")
            stored[name] = execute(path)
            save_json(dict(sorted(stored.items())), EXECUTED)
            print(name, "executed; it read", ", ".join(stored[name]) or "no stored file")


if __name__ == "__main__":
    main(sys.argv[1:])
