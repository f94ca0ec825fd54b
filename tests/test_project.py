"The project as a whole: export, README, stored numbers and stored weights belong together; a wheel works away from the checkout."

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
import pytest
from f3a_lite import commands
from f3a_lite.core import data_path, sha256
from f3a_lite.generator import load_generator
from f3a_lite.regressor import load_regressor

ROOT = Path(__file__).resolve().parent.parent


def test_weights_and_numbers_belong_to_the_same_run():
    r = json.loads((ROOT / "results" / "bundled.json").read_text())
    assert set(r["weights"]) == {"F3A-GAN", "T_warp"}
    for name, w in r["weights"].items():
        path = data_path(w["file"])
        assert sha256(path) == w["sha256"], (
            f"{path.name} is not the file that results/bundled.json was measured on: run `make figures`"
        )
        info = load_generator(path).info
        assert info["command"] == w["command"] and info["seed"] == w["seed"] and info["commit"] == w["commit"]
    assert sha256(data_path("woman_laughing.mp4")) == r["clip_sha256"]


def test_the_regressor_and_its_numbers_belong_together():
    r = json.loads((ROOT / "results" / "regressor.json").read_text())
    path = data_path("regressor.safetensors")
    assert sha256(path) == r["sha256"], (
        f"{path.name} is not the file that results/regressor.json was measured on: run `python benchmarks/regressor.py FACES`"
    )
    assert r["training"] == {k: load_regressor().info[k] for k in r["training"]}


def readme_tables():
    "The README's tables of results: row name → column → text. A column without a split of its own belongs to the last one that names it."
    tables, rows, split = [], [], None
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() + [""]:
        if line.startswith("|"):
            rows.append([c.strip().strip("*") for c in line.strip().strip("|").split("|")])
            continue
        if rows and any(c.startswith("random: ") for c in rows[0]):
            names = []
            for c in rows[0]:
                if ": " in c:
                    split, c = c.split(": ")
                names.append((split, c))
            tables.append({r[0]: dict(zip(names[1:], r[1:])) for r in rows[2:]})
        rows = []
    return tables


def test_readme_shows_the_stored_numbers():
    "Cell by cell: the row's method, the column's split and metric, and the figure in results/bundled.json."
    stored = json.loads((ROOT / "results" / "bundled.json").read_text())
    pictures, live = readme_tables()
    rows = {
        "copying the source": ("F3A-GAN", "copy"),
        "warping only, untrained": ("F3A-GAN", "warp"),
        "F3A-GAN": ("F3A-GAN", "model"),
        "T_warp": ("T_warp", "model"),
    }
    digits = dict(MAE=4, MSE=4, PSNR=2, SSIM=3)
    assert list(pictures) == list(rows)
    for row, (name, method) in rows.items():
        assert list(pictures[row]) == [(s, m) for s in ("random", "blocks") for m in digits]
        for (split, metric), cell in pictures[row].items():
            value = stored["weights"][name]["results"][split][method][metric.lower()]
            assert cell == f"{value:.{digits[metric]}f}", (
                f"{row}, {split}, {metric}: {cell} in the README, {value} stored: run `make figures`"
            )
    assert list(live) == ["warping only", "F3A-GAN", "T_warp"]
    for row, cells in live.items():
        for (split, what), cell in cells.items():
            if row == "warping only":
                values = stored["warp_liveliness"][split]
                want = "–" if what == "shuffled flows" else f"{values[what]:.2f}"
            else:
                w = stored["weights"][row]
                results = w["results"][split]
                want = (
                    f"{w['liveliness'][split][what]:.2f}"
                    if what != "shuffled flows"
                    else f"{results['shuffled']['mae'] / results['model']['mae']:.1f}×"
                )
            assert cell == want, f"{row}, {split}, {what}: {cell} in the README, {want} stored: run `make figures`"
    assert len(live["T_warp"]) == 8


def test_copying_and_warping_are_the_same_baseline_for_both_generators():
    weights = json.loads((ROOT / "results" / "bundled.json").read_text())["weights"]
    for split in ("random", "blocks"):
        for method in ("copy", "warp"):
            a, b = (weights[n]["results"][split][method] for n in ("F3A-GAN", "T_warp"))
            assert a == pytest.approx(b, rel=1e-5)


def test_nothing_is_left_to_do():
    for p in [ROOT / "README.md", *sorted((ROOT / "nbs").glob("*.ipynb"))]:
        assert not re.search(r"T" r"ODO|FIX" r"ME", p.read_text(encoding="utf-8")), p.name


def test_bundled_data_is_small():
    sizes = {p.name: p.stat().st_size / 2**20 for p in data_path().iterdir() if p.is_file()}
    assert sizes["open_face_model.safetensors"] <= 6
    assert sizes["t_warp.safetensors"] + sizes["f3a_gan.safetensors"] <= 12


def public_names():
    "Every public function, class, and public method or property (patched ones too) of the project's modules: name and docstring."
    for p in sorted((ROOT / "f3a_lite").glob("[a-z]*.py")):
        m = importlib.import_module(f"f3a_lite.{p.stem}")
        for n, f in vars(m).items():
            if (
                n.startswith("_")
                or getattr(f, "__module__", None) != m.__name__
                or getattr(f, "__name__", "<lambda>") == "<lambda>"
            ):
                continue
            if not (inspect.isfunction(f) or inspect.isclass(f)):
                continue
            yield f"{p.stem}.{n}", f.__doc__
            for k, v in vars(f).items() if inspect.isclass(f) else ():
                v = v.fget if isinstance(v, property) else getattr(f, k)
                v = getattr(v, "__func__", v)
                if inspect.isfunction(v) and not k.startswith("_") and (v.__module__ or "").startswith("f3a_lite"):
                    yield f"{p.stem}.{n}.{k}", v.__doc__


def test_every_public_function_class_and_method_has_a_docstring():
    names = dict(public_names())
    for seen in (
        "regressor.Regressor.forward",
        "generator.Generator.decode",
        "morphable.FaceParams.load",
        "commands.f3a_train",
        "generator.GeneratorConfig.name",
    ):
        assert seen in names, f"the test does not see {seen}"
    generated = lambda n, d: (
        d is not None and d.startswith(n.rsplit(".", 1)[-1] + "(")
    )  # what a dataclass writes by itself
    bad = {n for n, d in names.items() if not (d or "").strip() or generated(n, d)}
    assert not bad, sorted(bad)


@pytest.mark.parametrize("name", ["f3a_demo", "f3a_prepare", "f3a_train", "f3a_train_regressor", "f3a_animate"])
def test_every_program_explains_itself(name, monkeypatch, capsys):
    "What installation puts on the path: the function exists, sets the thread policy (and respects another), and knows its arguments."
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert f'"{name}"' in setup and "commands:{name}" in setup
    command = getattr(commands, name)
    word = dict(
        f3a_demo="--out",
        f3a_prepare="--dataset",
        f3a_train="--warp",
        f3a_train_regressor="--sub_steps",
        f3a_animate="--driving",
    )[name]
    for given, policy in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        monkeypatch.delenv("OMP_WAIT_POLICY") if given is None else monkeypatch.setenv("OMP_WAIT_POLICY", given)
        monkeypatch.setattr(sys, "argv", [name, "--help"])
        with pytest.raises(SystemExit) as end:
            command()
        assert end.value.code in (0, None) and word in capsys.readouterr().out
        assert os.environ["OMP_WAIT_POLICY"] == policy


def test_wheel_animates_a_face_away_from_the_checkout(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "dist"), str(ROOT)],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    wheel = next((tmp_path / "dist").glob("*.whl"))
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    code = (
        "import sys; sys.path.insert(0, 'site'); import f3a_lite, pathlib; assert 'site' in f3a_lite.__file__, f3a_lite.__file__; "
        "from f3a_lite.animation import f3a_animate; f3a_animate.cli(['--script', 'blink', '--out', 'made'])"
    )
    r = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]
    assert (tmp_path / "made" / "animation.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_the_build_of_the_open_model_gives_the_bundled_file():
    pytest.importorskip("anny", reason="needs `pip install 'f3a_lite[build]'`")
    import torch
    from f3a_lite.build_model import build_open_model
    from f3a_lite.morphable import load_model

    built, facts = build_open_model()
    shipped = load_model()
    assert torch.equal(built.triangles, shipped.triangles) and torch.equal(
        built.landmark_vertices, shipped.landmark_vertices
    )
    assert torch.allclose(built.mean_shape, shipped.mean_shape, atol=1e-4)
    assert torch.allclose(built.id_basis, shipped.id_basis, atol=1e-3) and torch.allclose(
        built.exp_basis, shipped.exp_basis, atol=1e-3
    )
