"The regressor from outside: its command, its weights, and real faces it never saw."

import json
import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite.clips import f3a_prepare, load_clip, needs_preparing, prepare_clip
from f3a_lite.core import F3AError, data_path
from f3a_lite.datasets import read_annotation, read_labelled
from f3a_lite.fitting import landmark_error, landmark_model
from f3a_lite.generator import Generator, GeneratorConfig, save_generator
from f3a_lite.morphable import open_model
from f3a_lite.regressor import (
    RegressorConfig,
    RegressorTrainer,
    RegressorTraining,
    evaluate_rendered,
    f3a_train_regressor,
    finetune,
    load_regressor,
    pose_error_between_models,
    regress_clip,
)
from f3a_lite.rendered import render_set


def test_command_trains_resumes_and_refuses(tmp_path, clip, capsys):
    common = ["--faces", tmp_path / "faces", "--pictures", 12, "--people", 6, "--workers", 0, "--batch", 4]
    assert (
        run_command(f3a_train_regressor, clip.path, "--out", tmp_path / "r", "--steps", 4, "--sub_steps", 2, *common)
        == 0
    )
    m = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert m["info"]["steps"] == 6 and m["results"]["pictures"] == 12
    net = load_regressor(tmp_path / "r" / "weights.safetensors")
    assert len(net.predict(torch.rand(3, 3, 128, 128))) == 3
    log = json.loads(torch.load(tmp_path / "r" / "checkpoint.pt", weights_only=True)["log"])
    assert [r["step"] for r in log] == list(range(6))
    assert all("shp" in r for r in log[:4]) and not any("shp" in r for r in log[4:])  # L_warm, then L_sub
    w = tmp_path / "r" / "weights.safetensors"
    again = ["--init", w, "--out", tmp_path / "leg", "--steps", 3, *common]
    capsys.readouterr()
    assert (
        run_command(f3a_train_regressor, *again, "--minutes", 1e-5) == 0
        and "units drawn anew" in capsys.readouterr().out
    )
    assert (
        run_command(f3a_train_regressor, *again) == 0 and "units drawn anew" not in capsys.readouterr().out
    )  # only at the start of a leg
    assert load_regressor(tmp_path / "leg" / "weights.safetensors").info["steps"] == 9
    wider = ["--init", w, "--out", tmp_path / "wide", "--steps", 1, *common]
    assert (
        run_command(f3a_train_regressor, *wider, "--base", 14) == 0
        and load_regressor(tmp_path / "wide" / "weights.safetensors").cfg.base == 14
    )
    assert (
        run_command(
            f3a_train_regressor,
            "--init",
            tmp_path / "wide" / "weights.safetensors",
            "--out",
            tmp_path / "narrow",
            "--steps",
            1,
            *common,
        )
        == 2
        and "at most as wide" in capsys.readouterr().err
    )
    assert (
        run_command(f3a_train_regressor, *again, "--init", tmp_path / "wide" / "weights.safetensors") == 2
        and "at most as wide" in capsys.readouterr().err
    )  # a run that goes on asks too
    assert run_command(f3a_train_regressor, *wider, "--base", 0) == 2
    assert (
        run_command(f3a_train_regressor, "--out", tmp_path / "r", "--steps", 9, *common) == 2
        and "other clips" in capsys.readouterr().err
    )
    assert run_command(f3a_train_regressor, "--preset", "huge") == 2
    assert run_command(f3a_train_regressor, tmp_path / "nowhere", "--out", tmp_path / "q", *common) == 2


def test_weights_of_something_else(tmp_path):
    save_generator(Generator(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))), tmp_path / "g.safetensors")
    (tmp_path / "t.safetensors").write_text("x")
    for n in ("g", "t", "missing"):
        with pytest.raises(F3AError, match=f"{n}.safetensors"):
            load_regressor(tmp_path / f"{n}.safetensors")


def test_another_set_in_the_folder(tmp_path):
    render_set(tmp_path, 2, progress=False)
    for other in (dict(seed=5), dict(disguise=True)):
        with pytest.raises(F3AError, match="other settings"):
            render_set(tmp_path, 2, progress=False, **other)
    old = json.loads((tmp_path / "meta.json").read_text())
    del old["disguise"]
    (tmp_path / "meta.json").write_text(json.dumps(old))
    assert len(render_set(tmp_path, 2, progress=False)) == 2  # a set from before there were disguises goes on


def small_run(faces, **kw):
    cfg = RegressorTraining(net=RegressorConfig(base=4, hidden=32), steps=3, batch=4, **kw)
    t = RegressorTrainer(cfg, faces, device=torch.device("cpu"))
    return [t.step()["total"] for _ in range(3)]


def test_compiled_training_is_the_same_training(tmp_path, monkeypatch):
    whole = torch.compile
    monkeypatch.setattr("torch.compile", lambda f: whole(f, backend="aot_eager"))  # everything but the C++ of it
    monkeypatch.setattr("shutil.which", lambda *a, **k: "c++")
    faces = render_set(tmp_path, 8, progress=False)
    assert np.allclose(small_run(faces, compile=True), small_run(faces), rtol=1e-3)


def test_compiling_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *a, **k: None)
    with pytest.raises(F3AError, match="C\\+\\+ compiler"):
        small_run(render_set(tmp_path, 8, progress=False), compile=True)


def test_stored_numbers_belong_to_the_bundled_weights():
    from pathlib import Path

    r = json.loads((Path(__file__).parent.parent / "results" / "regressor.json").read_text())
    net = load_regressor()
    assert (
        r["training"] == {k: net.info[k] for k in r["training"]}
        and data_path("regressor.safetensors").stat().st_size <= 8e6
    )


def test_unseen_rendered_people(tmp_path):
    res = evaluate_rendered(load_regressor(), render_set(tmp_path, 100, (9000, 9100), 7, progress=False))
    assert res["pose"] < 2 and res["points_frontal"] < 0.033


def test_bundled_clip(video, tmp_path):
    "Parameters from the regressor drop in for the fitter's, and fine-tuning brings them nearer."
    errors = {
        s: prepare_clip(video, tmp_path / s, max_frames=24, params=s, progress=False).meta["fit_error"]
        for s in ("fit", "regressor", "tuned")
    }
    assert errors["fit"] < 0.03 and errors["tuned"] < errors["regressor"] < 0.2 and errors["tuned"] < 0.06
    assert load_clip(tmp_path / "tuned").meta["params"] == "tuned"


def test_prepare_with_the_regressor(video, tmp_path, capsys):
    assert run_command(f3a_prepare, video, tmp_path, "--max_frames", 6, "--params", "regressor") == 0
    assert not needs_preparing(video, tmp_path / video.stem, params="regressor", max_frames=6)
    f = tmp_path / video.stem / "meta.json"
    f.write_text(json.dumps({**json.loads(f.read_text()), "regressor": "of other weights"}))
    assert needs_preparing(video, tmp_path / video.stem, params="regressor", max_frames=6), (
        "parameters of other weights are no longer these"
    )
    assert run_command(f3a_prepare, video, tmp_path, "--params", "guess") == 2 and "guess" in capsys.readouterr().err


def test_aflw2000_pose(faces):
    "Photos with annotated pose, profiles among them; no tracker takes part."
    ann = torch.tensor(
        np.stack([read_annotation(p).rotation for p in sorted((faces / "aflw2000").glob("*.mat"))]), dtype=torch.float32
    )
    x = torch.from_numpy(np.stack([r[1] for r in read_labelled(faces / "aflw2000")])).movedim(-1, 1).float() / 255
    e = pose_error_between_models(load_regressor().predict(x).rotation, ann)
    assert e.mean() < 6, e.mean(0)


def test_a_real_clip(faces, tmp_path):
    c = prepare_clip(faces / "clips" / "sy_trump_clip1.mp4", tmp_path / "c", max_frames=40, progress=False)
    x, m = c.images(range(len(c))), landmark_model(open_model())
    net = load_regressor()
    before, after = (
        landmark_error(m, regress_clip(n, x, c.found), c.landmarks).mean()
        for n in (net, finetune(net, x, c.landmarks, c.found, steps=40))
    )
    assert after < before and after < 0.08
