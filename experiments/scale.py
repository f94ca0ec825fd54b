"""What more people, and more pairs, bring to people whom training never saw: results/scale.json.

python experiments/scale.py

Our generator with the flow, as in f3a_tables, on rendered people: 5, 14 and 40 of them with fresh pairs at every step;
then 40 of them with an index of 60, 600 and 6,000 pairs. Each training sees 6,000 pictures, and is measured on the same
ten people, and on held-out frames of its own. A training that is done is kept, and the same command goes on.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from f3a_lite.core import friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.jobs import set_threads
from f3a_lite.loop import run_training
from f3a_lite.lab.measuring import generate_part
from f3a_lite.lab.paper_tables import BUDGET
from f3a_lite.lab.results import Record, choose_records, load_records, run_info, save_records
from f3a_lite.lab.tables import SIZE, groups_of, measures_of, table_config
from f3a_lite.training import Trainer

ROOT = Path(__file__).resolve().parent.parent
POINTS = [(people, 0) for people in (5, 14, 40)] + [(40, pairs) for pairs in (60, 600, 6000)]  # 0: fresh pairs


@dataclass
class Options:
    "Train our generator on more and more people, and pairs."

    pictures: int = BUDGET["rendered"]  # that each training sees
    runs: Path = ROOT / "runs"  # folder of the trainings and of the people
    out: Path = ROOT / "results" / "scale.json"


def point_of(o, group, people, pairs):
    "Train and measure one point: records on its own people's held-out frames, and on people who are held out."
    own = replace(group, clips=group.clips[:people], every=max(1, people // 20))
    config = replace(table_config("flow", o.pictures), pairs=pairs)
    trainer = Trainer(config, own.clips)
    if not run_training(trainer, config.steps, o.runs / "tables" / f"scale_{o.pictures}_{people}_{pairs}"):
        raise KeyboardInterrupt
    make = generate_part(trainer.averaged())
    info = run_info(seed=config.seed, trained_seconds=round(trainer.seconds))
    setting = dict(people=people, pairs=pairs, pictures=o.pictures, size=SIZE)
    measures = measures_of(own, SIZE)
    return [Record("flow", dict(setting, split=s), measures[s].figures(make), info) for s in ("random", "people")]


def main(argv=None):
    "Every point that is not there, one after the other."
    with friendly_errors():
        o = parse_options("scale.py", Options, argv)
        set_threads(None)
        group = groups_of(("rendered",), runs=o.runs)[0]
        records = load_records(o.out) if o.out.exists() else []
        for people, pairs in POINTS:
            if choose_records(records, people=people, pairs=pairs, pictures=o.pictures):
                continue
            records += point_of(o, group, people, pairs)
            save_records(records, o.out)
        for r in records:
            print(r.setting, {k: round(r.mean(k), 4) for k in ("mae", "psnr", "csim", "prmse")})


if __name__ == "__main__":
    main()
