"""What a user of PyTorch would write: block Gibbs, AIS, population annealing. Importing it needs torch.

States are float32, 0 or 1: z_left (R, left), z_right (R, right). Both sides are drawn as p(z_l = 1) = sigmoid(field),

    field_left = a_left + W z_right,    field_right = a_right + W' z_left,

whole sides at a time, as E(z) = -a z - z_left W z_right couples none within. At inverse temperature t fields are t
times as large.
"""

import itertools
import math

import torch
from torch.nn.functional import softplus


def _parameters(a, W):
    """(a_left, a_right, W, W'), the last in memory of its own: addmm is quicker so."""
    W = torch.tensor(W)
    a_left, a_right = torch.tensor(a).split(W.shape)
    return a_left, a_right, W, W.T.contiguous()


def _fair_coins(chains, units):
    """Uniform states (R, units), float32."""
    return torch.bernoulli(torch.full((chains, units), 0.5))


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
    z_left = _fair_coins(chains, len(W))

    @torch.inference_mode()
    def run():
        nonlocal z_left
        z_left, z_right = sweep(*parameters, z_left, sweeps)
        return torch.cat([z_left, z_right], 1).numpy()

    return run


def ais(a, W, chains, temperatures):
    """A function that returns (log Z, standard error): uniform base, right side summed out, weights in float64.

    With the right side summed out, from t to t' log w grows by

        (t' - t) a_left z_left + sum_r (softplus(t' field_r) - softplus(t field_r)),

    and Z of the base is 2^D.
    """
    a_left, a_right, W, W_t = _parameters(a, W)
    inv_temps = torch.linspace(0, 1, temperatures).tolist()

    @torch.inference_mode()
    def run():
        z_left, log_w = _fair_coins(chains, len(W)), torch.zeros(chains, dtype=torch.float64)
        for t, t_next in itertools.pairwise(inv_temps):
            h = torch.addmm(a_right, z_left, W)
            log_w += ((t_next - t) * (z_left @ a_left) + (softplus(t_next * h) - softplus(t * h)).sum(1)).double()
            z_right = _draw(t_next * h)
            z_left = _draw(t_next * torch.addmm(a_left, z_right, W_t))
        return _log_mean(log_w, sum(W.shape))

    return run


def _log_mean(log_w, units):
    """(units log 2 + log mean w, its standard error): that of the mean over the mean."""
    w = torch.exp(log_w - log_w.max())
    error = float(w.std() / w.mean()) / math.sqrt(len(w))
    return float(log_w.max() + torch.log(w.mean())) + units * math.log(2), error


def _ancestors(w):
    """Systematic resampling: (R,) of R weights, each w / mean w times to the nearest whole number or the one beside."""
    positions = torch.arange(len(w), dtype=torch.float64) + torch.rand(())
    return torch.searchsorted(torch.cumsum(w / w.mean(), 0), positions).clamp_(max=len(w) - 1)


def population_annealing(a, W, chains, temperatures, sweeps):
    """A function that returns (log Z, NaN): systematic resampling and sweeps at given temperatures.

    log Z = D log 2 + sum over steps of log mean w, log w = -(t' - t) E(z). Of the members, R positions u, u + 1, ... on
    the cumulative weights (in units of their mean) choose the ancestors. The states say nothing of the error: NaN.
    """
    a_left, a_right, W, W_t = _parameters(a, W)
    inv_temps = torch.linspace(0, 1, temperatures).tolist()

    @torch.inference_mode()
    def run():
        z_left, z_right = _fair_coins(chains, len(a_left)), _fair_coins(chains, len(a_right))
        log_z = sum(W.shape) * math.log(2)
        for t, t_next in itertools.pairwise(inv_temps):
            log_w = (t_next - t) * (z_left @ a_left + (torch.addmm(a_right, z_left, W) * z_right).sum(1)).double()
            w = torch.exp(log_w - log_w.max())
            log_z += float(log_w.max() + torch.log(w.mean()))
            z_left = z_left[_ancestors(w)]
            for _ in range(sweeps):
                z_right = _draw(t_next * torch.addmm(a_right, z_left, W))
                z_left = _draw(t_next * torch.addmm(a_left, z_right, W_t))
        return log_z, math.nan

    return run
