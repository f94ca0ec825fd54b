"""Make data_samples/still_example.safetensors, one frame of the bundled clip with its landmarks and fitted parameters,
and data_samples/portraits.safetensors, what is found in the bundled portraits.

python tools/make_samples.py
"""

from dataclasses import dataclass
from pathlib import Path
import numpy as np
from safetensors.torch import save_file
import torch
from f3a_lite.animator import Animator
from f3a_lite.core import atomic_path, data_path, friendly_errors
from f3a_lite.landmarks import Crop
from f3a_lite.options import parse_options
from f3a_lite.morphable import PARAM_NAMES
from f3a_lite.data.prepare import bundled_clip
from f3a_lite.ui.gallery import PORTRAITS, WOMAN_FRAME, portrait_picture

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Write one frame of the bundled clip, and the portraits."

    out: Path = data_path()  # the folder of both files


def still(clip) -> dict:
    "Tensors of the frame: parameters, picture, landmarks."
    params = clip.params[WOMAN_FRAME]
    tensors = {name: getattr(params, name).contiguous() for name in PARAM_NAMES}
    tensors["frame"] = torch.from_numpy(np.array(clip.frames[WOMAN_FRAME]))
    tensors["landmarks"] = clip.landmarks[WOMAN_FRAME : WOMAN_FRAME + 1].contiguous()
    return tensors


def found(clip) -> dict:
    "Tensors of the portraits; the woman's parameters and crop are those of her clip."
    tensors, animator = {}, Animator("warping", "cpu")
    for name in PORTRAITS:
        face = animator.face(portrait_picture(name))
        params, crop = face.params, face.crop
        box = [crop.left, crop.top, crop.side, crop.height, crop.width]
        if name == "woman":
            left, top, right, _ = clip.meta["crop"]
            params, box[:3] = clip.params[WOMAN_FRAME], [left, top, right - left]
        tensors |= {f"{name}.{key}": getattr(params, key).contiguous() for key in PARAM_NAMES}
        tensors[f"{name}.crop"] = torch.tensor(box)
        tensors[f"{name}.head"] = torch.from_numpy(Crop(*box).cut(face.photo).copy())
        tensors[f"{name}.boxes"] = torch.tensor(face.boxes)
        tensors[f"{name}.embedding"] = torch.as_tensor(face.embedding, dtype=torch.float32)
    return tensors


def main(argv=None):
    "Write the files."
    with friendly_errors():
        options = parse_options("make_samples.py", Options, argv)
        clip = bundled_clip(ROOT / "runs" / "clips")
        facts = dict(source="woman_laughing.mp4", frame=str(WOMAN_FRAME))
        for name, tensors, metadata in (("still_example", still(clip), facts), ("portraits", found(clip), {})):
            path = options.out / f"{name}.safetensors"
            with atomic_path(path) as tmp:
                save_file(tensors, tmp, metadata=metadata)
            print("wrote", path)


if __name__ == "__main__":
    main()
