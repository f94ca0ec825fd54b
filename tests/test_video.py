"Videos and photos as phones make them, and as they should not be."
import re
import numpy as np
import pytest
from PIL import Image
from conftest import run_command, write_movie
from f3a_lite.animation import f3a_animate
from f3a_lite.clips import f3a_prepare, load_clip, prepare_clip
from f3a_lite.core import F3AError
from f3a_lite.landmarks import iter_frames, read_image, track_frames, upright, video_info


@pytest.fixture(scope="session")
def shots(video):
    "A few real frames, reduced to 480x270."
    out = []
    for k, (_, f) in enumerate(iter_frames(video)):
        if k >= 250: out.append(np.asarray(Image.fromarray(f).resize((480, 270))))
        if len(out) == 8: return out


@pytest.mark.parametrize("kind,kw,cut", [("odd size", dict(pix_fmt="yuv444p"), (269, 479)), ("10 bit", dict(pix_fmt="yuv420p10le"), (270, 480)), ("portrait", {}, (270, 200))])
def test_odd_videos_are_read(tmp_path, shots, kind, kw, cut):
    frames = [f[:cut[0], 200:200 + cut[1]] if kind == "portrait" else f[:cut[0], :cut[1]] for f in shots]
    p = write_movie(tmp_path / "v.mp4", frames, **kw)
    back = [f for _, f in iter_frames(p)]
    assert len(back) == 8 and back[0].shape == frames[0].shape and back[0].dtype == np.uint8
    assert np.abs(back[3].astype(float) - frames[3]).mean() < 6


def test_variable_frame_rate_is_resampled_to_a_steady_clock(tmp_path, shots):
    p = write_movie(tmp_path / "v.mp4", shots, pts=[0, 40, 80, 200, 400, 440, 480, 800])
    t = [t for t, _ in iter_frames(p)]
    assert np.allclose(t, [0, .04, .08, .2, .4, .44, .48, .8], atol=.02)
    steady = list(iter_frames(p, fps=10)); every = [f for _, f in iter_frames(p)]
    assert np.allclose([t for t, _ in steady], np.arange(len(steady)) * .1) and 8 <= len(steady) <= 9
    assert np.array_equal(steady[2][1], every[3]) and np.array_equal(steady[8][1], every[7]), "the nearest frame stands at each tick"


def test_rotation_is_undone():
    f = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert upright(f, 90).shape == (4, 2, 3) and np.array_equal(upright(f, -90), np.rot90(f, 3)) and np.array_equal(upright(f, 180), f[::-1, ::-1])


def test_portrait_phone_video_is_turned_upright(tmp_path, shots):
    "Phones store portrait video on its side and write a turn by 90 degrees clockwise into the track header."
    p = write_movie(tmp_path / "v.mp4", shots); plain = [f for _, f in iter_frames(p)][0]
    data = bytearray(p.read_bytes()); at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of times, layer and volume
    data[at:at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in (0, 1 << 16, 0, -(1 << 16), 0, 0, 270 << 16, 0, 1 << 30)); (tmp_path / "turned.mp4").write_bytes(data)
    turned = [f for _, f in iter_frames(tmp_path / "turned.mp4")][0]
    assert turned.shape == (480, 270, 3) and np.array_equal(turned, np.rot90(plain, -1))
    assert (video_info(tmp_path / "turned.mp4").width, video_info(tmp_path / "turned.mp4").height) == (270, 480)


def test_heic_without_the_reader_or_with_it(tmp_path, shots):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is optional")
    heif.register_heif_opener(); Image.fromarray(shots[0]).save(tmp_path / "p.heic")
    assert read_image(tmp_path / "p.heic").shape == (270, 480, 3)


def test_sixteen_bit_grey(tmp_path):
    Image.fromarray((np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)).save(tmp_path / "g.png")
    im = read_image(tmp_path / "g.png"); assert im.shape == (8, 8, 3) and 200 < im.max() <= 255


def bad_files(d):
    (d / "empty.mp4").write_bytes(b""); (d / "text.mp4").write_text("this is no video" * 99)
    rng = np.random.default_rng(0); noise = [rng.integers(0, 255, (96, 96, 3), np.uint8) for _ in range(5)]
    write_movie(d / "noface.mp4", noise); whole = (d / "noface.mp4").read_bytes(); (d / "cut.mp4").write_bytes(whole[:len(whole) // 3])
    (d / "folder.mp4").mkdir()
    return {n: d / n for n in ("missing.mp4", "empty.mp4", "text.mp4", "cut.mp4", "noface.mp4", "folder.mp4")}


@pytest.mark.parametrize("name", ["missing.mp4", "empty.mp4", "text.mp4", "cut.mp4", "noface.mp4", "folder.mp4"])
def test_bad_videos_give_one_sentence(tmp_path, capsys, name):
    files = bad_files(tmp_path); out = tmp_path / "out"
    assert run_command(f3a_prepare, files[name], out) == 2
    said = [s for s in re.split(r"[\r\n]", capsys.readouterr().err) if s.strip() and "it/s]" not in s and "%|" not in s and "tracking" not in s]
    assert len(said) == 1 and name in said[0], said
    assert not out.exists() or not list(out.rglob("*.npy"))


@pytest.mark.parametrize("make", ["missing", "text", "noface"])
def test_bad_photos_give_one_sentence(tmp_path, capsys, make):
    p = tmp_path / "photo.jpg"
    if make == "text": p.write_text("no photo")
    if make == "noface": Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(p)
    assert run_command(f3a_animate, p, "--out", tmp_path / "out", "--script", "smile") == 2
    err = capsys.readouterr().err; assert "photo.jpg" in err and "Traceback" not in err
    assert not list((tmp_path / "out").glob("*"))


def test_small_faces(tmp_path, shots):
    "A face of 40 pixels is either found or refused in a sentence; one of 20 is refused."
    for width, must in ((110, True), (50, None), (26, False)):
        p = write_movie(tmp_path / f"{width}.mp4", [np.asarray(Image.fromarray(f).resize((width * 2, width))) for f in shots])
        try: c = prepare_clip(p, tmp_path / f"c{width}", progress=False); assert must is not False and len(c) == 8
        except F3AError as e: assert not must and "face" in str(e).lower()


def test_several_faces_take_the_largest(shots):
    small = np.asarray(Image.fromarray(shots[0]).resize((360, 202))); both = np.zeros((480, 480, 3), np.uint8); both[:270] = shots[0]; both[278:, :360] = small
    t = track_frames([(0., both)]); assert t.others == 1 and t.landmarks[0, :, 1].max() < 290 and "more than one" in t.report()


def test_one_frame_is_enough(tmp_path, shots):
    p = write_movie(tmp_path / "one.mp4", shots[:1])
    c = prepare_clip(p, tmp_path / "c", progress=False)
    assert len(c) == 1 and bool(c.landmarks.isfinite().all())


def test_video_info(video):
    i = video_info(video); assert (i.width, i.height, i.frames, i.has_audio) == (640, 360, 472, True) and abs(i.fps - 23.976) < .01


def test_second_run_reuses_the_clip_and_a_failed_video_does_not_stop_the_rest(tmp_path, shots, capsys):
    good = write_movie(tmp_path / "good.mp4", shots); (tmp_path / "bad.mp4").write_bytes(b"x" * 500)
    assert run_command(f3a_prepare, tmp_path / "bad.mp4", good, tmp_path / "out") == 0
    stamp = (tmp_path / "out" / "good" / "frames.npy").stat().st_mtime_ns
    capsys.readouterr(); assert run_command(f3a_prepare, good, tmp_path / "out") == 0
    assert "already prepared" in capsys.readouterr().out and (tmp_path / "out" / "good" / "frames.npy").stat().st_mtime_ns == stamp
    assert load_clip(tmp_path / "out" / "good").meta["source"] == "good.mp4" and not (tmp_path / "out" / "bad").exists()


def test_own_landmarks_replace_the_tracker(tmp_path, shots):
    p = write_movie(tmp_path / "v.mp4", shots); t = track_frames(iter_frames(p)); np.save(tmp_path / "l.npy", t.landmarks)
    c = prepare_clip(p, tmp_path / "c", landmarks=tmp_path / "l.npy", progress=False); assert len(c) == 8
    np.save(tmp_path / "short.npy", t.landmarks[:3])
    with pytest.raises(F3AError, match="expected"): prepare_clip(p, tmp_path / "d", landmarks=tmp_path / "short.npy", progress=False)
