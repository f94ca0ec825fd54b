"Training from the command line, resuming, two models; and what needs a GPU."
import json
import numpy as np
import pytest
import torch
from conftest import run_command
from f3a_lite.generator import GeneratorConfig, load_generator
from f3a_lite.training import TrainConfig, Trainer, f3a_train


@pytest.mark.parametrize("warp", [False, True])
def test_train_command_writes_weights_and_figures_of_one_run(clip, tmp_path, warp):
    args = [clip.path, "--out", tmp_path / "r", "--size", "64", "--steps", "3", "--batch", "2"] + ["--warp"] * warp
    assert run_command(f3a_train, *args) == 0
    g, m = load_generator(tmp_path / "r" / "weights.safetensors"), json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert g.cfg.warp == warp and g.info["steps"] == 3 and len(g.info["people"][0]) == 128
    assert g.info["results"] == m["results"] and {"copy", "warp", "model", "shuffled"} <= set(m["results"]["random"])


@pytest.mark.parametrize("pairs", [0, 5])
def test_interrupted_and_resumed_is_the_same_run(clip, tmp_path, pairs):
    base = [clip.path, "--size", "64", "--steps", "4", "--batch", "2", "--pairs", pairs, "--test_pairs", "4"]
    assert run_command(f3a_train, *base, "--out", tmp_path / "a") == 0
    assert run_command(f3a_train, *base, "--out", tmp_path / "b", "--minutes", "0.00001") == 0
    assert run_command(f3a_train, *base, "--out", tmp_path / "b") == 0
    a, b = (load_generator(tmp_path / n / "weights.safetensors").state_dict() for n in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_same_seed_same_weights_other_seed_other_weights(clip):
    def run(seed):
        t = Trainer(TrainConfig(generator=GeneratorConfig(channels=(8, 8), flow_channels=(4, 4)), size=32, steps=2, batch=2, low_batch=2, seed=seed), [clip], device=torch.device("cpu"))
        t.step(); t.step(); return t.average["to_rgb.0.weight"]
    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_paper_preset_builds_and_runs_small(clip):
    cfg = TrainConfig.paper(); assert cfg.batch == 64 and cfg.lr == 1e-4 and cfg.generator.channels[-1] == 512
    assert (cfg.pairs, cfg.test_pairs, cfg.steps) == (91_000, 91_000, 56_875) and TrainConfig.voxceleb2().pairs == 840_100
    t = Trainer(TrainConfig(generator=cfg.generator, size=64, steps=1, batch=1, low_batch=1, adv_share=1.), [clip], device=torch.device("cpu"))
    assert np.isfinite(t.step())


@pytest.mark.gpu
def test_step_on_the_gpu_agrees_with_the_cpu(clip):
    if not torch.cuda.is_available(): pytest.skip("no CUDA device")
    losses = [Trainer(TrainConfig(size=64, steps=2, batch=4, low_batch=4), [clip], device=torch.device(d)).step() for d in ("cpu", "cuda")]
    assert abs(losses[0] - losses[1]) < 1e-3


@pytest.mark.gpu
def test_torch_rasteriser_on_the_gpu():
    if not torch.cuda.is_available(): pytest.skip("no CUDA device")
    from f3a_lite.morphable import FaceParams, open_model
    from f3a_lite.projection import pose, to_pixels
    from f3a_lite.rasterizer import rasterize, rasterize_torch
    m = open_model(); X = to_pixels(pose(m, FaceParams.neutral(2)), 64, 64)
    assert (rasterize_torch(X.cuda(), m.triangles.cuda(), 64, 64, True)[0].cpu() == rasterize(X, m.triangles, 64, 64, True)[0]).float().mean() > .999
