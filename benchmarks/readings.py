"""Where text, Eq. 4 and Fig. 5 leave a choice: each reading at equal time on the bundled clip: results/readings.json.

python benchmarks/readings.py [--minutes 1.5] [--seeds 0 1]
"""

from dataclasses import dataclass, replace
from pathlib import Path
from f3a_lite.core import friendly_errors
from f3a_lite.generator import GeneratorConfig
from f3a_lite.training import TrainConfig
from short_trainings import ROOT, begin, over_seeds, save_comparison, steps_for

RESULT = ROOT / "results" / "readings.json"
READINGS = {  # name → the fields that are read in another way
    "every left column": {},  # of the table in 12_fade_in_decoding
    "the decoder goes on from h_dec": dict(goes_on="h_dec"),
    "h_dec is h_enc at the deepest scale": dict(deepest="h_enc"),
    "μ and σ are learned": dict(statistics="learned"),
    "encoders always see the whole picture": dict(seen="whole"),
    "the picture comes from h_dec": dict(picture="h_dec"),
    "α mixes features": dict(fading="features"),
    "nothing grows": dict(grows=0),
    "the picture comes from h_dec, and nothing grows": dict(picture="h_dec", grows=0),
    "the picture comes from h_dec, α mixes features": dict(picture="h_dec", fading="features"),
    "the picture comes from h_dec, μ and σ are learned": dict(picture="h_dec", statistics="learned"),
    "the picture comes from h_dec, growing takes a quarter": dict(picture="h_dec", grow_share=0.25),
}


@dataclass
class Options:
    "Train the generator in every reading of the paper for the same time."

    minutes: float = 1.5  # of each training, on a quiet machine
    seeds: tuple[int, ...] = (0, 1)  # one training each
    only: tuple[str, ...] = ()  # names of readings; none: all
    out: Path = RESULT  # where the records go


def config_of(**fields) -> TrainConfig:
    "A training at 64 × 64 with the pixel loss, which tells readings apart soonest."
    share = fields.pop("grow_share", 0.5)
    generator = GeneratorConfig.lite(**{"grows": 2, "flow_norm": False, "picture": "h_out", **fields})
    own = dict(size=64, batch=16, low_batch=16, adv_share=0.0, ema=0.99, grow_share=share)
    return TrainConfig.lite(generator=generator, **own)


def main(argv=None):
    "Write the records."
    with friendly_errors():
        options, start, clip = begin("readings.py", Options, argv)
        records = []
        for name in options.only or READINGS:
            fields = READINGS[name]
            config = config_of(**fields)
            config = replace(config, steps=steps_for(config, [clip], options.minutes))
            records += over_seeds(config, [clip], options.seeds, dict(reading=name, minutes=options.minutes))
            save_comparison(records, "readings.py", options, start)


if __name__ == "__main__":
    main()
