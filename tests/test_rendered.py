"Rendered people and faces."

import dataclasses
import shutil
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter
from f3a_lite.core import F3AError, data_path
from f3a_lite.flow import render_mesh
from f3a_lite.morphable import FaceParams, PARAM_NAMES
from f3a_lite.projection import pose
from f3a_lite.synth import looks, parts, people, rendered, rendered_clips, skin, wardrobe
from helpers import MODEL, close


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
    poses = [rendered.sample_pose(rng) for _ in range(3000)]
    r = np.degrees([m[0] for m in poses])
    t, s = np.array([m[1] for m in poses]), np.array([m[2] for m in poses])
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
        and set(np.unique(attr[:, 8])) <= set(range(11))
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
    jaws = wardrobe.wardrobe()["teeth.base"]
    teeth = np.flatnonzero(np.isin(a[2][:, 8], (parts.TEETH, parts.GUMS)))
    moved = (b[0] - a[0])[teeth, 1]
    upper = jaws.pose > 0.5
    assert len(teeth) == len(upper) and 0.4 < upper.mean() < 0.6
    assert np.abs(moved[upper]).max() < 1e-5 and moved[~upper].max() < -0.05
    resting = jaws.on(MODEL.mean_shape.numpy())
    assert (
        resting[upper & (jaws.kind == parts.TEETH), 1].mean() > resting[~upper & (jaws.kind == parts.TEETH), 1].mean()
    )


NAMES = ("hair.long01", "hair.short01", "suit.male_elegantsuit01")


def test_the_wardrobe_follows_the_skull():
    "Hair moves as the scalp next to it does when identity changes, and lies outside the skull of anybody."
    rng = torch.Generator().manual_seed(0)
    mean = MODEL.mean_shape.numpy()
    coeff = torch.randn(1, MODEL.K, generator=rng)
    V = MODEL.shape(coeff, torch.zeros(1, MODEL.L))[0].numpy()
    for name in NAMES:
        piece = wardrobe.wardrobe()[name]
        moved = piece.on(V) - piece.on(mean)
        near = np.abs(piece.offset).max(1) < 0.3
        beside = np.linalg.norm(moved[near] - (V - mean)[piece.anchors[near, 0]], axis=1)
        size = np.linalg.norm(moved, axis=1)
        assert beside.mean() < 0.25 * size.mean() and size.max() > 0.02, name


def test_suits_rest_and_hair_turns():
    "A turned head takes its hair along, least where that hangs on shoulders; a suit whose shoulders rest only shifts."
    look = dataclasses.replace(people.person(0).look, style="hair.long01", suit=NAMES[2], brow="", lash="", volume=0.2)
    still = FaceParams.neutral(scale=1.0)
    turn = still.replace(rotation=torch.tensor([[0, 0.6, 0.0]]))
    rest = torch.zeros(3)
    a, b = (rendered.posed_mesh(look, p, rest) for p in (still, turn))
    moved = b[0] - a[0]
    cloth, strands = (np.flatnonzero(a[2][:, 8] == k) for k in (parts.CLOTH, parts.STRANDS))
    close(moved[cloth], moved[cloth][:1].repeat(len(cloth), 0), 1e-5)
    R = rendered.euler_to_matrix(turn.rotation)[0].numpy()
    top, low = strands[a[0][strands, 1] > -0.5], strands[a[0][strands, 1] < -1.6]
    close(moved[top], a[0][top] @ R.T - a[0][top], 5e-3)
    stiff = np.linalg.norm(a[0][low] @ R.T - a[0][low], axis=1)
    assert len(low) and np.linalg.norm(moved[low], axis=1).mean() < 0.7 * stiff.mean()


def test_strands_let_through_what_is_behind():
    "Inside a strip hair hides all, at its ends little; every style is drawn, in the colour of the hair."
    look = dataclasses.replace(
        people.person(1).look, hair=np.array([0.9, 0.1, 0.1]), glasses=False, volume=0.2, suit=""
    )
    a = np.zeros((2000, 9), np.float32)
    a[:, 0], a[:, 8] = np.linspace(0, 1, 2000), parts.STRANDS
    inside = people.strand_cover(look, a).mean()
    a[:, 2] = 0.9
    assert inside > 0.95 and 0.05 < people.strand_cover(look, a).mean() < 0.6
    rng = np.random.default_rng
    scene = (np.r_[1, np.zeros(8)][:, None] * np.ones(3), np.array([0, 0, 1.0]), np.zeros((96, 96, 3), np.float32))
    for name in looks.LONG_STYLES + looks.SHORT_STYLES + ("afro01",):
        drawn = dataclasses.replace(look, style=f"hair.{name}", brow="", lash="")
        picture = rendered.render_face(drawn, FaceParams.neutral(scale=0.6), rng(0), 64, scene, shoot=False)
        assert (picture[..., 0] > 3 * picture[..., 1]).mean() > 0.04, name


def test_the_same_person_wears_the_same():
    "Clothes are drawn apart: shape and colours are those of the look without them."
    one = people.person(5)
    people.person.cache_clear()
    again = people.person(5)
    assert (again.look.style, again.look.suit) == (one.look.style, one.look.suit)
    bare = looks.Look.sample(np.random.default_rng((0, 1, 5)))
    close(one.look.skin, bare.skin, 0)
    many = [people.person(k).look for k in range(300)]
    assert 0.6 < np.mean([bool(m.style) for m in many]) < 0.85 and 0.75 < np.mean([bool(m.suit) for m in many]) < 0.95
    assert {m.style for m in many} >= {f"hair.{s}" for s in looks.LONG_STYLES + looks.SHORT_STYLES}
    assert not any(m.style for m in many if not m.volume), "the bald stay bald"


@pytest.mark.parametrize("how", ["missing", "cut", "nan", "index", "shape", "format"])
def test_a_damaged_wardrobe_is_one_sentence(tmp_path, how):
    path = tmp_path / "wardrobe.safetensors"
    tensors, facts = load_file(data_path("wardrobe.safetensors")), dict(format="1")
    assert all(np.isfinite(x).all() for x in tensors.values())
    if how == "nan":
        tensors["hair.short01.offset"][3, 1] = np.nan
    if how == "index":
        tensors["hair.short01.anchors"][3, 1] = 60000
    if how == "shape":
        tensors["hair.short01.uv"] = tensors["hair.short01.uv"][:-1]
    if how == "format":
        facts = dict(format="0")
    if how != "missing":
        save_file(tensors, path, metadata=facts)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(F3AError, match="wardrobe") as e:
        wardrobe.wardrobe(path)
    assert "\n" not in str(e.value) and len(str(e.value)) < 400


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
