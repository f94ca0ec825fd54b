"What Tables I, II and IV are made of: rows, budgets, who is held out, how figures are averaged, and jobs that go on."

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pytest
import scipy.stats
import torch
from conftest import run_command
from f3a_lite.lab import tables
from f3a_lite.conditions import make_condition
from f3a_lite.core import F3AError
from f3a_lite.options import parse_options
from f3a_lite.fitting import FitConfig
from f3a_lite.lab.measure_files import Looks
from f3a_lite.flow import add_noise
from f3a_lite.checkpoints import DivergedError
from f3a_lite.lab.measuring import BASE, Measure, cross_parts, generate_part, over_clips, person_of, self_parts
from f3a_lite.metrics import csim, identity_mean, track_faces, read_faces
from f3a_lite.morphable import open_model
from f3a_lite.pairs import split_clips
from f3a_lite.generator import costs_of
from f3a_lite.lab.paper_tables import (
    BUDGET,
    PAPER,
    ROWS,
    agreement,
    job_file,
    our_figure,
    paper_table,
    report,
    rows_in,
    table_records,
)
from f3a_lite.projection import posed_landmarks, project
from f3a_lite.lab.results import Record, choose_records, load_records, run_info, save_records
from f3a_lite.generator import NetworkConfig
from f3a_lite.systems import Copying, System
from f3a_lite.lab.tables import (
    Group,
    TableOptions,
    Tables,
    f3a_tables,
    groups_of,
    hold_out,
    measures_of,
    read_people,
    table_config,
    who_is_who,
)


@pytest.fixture
def short_fits(monkeypatch):
    "How well a face is fitted is tested elsewhere: here a tenth of the steps."
    monkeypatch.setattr("f3a_lite.metrics.FitConfig", partial(FitConfig, steps=40))


# ---- rows and budgets


@pytest.mark.parametrize("row", ROWS)
def test_every_row_sees_as_many_pictures(row):
    cfg = table_config(row, 6000, seed=3)
    assert cfg.steps * cfg.batch == 6000 and cfg.low_batch == cfg.batch and cfg.size == 64 and cfg.seed == 3
    assert cfg.people == 0 and cfg.lowres_fraction == 0


def test_a_variant_is_ours_with_one_thing_changed():
    ours = asdict(table_config("flow", 800))
    fields = dict(landmarks="condition", aus="condition", t_os="streams flow_norm", t_np="grows", t_sl="fusion")
    fields |= dict(t_os_plain="streams", t_os_wide="streams flow_norm channels")  # controls
    for row, names in fields.items():
        other = asdict(table_config(row, 800))
        changed = {k for k in ours["generator"] if ours["generator"][k] != other["generator"][k]}
        assert changed == set(names.split())
        assert {k: v for k, v in ours.items() if k != "generator"} == {
            k: v for k, v in other.items() if k != "generator"
        }


def test_the_wide_control_has_as_many_weights_as_the_base():
    for preset in ("lite", "paper"):
        base, wide = (costs_of(table_config(row, 800, preset=preset).generator) for row in ("flow", "t_os_wide"))
        assert 0.96 < wide["parameters"] / base["parameters"] < 1.04


def test_the_paper_preset_is_the_papers_size():
    for row in ROWS:
        cfg = table_config(row, 800, preset="paper")
        first = round(64 * ROWS[row].width)
        assert cfg.size == 128 and cfg.batch == 64 and cfg.pairs == 91_000 and cfg.generator.channels[0] == first
        assert table_config(row, 800, preset="voxceleb2").pairs == 840_100
    with pytest.raises(F3AError, match="choose from x2face"):
        table_config("soup", 800)


def test_the_tables_rows_are_those_of_the_paper():
    assert rows_in("I") == ("x2face", "pix2pixhd", "flow", "t_warp")
    assert set(PAPER["frames"]) == set(rows_in("II")) - {"t_warp"} and set(PAPER["self"]) == set(rows_in("I")) - {
        "t_warp"
    }
    assert BUDGET == dict(bundled=6000, rendered=6000, folder=20000)


# ---- who is held out


def named(*names):
    "Clips that have a name."
    return [SimpleNamespace(path=Path(n)) for n in names]


def test_whole_people_are_held_out():
    clips, who = named("a1", "a2", "b", "c", "d1", "d2"), dict(a1="a", a2="a", d1="d", d2="d")
    seen = set()
    for seed in range(20):
        train, held = ({person_of(c, who) for c in part} for part in hold_out(clips, who, 2, seed))
        assert len(held) == 2 and not train & held and train | held == {"a", "b", "c", "d"}
        seen |= held
    assert len(seen) == 4
    with pytest.raises(F3AError, match="cannot be held out of 4"):
        hold_out(clips, who, 4)


def test_who_is_who(tmp_path):
    "From a table, with a mark at its beginning as spreadsheets write it; else from manifests; else everybody is new."
    table = tmp_path / "a.csv"
    table.write_text(
        "file,identity,more\nclips/x.mp4,anna,1\nclips/y.mp4,anna,2\ny-00000001,eva,3\n", encoding="utf-8-sig"
    )
    assert read_people(table) == {"x": "anna", "y": "anna", "y-00000001": "eva"} and read_people(None) == {}
    clips = [tmp_path / name for name in ("x", "y")]
    assert who_is_who(clips, (), table) == {str(c): "anna" for c in clips}
    with pytest.raises(F3AError, match="'z': add a row"):
        who_is_who([*clips, tmp_path / "z"], (), table)
    named = [tmp_path / name for name in ("x-1a2b3c4d", "y-00000000")]
    assert who_is_who(named, (), table) == {str(c): "anna" for c in named}, "without the digits of the fingerprint"
    assert who_is_who([tmp_path / "y-00000001"], (), table) == {str(tmp_path / "y-00000001"): "eva"}, "or with them"
    items = {"a/x.mp4": dict(identity="id1", dropped="", folder="x")}
    items |= dict(y=dict(identity="id1", dropped=""), z=dict(dropped=""))
    (tmp_path / "manifest.json").write_text(json.dumps(dict(items=items)))
    who = who_is_who([*clips, tmp_path / "z"], (tmp_path,))
    assert [person_of(SimpleNamespace(path=tmp_path / n), who) for n in "xyz"] == ["id1", "id1", str(tmp_path / "z")]


@pytest.mark.parametrize("text", ["name\nx\n", "file,identity\nx.mp4,\n", "file,identity\nx.mp4\n", None])
def test_a_table_that_does_not_say_who(tmp_path, text):
    if text is not None:
        (tmp_path / "b.csv").write_text(text)
    with pytest.raises(F3AError, match="does not say who"):
        read_people(tmp_path / "b.csv")


# ---- averages


def test_means_over_clips():
    "A clip with many frames counts as one; the range against scipy's percentile bootstrap."
    rng = np.random.default_rng(0)
    values = [rng.normal(k, 1, size=5 + 20 * (k == 0)) for k in range(12)]
    answer = over_clips(values)
    means = [v.mean() for v in values]
    want = scipy.stats.bootstrap((means,), np.mean, method="percentile", n_resamples=9999, rng=1).confidence_interval
    assert np.isclose(answer["mean"], np.mean(means)) and answer["n"] == 80
    assert abs(answer["low"] - want.low) < 0.15 and abs(answer["high"] - want.high) < 0.15


def test_undefined_cases_are_counted():
    assert over_clips([np.array([np.nan, 2.0]), np.array([np.nan])]) == dict(
        mean=2.0, low=None, high=None, n=1, undefined=2
    )
    assert over_clips([np.array([np.nan])]) == dict(mean=None, low=None, high=None, n=0, undefined=1)


# ---- what is measured


def test_targets_come_from_the_split_and_sources_from_training(clip):
    split = split_clips([clip])[0]
    for which in (("random",), ("block_1", "block_2")):
        part = self_parts([clip], [split], which, 8, 64)[0]
        ours = {tuple(x.flatten().tolist()) for x in clip.landmarks[np.concatenate([split[w] for w in which])]}
        assert {tuple(x.flatten().tolist()) for x in part.target.landmarks} <= ours
        train = {tuple(x.flatten().tolist()) for x in clip.landmarks[split["train"]]}
        assert {tuple(x.flatten().tolist()) for x in part.source.landmarks} <= train
        assert torch.equal(part.truth, part.target.picture)
    assert self_parts([clip], [split], ("people",), 8, 64) == []


def other_person(clip, k=1):
    "The clip under another name, with other faces."
    away = dict(translation=clip.params.translation + 0.1 * k, rotation=clip.params.rotation + 0.01 * k)
    params = clip.params.replace(id_coeff=clip.params.id_coeff + k, **away)
    return replace(clip, params=params, path=clip.path.parent / f"somebody_{k}")


def test_across_people_the_driver_gives_expression_and_rotation_only(clip):
    two = [clip, other_person(clip)]
    parts = cross_parts(two, {}, 5, 64)
    assert len(parts) == 2 and [p.number for p in parts] == [0, 1]
    for part, me, you in zip(parts, two, two[::-1]):
        t = part.target.params
        assert torch.equal(t.id_coeff, me.params.id_coeff[:1].expand(5, -1))
        assert torch.equal(t.translation, part.source.params.translation) and torch.equal(
            t.scale, part.source.params.scale
        )
        rows = {tuple(r.tolist()) for r in you.params.rotation}
        assert all(tuple(r.tolist()) in rows for r in t.rotation)
    assert cross_parts(two, {str(clip.path): "a", str(two[1].path): "a"}, 5, 64) == []


def test_one_driver_a_part(clip):
    "The tracker fits the faces of a part with one identity: they must be one person's."
    clips = [other_person(clip, k) for k in range(6)]
    parts = cross_parts(clips, {}, 8, 64)
    seen = set()
    for part in parts:
        of = {k for k in range(6) for r in part.target.params.rotation if (clips[k].params.rotation == r).all(1).any()}
        assert len(of) == 1
        seen |= of
    assert len(seen) > 2


def test_copying_on_itself_is_perfect(clip, short_fits):
    "All pixel metrics at their best; identity against the function itself; no face on noise is counted."
    part = self_parts([clip], split_clips([clip]), ("random",), 4, 128)[0]
    same = replace(part, source=part.target)
    measure = Measure([same])
    found = measure.figures(BASE["copying"])
    assert found["mae"]["mean"] == 0 and found["lmae"]["mean"] == 0 and found["prmse"]["mean"] == 0
    assert found["csim"]["mean"] == pytest.approx(1) and found["aucon"]["mean"] == 1
    noise = torch.rand(part.truth.shape, generator=torch.Generator().manual_seed(0))
    lost = measure.figures(lambda p: noise)
    assert lost["csim"]["n"] == 0 and lost["csim"]["undefined"] == 4 and lost["mae"]["n"] == 4
    got = Measure([part]).figures(BASE["warping"])["csim"]["mean"]
    a, b = (track_faces(x)[1] for x in (BASE["warping"](part), part.source.picture))
    assert got == pytest.approx(float(csim(a, b, identity_mean()).mean()), abs=1e-6)


def test_values_pair_by_pair_belong_to_their_pairs(clip, short_fits):
    "Means over clips of the values are the figures; each pair knows its clip, turn and distance."
    clips = [clip, other_person(clip)]
    parts = self_parts(clips, split_clips(clips), ("random",), 3, 64)
    measure = Measure(parts)
    values, facts = measure.values(BASE["warping"]), measure.facts()
    figures = measure.figures(BASE["warping"])
    assert {len(v) for v in (*values.values(), *facts.values())} == {6} and facts["clip"].tolist() == [0] * 3 + [1] * 3
    for name in ("mae", "psnr", "lmae"):
        assert figures[name]["mean"] == pytest.approx(np.nanmean([np.nanmean(values[name][k : k + 3]) for k in (0, 3)]))
    at = {tuple(p.flatten().tolist()): k for k, p in enumerate(clip.landmarks)}
    i, j = ([at[tuple(p.flatten().tolist())] for p in x.landmarks] for x in (parts[0].source, parts[0].target))
    assert facts["away"][:3].tolist() == np.abs(np.subtract(i, j)).tolist()
    turns = clip.params.rotation[j, 1] - clip.params.rotation[i, 1]
    assert np.allclose(facts["yaw"][:3], np.rad2deg(turns.abs().numpy()), atol=1e-4)
    assert (Measure(cross_parts(clips, {}, 3, 64)).facts()["away"] == -1).all()


class Echo(Copying):
    "A system that keeps what it is told."

    generate = System.generate

    def __init__(self, condition):
        super().__init__(NetworkConfig(condition))
        self.conditions = []

    def forward(self, source, condition, stage=None):
        self.conditions.append(condition)
        return dict(image=source)


def test_noise_is_on_the_targets_parameters(clip):
    "The flow is that of the disturbed parameters; tracked landmarks go as far as the noise moves the parameters' own."
    part = self_parts([clip], split_clips([clip]), ("random",), 2, 64)[0]
    part = replace(part, target=replace(part.target, landmarks=part.target.landmarks + 0.05), number=3)
    model, clean = open_model(), part.target.params
    noisy = add_noise(clean, 0.1, model, torch.Generator().manual_seed(3))
    for condition in ("flow", "landmarks"):
        system = Echo(condition)
        for std, number in ((0.0, 3), (0.1, 3), (0.1, 4)):
            generate_part(system, std)(replace(part, number=number))
        points = [project(posed_landmarks(model, p)) for p in (clean, noisy)]
        disturbed = replace(part.target, params=noisy, landmarks=part.target.landmarks + points[1] - points[0])
        want = make_condition(condition, model, part.source, disturbed, 64)
        assert torch.allclose(system.conditions[1], want, atol=1e-5)
        assert not any(torch.equal(a, b) for a, b in zip(system.conditions, system.conditions[1:3]))


def test_the_parts_are_fitted_each_for_itself(clip):
    "What the tracker sees of two parts at once is what it sees of each alone; of a picture without a face, nothing."
    pictures = [clip.images([0, 10, 20]), clip.images([25, 30, 35])]
    pictures[1][0] = 0.5
    looks = Looks()
    for images in pictures:
        looks.add(images)
    together = looks.reading(apart=True)
    for images, rows in zip(pictures, (slice(0, 3), slice(3, 6))):
        alone = read_faces(images)
        for name, values in vars(alone).items():
            assert np.allclose(getattr(together, name)[rows], values, atol=1e-2, equal_nan=True), name
    assert together.found.tolist() == [True, True, True, False, True, True]
    assert not np.allclose(together.units[0], read_faces(torch.cat(pictures)).units[0], atol=1e-3)
    assert np.allclose(looks.reading().units, read_faces(torch.cat(pictures)).units, equal_nan=True)


# ---- jobs


class Net:
    "Features that need no weights."

    name = "fd_effnet"

    def __init__(self, *a):
        pass

    def __call__(self, images, batch=16):
        return images.mean((2, 3)).numpy()


@pytest.fixture
def few(clip, monkeypatch, short_fits):
    "One clip, two rows, few pictures."
    group = Group("bundled", "one person", [clip], [], ("flow", "x2face"), 2)
    monkeypatch.setattr(tables, "groups_of", lambda *a: [group])
    monkeypatch.setattr(tables, "find_features", Net)
    return group


def never(*a, **k):
    "In the place of a training that must not be."
    pytest.fail("trained again")


def stored(folder):
    "The text of every file of results."
    return {p.name: p.read_text(encoding="utf-8") for p in (folder / "tables").rglob("*.json")}


def open_jobs(words):
    "Rows and seeds that a command would do."
    t = Tables(parse_options("f3a_tables", TableOptions, list(map(str, words))))
    return [job[1:] for job in t.jobs() if not t.is_done(*job)]


def test_jobs_that_are_done_are_not_done_again(few, monkeypatch, tmp_path, capsys):
    words = ["--data", "bundled", "--pictures", "16", "--runs", tmp_path / "runs", "--out", tmp_path / "results"]
    words += ["--rows", "flow"]
    assert run_command(f3a_tables, *words) == 0, capsys.readouterr().err
    files = stored(tmp_path / "results")
    assert set(files) == {"one-person_copying_0.json", "one-person_warping_0.json", "one-person_flow_0_16.json"}
    first = table_records("bundled", tmp_path / "results", pictures=16)
    assert {r.name for r in first} == {"copying", "warping", "flow"}
    assert {r.setting["split"] for r in first} == {"random", "blocks"}
    noisy = [r for r in first if r.setting["noise"]]
    assert [(r.name, r.setting["noise"], r.setting["split"]) for r in noisy] == [
        ("flow", 0.01, "random"),
        ("flow", 0.1, "random"),
    ]
    done = choose_records(first, "flow", noise=0.0, split="random")[0]
    assert done.info["steps"] == 2 and done.info["trained_seconds"] >= 0 and done.setting["pictures"] == 16
    assert set(done.figures) >= {"mae", "mse", "psnr", "ssim", "csim", "prmse", "aucon", "lmae", "fd_effnet"}
    monkeypatch.setattr(tables, "run_training", never)
    monkeypatch.setattr(tables, "measure_row", never)
    assert run_command(f3a_tables, *words) == 0
    assert stored(tmp_path / "results") == files and open_jobs(words) == []
    assert open_jobs([*words, "--seeds", "2"]) == [("flow", 1)]
    assert open_jobs([*words, "--pictures", "24"]) == [("flow", 0)]
    assert open_jobs([*words, "--preset", "paper"]) == [("copying", 0), ("warping", 0), ("flow", 0)]
    assert open_jobs([*words[:-1], "x2face"]) == [("x2face", 0)]
    monkeypatch.setattr(few, "pairs", 3)  # other clips, other people or other pairs: other figures
    capsys.readouterr()
    assert run_command(f3a_tables, *words) == 2
    assert "one-person_copying_0.json' holds figures of other clips: give another --out" in capsys.readouterr().err
    assert stored(tmp_path / "results") == files


def test_an_interrupted_writing_leaves_no_job_done(few, monkeypatch, tmp_path):
    "A file is there completely or not at all; what a killed process left beside it is neither read nor in the way."
    words = ["--pictures", "16", "--runs", tmp_path / "runs", "--out", tmp_path / "results", "--rows", "x2face"]
    where = tmp_path / "results" / "tables" / "bundled"
    where.mkdir(parents=True)
    (where / ".one-person_copying_0-abc.json").write_text("{")
    monkeypatch.setattr(tables, "measure_row", lambda *a: [Record("copying", dict(a[2], broken={1}), {}, {})])
    with pytest.raises(ValueError):  # what JSON cannot hold
        Tables(parse_options("f3a_tables", TableOptions, list(map(str, words)))).run()
    assert set(stored(tmp_path / "results")) == {".one-person_copying_0-abc.json"}
    assert table_records("bundled", tmp_path / "results") == [] and len(open_jobs(words)) == 3


def test_a_row_that_diverges_is_told_and_the_others_go_on(few, monkeypatch, tmp_path):
    usual = tables.run_training

    def collapse(trainer, *rest, **named):
        if trainer.cfg.system == "x2face":
            raise DivergedError("Training broke down at step 7.")
        return usual(trainer, *rest, **named)

    monkeypatch.setattr(tables, "run_training", collapse)
    words = ["--pictures", "16", "--runs", tmp_path / "runs", "--out", tmp_path / "results"]
    assert run_command(f3a_tables, *words) == 0 and open_jobs(words) == []
    records = table_records("bundled", tmp_path / "results", pictures=16)
    assert choose_records(records, "flow", split="random", noise=0.0)
    lost = choose_records(records, "x2face")
    assert len(lost) == 1 and lost[0].figures == {} and "step 7" in lost[0].info["diverged"]
    assert "diverged" in paper_table(records, "self", ("x2face",), split="random")


def test_train_here_and_measure_there(few, monkeypatch, tmp_path, capsys):
    "What --no-measure trains is measured with --no-train; weights of another training are refused."
    words = ["--pictures", "16", "--runs", tmp_path / "runs", "--out", tmp_path / "results", "--rows", "flow"]
    monkeypatch.setattr(tables, "machine_name", lambda: "the one that trained")
    assert run_command(f3a_tables, *words, "--no-measure") == 0
    assert not (tmp_path / "results").exists()
    monkeypatch.setattr(tables, "machine_name", lambda: "the one that measured")
    monkeypatch.setattr(tables, "run_training", never)
    assert run_command(f3a_tables, *words, "--no-measure") == 0
    assert run_command(f3a_tables, *words, "--no-train") == 0
    records = load_records(tmp_path / "results" / "tables" / "bundled" / "one-person_flow_0_16.json")
    assert choose_records(records, "flow", noise=0.0)[0].info["trained_by"] == "the one that trained"
    capsys.readouterr()
    words[-1] = "x2face"
    assert run_command(f3a_tables, *words, "--no-train") == 2
    assert "leave out --no-train" in capsys.readouterr().err
    there = Tables(parse_options("f3a_tables", TableOptions, list(map(str, words))))
    (weights,) = (tmp_path / "runs" / "tables").glob("*/weights.safetensors")
    other = there.folder(few, "x2face", 0)
    other.mkdir()
    (other / weights.name).write_bytes(weights.read_bytes())
    with pytest.raises(F3AError, match="another training than row x2face"):
        there.trained(few, "x2face", 0)
    usual = tables.table_config
    monkeypatch.setattr(tables, "table_config", lambda *a: replace(usual(*a), lr=1e-5))
    with pytest.raises(F3AError, match="another training than row flow"):
        there.trained(few, "flow", 0)


def test_a_row_that_diverged_elsewhere_is_not_trained_here(few, monkeypatch, tmp_path):
    def collapse(*a, **k):
        raise DivergedError("Training broke down at step 7.")

    monkeypatch.setattr(tables, "run_training", collapse)
    words = ["--pictures", "16", "--runs", tmp_path / "runs", "--rows", "flow"]
    assert run_command(f3a_tables, *words, "--out", tmp_path / "there", "--no-measure") == 0
    monkeypatch.setattr(tables, "run_training", never)
    assert run_command(f3a_tables, *words, "--out", tmp_path / "there", "--no-measure") == 0
    assert not (tmp_path / "there").exists()
    assert run_command(f3a_tables, *words, "--out", tmp_path / "here", "--no-train") == 0
    lost = load_records(tmp_path / "here" / "tables" / "bundled" / "one-person_flow_0_16.json")
    assert len(lost) == 1 and "step 7" in lost[0].info["diverged"]


@pytest.mark.parametrize(
    "words,said",
    [
        (["--rows", "soup"], "no row 'soup'"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--held-out", "-1"], "--held-out"),
        (["--pictures", "7"], "sees 8 pictures at least"),
        (["--data", "bundled", "rendered"], "stands alone"),
        (["--no-train", "--no-measure"], "nothing to do"),
    ],
)
def test_wrong_words_are_one_sentence(words, said, tmp_path, capsys):
    assert run_command(f3a_tables, *words, "--runs", tmp_path / "runs", "--out", tmp_path / "results") == 2
    assert said in capsys.readouterr().err and not (tmp_path / "results").exists()


def test_nothing_to_measure_is_one_sentence(clip):
    short = replace(clip, found=np.arange(len(clip)) < 3)
    with pytest.raises(F3AError, match="no frame to measure on"):
        measures_of(Group("folder", "all people", [short], [], (), 2), 64)


def test_budgets_and_data_sets_do_not_mix(tmp_path):
    def put(**changes):
        base = dict(data="bundled", group="one person", row="flow", seed=0, preset="lite", split="random", noise=0.0)
        setting = {**base, "clips": "a", **changes}
        save_records([Record(setting["row"], setting, dict(mae=0.1), run_info(seed=0))], job_file(setting, tmp_path))

    put(pictures=6000)
    put(pictures=100)
    put(pictures=None, preset="paper")
    assert len(list((tmp_path / "tables" / "bundled").iterdir())) == 3
    assert [r.setting["pictures"] for r in table_records("bundled", tmp_path)] == [6000]
    assert [r.setting["pictures"] for r in table_records("bundled", tmp_path, pictures=100)] == [100]
    assert len(table_records("bundled", tmp_path, preset="paper")) == 1
    assert table_records("rendered", tmp_path) == []
    put(row="aus", clips="b", pictures=6000)
    with pytest.raises(F3AError, match="several data sets"):
        table_records("bundled", tmp_path)


def test_an_interrupted_training_is_not_measured(few, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tables, "run_training", lambda *a, **k: False)
    words = ["--pictures", "16", "--runs", tmp_path / "runs", "--out", tmp_path / "results", "--rows", "x2face"]
    assert run_command(f3a_tables, *words) == 2
    assert "the same command goes on" in capsys.readouterr().err
    assert set(stored(tmp_path / "results")) == {f"one-person_{row}_0.json" for row in BASE}


def test_groups_of_a_folder(monkeypatch):
    "Table II sees everybody; Table I holds people out, as the manifest says or by lot."
    manifest = dict(train=[Path(n) for n in "abc"], test=[])
    monkeypatch.setattr(tables, "expand_clips", lambda data, split: manifest[split])
    monkeypatch.setattr(tables, "held_out_people", lambda data: manifest["test"])
    monkeypatch.setattr(tables, "load_clip", lambda path: named(path)[0])
    checked = []
    monkeypatch.setattr(tables, "check_model", checked.append)
    two, one = groups_of(("folder",), None, 1)
    assert len(two.clips) == 3 and two.people == [] and two.rows == rows_in("II") and len(checked) == 3
    assert len(one.clips) == 2 and len(one.people) == 1 and one.rows == rows_in("I")
    assert not {c.path.name for c in one.clips} & {c.path.name for c in one.people}
    manifest.update(train=[Path("a"), Path("b")], test=[Path("c")])
    two, one = groups_of(("folder",), None, 1)
    assert [c.path.name for c in one.people] == ["c"] and len(two.clips) == len(one.clips) == 2


def test_measures_of_held_out_people(clip, short_fits):
    group = Group("folder", "people held out", [clip], [clip, other_person(clip)], (), 2, 3)
    measures = measures_of(group, 64)
    assert list(measures) == ["random", "blocks", "people", "cross"]
    assert [m.pixels for m in measures.values()] == [True, True, True, False]
    assert [len(m.parts[0].truth) for m in measures.values()] == [2, 2, 3, 3]
    assert [len(m.parts) for m in measures.values()] == [1, 1, 2, 2]
    many = measures_of(replace(group, clips=[clip] * 5, every=2), 64)
    assert [len(m.parts) for m in many.values()] == [3, 3, 2, 2]
    assert "mae" not in measures["cross"].figures(BASE["copying"])


# ---- the paper's numbers beside ours


def rec(row, split="random", seed=0, **figures):
    "A record as f3a_tables writes it."
    figures = {k: dict(mean=v, low=None, high=None, n=9, undefined=0) for k, v in figures.items()}
    return Record(row, dict(row=row, split=split, seed=seed, noise=0.0), figures)


def test_the_order_is_compared_metric_by_metric():
    "MAE is better lower, CSIM higher: what counts is that ours and the other row lie as in the paper."
    records = [rec("flow", mae=0.05, csim=0.9), rec("aus", mae=0.06, csim=0.95), rec("t_os", mae=0.04, csim=0.5)]
    assert sorted(agreement(records, "frames", split="random")) == [
        ("aus", "csim", False),
        ("aus", "mae", True),
        ("t_os", "csim", True),
        ("t_os", "mae", False),
    ]
    lines = paper_table(records, "frames", ("flow", "aus", "t_np")).splitlines()
    assert lines[0] == "| | MAE ↓ | MSE ↓ | CSIM ↑ | PRMSE ↓ |"
    lines = [line.replace("to be trained again", "–") for line in lines]
    assert lines[2] == "| Ours, flow | 0.0500 [0.0165] | – [0.0008] | 0.900 [0.9821] | – [0.7215] |"
    assert lines[3].startswith("| Ours, action units | 0.0600 [0.0689] | – [0.0139] | 0.950 [0.8961] ✗ |")
    assert lines[4].count("–") == 4


def test_several_seeds_have_a_spread():
    records = [rec("flow", seed=k, mae=v) for k, v in enumerate((0.04, 0.06, 0.08))]
    assert our_figure(records, "flow", "mae", split="random") == dict(
        mean=pytest.approx(0.06), sd=pytest.approx(0.02), n=27, undefined=0
    )
    assert our_figure(records, "flow", "mae", seed=1)["mean"] == 0.06
    assert our_figure(records, "flow", "psnr") is None and our_figure(records, "aus", "mae") is None


def test_fid_stands_beside_our_own_distance():
    records = [rec("flow", "people", fd_effnet=20.0), rec("x2face", "people", fd_effnet=10.0)]
    assert agreement(records, "self", split="people") == [("x2face", "fid", True)]
    said = paper_table(records, "self", ("flow", "x2face"))
    assert "FD-EffNet (FID) ↓" in said and "20.0 [28.8662]" in said


def test_a_report_says_which_command_made_which_row(tmp_path):
    for k, row in enumerate(("t_warp", "flow", "aus")):
        setting = dict(data="bundled", group="one person", row=row, seed=0, preset="lite", clips="a", pictures=6000)
        info = dict(run_info(f"command {k}", 0), date=f"2026-11-2{k} 10:00")
        save_records(
            [Record(row, dict(setting, split="random", noise=0.0), dict(mae=0.1), info)], job_file(setting, tmp_path)
        )
    said = report("frames", ("t_warp", "aus"), folder=tmp_path)
    assert "T_warp: made by `command 0`, seed 0" in said and "Ours, action units: made by `command 2`, seed 0" in said
    assert "command 1" not in said, "That row is not in the table."


def test_dots_are_ours_and_diamonds_the_papers(tmp_path):
    from f3a_lite.lab.paper_tables import dot_plot, folded

    rows = dict(flow=dict(mean=0.05, low=0.04, high=0.07), copying=dict(mean=0.09, sd=0.01, n=3), t_warp=None)
    for row, mae in rows.items():
        setting = dict(data="bundled", group="one person", row=row, seed=0, preset="lite", clips="a", pictures=6000)
        record = Record(row, dict(setting, split="random", noise=0.0), dict(mae=mae), run_info("command", 0))
        save_records([record], job_file(setting, tmp_path))
    axes = dot_plot("frames", tuple(rows), tmp_path).axes
    assert len(axes) == 4, "one kind of data, four metrics"
    marks = {}
    for line in axes[0].lines:
        marks.setdefault(line.get_marker(), []).append((list(line.get_xdata()), list(line.get_ydata())))
    assert sorted(marks["o"]) == [([0.05], [2]), ([0.09], [1])], "from above, as in a table"
    assert marks["D"] == [([PAPER["frames"]["flow"]["mae"]], [2])], "the paper has one of the three"
    ranges = sorted(x for x, _ in marks["None"])
    np.testing.assert_allclose(ranges, [[0.04, 0.07], [0.08, 0.1]])
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["T_warp", "copying", "Ours, flow"]
    assert not axes[1].lines[1:], "no MSE of ours: the paper's alone"
    assert folded("| 1 |", "all").startswith("<details><summary>all</summary>\n\n| 1 |")
