"""A clip's fit by Levenberg–Marquardt beside 400 steps of Adam: results/clip_fit.json.

python benchmarks/clip_fit.py [FOLDER]

The same loss both ways, on one core: the bundled clip, and clips of a folder. Of a clip all frames share an identity;
each has an expression and a pose of its own, and is tied to its neighbours by the smoothing. The matrix of one step is
a band (every unknown meets those of its own frame, and itself in the frames before and after) with the identity as a
border: the band is solved for the border's columns, and what is left is a system as large as the identity.
"""

from dataclasses import dataclass, replace
from pathlib import Path
import time
import numpy as np
import torch
from scipy.linalg import LinAlgError, solveh_banded
from tyro.conf import Positional
from f3a_lite.core import friendly_errors
from f3a_lite.data.prepare import bundled_clip, clip_in
from f3a_lite.fitting import FitConfig, fit_landmarks, gaze_units, initial_pose, landmark_error, landmark_model
from f3a_lite.fitting import landmark_weights
from f3a_lite.lab.results import Record, figure, run_info, save_records
from f3a_lite.morphable import FaceParams, open_model
from f3a_lite.options import parse_options
from f3a_lite.projection import euler_to_matrix

ROOT = Path(__file__).resolve().parent.parent
POSE = 6  # unknowns: three angles, two of the place, the logarithm of the scale


@dataclass
class Options:
    "Fit clips in two ways."

    folder: Positional[Path | None] = None  # of videos; none: the bundled clip alone
    clips: int = 6  # of the folder, evenly spread over its names
    frames: int = 200  # of each clip of the folder, at most
    out: Path = ROOT / "results" / "clip_fit.json"  # where the records go


class ClipFit:
    "The loss of a clip with its first derivatives, and its second ones as Gauss and Newton take them."

    def __init__(self, face_model, landmarks, cfg):
        m = landmark_model(face_model)
        self.m, self.cfg, self.marks, self.T = m, cfg, landmarks.double(), len(landmarks)
        self.unit = (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1).median().double()
        self.basis = torch.cat([m.mean_shape[None], m.id_basis * m.id_std[:, None, None], m.exp_basis]).double()
        w = landmark_weights(cfg).double()
        self.w = (w / w.mean() / (2 * 68 * self.T)).repeat_interleave(2)  # (136,)
        tie = torch.full((m.L + POSE,), 2 * cfg.smooth_pose / self.T, dtype=torch.float64)
        tie[: m.L] = 2 * cfg.smooth_exp / self.T
        tie[m.L + 3 : m.L + 5] *= 0.1 / self.unit**2
        self.tie = tie  # (L+6,) how each unknown of a frame is held to its neighbours

    def start(self):
        "Identity (K,) and the unknowns of every frame (T,L+6), as Adam begins."
        rotation, translation, scale = initial_pose(self.m, self.marks.float())
        exp = torch.full((self.T, self.m.L), 0.02)
        exp[:, gaze_units(self.m)] = 0
        own = torch.cat([exp, rotation, translation[:, :2], scale.clamp(min=1e-3).log()[:, None]], 1)
        return torch.zeros(self.m.K, dtype=torch.float64), own.double()

    def bases(self, yaw):
        "The basis (T,1+K+L,68,3) at the landmarks of each frame, whose jaw points depend on the turn."
        m, known = self.m, self.m.contour_yaws.double()
        a = yaw.clamp(known[0], known[-1])
        hi = torch.searchsorted(known, a).clamp(1, len(known) - 1)
        part = ((a - known[hi - 1]) / (known[hi] - known[hi - 1]))[:, None, None, None]
        jaws = self.basis[:, m.contour_vertices].transpose(0, 1)  # (yaws,1+K+L,17,3)
        jaw = jaws[hi - 1] * (1 - part) + jaws[hi] * part
        inner = self.basis[:, m.landmark_vertices[17:]].expand(len(yaw), -1, -1, -1)
        return torch.cat([jaw, inner], 2)

    def points(self, identity, own, moves=False):
        "Differences to the landmarks (T,136) in outer-eye distances; and how they change (T,K+L+6,136)."
        K, L = self.m.K, self.m.L
        basis, rot = self.bases(own[:, L + 1]), own[:, L : L + 3]
        coeff = torch.cat([torch.ones(self.T, 1, dtype=own.dtype), identity.expand(self.T, -1), own[:, :L]], 1)
        shape = torch.einsum("tk,tknc->tnc", coeff, basis)  # (T,68,3)
        R, scale = euler_to_matrix(rot)[:, :2], own[:, -1].exp()[:, None, None]  # (T,2,3)
        face = scale * shape @ R.transpose(1, 2)  # (T,68,2)
        d = ((face + own[:, None, L + 3 : L + 5] - self.marks) / self.unit).flatten(1)
        if not moves:
            return d
        by_coeff = scale[..., None] * (basis[:, 1:] @ R.transpose(1, 2)[:, None])  # (T,K+L,68,2)
        small = 1e-5 * torch.eye(3, dtype=own.dtype)
        turned = [(euler_to_matrix(rot + e) - euler_to_matrix(rot - e))[:, :2] / 2e-5 for e in small]
        by_angle = torch.stack([scale * shape @ t.transpose(1, 2) for t in turned], 1)  # (T,3,68,2)
        by_place = torch.eye(2, dtype=own.dtype)[:, None].expand(self.T, 2, 68, 2)
        J = torch.cat([by_coeff, by_angle, by_place, face[:, None]], 1) / self.unit
        assert J.shape[1] == K + L + POSE
        return d, J.flatten(2)

    def loss(self, identity, own, d):
        "The loss of `fit_landmarks`."
        far = (d**2 + self.cfg.softness**2).sqrt() - self.cfg.softness
        loss = (self.w * far).sum() + self.cfg.ridge_id * identity.square().sum()
        loss = loss + self.cfg.sparse_exp * own[:, : self.m.L].abs().sum() / self.T
        return float(loss + (self.tie * own.diff(dim=0).square()).sum() / 2)

    def system(self, identity, own):
        "Loss; slopes (K,) and (T,L+6); matrices of the identity (K,K), of frames (T,L+6,L+6) and between (T,L+6,K)."
        K, L = self.m.K, self.m.L
        d, J = self.points(identity, own, moves=True)
        pulls = self.w / (d**2 + self.cfg.softness**2).sqrt()  # (T,136)
        slope, H = torch.einsum("tkn,tn->tk", J, pulls * d), (J * pulls[:, None]) @ J.transpose(1, 2)
        g_id = slope[:, :K].sum(0) + 2 * self.cfg.ridge_id * identity
        g_own, step = slope[:, K:].clone(), own.diff(dim=0) * self.tie
        g_own[:, :L] += self.cfg.sparse_exp / self.T
        g_own[1:] += step
        g_own[:-1] -= step
        C = H[:, :K, :K].sum(0) + 2 * self.cfg.ridge_id * torch.eye(K, dtype=own.dtype)
        A = H[:, K:, K:].clone()
        held = torch.full((self.T, 1), 2.0, dtype=own.dtype)
        held[[0, -1]] = 1.0
        A.diagonal(dim1=1, dim2=2).add_(held * self.tie)
        return self.loss(identity, own, d), g_id, g_own, C, A, H[:, K:, :K]

    def step(self, parts, free, damping):
        "The step of the identity (K,) and of the frames (T,L+6) where they are free."
        _, g_id, g_own, C, A, B = parts
        n, on = self.m.L + POSE, free.double()
        A = A * on[:, :, None] * on[:, None]
        diagonal = A.diagonal(dim1=1, dim2=2)
        diagonal.mul_(1 + damping).add_(1e-14).add_(1 - on)
        band = np.zeros((n + 1, self.T * n))  # row k: each unknown and the k-th after it
        for k in range(n):
            band[k].reshape(self.T, n)[:, : n - k] = A.diagonal(-k, 1, 2).numpy()
        band[n].reshape(self.T, n)[:-1] = (-self.tie * on[1:] * on[:-1]).numpy()
        right = torch.cat([g_own[..., None], B], 2) * on[..., None]  # (T,n,1+K)
        solved = solveh_banded(band, right.reshape(self.T * n, -1).numpy(), lower=True, overwrite_ab=True)
        solved = torch.from_numpy(solved).view(self.T, n, -1)
        B = B * on[..., None]
        C = C + damping * C.diagonal().diag() - torch.einsum("tnk,tnj->kj", B, solved[..., 1:])
        of_id = torch.linalg.solve(C, g_id - torch.einsum("tnk,tn->k", B, solved[..., 0]))
        return of_id, solved[..., 0] - solved[..., 1:] @ of_id

    def fit(self, steps=60, enough=1e-4):
        "Parameters, and how many steps were tried."
        L, (identity, own) = self.m.L, self.start()
        low, high = (torch.full_like(own[0], v) for v in (-torch.inf, torch.inf))
        low[:L], high[:L] = 0, 1
        known = torch.zeros(L + POSE, dtype=torch.bool)
        known[gaze_units(self.m)] = True
        damping, parts = 1e-3, self.system(identity, own)
        for tried in range(1, steps + 1):
            slope = parts[2]
            free = ~((own <= low) & (slope > 0) | (own >= high) & (slope < 0) | known)
            try:
                by_id, by_own = self.step(parts, free, damping)
            except LinAlgError:
                damping *= 5
                continue
            there = identity - by_id, (own - by_own).clamp(low, high)
            loss = self.loss(*there, self.points(*there))
            if not loss < parts[0]:
                damping *= 5
                if damping > 1e8:
                    break
                continue
            gain, (identity, own), damping = parts[0] - loss, there, damping / 5
            if gain < enough * loss:
                break
            parts = self.system(identity, own)
        x = own.float()
        place = torch.cat([x[:, L + 3 : L + 5], torch.zeros(self.T, 1)], 1)
        who = (identity.float() * self.m.id_std).expand(self.T, -1)
        return FaceParams(who, x[:, :L], x[:, L : L + 3], place, x[:, -1].exp()), tried

    def of(self, params):
        "The loss of parameters."
        own = [params.exp_coeff, params.rotation, params.translation[:, :2], params.scale.log()[:, None]]
        here = (params.id_coeff[0] / self.m.id_std).double(), torch.cat(own, 1).double()
        return self.loss(*here, self.points(*here))


def measure(clip, model):
    "Figures of both ways on one clip: way → dict."
    cfg, marks = FitConfig(), clip.landmarks[torch.from_numpy(clip.found)]
    fit, found = ClipFit(model, marks, cfg), {}
    for way in ("Adam", "Levenberg–Marquardt"):
        began, tried = time.process_time(), cfg.steps
        if way == "Adam":
            params = fit_landmarks(model, marks, cfg=cfg)
        else:
            params, tried = fit.fit()
        seconds = time.process_time() - began
        error = figure(landmark_error(model, params, marks).tolist())
        found[way] = dict(seconds=seconds, error=error, loss=fit.of(params), steps=tried)
    return found, len(marks)


def main(argv=None):
    "Write the records."
    with friendly_errors():
        o = parse_options("clip_fit.py", Options, argv)
        torch.set_num_threads(1)
        model, began, clips = open_model(), time.monotonic(), [bundled_clip(ROOT / "runs" / "clips")]
        if o.folder is not None:
            files = sorted(p for p in o.folder.iterdir() if p.suffix == ".mp4")
            for k in np.linspace(0, len(files) - 1, o.clips).round().astype(int):
                options = dict(max_frames=o.frames, split=None)
                clips.append(clip_in(ROOT / "runs" / "clips", files[k], options)[0])
        command = "python benchmarks/clip_fit.py" + (" FOLDER" if o.folder else "")
        fit = ClipFit(model, clips[0].landmarks[:4], replace(FitConfig(), steps=1))
        fit.fit(steps=1)  # what is loaded with the first use does not count
        records = []
        for clip in clips:
            found, n = measure(clip, model)
            info = run_info(command, 0, began)
            for way, figures in found.items():
                records.append(Record(way, dict(clip=clip.meta["source"], frames=n), figures, info))
                print(clip.meta["source"], n, way, {k: v["mean"] if k == "error" else v for k, v in figures.items()})
        save_records(records, o.out)


if __name__ == "__main__":
    main()
