"Damaged clips, wrong weights, refused folders and full disks: one sentence, exit code 2, nothing half-written."

import errno, json, re, shutil, struct
import numpy as np
import pytest
import torch
from conftest import first_coefficients, one_sentence, run_command
from f3a_lite import core
from f3a_lite.ui.animate import f3a_animate
from f3a_lite.data.clips import expand_clips, load_clip
from f3a_lite.core import F3AError, atomic_path, get_device, save_json
from f3a_lite.generator import GeneratorConfig
from f3a_lite.morphable import FaceParams, load_model
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.rasterizer import rasterize
from f3a_lite.regressor import Regressor, RegressorConfig, load_regressor, save_regressor
from f3a_lite.systems import F3AGan, load_system, save_system
from f3a_lite.ui.train import f3a_train


@pytest.fixture
def copy(clip, tmp_path):
    shutil.copytree(clip.path, tmp_path / "clip")
    return tmp_path / "clip"


def spoil(path, kind):
    if kind == "nan":
        p = FaceParams.load(path / "params.safetensors")
        p.rotation[3, 1] = float("nan")
        p.save(path / "params.safetensors")
    if kind == "size":
        FaceParams.load(path / "params.safetensors")[:7].save(path / "params.safetensors")
    if kind == "truncated":
        (path / "frames.npy").write_bytes((path / "frames.npy").read_bytes()[:5000])
    if kind == "landmarks":
        m = np.load(path / "landmarks.npy")
        m[0] = np.inf
        np.save(path / "landmarks.npy", m)
    if kind == "format":
        (path / "meta.json").write_text(json.dumps({**json.loads((path / "meta.json").read_text()), "format": 99}))
    if kind == "json":
        (path / "meta.json").write_text("{half")
    if kind == "none":
        shutil.rmtree(path)


@pytest.mark.parametrize("kind", ["nan", "size", "truncated", "landmarks", "format", "json", "none"])
def test_damaged_clips(copy, tmp_path, capsys, kind):
    spoil(copy, kind)
    with pytest.raises(F3AError, match=re.escape(str(copy))):
        load_clip(copy)
    assert run_command(f3a_train, copy, "--out", tmp_path / "run", "--steps", "1") == 2
    assert str(copy) in one_sentence(capsys)
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_weights_of_another_architecture(tmp_path, capsys):
    p = tmp_path / "w.safetensors"
    save_system(F3AGan(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))), p)
    from safetensors.torch import load_file, save_file

    save_file(load_file(p), tmp_path / "no_header.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    for q in (tmp_path / "no_header.safetensors", tmp_path / "text.safetensors", tmp_path / "missing.safetensors"):
        assert run_command(f3a_animate, "--person", q, "--out", tmp_path / "o", "--script", "smile") == 2
        assert q.name in capsys.readouterr().err
    system = F3AGan(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4)))
    next(system.generator.parameters()).data[:] = float("nan")
    save_system(system, p)
    with pytest.raises(F3AError, match="finite"):
        load_system(p)


def test_wrong_words(tmp_path, capsys):
    for args in (
        ["--script", "yodel"],
        ["--script", "smile", "--to", "x.jpg"],
        ["--device", "abacus"],
        [tmp_path / "nobody.jpg"],
    ):
        assert run_command(f3a_animate, *args, "--out", tmp_path / "o") == 2
        one_sentence(capsys)
    assert (
        run_command(f3a_train, "--preset", "huge") == 2
        and run_command(f3a_train, "--size", "100") == 2
        and run_command(f3a_prepare, "only_one") == 2
    )


def test_a_film_named_as_the_folder_is_refused(tmp_path, capsys):
    "Before, it became a folder of that name."
    assert run_command(f3a_animate, "--script", "smile", "--out", tmp_path / "film.mp4") == 2
    assert "--name film" in one_sentence(capsys) and not list(tmp_path.iterdir())


def test_refused_folder(tmp_path, monkeypatch, capsys):
    "Whoever runs the tests may be allowed everything, so the refusal is the system's word, given here in its place."
    monkeypatch.setattr(core.os, "access", lambda *a: False)
    assert run_command(f3a_animate, "--script", "smile", "--out", tmp_path / "locked") == 2
    assert "read-only" in capsys.readouterr().err and not list((tmp_path / "locked").glob("*"))


def test_full_disk(tmp_path, monkeypatch):
    with pytest.raises(F3AError, match="disk is full"):
        with atomic_path(tmp_path / "a.json") as t:
            t.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(
        core.os, "replace", lambda *a: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    )
    with pytest.raises(F3AError, match="disk is full"):
        save_json({}, tmp_path / "b.json")
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_should_be(tmp_path, capsys):
    (tmp_path / "f").write_text("")
    assert run_command(f3a_animate, "--script", "smile", "--out", tmp_path / "f" / "x") == 2
    assert "folder" in capsys.readouterr().err


def test_wrong_shapes():
    with pytest.raises(F3AError, match="rotation"):
        FaceParams(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2, 2), torch.zeros(2, 3), torch.ones(2))
    with pytest.raises(F3AError, match="triangles"):
        rasterize(np.zeros((1, 3, 3)), np.array([[0, 1, 7]]), 8, 8)
    with pytest.raises(F3AError, match="vertices"):
        rasterize(np.zeros((3, 3)), np.array([[0, 1, 2]]), 8, 8)
    with pytest.raises(F3AError, match="face model written by f3a_model"):
        load_model(__file__)
    with pytest.raises(F3AError, match="not available"):
        get_device("abacus")
    m = load_model()
    with pytest.raises(F3AError, match="do not fit"):
        m.shape(torch.zeros(1, 90), torch.zeros(1, 52))
    with pytest.raises(F3AError, match="no expression unit"):
        m.expression(wiggleEars=1.0)


def test_checkpoint_of_another_run(clip, tmp_path, capsys):
    a = [clip.path, "--out", tmp_path / "run", "--size", "64", "--steps", "2", "--batch", "2", "--test-pairs", "2"]
    assert run_command(f3a_train, *a, "--minutes", "0.0001") == 0
    capsys.readouterr()
    assert run_command(f3a_train, *a, "--seed", "5") == 2 and "other settings" in capsys.readouterr().err
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"junk")
    assert run_command(f3a_train, *a) == 2


def forge(path, out, tensors=lambda t: t, **entries):
    "A safetensors file with other tensors, or other entries in its header (None: without that entry)."
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(str(path), "pt") as f:
        header = f.metadata()
    header = {k: v for k, v in {**header, **entries}.items() if v is not None}
    save_file({k: v.contiguous() for k, v in tensors(dict(load_file(path))).items()}, out, metadata=header)
    return out


def edited(text, **change):
    "A JSON object with other fields (None: without)."
    return json.dumps({k: v for k, v in {**json.loads(text), **change}.items() if v is not None})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    d = tmp_path_factory.mktemp("weights")
    save_system(
        F3AGan(GeneratorConfig(channels=(8, 8), flow_channels=(4, 4))),
        d / "generator.safetensors",
        people=[[0.1] * 128],
        steps=3,
        seconds=2.0,
        command="f3a_train",
    )
    save_regressor(Regressor(RegressorConfig(base=1, hidden=8)), d / "regressor.safetensors", steps=3)
    return d


CONFIGS = dict(
    unknown=dict(depth=3),
    dunder=dict(__class__="x"),
    infinite_scale=dict(flow_scale=float("inf")),
    no_scale=dict(flow_scale=float("nan")),
    text_scale=dict(flow_scale="4"),
    true_scale=dict(flow_scale=True),
    negative_scale=dict(flow_scale=-4.0),
    anchor=dict(anchor="middle"),
    anchor_list=dict(anchor=["target"]),
    streams=dict(streams="three"),
    negative=dict(channels=[-8, 8]),
    none=dict(channels=[]),
    zero=dict(channels=[0, 8]),
    absurd=dict(channels=[10**9, 8]),
    many=dict(channels=[8] * 500),
    fraction=dict(channels=[8.5, 8]),
    number=dict(channels=8),
    dict_channels=dict(channels={"a": 1}),
    unequal=dict(flow_channels=[4]),
    other=dict(channels=[8, 16]),
    large=dict(channels=[4096] * 8, flow_channels=[4096] * 8),
    word=dict(flow_norm="no"),
    inputs=dict(condition="smell"),
    inputs_true=dict(condition=True),
    other_inputs=dict(condition="geometry_maps"),
)


@pytest.mark.parametrize("name", CONFIGS)
def test_forged_generator_config(weights, tmp_path, name):
    good = weights / "generator.safetensors"
    assert load_system(good).info["steps"] == 3
    from safetensors import safe_open

    with safe_open(str(good), "pt") as f:
        config = f.metadata()["config"]
    p = forge(good, tmp_path / "w.safetensors", config=edited(config, **CONFIGS[name]))
    with pytest.raises(F3AError, match="w.safetensors") as e:
        load_system(p)
    assert "\n" not in str(e.value) and len(str(e.value)) < 300


ENTRIES = dict(
    config_list=dict(config="[1, 2]"),
    config_text=dict(config="{half"),
    config_number=dict(config="3"),
    config_none=dict(config=None),
    config_deep=dict(config="[" * 20000),
    info_text=dict(info="not JSON"),
    info_list=dict(info="[]"),
    info_deep=dict(info='{"a":' * 20000),
    people=dict(info='{"people": [[1, 2]]}'),
    people_text=dict(info='{"people": "all"}'),
    people_nan=dict(info=json.dumps(dict(people=[[float("nan")] * 128]))),
    steps=dict(info='{"steps": "many"}'),
    steps_infinite=dict(info='{"steps": Infinity}'),
    seconds=dict(info='{"seconds": []}'),
    command=dict(info='{"command": 5}'),
)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("kind", ["generator", "regressor"])
def test_forged_headers(weights, tmp_path, capsys, kind, name):
    if kind == "regressor" and name.startswith("people"):
        pytest.skip("a regressor knows no people")
    p = forge(weights / f"{kind}.safetensors", tmp_path / "w.safetensors", **ENTRIES[name])
    with pytest.raises(F3AError, match="w.safetensors"):
        (load_system if kind == "generator" else load_regressor)(p)


def test_a_forged_weight_file_in_a_command(weights, tmp_path, capsys):
    p = forge(weights / "generator.safetensors", tmp_path / "w.safetensors", info="[]")
    assert run_command(f3a_animate, "--person", p, "--out", tmp_path / "o", "--script", "smile") == 2
    assert "w.safetensors" in one_sentence(capsys) and not list((tmp_path / "o").glob("*"))


@pytest.mark.parametrize(
    "change",
    [
        dict(base=0),
        dict(base=10**6),
        dict(stem_stride=0),
        dict(stem_stride=3),
        dict(size=100),
        dict(size=32),
        dict(size=2**30),
        dict(hidden=-1),
        dict(K=0),
        dict(L=2.5),
        dict(slope=float("inf")),
        dict(slope="x"),
        dict(depth=1),
        dict(base=True),
        dict(K=81),
        dict(hidden=16),
    ],
    ids=str,
)
def test_forged_regressor_config(weights, tmp_path, change):
    good = weights / "regressor.safetensors"
    assert load_regressor(good).cfg.hidden == 8
    p = forge(good, tmp_path / "w.safetensors", config=edited('{"base": 1, "hidden": 8}', **change))
    with pytest.raises(F3AError, match="w.safetensors"):
        load_regressor(p)


def test_regressor_with_impossible_weights(weights, tmp_path):
    for name, value in (("norm.running_var", -1.0), ("fc2.bias", float("nan"))):
        p = forge(
            weights / "regressor.safetensors", tmp_path / "w.safetensors", lambda t: {**t, name: t[name] * 0 + value}
        )
        with pytest.raises(F3AError, match="w.safetensors"):
            load_regressor(p)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    "The open model's first coefficients, in a file."
    p = tmp_path_factory.mktemp("model") / "m.safetensors"
    first_coefficients(2).save(p)
    return p


def put(name, where, value):
    "A change of one element."

    def change(t):
        x = t[name].clone()
        x[where] = value
        return {**t, name: x}

    return change


MODELS = dict(
    vertex_too_high=put("triangles", (5, 1), 10**6),
    vertex_below_zero=put("triangles", (5, 1), -1),
    landmark=put("landmark_vertices", 3, 4547),
    contour=put("contour_vertices", (1, 1), -2),
    region=put("regions", 0, 99),
    nan=put("mean_shape", (0, 0), float("nan")),
    infinite=put("exp_basis", (0, 0, 0), float("inf")),
    far=put("mean_shape", (0, 0), 1e12),
    yaws=put("contour_yaws", 0, 5.0),
    few=lambda t: {**t, "landmark_vertices": t["landmark_vertices"][:60]},
    flat=lambda t: {**t, "mean_shape": t["mean_shape"].flatten()},
    units=lambda t: {**t, "id_std": t["id_std"][:1]},
    none=lambda t: {**t, "triangles": t["triangles"][:0]},
    fractions=lambda t: {**t, "triangles": t["triangles"].float()},
    missing=lambda t: {k: v for k, v in t.items() if k != "regions"},
    unknown=lambda t: {**t, "colour": torch.zeros(3)},
    other=lambda t: {**t, "exp_basis": t["exp_basis"][:, :9]},
)


@pytest.mark.parametrize("name", MODELS)
def test_forged_models(small_model, tmp_path, name):
    assert load_model(small_model).K == 2
    with pytest.raises(F3AError, match="face model written by f3a_model"):
        load_model(forge(small_model, tmp_path / "m.safetensors", MODELS[name]))


def test_forged_model_headers(small_model, tmp_path):
    for change in (dict(exp_names="a,b,c"), dict(name=None), dict(exp_names=None)):
        with pytest.raises(F3AError, match="face model written by f3a_model"):
            load_model(forge(small_model, tmp_path / "m.safetensors", **change))


def raw_safetensors(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


PARAMS = dict(
    turned=put("rotation", (1, 1), 1e3),
    infinite=put("id_coeff", (0, 0), float("inf")),
    large=put("exp_coeff", (0, 0), 1e30),
    away=put("translation", (0, 0), -1e5),
    scale=put("scale", 0, 0.0),
    negative=put("scale", 0, -1.0),
    huge=put("scale", 0, 1e9),
    rows=lambda t: {**t, "scale": t["scale"][:1]},
    angles=lambda t: {**t, "rotation": t["rotation"][:, :2]},
    one=lambda t: {**t, "scale": torch.tensor(1.0)},
    whole=lambda t: {k: v.int() for k, v in t.items()},
    missing=lambda t: {k: v for k, v in t.items() if k != "scale"},
)


@pytest.mark.parametrize("name", PARAMS)
def test_forged_params(tmp_path, name):
    FaceParams.neutral(2, 3, 4).save(tmp_path / "good.safetensors")
    assert len(FaceParams.load(tmp_path / "good.safetensors")) == 2
    from safetensors.torch import load_file, save_file

    save_file(
        {k: v.contiguous() for k, v in PARAMS[name](dict(load_file(tmp_path / "good.safetensors"))).items()},
        tmp_path / "p.safetensors",
    )
    with pytest.raises(F3AError, match="p.safetensors|FaceParams"):
        FaceParams.load(tmp_path / "p.safetensors")


def test_weight_files_that_promise_more_than_they_hold(tmp_path):
    big = dict(dtype="F32", shape=[2**20, 2**20], data_offsets=[0, 2**42])
    for header in (
        {"scale": big},
        {"scale": {**big, "shape": [-1]}},
        {"scale": []},
        b"[" * 1000,
        b"\xff\xfe",
        {"__metadata__": {"config": 5}},
    ):
        p = raw_safetensors(tmp_path / "x.safetensors", header)
        for read in (load_system, load_regressor, load_model, FaceParams.load):
            with pytest.raises(F3AError, match="x.safetensors"):
                read(p)


def npy(path, shape, dtype="|u1", data=b"\0" * 64, text=None):
    "An .npy file whose header says what we like."
    head = (text or f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}").encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)


def meta(path, **change):
    (path / "meta.json").write_text(edited((path / "meta.json").read_text(), **change))


CLIPS = dict(
    huge=lambda p: npy(p / "frames.npy", (2**40, 128, 128, 3)),
    overflow=lambda p: npy(p / "frames.npy", (2**31, 2**31, 2**31, 3)),
    negative=lambda p: npy(p / "frames.npy", (-1, 128, 128, 3)),
    huge_landmarks=lambda p: npy(p / "landmarks.npy", (2**36, 68, 2), "<f4"),
    huge_found=lambda p: npy(p / "found.npy", (2**40,), "|b1"),
    header_of_a_program=lambda p: npy(p / "found.npy", (1,), text="__import__('os').getcwd()"),
    header_deep=lambda p: npy(p / "found.npy", (1,), text="(" * 110),
    objects=lambda p: npy(p / "found.npy", (40,), "|O"),
    empty=lambda p: (p / "found.npy").write_bytes(b""),
    text=lambda p: (p / "landmarks.npy").write_text("x" * 300),
    not_square=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy")[:, :, :64]),
    other_size=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy")[:, :64, :64]),
    floats=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy").astype(np.float32)),
    wide=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy").astype(np.uint16)),
    grey=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy")[..., :1]),
    flat=lambda p: np.save(p / "frames.npy", np.load(p / "frames.npy")[..., 0]),
    found_numbers=lambda p: np.save(p / "found.npy", np.load(p / "found.npy").astype(np.int64)),
    found_square=lambda p: np.save(p / "found.npy", np.load(p / "found.npy")[:, None]),
    found_text=lambda p: np.save(p / "found.npy", np.array(["yes"] * 40)),
    whole_landmarks=lambda p: np.save(p / "landmarks.npy", np.zeros((40, 68, 2), np.int32)),
    far_landmarks=lambda p: np.save(p / "landmarks.npy", np.load(p / "landmarks.npy") + 1e6),
    flat_landmarks=lambda p: np.save(p / "landmarks.npy", np.zeros(40, np.float32)),
    meta_list=lambda p: (p / "meta.json").write_text("[1]"),
    meta_number=lambda p: (p / "meta.json").write_text("1"),
    meta_deep=lambda p: (p / "meta.json").write_text("[" * 20000),
    meta_bytes=lambda p: (p / "meta.json").write_bytes(b"\xff\xfe{"),
    meta_folder=lambda p: ((p / "meta.json").unlink(), (p / "meta.json").mkdir()),
    frames_count=lambda p: meta(p, frames=39),
    frames_text=lambda p: meta(p, frames="40"),
    size=lambda p: meta(p, size=64),
    size_list=lambda p: meta(p, size=[128]),
    fps_zero=lambda p: meta(p, fps=0),
    fps_infinite=lambda p: meta(p, fps=float("inf")),
    fps_text=lambda p: meta(p, fps="25"),
    crop_short=lambda p: meta(p, crop=[0, 0]),
    crop_empty=lambda p: meta(p, crop=[0, 0, 0, 0]),
    crop_text=lambda p: meta(p, crop="0,0,9,9"),
    crop_oblong=lambda p: meta(p, crop=[0, 0, 9, 5]),
    error_nan=lambda p: meta(p, fit_error=float("nan")),
    error_none=lambda p: meta(p, fit_error=None),
    source=lambda p: meta(p, source=7),
    source_missing=lambda p: meta(p, source=None),
    fingerprint=lambda p: meta(p, sha256=None),
    param_source=lambda p: meta(p, param_source=[]),
    picture_missing=lambda p: meta(p, picture=None),
    picture_short=lambda p: meta(p, picture=[360]),
    picture_empty=lambda p: meta(p, picture=[0, 640]),
    picture_text=lambda p: meta(p, picture=["360", "640"]),
    crop_far=lambda p: meta(p, crop=[-(10**30), 0, 0, 10**30]),
    masks_short=lambda p: np.save(p / "valid.npy", np.ones((3, 128, 128), bool)),
    masks_numbers=lambda p: np.save(p / "valid.npy", np.ones((40, 128, 128), np.uint8)),
    huge_masks=lambda p: npy(p / "valid.npy", (2**40, 128, 128), "|b1"),
    photos=lambda p: meta(p, photos="all"),
    format_list=lambda p: meta(p, format=[1]),
)


@pytest.mark.parametrize("name", CLIPS)
def test_forged_clips(copy, name):
    load_clip(copy)
    CLIPS[name](copy)
    with pytest.raises(F3AError) as e:
        load_clip(copy)
    assert "\n" not in str(e.value) and str(copy) in str(e.value)


def test_a_clip_of_an_earlier_format_is_prepared_again(copy):
    meta(copy, format=1)
    with pytest.raises(F3AError, match="has format 1, this version reads 2: prepare it again"):
        load_clip(copy)


ITEM = dict(frames=1, found=1, dropped="")
MANIFESTS = dict(
    parent={"items": {"../x": ITEM}},
    two_dots={"items": {"..": ITEM}},
    itself={"items": {".": ITEM}},
    root={"items": {"/etc": ITEM}},
    below={"items": {"a/b": ITEM}},
    windows={"items": {"..\\x": ITEM}},
    drive={"items": {"C:\\x": ITEM}},
    empty={"items": {"": ITEM}},
    nul={"items": {"a\0b": ITEM}},
    folder_parent={"items": {"a": dict(ITEM, folder="../x")}},
    folder_root={"items": {"a": dict(ITEM, folder="/etc")}},
    folder_list={"items": {"a": dict(ITEM, folder=["a"])}},
    list=[1],
    number=3,
    items_list={"items": ["a"]},
    items_text={"items": "a"},
    none={},
    item_text={"items": {"a": "good"}},
    item_list={"items": {"a": []}},
    no_verdict={"items": {"a": {}}},
    verdict={"items": {"a": dict(ITEM, dropped=None)}},
    split={"items": {"a": dict(ITEM, split=["train"])}},
    other_split={"items": {"a": dict(ITEM, split="both")}},
)


@pytest.mark.parametrize("name", MANIFESTS)
def test_forged_manifests(tmp_path, name):
    (tmp_path / "manifest.json").write_text(
        json.dumps(
            dict(items={"a/good": dict(ITEM, folder="good"), "12:30": ITEM, "größe": ITEM, "bad": dict(failed="x")})
        )
    )
    assert [p.name for p in expand_clips([tmp_path])] == ["good", "12:30", "größe"]
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFESTS[name]))
    with pytest.raises(F3AError, match="manifest.json"):
        expand_clips([tmp_path])


def test_a_deep_manifest_and_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "manifest.json").write_text("[" * 20000)
    with pytest.raises(F3AError, match="manifest.json"):
        expand_clips([tmp_path])
    (tmp_path / "film.mp4").write_text("x")
    with pytest.raises(F3AError, match="not a prepared clip"):
        load_clip(expand_clips([tmp_path / "film.mp4"])[0])
