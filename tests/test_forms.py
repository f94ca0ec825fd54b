"Files that are well-formed and not what they should be: one sentence each."

import json
import numpy as np
import pytest
import torch
from helpers import small_trainer
from f3a_lite.checkpoints import resume
from f3a_lite.core import F3AError
from f3a_lite.data.clips import load_clip
from f3a_lite.data.prepare_datasets import check_manifest
from f3a_lite.lab.paper_tables import origins, table_records
from f3a_lite.lab.results import load_records, provenance, show_figure
from f3a_lite.lab.tables import who_is_who
from f3a_lite.weights import load_weights, save_weights

DEEP = "[" * 100_000
INFO = dict(command="c", commit="1", machine="m", date="2026-01-01 10:00", threads=1, seconds=1.0, seed=0)


def results(path, figures=None, info=INFO, **setting):
    "A results file with one record."
    record = dict(name="flow", setting=setting, figures=figures or {}, info=info)
    path.write_text(json.dumps(dict(format=1, records=[record])))
    return path


@pytest.mark.parametrize("read", [load_records, check_manifest, lambda p: who_is_who([], (p.parent,))])
def test_a_file_nested_too_deep(tmp_path, read):
    (tmp_path / "manifest.json").write_text(DEEP)
    with pytest.raises(F3AError, match="manifest.json"):
        read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "figure",
    [dict(psnr="28"), dict(psnr=["1"]), dict(psnr={}), dict(psnr=dict(mean="x")), dict(psnr=dict(mean=1, sd=[]))]
    + [dict(psnr=dict(mean=1.0, low=0.5)), dict(psnr=dict(mean=1.0, n="5", undefined=1)), dict(psnr=True)],
)
def test_figures_of_another_form(tmp_path, figure):
    with pytest.raises(F3AError, match="a.json.*psnr"):
        load_records(results(tmp_path / "a.json", figure))


@pytest.mark.parametrize(
    "change", [dict(threads="4"), dict(seconds="1"), dict(command=3), dict(date=None), dict(seed={})]
)
def test_origins_of_another_form(tmp_path, change):
    with pytest.raises(F3AError, match="a.json.*what made it"):
        load_records(results(tmp_path / "a.json", info={**INFO, **change}))


def test_an_origin_that_says_too_little(tmp_path):
    records = load_records(results(tmp_path / "a.json", dict(psnr=28.0), {}))
    assert show_figure(records[0].figures["psnr"], "psnr") == "28.00"
    with pytest.raises(F3AError, match="its command"):
        provenance(records[0].info)


@pytest.mark.parametrize("missing", ["group", "row", "seed", "data", "preset", "clips"])
def test_tables_of_another_form(tmp_path, missing):
    setting = dict(data="bundled", group="one person", row="flow", seed=0, preset="lite", pictures=6000, clips="a")
    folder = tmp_path / "tables" / "bundled"
    folder.mkdir(parents=True)
    results(folder / "a.json", dict(psnr=1.0), **setting)
    assert "made by" in origins(table_records("bundled", tmp_path))
    results(folder / "a.json", dict(psnr=1.0), **{k: v for k, v in setting.items() if k != missing})
    with pytest.raises(F3AError, match="a.json"):
        table_records("bundled", tmp_path)


def test_an_identity_that_is_no_text(tmp_path):
    items = {"a.mp4": dict(folder="a", identity=[1, 2])}
    (tmp_path / "manifest.json").write_text(json.dumps(dict(items=items)))
    assert who_is_who([], (tmp_path,)) == {str(tmp_path / "a"): "[1, 2]"}
    (tmp_path / "manifest.json").write_text(json.dumps(dict(items=[1])))
    with pytest.raises(F3AError, match="manifest.json"):
        who_is_who([], (tmp_path,))


@pytest.mark.parametrize(
    "info",
    [dict(rendered_clips="many"), dict(rendered_clips=-1), dict(people=[[1.0] * 127]), dict(people=[["1"] * 128])]
    + [
        dict(people="all"),
        dict(people=[[1e9] * 128]),
        dict(people=[[1.0] * 128, [1.0]]),
        dict(face_model=3),
        dict(run=[]),
    ],
)
def test_headers_of_another_form(tmp_path, info):
    save_weights(tmp_path / "w.safetensors", dict(a=torch.ones(1)), "t_warp", {}, info)
    with pytest.raises(F3AError, match="w.safetensors"):
        load_weights(tmp_path / "w.safetensors")


def test_an_array_that_promises_more_than_it_holds(clip, tmp_path):
    "It is judged by its header, so nothing of that size is read."
    import shutil

    copy = shutil.copytree(clip.path, tmp_path / "clip")
    with open(copy / "landmarks.npy", "wb") as file:
        header = dict(descr="<f4", fortran_order=False, shape=(2 * 10**9, 68, 2))
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2 * 10**9 * 68 * 2 * 4)
    with pytest.raises(F3AError, match=r"damaged \(landmarks\)"):
        load_clip(copy)


@pytest.mark.parametrize(
    "change", [dict(done=10**9), dict(done="1"), dict(log="[]"), dict(log=DEEP), dict(optimisers={})]
)
def test_checkpoints_of_another_form(clip, tmp_path, change):
    trainer = small_trainer(clip)
    trainer.step()
    trainer.save(tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save({**state, **change}, tmp_path / "checkpoint.pt")
    with pytest.raises(F3AError, match="checkpoint.pt"):
        resume(small_trainer(clip), tmp_path)
