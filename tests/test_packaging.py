"What installs the project: every requirement is pinned for every system, and scripts have the same bytes everywhere."

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = {
    "linux": dict(sys_platform="linux", platform_system="Linux", os_name="posix", platform_machine="x86_64"),
    "linux arm": dict(sys_platform="linux", platform_system="Linux", os_name="posix", platform_machine="aarch64"),
    "macos": dict(sys_platform="darwin", platform_system="Darwin", os_name="posix", platform_machine="arm64"),
    "windows": dict(sys_platform="win32", platform_system="Windows", os_name="nt", platform_machine="AMD64"),
}
EXTRAS = ("requirements", "eval_requirements", "view_requirements", "app_requirements", "dev_requirements")


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
    for extra in EXTRAS:
        wanted = [Requirement(line) for line in facts[extra].splitlines() if line.strip()]
        for r in (w for w in wanted if applies(w, system, python)):
            assert plain(r.name) in pinned, f"{r.name} is not pinned on {system}, Python {python}"
            version = str(pinned[plain(r.name)]).removeprefix("==")
            assert r.specifier.contains(version), f"{r} does not allow the pinned {version}"


def test_supported_versions_are_said_alike():
    least = settings()["min_python"]
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    versions = re.search(r"python: \[(.*?)\]", workflow)[1].replace('"', "").split(", ")
    assert versions[0] == least and versions[-1] == "3.14"
    assert f"Python {least} to {versions[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_scripts_have_unix_line_ends_on_every_system():
    asked = subprocess.run(["git", "check-attr", "eol", ".ci/run"], cwd=ROOT, capture_output=True, text=True)
    if asked.returncode:
        pytest.skip("this is no checkout")
    assert asked.stdout.strip().endswith("eol: lf")
    assert b"\r" not in (ROOT / ".ci" / "run").read_bytes()
