"The z-buffer at its edges, against the textbook loop and closed forms."

import numpy as np
import pytest
import torch
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import rasterize, rasterize_loop, rasterize_map


@pytest.mark.parametrize("seed", range(4))
def test_both_versions_agree_on_triangle_soup(seed):
    rng = np.random.default_rng(seed)
    v = (rng.random((90, 3)) * 60 - 10).astype(np.float32)
    v[3] = np.nan
    v[4, 2] = np.inf
    t = rng.integers(0, 90, (70, 3))
    t[5] = 7
    t[6] = [1, 2, 2]
    for cull in (False, True):
        slow = rasterize_loop(v, t, 40, 40, cull)
        fast = rasterize(v[None], t, 40, 40, cull)
        assert (slow[0] == fast[0][0].numpy()).mean() > 0.999 and np.abs(slow[1] - fast[1][0].numpy()).max() < 0.05


def test_off_screen_and_huge_triangles():
    far = np.array([[[1e9, 0, 0], [1e9, 9, 0], [1e9 + 9, 0, 0]]], np.float32)
    assert (rasterize(far, np.array([[0, 1, 2]]), 8, 8)[0] == -1).all()
    cover = np.array([[[-500, -500, 1], [900, -500, 1], [-500, 900, 1]]], np.float32)
    assert (rasterize(cover, np.array([[0, 1, 2]]), 8, 8)[0] == 0).all()


def test_back_faces_and_depth():
    v = np.array([[[0, 0, 0], [0, 9, 0], [9, 0, 0], [0, 0, 1], [9, 0, 1], [0, 9, 1]]], np.float32)
    t = np.array([[0, 1, 2], [3, 4, 5]])
    assert set(rasterize(v, t, 10, 10)[0].unique().tolist()) == {-1, 1}, "the nearer one wins, whichever way it faces"
    assert set(rasterize(v, t, 10, 10, cull=True)[0].unique().tolist()) == {-1, 0}, (
        "culled, only the one that faces the viewer is left"
    )


def test_no_triangles_no_batch():
    assert (rasterize(np.zeros((2, 3, 3), np.float32), np.zeros((0, 3), int), 5, 5)[0] == -1).all()
    assert rasterize_map(np.zeros((0, 3, 3), np.float32), np.array([[0, 1, 2]]), np.zeros((0, 3, 2), np.float32), 5, 5)[
        0
    ].shape == (0, 2, 5, 5)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1 / 3])
def test_a_closed_mesh_is_watertight(shift):
    "Front faces of a closed box of many triangles cover each pixel of its outline exactly once."
    n = 13
    g = np.stack(np.meshgrid(np.linspace(4, 28, n), np.linspace(4, 28, n)), -1).reshape(-1, 2) + shift
    v = np.concatenate([g, np.random.default_rng(0).random((len(g), 1))], 1).astype(np.float32)
    q = np.arange((n - 1) * n).reshape(n - 1, n)[:, :-1].reshape(-1)
    t = np.concatenate([np.stack([q, q + 1, q + n], -1), np.stack([q + 1, q + n + 1, q + n], -1)])
    count = sum((rasterize(v[None], t[[k]], 34, 34)[0][0] >= 0).long() for k in range(len(t)))
    assert count.max() == 1 and count.sum() == 24 * 24


def test_the_face_has_no_holes():
    m = open_model()
    p = FaceParams.neutral(2, m.K, m.L).replace(rotation=torch.tensor([[0.2, 0.5, 0], [0, -0.9, 0.2]]))
    X = to_pixels(pose(m, p), 96, 96)
    from scipy.ndimage import binary_fill_holes

    for ids in rasterize(X, m.triangles, 96, 96, True)[0]:
        s = (ids >= 0).numpy()
        assert (binary_fill_holes(s) & ~s).sum() <= 2
