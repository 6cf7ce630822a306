"""Breaks of what trains and measures: the thirty that the claims on easy machines and float64 let pass, or might."""

import functools

import numpy as np

from dvae_ref.fast import scalars, team
from dvae_ref.model import autoencoder, layers, networks
from dvae_ref.model.posteriors import ShiftedGaussian
from dvae_ref.runs import evaluation, optimizer
from dvae_ref.sampling import gibbs, paths, philox, population, replicas
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory import bounds, gaussian_integral, overlapping
from dvae_ref.theory.boltzmann import energy
from validation.breaks.theory import scaled
from validation.sabotage import Break, breaks

# -- population annealing


def opposite_weights(original):
    return lambda log_w, *rest: original(-np.asarray(log_w), *rest)


def sweeps_first(original):
    """Replicas swept at the new machine, then resampled by the weights of where they have come.

    (By those that they had before it would be no mistake: E[w(z) f(z')] = Z' / Z E'[f] for z' swept from z.)
    """

    def resample_and_sweep(key, state, rbm, log_w, sweeps, backend):
        chains = gibbs.sweep(key, state.chains, rbm, sweeps)
        log_w = energy(state.rbm, chains.z) - energy(rbm, chains.z)
        return original(key, state._replace(chains=chains), rbm, log_w, 0, backend)

    return resample_and_sweep


def families_stay(original):
    return lambda key, state, *rest: original(key, state, *rest)._replace(families=state.families)


def mean_of_logs(original):
    return lambda log_w: float(np.mean(log_w))


def own_schedule(original):
    """Temperatures chosen by the replicas that estimate."""
    return lambda schedule: pa._adaptive(pa.OVERLAP_ANNEAL, 10_000)


def right_sides_alone(original):
    """Left sides, from which a sweep begins, stay where they are."""
    return lambda chains, *rest: original(chains, *rest)._replace(left=chains.left)


# -- the float32 gradient


def in_float32(change):
    """The change, where arrays are float32."""

    def broken(original):
        def function(d, cache, *rest, **options):
            found = original(d, cache, *rest, **options)
            return change(found, d, cache) if d.dtype == np.float32 else found

        return function

    return broken


def without_batch_mean(found, d_y, cache):
    """d_x of batch norm as if the mean and the variance did not move with x."""
    norm, y = cache
    return found[0], layers.tanh_backward(d_y, y) * (norm.scale * norm.inverse_std)


def larger_d_w(found, d, cache):
    rbm, d_b = found
    return rbm._replace(W=rbm.W * np.float32(1.01)), d_b


def mean_over_samples(original):
    """The encoder's gradient over K."""

    def backward(d_sample, cache, *, posterior):
        found, extra = original(d_sample, cache, posterior=posterior)
        shrink = np.float32(1 / cache.k)
        return tuple(autoencoder.tree.map(lambda a: a * shrink, net) for net in found), extra

    return backward


def of_the_first_sample(original):
    """What x has to do with a later group's first layer, by one of K samples."""

    def gradient(d_y, cache):
        found, (_, x, _) = original(d_y, cache), cache
        k = len(d_y) // len(x)
        if k > 1:
            found.kernel[: x.shape[1]] = x.T @ d_y[::k]
        return found

    return gradient


def share_alone(original):
    """Each share normalised by its own mean and variance."""
    return lambda values: values


def larger_d_s(original):
    def d_s(self, d_beta, extra):
        return type(extra)(1.15 * original(self, d_beta, extra).s)

    return d_s


def without_log_det(original):
    def log_det(rbm, lam):
        value, gradient = original(rbm, lam)
        return value, 0 * gradient

    return log_det


# -- the update


def without_bias_correction(original):
    def update(*trees, iteration, learning_rate, beta1=0.9, beta2=0.999, **rest):
        rate = learning_rate * (1 - beta1**iteration) / np.sqrt(1 - beta2**iteration)
        return original(*trees, iteration=iteration, learning_rate=rate, beta1=beta1, beta2=beta2, **rest)

    return update


def corrected_root(original):
    """epsilon beside sqrt(v / (1 - beta2^t)), as PyTorch has it."""

    def update(*trees, iteration, beta2=0.999, epsilon=1e-3, **rest):
        epsilon = epsilon * np.sqrt(1 - beta2**iteration)
        return original(*trees, iteration=iteration, beta2=beta2, epsilon=epsilon, **rest)

    return update


def decoupled_decay(original):
    """AdamW: weights shrink beside the step."""

    def update(params, gradient, state, *, learning_rate, decay=0.0, **rest):
        moved, state = original(params, gradient, state, learning_rate=learning_rate, decay=0.0, **rest)
        shrink = optimizer.weight_decay(moved, moved, -learning_rate * decay)
        return shrink, state

    return update


def everything_decays(original):
    return lambda names: tuple(True for _ in names)


def swapped_momentum(original):
    return lambda moving, batch: original(batch, moving)


def later_warm_up(original):
    return lambda iteration, total, fraction=0.3: original(iteration, total, min(2 * fraction, 1))


# -- evaluation


def one_noise(original):
    return lambda key, indices, samples, latents: original(key, [0] * len(indices), samples, latents)


def first_parts(original):
    """K / 16 samples for K / 16: the first ones, not the mean over sixteen parts."""
    return lambda log_w, parts: original(log_w[:, : log_w.shape[1] // parts], 1)


def without_moving_mean(original):
    return lambda dense, norm, averages: original(dense, norm, averages._replace(mean=0 * averages.mean))


def without_mean_image(original):
    return lambda params, statistics, z: original(
        params, statistics._replace(mean_x=np.full_like(statistics.mean_x, 0.5)), z
    )


def other_side(original):
    return lambda logit_q, u: original(logit_q, 1 - u)


# -- rare units, and weights that rounding loses


def swept_plainly(name, attribute, way, target=gibbs):
    """A break of the NumPy form, in place of the compiled one."""

    def plain(original):
        return lambda key, chains, rbm, sweeps, *_: gibbs.sweep_reference(key, chains, rbm, sweeps)

    return Break(name, "gibbs", ((gibbs, "sweep", plain), (target, attribute, way)), {"only": "tails"})


def wrong_sign(original):
    return lambda *given: -original(*given)


def nothing(original):
    return lambda *given: 0 * original(*given)


def training(baseline, groups, k):
    return functools.partial(breaks, "training", cells=((baseline, groups, k),))


power, iw, gi = training("dvaes_power", 1, 1), training("dvaes_power", 2, 5), training("dvaes_gi", 1, 1)
annealing = functools.partial(breaks, "population")
update, measuring = functools.partial(breaks, "adam"), functools.partial(breaks, "evaluation")
ASKED = (  # by name, in the issue that asked for proof of what trains
    *annealing(population, "systematic", {"PA: weights of the wrong sign": opposite_weights}),
    *annealing(replicas, "resample_and_sweep", {"PA: sweeps before resampling": sweeps_first}),
    *power(layers, "batch_norm_tanh_backward", {"float32: batch norm, its mean held": in_float32(without_batch_mean)}),
    *power(overlapping, "log_p_backward", {"float32: dW of Eq. 5 1% too large": in_float32(larger_d_w)}),
    *update(optimizer, "update", {"Adam without bias correction": without_bias_correction}),
    *update(layers, "update_averages", {"moving averages: momentum swapped": swapped_momentum}),
    *measuring(evaluation, "_noise", {"one noise for all images": one_noise}),
    *measuring(evaluation, "standard_error", {"error over images halved": scaled(0.5)}),
    *breaks("gaussian_integral", gaussian_integral, "MARGIN", {"lam: margin 5 -> 0.01": lambda margin: 0.01}),
    *breaks("ais", paths, "correction", {"AIS: sign of the rounding correction": wrong_sign}),
    swept_plainly("Gibbs: fields clamped at 12", "FIELD_MAX", lambda most: np.float32(12), scalars),
    *measuring(autoencoder, "decode_discrete", {"mean image left out of decode_discrete": without_mean_image}),
    *gi(ShiftedGaussian, "d_s", {"gradient in the shifted Gaussian's spread 15% too large": larger_d_s}),
    *iw(networks, "encode_backward", {"encoder's gradient averaged over K samples": mean_over_samples}),
    swept_plainly("Gibbs: one of a draw's two counters used twice", "fine_words", lambda words: philox.coarse_words),
)
OTHERS = (
    *annealing(replicas, "resample_and_sweep", {"PA: families stay where they were": families_stay}),
    *annealing(population, "log_mean_exp", {"PA: mean of logs for log of the mean": mean_of_logs}),
    *annealing(pa, "_given", {"PA: temperatures chosen by the replicas that estimate": own_schedule}),
    *annealing(population, "gather", {"PA: right sides alone are resampled": right_sides_alone}),
    *iw(team, "mean", {"float32: each share normalised by itself": share_alone}),
    *iw(layers, "dense_gradient", {"float32: x's weights moved by the first of K samples": of_the_first_sample}),
    *gi(gaussian_integral, "_log_det", {"float32, Eq. 7: no gradient of the determinant": without_log_det}),
    *update(optimizer, "update", {"Adam: epsilon beside the corrected root": corrected_root}),
    *update(optimizer, "update", {"Adam: decay decoupled (AdamW)": decoupled_decay}),
    *update(optimizer, "_decayed", {"Adam: biases decay, too": everything_decays}),
    *update(optimizer, "warm_up", {"KL warm-up twice as long": later_warm_up}),
    *measuring(evaluation, "in_parts", {"K / 16: the first samples alone": first_parts}),
    *measuring(layers, "folded", {"evaluation: batch norm without the moving mean": without_moving_mean}),
    *measuring(layers, "draw_binary", {"evaluation: z = 1 for u > q": other_side}),
    *breaks("ais", paths, "correction", {"AIS: no rounding correction": nothing}),
)


def equal_weights(original):
    return lambda d_bound, weights: original(d_bound, np.full_like(weights, 1 / weights.shape[1]))


def mean_of_terms(original):
    return lambda log_w: (log_w.mean(1), np.full_like(log_w, 1 / log_w.shape[1]))


def without_entropy(original):
    """-E^(m) for H(m) - E^(m)."""

    def log_p(rbm, b, sweeps=5):
        value, cache = original(rbm, b, sweeps)
        m = 1 / (1 + np.exp(-cache.logit_m))
        return value + np.sum(m * np.log(m) + (1 - m) * np.log(1 - m), 1), cache

    return log_p


noisy = functools.partial(breaks, "signal_to_noise", baselines=("dvaes_exp",))
TRADE_OFFS = (
    *noisy(bounds, "backward", {"signal to noise: equal weights": equal_weights}),
    *noisy(bounds, "importance_weighted", {"signal to noise: mean of logs for log of the mean": mean_of_terms}),
    *breaks("relaxation_gap", overlapping, "log_p", {"F without its entropy": without_entropy}),
    *breaks(
        "relaxation_gap", bounds, "importance_weighted", {"L_4000: mean of logs for log of the mean": mean_of_terms}
    ),
)
BREAKS = (*ASKED, *OTHERS, *TRADE_OFFS)
