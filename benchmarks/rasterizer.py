"""Maps a second at 128x128, batch 64: the compiled and the torch z-buffer beside Open3D's ray caster.

python benchmarks/rasterizer.py
"""

import argparse, time
import numba, numpy as np, torch
from f3a_lite.core import run_info, save_json
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import interpolate, rasterize_map, rasterize_torch


def basel_sized(n=231, m=230):
    "A closed mesh of nearly the Basel model's size: 53,130 vertices, 105,800 triangles, in pixels."
    th, ph = np.meshgrid(
        np.linspace(0.01, np.pi - 0.01, n), np.linspace(0, 2 * np.pi, m, endpoint=False), indexing="ij"
    )
    v = np.stack([np.sin(th) * np.cos(ph), np.cos(th), np.sin(th) * np.sin(ph)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(m), indexing="ij")
    k = (j + 1) % m
    t = np.concatenate(
        [
            np.stack([i * m + j, (i + 1) * m + j, i * m + k], -1).reshape(-1, 3),
            np.stack([i * m + k, (i + 1) * m + j, (i + 1) * m + k], -1).reshape(-1, 3),
        ]
    )
    return (v * [40, 52, 45] + [63.5, 63.5, 0]).astype(np.float32), t


def open3d_map(verts, tris, attrs):
    "The same map by Open3D's ray caster: build the scene, cast 128x128 parallel rays, mix attributes."
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(verts), o3d.core.Tensor(tris.astype(np.uint32)))
    y, x = np.mgrid[:128, :128].astype(np.float32)
    rays = np.stack([x, y, np.full_like(x, 500), 0 * x, 0 * x, 0 * x - 1], -1).astype(np.float32)
    r = scene.cast_rays(o3d.core.Tensor(rays))
    ids, uv = r["primitive_ids"].numpy(), r["primitive_uvs"].numpy()
    hit = np.isfinite(r["t_hit"].numpy())
    c = tris[np.where(hit, ids, 0)]
    w = np.concatenate([1 - uv.sum(-1, keepdims=True), uv], -1)
    return (attrs[c] * w[..., None]).sum(2) * hit[..., None]


def best(f, repeat=7):
    "Fastest of several runs, seconds."
    f()
    times = []
    for _ in range(repeat):
        t = time.perf_counter()
        f()
        times.append(time.perf_counter() - t)
    return min(times)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--out", default="results/rasterizer.json")
    args = ap.parse_args()
    t0, rows, B, g = time.time(), [], 64, torch.Generator().manual_seed(0)
    model = open_model()
    p = FaceParams.neutral(B, model.K, model.L).replace(
        id_coeff=torch.randn(B, model.K, generator=g), rotation=0.3 * torch.randn(B, 3, generator=g)
    )
    meshes = {"open face": (to_pixels(pose(model, p), 128, 128).numpy(), model.triangles.numpy())}
    v, t = basel_sized()
    meshes["Basel size"] = (np.repeat(v[None], B, 0), t)
    for name, (V, T) in meshes.items():
        A, T32 = np.random.default_rng(0).random(V.shape, np.float32), T.astype(np.uint32)
        for threads in [n for n in (1, 2) if n <= numba.config.NUMBA_NUM_THREADS]:
            numba.set_num_threads(threads)
            torch.set_num_threads(threads)
            for label, f in {
                "compiled, culled": lambda: rasterize_map(V, T32, A, 128, 128, True),
                "compiled, both sides": lambda: rasterize_map(V, T32, A, 128, 128, False),
            }.items():
                rows.append(dict(mesh=name, method=label, threads=threads, ms=best(f) / B * 1e3))
            n = 8
            vt, tt, at = torch.from_numpy(V[:n]), torch.from_numpy(T), torch.from_numpy(A[:n])
            rows.append(
                dict(
                    mesh=name,
                    method="plain torch",
                    threads=threads,
                    ms=best(lambda: interpolate(*rasterize_torch(vt, tt, 128, 128, True), tt, at), 2) / n * 1e3,
                )
            )
        try:
            rows.append(
                dict(
                    mesh=name,
                    method="Open3D ray caster",
                    threads=numba.config.NUMBA_NUM_THREADS,
                    ms=best(lambda: open3d_map(V[0], T, A[0])) * 1e3,
                )
            )
        except ImportError as e:
            print("Open3D is left out:", e)
    for r in rows:
        print(
            f"{r['mesh']:<11} {r['method']:<22} {r['threads']} thread(s) {r['ms']:9.3f} ms a map, {1e3 / r['ms']:8.0f} maps/s"
        )
    save_json(dict(rows=rows, info=run_info("python benchmarks/rasterizer.py", 0, t0)), args.out)
