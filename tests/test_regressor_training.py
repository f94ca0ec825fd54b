"The regressor's training."

import copy
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from f3a_lite.core import F3AError
from f3a_lite.diagrams import draw_encoder, draw_manipulation, draw_streams, draw_two_stages
from f3a_lite.generator import Generator, GeneratorConfig
from f3a_lite.projection import posed_landmarks, project
from f3a_lite.regressor import Regressor, RegressorConfig, warm_loss
from f3a_lite.regressor_training import RegressorTrainer, RegressorTraining, regressor_lr
from f3a_lite.synth.rendered import render_set
from helpers import MODEL
from helpers import close


def test_the_learning_rate_by_hand():
    "Fifty steps up, a cosine to a hundredth; in the second phase the same from a tenth."
    cfg = RegressorTraining(steps=1000, sub_steps=400, lr=1.0)

    def lr(k):
        return regressor_lr(cfg, k)

    close(
        [lr(0), lr(24), lr(500), lr(1000 - 1)],
        [0.02, 0.5 * (0.01 + 0.99 * 0.5 * (1 + np.cos(0.024 * np.pi))), 0.01 + 0.99 * 0.5, 0.01],
        1e-4,
    )
    close([lr(1000), lr(1200), lr(1399)], [0.002, 0.1 * (0.01 + 0.99 * 0.5), 0.001], 1e-4)
    paper = RegressorTraining.paper()
    assert (paper.lr, paper.batch, paper.betas, paper.steps) == (1e-4, 256, (0.9, 0.999), 20 * 122450 // 256)
    assert RegressorTraining.lite(steps=7).steps == 7


def test_a_training_step_by_hand(tmp_path):
    "The loss of the phase, each part of the network with its own rate, and the average that follows the weights."
    faces = render_set(tmp_path, 6, size=128, progress=False)
    clip = SimpleNamespace(
        found=np.array([False, True, True]),
        landmarks=project(posed_landmarks(MODEL, faces.params[:3])),
        images=lambda j: faces.images([j]),
    )
    cfg = RegressorTraining(
        net=RegressorConfig(base=4, hidden=16), steps=2, sub_steps=2, batch=4, shp=10.0, fc1_lr=0.25, ema=0.9
    )
    t = RegressorTrainer(cfg, faces, [clip], device=torch.device("cpu"))
    a, b = t.batch(0), t.batch(0)
    assert (
        torch.equal(a[0], b[0]) and torch.equal(a[1].rotation, b[1].rotation) and not torch.equal(a[0], t.batch(1)[0])
    )
    net = copy.deepcopy(t.net).train()
    net.norm.eval()
    terms = warm_loss(MODEL, net(a[0]), a[1], shp=10.0)
    row = t.step()
    for n in ("shp", "lm", "tr", "reg"):
        close(row[n], round(float(terms[n].detach()), 5), 2e-5)
    close(row["total"], float(sum(terms.values()).detach()), 5e-5)
    groups = t.optimisers["regressor"].param_groups
    rates = {g["factor"]: g["lr"] for g in groups}
    close([rates[1.0], rates[0.25]], [regressor_lr(cfg, 0), regressor_lr(cfg, 0) / 4], 1e-9)
    assert [p is t.net.fc1.weight or p is t.net.fc1.bias for p in groups[1]["params"]] == [True, True]
    assert t.net.training and not t.net.norm.training, "the last norm keeps its statistics"
    t.step()
    assert "shp" not in t.step() and len(t.batch(2)) == 2 and t.batch(2)[1].shape == (4, 68, 2)
    with pytest.raises(F3AError, match="warm-up"):
        RegressorTrainer(cfg)
    with pytest.raises(F3AError, match="prepared clips"):
        RegressorTrainer(cfg, faces)


@pytest.mark.parametrize("middle", [12, 20])
def test_drawings_show_the_shapes_that_modules_have(middle):
    "Figures 4 and 5 say of every scale what the modules give, and follow a change of the channels."
    net = Generator(GeneratorConfig(channels=(8, middle, 16), flow_channels=(4, 6, 8), grows=1)).eval()
    figures = draw_streams(net, 32), draw_manipulation(net, 1, 32)
    streams, module = ([text.get_text() for text in figure.axes[0].texts] for figure in figures)
    assert sum(f"\n{middle} × 16 × 16" in text for text in streams) == 3  # h_enc, h_dec and h_out
    assert sum("\n16 × 8 × 8" in text for text in streams) == 2 and sum(text == "DeConv" for text in streams) == 2
    assert any(f"DeConv 4 × 4, {middle} → 8\n8 × 32 × 32" == text for text in module)


@pytest.mark.parametrize("base", [4, 6])
def test_the_two_stages_and_the_regressor_are_drawn_as_they_are(base):
    "The first and the last scale by hand: 128 pixels halved six times, channels doubled five times."
    net = Generator(GeneratorConfig(channels=(base, 12, 16), flow_channels=(base + 1, 6, 8), grows=1)).eval()
    texts = [text.get_text() for text in draw_two_stages(net, MODEL, 32).axes[0].texts]
    assert f"$h_{{\\mathrm{{enc}}}}$, 3 scales\n{base} × 32 × 32 …" in texts
    assert f"$h_{{\\mathrm{{flow}}}}$, 3 scales\n{base + 1} × 32 × 32 …" in texts
    words = [text.get_text() for text in draw_encoder(Regressor(RegressorConfig(base=base, hidden=32))).axes[0].texts]
    assert words[0] == "3\n128²" and words[1] == f"{base}\n64²" and words[-2] == f"{32 * base}\n2²"
    assert words[-1].startswith("→ 32 → 138 numbers")
