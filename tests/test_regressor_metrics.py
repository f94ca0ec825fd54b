"Errors of the regressor."

import copy
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from f3a_lite.core import F3AError
from f3a_lite.morphable import FaceParams
from f3a_lite.projection import euler_to_matrix, matrix_to_euler, posed_landmarks, project
from f3a_lite.regressor import (
    Regressor,
    RegressorConfig,
    angle_difference,
    jitter,
    pose_error_between_models,
    regress_clip,
    sub_loss,
    variance_share,
)
from f3a_lite.regressor_metrics import evaluate_rendered, loss_shares, pose_error, rotation_angle
from f3a_lite.data.estimation import finetune
from f3a_lite.regressor_training import wake
from helpers import MODEL, rand, randn, tiny_net
from helpers import close, some_faces


def test_angles():
    a = torch.tensor([[179.0, 10, -90], [0, 0, 0]]) * np.pi / 180
    b = torch.tensor([[-179.0, 15, 90], [1, 2, 3]]) * np.pi / 180
    close(angle_difference(a, b), [[2, 5, 180], [1, 2, 3]], 1e-3)
    close(pose_error(SimpleNamespace(rotation=a), SimpleNamespace(rotation=b)), [1.5, 3.5, 91.5], 1e-3)
    p, q = randn(20, 3), randn(20, 3, seed=1)
    turns = [Rotation.from_euler("XYZ", -r.numpy()) for r in (p, q)]
    close(rotation_angle(p, q), np.degrees((turns[0] * turns[1].inv()).magnitude()), 0.1)


def test_one_constant_rotation_between_models():
    "Leaving one out, by hand with scipy; the image that is judged has no say in the rotation that is removed."
    ann = randn(8, 3) * 0.3
    C = euler_to_matrix(torch.tensor([[0.2, -0.1, 0.05]]))
    pred = matrix_to_euler(euler_to_matrix(ann) @ C)
    assert pose_error_between_models(pred, ann).max() < 0.1
    pred = pred.clone()
    pred[2, 1] += 0.3
    e = pose_error_between_models(pred, ann)
    P, A = (euler_to_matrix(v).double().numpy() for v in (pred, ann))
    for k in range(8):
        rest = [j for j in range(8) if j != k]
        mean = Rotation.from_matrix(np.stack([A[j].T @ P[j] for j in rest])).mean().as_matrix()
        want = matrix_to_euler(torch.as_tensor(P[k] @ mean.T)[None])[0] - ann[k]
        close(e[k], np.degrees(np.abs(want.numpy())), 0.1)
    assert e[2].max() > 14


def test_the_share_of_the_variance():
    "Answers half as far from their mean have a quarter of the variance; one answer for all has none."
    t = some_faces(50)
    half = t.replace(id_coeff=t.id_coeff / 2 + 1, rotation=t.rotation.mean(0, keepdim=True).expand(50, -1))
    got = variance_share(half, t)
    assert list(got) == ["id_coeff", "exp_coeff", "rotation"]
    close(list(got.values()), [0.25, 1, 0], 1e-5)


def test_jitter_and_shares_by_hand():
    base = project(posed_landmarks(MODEL, FaceParams.neutral()))
    t = torch.arange(7.0)[:, None, None]
    eye = (base[0, 36] - base[0, 45]).norm()
    close(jitter(base + 0.02 * t), 0.0, 1e-5)
    close(jitter(base + torch.tensor([0.01, 0]) * t**2), 0.02 / eye, 1e-5)
    log = [dict(step=k, shp=1.0, lm=2.0, tr=3.0, reg=4.0, total=10.0 + (k >= 20) * 10) for k in range(30)] + [
        dict(step=1000, lm=1.0, reg=1.0, total=2.0)
    ]
    close(list(loss_shares(log)[0].values()), [0.1, 0.2, 0.3, 0.4], 1e-9)
    assert list(loss_shares(log)) == [0] and list(loss_shares(log, (0, 20))) == [0, 20]
    close(loss_shares(log, (20,))[20]["reg"], 0.2, 1e-9)


def test_evaluation_with_a_network_that_errs_by_a_known_amount():
    t = some_faces(120, turn=0.5)
    asked = []

    def predict(x, looks=None):
        asked.append((len(x), looks))
        k = x[:, 0, 0, 0].long()
        return t[k].replace(rotation=t.rotation[k] + torch.tensor([0.01, 0.02, 0.03]))

    faces = SimpleNamespace(params=t, images=lambda i: torch.as_tensor(i).view(-1, 1, 1, 1).float().expand(-1, 3, 4, 4))
    faces = type("Set", (), dict(params=t, images=staticmethod(faces.images), __len__=lambda s: 120))()
    r = evaluate_rendered(SimpleNamespace(predict=predict), faces, looks=3)
    close([r["pitch"], r["yaw"], r["roll"], r["pose"]], np.degrees([0.01, 0.02, 0.03, 0.02]), 1e-3)
    assert r["pictures"] == 120 and sum(n for n, _ in asked) == 120 and {k for _, k in asked} == {3}
    shifted = t.replace(rotation=t.rotation + torch.tensor([0.01, 0.02, 0.03]))
    straight = posed_landmarks(MODEL, t.replace(rotation=torch.zeros(120, 3)))
    unit = (straight[:, 36] - straight[:, 45]).norm(dim=-1)
    e = (project(posed_landmarks(MODEL, shifted)) - project(posed_landmarks(MODEL, t))).norm(dim=-1).mean(1) / unit
    close([r["points"], r["points_median"]], [float(e.mean()), float(e.median())], 1e-5)
    yaw = t.rotation[:, 1].abs() * 180 / np.pi
    assert (yaw > 45).any() and (yaw > 60).any()
    close(r["points_frontal"], e[yaw < 45].mean(), 1e-5)
    close(r["turn"], rotation_angle(shifted.rotation, t.rotation).mean(), 1e-3)
    assert evaluate_rendered(SimpleNamespace(predict=predict), faces, n=30)["pictures"] == 30


def test_a_clips_identity_is_the_mean_of_the_found_frames():
    p = some_faces(4)
    net = SimpleNamespace(predict=lambda x, looks: p.replace(scale=p.scale * (looks or 1)))
    got = regress_clip(net, [0] * 4, [1, 0, 1, 0])
    close(got.id_coeff, p.id_coeff[[0, 2]].mean(0).expand(4, -1), 1e-6)
    assert torch.equal(got.rotation, p.rotation) and torch.equal(regress_clip(net, [0] * 4, looks=3).scale, 3 * p.scale)
    close(regress_clip(net, [0] * 4).id_coeff, p.id_coeff.mean(0).expand(4, -1), 1e-6)


def test_fine_tuning_learns_the_found_frames_and_leaves_the_network():
    net, x = tiny_net(), rand(6, 3, 128, 128)
    marks = project(posed_landmarks(MODEL, some_faces(6, turn=0.1)))
    marks[2] = float("nan")
    found = [True, True, False, True, True, True]
    before = copy.deepcopy(net.state_dict())
    new = finetune(net, x, marks, found, steps=30, batch=4, lr=5e-3)
    ok = torch.tensor(found)

    def loss(n):
        with torch.no_grad():
            return float(sub_loss(MODEL, n(x[ok]), marks[ok])["lm"])

    assert loss(new) < 0.9 * loss(net) and new.looks == 1 and net.looks == 2
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(new.norm.running_mean, net.norm.running_mean), "statistics stay as they are"
    with pytest.raises(F3AError, match="at least one frame"):
        finetune(net, x, marks, [False] * 6)


def test_a_training_begins_with_every_unit_awake_and_the_mean_face():
    net, x = Regressor(RegressorConfig(base=4, hidden=32)).eval(), rand(8, 3, 128, 128)
    with torch.no_grad():
        net.fc1.bias[:5] = -100.0
    wake(net, x)
    with torch.no_grad():
        answers = net.norm(net.fc1(net.features(x).flatten(1)))
    close(answers.mean(0), torch.zeros(answers.shape[1]), 0.02)
    assert (answers > 0).any(0).all() and (net(x).rotation == 0).all()
