"""Write the bundled weight files in the one format of `save_weights`, without training. Numbers stay bit for bit.

python benchmarks/convert_weights.py
"""

import json
from dataclasses import asdict
from pathlib import Path
from safetensors import safe_open
from f3a_lite.core import save_weights
from f3a_lite.generator import GeneratorConfig

FOLDER = Path(__file__).resolve().parent.parent / "data_samples"


def read_plain(path):
    "Tensors as they are stored, config and facts."
    with safe_open(str(path), "pt") as f:
        tensors = {name: f.get_tensor(name) for name in f.keys()}
        header = f.metadata()
    return tensors, json.loads(header["config"]), json.loads(header["info"])


def generator_config(config):
    "The config of a generator whose condition was told by `warp`."
    config = dict(config)
    condition = "masked_flow" if config.pop("warp") else "flow"
    assert config.pop("condition_channels") == 3
    for name in ("channels", "flow_channels"):
        config[name] = tuple(config[name])
    return asdict(GeneratorConfig(condition=condition, **config))


if __name__ == "__main__":
    for kind in ("f3a_gan", "t_warp", "regressor"):
        path = FOLDER / f"{kind}.safetensors"
        tensors, config, info = read_plain(path)
        if kind != "regressor":
            config = generator_config(config)
        save_weights(path, tensors, kind, config, info)
        written, _, _ = read_plain(path)
        assert written.keys() == tensors.keys()
        for name, value in tensors.items():
            assert written[name].dtype == value.dtype and written[name].equal(value), name
        print(path.name, config)
