"A fixed sample of corrupted inputs; `python tests/fuzz.py all --n 1000` does many more."

import pytest
import fuzz


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "inputs"
    folder.mkdir()
    return fuzz.make_inputs(folder)


@pytest.mark.processes
def test_a_process_of_its_own(inputs):
    rows = fuzz.run_target(inputs, "npz_model", 20, seed=1)
    assert len(rows) == 20 and not [r for r in rows if r[0] in fuzz.BAD], rows


@pytest.mark.parametrize("target", list(fuzz.READERS))
def test_readers(inputs, target):
    rows = [fuzz.trial(inputs, target, 1, k) for k in range(12)]
    bad = [r for r in rows if r[0] in fuzz.BAD]
    assert not bad, bad[:5]
    assert sum(r[0] == "refused" for r in rows) >= 3


@pytest.mark.parametrize("target", ["prepare_300w3d", "prepare_landmarks", "animate_clip", "labelled", "train_init"])
def test_commands(inputs, target):
    rows = [fuzz.trial(inputs, target, 1, k) for k in range(2)]
    assert not [r for r in rows if r[0] in fuzz.BAD], rows


def test_the_fuzzer_sees_what_it_looks_for(inputs, monkeypatch):
    "An unforeseen error, a message of several lines, a left-over file, a half-written film, a process that dies."
    from f3a_lite.core import F3AError

    def leave(path, folder, out):
        out.mkdir()
        (out / ".half-x").write_text("")
        return 2

    def film(path, folder, out):
        out.mkdir()
        (out / "a.mp4").write_text("")
        return 2

    def lines(path):
        raise F3AError("one\ntwo")

    for name, read, outcome in (
        ("pts", lambda p: [][0], "traceback"),
        ("pts", lines, "traceback"),
        ("train", leave, "half-written"),
        ("train", film, "half-written"),
        ("train", lambda p, d, o: 1, "traceback"),
    ):
        monkeypatch.setitem(fuzz.TARGETS, name, (fuzz.TARGETS[name][0], read))
        assert fuzz.trial(inputs, name, 0, 0)[0] == outcome
    rows = fuzz.run_target(inputs, "no such target", 2)
    assert [r[0] for r in rows] == ["crashed", "crashed"]
