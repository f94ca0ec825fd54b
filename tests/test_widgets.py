"Explorers and the app without a browser: what a control changes, and that what is shown is what the library computes."

import io
import json
import sys
from datetime import datetime

import av
import ipywidgets as w
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import load_file

from conftest import write_movie
from f3a_lite.ui import explore
from f3a_lite.ui import app, gallery, page, server, studio
from f3a_lite.ui import widgets
from f3a_lite.animation import Face
from f3a_lite.conditions import Frames
from f3a_lite.data.video import video_info
from f3a_lite.core import F3AError, data_path
from f3a_lite.pictures import to_image, to_tensor
from f3a_lite.systems import PatchDiscriminator
from f3a_lite.pairs import feature_weights
from f3a_lite.morphable import FaceParams, PARAM_NAMES, open_model
from f3a_lite.projection import posed_landmarks
from f3a_lite.systems import LossConfig, load_system, make_system, save_system

MODEL = open_model()


@pytest.fixture(scope="module")
def me():
    "The bundled photo as a face."
    stored = load_file(data_path("still_example.safetensors"))
    params = FaceParams(*[stored[n] for n in PARAM_NAMES])
    return Face(to_tensor(stored["frame"].numpy())[None], params, None)


@pytest.fixture(scope="module")
def f3a():
    return load_system(data_path("f3a_gan.safetensors"))


def pictures(explorer) -> dict:
    "What an explorer shows: caption → picture (H,W,3)."
    shown = {}
    for place in explorer.pictures.children:
        caption, image = place.children
        shown[caption.value] = np.asarray(Image.open(io.BytesIO(image.value)))
    return shown


def close(x, y, eps):
    assert float((torch.as_tensor(x).double() - torch.as_tensor(y).double()).abs().max()) < eps


# The helper


def test_what_a_control_is_made_from():
    assert isinstance(explore.control("a", True), w.Checkbox)
    assert explore.control("a", ["x", "y"]).options == ("x", "y")
    whole, broken = explore.control("a", (0, 7, 3)), explore.control("theta", (1.0, 2.0))
    assert isinstance(whole, w.IntSlider) and whole.value == 3 and whole.max == 7
    assert isinstance(broken, w.FloatSlider) and broken.value == 1.0 and broken.description.endswith("θ")
    assert explore.control("a", (-2.0, 2.0)).value == 0.0
    for wrong in ((2, 1), (1,), [], "abc", 5, ("a", "b"), (0, None), (0, float("inf")), (0, 1, 2)):
        with pytest.raises(F3AError, match="control 'a'"):
            explore.control("a", wrong)


def test_an_explorer_shows_what_its_function_gives():
    calls = []

    def compute(bright, name):
        calls.append((bright, name))
        if bright > 0.9:
            raise F3AError("Too <bright>.")
        shown = {"grey": np.full((64, 64, 3), int(255 * bright), np.uint8), "said": name}
        return shown if name == "one" else {**shown, "second": np.zeros((4, 4, 3), np.uint8)}

    e = explore.explore(compute, {"both": dict(bright=0.5, name="two")}, bright=(0.0, 1.0, 0.25), name=["one", "two"])
    assert calls == [(0.25, "one")] and list(pictures(e)) == ["grey"]
    assert (pictures(e)["grey"] == 63).all() and e.notes.value == "said: one"
    e.controls["bright"].value = 0.75
    assert calls[-1] == (0.75, "one") and (pictures(e)["grey"] == 191).all()
    button = next(b for b in e.box.children[0].children if b.description == "both")
    button.click()
    assert calls[2:] == [(0.5, "two")], "a preset moves several controls and computes once"
    assert list(pictures(e)) == ["grey", "second"] and pictures(e)["second"].shape == (128, 128, 3)
    e.controls["bright"].value = 0.95
    assert e.notes.value == "<b>Too &lt;bright&gt;.</b>" and "second" in pictures(e)
    with pytest.raises(KeyError):
        e.move(nothing=1)
    next(b for b in e.box.children[0].children if b.description == "start").click()
    assert e.values() == dict(bright=0.25, name="one") and e.notes.value == "said: one"


def test_without_a_kernel_an_explorer_is_a_picture(monkeypatch):
    e = explore.explore(lambda a: {"grey": np.zeros((64, 64, 3), np.uint8)}, a=(0, 1))
    shown = e._repr_mimebundle_()
    assert set(shown) == {"image/png", "text/plain"} and shown["image/png"][:4] == b"\x89PNG"

    class Shell:
        kernel = object()

    monkeypatch.setattr(explore, "get_ipython", lambda: Shell())
    assert "application/vnd.jupyter.widget-view+json" in e._repr_mimebundle_()
    monkeypatch.setenv("F3A_STATIC", "1")
    assert "image/png" in e._repr_mimebundle_()


def test_no_stored_output_needs_a_kernel():
    from pathlib import Path

    for path in Path(__file__).parent.parent.glob("nbs/*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert "widgets" not in notebook["metadata"], path.name
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), path.name


@pytest.fixture(scope="module")
def explorers(f3a, me, clip):
    "Every explorer."
    return dict(
        model=widgets.model_explorer(),
        projection=widgets.projection_explorer(),
        flow=widgets.flow_explorer(me),
        fusion=widgets.fusion_explorer(f3a, me),
        growing=widgets.growing_explorer(f3a, me),
        losses=widgets.loss_explorer(f3a, me),
        reenactment=widgets.reenactment_explorer([f3a], me),
        errors=widgets.error_explorer([f3a], clip, pairs=2),
    )


def test_starts_and_presets_lie_on_the_sliders_steps(explorers):
    "A browser moves other values to the next step, and computes again."
    for name, e in explorers.items():
        for preset in ({}, *e.presets.values()):
            for key, value in {**e.start, **preset}.items():
                c = e.controls[key]
                if isinstance(c, w.FloatSlider):
                    steps = (value - c.min) / c.step
                    assert abs(steps - round(steps)) < 1e-6, f"{name}: {key} = {value}, step {c.step}"


def test_every_explorer_has_a_static_picture(explorers):
    for name, e in explorers.items():
        assert e._repr_mimebundle_()["image/png"][:4] == b"\x89PNG", name
    figure = explorers["losses"].figure()
    assert "pixel loss" in figure.texts[0].get_text()
    figure.draw_without_rendering()
    result, *others = (ax.get_window_extent().width for ax in figure.axes)
    assert len(others) == 4 and all(1.7 < result / other < 2.3 for other in others)


def test_errors_need_a_system(clip):
    with pytest.raises(F3AError, match="at least one"):
        widgets.error_explorer([], clip)


def test_the_result_is_twice_as_large_and_everything_has_a_name(explorers):
    "Captions of one height, names for pictures and controls, presets, and a line that says what to try."
    for name, e in explorers.items():
        places = e.pictures.children
        assert [p.children[1].layout.width for p in places] == ["240px"] * (len(places) - 1) + ["480px"], name
        assert {p.children[0].layout.height for p in places} == {"40px"}
        assert all(p.children[1].tooltip for p in places)
        assert len(e.presets) > 2, name
        assert any("Try this: " in getattr(child, "value", "") for child in e.box.children), name
        labels = [c.description for c in e.controls.values()]
        assert len(set(labels)) == len(labels) and not {"yaw", "jawOpen", "who 1"} & set(labels)


def test_large_pictures_are_jpeg_and_maps_are_exact():
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    for side, kind in ((300, "jpeg"), (200, "png")):
        said, data = explore.encoded(noise[:side, :side])
        picture = Image.open(io.BytesIO(data))
        assert said == kind and picture.format.lower() == kind and picture.size == (side, side)
        assert ((np.asarray(picture) == noise[:side, :side]).all()) == (kind == "png")


def test_the_last_system_is_shown_at_the_photos_resolution():
    face, t_warp = gallery.portrait("pearl"), load_system(data_path("t_warp.safetensors"))
    e = widgets.reenactment_explorer([t_warp], face)
    e.move(**widgets.AT_REST)
    shown = pictures(e)
    assert shown["T_warp"].shape == (398, 398, 3) and shown["warping only"].shape == (128, 128, 3)
    square = face.photo[117 : 117 + 398, 89 : 89 + 398].astype(int)
    assert np.abs(shown["T_warp"] - square).mean() < 4, "at rest it is the photo"


def test_what_a_group_of_sliders_turns_to():
    "The head's top leans to the right where the roll is positive, and the nose points left where the yaw is."
    rest = FaceParams.neutral(1, MODEL.K, MODEL.L)
    points = lambda **motion: posed_landmarks(MODEL, widgets.apply_sliders(MODEL, rest, **motion))[0]
    assert points(roll=20.0)[27, 0] - points(roll=20.0)[8, 0] > 0.1  # bridge of the nose, chin
    assert points(yaw=20.0)[30, 0] < points()[30, 0] - 0.02 and points(pitch=20.0)[30, 1] > points()[30, 1] + 0.02


def test_a_preset_for_a_control_that_is_not_there():
    with pytest.raises(F3AError, match="'c', which this explorer does not have"):
        explore.explore(lambda a: {}, {"x": dict(c=1)}, a=(0, 1))


# The explorers


def test_what_the_sliders_of_a_motion_mean(me):
    t = widgets.apply_sliders(MODEL, me.params, yaw=30, pitch=10, jawOpen=0.25, smile=0.5, blink=0.1)
    close(t.rotation - me.params.rotation, np.radians([[10, 30, 0]]), 1e-6)
    change = (t.exp_coeff - me.params.exp_coeff)[0]
    for name, v in (("jawOpen", 0.25), ("mouthSmile", 0.5), ("eyeBlink", 0.1)):
        for k in MODEL.unit(name):
            close(change[k], min(v, 1 - float(me.params.exp_coeff[0, k])), 1e-6)
            change[k] = 0
    assert not change.any() and torch.equal(t.id_coeff, me.params.id_coeff)


def test_the_flow_explorer(me):
    e = widgets.flow_explorer(me)
    e.move(**widgets.AT_REST)
    still = pictures(e)
    assert (still["the photo"] == to_image(me.image[0])).all()
    assert np.abs(still["the photo, moved"].astype(int) - still["the photo"]).max() <= 1
    assert set(np.unique(still["its flow"])) <= {127, 128} and e.notes.value == "largest motion: 0.0 pixels"
    e.move(yaw=20.0)
    turned = pictures(e)
    for k, n in enumerate("xyz"):
        channel = turned["its flow"][..., k].astype(int) - 128
        (shown,) = (picture.astype(int) for title, picture in turned.items() if title.startswith(f"{n}, "))
        signs = np.sign(shown[..., 0] - shown[..., 2])  # red is above zero, blue below
        assert np.ptp(channel) > 20 and (signs == np.sign(channel))[abs(channel) > 2].all(), f"{n} is channel {k}"
    e.move(theta=1.0)
    assert np.abs(pictures(e)["the photo, moved"].astype(int) - still["the photo"]).max() <= 1
    e.move(theta=0.0, anchor="source")
    assert not (pictures(e)["its flow"] == turned["its flow"]).all()
    assert len(pictures(widgets.flow_explorer())) == len(still)


def test_the_model_explorer_says_how_far_the_chin_moves():
    e = widgets.model_explorer()
    e.move(unit="jawOpen", amount=1.0)
    basis = 0
    for k in MODEL.unit("jawOpen"):
        basis = basis + MODEL.exp_basis[k]
    assert e.notes.value.endswith(f"{100 * float(basis.norm(dim=-1).max()):.0f} mm")
    dark = pictures(e)["from the front"]
    e.move(light=-80.0)
    left = pictures(e)["from the front"].astype(int)
    assert left[:, :220].sum() > 1.2 * left[:, 220:].sum() and not (dark == left).all()
    e.move(who_1=3.0)
    before = pictures(e)["from the side"]
    e.move(who_1=-3.0)
    assert not (pictures(e)["from the side"] == before).all()


def test_the_projection_explorer_shows_the_rotation():
    e = widgets.projection_explorer()
    e.move(yaw=30.0)
    numbers = [float(x) for x in e.notes.value.removeprefix("R: ").replace(";", " ").split()]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    close(numbers, [c, 0, -s, 0, 1, 0, s, 0, c], 0.006)
    red = (e.compute(**e.values())["projected"] == (220, 30, 30)).all(-1).sum()
    assert 400 < red <= 68 * 16
    depth = pictures(e)["depth"]
    assert (depth[0, 0] == 255).all() and depth[120, 120, 0] < 250


def test_the_fusion_explorer_shows_equation_4(f3a, me):
    e = widgets.fusion_explorer(f3a, me)
    seen = {}
    module = f3a.generator.spade["2"]
    hook = module.register_forward_hook(lambda m, args, out: seen.update(out=out))
    try:
        e.move(scale="2 (32 × 32)", channel=7)
        output = e.compute(**e.values())
    finally:
        hook.remove()
    bracket = next(x for name, x in output.items() if name.startswith("the bracket"))
    assert (bracket == widgets.signed(seen["out"][0, 7])).all()
    assert output["painted"].shape == (3, 128, 128)
    with pytest.raises(F3AError, match="two streams"):
        widgets.fusion_explorer(make_system("f3a_gan", streams="one"), me)
    with pytest.raises(F3AError, match="T_warp has no Eq. 4"):
        widgets.fusion_explorer(make_system("t_warp"), me)


def test_the_growing_explorer_fades(f3a, me):
    e = widgets.growing_explorer(f3a, me)
    for level, side in (("128 × 128", 128), ("64 × 64", 64)):
        ends = [list(e.compute(**{**e.values(), "level": level, "alpha": a}).values()) for a in (0.0, 0.5, 1.0)]
        assert all(x.shape == (3, side, side) for output in ends for x in output)
        (old, _, first), (_, _, mixed), (_, new, last) = ends
        assert torch.equal(first, old) and torch.equal(last, new)
        assert not torch.equal(mixed, old) and not torch.equal(mixed, new)
    target = FaceParams.stack([widgets.apply_sliders(MODEL, me.params, yaw=-12.0, smile=0.8)])
    whole = f3a.generate(Frames(me.params, me.image), Frames(target), MODEL)["image"][0]
    close(e.compute(**{**e.values(), "level": "128 × 128"})["the new path (α = 1)"], whole, 1e-5)
    with pytest.raises(F3AError, match="did not grow"):
        widgets.growing_explorer(make_system("f3a_gan", grows=0), me)


def test_a_patch_is_moved_and_nothing_else():
    picture = torch.rand(1, 3, 64, 64)
    out = widgets.spoiled(picture, 32, 40, 3, -2, 0.0, 0.0, 10)
    assert torch.equal(out[..., 35:45, 27:37], picture[..., 37:47, 24:34])
    out[..., 35:45, 27:37] = picture[..., 35:45, 27:37]
    assert torch.equal(out, picture)
    light = widgets.spoiled(picture, 0, 0, 0, 0, 0.0, 0.5, 8)
    close(light[..., :8, :8], (picture[..., :8, :8] + 0.5).clamp(max=1), 1e-6)
    smooth = widgets.spoiled(picture, 32, 32, 0, 0, 3.0, 0.0, 32)
    assert smooth[..., 20:44, 20:44].std() < 0.3 * picture.std()


def test_the_loss_explorer_says_the_weighted_pixel_loss(f3a, me):
    critic = f3a.critic
    e = widgets.loss_explorer(f3a, me)
    e.move(smooth=0.0)
    assert all(line.endswith(": 0.000") for line in e.notes.value.split("<br>"))
    e.move(right=5)
    fake = widgets.spoiled(me.image, 64, 84, 5, 0, 0.0, 0.0, 32)
    weight = feature_weights(posed_landmarks(MODEL, me.params)[..., :2], 128)
    by_hand = 100 * float((weight * (fake - me.image).abs()).mean())
    said = dict(line.rsplit(": ", 1) for line in e.notes.value.split("<br>"))
    assert float(said["λ4 · pixel loss (Eq. 10)"]) == pytest.approx(by_hand, abs=1e-3)
    with torch.no_grad():
        doubt = float(critic(me.image).mean() - critic(fake).mean())
    assert float(said["adversarial loss (Eq. 11), above that of the truth"]) == pytest.approx(doubt, abs=1e-3)
    assert float(said["λ5 · perceptual loss (Eq. 12)"]) > 0
    without = load_system(data_path("f3a_gan.safetensors"))
    without.critic = None
    assert len(widgets.loss_explorer(without, me).notes.value.split("<br>")) == 2


def test_the_reenactment_explorer_paints_what_the_system_paints(f3a, me):
    from f3a_lite.animation import animate

    e = widgets.reenactment_explorer([f3a], me)
    e.move(**{**widgets.AT_REST, "yaw": 10.0})
    target = widgets.apply_sliders(MODEL, me.params, yaw=10.0)
    output = animate(f3a, me, target)
    assert np.abs(pictures(e)["F3A-GAN"].astype(int) - to_image(output["output"][0])).max() <= 1
    assert np.abs(pictures(e)["warping only"].astype(int) - to_image(output["warped_by_mesh"][0])).max() <= 1


def test_the_error_explorer_goes_pair_by_pair(f3a, clip):
    e = widgets.error_explorer([f3a], clip, pairs=3)
    first = list(pictures(e))
    e.move(pair=1)
    shown = pictures(e)
    assert list(shown)[:2] != first[:2] and len(shown) == 6
    frame = int(list(shown)[1].split()[-1])
    assert (shown[f"target, frame {frame}"] == np.asarray(clip.frames[frame])).all()
    title = next(t for t in shown if t.startswith("warping only"))
    real = clip.valid(128)[0].numpy() > 0
    wrong = (shown[title].astype(float) - shown[f"target, frame {frame}"])[real] / 255
    assert float(title.split()[-2]) == pytest.approx(-10 * np.log10((wrong**2).mean()), abs=0.1)


def test_the_mesh_that_turns(monkeypatch):
    pytest.importorskip("k3d")
    e = widgets.turning_explorer()
    vertices = lambda: e.beside.objects[0].vertices.copy()
    before = vertices()
    close(torch.tensor(before), MODEL.mean_shape, 1e-5)
    e.move(yaw=90.0)
    close(torch.tensor(vertices()[:, 1]), before[:, 1], 1e-5)  # heights stay
    close(torch.tensor(vertices()[:, 0]).abs(), np.abs(before[:, 2]), 1e-5)  # depth becomes width
    assert e._repr_mimebundle_()["image/png"][:4] == b"\x89PNG"
    monkeypatch.setitem(sys.modules, "k3d", None)
    with pytest.raises(F3AError, match=r"f3a_lite\[view\]"):
        widgets.turning_mesh()


# The critic beside its generator


def test_a_critic_is_read_as_it_was_written(tmp_path):
    "With its width and its bound; a critic of another shape is refused; without it a file has none of its weights."
    system = make_system("f3a_gan", losses=LossConfig(critic_width=8, spectral=False))
    path = save_system(system, tmp_path / "c.safetensors", critic=True)
    back, picture = load_system(path), torch.rand(2, 3, 64, 64)
    assert isinstance(back.critic, PatchDiscriminator) and not back.critic.training
    with torch.no_grad():
        close(back.critic(picture), system.critic.eval()(picture), 0.02)
    system.losses.critic_width = 9
    with pytest.raises(F3AError, match="another architecture"):
        load_system(save_system(system, tmp_path / "d.safetensors", critic=True))
    assert load_system(save_system(system, tmp_path / "e.safetensors")).critic is None


# The app


def test_an_upload_is_kept_under_a_harmless_name(tmp_path):
    path = studio.keep_upload(dict(name="../../etc/my face;rm.png", content=b"x"), tmp_path)
    assert path == tmp_path / "photo" / "my_face_rm.png" and path.read_bytes() == b"x"
    assert studio.keep_upload(dict(name="..", content=b"x"), tmp_path).parent == tmp_path / "photo"
    with pytest.raises(F3AError, match="empty"):
        studio.keep_upload(dict(name="a.png", content=b""), tmp_path)


def test_an_upload_may_not_be_too_large(tmp_path, monkeypatch):
    monkeypatch.setitem(server.LARGEST, "photo", 1)
    with pytest.raises(F3AError, match="2 MB; a photo may have 1 MB"):
        studio.keep_upload(dict(name="a.png", content=bytes(2_000_000)), tmp_path)


def test_a_driving_video_may_not_be_too_long(video, tmp_path, monkeypatch):
    studio.check_length(video)
    monkeypatch.setattr(studio, "LONGEST", 5)
    with pytest.raises(F3AError, match="at most 5 s"):
        studio.check_length(video)
    webm = write_movie(tmp_path / "long.webm", [np.zeros((32, 32, 3), np.uint8)] * 60, fps=10, codec="libvpx")
    with pytest.raises(F3AError, match="lasts 6 s"):  # this format does not say how many frames it has
        studio.check_length(webm)


def test_a_video_that_does_not_say_how_long_it_is(tmp_path, monkeypatch):
    "As a browser records it: live, without a duration in its head."
    live = tmp_path / "live.webm"
    with av.open(str(live), "w", options={"live": "1"}) as c:
        s = c.add_stream("libvpx", rate=10)
        s.width, s.height, s.pix_fmt = 32, 32, "yuv420p"
        for _ in range(30):
            c.mux(s.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        c.mux(s.encode())
    assert video_info(live).seconds == pytest.approx(2.95, abs=0.11)
    studio.check_length(live)
    monkeypatch.setattr(studio, "LONGEST", 1)
    with pytest.raises(F3AError, match="at most 1 s"):
        studio.check_length(live)


@pytest.fixture
def shown(tmp_path):
    "The page of the app."
    return page.Page(studio.Studio(tmp_path))


def play(shown, words):
    "Ask for the film of some words."
    shown.make(shown.words_said, lambda: shown.studio.scripted(words))


def has_film(shown) -> bool:
    "Whether a film is shown, with its download."
    assert isinstance(shown.screen.children[0], w.Video) == bool(shown.link.value)
    return bool(shown.link.value)


def seen(picture) -> np.ndarray:
    "What a Picture shows."
    return np.asarray(Image.open(io.BytesIO(picture.value))).astype(int)


def test_the_page_shows_before_and_after(shown):
    "At rest they are the same; a slider changes what is after, and a film goes when a slider moves."
    assert seen(shown.before).shape == (384, 384, 3) and shown.sliders["smile"].value == 0.8
    shown.move(**dict.fromkeys(shown.sliders, 0.0))
    assert np.abs(seen(shown.before) - seen(shown.after)).mean() < 5
    rest = shown.after.value
    shown.sliders["jawOpen"].value = 0.5
    assert shown.after.value != rest and len(shown.steps.children) == 3
    play(shown, "blink")
    film = shown.screen.children[0]
    assert has_film(shown) and bytes(film.value[4:8]) == b"ftyp" and 'download="film.mp4"' in shown.link.value
    shown.sliders["smile"].value = 0.5
    assert shown.screen.children == (shown.after,)


def test_a_drag_turns_the_face(shown):
    "To the right and up by a quarter of the width; a second drag begins where the first ended."
    shown.move(**dict.fromkeys(shown.sliders, 0.0))
    for drag, turn, pitch in (
        ([1, 0.125, 0.0], 11, 0),
        ([1, 0.25, -0.25], 22, 15),
        ([2, -0.1, 0.0], 13, 15),
        ([2, 9, 9], 30, -20),
    ):
        shown.after.drag = drag
        assert (shown.sliders["turn"].value, shown.sliders["pitch"].value) == (turn, pitch)
    assert shown.asked()["yaw"] == -30, "to the right"


def test_what_is_wrong_is_said_beside_it(shown, tmp_path):
    shown.make(shown.video_said, shown.driven)
    assert "Choose a driving video" in shown.video_said.value and not has_film(shown)
    for words, message in (("fly", "knows no"), (" ", "is empty")):
        play(shown, words)
        assert message in shown.words_said.value and not has_film(shown) and not shown.buttons[0].disabled
    play(shown, "Blink")
    assert has_film(shown) and shown.words_said.value == ""
    shown.choose(dict(new=[dict(name="letter.png", content=b"Dear face")]))
    assert "not a photo" in shown.photo_said.value and has_film(shown), "the film is still of the person who is shown"
    assert not any((tmp_path / "photo").iterdir()), "what is no photo is not kept"


def test_only_half_of_a_motion(shown):
    "The pose stays while only the expression is played, and the other way round."
    face = shown.studio.face.params
    assert shown.only() is None
    for half, moves, rests in (("only expression", "exp_coeff", "rotation"), ("only pose", "rotation", "exp_coeff")):
        shown.half.value = half
        targets = shown.studio.scripted("smile turn", shown.only()).targets
        assert (getattr(targets, moves) - getattr(face, moves)).abs().max() > 0.1
        assert (getattr(targets, rests) - getattr(face, rests)).abs().max() < 1e-6


def test_long_work_moves_the_bar(shown):
    reports = []
    tell = shown.tell
    shown.tell = lambda share, what: (reports.append((what, share, shown.bar.layout.display)), tell(share, what))
    play(shown, "smile")
    assert {"animating", "writing the film"} <= {what for what, _, _ in reports}
    shares = [share for what, share, display in reports if what == "writing the film"]
    assert shares == sorted(shares) and len(shares) > 10 and {display for _, _, display in reports[1:]} == {None}
    assert shown.bar.layout.display == "none"


def png_bytes(picture):
    "A picture as an upload's content."
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "png")
    return data.getvalue()


def test_a_new_face_takes_the_film_away(shown, tmp_path):
    "With its download and its message; another face of a photo, and a portrait, as well as another photo."
    film = write_movie(tmp_path / "film.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2)
    shown.studio.film = lambda motion: film
    astronaut = skimage.data.astronaut()
    both = np.full((512, 900, 3), 90, np.uint8)
    both[:, :512] = astronaut
    both[100:433, 560:893] = np.asarray(Image.fromarray(astronaut).convert("L").convert("RGB").resize((333, 333)))
    for name, picture in (("one", astronaut), ("two", both)):
        play(shown, "smile")
        assert has_film(shown) and "ready" in shown.doing.value
        shown.choose(dict(new=[dict(name=f"{name}.png", content=png_bytes(picture))]))
        assert shown.doing.value == shown.photo_said.value == "" and not has_film(shown)
        assert len(shown.people.boxes) == (1 if name == "one" else 2)
        assert shown.several.layout.display == ("none" if name == "one" else None)
        assert shown.studio.face.image.std(1).mean() > 0.01, "the one in colour, who is larger"
    assert [box[-1] for box in shown.people.boxes] == [True, False]
    play(shown, "smile")
    shown.people._handle_custom_msg(dict(number=2), [])
    assert shown.studio.face.image.std(1).max() < 0.02, "the grey one"
    assert [box[-1] for box in shown.people.boxes] == [False, True] and not has_film(shown)
    play(shown, "smile")
    shown.gallery["astronaut"]._handle_custom_msg(dict(number=1), [])
    assert not has_film(shown) and (shown.studio.face.photo == astronaut).all()
    assert [name for name, p in shown.gallery.items() if p.boxes[0][-1]] == ["astronaut"]


def test_boxes_lie_where_the_faces_are():
    face = gallery.portrait("astronaut")
    ((left, top, width, height, name, chosen),) = page.face_boxes(face, 1)
    box = np.array(face.boxes[0]) / 5.12
    assert np.allclose([left, top, left + width, top + height], box) and (name, chosen) == ("face 1", True)


def test_a_face_that_cannot_be_animated_leaves_the_last(shown, monkeypatch):
    both = np.concatenate([skimage.data.astronaut()[:, :450]] * 2, 1)
    shown.choose(dict(new=[dict(name="two.png", content=png_bytes(both))]))

    def too_small(number):
        raise F3AError("The face is too small.")

    monkeypatch.setattr(shown.studio, "turn_to", too_small)
    shown.turn_to(2)
    assert [box[-1] for box in shown.people.boxes] == [True, False] and "too small" in shown.photo_said.value


def test_a_photo_is_no_driving_video(shown, tmp_path):
    content = png_bytes(skimage.data.astronaut())
    file = dict(name="her.png", content=content, type="image/png", size=len(content), last_modified=datetime.now())
    shown.video.value = (file,)
    shown.make(shown.video_said, shown.driven)
    assert "has one frame" in shown.video_said.value
    assert not has_film(shown) and not any((tmp_path / "video").iterdir())


def test_an_error_that_nobody_foresaw_is_said(shown, tmp_path, monkeypatch):
    monkeypatch.setattr(shown.studio, "film", lambda motion: 1 / 0)
    play(shown, "smile")
    assert "Something went wrong (ZeroDivisionError)" in shown.words_said.value and not shown.buttons[0].disabled
    monkeypatch.setattr(page, "Studio", lambda folder: (_ for _ in ()).throw(F3AError("No <weights>.")))
    assert page.page(tmp_path).value == "<b>No &lt;weights&gt;.</b>"


@pytest.mark.parametrize("kind,of_one_person", [("t_warp", False), ("f3a_gan", True)])
def test_anybody_is_painted_and_weights_of_one_person_say_so(tmp_path, kind, of_one_person):
    "With the default weights a stranger is painted, without a word; with those of one woman the photo is warped."
    shown = page.Page(studio.Studio(tmp_path, data_path(f"{kind}.safetensors")))
    assert ("nothing is painted" in shown.photo_said.value) == of_one_person
    assert (shown.studio.painter() is shown.studio.warper) == of_one_person
    shown.take("woman")
    assert shown.photo_said.value == "", "the one whom both know"


def test_portraits_are_stored_as_they_are_found():
    "A stored fit lies as near to what is found today as two runs of it."
    from f3a_lite.animator import Animator

    fresh, stored = Animator("warping", "cpu").face(skimage.data.astronaut()), gallery.portrait("astronaut")
    assert fresh.crop == stored.crop and np.allclose(fresh.boxes, stored.boxes, atol=1e-3)
    close(fresh.params.rotation, stored.params.rotation, 0.02)
    with pytest.raises(F3AError, match="choose from pearl, astronaut, woman"):
        gallery.portrait("mona")


def test_the_notebook_of_the_app_is_one(tmp_path):
    import nbformat

    path = server.one_line_notebook(tmp_path, "1 + 1")
    nbformat.validate(nbformat.read(path, 4))


def test_the_template_names_no_other_host(tmp_path):
    pytest.importorskip("voila")
    voila = server.local_server(tmp_path)(log_level="ERROR")
    voila.initialize([str(server.one_line_notebook(tmp_path, "1"))])
    assert "https://" not in (tmp_path / "template" / "index.html.j2").read_text(encoding="utf-8")
    assert voila.template_paths[0] == str(tmp_path / "template")


def test_a_port_that_is_none(capsys):
    for port in ("0", "70000", "-1"):
        with pytest.raises(SystemExit) as e:
            app.f3a_app(["--port", port, "--no-browser"])
        assert e.value.code == 2 and "from 1 to 65535" in capsys.readouterr().err


def test_no_configuration_file_counts(tmp_path, monkeypatch):
    "A file in the current folder cannot open the app to others."
    pytest.importorskip("voila")
    (tmp_path / "voila.json").write_text('{"Voila": {"ip": "0.0.0.0"}}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    voila = server.local_server(tmp_path)(ip="127.0.0.1", log_level="ERROR")
    voila.initialize([str(server.one_line_notebook(tmp_path, "1"))])
    assert voila.ip == "127.0.0.1"


def test_a_port_that_is_taken(capsys):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        with pytest.raises(SystemExit) as e:
            app.f3a_app(["--port", str(s.getsockname()[1]), "--no-browser"])
    assert e.value.code == 2 and "is taken by another program" in capsys.readouterr().err


def test_without_voila_the_app_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    with pytest.raises(F3AError, match=r"f3a_lite\[app\]"):
        server.local_server("x")
