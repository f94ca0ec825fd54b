"The loop around a training: what is saved, what is refused, and what an interrupt leaves behind."

import copy
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from f3a_lite import jobs
from f3a_lite import pictures
from f3a_lite import core
from f3a_lite import regressor_training
from f3a_lite import systems
from f3a_lite import training
from f3a_lite.core import F3AError, RESUMES, friendly_errors
from f3a_lite.generator import GeneratorConfig
from f3a_lite.checkpoints import (
    DivergedError,
    all_finite,
    find_checkpoint,
    load_checkpoint,
    run_identity,
    save_checkpoint,
)
from f3a_lite.loop import Curves, LogFile, note_interrupts, run_training
from f3a_lite.team import SingleProcess
from f3a_lite.regressor import RegressorConfig
from f3a_lite.regressor_training import RegressorTrainer, RegressorTraining
from f3a_lite.synth.rendered import render_set
from f3a_lite.schedule import TrainConfig, lr_of
from f3a_lite.training import SampleSheets, Trainer
from f3a_lite.data.video import read_image

from conftest import ROOT
import killed_run

CPU = torch.device("cpu")
SMALL = GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))


def small_trainer(clip, **kw):
    "A trainer whose critic takes part from the first step on; a step takes a hundredth of a second."
    cfg = dict(generator=SMALL, size=32, steps=6, batch=2, low_batch=2, lowres_fraction=0.0, gan_fraction=1.0)
    return Trainer(TrainConfig(**{**cfg, **kw}), [clip], device=CPU)


def state(t):
    "Everything of a trainer that a step changes, in full precision."
    optimisers = {n: o.state_dict() for n, o in t.optimisers.items()}
    return copy.deepcopy(dict(net=t.net.state_dict(), optimisers=optimisers, average=t.average, done=t.done))


def read(path):
    "A checkpoint as it lies on disk."
    return torch.load(path, weights_only=True)


def same(a, b):
    "Whether two states are equal to the last bit."
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


class Counter:
    "A trainer that counts; `at` maps a step to what happens in the middle of it."

    def __init__(self, at=None):
        self.done, self.at, self.half, self.team = 0, at or {}, False, SingleProcess("cpu")

    def is_healthy(self):
        return True

    def step(self):
        self.half = True
        self.at.get(self.done, lambda: None)()
        self.half = False
        self.done += 1

    def describe(self):
        return {}

    def save(self, path):
        assert not self.half, "saved in the middle of a step"
        save_checkpoint(path, {}, done=self.done)

    def load(self, path):
        self.done = load_checkpoint(path, {})["done"]


def press(number=signal.SIGINT):
    "What Ctrl-C does."
    signal.raise_signal(number)


# ---- interrupts


@pytest.mark.parametrize("place, seed", [("critic", 1), ("generator", 2), ("save", 3)])
def test_interrupted_at_a_random_moment_and_resumed_is_the_same_run(clip, tmp_path, place, seed):
    "In the critic's step, in the generator's, and while a checkpoint is written."
    whole = small_trainer(clip)
    for _ in range(6):
        whole.step()
    when = int(np.random.default_rng(seed).integers(1, 5))
    t = small_trainer(clip)
    owner, name = (t, "save") if place == "save" else (t.optimisers[place], "step")
    plain, pressed = getattr(owner, name), []

    def pressing(*a, **k):
        if t.done == when and not pressed:
            pressed.append(press())
        return plain(*a, **k)

    setattr(owner, name, pressing)
    with pytest.raises(KeyboardInterrupt):
        run_training(t, 6, tmp_path, save_every=-1)
    assert pressed and t.done < 6
    again = small_trainer(clip)
    assert run_training(again, 6, tmp_path)
    assert same(state(again), state(whole))
    assert read(tmp_path / "checkpoint.pt")["net"]["generator.to_rgb.0.0.weight"].dtype == torch.float32


@pytest.fixture(scope="module")
def undisturbed(clip):
    "The state of the killed run's training, had nobody killed it."
    jobs.set_threads(1)
    t = killed_run.trainer_of(clip.path)
    for _ in range(killed_run.STEPS):
        t.step()
    return state(t)


@pytest.mark.processes
@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 20))])
def test_killed_at_a_random_moment_and_resumed_is_the_same_run(clip, tmp_path, undisturbed, seed):
    "kill -9 while it steps, saves or renames, at any level of its growing; then the same command goes on."
    rng = np.random.default_rng(seed)
    words = [sys.executable, str(ROOT / "tests" / "killed_run.py"), str(clip.path), str(tmp_path)]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT / "tests")
    last = int(rng.integers(1, killed_run.STEPS - 2))
    for line in run.stdout:
        if line.strip() == str(last):
            break
    time.sleep(rng.uniform(0, 0.05))
    run.kill()
    run.communicate()
    jobs.set_threads(1)
    again = killed_run.trainer_of(clip.path)
    assert run_training(again, killed_run.STEPS, tmp_path, progress=False)
    assert len(again.log) == killed_run.STEPS and again.log[last]["step"] == last
    assert same(state(again), undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_loop_after_the_step_with_a_sentence(tmp_path, capsys, number):
    t = Counter({2: lambda: press(number)})
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop, friendly_errors(RESUMES):
        run_training(t, 9, tmp_path)
    assert stop.value.code == 128 + number and "the same command goes on" in capsys.readouterr().err
    assert read(tmp_path / "checkpoint.pt")["done"] == t.done == 3
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    again = Counter()
    assert run_training(again, 9, tmp_path) and again.done == 9


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_stops_at_once_and_saves_nothing(tmp_path, first, second):
    def twice():
        press(first)
        press(second)
        raise AssertionError("the second signal was not heard")

    with pytest.raises(KeyboardInterrupt):
        run_training(Counter({3: twice}), 9, tmp_path)
    assert find_checkpoint(tmp_path) is None


def test_an_error_in_a_step_saves_nothing(tmp_path):
    def break_down():
        raise RuntimeError("out of memory")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="out of memory"):
        run_training(Counter({3: break_down}), 9, tmp_path)
    assert find_checkpoint(tmp_path) is None and signal.getsignal(signal.SIGINT) is before


def test_training_works_off_the_main_thread(tmp_path):
    done = []
    worker = threading.Thread(target=lambda: done.append(run_training(Counter(), 5, tmp_path)))
    worker.start()
    worker.join(30)
    assert done == [True]


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with note_interrupts() as asked:
            press()
        assert asked == [] and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# ---- divergence, and the two checkpoints


def nan_like(loss):
    "A loss that is no number, with a gradient."
    return loss * float("nan")


@pytest.mark.parametrize("place", ["generator", "critic", "weights", "average", "last step"])
def test_a_diverged_run_keeps_its_last_good_checkpoint(clip, tmp_path, monkeypatch, place):
    t = small_trainer(clip)
    optimiser = t.optimisers["generator"]
    step = optimiser.step
    for which, name in (("generator", "weighted_pixel_loss"), ("critic", "critic_loss")):
        plain = getattr(systems, name)
        if place == which:
            monkeypatch.setattr(
                systems, name, lambda *a, plain=plain: nan_like(plain(*a)) if t.done == 3 else plain(*a)
            )

    def spoil(*a):
        step(*a)
        if t.done == (5 if place == "last step" else 3):
            tensor = t.average["to_rgb.0.0.weight"] if place == "average" else t.net.generator.to_rgb[0][0].weight.data
            tensor[0] = float("inf")

    if place in ("weights", "average", "last step"):
        optimiser.step = spoil
    good = 5 if place == "last step" else 3
    with pytest.raises(DivergedError) as e:
        run_training(t, 6, tmp_path, save_every=-1)
    assert f"checkpoint.pt' (step {good}) is good" in str(e.value) and "learning rate" in str(e.value)
    newest, before = read(tmp_path / "checkpoint.pt"), read(tmp_path / "checkpoint-previous.pt")
    assert (newest["done"], before["done"]) == (good, good - 1)
    assert all_finite(newest) and all_finite(before)
    if place in ("generator", "critic"):
        assert all_finite(state(t)), "no optimiser has stepped on that loss"
        assert same(t.optimisers[place].state_dict()["state"], newest["optimisers"][place]["state"])


def test_a_run_that_diverges_before_its_first_checkpoint_says_so(clip, tmp_path, monkeypatch):
    t = small_trainer(clip)
    plain = systems.weighted_pixel_loss
    monkeypatch.setattr(systems, "weighted_pixel_loss", lambda *a: nan_like(plain(*a)))
    with pytest.raises(F3AError, match="there is no checkpoint yet"):
        run_training(t, 6, tmp_path)
    assert find_checkpoint(tmp_path) is None


def test_a_diverged_regressor_keeps_its_last_good_checkpoint(tmp_path, monkeypatch):
    faces = render_set(tmp_path / "faces", 4, progress=False)
    t = RegressorTrainer(RegressorTraining(net=RegressorConfig(base=4, hidden=16), steps=4, batch=2), faces, device=CPU)
    plain = regressor_training.warm_loss
    monkeypatch.setattr(
        regressor_training,
        "warm_loss",
        lambda *a, **k: {n: nan_like(v) if t.done == 2 else v for n, v in plain(*a, **k).items()},
    )
    with pytest.raises(DivergedError, match="step 2"):
        run_training(t, 4, tmp_path, save_every=-1)
    assert read(tmp_path / "checkpoint.pt")["done"] == 2 and all_finite(t.net.state_dict())


def test_finite_is_looked_for_at_every_depth():
    good = dict(a=torch.ones(2), b=[dict(c=torch.ones(1), n=3)], t=(torch.tensor([1]), "text", 1.5))
    assert all_finite(good)
    for bad in (
        dict(good, a=torch.tensor([1.0, float("nan")])),
        dict(good, b=[dict(c=torch.tensor([float("inf")]))]),
        dict(good, t=(float("nan"),)),
    ):
        assert not all_finite(bad)


def test_one_of_the_two_checkpoints_is_there_at_every_moment(tmp_path, monkeypatch):
    t = Counter()
    run_training(t, 3, tmp_path, save_every=-1)
    assert [read(tmp_path / f"checkpoint{n}.pt")["done"] for n in ("", "-previous")] == [3, 2]
    run_training(Counter(), 3, tmp_path)
    assert [read(tmp_path / f"checkpoint{n}.pt")["done"] for n in ("", "-previous")] == [3, 2], (
        "nothing new, nothing written"
    )
    replace_file, calls = os.replace, []

    def cut(a, b):  # a power cut at each of the renames in turn
        calls.append(b)
        if len(calls) == cut.at:
            raise RuntimeError("power cut")
        return replace_file(a, b)

    monkeypatch.setattr(core.os, "replace", cut)
    for cut.at, newest in ((1, 3), (2, 3), (3, 3)):
        calls.clear()
        with pytest.raises(RuntimeError, match="power cut"):
            run_training(Counter(), 9, tmp_path, save_every=-1)
        assert read(find_checkpoint(tmp_path))["done"] == newest
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


# ---- whose checkpoint is it?


def with_meta(clip, **facts):
    "The clip with other facts in its meta."
    return replace(clip, meta={**clip.meta, **facts})


def test_resume_refuses_other_clips(clip, tmp_path):
    t = small_trainer(clip)
    t.step()
    t.save(tmp_path / "c.pt")
    renamed = with_meta(clip, source="renamed.mp4")
    Trainer(t.cfg, [replace(renamed, path=tmp_path)], device=CPU).load(tmp_path / "c.pt")
    for facts, words in (
        (dict(sha256="0" * 64), "other clips"),
        (dict(params="tuned"), "prepared in another way"),
        (dict(crop=[0, 0, 128, 128]), "prepared in another way"),
        (dict(max_frames=7), "prepared in another way"),
        (dict(regressor="0" * 64), "prepared in another way"),
    ):
        with pytest.raises(F3AError, match=f"c.pt.*{words}.*another output folder"):
            Trainer(t.cfg, [with_meta(clip, **facts)], device=CPU).load(tmp_path / "c.pt")
    small = replace(clip, frames=clip.frames[:, ::2, ::2], masks=None, meta={**clip.meta, "size": 64})
    with pytest.raises(F3AError, match="c.pt.*prepared in another way.*another output folder"):
        Trainer(t.cfg, [small], device=CPU).load(tmp_path / "c.pt")
    with pytest.raises(F3AError, match="other clips"):
        Trainer(t.cfg, [clip, clip], device=CPU).load(tmp_path / "c.pt")


def test_resume_refuses_other_first_weights_and_settings(clip, tmp_path):
    t = small_trainer(clip)
    t.init = "a" * 64
    t.step()
    t.save(tmp_path / "c.pt")
    for init in (None, "b" * 64):
        other = small_trainer(clip)
        other.init = init
        with pytest.raises(F3AError, match="other first weights"):
            other.load(tmp_path / "c.pt")
    for kw, words in (
        (dict(lr=0.1), "lr was 0.0008 and is 0.1"),
        (dict(seed=1), "seed was 0 and is 1"),
        (dict(p_identity=0.5), "p_identity"),
        (dict(generator=replace(SMALL, flow_norm=False)), "generator.flow_norm was True and is False"),
    ):
        other = small_trainer(clip, **kw)
        other.init = "a" * 64
        with pytest.raises(F3AError, match=f"other settings.*{words}"):
            other.load(tmp_path / "c.pt")


def test_a_finished_run_can_be_made_longer(clip, tmp_path):
    assert run_training(small_trainer(clip, steps=2), 2, tmp_path)
    longer = small_trainer(clip, steps=5, test_pairs=7)
    assert run_training(longer, 5, tmp_path) and [r["step"] for r in longer.log] == list(range(5))
    assert longer.optimisers["generator"].param_groups[0]["lr"] == lr_of(longer.cfg, 4), (
        "the schedule of the new length"
    )


def test_what_makes_a_run(clip):
    cfg = asdict(TrainConfig())
    this = run_identity(cfg, ("steps", "test_pairs"), [clip])
    assert (
        "steps" not in this
        and "test_pairs" not in this
        and this["lr"] == cfg["lr"]
        and this["generator"]["condition"] == "flow"
    )
    assert this["clips"][0]["sha256"] == clip.meta["sha256"] and json.loads(json.dumps(this)) == this


def test_resume_of_a_regressor_refuses_other_faces_and_clips(clip, tmp_path):
    sets = {seed: render_set(tmp_path / str(seed), 4, seed=seed, progress=False) for seed in (0, 1)}

    def trainer(seed=0, clips=(), steps=2, sub_steps=0, init=None):
        cfg = RegressorTraining(net=RegressorConfig(base=4, hidden=16), steps=steps, sub_steps=sub_steps, batch=2)
        t = RegressorTrainer(cfg, sets[seed], clips, device=CPU)
        t.init = init
        return t

    assert run_training(trainer(), 2, tmp_path)
    for kw, words in (
        (dict(seed=1), "other labelled faces"),
        (dict(clips=[clip]), "other clips"),
        (dict(init="a"), "other first weights"),
    ):
        with pytest.raises(F3AError, match=words):
            run_training(trainer(**kw), 2, tmp_path)
    longer = trainer(steps=3)
    assert run_training(longer, 3, tmp_path) and longer.done == 3
    with pytest.raises(F3AError, match="leave --steps at 3"):
        trainer(steps=2).load(tmp_path / "checkpoint.pt")
    t = trainer(clips=[clip], steps=1, sub_steps=1)
    t.step()
    t.step()
    t.save(tmp_path / "two.pt")
    with pytest.raises(F3AError, match="past its warm-up.*leave --steps at 1"):
        trainer(clips=[clip], steps=2, sub_steps=1).load(tmp_path / "two.pt")
    trainer(clips=[clip], steps=1, sub_steps=9).load(tmp_path / "two.pt")


def test_a_file_that_is_no_checkpoint(tmp_path):
    for name, content in (
        ("text", "junk"),
        ("tensor", torch.ones(3)),
        ("dict", {"config": 3}),
        ("list", {"config": "[]"}),
    ):
        path = tmp_path / f"{name}.pt"
        torch.save(content, path) if name != "text" else path.write_text(content)
        with pytest.raises(F3AError, match=f"{name}.pt' is not a checkpoint"):
            load_checkpoint(path, {})


# ---- what is watched


def test_every_step_is_a_line_and_a_resumed_run_cuts_its_log_back(clip, tmp_path):
    "Lines that were written after the checkpoint go; none comes twice."
    path = tmp_path / "log.jsonl"
    t = small_trainer(clip)
    run_training(t, 3, tmp_path, watchers=[LogFile(path)], progress=False)
    with open(path, "a") as f:
        f.write('{"step": 3, "l1": 9}\n')  # a step that a killed process had done, and not saved
    again = small_trainer(clip)
    run_training(again, 5, tmp_path, watchers=[LogFile(path)], progress=False)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [r["step"] for r in rows] == list(range(5)) and rows == again.log
    assert {"l1", "spread", "pixel", "adversarial", "perceptual", "critic", "size", "seconds"} < set(rows[0])


def test_curves_for_tensorboard(clip, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    t = small_trainer(clip)
    run_training(t, 3, tmp_path, watchers=[Curves(tmp_path / "curves")], progress=False)
    seen = accumulator.EventAccumulator(str(tmp_path / "curves")).Reload()
    assert {"l1", "pixel", "critic"} <= set(seen.Tags()["scalars"])
    assert [round(e.value, 5) for e in seen.Scalars("l1")] == [r["l1"] for r in t.log]
    assert [e.step for e in seen.Scalars("l1")] == [0, 1, 2]


def test_without_tensorboard_there_is_advice(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(F3AError, match=r"pip install 'f3a_lite\[curves\]'"):
        Curves(tmp_path)


def test_sheets_of_the_same_pairs(clip, tmp_path):
    "Source, target and what is made, every so many steps, at the full size also while a small picture is made."
    small = GeneratorConfig(channels=(6, 8), flow_channels=(3, 4), grows=1)
    t = small_trainer(clip, generator=small, steps=4, grow_fraction=0.5)
    run_training(t, 4, tmp_path, watchers=[SampleSheets(tmp_path / "s", 2, pairs=3)], progress=False)
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["step_000002.png", "step_000004.png"]
    first, last = (read_image(tmp_path / "s" / f"step_{k:06d}.png") for k in (2, 4))
    assert first.shape == last.shape == (3 * 32, 3 * 32, 3)
    assert np.abs(first[:64].astype(int) - np.kron(first[:64:2, ::2], np.ones((2, 2, 1)))).max() == 0, "16 pixels wide"
    pairs = training.sample_pairs(t.splits, "random", 3, seed=0)
    wanted = pictures.to_image(training.make_batch([clip], pairs, 32)["target"][1])
    assert np.abs(last[32:64, 32:64].astype(int) - wanted).max() <= 1


def test_a_generator_of_one_colour_stops_and_leaves_the_last_good_checkpoint(clip, tmp_path):
    t = small_trainer(clip, steps=400)
    t.step()
    keep = t.log[0]
    t.log = [dict(keep, step=k, spread=0.5) for k in range(200)]
    t.done = 200
    t.save(tmp_path / "checkpoint.pt")
    before = (tmp_path / "checkpoint.pt").read_bytes()
    again = small_trainer(clip, steps=400)
    make = again.make
    again.make = lambda *a: {"image": 0 * make(*a)["image"] + 0.5}  # nothing is saved from here on, though it is due
    with pytest.raises(DivergedError, match=r"collapsed at step 249.*one colour.*checkpoint.pt' \(step 200\) is good"):
        run_training(again, 400, tmp_path, progress=False, save_every=-1)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_growing_run_cannot_be_made_longer(clip, tmp_path):
    "Its levels belong to its length: a longer one would take it back down."
    small = GeneratorConfig(channels=(6, 8), flow_channels=(3, 4), grows=1)
    t = small_trainer(clip, generator=small, steps=2)
    t.step()
    t.save(tmp_path / "c.pt")
    with pytest.raises(F3AError, match="steps was 2 and is 9"):
        small_trainer(clip, generator=small, steps=9).load(tmp_path / "c.pt")
    with pytest.raises(F3AError, match="steps was 6 and is 9"):
        u = small_trainer(clip, pairs=8)
        u.save(tmp_path / "d.pt")
        small_trainer(clip, pairs=8, steps=9).load(tmp_path / "d.pt")


def test_curves_are_running_means_and_gaps_are_left_out(tmp_path, monkeypatch):
    "What matplotlib is given: a term that begins late, the mean over a fiftieth of the steps, a line where it grows."
    from matplotlib.axes import Axes
    from f3a_lite.loop import draw_curves

    log = [dict(step=k, l1=float(k % 2), size=32 if k < 60 else 64, seconds=1.0) for k in range(100)]
    for row in log[90:]:
        row["critic"] = 3.0
    drawn, lines = [], []
    monkeypatch.setattr(Axes, "plot", lambda self, x, y: drawn.append((self.get_title(), np.array(x), np.array(y))))
    monkeypatch.setattr(Axes, "axvline", lambda self, x, **how: lines.append(x))
    draw_curves(log, tmp_path / "curves.png")
    assert [name for name, *_ in drawn] == ["l1", "critic"] and lines == [60, 60]
    (_, steps, l1), (_, late, critic) = drawn
    assert np.allclose(l1, 0.5) and steps.tolist() == list(range(1, 100)) and (critic == 3).all() and late[0] == 91
    assert read_image(tmp_path / "curves.png").shape[1] > 500
