"Damaged clips, wrong weights, refused folders and full disks: one sentence, exit code 2, nothing half-written."
import errno, json, shutil
import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite import core
from f3a_lite.animation import f3a_animate
from f3a_lite.clips import f3a_prepare, load_clip
from f3a_lite.core import F3AError, atomic_path, get_device, save_json
from f3a_lite.generator import Generator, GeneratorConfig, load_generator, save_generator
from f3a_lite.morphable import FaceParams, load_model
from f3a_lite.rasterizer import rasterize
from f3a_lite.training import f3a_train


@pytest.fixture
def copy(clip, tmp_path):
    shutil.copytree(clip.path, tmp_path / "clip"); return tmp_path / "clip"


def spoil(path, kind):
    if kind == "nan":
        p = FaceParams.load(path / "params.safetensors"); p.rotation[3, 1] = float("nan"); p.save(path / "params.safetensors")
    if kind == "size":
        FaceParams.load(path / "params.safetensors")[:7].save(path / "params.safetensors")
    if kind == "truncated": (path / "frames.npy").write_bytes((path / "frames.npy").read_bytes()[:5000])
    if kind == "landmarks": m = np.load(path / "landmarks.npy"); m[0] = np.inf; np.save(path / "landmarks.npy", m)
    if kind == "format": (path / "meta.json").write_text(json.dumps({**json.loads((path / "meta.json").read_text()), "format": 99}))
    if kind == "json": (path / "meta.json").write_text("{half")
    if kind == "none": shutil.rmtree(path)


@pytest.mark.parametrize("kind", ["nan", "size", "truncated", "landmarks", "format", "json", "none"])
def test_damaged_clips(copy, tmp_path, capsys, kind):
    spoil(copy, kind)
    with pytest.raises(F3AError): load_clip(copy)
    assert run_command(f3a_train, copy, "--out", tmp_path / "run", "--steps", "1") == 2
    err = capsys.readouterr().err.strip(); assert len(err.split("\n")) == 1 and "Traceback" not in err
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_weights_of_another_architecture(tmp_path, capsys):
    p = tmp_path / "w.safetensors"; save_generator(Generator(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))), p)
    from safetensors.torch import load_file, save_file
    save_file(load_file(p), tmp_path / "no_header.safetensors"); (tmp_path / "text.safetensors").write_text("hello")
    for q in (tmp_path / "no_header.safetensors", tmp_path / "text.safetensors", tmp_path / "missing.safetensors"):
        assert run_command(f3a_animate, "--weights", q, "--out", tmp_path / "o", "--script", "smile") == 2
        assert q.name in capsys.readouterr().err
    g = Generator(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))); g.to_rgb[0].weight.data[:] = float("nan"); save_generator(g, p)
    with pytest.raises(F3AError, match="finite"): load_generator(p)


def test_wrong_words(tmp_path, capsys):
    for args in (["--script", "yodel"], ["--script", "smile", "--to", "x.jpg"], ["--device", "abacus"], [tmp_path / "nobody.jpg"]):
        assert run_command(f3a_animate, *args, "--out", tmp_path / "o") == 2
        assert len(capsys.readouterr().err.strip().split("\n")) == 1
    assert run_command(f3a_train, "--preset", "huge") == 2 and run_command(f3a_train, "--size", "100") == 2 and run_command(f3a_prepare, "only_one") == 2


def test_refused_folder(tmp_path, monkeypatch, capsys):
    "Whoever runs the tests may be allowed everything, so the refusal is the system's word, given here in its place."
    monkeypatch.setattr(core.os, "access", lambda *a: False)
    assert run_command(f3a_animate, "--script", "smile", "--out", tmp_path / "locked") == 2
    assert "read-only" in capsys.readouterr().err and not list((tmp_path / "locked").glob("*"))


def test_full_disk(tmp_path, monkeypatch):
    with pytest.raises(F3AError, match="disk is full"):
        with atomic_path(tmp_path / "a.json") as t: t.write_text("half"); raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(core.os, "replace", lambda *a: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(F3AError, match="disk is full"): save_json({}, tmp_path / "b.json")
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_should_be(tmp_path, capsys):
    (tmp_path / "f").write_text("")
    assert run_command(f3a_animate, "--script", "smile", "--out", tmp_path / "f" / "x") == 2
    assert "folder" in capsys.readouterr().err


def test_wrong_shapes():
    with pytest.raises(F3AError, match="rotation"): FaceParams(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2, 2), torch.zeros(2, 3), torch.ones(2))
    with pytest.raises(F3AError, match="triangles"): rasterize(np.zeros((1, 3, 3)), np.array([[0, 1, 7]]), 8, 8)
    with pytest.raises(F3AError, match="vertices"): rasterize(np.zeros((3, 3)), np.array([[0, 1, 2]]), 8, 8)
    with pytest.raises(F3AError, match="no morphable model"): load_model(__file__)
    with pytest.raises(F3AError, match="not available"): get_device("abacus")
    m = load_model()
    with pytest.raises(F3AError, match="do not fit"): m.shape(torch.zeros(1, 90), torch.zeros(1, 52))
    with pytest.raises(F3AError, match="no expression unit"): m.expression(wiggleEars=1.)


def test_checkpoint_of_another_run(clip, tmp_path, capsys):
    a = [clip.path, "--out", tmp_path / "run", "--size", "64", "--steps", "2", "--batch", "2"]
    assert run_command(f3a_train, *a, "--minutes", "0.0001") == 0
    capsys.readouterr(); assert run_command(f3a_train, *a, "--seed", "5") == 2 and "other settings" in capsys.readouterr().err
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"junk"); assert run_command(f3a_train, *a) == 2
