"Nothing is replaced; a clip is known by its fingerprint; frames are split as taught."

import dataclasses, os, shutil, subprocess, sys, time
import numpy as np
import pytest
import torch
from conftest import all_bytes, load_program, one_sentence, run_command, write_movie
from f3a_lite.data import estimation
from f3a_lite.data import fingerprints
from f3a_lite.data import prepare_datasets
from f3a_lite.synth import rendered_clips
from f3a_lite.data import prepare
from f3a_lite.data.clips import PART, clip_folder, load_clip, load_same_clip, new_clip
from f3a_lite.core import F3AError
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error
from f3a_lite.tracker import Track, track_frames
from f3a_lite.morphable import open_model
from f3a_lite.pairs import sample_pairs, split_frames
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.data.prepare_datasets import prepare_dataset, prepare_rendered
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.regressor import load_regressor
from f3a_lite.data.video import iter_frames, write_image


@pytest.fixture(scope="module")
def shots(video):
    "Four frames of the bundled clip, half as large."
    return [np.ascontiguousarray(f[::2, ::2]) for _, f in iter_frames(video, max_frames=4)]


@pytest.fixture
def movie(tmp_path, shots):
    (tmp_path / "src").mkdir()
    return write_movie(tmp_path / "src" / "me.mp4", shots)


def place(video, out, **options):
    "Where a command puts the clip of a video."
    return clip_folder(out, video.stem, clip_fingerprint(video, **options))


# What is not ours stays, byte for byte


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


# What a killed run left


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
    out, cut, told = tmp_path / "out", prepare.cut_frames, []

    def cut_and_wait(*args):
        monkeypatch.setattr(prepare, "cut_frames", cut)
        told.append(prepare_dataset(tmp_path / "root", out, progress=False))
        return cut(*args)

    monkeypatch.setattr(prepare, "cut_frames", cut_and_wait)
    told.append(prepare_dataset(tmp_path / "root", out, progress=False))
    assert told[0] == told[1] and told[0]["counts"]["prepared"] == 2
    assert sorted(p for p in out.iterdir() if p.is_dir()) == [place(v, out) for v in videos]
    assert [len(load_clip(place(v, out))) for v in videos] == [1, 2]


# Names


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


# The fingerprint


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
    moved = Track(track.landmarks + 1, track.found, track.detected, track.times)
    changes = [
        dict(),
        dict(size=64),
        dict(max_frames=3),
        dict(max_frames=None),
        dict(param_source="regressor"),
        dict(landmarks=track),
        dict(landmarks=moved),
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
    items = [
        prepare_datasets.prepare_people(1, tmp_path, 2, size=32, fps=f, progress=False)["items"] for f in (8.0, 25.0)
    ]
    slow, fast = (load_clip(tmp_path / m["person_00000"]["folder"]).params.rotation for m in items)
    assert not torch.equal(slow, fast), "another rate, another motion between two frames"


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


# Test frames have no say in the fit


def moved(clip, frame):
    "The clip's landmarks, those of one frame elsewhere."
    points = clip.landmarks.clone()
    points[frame] += 0.05 * torch.randn(68, 2, generator=torch.Generator().manual_seed(1))
    return points


def unlike(a, b):
    "Frames whose parameters differ by a single bit."
    same = torch.ones(len(a), dtype=torch.bool)
    for name in ("id_coeff", "exp_coeff", "rotation", "translation"):
        same &= (getattr(a, name) == getattr(b, name)).all(1)
    return np.flatnonzero(~(same & (a.scale == b.scale)).numpy()).tolist()


def track_of(clip, points=None, found=None):
    "The track of a prepared clip on its image plane, or one with other points or other lost frames."
    found = clip.found if found is None else found
    return Track(clip.landmarks if points is None else points, found, found, np.arange(len(found)))


@pytest.fixture(scope="module")
def fitted(clip):
    return estimation.estimate_params("fit", open_model(), track_of(clip), clip.frames, 0)


@pytest.mark.parametrize("which", ["random", "block_1", "block_2"])
def test_a_held_out_frame_has_no_say_in_any_other(clip, fitted, which):
    frame = int(split_frames(len(clip), found=clip.found)[which][0])
    after = estimation.estimate_params("fit", open_model(), track_of(clip, moved(clip, frame)), clip.frames, 0)
    assert unlike(fitted, after) == [frame]


def test_held_out_frames_have_no_say_in_each_other(clip, fitted):
    "All but one become larger: the one stays as it was, its unit of length too."
    split = split_frames(len(clip), found=clip.found)
    held = np.concatenate([split[k] for k in ("random", "block_1", "block_2")])
    points = clip.landmarks.clone()
    points[held[1:]] *= 1.3
    after = estimation.estimate_params("fit", open_model(), track_of(clip, points), clip.frames, 0)
    assert sorted(unlike(fitted, after)) == sorted(held[1:].tolist())


def test_a_training_frame_has(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["train"][3])
    after = estimation.estimate_params("fit", open_model(), track_of(clip, moved(clip, frame)), clip.frames, 0)
    assert len(unlike(fitted, after)) == len(clip), "the identity is everybody's"


def test_without_a_split_all_frames_are_one(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["block_1"][0])
    one = fit_landmarks(open_model(), clip.landmarks, clip.found)
    assert unlike(one, estimation.estimate_params("fit", open_model(), track_of(clip), clip.frames)) == []
    after = estimation.estimate_params("fit", open_model(), track_of(clip, moved(clip, frame)), clip.frames)
    assert len(unlike(one, after)) == len(clip) and unlike(one, fitted)
    assert clip.meta["split"] == 0 and unlike(clip.params, fitted) == [], "prepare_clip fits by the split"


def test_held_out_frames_are_fitted_as_well(clip, fitted):
    "Each by itself, they lie on their landmarks; nothing ties them to their neighbours."
    error = landmark_error(open_model(), fitted, clip.landmarks)
    held = np.concatenate([split_frames(len(clip))[k] for k in ("random", "block_1", "block_2")])
    assert error[held].max() < 0.04
    alone = fit_landmarks(
        open_model(),
        clip.landmarks[held[:1]],
        cfg=FitConfig(smooth_exp=0.0, smooth_pose=0.0),
        identity=fitted.id_coeff[:1],
    )
    assert (alone.rotation - fitted.rotation[held[:1]]).abs().max() < 0.02


def test_a_clip_fits_its_training_frames_with_their_numbers(clip, monkeypatch):
    "The smoothing must know where frames are missing; held-out frames come without a number."
    whole, numbers = estimation.fit_landmarks, []
    monkeypatch.setattr(
        estimation, "fit_landmarks", lambda *a, **kw: numbers.append(kw.get("frames")) or whole(*a, **kw)
    )
    estimation.fit_clip(open_model(), track_of(clip))
    assert numbers[0].tolist() == split_frames(len(clip), found=clip.found)["train"].tolist() and numbers[1] is None


def test_lost_frames_take_the_nearest_training_frame(clip):
    found = clip.found.copy()
    found[[2, 22]] = False
    split = split_frames(len(clip), found=found)
    p = estimation.fit_clip(open_model(), track_of(clip, found=found))
    train = fit_landmarks(open_model(), clip.landmarks[split["train"]], frames=split["train"])
    assert unlike(p[torch.from_numpy(split["train"])], train) == []
    for k in (2, 22):
        nearest = split["train"][np.abs(split["train"] - k).argmin()]
        assert torch.equal(p.rotation[k], p.rotation[nearest]) and torch.equal(p.exp_coeff[k], p.exp_coeff[nearest])
    points = clip.landmarks.clone()
    points[[2, 22]] = 3.0
    assert unlike(p, estimation.fit_clip(open_model(), track_of(clip, points, found))) == []


def test_a_clip_without_training_frames_is_fitted_as_a_whole():
    found = np.zeros(100, bool)
    found[52:58] = True
    assert len(split_frames(100, found=found)["train"]) == 0
    assert (estimation.training_frames(found) == found).all()
    mine = estimation.training_frames(np.ones(100, bool), 3)
    assert np.flatnonzero(mine).tolist() == split_frames(100, 3)["train"].tolist()
    assert estimation.training_frames(np.ones(100, bool), None).all()


def test_the_regressor_and_its_tuning_know_the_training_frames_only(clip, monkeypatch):
    seen = []
    monkeypatch.setattr(estimation, "finetune", lambda net, x, m, found, progress: seen.append(found) or net)
    args = open_model(), track_of(clip), clip.frames
    tuned = estimation.estimate_params("tuned", *args, 0)
    train = split_frames(len(clip), found=clip.found)["train"]
    assert np.flatnonzero(seen[0]).tolist() == train.tolist()
    p = estimation.estimate_params("regressor", *args, 0)
    assert unlike(p, tuned) == []
    each = load_regressor().predict(clip.images(range(len(clip)))).id_coeff
    assert torch.allclose(p.id_coeff[0], each[train].mean(0), atol=1e-4)
    assert not torch.allclose(p.id_coeff[0], each.mean(0), atol=1e-4)


def test_smoothing_falls_with_the_square_of_the_gap(clip):
    "Two frames far apart are held together by a hundredth of the spring of two that are ten times nearer."
    two = clip.landmarks[[0, 39]]

    def apart(frames, smooth):
        p = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=smooth), frames=frames)
        return float((p.rotation[1] - p.rotation[0]).norm())

    assert apart([0, 1], 10.0) < 0.5 * apart([0, 100], 10.0)
    same = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=10.0, smooth_exp=0.5), frames=[7, 17])
    weak = fit_landmarks(open_model(), two, cfg=FitConfig(smooth_pose=0.1, smooth_exp=0.005))
    assert torch.allclose(same.rotation, weak.rotation, atol=1e-4)
    for wrong in ([0, 0], [1, 0], [0, 1, 2]):
        with pytest.raises(F3AError, match="whole numbers that rise"):
            fit_landmarks(open_model(), two, frames=wrong)


# Which pixels are real


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


# Nothing is left of what came to nothing


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


# Splits and pairs


def test_blocks_are_the_stretches_that_the_lesson_names():
    s = split_frames(200, seed=3)
    assert s["block_1"].tolist() == [*range(100, 120)] and s["block_2"].tolist() == [*range(180, 200)]
    assert len(s["random"]) == 16 and len(s["train"]) == 144, "a tenth of the other 160"
    assert sorted(np.concatenate(list(s.values())).tolist()) == list(range(200)), "every frame once"
    again, other = split_frames(200, seed=3), split_frames(200, seed=4)
    assert (again["random"] == s["random"]).all() and not np.array_equal(other["random"], s["random"])
    gaps = np.diff(s["random"])
    assert len(set(gaps.tolist())) > 3 and s["random"].max() > 120 and s["random"].min() < 80, (
        "drawn from all over the clip"
    )


def test_short_clips_have_no_blocks_and_lost_frames_take_no_part():
    assert [len(split_frames(19)[f"block_{k}"]) for k in (1, 2)] == [0, 0]
    assert [len(split_frames(20)[f"block_{k}"]) for k in (1, 2)] == [2, 2]
    found = np.ones(100, bool)
    found[[3, 55, 99]] = False
    s = split_frames(100, found=found)
    assert sorted(np.concatenate(list(s.values())).tolist()) == np.flatnonzero(found).tolist()


@pytest.mark.parametrize("which", ["train", "random", "block_1", "block_2"])
def test_pairs_take_sources_from_training_and_targets_from_where_it_is_said(which):
    splits = [split_frames(60, seed=1), split_frames(240, seed=2)]
    p = sample_pairs(splits, which, 4000, seed=5)
    assert (
        p.shape == (4000, 3)
        and (p == sample_pairs(splits, which, 4000, seed=5)).all()
        and (p != sample_pairs(splits, which, 4000, seed=6)).any()
    )
    for k, s in enumerate(splits):
        mine = p[p[:, 0] == k]
        assert set(mine[:, 1]) == set(s["train"]) and set(mine[:, 2]) == set(s[which]), "all of them, and no other"
    assert (p[:, 1] != p[:, 2]).all()
    share = len(splits[1][which]) / sum(len(s[which]) for s in splits)
    assert abs((p[:, 0] == 1).mean() - share) < 0.03, "clips count by their frames"
    assert abs(np.corrcoef(p[p[:, 0] == 1][:, 1], p[p[:, 0] == 1][:, 2])[0, 1]) < 0.1, (
        "source and target are drawn apart"
    )


def test_pairs_need_two_frames():
    with pytest.raises(F3AError, match="too short"):
        sample_pairs([split_frames(8)], "block_1", 3)
    one = dict(train=np.array([4]), random=np.array([7]), blocks=np.array([], int))
    with pytest.raises(F3AError, match="fewer than two"):
        sample_pairs([one], "train", 3)
    assert sample_pairs([one], "random", 2).tolist() == [[0, 4, 7]] * 2
    two = dict(train=np.array([4, 9]))
    assert {tuple(r) for r in sample_pairs([two], "train", 50).tolist()} == {(0, 4, 9), (0, 9, 4)}


def test_a_model_counts_by_its_numbers():
    m = open_model()
    assert fingerprints.model_fingerprint() == fingerprints.model_fingerprint(m) == m.name
    near = dataclasses.replace(m, mean_shape=m.mean_shape + 1e-3)
    assert fingerprints.model_fingerprint(near) not in (m.name, fingerprints.model_fingerprint(dataclasses.replace(m)))


def test_the_benchmark_of_the_two_fits(clip):
    "A record for the training frames and for each part that is held out; an empty part has none."
    records = load_program("split_fit").compare_fits(clip)
    assert [r.setting["split"] for r in records] == ["train", "random", "block_1", "block_2"]
    assert all(0 < r.mean("error_apart") < 0.05 for r in records) and records[1].mean("expression") > 0


def test_people_as_a_camera_takes_them(tmp_path):
    "The background stands still behind the head, grain is new in every frame, and the clip is drawn once."
    how = dict(frames=4, size=64, fps=4.0, natural=True, progress=False)
    made = prepare_datasets.prepare_people(1, tmp_path, **how)
    path = tmp_path / made["items"]["person_00000"]["folder"]
    clip, stamp = load_clip(path), (path / "frames.npy").stat().st_mtime_ns
    assert prepare_datasets.prepare_people(1, tmp_path, **how) == made
    assert (path / "frames.npy").stat().st_mtime_ns == stamp, "drawn once"
    assert clip.meta["natural"] is True and len(clip) == 4 and clip.meta["param_source"] == "exact"
    frames = np.asarray(clip.frames, float)
    corner = frames[:, :8, :8].mean((1, 2))  # (T,3) smoothed over the grain
    assert np.abs(corner - corner[0]).max() < 4, "the background stands still"
    assert (frames[0] != frames[1]).any()
    plain = prepare_rendered(0, tmp_path / "plain", frames=4, size=64, fps=4.0)
    assert torch.equal(plain.params.rotation, clip.params.rotation), "the same performance"
    assert np.abs(np.asarray(plain.frames, float) - frames).mean() > 3, "before another background"


@pytest.mark.parametrize("name", rendered_clips.SCENES)
def test_backgrounds_are_in_the_package(name):
    "Photographs that scikit-image ships: nothing is fetched."
    picture = rendered_clips.photograph(name)
    assert picture.mode == "RGB" and min(picture.size) >= 256


def test_natural_backgrounds_differ_and_have_their_size():
    made = [rendered_clips.natural_background(np.random.default_rng(k), 48) for k in range(6)]
    assert all(x.shape == (48, 48, 3) and 0 <= x.min() and x.max() <= 1 for x in made)
    assert len({x.tobytes() for x in made}) == 6
    again = rendered_clips.natural_background(np.random.default_rng(3), 48)
    assert np.array_equal(again, made[3])


def test_one_camera_for_a_whole_clip():
    "Two equal frames differ by grain and compression only; blur, colour and exposure are the clip's."
    image = np.linspace(0.2, 0.8, 32 * 32 * 3).reshape(32, 32, 3).astype(np.float32)
    for k in range(5):
        a, b = rendered_clips.film(np.random.default_rng(k), [image, image]).astype(float)
        assert a.shape == (32, 32, 3) and np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() < 1.5
    one, other = (rendered_clips.film(np.random.default_rng(k), [image])[0].astype(float) for k in (0, 1))
    assert np.abs(one.mean((0, 1)) - other.mean((0, 1))).max() > 2, "two clips, two cameras"


@pytest.mark.parametrize(
    "words, told",
    [
        (["--workers", 2], "--workers goes with --dataset"),
        (["--shard", "1/2"], "--shard goes with --dataset"),
        (["--people", 3, 1], "--people goes with --dataset voxceleb2"),
        (["--bfm", "a.mat", "--dataset", "video"], "--bfm goes with --dataset 300w3d"),
        (["--people", 3, 1, "--dataset", "300vw"], "--people goes with --dataset voxceleb2"),
        (["--landmarks", "l.npy", "--dataset", "video"], "--landmarks goes with one video"),
        (["--tracker", "x.task", "--param-source", "tuned"], "--tracker helps the fit"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, words, told):
    "One sentence before anything is read: neither the video nor the folder is there."
    assert run_command(f3a_prepare, tmp_path / "none.mp4", tmp_path / "out", *words) == 2
    assert told in one_sentence(capsys) and not list(tmp_path.iterdir())
