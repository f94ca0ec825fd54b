"Videos and photos as phones make them, and as they should not be."

import base64, os, shutil, socket
from pathlib import Path
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from conftest import one_sentence, run_command, write_movie
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.data.clips import load_clip
from f3a_lite.core import F3AError
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.data.video import write_video
from f3a_lite import tracker
from f3a_lite import landmarks
from f3a_lite.landmarks import (
    Crop,
    eye_opening,
    face_embedding,
    head_crop,
    laplacian_variance,
    mouth_opening,
    resize_square,
)
from f3a_lite.tracker import Track, Tracker, crop_square, detect_faces, place_landmarks, track_frames
from f3a_lite.data.video import frame_files, iter_frames, open_media, video_info, write_image
from f3a_lite.data.frames import read_image, upright


@pytest.fixture(scope="session")
def shots(video):
    "A few real frames, reduced to 480x270."
    out = []
    for k, (_, f) in enumerate(iter_frames(video)):
        if k >= 250:
            out.append(np.asarray(Image.fromarray(f).resize((480, 270))))
        if len(out) == 8:
            return out


@pytest.mark.parametrize(
    "kind,kw,cut",
    [
        ("odd size", dict(pix_fmt="yuv444p"), (269, 479)),
        ("10 bit", dict(pix_fmt="yuv420p10le"), (270, 480)),
        ("portrait", {}, (270, 200)),
    ],
)
def test_odd_videos_are_read(tmp_path, shots, kind, kw, cut):
    frames = [f[: cut[0], 200 : 200 + cut[1]] if kind == "portrait" else f[: cut[0], : cut[1]] for f in shots]
    p = write_movie(tmp_path / "v.mp4", frames, **kw)
    back = [f for _, f in iter_frames(p)]
    assert len(back) == 8 and back[0].shape == frames[0].shape and back[0].dtype == np.uint8
    assert np.abs(back[3].astype(float) - frames[3]).mean() < 6


def test_variable_frame_rate_is_resampled_to_a_steady_clock(tmp_path, shots):
    p = write_movie(tmp_path / "v.mp4", shots, pts=[0, 40, 80, 200, 400, 440, 480, 800])
    t = [t for t, _ in iter_frames(p)]
    assert np.allclose(t, [0, 0.04, 0.08, 0.2, 0.4, 0.44, 0.48, 0.8], atol=0.02)
    steady = list(iter_frames(p, fps=10))
    every = [f for _, f in iter_frames(p)]
    assert np.allclose([t for t, _ in steady], np.arange(len(steady)) * 0.1) and 8 <= len(steady) <= 9
    assert np.array_equal(steady[2][1], every[3]) and np.array_equal(steady[8][1], every[7]), (
        "the nearest frame stands at each tick"
    )


def test_no_more_frames_than_were_asked_for(tmp_path, shots):
    "Where the clock ticks on after the last frame too."
    p = write_movie(tmp_path / "v.mp4", shots[:2], pts=[0, 1000])
    assert len(list(iter_frames(p, fps=25, max_frames=14))) == 14
    assert len(list(iter_frames(p, fps=25, max_frames=5))) == 5 and len(list(iter_frames(p, max_frames=1))) == 1


MATRICES = [  # a, b, c, d of the display matrix, and what is done to rows x columns
    ((1, 0, 0, 1), lambda f: f),
    ((0, 1, -1, 0), lambda f: np.rot90(f, -1)),
    ((-1, 0, 0, -1), lambda f: f[::-1, ::-1]),
    ((0, -1, 1, 0), lambda f: np.rot90(f)),
    ((-1, 0, 0, 1), lambda f: f[:, ::-1]),
    ((1, 0, 0, -1), lambda f: f[::-1]),
    ((0, 1, 1, 0), lambda f: f.swapaxes(0, 1)),
    ((0, -1, -1, 0), lambda f: np.rot90(f, 2).swapaxes(0, 1)),
]


@pytest.mark.parametrize("matrix,seen", MATRICES)
def test_turns_and_mirrors_are_undone(matrix, seen):
    "The eight ways in which a picture can lie."
    f = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    a, b, c, d = matrix
    assert np.array_equal(upright(f, [a, b, 0, c, d, 0, 0, 0, 1]), seen(f))


def test_portrait_phone_video_is_turned_upright(tmp_path, shots):
    "Phones store portrait video on its side and write a turn by 90 degrees clockwise into the track header."
    p = write_movie(tmp_path / "v.mp4", shots)
    plain = [f for _, f in iter_frames(p)][0]
    data = bytearray(p.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of times, layer and volume
    data[at : at + 36] = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (0, 1 << 16, 0, -(1 << 16), 0, 0, 270 << 16, 0, 1 << 30)
    )
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = [f for _, f in iter_frames(tmp_path / "turned.mp4")][0]
    assert turned.shape == (480, 270, 3) and np.array_equal(turned, np.rot90(plain, -1))
    assert (video_info(tmp_path / "turned.mp4").width, video_info(tmp_path / "turned.mp4").height) == (270, 480)


def test_heic_without_the_reader_or_with_it(tmp_path, shots):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is optional")
    heif.register_heif_opener()
    Image.fromarray(shots[0]).save(tmp_path / "p.heic")
    assert read_image(tmp_path / "p.heic").shape == (270, 480, 3)


def test_sixteen_bit_grey(tmp_path):
    Image.fromarray((np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)).save(tmp_path / "g.png")
    im = read_image(tmp_path / "g.png")
    assert im.shape == (8, 8, 3) and 200 < im.max() <= 255


def bad_files(d):
    (d / "empty.mp4").write_bytes(b"")
    (d / "text.mp4").write_text("this is no video" * 99)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (96, 96, 3), np.uint8) for _ in range(5)]
    write_movie(d / "noface.mp4", noise)
    whole = (d / "noface.mp4").read_bytes()
    (d / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (d / "folder.mp4").mkdir()
    return {n: d / n for n in ("missing.mp4", "empty.mp4", "text.mp4", "cut.mp4", "noface.mp4", "folder.mp4")}


@pytest.mark.parametrize("name", ["missing.mp4", "empty.mp4", "text.mp4", "cut.mp4", "noface.mp4", "folder.mp4"])
def test_bad_videos_give_one_sentence(tmp_path, capsys, name):
    files = bad_files(tmp_path)
    out = tmp_path / "out"
    assert run_command(f3a_prepare, files[name], out) == 2
    assert name in one_sentence(capsys)
    assert not out.exists() or not list(out.rglob("*.npy"))


@pytest.mark.parametrize("make", ["missing", "text", "noface"])
def test_bad_photos_give_one_sentence(tmp_path, capsys, make):
    p = tmp_path / "photo.jpg"
    if make == "text":
        p.write_text("no photo")
    if make == "noface":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(p)
    assert run_command(f3a_animate, p, "--out", tmp_path / "out", "--script", "smile") == 2
    err = capsys.readouterr().err
    assert "photo.jpg" in err and "Traceback" not in err
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("width,found", [(110, True), (50, True), (26, False)])
def test_small_faces(tmp_path, shots, width, found):
    "Faces are found down to a size, and refused in a sentence below it."
    p = write_movie(tmp_path / "v.mp4", [np.asarray(Image.fromarray(f).resize((width * 2, width))) for f in shots])
    if found:
        assert len(prepare_clip(p, tmp_path / "c", progress=False)) == 8
    else:
        with pytest.raises(F3AError, match="[Ff]ace"):
            prepare_clip(p, tmp_path / "c", progress=False)
        assert [q.name for q in tmp_path.iterdir()] == ["v.mp4"]


def test_several_faces_take_the_largest(shots):
    small = np.asarray(Image.fromarray(shots[0]).resize((360, 202)))
    both = np.zeros((480, 480, 3), np.uint8)
    both[:270] = shots[0]
    both[278:, :360] = small
    t = track_frames([(0.0, both)])
    assert t.others == 1 and t.landmarks[0, :, 1].max() < 290 and "more than one" in t.report()


def test_one_frame_is_enough(tmp_path, shots):
    p = write_movie(tmp_path / "one.mp4", shots[:1])
    c = prepare_clip(p, tmp_path / "c", progress=False)
    assert len(c) == 1 and bool(c.landmarks.isfinite().all())


def test_video_info(video):
    i = video_info(video)
    assert (i.width, i.height, i.frames, i.has_audio) == (640, 360, 472, True) and abs(i.fps - 23.976) < 0.01


def test_second_run_reuses_the_clip_and_a_failed_video_does_not_stop_the_rest(tmp_path, shots, capsys):
    good = write_movie(tmp_path / "good.mp4", shots)
    (tmp_path / "bad.mp4").write_bytes(b"x" * 500)
    assert run_command(f3a_prepare, tmp_path / "bad.mp4", good, tmp_path / "out") == 0
    (folder,) = (tmp_path / "out").iterdir()
    stamp = (folder / "frames.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert run_command(f3a_prepare, good, tmp_path / "out") == 0
    assert "already prepared" in capsys.readouterr().out and (folder / "frames.npy").stat().st_mtime_ns == stamp
    assert load_clip(folder).meta["source"] == "good.mp4" and list((tmp_path / "out").iterdir()) == [folder]


def test_own_landmarks_replace_the_tracker(tmp_path, shots):
    p = write_movie(tmp_path / "v.mp4", shots)
    t = track_frames(iter_frames(p))
    np.save(tmp_path / "l.npy", t.landmarks)
    c = prepare_clip(p, tmp_path / "c", landmarks=tmp_path / "l.npy", progress=False)
    assert len(c) == 8
    np.save(tmp_path / "short.npy", t.landmarks[:3])
    with pytest.raises(F3AError, match="of shape"):
        prepare_clip(p, tmp_path / "d", landmarks=tmp_path / "short.npy", progress=False)


# A text under a video's name must not open other files

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1"><BaseURL>secret.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)
LISTS = {
    "concat.mp4": "ffconcat version 1.0\nfile secret.mp4\n",
    "safe.mov": "ffconcat version 1.0\nfile 'secret.mp4'\n",
    "list.m3u8": HLS,
    "hls.mp4": HLS,
    "call.sdp": SDP,
    "sdp.mp4": SDP,
    "dash.mpd": DASH,
    "p%d.png.mp4": "x",
    "net.mp4": "ffconcat version 1.0\nfile http://127.0.0.1:PORT/x.mp4\n",
}


@pytest.fixture
def beside(tmp_path, shots):
    "A video and pictures that nobody has asked for."
    write_movie(tmp_path / "secret.mp4", shots[:3])
    write_movie(tmp_path / "secret.ts", shots[:3])
    for k in range(3):
        Image.fromarray(shots[k]).save(tmp_path / f"p{k}.png")
    return tmp_path


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_files_is_no_video(beside, name):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        s.setblocking(False)
        (beside / name).write_text(LISTS[name].replace("PORT", str(s.getsockname()[1])))
        for read in (open_media, video_info, lambda p: list(iter_frames(p))):
            with pytest.raises(F3AError, match="not a video"):
                read(beside / name)
        with pytest.raises(BlockingIOError):
            s.accept()  # nobody has called


def test_the_lists_would_open_their_siblings(beside):
    "What the tests above guard against is real: FFmpeg left alone follows these lists."
    import av

    for name in ("concat.mp4", "list.m3u8"):
        (beside / name).write_text(LISTS[name])
        with av.open(str(beside / name)) as c:
            assert next(c.decode(video=0)).width == 480


def test_the_format_is_looked_at_again(beside, monkeypatch):
    "Should a build of FFmpeg not know the option, the format's name still decides."
    import av

    (beside / "concat.mp4").write_text(LISTS["concat.mp4"])
    opened, closed = av.open, []

    def careless(*args, **kw):
        kw.pop("container_options")
        c = opened(*args, **kw)
        closed.append(c)
        return c

    monkeypatch.setattr(av, "open", careless)
    with pytest.raises(F3AError, match="format 'concat'"):
        open_media(beside / "concat.mp4")
    assert len(closed) == 1
    with open_media(beside / "secret.mp4") as c:
        assert "mp4" in c.format.name


def test_only_local_files_are_read(beside, monkeypatch):
    "Addresses that FFmpeg left alone does open."
    import av

    monkeypatch.chdir(beside)
    inside = base64.b64encode((beside / "secret.mp4").read_bytes()).decode()
    for name in (
        "concat:secret.mp4|secret.mp4",
        "subfile,,start,0,end,0,,:secret.mp4",
        f"data:video/mp4;base64,{inside}",
    ):
        with av.open(name):
            pass
        with pytest.raises(F3AError, match="not a video"):
            open_media(name)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        s.setblocking(False)
        with pytest.raises(F3AError, match="not a video"):
            open_media(f"http://127.0.0.1:{s.getsockname()[1]}/x.mp4")
        with pytest.raises(BlockingIOError):
            s.accept()  # nobody has called


def test_pictures_are_videos_of_one_frame(tmp_path, shots):
    "A single photo, and one whose name looks like a pattern: only itself."
    for name in ("a.png", "p%d.png"):
        Image.fromarray(shots[0]).save(tmp_path / name)
        Image.fromarray(shots[1]).save(tmp_path / "p0.png")
        frames = [f for _, f in iter_frames(tmp_path / name)]
        assert len(frames) == 1 and np.array_equal(frames[0], shots[0]) and video_info(tmp_path / name).frames == 1


@pytest.mark.skipif(os.name == "nt", reason="no colons in names on Windows")
def test_a_name_like_an_address_is_a_file(tmp_path, video, shots, monkeypatch):
    "Read, written, and taken for its sound; from within its folder, where the name stands alone."
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, "12:30.mp4")
    assert video_info("12:30.mp4").frames == 472 and next(iter_frames("12:30.mp4"))[1].shape == (360, 640, 3)
    write_video(shots[:4], "http:x.mp4", 8, audio_from="12:30.mp4")
    info = video_info("http:x.mp4")
    assert (
        len(list(iter_frames("http:x.mp4"))) == 4
        and info.has_audio
        and sorted(os.listdir()) == ["12:30.mp4", "http:x.mp4"]
    )


def test_sound_is_taken_from_no_list(beside, video, shots, monkeypatch):
    "Even where the list was taken for a video that has sound."
    from f3a_lite.data import video as module

    shutil.copy(video, beside / "secret.mp4")
    (beside / "concat.mp4").write_text(LISTS["concat.mp4"])
    monkeypatch.setattr(module, "video_info", lambda p: module.VideoInfo(p, 25.0, 8, 8, 1, True))
    with pytest.raises(F3AError, match="not a video"):
        write_video(shots[:2], beside / "out.mp4", audio_from=beside / "concat.mp4")
    assert not (beside / "out.mp4").exists()


@pytest.mark.parametrize(
    "ending,codec",
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("m4v", "libx264"),
        ("mkv", "libx264"),
        ("webm", "libvpx"),
        ("avi", "mpeg4"),
        ("mpg", "mpeg1video"),
        ("ts", "libx264"),
        ("flv", "libx264"),
    ],
)
def test_every_usual_container_is_read(tmp_path, shots, ending, codec):
    p = write_movie(tmp_path / f"v.{ending}", shots, codec=codec)
    frames = [f for _, f in iter_frames(p)]
    assert len(frames) == 8 and np.abs(frames[0].astype(float) - shots[0]).mean() < 12


def test_moving_gif_is_read(tmp_path, shots):
    ims = [Image.fromarray(f) for f in shots[:3]]
    ims[0].save(tmp_path / "v.gif", save_all=True, append_images=ims[1:], duration=40)
    assert len([f for _, f in iter_frames(tmp_path / "v.gif")]) == 3


# Photos


def test_a_photo_is_turned_as_its_note_says(tmp_path):
    "EXIF 6: the first row of what is stored is the right-hand column of what is seen."
    stored = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    note = Image.Exif()
    note[274] = 6
    Image.fromarray(stored).save(tmp_path / "p.png", exif=note)
    seen = read_image(tmp_path / "p.png")
    assert seen.shape == (3, 2, 3) and np.array_equal(seen[:, 1], stored[0]) and np.array_equal(seen[:, 0], stored[1])


def test_transparency_becomes_white_and_sixteen_bits_are_scaled(tmp_path):
    Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255], [0, 0, 0, 51]]], np.uint8)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].tolist() == [[255] * 3, [9] * 3, [204] * 3]
    Image.fromarray(np.array([[0, 256, 257, 32896, 65535]], np.uint16)).save(tmp_path / "g.png")
    assert read_image(tmp_path / "g.png")[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_frames_of_a_folder_come_by_number(tmp_path):
    for n in ("f10.png", "f9.png", "f2.jpg", ".f1.png", "f3.txt"):
        write_image(np.zeros((4, 4, 3), np.uint8), tmp_path / n) if not n.endswith("txt") else (
            tmp_path / n
        ).write_text("x")
    assert [p.name for p in frame_files(tmp_path)] == ["f2.jpg", "f9.png", "f10.png"]


# Crops


def face_at(x, y, size=100.0, T=1):
    "68 points that fill a square of this size around (x, y)."
    p = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))
    p[:4] = [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    return np.repeat(p[None] * size + [x, y], T, 0)


def test_head_crop_of_a_still_face():
    "2.1 times the landmarks, and a little higher, for the hair."
    x0, y0, x1, y1 = head_crop(face_at(300, 200))
    assert x1 - x0 == y1 - y0 == 210 and (x0 + x1) / 2 == 300 and (y0 + y1) / 2 == 200 - 12


def test_head_crop_of_a_face_that_travels():
    "The middle of the way, and room for it; one frame that goes astray does not count."
    marks = np.concatenate([face_at(x, 200) for x in np.linspace(100, 500, 101)])
    x0, y0, x1, y1 = head_crop(marks)
    assert (x0 + x1) / 2 == pytest.approx(300, abs=1) and x1 - x0 == pytest.approx(1.1 * (400 * 0.96 + 100) + 50, abs=6)
    still = np.concatenate([face_at(300, 200, T=99), face_at(9000, 200)])
    assert head_crop(still) == head_crop(face_at(300, 200))


def in_crop(points, box, size):
    "Points of a picture in pixels of its crop, by way of the image plane."
    x, y = Crop(*box[:2], box[2] - box[0], 90, 100, size).to_plane(points).double().unbind(-1)
    return torch.stack([(x + 1) * size / 2 - 0.5, (1 - y) * size / 2 - 0.5], -1).numpy()


@pytest.mark.parametrize("box", [(10, 20, 74, 84), (-9, -5, 87, 91)])
def test_points_go_where_their_pixels_go(box):
    "A bright spot, cut and resized, lies where the crop says."
    y, x = np.mgrid[:90, :100]
    spot = 255 * np.exp(-((x - 51) ** 2 + (y - 38) ** 2) / 32)
    im = np.repeat(spot[..., None], 3, -1).round().astype(np.uint8)
    small = resize_square(crop_square(im, box), 32)[..., 0].astype(float)
    y, x = (np.arange(32) * small.sum(1 - a) / small.sum() for a in (0, 1))
    assert np.allclose(in_crop([51.0, 38.0], box, 32), [x.sum(), y.sum()], atol=0.06)
    assert np.allclose(
        in_crop([[box[0] - 0.5, box[1] - 0.5], [box[2] - 0.5, box[3] - 0.5]], box, 32), [[-0.5, -0.5], [31.5, 31.5]]
    )


def test_a_crop_over_the_edge_repeats_it():
    im = np.arange(12).reshape(3, 4)
    assert crop_square(im, (2, 1, 6, 5)).tolist() == [
        [6, 7, 7, 7],
        [10, 11, 11, 11],
        [10, 11, 11, 11],
        [10, 11, 11, 11],
    ]
    assert crop_square(im, (1, 0, 3, 2)).tolist() == [[1, 2], [5, 6]]


# The crop as a whole


@pytest.mark.parametrize("left,top", [(10, 20), (-9, -5), (28, 28), (-10, 12)])
def test_a_crop_takes_points_where_it_takes_pixels(left, top):
    "The centre of a bright spot, cut and resized; and the way back."
    y, x = np.mgrid[:90, :100]
    spot = 255 * np.exp(-((x - 40) ** 2 + (y - 40) ** 2) / 32)
    crop = Crop(left, top, side=64, height=90, width=100, size=32)
    small = crop.cut(np.repeat(spot[..., None], 3, -1).round().astype(np.uint8))[..., 0].astype(float)
    y, x = np.mgrid[:32, :32]
    seen = np.array([(x * small).sum(), (y * small).sum()]) / small.sum()  # centre of mass, pixels
    plane = [(seen[0] + 0.5) / 16 - 1, 1 - (seen[1] + 0.5) / 16]
    assert np.allclose(crop.to_plane([40.0, 40.0]), plane, atol=0.01)
    assert np.allclose(crop.to_picture(crop.to_plane([[40.0, 40.0]])), [[40, 40]], atol=1e-4)
    assert crop.box == (left, top, left + 64, top + 64)


def test_what_the_picture_has_is_cut_as_it_is():
    "The real pixels equal those of Pillow's own crop and resize; the others are no streaks."
    rng = np.random.default_rng(0)
    im = rng.integers(0, 256, (120, 200, 3), dtype=np.uint8)
    inside = Crop(30, 10, side=96, height=120, width=200, size=48)
    want = Image.fromarray(im).crop(inside.box).resize((48, 48), Image.LANCZOS)
    assert np.array_equal(inside.cut(im), np.asarray(want)) and inside.valid().all()
    over = Crop(-24, 72, side=96, height=120, width=200, size=48)
    real = over.valid()[0].numpy() > 0
    assert real[:24, 12:].all() and not real[24:].any() and not real[:, :12].any()
    cut = over.cut(im).astype(float)
    want = np.asarray(Image.fromarray(im).crop((0, 72, 72, 120)).resize((36, 24), Image.LANCZOS)).astype(float)
    assert np.abs(cut[2:20, 16:46] - want[2:20, 4:34]).max() <= 1, "away from the border: nothing of it shines through"
    assert cut[40:, 16:].std((0, 1)).max() < 0.3 * want.std(), "far from the border all is one soft colour"
    assert np.abs(cut[40:, 16:].mean() - want.mean()) < 20


def test_soft_fill_continues_the_border():
    "A ramp goes on without a step; a picture without real pixels stays."
    ramp = np.repeat(np.linspace(0, 255, 64).round().astype(np.uint8)[:, None, None], 64, 1).repeat(3, 2)
    valid = np.zeros((64, 64), bool)
    valid[:40] = True
    filled = landmarks.soft_fill(ramp, valid)
    assert np.array_equal(filled[:40], ramp[:40])
    assert np.abs(np.diff(filled[38:, 5, 0].astype(int))).max() <= 8
    assert filled[63, 5, 0] < 150 and np.ptp(filled[63].astype(int)) <= 1, "the mirror image, not the last row"
    assert landmarks.soft_fill(ramp, valid & False) is ramp


def test_a_crop_around_landmarks_is_the_head_crop():
    points = face_at(300, 200)
    crop = Crop.around(points, (360, 640, 3), size=64)
    assert crop.box == head_crop(points) and (crop.height, crop.width, crop.size) == (360, 640, 64)
    assert crop.valid().shape == (1, 64, 64) and crop.valid(9).shape == (1, 9, 9)


def test_shrinking_averages():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize_square(stripes, 16).astype(int) - 100).max() <= 8 and resize_square(stripes, 64) is stripes


# What landmarks say


def test_openings_in_closed_form():
    m = np.zeros((2, 68, 2))
    m[:, 45, 0] = 10  # outer corners of the eyes: 10 apart
    for top, bottom, d in ((37, 41, 1.0), (38, 40, 2.0), (43, 47, 3.0), (44, 46, 4.0)):
        m[:, bottom, 1] = m[:, top, 1] + d
    for top, bottom, d in ((61, 67, 1.0), (62, 66, 2.0), (63, 65, 6.0)):
        m[:, bottom, 1] = m[:, top, 1] + d
    m[1] = m[1] * 7 + 100
    assert np.allclose(eye_opening(m), 0.25) and np.allclose(mouth_opening(m), 0.3)


def test_sharpness_is_measured_inside_the_face():
    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    box = np.array([[[10.0, 10.0], [20.0, 20.0]]])
    inside = torch.zeros_like(noise)
    inside[..., 8:23, 8:23] = noise[..., 8:23, 8:23]
    assert (
        torch.allclose(laplacian_variance(noise, box), laplacian_variance(inside, box))
        and laplacian_variance(noise - inside, box) < 1e-8
    )
    from scipy.ndimage import laplace

    want = laplace(noise[0].mean(0).numpy().astype(float))[10:21, 10:21].var(ddof=1)
    assert laplacian_variance(noise, box).item() == pytest.approx(want, rel=1e-4)


# The tracker


def test_landmarks_grow_with_the_picture(shots):
    "Twice the picture, twice the points: they are right to a fraction of a pixel."
    big = np.asarray(Image.fromarray(shots[0]).resize((960, 540), Image.BICUBIC))
    a, b = (place_landmarks(im, detect_faces(im)[0]) for im in (shots[0], big))
    eye = np.linalg.norm(a[36] - a[45])
    assert np.linalg.norm((b + 0.5) / 2 - 0.5 - a, axis=1).mean() < 0.03 * eye
    steps = np.diff(np.unique(a[:, 0].round(6)))
    assert 0 < steps.min() < 0.9, "finer than whole pixels"
    box = np.array(detect_faces(shots[0])[0])
    centre = (a.min(0) + a.max(0)) / 2
    assert (box[:2] < centre).all() and (centre < box[2:]).all()


def test_the_largest_face_comes_first(shots):
    both = np.zeros((270, 720, 3), np.uint8)
    both[:180, :320] = np.asarray(Image.fromarray(shots[0]).resize((320, 180)))
    both[:, 320:] = shots[0][:, 40:440]
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
    seen = []
    monkeypatch.setattr(Tracker, "_find", lambda self, frame: seen.pop(0))
    monkeypatch.setattr(
        tracker,
        "place_landmarks",
        lambda frame, box: face_at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0])[0],
    )
    return seen


def test_a_lost_face_is_followed_for_half_a_second(stage):
    box = (100, 100, 200, 200)
    stage += [(box, False)] * 3 + [(None, False)] * 14 + [(box, True)]
    t = track_frames([(k / 25, None) for k in range(18)])
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
    t = track_frames([(float(k), None) for k in range(20)])
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
        track_frames([(0.0, None)] * 3)


def test_points_that_are_no_face_end_the_following(stage, monkeypatch):
    box = (100, 100, 200, 200)
    stage += [(box, False), (None, False), (None, False)]
    good = tracker.place_landmarks
    calls = []

    def drifts(frame, box):
        calls.append(0)
        return good(frame, box) * (1 if len(calls) < 2 else [3, 1])

    monkeypatch.setattr(tracker, "place_landmarks", drifts)
    assert track_frames([(0.0, None)] * 3).found.tolist() == [True, False, False]


def test_the_crop_and_the_large_picture_are_one_person(shots):
    "The embedding is of the face, wherever it lies and however large it is."
    p = place_landmarks(shots[0], detect_faces(shots[0])[0])
    box = head_crop(p[None])
    small = resize_square(crop_square(shots[0], box), 96)
    far = np.linalg.norm(face_embedding(shots[0], p) - face_embedding(small, in_crop(p, box, 96)))
    wrong = np.linalg.norm(face_embedding(shots[0], p) - face_embedding(shots[0][::-1], p))
    assert far < 0.35 < wrong


def test_a_face_found_again_is_followed_anew(stage):
    "Patience begins again with each time that the face is seen."
    box = (100, 100, 200, 200)
    stage += ([(box, False)] + [(None, False)] * 8) * 3
    assert track_frames([(0.0, None)] * 27).found.all()


def test_a_face_too_small_is_refused():
    from f3a_lite.data.prepare import check_face_size

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
