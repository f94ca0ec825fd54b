"Every notebook runs from a clean kernel: one test a notebook."
import os, subprocess, sys, time
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook(path):
    t = time.time()
    code = f"from nbdev.test import nbdev_test; nbdev_test(path={str(path)!r}, n_workers=0, do_print=True)"
    r = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "agg"})
    assert r.returncode == 0 and "Success" in r.stdout + r.stderr, (r.stdout + r.stderr)[-4000:]
    assert time.time() - t < 240, "a notebook must run in under a minute on two idle cores"
