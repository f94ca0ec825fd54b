"Faces that lie on their sides, stand upside down, or are small in a large picture."

import numpy as np
import pytest
from PIL import Image
from f3a_lite.animation import read_face
from f3a_lite.core import F3AError
from f3a_lite.data.video import iter_frames
from f3a_lite.tracker import LEAST, check_upright, detect_faces, find_faces, no_face, track_frames


@pytest.fixture(scope="module")
def frame(video):
    "One frame of the bundled clip (360,640,3); the face is about 227 pixels wide."
    return next(iter_frames(video))[1]


def turned(frame, degrees):
    "A frame turned counter-clockwise."
    return np.asarray(Image.fromarray(frame).rotate(degrees, Image.BILINEAR, expand=True))


@pytest.mark.parametrize(
    "degrees, message",
    [(45, "45 degrees clockwise"), (-50, "45 degrees counter-clockwise"), (180, "180 degrees first")]
    + [(90, "90 degrees clockwise"), (270, "90 degrees counter-clockwise")],
)
def test_a_turned_photo_says_how_to_turn_it(frame, tmp_path, degrees, message):
    Image.fromarray(turned(frame, degrees)).save(tmp_path / "photo.png")
    with pytest.raises(F3AError, match=message):
        read_face(tmp_path / "photo.png")


def test_a_little_tilt_is_none(frame):
    for degrees in (-20, 20):
        assert len(find_faces(turned(frame, degrees), "photo.png")) == 1


def test_a_tilt_that_is_seen_is_none_however_weakly(frame):
    "Though the detector likes the picture better when it is turned."
    tilted = turned(frame, 30)
    check_upright(tilted, 0.1, "photo.png")
    with pytest.raises(F3AError, match="about 45 degrees clockwise"):
        check_upright(tilted, 0.0, "photo.png")


def test_a_video_that_was_recorded_upside_down(frame):
    with pytest.raises(F3AError, match="'film.mp4' is not upright: turn the picture by about 180 degrees"):
        track_frames([(k / 25, turned(frame, 180)) for k in range(2)], "film.mp4")


def large(frame, width, size=(3000, 4000)):
    "A large plain picture with a face of so many pixels."
    scale = width / 227
    small = Image.fromarray(frame).resize((round(640 * scale), round(360 * scale)), Image.LANCZOS)
    out = Image.new("RGB", size[::-1], (128, 128, 128))
    out.paste(small, (2100, 1300))
    return np.asarray(out)


@pytest.mark.parametrize("width", [160, 75])
def test_a_small_face_in_a_large_picture(frame, width):
    box = detect_faces(large(frame, width), every=True)[0]
    assert abs(box[2] - box[0] - width) < 0.25 * width and 2100 < box[0] < 2100 + 2.82 * width


def test_how_small_a_face_may_be_is_said(frame):
    "60 pixels where that holds; more where the picture is so large that the detector sees it smaller."
    assert f"at least {LEAST} pixels" in str(no_face("a.jpg", (3000, 4000, 3)))
    assert "at least 170 pixels" in str(no_face("a.jpg", (9000, 12000, 3)))


def test_where_a_strong_face_is_seen_nothing_else_is_looked_at(frame, monkeypatch):
    "Neither turned nor at its full size, so that ordinary photos take no longer."
    import f3a_lite.tracker as tracker

    plain, seen = tracker._detect, []
    monkeypatch.setattr(tracker, "_detect", lambda im, zoom, *a, **k: seen.append(zoom) or plain(im, zoom, *a, **k))
    picture = large(frame, 600)
    assert len(find_faces(picture, "a.jpg")) == 1 and max(seen) <= 0.4
    seen.clear()
    track_frames([(0, frame)])
    assert seen == [420 / 640]
