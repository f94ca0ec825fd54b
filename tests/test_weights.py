"""The bundled weight files give what they gave: outputs on the bundled photo, equal to rounding.

`python tests/test_weights.py` stores the outputs of today, where weights or photo were changed on purpose.
"""

from pathlib import Path
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from f3a_lite.conditions import Frames, make_condition
from f3a_lite.core import data_path
from f3a_lite.pictures import to_tensor
from f3a_lite.morphable import FaceParams, PARAM_NAMES, open_model
from f3a_lite.regressor import load_regressor
from f3a_lite.systems import load_system

STORED = Path(__file__).parent / "data" / "bundled_outputs.safetensors"
GENERATORS = ("f3a_gan", "t_warp")


def outputs(kind):
    "What the regressor says of the bundled photo, or what a generator paints for two moves, smaller."
    face_model, example = open_model(), load_file(data_path("still_example.safetensors"))
    picture = to_tensor(example["frame"].numpy())[None]  # (1,3,H,W)
    if kind == "regressor":
        p = load_regressor().predict(picture)
        return torch.cat([p.id_coeff, p.exp_coeff, p.rotation, p.translation, p.scale[:, None]], 1)
    at_rest = FaceParams(*[example[n] for n in PARAM_NAMES])
    mouth = at_rest.replace(exp_coeff=face_model.expression(jawOpen=0.7))
    turned = at_rest.replace(rotation=at_rest.rotation + torch.tensor([[0, 0.3, 0]]))
    system = load_system(data_path(f"{kind}.safetensors"))
    assert system.kind == kind and not system.training
    size, anchor = picture.shape[-1], system.cfg.anchor
    both, moves = FaceParams.stack([at_rest, at_rest]), FaceParams.stack([mouth, turned])
    condition = make_condition(system.condition, face_model, Frames(both), Frames(moves), size, anchor)
    with torch.no_grad():
        image = system(picture.expand(2, -1, -1, -1), condition)["image"]  # (2,3,H,W)
    return F.avg_pool2d(image, 8)


@pytest.mark.parametrize("kind", ["regressor", *GENERATORS])
def test_bundled_weights_give_what_they_gave(kind):
    now, then = outputs(kind), load_file(STORED)[kind].float()
    assert now.shape == then.shape
    assert (now - then).abs().max() < 1e-3
    assert kind == "regressor" or (now[0] - now[1]).abs().max() > 0.05  # two moves, two pictures


@pytest.mark.parametrize("kind", ["f3a_gan", "t_warp", "regressor"])
def test_bundled_files_have_the_one_header(kind):
    with safe_open(str(data_path(f"{kind}.safetensors")), "pt") as f:
        header = f.metadata()
        types = {f.get_tensor(name).dtype for name in f.keys()}
    assert set(header) == {"format", "kind", "config", "info"} and header["kind"] == kind
    assert types <= {torch.float16, torch.int64}


if __name__ == "__main__":
    small = {kind: outputs(kind).half().contiguous() for kind in GENERATORS}
    save_file({**small, "regressor": outputs("regressor")}, STORED)
