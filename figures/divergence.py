"""KL(m || p^) of Eq. 6 for machines too large to enumerate: zetas as training draws them, log Z of p^ by batched AIS.

    KL(m || p^) = log sum_z exp(-E^(z)) - (H(m) - E^(m)),

both terms relative to prod_i max(r(zeta_i|0), r(zeta_i|1)), as everywhere in dvae_ref; the second in float64. All
numbers of mean-field sweeps share one log Z, so that only the level of a curve over sweeps is uncertain.

The augmented machine p^ is an RBM with biases a + b(zeta) and the couplings W of the prior. N zetas, D units, S numbers
of sweeps; all results in nats.
"""

import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.model import networks
from dvae_ref.model.posteriors import Noise
from dvae_ref.runs import training
from dvae_ref.sampling import ais, philox
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.mean_field import log_partition_bound, mean_field

OPEN = 8.0  # nats: a unit of less bias is open, for couplings may turn it
CONVERGED = 50  # sweeps: further ones do not move the KL
ROUNDING = 1e-6  # nats, of log Z by AIS in float32 (dvae_ref.sampling.ais): matters where W hardly does


class Annealing(NamedTuple):
    """How log Z of a machine is estimated; its error falls with both, its bias with the temperatures alone."""

    temperatures: int
    chains: int


def log_ratios(snapshot, settings, images, key, n):
    """b(zeta) of n draws zeta ~ q(zeta|x), each with an image of its own: (n, D), float64.

    b(zeta) = log r(zeta|1) - log r(zeta|0), unit by unit. As in training, batch norm takes the statistics of a batch of
    settings.batch_size random images.
    """
    posterior = training.config_of(settings).method.posterior
    rng = np.random.default_rng(philox.fold_in(key, 0))
    rows = rng.choice(len(images), max(n, settings.batch_size), replace=False)
    x = images[rows].astype(np.float32) - snapshot.statistics.mean_x
    shape = (2, len(rows), snapshot.params.rbm.a.size)
    u, rho = philox.uniform(philox.fold_in(key, 1), shape)
    extra = snapshot.params.posterior
    sample, _ = networks.encode(snapshot.params.encoder, x, Noise(u, rho), posterior=posterior, extra=extra)
    return posterior.smoothing.log_ratio(sample.t[:n].astype(np.float64))


def kl(key, rbm, b, sweeps, annealing, progress=None, uniform=False):
    """(KL(m || p^), its standard error) in nats after each of the numbers of sweeps: b (N, D) -> (S, N), (N,).

    The error is that of log Z, with what float32 adds, hence common to all sweeps of a row. The base of the annealing
    is the converged mean field, beside which p^ is close: from the biases alone the error is tens of times larger
    (`kl_from_biases`). But if p^ has a mode besides the one of the mean field, chains that begin there may never see
    it, and the KL is too low; `ais` warns where a mean field proves it. uniform: from a base that favours no mode, in
    which every unit that its bias leaves open is uniform. progress(1): after each zeta.
    """
    rbm, b = _as_float64(rbm, b)
    base = _uniform(rbm, b) if uniform else mean_field(rbm, b, CONVERGED)
    with warnings.catch_warnings():
        if uniform:  # few effective chains have a large error, and then the two estimates agree on nothing but that
            warnings.filterwarnings("ignore", "annealing ended with an effective sample")
        log_z, error = _log_z(key, rbm, b, base, annealing, progress)
    return _kl(rbm, b, sweeps, log_z), np.hypot(error, ROUNDING)


def _log_z(key, rbm, b, base, annealing, progress):
    """(log Z, standard error) of each p^, (N,) each, annealed from a base of its own: the biases (N, D)."""
    found = []
    for n, (row, own) in enumerate(zip(b, base, strict=True)):
        machine = RBM(rbm.a + row, rbm.W)
        result = ais.log_z(philox.fold_in(key, n), machine, annealing.temperatures, annealing.chains, base=own)
        found.append((result.log_z, result.standard_error))
        if progress:
            progress(1)
    return np.array(found).T


def _uniform(rbm, b):
    """Biases of the base: 0 for units that are open. Those far off as well would cost log Z some nats of error."""
    bias = rbm.a + b
    return np.where(np.abs(bias) < OPEN, 0.0, bias)


def agree(kl, error, other, other_error):
    """Whether two estimates are one number: within 4 standard errors of their difference."""
    return np.abs(kl - other) <= 4 * np.hypot(error, other_error)


def kl_from_biases(key, rbm, b, sweeps, annealing):
    """The same by one batched AIS from the biases a + b alone, which knows nothing of the mean field."""
    rbm, b = _as_float64(rbm, b)
    annealed = ais.log_z_batch(key, rbm.W, rbm.a + b, annealing.temperatures, annealing.chains)
    return _kl(rbm, b, sweeps, annealed.log_z), np.hypot(annealed.standard_error, ROUNDING)


def _kl(rbm, b, sweeps, log_z):
    """KL after each number of sweeps: (S, N).

    log Z (N,) is relative to prod r(zeta|0), as a + b(zeta) says; sum max(b, 0) makes it relative to prod r_max.
    """
    bounds = [log_partition_bound(rbm, b, mean_field(rbm, b, s)) for s in sweeps]
    return log_z - np.sum(np.maximum(b, 0), 1) - np.stack(bounds)


def _as_float64(rbm, b):
    return RBM(np.asarray(rbm.a, np.float64), np.asarray(rbm.W, np.float64)), np.asarray(b, np.float64)


def cut_out(rbm, b, n_left, n_right):
    """The machine and the rows of b that are left of the first units of each side: small enough to enumerate."""
    D_left = len(rbm.W)
    left, right = slice(n_left), slice(D_left, D_left + n_right)
    columns = np.r_[left, right]
    return RBM(rbm.a[columns], rbm.W[left, slice(n_right)]), b[:, columns]
