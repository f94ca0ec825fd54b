"""Several processes: they see different pairs, hold equal weights, and make the step that one process makes."""

from pathlib import Path
import subprocess
import sys
import numpy as np
import pytest
import torch
from f3a_lite.core import F3AError, set_threads
from f3a_lite.loop import Alone, find_team
from f3a_lite.training import TrainConfig, Trainer
from conftest import ROOT
from team_run import generator_trainer, regressor_trainer, state_of

CPU = torch.device("cpu")


def run_team(kind, clip, out, count=2):
    "Run the program beside this file in several processes."
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]
    words += [str(ROOT / "tests" / "team_run.py"), kind, str(clip.path), str(out)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=240, cwd=out)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


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
        halves = [p["seen"][step][0] for p in pair_of_generators]
        assert [len(h) for h in halves] == [len(whole) // 2] * 2
        assert torch.equal(torch.cat(halves), whole)
    assert not torch.equal(*[p["seen"][0][0] for p in pair_of_generators])


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
    assert [r["lm"] for r in a["log"]] != [r["lm"] for r in b["log"]], "each has its own faces"
    set_threads(1)
    t = regressor_trainer(clip.path)
    before = t.net.state_dict()["fc1.weight"].clone()
    t.step()
    assert not torch.equal(t.net.state_dict()["fc1.weight"], before)


def test_the_command_in_two_processes_writes_one_run(clip, tmp_path):
    "As the lesson has it: torchrun, and the command itself."
    command = Path(sys.executable).with_name("f3a_train")
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--no-python", str(command)]
    words += [str(clip.path), "--out", "run", "--size", "32", "--steps", "3", "--batch", "2", "--low-batch", "4"]
    words += ["--test-pairs", "2", "--device", "cpu", "--threads", "1"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("wrote run") == 1, "one of them measures and writes"
    files = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"weights.safetensors", "metrics.json", "log.jsonl", "checkpoint.pt"} <= files
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


def test_pairs_that_cannot_be_shared_are_refused(clip):
    with pytest.raises(F3AError, match="batch is 4 pairs.*accumulate 3.*multiple of 3"):
        Trainer(TrainConfig(batch=4, low_batch=6, accumulate=3), [clip], device=CPU)


def test_who_is_alone_needs_no_accelerate(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    team = find_team("no", "cpu")
    assert type(team) is Alone and (team.rank, team.count, team.first) == (0, 1, True)
    with pytest.raises(F3AError, match=r"Accelerate: pip install 'f3a_lite\[parallel\]'"):
        find_team("bf16", "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(F3AError, match="Several processes"):
        find_team("no", "cpu")


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

    assert len(pickle.dumps(clip)) < 2000
    again = pickle.loads(pickle.dumps(clip))
    assert np.array_equal(again.frames, clip.frames) and again.meta == clip.meta


def test_averages_over_one_process_change_nothing():
    program = """
import torch
from f3a_lite.loop import Team
t = Team("no", "cpu")
x = torch.rand(3)
y = x.clone()
t.average([x])
assert torch.equal(x, y) and t.first and t.any(True) and not t.any(False)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
