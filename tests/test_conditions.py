"What a generator is told."

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from f3a_lite.conditions import AU_NAMES, CONDITIONS, Frames, GeometryMaps, action_units, landmark_heatmap
from f3a_lite.conditions import make_condition, replicated
from f3a_lite.core import F3AError
from f3a_lite.flow import facial_flow
from f3a_lite.projection import posed_landmarks, project, to_pixels
from helpers import MODEL, rand
from helpers import close, some_faces


def test_the_heatmap_by_hand():
    "Pixel by pixel: the largest of the Gaussians around the dots, x to the right and y up."
    marks = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    got = landmark_heatmap(marks, 24, sigma=0.05)
    px = to_pixels(F.pad(marks, (0, 1)), 24, 24)[..., :2].numpy()
    y, x = np.mgrid[:24, :24]
    for b in range(2):
        d2 = ((x[..., None] - px[b, :, 0]) ** 2 + (y[..., None] - px[b, :, 1]) ** 2) * (2 / 24) ** 2
        close(got[b, 0], np.exp(-d2 / (2 * 0.05**2)).max(-1), 1e-4)


def test_action_units_by_hand():
    "Each unit with its weight, the mean of left and right, cut to 0 to 1."
    e = MODEL.expression(
        1,
        mouthSmileLeft=1.0,
        browInnerUp=0.5,
        jawOpen=0.6,
        mouthClose=0.2,
        mouthLowerDown=0.5,
        mouthUpperUp=0.1,
        mouthPress=0.4,
        mouthRollUpper=0.2,
        eyeBlink=0.9,
    )
    au = dict(zip(AU_NAMES, action_units(e)[0].tolist()))
    want = dict(AU12=0.5, AU01=0.5, AU25=0.6 - 0.2 + 0.35 + 0.03, AU26=0.6, AU10=0.1, AU23=0.3, AU45=0.9)
    for n, v in au.items():
        close(v, want.get(n, 0.0), 1e-5)
    closed = MODEL.expression(1, mouthClose=1.0)
    assert action_units(closed)[0, AU_NAMES.index("AU25")] == 0
    assert len(AU_NAMES) == 17


def test_conditions_are_functions_of_two_frames():
    s, t = Frames(some_faces(2, turn=0.2)), Frames(some_faces(2, seed=1, turn=0.2))
    channels = dict(flow=3, geometry_maps=11, mesh_flow=4, landmarks=1, aus=20, picture=3, au_pair=34, landmark_film=5)
    assert {n: c.channels for n, c in CONDITIONS.items()} == channels
    flow, mask = facial_flow(MODEL, s.params, t.params, 32, "target")
    close(make_condition("flow", MODEL, s, t, 32), flow, 1e-6)
    maps = make_condition("geometry_maps", MODEL, s, t, 32)
    skin = 1 - GeometryMaps.split(maps).mouth  # in the mouth it is the flow of the teeth
    close(maps[:, :4] * skin, torch.cat([flow, mask.float()], 1) * skin, 1e-6)
    at_source = facial_flow(MODEL, s.params, t.params, 32, "source")[0]
    close(make_condition("flow", MODEL, s, t, 32, "source"), at_source, 1e-6)
    placed = landmark_heatmap(project(posed_landmarks(MODEL, t.params)), 32)
    close(make_condition("landmarks", MODEL, s, t, 32), placed, 1e-6)
    tracked = rand(2, 68, 2) - 0.5
    target = Frames(t.params, rand(2, 3, 64, 64), tracked)
    close(make_condition("landmarks", MODEL, s, target, 32), landmark_heatmap(tracked, 32), 1e-6)
    aus = make_condition("aus", MODEL, s, t, 8)
    twenty = torch.cat([action_units(t.params.exp_coeff), t.params.rotation], 1)
    assert aus.shape == (2, 20, 8, 8) and torch.equal(aus[..., 3, 5], twenty)
    assert (aus == aus[..., :1, :1]).all() and replicated(torch.ones(2, 4), 5).shape == (2, 4, 5, 5)
    close(make_condition("picture", MODEL, s, target, 32), F.avg_pool2d(target.picture, 2), 1e-6)
    with pytest.raises(F3AError, match="choose from flow, geometry_maps, mesh_flow, landmarks"):
        make_condition("smell", MODEL, s, t)
    with pytest.raises(F3AError, match="driving"):
        make_condition("picture", MODEL, s, t)
