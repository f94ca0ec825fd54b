"The regressor from outside: its command, its weights, and real faces it never saw."

import copy
import json
import re
import sys
from pathlib import Path
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import nn
from conftest import load_program, run_command
from f3a_lite.augmentation import centring, move_params, move_picture, undo
from f3a_lite.core import F3AError, data_path, file_hash
from f3a_lite.options import parse_options
from f3a_lite.data.clips import clip_folder, load_clip
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.fitting import landmark_error, landmark_model
from f3a_lite.lab.results import find_record, load_records
from f3a_lite.morphable import FaceParams, PARAM_NAMES, mirror_twins, open_model
from f3a_lite.pictures import LazyFrames
from f3a_lite.projection import euler_to_matrix, pose, posed_landmarks, project
from f3a_lite.regressor import (
    LAMBDAS,
    Regressor,
    RegressorConfig,
    ResBlock,
    coefficient_loss,
    folded,
    landmark_loss,
    load_regressor,
    mirror_matrix,
    mirror_params,
    point_weights,
    pose_error_between_models,
    refine,
    regress_clip,
    shape_loss,
    sub_loss,
    transformation_loss,
    warm_loss,
)
from f3a_lite.regressor_metrics import evaluate_rendered
from f3a_lite.data.estimation import finetune
from f3a_lite.regressor_training import (
    RegressorOptions,
    RegressorTraining,
    f3a_train_regressor,
    regressor_options,
)
from f3a_lite.landmarks import MIRROR
from f3a_lite.synth.rendered import render_set
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.weights import save_weights
from helpers import MODEL, rand, randn, tiny_net
from helpers import close, some_faces


def test_a_residual_block_by_hand():
    "4×4 convolutions padded so that resolutions are halved or kept; the shortcut is added before the last ReLU."
    torch.manual_seed(0)
    for cin, cout, stride, pad in ((4, 8, 2, (1, 1, 1, 1)), (8, 8, 1, (1, 2, 1, 2))):
        b, x = ResBlock(cin, cout, stride).eval(), randn(2, cin, 12, 12)
        h = F.relu(F.conv2d(x, b.down.weight) / (1 + 1e-5) ** 0.5)
        h = F.relu(F.conv2d(F.pad(h, pad), b.look.weight, stride=stride) / (1 + 1e-5) ** 0.5)
        h = F.conv2d(h, b.up.weight)
        skip = x if stride == 1 else F.conv2d(x, b.skip.weight, stride=stride)
        close(b(x), F.relu((h + skip) / (1 + 1e-5) ** 0.5), 1e-4)
        assert b.look.in_channels == cout // 2


def test_what_the_heads_say():
    "138 numbers with names: shifts in fifths, sizes as an exponential around 0.64, no depth."
    net, h = tiny_net(), randn(3, 128, 2, 2)
    raw = net.fc2(F.leaky_relu(net.norm(net.fc1(h.flatten(1))), 0.1))
    p = net.heads(h)
    assert raw.shape == (3, 80 + 52 + 3 + 2 + 1)
    close(p.id_coeff, raw[:, :80], 1e-6)
    close(p.exp_coeff, raw[:, 80:132], 1e-6)
    close(p.rotation, raw[:, 132:135], 1e-6)
    close(p.translation, F.pad(raw[:, 135:137] * 0.2, (0, 1)), 1e-6)
    close(p.scale, 0.64 * (raw[:, 137] * 0.3).clamp(-2, 2).exp(), 1e-6)
    x = rand(2, 3, 128, 128)
    close(net.features(x), net.blocks(net.stem((x - 0.5) * 4)), 1e-6)
    close(net(x).rotation, net.heads(net.features(x)).rotation, 1e-6)
    assert net.features(x).shape == (2, 128, 2, 2)
    paper = RegressorConfig.paper(K=199)
    assert (paper.base, paper.stem_stride, paper.hidden, paper.K) == (16, 1, 512, 199) and RegressorConfig.lite(
        base=7
    ).base == 7
    wide = Regressor(RegressorConfig(base=2, hidden=8, stem_stride=1)).eval()
    assert wide.features(x).shape == (2, 64, 4, 4) and len(wide(x)) == 2


def test_folded_says_the_same():
    net = tiny_net()
    x, before = rand(2, 3, 128, 128), copy.deepcopy(net.state_dict())
    fast = folded(net)
    with torch.no_grad():
        for n in PARAM_NAMES:
            close(getattr(fast(x), n), getattr(net(x), n), 1e-4)
    counts = [sum(isinstance(v, nn.BatchNorm2d) for v in m.modules()) for m in (net, fast)]
    assert counts == [31, 10]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_eq_5_by_hand():
    a, b = randn(3, 68, 2), randn(3, 68, 2, seed=1)
    weight = [5.0 if 36 <= i < 48 else 10.0 if i >= 48 else 1.0 for i in range(68)]
    assert point_weights().tolist() == weight
    want = np.mean(
        [
            sum(weight[i] * float((a[k, i, c] - b[k, i, c]).abs()) for i in range(68)) / sum(weight)
            for k in range(3)
            for c in range(2)
        ]
    )
    close(landmark_loss(a, b), want, 1e-5)


@pytest.mark.parametrize("part", ["id_coeff", "exp_coeff", "both"])
def test_eq_6_by_hand(part):
    "Identity and expression both count, by the vertices that they move; pose does not."
    p, q = some_faces(2), some_faces(2, seed=1)
    if part != "both":
        q = p.replace(**{part: getattr(q, part)}, rotation=q.rotation)
    want = (MODEL.shape(p.id_coeff, p.exp_coeff) - MODEL.shape(q.id_coeff, q.exp_coeff)).abs().mean()
    close(shape_loss(MODEL, p, q), want, 1e-6)
    assert shape_loss(MODEL, p, q) > 0.004 and shape_loss(MODEL, p, p.replace(rotation=q.rotation)) == 0


def test_eq_7_by_hand():
    p, q = some_faces(3), some_faces(3, seed=1)
    q.translation[:, 2] = 5
    want = 0.0
    for k in range(3):
        want += sum(abs(float(p.rotation[k, c] - q.rotation[k, c])) for c in range(3)) + abs(
            float(p.scale[k] - q.scale[k])
        )
        want += sum(abs(float(p.translation[k, c] - q.translation[k, c])) for c in range(2))
    close(transformation_loss(p, q), want / 3, 1e-5)


def test_the_regulariser_by_hand():
    p = some_faces(3)
    want = (p.id_coeff / MODEL.id_std).abs().mean() + p.exp_coeff.abs().mean()
    close(coefficient_loss(p, MODEL), want, 1e-6)


def test_eq_8_and_9_weigh_their_terms():
    "λ1 is ten and weighs the landmarks, λ2 is one and weighs the pose, λ3 a thousandth; the jaw at the true yaw."
    p, q = some_faces(3), some_faces(3, seed=1)
    assert LAMBDAS == (10.0, 1.0, 1e-3)
    points = [MODEL.landmarks(pose(MODEL, f), q.rotation[:, 1])[..., :2] for f in (p, q)]
    want = dict(
        shp=2 * shape_loss(MODEL, p, q),
        lm=10 * landmark_loss(*points),
        tr=transformation_loss(p, q),
        reg=1e-3 * coefficient_loss(p, MODEL),
    )
    got = warm_loss(MODEL, p, q, shp=2.0)
    assert list(got) == ["shp", "lm", "tr", "reg"]
    for n, v in want.items():
        close(got[n], v, 1e-5)
    other = warm_loss(MODEL, p, q, (3.0, 5.0, 7.0))
    for n, v in dict(shp=want["shp"] / 2, lm=want["lm"] * 0.3, tr=want["tr"] * 5, reg=want["reg"] * 7000).items():
        close(other[n], v, 1e-4)
    marks = posed_landmarks(MODEL, q)[..., :2]
    got = sub_loss(MODEL, p, marks)
    lm = landmark_loss(posed_landmarks(MODEL, p)[..., :2], marks)
    assert list(got) == ["lm", "reg"]
    close(got["lm"], lm, 1e-5)
    close(got["reg"], want["reg"], 1e-5)
    close(sub_loss(MODEL, p, marks, (3.0, 5.0, 7.0))["reg"], want["reg"] * 7000, 1e-4)


def test_the_mirrored_face():
    "Vertex by vertex: the mirrored parameters pose the twins at the mirrored places."
    p = some_faces(3, turn=0.3).replace(id_coeff=torch.zeros(3, MODEL.K))
    q = mirror_params(p, True)
    twin = mirror_twins(MODEL.mean_shape)
    want = pose(MODEL, p)[:, twin] * torch.tensor([-1.0, 1, 1])
    assert (pose(MODEL, q) - want).norm(dim=-1).mean() < 0.004
    close(
        project(posed_landmarks(MODEL, q))[:, 17:],
        (project(posed_landmarks(MODEL, p)) * torch.tensor([-1.0, 1]))[:, MIRROR][:, 17:],
        0.03,
    )
    other = mirror_params(some_faces(2))
    assert torch.equal(other.id_coeff, some_faces(2).id_coeff) and torch.equal(other.exp_coeff, some_faces(2).exp_coeff)
    names = list(MODEL.exp_names)
    e = mirror_params(
        FaceParams.neutral(1).replace(exp_coeff=MODEL.expression(1, mouthLeft=0.3, eyeBlinkRight=0.7, jawOpen=0.2)),
        True,
    ).exp_coeff[0]
    for n, v in dict(mouthRight=0.3, eyeBlinkLeft=0.7, jawOpen=0.2, mouthLeft=0, eyeBlinkRight=0).items():
        close(e[names.index(n)], v, 1e-6)


def test_the_mirror_matrix_is_a_least_squares_fit():
    B = MODEL.id_basis.flatten(1).double()  # (K,3N)
    twin = (MODEL.id_basis[:, mirror_twins(MODEL.mean_shape)] * torch.tensor([-1.0, 1, 1])).flatten(1).double()
    close(mirror_matrix(), torch.linalg.solve(B @ B.T, B @ twin.T), 2e-3)
    M = mirror_matrix()
    assert (M @ M - torch.eye(MODEL.K)).abs().mean() < 0.05, "a mirror in a mirror shows the face itself, nearly"


def test_identities_in_the_mirror():
    "Mirrored coefficients make the mirrored head, nearly; the same coefficients do not."
    who = FaceParams.neutral(20).replace(id_coeff=randn(20, MODEL.K))
    there = mirror_params(who, True)
    flip, twin = torch.tensor([-1.0, 1, 1]), mirror_twins(MODEL.mean_shape)
    mirrored = MODEL.shape(who.id_coeff, who.exp_coeff)[:, twin] * flip

    def off(p):
        return float((MODEL.shape(p.id_coeff, p.exp_coeff) - mirrored).norm(dim=-1).mean())

    assert off(there) < 0.4 * off(who), (off(there), off(who))


@pytest.mark.parametrize("open_face", [True, False])
def test_a_second_look_by_hand(open_face):
    "What the network is shown, and the mean of three answers, each brought back to its place."
    x, first = rand(2, 3, 64, 64), some_faces(2)
    answers, shown = [some_faces(2, seed=5, turn=0.1), some_faces(2, seed=6, turn=0.1)], []

    def net(images):
        shown.append(images)
        return answers[len(shown) - 1]

    got = refine(net, x, first, open_face)
    to = centring(first)
    close(shown[0], move_picture(x, *to), 1e-6)
    close(shown[1], shown[0].flip(-1), 1e-6)
    back = undo(*to)
    three = [first, move_params(answers[0], *back), move_params(mirror_params(answers[1], open_face), *back)]
    R = Rotation.concatenate([Rotation.from_matrix(euler_to_matrix(q.rotation).double().numpy()) for q in three])
    for k in range(2):
        mean = R[[k, k + 2, k + 4]].mean().as_matrix()
        close(euler_to_matrix(got.rotation)[k], mean, 1e-4)
    for n in ("translation", "scale"):
        close(getattr(got, n), sum(getattr(q, n) for q in three) / 3, 1e-5)
    voices = three if open_face else three[:2]
    for n in ("id_coeff", "exp_coeff"):
        close(getattr(got, n), sum(getattr(q, n) for q in voices) / len(voices), 1e-5)


@pytest.mark.skipif(sys.platform != "linux", reason="the system says what of a file is in memory")
def test_frames_that_were_read_do_not_stay_in_memory(tmp_path):
    path = tmp_path / "frames.npy"
    np.save(path, np.arange(64, dtype=np.uint8)[:, None, None, None].repeat(128 * 128 * 3, 1).reshape(-1, 128, 128, 3))
    frames = np.load(path, mmap_mode="r")  # 3 MB

    def in_memory():  # kilobytes of the file
        maps = Path("/proc/self/smaps").read_text()
        return int(re.search(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB", maps)[1])

    assert frames.sum() and in_memory() > 3000
    pictures = LazyFrames(frames)[0:64]
    assert in_memory() < 100 and (pictures[:, 0, 0, 0] * 255).round().tolist() == list(range(64))


def test_predict_goes_through_everything_in_batches():
    "Any batch and picture size; one look is the network, two looks are `refine`; expressions are cut to 0 to 1."
    net, x = tiny_net(), rand(5, 3, 128, 128)
    with torch.no_grad():
        once = net(x)
        twice = refine(net, x, once, True)
    assert net.looks == 2 and once.exp_coeff.min() < 0
    for looks, want in ((1, once), (None, twice), (2, twice)):
        for batch in (2, 64):
            got = net.predict(x, batch, looks)
            for n in PARAM_NAMES:
                v = getattr(want, n)
                close(getattr(got, n), v.clamp(0, 1) if n == "exp_coeff" else v, 2e-4)
    big = F.interpolate(x, (256, 256), mode="nearest")
    close(net.predict(big, looks=1).rotation, once.rotation, 0.05)
    frames = (x.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    lazy = LazyFrames(frames)
    assert len(lazy) == 5 and torch.equal(
        lazy[torch.tensor([3, 1])], torch.from_numpy(frames[[3, 1]]).permute(0, 3, 1, 2) / 255.0
    )
    close(net.predict(lazy, looks=1).rotation, once.rotation, 0.02)
    other = tiny_net(K=10, L=4)
    close(other.predict(x, looks=1).exp_coeff, other(x).exp_coeff, 1e-4)


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
    assert run_command(f3a_train_regressor, "--help-all") == 0
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
        assert r.info["sha256"] == file_hash(path), "run `python experiments/regressor.py FACES` again"
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


def test_bundled_clip(clip, video, tmp_path):
    "Parameters from the regressor drop in for the fitter's, and fine-tuning brings them nearer."
    errors = {
        s: prepare_clip(video, tmp_path / s, max_frames=24, param_source=s, progress=False).meta["fit_error"]
        for s in ("regressor", "tuned")
    }
    assert clip.meta["param_source"] == "fit" and clip.meta["fit_error"] < 0.03
    assert errors["tuned"] < errors["regressor"] < 0.2 and errors["tuned"] < 0.06
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
