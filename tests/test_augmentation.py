"Pictures and their parameters, moved and recoloured."

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from f3a_lite import augmentation
from f3a_lite.augmentation import augment, centring, cover, move_in_plane, move_params, random_move, recolour, undo
from f3a_lite.morphable import FaceParams, PARAM_NAMES
from f3a_lite.projection import euler_to_matrix, pose, posed_landmarks, project, to_pixels
from helpers import MODEL, rand, randn
from helpers import close, some_faces


MOVE = torch.tensor([0.4, -0.3]), torch.tensor([0.8, 1.3]), torch.tensor([[0.2, -0.1], [-0.15, 0.05]])


def test_moved_parameters_move_the_mesh():
    "Every vertex: turned counter-clockwise, scaled, shifted."
    p = some_faces(2)
    X, Y = pose(MODEL, p), pose(MODEL, move_params(p, *MOVE))
    marks = move_params(project(X), *MOVE)
    for k in range(2):
        a, z, d = (float(MOVE[0][k]), float(MOVE[1][k]), MOVE[2][k].numpy())
        turn = z * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        want = X[k, :, :2].numpy() @ turn.T + d
        close(Y[k, :, :2], want, 1e-4)
        close(marks[k], want, 1e-5)
        close(Y[k, :, 2], z * X[k, :, 2], 1e-4)


def test_moved_pictures_go_with_the_points():
    "Against scipy: each new pixel reads where the inverse move came from."
    S, x = 40, rand(2, 3, 40, 40)
    got, _ = move_in_plane(x, randn(2, 68, 2), *MOVE)
    y_, x_ = np.mgrid[:S, :S]
    plane = np.stack([(x_ + 0.5) * 2 / S - 1, 1 - (y_ + 0.5) * 2 / S], -1)
    for k in range(2):
        a, z, d = (float(MOVE[0][k]), float(MOVE[1][k]), MOVE[2][k].numpy())
        turn = z * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        at = (plane - d) @ np.linalg.inv(turn).T
        row, col = (1 - at[..., 1]) * S / 2 - 0.5, (at[..., 0] + 1) * S / 2 - 0.5
        for c in range(3):
            close(got[k, c], map_coordinates(x[k, c].numpy(), [row, col], order=1, mode="nearest"), 2e-4)


def test_centred_faces_stand_upright_in_the_middle():
    p = some_faces(6)
    to = centring(p)
    q = move_params(p, *to)
    close(q.translation, torch.zeros(6, 3), 1e-5)
    close(q.scale, torch.full((6,), 0.66), 1e-5)
    up = euler_to_matrix(q.rotation)[:, :2, 1]
    close(up[:, 0], torch.zeros(6), 1e-5)
    assert (up[:, 1] > 0).all()
    back = move_params(q, *undo(*to))
    for n in ("rotation", "translation", "scale"):
        close(getattr(back, n), getattr(p, n), 1e-4)
    small_one = p.replace(scale=torch.full((6,), 0.1))
    close(centring(small_one)[1], torch.full((6,), 2.0), 1e-6)


def test_random_moves_have_the_described_size():
    "Angles to 0.35, shifts to 0.12, one face in twelve farther off; near the middle for the share `centred`."
    n, g = 4000, lambda: torch.Generator().manual_seed(0)
    angle, zoom, shift = random_move(n, g())
    assert angle.abs().max() <= 0.35 and angle.std() > 0.19
    far = (shift.abs().amax(1) > 0.12) | (zoom.log().abs() > 0.18)
    assert 0.06 < far.float().mean() < 0.085 and 0.4 < shift.abs().max() <= 0.47 and zoom.log().abs().max() <= 0.53
    half = random_move(n, g(), 0.5)
    assert half[0].abs().max() <= 0.175
    still = random_move(n, g(), 0.0)
    assert not still[0].any() and (still[1] == 1).all() and not still[2].any()
    p = some_faces(50)
    p = FaceParams.stack([p] * 40)
    near = move_params(p, *random_move(2000, g(), 1.0, p, 1.0))
    up = euler_to_matrix(near.rotation)[:, :2, 1]
    assert near.translation[:, :2].abs().max() < 0.061 and (near.scale / 0.66).log().abs().max() < 0.101
    tilt = torch.atan2(-up[:, 0], up[:, 1])
    assert 0.1 < tilt.abs().max() < 0.1201
    some = move_params(p, *random_move(2000, g(), 1.0, p, 0.3))
    assert 0.25 < (some.translation[:, :2].abs().amax(1) < 0.0601).float().mean() < 0.5


def test_recoloured_pictures():
    "Nothing at strength 0; otherwise one in five grey, and all within 0 to 1; places stay."
    x = rand(400, 3, 8, 8)
    close(recolour(x, torch.Generator().manual_seed(0), 0.0), x, 1e-6)
    y = recolour(x, torch.Generator().manual_seed(0))
    assert y.min() >= 0 and y.max() <= 1
    spread = (y - y.mean(1, keepdim=True)).flatten(1).std(1)
    tinted = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    grey = (
        torch.stack(
            [
                torch.stack(
                    [torch.corrcoef(torch.stack([a[c].flatten(), t[c].flatten()]))[0, 1] for c in range(3)]
                ).mean()
                for a, t in zip(y, tinted)
            ]
        )
        > 0.9
    )
    assert 0.14 < grey.float().mean() < 0.26 and spread.min() > 0
    other = recolour(x[:1].expand(200, -1, -1, -1), torch.Generator().manual_seed(1))
    assert other.mean((1, 2, 3)).std() > 0.05


def test_covered_faces():
    "A share of the faces get a fringe, a strand or glasses; the rest of each picture stays."
    p = some_faces(200, turn=0.2)
    x = rand(200, 3, 48, 48)
    y = cover(x, p, torch.Generator().manual_seed(0), 0.5)
    changed = (y != x).any(1)
    share = changed.flatten(1).any(1).float().mean()
    assert 0.4 < share < 0.58
    some = changed.flatten(1).float().mean(1)
    assert (some[some > 0] < 0.9).float().mean() > 0.9 and y.min() >= 0 and y.max() <= 1
    assert torch.equal(cover(x, p, torch.Generator().manual_seed(0), 0.0), x)
    close(
        torch.stack(augmentation._head_axes(FaceParams.neutral(1, scale=0.5), 16))[:, 0].flatten(1).mean(1),
        [0.0, 0.0],
        1e-4,
    )


def test_the_heads_axes():
    "For a head that looks ahead: right and up of the picture, in dm of the head; sunglasses lie over the eyes."
    p = FaceParams.neutral(1, scale=0.5).replace(translation=torch.tensor([[0.1, -0.2, 0]]))
    x, y = augmentation._head_axes(p, 64)
    damp = 1 / (1 + 0.15**2)
    c = (torch.arange(64) + 0.5) / 32 - 1
    close(x[0, 5], (c - 0.1) / 0.5 * damp, 1e-4)
    close(y[0, :, 7], (-c + 0.2) / 0.5 * damp, 1e-4)
    turned = FaceParams.neutral(1, scale=0.5).replace(rotation=torch.tensor([[0.2, -0.4, 0.3]]))
    lm = to_pixels(posed_landmarks(MODEL, turned), 128, 128)[0]
    x, y = augmentation._head_axes(turned, 128)
    for k in (27, 30, 33):
        i, j = lm[k, 1].round().long(), lm[k, 0].round().long()
        close([float(x[0, i, j]), float(y[0, i, j])], MODEL.mean_shape[MODEL.landmark_vertices[k], :2], 0.2)


def test_augmented_batches():
    "Nothing at strength 0; the parameters are moved as the picture is; noise and patches touch the picture only."
    x, p = rand(60, 3, 32, 32), some_faces(60)
    same_x, same_p = augment(x, p, torch.Generator().manual_seed(0), 0.0)
    close(same_x, x, 1e-4)
    close(same_p.rotation, p.rotation, 1e-4)
    y, q = augment(x, p, torch.Generator().manual_seed(3), 1.0, 0.5)
    move = random_move(60, torch.Generator().manual_seed(3), 1.0, p, 0.5)
    want = move_params(p, *move)
    for n in PARAM_NAMES:
        close(getattr(q, n), getattr(want, n), 1e-6)
    marks = project(posed_landmarks(MODEL, p))
    _, m = augment(x, marks, torch.Generator().manual_seed(3), 1.0)
    close(m, move_params(marks, *random_move(60, torch.Generator().manual_seed(3), 1.0)), 1e-6)
    flat = torch.full((60, 3, 32, 32), 0.5)
    z, _ = augment(flat, marks, torch.Generator().manual_seed(0), 1.0)
    rough = (z - z.flatten(2).median(2).values[..., None, None]).abs()
    close(rough.flatten(1).median(1).values.median(), 0.02 * 0.6745, 0.002)
    patched = (rough.amax(1) > 0.12).flatten(1).float().mean(1) > 0.004
    assert 0.05 < patched.float().mean() < 0.35, "every second patch is cut from another picture, here of one colour"
