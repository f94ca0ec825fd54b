"The regressor from outside: its command, its weights, and real faces it never saw."

import json
from pathlib import Path
import pytest
import torch
from conftest import load_program, run_command
from f3a_lite.data.clips import load_clip
from f3a_lite.core import F3AError, data_path, parse_options, sha256
from f3a_lite.weights import save_weights
from f3a_lite.fitting import landmark_error, landmark_model
from f3a_lite.morphable import open_model
from f3a_lite.data.clips import clip_folder
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.regressor import load_regressor, pose_error_between_models, regress_clip
from f3a_lite.regressor_metrics import evaluate_rendered
from f3a_lite.regressor_training import (
    RegressorOptions,
    RegressorTraining,
    f3a_train_regressor,
    finetune,
    regressor_options,
)
from f3a_lite.synth.rendered import render_set
from f3a_lite.lab.results import find_record, load_records


def test_command_trains_resumes_and_refuses(tmp_path, clip, capsys):
    common = ["--faces", tmp_path / "faces", "--pictures", 12, "--people", 6, "--workers", 0, "--batch", 4]

    def run(out, *words):
        capsys.readouterr()
        return run_command(f3a_train_regressor, *words, "--out", tmp_path / out, *common)

    assert run("r", clip.path, "--steps", 4, "--sub_steps", 2) == 0
    record = find_record(load_records(tmp_path / "r" / "metrics.json"), "regressor")
    assert record.info["steps"] == 6 and record.figures["pictures"] == 12
    weights = tmp_path / "r" / "weights.safetensors"
    assert len(load_regressor(weights).predict(torch.rand(3, 3, 128, 128))) == 3
    log = json.loads(torch.load(tmp_path / "r" / "checkpoint.pt", weights_only=True)["log"])
    assert [r["step"] for r in log] == list(range(6))
    assert all("shp" in r for r in log[:4]) and not any("shp" in r for r in log[4:])  # L_warm, then L_sub
    assert run("r", "--steps", 9) == 2 and "other clips" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--preset", "huge"], "huge"),
        (["--base", 0], "base is 0"),
        (["--people", 0], "at least 1"),
        (["--size", 100], "multiple of 32"),
        (["--bfm", "a.mat,b.mat"], "--labelled"),
        (["--labelled", "photos"], "--labelled"),
        (["nowhere", "--people", 0], "at least 1"),
        (["nowhere", "--sub-steps", 2], "nowhere"),
    ],
)
def test_wrong_words(tmp_path, capsys, words, message):
    assert run_command(f3a_train_regressor, "--out", tmp_path / "q", "--faces", tmp_path / "f", *words) == 2
    said = capsys.readouterr()
    assert message in said.err + said.out and not (tmp_path / "q").exists() and not (tmp_path / "f").exists()


def test_clips_need_a_second_phase(tmp_path, clip, capsys):
    few = ["--faces", tmp_path / "f", "--pictures", 4, "--people", 2, "--workers", 0, "--steps", 1, "--batch", 2]
    assert run_command(f3a_train_regressor, clip.path, "--out", tmp_path / "q", *few) == 2
    assert "--sub_steps" in capsys.readouterr().err


def test_every_field_is_an_option_and_presets_give_the_defaults():
    lite, paper = (regressor_options(["--preset", p]) for p in ("lite", "paper"))
    assert lite.config == RegressorTraining.lite() and paper.config == RegressorTraining.paper()
    words = ["--preset", "paper", "--fc1_lr", "0.5", "--hidden=64", "--betas", "0.8", "0.9"]
    o = parse_options("f3a_train_regressor", RegressorOptions, words, regressor_options(words))
    assert (o.config.fc1_lr, o.config.net.hidden, o.config.betas) == (0.5, 64, (0.8, 0.9))
    assert (o.config.lr, o.config.net.base, o.config.batch, o.preset) == (1e-4, 16, 256, "paper")


def test_help_describes_each_option_once(capsys):
    assert run_command(f3a_train_regressor, "--help") == 0
    said = capsys.readouterr().out
    for o in ("--sub-steps", "--fc1-lr", "--stem-stride", "--labelled", "--slope", "--threads"):
        assert said.count(f" {o} ") + said.count(f" {o},") == 1, o
    text = " ".join(said.split())
    assert "weight of L_shp" in text and "PRNet has 16" in text


def test_weights_of_something_else(tmp_path):
    save_weights(tmp_path / "g.safetensors", dict(w=torch.ones(2)), "f3a_gan", {}, {})
    (tmp_path / "t.safetensors").write_text("x")
    for n in ("g", "t", "missing"):
        with pytest.raises(F3AError, match=f"{n}.safetensors"):
            load_regressor(tmp_path / f"{n}.safetensors")


def test_another_set_in_the_folder(tmp_path):
    "Sets of other settings lie beside each other."
    one = render_set(tmp_path, 2, progress=False)
    for other in (dict(seed=5), dict(disguise=True)):
        assert not torch.equal(render_set(tmp_path, 2, progress=False, **other).images([0]), one.images([0]))
    assert torch.equal(render_set(tmp_path, 2, progress=False).images([0]), one.images([0]))
    assert len(list(tmp_path.iterdir())) == 3


def test_stored_numbers_belong_to_the_bundled_weights():
    path = data_path("regressor.safetensors")
    records = load_records(Path(__file__).parent.parent / "results" / "regressor.json")
    info = load_regressor().info
    assert records and path.stat().st_size <= 8e6
    for r in records:
        assert r.info["sha256"] == sha256(path), "run `python benchmarks/regressor.py FACES` again"
        assert r.info["training"] == {k: info[k] for k in r.info["training"]}


def test_the_protocol_of_the_stored_numbers():
    "Fresh people with a spread, photos with an interval, and errors on a fit's own points under their own name."
    records = load_records(Path(__file__).parent.parent / "results" / "regressor.json")
    for looks in (1, 2):
        r = find_record(records, "regressor", on="rendered", looks=looks)
        assert len(r.setting["sets"]) == 3 and all(seed > 1 for seed, _ in r.setting["sets"])  # 0 and 1: chosen on
        assert all(r.figures[n]["n"] == 3 and r.figures[n]["sd"] > 0 for n in ("pose", "turn", "points"))
        photos = find_record(records, "regressor", on="AFLW2000", looks=looks).figures["pose"]
        assert photos["low"] < photos["mean"] < photos["high"] and photos["n"] == 10
    on_clips = {(r.name, r.setting["frames"]): r.figures for r in records if r.setting.get("on") == "real clips"}
    for name in ("after fine-tuning on all frames", "the fitter"):
        assert "residual" in on_clips[name, "all"] and "points" not in on_clips[name, "all"]
    for name in ("as shipped", "after fine-tuning on half of the frames"):
        assert "points" in on_clips[name, "held out"]


def test_unseen_rendered_people(tmp_path):
    res = evaluate_rendered(load_regressor(), render_set(tmp_path, 100, (9000, 9100), 7, progress=False))
    assert res["pose"] < 2 and res["points_frontal"] < 0.033


def test_bundled_clip(video, tmp_path):
    "Parameters from the regressor drop in for the fitter's, and fine-tuning brings them nearer."
    errors = {
        s: prepare_clip(video, tmp_path / s, max_frames=24, param_source=s, progress=False).meta["fit_error"]
        for s in ("fit", "regressor", "tuned")
    }
    assert errors["fit"] < 0.03 and errors["tuned"] < errors["regressor"] < 0.2 and errors["tuned"] < 0.06
    assert load_clip(tmp_path / "tuned").meta["param_source"] == "tuned"


def test_prepare_with_the_regressor(video, tmp_path, capsys):
    assert run_command(f3a_prepare, video, tmp_path, "--max_frames", 6, "--param_source", "regressor") == 0
    fingerprint = clip_fingerprint(video, param_source="regressor", max_frames=6)
    folder = clip_folder(tmp_path, video.stem, fingerprint)
    assert list(tmp_path.iterdir()) == [folder]
    other = dict(fingerprint, regressor="of other weights")
    assert clip_folder(tmp_path, video.stem, other) != folder, "parameters of other weights are no longer these"
    assert (
        run_command(f3a_prepare, video, tmp_path, "--param_source", "guess") == 2 and "guess" in capsys.readouterr().err
    )


def test_aflw2000_pose(faces):
    "Photos with annotated pose, profiles among them; no tracker takes part."
    x, ann, _ = load_program("regressor").read_photos(faces / "aflw2000")
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
