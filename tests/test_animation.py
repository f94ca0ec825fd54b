"Who is painted and who is warped; motions from videos, clips, photos and scripts; every kind of source."

import shutil
from pathlib import Path
from types import SimpleNamespace
import matplotlib.pyplot as plt
import numpy as np
import pytest
import skimage.data
import torch
from conftest import run_command, write_movie
from PIL import Image
from f3a_lite import drawing
from f3a_lite import driving as driving_module
from f3a_lite.ui import animate as animate_module
from f3a_lite import animation
from f3a_lite import animator as animator_module
from f3a_lite import conditions
from f3a_lite import flow
from f3a_lite.animation import (
    Face,
    animate,
    contact_sheet,
    crop_to_valid,
    default_weights,
    face_of_clip,
    is_trained_on,
    read_face,
)
from f3a_lite.driving import (
    GESTURES,
    gesture,
    make_motion,
    motion_from_photo,
    motion_from_script,
    motion_from_video,
    retarget,
)
from f3a_lite.ui.animate import BUNDLED_FRAME, f3a_animate
from f3a_lite.data.clips import load_clip
from f3a_lite.conditions import FILM, Frames, landmark_heatmap, make_condition
from f3a_lite.core import F3AError, data_path
from f3a_lite.diagrams import show_rows
from f3a_lite.pictures import show_images, tile_images
from f3a_lite.flow import facial_flow, warp_along
from f3a_lite.landmarks import SAME_PERSON, head_crop
from f3a_lite.tracker import track_frames
from f3a_lite.morphable import open_model
from f3a_lite.pairs import split_frames
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.generator import NetworkConfig
from f3a_lite.systems import Copying, System, Warping, load_system
from f3a_lite.data.video import SYNTHETIC, iter_frames, video_info, write_gif, write_image, write_video


@pytest.fixture(scope="module")
def face_model():
    return open_model()


@pytest.fixture(scope="module")
def system():
    return load_system(data_path("t_warp.safetensors"))


@pytest.fixture(scope="module")
def paper():
    return load_system(data_path("f3a_gan.safetensors"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    "A rendered person's clip of four frames."
    return prepare_rendered(3, tmp_path_factory.mktemp("drawn") / "person", frames=4)


@pytest.fixture(scope="module")
def short(tmp_path_factory, video):
    "Six frames of the bundled clip as a video, with sound."
    frames = [np.ascontiguousarray(f) for _, f in iter_frames(video, max_frames=6)]
    return write_video(frames, tmp_path_factory.mktemp("short") / "short.mp4", 25, audio_from=video)


@pytest.fixture(scope="module")
def photo(tmp_path_factory, video):
    frames = [f for _, f in iter_frames(video, max_frames=256)]
    return write_image(frames[-1], tmp_path_factory.mktemp("photo") / "photo.png")


@pytest.fixture
def quick(tmp_path, monkeypatch):
    "A folder to work in, and a record of what `animate` is given; it gives warped frames only."
    seen = {}

    def look(system, face, targets, pictures=None, landmarks=None, face_model=None, progress=False):
        seen.update(system=system, face=face, targets=targets, pictures=pictures, landmarks=landmarks)
        return animate(Warping(), face, targets[:3])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F3A_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(animator_module, "animate", look)
    return seen


def motion(p):
    "All that a driving clip moves, (T,n)."
    return torch.cat([p.exp_coeff, p.rotation, p.translation, p.scale[:, None]], 1)


# Who is known


def at_distance(people, d):
    "An embedding that is d from the first of the people."
    step = np.random.default_rng(0).normal(size=people.shape[1])
    return people[0] + d * step / np.linalg.norm(step)


@pytest.mark.parametrize(
    "distance,people,trained_on",
    [(0, 1, True), (0.58, 1, True), (0.62, 1, False), (5, 1, False), (5, 20, False), (5, 21, True), (0.1, 0, False)],
)
def test_who_is_known(distance, people, trained_on):
    "The border is the one that dlib names: .6."
    base = np.tile(np.linspace(-0.3, 0.3, 128), (max(people, 1), 1)) + np.arange(max(people, 1))[:, None] * 0.1
    G = SimpleNamespace(info=dict(people=base[:people].tolist()))
    assert is_trained_on(G, Face(None, None, at_distance(base, distance))) == trained_on


def test_the_nearest_of_several_people_counts():
    base = np.stack([np.zeros(128), np.full(128, 1.0)])
    G = SimpleNamespace(info=dict(people=base.tolist()))
    assert is_trained_on(G, Face(None, None, base[1] + 0.01)) and not is_trained_on(G, Face(None, None, base[1] * 0.5))


def test_weights_without_people_know_nobody():
    assert not is_trained_on(SimpleNamespace(info={}), Face(None, None, np.zeros(128)))


@pytest.mark.parametrize("real,rendered,trained_on", [(0, 20, False), (0, 21, True), (1, 19, False), (1, 20, True)])
def test_many_people_teach_faces_in_general(real, rendered, trained_on):
    "Rendered ones too: more than twenty in all."
    G = SimpleNamespace(info=dict(people=[[9.0] * 128] * real, rendered_clips=rendered))
    assert is_trained_on(G, Face(None, None, np.zeros(128))) == trained_on


def test_anybody_is_painted_and_weights_of_one_person_say_whom_they_know(clip, drawn, system, paper, quick, capsys):
    "The command, on the woman of the weights and on a face that is nobody's."
    woman, nobody = face_of_clip(clip, 5), face_of_clip(drawn, 0)
    assert is_trained_on(system, woman) and is_trained_on(system, nobody)
    assert is_trained_on(paper, woman) and not is_trained_on(paper, nobody)
    one = data_path("f3a_gan.safetensors")
    for words, kind, warned in (
        ([clip.path], "t_warp", False),
        ([drawn.path], "t_warp", False),
        ([clip.path, "--person", one], "f3a_gan", False),
        ([drawn.path, "--person", one], "f3a_gan", True),
    ):
        assert run_command(f3a_animate, *words, "--script", "blink") == 0
        said = capsys.readouterr().out
        assert quick["system"].kind == kind, words
        assert ("'f3a_gan.safetensors' has learnt other people" in said) == warned, words


def test_painting_differs_from_warping(clip, system):
    me, targets = face_of_clip(clip, 0), clip.params[[0, 30]]
    painted, warped = animate(system, me, targets), animate(Warping(), me, targets)
    assert torch.equal(warped["output"], warped["warped_by_mesh"])
    assert (painted["output"] - warped["output"]).abs().mean() > 0.005
    truth = clip.images([0, 30])
    assert (painted["output"] - truth).abs().mean() < (me.image - truth).abs().mean() + 0.02


def test_frames_do_not_depend_on_the_frames_before(clip, system):
    "Each comes from the source and its own flow, in batches of any size."
    me, targets = face_of_clip(clip, 0), clip.params[[3, 9, 27]]
    whole, last = animate(system, me, targets, batch=2), animate(system, me, targets[2:])
    assert torch.allclose(whole["output"][2:], last["output"], atol=1e-5) and len(whole["output"]) == 3


def test_the_default_leaves_alone_what_does_not_move(clip):
    "Asked for no motion, the default weights give the photo back."
    me = face_of_clip(clip, 12)
    film = animate(load_system(default_weights()), me, me.params)["output"]
    assert (film - me.image).abs().mean() < 0.02


class Told(Copying):
    "A system that shows what it is told."

    generate = System.generate

    def __init__(self, condition, anchor="target"):
        super().__init__(NetworkConfig(condition, anchor))
        self.conditions = []

    def forward(self, source, condition, stage=None):
        self.conditions.append(condition)
        return dict(image=source + condition.mean((1, 2, 3), keepdim=True))


@pytest.mark.parametrize("condition", ["flow", "geometry_maps", "landmarks", "aus", "picture", "au_pair"])
@pytest.mark.parametrize("anchor", ["target", "source"])
def test_a_system_is_told_what_it_asks_for(clip, face_model, condition, anchor):
    me, frames = face_of_clip(clip, 0), [5, 20, 39]
    targets, pictures, landmarks = clip.params[frames], clip.images(frames), clip.landmarks[frames] + 0.1
    system = Told(condition, anchor)
    animate(system, me, targets, pictures, landmarks, batch=2)
    want = make_condition(
        condition, face_model, Frames(me.params, me.image), Frames(targets, pictures, landmarks), 128, anchor
    )
    assert [len(t) for t in system.conditions] == [2, 1]
    assert torch.allclose(torch.cat(system.conditions), want, atol=1e-6)


def test_a_system_that_watches_a_film_sees_the_frames_before(clip):
    "Across batches; before the first frame there is only itself."
    system = Told("landmark_film")
    marks = clip.landmarks[:6] + 0.1
    animate(system, face_of_clip(clip, 0), clip.params[list(range(6))], None, marks, batch=2)
    condition = torch.cat(system.conditions)
    for k in range(6):
        for back in range(FILM):
            want = landmark_heatmap(marks[max(0, k - back)][None])[0, 0]
            assert torch.allclose(condition[k, FILM - 1 - back], want, atol=1e-6), (k, back)


@pytest.mark.parametrize("weights, drawn", [("f3a_gan", 2), ("t_warp", 4)])
def test_a_film_poses_each_face_once(clip, monkeypatch, weights, drawn):
    "Ten frames: eleven meshes are posed; flow and shaded mesh are drawn once each, and T_warp's opening of the mouth."
    posed, maps = [], []
    usual = conditions.pose
    monkeypatch.setattr(conditions, "pose", lambda model, params: posed.append(len(params)) or usual(model, params))
    for module in (conditions, drawing, flow):
        draw = module.rasterize_map

        def count(place, *args, draw=draw, **kw):
            maps.append(len(place))
            return draw(place, *args, **kw)

        monkeypatch.setattr(module, "rasterize_map", count)
    system = load_system(data_path(f"{weights}.safetensors"))
    me, targets = face_of_clip(clip, 0), clip.params[list(range(10))]
    film = animate(system, me, targets, batch=4)
    assert sum(posed) == 11 and sum(maps) == drawn * 10 + 2 * (weights == "t_warp"), (
        "and the source's depth and mouth, once"
    )
    if weights == "f3a_gan":  # T_warp continues the flow in a way of its own
        same = warp_along(open_model(), me.params, targets, me.image)[2]
        assert torch.allclose(film["warped_by_mesh"], same, atol=1e-4)


def test_a_picture_is_needed_by_a_system_that_looks_at_one(clip):
    with pytest.raises(F3AError, match="picture"):
        animate(Told("picture"), face_of_clip(clip, 0), clip.params[[1]])


# Back into the photo


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory, video):
    "The woman of the bundled clip beside herself, half as large, in grey."
    image = next(iter_frames(video))[1]
    grey = Image.fromarray(image).convert("L").convert("RGB")
    small = np.asarray(grey.resize((image.shape[1] // 2, image.shape[0] // 2)))
    out = np.full((image.shape[0], image.shape[1] * 3 // 2, 3), 90, np.uint8)
    out[:, : image.shape[1]] = image
    out[: small.shape[0], image.shape[1] : image.shape[1] + small.shape[1]] = small
    return write_image(out, tmp_path_factory.mktemp("two") / "two.png")


def test_which_of_several_faces(two_faces, clip, quick, capsys):
    "The largest by default, and a line says that there are more; the second if asked for; one sentence for a third."
    assert run_command(f3a_animate, two_faces, "--script", "blink") == 0
    assert "'two.png' shows 2 faces; number 1 is animated" in capsys.readouterr().err
    first = quick["face"]
    assert first.image.std(1).mean() > 0.01, "the one in colour"
    assert run_command(f3a_animate, two_faces, "--face", 2, "--script", "blink") == 0
    assert "faces" not in capsys.readouterr().err
    second = quick["face"]
    assert second.image.std(1).max() < 0.02, "the grey one"
    assert 1.6 < first.crop.side / second.crop.side < 2.4
    assert run_command(f3a_animate, clip.path, "--face", 1, "--script", "blink") == 2
    assert "leave --face away" in capsys.readouterr().err
    for number, word in ((3, "no face 3"), (0, "counts from 1")):
        assert run_command(f3a_animate, two_faces, "--face", number, "--script", "blink") == 2
        assert word in capsys.readouterr().err


def test_a_badge_is_not_animated(tmp_path, quick, capsys):
    "The astronaut's face, and not the badge on her suit, which is as large; one face, so nothing is said of others."
    photo = write_image(skimage.data.astronaut(), tmp_path / "her.png")
    assert run_command(f3a_animate, photo, "--script", "blink") == 0
    crop = quick["face"].crop
    assert crop.left < 224 < crop.left + crop.side and crop.top < 130 < crop.top + crop.side < 320
    assert "faces" not in capsys.readouterr().err
    assert run_command(f3a_animate, photo, "--script", "blink", "--face", 2) == 2
    assert "shows 1 face that can be found" in capsys.readouterr().err


def test_where_no_face_is(tmp_path, capsys):
    "The sentence counts no frames of a photo, and says how large a face must be in one of this size."
    small = write_image(skimage.data.coffee(), tmp_path / "coffee.png")
    large = write_image(np.zeros((300, 4000, 3), np.uint8), tmp_path / "large.png")
    for photo, least in ((small, 60), (large, 60)):
        assert run_command(f3a_animate, photo, "--script", "blink") == 2
        want = f"No face was found in {photo.name}: give a picture in which a face of at least {least} pixels looks"
        assert want in capsys.readouterr().err
    with pytest.raises(F3AError, match=r"in x.mp4 \(3 frames\): give a video"):
        track_frames([(k / 25, np.zeros((90, 90, 3), np.uint8)) for k in range(3)], "x.mp4")


def unchanged_film(face, paint=0.0):
    "What `animate` would give for no motion: nothing moves, and a grey value is painted."
    zero, size = torch.zeros(1, 2, 128, 128), face.image
    return dict(output=size + paint, warped=size, backward_flow=zero)


def test_without_motion_the_whole_photo_comes_back(photo):
    face = read_face(photo)
    back = next(iter(animation.paste_back(face, unchanged_film(face)))).astype(int)
    want = face.photo[: back.shape[0], : back.shape[1]].astype(int)
    assert np.abs(back - want).max() <= 1, "each pixel, to a rounding"


def test_paint_is_added_inside_the_crop_and_fades_at_its_rim(photo):
    face = read_face(photo)
    back = next(iter(animation.paste_back(face, unchanged_film(face, 0.2)))).astype(int)
    change = np.abs(back - face.photo[: back.shape[0], : back.shape[1]]).max(2)
    c = face.crop
    inside = np.zeros_like(change, bool)
    inside[max(0, c.top) : c.top + c.side, max(0, c.left) : c.left + c.side] = True
    assert change[~inside].max(initial=0) == 0, "outside the crop nothing changes"
    middle = change[c.top + c.side // 2, c.left + c.side // 2]
    rim = change[c.top + c.side // 2, max(0, c.left)]
    assert 35 <= middle <= 52 and rim < 8


def test_the_photo_moves_at_its_own_resolution(photo):
    "A flow of an eighth of the crop: the middle of the photo is moved by whole pixels, as sharp as before."
    face = read_face(photo)
    film = unchanged_film(face)
    film["backward_flow"] = film["backward_flow"] + torch.tensor([0.25, 0.0]).view(1, 2, 1, 1)
    back, c = next(iter(animation.paste_back(face, film))).astype(int), face.crop
    shift = c.side / 8
    y = slice(c.top + c.side * 2 // 5, c.top + c.side * 3 // 5)
    x = np.arange(c.left + c.side * 2 // 5, c.left + c.side * 3 // 5)
    low = np.floor(x + shift).astype(int)
    share = (x + shift - low)[None, :, None]
    want = face.photo[y][:, low] * (1 - share) + face.photo[y][:, low + 1] * share
    assert np.abs(back[y][:, x] - want).max() <= 2


def test_the_full_photo_from_the_command_line(photo, short, clip, quick, capsys):
    "The film is as large as the photo; a clip, which holds the head only, is refused."
    assert run_command(f3a_animate, photo, "--script", "blink", "--full") == 0
    i, size = video_info("out/animation.mp4"), Image.open(photo).size
    assert (i.width, i.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert run_command(f3a_animate, short, "--driving", short, "--full") == 0
    assert video_info("out/animation.mp4").width == video_info(short).width
    assert torch.allclose(motion(quick["targets"])[0], motion(quick["face"].params)[0], atol=1e-5), "one crop for both"
    assert run_command(f3a_animate, clip.path, "--script", "blink", "--full") == 2
    assert "holds the head only" in capsys.readouterr().err


def test_a_large_photo_is_made_smaller(photo):
    face = read_face(photo)
    picture, (left, top, side) = animation.limit_size(face, 200)
    assert max(picture.shape) == 200 and not any(n % 2 for n in picture.shape[:2])
    scale = picture.shape[1] / face.photo.shape[1]
    assert abs(side - face.crop.side * scale) <= 0.51 and abs(left - face.crop.left * scale) <= 0.51


# Faces


def test_every_kind_of_source(clip, drawn, short, photo, quick):
    "Photo, video, prepared clip, rendered clip, and nothing at all."
    for source in ([photo], [short], [clip.path], [drawn.path], [short, "--frame", 3], []):
        assert run_command(f3a_animate, *source, "--script", "smile") == 0
        assert sorted(p.name for p in Path("out").iterdir()) == ["animation.gif", "animation.mp4", "animation.png"]
        assert quick["face"].image.shape == (1, 3, 128, 128) and quick["face"].embedding.shape == (128,)
        assert len(quick["targets"]) > 20
        shutil.rmtree("out")


def test_the_frame_that_is_asked_for(clip, short, drawn):
    assert torch.equal(read_face(clip.path, frame=7).image, clip.images(7)) and torch.equal(
        read_face(clip.path).image, clip.images(0)
    )
    assert torch.equal(read_face(drawn.path, frame=99).image, drawn.images(3)), "the last, where there are fewer"
    a, b = read_face(short, frame=0), read_face(short, frame=5)
    assert not torch.equal(a.image, b.image) and np.linalg.norm(a.embedding - b.embedding) < SAME_PERSON


def test_embeddings_tell_people_apart(clip, drawn):
    "Of a rendered person too, and not the same for everybody."
    woman, again, nobody = (
        face_of_clip(clip, 0).embedding,
        face_of_clip(clip, 35).embedding,
        face_of_clip(drawn, 0).embedding,
    )
    assert np.linalg.norm(woman - again) < SAME_PERSON < np.linalg.norm(woman - nobody)
    assert np.linalg.norm(nobody - face_of_clip(drawn, 2).embedding) < SAME_PERSON and np.isfinite(nobody).all()


def test_what_the_photo_never_had(video, tmp_path):
    "A head at the border: the mask is 0 exactly where the head's square leaves the picture."
    image = next(iter_frames(video))[1][100:]  # cut the hair off: the crop goes on above it
    face = read_face(write_image(image, tmp_path / "cut.png"))
    assert face.valid.shape == (1, 1, 128, 128) and set(face.valid.unique().tolist()) == {0.0, 1.0}
    left, top, right, bottom = head_crop(track_frames([(0.0, image)]).landmarks)
    pixel = (right - left) / 128
    want = torch.zeros(128, 128)
    first, last = round(-top / pixel), round((image.shape[1] - left) / pixel)
    want[first:, :last] = 1
    assert 20 < first < 60 and 64 < last < 128, "above and to the right"
    bottom_edge = round((image.shape[0] - top) / pixel)
    want[bottom_edge:] = 0
    assert torch.equal(face.valid[0, 0], want)
    assert crop_to_valid(face, face.image).shape == (1, 3, min(bottom_edge, 128) - first, last)


def test_everything_is_real_where_nothing_is_said(clip):
    face = Face(clip.images(0), clip.params[0], np.zeros(128))
    assert face.valid.shape == (1, 1, 128, 128) and (face.valid == 1).all()
    assert torch.equal(crop_to_valid(face, face.image), face.image)


def test_only_what_is_real_is_shown(clip, tmp_path, monkeypatch):
    "Film, GIF and contact sheet are cut to the window of the source."
    face = face_of_clip(clip, 0)
    face.valid[:] = 1
    face.valid[:, :, :8] = 0
    face.valid[:, :, :, 120:] = 0
    film = animate(Warping(), face, clip.params[[0, 5, 9]])
    assert torch.equal(crop_to_valid(face, film["output"]), film["output"][:, :, 8:, :120])
    assert contact_sheet(face, film).shape == (5 * 182 - 2 + 16, 3 * 182 - 2 + 58, 3), "120 of 128 pixels, enlarged"
    film = animator_module.Film(face, film, driving_module.Motion(clip.params[[0, 5, 9]], 25.0))
    i = video_info(film.save(tmp_path / "a.b.mp4"))
    assert (i.width, i.height) == (120, 120) and Image.open(film.save(tmp_path / "a.b.gif")).size == (120, 120)


def test_the_bundled_source_is_a_training_frame(video):
    assert BUNDLED_FRAME in split_frames(video_info(video).frames)["train"]
    asked = []
    face = Face(None, None, None)
    own = SimpleNamespace(face=lambda source, number, frame: asked.append((source, frame)) or face)
    animate_module.source_face(animate_module.AnimateOptions(), own)
    animate_module.source_face(animate_module.AnimateOptions(frame=0), own)
    animate_module.source_face(animate_module.AnimateOptions(source=video), own)
    assert asked == [(video, BUNDLED_FRAME), (video, 0), (video, None)]


def test_a_video_and_its_clip_are_the_same_face(clip, video):
    "The landmarks are looked at in the clip's own pixels: the embedding agrees with that of the large picture."
    assert np.linalg.norm(face_of_clip(clip, 0).embedding - read_face(video).embedding) < 0.35


# Driving


def test_absolute_for_oneself_relative_for_another(clip, drawn):
    "In closed form: the driver's values, or the source's own and the driver's changes since the first frame."
    source, driving = drawn.params[1], clip.params[[10, 20, 30]]
    own = retarget(source, driving, True)
    assert torch.allclose(motion(own), motion(driving)) and torch.equal(own.id_coeff, source.id_coeff.expand(3, -1))
    other = retarget(source, driving, False)
    assert torch.allclose(motion(other)[0, 52:], motion(source)[0, 52:], atol=1e-6), (
        "the first frame is the source itself"
    )
    assert torch.allclose(other.rotation, source.rotation + driving.rotation - driving.rotation[:1], atol=1e-6)
    assert torch.allclose(
        other.translation, source.translation + driving.translation - driving.translation[:1], atol=1e-6
    )
    assert torch.allclose(other.scale, source.scale * driving.scale / driving.scale[0], atol=1e-6)
    assert torch.allclose(
        other.exp_coeff, (source.exp_coeff + driving.exp_coeff - driving.exp_coeff[:1]).clamp(0, 1), atol=1e-6
    )
    assert not torch.allclose(motion(own), motion(other), atol=0.05)
    assert torch.equal(motion(retarget(source, driving, False, absolute=True)), motion(own)), "the paper's way"


def test_follow_tells_oneself_from_another(clip, drawn, face_model):
    me, other = face_of_clip(clip, 7), face_of_clip(drawn, 0)
    m = motion_from_video(me, clip.path, clip.path, face_model)
    assert torch.allclose(motion(m.targets), motion(clip.params)) and torch.equal(m.landmarks, clip.landmarks)
    assert torch.equal(m.pictures[:], clip.images(range(len(clip))))
    assert m.fps == pytest.approx(23.976, abs=0.01) and m.sound is None
    m = motion_from_video(other, drawn.path, clip.path, face_model)
    assert m.landmarks is None, "another face's landmarks are not where this face's will be"
    assert torch.allclose(
        m.targets.rotation, other.params.rotation + clip.params.rotation - clip.params.rotation[:1], atol=1e-6
    )
    targets = motion_from_video(me, "elsewhere.png", clip.path, face_model).targets
    assert torch.allclose(targets.rotation[0], me.params.rotation[0], atol=1e-6), (
        "the same woman in another picture: changes"
    )
    assert not torch.allclose(targets.rotation[0], clip.params.rotation[0], atol=1e-3)


def test_another_person_in_the_same_file_is_driven_by_changes(clip, face_model):
    "A source that comes from the driving clip, but is not whom that clip shows."
    me = face_of_clip(clip, 7)
    stranger = Face(me.image, me.params, me.embedding + 1)
    targets = motion_from_video(stranger, clip.path, clip.path, face_model).targets
    assert torch.allclose(targets.rotation[0], me.params.rotation[0], atol=1e-6)
    assert not torch.allclose(targets.rotation[0], clip.params.rotation[0], atol=1e-3)


@pytest.mark.parametrize("kind", ["video", "prepared", "rendered"])
def test_driving_from_the_command_line(clip, drawn, short, photo, quick, kind):
    driving, T = dict(video=(short, 6), prepared=(clip.path, 40), rendered=(drawn.path, 4))[kind]
    assert run_command(f3a_animate, photo, "--driving", driving, "--name", "made") == 0
    assert len(quick["targets"]) == T
    relative = quick["targets"]
    assert torch.allclose(relative.rotation[0], quick["face"].params.rotation[0], atol=1e-5), "begins as the source"
    i = video_info("out/made.mp4")
    assert i.has_audio == (kind == "video") and i.frames == 3
    seen = crop_to_valid(quick["face"], quick["face"].image).shape[2] * 192 // 128  # pixels of a cell's height
    rows = (Image.open("out/made.png").size[1] - 16) / (seen + 2)
    assert round(rows) == 6, "source, driving, mesh, flow, warped, output"
    assert run_command(f3a_animate, photo, "--driving", driving, "--absolute") == 0
    assert not torch.allclose(quick["targets"].rotation[0], relative.rotation[0], atol=1e-3), "begins as the driver"


def test_a_rendered_clip_drives_itself(drawn, quick):
    assert run_command(f3a_animate, drawn.path, "--driving", drawn.path, "--frame", 2) == 0
    assert torch.allclose(motion(quick["targets"]), motion(drawn.params))


def test_a_driving_video_is_prepared_once(drawn, short, quick, capsys):

    assert run_command(f3a_animate, drawn.path, "--driving", short) == 0
    (folder,) = Path("cache/clips").glob("short-*")
    stamp = (folder / "frames.npy").stat().st_mtime_ns
    assert run_command(f3a_animate, drawn.path, "--driving", short) == 0
    assert (folder / "frames.npy").stat().st_mtime_ns == stamp and list(Path("cache/clips").iterdir()) == [folder]
    assert len(load_clip(folder)) == 6


def test_two_driving_videos_of_one_name(tmp_path, drawn, short, quick, video):
    (tmp_path / "b").mkdir()
    write_movie(tmp_path / "b" / "short.mp4", [np.ascontiguousarray(f) for _, f in iter_frames(video, max_frames=2)])
    for d, T in ((short, 6), (tmp_path / "b" / "short.mp4", 2), (short, 6)):
        assert run_command(f3a_animate, drawn.path, "--driving", d) == 0 and len(quick["targets"]) == T
    assert sorted(len(load_clip(p)) for p in Path("cache/clips").iterdir()) == [2, 6], "neither has replaced the other"


def test_a_driver_of_one_frame_is_refused(tmp_path, photo, clip, quick, capsys, monkeypatch):
    "A photo, a video of one frame, a prepared clip of one: before the source is read."
    frame = np.asarray(Image.open(photo))
    write_movie(tmp_path / "one.mp4", [frame])
    shutil.copy(photo, tmp_path / "her.png")
    alone = shutil.copytree(clip.path, tmp_path / "alone")
    monkeypatch.setattr(driving_module, "load_clip", lambda path: [0])
    monkeypatch.setattr(animator_module, "read_face", None)
    for driver in ("one.mp4", "her.png", "alone"):
        assert run_command(f3a_animate, photo, "--driving", tmp_path / driver) == 2
        assert f"'{driver}' has one frame" in capsys.readouterr().err
    shutil.rmtree(alone)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["her.png", "one.mp4"], "nothing is prepared, nothing written"


@pytest.mark.parametrize(
    "words, message",
    [
        (["--driving", "d.mp4", "--to", "t.png"], "Choose one of"),
        (["--to", "t.png", "--script", "nod"], "Choose one of"),
        (["--script", "yodel"], "knows no 'yodel'"),
        (["--script", " ; "], "is empty"),
        (["--absolute", "--script", "nod"], "--absolute"),
        (["--size", "99"], "even number of pixels from 64 to 1024"),
        (["--size", "62"], "even number"),
        (["--size", "2000"], "even number"),
        (["--size", "256", "--full"], "leave the size away"),
        (["--only", "hair"], "hair"),
        (["--face", "0"], "counts from 1"),
        (["--param-source", "guess"], "guess"),
        (["--tracker", "x.task", "--param-source", "regressor"], "--tracker"),
    ],
)
def test_options_are_looked_at_first(tmp_path, quick, capsys, monkeypatch, words, message):
    "Before the weights and the photo are read; the photo and the motion need not even be there."
    monkeypatch.setattr(animator_module, "load_system", None)
    assert run_command(f3a_animate, "missing.png", *words) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_clip_has_one_face_and_no_photo(clip, short, quick, capsys, monkeypatch):
    monkeypatch.setattr(animator_module, "load_system", None)
    itself = [short, "--driving", short]
    for words, option in (([clip.path], "--face=1"), ([clip.path], "--full"), (itself, "--face=1")):
        assert run_command(f3a_animate, *words, option) == 2
        assert option.split("=")[0] in capsys.readouterr().err


def test_an_interrupted_film_is_begun_anew(tmp_path, clip, quick, capsys, monkeypatch):
    def press(*a, **k):
        raise KeyboardInterrupt

    monkeypatch.setattr(animator_module, "animate", press)
    assert run_command(f3a_animate, clip.path, "--script", "blink") == 130
    said = capsys.readouterr().err
    assert "begins it anew" in said and "kept" not in said and not list(tmp_path.iterdir())


def test_a_driving_video_that_is_none_leaves_nothing(tmp_path, drawn, quick, capsys):
    (tmp_path / "bad.mp4").write_text("no video")
    for driving in ("bad.mp4", "missing.mp4"):
        assert run_command(f3a_animate, drawn.path, "--driving", driving) == 2
        assert driving in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["bad.mp4"]


# Towards a photo, and by script


def test_towards_a_photo(drawn, photo, face_model):
    "Eq. 3: from the source to the other's expression and rotation; the face stays where it is."
    face, other = face_of_clip(drawn, 0), read_face(photo)
    p, q, o = motion_from_photo(face, photo, face_model, fps=10), face.params, other.params
    assert len(p) == 14
    assert torch.allclose(motion(p)[0], motion(q)[0], atol=1e-6)
    for k in (9, 10, 13):
        assert torch.allclose(p.exp_coeff[k], o.exp_coeff[0], atol=1e-5) and torch.allclose(
            p.rotation[k], o.rotation[0], atol=1e-5
        )
    for name in ("translation", "scale", "id_coeff"):
        assert torch.allclose(getattr(p, name), getattr(q, name).expand_as(getattr(p, name)), atol=1e-6)
    third = q.rotation[0] * 2 / 3 + o.rotation[0] / 3
    assert torch.allclose(p.rotation[3], third, atol=1e-5), "a third of the way after three of nine steps"
    assert (q.rotation - o.rotation).abs().max() > 0.02, "the two do differ"


def test_to_from_the_command_line(drawn, photo, quick):
    assert run_command(f3a_animate, drawn.path, "--to", photo) == 0
    assert len(quick["targets"]) == 35 and (Image.open("out/animation.png").size[1] - 16) // 192 == 5


def test_plan_motion(clip, drawn, photo, face_model):
    face = face_of_clip(drawn, 0)
    assert len(make_motion(face, drawn.path).targets) == len(motion_from_script(face.params, "smile,blink,turn"))
    m = make_motion(face, drawn.path, script="nod", fps=10)
    assert m.pictures is None and m.sound is None and m.fps == 10 and len(m.targets) == 1 + 10 + 1
    assert make_motion(face, drawn.path, to=photo, fps=5).pictures is None
    with pytest.raises(F3AError, match="script is empty"):
        make_motion(face, drawn.path, script="")
    assert len(make_motion(face, drawn.path, driving=clip.path).targets) == 40
    for two in (dict(driving=clip.path, to=photo), dict(to=photo, script="nod"), dict(driving=clip.path, script="nod")):
        with pytest.raises(F3AError, match="one of"):
            make_motion(face, drawn.path, **two)


def test_gestures(clip, face_model):
    start = clip.params[0]
    turn = gesture(start, GESTURES["turn"], 21, face_model)
    degrees = (turn.rotation - start.rotation) * 180 / torch.pi
    assert (
        torch.allclose(degrees[10], torch.tensor([0.0, 22.0, 0.0]), atol=1e-4) and degrees[[0, -1]].abs().max() < 0.05
    )
    assert torch.equal(turn.exp_coeff, start.exp_coeff.expand(21, -1))
    blink = gesture(start, GESTURES["blink"], 11, face_model)
    lids = face_model.unit("eyeBlink")
    assert (blink.exp_coeff[5, lids] > 0.999).all() and torch.allclose(blink.exp_coeff[0], start.exp_coeff[0])
    rest = [k for k in range(face_model.L) if k not in lids]
    assert torch.equal(blink.exp_coeff[:, rest], start.exp_coeff[:, rest].expand(11, -1)) and torch.equal(
        blink.rotation, start.rotation.expand(11, -1)
    )
    smiling = start.replace(exp_coeff=torch.ones_like(start.exp_coeff))
    assert torch.equal(gesture(smiling, GESTURES["smile"], 5, face_model).exp_coeff, torch.ones(5, face_model.L)), (
        "a smile is never taken back"
    )


def test_scripts(clip):
    start = clip.params[0]
    s = motion_from_script(start, " smile , blink,,turn", fps=25)
    assert len(s) == 1 + (25 + 3) + (10 + 3) + (25 + 3)
    assert all(torch.allclose(motion(s)[k], motion(start)[0], atol=2e-3) for k in (0, 28, 41, 69))
    for script in ("smile blink turn", "Smile; Blink,TURN ", "smile\nblink;;turn"):
        assert torch.equal(motion(motion_from_script(start, script)), motion(s)), script
    for bad, word in (("smile,yodel", "yodel"), (" , ", "empty"), ("", "empty")):
        with pytest.raises(F3AError, match=word):
            motion_from_script(start, bad)


# What is written


def test_films_say_that_they_are_synthetic(tmp_path, clip):
    import av

    frames = clip.images([0, 10, 20])
    with av.open(str(write_video(frames, tmp_path / "a.mp4", 12.5))) as c:
        assert c.metadata["comment"] == SYNTHETIC == c.metadata["description"] and c.metadata["synthetic"] == "true"
        assert float(c.streams.video[0].average_rate) == 12.5
    gif = Image.open(write_gif(frames, tmp_path / "a.gif", 12.5))
    assert (
        gif.info["comment"].decode() == SYNTHETIC
        and gif.n_frames == 3
        and gif.info["duration"] == 80
        and gif.info["loop"] == 0
    )
    with pytest.raises(F3AError, match="mp4"):
        write_video(frames, tmp_path / "a.avi")
    with pytest.raises(F3AError, match="no frames"):
        write_video([], tmp_path / "b.mp4")


def test_a_flow_beside_photos_keeps_its_colours_in_a_gif(tmp_path, clip):
    "Six photos and a colour wheel: over small squares its colours are nearer than a median cut leaves them."
    from scipy.ndimage import uniform_filter

    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    wheel = np.stack([0.5 + 0.5 * x, 0.5 + 0.5 * y, 0.5 - 0.35 * (x + y)], 2)
    photos = clip.images([0, 7, 14, 21, 28, 35]).permute(0, 2, 3, 1).numpy()
    frame = (np.concatenate([*photos, wheel], 1).clip(0, 1) * 255).astype(np.uint8)
    back = np.asarray(Image.open(write_gif([frame, frame], tmp_path / "a.gif")).convert("RGB"))
    plain = np.asarray(Image.fromarray(frame).quantize(128, dither=Image.Dither.NONE).convert("RGB"))
    smooth = [uniform_filter(im[:, -128:].astype(float), (4, 4, 0)) for im in (frame, back, plain)]
    error, usual = (np.abs(x - smooth[0]).mean() for x in smooth[1:])
    assert error < 0.7 * usual, (error, usual)
    assert len(np.unique(back[:, -128:].reshape(-1, 3), axis=0)) > 100


def test_odd_sizes_and_the_order_of_frames(tmp_path):
    ims = [np.full((33, 47, 3), v, np.uint8) for v in (20, 120, 220)]
    back = [f for _, f in iter_frames(write_video(ims, tmp_path / "a.mp4", 10))]
    assert back[0].shape == (34, 48, 3) and [int(round(f.mean(), -1)) for f in back] == [20, 120, 220]


def test_sound_ends_with_the_pictures(tmp_path, clip, video):
    import av

    p = write_video(clip.images(range(10)), tmp_path / "a.mp4", 10, audio_from=video)
    with av.open(str(p)) as c:
        end = max(float(x.pts * x.time_base) for x in c.demux(c.streams.audio[0]) if x.pts is not None)
    assert 0.9 < end <= 1.05
    with av.open(str(p)) as c, av.open(str(video)) as v:
        assert bytes(next(c.demux(c.streams.audio[0]))) == bytes(next(v.demux(v.streams.audio[0]))), (
            "copied, not coded anew"
        )
    silent = write_movie(tmp_path / "s.mp4", [np.zeros((64, 64, 3), np.uint8)] * 2)
    assert not video_info(write_video(clip.images([0]), tmp_path / "b.mp4", 10, audio_from=silent)).has_audio


@pytest.mark.parametrize("n,ncols,pad", [(1, 8, 2), (5, 3, 2), (6, 3, 1), (7, 4, 0), (8, 8, 2)])
def test_tiles_lie_side_by_side(n, ncols, pad):
    "Each picture at its place, white between them and in an uneven last row, no border."
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (n, 9, 7, 3), dtype=np.uint8)
    columns = min(n, ncols)
    rows = -(-n // columns)
    want = np.full((rows * (9 + pad) - pad, columns * (7 + pad) - pad, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        y, x = k // columns * (9 + pad), k % columns * (7 + pad)
        want[y : y + 9, x : x + 7] = picture
    got = tile_images(list(pictures), ncols, pad)
    assert got.dtype == np.uint8 and np.array_equal(got, want)
    as_tensors = [torch.from_numpy(p).permute(2, 0, 1) / 255 for p in pictures]
    assert np.array_equal(tile_images(as_tensors, ncols, pad), want)


def test_titles_can_be_read_where_a_page_stores_the_figure_smaller():
    "Twelve pixels of a figure that is 620 wide; a long title fits over its picture; flat pictures leave no gaps."
    flat = np.zeros((40, 80, 3), np.uint8)
    figures = [
        show_images([flat] * 8, ["as it is", "a much longer title than this"] * 4, ncols=4, size=2.4),
        show_rows({"eyes": [flat] * 4, "mouth": [flat] * 4}, ["as it is", "θ = 0.33"] * 2),
        show_images([flat] * 4, ["θ = 0.33"] * 4, ncols=4, size=2.4),
    ]
    for figure, least in zip(figures, (8, 11.5, 11.5)):
        figure.canvas.draw()
        titled = [ax for ax in figure.axes if ax.get_title()]
        for ax in titled:
            place, text = ax.get_window_extent(), ax.title.get_window_extent()
            assert text.width <= place.width, ax.get_title()
            assert ax.title.get_fontsize() / 72 * figure.dpi * 620 / figure.bbox.width > least
        tops = sorted({round(ax.get_window_extent().y0) for ax in figure.axes})
        height = figure.axes[0].get_window_extent().height
        assert all(b - a < 1.4 * height for a, b in zip(tops, tops[1:])), "no gap between the rows"
        plt.close(figure)


def test_contact_sheet_rows_and_columns(clip):
    me, film = face_of_clip(clip, 0), animate(Warping(), face_of_clip(clip, 0), clip.params[[0, 20, 39]])
    driving = clip.images([0, 20, 39])
    me.valid[:] = 1
    sheet = contact_sheet(me, film, driving)
    assert sheet.shape == (6 * 194 - 2 + 16, 3 * 194 - 2 + 58, 3)
    left, top, sheet = sheet[16:, :58], sheet[:16, 58:], sheet[16:, 58:]
    for k in range(6):
        assert left[k * 194 : k * 194 + 192].min() < 100, "each row has a name"
    for k in range(3):
        assert top[:, k * 194 : k * 194 + 192].min() < 100, "each column has a name"
    cell = lambda r, c: sheet[r * 194 : r * 194 + 192, c * 194 : c * 194 + 192] / 255
    for c in range(3):
        for r, x in enumerate((me.image[0], driving[c], film["mesh"][c], None, film["warped"][c], film["output"][c])):
            if x is not None:
                large = torch.nn.functional.interpolate(x[None], scale_factor=1.5, mode="bicubic")[0].clamp(0, 1)
                assert np.abs(cell(r, c) - large.permute(1, 2, 0).numpy()).max() < 0.01, (r, c)
    assert contact_sheet(me, film).shape == (5 * 194 - 2 + 16, 3 * 194 - 2 + 58, 3)


@pytest.mark.parametrize(
    "name, word", [("me", "not written over"), *[(n, "without a folder") for n in ("../me", "a/b", "..")]]
)
def test_what_is_read_is_not_written_over(tmp_path, capsys, name, word):
    "A photo in the output folder under the output's name, and names that lead elsewhere."
    photo = tmp_path / "me.png"
    Image.new("RGB", (64, 64)).save(photo)
    before = photo.read_bytes()
    assert run_command(f3a_animate, photo, "--out", tmp_path, "--name", name, "--script", "blink") == 2
    assert word in capsys.readouterr().err
    assert photo.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["me.png"]


def test_the_driving_video_itself_is_seen_through_one_crop(video, clip, monkeypatch):
    "Source and driver are one file: the face comes from the driver's prepared clip, and its own frame does not move."
    for module in (animator_module, driving_module):
        monkeypatch.setattr(module, "driving_clip", lambda *a, **k: clip)
    face = animator_module.Animator("warping").own_face(video, 7)
    motion = driving_module.motion_from_video(face, face.path, video, open_model())
    flow = facial_flow(open_model(), face.params, motion.targets[7], 64)[0]
    assert face.path == clip.path and float(flow.abs().max()) < 1e-5
    assert (animation.source_at(face, 128) - face.image).abs().mean() < 1e-6, "its photo is that frame"
    assert animation.source_at(face, 256).shape == (1, 3, 256, 256)
