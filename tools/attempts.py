"""Measure trainings that were tried, beside each other: results/attempts.json.

python tools/attempts.py WEIGHTS...
WEIGHTS are files written by f3a_train, whose headers hold their commands. Earlier attempts in the results file stay.
"""

from dataclasses import dataclass
from pathlib import Path
import time
from tyro.conf import Positional
from f3a_lite.core import F3AError, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.lab.evaluation import evaluate, identity_psnr
from f3a_lite.pairs import split_clips
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.lab.results import Record, load_records, run_info, save_records
from f3a_lite.systems import load_system
from figures import measure_liveliness, training_of

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "results" / "attempts.json"


@dataclass
class Options:
    "Measure weights on the bundled clip, and add them to the list of attempts."

    weights: Positional[tuple[Path, ...]] = ()  # files written by f3a_train
    out: Path = RESULT  # where the records go


def main(argv=None):
    "Add the records of some weights to the list."
    with friendly_errors():
        options = parse_options("attempts.py", Options, argv)
        if not options.weights:
            raise F3AError("No weights are named: give files that f3a_train wrote.")
        set_threads()
        records = load_records(options.out) if options.out.exists() else []
        clip = bundled_clip(ROOT / "runs" / "clips")
        split = split_clips([clip])[0]
        for path in options.weights:
            start, system = time.monotonic(), load_system(path)
            earlier = [r.setting["attempt"] for r in records if r.name == system.title]
            setting = dict(attempt=max(earlier, default=0) + 1, size=128, protocol="second")
            measured = [r for r in evaluate(system, [clip], [split]) if r.name == system.title and "split" in r.setting]
            lively = measure_liveliness({system.title: system}, clip, split)
            for record in measured:
                record.figures.update(lively[system.title, record.setting["split"]])
            measured.append(Record(system.title, dict(split="no motion"), dict(psnr=identity_psnr(system, clip))))
            info = run_info(f"python tools/attempts.py {path}", 0, start, training=training_of(system))
            for record in measured:
                record.setting.update(setting)
                record.info = info
            records += measured
            print(system.title, {r.setting["split"]: round(r.mean("psnr"), 2) for r in measured}, flush=True)
        save_records(records, options.out)


if __name__ == "__main__":
    main()
