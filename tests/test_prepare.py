"Preparing replaces what is its own and nothing else; a clip is known by its recipe; frames are split as taught."

import dataclasses, json, os, platform, shutil, subprocess, sys
import numpy as np
import pytest
import torch
from conftest import all_bytes, load_program, one_sentence, run_command, write_movie
from f3a_lite import clips, prepare, rendered
from f3a_lite.clips import NOTE, PART, clip_meta, load_clip
from f3a_lite.core import F3AError
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error
from f3a_lite.landmarks import Track, track_frames
from f3a_lite.morphable import open_model
from f3a_lite.pairs import sample_pairs, split_frames
from f3a_lite.datasets import Item
from f3a_lite.prepare import clip_folders, f3a_prepare, prepare_clip, prepare_dataset, prepare_rendered
from f3a_lite.regressor import load_regressor
from f3a_lite.video import iter_frames, write_image


@pytest.fixture(scope="module")
def shots(video):
    "Four frames of the bundled clip, half as large."
    return [np.ascontiguousarray(f[::2, ::2]) for _, f in iter_frames(video, max_frames=4)]


@pytest.fixture
def movie(tmp_path, shots):
    (tmp_path / "src").mkdir()
    return write_movie(tmp_path / "src" / "me.mp4", shots)


def needs_preparing(video, folder, **wish):
    "Whether another clip is wanted than the one that is there."
    return prepare.made_clip(folder, prepare.clip_recipe(video, **wish)) is None


# What is not ours stays, byte for byte


def test_a_folder_of_photos_is_not_replaced(tmp_path, movie, capsys):
    home = tmp_path / "home"
    (home / "me" / "deep").mkdir(parents=True)
    (home / "me" / "photo1.txt").write_text("the only copy")
    (home / "me" / "deep" / "meta.json").write_text("{}")
    before = all_bytes(tmp_path)
    assert run_command(f3a_prepare, movie, home) == 2
    assert "no prepared clip" in one_sentence(capsys) and all_bytes(tmp_path) == before


def test_an_empty_folder_and_a_foreign_meta_are_not_replaced(tmp_path, movie, capsys):
    for n, text in enumerate([None, '{"format": "jpeg", "source": "x"}', '{"format": 1}', "[1]", '"format"']):
        out = tmp_path / str(n)
        (out / "me").mkdir(parents=True)
        if text:
            (out / "me" / "meta.json").write_text(text)
        before = all_bytes(out)
        assert run_command(f3a_prepare, movie, out) == 2
        one_sentence(capsys)
        assert all_bytes(out) == before


def test_the_frames_themselves_are_not_replaced(tmp_path, shots, capsys):
    d = tmp_path / "d"
    for k, f in enumerate(shots):
        (d / "frames").mkdir(parents=True, exist_ok=True)
        write_image(f, d / "frames" / f"{k}.png")
    before = all_bytes(d)
    for out in (d, d / "frames", d / "frames" / "inside"):
        assert run_command(f3a_prepare, d / "frames", out) == 2
        assert "source" in one_sentence(capsys) and all_bytes(d) == before
    assert run_command(f3a_prepare, d / "frames", tmp_path / "elsewhere") == 0


def test_a_target_that_holds_the_source_is_refused_even_where_it_is_a_clip(tmp_path, movie, clip, capsys):
    "A prepared clip into which somebody has put a video."
    out = tmp_path / "out"
    shutil.copytree(clip.path, out / "me")
    shutil.copy(movie, out / "me" / "me.mp4")
    before = all_bytes(out)
    with pytest.raises(F3AError, match="source"):
        prepare_clip(out / "me" / "me.mp4", out / "me", progress=False)
    assert run_command(f3a_prepare, out / "me" / "me.mp4", out) in (0, 2)
    assert {k: v for k, v in all_bytes(out).items() if k in before} == before


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_links_are_seen_through(tmp_path, shots, movie, clip, capsys):
    (tmp_path / "d" / "frames").mkdir(parents=True)
    for k, f in enumerate(shots):
        write_image(f, tmp_path / "d" / "frames" / f"{k}.png")
    (tmp_path / "link").symlink_to(tmp_path / "d", target_is_directory=True)
    before = all_bytes(tmp_path / "d")
    assert run_command(f3a_prepare, tmp_path / "link" / "frames", tmp_path / "d") == 2
    assert "source" in one_sentence(capsys) and all_bytes(tmp_path / "d") == before
    shutil.copytree(clip.path, tmp_path / "kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "me").symlink_to(tmp_path / "kept", target_is_directory=True)
    before = all_bytes(tmp_path / "kept")
    with pytest.raises(F3AError, match="no folder"):
        prepare_clip(movie, tmp_path / "out" / "me", progress=False)
    assert all_bytes(tmp_path / "kept") == before and (tmp_path / "out" / "me").is_symlink()


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
    for n in ("one", "two", "three"):
        write_movie(root / f"{n}.mp4", shots[:2])
    (out / "two").mkdir()
    (out / "two" / "notes.txt").write_text("mine")
    before = all_bytes(out)
    m = prepare_dataset(root, out, "video", progress=False)
    assert (
        "source" in m["items"]["one"]["failed"]
        and "no prepared clip" in m["items"]["two"]["failed"]
        and "failed" not in m["items"]["three"]
    )
    after = all_bytes(out)
    assert {k: v for k, v in after.items() if k in before} == before
    assert {k.split("/")[0] for k in set(after) - set(before)} == {"three", "manifest.json"}


def test_a_foreign_manifest_is_not_replaced(tmp_path, movie):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"name": "a web page"}')
    before = all_bytes(tmp_path)
    with pytest.raises(F3AError, match="no manifest"):
        prepare_dataset(movie.parent, tmp_path / "out", "video", progress=False)
    assert all_bytes(tmp_path) == before


def test_a_file_in_the_place_of_the_clip(tmp_path, movie, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "me").write_text("a file")
    before = all_bytes(out)
    assert run_command(f3a_prepare, movie, out) == 2
    assert "no folder" in one_sentence(capsys) and all_bytes(out) == before
    with pytest.raises(F3AError, match="no folder"):
        prepare_rendered(1, out / "me", frames=1)
    assert all_bytes(out) == before


def test_a_clip_with_something_else_in_it_is_not_replaced(tmp_path, movie, capsys):
    out = tmp_path / "out"
    assert run_command(f3a_prepare, movie, out) == 0
    (out / "me" / "my notes.txt").write_text("mine")
    before = all_bytes(out)
    capsys.readouterr()
    assert run_command(f3a_prepare, movie, out, "--size", 64) == 2
    assert "my notes.txt" in one_sentence(capsys) and all_bytes(out) == before
    (out / "me" / "my notes.txt").unlink()
    (out / "me" / ".DS_Store").write_text("")
    assert run_command(f3a_prepare, movie, out, "--size", 64) == 0 and load_clip(out / "me").meta["size"] == 64


# What a killed run left


def part(out, clip, name="x"):
    "A temporary folder as a killed run leaves it."
    p = out / f"{PART}{name}"
    (p / "new").mkdir(parents=True)
    (p / NOTE).write_text(json.dumps({"clip": clip}))
    return p


def test_sweep_removes_only_marked_temporaries(tmp_path, shots, clip):
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    names = ["me", "a[b]"] if os.name == "nt" else ["me", "a[b]", "*"]
    for n in names:
        write_movie(root / f"{n}.mp4", shots[:2])
    for n in (".me-backup", ".a[b]-copy", ".other-x", PART + "mine", ".b-1", "*-y" if os.name != "nt" else "y"):
        (out / n).mkdir(parents=True)
        (out / n / "photo.jpg").write_text(n)
    shutil.copytree(clip.path, out / ".me-saved")
    left_by_others = part(out, "somebody else", "o")
    (out / f"{PART}note").mkdir()
    (out / f"{PART}note" / NOTE).write_text("[]")
    before = all_bytes(out)
    gone = [part(out, n, str(k)) for k, n in enumerate(names)]
    m = prepare_dataset(root, out, "video", progress=False)
    assert m["counts"]["prepared"] == len(names)
    after = all_bytes(out)
    assert {k: after.get(k, "gone") for k in before} == before and left_by_others.exists()
    assert not any(p.exists() for p in gone)
    assert sorted(p.name for p in out.iterdir() if clip_meta(p) and p.name[0] != ".") == sorted(names)


def test_commands_leave_no_temporaries(tmp_path, movie):
    gone = part(tmp_path / "out", "me")
    assert run_command(f3a_prepare, movie, tmp_path / "out") == 0
    assert not gone.exists() and [p.name for p in (tmp_path / "out").iterdir()] == ["me"]


KILLED = """
import os, shutil, sys
from pathlib import Path
from f3a_lite import clips, prepare
rename, rmtree, n = os.rename, shutil.rmtree, [0]
def step(f):
    def g(*a, **k):
        if n[0] == int(sys.argv[2]): os._exit(9)
        n[0] += 1
        return f(*a, **k)
    return g
os.rename, shutil.rmtree = step(rename), step(rmtree)
out = Path(sys.argv[1])
with clips._atomic_folder(out) as tmp:
    for f in out.iterdir(): shutil.copy(f, tmp)
    (tmp / "meta.json").write_text((out / "meta.json").read_text().replace("woman_laughing", "of_the_new_one"))
"""


@pytest.mark.processes
@pytest.mark.parametrize("step", [0, 1, 2])
def test_killed_between_two_steps_one_clip_is_left(tmp_path, clip, step):
    "Killed before the first rename, between the two, and before the deletion."
    out = tmp_path / "out"
    shutil.copytree(clip.path, out / "me")
    r = subprocess.run([sys.executable, "-c", KILLED, str(out / "me"), str(step)])
    assert r.returncode == 9
    if step == 1:
        assert not (out / "me").exists(), "the kill came between the two renames"
    prepare._sweep(out, ["me"])
    c = load_clip(out / "me")
    assert c.meta["source"] == ("of_the_new_one.mp4" if step == 2 else "woman_laughing.mp4") and len(c) == len(clip)
    assert [p.name for p in out.iterdir()] == ["me"]


def test_the_old_clip_comes_back_where_the_new_one_cannot_be_put(tmp_path, clip, monkeypatch):
    out = tmp_path / "me"
    shutil.copytree(clip.path, out)
    before, rename = all_bytes(tmp_path), os.rename

    def refuse(a, b):
        if str(a).endswith("new"):
            raise PermissionError(13, "in use")
        rename(a, b)

    monkeypatch.setattr(clips.os, "rename", refuse)
    with pytest.raises(F3AError, match="in use"):
        with clips._atomic_folder(out) as tmp:
            (tmp / "frames.npy").write_bytes(b"new")
    assert all_bytes(tmp_path) == before


def test_a_folder_is_never_renamed_onto_another(tmp_path, clip, monkeypatch):
    "As on Windows, where that is an error."
    shutil.copytree(clip.path, tmp_path / "me")
    rename = os.rename

    def careful(a, b):
        assert not os.path.lexists(b), f"'{a}' was renamed onto '{b}'"
        rename(a, b)

    monkeypatch.setattr(clips.os, "rename", careful)
    monkeypatch.setattr(clips.os, "replace", careful)
    with clips._atomic_folder(tmp_path / "me") as tmp:
        (tmp / "frames.npy").write_bytes(b"new")
    assert all_bytes(tmp_path) == {"me": None, "me/frames.npy": b"new"}


def test_what_comes_into_the_way_while_a_clip_is_made_stays(tmp_path):
    with pytest.raises(F3AError, match="no prepared clip"):
        with clips._atomic_folder(tmp_path / "me"):
            (tmp_path / "me").mkdir()
            (tmp_path / "me" / "photo.jpg").write_text("mine")
    assert all_bytes(tmp_path) == {"me": None, "me/photo.jpg": b"mine"}


# Names


def test_equal_names_get_a_folder_each(tmp_path, shots):
    "Whatever their order, and in a later run."
    for n, f in (("a", shots[:2]), ("b", shots[2:])):
        (tmp_path / n).mkdir()
        write_movie(tmp_path / n / "x.mp4", f)
    a, b, out = tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4", tmp_path / "out"
    folders = clip_folders([a, b], out)
    assert clip_folders([b, a], out) == folders[::-1] and len({out / "x", *folders}) == 3
    assert run_command(f3a_prepare, b, a, out) == 0
    frames = [load_clip(f).meta["sha256"] for f in folders]
    assert frames == [prepare.fingerprint(a), prepare.fingerprint(b)] and sorted(out.iterdir()) == sorted(folders)
    assert clip_folders([a], tmp_path / "new") == [tmp_path / "new" / "x"]


def test_a_second_video_of_the_same_name_does_not_replace_the_first(tmp_path, shots):
    for n, f in (("a", shots[:2]), ("b", shots[2:])):
        (tmp_path / n).mkdir()
        write_movie(tmp_path / n / "x.mp4", f)
    out = tmp_path / "out"
    assert run_command(f3a_prepare, tmp_path / "a" / "x.mp4", out) == 0
    first = all_bytes(out / "x")
    for _ in range(2):
        assert run_command(f3a_prepare, tmp_path / "b" / "x.mp4", out) == 0
        assert all_bytes(out / "x") == first and len(list(out.iterdir())) == 2


def test_equal_names_in_a_data_set(tmp_path, shots):
    "Two discs of 300VW with the same numbers: each video has a clip of its own, named by its path."
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
    assert m["counts"]["prepared"] == 2 and sorted(m["items"]) == ["a-001-vid_avi", "b-001-vid_avi"]
    assert len({v["source_sha256"] for v in m["items"].values()}) == 2


def test_names_by_other_rules(tmp_path, shots, monkeypatch):
    a, b = write_movie(tmp_path / "x.mp4", shots[:1]), write_movie(tmp_path / "X.mkv", shots[1:2])
    assert len({f.name.casefold() for f in clip_folders([a, b], tmp_path / "out")}) == 2, (
        "a file system may not tell capitals"
    )
    assert [f.name for f in clip_folders([a, a], tmp_path / "out")] == ["x", "x"]
    (tmp_path / "frames").mkdir()
    write_image(shots[0], tmp_path / "frames" / "1.png")
    monkeypatch.chdir(tmp_path / "frames")
    assert [f.name for f in clip_folders([".", "../x.mp4"], tmp_path / "out")] == ["frames", "x"], "'.' has a name too"


# The recipe


def test_own_landmarks_are_used_where_the_video_is_prepared_already(tmp_path, movie, shots, capsys):
    out = tmp_path / "out"
    assert run_command(f3a_prepare, movie, out) == 0
    marks = track_frames(iter_frames(movie)).landmarks
    np.save(tmp_path / "own.npy", marks + 3)
    tracked = load_clip(out / "me")
    for again in (False, True):
        capsys.readouterr()
        assert run_command(f3a_prepare, movie, out, "--landmarks", tmp_path / "own.npy") == 0
        assert ("already prepared" in capsys.readouterr().out) == again
    own = load_clip(out / "me")
    assert np.allclose(np.subtract(own.meta["crop"], tracked.meta["crop"]), 3, atol=1), (
        "all points lie three pixels further"
    )
    np.save(tmp_path / "own.npy", marks + 9)
    assert needs_preparing(movie, out / "me", landmarks=tmp_path / "own.npy"), "the same file with other points"
    assert run_command(f3a_prepare, movie, out) == 0 and load_clip(out / "me").meta["crop"] == tracked.meta["crop"]


def test_each_part_of_the_recipe_counts(tmp_path, movie, shots):
    base = dict(size=32, max_frames=2)
    c = prepare_clip(movie, tmp_path / "c", progress=False, **base)
    assert not needs_preparing(movie, c.path, **base)
    track = track_frames(iter_frames(movie, max_frames=2))
    other = dataclasses.replace(open_model(), name="another model")
    for change in (
        dict(size=64),
        dict(max_frames=3),
        dict(max_frames=None),
        dict(param_source="regressor"),
        dict(landmarks=track),
        dict(face_model=other),
        dict(split=1),
        dict(split=None),
    ):
        assert needs_preparing(movie, c.path, **{**base, **change}), change
    moved = Track(track.landmarks + 1, track.found, track.detected, track.times)
    c = prepare_clip(movie, tmp_path / "c", landmarks=track, progress=False, **base)
    assert not needs_preparing(movie, c.path, landmarks=track, **base) and needs_preparing(
        movie, c.path, landmarks=moved, **base
    )
    (tmp_path / "pts").mkdir()
    (tmp_path / "pts" / "000001.pts").write_text("a")
    one = prepare.landmarks_fingerprint(tmp_path / "pts")
    (tmp_path / "pts" / "000001.pts").write_text("b")
    assert one != prepare.landmarks_fingerprint(tmp_path / "pts")
    write_movie(movie, shots[::-1])
    assert needs_preparing(movie, c.path, landmarks=track, **base), "the video has changed"


@pytest.mark.parametrize(
    "key",
    "format sha256 size param_source regressor max_frames landmarks face_model split".split(),
)
def test_a_meta_that_says_otherwise_is_another_clip(tmp_path, clip, video, key):
    shutil.copytree(clip.path, tmp_path / "c")
    assert not needs_preparing(video, tmp_path / "c", max_frames=40)
    meta = json.loads((tmp_path / "c" / "meta.json").read_text())
    for change in ({**meta, key: "other"}, {k: v for k, v in meta.items() if k != key}):
        (tmp_path / "c" / "meta.json").write_text(json.dumps(change))
        assert needs_preparing(video, tmp_path / "c", max_frames=40) or (key not in change and meta[key] is None)


def test_rendered_people_of_other_settings_are_drawn_again(tmp_path):
    base = dict(dataset="rendered", max_frames=1, size=32, progress=False)
    first = prepare_dataset(1, tmp_path, **base)
    stamp = (tmp_path / "person_00000" / "frames.npy").stat().st_mtime_ns
    assert prepare_dataset(1, tmp_path, **base) == first
    assert (tmp_path / "person_00000" / "frames.npy").stat().st_mtime_ns == stamp, "the same people are not drawn again"
    for change in (dict(size=48), dict(seed=1), dict(max_frames=2)):
        m = prepare_dataset(1, tmp_path, **{**base, **change})
        c = load_clip(tmp_path / "person_00000")
        assert m != first and (c.frames.shape[1], c.meta["seed"], len(c)) == (
            change.get("size", 32),
            change.get("seed", 0),
            change.get("max_frames", 1),
        )
    prepare.prepare_people(1, tmp_path, 2, size=32, fps=8.0, progress=False)
    slow = load_clip(tmp_path / "person_00000").params.rotation
    prepare.prepare_people(1, tmp_path, 2, size=32, fps=25.0, progress=False)
    assert not torch.equal(slow, load_clip(tmp_path / "person_00000").params.rotation), (
        "another rate, another motion between two frames"
    )


def test_a_clip_that_is_there_is_given_as_it_is(tmp_path, movie, monkeypatch):
    "Nothing is tracked and no byte is written; another recipe makes it anew; a damaged clip too."
    c = prepare_clip(movie, tmp_path / "c", size=32, progress=False)
    before = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in c.path.iterdir()}
    track, tracked = prepare.track_frames, []
    monkeypatch.setattr(prepare, "track_frames", lambda *a: tracked.append(1) or track(*a))
    again = prepare_clip(movie, c.path, size=32, progress=False)
    assert not tracked and {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in c.path.iterdir()} == before
    assert again.meta == c.meta and np.array_equal(again.frames, c.frames)
    assert prepare_clip(movie, c.path, size=48, progress=False).frames.shape[1] == 48 and len(tracked) == 1
    (c.path / "frames.npy").write_bytes(b"x")
    assert len(prepare_clip(movie, c.path, size=48, progress=False)) == 4 and len(tracked) == 2


def test_all_frames_are_one_on_the_command_line(tmp_path, movie, capsys):
    assert run_command(f3a_prepare, movie, tmp_path / "o", "--split", "None", "--size", 32) == 0
    assert load_clip(tmp_path / "o" / "me").meta["split"] is None
    assert run_command(f3a_prepare, movie, tmp_path / "o", "--split", "3", "--size", 32) == 0
    assert load_clip(tmp_path / "o" / "me").meta["split"] == 3
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


@pytest.fixture(scope="module")
def fitted(clip):
    return prepare.estimate_params("fit", open_model(), clip.landmarks, clip.found, clip.frames, 0)


@pytest.mark.parametrize("which", ["random", "block_1", "block_2"])
def test_a_held_out_frame_has_no_say_in_any_other(clip, fitted, which):
    frame = int(split_frames(len(clip), found=clip.found)[which][0])
    after = prepare.estimate_params("fit", open_model(), moved(clip, frame), clip.found, clip.frames, 0)
    assert unlike(fitted, after) == [frame]


def test_held_out_frames_have_no_say_in_each_other(clip, fitted):
    "All but one become larger: the one stays as it was, its unit of length too."
    split = split_frames(len(clip), found=clip.found)
    held = np.concatenate([split[k] for k in ("random", "block_1", "block_2")])
    points = clip.landmarks.clone()
    points[held[1:]] *= 1.3
    after = prepare.estimate_params("fit", open_model(), points, clip.found, clip.frames, 0)
    assert sorted(unlike(fitted, after)) == sorted(held[1:].tolist())


def test_a_training_frame_has(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["train"][3])
    after = prepare.estimate_params("fit", open_model(), moved(clip, frame), clip.found, clip.frames, 0)
    assert len(unlike(fitted, after)) == len(clip), "the identity is everybody's"


def test_without_a_split_all_frames_are_one(clip, fitted):
    frame = int(split_frames(len(clip), found=clip.found)["block_1"][0])
    one = fit_landmarks(open_model(), clip.landmarks, clip.found)
    assert unlike(one, prepare.estimate_params("fit", open_model(), clip.landmarks, clip.found, clip.frames)) == []
    after = prepare.estimate_params("fit", open_model(), moved(clip, frame), clip.found, clip.frames)
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
    whole, numbers = prepare.fit_landmarks, []
    monkeypatch.setattr(prepare, "fit_landmarks", lambda *a, **kw: numbers.append(kw.get("frames")) or whole(*a, **kw))
    prepare.fit_clip(open_model(), clip.landmarks, clip.found)
    assert numbers[0].tolist() == split_frames(len(clip), found=clip.found)["train"].tolist() and numbers[1] is None


def test_lost_frames_take_the_nearest_training_frame(clip):
    found = clip.found.copy()
    found[[2, 22]] = False
    split = split_frames(len(clip), found=found)
    p = prepare.fit_clip(open_model(), clip.landmarks, found)
    train = fit_landmarks(open_model(), clip.landmarks[split["train"]], frames=split["train"])
    assert unlike(p[torch.from_numpy(split["train"])], train) == []
    for k in (2, 22):
        nearest = split["train"][np.abs(split["train"] - k).argmin()]
        assert torch.equal(p.rotation[k], p.rotation[nearest]) and torch.equal(p.exp_coeff[k], p.exp_coeff[nearest])
    points = clip.landmarks.clone()
    points[[2, 22]] = 3.0
    assert unlike(p, prepare.fit_clip(open_model(), points, found)) == []


def test_a_clip_without_training_frames_is_fitted_as_a_whole():
    found = np.zeros(100, bool)
    found[52:58] = True
    assert len(split_frames(100, found=found)["train"]) == 0
    assert (prepare.training_frames(found) == found).all()
    mine = prepare.training_frames(np.ones(100, bool), 3)
    assert np.flatnonzero(mine).tolist() == split_frames(100, 3)["train"].tolist()
    assert prepare.training_frames(np.ones(100, bool), None).all()


def test_the_regressor_and_its_tuning_know_the_training_frames_only(clip, monkeypatch):
    seen = []
    monkeypatch.setattr(prepare, "finetune", lambda net, x, m, found, progress: seen.append(found) or net)
    args = open_model(), clip.landmarks, clip.found, clip.frames
    tuned = prepare.estimate_params("tuned", *args, 0)
    train = split_frames(len(clip), found=clip.found)["train"]
    assert np.flatnonzero(seen[0]).tolist() == train.tolist()
    p = prepare.estimate_params("regressor", *args, 0)
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
    assert len(split_frames(200, random_share=0.25)["random"]) == 40
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


# ---- names, places, and other people's clips


def test_names_that_still_collide_get_a_fingerprint(tmp_path):
    "Two paths that are the same once their parts are joined, and two that differ in case only."
    videos = [tmp_path / p for p in ("a-b/001/vid.avi", "a/b/001/vid.avi", "c/X/vid.avi", "d/x/vid.avi")]
    items = [Item(v.parent.name, v) for v in videos]
    named = [x.name for x in prepare.distinct_names(items, tmp_path)]
    assert len({n.casefold() for n in named}) == 4
    assert named == [x.name for x in prepare.distinct_names(list(items), tmp_path)], "the same names each time"
    turned = prepare.distinct_names(items[::-1], tmp_path)[::-1]
    assert named == [x.name for x in turned], "whatever the order"


def test_a_data_set_does_not_replace_the_clips_of_another(tmp_path, clip):
    "A clip of the same name, of another video, is in the place: said, and left as it is."
    shutil.copytree(clip.path, tmp_path / "001")
    before = all_bytes(tmp_path / "001")
    other = write_movie(tmp_path / "other.mp4", [np.zeros((64, 64, 3), np.uint8)] * 2)
    with pytest.raises(F3AError, match="001' is the clip of another video"):
        prepare._prepare(other, tmp_path / "001", {}, False, replace_others=False)
    assert before == all_bytes(tmp_path / "001")


def test_a_clip_of_another_recipe_is_not_in_the_place(clip, tmp_path, video):
    "A command's own clip stands beside the user's, by the name of its recipe."
    recipe = {k: clip.meta[k] for k in prepare.clip_recipe(video)}
    assert prepare.clip_place(clip.path, recipe) == clip.path
    assert prepare.clip_place(tmp_path / "free", recipe) == tmp_path / "free"
    other = prepare.clip_place(clip.path, dict(recipe, size=64))
    assert other.parent == clip.path.parent and other.name.startswith(f"{clip.path.name}-") and not other.exists()


def test_a_model_counts_by_its_numbers():
    m = open_model()
    assert prepare.model_fingerprint() == prepare.model_fingerprint(m) == m.name
    near = dataclasses.replace(m, mean_shape=m.mean_shape + 1e-3)
    assert prepare.model_fingerprint(near) not in (m.name, prepare.model_fingerprint(dataclasses.replace(m)))


def test_sweep_leaves_what_somebody_is_at_work_on(tmp_path):
    "A living process, or one of another machine, keeps its temporary folder; a dead one's goes."
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        notes = dict(
            dead=dict(process=dead.pid, machine=platform.node()),
            own=dict(process=os.getpid(), machine=platform.node()),
            alive=dict(process=alive.pid, machine=platform.node()),
            away=dict(process=1, machine="another machine"),
        )
        for name, note in notes.items():
            (tmp_path / f"{PART}{name}").mkdir()
            (tmp_path / f"{PART}{name}" / NOTE).write_text(json.dumps(dict(note, clip="me")))
        prepare._sweep(tmp_path, ["me"])
    finally:
        alive.communicate(b"\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{PART}alive", f"{PART}away"]


def test_the_benchmark_of_the_two_fits(clip):
    "A record for the training frames and for each part that is held out; an empty part has none."
    records = load_program("split_fit").compare_fits(clip)
    assert [r.setting["split"] for r in records] == ["train", "random", "block_1", "block_2"]
    assert all(0 < r.mean("error_apart") < 0.05 for r in records) and records[1].mean("expression") > 0


def test_people_as_a_camera_takes_them(tmp_path):
    "The background stands still behind the head, grain is new in every frame, and the clip is drawn once."
    how = dict(frames=4, size=64, fps=4.0, natural=True, progress=False)
    made = prepare.prepare_people(1, tmp_path, **how)
    path = tmp_path / "person_00000"
    clip, stamp = load_clip(path), (path / "frames.npy").stat().st_mtime_ns
    assert prepare.prepare_people(1, tmp_path, **how) == made
    assert (path / "frames.npy").stat().st_mtime_ns == stamp, "drawn once"
    assert clip.meta["natural"] is True and len(clip) == 4 and clip.meta["param_source"] == "exact"
    frames = np.asarray(clip.frames, float)
    corner = frames[:, :8, :8].mean((1, 2))  # (T,3) smoothed over the grain
    assert np.abs(corner - corner[0]).max() < 4, "the background stands still"
    assert (frames[0] != frames[1]).any()
    plain = prepare_rendered(0, tmp_path / "plain", frames=4, size=64, fps=4.0)
    assert torch.equal(plain.params.rotation, clip.params.rotation), "the same performance"
    assert np.abs(np.asarray(plain.frames, float) - frames).mean() > 3, "before another background"


@pytest.mark.parametrize("name", rendered.SCENES)
def test_backgrounds_are_in_the_package(name):
    "Photographs that scikit-image ships: nothing is fetched."
    picture = rendered.photograph(name)
    assert picture.mode == "RGB" and min(picture.size) >= 256


def test_natural_backgrounds_differ_and_have_their_size():
    made = [rendered.natural_background(np.random.default_rng(k), 48) for k in range(6)]
    assert all(x.shape == (48, 48, 3) and 0 <= x.min() and x.max() <= 1 for x in made)
    assert len({x.tobytes() for x in made}) == 6
    again = rendered.natural_background(np.random.default_rng(3), 48)
    assert np.array_equal(again, made[3])


def test_one_camera_for_a_whole_clip():
    "Two equal frames differ by grain and compression only; blur, colour and exposure are the clip's."
    image = np.linspace(0.2, 0.8, 32 * 32 * 3).reshape(32, 32, 3).astype(np.float32)
    for k in range(5):
        a, b = rendered.film(np.random.default_rng(k), [image, image]).astype(float)
        assert a.shape == (32, 32, 3) and np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() < 1.5
    one, other = (rendered.film(np.random.default_rng(k), [image])[0].astype(float) for k in (0, 1))
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
