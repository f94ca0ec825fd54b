"The project as a whole: export, README, stored numbers and stored weights belong together; a wheel works away from the checkout."
import json, re, subprocess, sys
from pathlib import Path
import pytest
from f3a_lite.core import data_path, sha256
from f3a_lite.generator import load_generator

ROOT = Path(__file__).resolve().parent.parent


def test_weights_and_numbers_belong_to_the_same_run():
    r = json.loads((ROOT / "results" / "bundled.json").read_text())
    assert set(r["weights"]) == {"F3A-GAN", "T_warp"}
    for name, w in r["weights"].items():
        path = data_path(w["file"])
        assert sha256(path) == w["sha256"], f"{path.name} is not the file that results/bundled.json was measured on: run `make figures`"
        info = load_generator(path).info
        assert info["command"] == w["command"] and info["seed"] == w["seed"] and info["commit"] == w["commit"]
    assert sha256(data_path("woman_laughing.mp4")) == r["clip_sha256"]


def test_readme_shows_the_stored_numbers():
    r, readme = json.loads((ROOT / "results" / "bundled.json").read_text()), (ROOT / "README.md").read_text()
    for name, w in r["weights"].items():
        for split in ("random", "blocks"):
            m = w["results"][split]["model"]
            assert f"{m['psnr']:.2f}" in readme and f"{m['mae']:.4f}" in readme, f"the README does not show {name} on {split}: run `make figures`"
    assert not re.search(r"T" r"ODO|FIX" r"ME", readme)


def test_bundled_data_is_small():
    sizes = {p.name: p.stat().st_size / 2**20 for p in data_path().iterdir() if p.is_file()}
    assert sizes["open_face_model.safetensors"] <= 6
    assert sizes["t_warp.safetensors"] + sizes["f3a_gan.safetensors"] <= 12


def test_every_public_function_has_a_docstring():
    import importlib, inspect
    bad = []
    for p in sorted((ROOT / "f3a_lite").glob("[a-z]*.py")):
        m = importlib.import_module(f"f3a_lite.{p.stem}")
        for n, f in vars(m).items():
            if not n.startswith("_") and inspect.isfunction(f) and f.__module__ == m.__name__ and f.__name__ != "<lambda>" and not (f.__doc__ or "").strip(): bad.append(f"{p.stem}.{n}")
    assert not [b for b in bad if not b.startswith("commands.")], bad


def test_wheel_animates_a_face_away_from_the_checkout(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "dist"), str(ROOT)], check=True, cwd=tmp_path, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)], check=True, cwd=tmp_path, capture_output=True)
    code = ("import sys; sys.path.insert(0, 'site'); import f3a_lite, pathlib; assert 'site' in f3a_lite.__file__, f3a_lite.__file__; "
            "from f3a_lite.animation import f3a_animate; f3a_animate.cli(['--script', 'blink', '--out', 'made'])")
    r = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]
    assert (tmp_path / "made" / "animation.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_the_build_of_the_open_model_gives_the_bundled_file():
    pytest.importorskip("anny", reason="needs `pip install 'f3a_lite[build]'`")
    import torch
    from f3a_lite.build_model import build_open_model
    from f3a_lite.morphable import load_model
    built, facts = build_open_model(); shipped = load_model()
    assert torch.equal(built.triangles, shipped.triangles) and torch.equal(built.landmark_vertices, shipped.landmark_vertices)
    assert torch.allclose(built.mean_shape, shipped.mean_shape, atol=1e-4)
    assert torch.allclose(built.id_basis, shipped.id_basis, atol=1e-3) and torch.allclose(built.exp_basis, shipped.exp_basis, atol=1e-3)
