"What real files hold: clocks, turned and mirrored pictures, HDR, damage, and photos of every kind."

import sys
from fractions import Fraction
import av
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from conftest import write_movie
from f3a_lite import metrics
from f3a_lite.driving import retarget
from f3a_lite.core import F3AError, data_path
from f3a_lite.data.datasets import list_items
from f3a_lite.data.frames import clock_of, photo_kind, read_image, sdr_table
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.video import frame_files, iter_frames, open_media, video_info, write_image, write_video
from f3a_lite.linear_model import rest_frame
from f3a_lite.lab import measure_files
from f3a_lite.lab.measure_files import measure_sets
from f3a_lite.morphable import FaceParams
from f3a_lite.landmarks import Track, end_of_person


def numbered(n, size=(32, 48), step=8):
    "Frames that say by their brightness which they are."
    return [np.full((*size, 3), 20 + step * k, np.uint8) for k in range(n)]


def write_film(path, pictures=(0.0, 2.0), sound=(0.0, 2.0), codec="libx264", fps=25):
    "A film whose pictures and whose sound begin and end at these seconds of its clock; brightness and loudness rise."
    with av.open(str(path), "w") as c:
        v, a = c.add_stream(codec, rate=fps), c.add_stream("aac", rate=16000, layout="mono")
        v.width, v.height, v.pix_fmt, v.options = 48, 32, "yuv420p", {"bf": "0", "g": "20", "sc_threshold": "0"}
        packets = []
        for k in range(round((pictures[1] - pictures[0]) * fps)):
            f = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 + k, np.uint8), format="rgb24")
            f.pts, f.time_base = round(pictures[0] * fps) + k, Fraction(1, fps)
            packets += v.encode(f)
        packets += v.encode()
        for k in range(round((sound[1] - sound[0]) * 16000) // 1024):
            wave = np.sin(np.arange(1024) * 0.3).astype(np.float32)[None]
            f = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            f.sample_rate, f.pts, f.time_base = 16000, round(sound[0] * 16000) + 1024 * k, Fraction(1, 16000)
            packets += a.encode(f)
        packets += a.encode()
        for p in sorted(packets, key=lambda p: p.dts * p.time_base):
            c.mux(p)
    return path


def sound_of(path):
    "Begin and end of the sound of a film, in seconds after its first picture."
    with open_media(path) as c:
        first = min(float(p.pts * p.time_base) for p in c.demux(c.streams.video[0]) if p.pts is not None)
    with open_media(path) as c:
        spans = [
            (p.pts * p.time_base, p.duration * p.time_base) for p in c.demux(c.streams.audio[0]) if p.pts is not None
        ]
    return float(spans[0][0]) - first, float(sum(spans[-1])) - first


@pytest.mark.parametrize("name", ["v.ts", "v.mts", "v.mp4", "v.mkv"])
@pytest.mark.parametrize("late", [0.0, 0.48, -0.48])
def test_sound_is_in_step_whatever_the_clock_is(tmp_path, name, late):
    "The clock of MPEG-TS begins at 1.4 s; pictures may begin before or after the sound."
    p = write_film(tmp_path / name, (max(0.0, late), 2 + late), (max(0.0, -late), 2))
    info = video_info(p)
    written = write_video([f for _, f in iter_frames(p, info.fps)], tmp_path / "made.mp4", info.fps, audio_from=p)
    begin, end = sound_of(written)
    assert begin == pytest.approx(max(0.0, -late), abs=0.07) and info.fps == 25
    assert info.seconds == pytest.approx(2 + min(0.0, late), abs=0.05)
    assert end == pytest.approx(min(2 - max(0.0, late), info.seconds), abs=0.1)


@pytest.mark.parametrize("ending", ["avi", "mpg", "mp4"])
def test_pictures_come_in_their_order(tmp_path, video, ending):
    "An AVI does not say when H.264 with B-frames is shown, nor an MPEG program stream of every picture."
    frames = [np.asarray(Image.fromarray(f).resize((160, 90))) for _, f in iter_frames(video, max_frames=60)]
    p = write_movie(tmp_path / f"v.{ending}", frames)
    read = list(iter_frames(p))
    assert np.allclose([t for t, _ in read], np.arange(60) / 25, atol=1e-6)
    steady = [f for _, f in iter_frames(p, video_info(p).fps)]
    assert video_info(p).fps == 25 and len(steady) == video_info(p).frames == 60
    assert all(np.array_equal(a, b) for a, (_, b) in zip(steady, read))


def test_a_phone_cuts_off_a_beginning_by_a_note(tmp_path):
    "The edit list says that the film begins at 0.6 s, between two key frames: nothing behind that is lost."
    data = bytearray(write_film(tmp_path / "v.mp4").read_bytes())
    edit, scale = data.index(b"elst") + 16, int.from_bytes(data[(at := data.index(b"mdhd") + 16) : at + 4], "big")
    start = int.from_bytes(data[edit : edit + 4], "big") + round(0.6 * scale)
    data[edit : edit + 4] = start.to_bytes(4, "big")
    (tmp_path / "cut.mp4").write_bytes(data)
    shown = [f.mean() for _, f in iter_frames(tmp_path / "cut.mp4", 25)]
    assert len(shown) == video_info(tmp_path / "cut.mp4").frames == 35 and np.allclose(shown, np.arange(35, 70), atol=2)


def test_time_does_not_run_back(tmp_path):
    "Where two recordings were joined, each with a clock of its own."
    halves = [write_movie(tmp_path / f"{n}.ts", numbered(5), codec="mpeg2video") for n in "ab"]
    (tmp_path / "both.ts").write_bytes(b"".join(p.read_bytes() for p in halves))
    assert np.allclose([t for t, _ in iter_frames(tmp_path / "both.ts")], np.arange(10) / 25)


def test_the_sound_of_joined_recordings_is_in_step(tmp_path):
    "Each has a clock of its own, and the sound of the second begins late: at 1 s of 2."
    parts = [write_film(tmp_path / "a.ts"), write_film(tmp_path / "b.ts", (0.0, 2.0), (1.0, 2.0))]
    (tmp_path / "both.ts").write_bytes(b"".join(p.read_bytes() for p in parts))
    info = video_info(tmp_path / "both.ts")
    film = write_video((f for _, f in iter_frames(info.path, info.fps)), tmp_path / "made.mp4", 25, info.path)
    with open_media(film) as c:
        heard = [float(p.pts * p.time_base) for p in c.demux(c.streams.audio[0]) if p.pts is not None]
    silent = int(np.argmax(np.diff(heard)))
    assert info.frames == len(list(iter_frames(info.path, 25))) == 100
    assert heard[silent] == pytest.approx(2, abs=0.1) and heard[silent + 1] == pytest.approx(3, abs=0.1)
    assert heard[-1] == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize("ending", ["mp4", "mov", "flv", "wmv"])
def test_a_video_without_pictures(tmp_path, ending):
    "A recording that ended before its first picture: the file says what it would hold."
    options = dict(movflags="empty_moov+frag_keyframe") if ending in ("mp4", "mov") else {}
    with av.open(str(tmp_path / f"v.{ending}"), "w", options=options) as c:
        s = c.add_stream("wmv2" if ending == "wmv" else "libx264", rate=25)
        s.width, s.height, s.pix_fmt = 48, 32, "yuv420p"
        c.start_encoding()
    with pytest.raises(F3AError, match="holds no pictures"):
        video_info(tmp_path / f"v.{ending}")


def test_a_film_says_its_colours(tmp_path):
    "Else players guess by its size, and a large one gets other colours than a small one."
    film = write_video(numbered(2), tmp_path / "made.mp4")
    with open_media(film) as c:
        codec = c.streams.video[0].codec_context
        said = codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc
    assert [int(v) for v in said] == [6, 1, 1, 1]


def test_a_gap_is_left_out_and_told(tmp_path, capsys):
    "Pictures, and the sound of the gap."
    p = write_movie(tmp_path / "v.mkv", numbered(20, step=4), pts=[*range(0, 400, 40), *range(60_000, 60_400, 40)])
    assert len(list(iter_frames(p, 25))) == 20 and video_info(p).seconds == pytest.approx(0.8, abs=0.01)
    assert capsys.readouterr().err.count("gap without pictures (60 seconds)") == 1
    film = write_film(tmp_path / "film.mkv", (0, 5), (0, 5))
    clock = clock_of([*np.arange(0, 1, 0.04), *np.arange(4, 5, 0.04)])
    assert [round(clock.film_time(t), 3) for t in (0.5, 1.5, 3, 4.5)] == [0.5, 1, 1, 1.5]
    assert video_info(film).seconds == pytest.approx(5, abs=0.05)


def test_two_still_seconds_are_no_gap(tmp_path, capsys):
    p = write_movie(tmp_path / "v.mkv", numbered(4), pts=[0, 40, 2000, 2040])
    assert len(list(iter_frames(p, 25))) == 52 and not capsys.readouterr().err


def test_the_rate_is_that_of_the_pictures():
    "Not that of a clock that counts in milliseconds, nor a mean over a pause; a rounded one is the stated one."
    rounded = np.round(np.arange(90) / 30, 3)
    assert clock_of(rounded, 1000).rate == pytest.approx(30, rel=0.005)
    assert clock_of(rounded, 30).rate == 30
    assert clock_of(np.concatenate([rounded, 4.9 + rounded, 9.8 + rounded]), 14).rate == pytest.approx(30, rel=0.005)
    burst = np.concatenate([np.arange(0, 40, 1.0), 40 + np.arange(30) / 30])
    assert clock_of(burst, 2).rate == pytest.approx(30, rel=0.01), "what moved is not thinned out"
    assert clock_of(np.arange(240) / 240, 240).rate == 60 and clock_of([0.0], 1e-6).rate == 25


def test_a_recording_of_a_browser(tmp_path):
    "VP8 by a clock of milliseconds that states 1000 frames a second."
    p = write_movie(
        tmp_path / "v.webm", numbered(24), codec="libvpx", fps=1000, pts=[round(k * 33.3) for k in range(24)]
    )
    assert 24 <= video_info(p).frames <= 25 and 24 <= len(list(iter_frames(p, video_info(p).fps))) <= 25


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_pictures_that_move_have_their_own_speed(tmp_path, ending):
    ims = [Image.fromarray(f) for f in numbered(6)]
    options = dict(lossless=True) if ending == "webp" else {}
    ims[0].save(tmp_path / f"v.{ending}", save_all=True, append_images=ims[1:], duration=80, **options)
    info = video_info(tmp_path / f"v.{ending}")
    assert info.fps == pytest.approx(12.5) and info.frames == 6
    frames = list(iter_frames(tmp_path / f"v.{ending}", info.fps))
    assert len(frames) == 6 and np.abs(frames[5][1].astype(int) - 60).max() < 6
    assert photo_kind(tmp_path / f"v.{ending}") == "moving" and read_image(tmp_path / f"v.{ending}").mean() < 30


@pytest.mark.parametrize("duration,rate", [(10, 10), (20, 50)])
def test_a_hundredth_of_a_second_is_a_tenth(tmp_path, duration, rate):
    "As in a browser."
    ims = [Image.fromarray(f) for f in numbered(6)]
    ims[0].save(tmp_path / "v.gif", save_all=True, append_images=ims[1:], duration=duration)
    assert video_info(tmp_path / "v.gif").fps == pytest.approx(rate) and video_info(tmp_path / "v.gif").frames == 6


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_a_pause_of_a_picture_that_moves_is_left_out_and_told(tmp_path, ending, capsys):
    ims = [Image.fromarray(f) for f in numbered(6)]
    durations = [40, 40, 60_000, 40, 40, 40]
    ims[0].save(tmp_path / f"v.{ending}", save_all=True, append_images=ims[1:], duration=durations)
    info = video_info(tmp_path / f"v.{ending}")
    assert len(list(iter_frames(info.path, info.fps))) == info.frames == 6
    assert capsys.readouterr().err.count("gap without pictures (60 seconds)") == 1


def test_what_stands_for_the_film_is_none_of_its_frames(tmp_path):
    "A PNG may have one picture for programs that do not know of others."
    ims = [Image.fromarray(f) for f in numbered(6)]
    options = dict(save_all=True, append_images=ims[1:], duration=40, default_image=True)
    ims[0].save(tmp_path / "v.png", **options)
    assert [round(f.mean()) for _, f in iter_frames(tmp_path / "v.png")] == [20 + 8 * k for k in range(1, 6)]


def test_sizes_that_change_are_brought_to_the_first(tmp_path, capsys):
    for k, size in enumerate([(32, 48), (64, 96), (48, 32)]):
        write_image(np.full((*size, 3), 200, np.uint8), tmp_path / f"{k}.png")
    frames = [f for _, f in iter_frames(tmp_path)]
    assert [f.shape for f in frames] == [(32, 48, 3)] * 3 and capsys.readouterr().err.count("change their size") == 1
    assert frames[1].min() == 200 and frames[2][:, 24].min() == 200 and frames[2][:, 0].max() == 0
    halves = [
        write_movie(tmp_path / f"{n}.ts", numbered(5, s), codec="mpeg2video")
        for n, s in (("a", (32, 48)), ("b", (64, 96)))
    ]
    (tmp_path / "both.ts").write_bytes(b"".join(p.read_bytes() for p in halves))
    assert {f.shape for _, f in iter_frames(tmp_path / "both.ts")} == {(32, 48, 3)}


def test_pixels_become_square(tmp_path):
    with av.open(str(tmp_path / "v.mkv"), "w") as c:
        s = c.add_stream("mpeg4", rate=25)
        s.width, s.height, s.pix_fmt = 48, 32, "yuv420p"
        s.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for f in numbered(3):
            c.mux(s.encode(av.VideoFrame.from_ndarray(f, format="rgb24")))
        c.mux(s.encode())
    assert video_info(tmp_path / "v.mkv").width == 64 and next(iter_frames(tmp_path / "v.mkv"))[1].shape == (32, 64, 3)


@pytest.mark.parametrize("transfer,white", [(16, 0.58), (18, 0.75)])
def test_hdr_becomes_ordinary(tmp_path, transfer, white):
    "White paper, 203 nits, is stored at 58 % of PQ and 75 % of HLG; it is seen as nearly white, and black as black."
    p = tmp_path / "v.mp4"
    f = np.zeros((32, 48, 3), np.uint8)
    f[:, 24:] = round(255 * white)
    with av.open(str(p), "w") as c:
        s = c.add_stream("libx264", rate=25)
        s.width, s.height, s.pix_fmt = 48, 32, "yuv420p"
        s.codec_context.color_trc, s.codec_context.color_primaries = transfer, 9
        for _ in range(3):
            c.mux(s.encode(av.VideoFrame.from_ndarray(f, format="rgb24")))
        c.mux(s.encode())
    frame = next(iter_frames(p))[1]
    assert frame[:, :16].mean() < 12 and 190 < frame[:, 32:].mean() < 240
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    tones = np.asarray(Image.fromarray(ramp).filter(sdr_table(transfer)))[0].astype(int)
    assert np.diff(tones[:, 0]).min() >= -6 and np.ptp(tones, axis=1).max() <= 4, "grey stays grey, and rises"


def test_what_decodes_is_kept(tmp_path, capsys):
    "After damage in the middle, too; and the loss is told."
    p = write_movie(tmp_path / "v.mp4", numbered(24), codec="mjpeg", pix_fmt="yuvj420p")
    with open_media(p) as c:
        packets = [(q.pos, q.size) for q in c.demux(c.streams.video[0]) if q.size]
    data = bytearray(p.read_bytes())
    for k in range(8, 12):
        data[packets[k][0] : packets[k][0] + packets[k][1]] = bytes(packets[k][1])
    (tmp_path / "hurt.mp4").write_bytes(data)
    frames = [f for _, f in iter_frames(tmp_path / "hurt.mp4")]
    assert len(frames) == 20 and abs(int(frames[-1].mean()) - 204) < 4
    assert "4 frames could not be decoded, 20 are kept" in capsys.readouterr().err
    assert len(list(iter_frames(tmp_path / "hurt.mp4", 25))) == 24, "and the clock goes on"


@pytest.mark.parametrize("ending,codec", [("mkv", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("flv", "libx264")])
def test_a_video_that_is_cut_short_is_told_to_be(tmp_path, ending, codec, capsys):
    "By its own word on how long it is; one that is whole is not."
    noise = np.random.default_rng(0).integers(0, 255, (40, 32, 48, 3), np.uint8)
    data = write_movie(tmp_path / f"v.{ending}", noise, codec=codec).read_bytes()
    assert len(list(iter_frames(tmp_path / f"v.{ending}", 25))) == 40 and not capsys.readouterr().err
    (tmp_path / f"cut.{ending}").write_bytes(data[: len(data) // 2])
    assert 5 < len(list(iter_frames(tmp_path / f"cut.{ending}"))) < 25
    assert capsys.readouterr().err.count("is incomplete: of ") == 1


def test_a_cover_is_not_the_video(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as c:
        cover, film = c.add_stream("mjpeg", rate=25), c.add_stream("libx264", rate=25)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        film.width, film.height, film.pix_fmt = 48, 32, "yuv420p"
        cover.disposition = av.stream.Disposition.attached_pic
        c.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        c.mux(cover.encode())
        for f in numbered(5):
            c.mux(film.encode(av.VideoFrame.from_ndarray(f, format="rgb24")))
        c.mux(film.encode())
    assert len([f for _, f in iter_frames(tmp_path / "v.mp4")]) == 5 and video_info(tmp_path / "v.mp4").width == 48


@pytest.mark.parametrize("ending", ["ts", "mts", "m2ts", "wmv", "3gp", "flv", "ogv", "avi"])
def test_more_endings_are_videos(tmp_path, ending):
    codecs = dict(wmv="wmv2", avi="mpeg4", ogv="libtheora")
    codec = codecs.get(ending, "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    write_movie(tmp_path / f"v.{ending}", numbered(5), codec=codec)
    assert [i.video.name for i in list_items(tmp_path, "video")] == [f"v.{ending}"]
    assert len([f for _, f in iter_frames(tmp_path / f"v.{ending}", 25)]) == 5


def test_what_macos_leaves_is_not_counted(tmp_path):
    write_movie(tmp_path / "v.mp4", numbered(5))
    for name in ("._v.mp4", "__MACOSX/v.mp4", "__MACOSX/._1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [i.video.name for i in list_items(tmp_path, "video")] == ["v.mp4"]


def test_contents_decide(tmp_path):
    "A JPEG under other names; a film under the name of a photo."
    im = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))
    for name in ("a.gif", "a.HEIC", "a.mp4", "a"):
        im.save(tmp_path / name, "JPEG")
        assert read_image(tmp_path / name).shape == (20, 30, 3) and video_info(tmp_path / name).frames == 1
    im.save(tmp_path / "1.tif")
    im.save(tmp_path / "2.ppm")
    assert [p.name for p in frame_files(tmp_path)] == ["1.tif", "2.ppm"]
    write_movie(tmp_path / "film.dat.mp4", numbered(5)).rename(tmp_path / "film.dat")
    assert len([f for _, f in iter_frames(tmp_path / "film.dat")]) == 5


def test_a_heic_is_told_to_be_one(tmp_path, monkeypatch):
    (tmp_path / "p.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(F3AError, match="'p.jpg' is a HEIC photo"):
        read_image(tmp_path / "p.jpg")
    with pytest.raises(F3AError, match="'p.jpg' is a HEIC photo"):
        video_info(tmp_path / "p.jpg")


def test_many_bits_become_eight(tmp_path):
    ramp = np.linspace(0, 1, 12).reshape(3, 4)
    for k, (top, kind) in enumerate([(1, "f4"), (255, "f4"), (65535, "f4"), (65535, "i4"), (2**31 - 1, "i4")]):
        Image.fromarray((ramp * top).astype(kind)).save(tmp_path / f"{k}.tif")
        full = 127 if top > 65535 else 255
        assert np.abs(read_image(tmp_path / f"{k}.tif")[..., 0] - full * ramp).max() <= 1.5, (top, kind)


def test_a_photo_that_is_cut_short_is_read_with_a_word(tmp_path, capsys):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "p.jpg", quality=95)
    whole, data = read_image(tmp_path / "p.jpg"), (tmp_path / "p.jpg").read_bytes()
    (tmp_path / "p.jpg").write_bytes(data[:-50])
    assert (
        np.array_equal(read_image(tmp_path / "p.jpg")[:40], whole[:40])
        and "'p.jpg' is incomplete" in capsys.readouterr().err
    )
    (tmp_path / "p.jpg").write_bytes(data[:20])
    with pytest.raises(F3AError, match="not a photo"):
        read_image(tmp_path / "p.jpg")


def test_a_very_large_photo_is_read_smaller(tmp_path, capsys, monkeypatch):
    from f3a_lite.data import frames

    monkeypatch.setattr(frames, "LARGEST_PHOTO", 1000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    for name, size, want in (
        ("a.jpg", (96, 128), (24, 32)),
        ("b.png", (40, 60), (20, 30)),
        ("c.tif", (20, 30), (20, 30)),
    ):
        write_image(np.full((*size, 3), 90, np.uint8), tmp_path / name)
        assert read_image(tmp_path / name).shape == (*want, 3), name
        assert ("very large" in capsys.readouterr().err) == (size != want)
    assert Image.MAX_IMAGE_PIXELS == 900
    write_image(np.full((90, 120, 3), 90, np.uint8), tmp_path / "d.png")
    with pytest.raises(F3AError, match="'d.png' is too large"):
        read_image(tmp_path / "d.png")


def faces_of(*people, n=75):
    "The same or another picture for n frames each: the embeddings that are taken of some, and all landmarks."
    landmarks = np.concatenate([np.full((n, 68, 2), 10.0 * who) for who in people])
    basis = np.eye(128) * 0.6
    return {k: basis[people[k // n]] for k in range(12, len(landmarks), 25)}, landmarks


def test_a_clip_ends_where_another_person_begins():
    "For good: not for one look, and not where the first comes back."
    for people, end in (((0, 1), 75), ((0, 0, 1), 150), ((0, 1, 0), 225), ((0, 0), 150)):
        assert end_of_person(*faces_of(*people)) == end, people
    faces, landmarks = faces_of(0, 1)
    every = np.ones(len(landmarks), bool)
    track = Track(landmarks, every, every, np.arange(len(landmarks)) / 25)
    assert end_of_person({k: v for k, v in faces.items() if k < 90}, landmarks) == 150, "seen once"
    assert len(track.first(75).times) == len(track.first(75).landmarks) == 75


def test_a_cut_to_another_person_is_told(tmp_path, capsys):
    "Two portraits, one after the other."
    a = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((110, 20, 350, 260)))
    b = next(f for k, (_, f) in enumerate(iter_frames(data_path("woman_laughing.mp4"))) if k == 250)
    b = np.asarray(Image.fromarray(b[:, 140:500]).resize((240, 240)))
    p = write_movie(tmp_path / "v.mp4", [a] * 8 + [b] * 10, fps=3)
    clip = prepare_clip(p, tmp_path / "clip", split=None, progress=False)
    assert len(clip) == 8 and "another person from 2.7 s on" in capsys.readouterr().err


def test_rest_is_the_calmest_face():
    "An open mouth at the beginning is none; a driver that begins calmly is taken as before."
    driving = FaceParams.neutral(40, 4, 52)
    mouth = driving.exp_coeff.clone()
    mouth[:8, 24] = torch.linspace(1, 0, 8)
    opened = driving.replace(exp_coeff=mouth)
    assert rest_frame(driving) == 0 and rest_frame(opened.replace(exp_coeff=mouth.flip(0))) == 0
    rest = rest_frame(opened)
    assert rest == 7
    source = FaceParams.neutral(1, 4, 52)
    assert retarget(source, opened, False).exp_coeff[0, 24] == 1, "the mouth is open where the driver's is"
    assert torch.equal(retarget(source, opened, False, absolute=True).exp_coeff, mouth)
    turned = driving.replace(rotation=torch.linspace(0.8, 0, 40)[:, None] * torch.tensor([0.0, 1, 0]))
    assert rest_frame(turned) == 39


def test_large_pictures_come_a_few_at_a_time(tmp_path, monkeypatch):
    "And the figures are the same."
    for k in range(4):
        for name in ("a", "b"):
            picture = np.random.default_rng(9 * k + len(name + str(k))).integers(0, 255, (16, 16, 3), np.uint8)
            (tmp_path / name).mkdir(exist_ok=True)
            write_image(picture, tmp_path / name / f"{k}.png")
    pair = tmp_path / "a", tmp_path / "b"
    whole = measure_sets(*pair, faces=False)
    assert [len(x) for x, _ in measure_files.in_batches(*pair, 3)] == [3, 1]
    monkeypatch.setattr(measure_files, "PIXELS", 600)
    assert [len(x) for x, _ in measure_files.in_batches(*pair, 3)] == [2, 2]
    monkeypatch.setattr(measure_files, "PIXELS", 5)
    assert [len(x) for x, _ in measure_files.in_batches(*pair, 3)] == [1] * 4
    for name, value in measure_sets(*pair, faces=False).items():
        assert value["mean"] == pytest.approx(whole[name]["mean"], rel=1e-5)


def test_similarity_in_bands_is_that_of_the_whole(monkeypatch):
    "With a mask too; the bands meet without a row between them."
    g = torch.Generator().manual_seed(0)
    a, b, valid = torch.rand(2, 3, 70, 40, generator=g), torch.rand(2, 3, 70, 40, generator=g), torch.ones(2, 1, 70, 40)
    valid[:, :, :20] = 0
    whole = metrics.ssim(a, b), metrics.ssim(a, b, valid)
    monkeypatch.setattr(metrics, "BAND", 13)
    for mask, want in zip((None, valid), whole):
        assert torch.allclose(metrics.ssim(a, b, mask), want, atol=1e-6)
