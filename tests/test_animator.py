"The front door: names of the library, weights by name, photos of every kind, the film's size, and its marks."

import csv
import re
import shutil
import struct
import subprocess
import sys
import weakref
from pathlib import Path
import av
import numpy as np
import pytest
import torch
from conftest import run_command
from PIL import Image
from skimage.data import astronaut
import f3a_lite
from f3a_lite import Animator, F3AError, open_model
from f3a_lite import animation, animator as animator_module, core
from f3a_lite.animation import animate, crop_to_valid, enlarge_head, face_of_clip, head_film, source_at
from f3a_lite.core import cache_folder, data_path
from f3a_lite.data import blendshapes, video as video_module
from f3a_lite.data.marks import SOURCE_TYPE, SYNTHETIC, XMP, XMP_BOX
from f3a_lite.data.video import iter_frames, video_info, write_gif, write_image, write_video
from f3a_lite.driving import make_motion, motion_from_script
from f3a_lite.systems import Warping
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.ui.prepare import f3a_prepare


@pytest.fixture(scope="module")
def photo(video):
    "The first frame of the bundled clip."
    return np.ascontiguousarray(next(iter_frames(video))[1])


@pytest.fixture(scope="module")
def warper():
    return Animator("warping", "cpu")


@pytest.fixture(scope="module")
def painter():
    return Animator("t_warp", "cpu")


@pytest.fixture(scope="module")
def face(warper, photo):
    return warper.face(photo)


def few(face, n=3):
    "Some frames of a smile."
    return make_motion(face, None, script="smile").targets[list(range(0, 4 * n, 4))]


# The library's names


def test_every_name_is_there_and_importing_the_library_costs_nothing():
    "In a fresh process: neither torch nor numpy, and hardly any time of the processor."
    code = (
        "import sys, time; t = time.process_time(); import f3a_lite; t = time.process_time() - t; "
        "print(t < 0.2, [n for n in ('torch', 'numpy') if n in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "True []"
    names = "Animator Film Face FaceParams open_model facial_flow interpolate_params load_system load_clip prepare_clip"
    for name in [*names.split(), "TrainConfig", "train", "evaluate", "F3AError"]:
        assert getattr(f3a_lite, name).__name__ == name and name in dir(f3a_lite) and name in f3a_lite.__all__
    with pytest.raises(AttributeError, match="no attribute 'animater'"):
        f3a_lite.animater


# Weights and photos


def test_weights_by_name_by_file_and_by_run(tmp_path, painter):
    for name in ("t_warp", "f3a_gan"):
        assert Animator(name, "cpu").system.kind == name == Animator.from_pretrained(name, device="cpu").system.kind
    shutil.copy(data_path("t_warp.safetensors"), tmp_path / "weights.safetensors")
    for where in (tmp_path, tmp_path / "weights.safetensors", str(tmp_path)):
        assert Animator(where, "cpu").file == tmp_path / "weights.safetensors"
    assert isinstance(Animator("warping").system, Warping)
    for wrong in ("t_wrap", tmp_path / "nothing", Path(__file__).parent):
        with pytest.raises(F3AError, match="choose from t_warp, f3a_gan, warping, a .safetensors file"):
            Animator(wrong)


def test_photos_of_every_kind_are_the_same_face(tmp_path, photo, warper, face):
    path = write_image(photo, tmp_path / "her.png")
    clear = Image.fromarray(photo).convert("RGBA")
    for given in (path, str(path), Image.fromarray(photo), clear):
        assert torch.equal(warper.face(given).image, face.image)
    assert warper.face(face) is face and face.path is None and warper.face(path).path == path
    for wrong, message in ((photo.astype(float), "float64"), (photo[..., 0], "array"), (3, "int"), ("no.png", "exist")):
        with pytest.raises(F3AError, match=message):
            warper.face(wrong)
    with pytest.raises(F3AError, match="there is no face 2"):
        warper.face(photo, number=2)


# Motions


def test_at_most_one_motion_and_only_what_can_be(warper, face, clip):
    for wrong, message in (
        (dict(script="nod", params=clip.params), "Choose one of script and params"),
        (dict(driving=clip.path, to="x.png"), "Choose one of driving and to"),
        (dict(only="hair"), "expression or the pose"),
        (dict(script="yodel"), "knows no 'yodel'"),
        (dict(absolute=True), "--absolute"),
        (dict(size=130.5), "even number"),
        (dict(full=True, size=256), "leave the size away"),
    ):
        with pytest.raises(F3AError, match=message):
            warper(face, **wrong)
    with pytest.raises(F3AError, match="Only the head"):
        warper(clip.path, params=clip.params[:2], full=True)


def test_half_a_motion(face, clip):
    "The expression or the pose of a driver; the other half is the source's own, whatever the driver does."
    whole = make_motion(face, None, driving=clip.path)
    own = face.params
    for only, taken, kept in (
        ("expression", ("exp_coeff",), ("rotation", "translation", "scale")),
        ("pose", ("rotation", "translation", "scale"), ("exp_coeff",)),
    ):
        half = make_motion(face, None, driving=clip.path, only=only)
        for name in taken:
            assert torch.equal(getattr(half.targets, name), getattr(whole.targets, name)), (only, name)
        for name in kept:
            value = getattr(half.targets, name)
            assert torch.equal(value, getattr(own, name).expand_as(value)), (only, name)
        assert torch.equal(half.pictures[:3], whole.pictures[:3]) and half.fps == whole.fps
    itself = make_motion(face_of_clip(clip, 0), clip.path, driving=clip.path, only="pose")
    assert itself.landmarks is None, "they show both halves"


def test_parameters_are_a_motion_of_the_source(face, clip):
    targets = make_motion(face, None, params=clip.params[[4, 9]]).targets
    assert torch.equal(targets.exp_coeff, clip.params.exp_coeff[[4, 9]])
    assert torch.equal(targets.id_coeff, face.params.id_coeff.expand(2, -1)), "she stays who she is"


# The film and its size


def test_a_film_is_gone_through_frame_by_frame(monkeypatch, warper, face):
    film = warper(face, params=few(face, 5))
    enlarged = []
    usual = animation.enlarge_head
    monkeypatch.setattr(animation, "enlarge_head", lambda *a: enlarged.append(1) or usual(*a))
    frames = iter(film)
    first = next(frames)
    assert len(enlarged) == 1 and len(film) == 5 and film.fps == 25, "no frame is made before it is asked for"
    assert film.frames.shape == (5, *first.shape) and film.frames.dtype == np.uint8
    assert np.array_equal(film.frames[0], first)
    for part in (film.flow, film.warped, film.mesh):
        assert part.shape == (5, 3, 128, 128)
    assert film.sheet().shape[1] > 5 * 180 and film.sheet().dtype == np.uint8


def test_the_size_of_a_film(warper, painter, face, clip):
    "That of the head in the photo, even, from 128 to 512; 128 where the photo is unknown or all pixels are new."
    side = face.crop.side
    assert 128 < side < 1000
    size = lambda face, animator: animation.film_size(face, animator.system)
    assert size(face, warper) == size(face, painter) == min(512, side) // 2 * 2
    assert size(face, Animator("f3a_gan", "cpu")) == 128 == size(face_of_clip(clip, 0), painter)
    for own, want in ((60, 128), (129, 128), (301, 300), (2000, 512)):
        crop = animation.replace(face.crop, side=own)
        assert size(animation.replace(face, crop=crop), warper) == want
    for wrong in (62, 99, 1026, 128.5):
        with pytest.raises(F3AError, match="even number of pixels from 64 to 1024"):
            animation.film_size(face, warper.system, wrong)


def test_at_128_a_film_is_the_generators_output(painter, face):
    film = painter(face, params=few(face), size=128)
    want = crop_to_valid(face, film.output["output"])
    assert np.array_equal(film.frames, np.stack([video_module.to_image(x) for x in want]))
    assert painter(face, params=few(face), size=64).frames.shape[1] <= 64


def test_without_motion_the_photo_comes_back_at_its_own_size(warper, face):
    "And sharper than the generator's picture could be."
    film = warper(face, params=face.params, size=256)
    want = (source_at(face, 256)[0].permute(1, 2, 0) * 255).numpy()
    rows, columns = animation.valid_window(face, 256)
    assert np.abs(film.frames[0] - want[rows, columns]).mean() < 1
    blurred = torch.nn.functional.interpolate(face.image, (256, 256), mode="bicubic")[0].permute(1, 2, 0).numpy() * 255
    detail = lambda x: np.abs(np.diff(x.astype(float), axis=1)).mean()
    assert detail(film.frames[0]) > 1.2 * detail(blurred[rows, columns])


def test_the_head_of_film_and_of_the_whole_photo_is_one(painter, face):
    "The middle of the head in the whole photo is the film at the size that the head has there."
    output = painter(face, params=few(face)).output
    photo, (left, top, side) = animation.limit_size(face)
    whole = list(animation.paste_back(face, output))[2]
    crop = animation.Crop(left, top, side, *photo.shape[:2], size=side)
    head = enlarge_head(animation.to_tensor(crop.cut(photo))[None], output, 2).numpy() * 255
    y, x = (np.arange(side * 2 // 5, side * 3 // 5) for _ in range(2))
    assert np.abs(whole[top + y][:, left + x] - head[y][:, x]).max() <= 0.51


def test_nothing_invented_is_shown_at_any_size(video, warper):
    "A head at the border: each row of the film has a pixel of the photo."
    cut = np.ascontiguousarray(next(iter_frames(video))[1][100:])
    face = warper.face(cut)
    for size in (128, 256, 512):
        rows, columns = animation.valid_window(face, size)
        real = face.crop.valid(size)[0]
        assert rows.start > 0 and real[rows, columns].all() and real.sum() == real[rows, columns].numel()
        frame = next(iter(head_film(face, animate(Warping(), face, face.params), size)))
        assert frame.shape == (*real[rows, columns].shape, 3)


# What is written


def xmp_of_mp4(path):
    "The XMP of an MP4's boxes at the top level, with their names."
    data, at, names, found = Path(path).read_bytes(), 0, [], None
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        names.append(name)
        if name == b"uuid" and data[at + 8 : at + 24] == XMP_BOX.bytes:
            found = data[at + 24 : at + size]
        at += size
    assert at == len(data)
    return found, names


def source_type(xmp):
    "What an XMP says of where the picture comes from, by a reader of XML."
    from xml.etree import ElementTree

    text = xmp.decode() if isinstance(xmp, bytes) else xmp
    tree = ElementTree.fromstring(re.sub(r"<\?xpacket.*?\?>", "", text).strip())
    [about] = tree.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    return about.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]


def test_films_and_sheets_carry_the_code_of_the_press(tmp_path, warper, face):
    code = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert SOURCE_TYPE == code and str(XMP_BOX).upper() == "BE7ACFCB-97A9-42E8-9C71-999491E3AFAC"
    film = warper(face, params=few(face))
    xmp, names = xmp_of_mp4(film.save(tmp_path / "a.mp4"))
    assert source_type(xmp) == code
    assert names[:2] == [b"ftyp", b"moov"], "a browser may begin before the file is whole"
    assert len(list(iter_frames(tmp_path / "a.mp4"))) == 3
    data = film.save(tmp_path / "a.gif").read_bytes()
    start = data.index(b"\x21\xff\x0bXMP DataXMP") + 14
    assert source_type(data[start : data.index(b'<?xpacket end="w"?>') + 19]) == code
    gif = Image.open(tmp_path / "a.gif")
    assert gif.n_frames == 2 and gif.info["comment"].decode() == SYNTHETIC and data.endswith(b"\0;")
    assert len(list(iter_frames(tmp_path / "a.gif"))) == 2, "FFmpeg goes over it too"
    webp = Image.open(film.save(tmp_path / "a.webp"))
    assert webp.n_frames == 3 and source_type(webp.info["xmp"]) == code
    sheet = Image.open(write_image(film.sheet(), tmp_path / "a.png", synthetic=True))
    assert source_type(sheet.info["XML:com.adobe.xmp"]) == code and SYNTHETIC in XMP.decode()
    assert "XML:com.adobe.xmp" not in Image.open(write_image(film.sheet(), tmp_path / "b.png")).info
    with pytest.raises(F3AError, match=".mp4, .gif or .webp"):
        film.save(tmp_path / "a.avi")
    assert not (tmp_path / "a.avi").exists()


def test_a_film_is_written_as_it_is_made(tmp_path):
    "The file is begun with the first frame, before the second is made; what breaks on the way leaves nothing."
    begun = []

    def frames(n):
        for k in range(n):
            begun.append(len(list(tmp_path.iterdir())))
            yield np.full((32, 32, 3), k, np.uint8)

    assert video_info(write_video(frames(5), tmp_path / "a.mp4")).frames == 5 and begun == [0, 1, 1, 1, 1]

    def broken():
        yield np.zeros((32, 32, 3), np.uint8)
        raise F3AError("no more")

    with pytest.raises(F3AError, match="no more"):
        write_video(broken(), tmp_path / "b.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_where_x264_is_missing_another_coder_is_taken(tmp_path, monkeypatch, capsys):
    frames = [np.full((64, 64, 3), k, np.uint8) for k in range(3)]
    monkeypatch.setattr(video_module, "ENCODERS", ("libx264_no", "mpeg4"))
    assert len(list(iter_frames(write_video(frames, tmp_path / "a.mp4")))) == 3
    assert "coded by mpeg4" in capsys.readouterr().err and xmp_of_mp4(tmp_path / "a.mp4")[0] == XMP
    monkeypatch.setattr(video_module, "ENCODERS", ("libx264_no",))
    with pytest.raises(F3AError, match="can code none of libx264_no"):
        write_video(frames, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_a_build_without_x264_writes_films_all_the_same(tmp_path, monkeypatch, capsys):
    "The names that are tried are the shipped ones; mpeg4 is a part of every FFmpeg."
    frames = [np.full((64, 64, 3), k, np.uint8) for k in range(3)]
    monkeypatch.setattr(av, "codecs_available", {"mpeg4", "aac"})
    path = write_video(frames, tmp_path / "a.mp4")
    said = capsys.readouterr().err
    assert "has no libx264" in said and "coded by mpeg4" in said
    with av.open(str(path)) as film:
        assert film.streams.video[0].codec_context.name == "mpeg4" and len(list(film.decode(video=0))) == 3


def test_a_gif_is_made_to_fit(tmp_path):
    "Smaller pictures first, then fewer; the film lasts as long."
    noise = np.random.default_rng(0).integers(0, 255, (8, 160, 160, 3)).astype(np.uint8)
    large = write_gif(noise, tmp_path / "a.gif", 10).stat().st_size
    gif = Image.open(write_gif(noise, tmp_path / "b.gif", 10, most=large * 2 // 3))
    assert gif.n_frames == 8 and 96 <= gif.size[0] < 160
    gif = Image.open(write_gif(noise, tmp_path / "c.gif", 10, most=large // 6))
    assert gif.n_frames in (2, 4) and gif.size == (96, 96) and gif.info["duration"] * gif.n_frames == 800
    for name, most in (("b", large * 2 // 3), ("c", large // 6)):
        assert (tmp_path / f"{name}.gif").stat().st_size <= most


def test_a_notebook_plays_a_small_copy(monkeypatch, tmp_path, warper, face):
    import base64

    monkeypatch.setattr(animator_module, "SHOWN", dict(side=100, frames=2))
    page = warper(face, params=few(face))._repr_html_()
    data = re.search(r'src="data:video/mp4;base64,([^"]+)"', page)[1]
    (tmp_path / "a.mp4").write_bytes(base64.b64decode(data))
    info = video_info(tmp_path / "a.mp4")
    assert max(info.width, info.height) == 100 and info.frames == 2 and "synthetic" in page


# The command


def test_size_and_half_from_the_command_line(tmp_path, monkeypatch, photo, clip):
    monkeypatch.chdir(tmp_path)
    write_image(photo, "her.png")
    words = ["her.png", "--driving", clip.path, "--only", "pose", "--size", 96, "--device", "cpu"]
    seen = {}

    def look(system, face, targets, *rest, **how):
        seen.update(face=face, targets=targets)
        return animate(Warping(), face, targets[:2])

    monkeypatch.setattr(animator_module, "animate", look)
    assert run_command(f3a_animate, *words) == 0
    own = seen["face"].params
    assert torch.equal(seen["targets"].exp_coeff, own.exp_coeff.expand(40, -1))
    info = video_info("out/animation.mp4")
    rows, columns = animation.valid_window(seen["face"], 96)
    even = [(s.stop - s.start + 1) // 2 * 2 for s in (rows, columns)]
    assert [info.height, info.width] == even and 60 < min(even) <= 96
    assert source_type(Image.open("out/animation.png").info["XML:com.adobe.xmp"]) == SOURCE_TYPE


def test_where_clips_are_kept(monkeypatch):
    "Each system's own place, unless F3A_CACHE names one."
    monkeypatch.setenv("F3A_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("F3A_CACHE")
    home = Path.home()
    for system, names, want in (
        ("linux", dict(XDG_CACHE_HOME=""), home / ".cache" / "f3a_lite"),
        ("linux", dict(XDG_CACHE_HOME="/x"), Path("/x/f3a_lite")),
        ("darwin", {}, home / "Library" / "Caches" / "f3a_lite"),
        ("win32", dict(LOCALAPPDATA="/local"), Path("/local/f3a_lite")),
    ):
        monkeypatch.setattr(core.sys, "platform", system)
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        assert cache_folder() == want


# Expression values


def test_expressions_as_live_link_face_writes_them(tmp_path, clip, capsys):
    "Read back: each ARKit unit and the head's angles stand under their names, and time goes on."
    path = blendshapes.write_live_link(clip.params, open_model(), tmp_path / "a.csv", 24.0)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    header = list(rows[0])
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"] and len(header) == 63 and len(rows) == 40
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"] and header[53] == "TongueOut"
    assert header[54:57] == ["HeadYaw", "HeadPitch", "HeadRoll"] and header[-1] == "RightEyeRoll"
    for k in (0, 25):
        for unit, name in enumerate(open_model().exp_names):
            value = float(rows[k][name[0].upper() + name[1:]])
            assert value == pytest.approx(float(clip.params.exp_coeff[k, unit]), abs=1e-5), name
        for angle, name in enumerate(("HeadPitch", "HeadYaw", "HeadRoll")):
            assert float(rows[k][name]) == pytest.approx(float(clip.params.rotation[k, angle]), abs=1e-5)
        assert rows[k]["BlendShapeCount"] == "61" and float(rows[k]["LeftEyeYaw"]) == 0
    assert rows[25]["Timecode"] == "00:00:01:01.000" and blendshapes.timecode(3600 * 24 - 1, 24) == "00:59:59:23.000"


def test_the_command_writes_the_table_beside_the_meta(tmp_path, monkeypatch, capsys, clip):
    from f3a_lite.ui import prepare as command

    monkeypatch.setattr(command, "prepare_one", lambda *a: own)
    own = f3a_lite.load_clip(shutil.copytree(clip.path, tmp_path / "clips" / "woman"))
    assert run_command(f3a_prepare, data_path("woman_laughing.mp4"), tmp_path / "clips", "--csv") == 0
    assert len((own.path / "live_link.csv").read_text().splitlines()) == 41
    assert len(f3a_lite.load_clip(own.path)) == 40, "the clip is still whole"
    nameless = animation.replace(open_model(), exp_names=())
    monkeypatch.setattr(command, "open_model", lambda path: nameless)
    (own.path / "live_link.csv").unlink()
    assert run_command(f3a_prepare, data_path("woman_laughing.mp4"), tmp_path / "clips", "--csv") == 2
    assert "leave --csv away" in capsys.readouterr().err and not (own.path / "live_link.csv").exists()


def test_the_sheet_shows_every_gesture(face):
    "The eight moments of a script hold its smile, its blink, its open mouth and its turn at their heights."
    script = motion_from_script(face.params, "smile,blink,open,turn", fps=24)
    moments = animator_module.different_moments(script)
    assert len(set(moments)) == 8 and moments == sorted(moments) and moments[0] == 0
    model = open_model()
    numbers = {name: script.exp_coeff[:, model.unit(name)[0]] for name in ("mouthSmile", "eyeBlink", "jawOpen")}
    numbers["yaw"] = script.rotation[:, 1]
    for name, x in numbers.items():
        reached = (x[moments] - x[0]).abs().max() / (x - x[0]).abs().max()
        assert reached > 0.9, f"{name} is shown at {reached:.0%} of its height"
    assert animator_module.different_moments(script[[0, 0]]) == [0, 1], "a face at rest has as many moments as frames"


def test_a_long_film_is_made_as_it_goes(painter, face, monkeypatch, tmp_path, capsys):
    "Never all of its frames at once; and they are those of a film that is kept."
    params = few(face, 7)
    kept = painter(face, params=params, size=128)
    asked = []
    monkeypatch.setattr(animator_module, "KEPT", 6)
    monkeypatch.setattr(animator_module, "GIF_FRAMES", 2)
    monkeypatch.setattr(
        animator_module, "animate", lambda s, f, t, *a, **k: asked.append(len(t)) or animate(s, f, t, *a, **k)
    )
    monkeypatch.setattr(animator_module.Film, "STEP", 3)
    film = painter(face, params=params, size=128)
    assert not asked and len(film) == 7
    assert np.array_equal(film.frames, kept.frames)
    assert asked == [3, 3, 1] and len(film.sheet()) == len(kept.sheet()) and max(asked) == 3
    film.save(tmp_path / "a.gif")
    assert "'a.gif' holds the first 0 seconds of the film" in capsys.readouterr().err
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2


def test_of_a_long_film_one_part_is_in_memory(painter, face, monkeypatch, tmp_path):
    "While it is written: at most the maps of one part, and a few finished frames."
    maps, pictures, most = [], [], []

    def watched(system, face, targets, *rest, **how):
        most.append(sum(len(ref()) for ref in maps if ref() is not None) + len(targets))
        maps_of_part = animate(system, face, targets, *rest, **how)
        maps.extend(map(weakref.ref, maps_of_part.values()))
        return maps_of_part

    def seen(frames):
        for frame in frames:
            pictures.append(weakref.ref(frame))
            assert sum(ref() is not None for ref in pictures) <= 3
            yield frame

    monkeypatch.setattr(animator_module, "KEPT", 6)
    monkeypatch.setattr(animator_module, "animate", watched)
    monkeypatch.setattr(animator_module.Film, "STEP", 3)
    film = painter(face, params=few(face, 7), size=128)
    write_video(seen(film), tmp_path / "a.mp4")
    assert most == [3, 3, 1] and len(pictures) == 7


def test_a_part_of_a_film_sees_the_frames_before_it(painter, face, monkeypatch):
    "Where a system watches the landmarks of the last five frames."
    seen = []
    monkeypatch.setattr(animator_module, "KEPT", 3)
    monkeypatch.setattr(type(painter.system), "condition", "landmark_film")
    monkeypatch.setattr(animator_module, "animate", lambda s, f, t, *a, **k: seen.append(t) or dict(output=t.rotation))
    film = painter(face, params=few(face, 8))
    assert torch.equal(film.make(6, 8)["output"], film.motion.targets.rotation[6:8])
    assert len(seen[0]) == 6 and torch.equal(seen[0].rotation, film.motion.targets.rotation[2:8])


def test_a_film_beside_its_source_and_its_driver(clip, tmp_path):
    "Three of one height, the driver's frames in the middle; without a driver two; the command writes it."
    animator = Animator("warping")
    source = astronaut()[:300, 75:375]
    driven = animator(source, driving=clip.path, size=64)
    frames = [frame.astype(int) for frame in driven.beside()]
    assert len(frames) == len(driven) and frames[0].shape == (64, 192, 3)
    for k in (0, len(frames) // 2):
        driver = Image.fromarray(clip.frames[k]).resize((64, 64), Image.BICUBIC)
        assert abs(frames[k][:, 64:128] - np.asarray(driver)).mean() < 3
        assert (frames[k][:, 128:] == driven.frames[k]).all() and (frames[k][:, :64] == frames[0][:, :64]).all()
    whole = next(iter(animator(source, script="smile", full=True).beside()))
    assert whole.shape == (300, 600, 3) and (whole[:, :300] == source).all()
