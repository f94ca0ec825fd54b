"Readers of other people's face models, on files of the same keys, shapes and dtypes; their command; --model."

import dataclasses, json, pickle, shutil, sys
import numpy as np
import pytest
from scipy.io import savemat
import torch
from conftest import first_coefficients, one_sentence, run_command
from f3a_lite import animation, animator
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.data.clips import load_clip
from f3a_lite.core import F3AError
from f3a_lite.data.licensed_models import (
    f3a_model,
    from_arrays,
    load_3ddfa_v2,
    load_basel_3ddfa,
    load_bfm,
    load_deep3d,
    load_flame,
    load_gnm,
    load_ict,
    outward,
    read_landmarks,
    save_mesh,
)
from f3a_lite.morphable import FaceParams, REGIONS, load_model, open_model
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.projection import pose
from f3a_lite.systems import load_system
from f3a_lite.ui.train import f3a_train

RNG = np.random.default_rng(0)


def basis(n, k):
    return (RNG.standard_normal((64, k)).astype(np.float32) * 10)[RNG.integers(0, 64, 3 * n)]


def triangles(n, t, first):
    return RNG.integers(0, n, (t, 3)) + first


def face(n):
    return (RNG.standard_normal((n, 3)) * 5e4).astype(np.float32)


def same(model, mean, idb, exb, unit):
    "The model's Eq. 1 equals the flat formula of the original code."
    a, e = RNG.standard_normal(idb.shape[1]).astype(np.float32), RNG.standard_normal(exb.shape[1]).astype(np.float32)
    want = ((mean.reshape(-1) + idb @ a + exb @ e) * unit).reshape(-1, 3)
    p = FaceParams.neutral(1, len(a), len(e), scale=1.0).replace(
        id_coeff=torch.as_tensor(a)[None], exp_coeff=torch.as_tensor(e)[None]
    )
    assert np.allclose(pose(model, p)[0].numpy(), want, atol=1e-3)


def test_basel_of_3ddfa(tmp_path):
    N, T = 53215, 105840
    mu, w, we, mue = face(N), basis(N, 199), basis(N, 29), face(N)
    tri, kp = triangles(N, T, 1), RNG.integers(1, N + 1, (1, 68))
    savemat(
        tmp_path / "Model_Shape.mat",
        dict(
            mu_shape=mu.reshape(-1, 1),
            w=w,
            sigma=np.ones((199, 1)),
            tri=tri.T.astype(float),
            keypoints=kp.astype(float),
        ),
    )
    savemat(tmp_path / "Model_Exp.mat", dict(mu_exp=mue.reshape(-1, 1), w_exp=we, sigma_exp=np.ones((29, 1))))
    m = load_basel_3ddfa(tmp_path / "Model_Shape.mat", tmp_path / "Model_Exp.mat")
    assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 199, 29, T) and m.landmark_vertices[3] == kp[0, 3] - 1
    same(m, mu + mue, w, we, 1e-5)
    with pytest.raises(F3AError, match="Model_Exp"):
        load_basel_3ddfa(tmp_path / "Model_Shape.mat")
    with pytest.raises(F3AError, match="mu_exp"):
        load_basel_3ddfa(tmp_path / "Model_Shape.mat", tmp_path / "Model_Shape.mat")
    with pytest.raises(F3AError, match="missing"):
        load_basel_3ddfa(tmp_path / "nothing.mat")


def test_basel_of_face3d(tmp_path):
    N, T = 53215, 1000
    mu, w, we = face(N), basis(N, 199), basis(N, 29)
    savemat(
        tmp_path / "BFM.mat",
        dict(
            model=dict(
                shapeMU=mu.reshape(-1, 1),
                shapePC=w,
                shapeEV=np.ones((199, 1)),
                expMU=0 * mu.reshape(-1, 1),
                expPC=we,
                expEV=np.ones((29, 1)),
                tri=triangles(N, T, 1),
                kpt_ind=RNG.integers(1, N + 1, (1, 68)),
            )
        ),
    )
    same(load_basel_3ddfa(tmp_path / "BFM.mat"), mu, w, we, 1e-5)


def test_deep3dface(tmp_path):
    N, T = 35709, 70789
    mu, w, we = face(N) / 5e4, basis(N, 80), basis(N, 64)
    tri = triangles(N, T, 1)
    savemat(
        tmp_path / "m.mat",
        dict(
            meanshape=mu.reshape(1, -1),
            idBase=w,
            exBase=we.astype(np.float64),
            tri=tri,
            keypoints=RNG.integers(1, N + 1, (1, 68)),
            meantex=np.zeros((1, 3 * N)),
        ),
    )
    m = load_deep3d(tmp_path / "m.mat")
    assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 80, 64, T)
    same(m, mu, w, we, 1.0)
    savemat(
        tmp_path / "bad.mat",
        dict(meanshape=mu.reshape(1, -1)[:, :300], idBase=w, exBase=we, tri=tri, keypoints=np.ones((1, 68))),
    )
    with pytest.raises(F3AError, match="100"):
        load_deep3d(tmp_path / "bad.mat")


def test_3ddfa_v2(tmp_path):
    N, T = 38365, 76073
    u, w, we = face(N), basis(N, 40), basis(N, 10)
    kp = RNG.integers(0, N, 68)
    flat = np.stack([3 * kp, 3 * kp + 1, 3 * kp + 2], 1).reshape(-1)
    tri = triangles(N, T, 0)
    (tmp_path / "bfm.pkl").write_bytes(pickle.dumps(dict(u=u.reshape(-1, 1), w_shp=w, w_exp=we, keypoints=flat)))
    (tmp_path / "tri.pkl").write_bytes(pickle.dumps(tri.T))
    unpickled = (pickle.loads((tmp_path / name).read_bytes()) for name in ("bfm.pkl", "tri.pkl"))  # as its owner does
    np.savez(tmp_path / "bfm.npz", **next(unpickled), tri=next(unpickled))
    m = load_3ddfa_v2(tmp_path / "bfm.npz")
    assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 40, 10, T)
    assert np.array_equal(m.landmark_vertices.numpy(), kp)
    same(m, u, w, we, 1e-5)


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch was_run",)


def test_pickles_are_not_run(tmp_path, monkeypatch):
    "Neither a pickle in the place of an .npz, nor an array of objects in one."
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Evil()))
    np.savez(tmp_path / "x.npz", **{name: np.array(Evil(), object) for name in ("v_template", "shapedirs", "f", "u")})
    for name in ("x.pkl", "x.npz"):
        for load in (load_3ddfa_v2, load_flame, load_gnm):
            with pytest.raises(F3AError, match=name):
                load(tmp_path / name)
    assert not (tmp_path / "was_run").exists()


SMALL = first_coefficients(3)  # of the open model
POINTS = SMALL.landmark_vertices.numpy().copy()  # a model that another process gets moves to shared memory


def like_small(model, exp_names=()):
    "Whether a model is the open one with three coefficients each."
    for name in ("mean_shape", "id_basis", "exp_basis"):
        assert torch.allclose(getattr(model, name), getattr(SMALL, name), atol=1e-5), name
    assert torch.equal(model.triangles, SMALL.triangles) and np.array_equal(model.landmark_vertices, POINTS)
    assert model.exp_names == tuple(exp_names)


def write_obj(path, vertices, polygons=()):
    "A mesh as ICT-FaceKit writes it: corners with a number of their texture, counted from 1."
    lines = [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in vertices.tolist()] + ["vt 0 0", "vn 0 0 1"]
    lines += ["f " + " ".join(f"{k + 1}/1" for k in p) for p in polygons]
    path.write_text("\n".join(["mtllib x.mtl", *lines]))


def write_ict(folder, model, polygons, names):
    "A folder like FaceXModel, in centimetres."
    folder.mkdir(exist_ok=True)
    mean = model.mean_shape.numpy() * 10
    write_obj(folder / "generic_neutral_mesh.obj", mean, polygons)
    for k, basis in enumerate(model.id_basis.numpy()):
        write_obj(folder / f"identity{k:03d}.obj", mean + basis * 10)
    for name, basis in zip(names, model.exp_basis.numpy()):
        write_obj(folder / f"{name}.obj", mean + basis * 10)
    facts = dict(expressions=names, idx_to_landmark_verts=model.landmark_vertices.tolist())
    (folder / "vertex_indices.json").write_text(json.dumps(facts))
    return folder


def test_ict(tmp_path):
    "Names, units and landmarks come from the folder; the triangles are turned outward where they are not."
    names = ["browDown_L", "browDown_R", "jawOpen"]
    folder = write_ict(tmp_path / "FaceXModel", SMALL, SMALL.triangles.tolist(), names)
    like_small(load_ict(folder), ("browDownLeft", "browDownRight", "jawOpen"))
    m = load_ict(folder, landmarks=POINTS[::-1])
    assert np.array_equal(m.landmark_vertices, POINTS[::-1])
    (folder / "identity002.obj").unlink()
    assert load_ict(folder).K == 2
    write_obj(folder / "jawOpen.obj", SMALL.mean_shape[:9])
    with pytest.raises(F3AError, match="FaceXModel"):
        load_ict(folder)


def test_ict_keeps_skin_and_eyeballs(tmp_path):
    "Of 25,000 vertices in a row those of the mouth and of the lashes go, and what hangs on them."
    n = 25000
    line = torch.arange(n).float()
    mean = torch.stack([line / n, (line % 7) / 7, (line % 11) / 11], 1)
    offsets = torch.stack([mean + 0.1, mean - 0.1])
    big = dataclasses.replace(SMALL, mean_shape=mean, id_basis=offsets, exp_basis=offsets[:1])
    quads = [[0, 1, 2, 3], [11246, 11247, 11248, 11249], [21451, 21452, 24590], [24590, 24591, 24592]]
    m = load_ict(write_ict(tmp_path / "FaceXModel", big, quads, ["jawOpen"]))
    kept = [*range(11248), *range(21451, 24591)]
    assert torch.allclose(m.mean_shape, mean[kept], atol=1e-5)
    assert torch.allclose(m.id_basis, offsets[:, kept], atol=1e-5)
    assert [sorted(t) for t in m.triangles.tolist()] == [[0, 1, 2], [0, 2, 3], [11248, 11249, 14387]]
    eyes = torch.arange(len(kept)) >= 11248
    assert torch.equal(m.regions, torch.where(eyes, REGIONS.index("eyeballs"), -1))


def test_flame(tmp_path):
    directions = np.zeros((400, *SMALL.mean_shape.shape), np.float32)
    directions[:3], directions[300:303] = SMALL.id_basis / 10, SMALL.exp_basis / 10
    parts = dict(v_template=SMALL.mean_shape / 10, f=SMALL.triangles.numpy().astype(np.uint32))
    np.savez(tmp_path / "m.npz", shapedirs=directions.transpose(1, 2, 0), **parts)
    m = load_flame(tmp_path / "m.npz", POINTS)
    assert (m.K, m.L) == (300, 100)
    keep = dict(id_basis=m.id_basis[:3], exp_basis=m.exp_basis[:3])
    like_small(dataclasses.replace(m, **keep))
    with pytest.raises(F3AError, match="--landmarks"):
        load_flame(tmp_path / "m.npz")
    np.savez(tmp_path / "m.npz", shapedirs=directions[:50].transpose(1, 2, 0), **parts)
    with pytest.raises(F3AError, match="50 directions"):
        load_flame(tmp_path / "m.npz", POINTS)


def write_gnm(path, model=SMALL, **change):
    "The small model with GNM's names, in metres."
    parts = dict(
        template_vertex_positions=model.mean_shape / 10,
        vertex_identity_basis=model.id_basis / 10,
        expression_basis=model.exp_basis / 10,
        triangles=model.triangles,
        identity_names=np.array(["head_000", "head_001", "teeth_000"]),
    )
    np.savez(path, **{**parts, **change})
    return path


def test_gnm(tmp_path):
    like_small(load_gnm(write_gnm(tmp_path / "m.npz"), POINTS))
    for change, word in (
        (dict(triangles=np.array([["a"]])), "text"),
        (dict(triangles=np.array([[0, 1, 5000]])), "triangles"),
        (dict(triangles=np.array([[0, 1, 0.5]])), "fractions"),
        (dict(expression_basis=np.zeros((2, 7, 3))), "exp_basis"),
        (dict(vertex_identity_basis=np.full((1, 2, 3), np.nan)), "finite"),
        (dict(template_vertex_positions=np.zeros(4)), "m.npz"),
    ):
        with pytest.raises(F3AError, match=word):
            load_gnm(write_gnm(tmp_path / "m.npz", **change), POINTS)
    with pytest.raises(F3AError, match="landmark_vertices"):
        load_gnm(write_gnm(tmp_path / "m.npz"), POINTS[:67])


def bfm_parts():
    "The small model as Basel 2017 holds it: millimetres, directions of length 1 and their variances."
    parts = {"shape/representer/cells": SMALL.triangles.numpy().T}
    half = SMALL.mean_shape.numpy().ravel() * 50
    for part, basis in (("shape", SMALL.id_basis), ("expression", SMALL.exp_basis)):
        columns = basis.numpy().reshape(3, -1).T * 100  # (3N,3)
        length = np.linalg.norm(columns, axis=0)
        found = dict(mean=half, pcaBasis=columns / length, pcaVariance=length**2)
        parts.update({f"{part}/model/{name}": value for name, value in found.items()})
    return parts


def test_bfm_by_a_stand_in_for_h5py(tmp_path, monkeypatch):
    "What is asked of the file, and what comes of it, without the library."

    class File(dict):
        def __init__(self, path, mode):
            super().__init__(bfm_parts())

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

    (tmp_path / "m.h5").write_text("")
    monkeypatch.setitem(sys.modules, "h5py", type("h5py", (), dict(File=File)))
    like_small(load_bfm(tmp_path / "m.h5", POINTS))


def test_bfm_needs_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(F3AError, match="pip install"):
        load_bfm(tmp_path / "m.h5", POINTS)


def test_bfm(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs `pip install 'f3a_lite[models]'`")
    with h5py.File(tmp_path / "m.h5", "w") as f:
        for name, value in bfm_parts().items():
            f[name] = value
    like_small(load_bfm(tmp_path / "m.h5", POINTS))
    with h5py.File(tmp_path / "m.h5", "a") as f:
        del f["expression/model/mean"]
    with pytest.raises(F3AError, match="expression/model/mean"):
        load_bfm(tmp_path / "m.h5", POINTS)
    (tmp_path / "m.h5").write_text("x")
    with pytest.raises(F3AError, match="m.h5"):
        load_bfm(tmp_path / "m.h5", POINTS)


def test_triangles_are_turned_outward():
    "A tetrahedron far from the origin, and a mask that is open at the back, either way round."
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) + [5, -3, -9]
    closed = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    mask = np.float32([[0, 0, 1], [-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    front = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
    for mean, good in ((corners, closed), (mask, front)):
        turned = good[:, [0, 2, 1]]
        assert np.array_equal(outward(mean, good), good) and np.array_equal(outward(mean, turned), good)


def test_landmark_files(tmp_path):
    "One number a line, a list with commas, or GNM's three corners with weights, of which the heaviest counts."
    path = tmp_path / "68.txt"
    rng = np.random.default_rng(0)
    weights = rng.dirichlet((1, 1, 1), 68)
    corners = rng.integers(0, 4547, (68, 3))
    corners[np.arange(68), weights.argmax(1)] = POINTS
    rows = np.stack([corners, weights], 2).reshape(68, 6)
    gnm = "\n".join(" ".join(f"{x:.12g}" for x in row) for row in rows)
    for text in ("\n".join(map(str, POINTS)), ", ".join(map(str, POINTS)), gnm):
        path.write_text(text)
        assert np.array_equal(read_landmarks(path), POINTS)
    for text in ("", "1 2 3", "x" * 68, " ".join(["1.5"] * 68), " ".join(["-1"] * 68), " ".join(["nan"] * 68)):
        path.write_text(text)
        with pytest.raises(F3AError, match="68.txt"):
            read_landmarks(path)


def test_tiny_bases_keep_their_precision(tmp_path):
    "Basel's directions are 1e-8 dm a unit, which half precision would round to nothing."
    flat = dict(mean=SMALL.mean_shape.numpy(), triangles=SMALL.triangles.numpy(), marks=POINTS)
    m = from_arrays("x", "", 1.0, id_basis=SMALL.id_basis.numpy() * 1e-7, exp_basis=SMALL.exp_basis.numpy(), **flat)
    m.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert torch.equal(again.id_basis, m.id_basis) and torch.equal(again.exp_basis, m.exp_basis.half().float())


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    "A model of other people, written by the command."
    folder = tmp_path_factory.mktemp("model")
    np.savetxt(folder / "68.txt", POINTS, "%d")
    words = ["gnm", write_gnm(folder / "gnm_head.npz"), folder / "gnm.safetensors", "--landmarks", folder / "68.txt"]
    assert run_command(f3a_model, *words) == 0
    return folder / "gnm.safetensors"


def test_the_command(model_file, tmp_path, capsys):
    m = load_model(model_file)
    assert (m.name, m.licence, m.K, m.L) == ("GNM Head v3", "Apache-2.0, Google", 3, 3)
    assert torch.equal(m.id_basis, (SMALL.id_basis / 10 * 10).half().float())
    source, out = model_file.parent / "gnm_head.npz", tmp_path / "x.safetensors"
    points = ["--landmarks", model_file.parent / "68.txt"]
    (tmp_path / "mine.safetensors").write_text("my weights")
    for words, said in (
        ([], "kind"),
        (["gnm", source, out], "--landmarks"),
        (["gnm", source, tmp_path / "x.npz", *points], ".safetensors"),
        (["gnm", source, tmp_path / "mine.safetensors", *points], "not replaced"),
        (["flame", source, out, *points], "v_template"),
        (["3ddfa", f"{source},{source}", out], "gnm_head.npz"),
        (["ict", tmp_path, out], "vertex_indices.json"),
    ):
        assert run_command(f3a_model, *words) == 2
        assert said in one_sentence(capsys)
    assert (tmp_path / "mine.safetensors").read_text() == "my weights" and len(list(tmp_path.iterdir())) == 1
    shutil.copy(model_file, out)
    assert run_command(f3a_model, "gnm", source, out, *points) == 0  # another face model may be replaced


def test_the_command_with_the_two_files_of_3ddfa(tmp_path, capsys):
    n = 80
    shape = dict(mu_shape=face(n).reshape(-1, 1), w=basis(n, 4), sigma=np.ones((4, 1)))
    tri, kp = triangles(n, 9, 1).T, np.arange(1, 69)
    savemat(tmp_path / "s.mat", dict(**shape, tri=tri.astype(float), keypoints=kp[None].astype(float)))
    exp = dict(mu_exp=np.zeros((3 * n, 1)), w_exp=basis(n, 2), sigma_exp=np.ones((2, 1)))
    savemat(tmp_path / "e.mat", exp)
    out = tmp_path / "basel.safetensors"
    assert run_command(f3a_model, "3ddfa", f"{tmp_path / 's.mat'},{tmp_path / 'e.mat'}", out) == 0
    assert "University of Basel" in capsys.readouterr().out
    m = load_model(out)
    assert (m.K, m.L) == (4, 2) and torch.equal(m.landmark_vertices, torch.arange(68))


@pytest.fixture(scope="module")
def other_clip(model_file, video, tmp_path_factory):
    "24 frames of the bundled clip, prepared with the other model by the command."
    out = tmp_path_factory.mktemp("clips")
    assert run_command(f3a_prepare, video, out, "--max-frames", 24, "--model", model_file) == 0
    return load_clip(next(out.glob("woman_laughing-*")))


def test_prepare_with_a_model(model_file, other_clip, clip, capsys):
    assert other_clip.params.id_coeff.shape == (24, 3) and other_clip.params.exp_coeff.shape == (24, 3)
    assert other_clip.meta["face_model"].startswith("GNM Head v3 ") and clip.meta["face_model"] == open_model().name
    assert other_clip.meta["fit_error"] < 0.08
    words = ["--dataset", "rendered", "--model", model_file]
    assert run_command(f3a_prepare, 2, other_clip.path.parent / "x", *words) == 2
    assert "--model" in one_sentence(capsys)
    assert run_command(f3a_prepare, other_clip.path / "x.mp4", "out", "--model", "nothing.safetensors") == 2
    assert "nothing.safetensors" in one_sentence(capsys)


def test_a_data_set_with_a_model(model_file, other_clip, video, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(video, tmp_path / "in" / "v.mp4")
    words = ["--dataset", "video", "--max-frames", 3, "--model", model_file]
    assert run_command(f3a_prepare, tmp_path / "in", tmp_path / "out", *words) == 0
    assert load_clip(next((tmp_path / "out").glob("v-*"))).meta["face_model"] == other_clip.meta["face_model"]


def test_train_and_animate_with_a_model(model_file, other_clip, clip, tmp_path, monkeypatch, capsys):
    "Weights know their model; a clip of one model is refused with another; units without names follow no script."
    monkeypatch.chdir(tmp_path)
    model = ["--model", model_file]
    short = ["--steps", 1, "--batch", 1, "--low-batch", 1, "--size", 64, "--test-pairs", 1, "--device", "cpu"]
    small = ["--system", "t_warp", "--channels", 8, 8]
    assert run_command(f3a_train, other_clip.path, "--out", "run", *small, *short, *model) == 0
    weights = tmp_path / "run" / "weights.safetensors"
    assert load_system(weights).info["face_model"] == other_clip.meta["face_model"]
    turn = ["--script", "turn", "--device", "cpu", "--person", weights]
    capsys.readouterr()
    used, whole = [], animation.animate
    monkeypatch.setattr(animator, "animate", lambda *a, **k: used.append(k["face_model"].name) or whole(*a, **k))
    assert run_command(f3a_animate, other_clip.path, *turn, *model) == 0
    assert used == ["GNM Head v3"]
    assert "another face model" not in capsys.readouterr().out
    assert run_command(f3a_animate, other_clip.path, "--script", "turn", "--device", "cpu", *model) == 0
    assert "t_warp.safetensors' was trained with another face model" in capsys.readouterr().out
    for command, words, said in (
        (f3a_animate, [other_clip.path, *turn], "GNM Head v3"),
        (f3a_animate, [clip.path, *turn, *model], "open face model"),
        (f3a_animate, [other_clip.path, "--driving", clip.path, *turn[2:], *model], "open face model"),
        (f3a_animate, [other_clip.path, "--script", "smile", *model], "mouthSmile"),
        (f3a_train, [other_clip.path, "--out", "x", *short], "GNM Head v3"),
        (f3a_train, [other_clip.path, "--out", "x", *short, *model, "--people", 2], "--people 0"),
    ):
        assert run_command(command, *words) == 2
        assert said in one_sentence(capsys)


def test_a_mesh_is_written_for_other_programs(tmp_path):
    "The .obj read line by line, the .ply by its header, both against the arrays."
    pytest.importorskip("open3d", reason="the extra open3d or a library of the system is missing", exc_type=ImportError)
    corners = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]])
    sides = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]])
    lines = save_mesh(tmp_path / "a.obj", corners, sides).read_text().splitlines()
    read = [[float(x) for x in line.split()[1:4]] for line in lines if line.startswith("v ")]
    assert np.allclose(read, corners)
    faces = [[int(x.split("/")[0]) - 1 for x in line.split()[1:]] for line in lines if line.startswith("f ")]
    assert (np.array(faces) == sides).all()
    header = save_mesh(tmp_path / "a.ply", corners, sides).read_bytes().split(b"end_header")[0].decode()
    assert "element vertex 4" in header and "element face 3" in header
    with pytest.raises(F3AError, match="written as .ply"):
        save_mesh(tmp_path / "a.txt", corners, sides)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.obj", "a.ply"]
