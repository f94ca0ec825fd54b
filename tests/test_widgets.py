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
from f3a_lite.ui import app
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
    assert isinstance(broken, w.FloatSlider) and broken.value == 1.0 and broken.description == "θ"
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
    assert "pixel loss" in explorers["losses"].figure().texts[0].get_text()


def test_errors_need_a_system(clip):
    with pytest.raises(F3AError, match="at least one"):
        widgets.error_explorer([], clip)


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
    for name in ("its flow", "x", "z"):
        assert np.ptp(turned[name].astype(int)) > 20, name
    grey = {n: turned[n][..., 0].astype(int) for n in "xyz"}
    for k, n in enumerate("xyz"):
        assert (np.abs(grey[n] - turned["its flow"][..., k]) <= 1).all(), f"{n} is channel {k} of the flow"
    e.move(theta=1.0)
    assert np.abs(pictures(e)["the photo, moved"].astype(int) - still["the photo"]).max() <= 1
    e.move(theta=0.0, anchor="source")
    assert not (pictures(e)["its flow"] == turned["its flow"]).all()
    assert set(pictures(widgets.flow_explorer())) == set(still)


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
    assert left[:, :96].sum() > 1.2 * left[:, 96:].sum() and not (dark == left).all()
    e.move(who_1=3.0)
    assert not (pictures(e)["from the side"] == pictures(e)["from the front"]).all()


def test_the_projection_explorer_shows_the_rotation():
    e = widgets.projection_explorer()
    e.move(yaw=30.0)
    numbers = [float(x) for x in e.notes.value.removeprefix("R: ").replace(";", " ").split()]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    close(numbers, [c, 0, -s, 0, 1, 0, s, 0, c], 0.006)
    red = (pictures(e)["projected"] == (220, 30, 30)).all(-1).sum()
    assert 100 < red <= 68 * 4
    depth = pictures(e)["depth"]
    assert (depth[0, 0] == 255).all() and depth[96, 96, 0] < 250


def test_the_fusion_explorer_shows_equation_4(f3a, me):
    e = widgets.fusion_explorer(f3a, me)
    seen = {}
    module = f3a.generator.spade["2"]
    hook = module.register_forward_hook(lambda m, args, out: seen.update(out=out))
    try:
        e.move(scale="2 (32 × 32)", channel=7)
        made = e.compute(**e.values())
    finally:
        hook.remove()
    bracket = next(x for name, x in made.items() if name.startswith("the bracket"))
    assert (bracket == widgets.signed(seen["out"][0, 7])).all()
    assert made["painted"].shape == (3, 128, 128)
    with pytest.raises(F3AError, match="two streams"):
        widgets.fusion_explorer(make_system("f3a_gan", streams="one"), me)
    with pytest.raises(F3AError, match="T_warp has no Eq. 4"):
        widgets.fusion_explorer(make_system("t_warp"), me)


def test_the_growing_explorer_fades(f3a, me):
    e = widgets.growing_explorer(f3a, me)
    for level, side in (("128 × 128", 128), ("64 × 64", 64)):
        ends = [list(e.compute(**{**e.values(), "level": level, "alpha": a}).values()) for a in (0.0, 0.5, 1.0)]
        assert all(x.shape == (3, side, side) for made in ends for x in made)
        assert torch.equal(ends[0][1], ends[0][0]) and torch.equal(ends[2][1], ends[2][2])
        assert not torch.equal(ends[1][1], ends[1][0]) and not torch.equal(ends[1][1], ends[1][2])
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
    made = animate(f3a, me, target)
    assert np.abs(pictures(e)["F3A-GAN"].astype(int) - to_image(made["output"][0])).max() <= 1
    assert np.abs(pictures(e)["warping only"].astype(int) - to_image(made["warped_by_mesh"][0])).max() <= 1


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
    vertices = lambda: e.box.children[-1].objects[0].vertices.copy()
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
    path = app.keep_upload(dict(name="../../etc/my face;rm.png", content=b"x"), tmp_path)
    assert path == tmp_path / "photo" / "my_face_rm.png" and path.read_bytes() == b"x"
    assert app.keep_upload(dict(name="..", content=b"x"), tmp_path).parent == tmp_path / "photo"
    with pytest.raises(F3AError, match="empty"):
        app.keep_upload(dict(name="a.png", content=b""), tmp_path)


def test_an_upload_may_not_be_too_large(tmp_path, monkeypatch):
    monkeypatch.setitem(app.LARGEST, "photo", 1)
    with pytest.raises(F3AError, match="2 MB; a photo may have 1 MB"):
        app.keep_upload(dict(name="a.png", content=bytes(2_000_000)), tmp_path)


def test_a_driving_video_may_not_be_too_long(video, tmp_path, monkeypatch):
    app.check_length(video)
    monkeypatch.setattr(app, "LONGEST", 5)
    with pytest.raises(F3AError, match="at most 5 s"):
        app.check_length(video)
    webm = write_movie(tmp_path / "long.webm", [np.zeros((32, 32, 3), np.uint8)] * 60, fps=10, codec="libvpx")
    with pytest.raises(F3AError, match="lasts 6 s"):  # this format does not say how many frames it has
        app.check_length(webm)


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
    app.check_length(live)
    monkeypatch.setattr(app, "LONGEST", 1)
    with pytest.raises(F3AError, match="at most 1 s"):
        app.check_length(live)


def test_the_page_of_the_app(tmp_path, video):
    page = app.Page(app.Studio(tmp_path))
    assert page.message.value == ""
    assert "T_warp" in pictures(page.explorer)
    page.tabs.selected_index = 2
    page.make()
    assert "Choose a driving video" in page.video_said.value and page.message.value == ""
    assert page.result.children == ()
    page.tabs.selected_index = 0
    page.explorer.move(**{**widgets.AT_REST, "smile": 0.5})
    page.make()
    assert page.message.value == "done" and not page.button.disabled
    film = page.result.children[0].children[0]
    assert bytes(film.value[4:8]) == b"ftyp" and 'download="film.mp4"' in page.link.value
    page.choose(dict(new=[dict(name="letter.png", content=b"Dear face")]))
    assert "not a photo" in page.photo_said.value and page.message.value == "done", "each beside what it concerns"
    assert len(page.result.children) == 2, "the film is still of the person who is shown"
    assert not any((tmp_path / "photo").iterdir()), "what is no photo is not kept"
    page.tabs.selected_index = 1
    for words, told in (("fly", "knows no"), (" ", "is empty")):
        page.words.value = words
        page.make()
        assert told in page.words_said.value and page.message.value == "" and not page.button.disabled
    page.words.value = "Blink"
    page.make()
    assert page.words_said.value == "" and page.message.value == "done"


def png_bytes(picture):
    "A picture as an upload's content."
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "png")
    return data.getvalue()


def test_a_new_face_takes_the_film_away(tmp_path):
    "With its sheet, its download and its message; another face of a photo as well as another photo."
    page = app.Page(app.Studio(tmp_path))
    film = write_movie(tmp_path / "film.mp4", [np.zeros((32, 32, 3), np.uint8)] * 2)
    page.studio.film = lambda motion: (film, np.zeros((64, 64, 3), np.uint8))
    astronaut = skimage.data.astronaut()
    both = np.full((512, 900, 3), 90, np.uint8)
    both[:, :512] = astronaut
    both[100:433, 560:893] = np.asarray(Image.fromarray(astronaut).convert("L").convert("RGB").resize((333, 333)))
    for name, picture in (("one", astronaut), ("two", both)):
        page.make()
        assert page.message.value == "done" and page.link.value and len(page.result.children) == 2
        page.choose(dict(new=[dict(name=f"{name}.png", content=png_bytes(picture))]))
        assert page.message.value == page.link.value == page.photo_said.value == "" and page.result.children == ()
        shown = Image.open(io.BytesIO(page.preview.value))
        assert shown.size[0] / shown.size[1] == pytest.approx(picture.shape[1] / picture.shape[0], abs=0.01)
        assert list(page.which.options) == ([1] if name == "one" else [1, 2])
        assert page.which.layout.display == ("none" if name == "one" else None)
        assert page.studio.face.image.std(1).mean() > 0.01, "the one in colour, who is larger"
    page.make()
    before = page.preview.value
    page.which.value = 2
    assert page.studio.face.image.std(1).max() < 0.02, "the grey one"
    assert page.message.value == page.link.value == "" and page.result.children == ()
    assert page.preview.value != before and page.which.value == 2
    page.choose(dict(new=[dict(name="one.png", content=png_bytes(astronaut))]))
    assert page.which.value == 1 and page.studio.face.image.std(1).mean() > 0.01


def test_a_face_that_cannot_be_animated_leaves_the_last(tmp_path, monkeypatch):
    page = app.Page(app.Studio(tmp_path))
    both = np.concatenate([skimage.data.astronaut()[:, :450]] * 2, 1)
    page.choose(dict(new=[dict(name="two.png", content=png_bytes(both))]))

    def too_small(number):
        raise F3AError("The face is too small.")

    monkeypatch.setattr(page.studio, "turn_to", too_small)
    page.which.value = 2
    assert page.which.value == 1 and "too small" in page.photo_said.value


def test_each_face_has_its_number():
    "A box around each, the chosen one in a colour of its own; the rest of the photo is untouched."
    photo = np.zeros((220, 400, 3), np.uint8)
    boxes = ((20, 40, 120, 140), (250, 60, 330, 140))
    one, two = (app.numbered_faces(photo, boxes, k).astype(int) for k in (1, 2))
    assert one.shape == photo.shape
    for x0, y0, x1, y1 in boxes:
        for pictures in (one, two):
            assert pictures[y1, x0 + 20 : x1].min(0).max() > 200 and pictures[y1 - 10, x0 + 30 : x1 - 5].max() == 0
    assert (one[140, 100] != two[140, 100]).any() and (one[140, 100] == two[140, 300]).all()
    alone = app.numbered_faces(photo, boxes[:1], 1)
    assert (alone[:, 200:] == 0).all() and (one[43:57, 23:33] != alone[43:57, 23:33]).any(), "a number among several"
    assert app.numbered_faces(photo[:110], boxes[:1], 1).shape == (220, 800, 3)


def test_a_photo_is_no_driving_video(tmp_path):
    page = app.Page(app.Studio(tmp_path))
    page.tabs.selected_index, content = 2, png_bytes(skimage.data.astronaut())
    file = dict(name="her.png", content=content, type="image/png", size=len(content), last_modified=datetime.now())
    page.video.value = (file,)
    page.make()
    assert "has one frame" in page.video_said.value
    assert page.message.value == "" and page.result.children == () and not any((tmp_path / "video").iterdir())


def test_an_error_that_nobody_foresaw_is_said(tmp_path, monkeypatch):
    page = app.Page(app.Studio(tmp_path))
    monkeypatch.setattr(page.studio, "film", lambda motion: 1 / 0)
    page.make()
    assert "Something went wrong (ZeroDivisionError)" in page.message.value and not page.button.disabled
    monkeypatch.setattr(app, "Studio", lambda folder: (_ for _ in ()).throw(F3AError("No <weights>.")))
    assert app.page(tmp_path).value == "<b>No &lt;weights&gt;.</b>"


@pytest.mark.parametrize("kind,told", [("t_warp", False), ("f3a_gan", True)])
def test_anybody_is_painted_and_weights_of_one_person_say_so(tmp_path, faces, kind, told):
    "With the default weights a stranger is painted, without a word; with those of one woman the photo is warped."
    photo = next(p for p in sorted(faces.rglob("*.jpg")))
    page = app.Page(app.Studio(tmp_path, data_path(f"{kind}.safetensors")))
    page.choose(dict(new=[dict(name=photo.name, content=photo.read_bytes())]))
    if "no face" in page.photo_said.value:
        pytest.skip("the first photo shows no face")
    assert ("nothing is painted" in page.photo_said.value) == told
    last = "warping only" if told else "T_warp"
    assert list(pictures(page.explorer))[-1] == last


def test_the_notebook_of_the_app_is_one(tmp_path):
    import nbformat

    path = app.one_line_notebook(tmp_path, "1 + 1")
    nbformat.validate(nbformat.read(path, 4))


def test_the_template_names_no_other_host(tmp_path):
    pytest.importorskip("voila")
    server = app.local_server(tmp_path)(log_level="ERROR")
    server.initialize([str(app.one_line_notebook(tmp_path, "1"))])
    assert "https://" not in (tmp_path / "template" / "index.html.j2").read_text(encoding="utf-8")
    assert server.template_paths[0] == str(tmp_path / "template")


def test_a_port_that_is_none(capsys):
    for port in ("0", "70000", "-1"):
        with pytest.raises(SystemExit) as e:
            app.main(["--port", port, "--no-browser"])
        assert e.value.code == 2 and "from 1 to 65535" in capsys.readouterr().err


def test_no_configuration_file_counts(tmp_path, monkeypatch):
    "A file in the current folder cannot open the app to others."
    pytest.importorskip("voila")
    (tmp_path / "voila.json").write_text('{"Voila": {"ip": "0.0.0.0"}}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    server = app.local_server(tmp_path)(ip="127.0.0.1", log_level="ERROR")
    server.initialize([str(app.one_line_notebook(tmp_path, "1"))])
    assert server.ip == "127.0.0.1"


def test_a_port_that_is_taken(capsys):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        with pytest.raises(SystemExit) as e:
            app.main(["--port", str(s.getsockname()[1]), "--no-browser"])
    assert e.value.code == 2 and "is taken by another program" in capsys.readouterr().err


def test_without_voila_the_app_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    with pytest.raises(F3AError, match=r"f3a_lite\[app\]"):
        app.local_server("x")
