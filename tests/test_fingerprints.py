"Names and fingerprints of clips."

import dataclasses
import numpy as np
import pytest
import torch
from conftest import all_bytes, run_command, write_movie
from f3a_lite.core import F3AError, data_path
from f3a_lite.data import fingerprints, prepare, prepare_datasets
from f3a_lite.data.clips import load_clip
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.prepare_datasets import prepare_dataset
from f3a_lite.data.video import iter_frames, write_image
from f3a_lite.morphable import open_model
from f3a_lite.landmarks import Track
from f3a_lite.tracker import track_frames
from f3a_lite.ui.prepare import f3a_prepare
from helpers import place


def test_a_clip_is_named_by_its_video_and_its_fingerprint(tmp_path, movie, monkeypatch):
    folder = place(movie, tmp_path / "out", size=32)
    whole = prepare.signed(clip_fingerprint(movie, size=32), {})["recipe"]
    assert folder == tmp_path / "out" / f"me-{whole[:8]}" and len(whole) == 64
    assert place(movie, tmp_path / "out", size=48) != folder
    monkeypatch.chdir(movie.parent)
    found, new = prepare.clip_in(tmp_path / "out", "me.mp4", dict(size=32), progress=False)
    assert found.path == folder and new and found.meta["recipe"] == whole


def test_the_name_of_a_folder_of_frames(tmp_path, shots, monkeypatch):
    "'.' has a name too."
    (tmp_path / "frames").mkdir()
    write_image(shots[0], tmp_path / "frames" / "1.png")
    monkeypatch.chdir(tmp_path / "frames")
    clip, _ = prepare.clip_in(tmp_path, ".", dict(size=32), progress=False)
    assert clip.path.name.startswith("frames-")


def test_equal_names_get_a_folder_each(tmp_path, shots):
    "Whatever their order, and in a later run; the same video twice is one clip."
    for n, f in (("a", shots[:2]), ("b", shots[2:])):
        (tmp_path / n).mkdir()
        write_movie(tmp_path / n / "x.mp4", f)
    a, b, out = tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4", tmp_path / "out"
    assert run_command(f3a_prepare, a, out) == 0
    first = all_bytes(place(a, out))
    assert run_command(f3a_prepare, b, a, b, out) == 0
    assert all_bytes(place(a, out)) == first and sorted(out.iterdir()) == sorted([place(a, out), place(b, out)])
    assert load_clip(place(b, out)).meta["sha256"] == fingerprints.video_sha256(b)


def test_equal_names_in_a_data_set(tmp_path, shots):
    "Two discs of 300VW with the same numbers: each video has a clip of its own, in a folder of its own."
    track = track_frames([(k / 25, f) for k, f in enumerate(shots)])
    for disc in ("a", "b"):
        (tmp_path / "root" / disc / "001" / "annot").mkdir(parents=True)
        write_movie(tmp_path / "root" / disc / "001" / "vid.avi", shots if disc == "a" else shots[::-1], codec="mpeg4")
        for k, m in enumerate(track.landmarks):
            text = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in m)
            (tmp_path / "root" / disc / "001" / "annot" / f"{k + 1:06d}.pts").write_text(
                "version: 1\nn_points: 68\n{\n" + text + "\n}\n"
            )
    m = prepare_dataset(tmp_path / "root", tmp_path / "out", "300vw", progress=False)
    assert m["counts"]["prepared"] == 2 and sorted(m["items"]) == ["a/001/vid.avi", "b/001/vid.avi"]
    assert len({v["folder"] for v in m["items"].values()}) == 2
    assert all(v["folder"].startswith("001-") for v in m["items"].values())


def test_own_landmarks_are_used_where_the_video_is_prepared_already(tmp_path, movie, capsys):
    out = tmp_path / "out"
    assert run_command(f3a_prepare, movie, out) == 0
    marks = track_frames(iter_frames(movie)).landmarks
    np.save(tmp_path / "own.npy", marks + 3)
    for again in (False, True):
        capsys.readouterr()
        assert run_command(f3a_prepare, movie, out, "--landmarks", tmp_path / "own.npy") == 0
        assert ("already prepared" in capsys.readouterr().out) == again
    tracked, own = load_clip(place(movie, out)), load_clip(place(movie, out, landmarks=tmp_path / "own.npy"))
    assert np.allclose(np.subtract(own.meta["crop"], tracked.meta["crop"]), 3, atol=1), (
        "all points lie three pixels further"
    )
    np.save(tmp_path / "own.npy", marks + 9)
    assert place(movie, out, landmarks=tmp_path / "own.npy") not in (own.path, tracked.path), "other points"


def test_each_part_of_the_fingerprint_counts(tmp_path, movie, shots):
    base = dict(size=32, max_frames=2)
    track = track_frames(iter_frames(movie, max_frames=2))
    shifted = Track(track.landmarks + 1, track.found, track.detected, track.times)
    changes = [
        dict(),
        dict(size=64),
        dict(max_frames=3),
        dict(max_frames=None),
        dict(param_source="regressor"),
        dict(landmarks=track),
        dict(landmarks=shifted),
        dict(face_model=dataclasses.replace(open_model(), name="another model")),
        dict(split=1),
        dict(split=None),
    ]
    names = [place(movie, tmp_path, **{**base, **change}).name for change in changes]
    assert len(set(names)) == len(names)
    assert names == [place(movie, tmp_path, **{**base, **change}).name for change in changes]
    (tmp_path / "pts").mkdir()
    (tmp_path / "pts" / "000001.pts").write_text("a")
    one = fingerprints.landmarks_fingerprint(tmp_path / "pts")
    (tmp_path / "pts" / "000001.pts").write_text("b")
    assert one != fingerprints.landmarks_fingerprint(tmp_path / "pts")
    write_movie(movie, shots[::-1])
    assert place(movie, tmp_path, **base).name not in names, "the video has changed"


def test_rendered_people_of_other_settings_are_others(tmp_path):
    base = dict(dataset="rendered", max_frames=1, size=32, progress=False)
    first = prepare_dataset(1, tmp_path, **base)
    before = all_bytes(tmp_path)
    assert prepare_dataset(1, tmp_path, **base) == first
    assert all_bytes(tmp_path) == before, "the same people are not drawn again"
    for change in (dict(size=48), dict(seed=1), dict(max_frames=2)):
        item = prepare_dataset(1, tmp_path, **{**base, **change})["items"]["person_00000"]
        c = load_clip(tmp_path / item["folder"])
        assert item["folder"] not in before and (c.frames.shape[1], c.meta["seed"], len(c)) == (
            change.get("size", 32),
            change.get("seed", 0),
            change.get("max_frames", 1),
        )
    items = [prepare_datasets.prepare_people(1, tmp_path, size=32, fps=f, progress=False)["items"] for f in (8.0, 25.0)]
    slow, fast = (load_clip(tmp_path / m["person_00000"]["folder"]).params.rotation for m in items)
    assert not torch.equal(slow, fast), "another rate, another motion between two frames"


def test_a_file_beside_a_video_names_frames_to_leave_out(tmp_path, movie):
    "Only then is the clip another one; the file of the bundled video names the frames with a hand."
    video = tmp_path / "me.mp4"
    video.write_bytes(movie.read_bytes())
    plain = clip_fingerprint(video)
    assert "leave_out" not in plain
    beside = tmp_path / "me.leave_out.json"
    beside.write_text('{"frames": [[2, 3]], "reason": "a cup"}')
    assert clip_fingerprint(video) == {**plain, "leave_out": [[2, 3]]}
    for text in ('{"frames": [[3, 2]]}', '{"frames": 3}', "{}", "[", "[]"):
        beside.write_text(text)
        with pytest.raises(F3AError, match="me.leave_out.json.*list of frames to leave out"):
            clip_fingerprint(video)
    assert clip_fingerprint(data_path("woman_laughing.mp4"))["leave_out"] == [[57, 232]]


def test_a_clip_that_is_there_is_given_as_it_is(tmp_path, movie, monkeypatch):
    "No video is opened, and no byte is written: by name, by a command, and by a data set."
    out = tmp_path / "out"
    prepare_clip(movie, tmp_path / "c", size=32, progress=False)
    assert run_command(f3a_prepare, movie, out, "--size", 32) == 0
    m = prepare_dataset(movie.parent, out, size=32, progress=False)
    before = {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in tmp_path.rglob("*.npy")}
    for name in ("video_info", "iter_frames", "track_frames"):
        monkeypatch.setattr(prepare, name, None)
    assert len(prepare_clip(movie, tmp_path / "c", size=32, progress=False)) == 4
    assert run_command(f3a_prepare, movie, out, "--size", 32) == 0
    assert prepare_dataset(movie.parent, out, size=32, progress=False) == m
    assert {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in tmp_path.rglob("*.npy")} == before
    (tmp_path / "c" / "frames.npy").write_bytes(b"x")
    with pytest.raises(F3AError, match="prepare it again"):
        prepare_clip(movie, tmp_path / "c", size=32, progress=False)


def test_all_frames_are_one_on_the_command_line(tmp_path, movie, capsys):
    assert run_command(f3a_prepare, movie, tmp_path / "o", "--split", "None", "--size", 32) == 0
    assert load_clip(place(movie, tmp_path / "o", split=None, size=32)).meta["split"] is None
    assert run_command(f3a_prepare, movie, tmp_path / "o", "--split", "3", "--size", 32) == 0
    assert load_clip(place(movie, tmp_path / "o", split=3, size=32)).meta["split"] == 3
    assert run_command(f3a_prepare, "--help") == 0
    text = capsys.readouterr().out
    names = "dataset workers shard size max-frames landmarks param-source split people bfm threads"
    assert all(f"--{n}" in text for n in names.split())
