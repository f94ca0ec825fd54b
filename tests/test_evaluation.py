"Evaluation on held-out frames."

import math
from dataclasses import replace
import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite import conditions
from f3a_lite.core import F3AError
from f3a_lite.lab import evaluation
from f3a_lite.lab.evaluation import evaluate, identity_psnr, measure_pairs
from f3a_lite.lab.results import find_record
from f3a_lite.pairs import make_batch, sample_pairs, split_clips, split_frames, split_people
from f3a_lite.registry import make_system
from f3a_lite.schedule import TrainConfig
from f3a_lite.systems import Copying, System
from f3a_lite.ui.train import f3a_train
from helpers import KINDS, small_trainer


def test_figures_are_measured_on_held_out_frames(clip, monkeypatch):
    "Every pair of every split: the source is a training frame, the target a held-out one of that split."
    seen, plain = [], evaluation.measure_pairs

    def spy(system, clips, pairs, *a, **k):
        b = make_batch(clips, pairs, 32)
        error = ((b["source"] - b["target"]).abs() * b["valid"]).sum((1, 2, 3)) / b["valid"].sum((1, 2, 3)) / 3
        seen.append((pairs, error))
        return plain(system, clips, pairs, *a, **k)

    monkeypatch.setattr(evaluation, "measure_pairs", spy)
    records = evaluate(None, [clip], n=16, samples=2, size=32)
    split = split_frames(len(clip), found=clip.found)
    assert {r.setting.get("split") for r in records} - {None} == {"random", "block_1", "block_2"}
    assert len(seen) == 12
    for k, which in enumerate(("random", "block_1", "block_2")):
        part = seen[4 * k : 4 * k + 4]
        pairs = np.concatenate([p for p, _ in part])
        assert len(pairs) == 32
        assert set(pairs[:, 1]) <= set(split["train"]) and set(pairs[:, 2]) <= set(split[which])
        assert not set(pairs[:, 2]) & set(split["train"])
        samples = [torch.cat([e for _, e in part[i : i + 2]]).mean() for i in (0, 2)]
        stored = find_record(records, "copying", split=which).figures["mae"]
        assert math.isclose(stored["mean"], np.mean(samples), rel_tol=1e-4) and stored["n"] == 2
        assert math.isclose(stored["sd"], np.std(samples, ddof=1), rel_tol=1e-3, abs_tol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_read_each_frame_once_and_make_each_flow_once(clip, monkeypatch, kind):
    "Eight pairs: 16 frames are read, 16 meshes posed, and the mesh of each target is rasterised once."
    read, posed, drawn = [], [], []
    images, flows, rasterize = type(clip).images, conditions.flow_between, conditions.rasterize_map
    usual = conditions.pose

    def count(*args, **kw):
        drawn.append(len(args[0]))
        return rasterize(*args, **kw)

    monkeypatch.setattr(type(clip), "images", lambda self, i: read.append(i) or images(self, i))
    monkeypatch.setattr(conditions, "pose", lambda model, params: posed.append(len(params)) or usual(model, params))
    monkeypatch.setattr(conditions, "rasterize_map", count)
    monkeypatch.setattr(conditions, "flow_between", lambda *a: drawn.append(len(a[1])) or flows(*a))
    system = make_system(kind, **(dict(channels=(8, 8), flow_channels=(4, 4)) if kind == "f3a_gan" else {}))
    measure_pairs(system, [clip], sample_pairs(split_clips([clip]), "random", 8), 32)
    assert len(read) == 16 and sum(posed) == 16
    assert drawn == ([8] if kind == "f3a_gan" else [8] * 5), (
        "T_warp's maps: the target's, mouth's opening, teeth; the source's depth and mouth"
    )


def test_a_clip_that_was_fitted_as_one_is_not_measured(clip):
    "Its held-out frames took part in its fit; another seed of the split is another split."
    whole = replace(clip, meta={**clip.meta, "split": None})
    for use in (lambda: evaluate(None, [whole], n=4, samples=1, size=32), lambda: small_trainer(whole)):
        with pytest.raises(F3AError, match="was fitted as one"):
            use()
    other = split_clips([replace(clip, meta={**clip.meta, "split": 7})])[0]
    assert set(other["random"]) == set(split_frames(len(clip), 7, found=clip.found)["random"])
    drawn = replace(clip, meta={**clip.meta, "split": None, "param_source": "exact"})
    assert len(split_clips([drawn])[0]["train"]), "rendered clips have no fit that could leak"


def test_whole_people_are_held_out(clip, monkeypatch):
    "Of a person that training never saw, any frame is a source and any a target."
    split = split_people([clip])
    pairs = sample_pairs(split, "people", 200, seed=1)
    usual = split_frames(len(clip), found=clip.found)
    for column in (1, 2):
        for which in ("train", "random", "block_1", "block_2"):
            assert set(pairs[:, column]) & set(usual[which])
    records = evaluate(None, [clip, clip], split_clips([clip]) + split, n=8, samples=2, size=32)
    assert {r.setting["split"] for r in records if "split" in r.setting} == {"random", "block_1", "block_2", "people"}
    assert all(r.figures["mae"]["n"] == 2 for r in records if r.setting.get("split") == "people")


def test_t_warp_says_what_it_needs(clip, capsys):
    for words in (["--anchor", "source"], ["--condition", "aus"]):
        assert run_command(f3a_train, clip.path, "--system", "t_warp", *words) == 2
        assert "invalid choice" in capsys.readouterr().err.lower()
    assert TrainConfig(system="t_warp").generator.condition == "geometry_maps"


def test_distances_to_the_training_frames(clip):
    "Frames of a block that are far from training have figures of their own."
    split = split_frames(200)
    away = evaluation.train_distance(split, split["block_2"])
    assert away.max() == 20 and away.min() == 1
    records = evaluate(None, [clip], n=16, samples=2, size=32)
    near = find_record(records, "copying", distance="1 to 5 frames away")
    assert near.figures["psnr"]["n"] == 2, "two samples, each over all splits"
    one, two = [(0, dict(psnr=np.array([1.0]))), (0, dict(psnr=np.array([2.0, 3.0, 4.0])))]
    assert evaluation.merge_samples([one, two]) == [dict(psnr=2.5)], "every pair counts once"


def test_shuffled_means_the_condition_of_another_pair(clip):
    pairs = sample_pairs(split_clips([clip]), "train", 3, seed=4)
    b = make_batch([clip], pairs, 32)
    asked = []

    class Echo(Copying):
        "Answers with its source, and remembers what it was told."

        title, generate = "echo", System.generate

        def forward(self, source, condition, stage=None):
            asked.append((source, condition))
            return dict(image=source)

    rows = measure_pairs(Echo(), [clip], pairs, 32, shuffle=True)
    assert set(rows) == {"copying", "warping only", "echo", "shuffled"}
    (_, condition), (source, other) = asked
    assert torch.equal(source, b["source"]) and torch.equal(condition, b["condition"])
    for k in range(3):
        assert torch.equal(other[k], b["condition"][k - 1]) and not torch.equal(other[k], b["condition"][k])


def test_no_motion_is_measured_against_the_picture_itself(clip):
    "A system that answers with its source is perfect; one that adds 0.1 has 20 dB."

    class Adding(Copying):
        title, generate = "one", System.generate
        add = 0.1

        def forward(self, source, condition, stage=None):
            assert float(condition.abs().max()) < 1e-5
            return dict(image=source + self.add)

    system = Adding()
    assert abs(identity_psnr(system, clip, 4, 32) - 20) < 0.01
    system.add = 0.0
    assert identity_psnr(system, clip, 4, 32) > 60


def test_values_pair_by_pair_are_kept(clip):
    "Their means are the figures, and each pair knows its turn and its distance."
    kept, splits = {}, split_clips([clip])
    records = evaluate(None, [clip], splits, n=6, samples=2, size=64, kept=kept)
    for record in (r for r in records if "split" in r.setting):
        values = kept[record.name, record.setting["split"]]
        assert {len(v) for v in values.values()} == {12}
        assert values["mae"].mean() == pytest.approx(record.mean("mae"), rel=1e-6)
    pairs = sample_pairs(splits, "random", 6, seed=(123, 0))
    values = kept["copying", "random"]
    assert (values["away"][:6] == np.abs(pairs[:, 2] - pairs[:, 1])).all()
    turns = clip.params.rotation[pairs[:, 2], 1] - clip.params.rotation[pairs[:, 1], 1]
    assert np.allclose(values["yaw"][:6], np.rad2deg(np.abs(turns.numpy())), atol=1e-3)
