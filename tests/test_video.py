"Videos and photos as phones make them, and as they should not be."

import base64
import gc
import os
import shutil
import socket
import av
import numpy as np
import pytest
from PIL import Image
from conftest import one_sentence, run_command, write_movie
from f3a_lite.core import F3AError
from f3a_lite.data.clips import load_clip
from f3a_lite.data.frames import read_image, upright
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.video import _open_video, frame_files, iter_frames, open_media, video_info, write_image
from f3a_lite.data.video import write_video
from f3a_lite.tracker import track_frames
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.ui.prepare import f3a_prepare


@pytest.mark.parametrize(
    "kind,kw,cut",
    [
        ("odd size", dict(pix_fmt="yuv444p"), (269, 479)),
        ("10 bit", dict(pix_fmt="yuv420p10le"), (270, 480)),
        ("portrait", {}, (270, 200)),
    ],
)
def test_odd_videos_are_read(tmp_path, filmed, kind, kw, cut):
    frames = [f[: cut[0], 200 : 200 + cut[1]] if kind == "portrait" else f[: cut[0], : cut[1]] for f in filmed]
    p = write_movie(tmp_path / "v.mp4", frames, **kw)
    back = [f for _, f in iter_frames(p)]
    assert len(back) == 8 and back[0].shape == frames[0].shape and back[0].dtype == np.uint8
    assert np.abs(back[3].astype(float) - frames[3]).mean() < 6


def test_of_a_large_video_one_thread_decodes_and_few_frames_are_in_memory(tmp_path):
    "Without a collection after each large frame all that were decoded stay, 12 megabytes each; so do a thread's own."
    small = np.zeros((270, 480, 3), np.uint8)
    frames = [np.full((1600, 2560, 3), 9 * k, np.uint8) for k in range(6)]
    large = write_movie(tmp_path / "large.mp4", frames, codec="mpeg4")
    for path, threads in ((large, 1), (write_movie(tmp_path / "small.mp4", [small] * 2), 4)):
        with _open_video(path) as container:
            assert container.streams.video[0].codec_context.thread_count == threads
    alive = []
    gc.disable()  # Python's own rounds would come too, some day
    try:
        for _ in iter_frames(large):
            alive.append(sum(type(o) is av.VideoFrame for o in gc.get_objects()))
    finally:
        gc.enable()
    assert len(alive) == 6 and max(alive[2:]) <= alive[1] + 1, alive


def test_variable_frame_rate_is_resampled_to_a_steady_clock(tmp_path, filmed):
    p = write_movie(tmp_path / "v.mp4", filmed, pts=[0, 40, 80, 200, 400, 440, 480, 800])
    t = [t for t, _ in iter_frames(p)]
    assert np.allclose(t, [0, 0.04, 0.08, 0.2, 0.4, 0.44, 0.48, 0.8], atol=0.02)
    steady = list(iter_frames(p, fps=10))
    every = [f for _, f in iter_frames(p)]
    assert np.allclose([t for t, _ in steady], np.arange(len(steady)) * 0.1) and 8 <= len(steady) <= 9
    assert np.array_equal(steady[2][1], every[3]) and np.array_equal(steady[8][1], every[7]), (
        "the nearest frame stands at each tick"
    )


def test_no_more_frames_than_were_asked_for(tmp_path, filmed):
    "Where the clock ticks on after the last frame too."
    p = write_movie(tmp_path / "v.mp4", filmed[:2], pts=[0, 1000])
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


@pytest.mark.parametrize("matrix,shown", MATRICES)
def test_turns_and_mirrors_are_undone(matrix, shown):
    "The eight ways in which a picture can lie."
    f = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    a, b, c, d = matrix
    assert np.array_equal(upright(f, [a, b, 0, c, d, 0, 0, 0, 1]), shown(f))


def test_portrait_phone_video_is_turned_upright(tmp_path, filmed):
    "Phones store portrait video on its side and write a turn by 90 degrees clockwise into the track header."
    p = write_movie(tmp_path / "v.mp4", filmed)
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


def test_heic_without_the_reader_or_with_it(tmp_path, filmed):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is optional")
    heif.register_heif_opener()
    Image.fromarray(filmed[0]).save(tmp_path / "p.heic")
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
def test_small_faces(tmp_path, filmed, width, found):
    "Faces are found down to a size, and refused in a sentence below it."
    p = write_movie(tmp_path / "v.mp4", [np.asarray(Image.fromarray(f).resize((width * 2, width))) for f in filmed])
    if found:
        assert len(prepare_clip(p, tmp_path / "c", progress=False)) == 8
    else:
        with pytest.raises(F3AError, match="[Ff]ace"):
            prepare_clip(p, tmp_path / "c", progress=False)
        assert [q.name for q in tmp_path.iterdir()] == ["v.mp4"]


def test_several_faces_take_the_largest(filmed):
    small = np.asarray(Image.fromarray(filmed[0]).resize((360, 202)))
    both = np.zeros((480, 480, 3), np.uint8)
    both[:270] = filmed[0]
    both[278:, :360] = small
    t = track_frames([(0.0, both)])
    assert t.others == 1 and t.landmarks[0, :, 1].max() < 290 and "more than one" in t.report()


def test_one_frame_is_enough(tmp_path, filmed):
    p = write_movie(tmp_path / "one.mp4", filmed[:1])
    c = prepare_clip(p, tmp_path / "c", progress=False)
    assert len(c) == 1 and bool(c.landmarks.isfinite().all())


def test_video_info(video):
    i = video_info(video)
    assert (i.width, i.height, i.frames, i.has_audio) == (640, 360, 472, True) and abs(i.fps - 23.976) < 0.01


def test_second_run_reuses_the_clip_and_a_failed_video_does_not_stop_the_rest(tmp_path, filmed, capsys):
    good = write_movie(tmp_path / "good.mp4", filmed)
    (tmp_path / "bad.mp4").write_bytes(b"x" * 500)
    assert run_command(f3a_prepare, tmp_path / "bad.mp4", good, tmp_path / "out") == 0
    (folder,) = (tmp_path / "out").iterdir()
    stamp = (folder / "frames.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert run_command(f3a_prepare, good, tmp_path / "out") == 0
    assert "already prepared" in capsys.readouterr().out and (folder / "frames.npy").stat().st_mtime_ns == stamp
    assert load_clip(folder).meta["source"] == "good.mp4" and list((tmp_path / "out").iterdir()) == [folder]


def test_own_landmarks_replace_the_tracker(tmp_path, filmed):
    p = write_movie(tmp_path / "v.mp4", filmed)
    t = track_frames(iter_frames(p))
    np.save(tmp_path / "l.npy", t.landmarks)
    c = prepare_clip(p, tmp_path / "c", landmarks=tmp_path / "l.npy", progress=False)
    assert len(c) == 8
    np.save(tmp_path / "short.npy", t.landmarks[:3])
    with pytest.raises(F3AError, match="of shape"):
        prepare_clip(p, tmp_path / "d", landmarks=tmp_path / "short.npy", progress=False)


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
def beside(tmp_path, filmed):
    "A video and pictures that nobody has asked for."
    write_movie(tmp_path / "secret.mp4", filmed[:3])
    write_movie(tmp_path / "secret.ts", filmed[:3])
    for k in range(3):
        Image.fromarray(filmed[k]).save(tmp_path / f"p{k}.png")
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


def test_pictures_are_videos_of_one_frame(tmp_path, filmed):
    "A single photo, and one whose name looks like a pattern: only itself."
    for name in ("a.png", "p%d.png"):
        Image.fromarray(filmed[0]).save(tmp_path / name)
        Image.fromarray(filmed[1]).save(tmp_path / "p0.png")
        frames = [f for _, f in iter_frames(tmp_path / name)]
        assert len(frames) == 1 and np.array_equal(frames[0], filmed[0]) and video_info(tmp_path / name).frames == 1


@pytest.mark.skipif(os.name == "nt", reason="no colons in names on Windows")
def test_a_name_like_an_address_is_a_file(tmp_path, video, filmed, monkeypatch):
    "Read, written, and taken for its sound; from within its folder, where the name stands alone."
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, "12:30.mp4")
    assert video_info("12:30.mp4").frames == 472 and next(iter_frames("12:30.mp4"))[1].shape == (360, 640, 3)
    write_video(filmed[:4], "http:x.mp4", 8, audio_from="12:30.mp4")
    info = video_info("http:x.mp4")
    assert (
        len(list(iter_frames("http:x.mp4"))) == 4
        and info.has_audio
        and sorted(os.listdir()) == ["12:30.mp4", "http:x.mp4"]
    )


def test_sound_is_taken_from_no_list(beside, video, filmed, monkeypatch):
    "Even where the list was taken for a video that has sound."
    from f3a_lite.data import video as module

    shutil.copy(video, beside / "secret.mp4")
    (beside / "concat.mp4").write_text(LISTS["concat.mp4"])
    monkeypatch.setattr(module, "video_info", lambda p: module.VideoInfo(p, 25.0, 8, 8, 1, True))
    with pytest.raises(F3AError, match="not a video"):
        write_video(filmed[:2], beside / "out.mp4", audio_from=beside / "concat.mp4")
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
def test_every_usual_container_is_read(tmp_path, filmed, ending, codec):
    p = write_movie(tmp_path / f"v.{ending}", filmed, codec=codec)
    frames = [f for _, f in iter_frames(p)]
    assert len(frames) == 8 and np.abs(frames[0].astype(float) - filmed[0]).mean() < 12


def test_moving_gif_is_read(tmp_path, filmed):
    ims = [Image.fromarray(f) for f in filmed[:3]]
    ims[0].save(tmp_path / "v.gif", save_all=True, append_images=ims[1:], duration=40)
    assert len([f for _, f in iter_frames(tmp_path / "v.gif")]) == 3


def test_a_photo_is_turned_as_its_note_says(tmp_path):
    "EXIF 6: the first row of what is stored is the right-hand column of what is seen."
    stored = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    note = Image.Exif()
    note[274] = 6
    Image.fromarray(stored).save(tmp_path / "p.png", exif=note)
    shown = read_image(tmp_path / "p.png")
    assert (
        shown.shape == (3, 2, 3) and np.array_equal(shown[:, 1], stored[0]) and np.array_equal(shown[:, 0], stored[1])
    )


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
