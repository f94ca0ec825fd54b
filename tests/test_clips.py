"Prepared clips on disk."

import dataclasses
import os
import shutil
import subprocess
import sys
import time
import numpy as np
import pytest
from conftest import all_bytes, one_sentence, run_command, write_movie
from f3a_lite.core import F3AError
from f3a_lite.data import prepare
from f3a_lite.data.clips import PART, load_clip, load_same_clip, new_clip
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.prepare_datasets import prepare_dataset, prepare_rendered
from f3a_lite.data.video import write_image
from f3a_lite.ui.prepare import f3a_prepare
from helpers import place


FOREIGN = dict(
    photos=lambda p: (p.mkdir(), (p / "photo1.txt").write_text("the only copy")),
    empty=lambda p: p.mkdir(),
    file=lambda p: p.write_text("a file"),
    foreign_meta=lambda p: (p.mkdir(), (p / "meta.json").write_text('{"format": "jpeg", "source": "x"}')),
    no_dict=lambda p: (p.mkdir(), (p / "meta.json").write_text("[1]")),
)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_a_clip_is_refused(tmp_path, movie, capsys, name):
    "Under the name of a clip, by the command, and where a user names the folder himself."
    (tmp_path / "out").mkdir()
    for folder in (place(movie, tmp_path / "out"), tmp_path / "mine"):
        FOREIGN[name](folder)
    before = all_bytes(tmp_path)
    assert run_command(f3a_prepare, movie, tmp_path / "out") == 2
    assert place(movie, tmp_path / "out").name in one_sentence(capsys)
    for prepared in (lambda p: prepare_clip(movie, p, progress=False), lambda p: prepare_rendered(1, p, frames=1)):
        with pytest.raises(F3AError, match="mine"):
            prepared(tmp_path / "mine")
    assert all_bytes(tmp_path) == before


def test_another_clip_is_refused_where_a_user_names_the_folder(tmp_path, movie, shots):
    "Another video's, and one of the same video with other settings."
    prepare_clip(movie, tmp_path / "c", size=32, progress=False)
    other = write_movie(tmp_path / "other.mp4", shots[:2])
    before = all_bytes(tmp_path / "c")
    for video, size in ((other, 32), (movie, 48)):
        with pytest.raises(F3AError, match="is another clip .of 'me.mp4'"):
            prepare_clip(video, tmp_path / "c", size=size, progress=False)
    assert all_bytes(tmp_path / "c") == before


def test_the_frames_themselves_stay(tmp_path, shots):
    "Their folder may be the output folder too: the clip lies beside them."
    frames = tmp_path / "d" / "frames"
    for k, f in enumerate(shots):
        frames.mkdir(parents=True, exist_ok=True)
        write_image(f, frames / f"{k}.png")
    before = all_bytes(tmp_path / "d")
    with pytest.raises(F3AError, match="no prepared clip"):
        prepare_clip(frames, frames, progress=False)
    for out in (tmp_path / "d", frames):
        assert run_command(f3a_prepare, frames, out) == 0 and len(load_clip(place(frames, out))) == len(shots)
    assert {k: v for k, v in all_bytes(tmp_path / "d").items() if k in before} == before


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_links_are_seen_through(tmp_path, movie, clip):
    "A link to another clip is that clip, and a link to nothing is in the way."
    shutil.copytree(clip.path, tmp_path / "kept")
    for name, target in (("a", tmp_path / "kept"), ("b", tmp_path / "nothing")):
        (tmp_path / name).symlink_to(target, target_is_directory=True)
    before = all_bytes(tmp_path / "kept")
    for name in "ab":
        with pytest.raises(F3AError, match="not replaced"):
            prepare_clip(movie, tmp_path / name, progress=False)
        assert (tmp_path / name).is_symlink()
    assert all_bytes(tmp_path / "kept") == before and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("dataset", ["300vw", "video", "300w3d"])
def test_a_data_set_is_not_its_own_output(tmp_path, shots, dataset, capsys):
    root = tmp_path / "root"
    (root / "001" / "annot").mkdir(parents=True)
    write_movie(root / "001" / "vid.avi", shots, codec="mpeg4")
    (root / "001" / "annot" / "000001.pts").write_text("version: 1")
    (root / "001" / "p.mat").write_text("x")
    before = all_bytes(root)
    assert run_command(f3a_prepare, root, root, "--dataset", dataset) == 2
    assert "own output" in one_sentence(capsys) and all_bytes(root) == before


def test_items_of_a_data_set_do_not_replace_folders(tmp_path, shots):
    "The output folder has folders of the items' names; one of them holds the data set itself."
    root, out = tmp_path / "out" / "one" / "root", tmp_path / "out"
    root.mkdir(parents=True)
    videos = [write_movie(root / f"{n}.mp4", shots[:2]) for n in ("one", "two", "three")]
    two = place(videos[1], out)
    two.mkdir()
    (two / "notes.txt").write_text("mine")
    before = all_bytes(out)
    m = prepare_dataset(root, out, "video", progress=False)
    assert "no prepared clip" in m["items"]["two.mp4"]["failed"] and m["counts"]["prepared"] == 2
    after = all_bytes(out)
    assert {k: v for k, v in after.items() if k in before} == before
    new = {k.split("/")[0] for k in set(after) - set(before)}
    assert new == {place(videos[0], out).name, place(videos[2], out).name, "manifest.json"}


def test_a_foreign_manifest_is_not_replaced(tmp_path, movie):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"name": "a web page"}')
    before = all_bytes(tmp_path)
    with pytest.raises(F3AError, match="no manifest"):
        prepare_dataset(movie.parent, tmp_path / "out", "video", progress=False)
    assert all_bytes(tmp_path) == before


def part(out, name, hours=0.0, file="frames.npy"):
    "A temporary folder as a killed run leaves it."
    p = out / f"{PART}{name}"
    p.mkdir(parents=True)
    (p / file).write_text("x")
    os.utime(p, (time.time() - 3600 * hours,) * 2)
    return p


def test_old_temporaries_of_ours_are_swept(tmp_path, movie):
    "Not those that somebody may be at work on, nor a folder with something else in it."
    out = tmp_path / "out"
    kept = [part(out, "young", 23), part(out, "photos", 100, "photo.jpg"), out / ".f3a"]
    kept[2].mkdir()
    gone = [part(out, "old", 25), part(out, "half", 25, ".frames-x.npy"), part(out, "empty", 25)]
    (gone[2] / "frames.npy").unlink()
    os.utime(gone[2], (0, 0))
    assert run_command(f3a_prepare, movie, out) == 0
    assert sorted(out.iterdir()) == sorted([*kept, place(movie, out)]) and not any(p.exists() for p in gone)
    again = part(out, "old", 25)
    prepare_dataset(movie.parent, out, "video", progress=False)
    assert not again.exists() and all(p.exists() for p in kept)


KILLED = """
import os, sys
from pathlib import Path
from f3a_lite.data.clips import new_clip
Path.rename = lambda *a: os._exit(9)
with new_clip(sys.argv[1]) as tmp:
    (tmp / "frames.npy").write_bytes(b"x")
"""


@pytest.mark.processes
def test_killed_before_its_name_nothing_is_there(tmp_path):
    r = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "me")])
    assert r.returncode == 9 and [p.name.startswith(PART) for p in tmp_path.iterdir()] == [True]


def test_what_comes_into_the_way_while_a_clip_is_made_stays(tmp_path):
    "Another process was first, or somebody has put something else there."
    with new_clip(tmp_path / "me") as tmp:
        (tmp / "frames.npy").write_bytes(b"x")
        (tmp_path / "me").mkdir()
        (tmp_path / "me" / "photo.jpg").write_text("mine")
    assert all_bytes(tmp_path) == {"me": None, "me/photo.jpg": b"mine"}
    with pytest.raises(F3AError, match="no prepared clip"):
        load_same_clip(tmp_path / "me", {})


def test_a_refusal_of_the_system_is_not_hidden(tmp_path, monkeypatch):
    def refuse(a, b):
        raise PermissionError(13, "in use")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    with pytest.raises(PermissionError, match="in use"):
        with new_clip(tmp_path / "me") as tmp:
            (tmp / "frames.npy").write_bytes(b"new")
    assert not list(tmp_path.iterdir())


def test_two_processes_prepare_the_same_set_at_once(tmp_path, shots, monkeypatch):
    "While one is at work on a clip, the other makes the whole set: neither damages what the other makes."
    (tmp_path / "root").mkdir()
    videos = [write_movie(tmp_path / "root" / f"{n}.mp4", shots[:k]) for n, k in (("a", 1), ("b", 2))]
    out, cut, manifests = tmp_path / "out", prepare.cut_frames, []

    def cut_and_wait(*args):
        monkeypatch.setattr(prepare, "cut_frames", cut)
        manifests.append(prepare_dataset(tmp_path / "root", out, progress=False))
        return cut(*args)

    monkeypatch.setattr(prepare, "cut_frames", cut_and_wait)
    manifests.append(prepare_dataset(tmp_path / "root", out, progress=False))
    assert manifests[0] == manifests[1] and manifests[0]["counts"]["prepared"] == 2
    assert sorted(p for p in out.iterdir() if p.is_dir()) == [place(v, out) for v in videos]
    assert [len(load_clip(place(v, out))) for v in videos] == [1, 2]


def test_a_clip_knows_what_its_video_had(clip):
    "Pixel by pixel, from the crop and the picture."
    left, top, right, _ = clip.meta["crop"]
    height, width = clip.meta["picture"]
    assert (height, width) == (360, 640) and top < 0
    for size in (128, 40):
        want = np.zeros((size, size), np.float32)
        for y in range(size):
            for x in range(size):
                row, column = top + (y + 0.5) * (right - left) / size, left + (x + 0.5) * (right - left) / size
                want[y, x] = 0 <= row <= height and 0 <= column <= width
        assert clip.valid(size).shape == (1, size, size) and np.array_equal(clip.valid(size)[0].numpy(), want)
    assert 0.5 < clip.valid().mean() < 0.95 and clip.valid().shape[-1] == 128


def test_each_photo_has_a_mask_of_its_own(clip):
    masks = np.ones((len(clip), 128, 128), bool)
    masks[0, :64] = False
    masks[1, :, :32] = False
    c = dataclasses.replace(clip, masks=masks)
    assert np.array_equal(c.valid(frame=0)[0].numpy() > 0, masks[0]) and c.valid(16, 1)[0, 0].sum() == 12
    assert c.valid()[0].sum() == 64 * 96 and c.valid(frame=2).all()


def test_rendered_pictures_have_nothing_outside(tmp_path):
    c = prepare_rendered(1, tmp_path / "c", frames=2, size=32)
    assert c.valid().all() and c.valid(50).shape == (1, 50, 50) and c.valid(50).all()


@pytest.mark.parametrize("out", ["out", "a/b/out"])
def test_an_unreadable_video_leaves_no_folder(tmp_path, capsys, out):
    (tmp_path / "bad.mp4").write_text("no video")
    for video in (tmp_path / "bad.mp4", tmp_path / "missing.mp4"):
        assert run_command(f3a_prepare, video, tmp_path / out) == 2
        one_sentence(capsys)
        assert [p.name for p in tmp_path.iterdir()] == ["bad.mp4"]
    with pytest.raises(F3AError):
        prepare_clip(tmp_path / "bad.mp4", tmp_path / out / "clip", progress=False)
    with pytest.raises(F3AError):
        prepare_dataset("many", tmp_path / out, "rendered", progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.mp4"]


def test_an_empty_folder_that_was_there_stays(tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    (tmp_path / "out").mkdir()
    assert run_command(f3a_prepare, tmp_path / "bad.mp4", tmp_path / "out") == 2 and (tmp_path / "out").is_dir()
