"Loaders of the licensed face models, on files of the same keys, shapes and dtypes."

import io, pickle, pickletools, struct, subprocess, sys
import numpy as np
import pytest
from scipy.io import savemat
from f3a_lite.core import F3AError
from f3a_lite.morphable import (
    FaceParams,
    load_3ddfa_v2,
    load_basel_3ddfa,
    load_deep3d,
    read_numpy_pickle,
    save_mesh,
)
from f3a_lite.projection import pose

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
    import torch

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
    with pytest.raises(F3AError, match="mu_exp"):
        load_basel_3ddfa(tmp_path / "Model_Shape.mat")
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
    with pytest.raises(F3AError, match="100 vertices"):
        load_deep3d(tmp_path / "bad.mat")


def test_3ddfa_v2(tmp_path):
    N, T = 38365, 76073
    u, w, we = face(N), basis(N, 40), basis(N, 10)
    kp = RNG.integers(0, N, 68)
    flat = np.stack([3 * kp, 3 * kp + 1, 3 * kp + 2], 1).reshape(-1)
    tri = triangles(N, T, 0)
    with open(tmp_path / "bfm_noneck_v3.pkl", "wb") as f:
        pickle.dump(dict(u=u.reshape(-1, 1), w_shp=w, w_exp=we, keypoints=flat), f)
    with open(tmp_path / "tri.pkl", "wb") as f:
        pickle.dump(tri.T, f)
    m = load_3ddfa_v2(tmp_path / "bfm_noneck_v3.pkl")
    assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 40, 10, T)
    assert np.array_equal(m.landmark_vertices.numpy(), kp)
    same(m, u, w, we, 1e-5)


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch was_run",)


@pytest.mark.parametrize(
    "thing", [Evil(), dict(u=Evil()), [np.ones(3), Evil()]], ids=["bare", "in a dict", "behind an array"]
)
def test_pickles_are_not_run(tmp_path, monkeypatch, thing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(thing))
    with pytest.raises(F3AError, match="refused"):
        load_3ddfa_v2(tmp_path / "x.pkl")
    assert not (tmp_path / "was_run").exists()


def test_a_file_from_elsewhere_with_code_is_named(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(F3AError, match="system"):
        load_3ddfa_v2(tmp_path / "x.pkl")


ARRAYS = dict(
    floats=np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    columns=np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    strided=np.arange(20, dtype=np.int16)[::3],
    big_endian=np.arange(5, dtype=">i4"),
    flags=np.array([[True, False], [False, True]]),
    half=np.linspace(0, 1, 7, dtype=np.float16),
    wide=np.array([0, 2**64 - 1], np.uint64),
    empty=np.zeros((0, 3)),
    point=np.array(2.5),
    one=np.float64(1.5),
    count=np.int64(-3),
)


@pytest.mark.parametrize("protocol", range(6))
def test_genuine_pickles_of_every_protocol(tmp_path, protocol):
    "Read as Python reads them, bit by bit."
    thing = dict(
        ARRAYS,
        words=["mean", "größe"],
        nested=[(1, 2.5, None, True), {"k": ARRAYS["columns"]}],
        huge=2**70,
        data=b"\x00\xff",
        shared=[ARRAYS["floats"]],
    )
    data = pickle.dumps(thing, protocol)
    (tmp_path / "x.pkl").write_bytes(data)
    got, want = read_numpy_pickle(tmp_path / "x.pkl"), pickle.loads(data)
    assert list(got) == list(want)
    for k in ARRAYS:
        assert np.array_equal(got[k], want[k]) and got[k].shape == want[k].shape, k
        assert got[k].dtype == want[k].dtype.newbyteorder("="), k
    assert got["nested"][0] == want["nested"][0] and np.array_equal(got["nested"][1]["k"], ARRAYS["columns"])
    assert [got[k] for k in ("words", "huge", "data")] == [want[k] for k in ("words", "huge", "data")]
    assert got["shared"][0] is got["floats"]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_of_numpy_1_and_2(tmp_path, protocol):
    "The two differ in the name of a module, and only in it."

    def renamed(old, new):
        out = io.BytesIO()
        for op, arg, pos in pickletools.genops(data):
            end = ends[pos]
            if isinstance(arg, str) and old in arg and op.name == "GLOBAL":
                out.write(b"c" + arg.replace(old, new).replace(" ", "\n").encode() + b"\n")
            elif isinstance(arg, str) and old in arg:
                text = arg.replace(old, new).encode()
                out.write(b"\x8c" + bytes([len(text)]) + text)
            elif op.name != "FRAME":
                out.write(data[pos:end])
        return out.getvalue()

    data = pickle.dumps(ARRAYS, protocol)
    starts = [pos for _, _, pos in pickletools.genops(data)]
    ends = dict(zip(starts, [*starts[1:], len(data)]))
    module = "numpy._core" if b"numpy._core" in data else "numpy.core"
    for name in ("numpy.core", "numpy._core"):
        (tmp_path / "x.pkl").write_bytes(renamed(module, name))
        got = read_numpy_pickle(tmp_path / "x.pkl")
        assert all(np.array_equal(got[k], ARRAYS[k]) for k in ARRAYS)


def test_pickle_of_python_2(tmp_path):
    "The bytes that Python 2 writes for {'u': array([1, 2], float32)} with protocol 2."
    data = (
        b"\x80\x02}q\x01U\x01uq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x02\x85"
        b"cnumpy\ndtype\nq\x06U\x02f4K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08"
        + struct.pack("<2f", 1, 200.5)
        + b"tbs."
    )
    assert np.array_equal(pickle.loads(data, encoding="latin1")["u"], np.float32([1, 200.5]))
    (tmp_path / "x.pkl").write_bytes(data)
    got = read_numpy_pickle(tmp_path / "x.pkl")
    assert got["u"].dtype == np.float32 and np.array_equal(got["u"], [1, 200.5])


def calls(*parts):
    "Objects that pickle as calls: each part is (function, arguments[, state])."

    class Call:
        def __init__(self, part):
            self.part = part

        def __reduce__(self):
            return self.part

    return [Call(p) for p in parts]


RECONSTRUCT = np.array([1.0]).__reduce__()[0]
SCALAR = np.float32(1).__reduce__()[0]
FORGED = dict(
    pointers=calls((np.ndarray, ((3,), "O", b"A" * 24))),
    strides=calls((np.ndarray, ((3,), "f8", b"A" * 24, 0, (2**40,)))),
    object_dtype=calls((np.dtype, ("O", False, True))),
    object_array=[np.array([1, "a", None], object)],
    objects_by_state=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (3,), np.dtype("O"), False, b"A" * 24))),
    text=[np.array(["abc"])],
    record=[np.zeros(2, [("a", "f4"), ("b", "O")])],
    dates=[np.array(["2020-01-01"], "M8[D]")],
    void=calls((np.dtype, ("V8", False, True))),
    dtype_state=calls(
        (np.dtype, ("f8", False, True), (3, "|", ("f8", (2**40,)), ("a",), {"a": (np.dtype("f8"), 2**40)}, 8, 1, 63))
    ),
    dtype_size=calls((np.dtype, ("f8", False, True), (3, "<", None, None, {"x": 1}, 2**40, 1, 0))),
    too_few_bytes=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (2**40,), np.dtype("f8"), False, b"A" * 24))),
    overflow=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (2**32, 2**32), np.dtype("f8"), False, b""))),
    negative=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (-1, -3), np.dtype("f8"), False, b"A" * 24))),
    empty_and_huge=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (0, 2**62), np.dtype("f8"), False, b""))),
    version=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (9, (3,), np.dtype("f8"), False, b"A" * 24))),
    subclass=calls((RECONSTRUCT, (np.matrix, (0,), b"b"))),
    size_at_once=calls((RECONSTRUCT, (np.ndarray, (2**40,), b"b"))),
    scalar_of_objects=calls((SCALAR, (np.dtype("O"), b"A" * 8))),
    bytes_of_any_length=calls((bytes, (2**40,))),
    twice=calls((RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, (1,), np.dtype("f8"), False, b"A" * 8))),
    dtype_alone=[np.dtype("f8")],
    function_alone=[RECONSTRUCT],
    class_alone=[np.ndarray],
)
RAW = dict(
    memo=b"\x80\x04Nr\xff\xff\xff\x7f.",
    bytes8=b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    array8=b"\x80\x05\x96" + b"\x00" * 5 + b"\x01\x00\x00.",
    frame=b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
    inst=b"(S'true'\nios\nsystem\n.",
    obj=b"(cos\nsystem\nS'true'\no.",
    newobj=b"\x80\x02cnumpy\nndarray\n(K\x03tU\x01Ot\x81.",
    extension=b"\x80\x02\x82\x01.",
    persistent=b"Pabc\n.",
    out_of_band=b"\x80\x05\x97.",
    state_of_a_class=b"cnumpy\nndarray\n}S'x'\nNsb.",
    holds_itself=b"\x80\x02]q\x00h\x00a.",
    copies=b"\x80\x02]q\x00"
    + b"".join(b"](" + b"h" + bytes([k]) + (b"h" + bytes([k])) * 9 + b"eq" + bytes([k + 1]) for k in range(12))
    + b".",
    deep=b"\x80\x02" + b"]" * 100000 + b"a" * 99999 + b".",
    nothing=b"",
    stop=b".",
    mark=b"(.",
    no_stop=b"\x80\x04N",
    pending=b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
)


READ_ALL = """
import sys
from pathlib import Path
from f3a_lite.core import F3AError
from f3a_lite.morphable import read_numpy_pickle
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
except (ImportError, ValueError, OSError):
    pass
for name in sys.argv[2:]:
    print(name, end=" ", flush=True)
    try:
        x = read_numpy_pickle(Path(sys.argv[1]) / f"{name}.pkl")
        repr(x)  # looks at every element
        print("accepted", flush=True)
    except F3AError as e:
        print("refused" if str(e).count("\\n") == 0 else "long", flush=True)
    except BaseException as e:
        print("raised", type(e).__name__, flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    "What a process of its own says of each forged file; where it dies, the next one starts behind that file."
    folder = tmp_path_factory.mktemp("forged")
    (folder / "read_all.py").write_text(READ_ALL)
    for name, thing in FORGED.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(thing, 4))
    for name, data in RAW.items():
        (folder / f"{name}.pkl").write_bytes(data)
    data = pickle.dumps(FORGED["twice"][0], 2)  # the state of an array, set a second time
    (folder / "twice.pkl").write_bytes(data[:-1] + b"(K\x01K\x01\x85N\x89Ntb.")
    said, left = {}, [*FORGED, *RAW]
    while left:
        p = subprocess.run(
            [sys.executable, str(folder / "read_all.py"), str(folder), *left],
            capture_output=True,
            text=True,
            timeout=300,
        )
        lines = dict((line.split(" ", 1) + [""])[:2] for line in p.stdout.splitlines())
        assert lines, p.stderr[-2000:]
        said.update({k: v or f"died with {p.returncode}" for k, v in lines.items()})
        left = [k for k in left if k not in said]
    return said


@pytest.mark.parametrize("name", [*FORGED, *RAW])
def test_forged_pickles(outcomes, name):
    "Refused in one sentence, by a process that is alive afterwards; the size of a frame or of the memory says nothing."
    assert outcomes[name] == ("accepted" if name in ("memo", "frame") else "refused")


def test_a_mesh_is_written_for_other_programs(tmp_path):
    "The .obj read line by line, the .ply by its header, both against the arrays."
    pytest.importorskip("open3d", reason="Open3D or a system library of it is missing", exc_type=ImportError)
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
