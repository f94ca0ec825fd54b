"T_warp: what the mesh knows, what is corrected, what is mirrored, and what may be painted."

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from f3a_lite.conditions import Frames, GeometryMaps, hidden_at, make_condition, mouth_map, region_masks
from f3a_lite.core import F3AError
from f3a_lite.flow import extend_flow, warp_by_flow
from f3a_lite.morphable import FaceParams, REGIONS, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import rasterize_loop
from f3a_lite.warp_generator import FARTHEST_FLOW, INSIDE, KEEP, KEEP_LEARNING, WarpConfig, WarpGenerator, visible_skin

MODEL = open_model()
SIZE = 48


def turned(degrees, **units):
    "One face, turned by a yaw."
    p = FaceParams.neutral(1, scale=0.62).replace(rotation=torch.tensor([[0, degrees * torch.pi / 180, 0]]))
    return p.replace(exp_coeff=MODEL.expression(**units)) if units else p


def maps_of(source, target, size=SIZE):
    return make_condition("geometry_maps", MODEL, Frames(source), Frames(target), size)


def named(source, target):
    "The maps of one pair by name, (·,H,W) each; of one channel (H,W)."
    return GeometryMaps(*(m[0].squeeze(0) for m in GeometryMaps.split(maps_of(source, target))))


def small(**kw):
    "A T_warp of three scales whose heads say something."
    torch.manual_seed(0)
    g = WarpGenerator(WarpConfig(channels=(6, 8, 10), **kw)).eval()
    for head in (g.to_flow, g.to_paint):
        torch.nn.init.normal_(head.weight, std=1.5)
    torch.nn.init.zeros_(g.to_paint.bias)
    return g


@pytest.fixture(scope="module")
def photo():
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


# What the mesh knows


@pytest.mark.parametrize("yaw", [-35, 35])
def test_what_the_source_could_not_see_by_a_naive_twin(yaw):
    "For each target pixel the point's place in the source, and whether the textbook z-buffer has something before it."
    source, target = turned(0), turned(yaw)
    maps = named(source, target)
    Xs, Xt = pose(MODEL, source)[0], pose(MODEL, target)[0]
    tri = MODEL.triangles.numpy()
    ids, w = rasterize_loop(to_pixels(Xt[None], SIZE, SIZE)[0].numpy(), tri, SIZE, SIZE, cull=True)
    near, weights = rasterize_loop(to_pixels(Xs[None], SIZE, SIZE)[0].numpy(), tri, SIZE, SIZE, cull=True)
    depth = np.where(near >= 0, (weights * Xs[:, 2].numpy()[tri[near]]).sum(-1), -9)
    hidden = np.zeros((SIZE, SIZE), bool)
    for i, j in zip(*np.nonzero(ids >= 0)):
        x, y, z = (w[i, j][:, None] * Xs.numpy()[tri[ids[i, j]]]).sum(0)
        row, column = round((1 - y) * SIZE / 2 - 0.5), round((1 + x) * SIZE / 2 - 0.5)
        hidden[i, j] = z < depth[row, column] - 0.04
    agree = hidden == (maps.hidden.numpy() > 0)
    assert agree[ids >= 0].mean() > 0.97, "but for the rims, where the depth is interpolated"
    assert 0.05 < maps.hidden.sum() / maps.mask.sum() < 0.4
    side = maps.hidden.nonzero()[:, 1].float().mean() - maps.mask.nonzero()[:, 1].float().mean()
    assert side * yaw > 0, "the cheek that comes into view"


def test_nothing_is_hidden_where_nothing_moves():
    maps = named(turned(0), turned(0))
    assert maps.hidden.sum() <= 0.01 * maps.mask.sum() and maps.flow.abs().max() < 1e-6
    assert torch.equal(maps.mask, maps.source_mask)


def test_hidden_by_hand():
    "A depth map of two halves: a point behind the near half is hidden, one before it, or in the far half, is not."
    depth = torch.full((1, 1, 8, 8), -9.0)
    depth[..., :4] = 0.5
    still = torch.zeros(1, 2, 8, 8)
    behind = hidden_at(depth, still, torch.full((1, 1, 8, 8), 0.2))
    assert (behind[..., :4] == 1).all() and (behind[..., 4:] == 0).all()
    assert (hidden_at(depth, still, torch.full((1, 1, 8, 8), 0.49)) == 0).all(), "a rounding hides nothing"
    moved = hidden_at(depth, still + torch.tensor([1.0, 0]).view(1, 2, 1, 1), torch.full((1, 1, 8, 8), 0.2))
    assert (moved == 0).all(), "read from the far half"


def test_the_mirrored_half_of_a_symmetric_face_is_itself():
    "From a frontal face to itself, the mirrored way leads to the mirrored pixel."
    maps = named(turned(0), turned(0))
    columns = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    inner = maps.mask > 0
    assert ((maps.mirror_flow[0] + 2 * columns[None]).abs()[inner] < 0.06).float().mean() > 0.95
    assert (maps.mirror_flow[1].abs()[inner] < 0.06).float().mean() > 0.95
    twin = MODEL.twins
    assert (twin[twin] == torch.arange(len(twin))).float().mean() > 0.95


def test_the_other_half_can_be_seen_where_this_one_is_hidden():
    maps = named(turned(30), turned(-30))
    hidden = maps.hidden > 0
    assert hidden.sum() > 50 and maps.mirror_hidden[hidden].mean() < 0.5


def test_regions():
    masks = region_masks(MODEL)
    for k, name in enumerate(("eyeballs", "eyes", "lips")):
        assert torch.equal(masks[:, k] > 0, MODEL.regions == REGIONS.index(name))
    shut, wide = named(turned(0), turned(0)), named(turned(0), turned(0, jawOpen=0.9))
    assert wide.mouth.sum() > shut.mouth.sum() + 5
    assert wide.hidden[wide.mouth > 0.5].mean() > 0.5, "teeth behind closed lips"
    awake, asleep = named(turned(0), turned(0)), named(turned(0), turned(0, eyeBlink=1.0))
    assert awake.eyeballs.sum() > asleep.eyeballs.sum() + 2


def test_the_mouth_is_the_polygon_of_the_inner_lips():
    "Against scikit-image's polygon."
    from skimage.draw import polygon2mask

    X = pose(MODEL, turned(15, jawOpen=0.8).replace(scale=torch.tensor([0.9])))
    points = to_pixels(X[:, MODEL.landmark_vertices[60:68]], 128, 128)[0].numpy()
    want = polygon2mask((128, 128), points[:, 1::-1])
    got = mouth_map(MODEL, X, 128)[0, 0].numpy() > 0
    assert want.sum() > 100 and (want != got).sum() <= 2


# What may be painted


def test_visible_skin_by_hand():
    maps = GeometryMaps.split(torch.zeros(1, 13, 40, 40))
    maps.mask[..., 5:35, 5:35] = 1
    maps.hidden[..., 5:10, 5:35] = 1
    maps.mouth[..., 20, 20] = 1
    want = torch.zeros(40, 40)
    want[10:35, 5:35] = 1
    want[19:22, 19:22] = 0
    assert torch.equal(visible_skin(maps)[0, 0], want)
    maps.lips[..., 30, 30] = 1
    assert torch.equal(visible_skin(maps)[0, 0], want), "lips are skin in use"
    want[29:32, 29:32] = 0
    assert torch.equal(visible_skin(maps, free_lips=True)[0, 0], want), "and free while it learns"


def test_a_new_network_gives_the_moved_photo(photo):
    "The heads begin near zero: nothing is corrected, hardly anything painted."
    torch.manual_seed(0)
    g = WarpGenerator(WarpConfig(channels=(6, 8, 10)))
    maps = maps_of(turned(0), turned(20))
    out = g(photo, maps)
    far = extend_flow(maps[:, :3], maps[:, 3:4])
    assert torch.allclose(out["warped_by_mesh"], warp_by_flow(photo, far), atol=1e-6)
    assert out["residual"].abs().max() < 0.03 and (out["image"] - out["warped"]).abs().mean() < 0.03


def test_the_picture_by_hand(photo):
    "Moved along the sum of both flows, the mirrored half where this one is hidden, and a change of colour."
    g, maps = small(), maps_of(turned(25), turned(-20, jawOpen=0.5))
    heads = []
    for head in (g.to_flow, g.to_paint):
        head.register_forward_hook(lambda _, x, y: heads.append(y))
    out = g(photo, maps)
    flow = extend_flow(maps[:, :3], maps[:, 3:4])[:, :2]
    mask, hidden = maps[:, 3:4], maps[:, 5:6]
    raw = F.interpolate(torch.tanh(heads[0]), scale_factor=2, mode="bilinear")
    residual = raw * torch.where(mask > 0, FARTHEST_FLOW * INSIDE, FARTHEST_FLOW)
    warped = warp_by_flow(photo, flow + residual)
    mirrored = warp_by_flow(photo, maps[:, 6:8]) * mask
    b = heads[1][:, 4:].sigmoid() * mask * hidden * (1 - maps[:, 8:9])
    a = heads[1][:, 3:4].sigmoid() * torch.where(visible_skin(GeometryMaps.split(maps)) > 0, KEEP, 1.0)
    image = warped * (1 - b) + mirrored * b + a * torch.tanh(heads[1][:, :3])
    for name, want in (
        ("residual", residual),
        ("flow", flow + residual),
        ("warped", warped),
        ("mirror", b),
        ("paint", a),
    ):
        assert torch.allclose(out[name], want, atol=1e-5), name
    assert torch.allclose(out["image"], image.clamp(0, 1), atol=1e-5)
    assert out["image"].min() >= 0 and out["image"].max() <= 1 and b.max() > 0.2 and a.std() > 0.02


def test_skin_that_the_photo_shows_is_hardly_painted(photo):
    "Whatever the network says: at most KEEP of a change, and a fifth of the farthest flow."
    g, maps = small(), maps_of(turned(0), turned(25))
    with torch.no_grad():
        g.to_paint.bias[3] = 50.0
        g.to_flow.bias[:] = 50.0
    out = g(photo, maps)
    skin = visible_skin(GeometryMaps.split(maps)) > 0
    assert torch.allclose(out["paint"][skin], torch.tensor(KEEP), atol=1e-4)
    assert torch.allclose(out["paint"][~skin], torch.tensor(1.0), atol=1e-4)
    skin = visible_skin(GeometryMaps.split(maps), free_lips=True) > 0
    assert torch.allclose(g.train()(photo, maps)["paint"][skin], torch.tensor(KEEP_LEARNING), atol=1e-4)
    assert KEEP < KEEP_LEARNING
    inside = (maps[:, 3:4] > 0).expand(-1, 2, -1, -1)
    assert out["residual"][inside].max() <= FARTHEST_FLOW * INSIDE + 1e-6
    assert out["residual"][~inside].max() > 0.9 * FARTHEST_FLOW


def test_what_the_network_sees(photo):
    "Photo, moved photo and mirrored half between −1 and 1; the flow times 4; masks, and regions."
    g, maps = small(), maps_of(turned(0), turned(25))
    x, flow, warped, mirrored = g.inputs(photo, GeometryMaps.split(maps))
    far = extend_flow(maps[:, :3], maps[:, 3:4])
    want = [photo * 2 - 1, warped * 2 - 1, mirrored * 2 - 1, far[:, :2] * 4, maps[:, 3:4]]
    want.append(warp_by_flow(maps[:, 4:5], far))  # how much of the source's mesh would be read
    want += [maps[:, 5:6], maps[:, 8:11], torch.maximum(maps[:, 11:12], maps[:, 12:])]
    assert torch.allclose(x, torch.cat(want, 1), atol=1e-6) and x.shape[1] == g.in_channels
    assert torch.equal(flow, far) and torch.allclose(warped, warp_by_flow(photo, far), atol=1e-6)


@pytest.mark.parametrize(
    "changes, word",
    [
        (dict(condition="flow"), "one of geometry_maps"),
        (dict(anchor="source"), "one of target"),
        (dict(channels=(4,)), "two"),
    ],
)
def test_what_it_cannot_be(changes, word):
    with pytest.raises(F3AError, match=word):
        WarpConfig(**changes)


def test_the_condition_has_its_name_of_today():
    "A file written under the maps' older name."
    assert WarpConfig(condition="warp_maps") == WarpConfig() and WarpConfig().condition == "geometry_maps"
