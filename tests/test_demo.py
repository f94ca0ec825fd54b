"The main job, from the bundled video to a film and a table; and its parts by themselves."

import os, re, subprocess, sys
import av
import numpy as np
import torch
from f3a_lite.animation import SYNTHETIC, face_of_clip
from f3a_lite.clips import split_frames
from f3a_lite.demo import HEADER, film_frames, film_parts, format_table
from f3a_lite.landmarks import video_info

METHODS = ("copying the source", "warping only", "F3A-GAN", "T_warp")
ROW = r"^(copying the source|warping only|F3A-GAN|T_warp)((?:\s+[\d.]+){8})\s*$"


def rows_of(text):
    "Figures of a printed table by method: MAE, MSE, PSNR, SSIM on random frames, then on blocks."
    return {m[0].strip(): [float(v) for v in m[1].split()] for m in re.findall(ROW, text, re.M)}


def test_demo(tmp_path):
    "By the console script's function, in a process of its own."
    out = str(tmp_path / "out")
    code = (
        "import sys; from f3a_lite.commands import f3a_demo; sys.argv = ['f3a_demo', '--out', sys.argv[1]]; f3a_demo()"
    )
    r = subprocess.run(
        [sys.executable, "-c", code, out],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    assert r.returncode == 0, r.stderr[-2000:]
    i = video_info(tmp_path / "out" / "demo.mp4")
    assert i.width == 908 and i.frames > 60
    with av.open(str(tmp_path / "out" / "demo.mp4")) as c:
        assert c.metadata["comment"] == SYNTHETIC
    assert (tmp_path / "out" / "demo.gif").stat().st_size > 1e5 and (tmp_path / "out" / "demo.png").exists()
    rows = rows_of(r.stdout)
    assert set(rows) == set(METHODS)
    psnr = {n: (v[2], v[6]) for n, v in rows.items()}
    assert psnr["T_warp"][0] > psnr["warping only"][0] + 5 and psnr["F3A-GAN"][0] > psnr["copying the source"][0] + 5
    assert psnr["T_warp"][1] > psnr["warping only"][1] + 2, (
        "on frames never seen, painting must beat warping by the 2 dB that were aimed at"
    )


def test_the_file_runs_as_it_lies():
    r = subprocess.run([sys.executable, "-m", "f3a_lite.demo", "--help"], capture_output=True, text=True)
    assert r.returncode == 0 and "demo.mp4" in r.stdout


def test_the_film_shows_frames_that_training_never_saw(clip):
    parts = film_parts(clip, source=3, step=1)
    held = [v for k, v in parts.items() if k.startswith("held-out")]
    assert np.concatenate([idx for _, idx in held]).tolist() == split_frames(len(clip))["blocks"].tolist()
    for p, idx in held:
        assert torch.equal(p.rotation, clip.params[torch.as_tensor(idx)].rotation)
    assert [len(idx) for _, idx in film_parts(clip, source=3).values() if idx is not None] == [2, 2], (
        "every second frame, if nothing else is said"
    )
    way, drivers = parts["between two frames (Eq. 3)"]
    assert drivers is None and len(way) == 30
    ends = clip.params[3], clip.params[int(0.62 * 40)]
    for k, e in ((0, ends[0]), (14, ends[1]), (15, ends[1]), (29, ends[0])):
        assert torch.allclose(way.rotation[k], e.rotation[0], atol=1e-6) and torch.allclose(
            way.exp_coeff[k], e.exp_coeff[0], atol=1e-6
        )
    script = parts["script: smile, blink, turn"][0]
    assert torch.allclose(script.rotation[0], ends[0].rotation[0]) and len(script) == 1 + (12 + 1) + (5 + 1) + (12 + 1)


def test_columns_of_the_film(clip):
    face, idx = face_of_clip(clip, 0), np.array([20, 39])
    frames, made = film_frames(clip, face, {"F3A-GAN": None, "T_warp": None}, clip.params[torch.as_tensor(idx)], idx)
    assert len(HEADER) == 7 and len(frames) == 2 and frames[0].shape == (14 + 128, 7 * 130 - 2, 3)
    columns = lambda f: [f[14:, k * 130 : k * 130 + 128] / 255 for k in range(7)]
    as_image = lambda x: x.permute(1, 2, 0).numpy()
    for i, f in enumerate(frames):
        want = [
            as_image(face.image[0]),
            clip.frames[idx[i]] / 255,
            as_image(made["T_warp"]["mesh"][i]),
            None,
            *[as_image(made["T_warp"]["warped"][i])] * 3,
        ]
        for k, (a, b) in enumerate(zip(columns(f), want)):
            assert b is None or np.abs(a - b).max() < 0.01, HEADER[k]
    blank = film_frames(clip, face, {"T_warp": None}, clip.params[:1], None)[0][0]
    assert (columns(blank)[1] == 1).all() and blank.shape[1] == 6 * 130 - 2


def test_the_table_puts_each_figure_in_its_place():
    names = ("mae", "mse", "psnr", "ssim")
    figures = lambda base: {
        s: {m: {n: base + 10 * k + j for j, n in enumerate(names)} for k, m in enumerate(("copy", "warp", "model"))}
        for s, base in (("random", base), ("blocks", base + 100))
    }
    rows = rows_of(format_table({"F3A-GAN": figures(0), "T_warp": figures(200)}))
    assert list(rows) == list(METHODS)
    assert rows["copying the source"] == [0, 1, 2, 3, 100, 101, 102, 103] and rows["warping only"] == [
        10,
        11,
        12,
        13,
        110,
        111,
        112,
        113,
    ]
    assert rows["F3A-GAN"] == [20, 21, 22, 23, 120, 121, 122, 123] and rows["T_warp"] == [
        220,
        221,
        222,
        223,
        320,
        321,
        322,
        323,
    ]
