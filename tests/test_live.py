"A portrait that a camera drives, without a browser: what a frame does to it, what is said, and that nothing is kept."

import io
import os
import sys
import tempfile
import weakref

import numpy as np
import pytest
import skimage.data
from PIL import Image

from f3a_lite.animator import Animator
from f3a_lite.core import F3AError
from f3a_lite.data.marks import SYNTHETIC
from f3a_lite.tracker import detect_faces, place_landmarks
from f3a_lite.ui import live
from f3a_lite.ui.gallery import portrait

BLANK = np.full((180, 320, 3), 128, np.uint8)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def sent(image, kind="JPEG", **how) -> bytes:
    "A frame as a browser sends it."
    data = io.BytesIO()
    Image.fromarray(image).resize((320, 180)).rotate(how.get("turn", 0), Image.BICUBIC).save(data, kind, quality=85)
    return data.getvalue()


def shown(data) -> np.ndarray:  # (h,w,3) uint8
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG" and picture.info["comment"].decode() == SYNTHETIC
    return np.asarray(picture)


@pytest.fixture(scope="module")
def t_warp():
    return Animator("t_warp", "cpu")


@pytest.fixture(scope="module")
def astronaut():
    return portrait("astronaut")


@pytest.fixture
def driver(astronaut, t_warp):
    return live.LiveDriver(astronaut, t_warp)


def test_each_frame_moves_the_portrait(driver, filmed):
    "The first frame leaves it as it is in the photo, and so does the first after `set_neutral`."
    size = min(live.SIDE, driver.face.crop.side)
    assert shown(driver(sent(filmed[0]))).shape == (size, size, 3)
    assert driver(sent(filmed[0])) != driver(sent(filmed[4]))
    driver.set_neutral()
    rest = driver(sent(filmed[7]))
    assert rest == driver.still
    photo = np.asarray(Image.fromarray(driver.face.photo).crop(driver.face.crop.box).resize((size, size)), int)
    assert abs(photo - shown(rest)).mean() < 5


def eyes(image) -> float:
    "How far the line through the outer corners of the eyes is turned, degrees, as the tracker sees them."
    points = place_landmarks(image, detect_faces(image)[0])
    right, down = points[45] - points[36]
    return float(np.degrees(np.arctan2(down, right)))


@pytest.mark.parametrize("turn", [-14, 14])
def test_a_head_that_is_tilted_tilts_the_portrait(driver, filmed, turn):
    "A frame turned by some degrees turns the line between the portrait's eyes by as many, as the tracker sees it."
    before = eyes(shown(driver(sent(filmed[0]))))
    for _ in range(6):  # the motion follows within a few frames
        after = driver(sent(filmed[0], turn=turn))
    assert eyes(shown(after)) - before == pytest.approx(-turn, abs=4)


@pytest.mark.parametrize(
    "data, said",
    [
        (sent(BLANK), "No face is seen: look towards the camera"),
        (b"", "no JPEG picture"),
        (b"no picture at all", "no JPEG picture"),
        (sent(skimage.data.astronaut(), "PNG"), "no JPEG picture"),
        (sent(skimage.data.astronaut())[:900], "no JPEG picture"),
    ],
)
def test_what_cannot_be_followed_is_said(driver, filmed, data, said):
    "Before the first face and after it; then the next frame goes on where the last one was."
    with pytest.raises(F3AError, match=said):
        driver(data)
    assert driver(sent(filmed[0])) == driver.still
    rest = driver.rest
    with pytest.raises(F3AError, match=said):
        driver(data)
    assert driver(sent(filmed[3])) != driver.still and driver.rest is rest


def test_a_frame_that_is_too_large_is_refused():
    data = io.BytesIO()
    Image.new("L", (8000, 8000)).save(data, "JPEG")
    with pytest.raises(F3AError, match="8000 × 8000 pixels: 1,000,000 are allowed"):
        live.read_frame(data.getvalue())


def test_no_frame_is_written_or_kept(driver, filmed, tmp_path, monkeypatch):
    "No file is opened for writing while frames come, no folder gains one, and no frame outlives its picture."
    frames = [sent(x) for x in filmed]
    driver(frames[0])
    driver(frames[1])  # whatever is compiled and loaded only once
    written, watching, decoded = [], [True], []

    def watch(event, arguments):
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
            written.append(arguments[0])

    def read(data):
        frame = np.array(Image.open(io.BytesIO(data)))
        decoded.append(weakref.ref(frame))
        return frame

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(live, "read_frame", read)
    sys.addaudithook(watch)
    for frame in frames:
        driver(frame)
    watching.clear()
    assert not written and not list(tmp_path.iterdir())
    assert len(decoded) == len(frames) and all(frame() is None for frame in decoded)


@pytest.fixture
def camera(astronaut, t_warp):
    "The widget, and what it sends: (content, buffers)."
    widget = live.LiveCamera(astronaut, t_warp)
    widget.answers = []
    widget.send = lambda content, buffers=None: widget.answers.append((content, buffers))
    return widget


def ask(widget, data, **more):
    "One frame from a browser; what comes back."
    widget._handle_custom_msg({"from": "one", **more}, [memoryview(data)])
    return widget.answers[-1]


def test_the_widget_answers_whoever_asked(camera, filmed):
    "With a picture or with a sentence, once for each frame; a frame can be made the new rest."
    assert ask(camera, sent(filmed[0])) == (dict(to="one", said=""), [camera.picture])
    _, picture = ask(camera, sent(filmed[5]))
    assert picture != [camera.picture]
    assert ask(camera, sent(filmed[5]), neutral=True)[1] == [camera.picture]
    assert ask(camera, sent(BLANK)) == (dict(to="one", said=live.UNSEEN), [])
    camera.driver = None
    content, buffers = ask(camera, sent(filmed[0]))
    assert content["said"].startswith("Something went wrong with this frame (TypeError)") and not buffers
    assert len(camera.answers) == 5


def test_the_widget_shows_another_portrait(camera, filmed, t_warp):
    "What counts as rest stays."
    ask(camera, sent(filmed[0]))
    before = camera.picture
    camera.show(portrait("pearl"), t_warp)
    assert camera.picture != before and ask(camera, sent(filmed[5]))[1] != [camera.picture]


def test_a_stored_page_shows_a_sentence(camera, monkeypatch):
    "Where no kernel answers there is no button."
    assert camera._repr_mimebundle_() == {
        "text/plain": "LiveCamera: run this notebook, and your camera drives the portrait."
    }
    monkeypatch.setattr(live, "answers", lambda: True)
    assert "application/vnd.jupyter.widget-view+json" in camera._repr_mimebundle_()[0]
