"The z-buffer at its edges, against the textbook loop and closed forms."

import itertools
import numpy as np
import pytest
import torch
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import (
    interpolate,
    lambert,
    rasterize,
    rasterize_loop,
    rasterize_map,
    splat_points,
    vertex_normals,
)
from f3a_lite.synth.parts import mesh_normals
from helpers import MODEL, close


DRAW = {
    "loop": lambda v, t, H, W: rasterize_loop(v, t, H, W)[0],
    "compiled": lambda v, t, H, W: rasterize(v[None], t, H, W)[0][0].numpy(),
    "map": lambda v, t, H, W: rasterize_map(v[None], t, np.ones((1, len(v), 1)), H, W)[1][0, 0].numpy() - 1,
}


@pytest.mark.parametrize("how", DRAW)
def test_top_left_rule_on_every_edge(how):
    "A square between pixel centres, in every order of corners: top and left border are drawn, no pixel twice."
    square = np.array([[2, 2, 0], [6, 2, 0], [6, 6, 0], [2, 6, 0]], np.float32)
    want = np.zeros((9, 9), int)
    want[2:6, 2:6] = 1
    for halves in (((0, 1, 2), (0, 2, 3)), ((0, 1, 3), (1, 2, 3))):
        for a, b in itertools.product(itertools.permutations(halves[0]), itertools.permutations(halves[1])):
            count = sum((DRAW[how](square, np.array([t]), 9, 9) >= 0).astype(int) for t in (a, b))
            assert (count == want).all(), (a, b)


@pytest.mark.parametrize("how", DRAW)
def test_a_fan_around_a_pixel_centre(how):
    "Twelve triangles around one pixel centre, in edges of all directions: each pixel is drawn once."
    corner = np.array(
        [[8, 0], [6, 2], [4, 4], [2, 6], [0, 8], [-4, 4], [-8, 0], [-6, -2], [-4, -4], [0, -8], [2, -6], [4, -4]]
    )
    v = np.concatenate([[[0, 0]], corner]) + 10
    v = np.concatenate([v, np.zeros((13, 1))], 1).astype(np.float32)
    count = np.zeros((21, 21), int)
    for k in range(12):
        t = np.roll([0, k + 1, (k + 1) % 12 + 1], k)
        count += DRAW[how](v, t[None] if k % 2 else t[None, ::-1].copy(), 21, 21) >= 0
    assert count.max() == 1 and count[10, 10] == 1 and count.sum() == 128, "the area of the polygon is 128 pixels"


@pytest.mark.parametrize("cull", [False, True])
def test_barycentric_weights_give_places_back(cull):
    "Attributes that are the corners' own places come out as the pixels' places, in all three ways of drawing."
    rng = np.random.default_rng(1)
    v = (rng.random((60, 3)) * 40 - 4).astype(np.float32)
    t = rng.integers(0, 60, (40, 3))
    ids, w = rasterize_loop(v, t, 32, 32, cull)
    maps = [
        interpolate(torch.as_tensor(i)[None], torch.as_tensor(k)[None], torch.as_tensor(t), torch.as_tensor(v[None]))[0]
        for i, k in (
            (ids, w),
            [x[0] for x in rasterize(v[None], t, 32, 32, cull)],
        )
    ]
    maps.append(rasterize_map(v[None], t, v[None], 32, 32, cull)[0][0])
    y, x = np.mgrid[:32, :32]
    full = ids >= 0
    assert 200 < full.sum() < 1024
    for m in maps:
        close(m[0].numpy()[full], x[full], 0.02)
        close(m[1].numpy()[full], y[full], 0.02)
        assert (m.numpy()[:, ~full] == 0).all()
        close(m, maps[0], 0.05)


def test_of_two_triangles_at_one_depth_the_first_is_seen():
    v = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.float32)
    t = np.array([[0, 1, 2], [1, 2, 0], [0, 2, 1]])
    for how in ("loop", "compiled", "map"):
        assert DRAW[how](v, t, 8, 8).max() == 0, how


def test_vertices_are_snapped_to_the_nearest_256th():
    "An edge less than half a 256th off a column of pixels draws it; one that lies further off does not."
    for off, drawn in ((0.4, True), (0.6, False)):
        v = np.array([[3 + off / 256, 0, 0], [9, 0, 0], [3 + off / 256, 9, 0]], np.float32)
        for how in ("loop", "compiled", "map"):
            assert (DRAW[how](v, np.array([[0, 1, 2]]), 8, 8)[:5, 3] >= 0).all() == drawn, how


def test_splatted_points():
    "The nearest point of a pixel is kept, whatever the order; row is y, column is x, centres are whole numbers."
    v = np.array([[3.4, 1.6, 0], [2.6, 2.4, 5], [3, 2, 1], [-0.6, 0, 9], [np.nan, 1, 1], [5.4, 0, 0]], np.float32)
    out = splat_points(v, np.arange(1, 7)[:, None], 4, 6)[..., 0]
    want = np.zeros((4, 6))
    want[2, 3], want[0, 5] = 2, 6
    assert (out == want).all()


def test_vertex_normals_by_hand():
    "Against a loop over triangles; area-weighted, and pointing out of the head."
    v, t = MODEL.mean_shape, MODEL.triangles
    want = np.zeros((len(v), 3))
    for a, b, c in t.tolist():
        n = np.cross(v[b] - v[a], v[c] - v[a])
        for k in (a, b, c):
            want[k] += n
    got = vertex_normals(v[None], t)[0].numpy()
    some = np.linalg.norm(want, axis=1) > 1e-6
    close(got[some], want[some] / np.linalg.norm(want[some], axis=1, keepdims=True), 1e-3)
    assert got[MODEL.landmark_vertices[30], 2] > 0.5, "the tip of the nose looks at the viewer"
    close(got, mesh_normals(v.numpy(), t.numpy()), 1e-3)


def test_lambert_is_a_cosine():
    n = torch.tensor([[[0.0, 0, 1], [0, 0, -1], [0, 1, 0], [0.6, 0, 0.8]]])
    got = lambert(n, light=(0.0, 0, 2.0), ambient=0.2, albedo=(1.0, 0.5, 0.0))[0]
    close(got[:, 0], [1.0, 0.2, 0.2, 0.2 + 0.8 * 0.8], 1e-6)
    close(got[:, 1], got[:, 0] / 2, 1e-6)
    assert (got[:, 2] == 0).all()


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
