"""Milliseconds a map at 128x128: compiled z-buffer beside Open3D's ray caster: results/rasterizer.json.

python benchmarks/rasterizer.py
"""

from dataclasses import dataclass
from pathlib import Path
import time
import numba
import numpy as np
import torch
from f3a_lite.core import friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.projection import pose, to_pixels
from f3a_lite.rasterizer import rasterize_map
from f3a_lite.lab.results import Record, run_info, save_records

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Time the rasterisers on the bundled face, and on a mesh of the Basel model's size."

    batch: int = 64  # faces at a time
    out: Path = ROOT / "results" / "rasterizer.json"  # where the records go


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


def meshes(batch) -> dict:  # name → vertices (B,N,3) in pixels, triangles (T,3)
    "The bundled face in different people and poses, and a closed mesh of the Basel model's size."
    face_model, g = open_model(), torch.Generator().manual_seed(0)
    params = FaceParams.neutral(batch, face_model.K, face_model.L).replace(
        id_coeff=torch.randn(batch, face_model.K, generator=g), rotation=0.3 * torch.randn(batch, 3, generator=g)
    )
    vertices = to_pixels(pose(face_model, params), 128, 128).numpy()
    large, triangles = basel_sized()
    return {
        "open face": (vertices, face_model.triangles.numpy()),
        "Basel size": (np.repeat(large[None], batch, 0), triangles),
    }


def time_mesh(vertices, triangles, threads) -> dict:  # method → milliseconds a map
    "The z-buffer on one mesh, on so many threads."
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)
    attributes = np.random.default_rng(0).random(vertices.shape, np.float32)
    batch, indices = len(vertices), triangles.astype(np.uint32)

    def compiled(cull):
        return rasterize_map(vertices, indices, attributes, 128, 128, cull)

    return {
        "compiled, culled": best(lambda: compiled(True)) / batch * 1e3,
        "compiled, both sides": best(lambda: compiled(False)) / batch * 1e3,
    }


def time_open3d(vertices, triangles):  # milliseconds a map, or None where Open3D is not installed
    "Open3D's ray caster on one mesh, with all threads."
    attributes = np.random.default_rng(0).random(vertices.shape, np.float32)
    try:
        return best(lambda: open3d_map(vertices[0], triangles, attributes[0])) * 1e3
    except ImportError as e:
        print("Open3D is left out:", e)
        return None


def main(argv=None):
    "Write the records."
    with friendly_errors():
        options = parse_options("rasterizer.py", Options, argv)
        start, most, rows = time.monotonic(), numba.config.NUMBA_NUM_THREADS, []
        for mesh, (vertices, triangles) in meshes(options.batch).items():
            for threads in range(1, min(2, most) + 1):
                for method, ms in time_mesh(vertices, triangles, threads).items():
                    rows.append((method, mesh, threads, ms))
            ms = time_open3d(vertices, triangles)
            if ms is not None:
                rows.append(("Open3D ray caster", mesh, most, ms))
        info, records = run_info("python benchmarks/rasterizer.py", 0, start), []
        for method, mesh, threads, ms in rows:
            print(f"{mesh:<11} {method:<22} {threads} thread(s) {ms:9.3f} ms a map, {1e3 / ms:8.0f} maps/s")
            records.append(Record(method, dict(mesh=mesh, threads=threads, size=128), dict(ms=ms), info))
        save_records(records, options.out)


if __name__ == "__main__":
    main()
