"""Five minutes on one clip of a person: T_warp before and after, on blocks it never saw: results/own_face.json.

python experiments/own_face.py FACES [--keep FOLDER]

One clip of each of five people of FACES (clips/*.mp4): `f3a_train CLIP --init t_warp`, as a user would call it. Real
faces are measured here and are no part of the project; the weights of the five are thrown away.
"""

from dataclasses import dataclass
from pathlib import Path
import tempfile
from tyro.conf import Positional
from f3a_lite.core import F3AError, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.lab.evaluation import evaluate
from f3a_lite.data.prepare import prepare_clip
from f3a_lite.lab.results import Record, run_info, save_records
from f3a_lite.systems import load_system
from f3a_lite.training import train
from f3a_lite.ui.train import finetuning

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = ("lp_d6", "st_obama_clip1", "sy_happyenglish_clip1", "tps_driving", "vr_1")  # long clips of five people


@dataclass
class Options:
    "Fine-tune T_warp on five people."

    faces: Positional[Path] = ROOT.parent / "shared" / "faces"  # folder with clips/
    keep: Path | None = None  # folder of the prepared clips; default: a temporary one
    frames: int = 400  # at most, of a clip
    minutes: float = 5.0  # of fine-tuning each
    out: Path = ROOT / "results" / "own_face.json"


def measured(system, clip, words, info):
    "Records of the held-out blocks."
    records = [r for r in evaluate(system, [clip], n=24, samples=3) if r.setting.get("split", "").startswith("block")]
    return [Record(r.name, dict(r.setting, when=words, clip=clip.path.name), r.figures, info) for r in records]


def main(argv=None):
    "Fine-tune, measure, print, and write the records."
    with friendly_errors():
        o = parse_options("own_face.py", Options, argv)
        set_threads(None)
        weights, records = data_path("t_warp.safetensors"), []
        with tempfile.TemporaryDirectory() as temporary:
            for name in PEOPLE:
                video = o.faces / "clips" / f"{name}.mp4"
                if not video.exists():
                    raise F3AError(f"'{video}' does not exist: give the folder with the faces to measure on.")
                clip = prepare_clip(video, (o.keep or Path(temporary)) / name, max_frames=o.frames, progress=False)
                run = Path(temporary) / f"run_{name}"
                train(finetuning(weights), [clip], run, o.minutes, init=weights)
                info = run_info(seed=0, minutes=o.minutes)
                records += measured(load_system(weights), clip, "before", info)
                if (run / "weights.safetensors").exists():
                    after = load_system(run / "weights.safetensors")
                    records += [r for r in measured(after, clip, "after", info) if r.name == after.title]
                save_records(records, o.out)
        for r in records:
            print(
                f"{r.setting['clip']:<24} {r.setting['split']} {r.name:<13} {r.setting['when']:<7} {r.mean('psnr'):.2f}"
            )


if __name__ == "__main__":
    main()
