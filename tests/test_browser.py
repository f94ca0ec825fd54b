"""The widgets and the app in a real browser: JupyterLab and Voilà under a headless Chromium (pytest -m browser).

A slider is moved by the keyboard and the pictures must change; the console must show no error; and no request may go to
another host. Screenshots are kept in out/screenshots, to be looked at.
"""

import base64
import io
import os
import re
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlparse

import av
import nbformat
import numpy as np
import pytest
import skimage.data
from PIL import Image

from conftest import free_port, serving
from f3a_lite.core import data_path
from f3a_lite.data.video import iter_frames

ROOT = Path(__file__).resolve().parent.parent
SHOTS = ROOT / "out" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader"
).split()
WAIT = 120_000  # milliseconds that a slow machine may take for one step
pytestmark = pytest.mark.browser
QUIET = {  # JupyterLab: all cells in the page, no news
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
        "doNotDisturbMode": True,
    },
}


@pytest.fixture(scope="module")
def launch():
    "Starts a headless Chromium with more flags."
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as p:
        yield lambda *flags: p.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def browser(launch):
    "A headless Chromium, which has no camera."
    b = launch()
    yield b
    b.close()


@pytest.fixture(scope="module")
def filmed_browser(launch, tmp_path_factory):
    "A headless Chromium whose camera sees the bundled clip."
    clip = tmp_path_factory.mktemp("camera") / "clip.mjpeg"
    with av.open(str(clip), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=24)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuvj420p", 8_000_000
        for k, (_, image) in enumerate(iter_frames(data_path("woman_laughing.mp4"))):
            if k >= 240:  # no hand before the face
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    b = launch("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}")
    yield b
    b.close()


class Watched:
    "A page whose errors and requests are written down."

    def __init__(self, browser):
        self.errors, self.elsewhere = [], []
        self.page = browser.new_page(viewport=dict(width=1300, height=1000), accept_downloads=True)
        self.page.set_default_timeout(WAIT)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.route("**/*", self.pass_on)

    def pass_on(self, route):
        "Let a request through to this machine only."
        parts = urlparse(route.request.url)
        if parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def shot(self, name):
        "Keep a picture of the page."
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


def sources(box) -> list:
    "The pictures of an explorer, as addresses that change with them."
    return box.locator("img").evaluate_all("all => all.map(x => x.src)")


def move_slider(page, box, number=0, key=None, times=3):
    "Move one slider of an explorer by the keyboard, away from its end, and wait until its pictures have changed."
    before = sources(box)
    handle = box.locator(".widget-slider .noUi-handle").nth(number)
    handle.scroll_into_view_if_needed()
    handle.focus()
    if key is None:
        at_its_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        key = "ArrowLeft" if at_its_end else "ArrowRight"
    for _ in range(times):
        page.keyboard.press(key)
    for _ in range(200):
        page.wait_for_timeout(100)
        if sources(box) != before:
            return
    raise AssertionError("a slider moved and no picture changed")


def explorers(page):
    "The outermost boxes that hold a slider."
    return page.locator(".jp-OutputArea-output").filter(has=page.locator(".widget-slider"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "JupyterLab on a copy of the widgets' notebook; its address."
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    import json

    folder = tmp_path_factory.mktemp("lab")
    (folder / "nbs").mkdir()
    (folder / "settings").mkdir()
    (folder / "settings" / "overrides.json").write_text(json.dumps(QUIET), encoding="utf-8")
    shutil.copytree(ROOT / "results", folder / "results")
    shutil.copy(ROOT / "nbs" / "31_widgets.ipynb", folder / "nbs")
    live = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LIVE)])
    live.metadata.kernelspec = dict(name="python3", display_name="Python 3", language="python")
    nbformat.write(live, folder / "nbs" / "live.ipynb")
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    command += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    command += [f"--LabApp.app_settings_dir={folder / 'settings'}", "--LabApp.expose_app_in_browser=True"]
    address = f"http://127.0.0.1:{port}/lab"
    with serving(command, address, folder / "lab.log", JUPYTER_CONFIG_DIR=str(folder / "config"), F3A_STATIC=""):
        yield address


def test_every_explorer_answers_in_jupyterlab(browser, lab):
    w = Watched(browser)
    page = w.page
    page.goto(f"{lab}/tree/nbs/31_widgets.ipynb?reset")
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_timeout(3000)
    w.shot("lab_opened")
    no_dialog(page)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    boxes = explorers(page)
    for _ in range(WAIT // 1000):  # the last cell with a number has run
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        if all(p.strip() and "*" not in p for p in prompts) and boxes.count():
            break
        page.wait_for_timeout(1000)
    page.wait_for_timeout(2000)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    seen = boxes.count()
    kinds = re.findall(r"def (\w+)_explorer\(", (ROOT / "nbs" / "87c_widgets.ipynb").read_text(encoding="utf-8"))
    assert seen == len(kinds) + 1 >= 10, f"{seen} explorers are on the page: {kinds} are in the library, one is its own"
    for k in range(seen):
        box = boxes.nth(k)
        move_slider(page, box)
        if box.locator("canvas").count():  # the mesh that turns
            turn_mesh(w, box)
        w.shot(f"lab_{k}")
    assert not w.elsewhere, f"the page asked other hosts: {w.elsewhere[:3]}"
    errors = [e for e in w.errors if "favicon" not in e]
    assert not errors, errors[:3]
    no_dialog(page)


def no_dialog(page):
    "Whoever opens a lesson is asked nothing, such as whether JupyterLab shall be built anew for an extension."
    asked = page.locator(".jp-Dialog").all_inner_texts()
    assert not asked, f"JupyterLab asks {asked}; where it is about dash, remove what the extra `open3d` installed"


def turn_mesh(w, box):
    "Drag the 3-D view, and move its first slider: what it shows must change."
    canvas = box.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    w.page.wait_for_timeout(1500)
    before = canvas.screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(before)).convert("L"), int)
    assert (abs(pixels - pixels[0, 0]) > 20).mean() > 0.02, "there is a mesh before the background"
    place = canvas.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    w.page.mouse.move(x, y)
    w.page.mouse.down()
    w.page.mouse.move(x + 120, y, steps=6)
    w.page.mouse.up()
    w.page.wait_for_timeout(1500)
    turned = canvas.screenshot()
    assert turned != before, "the mesh does not turn"
    handle = box.locator(".widget-slider .noUi-handle").nth(3)
    handle.focus()
    for _ in range(15):  # the lesson's cells have opened the jaw
        w.page.keyboard.press("ArrowLeft")
    w.page.wait_for_timeout(2500)
    assert canvas.screenshot() != turned, "the slider does not move the mesh"
    w.shot("lab_mesh")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    "The app, started as its command starts it; its port."
    pytest.importorskip("voila", reason="Voilà is not installed")
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    start = "from f3a_lite.ui.commands import f3a_app; f3a_app()"
    command = [sys.executable, "-c", start, "--port", str(port), "--no-browser"]
    log = folder / "app.log"
    with serving(command, f"http://127.0.0.1:{port}/voila/static/voila.js", log):
        yield re.search(r"http://\S+", log.read_text(encoding="utf-8"))[0]


def open_app(browser, app, **size):
    "The app's page, once its start portrait is shown after it was moved: watched page, and how many seconds that took."
    w, begin = Watched(browser), time.time()
    if size:
        w.page.set_viewport_size(size)
    w.page.goto(app)
    is_shown(w.page, after(w.page))
    return w, time.time() - begin


def after(page):
    "The picture that can be dragged."
    return page.get_by_role("img", name="the head as the sliders ask for it")


def is_shown(page, picture):
    "Wait until a picture is drawn."
    picture.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())


def changes(page, picture, do):
    "Do something, and wait until a picture is another."
    before = picture.get_attribute("src")
    do()
    page.wait_for_function("([image, old]) => image.src !== old", arg=[picture.element_handle(), before])


def cut_off(page) -> list:
    "Texts of buttons and labels that do not fit into their places, and whether the page scrolls sideways."
    wide = """() => [...document.querySelectorAll(".widget-label, button, .widget-html-content")].filter(
        (x) => x.offsetParent && x.scrollWidth > x.clientWidth + 1).map((x) => x.textContent)"""
    sideways = "() => document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth + 1"
    return page.evaluate(wide) + ["the page"] * page.evaluate(sideways)


def test_the_app_makes_a_film(browser, app, tmp_path):
    "A slider and a drag move the face; a word is a button whose film can be downloaded, and a bar is seen before."
    w, seconds = open_app(browser, app, width=1300, height=1000)
    page = w.page
    print(f"first picture after {seconds:.1f} s, load {os.getloadavg()[0]:.1f}")
    w.shot("app_1300")
    assert not cut_off(page)
    nameless = page.locator("[role=slider], img, button").evaluate_all(
        "all => all.filter(x => !(x.ariaLabel || x.alt || x.title || x.textContent)).map(x => x.outerHTML)"
    )
    assert not nameless, nameless[:3]
    slider = page.get_by_role("slider", name="open the mouth")
    changes(page, after(page), lambda: (slider.focus(), page.keyboard.press("ArrowRight")))
    turn = page.get_by_role("slider", name="turn left–right, °")
    box = after(page).bounding_box()
    assert abs(box["width"] - 384) < 2 and turn.get_attribute("aria-valuenow") == "0.0"
    page.mouse.move(box["x"] + 180, box["y"] + 180)
    page.mouse.down()
    changes(page, after(page), lambda: page.mouse.move(box["x"] + 230, box["y"] + 180, steps=4))
    page.mouse.up()
    page.wait_for_function("x => Number(x.ariaValueNow) === 12", arg=turn.element_handle())
    w.shot("app_dragged")
    page.get_by_role("button", name="smile", exact=True).click()
    page.locator(".progress").wait_for(state="visible")
    page.locator("text=/(animating|writing the film) …/").wait_for()
    w.shot("app_bar")
    link = page.locator("a[download]")
    with page.expect_download() as coming:
        link.click()
    film = tmp_path / "film.mp4"
    coming.value.save_as(film)
    page.locator("video").wait_for()
    assert not page.locator(".progress").is_visible()
    w.shot("app_film")
    page.set_viewport_size(dict(width=800, height=1000))
    page.wait_for_timeout(500)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "app_800.png", full_page=True)
    assert not cut_off(page)
    from f3a_lite.data.video import SYNTHETIC

    assert len(list(iter_frames(film))) > 10
    with av.open(str(film)) as c:
        assert c.metadata["comment"] == SYNTHETIC
    assert not w.elsewhere, f"the page asked other hosts: {w.elsewhere[:3]}"
    assert not w.errors, w.errors[:3]


def test_the_app_checks_what_is_uploaded(browser, app, tmp_path):
    "A letter and a file that is too large are refused; of a photo of two each face can be clicked; the film goes."
    w, _ = open_app(browser, app)
    page = w.page
    page.get_by_role("button", name="blink", exact=True).click()
    film = page.locator("video")
    film.wait_for()
    bad, large = tmp_path / "letter.png", tmp_path / "large.png"
    bad.write_bytes(b"Dear face")
    large.write_bytes(bytes(31_000_000))
    said = dict(letter="is not a photo that can be read", large="a photo may have 30 MB")
    for name, file in (("letter", bad), ("large", large)):
        upload(page, file)
        page.locator(f"text={said[name]}").wait_for()
    w.shot("app_refuses")
    assert film.is_visible() and not page.get_by_role("button", name="face 2").is_visible()
    astronaut = skimage.data.astronaut()
    both = np.full((512, 900, 3), 90, np.uint8)
    both[:, :512] = astronaut
    both[100:433, 540:873] = np.asarray(Image.fromarray(astronaut).resize((333, 333)))
    Image.fromarray(both).save(tmp_path / "two.png")
    upload(page, tmp_path / "two.png")
    second = page.get_by_role("button", name="face 2")
    second.wait_for()
    film.wait_for(state="detached")
    assert page.locator("a[download]").count() == 0
    before = page.get_by_role("img", name="the head in the photo")
    is_shown(page, before)
    changes(page, before, second.click)
    page.locator("button[title='face 2'][aria-pressed='true']").wait_for()
    page.wait_for_timeout(1000)
    w.shot("app_second_face")
    astronaut = page.get_by_role("button", name="Eileen Collins")
    changes(page, before, astronaut.click)
    second.wait_for(state="hidden")
    page.locator("button[title^='Eileen'][aria-pressed='true']").wait_for()
    w.shot("app_gallery")
    assert not w.elsewhere and not w.errors, (w.elsewhere[:3], w.errors[:3])


def upload(page, file):
    "Choose a file for the button."
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="your photo").click()
    chooser.value.set_files(file)


LIVE = """from f3a_lite import Animator
from f3a_lite.core import data_path
from f3a_lite.ui.live import LiveCamera

animate = Animator()
LiveCamera(animate.face(data_path("pearl.jpg")), animate)"""


def live_picture(page) -> np.ndarray:  # (h,w,3)
    "The portrait that the camera drives, as it is on the page."
    image = page.get_by_role("img", name="the portrait that the camera drives")
    is_shown(page, image)
    drawn = image.evaluate(
        """(image) => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn.split(",")[1]))).convert("RGB"), int)


def test_the_camera_drives_the_portrait(filmed_browser, app):
    "Where it is allowed, the picture follows the clip that it sees; stopped, it stays, and the camera is off."
    w, _ = open_app(filmed_browser, app)
    page = w.page
    start = page.get_by_role("button", name="start the camera")
    rest = live_picture(page)
    start.click()
    page.locator("text=The camera may not be used: allow it beside the page's address").wait_for()
    assert (live_picture(page) == rest).all() and start.is_enabled()
    page.context.grant_permissions(["camera"])
    start.click()
    rate = page.locator("text=/pictures a second/")
    rate.wait_for()
    page.evaluate(
        """() => {
            const image = document.querySelector(".f3a-live img");
            window.shown = 0;
            new MutationObserver((all) => { window.shown += all.length; }).observe(image, { attributeFilter: ["src"] });
        }"""
    )
    seen, begin = [], time.time()
    for k in range(1, 7):
        page.wait_for_function("n => window.shown >= n", arg=2 * k)
        seen.append(live_picture(page))
    seconds, count = time.time() - begin, page.evaluate("window.shown")
    print(f"{count / seconds:.1f} pictures a second; the page says {rate.inner_text()}; load {os.getloadavg()[0]:.1f}")
    page.locator(".f3a-live video").scroll_into_view_if_needed()
    w.shot("app_live")
    motion = [abs(picture - rest).mean() for picture in seen]
    assert max(motion) > 3, f"of 255, she laughs and nods: {motion}"
    changed = [bool(abs(a - b).any()) for a, b in zip(seen, seen[1:])]
    assert sum(changed) >= 2, f"where no face is found the portrait stays: {changed}"
    camera = page.locator(".f3a-live video")
    assert camera.evaluate("x => [x.videoWidth, x.videoHeight]") == [640, 360]
    page.get_by_role("button", name="set neutral").click()
    page.get_by_role("button", name="stop the camera").click()
    start.wait_for()
    page.wait_for_timeout(500)
    last = live_picture(page)
    page.wait_for_timeout(2000)
    assert (live_picture(page) == last).all() and camera.count() == 0
    assert not w.elsewhere and not w.errors, (w.elsewhere[:3], w.errors[:3])


def test_the_camera_drives_a_portrait_in_jupyterlab(filmed_browser, lab):
    "A cell with LiveCamera: the picture follows the clip that the camera sees."
    w = Watched(filmed_browser)
    page = w.page
    page.context.grant_permissions(["camera"])
    page.goto(f"{lab}/tree/nbs/live.ipynb?reset")
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_timeout(3000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    start = page.get_by_role("button", name="start the camera")
    start.wait_for(timeout=WAIT)
    rest = live_picture(page)
    start.click()
    page.locator("text=/pictures a second/").wait_for(timeout=WAIT)
    motion = 0
    for _ in range(100):
        page.wait_for_timeout(200)
        motion = max(motion, abs(live_picture(page) - rest).mean())
        if motion > 3:
            break
    page.locator(".f3a-live video").scroll_into_view_if_needed()
    w.shot("lab_live")
    assert motion > 3, f"of 255, she laughs and nods: {motion}"
    page.get_by_role("button", name="stop the camera").click()
    start.wait_for()
    assert not w.elsewhere, w.elsewhere[:3]


def test_without_a_camera_the_page_says_so(browser, app):
    "One sentence; the portrait stays, and the button can be tried again."
    w, _ = open_app(browser, app)
    page = w.page
    rest = live_picture(page)
    start = page.get_by_role("button", name="start the camera")
    start.click()
    page.locator("text=No camera was found: connect one, and start again.").wait_for()
    assert (live_picture(page) == rest).all() and start.is_enabled()
    page.locator(".f3a-live img").scroll_into_view_if_needed()
    w.shot("app_no_camera")
    assert not w.elsewhere and not w.errors, (w.elsewhere[:3], w.errors[:3])
