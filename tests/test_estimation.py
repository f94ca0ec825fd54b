"Where parameters come from; test frames have no say."

import numpy as np
import pytest
import torch
from f3a_lite.core import F3AError
from f3a_lite import fitting
from f3a_lite.data import estimation
from f3a_lite.data.estimation import training_frames
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error
from f3a_lite.morphable import open_model
from f3a_lite.pairs import split_frames
from f3a_lite.regressor import load_regressor
from f3a_lite.landmarks import Track
from helpers import with_noisy_frame


def unlike(a, b):
    "Frames whose parameters differ by a single bit."
    same = torch.ones(len(a), dtype=torch.bool)
    for name in ("id_coeff", "exp_coeff", "rotation", "translation"):
        same &= (getattr(a, name) == getattr(b, name)).all(1)
    return np.flatnonzero(~(same & (a.scale == b.scale)).numpy()).tolist()


def track_of(clip, points=None, found=None):
    "The track of a prepared clip on its image plane, or one with other points or other lost frames."
    found = clip.found if found is None else found
    return Track(clip.landmarks if points is None else points, found, found, np.arange(len(found)))


@pytest.fixture(scope="module")
def fitted(clip):
    return estimation.estimate_params("fit", open_model(), track_of(clip), clip.frames, 0)


@pytest.mark.parametrize("which", ["random", "block_1", "block_2"])
def test_a_held_out_frame_has_no_say_in_any_other(clip, fitted, which):
    frame = int(split_frames(len(clip), found=clip.found)[which][0])
    disturbed = with_noisy_frame(clip, frame)
    after = estimation.estimate_params("fit", open_model(), track_of(clip, disturbed), clip.frames, 0)
    assert unlike(fitted, after) == [frame]


def test_held_out_frames_have_no_say_in_each_other(clip, fitted):
    "All but one become larger: the one stays as it was, its unit of length too."
    split = split_frames(len(clip), found=clip.found)
    held = np.concatenate([split[k] for k in ("random", "block_1", "block_2")])
    points = clip.landmarks.clone()
    points[held[1:]] *= 1.3
    after = estimation.estimate_params("fit", open_model(), track_of(clip, points), clip.frames, 0)
    assert sorted(unlike(fitted, after)) == sorted(held[1:].tolist())


def test_a_training_frame_has(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["train"][3])
    disturbed = with_noisy_frame(clip, frame)
    after = estimation.estimate_params("fit", open_model(), track_of(clip, disturbed), clip.frames, 0)
    assert len(unlike(fitted, after)) == len(clip), "the identity is everybody's"


def test_without_a_split_all_frames_are_one(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["block_1"][0])
    one = fit_landmarks(open_model(), clip.landmarks, clip.found)
    assert unlike(one, estimation.estimate_params("fit", open_model(), track_of(clip), clip.frames)) == []
    disturbed = with_noisy_frame(clip, frame)
    after = estimation.estimate_params("fit", open_model(), track_of(clip, disturbed), clip.frames)
    assert len(unlike(one, after)) == len(clip) and unlike(one, fitted)
    assert clip.meta["split"] == 0 and unlike(clip.params, fitted) == [], "prepare_clip fits by the split"


def test_held_out_frames_are_fitted_as_well(clip, fitted):
    "Each by itself, they lie on their landmarks; nothing ties them to their neighbours."
    error = landmark_error(open_model(), fitted, clip.landmarks)
    held = np.concatenate([split_frames(len(clip))[k] for k in ("random", "block_1", "block_2")])
    assert error[held].max() < 0.04
    alone = fit_landmarks(
        open_model(),
        clip.landmarks[held[:1]],
        cfg=FitConfig(smooth_exp=0.0, smooth_pose=0.0),
        identity=fitted.id_coeff[:1],
    )
    assert (alone.rotation - fitted.rotation[held[:1]]).abs().max() < 0.02


def test_a_clip_fits_its_training_frames_with_their_numbers(clip, monkeypatch):
    "The smoothing must know where frames are missing; held-out frames come without a number."
    whole, numbers = fitting.fit_landmarks, []
    monkeypatch.setattr(fitting, "fit_landmarks", lambda *a, **kw: numbers.append(kw.get("frames")) or whole(*a, **kw))
    fitting.fit_clip(open_model(), track_of(clip), training_frames(clip.found))
    assert numbers[0].tolist() == split_frames(len(clip), found=clip.found)["train"].tolist() and numbers[1] is None


def test_lost_frames_take_the_nearest_training_frame(clip):
    found = clip.found.copy()
    found[[2, 22]] = False
    split = split_frames(len(clip), found=found)
    p = fitting.fit_clip(open_model(), track_of(clip, found=found), training_frames(found))
    train = fit_landmarks(open_model(), clip.landmarks[split["train"]], frames=split["train"])
    assert unlike(p[torch.from_numpy(split["train"])], train) == []
    for k in (2, 22):
        nearest = split["train"][np.abs(split["train"] - k).argmin()]
        assert torch.equal(p.rotation[k], p.rotation[nearest]) and torch.equal(p.exp_coeff[k], p.exp_coeff[nearest])
    points = clip.landmarks.clone()
    points[[2, 22]] = 3.0
    assert unlike(p, fitting.fit_clip(open_model(), track_of(clip, points, found), training_frames(found))) == []


def test_a_clip_without_training_frames_is_fitted_as_a_whole():
    found = np.zeros(100, bool)
    found[52:58] = True
    assert len(split_frames(100, found=found)["train"]) == 0
    assert (estimation.training_frames(found) == found).all()
    mine = estimation.training_frames(np.ones(100, bool), 3)
    assert np.flatnonzero(mine).tolist() == split_frames(100, 3)["train"].tolist()
    assert estimation.training_frames(np.ones(100, bool), None).all()


def test_the_regressor_and_its_tuning_know_the_training_frames_only(clip, monkeypatch):
    seen = []
    monkeypatch.setattr(estimation, "finetune", lambda net, x, m, found, progress: seen.append(found) or net)
    args = open_model(), track_of(clip), clip.frames
    tuned = estimation.estimate_params("tuned", *args, 0)
    train = split_frames(len(clip), found=clip.found)["train"]
    assert np.flatnonzero(seen[0]).tolist() == train.tolist()
    p = estimation.estimate_params("regressor", *args, 0)
    assert unlike(p, tuned) == []
    each = load_regressor().predict(clip.images(range(len(clip)))).id_coeff
    assert torch.allclose(p.id_coeff[0], each[train].mean(0), atol=1e-4)
    assert not torch.allclose(p.id_coeff[0], each.mean(0), atol=1e-4)


def test_smoothing_falls_with_the_square_of_the_gap(clip):
    "Two frames far apart are held together by a hundredth of the spring of two that are ten times nearer."
    two = clip.landmarks[[0, 39]]

    def apart(frames, smooth):
        p = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=smooth), frames=frames)
        return float((p.rotation[1] - p.rotation[0]).norm())

    assert apart([0, 1], 10.0) < 0.5 * apart([0, 100], 10.0)
    same = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=10.0, smooth_exp=0.5), frames=[7, 17])
    weak = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=0.1, smooth_exp=0.005))
    assert torch.allclose(same.rotation, weak.rotation, atol=1e-4)
    for wrong in ([0, 0], [1, 0], [0, 1, 2]):
        with pytest.raises(F3AError, match="whole numbers that rise"):
            fit_landmarks(open_model(), two, frames=wrong)
