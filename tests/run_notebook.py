"What test_notebooks.py runs in a process of its own; it imports little, for its process is there with all imports."

import atexit
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run_notebook(path, log):
    "Execute a notebook as nbdev does. What it prints goes into a file; the exit code says whether it ran through."
    os.chdir(ROOT)
    with open(log, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8", closefd=False, buffering=1) for fd in (1, 2))
    from matplotlib_inline import backend_inline
    from nbdev.test import nbdev_test

    formats = backend_inline.set_matplotlib_formats
    backend_inline.set_matplotlib_formats = lambda *names: formats("png", dpi=40)  # nobody looks at these figures
    try:
        nbdev_test(path=str(path), n_workers=0, do_print=True)
    finally:
        atexit._run_exitfuncs()  # a forked process ends without them, and they delete temporary folders
