"The bundled weight files give what they gave when they were trained: outputs stored at that time, equal to rounding."

from pathlib import Path
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from f3a_lite.conditions import Frames, make_condition
from f3a_lite.core import data_path, to_tensor
from f3a_lite.morphable import FaceParams, PARAM_NAMES, open_model
from f3a_lite.regressor import load_regressor
from f3a_lite.systems import load_system

STORED = load_file(Path(__file__).parent / "data" / "bundled_outputs.safetensors")


@pytest.fixture(scope="module")
def photo():
    "The bundled photo (1,3,H,W), its parameters, and two moves: an open mouth, a turned head."
    face_model, example = open_model(), load_file(data_path("still_example.safetensors"))
    at_rest = FaceParams(*[example[n] for n in PARAM_NAMES])
    mouth = at_rest.replace(exp_coeff=face_model.expression(jawOpen=0.7))
    turned = at_rest.replace(rotation=at_rest.rotation + torch.tensor([[0, 0.3, 0]]))
    return to_tensor(example["frame"].numpy())[None], at_rest, FaceParams.stack([mouth, turned])


@pytest.mark.parametrize("kind", ["f3a_gan", "t_warp"])
def test_bundled_generators_paint_what_they_painted(kind, photo):
    picture, at_rest, moves = photo
    system = load_system(data_path(f"{kind}.safetensors"))
    assert system.kind == kind and not system.training
    size, anchor = picture.shape[-1], system.cfg.anchor
    both = FaceParams.stack([at_rest, at_rest])
    condition = make_condition(system.condition, open_model(), Frames(both), Frames(moves), size, anchor)
    with torch.no_grad():
        image = system(picture.expand(2, -1, -1, -1), condition)["image"]  # (2,3,H,W)
    small = F.avg_pool2d(image, 8)
    assert small.shape == STORED[kind].shape
    assert (small - STORED[kind].float()).abs().max() < 1e-3
    assert (small[0] - small[1]).abs().max() > 0.05  # two moves, two pictures


def test_the_bundled_regressor_says_what_it_said(photo):
    p = load_regressor().predict(photo[0])
    said = torch.cat([p.id_coeff, p.exp_coeff, p.rotation, p.translation, p.scale[:, None]], 1)
    assert said.shape == STORED["regressor"].shape
    assert (said - STORED["regressor"]).abs().max() < 1e-3


@pytest.mark.parametrize("kind", ["f3a_gan", "t_warp", "regressor"])
def test_bundled_files_have_the_one_header(kind):
    with safe_open(str(data_path(f"{kind}.safetensors")), "pt") as f:
        header = f.metadata()
        types = {f.get_tensor(name).dtype for name in f.keys()}
    assert set(header) == {"format", "kind", "config", "info"} and header["kind"] == kind
    assert types <= {torch.float16, torch.int64}
