"What installs the project: every requirement is pinned for every system, and scripts have the same bytes everywhere."

import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
import yaml

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = {
    "linux": dict(sys_platform="linux", platform_system="Linux", os_name="posix", platform_machine="x86_64"),
    "linux arm": dict(sys_platform="linux", platform_system="Linux", os_name="posix", platform_machine="aarch64"),
    "macos": dict(sys_platform="darwin", platform_system="Darwin", os_name="posix", platform_machine="arm64"),
    "windows": dict(sys_platform="win32", platform_system="Windows", os_name="nt", platform_machine="AMD64"),
}
FLOORS = {  # below these there are known holes: the newest version that must not be installed
    "requirements": {"torch": "2.9.1", "av": "17.0.1", "pillow": "12.2.0"},
    "app_requirements": {"voila": "0.5.5", "jupyter_server": "2.19.0", "tornado": "6.5.7"},
}


def plain(name):
    "A package's name as indexes compare it."
    return re.sub(r"[-_.]+", "-", name).lower()


def applies(requirement, system, python):
    "Whether a requirement counts on a system and a version of Python."
    env = {**SYSTEMS[system], "python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(env)


def settings():
    "The facts in settings.ini."
    config = ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(system, python):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {plain(p.name): p.specifier for p in pins if applies(p, system, python)}
    facts = settings()
    for extra in (name for name in facts if name.endswith("requirements") and name != "build_requirements"):
        wanted = [Requirement(line) for line in facts[extra].splitlines() if line.strip()]
        for r in (w for w in wanted if applies(w, system, python)):
            assert plain(r.name) in pinned, f"{r.name} is not pinned on {system}, Python {python}"
            version = str(pinned[plain(r.name)]).removeprefix("==")
            assert r.specifier.contains(version), f"{r} does not allow the pinned {version}"


@pytest.mark.parametrize("group", FLOORS)
def test_versions_with_known_holes_are_not_allowed(group):
    asked = {r.name: r.specifier for r in map(Requirement, settings()[group].split("\n")[1:])}
    for name, bad in FLOORS[group].items():
        assert name in asked and not asked[name].contains(bad), f"{name} {bad}"
    if group == "app_requirements":
        assert not asked["voila"].contains("0.6.0"), "the app's settings are those of 0.5"


def test_open3d_comes_only_where_it_is_asked_for():
    "It brings dash, whose extension opens a dialog in JupyterLab; CI installs it last, to test what uses it."
    for group in (name for name in settings() if name.endswith("requirements")):
        names = {plain(Requirement(line).name) for line in settings()[group].splitlines() if line.strip()}
        assert group == "open3d_requirements" or not names & {"open3d", "open3d-cpu", "dash"}, group
    makefile, script = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", ".ci/run"))
    assert "open3d" not in makefile and "open3d" in settings()["open3d_requirements"]
    assert script.index("-m browser") < script.index("[open3d]") < script.index("test_models.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "Path of a wheel that is built from a source archive, which is made of a fresh copy."
    source, built = (tmp_path_factory.mktemp("packaging") / name for name in ("source", "made"))
    for folder in ("f3a_lite", "data_samples", "results", "nbs", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.gif")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)  # first the archive, then from it the wheel
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(built.glob("*.whl"))


def facts_of(wheel):
    "The METADATA of a wheel."
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def lessons():
    "Notebooks of the course."
    return [p for p in (ROOT / "nbs").glob("[0-3][0-9]_*.ipynb") if int(p.name[:2]) < 35]


@pytest.mark.processes
def test_the_source_archive_builds_a_wheel_that_holds_everything(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {i.filename: i for i in archive.infolist() if i.filename.startswith("f3a_lite/")}
        texts = {name: archive.read(name).decode() for name in files if name.endswith(".ipynb")}
    want = {p.relative_to(ROOT).as_posix() for p in (ROOT / "f3a_lite").rglob("*.py")}
    want |= {f"f3a_lite/data_samples/{p.name}" for p in (ROOT / "data_samples").iterdir()}
    want |= {f"f3a_lite/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "results").rglob("*.json")}
    want |= {f"f3a_lite/nbs/{p.name}" for p in lessons()}
    shown = {name for text in texts.values() for name in re.findall(r"images/([\w-]+\.(?:png|jpg))", text)}
    assert shown and set(files) == want | {f"f3a_lite/nbs/images/{name}" for name in shown}
    assert len(texts) > 25 and not any(re.search(r'"outputs":\[[^]]', text) for text in texts.values())
    assert sum(files[name].compress_size for name in texts) < 5e5


@pytest.mark.processes
def test_the_installed_wheel_finds_its_files_animates_a_face_and_hands_out_lessons(wheel, tmp_path):
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True)
    code = (
        "import f3a_lite, f3a_lite.core as c; from f3a_lite.lab.results import stored_records as s; "
        "from f3a_lite.ui import commands; from f3a_lite.lab.paper_tables import table_records as t; "
        "print(f3a_lite.__file__, c.data_path('t_warp.safetensors'), len(s('bundled.json')), len(t('rendered'))); "
        "commands.f3a_course(['--student', 'out', '--part', 'II', '--install']); "
        "commands.f3a_animate(['--script', 'blink', '--out', 'made'])"
    )
    asked = subprocess.run([sys.executable, "-c", code], cwd=site, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr[-2000:]
    *paths, records, rows = asked.stdout.splitlines()[0].split()
    assert all(Path(p).is_relative_to(site) for p in paths)
    assert int(records) > 20 and int(rows) > 20
    out = site / "out"
    assert sorted(p.name[:2] for p in out.glob("*.ipynb")) == ["05", "06", "07", "08"]
    text = (out / "05_landmarks.ipynb").read_text(encoding="utf-8")
    assert settings()["git_url"] in text and "# Solution" not in text
    assert (site / "made" / "animation.mp4").stat().st_size > 1000


@pytest.mark.processes
def test_the_metadata_says_what_an_index_shows(wheel):
    facts, home = facts_of(wheel), settings()["git_url"]
    assert facts["License-Expression"] == "Apache-2.0" and facts["License-File"] == "LICENSE"
    assert "@" in facts["Author-email"] and facts["Version"] == settings()["version"]
    links = dict(link.split(", ", 1) for link in facts.get_all("Project-URL"))
    assert {"Documentation", "Paper", "Issues", "Source"} <= set(links)
    assert links["Source"] == home and links["Issues"].startswith(home) and "2205.06204" in links["Paper"]
    classifiers = facts.get_all("Classifier")
    assert not any(c.startswith("License") for c in classifiers)  # the expression has taken their place
    versions = {c.rsplit(" ", 1)[1] for c in classifiers if c.startswith("Programming Language :: Python :: 3.")}
    assert versions == {"3.11", "3.12", "3.13", "3.14"} and set(facts["Requires-Python"].split(",")) == {
        ">=3.11",
        "<3.15",
    }
    extra = " ".join(r for r in facts.get_all("Requires-Dist") if 'extra == "all"' in r)
    opened = [r for r in facts.get_all("Requires-Dist") if r.startswith(("open3d", "dash"))]
    assert opened and all('extra == "open3d"' in r for r in opened)
    assert "voila" in extra and "jupyterlab" in extra and "nbdev" not in extra and "pytest>" not in extra
    readme = facts.get_payload()
    assert len(readme) > 5000
    addresses = re.findall(r'src="([^"]+)"', readme) + re.findall(r"\]\(([^)]+)\)", readme)
    assert len(addresses) > 80 and not [a for a in addresses if not a.startswith("https://")]
    for address in (a for a in addresses if a.startswith(home)):
        path = re.fullmatch(rf"{re.escape(home)}/(?:raw|blob)/{settings()['branch']}/(.+)", address)
        assert path and (ROOT / path[1]).exists(), address


def test_supported_versions_are_said_alike():
    least = settings()["min_python"]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    versions = re.search(r"python: \[(.*?)\]", workflow)[1].replace('"', "").split(", ")
    assert versions[0] == least and versions[-1] == "3.14"
    assert f"Python {least} to {versions[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_workflow_tries_systems_pythons_old_and_new_dependencies_and_looks_for_holes():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    tried = {kind["allowed"]: kind["resolution"] for kind in jobs["dependencies"]["strategy"]["matrix"]["include"]}
    assert tried == {"oldest": "lowest-direct", "newest": "highest"}
    assert "pip-audit" in str(jobs["audit"]["steps"])


def test_files_that_people_look_for_name_this_project():
    facts = settings()
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == facts["version"] and cited["repository-code"] == facts["git_url"]
    assert "2205.06204" in cited["preferred-citation"]["url"] and len(cited["preferred-citation"]["authors"]) == 7
    for name in ("CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT", "CHANGELOG"):
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^):]+)\)", text):
            assert (ROOT / link).exists(), f"{name}: {link}"
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in re.findall(r"`make (\w+)`|^make (\w+)", text, re.M):
            assert f"\n{target[0] or target[1]}:" in makefile, f"{name}: make {target}"
    forms = [p for p in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form) and all(
            "label" in part["attributes"] for part in form["body"]
        )


def test_scripts_have_unix_line_ends_on_every_system():
    asked = subprocess.run(["git", "check-attr", "eol", ".ci/run"], cwd=ROOT, capture_output=True, text=True)
    if asked.returncode:
        pytest.skip("this is no checkout")
    assert asked.stdout.strip().endswith("eol: lf")
    assert b"\r" not in (ROOT / ".ci" / "run").read_bytes()
