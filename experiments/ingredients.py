"""What each ingredient of T_warp gives on real people whom it never saw: results/ingredients.json.

python experiments/ingredients.py FACES [--keep FOLDER] [--steps N]

First the bundled weights with one part switched off at a time. Then short trainings at 64 pixels, alike but for what
they see: the bundled clip alone, rendered people alone, fewer of them, and both.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
import tempfile
import torch
from tqdm.auto import tqdm
from tyro.conf import Positional
from f3a_lite.data.clips import load_clip
from f3a_lite.core import data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.loop import run_training
from f3a_lite.team import SingleProcess
from f3a_lite.data.prepare import bundled_clip, prepare_clip
from f3a_lite.lab.results import Record, run_info, save_records
from f3a_lite.systems import load_system
from f3a_lite.training import Trainer
from f3a_lite.schedule import load_recipe
from f3a_lite.ui.train import drawn_people
from strangers import as_records, means_of_person, measure_clip, read_people

ROOT = Path(__file__).resolve().parent.parent
DATA = {  # short trainings: what they see
    "clip and 800 rendered people": dict(people=800, people_share=0.8),
    "the bundled clip alone": dict(people=0),
    "800 rendered people alone": dict(people=800, people_share=1.0),
    "clip and 80 rendered people": dict(people=80, people_share=0.8),
}


@dataclass
class Options:
    "Measure T_warp's ingredients."

    faces: Positional[Path] = ROOT.parent / "shared" / "faces"  # folder with clips/ and clips.csv
    keep: Path | None = None  # folder of the prepared clips; default: a temporary one
    pairs: int = 16  # a clip
    steps: int = 500  # of each short training
    trainings: bool = True  # --no-trainings: only the bundled weights, with a part switched off
    out: Path = ROOT / "results" / "ingredients.json"


def without_layer(system):
    "T_warp without what it has learned."
    changed = deepcopy(system)
    for values in changed.generator.to_layer.parameters():  # the layer is the usual fade then
        torch.nn.init.zeros_(values)
    return changed


def measured(systems, people, o, size):
    "Means over people of some systems."
    found = {}
    for who, clips in tqdm(people.items(), desc="people", leave=False):
        found[who] = means_of_person([measure_clip(c, systems, o.pairs, size, 7) for c in clips])
    return [r for r in as_records(found, size, {}) if "person" not in r.setting]


def short_training(changes, steps, folder):
    "A system after a short training at 64 pixels."
    cfg = replace(load_recipe("t_warp"), steps=steps, lowres_fraction=0.99, **changes)
    rest = load_recipe("t_warp")
    paths = drawn_people(replace(rest, people=cfg.people), SingleProcess("cpu"))
    clips = [] if changes.get("people_share") == 1.0 else [bundled_clip()]
    trainer = Trainer(cfg, [*clips, *[load_clip(p) for p in paths]], device="cpu")
    run_training(trainer, cfg.steps, folder, desc="short training")
    return trainer.averaged()


def main(argv=None):
    "Measure, print, and write the records."
    with friendly_errors():
        o = parse_options("ingredients.py", Options, argv)
        set_threads(None)
        with tempfile.TemporaryDirectory() as temporary:
            keep, people = o.keep or Path(temporary), {}
            for who, videos in sorted(read_people(o.faces).items()):
                people[who] = [
                    prepare_clip(v, keep / v.stem, split=None, max_frames=160, progress=False) for v in videos
                ]
            bundled = load_system(data_path("t_warp.safetensors"))
            systems = {"as bundled": bundled, "without the layer": without_layer(bundled)}
            records = measured(systems, people, o, 128)
            for r in records:
                r.setting["kind"] = "part"
            for k, (name, changes) in enumerate(DATA.items() if o.trainings else ()):
                system = short_training(changes, o.steps, Path(temporary) / f"run_{k}")
                found = measured({name: system}, people, o, 64)
                for r in found:
                    r.setting.update(kind="data", steps=o.steps)
                records += [r for r in found if r.name == name or (k == 0 and r.name in ("copying", "warping only"))]
        info = run_info(seed=0)
        records = [Record(r.name, r.setting, r.figures, info) for r in records]
        save_records(records, o.out)
        for r in records:
            print(f"{r.name:<34}", {k: round(float(r.mean(k)), 4) for k in r.figures})


if __name__ == "__main__":
    main()
