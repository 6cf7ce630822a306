"""Quantities of Eqs. 2 and 3 as functions of the K samples' log-densities, without a network.

With log w_k = kappa (log p(zeta_k) - log q(zeta_k|x)) + log p(x|zeta_k) the bound of an image, nats, is

    Eq. 3:  log (1/K) sum_k w_k,    Eq. 2:  (1/K) sum_k log w_k, minus the KL standing for log p - log q.

Its derivative in log w_k is w_k / sum w by Eq. 3 and 1/K by Eq. 2; of it log p takes kappa times as much, log q -kappa
times, log p(x|zeta) all. The gradients are those of the mean over images.

Where implementations part: for one image exp(log w) is 0 throughout, and the log of its sum -inf, unless the largest
log w is taken out first; in another one sample is 700 nats below the others: if it is taken out in place of the
largest, the others are e^700, more than float32 holds. kappa may stand on all of log w, outside the logarithm, or on
one density alone.
"""

import functools

import numpy as np

from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.theory import bounds


def draw_importance_weighted(rng, images=6, k=3):
    """log p(zeta), log q(zeta|x) and log p(x|zeta), (images, K) each, of the last two images far off; kappa.

    They scatter by 2 nats, so that the weights of an image differ by factors of ten: equal weights, the best sample
    alone and the mean of the logs are all far from log-mean-exp. kappa is 0.3 to 0.8, nowhere 1.
    """
    log_p, log_q, log_px = rng.normal([[[-3]], [[-1]], [[-6]]], 2, (3, images, k))
    log_px[-2:] = far(log_px[-2:])
    return {"log_p": log_p, "log_q": log_q, "log_px": log_px, "kappa": rng.uniform(0.3, 0.8)}


def draw_variational(rng, images=6, k=3):
    """Minus the KL and log p(x|zeta), (images, K) each, of the last two images far off; kappa."""
    minus_kl, log_px = rng.normal([[[-2]], [[-6]]], 2, (2, images, k))
    log_px[-2:] = far(log_px[-2:])
    return {"minus_kl": minus_kl, "log_px": log_px, "kappa": rng.uniform(0.3, 0.8)}


def far(log_px):
    """Of two images: an image far from its reconstructions, whose weights are 0 in floating point, and a last sample
    far below the others."""
    log_px[0] += trouble.TINY
    log_px[1, -1] -= trouble.APART
    return log_px


def compute_bound(inputs, bound):
    """The bound of each image, (images,), and the gradient of its mean over images in each density, (images, K).

    bound: log_w (images, K) -> (bound (images,), its derivative in log_w), Eq. 3 or Eq. 2 or, for a mistake, another.
    """
    kappa, prior_first = inputs["kappa"], "log_p" in inputs
    log_ratio = inputs["log_p"] - inputs["log_q"] if prior_first else inputs["minus_kl"]
    value, weights = bound(bounds.log_weights(log_ratio, inputs["log_px"], kappa=kappa))
    d_log_w = bounds.backward(np.full_like(value, 1 / len(value)), weights)
    d_log_ratio, d_log_px = bounds.log_weights_backward(d_log_w, kappa=kappa)
    in_ratio = {"d_log_p": d_log_ratio, "d_log_q": -d_log_ratio} if prior_first else {"d_minus_kl": d_log_ratio}
    return {"bound": value, **in_ratio, "d_log_px": d_log_px}


def _terms(inputs):
    """The largest log-densities of an image, which are added, and rounded before they may cancel."""
    return {"bound": sum(np.abs(inputs[name]).max(-1) for name in inputs if np.ndim(inputs[name]) == 2)}


QUANTITIES = (
    Quantity(
        "bound_importance_weighted",
        "Eq. 3",
        "log (1/K) sum_k w_k of each image with log w = kappa (log_p - log_q) + log_px",
        draw_importance_weighted,
        functools.partial(compute_bound, bound=bounds.importance_weighted),
        "the mean of bound over the images",
        _terms,
    ),
    Quantity(
        "bound_variational",
        "Eq. 2",
        "the mean over K samples of kappa minus_kl + log_px, for each image",
        draw_variational,
        functools.partial(compute_bound, bound=bounds.variational),
        "the mean of bound over the images",
        _terms,
    ),
)
