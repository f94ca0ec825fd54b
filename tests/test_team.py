"""Several processes: they see different pairs, hold equal weights, and make the step that one process makes."""

from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import time
import subprocess
import sys
import numpy as np
import pytest
import torch
from f3a_lite.core import F3AError
from f3a_lite.jobs import set_threads
from f3a_lite.checkpoints import BatchesEnded
from f3a_lite.team import SingleProcess, get_processes
from f3a_lite import training
from f3a_lite.lab.paper_tables import table_records
from f3a_lite.systems import load_system
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer
from conftest import ROOT
from team_run import generator_trainer, regressor_trainer, state_of

pytestmark = pytest.mark.processes

CPU = torch.device("cpu")


def run_team(kind, clip, out, count=2):
    "Run the program beside this file in several processes."
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
    words += [str(ROOT / "tests" / "team_run.py"), kind, str(clip.path), str(out)]
    return launched(words, out).stdout


def launched(words, folder):
    """A finished run of several processes.

    Gloo may abort a process as it ends, after its work is done ("terminate called without an active exception": seen
    three times in some fifty runs on a busy machine; the cause was not found). Such a run is done once more.
    """
    for _ in range(2):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=240, cwd=folder)
        if "terminate called without an active exception" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def close(a, b, atol):
    "Whether two states are equal up to rounding."
    assert a.keys() == b.keys()
    for name in a:
        assert torch.allclose(a[name].double(), b[name].double(), atol=atol, rtol=0), (
            name,
            float((a[name] - b[name]).abs().max()),
        )


@pytest.fixture(scope="module")
def pair_of_generators(clip, tmp_path_factory):
    "What two processes made of four steps."
    out = tmp_path_factory.mktemp("team")
    run_team("generator", clip, out)
    return [torch.load(out / f"generator-{k}.pt", weights_only=True) for k in (0, 1)]


def test_two_processes_hold_the_same_weights(pair_of_generators):
    a, b = pair_of_generators
    assert a["count"] == b["count"] == 2
    for part in ("net", "average"):
        for name, value in a[part].items():
            assert torch.equal(value, b[part][name]), name


def test_two_processes_see_the_two_halves_of_each_step(clip, pair_of_generators):
    "Together they see what one process sees, and no pair twice."
    t = generator_trainer(clip.path)
    for step in range(4):
        whole = t.batches[step][0]["target"]
        halves = [p["batches"][step][0] for p in pair_of_generators]
        assert [len(h) for h in halves] == [len(whole) // 2] * 2
        assert torch.equal(torch.cat(halves), whole)
    assert not torch.equal(*[p["batches"][0][0] for p in pair_of_generators])


def test_two_processes_make_the_steps_of_one(clip, pair_of_generators):
    "Critic, growing and average included; equal up to the rounding of sums in another order."
    set_threads(1)
    t = generator_trainer(clip.path)
    before = {n: v.clone() for n, v in t.net.state_dict().items()}
    for _ in range(4):
        t.step()
    one = state_of(t)
    for part in ("net", "average"):
        close(pair_of_generators[0][part], one[part], 2e-7)
    assert max(float((v - before[n]).abs().max()) for n, v in one["net"].items()) > 1e-4, "they have learned"


def test_parts_one_after_the_other_make_the_same_step(clip):
    "Accumulation: four pairs at once, or two and two."
    whole, parts = generator_trainer(clip.path), generator_trainer(clip.path, accumulate=2)
    assert len(whole.batches[0]) == 1 and len(parts.batches[0]) == 2
    for t in (whole, parts):
        for net in (t.net.critic,):
            net.eval()  # the spectral norm takes a step of its own for each part
        t.net.train = lambda mode=True, net=t.net: net
    for _ in range(3):
        whole.step()
        parts.step()
    close(whole.net.state_dict(), parts.net.state_dict(), 2e-7)


def test_a_regressor_learns_in_two_processes(clip, tmp_path):
    "Equal weights in both, batch norm's running means included."
    run_team("regressor", clip, tmp_path)
    a, b = (torch.load(tmp_path / f"regressor-{k}.pt", weights_only=True) for k in (0, 1))
    for name, value in a["net"].items():
        assert torch.equal(value, b["net"][name]), name
    assert not torch.equal(a["batches"][0], b["batches"][0]), "each has its own faces"
    assert [r["lm"] for r in a["log"]] == [r["lm"] for r in b["log"]], "the log is of both"
    set_threads(1)
    t = regressor_trainer(clip.path)
    before = t.net.state_dict()["fc1.weight"].clone()
    t.step()
    assert not torch.equal(t.net.state_dict()["fc1.weight"], before)


def torchrun(command, words, folder):
    "A command of ours in two processes, as the lesson has it."
    own = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--no-python"]
    own += [str(Path(sys.executable).with_name(command)), *words, "--device", "cpu", "--threads", "1"]
    return launched(own, folder)


def test_the_command_in_two_processes_writes_one_run(clip, tmp_path):
    words = [str(clip.path), "--out", "run", "--size", "32", "--steps", "3", "--batch", "2", "--low-batch", "4"]
    done = torchrun("f3a_train", [*words, "--test-pairs", "2"], tmp_path)
    assert done.stdout.count("wrote run") == 1, "one of them measures and writes"
    files = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"weights.safetensors", "metrics.json", "log.jsonl", "checkpoint.pt"} <= files
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


def test_a_regressor_in_two_processes_renders_once_and_writes_one_run(tmp_path):
    words = ["--out", "run", "--faces", "faces", "--pictures", "6", "--people", "3", "--steps", "2", "--batch", "2"]
    done = torchrun("f3a_train_regressor", [*words, "--base", "4", "--hidden", "16", "--workers", "1"], tmp_path)
    assert done.stdout.count("wrote run") == 1
    assert {"weights.safetensors", "metrics.json", "log.jsonl"} <= {p.name for p in (tmp_path / "run").iterdir()}
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == [0, 1]


def test_pairs_that_cannot_be_shared_are_refused(clip):
    with pytest.raises(F3AError, match="batch is 4 pairs.*accumulate 3.*multiple of 3"):
        Trainer(TrainConfig(batch=4, low_batch=6, accumulate=3), [clip], device=CPU)


def test_who_is_alone_needs_no_accelerate(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    team = get_processes("no", "cpu")
    assert type(team) is SingleProcess and (team.rank, team.count, team.first) == (0, 1, True)
    with pytest.raises(F3AError, match=r"Accelerate: pip install 'f3a_lite\[parallel\]'"):
        get_processes("bf16", "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(F3AError, match="Several processes"):
        get_processes("no", "cpu")


def test_sixteen_bits(clip):
    "The generator's arithmetic is done in bfloat16, its weights and losses stay in 32 bits."
    program = f"""
import torch
from team_run import generator_trainer
plain, t = generator_trainer({str(clip.path)!r}), generator_trainer({str(clip.path)!r}, precision="bf16")
kinds = []
t.net.generator.T_dec[1].deconv.register_forward_hook(lambda m, x, y: kinds.append(y.dtype))
a, b = plain.step(), t.step()
assert set(kinds) == {{torch.bfloat16}}, kinds
assert all(p.dtype == torch.float32 for p in t.net.parameters())
assert 0 < abs(a["pixel"] - b["pixel"]) < 0.02 * a["pixel"], (a, b)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT / "tests", timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_batches_made_ahead_by_other_processes_are_the_same(clip):
    "The loader's workers are started anew (spawn), and carry clips as their folders, not as their frames."
    plain, ahead = generator_trainer(clip.path), generator_trainer(clip.path)
    ahead.workers = 1
    for step in range(3):
        for a, b in zip(plain.parts_of(step), ahead.parts_of(step)):
            assert a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)
    for a, b in zip(plain.parts_of(1), ahead.parts_of(1)):  # a run that goes back, as after a resume
        assert all(torch.equal(a[n], b[n]) for n in a)
    assert ahead.waited > 0
    import pickle

    assert len(pickle.dumps(clip)) < clip.frames.nbytes / 4
    again = pickle.loads(pickle.dumps(clip))
    assert isinstance(again.frames, np.memmap) and np.array_equal(again.frames, clip.frames)
    changed = pickle.loads(pickle.dumps(replace(clip, meta={**clip.meta, "split": 7})))
    assert changed.meta["split"] == 7, "what was changed in memory travels too"


def test_averages_over_one_process_change_nothing():
    program = """
import torch
from f3a_lite.team import Distributed
t = Distributed("no", "cpu")
x = torch.rand(3)
y = x.clone()
t.average([x])
assert torch.equal(x, y) and t.first and t.any(True) and not t.any(False)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(os.name == "nt", reason="process groups have other signals on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_the_whole_group_is_saved(clip, tmp_path, number):
    "A terminal's Ctrl-C goes to the workers too: they leave it to the training, which saves and says how to go on."
    command = [str(Path(sys.executable).with_name("f3a_train")), str(clip.path), "--out", "run", "--size", "32"]
    command += ["--steps", "5000", "--batch", "2", "--low-batch", "2", "--workers", "1", "--device", "cpu"]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    log = tmp_path / "run" / "log.jsonl"
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") > 3:
            break
        time.sleep(0.1)
    os.killpg(run.pid, number)
    said = run.communicate(timeout=60)[1].decode()
    assert run.returncode == 128 + number and "the same command goes on" in said and "Traceback" not in said, said[
        -800:
    ]
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["done"] > 3


@pytest.mark.parametrize("error", [RuntimeError("DataLoader worker exited"), ConnectionResetError(104, ""), EOFError()])
def test_a_worker_that_dies_while_it_hands_a_batch_over(clip, error):
    def dying():
        raise error
        yield

    t = generator_trainer(clip.path)
    t.workers, t.next, t.coming = 1, 0, dying()
    with pytest.raises(BatchesEnded, match="A process that makes batches has ended"):
        t.parts_of(0)


def test_a_worker_has_one_thread(clip):
    "Torch's and the rasteriser's, also after its first flow."
    t = generator_trainer(clip.path)
    loader = training._loader(Threads(t.batches), range(2), 1)
    for seen in loader:
        assert seen == [1, 1]


class Threads(torch.utils.data.Dataset):
    "Makes a batch, and answers how many threads it has then."

    def __init__(self, batches):
        self.batches = batches

    def __getitem__(self, step):
        import numba

        self.batches[step]
        return [torch.get_num_threads(), numba.get_num_threads()]


def test_precisions_that_cannot_be(tmp_path):
    for precision, device, said in (("fp16", "cpu", "needs a CUDA GPU"), ("bf16", "cuda:1", "without a number")):
        with pytest.raises(F3AError, match=said):
            get_processes(precision, device)


def test_a_row_of_a_table_by_two_processes(clip, tmp_path):
    "They train it together; the first one measures and writes, once, and both know that all is done."
    said = run_team("tables", clip, tmp_path)
    assert all(f"process {k} of 2 has 0 jobs left" in said for k in (0, 1))
    records = table_records("bundled", tmp_path / "results", pictures=16)
    rows = [(r.name, r.setting["split"], r.setting["noise"]) for r in records]
    assert len(rows) == len(set(rows)) == 8 and {name for name, _, _ in rows} == {"copying", "warping", "flow"}
    (path,) = (tmp_path / "runs" / "tables").glob("*/weights.safetensors")
    assert load_system(path).info["steps"] == 2
