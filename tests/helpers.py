"What several test files share."

import copy
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from conftest import write_movie
from f3a_lite.data.clips import clip_folder
from f3a_lite.data.fingerprints import clip_fingerprint
from f3a_lite.data.video import iter_frames
from f3a_lite.landmarks import Crop
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.registry import SYSTEMS
from f3a_lite.regressor import Regressor, RegressorConfig
from f3a_lite.schedule import TrainConfig
from f3a_lite.training import Trainer


MODEL = open_model()


def close(a, b, eps):
    "Whether two arrays agree to `eps`, and by how much they do not."
    a, b = (x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (a, b))
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    gap = np.abs(a.astype(float) - b.astype(float)).max() if a.size else 0
    assert gap <= eps, f"differs by {gap}"


def some_faces(n, seed=0, turn=0.4):
    "Faces that use every parameter."
    g = torch.Generator().manual_seed(seed)
    translation = 0.1 * torch.randn(n, 3, generator=g)
    translation[:, 2] = 0
    return FaceParams(
        torch.randn(n, MODEL.K, generator=g),
        torch.rand(n, MODEL.L, generator=g) * 0.3,
        turn * torch.randn(n, 3, generator=g),
        translation,
        0.5 + 0.2 * torch.rand(n, generator=g),
    )


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny_net(seed=0, **kw):
    torch.manual_seed(seed)
    net = Regressor(RegressorConfig(base=4, hidden=32, **kw))
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
                m.weight.uniform_(0.5, 1.5)
                m.bias.normal_(0, 0.1)
                m.running_mean.normal_(0, 0.1)
                m.running_var.uniform_(0.5, 1.5)
        net.fc2.weight.mul_(10)
    return net.eval()


@pytest.fixture(scope="module")
def shots(video):
    "Four frames of the bundled clip, half as large."
    return [np.ascontiguousarray(f[::2, ::2]) for _, f in iter_frames(video, max_frames=4)]


@pytest.fixture
def movie(tmp_path, shots):
    (tmp_path / "src").mkdir()
    return write_movie(tmp_path / "src" / "me.mp4", shots)


def place(video, out, **options):
    "Where a command puts the clip of a video."
    return clip_folder(out, video.stem, clip_fingerprint(video, **options))


def with_noisy_frame(clip, frame):
    "The clip's landmarks, those of one frame elsewhere."
    points = clip.landmarks.clone()
    points[frame] += 0.05 * torch.randn(68, 2, generator=torch.Generator().manual_seed(1))
    return points


CPU = torch.device("cpu")


KINDS = ["f3a_gan", "t_warp"]


def small_config(kind="f3a_gan", **kw):
    "A generator of two scales."
    flow = dict(flow_channels=(4, 4)) if kind == "f3a_gan" else {}
    return SYSTEMS[kind].Config(**{**dict(channels=(8, 8)), **flow, **kw})


def small_trainer(clip, kind="f3a_gan", **kw):
    "A trainer of two scales at 32 pixels, whose critic takes part from the first step on."
    kind = kw.pop("system", kind)
    cfg = dict(system=kind, generator=small_config(kind), size=32, steps=6, batch=2, low_batch=2, lowres_fraction=0.0)
    return Trainer(TrainConfig(**{**cfg, "gan_fraction": 1.0, **kw}), [clip], device=CPU)


def tensors(x):
    "All tensors of nested dicts and lists, in order."
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, dict):
        return [t for k in sorted(x, key=str) for t in tensors(x[k])]
    return [t for v in x for t in tensors(v)] if isinstance(x, (list, tuple)) else []


def half_real(clip):
    "The clip, as if its picture had ended in the middle of the crop."
    copied = copy.copy(clip)
    copied.valid = lambda size=None: (torch.arange(size or 128) < (size or 128) / 2).float().expand(1, size or 128, -1)
    return copied


@pytest.fixture(scope="session")
def filmed(video):
    "A few real frames, reduced to 480x270."
    out = []
    for k, (_, f) in enumerate(iter_frames(video)):
        if k >= 250:
            out.append(np.asarray(Image.fromarray(f).resize((480, 270))))
        if len(out) == 8:
            return out


def face_at(x, y, size=100.0, T=1):
    "68 points that fill a square of this size around (x, y)."
    p = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))
    p[:4] = [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    return np.repeat(p[None] * size + [x, y], T, 0)


def in_crop(points, box, size):
    "Points of a picture in pixels of its crop, by way of the image plane."
    x, y = Crop(*box[:2], box[2] - box[0], 90, 100, size).to_plane(points).double().unbind(-1)
    return torch.stack([(x + 1) * size / 2 - 0.5, (1 - y) * size / 2 - 0.5], -1).numpy()
