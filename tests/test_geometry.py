"Rasteriser, projection, flow, fitting and rendered faces against closed forms, plain loops and scipy."

import itertools
import shutil
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation
from f3a_lite.synth import looks
from f3a_lite.synth import parts
from f3a_lite.synth import rendered_clips
from f3a_lite.synth import rendered
from f3a_lite.synth import skin
from f3a_lite import flow as flow_module
from f3a_lite.synth import people
from f3a_lite.synth.open_model import (
    MIRROR,
    align_heads,
    head_vertices,
    identity_basis,
    load_anny,
    mark_brows_and_eyes,
    place_model_landmarks,
    random_heads,
)
from f3a_lite.core import F3AError
from f3a_lite.fitting import (
    FitConfig,
    _fit_loss,
    _usable,
    fit_landmarks,
    initial_pose,
    landmark_error,
    landmark_model,
    landmark_weights,
)
from f3a_lite.flow import (
    FLOW_SCALE,
    add_noise,
    extend_flow,
    facial_flow,
    interpolate_params,
    reenact,
    render_mesh,
    warp_along,
    warp_by_flow,
)
from f3a_lite.morphable import FaceParams, PARAM_NAMES, open_model
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
from f3a_lite.rasterizer import (
    interpolate,
    lambert,
    rasterize,
    rasterize_loop,
    rasterize_map,
    splat_points,
    vertex_normals,
)

MODEL = open_model()


def close(a, b, eps):
    "Whether two arrays agree to `eps`, and by how much they do not."
    a, b = (x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (a, b))
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    gap = np.abs(a.astype(float) - b.astype(float)).max() if a.size else 0
    assert gap <= eps, f"differs by {gap}"


def some_faces(n, seed=0, turn=0.4):
    "Faces that use every parameter."
    g = torch.Generator().manual_seed(seed)
    translation = 0.1 * torch.randn(n, 3, generator=g)
    translation[:, 2] = 0
    return FaceParams(
        torch.randn(n, MODEL.K, generator=g),
        torch.rand(n, MODEL.L, generator=g) * 0.3,
        turn * torch.randn(n, 3, generator=g),
        translation,
        0.5 + 0.2 * torch.rand(n, generator=g),
    )


# rasterizer

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
    close(got, rendered._normals(v.numpy(), t.numpy()), 1e-3)


def test_lambert_is_a_cosine():
    n = torch.tensor([[[0.0, 0, 1], [0, 0, -1], [0, 1, 0], [0.6, 0, 0.8]]])
    got = lambert(n, light=(0.0, 0, 2.0), ambient=0.2, albedo=(1.0, 0.5, 0.0))[0]
    close(got[:, 0], [1.0, 0.2, 0.2, 0.2 + 0.8 * 0.8], 1e-6)
    close(got[:, 1], got[:, 0] / 2, 1e-6)
    assert (got[:, 2] == 0).all()


# projection


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


# flow


def landmark_places(params, size):
    "Pixels (68,2) of the landmarks of one face."
    return to_pixels(posed_landmarks(MODEL, params), size, size)[0, :, :2].round().long()


def test_the_flow_at_a_landmark_is_its_motion():
    "At the nose, chin and eye corners the map holds X_s − X_t of just that vertex, where the anchor says."
    s, t = some_faces(1, seed=3, turn=0.1), some_faces(1, seed=4, turn=0.1)
    t = t.replace(translation=s.translation + torch.tensor([[0.1, -0.05, 0]]))
    motion = (pose(MODEL, s) - pose(MODEL, t))[0, MODEL.landmark_vertices]
    for anchor, face in (("source", s), ("target", t)):
        flow, mask = facial_flow(MODEL, s, t, 256, anchor)
        at = landmark_places(face, 256)
        for k in (27, 28, 29, 30, 33, 51, 57):
            x, y = at[k].tolist()
            assert mask[0, 0, y, x]
            close(flow[0, :, y, x], motion[k], 0.012)
    with pytest.raises(F3AError, match="anchor"):
        facial_flow(MODEL, s, t, 32, "middle")


def test_the_walk_from_two_faces_to_a_warped_photo():
    "Flow, mask and photo of one call are those of the three steps; every face is posed once."
    s, t = some_faces(1, turn=0.1), some_faces(3, seed=1, turn=0.1)
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    flow, mask = facial_flow(MODEL, s, t, 64)
    posed = []

    def count(face_model, params):
        posed.append(len(params))
        return pose(face_model, params)

    with pytest.MonkeyPatch.context() as m:
        m.setattr(flow_module, "pose", count)
        got = warp_along(MODEL, s, t, photo)
    assert posed == [1, 3]
    assert torch.equal(got[0], flow) and torch.equal(got[1], mask)
    close(got[2], warp_by_flow(photo.expand(3, -1, -1, -1), extend_flow(flow, mask)), 1e-6)


def test_the_point_nearest_the_viewer_wins():
    "A turning head moves its front one way and its back the other: the map shows the front."
    s = FaceParams.neutral()
    t = s.replace(rotation=torch.tensor([[0, 0.3, 0.0]]))
    flow, mask = facial_flow(MODEL, s, t, 64)
    at = landmark_places(t, 64)[30]
    assert flow[0, 0, at[1], at[0]] > 0.05, "positive yaw takes the nose to the left, so the source lies to the right"
    assert FLOW_SCALE == 4 and not flow[0, :, ~mask[0, 0]].any()


def test_one_source_for_many_targets():
    s, t = some_faces(1), some_faces(3, seed=5)
    each = torch.cat([facial_flow(MODEL, s, t[k], 48)[0] for k in range(3)])
    for anchor in ("target", "source"):
        assert facial_flow(MODEL, s, t, 48, anchor)[0].shape == (3, 3, 48, 48)
    assert (facial_flow(MODEL, s, t, 48)[0] - each).abs().max() < 2**-22  # products of matrices differ in the last bit


def test_eq_3_by_hand():
    s, t = some_faces(1), some_faces(1, seed=1)
    theta = torch.tensor([1.0, 0.25, 0])
    m = interpolate_params(s, t, theta)
    for n in PARAM_NAMES:
        for k, v in enumerate(theta):
            close(getattr(m, n)[k], v * getattr(s, n)[0] + (1 - v) * getattr(t, n)[0], 1e-6)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(
    "take", [(), ("expression",), ("rotation",), ("translation",), ("expression", "rotation", "translation")]
)
def test_swaps_of_parameters(take, relative):
    "Field by field, by hand: what is taken comes from the driver, the rest stays the source's."
    me, drive = some_faces(1, seed=1), some_faces(4, seed=2)
    got = reenact(me, drive, *(n in take for n in ("expression", "rotation", "translation")), relative=relative)
    assert len(got) == 4
    for n, group in zip(PARAM_NAMES, (None, "expression", "rotation", "translation", "translation")):
        own, other = getattr(me, n), getattr(drive, n)
        for k in range(4):
            want = own[0]
            if group in take and not relative:
                want = other[k]
            if group in take and relative:
                want = own[0] * other[k] / other[0] if n == "scale" else own[0] + other[k] - other[0]
            if n == "exp_coeff" and group in take and relative:
                want = want.clamp(0, 1)
            close(getattr(got, n)[k], want, 1e-6)


def test_noise_has_the_named_size():
    "Spread of each parameter over 4,000 copies: 0.1 of its unit; depth stays zero; the same seed is the same noise."
    one = some_faces(1)
    many = FaceParams(*[getattr(one, n).expand(4000, *getattr(one, n).shape[1:]) for n in PARAM_NAMES])
    a = add_noise(many, 0.1, MODEL, torch.Generator().manual_seed(0))
    want = dict(
        id_coeff=0.1 * MODEL.id_std,
        exp_coeff=0.1 * MODEL.exp_std,
        rotation=torch.full((3,), 0.1),
        scale=0.1 * one.scale[0],
    )
    for n, sd in want.items():
        gap = ((getattr(a, n) - getattr(many, n)).std(0) / sd - 1).abs().max()
        assert gap < 0.06, (n, float(gap))
    moved = (a.translation - many.translation).std(0)
    close(moved, [0.1, 0.1, 0], 0.006)
    b = add_noise(many, 0.1, MODEL, torch.Generator().manual_seed(0))
    assert torch.equal(a.rotation, b.rotation)


def test_warping_reads_where_the_flow_points():
    "Against scipy's linear interpolation: column + fx·W/2, row − fy·H/2, edge pixels repeated."
    g = torch.Generator().manual_seed(0)
    H, W = 24, 40
    image = torch.rand(2, 3, H, W, generator=g)
    flow = 0.3 * torch.randn(2, 3, H, W, generator=g)
    got = warp_by_flow(image, flow)
    y, x = np.mgrid[:H, :W].astype(float)
    for b in range(2):
        at = [y - flow[b, 1].numpy() * H / 2, x + flow[b, 0].numpy() * W / 2]
        for c in range(3):
            close(got[b, c], map_coordinates(image[b, c].numpy(), at, order=1, mode="nearest"), 1e-4)
    up = torch.zeros(1, 3, H, W)
    up[:, 1] = 2 / H  # the source lies one row higher
    close(warp_by_flow(image[:1], up)[..., 1:, :], image[:1, :, :-1], 1e-5)


def test_a_photo_warped_by_the_flow_of_a_shift_is_shifted():
    "The whole chain: a face moved right and up takes its photo right and up."
    s = FaceParams.neutral(1, scale=0.6)
    photo = render_mesh(MODEL, s, 128)[0]
    t = s.replace(translation=torch.tensor([[8 * 2 / 128, 4 * 2 / 128, 0]]))
    flow, mask = facial_flow(MODEL, s, t)
    want = render_mesh(MODEL, t, 128)[0]
    warped = warp_by_flow(photo, flow)
    inside = mask.expand(-1, 3, -1, -1)
    assert (warped - want)[inside].abs().mean() < 0.01 < (photo - want)[inside].abs().mean()


def test_a_flow_continued_beyond_the_mesh():
    "Inside it stays; just outside it goes on; farther out it fades, to nothing at the picture's far edge."
    m = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    m[..., 48:80, 48:80] = True
    f = torch.tensor([0.2, -0.1, 0.05]).view(1, 3, 1, 1) * m
    out = extend_flow(f, m)
    assert torch.equal(out[m.expand_as(out)], f[m.expand_as(f)])
    along = out[0, :, 64, 80:]
    close(along[:, 1], [0.2, -0.1, 0.05], 0.05)
    length = along.norm(dim=0)
    assert (length.diff() < 1e-4).all() and length[-1] < 0.005 and length[10] < 0.9 * length[0]
    wider = extend_flow(f, m, reach=0.3)[0, :, 64, 80:].norm(dim=0)
    assert wider[20] > 1.5 * length[20]
    halves = torch.where(torch.arange(128) < 64, 0.2, -0.2) * m  # each side goes on with its own motion
    both = extend_flow(halves.expand(1, 3, -1, -1), m)
    assert both[0, 0, 64, 44] > 0.1 and both[0, 0, 64, 84] < -0.1
    assert not extend_flow(torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.bool)).any()


# fitting


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
        moved = (step["rot"] ** 2).sum() + 0.1 * ((step["trans"] / unit) ** 2).sum() + step["log"] ** 2
        want += near[k] * 0.4 / T * float(moved)
    close(_fit_loss(d, u, w, torch.tensor(near), unit, cfg), want, 1e-4)


def head_error(a, b, front):
    "Mean distance, dm, between the heads of two identities, brought to one place and size."
    keep = MODEL.mean_shape[:, 2] > (0.1 if front else -9)
    heads = [MODEL.shape(p.id_coeff[:1], torch.zeros(1, MODEL.L))[0][keep] for p in (a, b)]
    heads = [x - x.mean(0) for x in heads]
    size = heads[1].norm() / heads[0].norm()
    return float((heads[0] * size - heads[1]).norm(dim=-1).mean())


@pytest.fixture(scope="module")
def known():
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


def test_known_parameters_are_found(known):
    "Points, pose, scale, jaw; one identity for all frames, nearer to the truth than the mean face."
    truth, marks, fit = known
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


def test_frames_without_landmarks_have_no_say(known):
    "Landmarks of a wide open mouth: where they count the jaw opens, where they do not it stays shut."
    truth, marks, _ = known
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


def test_several_people_are_fitted_as_each_alone(known):
    "One call for the frames of three people in any order, against a call for each: the same faces."
    _, marks, _ = known
    marks = torch.cat([marks[:6], marks[:1] * 0.7])  # one of them seen once, and smaller
    group, cfg = torch.tensor([0, 2, 0, 2, 2, 0, 1]), FitConfig(steps=60, smooth_exp=0.0, smooth_pose=0.0)
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
def test_whose_frames_must_be_told(known, group, more, said):
    with pytest.raises(F3AError, match=said):
        more = dict(dict(cfg=FitConfig(steps=1, smooth_exp=0.0, smooth_pose=0.0)), **more)
        fit_landmarks(MODEL, known[1][:3], group=torch.tensor(group), **more)


def test_a_known_identity_and_a_known_start(known):
    truth, marks, _ = known
    got = fit_landmarks(MODEL, marks, cfg=FitConfig(steps=60), identity=truth.id_coeff[:1], start=truth)
    assert torch.equal(got.id_coeff, truth.id_coeff) and (got.rotation - truth.rotation).abs().max() < 0.08
    assert landmark_error(MODEL, got, marks).mean() < 0.02


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


# rendered faces


def test_distance_to_a_line():
    "Against a dense sampling of the polyline."
    rng = np.random.default_rng(0)
    line = np.array([[0, 0], [0.5, 0.3], [1, 0]])
    x, y = rng.uniform(-0.5, 1.5, (2, 50)).astype(np.float32)
    s = np.linspace(0, 1, 4001)
    dense = np.concatenate(
        [line[0] * (1 - s[:, None]) + line[1] * s[:, None], line[1] * (1 - s[:, None]) + line[2] * s[:, None]]
    )
    d = np.hypot(x[:, None] - dense[:, 0], y[:, None] - dense[:, 1])
    got, where = skin.distance_to_line(x, y, line)
    close(got, d.min(1), 1e-3)
    close(where, d.argmin(1) / len(dense), 2e-3)
    close(skin.soft_step(1, 3, np.array([0, 1, 1.5, 2, 3, 4])), [0, 0, 0.15625, 0.5, 1, 1], 1e-6)


def test_spherical_harmonics():
    "One constant, x, y, z and the five of second order, in this order."
    rng = np.random.default_rng(0)
    n = rng.normal(size=(30, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    x, y, z = n.T
    basis = [1 + 0 * x, x, y, z, x * y, y * z, 3 * z**2 - 1, x * z, x**2 - y**2]
    for k, b in enumerate(basis):
        sh = np.zeros((9, 3))
        sh[0] += 3
        sh[k] += [0.5, 0.25, 0]
        want = 3 + b[:, None] * [0.5, 0.25, 0]
        close(rendered.shade(n.astype(np.float32), sh), want, 1e-4)
    assert (rendered.shade(n.astype(np.float32), np.zeros((9, 3))) == np.float32(0.03)).all()


def test_light_comes_from_the_lamp():
    "On average over lamps, a surface that looks at the lamp is brighter than one that looks away."
    for k in range(20):
        sh, lamp = rendered.sample_light(np.random.default_rng(k))
        lit, dark = rendered.shade(np.stack([lamp, -lamp]).astype(np.float32), sh).mean(1)
        assert lit > dark


def test_poses_and_expressions_as_described():
    "Frontal on average, yaw the widest, within the limits; half the jaws more or less shut; units in pairs."
    rng = np.random.default_rng(0)
    made = [rendered.sample_pose(rng) for _ in range(3000)]
    r = np.degrees([m[0] for m in made])
    t, s = np.array([m[1] for m in made]), np.array([m[2] for m in made])
    assert (np.abs(r).max(0) <= [40.01, 90.01, 40.01]).all() and np.abs(r[:, 1]).max() > 80
    close(np.abs(r).mean(0), [9.3, 24.7, 7.2], 1.0)
    close(r.mean(0), [2.7, 0, 0], 1.3)
    close(t.std(0), [0.07, 0.07, 0], 0.004)
    close([np.log(s / 0.66).mean(), np.log(s).std()], [0, 0.12], 0.008)
    e = np.stack([rendered.sample_expression(rng) for _ in range(600)])
    at = {n: k for k, n in enumerate(MODEL.exp_names)}
    assert e.min() >= 0 and e.max() <= 1
    blink = e[:, [at["eyeBlinkLeft"], at["eyeBlinkRight"]]]
    assert np.corrcoef(blink.T)[0, 1] > 0.95 and 0.15 < (blink.mean(1) > 0.55).mean() < 0.25
    assert 0.1 < (e[:, at["jawOpen"]] > 0.3).mean() < 0.3
    out = e[:, at["eyeLookOutLeft"]] - e[:, at["eyeLookInLeft"]]
    into = e[:, at["eyeLookInRight"]] - e[:, at["eyeLookOutRight"]]
    assert np.corrcoef(out, into)[0, 1] > 0.99, "both eyes look the same way"


def test_a_rendered_face_lies_where_its_parameters_say():
    "The posed mesh begins with the model's vertices; the face is where the mesh is; the number is the person."
    picture, p, number = rendered.rendered_face(4)
    X, tri, attr = rendered.posed_mesh(people.person(number).look, p)
    N = len(MODEL.mean_shape)
    close(X[:N], pose(MODEL, p)[0], 1e-4)
    assert (
        tri.max() < len(X) == len(attr)
        and set(np.unique(attr[:, 8])) <= set(range(5))
        and (attr[:N, 8] == parts.HEAD).all()
    )
    close(attr[:N, :3], MODEL.mean_shape, 1e-5)
    assert torch.equal(p.id_coeff, people.person(number).id_coeff)
    look, rng = people.person(number).look, np.random.default_rng
    scene = (*rendered.sample_light(rng(0)), np.zeros((192, 192, 3), np.float32))
    drawn = rendered.render_face(look, p, rng(0), 128, scene, shoot=False).max(2) > 0.02
    mesh = render_mesh(MODEL, p, 128)[1][0, 0].numpy()
    assert (drawn & mesh).sum() / mesh.sum() > 0.97
    again = rendered.rendered_face(4)
    assert (again[0] == picture).all() and (rendered.rendered_face(4, seed=1)[0] != picture).any()


def test_teeth_follow_skull_and_chin():
    "The lower teeth go down with the jaw, the upper ones stay."
    look = people.person(0).look
    shut, wide = (FaceParams.neutral().replace(exp_coeff=MODEL.expression(1, jawOpen=v)) for v in (0.0, 1.0))
    a, b = (rendered.posed_mesh(look, p) for p in (shut, wide))
    teeth = np.flatnonzero(a[2][:, 8] == parts.TEETH)
    moved = (b[0] - a[0])[teeth, 1]
    upper, lower = np.split(moved, 2)
    assert np.abs(upper).max() < 1e-5 and lower.max() < -0.05


def test_eyes_have_iris_and_pupil():
    look = people.person(0).look
    centre = skin.face_lines()[3]
    v = np.array([[0, 0, 1], [np.sin(0.35), 0, np.cos(0.35)], [np.sin(0.9), 0, np.cos(0.9)]]) * 0.12 + centre
    pupil, iris, white = skin.eye_albedo(look, v.astype(np.float32))
    assert (pupil < 0.03).all() and (white > 0.75).all()
    close(iris, look.iris * (0.75 + 0.5 * skin.soft_step(0.18, 0.42, 0.35)), 0.03)


def test_camera_and_background():
    rng = np.random.default_rng
    face = rendered.background(rng(3), 96)
    assert face.shape == (96, 96, 3) and face.min() >= 0 and face.max() <= 1
    assert (rendered.background(rng(3), 96) == face).all()
    shots = [rendered.camera(rng(k), face) for k in range(30)]
    assert all(s.dtype == np.uint8 and s.shape == face.shape for s in shots)
    grey = np.mean([np.ptp(s.astype(int), axis=2).mean() < 6 for s in shots])
    assert grey < 0.4 and np.std([s.mean() for s in shots]) > 5
    close(
        rendered._shrink(np.arange(36, dtype=np.float32).reshape(6, 6, 1).repeat(3, 2), 3)[..., 0],
        [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5], [27.5, 29.5, 31.5]],
        1e-4,
    )


def test_tracks_are_smooth_and_of_unit_variance():
    x = np.concatenate([rendered_clips.smooth_track(np.random.default_rng(k), 600, 8) for k in range(12)], 1)
    assert abs(x.std() - 1) < 0.12 and np.abs(np.diff(x, axis=0)).max() < 0.35
    p = rendered_clips.clip_params(7, 120)
    assert (p.id_coeff == p.id_coeff[:1]).all() and p.exp_coeff.min() >= 0 and p.exp_coeff.max() <= 1
    assert (p.translation[:, 2] == 0).all() and p.rotation.diff(dim=0).abs().max() < 0.07
    assert torch.equal(p.rotation, rendered_clips.clip_params(7, 120).rotation)


def test_grooming_by_chance():
    "Fringe, strand and sunglasses with their shares; none of the first two on a bald head; the person stays."
    import dataclasses

    look = dataclasses.replace(people.person(0).look, volume=0.2, glasses=False)
    days = [looks.groomed(look, np.random.default_rng(k)) for k in range(800)]
    share = [np.mean([getattr(d, n) > 0 for d in days]) for n in ("fringe", "strand", "shades")]
    close(share, [0.3, 0.15, 0.08], 0.04)
    assert all(d.glasses == d.shades for d in days) and all(d.skin is look.skin and -1 <= d.sweep <= 1 for d in days)
    assert all(0.1 <= d.fringe <= 0.5 for d in days if d.fringe) and all(0.3 <= d.strand <= 1 for d in days if d.strand)
    bald = [looks.groomed(dataclasses.replace(look, volume=0.0), np.random.default_rng(k)) for k in range(50)]
    assert not any(d.fringe or d.strand for d in bald)


def test_a_rendered_clip_is_one_scene():
    "Its frames have the parameters of `clip_params`, the same background, and differ where the face moves."
    pictures, p = rendered_clips.render_clip(7, 6, size=64)
    assert pictures.shape == (6, 64, 64, 3) and pictures.dtype == np.uint8
    want = rendered_clips.clip_params(7, 6)
    for n in PARAM_NAMES:
        assert torch.equal(getattr(p, n), getattr(want, n))
    assert (rendered_clips.render_clip(7, 6, size=64)[0] == pictures).all()
    corner = pictures[:, :6, :6].astype(int)
    assert np.abs(corner - corner[:1]).mean() < 6, "the background stands still but for noise"


def test_a_set_in_pieces_keeps_pictures_and_parameters_together(tmp_path, monkeypatch):
    monkeypatch.setattr(rendered, "PIECE", 2)
    s = rendered.render_set(tmp_path, 5, (0, 50), seed=3, size=48, progress=False)
    assert len(s) == 5 and len(s.clips) == 3
    for k in (4, 0, 3):
        im, p, _ = rendered.rendered_face(k, (0, 50), 3, 48)
        close(s.images([k])[0], torch.from_numpy(im).permute(2, 0, 1) / 255.0, 1e-6)
        close(s.params[k].rotation, p.rotation, 1e-6)
    shutil.rmtree(s.clips[1].path)
    again = rendered.render_set(tmp_path, 5, (0, 50), seed=3, size=48, progress=False)
    close(again.images(range(5)), s.images(range(5)), 0)
    assert [c.path for c in again.clips] == [c.path for c in s.clips]
    assert again.valid([4]).all() and again.clips[0].meta["fit_error"] < 1e-5


def test_blurring_the_flow_as_scipy_does():
    from f3a_lite.flow import blur

    x = torch.rand(1, 2, 30, 26, generator=torch.Generator().manual_seed(0))
    want = np.stack([gaussian_filter(c.numpy(), 1.5, mode="nearest", radius=4) for c in x[0]])
    close(blur(x, 1.5)[0], want, 1e-4)


# the open model's making


def test_heads_are_brought_to_one_place_and_size():
    "Against Procrustes by hand, and without turning anything."
    g = torch.Generator().manual_seed(0)
    shape = torch.randn(1, 30, 3, generator=g, dtype=torch.float64)
    size, place = torch.tensor([0.5, 1.0, 2.0, 3.0]), torch.randn(4, 1, 3, generator=g)
    got = align_heads(shape * size[:, None, None] + place)
    assert got.mean(1).abs().max() < 1e-6 and (got - got[0]).abs().max() < 1e-6
    close(got[0].norm(), size.mean() * (shape[0] - shape[0].mean(0)).norm(), 1e-5)
    other = align_heads(torch.cat([shape, shape.flip(-1)]))
    assert (other[0] - other[1]).abs().max() > 0.1


def test_components_are_those_of_the_covariance():
    "Against numpy's eigenvalues: unit standard deviation, a share of the variance that adds up, and a fixed sign."
    g = torch.Generator().manual_seed(0)
    heads = (
        torch.randn(40, 6, generator=g, dtype=torch.float64) * torch.tensor([5.0, 3, 2, 1, 0.5, 0.1])
    ) @ torch.randn(6, 30, generator=g, dtype=torch.float64)
    mean, basis, share = identity_basis(heads.view(40, 10, 3), 4)
    value, vector = np.linalg.eigh(np.cov(heads.numpy().T))
    value, vector = value[::-1], vector[:, ::-1]
    close(mean.flatten(), heads.mean(0), 1e-9)
    close(share, np.cumsum(value)[:4] / value.sum(), 1e-9)
    for k in range(4):
        b = basis[k].flatten()
        close(b.abs(), np.sqrt(value[k]) * np.abs(vector[:, k]), 1e-6)
        assert b[b.abs().argmax()] > 0
    coefficients = (heads - mean.flatten()) @ torch.linalg.pinv(basis.flatten(1))
    close(coefficients.std(0), torch.ones(4), 1e-6)


def test_random_heads_of_a_small_body():
    "A body of six vertices whose changes are known: axes turned to ours, decimetres, only the head's changes drawn."

    class ResnetGenerator:
        phenotype_labels = ("gender", "age", "weight", "muscle", "african", "asian", "caucasian")
        local_change_labels = ("l-ear-wide", "hand-long", "nose-up")
        facial_action_labels = ("jawOpen",)
        bone_labels = ("head", "neck03", "neck02", "eye.L", "eye.R", "hand")
        vertex_bone_indices = torch.tensor([[0, 5]] * 4 + [[5, 0]] * 2)
        vertex_bone_weights = torch.tensor([[0.8, 0.2]] * 6, dtype=torch.float64)
        template_vertices = torch.arange(18, dtype=torch.float64).view(6, 3)
        blendshapes = torch.randn(10, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

        def _get_phenotype_blendshape_coefficients(self, phenotypes, local, actions):
            self.seen = phenotypes, local, actions
            return torch.cat([phenotypes, local], 1)

    body = ResnetGenerator()
    keep = head_vertices(body)
    assert keep.tolist() == [True] * 4 + [False] * 2
    got = random_heads(body, keep, 90)
    phenotypes, local, actions = body.seen
    assert phenotypes.min() >= 0 and phenotypes.max() <= 1 and phenotypes[:, 1].min() >= 0.4 and not actions.any()
    assert not local[:, 1].any() and 0.22 < local[:, [0, 2]].std() < 0.38
    at = body.template_vertices[keep] + torch.einsum(
        "nk,kvc->nvc", torch.cat([phenotypes, local], 1), body.blendshapes[:, keep]
    )
    close(got, torch.stack([at[..., 0], at[..., 2], -at[..., 1]], -1) * 10, 1e-9)
    assert torch.equal(got, random_heads(body, keep, 90)) and len(random_heads(body, keep, 130)) == 130
    try:
        import anny  # noqa: F401
    except ImportError:
        with pytest.raises(F3AError, match="anny is not installed"):
            load_anny()


def test_regions_near_the_lines():
    "Marked anew, brows and eyes of the bundled model are what they are; away from their lines nothing changes."
    import dataclasses
    from f3a_lite.morphable import REGIONS

    plain = MODEL.regions.clone()
    for n in ("brows", "eyes"):
        plain[plain == REGIONS.index(n)] = REGIONS.index("skin")
    again = mark_brows_and_eyes(dataclasses.replace(MODEL, regions=plain)).regions
    assert (again == MODEL.regions).float().mean() > 0.995
    lm = MODEL.mean_shape[MODEL.landmark_vertices]
    for n, points, reach in (("brows", lm[17:27], 0.08), ("eyes", lm[36:48], 0.09)):
        marked = MODEL.mean_shape[again == REGIONS.index(n)]
        assert len(marked) > 20 and torch.cdist(marked, points).amin(1).max() < 2 * reach


def test_a_vote_finds_the_landmarks():
    "Few heads and views: the voted vertices lie near the bundled ones, and each has its partner."
    yaws = np.radians([-20, 0, 20])
    marks, contour, kept = place_model_landmarks(MODEL, yaws, heads=6, size=256)
    close(kept, yaws, 1e-6)
    assert contour.shape == (3, 17)
    v = MODEL.mean_shape
    assert (v[marks[17:]] - v[MODEL.landmark_vertices[17:]]).norm(dim=-1).mean() < 0.08
    assert torch.equal(MIRROR[MIRROR], torch.arange(68))
    gap = (v[marks] * torch.tensor([-1.0, 1, 1]) - v[marks[MIRROR]]).norm(dim=-1)
    assert gap[17:].mean() < 0.03
