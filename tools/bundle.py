"""Put what a recipe's training has made where it is bundled: weights, figures, curves, and a picture of its growing.

python tools/bundle.py runs/f3a_gan f3a_gan
"""

from dataclasses import dataclass
from pathlib import Path
import json
import numpy as np
from f3a_lite.core import F3AError, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.pictures import label_sheet
from f3a_lite.checkpoints import read_checkpoint
from f3a_lite.lab.results import Record, load_records, save_records
from f3a_lite.systems import SYSTEMS, load_system, save_system
from f3a_lite.schedule import stage_of
from f3a_lite.schedule import load_recipe
from f3a_lite.data.video import read_image, write_image
from tyro.conf import Positional

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Bundle the weights of a recipe's run."

    run: Positional[Path]  # folder of the training
    name: Positional[str]  # of the recipe


def curves(path: Path, n: int = 120) -> dict:  # term → n values
    "The log of a run, as means over n stretches; a term that is not there yet is None."
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    parts = np.array_split(np.arange(len(rows)), min(n, len(rows)))
    names = sorted({k for r in rows for k in r})
    found = {k: [[rows[j][k] for j in part if k in rows[j]] for part in parts] for k in names}
    return {k: [round(float(np.mean(v)), 5) if v else None for v in values] for k, values in found.items()}


def moments(config) -> dict:  # words → step
    "Steps at which a growing generator is worth a look: in the middle of each fade, and at the end of each level."
    stages, found = [stage_of(config, k) for k in range(config.steps)], {}
    for level in reversed(range(config.generator.grows + 1)):
        mine = [k for k, s in enumerate(stages) if s.level == level]
        fading = [k for k in mine if stages[k].alpha < 1]
        size = config.size >> level
        if fading:
            found[f"{size}, α = {stages[fading[len(fading) // 2]].alpha:.1f}"] = fading[len(fading) // 2]
            found[f"{size}, α = 1"] = fading[-1] + 1
        found[f"{size}, last step"] = mine[-1]
    return found


def growing_picture(folder: Path, config, pairs: int = 3):
    "What was made of the same pairs at those steps; the last column is the target, and a row is a pair."
    sheets = {int(p.stem.split("_")[1]): p for p in sorted(folder.glob("step_*.png"))}
    titles, columns, seen = [], [], set()
    for words, step in moments(config).items():
        nearest = min(sheets, key=lambda k: abs(k - step))
        if nearest in seen:
            continue
        seen.add(nearest)
        titles.append(words)
        columns.append(read_image(sheets[nearest]))
    side = config.size
    rows = []
    for k in range(pairs):
        rows += [c[2 * side : 3 * side, k * side : (k + 1) * side] for c in columns]
        rows.append(columns[-1][side : 2 * side, k * side : (k + 1) * side])
    names = [title.replace("α", "alpha") for title in titles]  # the sheet's letters are Latin
    return label_sheet(rows, [*names, "target"], [f"pair {k + 1}" for k in range(pairs)])


def trained_system(run: Path, config):
    "The system of a run as it was saved, critic included."
    state = read_checkpoint(run / "checkpoint.pt")["net"]
    system = SYSTEMS[config.system](config.generator, config.losses)
    system.load_state_dict(state)
    return system


def main(argv=None):
    "Copy the weights, write figures and curves, draw the growing."
    with friendly_errors():
        options = parse_options("bundle.py", Options, argv, Options(Path("runs/f3a_gan"), "f3a_gan"))
        config, weights = load_recipe(options.name), options.run / "weights.safetensors"
        system = load_system(weights)
        if system.info.get("steps") != config.steps:
            raise F3AError(
                f"'{options.run}' has done {system.info.get('steps')} of {config.steps} steps: let it finish."
            )
        records = load_records(options.run / "metrics.json")
        for record in records:
            record.setting["protocol"] = "second"
        info = {k: system.info.get(k) for k in ("command", "seed", "commit", "machine", "threads", "seconds", "date")}
        log = Record("terms", dict(recipe=options.name), curves(options.run / "log.jsonl"), info)
        save_records(records, ROOT / "results" / f"train_{options.name}.json")
        save_records([log], ROOT / "results" / f"train_{options.name}_log.json")
        if config.generator.grows:
            write_image(growing_picture(options.run / "samples", config), ROOT / "nbs" / "images" / "growing.png")
        target = ROOT / "data_samples" / f"{options.name}.safetensors"
        system.critic = trained_system(options.run, config).critic
        save_system(system, target, critic=config.gan_fraction > 0, **system.info)
        print(f"wrote {target}")


if __name__ == "__main__":
    main()
