"The programs that draw and measure what f3a_tables has trained: parts of rendered people, detail, sheets, choices."

import numpy as np
import pytest
import torch
from PIL import Image
from f3a_lite.morphable import FaceParams
from f3a_lite.synth.people import person
from conftest import load_program

rows, figures = load_program("trained_rows"), load_program("paper_figures")


def with_glasses():
    "An invented person who wears clear glasses."
    return next(person(k) for k in range(200) if person(k).look.glasses and not person(k).look.shades)


def test_every_pixel_of_a_rendered_person_belongs_somewhere():
    wearer = with_glasses()
    face = FaceParams.neutral(1, scale=0.62).replace(id_coeff=wearer.id_coeff)
    shares = rows.regions_of(wearer.look, face, 64)
    assert shares.shape == (len(rows.PARTS) + 1, 64, 64)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-5)
    of = dict(zip(rows.PARTS, shares))
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    middle = {name: ((of[name] * x).sum() / of[name].sum(), (of[name] * y).sum() / of[name].sum()) for name in of}
    assert middle["eyes"][1] < middle["mouth"][1] < middle["body"][1], "from above"
    assert abs(middle["glasses"][1] - middle["eyes"][1]) < 4 and of["glasses"].sum() > 10
    turned = rows.looking(face, 40)
    ear = dict(zip(rows.PARTS, rows.regions_of(wearer.look, turned, 64)))["ears"]
    columns = torch.arange(64) < 32
    assert max(ear[:, columns].sum(), ear[:, ~columns].sum()) > 5 * min(ear[:, columns].sum(), ear[:, ~columns].sum())


def test_error_and_detail_are_those_of_their_region():
    true = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(2, len(rows.PARTS) + 1, 16, 16)
    masks[:, rows.PARTS.index("skin"), :, :8] = 1
    masks[0, rows.PARTS.index("ears"), :4, 8:] = 1
    masks[0, rows.PARTS.index("hair"), 4:, 8:] = 1
    made = true.clone()
    made[0, :, 4:, 8:] += 0.25
    found = rows.measured(made, true, masks)
    assert found["error_skin"] == pytest.approx([0, 0]) and found["error_hair"][0] == pytest.approx(0.25)
    assert found["error_ears_and_hair"][0] == pytest.approx(0.25 * 12 / 16)
    assert np.isnan(found["error_hair"][1]) and np.isnan(found["detail_glasses"]).all(), "not seen there"
    blurred = torch.nn.functional.avg_pool2d(true, 3, 1, 1)
    blurred[..., 8:] = true[..., 8:]
    found = rows.measured(blurred, true, masks)
    assert found["detail_skin"].max() < 0.5 and found["detail_hair"][0] == pytest.approx(1, abs=0.15)


def test_eyes_half_way_in_the_plane_are_too_close():
    face = FaceParams.neutral(1, scale=0.62)
    photos = rows.Frames(face, torch.zeros(1, 3, 64, 64))
    wide = rows.outer_corners(rows.half_way(photos, 0.0))
    shares = [(rows.outer_corners(rows.half_way(photos, d)) / wide).item() for d in rows.ANGLES]
    np.testing.assert_allclose(shares, np.cos(np.deg2rad(rows.ANGLES)), atol=0.01)


def test_a_sheet_is_small_and_names_its_rows(tmp_path, capsys):
    noise = [torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    path = tmp_path / "fig.jpg"
    figures.write_sheet([("one", noise), ("two", [None, *noise[1:]])], ["a", "b", "c", "d"], path)
    sheet = np.asarray(Image.open(path))
    assert path.stat().st_size <= figures.LARGEST and figures.CELL >= 150
    side, left = figures.CELL + figures.GAP, figures.LABEL
    assert sheet.shape == (figures.HEAD + 2 * side, left + 4 * side, 3)
    empty = sheet[figures.HEAD + side + 8 : -8, left + 8 : left + side - 8]
    assert empty.min() > 220 and sheet[figures.HEAD :, : left - 8].min() < 60


def test_the_square_lies_around_the_ear_that_is_seen():
    face = FaceParams.neutral(1, scale=0.62)
    boxes = [figures.ear_box(rows.looking(face, d)) for d in (-30, 30)]
    middles = [(left + right) / 2 for left, _, right, _ in boxes]
    assert abs(middles[0] - 0.5) > 0.1 and (middles[0] - 0.5) * (middles[1] - 0.5) < 0
    for box in boxes:
        assert min(box) >= 0 and max(box) <= 1 and box[2] - box[0] == pytest.approx(box[3] - box[1])
