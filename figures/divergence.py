"""KL(m || p^) of Eq. 6 for machines too large to enumerate: zetas as training draws them, log Z of p^ by batched AIS.

    KL(m || p^) = log sum_z exp(-E^(z)) - (H(m) - E^(m)),

both terms relative to prod_i max(r(zeta_i|0), r(zeta_i|1)), as everywhere in dvae_ref; the second in float64. All
numbers of mean-field sweeps share one log Z, so that only the level of a curve over sweeps is uncertain.
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
    temperatures: int
    chains: int


def log_ratios(snapshot, settings, images, key, n):
    """b(zeta) of n draws zeta ~ q(zeta|x), each with an image of its own: (n, D), float64.

    As in training, batch norm takes the statistics of a batch of settings.batch_size random images.
    """
    posterior = training.config_of(settings).method.posterior
    rng = np.random.default_rng(philox.fold_in(key, 0))
    rows = rng.choice(len(images), max(n, settings.batch_size), replace=False)
    x = images[rows].astype(np.float32) - snapshot.statistics.mean_x
    shape = (2, len(rows), snapshot.params.rbm.a.size)
    noise = Noise(*philox.uniform(philox.fold_in(key, 1), shape))
    sample, _ = networks.encode(snapshot.params.encoder, x, noise, posterior=posterior, extra=snapshot.params.posterior)
    return posterior.smoothing.log_ratio(sample.t[:n].astype(np.float64))


def kl(key, rbm, b, sweeps, annealing, progress=None, uniform=False):
    """(KL(m || p^), its standard error) in nats after each of the numbers of sweeps: b (N, D) -> (S, N), (N,).

    The error is that of log Z, with what float32 adds, hence common to all sweeps of a row. The base of the annealing
    is the converged mean field, beside which p^ is close: from the biases alone the error is tens of times larger
    (`kl_from_biases`). But if p^ has a mode besides the one of the mean field, chains that begin there may never see
    it, and the KL is too low; `ais` warns where a mean field proves it. uniform: from a base that favours no mode, in
    which every unit that its bias leaves open is uniform.
    """
    rbm, b = _as_float64(rbm, b)
    base, found = _uniform(rbm, b) if uniform else mean_field(rbm, b, CONVERGED), []
    with warnings.catch_warnings():
        if uniform:  # few effective chains have a large error, and then the two estimates agree on nothing but that
            warnings.filterwarnings("ignore", "annealing ended with an effective sample")
        for n, (row, own) in enumerate(zip(b, base, strict=True)):
            found.append(ais.log_z(philox.fold_in(key, n), RBM(rbm.a + row, rbm.W), *annealing, base=own)[:2])
            if progress:
                progress(1)
    log_z, error = np.array(found).T
    return log_z - np.sum(np.maximum(b, 0), 1) - _bounds(rbm, b, sweeps), np.hypot(error, ROUNDING)


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
    annealed = ais.log_z_batch(key, rbm.W, rbm.a + b, *annealing)
    kl = annealed.log_z - np.sum(np.maximum(b, 0), 1) - _bounds(rbm, b, sweeps)
    return kl, np.hypot(annealed.standard_error, ROUNDING)


def _bounds(rbm, b, sweeps):
    """H(m) - E^(m) after each number of sweeps: (S, N)."""
    return np.stack([log_partition_bound(rbm, b, mean_field(rbm, b, s)) for s in sweeps])


def _as_float64(rbm, b):
    return RBM(*(np.asarray(leaf, np.float64) for leaf in rbm)), np.asarray(b, np.float64)


def cut_out(rbm, b, n_left, n_right):
    """The machine and the rows of b that are left of the first units of each side: small enough to enumerate."""
    columns = np.r_[:n_left, len(rbm.W) : len(rbm.W) + n_right]
    return RBM(rbm.a[columns], rbm.W[:n_left, :n_right]), b[:, columns]
