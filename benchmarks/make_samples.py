"Make data_samples/still_example.safetensors: one frame of the bundled clip with its landmarks and fitted parameters."

from pathlib import Path
import numpy as np
import torch
from safetensors.torch import save_file
from f3a_lite.clips import load_clip, needs_preparing, prepare_clip
from f3a_lite.core import atomic_path, data_path
from f3a_lite.morphable import PARAM_NAMES

FRAME = 240  # facing the camera, mouth closed, eyes open

if __name__ == "__main__":
    video, folder = data_path("woman_laughing.mp4"), Path("runs/clips/woman_laughing")
    clip = prepare_clip(video, folder) if needs_preparing(video, folder) else load_clip(folder)
    p = clip.params[FRAME]
    t = {n: getattr(p, n).contiguous() for n in PARAM_NAMES}
    t["frame"] = torch.from_numpy(np.array(clip.frames[FRAME]))
    t["landmarks"] = clip.landmarks[FRAME : FRAME + 1].contiguous()
    with atomic_path(data_path() / "still_example.safetensors") as tmp:
        save_file(t, tmp, metadata=dict(source=video.name, frame=str(FRAME)))
    print("wrote", data_path("still_example.safetensors"))
