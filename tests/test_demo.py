"The main job, from the bundled video to a film and a table."
import os, re, subprocess, sys
import av
from f3a_lite.animation import SYNTHETIC
from f3a_lite.landmarks import video_info


def test_demo(tmp_path):
    r = subprocess.run([sys.executable, "-m", "f3a_lite.demo", "--out", str(tmp_path / "out")], capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    assert r.returncode == 0, r.stderr[-2000:]
    i = video_info(tmp_path / "out" / "demo.mp4")
    assert i.width == 908 and i.frames > 60
    with av.open(str(tmp_path / "out" / "demo.mp4")) as c: assert c.metadata["comment"] == SYNTHETIC
    assert (tmp_path / "out" / "demo.gif").stat().st_size > 1e5 and (tmp_path / "out" / "demo.png").exists()
    rows = {m[0].strip(): [float(v) for v in m[1].split()] for m in re.findall(r"^(copying the source|warping only|F3A-GAN|T_warp)((?:\s+[\d.]+){8})\s*$", r.stdout, re.M)}
    assert set(rows) == {"copying the source", "warping only", "F3A-GAN", "T_warp"}
    psnr = {n: (v[2], v[6]) for n, v in rows.items()}
    assert psnr["T_warp"][0] > psnr["warping only"][0] + 5 and psnr["F3A-GAN"][0] > psnr["copying the source"][0] + 5
    assert psnr["T_warp"][1] > psnr["warping only"][1] + 2, "on frames never seen, painting must beat warping by the 2 dB that were aimed at"
