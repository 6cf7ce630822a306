"""Test log-likelihood on the discrete model (Sec. 4): K importance samples, Bernoulli q, binary z.

    p(x) = E_q[w],    log w = log p(z) + log p(x|z) - log q(z|x),    log p(z) = -E(z) - log Z.

So log p(x) is estimated by the log of the mean of K weights: too low in the mean, by about Var(w) / (2 K E[w]^2) where
that is small, and by the concavity of log in any case.
"""

import math
from typing import NamedTuple

import numpy as np

from dvae_ref import blas
from dvae_ref.arrays import short
from dvae_ref.fast.threads import cores, in_order
from dvae_ref.model import autoencoder
from dvae_ref.sampling import philox

CHUNK_ROWS = 4096  # samples decoded at a time by one thread: about 30 MB of activations


class Likelihood(NamedTuple):
    """Per image, nats: log((1/K) sum_k w_k), mean_k log w_k, and (sum w)^2 / sum w^2.

    The last, an effective sample size, is of the weights that were drawn: a large one does not say that there are no
    larger weights. `in_parts`: the first for K / 4 and K / 16 of the same weights, each the mean over as many parts.
    """

    log_px: np.ndarray
    elbo: np.ndarray
    effective_sample_size: np.ndarray
    log_px_quarter: np.ndarray
    log_px_sixteenth: np.ndarray

    def __repr__(self) -> str:
        return short(self)

    def summary(self):
        """Plain numbers: means over images with the standard error of the mean, which treats images as a sample of
        theirs and knows nothing of the error of each.

        nll_drift: what four times the samples have taken off the NLL; more would take off more. Its own standard error
        is that of a paired difference: both NLLs are of the same images and weights.
        """
        ess, drift = self.effective_sample_size, self.log_px - self.log_px_quarter
        return {
            "nll": float(-self.log_px.mean()),
            "nll_standard_error": standard_error(self.log_px),
            "nll_quarter": float(-self.log_px_quarter.mean()),
            "nll_sixteenth": float(-self.log_px_sixteenth.mean()),
            "nll_drift": float(drift.mean()),
            "nll_drift_standard_error": standard_error(drift),
            "elbo": float(self.elbo.mean()),
            "elbo_standard_error": standard_error(self.elbo),
            "ess_mean": float(ess.mean()),
            "ess_median": float(np.median(ess)),
            "ess_minimum": float(ess.min()),
            "images": len(self.log_px),
        }


def standard_error(values):
    """Standard error of the mean; None for a single value, which JSON can say."""
    if len(values) < 2:
        return None
    return float(values.std(ddof=1) / math.sqrt(len(values)))


@blas.one_thread()
def log_likelihood(key, params, statistics, images, *, log_z, samples=4000, threads=1, progress=None):
    """Likelihood of each of the images, (B, V) with pixels in {0, 1}, by `samples` importance samples each.

    The noise of an image depends on (key, its index) alone, and every sum runs over one image's samples in order, so
    the result does not depend on the number of threads. Memory: threads x about 60 MB. `progress(n)` is called as
    n images are done. BLAS has one thread meanwhile: the threads here are what uses the cores.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    out = Likelihood(*(np.empty(len(images)) for _ in Likelihood._fields))
    group = max(1, CHUNK_ROWS // samples)
    pieces = [slice(start, min(start + group, len(images))) for start in range(0, len(images), group)]

    def inputs():
        for rows in pieces:
            noise = _noise(key, range(rows.start, rows.stop), samples, len(params.rbm.a))
            yield params, statistics, images[rows].astype(np.float32), noise, log_z

    with cores(threads):
        for rows, found in zip(pieces, in_order(_importance_sample, inputs()), strict=True):
            for whole, part in zip(out, found, strict=True):
                whole[rows] = part
            if progress:
                progress(rows.stop - rows.start)
    return out


def _noise(key, indices, samples, latents):
    """Uniform numbers (images, samples, D), one of which decides a unit of z; drawn in the calling thread because
    numba's parallel kernels do not nest in threads."""
    return np.stack([philox.uniform(philox.fold_in(key, i), (samples, latents)) for i in indices])


def _importance_sample(params, statistics, x, noise, log_z):
    """Likelihood of a few images, CHUNK_ROWS samples at a time.

    The log-weights come in float32; what is made of them is summed in float64.
    """
    step = max(1, CHUNK_ROWS // len(x))
    log_w = []
    for part in np.split(noise, range(step, noise.shape[1], step), axis=1):
        u = part.reshape(-1, part.shape[-1])
        log_w.append(autoencoder.discrete_log_weights(params, statistics, x, u, log_z=log_z))
    return of_log_weights(np.concatenate(log_w, axis=1).astype(np.float64))


def of_log_weights(log_w):
    """The Likelihood of log-weights (images, samples), log Z taken off them.

    The effective sample size (sum w)^2 / sum w^2 does not change with the scale of w: the largest is made 1.
    """
    w = np.exp(log_w - log_w.max(1, keepdims=True))
    effective = w.sum(1) ** 2 / np.sum(w * w, 1)
    return Likelihood(in_parts(log_w, 1), log_w.mean(1), effective, in_parts(log_w, 4), in_parts(log_w, 16))


def in_parts(log_w, parts):
    """Mean over parts of (n, K) weights of log mean w in each: (n,); what K // parts samples give, with less noise.

    Samples that are left over are not used; fewer of them than parts are parts of one.
    """
    size = max(1, log_w.shape[1] // parts)
    count = log_w.shape[1] // size
    log_w = log_w[:, : count * size].reshape(-1, count, size)
    peak = log_w.max(2, keepdims=True)
    total = np.exp(log_w - peak).sum(2)
    log_mean = peak.squeeze(2) + np.log(total / size)
    return log_mean.mean(1)
