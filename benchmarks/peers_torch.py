"""What a user of PyTorch would write: block Gibbs, AIS, population annealing. Importing it needs torch."""

import itertools
import math

import torch
from torch.nn.functional import softplus


def _parameters(a, W):
    a, W = torch.tensor(a), torch.tensor(W)
    return a[: len(W)], a[len(W) :], W, W.T.contiguous()


def _draw(field):
    """1 with probability sigmoid(field), which is overwritten."""
    return torch.rand_like(field).lt_(field.sigmoid_())


def sweep(a_left, a_right, W, W_t, z_left, sweeps):
    """(z_left, z_right) so many sweeps later."""
    for _ in range(sweeps):
        z_right = _draw(torch.addmm(a_right, z_left, W))
        z_left = _draw(torch.addmm(a_left, z_right, W_t))
    return z_left, z_right


def gibbs(a, W, chains, sweeps):
    """A function that takes persistent chains `sweeps` sweeps further and returns z (R, D)."""
    parameters = _parameters(a, W)
    state = [torch.bernoulli(torch.full((chains, len(W)), 0.5))]

    @torch.inference_mode()
    def run():
        state[0], z_right = sweep(*parameters, state[0], sweeps)
        return torch.cat([state[0], z_right], 1).numpy()

    return run


def ais(a, W, chains, temperatures):
    """A function that returns (log Z, standard error): uniform base, right side summed out, weights in float64."""
    a_left, a_right, W, W_t = _parameters(a, W)
    inv_temps = torch.linspace(0, 1, temperatures).tolist()

    @torch.inference_mode()
    def run():
        z_left, log_w = torch.bernoulli(torch.full((chains, len(W)), 0.5)), torch.zeros(chains, dtype=torch.float64)
        for t, t_next in itertools.pairwise(inv_temps):
            h = torch.addmm(a_right, z_left, W)
            log_w += ((t_next - t) * (z_left @ a_left) + (softplus(t_next * h) - softplus(t * h)).sum(1)).double()
            z_right = _draw(t_next * h)
            z_left = _draw(t_next * torch.addmm(a_left, z_right, W_t))
        return _log_mean(log_w, sum(W.shape))

    return run


def _log_mean(log_w, units):
    w = torch.exp(log_w - log_w.max())
    error = float(w.std() / w.mean()) / math.sqrt(len(w))
    return float(log_w.max() + torch.log(w.mean())) + units * math.log(2), error


def population_annealing(a, W, chains, temperatures, sweeps):
    """A function that returns (log Z, NaN): systematic resampling and sweeps at given temperatures."""
    a_left, a_right, W, W_t = _parameters(a, W)
    inv_temps = torch.linspace(0, 1, temperatures).tolist()

    @torch.inference_mode()
    def run():
        z_left, z_right = (torch.bernoulli(torch.full((chains, n), 0.5)) for n in W.shape)
        log_z = sum(W.shape) * math.log(2)
        for t, t_next in itertools.pairwise(inv_temps):
            log_w = (t_next - t) * (z_left @ a_left + (torch.addmm(a_right, z_left, W) * z_right).sum(1)).double()
            w = torch.exp(log_w - log_w.max())
            log_z += float(log_w.max() + torch.log(w.mean()))
            positions = torch.arange(chains, dtype=torch.float64) + torch.rand(())
            ancestors = torch.searchsorted(torch.cumsum(w / w.mean(), 0), positions).clamp_(max=chains - 1)
            z_left = z_left[ancestors]
            for _ in range(sweeps):
                z_right = _draw(t_next * torch.addmm(a_right, z_left, W))
                z_left = _draw(t_next * torch.addmm(a_left, z_right, W_t))
        return log_z, math.nan

    return run
