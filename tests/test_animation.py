"Who is painted and who is warped; motions from videos, clips, photos and scripts; every kind of source."

import shutil
from pathlib import Path
import numpy as np
import pytest
import torch
from conftest import run_command, write_movie
from PIL import Image
from f3a_lite import animation
from f3a_lite.animation import (
    BUNDLED,
    Face,
    animate,
    contact_sheet,
    default_weights,
    driven,
    f3a_animate,
    face_of_clip,
    follow,
    gesture,
    knows,
)
from f3a_lite.animation import (
    move_towards,
    plan_motion,
    read_face,
    scripted,
    write_gif,
    write_video,
    SYNTHETIC,
    GESTURES,
)
from f3a_lite.clips import load_clip, prepare_rendered
from f3a_lite.core import F3AError, data_path
from f3a_lite.generator import load_generator
from f3a_lite.landmarks import KNOWN_DISTANCE, iter_frames, video_info, write_image
from f3a_lite.morphable import open_model


@pytest.fixture(scope="module")
def model():
    return open_model()


@pytest.fixture(scope="module")
def generator():
    return load_generator(data_path("t_warp.safetensors"))


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

    def look(generator, face, targets, model=None, batch=8, progress=False):
        seen.update(generator=generator, face=face, targets=targets)
        return animate(None, face, targets[:3], model, batch)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(animation, "animate", look)
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
    "distance,people,known",
    [(0, 1, True), (0.58, 1, True), (0.62, 1, False), (5, 1, False), (5, 20, False), (5, 21, True), (0.1, 0, False)],
)
def test_who_is_known(distance, people, known):
    "The border is the one that dlib names: .6."
    base = np.tile(np.linspace(-0.3, 0.3, 128), (max(people, 1), 1)) + np.arange(max(people, 1))[:, None] * 0.1
    G = type("G", (), dict(info=dict(people=base[:people].tolist())))
    assert knows(G, Face(None, None, at_distance(base, distance))) == known


def test_the_nearest_of_several_people_counts():
    base = np.stack([np.zeros(128), np.full(128, 1.0)])
    G = type("G", (), dict(info=dict(people=base.tolist())))
    assert knows(G, Face(None, None, base[1] + 0.01)) and not knows(G, Face(None, None, base[1] * 0.5))


def test_weights_without_people_know_nobody():
    assert not knows(type("G", (), {}), Face(None, None, np.zeros(128)))


def test_the_known_woman_is_painted_a_stranger_is_warped(clip, drawn, generator, model, quick, capsys):
    "The command, on the woman of the weights and on a face that is nobody's."
    assert knows(generator, face_of_clip(clip, 5)) and not knows(generator, face_of_clip(drawn, 0))
    assert run_command(f3a_animate, clip.path, "--script", "blink") == 0
    assert quick["generator"] is not None and "not trained" not in capsys.readouterr().out
    assert run_command(f3a_animate, drawn.path, "--script", "blink") == 0
    assert quick["generator"] is None and "not trained on this face" in capsys.readouterr().out
    assert run_command(f3a_animate, drawn.path, "--script", "blink", "--paint") == 0
    assert quick["generator"] is not None and "not trained" not in capsys.readouterr().out


def test_painting_differs_from_warping(clip, generator):
    me, targets = face_of_clip(clip, 0), clip.params[[0, 30]]
    painted, warped = animate(generator, me, targets), animate(None, me, targets)
    assert torch.equal(warped["output"], warped["warped"]) and torch.equal(painted["warped"], warped["warped"])
    assert (painted["output"] - warped["output"]).abs().mean() > 0.005
    truth = clip.images([0, 30])
    assert (painted["output"] - truth).abs().mean() < (me.image - truth).abs().mean() + 0.02


def test_frames_do_not_depend_on_the_frames_before(clip, generator):
    "Each comes from the source and its own flow, in batches of any size."
    me, targets = face_of_clip(clip, 0), clip.params[[3, 9, 27]]
    whole, last = animate(generator, me, targets, batch=2), animate(generator, me, targets[2:])
    assert torch.allclose(whole["output"][2:], last["output"], atol=1e-5) and len(whole["output"]) == 3


def test_the_better_on_the_blocks_is_the_default():
    scores = {n: load_generator(data_path(n)).info["results"]["blocks"]["model"]["psnr"] for n in BUNDLED}
    assert default_weights().name == max(scores, key=scores.get)


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
    assert not torch.equal(a.image, b.image) and np.linalg.norm(a.embedding - b.embedding) < KNOWN_DISTANCE


def test_embeddings_tell_people_apart(clip, drawn):
    "Of a rendered person too, and not the same for everybody."
    woman, again, nobody = (
        face_of_clip(clip, 0).embedding,
        face_of_clip(clip, 35).embedding,
        face_of_clip(drawn, 0).embedding,
    )
    assert np.linalg.norm(woman - again) < KNOWN_DISTANCE < np.linalg.norm(woman - nobody)
    assert np.linalg.norm(nobody - face_of_clip(drawn, 2).embedding) < KNOWN_DISTANCE and np.isfinite(nobody).all()


def test_a_video_and_its_clip_are_the_same_face(clip, video):
    "The landmarks are looked at in the clip's own pixels: the embedding agrees with that of the large picture."
    assert np.linalg.norm(face_of_clip(clip, 0).embedding - read_face(video).embedding) < 0.35


# Driving


def test_absolute_for_oneself_relative_for_another(clip, drawn):
    "In closed form: the driver's values, or the source's own and the driver's changes since the first frame."
    source, driving = drawn.params[1], clip.params[[10, 20, 30]]
    own = driven(source, driving, True)
    assert torch.allclose(motion(own), motion(driving)) and torch.equal(own.id_coeff, source.id_coeff.expand(3, -1))
    other = driven(source, driving, False)
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


def test_follow_tells_oneself_from_another(clip, drawn, model):
    me, other = face_of_clip(clip, 7), face_of_clip(drawn, 0)
    targets, frames, fps, sound = follow(me, clip.path, clip.path, model)
    assert torch.allclose(motion(targets), motion(clip.params)) and torch.equal(frames, clip.images(range(len(clip))))
    assert fps == pytest.approx(23.976, abs=0.01) and sound is None
    targets, frames, fps, _ = follow(other, drawn.path, clip.path, model)
    assert torch.allclose(
        targets.rotation, other.params.rotation + clip.params.rotation - clip.params.rotation[:1], atol=1e-6
    )
    moved, _, _, _ = follow(me, "elsewhere.png", clip.path, model)
    assert torch.allclose(moved.rotation[0], me.params.rotation[0], atol=1e-6), (
        "the same woman in another picture: changes"
    )
    assert not torch.allclose(moved.rotation[0], clip.params.rotation[0], atol=1e-3)


def test_another_person_in_the_same_file_is_driven_by_changes(clip, model):
    "A source that comes from the driving clip, but is not whom that clip shows."
    me = face_of_clip(clip, 7)
    stranger = Face(me.image, me.params, me.embedding + 1)
    targets = follow(stranger, clip.path, clip.path, model)[0]
    assert torch.allclose(targets.rotation[0], me.params.rotation[0], atol=1e-6)
    assert not torch.allclose(targets.rotation[0], clip.params.rotation[0], atol=1e-3)


@pytest.mark.parametrize("kind", ["video", "prepared", "rendered"])
def test_driving_from_the_command_line(clip, drawn, short, photo, quick, kind):
    driving, T = dict(video=(short, 6), prepared=(clip.path, 40), rendered=(drawn.path, 4))[kind]
    assert run_command(f3a_animate, photo, "--driving", driving, "--name", "made") == 0
    assert len(quick["targets"]) == T
    i = video_info("out/made.mp4")
    assert i.has_audio == (kind == "video") and i.frames == 3
    rows = Image.open("out/made.png").size[1] // 128
    assert rows == 5, "source, driving, mesh, flow, output"


def test_a_rendered_clip_drives_itself(drawn, quick):
    assert run_command(f3a_animate, drawn.path, "--driving", drawn.path, "--frame", 2) == 0
    assert torch.allclose(motion(quick["targets"]), motion(drawn.params))


def test_a_driving_video_is_prepared_once(drawn, short, quick, capsys):

    assert run_command(f3a_animate, drawn.path, "--driving", short) == 0
    stamp = Path("runs/clips/short/frames.npy").stat().st_mtime_ns
    assert run_command(f3a_animate, drawn.path, "--driving", short) == 0
    assert Path("runs/clips/short/frames.npy").stat().st_mtime_ns == stamp
    assert len(load_clip("runs/clips/short")) == 6


def test_two_driving_videos_of_one_name(tmp_path, drawn, short, quick, video):
    (tmp_path / "b").mkdir()
    write_movie(tmp_path / "b" / "short.mp4", [np.ascontiguousarray(f) for _, f in iter_frames(video, max_frames=2)])
    for d, T in ((short, 6), (tmp_path / "b" / "short.mp4", 2), (short, 6)):
        assert run_command(f3a_animate, drawn.path, "--driving", d) == 0 and len(quick["targets"]) == T
    assert sorted(len(load_clip(p)) for p in Path("runs/clips").iterdir()) == [2, 6], "neither has replaced the other"


def test_a_driving_video_that_is_none_leaves_nothing(tmp_path, drawn, quick, capsys):
    (tmp_path / "bad.mp4").write_text("no video")
    for driving in ("bad.mp4", "missing.mp4"):
        assert run_command(f3a_animate, drawn.path, "--driving", driving) == 2
        assert driving in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["bad.mp4"]


# Towards a photo, and by script


def test_towards_a_photo(drawn, photo, model):
    "Eq. 3: from the source to the other's expression and rotation; the face stays where it is."
    face, other = face_of_clip(drawn, 0), read_face(photo)
    p, q, o = move_towards(face, photo, model, fps=10), face.params, other.params
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
    assert len(quick["targets"]) == 35 and Image.open("out/animation.png").size[1] // 128 == 4


def test_plan_motion(clip, drawn, photo, model):
    face = face_of_clip(drawn, 0)
    assert len(plan_motion(face, drawn.path)[0]) == len(scripted(face.params, "smile,blink,turn"))
    targets, frames, fps, sound = plan_motion(face, drawn.path, script="nod", fps=10)
    assert frames is None and sound is None and fps == 10 and len(targets) == 1 + 10 + 1
    assert plan_motion(face, drawn.path, to=photo, fps=5)[1] is None
    assert len(plan_motion(face, drawn.path, driving=clip.path)[0]) == 40
    for two in (dict(driving=clip.path, to=photo), dict(to=photo, script="nod"), dict(driving=clip.path, script="nod")):
        with pytest.raises(F3AError, match="one of"):
            plan_motion(face, drawn.path, **two)


def test_gestures(clip, model):
    start = clip.params[0]
    turn = gesture(start, GESTURES["turn"], 21, model)
    degrees = (turn.rotation - start.rotation) * 180 / torch.pi
    assert (
        torch.allclose(degrees[10], torch.tensor([0.0, 22.0, 0.0]), atol=1e-4) and degrees[[0, -1]].abs().max() < 0.05
    )
    assert torch.equal(turn.exp_coeff, start.exp_coeff.expand(21, -1))
    blink = gesture(start, GESTURES["blink"], 11, model)
    lids = model.unit("eyeBlink")
    assert (blink.exp_coeff[5, lids] > 0.999).all() and torch.allclose(blink.exp_coeff[0], start.exp_coeff[0])
    rest = [k for k in range(model.L) if k not in lids]
    assert torch.equal(blink.exp_coeff[:, rest], start.exp_coeff[:, rest].expand(11, -1)) and torch.equal(
        blink.rotation, start.rotation.expand(11, -1)
    )
    smiling = start.replace(exp_coeff=torch.ones_like(start.exp_coeff))
    assert torch.equal(gesture(smiling, GESTURES["smile"], 5, model).exp_coeff, torch.ones(5, model.L)), (
        "a smile is never taken back"
    )


def test_scripts(clip):
    start = clip.params[0]
    s = scripted(start, " smile , blink,,turn", fps=25)
    assert len(s) == 1 + (25 + 3) + (10 + 3) + (25 + 3)
    assert all(torch.allclose(motion(s)[k], motion(start)[0], atol=2e-3) for k in (0, 28, 41, 69))
    for bad, word in (("smile,yodel", "yodel"), (" , ", "empty")):
        with pytest.raises(F3AError, match=word):
            scripted(start, bad)


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


def test_contact_sheet_rows_and_columns(clip):
    me, made = face_of_clip(clip, 0), animate(None, face_of_clip(clip, 0), clip.params[[0, 10, 20, 30, 39]])
    driving = clip.images([0, 10, 20, 30, 39])
    sheet = contact_sheet(me, made, driving, columns=3)
    assert sheet.shape == (5 * 130 - 2, 3 * 130 - 2, 3)
    cell = lambda r, c: sheet[r * 130 : r * 130 + 128, c * 130 : c * 130 + 128] / 255
    for c, k in enumerate((0, 2, 4)):
        for r, x in enumerate((me.image[0], driving[k], made["mesh"][k], None, made["output"][k])):
            assert x is None or np.abs(cell(r, c) - x.permute(1, 2, 0).numpy()).max() < 0.01, (r, c)
    assert contact_sheet(me, made).shape == (4 * 130 - 2, 5 * 130 - 2, 3)
