"Eq. 4 and the encoders."

import torch
import torch.nn.functional as F
from torch import nn
from f3a_lite.spade import DownBlock, Encoder, SPADE
from helpers import randn
from helpers import close


def test_an_encoders_block_by_hand():
    "Convolution with stride 2, instance normalisation, PReLU with slope 0.2; and without normalisation a bias."
    torch.manual_seed(0)
    x = randn(2, 3, 16, 12)
    b = DownBlock(3, 5)
    h = F.instance_norm(F.conv2d(x, b.conv.weight, stride=2, padding=1))
    close(b(x), torch.where(h > 0, h, 0.2 * h), 1e-5)
    b = DownBlock(3, 5, norm=False)
    h = F.conv2d(x, b.conv.weight, b.conv.bias, stride=2, padding=1)
    close(b(x), torch.where(h > 0, h, 0.2 * h), 1e-5)
    assert b.act.weight.shape == (5,)


def test_encoders_give_every_scale():
    torch.manual_seed(0)
    e = Encoder(3, (4, 6, 8))
    x = randn(1, 3, 32, 16)
    h = e(x)
    assert [tuple(v.shape[1:]) for v in h] == [(4, 32, 16), (6, 16, 8), (8, 8, 4)]
    first = F.instance_norm(F.conv2d(x, e.first[0][0].weight, padding=2))
    close(h[0], torch.where(first > 0, first, 0.2 * first), 1e-5)
    close(h[2], e.down[1](e.down[0](h[0])), 1e-6)
    assert not any(isinstance(m, nn.InstanceNorm2d) for m in Encoder(3, (4, 6), norm=False).modules())


def test_how_gamma_and_beta_start():
    "γ around 1 and β around 0, for features of unit size scattered by 0.3/√3."
    torch.manual_seed(0)
    s = SPADE(64, 32)
    assert (s.gamma_beta.bias[:64] == 1).all() and (s.gamma_beta.bias[64:] == 0).all()
    close(s.gamma_beta.weight.abs().max(), 0.3 / (32 * 9) ** 0.5, 1e-4)
    with torch.no_grad():
        gamma, beta = s.gamma_beta(randn(8, 32, 16, 16)).chunk(2, 1)
    for v, mean in ((gamma, 1), (beta, 0)):
        close(v.mean(), mean, 0.02)
        close(v.std(), 0.3 / 3**0.5, 0.03)


def test_eq_4_by_hand():
    torch.manual_seed(0)
    s = SPADE(3, 2)
    torch.nn.init.normal_(s.norm.mu)
    torch.nn.init.normal_(s.norm.log_sigma)
    h_enc, h_flow, h_dec = randn(2, 3, 6, 5) * 3 + 1, randn(2, 2, 6, 5, seed=1), randn(2, 3, 6, 5, seed=2)
    gb = F.conv2d(h_flow, s.gamma_beta.weight, s.gamma_beta.bias, padding=1)
    for n in range(2):
        for c in range(3):
            normal = (h_enc[n, c] - s.norm.mu[c]) / s.norm.log_sigma[c].exp()
            bracket = gb[n, c] * normal + gb[n, 3 + c]
            close(s(h_enc, h_flow)[n, c], bracket, 1e-5)
            close((h_dec * s(h_enc, h_flow))[n, c], h_dec[n, c] * bracket, 1e-5)
