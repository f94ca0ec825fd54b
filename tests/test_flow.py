"The facial flow: anchors, Eq. 3, what is continued."

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from f3a_lite import flow as flow_module
from f3a_lite.core import F3AError
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
from f3a_lite.morphable import FaceParams, PARAM_NAMES
from f3a_lite.projection import pose, posed_landmarks, to_pixels
from helpers import MODEL, close, some_faces


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
    spread = (a.translation - many.translation).std(0)
    close(spread, [0.1, 0.1, 0], 0.006)
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
