"No work is lost, and no program is started: damaged files, full disks, foreign formats, and what must not be replaced."

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PROGRAMS, ROOT, all_bytes, one_sentence, run_command
from f3a_lite.ui import animate
from f3a_lite.data.clips import clip_folder, load_clip
from f3a_lite.core import F3AError, atomic_path, save_json
from f3a_lite.data.datasets import missing_frames
from f3a_lite.lab.measure_files import f3a_evaluate
from f3a_lite.generator import GeneratorConfig
from f3a_lite.checkpoints import CHECKPOINTS, find_checkpoint, load_checkpoint, read_checkpoint
from f3a_lite.loop import LogFile, run_training
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.synth.rendered import render_set
from f3a_lite.lab.results import Record, save_records
from f3a_lite.systems import F3AGan, save_system
from f3a_lite.ui.train import f3a_train
from f3a_lite.data.frames import PHOTOS, read_image
from PIL import Image
from test_loop import same, small_trainer, state


def flip(path, at=0.5, bit=0):
    "Change one bit of a file, at a share of its length."
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 1 << bit
    path.write_bytes(data)


# ---- a disk that changes a bit


def test_a_checkpoint_with_one_wrong_bit_never_becomes_another_run(clip, tmp_path):
    "It is refused, or, where the bit means nothing, loads as it was."
    t, path, refused = small_trainer(clip), tmp_path / "c.pt", 0
    t.step()
    t.save(path)
    whole, right = path.read_bytes(), load_checkpoint(path, t.identity())
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.random(60), rng.integers(8, size=60)):
        path.write_bytes(whole)
        flip(path, at, bit)
        try:
            assert same(load_checkpoint(path, t.identity()), right)
        except F3AError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(clip, tmp_path, capsys, damage):
    "The run goes on from there, with a sentence, and ends as it would have ended."
    whole = small_trainer(clip)
    for _ in range(6):
        whole.step()
    run_training(small_trainer(clip), 4, tmp_path, save_every=-1, progress=False)
    path, content = tmp_path / "checkpoint.pt", (tmp_path / "checkpoint.pt").read_bytes()
    if damage == "bit":
        flip(path)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    capsys.readouterr()
    again = small_trainer(clip)
    assert run_training(again, 6, tmp_path, progress=False, watchers=[LogFile(tmp_path / "log.jsonl")])
    said = capsys.readouterr().out
    assert "checkpoint.pt' is damaged" in said and "checkpoint-previous.pt" in said and "going on from step 3" in said
    assert same(state(again), state(whole)) and len((tmp_path / "log.jsonl").read_text().splitlines()) == 6
    assert [read_checkpoint(tmp_path / name)["done"] for name in CHECKPOINTS] == [6, 3]


def test_the_good_checkpoint_stays_until_there_is_another(clip, tmp_path):
    "It takes the damaged one's place, so that the next save does not lose it."
    run_training(small_trainer(clip), 4, tmp_path, save_every=-1, progress=False)
    flip(tmp_path / "checkpoint.pt")
    t = small_trainer(clip)
    t.learn = lambda step: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run_training(t, 6, tmp_path, progress=False)
    assert read_checkpoint(find_checkpoint(tmp_path))["done"] == 3


def test_two_damaged_checkpoints_are_refused_and_left(clip, tmp_path):
    run_training(small_trainer(clip), 4, tmp_path, save_every=-1, progress=False)
    for name in CHECKPOINTS:
        flip(tmp_path / name)
    before = all_bytes(tmp_path)
    with pytest.raises(F3AError, match="is not a checkpoint that can be read: delete it"):
        run_training(small_trainer(clip), 6, tmp_path, progress=False)
    assert all_bytes(tmp_path) == before


@pytest.fixture
def copy(clip, tmp_path):
    shutil.copytree(clip.path, tmp_path / "clip")
    return tmp_path / "clip"


@pytest.mark.parametrize("name", ["frames.npy", "landmarks.npy", "found.npy", "params.safetensors"])
def test_a_clip_with_one_wrong_bit_is_refused(copy, tmp_path, video, capsys, name):
    flip(copy / name, at=1.0 if name == "found.npy" else 0.5)
    with pytest.raises(F3AError, match=f"{name} is not what was written"):
        load_clip(copy)
    assert run_command(f3a_train, copy, "--out", tmp_path / "run", "--steps", "1") == 2
    assert name in one_sentence(capsys) and not (tmp_path / "run").exists()
    if name == "frames.npy":
        with pytest.raises(F3AError, match=f"{name} is not what was written.: delete it and prepare it again"):
            prepare_clip(video, copy, max_frames=40, progress=False)


def test_a_clip_whose_file_is_missing_is_refused(copy):
    np.save(copy / "valid.npy", np.ones((40, 128, 128), bool))
    with pytest.raises(F3AError, match="valid.npy is not what was written"):
        load_clip(copy)


def test_a_clip_of_an_earlier_version_has_no_fingerprints(copy):
    meta = json.loads((copy / "meta.json").read_text())
    assert set(meta.pop("files")) == {p.name for p in copy.iterdir()} - {"meta.json"}
    save_json(meta, copy / "meta.json")
    assert len(load_clip(copy)) == 40


@pytest.mark.parametrize("name", ["frames.npy", "params.safetensors"])
def test_rendered_faces_with_one_wrong_bit_are_refused(tmp_path, name):
    (piece,) = render_set(tmp_path, 4, progress=False).clips
    right = (piece.path / name).read_bytes()
    flip(piece.path / name, at=0.9)
    with pytest.raises(F3AError, match=f"{name} is not what was written.: delete"):
        render_set(tmp_path, 4, progress=False)
    shutil.rmtree(piece.path)
    assert len(render_set(tmp_path, 4, progress=False)) == 4 and (piece.path / name).read_bytes() == right
    assert len(render_set(tmp_path, 6, progress=False)) == 6, "a set that grows is another one"


# ---- a disk that is full


@pytest.fixture
def tight(request, tmp_path):
    "A folder that holds so many bytes: a file system of that size, or, where nobody may mount one, a limit on files."

    def make(size):
        folder = tmp_path / "tight"
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if sys.platform.startswith("linux") and subprocess.run(words, capture_output=True).returncode == 0:
            request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", str(folder)]))
            return folder, ""
        pytest.importorskip("resource")
        return folder, f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"

    return make


def in_a_process(*code):
    "Run lines in a process of its own, which a bus error may end: exit code, and the lines that it said."
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    env = {**os.environ, "PYTHONPATH": path, "F3A_THREADS": "1"}
    words = [sys.executable, "-c", "\n".join(code)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300)
    return done.returncode, [line.strip() for line in (done.stdout + done.stderr).replace("\r", "\n").split("\n")]


@pytest.mark.processes
@pytest.mark.parametrize("words", [["--max-frames=40"], ["--max-frames=40", "--dataset=video"]], ids=["one", "a set"])
def test_a_full_disk_ends_the_preparation_with_a_sentence(tight, video, tmp_path, words):
    "Of a data set too, since no other video would fare better."
    (tmp_path / "root").mkdir()
    for name in "ab":
        shutil.copy(video, tmp_path / "root" / f"{name}.mp4")
    folder, limit = tight(900 * 1024)  # 40 frames have two megabytes
    source = tmp_path / "root" if len(words) > 1 else tmp_path / "root" / "a.mp4"
    command = f"f3a_prepare({[str(source), str(folder), *words]})"
    code, said = in_a_process("from f3a_lite.ui.prepare import f3a_prepare", limit, command)
    name = clip_folder(folder, "a", clip_fingerprint(tmp_path / "root" / "a.mp4", max_frames=40)).name
    lines = [line for line in said if "disk is full" in line or "Traceback" in line]
    assert code == 2 and lines == [
        f"The disk is full: '{name}' was not written; free some space and run the command again."
    ], said
    assert list(folder.iterdir()) == []


@pytest.mark.processes
def test_a_full_disk_leaves_the_last_checkpoint_of_a_training(tight, clip, tmp_path):
    "The first checkpoint fits, a second beside it does not; with more space the same run goes on."
    run_training(small_trainer(clip), 2, tmp_path / "first", progress=False)
    size = (tmp_path / "first" / "checkpoint.pt").stat().st_size
    folder, limit = tight(int(1.6 * size))
    run = shutil.copytree(tmp_path / "first", folder / "run")
    code, said = in_a_process(
        "from test_loop import small_trainer, run_training, friendly_errors",
        "from f3a_lite.data.clips import load_clip",
        f"t = small_trainer(load_clip({str(clip.path)!r}))",
        limit.replace(str(int(1.6 * size)), str(size // 2)),
        "with friendly_errors():",
        f"    run_training(t, 6, {str(run)!r}, progress=False)",
    )
    assert code == 2 and said[-2].startswith("The disk is full: 'checkpoint.pt' was not written"), said
    assert [p.name for p in run.iterdir()] == ["checkpoint.pt"]
    shutil.copytree(run, tmp_path / "more")
    assert run_training(small_trainer(clip), 6, tmp_path / "more", progress=False)


WRITERS = """
import numpy as np, torch
from f3a_lite.data.clips import new_clip, write_clip
from f3a_lite.core import F3AError, make_folder, save_array, save_json
from f3a_lite.weights import save_weights
from f3a_lite.checkpoints import save_checkpoint
from f3a_lite.loop import LogFile
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.data.video import write_gif, write_image, write_video

noise = torch.rand(8, 3, 500, 500)
numbers = torch.rand(10**6)


class Rows:
    log = [dict(step=0)]


def write_log(path):
    log = LogFile(path)
    log(Rows)
    Rows.log.append(dict(words="x" * 10**6))
    log(Rows)


def write_folder(path):
    with new_clip(path) as folder:
        save_array(np.zeros(9), folder / "frames.npy")
        many = 20000
        write_clip(folder, FaceParams.neutral(many, 80, 52), torch.zeros(many, 68, 2), np.ones(many, bool), {})


WRITERS = {
    "a.pt": lambda path: save_checkpoint(path, {}, numbers=numbers),
    "a.safetensors": lambda path: save_weights(path, dict(a=numbers), "x", {}, {}),
    "p.safetensors": FaceParams.neutral(9000, 80, 52).save,
    "m.safetensors": open_model().save,
    "a.npy": lambda path: save_array(numbers.numpy(), path),
    "a.json": lambda path: save_json(numbers[:99999], path),
    "a.png": lambda path: write_image((noise[0].movedim(0, -1).numpy() * 255).astype("uint8"), path),
    "a.gif": lambda path: write_gif(noise, path),
    "a.mp4": lambda path: write_video(noise, path),
    "a.jsonl": write_log,
    "clip": write_folder,
}
"""


@pytest.mark.processes
def test_no_writer_leaves_half_a_file_or_a_traceback_on_a_full_disk(tight):
    "Whatever the library that writes: numpy, torch, safetensors, Pillow, FFmpeg."
    folder, limit = tight(600 * 1024)
    code, said = in_a_process(
        WRITERS,
        limit,
        "for name, write in WRITERS.items():",
        "    try:",
        f"        write(make_folder({str(folder)!r}) / name)",
        "    except F3AError as e:",
        "        print(f'REFUSED {name}: {e}')",
    )
    refused = dict(line.removeprefix("REFUSED ").split(": ", 1) for line in said if line.startswith("REFUSED"))
    assert code == 0 and len(refused) == WRITERS.count("lambda path:") + 4, said
    assert all(sentence.startswith(f"The disk is full: '{name}'") for name, sentence in refused.items()), refused
    assert [p.name for p in folder.iterdir()] == ["a.jsonl"]


# ---- numbers in names, and what a picture may be


@pytest.mark.processes
def test_a_folder_of_photos_that_are_named_by_times(tmp_path):
    "Not one number between two times is counted out: in a process that may have six gigabytes."
    resource = pytest.importorskip("resource")
    for name in ("IMG_0001", "IMG_0004", "PXL_20261129141414123"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({6 * 2**30}, {6 * 2**30}))"
    ask = f"from f3a_lite.data.datasets import missing_frames; print(missing_frames({str(tmp_path)!r}))"
    code, said = in_a_process(limit, ask)
    assert resource and (code, said[0]) == (0, "[]"), said[-3:]
    (tmp_path / "PXL_20261129141414123.png").unlink()
    assert missing_frames(tmp_path) == [(2, 2)]
    Image.new("RGB", (4, 4)).save(tmp_path / "IMG_0009.png")
    assert missing_frames(tmp_path) == [(2, 2), (5, 4)]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def test_a_picture_starts_no_program(tmp_path, monkeypatch):
    "An EPS under a photo's name would start Ghostscript, here a stand-in that leaves a mark."
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\necho 10\n")
    (tmp_path / "gs").chmod(0o755)
    (tmp_path / "photo.jpg").write_bytes(EPS)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # not yet looked for
    with pytest.raises(F3AError, match="'photo.jpg' is not a photo"):
        read_image(tmp_path / "photo.jpg")
    assert not (tmp_path / "started").exists()
    if os.name != "nt":
        with pytest.raises(Exception), Image.open(tmp_path / "photo.jpg") as im:
            im.load()
        assert (tmp_path / "started").exists(), "without the list of formats the danger is real"


def test_only_the_formats_of_photos_are_opened(tmp_path, monkeypatch):
    "Everything else that Pillow can write is refused under a photo's name."
    Image.init()
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))  # Pillow's SPIDER takes every ending that it writes
    picture, opened, refused = Image.new("RGB", (64, 64), (200, 30, 10)), set(), set()
    for name in sorted(Image.SAVE):
        path = tmp_path / f"{name}.jpg"
        for mode in ("RGB", "P", "L", "1", "F"):
            try:
                picture.convert(mode).save(path, name)
                break
            except Exception:
                continue
        else:
            continue
        try:
            assert read_image(path).shape == (64, 64, 3)
            opened.add(name)
        except F3AError:
            refused.add(name)
    assert opened == set(PHOTOS) & set(Image.SAVE) - {"HEIF"} | {"MPO"}, "an MPO is a JPEG with more pictures behind it"
    assert {"TGA", "PCX", "SGI", "EPS"} <= refused and len(refused) > 8


def test_every_picture_is_opened_with_a_list_of_formats():
    for path in [*(ROOT / "f3a_lite").rglob("*.py"), *(p for n in PROGRAMS for p in (ROOT / n).glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open"):
                assert any(k.arg == "formats" for k in node.keywords), f"{path.name}: {ast.unparse(node)}"


# ---- what must not be replaced


def pipe(path):
    os.mkfifo(path)


def device(path):
    "A device of its own, which swallows what is written, as the system's does."
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except (OSError, AttributeError):
        pytest.skip("this user may not make a device")


def link_to_a_pipe(path):
    os.mkfifo(path.with_suffix(".pipe"))
    path.symlink_to(path.with_suffix(".pipe"))


PLACES = dict(pipe=pipe, device=device, folder=Path.mkdir, link=link_to_a_pipe)


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    "A path at which there is something else than a file."
    if os.name == "nt" and request.param != "folder":
        pytest.skip("Windows has no such things in folders")
    PLACES[request.param](tmp_path / "a.json")
    return tmp_path / "a.json"


def kinds(folder):
    "What there is, by name, links not followed."
    return {p.name: stat.S_IFMT(p.lstat().st_mode) for p in folder.iterdir()}


def test_only_regular_files_are_replaced(place):
    before = kinds(place.parent)
    with pytest.raises(F3AError, match="no regular file"):
        with atomic_path(place) as tmp:
            tmp.write_text("x")
    assert kinds(place.parent) == before


def test_a_link_to_a_file_is_replaced_and_the_file_stays(tmp_path):
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "kept")
    save_json({}, tmp_path / "a.json")
    assert (tmp_path / "kept").read_text() == "mine" and not (tmp_path / "a.json").is_symlink()


@pytest.fixture
def pictures(tmp_path):
    "Two folders of pictures."
    for name in ("pred", "target"):
        (tmp_path / name).mkdir()
        for k in range(2):
            Image.effect_noise((32, 32), 50).convert("RGB").save(tmp_path / name / f"{k}.png")
    return tmp_path / "pred", tmp_path / "target"


def test_evaluate_replaces_no_pipe_and_no_device(place, pictures, capsys):
    before = kinds(place.parent)
    assert run_command(f3a_evaluate, *pictures, "--no-faces", "--out", place) == 2
    assert "not replaced" in one_sentence(capsys) and kinds(place.parent) == before


@pytest.mark.parametrize("name", ["pred/1.png", "target/0.png", "notes.txt", "own.json", "list.json", "deep.json"])
def test_evaluate_replaces_nothing_but_results(pictures, tmp_path, capsys, name):
    "Neither what it reads nor what somebody else has written; it says so before it measures."
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "own.json").write_text('{"records": 3}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "deep.json").write_text("[" * 10**5)
    before = all_bytes(tmp_path)
    assert run_command(f3a_evaluate, *pictures, "--no-faces", "--out", tmp_path / name) == 2
    assert "is no results file, so it is not replaced" in one_sentence(capsys) and all_bytes(tmp_path) == before


def test_evaluate_replaces_results(pictures, tmp_path):
    save_records([Record("x", {}, {})], tmp_path / "r.json")
    for name in ("r.json", "new.json"):
        assert run_command(f3a_evaluate, *pictures, "--no-faces", "--out", tmp_path / name) == 0
        assert json.loads((tmp_path / name).read_text())["records"][0]["name"] == "f3a_evaluate"


def test_first_weights_are_not_written_over(clip, tmp_path, capsys):
    "A training that begins with weights does not put its own into their place."
    weights = tmp_path / "run" / "weights.safetensors"
    weights.parent.mkdir()
    save_system(F3AGan(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))), weights)
    before = all_bytes(tmp_path)
    assert run_command(f3a_train, clip.path, "--init", weights, "--out", tmp_path / "run", "--steps", "1") == 2
    assert "weights.safetensors' is read" in one_sentence(capsys)
    assert all_bytes(tmp_path) == before


def test_the_bundled_video_is_not_written_over(tmp_path, monkeypatch, video):
    "It is read where no source is named."
    shutil.copy(video, tmp_path)
    monkeypatch.setattr(animate, "data_path", lambda name: tmp_path / name)
    with pytest.raises(F3AError, match="is read, so it is not written over"):
        animate.check_outputs(animate.AnimateOptions(out=tmp_path, name="woman_laughing"))
