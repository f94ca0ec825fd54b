"How the bundled face model is built."

import numpy as np
import pytest
import torch
from f3a_lite.core import F3AError
from conftest import load_notebook
from f3a_lite.landmarks import MIRROR
from helpers import MODEL, close

BUILD = load_notebook("77_open_model")


def test_heads_are_brought_to_one_place_and_size():
    "Against Procrustes by hand, and without turning anything."
    g = torch.Generator().manual_seed(0)
    shape = torch.randn(1, 30, 3, generator=g, dtype=torch.float64)
    size, place = torch.tensor([0.5, 1.0, 2.0, 3.0]), torch.randn(4, 1, 3, generator=g)
    got = BUILD.align_heads(shape * size[:, None, None] + place)
    assert got.mean(1).abs().max() < 1e-6 and (got - got[0]).abs().max() < 1e-6
    close(got[0].norm(), size.mean() * (shape[0] - shape[0].mean(0)).norm(), 1e-5)
    other = BUILD.align_heads(torch.cat([shape, shape.flip(-1)]))
    assert (other[0] - other[1]).abs().max() > 0.1


def test_components_are_those_of_the_covariance():
    "Against numpy's eigenvalues: unit standard deviation, a share of the variance that adds up, and a fixed sign."
    g = torch.Generator().manual_seed(0)
    heads = (
        torch.randn(40, 6, generator=g, dtype=torch.float64) * torch.tensor([5.0, 3, 2, 1, 0.5, 0.1])
    ) @ torch.randn(6, 30, generator=g, dtype=torch.float64)
    mean, basis, share = BUILD.identity_basis(heads.view(40, 10, 3), 4)
    value, vector = np.linalg.eigh(np.cov(heads.numpy().T))
    value, vector = value[::-1], vector[:, ::-1]
    close(mean.flatten(), heads.mean(0), 1e-9)
    close(share, np.cumsum(value)[:4] / value.sum(), 1e-9)
    for k in range(4):
        b = basis[k].flatten()
        close(b.abs(), np.sqrt(value[k]) * np.abs(vector[:, k]), 1e-6)
        assert b[b.abs().argmax()] > 0
    coefficients = (heads - mean.flatten()) @ torch.linalg.pinv(basis.flatten(1))
    close(coefficients.std(0), torch.ones(4), 1e-6)


def test_random_heads_of_a_small_body():
    "A body of six vertices whose changes are known: axes turned to ours, decimetres, only the head's changes drawn."

    class ResnetGenerator:
        phenotype_labels = ("gender", "age", "weight", "muscle", "african", "asian", "caucasian")
        local_change_labels = ("l-ear-wide", "hand-long", "nose-up")
        facial_action_labels = ("jawOpen",)
        bone_labels = ("head", "neck03", "neck02", "eye.L", "eye.R", "hand")
        vertex_bone_indices = torch.tensor([[0, 5]] * 4 + [[5, 0]] * 2)
        vertex_bone_weights = torch.tensor([[0.8, 0.2]] * 6, dtype=torch.float64)
        template_vertices = torch.arange(18, dtype=torch.float64).view(6, 3)
        blendshapes = torch.randn(10, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

        def _get_phenotype_blendshape_coefficients(self, phenotypes, local, actions):
            self.seen = phenotypes, local, actions
            return torch.cat([phenotypes, local], 1)

    body = ResnetGenerator()
    keep = BUILD.head_vertices(body)
    assert keep.tolist() == [True] * 4 + [False] * 2
    got = BUILD.random_heads(body, keep, 90)
    phenotypes, local, actions = body.seen
    assert phenotypes.min() >= 0 and phenotypes.max() <= 1 and phenotypes[:, 1].min() >= 0.4 and not actions.any()
    assert not local[:, 1].any() and 0.22 < local[:, [0, 2]].std() < 0.38
    at = body.template_vertices[keep] + torch.einsum(
        "nk,kvc->nvc", torch.cat([phenotypes, local], 1), body.blendshapes[:, keep]
    )
    close(got, torch.stack([at[..., 0], at[..., 2], -at[..., 1]], -1) * 10, 1e-9)
    assert torch.equal(got, BUILD.random_heads(body, keep, 90)) and len(BUILD.random_heads(body, keep, 130)) == 130
    try:
        import anny  # noqa: F401
    except ImportError:
        with pytest.raises(F3AError, match="anny is not installed"):
            BUILD.load_anny()


def test_regions_near_the_lines():
    "Marked anew, brows and eyes of the bundled model are what they are; away from their lines nothing changes."
    import dataclasses
    from f3a_lite.morphable import REGIONS

    plain = MODEL.regions.clone()
    for n in ("brows", "eyes"):
        plain[plain == REGIONS.index(n)] = REGIONS.index("skin")
    again = BUILD.mark_brows_and_eyes(dataclasses.replace(MODEL, regions=plain)).regions
    assert (again == MODEL.regions).float().mean() > 0.995
    lm = MODEL.mean_shape[MODEL.landmark_vertices]
    for n, points, reach in (("brows", lm[17:27], 0.08), ("eyes", lm[36:48], 0.09)):
        marked = MODEL.mean_shape[again == REGIONS.index(n)]
        assert len(marked) > 20 and torch.cdist(marked, points).amin(1).max() < 2 * reach


def test_a_vote_finds_the_landmarks():
    "Few heads and views: the voted vertices lie near the bundled ones, and each has its partner."
    yaws = np.radians([-20, 0, 20])
    marks, contour, kept = BUILD.place_model_landmarks(MODEL, yaws, heads=6, size=256)
    close(kept, yaws, 1e-6)
    assert contour.shape == (3, 17)
    v = MODEL.mean_shape
    assert (v[marks[17:]] - v[MODEL.landmark_vertices[17:]]).norm(dim=-1).mean() < 0.08
    assert torch.equal(MIRROR[MIRROR], torch.arange(68))
    gap = (v[marks] * torch.tensor([-1.0, 1, 1]) - v[marks[MIRROR]]).norm(dim=-1)
    assert gap[17:].mean() < 0.03
