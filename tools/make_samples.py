"""Make data_samples/still_example.safetensors: one frame of the bundled clip with its landmarks and fitted parameters.

python tools/make_samples.py
"""

from dataclasses import dataclass
from pathlib import Path
import numpy as np
from safetensors.torch import save_file
import torch
from f3a_lite.core import atomic_path, data_path, friendly_errors
from f3a_lite.options import parse_options
from f3a_lite.morphable import PARAM_NAMES
from f3a_lite.data.prepare import bundled_clip

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Options:
    "Write one frame of the bundled clip."

    frame: int = 240  # the whole face, no hand before it, eyes open, lips a little apart
    out: Path = data_path() / "still_example.safetensors"  # where it goes


def main(argv=None):
    "Write the file."
    with friendly_errors():
        options = parse_options("make_samples.py", Options, argv)
        clip = bundled_clip(ROOT / "runs" / "clips")
        params = clip.params[options.frame]
        tensors = {name: getattr(params, name).contiguous() for name in PARAM_NAMES}
        tensors["frame"] = torch.from_numpy(np.array(clip.frames[options.frame]))
        tensors["landmarks"] = clip.landmarks[options.frame : options.frame + 1].contiguous()
        facts = dict(source="woman_laughing.mp4", frame=str(options.frame))
        with atomic_path(options.out) as tmp:
            save_file(tensors, tmp, metadata=facts)
        print("wrote", options.out)


if __name__ == "__main__":
    main()
