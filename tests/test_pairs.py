"Splits and pairs."

import dataclasses
import numpy as np
import pytest
import torch
from conftest import load_program, one_sentence, run_command
from f3a_lite.core import F3AError
from f3a_lite.data import fingerprints, prepare_datasets
from f3a_lite.data.clips import load_clip
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.morphable import open_model
from f3a_lite.pairs import sample_pairs, split_clips, split_frames, split_people
from f3a_lite.synth import rendered_clips
from f3a_lite.ui.prepare import f3a_prepare


def test_frames_that_are_left_out_are_in_no_split(clip):
    "The others stay where they were, so that what was held out of an earlier training is still unseen."
    less = dataclasses.replace(clip, meta={**clip.meta, "leave_out": [[3, 6], [20, 20]]})
    gone = {3, 4, 5, 6, 20}
    before, after = split_clips([clip])[0], split_clips([less])[0]
    for which in before:
        assert after[which].tolist() == [k for k in before[which] if k not in gone]
    assert set(split_people([less])[0]["people"]) == set(range(len(clip))) - gone
    assert less.found.all() and np.flatnonzero(~less.usable).tolist() == sorted(gone)
    for wrong in ([[6, 3]], [3, 6], [[-1, 2]], [["a", 2]], {"frames": []}):
        with pytest.raises(F3AError, match="leave_out"):
            dataclasses.replace(clip, meta={**clip.meta, "leave_out": wrong})


def test_blocks_are_the_stretches_that_the_lesson_names():
    s = split_frames(200, seed=3)
    assert s["block_1"].tolist() == [*range(100, 120)] and s["block_2"].tolist() == [*range(180, 200)]
    assert len(s["random"]) == 16 and len(s["train"]) == 144, "a tenth of the other 160"
    assert sorted(np.concatenate(list(s.values())).tolist()) == list(range(200)), "every frame once"
    again, other = split_frames(200, seed=3), split_frames(200, seed=4)
    assert (again["random"] == s["random"]).all() and not np.array_equal(other["random"], s["random"])
    gaps = np.diff(s["random"])
    assert len(set(gaps.tolist())) > 3 and s["random"].max() > 120 and s["random"].min() < 80, (
        "drawn from all over the clip"
    )


def test_short_clips_have_no_blocks_and_lost_frames_take_no_part():
    assert [len(split_frames(19)[f"block_{k}"]) for k in (1, 2)] == [0, 0]
    assert [len(split_frames(20)[f"block_{k}"]) for k in (1, 2)] == [2, 2]
    found = np.ones(100, bool)
    found[[3, 55, 99]] = False
    s = split_frames(100, found=found)
    assert sorted(np.concatenate(list(s.values())).tolist()) == np.flatnonzero(found).tolist()


@pytest.mark.parametrize("which", ["train", "random", "block_1", "block_2"])
def test_pairs_take_sources_from_training_and_targets_from_where_it_is_said(which):
    splits = [split_frames(60, seed=1), split_frames(240, seed=2)]
    p = sample_pairs(splits, which, 4000, seed=5)
    assert (
        p.shape == (4000, 3)
        and (p == sample_pairs(splits, which, 4000, seed=5)).all()
        and (p != sample_pairs(splits, which, 4000, seed=6)).any()
    )
    for k, s in enumerate(splits):
        mine = p[p[:, 0] == k]
        assert set(mine[:, 1]) == set(s["train"]) and set(mine[:, 2]) == set(s[which]), "all of them, and no other"
    assert (p[:, 1] != p[:, 2]).all()
    share = len(splits[1][which]) / sum(len(s[which]) for s in splits)
    assert abs((p[:, 0] == 1).mean() - share) < 0.03, "clips count by their frames"
    assert abs(np.corrcoef(p[p[:, 0] == 1][:, 1], p[p[:, 0] == 1][:, 2])[0, 1]) < 0.1, (
        "source and target are drawn apart"
    )


def test_pairs_need_two_frames():
    with pytest.raises(F3AError, match="too short"):
        sample_pairs([split_frames(8)], "block_1", 3)
    one = dict(train=np.array([4]), random=np.array([7]), blocks=np.array([], int))
    with pytest.raises(F3AError, match="fewer than two"):
        sample_pairs([one], "train", 3)
    assert sample_pairs([one], "random", 2).tolist() == [[0, 4, 7]] * 2
    two = dict(train=np.array([4, 9]))
    assert {tuple(r) for r in sample_pairs([two], "train", 50).tolist()} == {(0, 4, 9), (0, 9, 4)}


def test_a_model_counts_by_its_numbers():
    m = open_model()
    assert fingerprints.model_fingerprint() == fingerprints.model_fingerprint(m) == m.name
    near = dataclasses.replace(m, mean_shape=m.mean_shape + 1e-3)
    assert fingerprints.model_fingerprint(near) not in (m.name, fingerprints.model_fingerprint(dataclasses.replace(m)))


def test_the_benchmark_of_the_two_fits(clip):
    "A record for the training frames and for each part that is held out; an empty part has none."
    records = load_program("split_fit").compare_fits(clip)
    assert [r.setting["split"] for r in records] == ["train", "random", "block_1", "block_2"]
    assert all(0 < r.mean("error_apart") < 0.05 for r in records) and records[1].mean("expression") > 0


def test_people_as_a_camera_takes_them(tmp_path):
    "The background stands still behind the head, grain is new in every frame, and the clip is drawn once."
    how = dict(frames=4, size=64, fps=4.0, natural=True, progress=False)
    manifest = prepare_datasets.prepare_people(1, tmp_path, **how)
    path = tmp_path / manifest["items"]["person_00000"]["folder"]
    clip, stamp = load_clip(path), (path / "frames.npy").stat().st_mtime_ns
    assert prepare_datasets.prepare_people(1, tmp_path, **how) == manifest
    assert (path / "frames.npy").stat().st_mtime_ns == stamp, "drawn once"
    assert clip.meta["natural"] is True and len(clip) == 4 and clip.meta["param_source"] == "exact"
    frames = np.asarray(clip.frames, float)
    corner = frames[:, :8, :8].mean((1, 2))  # (T,3) smoothed over the grain
    assert np.abs(corner - corner[0]).max() < 4, "the background stands still"
    assert (frames[0] != frames[1]).any()
    plain = prepare_rendered(0, tmp_path / "plain", frames=4, size=64, fps=4.0)
    assert torch.equal(plain.params.rotation, clip.params.rotation), "the same performance"
    assert np.abs(np.asarray(plain.frames, float) - frames).mean() > 3, "before another background"


@pytest.mark.parametrize("name", rendered_clips.SCENES)
def test_backgrounds_are_in_the_package(name):
    "Photographs that scikit-image ships: nothing is fetched."
    picture = rendered_clips.photograph(name)
    assert picture.mode == "RGB" and min(picture.size) >= 256


def test_natural_backgrounds_differ_and_have_their_size():
    backgrounds = [rendered_clips.natural_background(np.random.default_rng(k), 48) for k in range(6)]
    assert all(x.shape == (48, 48, 3) and 0 <= x.min() and x.max() <= 1 for x in backgrounds)
    assert len({x.tobytes() for x in backgrounds}) == 6
    again = rendered_clips.natural_background(np.random.default_rng(3), 48)
    assert np.array_equal(again, backgrounds[3])


def test_one_camera_for_a_whole_clip():
    "Two equal frames differ by grain and compression only; blur, colour and exposure are the clip's."
    image = np.linspace(0.2, 0.8, 32 * 32 * 3).reshape(32, 32, 3).astype(np.float32)
    for k in range(5):
        a, b = rendered_clips.film(np.random.default_rng(k), [image, image]).astype(float)
        assert a.shape == (32, 32, 3) and np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() < 1.5
    one, other = (rendered_clips.film(np.random.default_rng(k), [image])[0].astype(float) for k in (0, 1))
    assert np.abs(one.mean((0, 1)) - other.mean((0, 1))).max() > 2, "two clips, two cameras"


@pytest.mark.parametrize(
    "words, message",
    [
        (["--workers", 2], "--workers goes with --dataset"),
        (["--shard", "1/2"], "--shard goes with --dataset"),
        (["--people", 3, 1], "--people goes with --dataset voxceleb2"),
        (["--bfm", "a.mat", "--dataset", "video"], "--bfm goes with --dataset 300w3d"),
        (["--people", 3, 1, "--dataset", "300vw"], "--people goes with --dataset voxceleb2"),
        (["--landmarks", "l.npy", "--dataset", "video"], "--landmarks goes with one video"),
        (["--tracker", "x.task", "--param-source", "tuned"], "--tracker helps the fit"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, words, message):
    "One sentence before anything is read: neither the video nor the folder is there."
    assert run_command(f3a_prepare, tmp_path / "none.mp4", tmp_path / "out", *words) == 2
    assert message in one_sentence(capsys) and not list(tmp_path.iterdir())
