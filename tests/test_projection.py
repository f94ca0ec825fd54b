"Eq. 1's pose and Eq. 2."

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from f3a_lite.fitting import FitConfig, fit_landmarks, landmark_error
from f3a_lite.flow import render_mesh
from f3a_lite.morphable import FaceParams
from f3a_lite.projection import (
    euler_to_matrix,
    from_pixels,
    matrix_to_euler,
    nearest_rotation,
    pose,
    posed_landmarks,
    project,
    to_pixels,
)
from f3a_lite.rasterizer import rasterize
from helpers import MODEL, close, some_faces


def test_the_picture_planes_corners():
    p = torch.tensor([[-1.0, 1, 0.5], [1, -1, -0.5], [0, 0, 0]])
    close(to_pixels(p, 100, 200), [[-0.5, -0.5, 50], [199.5, 99.5, -50], [99.5, 49.5, 0]], 1e-5)
    close(from_pixels(to_pixels(p, 100, 200)[:, :2], 100, 200), p[:, :2], 1e-6)


def test_rotations_as_scipy_has_them():
    g = torch.Generator().manual_seed(0)
    r = (torch.rand(100, 3, generator=g) * 2 - 1) * torch.tensor([3.0, 1.5, 3.0])
    R = euler_to_matrix(r)
    close(R, Rotation.from_euler("XYZ", -r.numpy()).as_matrix(), 1e-5)
    close(matrix_to_euler(R), r, 2e-3)
    lock = torch.tensor([[0.3, np.pi / 2, 0.2], [-0.4, -np.pi / 2, 0.1]])
    again = matrix_to_euler(euler_to_matrix(lock))
    close(euler_to_matrix(again), euler_to_matrix(lock), 1e-3)
    assert (again[:, 2] == 0).all()


def test_the_nearest_rotation_is_scipys():
    "Wahba's problem: points turned by a known rotation, with noise and with a reflection in the data."
    rng = np.random.default_rng(0)
    for k in range(10):
        a = rng.normal(size=(20, 3))
        b = Rotation.random(random_state=k).apply(a) + 0.3 * rng.normal(size=a.shape)
        if k % 2:
            b[:, 2] *= -1
        M = torch.as_tensor(b.T @ a)
        R = nearest_rotation(M)
        close(R, Rotation.align_vectors(b, a)[0].as_matrix(), 1e-6)
        assert torch.det(R) > 0.999
    close(nearest_rotation(torch.stack([M, 2 * M])), torch.stack([R, R]), 1e-6)


def test_eq_1_by_hand():
    "A loop in float64: basis by basis, matrix by scipy, scale, shift."
    p = some_faces(3)
    for k in range(3):
        X = MODEL.mean_shape.double()
        for j in range(MODEL.K):
            X = X + p.id_coeff[k, j].double() * MODEL.id_basis[j].double()
        for j in range(MODEL.L):
            X = X + p.exp_coeff[k, j].double() * MODEL.exp_basis[j].double()
        R = Rotation.from_euler("XYZ", -p.rotation[k].double().numpy())
        want = float(p.scale[k]) * R.apply(X.numpy()) + p.translation[k].double().numpy()
        close(pose(MODEL, p)[k], want, 1e-4)


def test_eq_2_drops_the_depth():
    X = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    X.requires_grad_(True)
    assert torch.equal(project(X), X[..., :2]) and torch.equal(project(X.double()), X.double()[..., :2])
    project(X).sum().backward()
    assert torch.equal(X.grad, torch.tensor([1.0, 1, 0]).expand(2, 5, 3))


def test_landmarks_are_projected_by_eq_2(monkeypatch):
    "What is compared with tracked points went through `project`: a projection that looks away is noticed everywhere."
    from f3a_lite import conditions, fitting, regressor

    asked = []
    for m in (conditions, fitting, regressor):

        def seen(x, name=m.__name__):
            asked.append(name)
            return project(x)

        monkeypatch.setattr(m, "project", seen)
    p = some_faces(2)
    marks = project(posed_landmarks(MODEL, p))
    assert landmark_error(MODEL, p, marks).max() < 1e-6
    fit_landmarks(MODEL, marks, cfg=FitConfig(steps=1))
    regressor.warm_loss(MODEL, p, p)
    regressor.sub_loss(MODEL, p, marks)
    frames = conditions.Frames(p)
    conditions.make_condition("landmarks", MODEL, frames, frames, 16)
    assert {n: asked.count(n) for n in set(asked)}["f3a_lite.regressor"] == 3
    assert {"f3a_lite.fitting", "f3a_lite.conditions"} <= set(asked)


def test_landmarks_follow_the_outline():
    "A turned face has other jaw vertices than a frontal one, and the same inner points; already posed is posed."
    p = FaceParams.neutral(3).replace(rotation=torch.tensor([[0, 0, 0], [0, 0.5, 0], [0, -0.5, 0.0]]))
    X = pose(MODEL, p)
    lm = posed_landmarks(MODEL, p)
    close(posed_landmarks(MODEL, p, X), lm, 0)
    assert torch.equal(lm[:, 17:], X[:, MODEL.landmark_vertices[17:]])
    plain = X[:, MODEL.landmark_vertices[:17]]
    assert (lm[0, :17] - plain[0]).norm(dim=-1).mean() < 0.02 < (lm[1:, :17] - plain[1:]).norm(dim=-1).mean()
    ids, _ = rasterize(to_pixels(X, 128, 128), MODEL.triangles, 128, 128, cull=True)
    for k, far in (
        (1, range(1, 5)),
        (2, range(12, 16)),
    ):  # the side that turns away shows its outline where the background begins
        at = to_pixels(lm[k, list(far)], 128, 128).round().long()
        near = [(ids[k, y - 4 : y + 5, x - 4 : x + 5] < 0).any() for x, y, _ in at.tolist()]
        assert np.mean([bool(n) for n in near]) > 0.7


def test_rendered_meshes_stand_upright():
    "The picture's mask is the mesh's outline, lit from the right and above, the eyes over the mouth."
    pictures, mask = render_mesh(
        MODEL, FaceParams.neutral(1, scale=0.5).replace(translation=torch.tensor([[0.3, 0.2, 0]])), 96
    )
    ys, xs = torch.nonzero(mask[0, 0], as_tuple=True)
    want = to_pixels(
        pose(MODEL, FaceParams.neutral(1, scale=0.5).replace(translation=torch.tensor([[0.3, 0.2, 0]]))), 96, 96
    )[0]
    close([float(xs.min()), float(xs.max())], [float(want[:, 0].min()), float(want[:, 0].max())], 1.5)
    close([float(ys.min()), float(ys.max())], [float(want[:, 1].min()), float(want[:, 1].max())], 1.5)
    lm = to_pixels(posed_landmarks(MODEL, FaceParams.neutral(1, scale=0.5)), 96, 96)[0]
    assert lm[36:48, 1].mean() < lm[48:, 1].mean() and lm[36, 0] < lm[45, 0]
    assert (pictures[0][:, ~mask[0, 0]] == 0).all() and pictures.max() <= 1
