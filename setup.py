"Packaging. All facts live in settings.ini; this file only maps them, the bundled data and the lessons into the wheel."

from configparser import ConfigParser
import json
from pathlib import Path
import re
import shutil
from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
config = ConfigParser(delimiters=["="], interpolation=None)
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]


def lines(name):
    "The requirements under `name`, one a line."
    return [line.strip() for line in cfg.get(name, "").splitlines() if line.strip()]


def absolute(text):
    "The README with links that work on any page: pictures as files of the repository, the rest as its pages."
    home = cfg["git_url"].rstrip("/")
    text = re.sub(r'(src="|!\[[^\]]*\]\()(?![a-z]+:|#)', rf"\g<1>{home}/raw/{cfg['branch']}/", text)
    return re.sub(r"(?<!!)(\[[^\]]*\]\()(?![a-z]+:|#)", rf"\g<1>{home}/blob/{cfg['branch']}/", text)


class BuildWithLessons(build_py):
    "The lessons lie in the wheel without outputs, beside the pictures that they show."

    def run(self):
        super().run()
        if self.editable_mode:  # there they are read where they lie
            return
        to = Path(self.build_lib) / cfg["lib_name"] / "nbs"
        (to / "images").mkdir(parents=True, exist_ok=True)
        for path in (here / "nbs").glob("[0-3][0-9]_*.ipynb"):
            if int(path.name[:2]) > 34:  # the workshop
                continue
            notebook = json.loads(path.read_text(encoding="utf-8"))
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    cell.update(outputs=[], execution_count=None)
            text = json.dumps(notebook, ensure_ascii=False, separators=(",", ":"))
            (to / path.name).write_text(text, encoding="utf-8")
            for name in re.findall(r"images/([\w-]+\.(?:png|jpg))", text):
                shutil.copy(here / "nbs" / "images" / name, to / "images" / name)


EXTRAS = ("eval", "view", "app", "parallel", "curves", "course", "dev", "build", "heif", "tracker", "models", "site")
EXTRAS += ("open3d",)
extras = {name: lines(f"{name}_requirements") for name in EXTRAS}
extras["course"] += extras["eval"]  # what the lessons import
extras["all"] = [r for name in ("eval", "view", "app", "parallel", "curves", "course") for r in extras[name]]
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
    "f3a_course",
)
LINKS = {
    "Source": cfg["git_url"],
    "Documentation": f"{cfg['doc_host']}{cfg['doc_baseurl']}",
    "Issues": f"{cfg['git_url']}/issues",
    "Changelog": f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md",
    "Paper": "https://arxiv.org/abs/2205.06204",
}
STATUS = {"3": "3 - Alpha", "4": "4 - Beta", "5": "5 - Production/Stable"}
CLASSIFIERS = [
    f"Development Status :: {STATUS[cfg['status']]}",
    "Intended Audience :: Education",
    "Intended Audience :: Science/Research",
    "Operating System :: OS Independent",
    "Programming Language :: Python :: 3",
    *(f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)),
    "Topic :: Multimedia :: Graphics",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
    "Topic :: Scientific/Engineering :: Image Processing",
]
commands = {name: f"ui.commands:{name}" for name in PROGRAMS}

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=absolute((here / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"].split(),
    author=cfg["author"],
    author_email=cfg["author_email"],
    project_urls=LINKS,
    classifiers=CLASSIFIERS,
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=f">={cfg['min_python']},<3.15",
    packages=[*find_packages(include=["f3a_lite*"]), "f3a_lite.data_samples", "f3a_lite.results"],
    package_dir={"f3a_lite": "f3a_lite", "f3a_lite.data_samples": "data_samples", "f3a_lite.results": "results"},
    package_data={"f3a_lite.data_samples": ["*"], "f3a_lite.results": ["*.json", "tables/*/*.json"]},
    cmdclass={"build_py": BuildWithLessons},
    include_package_data=False,
    install_requires=lines("requirements"),
    extras_require=extras,
    entry_points={
        "console_scripts": [f"{k}=f3a_lite.{v}" for k, v in commands.items()],
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
    zip_safe=False,
)
