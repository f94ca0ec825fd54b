"The main job, from the bundled video to a film and a table; and its parts by themselves."

import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace
import av
import numpy as np
import pytest
import torch
from skimage.data import astronaut
from conftest import run_command
from f3a_lite.ui import demo
from f3a_lite.animation import face_of_clip
from f3a_lite.ui.animate import BUNDLED_FRAME
from f3a_lite.systems import Warping
from f3a_lite.ui.demo import film_frames, film_parts, measure
from f3a_lite.pairs import HELD_OUT, split_frames
from f3a_lite.lab.results import Record
from f3a_lite.data.prepare import clip_for_lessons
from f3a_lite.data.video import SYNTHETIC, video_info

METHODS = ("copying", "warping only", "F3A-GAN", "T_warp")
ROW = r"^  (copying|warping only|F3A-GAN|T_warp)\s+MAE .*PSNR ([\d.]+) ± [\d.]+"


def rows_of(text):
    "PSNR of a printed table: method → split by split."
    rows = {}
    for name, psnr in re.findall(ROW, text, re.M):
        rows.setdefault(name, []).append(float(psnr))
    return rows


@pytest.mark.processes
def test_demo(tmp_path):
    "By the console script's function, in a process of its own; the clip is the one that lessons have prepared."
    out = tmp_path / "out"
    whole = clip_for_lessons(None).path
    shutil.copytree(whole, out / "clips" / whole.name)
    code = "import sys; from f3a_lite.ui.commands import f3a_demo; f3a_demo(sys.argv[1:])"
    r = subprocess.run(
        [sys.executable, "-c", code, "--out", str(out)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    assert r.returncode == 0, r.stderr[-2000:]
    first = r.stdout.index("portraits.mp4")
    assert first < r.stdout.index("demo.mp4") and video_info(out / "portraits.mp4").frames > 50
    i = video_info(out / "demo.mp4")
    assert i.frames > 60 and i.width > 7 * 90 and i.height > 14 + 90
    with av.open(str(out / "demo.mp4")) as c:
        assert c.metadata["comment"] == SYNTHETIC
    assert (out / "demo.gif").stat().st_size > 1e5 and (out / "demo.png").exists()
    rows = rows_of(r.stdout)
    splits = [which for which in HELD_OUT if which != "people"]  # the clip shows one person, who is known
    assert tuple(rows) == METHODS and all(len(v) == len(splits) for v in rows.values())
    for k in range(len(splits)):
        assert rows["T_warp"][k] > rows["warping only"][k] - 0.5 and rows["T_warp"][k] > rows["copying"][k] + 2
        assert rows["F3A-GAN"][k] > rows["warping only"][k] + 1, "the paper's generator knows this woman"


def test_where_nobody_drives_words_say_what_moves_the_face():
    "Dark words in the middle of a white picture, and as many lines as they need."
    page = demo.written("script: smile, blink, turn", 128)
    assert page.shape == (3, 128, 128) and page[:, 40:88, 20:108].min() < 0.3
    assert page[:, :30].min() == 1 and page[:, -30:].min() == 1 and page[:, :, :10].min() == 1


@pytest.mark.processes
def test_the_file_runs_as_it_lies():
    r = subprocess.run([sys.executable, "-m", "f3a_lite.ui.demo", "--help"], capture_output=True, text=True)
    assert r.returncode == 0 and "demo.mp4" in r.stdout


def test_options_of_the_demo(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(demo, "run_demo", given.append)
    monkeypatch.setattr(demo, "set_threads", given.append)
    assert run_command(demo.f3a_demo, "--out", tmp_path, "--threads", 1) == 0
    assert given == [1, tmp_path]
    assert run_command(demo.f3a_demo, "--threads", "many") == 2


def test_the_film_shows_frames_that_training_never_saw(clip):
    parts = film_parts(clip, source=3, step=1)
    held = [v for k, v in parts.items() if k.startswith("held-out")]
    split = split_frames(len(clip))
    assert [driving.tolist() for _, driving in held] == [split["block_1"].tolist(), split["block_2"].tolist()]
    for p, driving in held:
        assert torch.equal(p.rotation, clip.params[torch.as_tensor(driving)].rotation)
    assert [len(driving) for _, driving in film_parts(clip, source=3).values() if driving is not None] == [2, 2], (
        "every second frame, if nothing else is said"
    )
    path, drivers = parts["between two frames (Eq. 3)"]
    assert drivers is None and len(path) == 30
    ends = clip.params[3], clip.params[int(0.62 * 40)]
    for k, e in ((0, ends[0]), (14, ends[1]), (15, ends[1]), (29, ends[0])):
        assert torch.allclose(path.rotation[k], e.rotation[0], atol=1e-6)
        assert torch.allclose(path.exp_coeff[k], e.exp_coeff[0], atol=1e-6)
    script = parts["script: smile, blink, turn"][0]
    assert torch.allclose(script.rotation[0], ends[0].rotation[0]) and len(script) == 1 + (12 + 1) + (5 + 1) + (12 + 1)


def test_the_source_of_the_film_is_a_training_frame():
    clip = SimpleNamespace(params=None)
    chosen = []

    def parts(c):
        chosen.append("parts")
        return {}

    with pytest.MonkeyPatch.context() as m:
        m.setattr(demo, "face_of_clip", lambda c, frame: chosen.append(frame))
        m.setattr(demo, "film_parts", parts)
        demo.film(clip, [])
    assert chosen == [BUNDLED_FRAME, "parts"] and BUNDLED_FRAME in split_frames(472)["train"]


def test_columns_of_the_film(clip):
    face, driving = face_of_clip(clip, 0), np.array([20, 39])
    face.valid[:] = 1
    frames, films = film_frames(clip, face, [Warping(), Warping()], clip.params[torch.as_tensor(driving)], driving)
    assert len(frames) == 2 and frames[0].shape == (16 + 128, 7 * 130 - 2, 3)

    def columns(frame, w=128):
        return [frame[16:, k * (w + 2) : k * (w + 2) + w] / 255 for k in range(7)]

    def as_image(x):
        return x.permute(1, 2, 0).numpy()

    for i, f in enumerate(frames):
        warped = as_image(films[0]["warped_by_mesh"][i])
        want = [
            as_image(face.image[0]),
            clip.frames[driving[i]] / 255,
            as_image(films[1]["mesh"][i]),
            None,
            *[warped] * 3,
        ]
        for k, (a, b) in enumerate(zip(columns(f), want)):
            assert b is None or np.abs(a - b).max() < 0.01, k
    blank = film_frames(clip, face, [Warping()], clip.params[:1], None)[0][0]
    assert (columns(blank)[1] == 1).all() and blank.shape[1] == 6 * 130 - 2
    face.valid[..., 100:] = 0
    cut = film_frames(clip, face, [Warping(), Warping()], clip.params[:1], None)[0][0]
    assert cut.shape == (16 + 128, 7 * 102 - 2, 3)
    assert np.abs(columns(cut, 100)[0] - as_image(face.image[0, :, :, :100])).max() < 0.01


def test_portraits_are_driven_by_the_clip_and_by_a_script(clip, monkeypatch):
    "Of two photos: the photo stays, the film moves while the clip drives and while the script does."
    monkeypatch.setattr(demo, "LAUGH", slice(0, 30, 15))
    photo = astronaut()[:300, 75:375]
    frames = demo.portrait_film(clip, side=64, photos=(photo, photo[:, ::-1]), words="open")
    assert len(frames) == 2 + 1 + 13 and frames[0].shape == (2 * (16 + 64), 4 * 66 - 2, 3)
    cells = np.stack(frames)[:, 16:80].astype(int)  # the upper row
    still, film = cells[:, :, :64], cells[:, :, 66:130]
    assert (still == still[0]).all() and abs(still[2] - film[2]).mean() < 2, "the script begins with the photo"
    changes = abs(film - film[2]).mean((1, 2, 3))
    assert changes[1] > 1 and changes[8] > 1
    lower = np.stack(frames)[0, 96:, 66:130]
    assert abs(lower[:, ::-1].astype(int) - film[0]).mean() < abs(lower - film[0]).mean() / 2, (
        "the other photo is mirrored"
    )


def test_methods_are_measured_split_by_split_and_the_untrained_ones_once(monkeypatch):
    def evaluate(system, clips, n, samples):
        assert clips == ["clip"] and (n, samples) == (7, 2)
        away = [Record(system, dict(distance="1 to 5 frames away"), {})]
        names = ("copying", "warping only", system)
        return away + [Record(m, dict(split=s), dict(psnr=1)) for m in names for s in HELD_OUT]

    monkeypatch.setattr(demo, "evaluate", evaluate)
    got = [(r.setting["split"], r.name) for r in measure(["F3A-GAN", "T_warp"], "clip", 7, 2)]
    assert got == [(s, m) for s in HELD_OUT for m in METHODS]
