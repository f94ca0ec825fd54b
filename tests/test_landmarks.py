"Crops and what landmarks say."

import numpy as np
import pytest
import torch
from PIL import Image
from f3a_lite import landmarks
from f3a_lite.landmarks import Crop, eye_opening, head_crop, laplacian_variance, mouth_opening, resize_square
from f3a_lite.landmarks import crop_square
from helpers import face_at, in_crop


def test_head_crop_of_a_still_face():
    "2.1 times the landmarks, and a little higher, for the hair."
    x0, y0, x1, y1 = head_crop(face_at(300, 200))
    assert x1 - x0 == y1 - y0 == 210 and (x0 + x1) / 2 == 300 and (y0 + y1) / 2 == 200 - 12


def test_head_crop_of_a_face_that_travels():
    "The middle of the way, and room for it; one frame that goes astray does not count."
    marks = np.concatenate([face_at(x, 200) for x in np.linspace(100, 500, 101)])
    x0, y0, x1, y1 = head_crop(marks)
    assert (x0 + x1) / 2 == pytest.approx(300, abs=1) and x1 - x0 == pytest.approx(1.1 * (400 * 0.96 + 100) + 50, abs=6)
    still = np.concatenate([face_at(300, 200, T=99), face_at(9000, 200)])
    assert head_crop(still) == head_crop(face_at(300, 200))


@pytest.mark.parametrize("box", [(10, 20, 74, 84), (-9, -5, 87, 91)])
def test_points_go_where_their_pixels_go(box):
    "A bright spot, cut and resized, lies where the crop says."
    y, x = np.mgrid[:90, :100]
    spot = 255 * np.exp(-((x - 51) ** 2 + (y - 38) ** 2) / 32)
    im = np.repeat(spot[..., None], 3, -1).round().astype(np.uint8)
    small = resize_square(crop_square(im, box), 32)[..., 0].astype(float)
    y, x = (np.arange(32) * small.sum(1 - a) / small.sum() for a in (0, 1))
    assert np.allclose(in_crop([51.0, 38.0], box, 32), [x.sum(), y.sum()], atol=0.06)
    assert np.allclose(
        in_crop([[box[0] - 0.5, box[1] - 0.5], [box[2] - 0.5, box[3] - 0.5]], box, 32), [[-0.5, -0.5], [31.5, 31.5]]
    )


def test_a_crop_over_the_edge_repeats_it():
    im = np.arange(12).reshape(3, 4)
    assert crop_square(im, (2, 1, 6, 5)).tolist() == [
        [6, 7, 7, 7],
        [10, 11, 11, 11],
        [10, 11, 11, 11],
        [10, 11, 11, 11],
    ]
    assert crop_square(im, (1, 0, 3, 2)).tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize("left,top", [(10, 20), (-9, -5), (28, 28), (-10, 12)])
def test_a_crop_takes_points_where_it_takes_pixels(left, top):
    "The centre of a bright spot, cut and resized; and the way back."
    y, x = np.mgrid[:90, :100]
    spot = 255 * np.exp(-((x - 40) ** 2 + (y - 40) ** 2) / 32)
    crop = Crop(left, top, side=64, height=90, width=100, size=32)
    small = crop.cut(np.repeat(spot[..., None], 3, -1).round().astype(np.uint8))[..., 0].astype(float)
    y, x = np.mgrid[:32, :32]
    centre = np.array([(x * small).sum(), (y * small).sum()]) / small.sum()  # centre of mass, pixels
    plane = [(centre[0] + 0.5) / 16 - 1, 1 - (centre[1] + 0.5) / 16]
    assert np.allclose(crop.to_plane([40.0, 40.0]), plane, atol=0.01)
    assert np.allclose(crop.to_picture(crop.to_plane([[40.0, 40.0]])), [[40, 40]], atol=1e-4)
    assert crop.box == (left, top, left + 64, top + 64)


def test_what_the_picture_has_is_cut_as_it_is():
    "The real pixels equal those of Pillow's own crop and resize; the others are no streaks."
    rng = np.random.default_rng(0)
    im = rng.integers(0, 256, (120, 200, 3), dtype=np.uint8)
    inside = Crop(30, 10, side=96, height=120, width=200, size=48)
    want = Image.fromarray(im).crop(inside.box).resize((48, 48), Image.LANCZOS)
    assert np.array_equal(inside.cut(im), np.asarray(want)) and inside.valid().all()
    over = Crop(-24, 72, side=96, height=120, width=200, size=48)
    real = over.valid()[0].numpy() > 0
    assert real[:24, 12:].all() and not real[24:].any() and not real[:, :12].any()
    cut = over.cut(im).astype(float)
    want = np.asarray(Image.fromarray(im).crop((0, 72, 72, 120)).resize((36, 24), Image.LANCZOS)).astype(float)
    assert np.abs(cut[2:20, 16:46] - want[2:20, 4:34]).max() <= 1, "away from the border: nothing of it shines through"
    assert cut[40:, 16:].std((0, 1)).max() < 0.3 * want.std(), "far from the border all is one soft colour"
    assert np.abs(cut[40:, 16:].mean() - want.mean()) < 20


def test_soft_fill_continues_the_border():
    "A ramp goes on without a step; a picture without real pixels stays."
    ramp = np.repeat(np.linspace(0, 255, 64).round().astype(np.uint8)[:, None, None], 64, 1).repeat(3, 2)
    valid = np.zeros((64, 64), bool)
    valid[:40] = True
    filled = landmarks.soft_fill(ramp, valid)
    assert np.array_equal(filled[:40], ramp[:40])
    assert np.abs(np.diff(filled[38:, 5, 0].astype(int))).max() <= 8
    assert filled[63, 5, 0] < 150 and np.ptp(filled[63].astype(int)) <= 1, "the mirror image, not the last row"
    assert landmarks.soft_fill(ramp, valid & False) is ramp


def test_a_crop_around_landmarks_is_the_head_crop():
    points = face_at(300, 200)
    crop = Crop.around(points, (360, 640, 3), size=64)
    assert crop.box == head_crop(points) and (crop.height, crop.width, crop.size) == (360, 640, 64)
    assert crop.valid().shape == (1, 64, 64) and crop.valid(9).shape == (1, 9, 9)


def test_shrinking_averages():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize_square(stripes, 16).astype(int) - 100).max() <= 8 and resize_square(stripes, 64) is stripes


def test_openings_in_closed_form():
    m = np.zeros((2, 68, 2))
    m[:, 45, 0] = 10  # outer corners of the eyes: 10 apart
    for top, bottom, d in ((37, 41, 1.0), (38, 40, 2.0), (43, 47, 3.0), (44, 46, 4.0)):
        m[:, bottom, 1] = m[:, top, 1] + d
    for top, bottom, d in ((61, 67, 1.0), (62, 66, 2.0), (63, 65, 6.0)):
        m[:, bottom, 1] = m[:, top, 1] + d
    m[1] = m[1] * 7 + 100
    assert np.allclose(eye_opening(m), 0.25) and np.allclose(mouth_opening(m), 0.3)


def test_sharpness_is_measured_inside_the_face():
    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    box = np.array([[[10.0, 10.0], [20.0, 20.0]]])
    inside = torch.zeros_like(noise)
    inside[..., 8:23, 8:23] = noise[..., 8:23, 8:23]
    assert (
        torch.allclose(laplacian_variance(noise, box), laplacian_variance(inside, box))
        and laplacian_variance(noise - inside, box) < 1e-8
    )
    from scipy.ndimage import laplace

    want = laplace(noise[0].mean(0).numpy().astype(float))[10:21, 10:21].var(ddof=1)
    assert laplacian_variance(noise, box).item() == pytest.approx(want, rel=1e-4)
