"T_warp: what the mesh knows, what moves with the head, and what may be painted."

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from f3a_lite.conditions import Frames, GeometryMaps, hidden_at, make_condition, mouth_map, posed_teeth
from f3a_lite.conditions import region_masks, teeth_maps
from f3a_lite.core import F3AError
from f3a_lite.drawing import complete_flow, opened
from f3a_lite.flow import warp_by_flow
from f3a_lite.morphable import FaceParams, REGIONS, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import rasterize_loop
from f3a_lite.warp_generator import SURE, WarpConfig, WarpGenerator
from f3a_lite.warp_network import continue_flow, grown, mouth_inside, skin_around, stretch_of, turning, visible_skin

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
    "A T_warp of three scales whose head says something."
    torch.manual_seed(0)
    g = WarpGenerator(WarpConfig(channels=(6, 8, 10), **kw)).eval()
    torch.nn.init.normal_(g.to_layer.weight, std=1.5)
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
    shifted = hidden_at(depth, still + torch.tensor([1.0, 0]).view(1, 2, 1, 1), torch.full((1, 1, 8, 8), 0.2))
    assert (shifted == 0).all(), "read from the far half"


def test_teeth_hang_on_the_skull_and_on_the_chin():
    "An opening jaw takes the lower arc along and leaves the upper one; a turn takes both; closed lips show none."
    shut, wide = turned(0), turned(0, jawOpen=0.9)

    def light(p):
        X = posed_teeth(MODEL, p)
        return teeth_maps(X, X, 128)[0][0, 0] > 0.1

    rows = [torch.nonzero(light(p).any(1))[:, 0] for p in (shut, wide)]
    assert rows[0].min() == rows[1].min(), "the upper teeth stay"
    assert rows[1].max() > rows[0].max() + 3, "the lower ones go down"
    column = [torch.nonzero(light(p).any(0))[:, 0].float().mean() for p in (shut, turned(25))]
    assert column[1] > column[0] + 3 or column[1] < column[0] - 3
    shown = [GeometryMaps.split(maps_of(shut, p, 128)).teeth for p in (shut, turned(0, jawOpen=0.4))]
    assert shown[1].sum() > 1.5 * shown[0].sum()


def test_the_flow_of_teeth_is_that_of_skull_and_chin():
    "A jaw that opens: upper teeth stay, lower ones go as far as the chin takes them, the gap lies between."
    faces = [turned(0, jawOpen=v).replace(scale=torch.tensor([0.9])) for v in (0.5, 0.8)]
    maps = GeometryMaps.split(maps_of(*faces, 160))
    teeth, gap = maps.teeth > 0.5, (maps.mouth > 0) & (maps.teeth == 0)
    rows = torch.arange(160).view(1, 1, -1, 1)
    middle = torch.nonzero(gap[0, 0].any(1))[:, 0].float().mean()
    down = -maps.flow[:, 1:2]  # back to the source, image-plane units: below 0 where a point came from above
    upper, lower = down[teeth & (rows < middle)], down[teeth & (rows > middle)]
    arcs = [posed_teeth(MODEL, p)[0, 26:, 1] for p in faces]
    assert len(upper) > 20 and len(lower) > 20 and upper.abs().max() < 1e-6
    torch.testing.assert_close(lower, (arcs[1] - arcs[0]).mean().expand_as(lower), atol=2e-3, rtol=0)
    between = down[gap & (rows > middle - 2) & (rows < middle + 2)]
    assert (between < upper.min() - 1e-3).any() and (between > lower.min() - 1e-3).all()


def test_teeth_that_the_photo_shows_stay_the_photo_s():
    "A photo that is green in its mouth and grey elsewhere: a jaw that opens further shows green, not painted teeth."
    source, target = turned(0, jawOpen=0.6), turned(0, jawOpen=0.8)
    condition = maps_of(source, target, 128)
    maps, here = GeometryMaps.split(condition), GeometryMaps.split(maps_of(source, source, 128))
    picture = torch.full((1, 3, 128, 128), 0.5)
    picture = torch.lerp(picture, torch.tensor([0.0, 1, 0]).view(1, 3, 1, 1), here.mouth)
    with torch.no_grad():
        out = small()(picture, condition)
    inside = (maps.mouth > 0) & (maps.hidden == 0)
    assert inside.sum() > 0.5 * maps.mouth.sum(), "most of an open mouth was open before"
    core = F.max_pool2d(1 - inside.float(), 3, 1, 1) == 0
    green = out["image"][:, 1:2] - out["image"][:, :1]
    assert green[core].mean() > 0.9
    shut = GeometryMaps.split(maps_of(turned(0), target, 128))
    assert (shut.hidden[shut.mouth > 0] == 1).all(), "closed lips showed none"


def test_an_eye_that_opens_gets_no_skin_on_it():
    "Lids painted while an eye closes, and while it opens: a tenth of that at most."
    sleepy = dict(eyeBlink=0.45)
    faces = [turned(0, **kw).replace(scale=torch.tensor([0.9])) for kw in (sleepy, {}, dict(eyeBlink=0.9))]
    g, picture = small(), torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        opening, closing = (g(picture, maps_of(*pair, 128))["lids"].sum() for pair in (faces[:2], faces[1:]))
    assert closing > 20 and opening < 0.1 * closing, (opening, closing)


def test_an_opening_of_two_pixels_is_closed():
    slit = torch.zeros(1, 1, 16, 16)
    slit[..., 4:6, 3:13] = 1
    assert opened(slit).sum() == 0
    slit[..., 4:7, 3:13] = 1
    assert torch.equal(opened(slit), slit)


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


# What moves with the head


def test_a_flow_is_continued_from_what_was_seen():
    "Two halves with motions of their own: where the right half was hidden, the left one's goes on."
    flow = torch.zeros(1, 3, 64, 64)
    flow[:, 0, :, :32], flow[:, 0, :, 32:] = 0.1, -0.3
    mask, hidden = torch.zeros(2, 1, 1, 64, 64)
    mask[..., 8:56, 8:56] = 1
    hidden[..., 32:] = 1
    whole = complete_flow(flow, mask, hidden)
    assert torch.allclose(whole[0, 0, 16:48, 12:28], torch.tensor(0.1), atol=1e-6)
    assert (whole[0, 0, 16:48, 36:46] - 0.1).abs().max() < 0.01, "and not with the other motion"
    both = complete_flow(flow, mask, hidden * 0)
    assert torch.equal(both[0, 0, 12:52, 12:52], flow[0, 0, 12:52, 12:52])
    assert not torch.equal(complete_flow(flow, mask, hidden * 0, rim=0.1)[0, 0, 12], both[0, 0, 12])


def test_a_turn_is_told_from_a_shift_and_from_a_smile():
    def of(target):
        maps = GeometryMaps.split(maps_of(turned(0), target))
        return float(turning(maps.flow, maps.mask))

    shifted = turned(0).replace(translation=torch.tensor([[0.3, 0.1, 0.0]]))
    assert of(shifted) == 0 and of(turned(0, mouthSmile=1.0)) == 0 and of(turned(0, jawOpen=0.8)) == 0
    assert 0 < of(turned(16)) < 1 and of(turned(32)) == 1


def test_the_more_a_head_turns_the_less_its_outline_is_trusted():
    "With a small turn the mesh's flow is kept up to a pixel from its rim, with a large one it is not."
    kept = []
    for yaw in (4, 32):
        maps = GeometryMaps.split(maps_of(turned(0), turned(yaw)))
        flow, fade = continue_flow(maps)
        same = ((flow - maps.flow).abs().amax(1) < 1e-6) & (maps.mask[:, 0] > 0)
        kept.append(float(same.sum() / maps.mask.sum()))
        assert torch.equal(fade[maps.mask > 0], torch.ones(int(maps.mask.sum()))) and fade[0, 0, 0, 0] < 0.01
    assert kept[0] > 0.7 and kept[1] < kept[0] - 0.15


def test_grown_by_hand():
    mask = torch.zeros(1, 1, 50, 50)
    mask[..., 25, 25] = 1
    out = grown(mask, 2 / 50)[0, 0]
    want = F.conv2d(F.max_pool2d(mask, 5, 1, 2), torch.ones(1, 1, 3, 3) / 9, padding=1)[0, 0]
    assert torch.allclose(out, want, atol=1e-6) and out[25, 25] == 1 and out[25, 29] == 0


# What may be painted


def test_visible_skin_by_hand():
    maps = GeometryMaps.split(torch.zeros(1, 11, 45, 45))
    maps.mask[..., 5:35, 5:35] = 1
    maps.hidden[..., 5:10, 5:35] = 1
    maps.mouth[..., 20, 20] = 1
    maps.lips[..., 30, 30] = 1
    want = torch.zeros(45, 45)
    want[10:35, 5:35] = 1
    want[19:22, 19:22] = 0
    want[29:32, 29:32] = 0
    assert torch.equal(visible_skin(maps)[0, 0], want)


def test_the_colour_of_the_skin_around_a_place():
    "Left skin is dark, right skin is light, and between them is a hole of another colour."
    picture, skin = torch.full((1, 3, 64, 64), 0.9), torch.ones(1, 1, 64, 64)
    picture[..., :32] = 0.3
    picture[..., 28:36] = 0.0
    skin[..., 28:36] = 0
    found = skin_around(picture, skin)
    assert (found[..., 30] - 0.3).abs().max() < 0.2 and (found[..., 34] - 0.9).abs().max() < 0.2
    assert torch.allclose(found[..., 10], torch.tensor(0.3), atol=0.02)


def test_the_inside_of_a_mouth():
    "A quarter of the lips' colour; before it teeth that are less colourful than the skin, and brighter than the dark."
    maps = GeometryMaps.split(torch.zeros(1, 11, 32, 32))
    picture, skin = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    picture[..., :16, :] = torch.tensor([0.9, 0.6, 0.3])[:, None, None]
    picture[..., 16:, :] = torch.tensor([0.8, 0.2, 0.2])[:, None, None]
    skin[..., :16, :], maps.lips[..., 16:, :], maps.teeth[..., 20, :] = 1, 1, 1
    inside = mouth_inside(picture, maps, skin)[0]
    assert torch.allclose(inside[:, 25, 5], torch.tensor([0.1, 0.025, 0.025]), atol=1e-5)
    tooth = (torch.tensor([0.9, 0.6, 0.3]) + 1.2) / 3 * (0.35 + 0.65 * 0.6) / 0.6
    assert torch.allclose(inside[:, 20, 5], tooth, atol=1e-5)


def test_stretch_is_the_derivative_of_the_place_that_is_read():
    "A flow that reads a quarter of the height."
    y = 1 - (torch.arange(64) + 0.5) / 32  # of pixels, up
    flow = torch.zeros(1, 2, 64, 64)
    flow[0, 1] = (0.25 * y - y)[:, None]
    assert torch.allclose(stretch_of(flow)[..., 2:-2, :], torch.tensor(0.25), atol=1e-4)
    assert torch.allclose(stretch_of(flow * 0), torch.tensor(1.0))


def test_a_new_network_gives_the_moved_photo(photo):
    "The head begins near zero: the layer is the fade, and nothing is painted but lids and mouth."
    torch.manual_seed(0)
    g = WarpGenerator(WarpConfig(channels=(6, 8, 10)))
    maps = maps_of(turned(0), turned(20))
    out = g(photo, maps)
    flow, fade = continue_flow(GeometryMaps.split(maps))
    assert torch.allclose(out["warped_by_mesh"], warp_by_flow(photo, flow * fade), atol=1e-6)
    assert (out["layer"] - out["fade"]).abs().mean() < 0.03 and (out["image"] - out["warped"]).abs().mean() < 0.03


def test_the_picture_by_hand():
    "The continued flow times the layer; skin for lids, and the inside of a mouth that opens."
    near = torch.tensor([0.9])
    faces = turned(8).replace(scale=near), turned(-8, jawOpen=0.5, eyeBlink=1.0).replace(scale=near)
    g, maps, photo = small(), maps_of(*faces, 128), torch.rand(1, 3, 128, 128)
    heads, m = [], GeometryMaps.split(maps)
    g.to_layer.register_forward_hook(lambda _, x, y: heads.append(y))
    out = g(photo, maps)
    flow, fade = continue_flow(m)
    raw = F.interpolate(heads[0], (128, 128), mode="bilinear")  # the network looks at 64 pixels
    usual = fade.clamp(0.02, 0.98)
    odds = usual / (1 - usual) * torch.exp(SURE * torch.tanh(raw))
    layer = torch.maximum(odds / (1 + odds) * (fade * 20).clamp(max=1), (10 * fade - 9).clamp(min=0))
    shifted = flow[:, :2] * layer
    warped = warp_by_flow(photo, shifted)
    shown = visible_skin(m)
    stretched = opened((1.6 - 2 * stretch_of(shifted)).clamp(0, 1))
    b = stretched * grown(m.eyelids, 1 / 60) * (1 - m.eyeballs)
    c = F.avg_pool2d(m.mouth * m.hidden, 3, 1, 1)
    image = warped * (1 - b) + skin_around(warped, shown) * b
    image = image * (1 - c) + mouth_inside(warped, m, shown) * c
    for name, want in dict(layer=layer, flow=shifted, warped=warped, lids=b, mouth=c).items():
        assert torch.allclose(out[name], want, atol=1e-4), name
    assert torch.allclose(out["image"], image.clamp(0, 1), atol=1e-4)
    assert out["image"].min() >= 0 and out["image"].max() <= 1
    assert min(b.max(), c.max()) > 0.2


def test_whatever_the_network_says_the_photo_is_kept(photo):
    "No motion gives the photo; far from the head nothing moves; beyond mouth and eyes nothing is painted."
    g = small()
    with torch.no_grad():
        g.to_layer.bias[:] = 50.0
    assert torch.allclose(g(photo, maps_of(turned(10), turned(10)))["image"], photo, atol=1e-6)
    maps = maps_of(turned(0), turned(25))
    out, m = g(photo, maps), GeometryMaps.split(maps)
    painted = (out["image"] != out["warped"]).any(1, keepdim=True)
    assert not painted[grown(m.features, 1 / 25) == 0].any()
    assert (out["layer"][m.mask > 0] == 1).all(), "the head moves"
    assert (out["layer"][out["fade"] == 0] == 0).all(), "the background does not"
    assert (out["layer"] > out["fade"] + 0.2).any(), "and between them the network decides"


def test_a_turning_head_leaves_the_background_alone(photo):
    "Farther than a sixth of the width from both heads less than 2 of 255 changes, whatever the network says."
    from scipy.ndimage import distance_transform_edt

    g = small()
    with torch.no_grad():
        g.to_layer.bias[:] = 50.0
    size = 96
    source, target = turned(0), turned(22)
    source, target = (p.replace(scale=torch.tensor([0.4])) for p in (source, target))
    maps = maps_of(source, target, size)
    picture = F.interpolate(photo, (size, size))
    out, m = g(picture, maps), GeometryMaps.split(maps)
    head = torch.maximum(m.mask, m.source_mask)[0, 0].numpy() > 0
    far = torch.from_numpy(distance_transform_edt(~head) > size / 6)
    assert far.float().mean() > 0.2
    assert (out["image"] - picture)[0, :, far].abs().mean() < 2 / 255


def test_what_the_network_sees(photo):
    "Photo and moved photo between −1 and 1; the flow times 4; the fade, masks, and regions."
    g, maps = small(), maps_of(turned(0), turned(25))
    x, flow, fade, warped = g.inputs(photo, GeometryMaps.split(maps))
    want = [photo * 2 - 1, warped * 2 - 1, flow[:, :2] * 4, fade, maps[:, 3:4]]
    want.append(warp_by_flow(maps[:, 4:5], flow * fade))  # how much of the source's mesh would be read
    want += [maps[:, 5:6], maps[:, 6:]]
    assert torch.allclose(x, torch.cat(want, 1), atol=1e-6) and x.shape[1] == g.in_channels
    assert torch.allclose(warped, warp_by_flow(photo, flow * fade), atol=1e-6)


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
