"""Do growing, two streams and hierarchy help? And the perceptual loss? results/ablations.json.

python experiments/ablations.py [--minutes 6]
The generator and its variants, 64 × 64, on the bundled clip and 40 rendered people, with all losses and the same
processor time each; measured on frames of the bundled clip that training never saw. A training that is done is kept in
runs/ablations, and the same command goes on.
"""

from dataclasses import dataclass, replace
from pathlib import Path
import json
import re
import time
from f3a_lite.core import friendly_errors, save_json
from f3a_lite.generator import GeneratorConfig
from f3a_lite.data.prepare_datasets import prepare_rendered
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.systems import LossConfig
from f3a_lite.schedule import TrainConfig
from short_trainings import ROOT, begin, steps_for, train_once

RESULT = ROOT / "results" / "ablations.json"
PEOPLE, FRAMES, TIMES = 40, 48, 3  # rendered people, frames of each, and how often the bundled clip counts
VARIANTS = {  # name → (fields of the generator, fields of the losses, how many seeds)
    "the paper's generator": ({}, {}, 3),
    "T_np (nothing grows)": (dict(grows=0), {}, 3),
    "T_os (one stream)": (dict(streams="one"), {}, 3),
    "T_sl (fusion at one scale)": (dict(fusion="latent"), {}, 3),
    "without the perceptual loss": ({}, dict(perceptual=0.0), 1),
}


@dataclass
class Options:
    "Train the paper's generator and its variants for the same time."

    minutes: float = 6.0  # of each training, on a quiet machine
    only: tuple[str, ...] = ()  # names of variants; none: all
    out: Path = RESULT  # where the records go
    done: Path = ROOT / "runs" / "ablations"  # folder of the trainings that are done


def config_of(generator: dict, losses: dict) -> TrainConfig:
    "A training with all losses from its first step on."
    own = dict(size=64, batch=16, lowres_fraction=0.0, gan_fraction=1.0, ema=0.99, losses=LossConfig(**losses))
    return TrainConfig.lite(generator=GeneratorConfig.lite(**{"grows": 2, "flow_norm": False, **generator}), **own)


def rows_of(path: Path, config, clips: list) -> dict:  # split → metric → number, with seconds and steps
    "The figures of one training, made unless they are there."
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    records, seconds, _ = train_once(config, clips, measured=[0])
    measured = [r for r in records if "split" in r.setting and r.name not in ("copying", "warping only")]
    rows = {r.setting["split"]: {m: r.mean(m) for m in r.figures} for r in measured}
    found = dict(rows=rows, seconds=seconds, steps=config.steps, info=run_info())
    save_json(found, path)
    return found


def main(argv=None):
    "Write the records of what is done."
    with friendly_errors():
        options, _, clip = begin("ablations.py", Options, argv)
        people = [prepare_rendered(k, ROOT / "runs" / "people" / f"{k:03d}", frames=FRAMES) for k in range(PEOPLE)]
        clips, records = [clip] * TIMES + people, []
        for name, (generator, losses, seeds) in VARIANTS.items():
            if options.only and name not in options.only:
                continue
            start, config = time.monotonic(), config_of(generator, losses)
            kept = options.done / f"{options.minutes:g}" / re.sub("[^a-z]+", "_", name.lower())
            lengths = kept / "steps.json"
            if not lengths.exists():
                save_json(steps_for(config, clips, options.minutes), lengths)
            config = replace(config, steps=json.loads(lengths.read_text(encoding="utf-8")))
            found = []
            for seed in range(seeds):
                found.append(rows_of(kept / f"{seed}.json", replace(config, seed=seed), clips))
                print(name, seed, {s: round(r["psnr"], 2) for s, r in found[-1]["rows"].items()}, flush=True)
            info = dict(found[0]["info"], command=f"python experiments/ablations.py --minutes {options.minutes:g}")
            info = dict(info, seed=list(range(seeds)), seconds=round(sum(f["seconds"] for f in found)))
            for split in found[0]["rows"]:
                figures = {m: figure([f["rows"][split][m] for f in found]) for m in found[0]["rows"][split]}
                setting = dict(variant=name, split=split, size=64, steps=config.steps, minutes=options.minutes)
                records.append(Record("F3A-GAN", dict(setting, spread="seeds"), figures, info))
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
            save_records(records, options.out)


if __name__ == "__main__":
    main()
