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

LARGEST = float(np.finfo(np.float32).max)  # of a parameter
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
    arrays = moments(rbm, z)
    record = {"units": list(map(int, rbm.W.shape)), "below": _estimate(below), "above": _estimate(above)}
    record |= {"low": found.low, "high": found.high, "verdict": found.verdict}
    record |= {"start": start.origin, "temperatures": temperatures, "seed": seed}
    record["mean_z_error"] = float(arrays["mean_z_error"].max())
    return record, arrays


def _estimate(end):
    return {"log_z": end.log_z, "standard_error": end.standard_error}


def samples(key, rbm, chains, sweeps):
    """States (R, D) of chains after sweeps from random states."""
    z = philox.uniform(philox.fold_in(key, 0), (chains, len(rbm.a))) < 0.5
    begun = gibbs.chains_from(z.astype(np.float32), rbm.W.shape)
    return gibbs.sweep(philox.fold_in(key, 1), begun, rbm, sweeps).z


def moments(rbm, z):
    """{name: array}: means over chains z (R, D) of z (D,) and z_left z_right' (left, right), and their standard errors.

    The products are bits, whose variance p (1 - p) R / (R - 1) is that of their mean p: no second pass over R pairs.
    """
    mean = boltzmann.moments(rbm, z.astype(float))
    error = z.std(0, ddof=1) / math.sqrt(len(z))
    zz_error = np.sqrt(mean.zz * np.maximum(1 - mean.zz, 0) / (len(z) - 1))  # a mean of ones may round above 1
    return {"mean_z": mean.z, "mean_z_error": error, "mean_zz": mean.zz, "mean_zz_error": zz_error}


def read_machine(path):
    """The RBM of an npz with a (D,) and W (left, right), in float32. ValueError for one that samplers cannot take."""
    arrays = _real_arrays(path, ("a", "W"))
    rbm = RBM(np.ascontiguousarray(arrays["a"], float), np.ascontiguousarray(arrays["W"], float))
    try:
        boltzmann.check(rbm)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not rbm.W.size:
        raise ValueError(f"{path}: a machine has units on both sides; got W of shape {rbm.W.shape}")
    largest = max(np.max(np.abs(rbm.a)), np.max(np.abs(rbm.W)))
    if largest > LARGEST:
        raise ValueError(f"{path}: samplers compute in float32, up to {LARGEST:.2g}; got a parameter of {largest:.2g}")
    return RBM(rbm.a.astype(np.float32), rbm.W.astype(np.float32))


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
    record = found | {"samples": log_w.shape[1], "log_z": log_z, "log_z_error": log_z_error, "nll_error": None}
    if found["nll_standard_error"] is not None:  # of a single image there is none
        record["nll_error"] = math.hypot(found["nll_standard_error"], log_z_error)
    return record


def _real_arrays(path, names):
    """{name: array} of an npz; ValueError unless those of these names are there, and hold real numbers."""

    def check(headers):
        for name in names:
            found = f"not there ({shortened(', '.join(headers) or 'nothing')} is)"
            if name in headers:
                found = headers[name].dtype
                if found.kind in "iuf":
                    continue
            raise ValueError(f"{path}: {name} is {found}; expected an array of real numbers")

    try:
        return npz.read(path, check=check)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there") from None
