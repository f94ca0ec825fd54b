"The tracker."

from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pytest
import skimage.data
from PIL import Image
from f3a_lite import landmarks, tracker
from f3a_lite.core import F3AError
from f3a_lite.data.frames import read_image
from f3a_lite.data.video import iter_frames, video_info, write_video
from f3a_lite.landmarks import (
    Track,
    check_face_size,
    check_points,
    crop_square,
    face_embedding,
    head_crop,
    resize_square,
)
from f3a_lite.tracker import Tracker, detect_faces, place_landmarks, track_frames
from helpers import face_at, in_crop

BLANK = np.zeros((1000, 1000, 3), np.uint8)  # where the stage says what is seen


def test_landmarks_grow_with_the_picture(filmed):
    "Twice the picture, twice the points: they are right to a fraction of a pixel."
    big = np.asarray(Image.fromarray(filmed[0]).resize((960, 540), Image.BICUBIC))
    a, b = (place_landmarks(im, detect_faces(im)[0]) for im in (filmed[0], big))
    eye = np.linalg.norm(a[36] - a[45])
    assert np.linalg.norm((b + 0.5) / 2 - 0.5 - a, axis=1).mean() < 0.03 * eye
    steps = np.diff(np.unique(a[:, 0].round(6)))
    assert 0 < steps.min() < 0.9, "finer than whole pixels"
    box = np.array(detect_faces(filmed[0])[0])
    centre = (a.min(0) + a.max(0)) / 2
    assert (box[:2] < centre).all() and (centre < box[2:]).all()


def test_the_largest_face_comes_first(filmed):
    both = np.zeros((270, 720, 3), np.uint8)
    both[:180, :320] = np.asarray(Image.fromarray(filmed[0]).resize((320, 180)))
    both[:, 320:] = filmed[0][:, 40:440]
    boxes = detect_faces(both)
    assert len(boxes) == 2 and boxes[0][2] - boxes[0][0] > boxes[1][2] - boxes[1][0] and boxes[0][0] > 320


def test_whom_the_tracker_follows():
    t, a, b = Tracker(), (0, 0, 100, 100), (300, 0, 440, 140)
    assert t._choose([(1.5, a), (1.2, b)]) == b, "the largest, at first"
    assert t._choose([(1.5, a), (0.04, b)]) == a, "but no badge"
    t.box = a
    assert t._choose([(1.5, a), (1.5, b)]) == a, "whom it followed, though another is larger"
    assert t._choose([(1.5, a), (1.5, (300, 0, 450, 150))]) != a, "but not where the other is more than twice as large"
    assert t._choose([(1.5, a), (-0.05, (10, 0, 140, 130))]) == a, "nor a worse box of the same face"


@pytest.fixture(scope="module")
def astronaut():
    "A portrait in the public domain; the badge on her suit has a score of 0.04, and is as large as her face."
    return skimage.data.astronaut()


def around_her_face(box, scale=1, left=0, top=0):
    "Whether a box lies around the astronaut's nose, at (224, 130) of her picture."
    x, y = 224 * scale + left, 130 * scale + top
    return box[0] < x < box[2] and box[1] < y < box[3]


@pytest.mark.parametrize("every", [False, True])
def test_a_badge_is_no_face(astronaut, every):
    (box,) = detect_faces(astronaut, every=every)
    assert around_her_face(box)
    covered = astronaut.copy()
    covered[50:200, 150:300] = 90
    assert tracker._detect(covered, 420 / 512), "the detector alone takes the badge"
    assert detect_faces(covered, every=every) == []


def test_a_badge_is_not_tracked(astronaut):
    track = track_frames([(k / 25, astronaut) for k in range(3)])
    assert track.others == 0 and track.detected.all()
    assert np.linalg.norm(track.landmarks[:, 30] - [224, 130], axis=1).max() < 20, "the tip of the nose"


@pytest.mark.parametrize("left", [0, 500])
def test_two_people_of_unequal_size(astronaut, left):
    "The larger one first, wherever she stands; a face that is found at several sizes counts once."
    both = np.full((512, 1000, 3), 90, np.uint8)
    both[:, left : left + 500] = astronaut[:, :500]
    both[100:433, 500 - left : 833 - left] = np.asarray(Image.fromarray(astronaut).resize((333, 333)))
    first, second = detect_faces(both, every=True)
    assert around_her_face(first, left=left) and around_her_face(second, 333 / 512, 500 - left, 100)


@pytest.mark.parametrize("name", ["grass", "gravel", "chelsea", "coffee", "rocket", "coins"])
def test_a_picture_without_a_face(name):
    picture = read_image(Path(skimage.data.__file__).parent / f"{name}{'.jpg' if name == 'rocket' else '.png'}")
    assert detect_faces(picture, every=True) == []


def test_a_weak_detection_does_not_end_the_search(astronaut):
    "The badge, large, is what the reduced picture shows; the face is too small there, and is found at the next size."
    covered = astronaut.copy()
    covered[50:200, 150:300] = 90
    scene = np.asarray(Image.fromarray(covered).resize((860, 860), Image.NEAREST)).copy()
    scene[40:240, 620:820] = astronaut[20:220, 130:330]
    assert len(tracker._detect(scene, 420 / 860)) == 1, "the badge alone, and more than the detector's limit"
    (box,) = detect_faces(scene)
    assert around_her_face(box, left=490, top=20)


def test_a_doubtful_face_has_a_second_look(astronaut, monkeypatch):
    "A face with a low score is kept, since it is liked better at another size and its landmarks stay; a badge is not."
    face, badge = (182.0, 84.0, 269.0, 172.0), (123.0, 338.0, 211.0, 425.0)
    assert tracker._wandering(astronaut, face) < 0.02 < 0.06 < tracker._wandering(astronaut, badge)
    assert tracker._second_look(astronaut, 0.05, face) > 1 and tracker._second_look(astronaut, 0.05, badge) == 0
    monkeypatch.setattr(tracker, "_wandering", lambda *a: 0.2)
    assert tracker._second_look(astronaut, 0.05, badge) == 0 < tracker._second_look(astronaut, 0.05, face)


@pytest.fixture
def stage(monkeypatch):
    "A tracker whose detector sees what the test says: a box for each call, or None."
    detections = []
    monkeypatch.setattr(Tracker, "_find", lambda self, frame: detections.pop(0))
    monkeypatch.setattr(tracker, "check_upright", lambda *args: None)  # there are no pictures
    monkeypatch.setattr(
        tracker,
        "place_landmarks",
        lambda frame, box: face_at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0])[0],
    )
    return detections


def test_a_lost_face_is_followed_for_half_a_second(stage):
    box = (100, 100, 200, 200)
    stage += [(box, False)] * 3 + [(None, False)] * 14 + [(box, True)]
    t = track_frames([(k / 25, BLANK) for k in range(18)])
    assert t.found.tolist() == [True] * 15 + [False] * 2 + [True] and t.detected.tolist() == [True] * 3 + [
        False
    ] * 14 + [True]
    assert (
        t.others == 1
        and "followed without detection in 12" in t.report()
        and "no face in 2 (first at frame 15)" in t.report()
    )


def test_lost_frames_hold_the_nearest_landmarks(stage):
    a, b = (0, 0, 100, 100), (500, 0, 600, 100)
    stage += [(None, False)] * 2 + [(a, False)] + [(None, False)] * 16 + [(b, False)]
    t = track_frames([(float(k), BLANK) for k in range(20)])
    assert t.found.tolist() == [False] * 2 + [True] * 13 + [False] * 4 + [True]
    x = t.landmarks[:, :4, 0].mean(1)
    assert (
        (x[:15] == 50).all()
        and (x[17:] == 550).all()
        and (x[15:17] == 50).all()
        and t.times.tolist() == list(range(20))
    )


def test_a_face_that_was_never_there_is_not_invented(stage):
    stage += [(None, False)] * 3
    with pytest.raises(F3AError, match="No face"):
        track_frames([(0.0, np.zeros((96, 96, 3), np.uint8))] * 3)


def test_points_that_are_no_face_end_the_following(stage, monkeypatch):
    box = (100, 100, 200, 200)
    stage += [(box, False), (None, False), (None, False)]
    good = tracker.place_landmarks
    calls = []

    def drifts(frame, box):
        calls.append(0)
        return good(frame, box) * (1 if len(calls) < 2 else [3, 1])

    monkeypatch.setattr(tracker, "place_landmarks", drifts)
    assert track_frames([(0.0, BLANK)] * 3).found.tolist() == [True, False, False]


def test_the_crop_and_the_large_picture_are_one_person(filmed):
    "The embedding is of the face, wherever it lies and however large it is."
    p = place_landmarks(filmed[0], detect_faces(filmed[0])[0])
    box = head_crop(p[None])
    small = resize_square(crop_square(filmed[0], box), 96)
    far = np.linalg.norm(face_embedding(filmed[0], p) - face_embedding(small, in_crop(p, box, 96)))
    wrong = np.linalg.norm(face_embedding(filmed[0], p) - face_embedding(filmed[0][::-1], p))
    assert far < 0.35 < wrong


def test_a_small_face_of_a_large_picture_is_cut_out_first(filmed, monkeypatch):
    "Not the whole picture is enlarged; and the embedding is the same."
    small = np.asarray(Image.fromarray(filmed[0]).resize((160, 90)))
    large = np.zeros((1500, 2600, 3), np.uint8)
    large[700:790, 1200:1360] = small
    p = place_landmarks(filmed[0], detect_faces(filmed[0])[0]) / 3
    assert np.allclose(face_embedding(small, p), face_embedding(large, p + [1200, 700]), atol=0.15)
    shapes = []
    looks = SimpleNamespace(compute_face_descriptor=lambda image, shape: shapes.append(image.shape) or [0.0] * 128)
    monkeypatch.setattr(landmarks, "_recogniser", lambda: looks)
    face_embedding(large, p + [1200, 700])
    assert max(shapes[0]) < 1200


def test_a_face_found_again_is_followed_anew(stage):
    "Patience begins again with each time that the face is seen."
    box = (100, 100, 200, 200)
    stage += ([(box, False)] + [(None, False)] * 8) * 3
    assert track_frames([(0.0, BLANK)] * 27).found.all()


def test_a_face_too_small_is_refused():
    marks = np.zeros((3, 68, 2))
    ok = np.ones(3, bool)
    for eye, fits in ((11.5, False), (12.5, True)):
        marks[:, 45, 0] = eye
        track = Track(marks, ok, ok, np.arange(3.0))
        if fits:
            check_face_size(track, "x.mp4")
        else:
            with pytest.raises(F3AError, match="'x.mp4' is too small"):
                check_face_size(track, "x.mp4")


def test_a_sound_that_an_mp4_cannot_hold_is_left_out(tmp_path, capsys):
    "An AVI with plain PCM: the film is silent, and a line says so."
    import av

    loud = tmp_path / "loud.avi"
    with av.open(str(loud), "w") as c:
        picture, sound = c.add_stream("mpeg4", rate=10), c.add_stream("pcm_s16le", rate=8000, layout="mono")
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            c.mux(picture.encode(frame))
        beep = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        beep.sample_rate = 8000
        c.mux(sound.encode(beep))
        c.mux(picture.encode())
        c.mux(sound.encode())
    assert video_info(loud).has_audio
    film = write_video([np.zeros((32, 32, 3), np.uint8)] * 5, tmp_path / "film.mp4", 10, audio_from=loud)
    assert not video_info(film).has_audio and "cannot hold" in capsys.readouterr().err
    assert video_info(film).seconds == pytest.approx(0.5, abs=0.05)


def test_landmarks_do_not_leave_the_picture(video):
    "Where a face goes out of it, the tracker does not go on beside it, which would refuse the whole film."
    frames = [(t, f[:, 140:500]) for k, (t, f) in enumerate(iter_frames(video)) if 85 <= k < 106]
    track = track_frames(frames)
    check_points(track.landmarks, 360, 360, "film.mp4")
    assert not track.found[-1] and track.found[:10].all()
