"Faults that other tests did not notice, each by a test that is named after what was wrong."

from dataclasses import replace
from types import SimpleNamespace
import numpy as np
import pytest
import torch
from PIL import Image
from f3a_lite import animator
from f3a_lite.animator import Animator, Film
from f3a_lite.animation import Face, limit_size, paste_back
from f3a_lite.core import F3AError
from f3a_lite.data.clips import load_clip
from f3a_lite.data.datasets import Annotation, annotation_params
from f3a_lite.data.video import iter_frames
from f3a_lite.driving import Motion
from f3a_lite.flow import add_noise
from f3a_lite.lab import tables
from f3a_lite.lab.evaluation import collect_distances, evaluate
from f3a_lite.lab.paper_tables import agreement, job_file, report
from f3a_lite.lab.results import Record, run_info, save_records, show_figure
from f3a_lite.landmarks import Crop, eye_opening
from f3a_lite.metrics import aucon
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.pairs import split_people
from f3a_lite.pictures import to_tensor
from f3a_lite.ui import app, page
from f3a_lite.ui.studio import Studio


# The app


def test_kernels_are_ended_and_no_file_is_served(tmp_path, monkeypatch):
    voila = pytest.importorskip("voila.app", reason="Voilà is not installed")
    monkeypatch.setattr(voila.Voila, "init_settings", lambda self: {})
    server = app.local_server(tmp_path)()
    server.connection_dir, server.voila_configuration = "/tmp", SimpleNamespace(file_allowlist=[".*"])
    server.init_settings()
    assert 0 < server.config.MappingKernelManager.cull_idle_timeout <= 120
    assert 0 < server.config.MappingKernelManager.cull_interval <= 60
    assert server.voila_configuration.file_allowlist == []


def test_each_page_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "Studio", lambda folder: folder)
    monkeypatch.setattr(page, "Page", lambda studio: SimpleNamespace(box=studio))
    assert page.page() != page.page()


def test_a_refused_video_is_not_kept(tmp_path):
    studio = Studio.__new__(Studio)
    studio.folder = tmp_path
    with pytest.raises(F3AError):
        studio.driven(dict(name="a.mp4", content=b"no video"))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


# Tables


def write_rows(folder, **mae):
    "Stored figures of rows: their MAE on random frames of the bundled clip."
    for row, value in mae.items():
        setting = dict(data="bundled", group="one person", row=row, seed=0, preset="lite", clips="a", pictures=6000)
        record = Record(row, dict(setting, split="random", noise=0.0), dict(mae=value), run_info("c", 0))
        save_records([record], job_file(setting, folder))


def test_agreements_are_counted_not_disagreements(tmp_path):
    write_rows(tmp_path, flow=0.05, aus=0.06, t_np=0.06, t_os=0.04)
    assert "order as in the paper: 2 of 3)" in report("frames", folder=tmp_path)


def test_hidden_rows_are_not_counted(tmp_path):
    write_rows(tmp_path, flow=0.05, aus=0.06, t_np=0.06, t_os=0.04)
    assert "order as in the paper: 1 of 1)" in report("frames", ("flow", "aus"), folder=tmp_path)


def test_a_tie_is_no_agreement():
    setting = dict(split="random", noise=0.0)
    records = [Record(row, setting, dict(mae=0.05)) for row in ("flow", "aus")]
    assert agreement(records, "frames", split="random") == [("aus", "mae", False)]


@pytest.mark.parametrize("names, noisy", [(("random", "blocks", "people"), "people"), (("random", "blocks"), "random")])
def test_noise_is_on_the_split_of_the_paper(names, noisy):
    "On people who are held out, where there are any, and only there."
    empty = SimpleNamespace(values=lambda make: {}, summary=lambda values: {}, facts=lambda: {})
    kept = {}
    records = tables.measure_row({0.0: None, 0.1: None}, dict.fromkeys(names, empty), dict(row="flow"), {}, kept)
    assert set(kept) == {(r.setting["split"], r.setting["noise"]) for r in records}
    assert [r.setting["split"] for r in records if r.setting["noise"]] == [noisy]
    assert [r.setting["split"] for r in records if not r.setting["noise"]] == list(names)


def test_the_recipes_fade_share_is_taken(monkeypatch):
    recipe = replace(tables.load_recipe("f3a_gan"), fade_share=0.123)
    monkeypatch.setattr(tables, "load_recipe", lambda kind: recipe)
    assert tables.table_config("flow", 6000).fade_share == 0.123


# The evaluation


def test_samples_differ(clip):
    records = evaluate(None, [clip], n=8, samples=3, size=32)
    assert all(r.figures["mae"]["sd"] > 0 for r in records if r.setting.get("split") == "random")


def test_strangers_have_no_distance_to_training_frames(clip):
    (split,) = split_people([clip])
    apart = [dict(split, train=split["train"][:4], people=split["people"][8:])]  # no frame of hers is a source too
    records = evaluate(None, [clip], apart, n=8, samples=1, size=32)
    assert records and all(r.setting.get("split") == "people" for r in records)


def test_distances_end_where_the_next_begin():
    by_distance = {}
    collect_distances(by_distance, "a", 0, np.array([1, 5, 6, 23, 24, 900]), dict(mae=np.arange(6.0)))
    found = {where: part["mae"].tolist() for (_, where), [(_, part)] in by_distance.items()}
    words = "1 to 5 frames away", "6 to 23 frames away", "24 and more frames away"
    assert found == dict(zip(words, ([0, 1], [2, 3], [4, 5])))


# The animation


def flat_face(grey=100, size=(128, 128)):
    "A face in a grey picture, which its crop fills."
    photo = np.full((*size, 3), grey, np.uint8)
    crop = Crop(0, 0, 128, *size, 128)
    return Face(to_tensor(crop.cut(photo))[None], None, None, None, photo, crop)


def painted(face, *greys):
    "What `animate` gives where nothing moves and each frame is painted by so many grey levels."
    image = face.image.expand(len(greys), -1, -1, -1)
    paint = torch.tensor(greys).view(-1, 1, 1, 1) / 255
    return dict(output=image + paint, warped=image, backward_flow=torch.zeros(len(greys), 2, 128, 128))


def test_no_frame_is_painted_on_the_one_before():
    frames = list(paste_back(flat_face(), painted(flat_face(), 60.0, 0.0)))
    assert frames[0][64, 64, 0] == 160 and (frames[1] == 100).all()


def test_colours_are_rounded_not_cut():
    frames = list(paste_back(flat_face(), painted(flat_face(), 0.7)))
    assert frames[0][64, 64, 0] == 101


def test_a_photo_of_odd_size_becomes_even():
    face = flat_face(size=(301, 201))
    picture, _ = limit_size(face)
    assert picture.shape == (300, 200, 3)


def test_the_gif_is_as_fast_as_the_film(tmp_path):
    "Every second frame, each shown for two."
    face = flat_face()
    output = painted(face, *(8.0 * k for k in range(10)))
    Film(face, output, Motion(None, 10.0)).save(tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 5 and gif.info["duration"] == 200


def test_full_of_a_video_that_drives_itself_shows_the_frame_that_was_asked_for(clip, video, monkeypatch):
    monkeypatch.setattr(animator, "driving_clip", lambda *a: load_clip(clip.path))
    face = Animator("warping").own_face(video, 7)
    want = [f for _, f in iter_frames(video, max_frames=8)]
    assert (face.photo == want[7]).all() and not (want[7] == want[0]).all()


# Figures


def test_aucon_is_undefined_where_only_the_real_face_is_missing():
    units = np.full((1, 17), 0.5)
    assert np.isnan(aucon(units, units * np.nan)).all() and np.isnan(aucon(units * np.nan, units)).all()


def test_a_range_is_in_per_cent_like_its_mean():
    value = dict(mean=0.5, sd=None, low=0.4, high=0.6, n=5, undefined=0)
    assert show_figure(value, percent=True, digits=0) == "50 % (40 to 60)"


def test_inner_points_of_an_eye_are_opposite_each_other():
    "The points above lie over those below; with others, the slanted way would be longer."
    m = np.zeros((1, 68, 2))
    m[0, 45, 0] = 10
    for k, (top, bottom) in enumerate(((37, 41), (38, 40), (43, 47), (44, 46))):
        m[0, [top, bottom], 0] = 3 * k
        m[0, bottom, 1] = 1
    assert np.allclose(eye_opening(m), 0.1)


def test_noise_of_identity_is_in_its_own_unit():
    model, still = open_model(), FaceParams.neutral(1, open_model().K, open_model().L)
    noise = [
        add_noise(still, 0.1, m, torch.Generator().manual_seed(0)).id_coeff
        for m in (model, replace(model, id_std=model.id_std * 10))
    ]
    assert torch.allclose(noise[1], noise[0] * 10, rtol=1e-4) and noise[0].abs().max() > 0


def test_the_crop_of_an_annotation_is_no_row_off():
    "Where the model's origin lies: column t_x counted from 1, and row H + 1 - t_y."
    face = Annotation("a", np.zeros(199), np.zeros(29), np.zeros(3), np.array([60.0, 70.0, 0.0]), 1e-3, None)
    crop = Crop(10, 20, 100, 150, 200, 128)
    want = crop.to_plane(np.array([[60.0 - 1, 150 - 70.0]]))
    assert np.allclose(annotation_params(face, 150, crop.box).translation[0, :2], want[0], atol=1e-6)
