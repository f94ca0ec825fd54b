"Work in several processes: its order, its threads, and processes that die."

import os
import signal
import subprocess
import sys
import time
import pytest
import torch
from f3a_lite.core import F3AError
from f3a_lite.jobs import physical_cores, run_jobs, set_threads

pytestmark = pytest.mark.processes


def double(x):
    "A job."
    return 2 * x


def sleep_and_tell(seconds):
    "A job that takes its time."
    time.sleep(seconds)
    return seconds


def threads_and_process(_):
    "What a worker has: threads of torch, the variable that other libraries read, and its process number."
    time.sleep(0.2)
    return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"), os.environ.get("NUMBA_NUM_THREADS"), os.getpid()


def die(x):
    "A job whose process is killed, as a system without memory does it."
    if x == 2:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return x


def refuse(x):
    "A job with bad input."
    if x == 2:
        raise F3AError("the third job cannot be done")
    return x


@pytest.fixture(autouse=True)
def at_most_a_minute():
    "A test that waits for ever fails instead."

    def stop(*_):
        raise TimeoutError("the jobs never came back")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_killed_worker_is_said_in_a_sentence():
    with pytest.raises(F3AError, match="rendering.*has died.*--workers"):
        list(run_jobs(die, [0, 1, 2, 3, 4, 5], workers=2, desc="rendering", progress=False))
    assert sorted(run_jobs(double, [1, 2, 3], workers=2, progress=False)) == [2, 4, 6], "and the next work is done"


def test_results_come_as_they_are_ready_each_from_one_thread():
    assert list(run_jobs(sleep_and_tell, [3.0, 0.0], workers=2, progress=False)) == [0.0, 3.0]
    before = dict(os.environ)
    facts = list(run_jobs(threads_and_process, range(6), workers=2, progress=False))
    assert {f[:3] for f in facts} == {(1, "1", "1")}
    assert len({f[3] for f in facts}) == 2 and os.getpid() not in {f[3] for f in facts}
    assert dict(os.environ) == before


def test_one_worker_is_this_process_with_one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        facts = list(run_jobs(threads_and_process, [0], workers=1, progress=False))
        assert facts[0][0] == 1 and facts[0][3] == os.getpid() and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_reaches_the_caller(workers):
    with pytest.raises(F3AError, match="the third job"):
        list(run_jobs(refuse, [0, 1, 2, 3], workers=workers, progress=False))


def test_progress_bar_counts_every_job(capsys):
    list(run_jobs(double, [1, 2, 3], desc="doubling"))
    shown = capsys.readouterr().err
    assert "doubling" in shown and "3/3" in shown


def test_threads_are_cores_that_may_be_used(tmp_path, monkeypatch):
    for number, shares in ((0, "0,8"), (1, "1,9"), (8, "0,8"), (9, "1,9")):
        (tmp_path / f"cpu{number}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{number}" / "topology" / "thread_siblings_list").write_text(shares + "\n")
    assert physical_cores([0, 8], tmp_path) == 1, "two hyper-threads of one core"
    assert physical_cores([0, 1, 8, 9], tmp_path) == 2
    assert physical_cores([3, 4], tmp_path) == 2, "nothing is known: each counts"
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})
        try:
            assert physical_cores() == 1
        finally:
            os.sched_setaffinity(0, allowed)
    before = torch.get_num_threads()
    try:
        monkeypatch.setattr("f3a_lite.jobs.physical_cores", lambda: 3)
        monkeypatch.delenv("F3A_THREADS", raising=False)
        assert set_threads() == torch.get_num_threads() == 3
        monkeypatch.setenv("F3A_THREADS", "2")
        assert set_threads() == torch.get_num_threads() == 2 and set_threads(1) == 1
        monkeypatch.setenv("F3A_THREADS", "many")
        for wrong in (None, 0, -1):
            with pytest.raises(F3AError, match="number of threads"):
                set_threads(wrong)
    finally:
        torch.set_num_threads(before)


def test_a_rendered_flow_leaves_the_threads_as_they_were():
    "The rasteriser's compiled loops share a pool of threads with torch; sums depend on their number."
    program = """
import torch
from f3a_lite.jobs import set_threads
from f3a_lite.morphable import open_model
from f3a_lite.rasterizer import rasterize
set_threads(1)
open_model()
v = torch.tensor([[[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]]] * 2)
rasterize(8 * v, torch.tensor([[0, 1, 2]]), 16, 16)
assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    named = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    for more in ({}, {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}):
        env = {**{k: v for k, v in os.environ.items() if k not in named}, **more}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=env)
        assert done.returncode == 0, done.stderr[-1500:]
