"""Breaks of what trains and measures: the thirty that the claims on easy machines and float64 let pass, or might."""

import functools

import numpy as np

from dvae_ref import tree
from dvae_ref.fast import scalars, team
from dvae_ref.model import autoencoder, layers, networks
from dvae_ref.model.posteriors import ShiftedGaussian
from dvae_ref.runs import evaluation, optimizer
from dvae_ref.sampling import gibbs, paths, philox, population, replicas
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory import bounds, gaussian_integral, overlapping
from dvae_ref.theory.boltzmann import energy
from validation.breaks import small
from validation.breaks.theory import log_det_held, negative, scaled
from validation.sabotage import Break, around, breaks, instead

# -- population annealing


def opposite_weights(original, log_w, *rest):
    return original(-np.asarray(log_w), *rest)


def sweeps_first(original, key, state, rbm, log_w, sweeps, backend):
    """Replicas swept at the new machine, then resampled by the weights of where they have come.

    (By those that they had before it would be no mistake: E[w(z) f(z')] = Z' / Z E'[f] for z' swept from z.)
    """
    chains = gibbs.sweep(key, state.chains, rbm, sweeps)
    log_w = energy(state.rbm, chains.z) - energy(rbm, chains.z)
    return original(key, state._replace(chains=chains), rbm, log_w, 0, backend)


def families_stay(original, key, state, *rest):
    return original(key, state, *rest)._replace(families=state.families)


def mean_of_logs(original, log_w):
    return float(np.mean(log_w))


def own_schedule(original, schedule):
    """Temperatures chosen by the replicas that estimate."""
    return pa._adaptive(pa.OVERLAP_ANNEAL, 10_000)


def right_sides_alone(original, chains, *rest):
    """Left sides, from which a sweep begins, stay where they are."""
    return original(chains, *rest)._replace(left=chains.left)


# -- the float32 gradient


def without_batch_mean(original, d_y, cache):
    """d_x of batch norm as if the mean and the variance did not move with x; where arrays are float32."""
    d_norm, d_x = original(d_y, cache)
    if d_y.dtype != np.float32:
        return d_norm, d_x
    norm, y = cache
    return d_norm, layers.tanh_backward(d_y, y) * (norm.scale * norm.inverse_std)


def larger_d_w(original, d_log_p, cache, **options):
    """dW of Eq. 5 1% too large, where arrays are float32."""
    rbm, d_b = original(d_log_p, cache, **options)
    factor = np.float32(1.01) if d_log_p.dtype == np.float32 else 1
    return rbm._replace(W=rbm.W * factor), d_b


def mean_over_samples(original, d_sample, cache, *, posterior):
    """The encoder's gradient over K."""
    found, extra = original(d_sample, cache, posterior=posterior)
    shrink = np.float32(1 / cache.k)
    return tree.map(lambda a: a * shrink, found), extra


def of_the_first_sample(original, d_y, cache):
    """What x has to do with a later group's first layer, by one of K samples."""
    found, (_, x, _) = original(d_y, cache), cache
    k = len(d_y) // len(x)
    if k > 1:
        found.kernel[: x.shape[1]] = x.T @ d_y[::k]
    return found


def share_alone(original, values):
    """Each share normalised by its own mean and variance."""
    return values


def larger_d_s(original, self, d_beta, extra):
    return type(extra)(1.15 * original(self, d_beta, extra).s)


# -- the update


def without_bias_correction(original, *trees, iteration, learning_rate, beta1=0.9, beta2=0.999, **rest):
    rate = learning_rate * (1 - beta1**iteration) / np.sqrt(1 - beta2**iteration)
    return original(*trees, iteration=iteration, learning_rate=rate, beta1=beta1, beta2=beta2, **rest)


def corrected_root(original, *trees, iteration, beta2=0.999, epsilon=1e-3, **rest):
    """epsilon beside sqrt(v / (1 - beta2^t)), as PyTorch has it."""
    epsilon = epsilon * np.sqrt(1 - beta2**iteration)
    return original(*trees, iteration=iteration, beta2=beta2, epsilon=epsilon, **rest)


def decoupled_decay(original, params, gradient, state, *, learning_rate, decay=0.0, **rest):
    """AdamW: weights shrink beside the step."""
    moved, state = original(params, gradient, state, learning_rate=learning_rate, decay=0.0, **rest)
    shrink = optimizer.weight_decay(moved, moved, -learning_rate * decay)
    return shrink, state


def everything_decays(original, names):
    return (True,) * len(names)


def swapped_momentum(original, moving, batch):
    return original(batch, moving)


def later_warm_up(original, iteration, total, fraction=0.3):
    return original(iteration, total, min(2 * fraction, 1))


# -- evaluation


def one_noise(original, key, indices, samples, latents):
    return original(key, [0] * len(indices), samples, latents)


def first_parts(original, log_w, parts):
    """K / 16 samples for K / 16: the first ones, not the mean over sixteen parts."""
    return original(log_w[:, : log_w.shape[1] // parts], 1)


def without_moving_mean(original, dense, norm, averages):
    return original(dense, norm, averages._replace(mean=0 * averages.mean))


def without_mean_image(original, params, statistics, z):
    gray = np.full_like(statistics.mean_x, 0.5)
    return original(params, statistics._replace(mean_x=gray), z)


def other_side(original, logit_q, u):
    return original(logit_q, 1 - u)


# -- rare units, and weights that rounding loses


def swept_plainly(name, attribute, value, target=gibbs):
    """A break of the NumPy form, in place of the compiled one."""
    sweep = (gibbs, "sweep", around(plain_sweep))
    return Break(name, "gibbs", (sweep, (target, attribute, instead(value))), {"only": "tails"})


def plain_sweep(original, key, chains, rbm, sweeps, *_):
    return gibbs.sweep_reference(key, chains, rbm, sweeps)


def nothing(original, *given):
    return 0 * original(*given)


# -- trade-offs


def equal_weights(original, d_bound, weights):
    return original(d_bound, np.full_like(weights, 1 / weights.shape[1]))


def mean_of_terms(original, log_w):
    return log_w.mean(1), np.full_like(log_w, 1 / log_w.shape[1])


def without_entropy(original, rbm, b, sweeps=5):
    """-E^(m) for H(m) - E^(m)."""
    value, cache = original(rbm, b, sweeps)
    m = 1 / (1 + np.exp(-cache.logit_m))
    return value + np.sum(m * np.log(m) + (1 - m) * np.log(1 - m), 1), cache


def training(baseline, groups, k):
    return functools.partial(breaks, "training", cells=((baseline, groups, k),))


power, iw, gi = training("dvaes_power", 1, 1), training("dvaes_power", 2, 5), training("dvaes_gi", 1, 1)
annealing = functools.partial(breaks, "population")
update = functools.partial(breaks, "adam")
measuring = functools.partial(breaks, "evaluation")
noisy = functools.partial(breaks, "signal_to_noise", baselines=("dvaes_exp",))
ASKED = [  # by name, in the issue that asked for proof of what trains
    annealing("PA: weights of the wrong sign", population, "systematic", opposite_weights),
    annealing("PA: sweeps before resampling", replicas, "resample_and_sweep", sweeps_first),
    power("float32: batch norm, its mean held", layers, "batch_norm_tanh_backward", without_batch_mean),
    power("float32: dW of Eq. 5 1% too large", overlapping, "log_p_backward", larger_d_w),
    update("Adam without bias correction", optimizer, "update", without_bias_correction),
    update("moving averages: momentum swapped", layers, "update_averages", swapped_momentum),
    measuring("one noise for all images", evaluation, "_noise", one_noise),
    measuring("error over images halved", evaluation, "standard_error", scaled(0.5)),
    Break("lam: margin 5 -> 0.01", "gaussian_integral", ((gaussian_integral, "MARGIN", instead(0.01)),)),
    breaks("ais", "AIS: sign of the rounding correction", paths, "correction", negative),
    swept_plainly("Gibbs: fields clamped at 12", "FIELD_MAX", np.float32(12), scalars),
    measuring("mean image left out of decode_discrete", autoencoder, "decode_discrete", without_mean_image),
    gi("gradient in the shifted Gaussian's spread 15% too large", ShiftedGaussian, "d_s", larger_d_s),
    iw("encoder's gradient averaged over K samples", networks, "encode_backward", mean_over_samples),
    swept_plainly("Gibbs: one of a draw's two counters used twice", "fine_words", philox.coarse_words),
]
OTHERS = [
    annealing("PA: families stay where they were", replicas, "resample_and_sweep", families_stay),
    annealing("PA: mean of logs for log of the mean", population, "log_mean_exp", mean_of_logs),
    annealing("PA: temperatures chosen by the replicas that estimate", pa, "_given", own_schedule),
    annealing("PA: right sides alone are resampled", population, "gather", right_sides_alone),
    iw("float32: each share normalised by itself", team, "mean", share_alone),
    iw("float32: x's weights moved by the first of K samples", layers, "dense_gradient", of_the_first_sample),
    gi("float32, Eq. 7: no gradient of the determinant", gaussian_integral, "_log_det", log_det_held),
    update("Adam: epsilon beside the corrected root", optimizer, "update", corrected_root),
    update("Adam: decay decoupled (AdamW)", optimizer, "update", decoupled_decay),
    update("Adam: biases decay, too", optimizer, "_decayed", everything_decays),
    update("KL warm-up twice as long", optimizer, "warm_up", later_warm_up),
    measuring("K / 16: the first samples alone", evaluation, "in_parts", first_parts),
    measuring("evaluation: batch norm without the moving mean", layers, "folded", without_moving_mean),
    measuring("evaluation: z = 1 for u > q", layers, "draw_binary", other_side),
    breaks("ais", "AIS: no rounding correction", paths, "correction", nothing),
]
TRADE_OFFS = [
    noisy("signal to noise: equal weights", bounds, "backward", equal_weights),
    noisy("signal to noise: mean of logs for log of the mean", bounds, "importance_weighted", mean_of_terms),
    breaks("relaxation_gap", "F without its entropy", overlapping, "log_p", without_entropy),
    breaks("relaxation_gap", "L_4000: mean of logs for log of the mean", bounds, "importance_weighted", mean_of_terms),
]
BREAKS = ASKED + OTHERS + TRADE_OFFS + small.BREAKS
