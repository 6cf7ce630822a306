"""Other people's models: log Z and moments of a machine (a, W) in an npz file, and the NLL of log-weights in one.

What a cross-checker wants next after formulas: numbers of a whole model, with their errors.
"""

import math

import numpy as np

from dvae_ref.files import npz
from dvae_ref.files.schema import shortened
from dvae_ref.runs import evaluation, roles, sizes
from dvae_ref.sampling import bracket, gibbs, modes, philox
from dvae_ref.theory import boltzmann
from dvae_ref.theory.boltzmann import RBM

LARGEST = float(np.finfo(np.float32).max)
MOST = 1e100  # nats: sums of such numbers are finite, and beyond it none is a log-weight


def log_z(path, temperatures=10_000, chains=1000, sweeps=10_000, seed=0):
    """log Z of the machine in an npz file, nats, from below and from above, and E[z] with standard errors.

    From above annealing starts from the chains after so many sweeps from random states: a check, no bound
    (`sampling.bracket`). The moments are means over these chains; their standard errors take the chains for samples.
    Returns (record, arrays mean_z, mean_z_error, mean_zz, mean_zz_error). ValueError for a file without real a (D,) and
    W (left, right), and for what would take too much memory.
    """
    rbm, keys = read_machine(path), roles.keys(seed)
    sizes.check_machine(rbm.W.shape, chains, temperatures)
    z = samples(keys["sample"], rbm, chains, sweeps)
    start = bracket.Start(z, f"{chains} chains after {sweeps:,} sweeps from random states")
    below = bracket.below(keys["measurement_log_z"], rbm, temperatures, chains)
    above = bracket.above(keys["measurement_above"], rbm, start, temperatures)
    found = bracket.Bracket(below, above, modes.lower_bound(rbm))
    moments, error = boltzmann.moments(rbm, z.astype(float)), z.std(0, ddof=1) / math.sqrt(chains)
    ends = {
        "below": {"log_z": below.log_z, "standard_error": below.standard_error},
        "above": {"log_z": above.log_z, "standard_error": above.standard_error},
    }
    record = {"units": [*map(int, rbm.W.shape)], **ends, "low": found.low, "high": found.high, "verdict": found.verdict}
    record |= {"start": start.origin, "temperatures": temperatures, "seed": seed, "mean_z_error": float(error.max())}
    zz_error = np.sqrt(moments.zz * np.maximum(1 - moments.zz, 0) / (chains - 1))  # a mean of ones may round above 1
    return record, {"mean_z": moments.z, "mean_z_error": error, "mean_zz": moments.zz, "mean_zz_error": zz_error}


def samples(key, rbm, chains, sweeps):
    """States (R, D) of chains after sweeps from random states."""
    z = philox.uniform(philox.fold_in(key, 0), (chains, len(rbm.a))) < 0.5
    return gibbs.sweep(philox.fold_in(key, 1), gibbs.chains_from(z.astype(np.float32), rbm.W.shape), rbm, sweeps).z


def read_machine(path):
    arrays = _real_arrays(path, ("a", "W"))
    rbm = RBM(*(np.ascontiguousarray(arrays[name], float) for name in ("a", "W")))
    try:
        boltzmann.check(rbm)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not rbm.W.size:
        raise ValueError(f"{path}: a machine has units on both sides; got W of shape {rbm.W.shape}")
    largest = max(np.max(np.abs(leaf)) for leaf in rbm)
    if largest > LARGEST:
        raise ValueError(f"{path}: samplers compute in float32, up to {LARGEST:.2g}; got a parameter of {largest:.2g}")
    return RBM(*(leaf.astype(np.float32) for leaf in rbm))


def nll(path, log_z, log_z_error=0.0):
    """The negative log-likelihood, nats, of log-weights log w (images, samples) without log Z: -E(z) - log q(z|x) +
    log p(x|z).

    log p(x) = log mean w - log Z. `nll_error` is the standard error of the mean over the images and that of log Z
    together; the error of finitely many samples is `nll_drift`, what the last factor of four in their number took off
    the NLL. Returns a record. ValueError for a file without such an array, and for numbers that are not finite, or
    beyond 1e100.
    """
    if not (abs(log_z) <= MOST and 0 <= log_z_error <= MOST):
        raise ValueError(
            f"log Z must be a finite number, up to {MOST:g}, and its error 0 or more; got {log_z} and {log_z_error}"
        )
    log_w = _real_arrays(path, ("log_w",))["log_w"].astype(float)
    finite = np.abs(log_w) <= MOST
    if log_w.ndim != 2 or not log_w.size or not np.all(finite):
        wrong = f"shape {log_w.shape}, {np.sum(~finite)} of them not finite, or beyond {MOST:g}"
        raise ValueError(f"{path}: log_w must be finite numbers (images, samples), got {wrong}")
    found = evaluation.of_log_weights(log_w - log_z).summary()
    scatter = found["nll_standard_error"]
    together = None if scatter is None else math.hypot(scatter, log_z_error)
    return {**found, "samples": log_w.shape[1], "log_z": log_z, "log_z_error": log_z_error, "nll_error": together}


def _real_arrays(path, names):
    def check(headers):
        for name in names:
            if name not in headers or headers[name].dtype.kind not in "iuf":
                there = ", ".join(headers) or "nothing"
                found = headers[name].dtype if name in headers else f"not there ({shortened(there)} is)"
                raise ValueError(f"{path}: {name} is {found}; expected an array of real numbers")

    try:
        return npz.read(path, check=check)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there") from None
