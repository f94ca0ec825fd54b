"The ledger: verdicts follow the figures, a missing file decides nothing, and ranges are those of a difference."

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
import numpy as np
import pytest
import scipy.stats
import f3a_lite
from f3a_lite.core import F3AError
from f3a_lite.lab import claims
from f3a_lite.lab.claims import (
    TEST,
    VERDICTS,
    WORDS,
    Comparison,
    Finding,
    Statement,
    all_orders,
    answer,
    compare,
    ledger,
    ledger_table,
    load_statements,
    orders_table,
    rank_correlation,
    word_of,
)
from f3a_lite.lab.measuring import clip_means, load_pairs, paired_difference, save_pairs
from f3a_lite.lab.paper_tables import (
    BUDGET,
    PAPER,
    ROWS,
    WHERE,
    bins_table,
    budgets_of,
    faces_table,
    job_file,
    pairs_of,
    table_records,
)
from f3a_lite.lab.results import Record, figure, load_records, run_info, save_records
from f3a_lite.metrics import GLOSSARY

RESULTS = Path(__file__).resolve().parent.parent / "results"


# ---- differences


def hard_pairs(n=240, clips=24, seed=0):
    "Two rows on the same pairs: what makes a pair hard is common to both, and far larger than what sets them apart."
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), n // clips)
    hard = rng.normal(0, 1, clips)[clip] + rng.normal(0, 1, n)
    return hard + 0.2 + rng.normal(0, 0.2, n), hard + rng.normal(0, 0.2, n), clip


def test_the_range_of_a_difference_is_scipys():
    one, other, clip = hard_pairs()
    gap = paired_difference(one, other, clip)
    means = [clip_means(x, clip) for x in (one, other)]
    how = dict(paired=True, method="percentile", n_resamples=9999, rng=1)
    want = scipy.stats.bootstrap(means, lambda a, b, axis=-1: (a - b).mean(axis), **how).confidence_interval
    assert gap["mean"] == pytest.approx(np.mean(one - other))
    assert abs(gap["low"] - want.low) < 0.005 and abs(gap["high"] - want.high) < 0.005
    assert gap["low"] > 0, "pair by pair it is clear"
    apart = [scipy.stats.bootstrap((m,), np.mean, method="percentile", rng=1).confidence_interval for m in means]
    assert apart[0].low < apart[1].high, "each by itself it is not"


def test_a_pair_without_a_face_counts_in_neither_row():
    one, other = np.array([1.0, np.nan, 5.0, 7.0]), np.array([0.0, 100.0, np.nan, 5.0])
    gap = paired_difference(one, other, np.array([0, 0, 1, 2]))
    assert gap["mean"] == 1.5 and gap["clips"] == 2 and gap["found"] == 0.5
    nothing = paired_difference(one * np.nan, other, np.array([0, 0, 1, 2]))
    assert nothing["mean"] is None and nothing["low"] is None and nothing["found"] == 0
    for n in (1, 5, 6):
        found = paired_difference(one[:1].repeat(n), 0 * one[:1].repeat(n), np.arange(n))
        assert (found["low"] is None) == (2 / 2**n > 0.05), "all on one side by chance: once in twenty times at most"


def test_seeds_widen_the_range():
    one, other, clip = hard_pairs()
    level = np.array([[-0.3], [0.0], [0.3]])
    steady, unsteady = (paired_difference(one + k * level, other[None], clip) for k in (0, 1))
    assert unsteady["mean"] == pytest.approx(steady["mean"])
    assert unsteady["high"] - unsteady["low"] > 2 * (steady["high"] - steady["low"])


def test_words():
    assert word_of(0.1, 0.7) == "clear" and word_of(-0.2, 1) == "within the spread"
    assert word_of(-0.5, -0.1) == "contradicts" and word_of(None, None) == "no spread"
    assert word_of(-0.1, 0.1, -0.2, 0.2) == "clear" and word_of(0.3, 0.4, -0.2, 0.2) == "contradicts"
    assert word_of(0.1, 0.4, -0.2, 0.2) == "within the spread"


def test_a_statement_holds_only_where_every_comparison_is_clear():
    finding = lambda *words: Finding("here", "much", [Comparison(w) for w in words]).verdict  # noqa: E731
    assert finding("clear", "clear") == "holds" and finding("clear", "contradicts") == "does not"
    for word in ("within the spread", "no spread", "missing"):
        assert finding("clear", word) == "not decided"
    assert finding() == "not decided"


# ---- made-up results


def job(row, seed=0, data="rendered", group="rendered people", pictures=None):
    "A job's setting."
    own = dict(data=data, group=group, clips="toy", row=row, seed=seed, preset="lite", size=64)
    return own if row == "copying" else dict(own, pictures=pictures or BUDGET[data])


def write(folder, row, values, seed=0, keep=True, split="random", noise=0.0, pictures=None):
    "A job's file of figures, with its values pair by pair: metric → (n,)."
    setting, n = job(row, seed, pictures=pictures), len(next(iter(values.values())))
    clip = np.arange(n) // 5
    figures = {m: dict(mean=float(np.nanmean(clip_means(v, clip))), low=None, high=None) for m, v in values.items()}
    counts = {m: int(np.isfinite(v).sum()) for m, v in values.items()}
    figures = {m: dict(f, n=counts[m], undefined=n - counts[m]) for m, f in figures.items()}
    path = job_file(setting, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    info = run_info(seed=seed, trained_on=8)
    save_records([Record(row, dict(setting, split=split, noise=noise), figures, info)], path)
    if keep:
        facts = dict(clip=clip, yaw=np.linspace(0, 40, n), away=np.arange(n))
        save_pairs({(split, noise): {**facts, **values}}, path.with_suffix(".npz"))


def two_rows(folder, gap=0.01, **options):
    "The flow, and action units that are worse by a little on every pair."
    rng = np.random.default_rng(3)
    hard = 0.1 + 0.05 * rng.random(60)
    for row, more in (("flow", 0.0), ("aus", gap)):
        error = hard + more + 0.002 * rng.random(60)
        write(folder, row, dict(mae=error, mse=error**2), **options)


FIRST = Statement(1, "IV-E.1", "the flow is better", ("frames: flow > aus in mae, mse",))


def test_values_pair_by_pair_decide(tmp_path):
    two_rows(tmp_path)
    (found,) = [f for f in answer(FIRST, tmp_path).found if f.data == "Rendered people"]
    assert answer(FIRST, tmp_path).verdict == found.verdict == "holds"
    assert all("paired bootstrap over 12 clips" in c.how and c.low > 0 for c in found.comparisons)
    assert found.scale == "8 clips, 6,000 pictures, 1 seed"
    records = table_records("rendered", tmp_path)
    lone = compare(records, "flow", "aus", "mae", folder=tmp_path / "elsewhere")
    assert lone.word == "no spread", "without the values nothing is known of one seed"


def test_longer_trainings_decide_where_they_have_every_figure(tmp_path):
    "Not where others have fewer gaps: a row is missing, or has no range. Shorter ones than usual never do."
    two_rows(tmp_path)
    two_rows(tmp_path, gap=-0.01, pictures=2000)
    assert budgets_of("rendered", tmp_path) == [2000, 6000] and answer(FIRST, tmp_path).verdict == "holds"
    two_rows(tmp_path, gap=-0.01, pictures=20000)
    (found,) = [f for f in answer(FIRST, tmp_path).found if f.data == "Rendered people"]
    assert found.verdict == "does not" and "20,000 pictures" in found.scale
    path = job_file(job("aus", pictures=20000), tmp_path)
    path.with_suffix(".npz").unlink()
    assert answer(FIRST, tmp_path).verdict == "holds", "one seed without values pair by pair has no range"
    usual = job_file(job("aus"), tmp_path).with_suffix(".npz")
    kept = usual.read_bytes()
    usual.unlink()
    (found,) = [f for f in answer(FIRST, tmp_path).found if f.data == "Rendered people"]
    assert "20,000 pictures" in found.scale, "where both have no range, the longer ones say how it looks"
    path.unlink()
    usual.write_bytes(kept)
    assert answer(FIRST, tmp_path).verdict == "holds", "a row is missing"
    assert [line.count("20,000") for line in orders_table(tmp_path).splitlines() if "rendered" in line] == [0, 0, 1] * 4


def test_only_pairs_that_turn_far(tmp_path):
    two_rows(tmp_path)
    records = table_records("rendered", tmp_path)
    far = compare(records, "flow", "aus", "mae", over=25, folder=tmp_path)
    values = [load_pairs(job_file(job(r), tmp_path).with_suffix(".npz"))["random", 0.0] for r in ("flow", "aus")]
    here = values[0]["yaw"] > 25
    means = [clip_means(v["mae"][here], v["clip"][here]) for v in values]
    assert far.lead == pytest.approx(np.mean(means[1] - means[0]))
    assert compare(records, "flow", "aus", "mae", over=90, folder=tmp_path).word == "missing"
    assert compare(records, "flow", "aus", "mae", over=25, folder=tmp_path / "elsewhere").word == "missing"


def test_figures_of_another_measurement_are_refused(tmp_path):
    two_rows(tmp_path)
    path = job_file(job("flow"), tmp_path)
    shutil.copy(job_file(job("aus"), tmp_path).with_suffix(".npz"), path.with_suffix(".npz"))
    with pytest.raises(F3AError, match="of another measurement than the figures beside it"):
        answer(FIRST, tmp_path)
    path.with_suffix(".npz").write_bytes(b"no array")
    with pytest.raises(F3AError, match="cannot be read"):
        answer(FIRST, tmp_path)


def test_other_pairs_are_refused(tmp_path):
    two_rows(tmp_path)
    write(tmp_path, "aus", dict(mae=np.full(55, 0.2), mse=np.full(55, 0.04)))
    with pytest.raises(F3AError, match="measured on other pairs"):
        answer(FIRST, tmp_path)


def test_values_come_back(tmp_path):
    rng = np.random.default_rng(0)
    values = dict(clip=np.arange(9), yaw=rng.random(9), mae=rng.random(9), csim=np.full(9, np.nan), fd_effnet=1.0)
    save_pairs({("random", 0.0): values, ("people", 0.01): values}, tmp_path / "a.npz")
    back = load_pairs(tmp_path / "a.npz")
    assert set(back) == {("random", 0.0), ("people", 0.01)} and set(back["random", 0.0]) == set(values) - {"fd_effnet"}
    assert np.allclose(back["people", 0.01]["mae"], values["mae"], atol=1e-3)
    assert np.isnan(back["random", 0.0]["csim"]).all() and (back["random", 0.0]["clip"] == values["clip"]).all()
    save_pairs({}, tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()


def test_several_seeds_without_values_are_judged_by_their_spread(tmp_path):
    for seed, (ours, theirs) in enumerate([(0.050, 0.060), (0.052, 0.061), (0.051, 0.062)]):
        for row, mean in (("flow", ours), ("aus", theirs)):
            write(tmp_path, row, dict(mae=np.full(10, mean), mse=np.full(10, mean)), seed, keep=False)
    records = table_records("rendered", tmp_path)
    found = compare(records, "flow", "aus", "mae", folder=tmp_path)
    sds = np.std([0.050, 0.052, 0.051], ddof=1) + np.std([0.060, 0.061, 0.062], ddof=1)
    assert found.lead == pytest.approx(0.01) and found.high - found.lead == pytest.approx(sds) and found.word == "clear"
    assert compare(records, "flow", "aus", "mae", folder=tmp_path, factor=1.1).word == "clear"
    assert compare(records, "flow", "aus", "mae", folder=tmp_path, factor=1.67).word == "contradicts"
    assert compare(records, "flow", "aus", "mae", folder=tmp_path, share=0.1).word == "contradicts"
    assert compare(records, "flow", "aus", "mae", folder=tmp_path, share=0.5).word == "clear"


def test_bins(tmp_path):
    two_rows(tmp_path)
    text = bins_table("rendered", ("flow", "motiongan"), "mae", folder=tmp_path)
    assert "(15 pairs)" in text and "MotionGAN | not kept" in text and "100%" in text.replace(" ", "")


def test_faces_are_compared_where_every_row_shows_one(tmp_path):
    rng = np.random.default_rng(0)
    for row, lost in (("flow", [0, 1]), ("aus", [1, 2, 3])):
        values = {m: rng.random(20) for m in ("csim", "prmse", "aucon", "lmae")}
        for v in values.values():
            v[lost] = np.nan
        write(tmp_path, row, values)
    text = faces_table("rendered", ("flow", "aus"), folder=tmp_path).splitlines()
    assert text[-1] == "16 of 20 pairs." and text[2].endswith("| 90% |") and text[3].endswith("| 85% |")
    kept = load_pairs(job_file(job("flow"), tmp_path).with_suffix(".npz"))["random", 0.0]
    assert f"| {kept['csim'][4:].mean():.3f} |" in text[2]
    job_file(job("aus"), tmp_path).with_suffix(".npz").unlink()
    assert faces_table("rendered", ("flow", "aus"), folder=tmp_path).count("not kept") == 4


# ---- the statements


def test_every_statement_stands_once():
    statements = load_statements()
    assert [s.number for s in statements] == list(range(1, 65))
    assert len({s.says for s in statements}) == 64 and all(s.section for s in statements)
    for s in statements:
        assert bool(s.tests) + bool(s.file) <= 1 and (s.tests or s.file or s.note), s.number
        assert not s.file or (s.ahead and s.by and s.data), s.number
        for test in s.tests:
            m = TEST.fullmatch(test)
            rows = claims.re.split(" [>=] ", m["rows"])
            rows_of_paper = {str(n) for n in PAPER["noise"]} if m["part"] == "noise" else {*ROWS, "copying", "warping"}
            assert m["part"] in PAPER and len(rows) > 1 and set(rows) <= rows_of_paper, test
            assert all(metric in GLOSSARY for metric in m["metrics"].split(", ")), test
            assert ("=" in m["rows"]) == (m["share"] is not None), test


@pytest.mark.parametrize("text, say", [("x = [", "cannot be read"), ("[[statement]]\nnumber = 1", "cannot be read")])
def test_a_table_of_another_form(tmp_path, text, say):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(F3AError, match=say):
        load_statements(path)
    path.write_text('[[statement]]\nnumber = 1\nsection = "I"\nsays = "x"\ntests = ["flow is best"]')
    with pytest.raises(F3AError, match="'flow is best'"):
        load_statements(path)


@pytest.fixture(scope="module")
def today():
    "The ledger of the stored results."
    return ledger(RESULTS)


def test_the_release_note_counts_the_statements(today):
    "The note of this version, not those of older ones."
    counts = Counter(a.verdict for a in today)
    note = (
        (RESULTS.parent / "CHANGELOG.md")
        .read_text(encoding="utf-8")
        .split(f"## {f3a_lite.__version__}", 1)[1]
        .split("\n## ")[0]
    )
    sentence = (
        f"Of {len(today)} statements of the paper, {counts['holds']} hold there, {counts['does not']} do not, "
        f"{counts['depends on the data']} depend on the data, and {counts['not decided']} are not decided"
    )
    assert sentence in " ".join(note.split())


def test_the_ledger_is_whole(today):
    assert len(today) == 64 and {a.verdict for a in today} <= set(VERDICTS)
    assert all(c.word in WORDS for a in today for f in a.found for c in f.comparisons)
    table = ledger_table(today)
    assert len(table.splitlines()) == 66 and all(line.count(" | ") == 4 for line in table.splitlines()[2:])
    assert all(a.verdict == "not decided" for a in today if not (a.statement.tests or a.statement.file))


def exchanged(folder, names):
    "A copy of the stored results in which rows have changed places."
    for path in RESULTS.glob("*.json"):
        shutil.copy(path, folder / path.name)
    for data in BUDGET:
        jobs = {}
        for r in table_records(data, RESULTS):
            name = names.get(r.name, r.name)
            mine = replace(r, name=name, setting=dict(r.setting, row=name))
            old, new = (job_file(x.setting, where) for x, where in ((r, RESULTS), (mine, folder)))
            jobs.setdefault((old, new), []).append(mine)
        for (old, new), records in jobs.items():
            new.parent.mkdir(parents=True, exist_ok=True)
            save_records(records, new)
            if old.with_suffix(".npz").exists():
                shutil.copy(old.with_suffix(".npz"), new.with_suffix(".npz"))


@pytest.mark.parametrize("a, b", [("flow", "aus"), ("flow", "pix2pixhd")])
def test_exchanged_labels_flip_the_verdicts(tmp_path, today, a, b):
    "Whatever held of these two rows is refuted by a copy in which they have changed places."
    exchanged(tmp_path, {a: b, b: a})
    flipped = 0
    for before in today:
        s = before.statement
        rows = {frozenset(claims.re.split(" [>=] ", TEST.fullmatch(t)["rows"])) for t in s.tests}
        if rows == {frozenset((a, b))} and before.verdict in ("holds", "does not"):
            after = answer(s, tmp_path)
            assert after.verdict != before.verdict, s.says
            flipped += 1
            if before.verdict == "holds" and " = " not in s.tests[0]:
                assert after.verdict == "does not", s.says
    if (a, b) == ("flow", "aus"):
        assert flipped >= 1
    swapped = {d: sum((c.lead or 0) > 0 for *_, c in all_orders(d, "frames", tmp_path)) for d, _ in WHERE["frames"]}
    now = {d: sum((c.lead or 0) > 0 for *_, c in all_orders(d, "frames", RESULTS)) for d, _ in WHERE["frames"]}
    assert swapped != now


def test_exchanged_records_flip_a_verdict_of_a_file(tmp_path, today):
    "Of the regressor's two trainings."
    names = {"landmarks only": "warm-up first", "warm-up first": "landmarks only"}
    records = [replace(r, name=names[r.name]) for r in load_records(RESULTS / "collapse.json")]
    save_records(records, tmp_path / "collapse.json")
    for before in today:
        if before.statement.number in (45, 46):
            after = answer(before.statement, tmp_path)
            assert {before.verdict, after.verdict} == {"holds", "does not"}


def test_no_results_decide_nothing(tmp_path, today):
    for a in ledger(tmp_path):
        assert a.verdict == "not decided" and all(c.word == "missing" for f in a.found for c in f.comparisons)
    assert "0 of 0 | 0 | 0 | 0 | 0 | 112 |" in orders_table(tmp_path)


def test_a_row_that_is_missing_is_no_pass(tmp_path):
    two_rows(tmp_path)
    job_file(job("aus"), tmp_path).unlink()
    assert answer(FIRST, tmp_path).verdict == "not decided"
    halves = Statement(1, "I", "x", ("frames: flow > aus in mae, csim",))
    two_rows(tmp_path)
    assert answer(halves, tmp_path).verdict == "not decided", "one of two metrics"


def test_a_record_against_a_number(tmp_path):
    s = Statement(9, "I", "x", file="toy", ahead="a", behind=0.5, by="share", data="toys", where=dict(kind="good"))
    assert answer(s, tmp_path).verdict == "not decided"
    for values, verdict in (([0.6, 0.7], "holds"), ([0.3, 0.8], "not decided"), ([0.1, 0.2], "does not")):
        other = Record("a", dict(kind="bad"), dict(share=figure([9.0, 9.1])), run_info(seed=0))
        mine = Record("a", dict(kind="good"), dict(share=figure(values)), run_info(seed=0))
        save_records([other, mine], tmp_path / "toy.json")
        assert answer(s, tmp_path).verdict == verdict
        assert answer(replace(s, better="lower"), tmp_path).verdict == {"holds": "does not", "does not": "holds"}.get(
            verdict, verdict
        )
    save_records([replace(mine, figures=dict(share=0.9))], tmp_path / "toy.json")
    assert answer(s, tmp_path).found[0].comparisons[0].word == "no spread"


# ---- orders


def test_every_pair_of_rows_is_compared():
    counts = {part: len(all_orders(WHERE[part][-1][0], part, RESULTS)) for part in PAPER}
    assert counts == dict(self=15, cross=9, frames=112, noise=10)
    for one, other, metric, _ in all_orders("rendered", "frames", RESULTS):
        better = min if GLOSSARY[metric].better == "lower" else max
        assert better(PAPER["frames"][r][metric] for r in (one, other)) == PAPER["frames"][one][metric]


def test_rank_correlation_is_one_for_the_papers_order():
    toy = [
        Record(
            row, dict(split="random", noise=0.0), dict(mae=dict(mean=values["mae"] * 2), mse=dict(mean=-values["mse"]))
        )
        for row, values in PAPER["frames"].items()
    ]
    assert rank_correlation(toy, "frames", "mae") == (pytest.approx(1), pytest.approx(1))
    assert rank_correlation(toy, "frames", "mse") == (pytest.approx(-1), pytest.approx(-1))
    assert rank_correlation(toy[:2], "frames", "mae") == (None, None)


def test_a_records_values_are_found_by_its_setting(tmp_path):
    two_rows(tmp_path)
    record = load_records(job_file(job("flow"), tmp_path))[0]
    assert len(pairs_of(record, tmp_path)["mae"]) == 60
    assert pairs_of(replace(record, setting=dict(record.setting, split="blocks")), tmp_path) is None
    assert json.loads(job_file(job("flow"), tmp_path).read_text())["format"] == 1
