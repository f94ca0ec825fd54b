"Packaging. All facts live in settings.ini; this file only maps them, and the bundled data, into the wheel."

from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="], interpolation=None)
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]


def lines(name):
    "The requirements under `name`, one a line."
    return [line.strip() for line in cfg.get(name, "").splitlines() if line.strip()]


EXTRAS = ("eval", "view", "app", "parallel", "curves", "dev", "build", "heif", "tracker", "models", "site")
extras = {name: lines(f"{name}_requirements") for name in EXTRAS}
extras["all"] = [r for name in ("eval", "view", "app", "parallel", "curves") for r in extras[name]]
PROGRAMS = (
    "f3a_demo",
    "f3a_prepare",
    "f3a_model",
    "f3a_train",
    "f3a_train_regressor",
    "f3a_animate",
    "f3a_evaluate",
    "f3a_tables",
    "f3a_app",
)
commands = {name: f"ui.commands:{name}" for name in PROGRAMS}

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8") if (here / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"].split(),
    author=cfg["author"],
    url=cfg["git_url"],
    license="Apache-2.0",
    python_requires=f">={cfg['min_python']},<3.15",
    packages=[*find_packages(include=["f3a_lite*"]), "f3a_lite.data_samples"],
    package_dir={"f3a_lite": "f3a_lite", "f3a_lite.data_samples": "data_samples"},
    package_data={"f3a_lite.data_samples": ["*"]},
    include_package_data=False,
    install_requires=lines("requirements"),
    extras_require=extras,
    entry_points={
        "console_scripts": [f"{k}=f3a_lite.{v}" for k, v in commands.items()],
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
    zip_safe=False,
)
