"Landmarks that others made: 300W-LP, frames counted from 0 or as they are stored, arrays of several forms."

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from conftest import write_movie
from f3a_lite.core import F3AError
from f3a_lite.data.datasets import read_annotated_frames, read_annotation, read_photo
from f3a_lite.data.prepare import find_face, given_landmarks
from f3a_lite.data.video import iter_frames, video_info
from f3a_lite.fitting import landmark_error
from f3a_lite.morphable import open_model
from f3a_lite.tracker import detect_faces, place_landmarks

GRID = np.stack(np.meshgrid(np.arange(8.0), np.arange(9.0)), -1).reshape(-1, 2)[:68] * 8 + 20  # (68,2)


def write_pts(path, points):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(f"{x} {y}" for x, y in points + 1)
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")


def test_300w_lp(tmp_path, video):
    "Its landmarks are in pt2d, counted from 1 and without depth; the open model is fitted to them."
    frame = next(iter_frames(video))[1]
    points = place_landmarks(frame, detect_faces(frame)[0])
    Image.fromarray(frame).save(tmp_path / "a.png")
    pose = np.array([[0, 0, 0, 300, 180, 0, 1e-3]])
    rest = {"Shape_Para": np.zeros((199, 1)), "Exp_Para": np.zeros((29, 1)), "Pose_Para": pose}
    savemat(tmp_path / "a.mat", {**rest, "pt2d": points.T + 1, "roi": np.zeros((1, 4))})
    assert np.allclose(read_annotation(tmp_path / "a.mat").points, points)
    savemat(tmp_path / "rows.mat", {**rest, "pt2d": points + 1})
    assert np.allclose(read_annotation(tmp_path / "rows.mat").points, points), "a point a row, as other programs write"
    picture, params, landmarks, real = read_photo(tmp_path / "a.mat")
    assert picture.shape == (128, 128, 3)
    assert landmark_error(open_model(), params, landmarks[None].float()).item() < 0.04


def test_an_annotation_without_landmarks(tmp_path):
    rest = {"Shape_Para": np.zeros((199, 1)), "Exp_Para": np.zeros((29, 1)), "Pose_Para": np.zeros((1, 7))}
    savemat(tmp_path / "a.mat", rest)
    with pytest.raises(F3AError, match="pt3d_68.*300W-LP"):
        read_annotation(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {**rest, "pt2d": np.zeros((2, 21))})
    with pytest.raises(F3AError, match="pt2d holds 42 numbers, expected 136"):
        read_annotation(tmp_path / "a.mat")


@pytest.mark.parametrize("first", [0, 1])
def test_frames_counted_from_0_or_1(tmp_path, first):
    "No landmark is a frame early, and none is lost."
    for k in range(10):
        write_pts(tmp_path / "annot" / f"{k + first:06d}.pts", GRID + k)
    marks, ok, problems = read_annotated_frames(tmp_path / "annot", 10)
    assert ok.all() and not problems and np.allclose(marks, [GRID + k for k in range(10)])


@pytest.fixture
def uneven(tmp_path):
    "A video of 12 frames, the first six 40 ms and the others 80 ms apart; each frame is a grey of its own."
    pts = [40 * k for k in range(6)] + [240 + 80 * k for k in range(6)]
    frames = [np.full((120, 120, 3), 20 * k, np.uint8) for k in range(12)]
    return write_movie(tmp_path / "uneven.mp4", frames, pts=pts)


@pytest.mark.parametrize("kind", ["pts", "npy"])
def test_frames_of_a_changing_rate_are_counted_as_stored(uneven, tmp_path, kind):
    "Every frame of the clip has the landmarks of the stored frame that it shows."
    if kind == "pts":
        own = tmp_path / "annot"
        for k in range(12):
            write_pts(own / f"{k + 1:06d}.pts", GRID + k)
    else:
        own = tmp_path / "own.npy"
        np.save(own, [GRID + k for k in range(12)])
    info = video_info(uneven)
    track, problems = find_face(uneven, info, own)
    shown = [round(f.mean() / 20) for _, f in iter_frames(uneven, info.fps)]
    assert len(set(np.diff(shown))) > 1 and not problems
    assert np.allclose(track.landmarks[:, 0, 0] - GRID[0, 0], shown)


def test_fewer_frames_than_the_video_has(uneven, tmp_path):
    "Landmarks of the whole video, of which only the first frames are used."
    np.save(tmp_path / "own.npy", [GRID + k for k in range(12)])
    track, _ = find_face(uneven, video_info(uneven), tmp_path / "own.npy", max_frames=3)
    assert len(track.landmarks) == len(track.times) == len(track.found) == 3


def test_a_frame_without_a_face(tmp_path):
    "Not-a-number says that there is none; the nearest landmarks are held."
    own = np.stack([GRID + k for k in range(5)])
    own[2:4] = np.nan
    np.save(tmp_path / "own.npy", own)
    track, _ = given_landmarks(tmp_path / "own.npy", [0, 1, 2, 3, 4])
    assert track.found.tolist() == [True, True, False, False, True]
    assert np.allclose(track.landmarks[2], own[1]) and np.allclose(track.landmarks[3], own[4])
    own[1, 0, 0] = np.nan
    np.save(tmp_path / "own.npy", own)
    with pytest.raises(F3AError, match="not finite"):
        given_landmarks(tmp_path / "own.npy", [0, 1, 2, 3, 4])
    np.save(tmp_path / "own.npy", own * np.nan)
    with pytest.raises(F3AError, match="not finite"):
        given_landmarks(tmp_path / "own.npy", [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    "shape, message",
    [((5, 2, 68), "points last"), ((5, 136), "in one row"), ((5, 68, 3), "with depth")] + [((4, 68, 2), "4")],
)
def test_arrays_of_another_form(tmp_path, shape, message):
    np.save(tmp_path / "own.npy", np.zeros(shape))
    with pytest.raises(F3AError, match=rf"own.npy.*{message}.*\(5, 68, 2\)"):
        given_landmarks(tmp_path / "own.npy", [0, 1, 2, 3, 4])
