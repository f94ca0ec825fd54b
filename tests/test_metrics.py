"Every metric against something that is not our own code, and f3a_evaluate on folders and videos."

import json
import re
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from scipy.spatial.distance import cosine
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from conftest import one_sentence, run_command
from f3a_lite import metrics
from f3a_lite.conditions import AU_NAMES
from f3a_lite.core import F3AError
from f3a_lite.data.video import iter_frames, write_image, write_video
from f3a_lite.lab import measure_files
from f3a_lite.lab.measure_files import Report, f3a_evaluate, measure_sets
from f3a_lite.landmarks import resize_square
from f3a_lite.metrics import (
    FaceMeasurements,
    FeatureNet,
    GLOSSARY,
    aucon,
    csim,
    face_metrics,
    fit_faces,
    frechet_distance,
    identity_mean,
    liveliness,
    lmae,
    load_inception,
    mae,
    make_identity_mean,
    mse,
    picture_metrics,
    prmse,
    psnr,
    read_faces,
    ssim,
)
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.pictures import to_image, to_tensor
from f3a_lite.projection import posed_landmarks, to_pixels
from f3a_lite.synth.people import person
from f3a_lite.synth.rendered import render_face
from f3a_lite.tracker import Tracker, _faces
from helpers import rand, randn
from helpers import close


# Fréchet


def test_frechet_against_scipy():
    "The formula with scipy's matrix root; symmetric, and 0 for the same cloud."
    rng = np.random.default_rng(0)
    a = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) + 1
    b = rng.normal(size=(200, 12)) @ rng.normal(size=(12, 12))
    ca, cb = np.cov(a.T), np.cov(b.T)
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-6) == pytest.approx(frechet_distance(b, a), rel=1e-6)
    assert frechet_distance(a, a) < 1e-6 * want


def test_frechet_against_the_package():
    "pytorch-fid's own function."
    pytest.importorskip("pytorch_fid", reason="the extra 'eval' is not installed")
    metrics.declare_torchvision()
    from pytorch_fid.fid_score import calculate_frechet_distance

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(400, 8)) * 2, rng.normal(size=(400, 8)) + 0.3
    want = calculate_frechet_distance(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    assert frechet_distance(a, b) == pytest.approx(float(want), rel=1e-4)


def test_frechet_of_known_gaussians():
    "A shift gives its square; spreads s and 1 give (s − 1)² a dimension."
    a = np.random.default_rng(2).normal(size=(50_000, 4))
    assert frechet_distance(a, a + [1, 2, 0, 0]) == pytest.approx(5, abs=1e-6)
    assert frechet_distance(a, a * 3) == pytest.approx(16, rel=0.02)


@pytest.mark.parametrize("a,b,word", [((1, 3), (5, 3), "two pictures"), ((5, 3), (5, 4), "same columns")])
def test_frechet_needs_clouds(a, b, word):
    with pytest.raises(F3AError, match=word):
        frechet_distance(np.zeros(a), np.zeros(b))


def test_features_of_pictures(clip):
    "FD-EffNet: nothing for the same pictures, and more the more they are blurred."
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'eval' is not installed")
    from f3a_lite.flow import blur

    net, pictures = FeatureNet(), clip.images(range(0, 40, 2))
    assert net.name == "fd_effnet"
    rows = [net(x) for x in (pictures, blur(pictures, 1.0), blur(pictures, 2.0))]
    assert rows[0].shape == (20, 1280) and frechet_distance(rows[0], net(pictures.clone())) < 0.05
    near, far = (frechet_distance(rows[0], r) for r in rows[1:])
    assert 1 < near < far
    order = np.random.default_rng(0).permutation(20)
    assert frechet_distance(rows[1], rows[0][order]) == pytest.approx(near, rel=1e-3), "the blind spot"


def test_fid_with_weights_of_the_right_shape(tmp_path, clip):
    "Random weights under the right names: the path of the real file. Another file is refused in a sentence."
    pytest.importorskip("pytorch_fid", reason="the extra 'eval' is not installed")
    metrics.declare_torchvision()
    from pytorch_fid import inception

    torch.manual_seed(0)
    usual, inception.load_state_dict_from_url = inception.load_state_dict_from_url, lambda *a, **k: NoWeights()
    try:
        whole = inception.fid_inception_v3()
    finally:
        inception.load_state_dict_from_url = usual
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    net = FeatureNet(tmp_path / "w.pth")
    assert net.name == "fid" and net(clip.images([0, 5])).shape == (2, 2048)
    assert torch.equal(load_inception(tmp_path / "w.pth").blocks[0][0].conv.weight, whole.Conv2d_1a_3x3.conv.weight)
    torch.save({"other": torch.zeros(1)}, tmp_path / "x.pth")
    for name, word in (("x.pth", "FID's Inception"), ("none.pth", "is missing")):
        with pytest.raises(F3AError, match=word):
            FeatureNet(tmp_path / name)
    assert inception.load_state_dict_from_url is usual


class NoWeights(dict):
    "What makes a network keep the weights that it was drawn with."

    def __init__(self):
        super().__init__()
        usual = torch.nn.Module.load_state_dict

        def keep(module, state, *a, **k):
            if state is self:
                torch.nn.Module.load_state_dict = usual
                return None
            return usual(module, state, *a, **k)

        torch.nn.Module.load_state_dict = keep


# Identity, pose, expression, landmarks


def test_csim_against_scipy():
    rng = np.random.default_rng(0)
    a, b, mean = rng.normal(size=(5, 128)), rng.normal(size=(5, 128)), rng.normal(size=128)
    for m in (None, mean):
        shift = 0 if m is None else m
        assert np.allclose(csim(a, b, m), [1 - cosine(x - shift, y - shift) for x, y in zip(a, b)])
    assert np.allclose(csim(a, a), 1) and np.isnan(csim(np.full((1, 128), np.nan), b[:1])).all()


@pytest.mark.slow
def test_the_bundled_mean_is_what_it_says():
    assert np.abs(make_identity_mean() - identity_mean()).max() < 0.02


def test_the_mean_tells_people_further_apart():
    "Five rendered people, two pictures each: centred, the gap between the same and others is wider than raw."
    pictures = []
    for k in range(100, 105):
        p = FaceParams.neutral(2, scale=0.62).replace(rotation=torch.tensor([[0, 0.15, 0], [0.1, -0.1, 0]]))
        for j in range(2):
            one = p[j].replace(id_coeff=person(k).id_coeff)
            pictures.append(render_face(person(k).look, one, np.random.default_rng((k, j)), 192))
    seen = metrics.track_faces(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255)[1]
    assert np.isfinite(seen).all(1).sum() >= 8
    who, gaps = np.repeat(np.arange(5), 2), []
    for mean in (None, identity_mean()):
        c = np.array([csim(seen, row[None].repeat(10, 0), mean) for row in seen])
        same = (who[:, None] == who[None]) & ~np.eye(10, dtype=bool)
        gaps.append(np.nanmean(c[same]) - np.nanmean(c[who[:, None] != who[None]]))
    assert gaps[1] > 1.5 * gaps[0] > 0


def test_prmse_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-60, 60, (2, 6, 3))
    want = [np.sqrt(np.mean([(x - y) ** 2 for x, y in zip(p, q)])) for p, q in zip(a, b)]
    assert np.allclose(prmse(a, b), want)
    assert np.allclose(prmse(a + [0, 360, -720], b), want), "a full turn is no turn"
    assert np.isnan(prmse(np.full((1, 3), np.nan), b[:1])).all()


def test_aucon_by_hand():
    a = np.array([[0.0, 0.19, 0.2, 1.0], [0.5, 0.5, 0.5, np.nan]])
    b = np.array([[0.1, 0.30, 0.9, 0.0], [0.5, 0.5, 0.5, 0.5]])
    got = aucon(a, b)
    assert got[0] == 0.5 and np.isnan(got[1])


def test_lmae_by_hand():
    a = np.zeros((2, 68, 2))
    b = a.copy()
    b[0, :, 0] = 2.56
    b[1, 3, 1] = 13.6
    assert np.allclose(lmae(a, b, 128), [0.01, 13.6 / 136 / 128])


def test_pose_and_units_of_known_faces():
    "Landmarks of faces whose angles and units are known, in pictures that are wider than high."
    face_model = open_model()
    e = face_model.expression(3, jawOpen=torch.tensor([0, 0.8, 0]), mouthSmile=torch.tensor([0, 0, 0.9]))
    degrees = torch.tensor([[0.0, 0, 0], [10, -20, 5], [-8, 15, -4]])
    p = FaceParams.neutral(3, scale=0.5).replace(rotation=degrees * torch.pi / 180, exp_coeff=e)
    pixels = to_pixels(posed_landmarks(face_model, p), 200, 200)[..., :2].numpy() + [50, 0]
    reading = fit_faces(pixels, np.zeros((3, 128)), (200, 300))
    assert np.abs(reading.pose - degrees.numpy()).max() < 1.5
    jaw, smile = AU_NAMES.index("AU26"), AU_NAMES.index("AU12")
    assert reading.units[1, jaw] > 0.5 > reading.units[0, jaw] + 0.3 and reading.units[2, smile] > 0.4


def test_pictures_without_a_face_are_counted(clip):
    "Noise in the place of one frame: its rows are not-a-number in every face metric, and nothing else changes."
    pictures = clip.images([0, 10, 20])
    spoiled = pictures.clone()
    spoiled[1] = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    good, bad = read_faces(pictures), read_faces(spoiled)
    assert good.found.all() and bad.found.tolist() == [True, False, True]
    for name, values in face_metrics(bad, good, 128).items():
        assert np.isnan(values[1]) and np.isfinite(values[[0, 2]]).all(), name


def test_the_same_picture_shows_the_same_face(clip):
    "dlib's score of an array whose colours lie apart in memory changes from call to call: it must not be given one."
    big = torch.nn.functional.interpolate(clip.images([0]), scale_factor=3, mode="bicubic").clamp(0, 1)
    whole, held = np.ascontiguousarray(to_image(big[0])), []
    for k in range(8):
        apart = np.array(whole.transpose(2, 0, 1), order="C").transpose(1, 2, 0)  # colour by colour
        held.append((apart, np.ones(10_000 * k)))  # the next one lies elsewhere in memory
        assert not apart.flags.c_contiguous and _faces(apart, True) == _faces(whole, True)


def test_whose_identity_counts():
    "With a source, every picture is compared with it; pose and units still come from the driver."

    def reading(n, seed):
        r = np.random.default_rng(seed)
        return FaceMeasurements(
            r.normal(size=(n, 68, 2)),
            np.ones(n, bool),
            r.normal(size=(n, 128)),
            r.normal(size=(n, 3)),
            r.random((n, 17)),
        )

    fake, driver, source = reading(4, 1), reading(4, 2), reading(1, 3)
    got = face_metrics(fake, driver, 100, source)
    assert np.allclose(got["csim_raw"], [1 - cosine(x, source.identity[0]) for x in fake.identity])
    assert np.allclose(got["prmse"], prmse(fake.pose, driver.pose))


# The command


@pytest.fixture
def sets(tmp_path, clip):
    "Two folders of eight frames: as they are, and a little darker; and both as videos."
    frames = [np.asarray(clip.frames[k]) for k in range(8)]
    dark = [(f * 0.9).astype(np.uint8) for f in frames]
    for name, some in (("real", frames), ("fake", dark)):
        (tmp_path / name).mkdir()
        for k, f in enumerate(some):
            write_image(f, tmp_path / name / f"{k:03d}.png")
        write_video(some, tmp_path / f"{name}.mp4", 10)
    return tmp_path


def test_two_folders_from_the_command_line(sets, capsys):
    out = sets / "figures.json"
    assert run_command(f3a_evaluate, sets / "fake", sets / "real", "--out", out, "--batch", 3) == 0
    said = capsys.readouterr().out
    stored = json.loads(out.read_text())["records"][0]
    figures = stored["figures"]
    a = np.stack([np.asarray(f, float) for f in (sets_pictures(sets / "fake"))]) / 255
    b = np.stack([np.asarray(f, float) for f in (sets_pictures(sets / "real"))]) / 255
    assert figures["mae"]["mean"] == pytest.approx(np.abs(a - b).mean(), abs=1e-5) and figures["mae"]["n"] == 8
    mse = ((a - b) ** 2).mean((1, 2, 3))
    assert figures["psnr"]["mean"] == pytest.approx((-10 * np.log10(mse)).mean(), abs=1e-3)
    assert figures["csim"]["mean"] > 0.9 and figures["prmse"]["mean"] < 3
    for name in figures:
        assert GLOSSARY[name].title in said, name
    assert stored["info"]["pose"] == "own tracker"


def sets_pictures(folder):
    from PIL import Image

    return [Image.open(p) for p in sorted(folder.iterdir())]


def test_batches_do_not_change_the_figures(sets):
    few, many = (measure_sets(sets / "fake", sets / "real", batch=n, faces=False) for n in (3, 8))
    assert few.keys() == many.keys() == {"mae", "mse", "psnr", "ssim"}
    for name in few:
        assert few[name]["mean"] == pytest.approx(many[name]["mean"], rel=1e-5)


def test_two_videos_and_a_cross_reenactment(sets, capsys):
    "Of videos the frames; with --cross no pixels and no landmarks; a source whose identity counts."
    words = [sets / "fake.mp4", sets / "real.mp4", "--cross", "--source", sets / "real" / "000.png"]
    assert run_command(f3a_evaluate, *words) == 0
    said = capsys.readouterr().out
    assert "PRMSE" in said and "CSIM" in said and "PSNR" not in said and "LMAE" not in said


def test_openface_in_the_place_of_our_tracker(sets):
    reading = fit_faces(np.full((2, 68, 2), np.nan), np.zeros((2, 128)), (8, 8))
    table = dict(aus=torch.rand(2, 17), pose=torch.full((2, 3), torch.pi / 6), success=torch.tensor([True, False]))
    measure_files.take_openface(reading, table)
    assert np.allclose(reading.pose[0], 30) and np.isnan(reading.pose[1]).all() and np.isnan(reading.units[1]).all()
    assert np.allclose(reading.units[0], table["aus"][0])
    with pytest.raises(F3AError, match="2 rows for 3 pictures"):
        measure_files.take_openface(SimpleNamespace(found=np.ones(3, bool)), table)


def test_sets_that_do_not_belong_together(sets, capsys):
    (sets / "real" / "007.png").unlink()
    assert run_command(f3a_evaluate, sets / "fake", sets / "real") == 2
    assert "the same length" in one_sentence(capsys)
    write_image(np.zeros((64, 64, 3), np.uint8), sets / "real" / "007.png")
    assert run_command(f3a_evaluate, sets / "fake", sets / "real") == 2
    assert "differ in size" in one_sentence(capsys)
    write_image(np.zeros((64, 64, 3), np.uint8), sets / "fake" / "007.png")
    assert run_command(f3a_evaluate, sets / "fake", sets / "real") == 2
    assert "another size than those before it" in one_sentence(capsys)
    for words, word in (((sets / "none", sets / "real"), "does not exist"), ((), "two folders or videos")):
        assert run_command(f3a_evaluate, *words) == 2
        assert word in one_sentence(capsys)


def test_words_about_faces_go_with_faces(sets, capsys, monkeypatch):
    "Found before any network is loaded."
    monkeypatch.setattr(measure_files, "FeatureNet", None)
    for words in (["--source", "me.png"], ["--openface", "a.csv", "b.csv"]):
        assert run_command(f3a_evaluate, sets / "fake", sets / "real", "--no-faces", *words) == 2
        assert "leave them away with --no-faces" in one_sentence(capsys)


def test_a_source_without_a_face(sets, capsys, monkeypatch):
    "Found before the pictures are measured."
    monkeypatch.setattr(measure_files, "in_batches", None)
    write_image(np.zeros((128, 128, 3), np.uint8), sets / "black.png")
    assert run_command(f3a_evaluate, sets / "fake", sets / "real", "--source", sets / "black.png") == 2
    assert "No face was found in the source" in capsys.readouterr().err


def test_every_metric_that_is_measured_has_a_row_in_the_glossary(sets):
    for m in GLOSSARY.values():
        assert m.better in ("lower", "higher") and m.unit and m.blind and m.title, m
    assert set(measure_sets(sets / "fake", sets / "real")) <= set(GLOSSARY)


def test_metrics_as_scikit_image_has_them():
    a = rand(3, 3, 40, 28)
    b = (a + 0.2 * randn(3, 3, 40, 28) * torch.tensor([0.1, 0.5, 1.0]).view(3, 1, 1, 1)).clamp(0, 1)
    x, y = a.double().numpy(), b.double().numpy()
    close(mse(a, b), [mean_squared_error(p, q) for p, q in zip(x, y)], 1e-6)
    close(mae(a, b), np.abs(x - y).mean((1, 2, 3)), 1e-6)
    close(psnr(a, b), [peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(x, y)], 1e-3)
    want = [
        structural_similarity(
            p, q, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for p, q in zip(x, y)
    ]
    close(ssim(a, b), want, 1e-3)
    table = picture_metrics(a, b)
    assert list(table) == ["mae", "mse", "psnr", "ssim"] and torch.equal(table["ssim"], ssim(a, b))
    assert (psnr(a, a) == 100).all()


@pytest.mark.parametrize("left,top,right,bottom", [(0, 3, 28, 40), (2, 0, 20, 33), (5, 8, 16, 19)])
def test_what_no_picture_had_counts_in_no_metric(left, top, right, bottom):
    "Whatever stands outside of the valid rectangle: the figures are scikit-image's of what is inside."
    a = rand(2, 3, 40, 28)
    b = (a + 0.2 * randn(2, 3, 40, 28)).clamp(0, 1)
    valid = torch.zeros(2, 1, 40, 28)
    valid[:, :, top:bottom, left:right] = 1
    fake = torch.where(valid > 0, a, rand(2, 3, 40, 28, seed=5))
    fake[:, :, valid[0, 0] == 0] = float("nan")
    x, y = (v[..., top:bottom, left:right].double().numpy() for v in (a, b))
    got = picture_metrics(fake, b, valid)
    close(got["mae"], np.abs(x - y).mean((1, 2, 3)), 1e-6)
    close(got["mse"], [mean_squared_error(p, q) for p, q in zip(x, y)], 1e-6)
    close(got["psnr"], [peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(x, y)], 1e-3)
    options = dict(data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    close(got["ssim"], [structural_similarity(p, q, **options) for p, q in zip(x, y)], 1e-3)


def test_each_picture_has_its_own_valid_pixels():
    a, b = rand(2, 3, 20, 20), rand(2, 3, 20, 20, seed=1)
    valid = torch.ones(2, 1, 20, 20)
    valid[1, :, :5] = 0
    close(mae(a, b, valid)[0], mae(a, b)[0], 1e-6)
    close(mae(a, b, valid)[1], mae(a[1:, :, 5:], b[1:, :, 5:])[0], 1e-6)
    for name, value in picture_metrics(a, b, torch.ones(2, 1, 20, 20)).items():
        assert torch.equal(value, picture_metrics(a, b)[name])


def test_metrics_refuse_what_they_cannot_compare():
    two = rand(2, 3, 20, 20)
    for wrong in (torch.ones(1, 1, 20, 20), torch.ones(2, 3, 20, 20), torch.ones(2, 20, 20)):
        with pytest.raises(F3AError, match="mask"):
            mse(two, two, wrong)
    with pytest.raises(F3AError, match="single valid pixel"):
        mae(two, two, torch.zeros(2, 1, 20, 20))
    narrow = torch.zeros(2, 1, 20, 20)
    narrow[..., :10] = 1
    with pytest.raises(F3AError, match="11×11"):
        ssim(two, two, narrow)
    for a, b in ((rand(1, 3, 20, 20), rand(2, 3, 20, 20)), (rand(3, 20, 20), rand(3, 20, 20))):
        with pytest.raises(F3AError, match="same shape"):
            mae(a, b)
    with pytest.raises(F3AError, match="11 pixels"):
        ssim(rand(1, 3, 10, 30), rand(1, 3, 10, 30))


def test_tracked_pictures_have_their_own_pixels(video):
    "Landmarks found in small pictures are those of the large ones, divided; a picture without a face is not found."
    frame = next(iter_frames(video))[1][:, 250:610]
    small_ = to_tensor(np.stack([np.zeros((120, 120, 3), np.uint8), resize_square(frame, 120)]))
    marks, found = metrics.track_pictures(small_)
    assert found.tolist() == [False, True] and np.isnan(marks[0]).all()
    large = (Tracker()(frame)[0] + 0.5) * 120 / 360 - 0.5
    assert np.abs(marks[1] - large).mean() < 0.5


def test_a_picture_is_not_helped_by_the_one_before(video):
    "Black after a face is no face, and a face after black is found as if it stood alone."
    frame = to_tensor(resize_square(next(iter_frames(video))[1][:, 250:610], 120))
    black = torch.zeros_like(frame)
    marks, found = metrics.track_pictures(torch.stack([frame, black, black, frame]))
    assert found.tolist() == [True, False, False, True] and np.isnan(marks[1:3]).all()
    assert np.array_equal(marks[0], marks[3]) and np.array_equal(marks[0], metrics.track_pictures(frame[None])[0][0])


def test_liveliness_by_hand(monkeypatch):
    "Correlations over the frames that were found in both, the ratio of fine detail, and the share of frames found."
    T = 12
    rng = np.random.default_rng(0)

    def marks(eyes, mouth):
        m = np.zeros((T, 68, 2))
        m[:, 45, 0] = 2.0
        for a, b in ((37, 41), (38, 40), (43, 47), (44, 46)):
            m[:, b, 1] = m[:, a, 1] + eyes
        for a, b in ((61, 67), (62, 66), (63, 65)):
            m[:, b, 1] = m[:, a, 1] + mouth
        m[:, :17] = rng.uniform(0, 30, (17, 2)) + [1, 1]
        return m

    e, mo = rng.random((2, T)), rng.random((2, T))
    fa, fb = np.arange(T) != 3, np.arange(T) != 7
    answers = iter([(marks(e[0], mo[0]), fa), (marks(e[1], mo[1]), fb)])
    monkeypatch.setattr(metrics, "track_pictures", lambda x: next(answers))
    fake = rand(T, 3, 32, 32)
    got = liveliness(fake, fake * 2 - 0.5)
    ok = fa & fb
    close(
        [got["eyes"], got["mouth"]],
        [np.corrcoef(e[0][ok], e[1][ok])[0, 1], np.corrcoef(mo[0][ok], mo[1][ok])[0, 1]],
        1e-6,
    )
    close(got["sharpness"], 0.25, 1e-3)
    close(got["tracked"], 10 / 11, 1e-9)
    answers = iter([(marks(e[0], mo[0]), np.arange(T) < 2), (marks(e[1], mo[1]), fb)])  # found in two of both
    with pytest.raises(F3AError, match="fewer than three"):
        liveliness(fake, fake)


def test_a_page_shows_the_best_and_the_worst_pair(tmp_path):
    "Pictures of two sizes, brought together; the pair that is equal first, the one that differs most last."
    rng = np.random.default_rng(0)
    true = rng.integers(0, 255, (5, 40, 40, 3)).astype(np.uint8)
    noise = [0, 60, 20, 90, 40]
    for name, side in (("made", 40), ("true", 80)):
        (tmp_path / name).mkdir()
        for k, picture in enumerate(true):
            if name == "made":
                picture = np.clip(picture.astype(int) + noise[k], 0, 255).astype(np.uint8)
            Image.fromarray(picture).resize((side, side), Image.NEAREST).save(tmp_path / name / f"{k}.png")
    words = [tmp_path / "made", tmp_path / "true", "--no-faces", "--batch", "2", "--report", tmp_path / "page.html"]
    assert run_command(f3a_evaluate, *words) == 2, "of two sizes"
    assert not (tmp_path / "page.html").exists()
    assert run_command(f3a_evaluate, *words, "--resize") == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    order = [int(n) - 1 for n in re.findall(r"picture (\d+), MAE", page)]
    assert order == [0, 2, 4, 3, 1, 4], "three best, three worst, of five"
    assert page.count("data:image/png;base64,") == 7 and "http" not in page
    (tmp_path / "page.html").write_text("my own page", encoding="utf-8")
    assert run_command(f3a_evaluate, *words, "--resize") == 2
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "my own page"
    kept = Report(pairs=2)
    for part in torch.tensor([[0.3, 0.1], [0.2, 0.4]]):
        kept.add(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), part)
    assert [p[1] for p in kept.best] == [1, 2] and [p[1] for p in kept.worst] == [3, 0]
