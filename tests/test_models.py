"Loaders of the licensed face models, on files of the same keys, shapes and dtypes."
import pickle
import numpy as np
import pytest
from scipy.io import savemat
from f3a_lite.core import F3AError
from f3a_lite.morphable import FaceParams, load_3ddfa_v2, load_basel_3ddfa, load_deep3d
from f3a_lite.projection import pose

RNG = np.random.default_rng(0)
def basis(n, k): return (RNG.standard_normal((64, k)).astype(np.float32) * 10)[RNG.integers(0, 64, 3 * n)]
def triangles(n, t, first): return RNG.integers(0, n, (t, 3)) + first
def face(n): return (RNG.standard_normal((n, 3)) * 5e4).astype(np.float32)


def same(model, mean, idb, exb, unit):
    "The model's Eq. 1 equals the flat formula of the original code."
    a, e = RNG.standard_normal(idb.shape[1]).astype(np.float32), RNG.standard_normal(exb.shape[1]).astype(np.float32)
    want = ((mean.reshape(-1) + idb @ a + exb @ e) * unit).reshape(-1, 3)
    import torch
    p = FaceParams.neutral(1, len(a), len(e), scale=1.).replace(id_coeff=torch.as_tensor(a)[None], exp_coeff=torch.as_tensor(e)[None])
    assert np.allclose(pose(model, p)[0].numpy(), want, atol=1e-3)


def test_basel_of_3ddfa(tmp_path):
    N, T = 53215, 105840; mu, w, we, mue = face(N), basis(N, 199), basis(N, 29), face(N)
    tri, kp = triangles(N, T, 1), RNG.integers(1, N + 1, (1, 68))
    savemat(tmp_path / "Model_Shape.mat", dict(mu_shape=mu.reshape(-1, 1), w=w, sigma=np.ones((199, 1)), tri=tri.T.astype(float), keypoints=kp.astype(float)))
    savemat(tmp_path / "Model_Exp.mat", dict(mu_exp=mue.reshape(-1, 1), w_exp=we, sigma_exp=np.ones((29, 1))))
    m = load_basel_3ddfa(tmp_path / "Model_Shape.mat", tmp_path / "Model_Exp.mat")
    assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 199, 29, T) and m.landmark_vertices[3] == kp[0, 3] - 1
    same(m, mu + mue, w, we, 1e-5)
    with pytest.raises(F3AError, match="mu_exp"): load_basel_3ddfa(tmp_path / "Model_Shape.mat")
    with pytest.raises(F3AError, match="missing"): load_basel_3ddfa(tmp_path / "nothing.mat")


def test_basel_of_face3d(tmp_path):
    N, T = 53215, 1000; mu, w, we = face(N), basis(N, 199), basis(N, 29)
    savemat(tmp_path / "BFM.mat", dict(model=dict(shapeMU=mu.reshape(-1, 1), shapePC=w, shapeEV=np.ones((199, 1)), expMU=0 * mu.reshape(-1, 1), expPC=we, expEV=np.ones((29, 1)),
                                                  tri=triangles(N, T, 1), kpt_ind=RNG.integers(1, N + 1, (1, 68)))))
    same(load_basel_3ddfa(tmp_path / "BFM.mat"), mu, w, we, 1e-5)


def test_deep3dface(tmp_path):
    N, T = 35709, 70789; mu, w, we = face(N) / 5e4, basis(N, 80), basis(N, 64); tri = triangles(N, T, 1)
    savemat(tmp_path / "m.mat", dict(meanshape=mu.reshape(1, -1), idBase=w, exBase=we.astype(np.float64), tri=tri, keypoints=RNG.integers(1, N + 1, (1, 68)), meantex=np.zeros((1, 3 * N))))
    m = load_deep3d(tmp_path / "m.mat"); assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 80, 64, T); same(m, mu, w, we, 1.)
    savemat(tmp_path / "bad.mat", dict(meanshape=mu.reshape(1, -1)[:, :300], idBase=w, exBase=we, tri=tri, keypoints=np.ones((1, 68))))
    with pytest.raises(F3AError, match="100 vertices"): load_deep3d(tmp_path / "bad.mat")


def test_3ddfa_v2(tmp_path):
    N, T = 38365, 76073; u, w, we = face(N), basis(N, 40), basis(N, 10); kp = RNG.integers(0, N, 68); flat = np.stack([3 * kp, 3 * kp + 1, 3 * kp + 2], 1).reshape(-1)
    tri = triangles(N, T, 0)
    with open(tmp_path / "bfm_noneck_v3.pkl", "wb") as f: pickle.dump(dict(u=u.reshape(-1, 1), w_shp=w, w_exp=we, keypoints=flat), f)
    with open(tmp_path / "tri.pkl", "wb") as f: pickle.dump(tri.T, f)
    m = load_3ddfa_v2(tmp_path / "bfm_noneck_v3.pkl"); assert (len(m.mean_shape), m.K, m.L, len(m.triangles)) == (N, 40, 10, T)
    assert np.array_equal(m.landmark_vertices.numpy(), kp); same(m, u, w, we, 1e-5)


class Evil:
    def __reduce__(self): import os; return os.system, ("touch was_run",)


@pytest.mark.parametrize("thing", [Evil(), dict(u=Evil()), [np.ones(3), Evil()]], ids=["bare", "in a dict", "behind an array"])
def test_pickles_are_not_run(tmp_path, monkeypatch, thing):
    monkeypatch.chdir(tmp_path); (tmp_path / "x.pkl").write_bytes(pickle.dumps(thing))
    with pytest.raises(F3AError, match="refused"): load_3ddfa_v2(tmp_path / "x.pkl")
    assert not (tmp_path / "was_run").exists()
