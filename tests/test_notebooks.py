"Every notebook runs in a process of its own, one test a notebook; what it shows is of today's weights and results."

import json
import multiprocessing
import re
import time
from pathlib import Path
from conftest import load_program
import pytest
from run_notebook import run_notebook

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
EXECUTED = json.loads((ROOT / "nbs" / "executed.json").read_text(encoding="utf-8"))
LIMIT = 240  # seconds: four times what a notebook may need on two idle cores, for machines that are slow or busy


# A notebook needs a second or two for its imports, more than most of them need for their work. So each is run by a fork
# of a process that has imported what they share, and has done nothing else; where there is no fork, by a new process.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
START = multiprocessing.get_context(METHOD)
if METHOD == "forkserver":
    START.set_forkserver_preload(["nbdev.test", "fastcore.test", "matplotlib.pyplot", "f3a_lite.ui.demo"])


@pytest.mark.processes
@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != "index"], ids=lambda p: p.stem)
def test_notebook(path, tmp_path):
    "The index is executed by the test that compares it with the README."
    t = time.time()
    process = START.Process(target=run_notebook, args=(path, tmp_path / "log"))
    process.start()
    process.join()
    seconds = time.time() - t
    said = (tmp_path / "log").read_text(encoding="utf-8", errors="replace")
    assert process.exitcode == 0 and "Success" in said, said[-4000:]
    assert seconds < LIMIT, (
        f"{path.name} took {seconds:.0f} s here. This test allows {LIMIT} s, on any machine; "
        "the aim is 60 s on two idle cores, which is not checked: time it there, and load a stored result "
        "where it is slower."
    )


def test_notebooks_were_executed_with_todays_files():
    """No bundled file and no result has changed since a notebook that read it was executed.

    `python tools/executed.py` executes the notebooks whose files have changed and writes nbs/executed.json;
    `python tools/executed.py 07_regressor` executes one. Read their prose beside the new figures.
    """
    changed = load_program("executed").changed(EXECUTED)
    old = [f"nbs/{notebook}.ipynb shows another {file} than today's" for notebook, file in changed]
    assert not old, "\n".join([*old, "Run `python tools/executed.py`, and read the prose beside the new outputs."])


def named_files(path):
    "The bundled and result files that the cells of a notebook name; exported cells only define functions."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    code = "\n".join(c for c in code if not c.startswith("#| export"))
    bundled = {f"data_samples/{name}" for name in re.findall(r'data_path\("([^"]+)"\)', code)}
    return bundled | {f"results/{name}" for name in re.findall(r'stored_records\("(\w+\.json)"', code)}


def test_what_notebooks_read_is_recorded():
    "Without the index, which the README's test watches."
    named = {path.stem: named_files(path) for path in NOTEBOOKS if path.stem != "index"}
    assert sum(map(bool, named.values())) >= 15
    missing = {name: files - set(EXECUTED.get(name, ())) for name, files in named.items()}
    missing = {name: sorted(files) for name, files in missing.items() if files}
    assert not missing, f"{missing}: run `python tools/executed.py {' '.join(missing)}`"


def test_photographs_are_stored_as_jpeg():
    "A PNG is stored only where a JPEG would hardly be smaller, and all outputs together are light."
    as_stored, size = load_program("executed").as_stored, 0
    heavy = []
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            size += len(json.dumps(cell.get("outputs", [])))
            pictures = (output.get("data", {}).get("image/png") for output in cell.get("outputs", []))
            if any("image/png" not in as_stored("".join(p)) for p in pictures if p):
                heavy.append(f"nbs/{path.name}, cell {cell['id']}")
    assert not heavy, f"{heavy}: run `python tools/executed.py`, which stores photographs as JPEG."
    assert size < 5e6, f"{size / 1e6:.1f} MB of outputs"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_output_names_a_place_of_this_machine(path):
    "Neither a temporary folder, which has another name at each run, nor a home."
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            said = [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text/"))]
            text = "".join("".join(lines) for lines in said)
            assert not re.search(r"/(tmp|home|root|Users|var/folders)/", text), f"{cell['id']}: {text[:200]}"
