"The landmark fit."

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
import f3a_lite.fitting as fitting_module
from f3a_lite.core import F3AError
from f3a_lite.fitting import (
    FitConfig,
    _fit_loss,
    _params,
    _usable,
    fit_landmarks,
    gaze_units,
    initial_pose,
    landmark_error,
    landmark_model,
    landmark_weights,
)
from f3a_lite.morphable import FaceParams
from f3a_lite.projection import posed_landmarks, project
from helpers import MODEL, close, some_faces


def test_a_cut_down_model_is_the_same_model():
    small, p = landmark_model(MODEL), some_faces(4)
    assert len(small.mean_shape) < 300
    close(posed_landmarks(small, p), posed_landmarks(MODEL, p), 1e-5)


def test_weights_of_the_points():
    w = landmark_weights(FitConfig(jaw=2.0, eyes=3.0, mouth=4.0))
    assert w.tolist() == [2.0] * 17 + [1.0] * 19 + [3.0] * 12 + [4.0] * 20


def test_the_start_is_the_similarity():
    "The mean face, scaled, rolled and shifted, is found exactly; a turned head gets the right yaw."
    n = 9
    roll, scale = torch.linspace(-0.7, 0.7, n), torch.linspace(0.3, 0.8, n)
    place = torch.stack([torch.linspace(-0.2, 0.2, n), torch.linspace(0.1, -0.1, n), torch.zeros(n)], 1)
    p = FaceParams.neutral(n).replace(
        rotation=torch.stack([0 * roll, 0 * roll, roll], 1), scale=scale, translation=place
    )
    r, t, s = initial_pose(MODEL, posed_landmarks(MODEL, p)[..., :2])
    close(r, torch.stack([0 * roll, 0 * roll, roll], 1), 0.003)
    close(s, scale, 1e-4)
    close(t, place, 1e-4)
    yaw = torch.tensor([-0.5, -0.25, 0.25, 0.5])
    turned = FaceParams.neutral(4).replace(rotation=torch.stack([0 * yaw, yaw, 0 * yaw], 1))
    r, _, s = initial_pose(MODEL, posed_landmarks(MODEL, turned)[..., :2])
    close(r[:, 1], yaw, 0.2)
    close(s, turned.scale, 0.005)


def test_the_fits_loss_by_hand():
    "Term by term, with plain loops."
    g = torch.Generator().manual_seed(0)
    T, cfg, unit = (
        3,
        FitConfig(ridge_id=0.1, sparse_exp=0.2, smooth_exp=0.3, smooth_pose=0.4, softness=0.05),
        torch.tensor(0.5),
    )
    d, w = torch.randn(T, 68, 2, generator=g), torch.rand(T, 68, generator=g)
    u = dict(
        id=torch.randn(1, 4, generator=g),
        exp=torch.randn(T, 5, generator=g),
        rot=torch.randn(T, 3, generator=g),
        trans=torch.randn(T, 2, generator=g),
        log=torch.randn(T, generator=g),
    )
    points = 0.0
    for k in range(T):
        for i in range(68):
            for c in range(2):
                points += float(w[k, i]) * ((float(d[k, i, c]) ** 2 + 0.05**2) ** 0.5 - 0.05)
    want = points / (float(w.sum()) * 2) + 0.1 * float((u["id"] ** 2).sum()) + 0.2 * float(u["exp"].abs().sum()) / T
    close(
        _fit_loss(
            d[:1],
            {k: v[:1] for k, v in u.items()},
            w[:1],
            torch.ones(0),
            unit,
            FitConfig(ridge_id=0, sparse_exp=0, softness=0.05),
        ),
        sum(float(w[0, i]) * ((float(d[0, i, c]) ** 2 + 0.05**2) ** 0.5 - 0.05) for i in range(68) for c in range(2))
        / (2 * float(w[0].sum())),
        1e-5,
    )
    near = [1.0, 0.25]  # the second step goes over a gap of two frames
    for k in range(T - 1):
        step = {n: v[k + 1] - v[k] for n, v in u.items() if n != "id"}
        want += near[k] * 0.3 * float((step["exp"] ** 2).sum()) / T
        motion = (step["rot"] ** 2).sum() + 0.1 * ((step["trans"] / unit) ** 2).sum() + step["log"] ** 2
        want += near[k] * 0.4 / T * float(motion)
    close(_fit_loss(d, u, w, torch.tensor(near), unit, cfg), want, 1e-4)


def head_error(a, b, front):
    "Mean distance, dm, between the heads of two identities, brought to one place and size."
    keep = MODEL.mean_shape[:, 2] > (0.1 if front else -9)
    heads = [MODEL.shape(p.id_coeff[:1], torch.zeros(1, MODEL.L))[0][keep] for p in (a, b)]
    heads = [x - x.mean(0) for x in heads]
    size = heads[1].norm() / heads[0].norm()
    return float((heads[0] * size - heads[1]).norm(dim=-1).mean())


@pytest.fixture(scope="module")
def case():
    "A clip of known parameters, its landmarks, and the fit to them."
    g = torch.Generator().manual_seed(0)
    T, s = 40, torch.linspace(0, 6.28, 40)
    truth = FaceParams.neutral(T, MODEL.K, MODEL.L, 0.6).replace(
        id_coeff=(0.7 * torch.randn(1, MODEL.K, generator=g)).expand(T, -1),
        rotation=torch.stack([0.15 * s.sin(), 0.4 * (2 * s).sin(), 0.1 * s.cos()], 1),
        exp_coeff=MODEL.expression(T, jawOpen=0.3 * (1 + s.cos()), mouthSmile=0.5),
    )
    marks = posed_landmarks(MODEL, truth)[..., :2]
    return truth, marks, fit_landmarks(MODEL, marks)


def test_known_parameters_are_found(case):
    "Points, pose, scale, jaw; one identity for all frames, nearer to the truth than the mean face."
    truth, marks, fit = case
    assert landmark_error(MODEL, fit, marks).mean() < 0.003
    degrees = (fit.rotation - truth.rotation).abs().mean(0) * 180 / np.pi
    assert (degrees < torch.tensor([1.5, 1.5, 0.5])).all(), degrees
    assert (fit.scale / truth.scale - 1).abs().max() < 0.05 and (fit.translation - truth.translation).abs().max() < 0.03
    jaw = MODEL.unit("jawOpen")[0]
    assert np.corrcoef(fit.exp_coeff[:, jaw], truth.exp_coeff[:, jaw])[0, 1] > 0.97
    assert (fit.id_coeff == fit.id_coeff[:1]).all() and fit.exp_coeff.min() >= 0 and fit.exp_coeff.max() <= 1
    mean = FaceParams.neutral()
    assert head_error(fit, truth, True) < 0.4 * head_error(mean, truth, True), (
        "the front of the head, where the points are, is found"
    )
    assert (
        0.4 * head_error(mean, truth, False) < head_error(fit, truth, False) < 0.85 * head_error(mean, truth, False)
    ), "the rest hardly"


def test_frames_without_landmarks_have_no_say(case):
    "Landmarks of a wide open mouth: where they count the jaw opens, where they do not it stays shut."
    truth, marks, _ = case
    wide = marks.clone()
    jaw = MODEL.unit("jawOpen")[0]
    assert truth.exp_coeff[20, jaw] < 0.01
    wide[20] = project(posed_landmarks(MODEL, truth[20].replace(exp_coeff=MODEL.expression(1, jawOpen=1.0))))[0]
    found = torch.arange(len(marks)) != 20
    opened = {
        n: float(fit_landmarks(MODEL, wide, f, FitConfig(steps=120)).exp_coeff[20, jaw])
        for n, f in (("counts", None), ("not", found))
    }
    assert opened["counts"] > 0.5 > 0.2 > opened["not"], opened


@pytest.mark.parametrize("people", [1, 2])
def test_a_long_clip_is_fitted_in_stretches(case, monkeypatch, people):
    "The parameters of all frames at once; of what the gradients need, only a part is kept."
    marks, group = case[1], None if people == 1 else torch.arange(40) % people
    cfg = FitConfig(steps=20, smooth_exp=0.1 * (people == 1), smooth_pose=0.1 * (people == 1))
    fits, kept = [], []
    for stretch in (40, 7):
        monkeypatch.setattr(fitting_module, "STRETCH", stretch)
        numbers = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: numbers.append(x.numel()) or x, lambda x: x):
            fits.append(fit_landmarks(MODEL, marks, cfg=cfg, group=group))
        kept.append(sum(numbers))
    for name in ("id_coeff", "exp_coeff", "rotation", "translation", "scale"):
        close(getattr(fits[1], name), getattr(fits[0], name), 1e-4)
    assert kept[1] < 0.5 * kept[0], kept
    monkeypatch.setattr(fitting_module, "STRETCH", 40)
    whole = landmark_error(MODEL, fits[0], marks)
    monkeypatch.setattr(fitting_module, "STRETCH", 7)
    close(landmark_error(MODEL, fits[0], marks), whole, 1e-6)


def test_several_people_are_fitted_as_each_alone(case):
    "One call for the frames of three people in any order, against a call for each: the same faces."
    _, marks, _ = case
    marks = torch.cat([marks[:6], marks[:2] * 0.7])  # one of them smaller
    group, cfg = torch.tensor([0, 2, 0, 2, 2, 0, 1, 1]), FitConfig(steps=60, smooth_exp=0.0, smooth_pose=0.0)
    together = fit_landmarks(MODEL, marks, cfg=cfg, group=group)
    for k in range(3):
        alone, mine = fit_landmarks(MODEL, marks[group == k], cfg=cfg), together[group == k]
        for name in ("id_coeff", "exp_coeff", "rotation", "translation", "scale"):
            assert torch.allclose(getattr(mine, name), getattr(alone, name), atol=2e-4), (k, name)
    assert not torch.allclose(together.id_coeff[0], together.id_coeff[1], atol=0.05)


@pytest.mark.parametrize(
    "group,more,said",
    [
        ([0, 0, 2], {}, "without a gap"),
        ([0, 1], {}, "each of 3 frames"),
        ([0, -1, 1], {}, "whole numbers from 0"),
        ([0.0, 1.0, 1.0], {}, "whole numbers from 0"),
        ([0, 1, 1], dict(cfg=FitConfig(steps=1)), "without smoothing"),
        ([0, 1, 1], dict(unit=0.3), "from their landmarks alone"),
        ([0, 1, 1], dict(identity=torch.zeros(1, MODEL.K)), "from their landmarks alone"),
    ],
)
def test_whose_frames_must_be_told(case, group, more, said):
    with pytest.raises(F3AError, match=said):
        more = dict(dict(cfg=FitConfig(steps=1, smooth_exp=0.0, smooth_pose=0.0)), **more)
        fit_landmarks(MODEL, case[1][:3], group=torch.tensor(group), **more)


@pytest.mark.parametrize("read", [False, True])
def test_one_frame_is_at_the_bottom_of_its_loss(case, read):
    "Against scipy's minimiser, which starts at our answer and has the slopes of torch: it finds hardly less."
    _, marks, _ = case
    m, points = (
        landmark_model(MODEL),
        marks[7:8] + 0.004 * torch.randn(1, 68, 2, generator=torch.Generator().manual_seed(1)),
    )
    prior = MODEL.expression(1, jawOpen=0.6, eyeLookInLeft=0.3) if read else None
    fit = fit_landmarks(MODEL, points, exp_prior=prior)
    gaze = gaze_units(MODEL)
    assert torch.equal(fit.exp_coeff[:, gaze], prior[:, gaze] if read else torch.zeros(1, len(gaze)))
    weights = landmark_weights(FitConfig())[None]
    unit = (points[0, 36] - points[0, 45]).norm()
    shapes = dict(id=(1, m.K), exp=(1, m.L), rot=(1, 3), trans=(1, 2), log=(1,))
    sizes = [int(np.prod(v)) for v in shapes.values()]

    def loss_of(x):
        x = torch.tensor(x, dtype=torch.float32, requires_grad=True)
        u = {k: v.view(shapes[k]) for k, v in zip(shapes, x.split(sizes))}
        d = (project(posed_landmarks(m, _params(u, m, 1))) - points) / unit
        loss = _fit_loss(d, u, weights, torch.ones(0), unit, FitConfig())
        if read:
            loss = loss + FitConfig().pull * (u["exp"] - prior).square().sum()
        loss.backward()
        return loss.item(), x.grad.double().numpy()

    own = [fit.id_coeff / m.id_std, fit.exp_coeff, fit.rotation, fit.translation[:, :2], fit.scale.log()]
    x = torch.cat([v.flatten() for v in own]).double().numpy()
    bounds = [(None, None)] * len(x)
    for k in range(m.L):
        bounds[m.K + k] = (x[m.K + k],) * 2 if k in gaze else (0, 1)
    judge = minimize(loss_of, x, jac=True, method="L-BFGS-B", bounds=bounds, options=dict(maxiter=3000, maxfun=4000))
    assert loss_of(x)[0] < 1.01 * judge.fun and loss_of(x * 0.98)[0] > 1.01 * judge.fun


def test_a_known_identity_and_a_known_start(case):
    truth, marks, _ = case
    got = fit_landmarks(MODEL, marks, cfg=FitConfig(steps=60), identity=truth.id_coeff[:1], start=truth)
    assert torch.equal(got.id_coeff, truth.id_coeff) and (got.rotation - truth.rotation).abs().max() < 0.08
    assert landmark_error(MODEL, got, marks).mean() < 0.02
    one = fit_landmarks(MODEL, marks[3:4], identity=truth.id_coeff[:1])
    assert torch.equal(one.id_coeff, truth.id_coeff[:1]) and landmark_error(MODEL, one, marks[3:4]) < 0.005


def test_landmark_error_by_hand():
    "All points off by a known distance, over the outer-eye distance; and over a unit that is given."
    p = some_faces(3)
    marks = posed_landmarks(MODEL, p)[..., :2]
    eye = (marks[:, 36] - marks[:, 45]).norm(dim=-1).median()
    off = marks + torch.tensor([0.03, 0.04])
    close(landmark_error(MODEL, p, off), torch.full((3,), 0.05) / eye, 1e-4)
    close(landmark_error(MODEL, p, off, torch.tensor([1.0, 2, 0.5])), [0.05, 0.025, 0.1], 1e-4)


def test_landmarks_that_cannot_be_a_face():
    good = posed_landmarks(MODEL, FaceParams.neutral(4))[..., :2]
    marks, ok, unit = _usable(good.numpy(), np.array([1, 1, 0, 1], bool))
    assert ok.tolist() == [1, 1, 0, 1]
    close(unit, (good[0, 36] - good[0, 45]).norm(), 1e-6)
    for bad, word in ((good[0], "shape"), (good * float("nan"), "finite"), (good * 0, "no face")):
        with pytest.raises(F3AError, match=word):
            _usable(bad, None)
