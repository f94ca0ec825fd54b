"Numbers that are shown are stored, and what is stored says what made it."

import ast
import csv
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
import pytest
from conftest import load_program
from f3a_lite.core import F3AError, data_path, file_hash
from f3a_lite.weights import load_weights, weights_digest
from f3a_lite.lab.results import (
    Record,
    choose_records,
    current_commit,
    figure,
    find_record,
    load_records,
    provenance,
    run_info,
    save_records,
    show_figure,
)
from operator import attrgetter
from f3a_lite.lab.overview import EQUATIONS
from f3a_lite.lab.paper_tables import BUDGET, PAPER

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "results").rglob("*.json"))

# Folders that commands in the records read or write: only such as a command of the project makes.
MADE = {
    "runs/clips": "f3a_prepare, f3a_train without clips, make figures",
    "runs/train": "f3a_train",
    "runs/f3a_gan": "f3a_train --recipe f3a_gan",
    "runs/t_warp": "f3a_train --recipe t_warp",
    "runs/strangers": "experiments/strangers.py",
    "runs/own_face": "experiments/own_face.py",
    "runs/faces": "f3a_prepare FOLDER runs/faces --dataset video --max-frames 200 --size 64",
    "runs/params": "experiments/params.py",
    "runs/rendered": "f3a_train_regressor, experiments/collapse.py",
    "runs/regressor": "f3a_train_regressor",
    "results": "the benchmarks",
}
# Files whose commands cannot be repeated to the letter, and why. They are history, and told in the lab book. So is what
# records of other files name as the `training` of weights: only the command that measured is checked there.
HISTORY = {
    "attempts.json": "legs of trainings with options that are no more; copies of their weights lay in runs/weights_v1",
    "regressor_attempts.json": "nine legs of the regressor, each in a folder of its own",
}


def markdown_cells():
    "Text of the markdown cells of index.ipynb."
    cells = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]


def measured_numbers(text):
    "What looks like a measured number: decimals, per cent, decibel, spreads. Names and versions do not count."
    text = re.sub(r"arXiv:\d+\.\d+|arxiv\.org/\S+|Apache-2\.0|Python 3\.\d+ to 3\.\d+", "", text)
    return re.findall(r"\d+\.\d+|\d+\s*%|\d+\s*dB\b|±", text)


def test_the_readme_is_what_the_index_says_today():
    "Executed anew, from today's results."
    readme = load_program("readme")
    rendered = readme.render(readme.run_index())
    stored = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rendered == stored, "README.md is out of date: run `python tools/readme.py`"


def test_no_measured_number_is_typed_in_the_index():
    for text in markdown_cells():
        assert not measured_numbers(text), (
            f"{measured_numbers(text)}: measured numbers come from results/, in a code cell:\n{text}"
        )


@pytest.mark.parametrize(
    "text, found",
    [("28.4", 1), ("3 %", 1), ("22 dB better", 1), ("a ± b", 1), ("Python 3.11 to 3.14, Apache-2.0, 128 × 128", 0)],
)
def test_what_counts_as_a_measured_number(text, found):
    assert len(measured_numbers(text)) == found


def typed_counts(text):
    "Counts of orders: 'N of M' and 'N/M' anywhere, and any number in a sentence on orders or comparisons."
    text = re.sub(r"\]\([^)]*\)|`[^`]*`|\[\d+\]", "", text)  # links and commands
    found = re.findall(r"\b\d+ of (?:the )?\d+\b|\b\d+/\d+\b", text)
    for sentence in re.split(r"(?<=[.!?:;])\s", text):
        if re.search(r"\border\b|\borders\b|comparison", sentence):
            found += re.findall(r"(?<![\w.-])\d+\b", sentence)
    return found


def typed_in_code():
    "What the strings of each code cell of index.ipynb say, without what is computed."
    cells = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))["cells"]
    for source in ("".join(c["source"]) for c in cells if c["cell_type"] == "code"):
        nodes = ast.walk(ast.parse(source))
        yield "".join(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def test_no_count_of_orders_is_typed_in_the_index():
    for text in [*markdown_cells(), *typed_in_code()]:
        assert not typed_counts(text), f"{typed_counts(text)}: orders are counted in a code cell:\n{text}"


@pytest.mark.parametrize(
    "text, found",
    [
        ("Of Table II's 28 comparisons of ours with another row, 24 have the paper's order on rendered people", 2),
        ("On real ones it is 19 of 28.", 1),
        ("`f3a_tables --seeds 3` has the paper's order ([23](23_conditions_compared.ipynb))", 0),
        ("Python 3.11 to 3.14, 128 × 128, two commands", 0),
    ],
)
def test_what_counts_as_a_count_of_orders(text, found):
    assert len(typed_counts(text)) == found


def mean_over_seeds(records, row, metric, **setting):
    "Mean of a stored figure over a row's records, read without the project's functions."
    values = []
    for r in records:
        if r["name"] == row and all(r["setting"].get(k) == v for k, v in setting.items()):
            value = r["figures"].get(metric)
            values.append(value["mean"] if isinstance(value, dict) else value)
    return sum(values) / len(values) if values else None


@pytest.mark.parametrize(
    "data, group, words",
    [
        ("bundled", "one person", "the bundled clip"),
        ("rendered", "rendered people", "rendered people"),
        ("folder", "all people", "real people"),
    ],
)
def test_the_readme_counts_orders_as_the_results_have_them(data, group, words):
    "Table II, random frames: every row against ours with the flow, metric by metric."
    records = []
    for path in sorted((ROOT / "results" / "tables" / data).glob("*.json")):
        records += json.loads(path.read_text(encoding="utf-8"))["records"]
    setting = dict(group=group, split="random", noise=0.0, preset="lite", pictures=BUDGET[data])
    paper, answers = PAPER["frames"], []
    for row in (r for r in paper if r != "flow"):
        for metric, theirs in paper[row].items():
            ours, other = (mean_over_seeds(records, name, metric, **setting) for name in ("flow", row))
            if None not in (ours, other):
                answers.append((ours < other) == (paper["flow"][metric] < theirs))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    sentence = next(line for line in text.splitlines() if "have the paper's order" in line)
    assert f"on {words} {sum(answers)} of {len(answers)}" in sentence.replace("On the", "on the"), sentence


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("*.json")), ids=lambda p: p.stem)
def test_no_run_ended_before_it_began(path):
    "The start of a run is given by the clock that `run_info` reads."
    lengths = [r.info.get("seconds") for r in load_records(path)]
    assert all(x is None or x >= 0 for x in lengths)


def test_every_link_of_the_readme_leads_somewhere_and_every_notebook_is_linked():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    local = [link for link in links if not link.startswith("http")]
    missing = [link for link in local if not (ROOT / link).exists()]
    assert not missing, missing
    for path in (ROOT / "nbs").glob("[0-9]*.ipynb"):
        assert f"nbs/{path.name}" in links, path.name


def measurements():
    "The page of all measurements, as it is stored: what its cells say and print."
    cells = json.loads((ROOT / "nbs" / "97_measurements.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [o for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
    return "\n\n".join("".join(o["data"]["text/markdown"]) for o in outputs if "text/markdown" in o.get("data", {}))


def test_the_measurements_say_what_made_them():
    text = measurements()
    names = ("bundled", "anchor", "params", "fit_clips", "regressor", "collapse", "rendering", "rasterizer", "prepare")
    for name in names:
        commands = {r.info["command"] for r in load_records(ROOT / "results" / f"{name}.json")}
        assert any(f"`{command}`" in text for command in commands), f"no command of results/{name}.json is cited"


def test_the_readme_is_short():
    "At most 900 words as a page shows them, code and tables too; and a table of few rows, for three screens."
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 500 < visible_words(text) <= 900, visible_words(text)
    assert len(re.findall(r"^\|", text, flags=re.M)) <= 10


def visible_words(text) -> int:
    """Words of a page in Markdown as it is shown: what has a letter or a digit between two spaces or signs of a table.

    Not counted: the addresses of links and pictures, tags, the rims of code, and what is folded, without its title.
    """
    text = re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"\1", text, flags=re.S)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)|^```.*$", " ", text, flags=re.M)
    return sum(any(map(str.isalnum, word)) for word in re.split(r"[\s|]+", text))


def test_what_counts_as_a_word_of_the_page():
    folded = "<details><summary>The workshop: 2 notebooks</summary>\n\n[a](b), [c](d)\n\n</details>"
    assert visible_words(folded) == 4
    assert visible_words('# A title\n\n| [one link](to/it) 25 | two |\n|---|---|\n\n<img alt="a b c"> – `x = 1`') == 8
    assert visible_words("```python\nfrom f3a_lite import Animator\n```") == 4


def test_each_equation_has_a_lesson_and_a_function_that_name_it():
    "The table stands in the overview, which the README names, and in the tour; what it names is there and says so."
    overview, tour = (
        (ROOT / "nbs" / f"{name}.ipynb").read_text(encoding="utf-8") for name in ("89_overview", "00_tour")
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "nbs/89_overview.ipynb" in readme and "equation_table()" in overview and "equation_table()" in tour
    assert {re.match(r"[\dIVA.-]+", number)[0] for number, _, _ in EQUATIONS} >= {str(n) for n in range(1, 14)}
    for number, lesson, function in EQUATIONS:
        module, _, name = function.partition(".")
        thing = attrgetter(name)(importlib.import_module(f"f3a_lite.{module}"))
        text = (ROOT / "nbs" / f"{lesson}.ipynb").read_text(encoding="utf-8")
        assert callable(thing) and f"def {name.rpartition('.')[2]}(" in text or f"class {name.split('.')[0]}(" in text
        if number.isdigit():
            assert re.search(rf"Eq(\.|uation) ?{number}\b|Eq\. \d+(–| to |, | and ){number}\b", text), (number, lesson)


def table_of(text, column):
    "The table with that column: row → column → cell."
    rows = []
    for line in text.splitlines() + [""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows and column in rows[0]:
            return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[2:]}
        else:
            rows = []
    raise AssertionError(f"there is no table with the column '{column}'")


def test_the_table_shows_the_stored_figures():
    "Cell by cell, read and formatted here without the project's formatter."
    table = table_of(measurements(), "verdict")
    stored = json.loads((ROOT / "results" / "bundled.json").read_text(encoding="utf-8"))["records"]
    captions = {
        "random frames": ("second", "random"),
        "first held-out block": ("second", "block_1"),
        "second held-out block": ("second", "block_2"),
    }
    assert list(table) == ["copying", "warping only", "F3A-GAN", "T_warp"]
    for name, cells in table.items():
        assert len(cells) >= 3 and cells.pop("verdict")
        for caption, cell in cells.items():
            protocol, split = captions[caption]
            matching = [r for r in stored if r["name"] == name and r["setting"].get("split") == split]
            value = [r["figures"]["psnr"] for r in matching if r["setting"]["protocol"] == protocol]
            assert len(value) == 1, f"{name}, {caption}: {len(value)} records"
            value = value[0]
            text = f"{value['mean']:.2f} ± {value['sd']:.2f}" if isinstance(value, dict) else f"{value:.2f}"
            assert cell == text, f"{name}, {caption}: {cell} on the page, {text} stored"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_results_file_says_what_made_it(path):
    records = load_records(path)
    assert records
    for record in records:
        for name in ("command", "seed", "commit", "machine", "date"):
            assert record.info.get(name) is not None, f"{path.name}: '{record.name}' has no {name}"
        assert re.fullmatch(r"[0-9a-f]{7,40}\+?", record.info["commit"]), record.info["commit"]
        assert provenance(record.info)
    same = [json.dumps([r.name, r.setting], sort_keys=True) for r in records]
    assert len(same) == len(set(same)), f"{path.name}: two records of the same thing"


def folders_of(command):
    "Folders that a command names: runs/NAME, or the first folder of another path."
    paths = re.findall(r"(?<![\w./])([a-z_]\w*(?:/[\w.]+)+)", command)
    folders = ["/".join(p.split("/")[:2]) if p.startswith("runs/") else p.split("/")[0] for p in paths]
    return [f for f in folders if not f.startswith(("benchmarks", "experiments", "tools", "data_samples"))]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_commands_name_only_folders_that_a_command_makes(path):
    if path.name in HISTORY:
        pytest.skip(f"history: {HISTORY[path.name]}")
    for record in load_records(path):
        for folder in folders_of(record.info["command"]):
            assert folder in MADE, f"{path.name}: no command makes '{folder}', which '{record.info['command']}' reads"


def test_which_folders_a_command_names():
    command = "f3a_train runs/clips/woman --init runs/weights_v1/t_warp.safetensors --out elsewhere/x"
    assert folders_of(command) == ["runs/clips", "runs/weights_v1", "elsewhere"]
    assert folders_of("python experiments/anchor.py --steps 300") == []
    assert set(HISTORY) <= {p.name for p in FILES}


@pytest.mark.parametrize("file", ["f3a_gan.safetensors", "t_warp.safetensors"])
def test_the_bundled_weights_are_the_ones_that_were_measured(file):
    records = load_records(ROOT / "results" / "bundled.json")
    mine = [r for r in records if r.setting["protocol"] == "second" and r.info.get("weights") == file]
    assert mine, f"results/bundled.json has no figures of {file} by the second protocol: run `make figures`"
    info = load_weights(data_path(file))[3]
    for record in mine:
        assert record.info["digest"] == weights_digest(data_path(file)), f"{file} is another file: run `make figures`"
        assert record.info["clip_sha256"] == file_hash(data_path("woman_laughing.mp4"))
        for name in ("command", "seed", "commit", "steps"):
            assert record.info["training"][name] == info[name]


def test_copying_and_warping_are_measured_once():
    records = load_records(ROOT / "results" / "bundled.json")
    for split in ("random", "block_1", "block_2"):
        for name in ("copying", "warping only", "F3A-GAN", "T_warp"):
            assert find_record(records, name, protocol="second", split=split).mean("psnr") > 10


# The tools themselves


def test_a_figures_spread_is_the_sample_standard_deviation():
    assert figure([1.0, 2.0, 4.0])["sd"] == pytest.approx(1.5275252316519465)
    assert figure([5.0]) == dict(mean=5.0, sd=None, n=1, undefined=0)
    assert figure([float("nan"), float("inf"), 2.0]) == dict(mean=2.0, sd=None, n=1, undefined=2)
    assert figure([]) == dict(mean=None, sd=None, n=0, undefined=0)


def test_a_figure_in_words():
    assert show_figure(dict(mean=28.4251, sd=0.1234, n=5), "psnr") == "28.43 ± 0.12"
    assert show_figure(0.02749, "mae") == "0.0275"
    assert show_figure(dict(mean=0.0298, sd=0.0002, n=5), "points", digits=2) == "2.98 ± 0.02 %"
    assert show_figure(dict(mean=None, sd=None, n=0, undefined=3), "mouth") == "undefined"
    assert show_figure(dict(mean=0.8, sd=None, n=1, undefined=2), "mouth") == "0.80 (2 of 3 undefined)"


def test_records_are_found_by_any_part_of_their_setting():
    records = [Record("a", dict(split=s, size=128), {}) for s in ("random", "block_1")] + [Record("b", {}, {})]
    assert choose_records(records, "a") == records[:2]
    assert choose_records(records, size=128, split="random") == records[:1]
    assert find_record(records, "b") is records[2]
    with pytest.raises(F3AError, match="0 records fit"):
        find_record(records, "a", split="blocks")
    with pytest.raises(F3AError, match="2 records fit"):
        find_record(records, "a")
    with pytest.raises(F3AError, match="has no figure 'psnr'"):
        records[0].mean("psnr")


@pytest.mark.parametrize(
    "text, say",
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"rows": []}', "cannot be read"),
        ('{"format": 7, "records": []}', "format 7"),
        ('{"format": 1, "records": {}}', "format"),
        ('{"format": 1, "records": [{"name": "x", "setting": {}, "figures": []}]}', "no record"),
    ],
)
def test_a_file_that_holds_no_records(tmp_path, text, say):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(F3AError, match=say):
        load_records(path)
    with pytest.raises(F3AError, match="is missing"):
        load_records(tmp_path / "none.json")


def test_records_come_back_as_they_were(tmp_path):
    info = run_info("x", seed=[0, 1], sha256="ab")
    records = [Record("a", dict(split="random"), dict(psnr=figure([1.0, 2.0]), mae=0.5), info)]
    save_records(records, tmp_path / "r.json")
    assert load_records(tmp_path / "r.json") == records
    assert info["sha256"] == "ab" and info["command"] == "x"


def test_a_run_without_a_named_command_tells_its_own(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/measure.py", "--steps", "3"])
    assert run_info()["command"] == "measure.py --steps 3"


def test_the_commit_of_a_result(tmp_path):
    "A plus where code has changed; other results, and files that git does not know, change nothing."

    def git(*words):
        settings = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert current_commit(tmp_path) == "unknown"
    git("init")
    for name in ("code/a.py", "results/b.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "--short", "HEAD").strip()
    (tmp_path / "results/b.json").write_text("2")
    (tmp_path / "new.txt").write_text("2")
    assert current_commit(tmp_path / "code") == commit
    (tmp_path / "code/a.py").write_text("2")
    assert current_commit(tmp_path / "code") == commit + "+"


def test_the_sources_of_real_clips_are_named():
    "A public repository, commit, path, person and fingerprint for each; the clips measured by name are there."
    rows = list(csv.DictReader((ROOT / "results" / "sources.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) >= 26 and len({r["identity"] for r in rows}) >= 25
    for r in rows:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", r["source_repo"]), r
        assert re.fullmatch(r"[0-9a-f]{64}", r["sha256"]) and r["path"] and r["commit"], r
    named = {Path(r["file"]).stem for r in rows}
    assert {r.setting["clip"] for r in load_records(ROOT / "results" / "own_face.json")} <= named


def test_the_index_of_results_is_todays():
    stored = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    assert load_program("results_index").table() == stored, "run `python tools/results_index.py`"


def test_what_was_not_measured_is_extrapolated_and_says_so():
    "Ten minutes: the longest driver, and what a fit of as many frames takes more than its own; else nothing."
    program = load_program("memory")
    figures = (("full", 4, 70, 60), ("full", 20, 100, 80), ("fit", 500, 10, 9), ("fit", 15000, 35, 30))
    units = dict(full="seconds", fit="frames")
    records = [Record(n, {units[n]: k}, dict(megabytes=a, megabytes_unmapped=b)) for n, k, a, b in figures]
    (extrapolated,) = program.ten_minutes(records)
    assert extrapolated.setting == dict(seconds=600, extrapolated=True) and "20 s" in extrapolated.info["measured"]
    assert extrapolated.figures == dict(megabytes=125, megabytes_unmapped=101)
    assert program.ten_minutes([*records, extrapolated])[0].figures == extrapolated.figures
    for k in range(1, 4):
        assert program.ten_minutes(records[:k] + records[k + 1 :]) == []
