"""Mistakes in the layers of whole models: batch norm, what networks are given, the likelihood."""

import numpy as np

from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.model import autoencoder, layers, networks
from dvae_ref.model.layers import Averages, BatchNorm, BatchNormCache
from dvae_ref.theory.elementary import sigmoid

NONLINEAR = "objective_*nonlin_*"
SEVERAL = ("objective_*_2nonlin_*", "objective_*_4nonlin_*")
OWN = "own_networks_*"


# -- batch norm --------------------------------------------------------------------------------------------------------


def with_variance(change):
    """batch_norm with change(variance, rows) for 1 / sqrt(variance + 0.01)."""

    def forward(params, x):
        mean, variance = x.mean(0), x.var(0)
        inverse_std = change(variance, len(x))
        normed = (x - mean) * inverse_std
        cache = BatchNormCache(normed, params.scale, inverse_std, Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    return forward


def rescaled(shrink):
    """A backward in which what moves the variance counts shrink(cache, rows) times: the derivative of another inverse
    std."""

    def backward(d_y, cache):
        rows, (normed, scale, inverse_std, _) = len(d_y), cache
        d_scale, d_offset = np.sum(d_y * normed, 0), d_y.sum(0)
        moved = d_y - d_offset / rows - normed * d_scale / rows * shrink(cache, rows)
        return BatchNorm(d_scale, d_offset), moved * (scale * inverse_std)

    return backward


def normed_by(case, change, shrink):
    """The outputs with another normalisation, forward and backward."""
    with replaced(layers, batch_norm=with_variance(change), batch_norm_backward=rescaled(shrink)):
        return case.again()


@mistake("batch norm divides by rows - 1: the unbiased variance", NONLINEAR)
def unbiased_variance(case):
    """What depends on x alone has a row an image, or, as with most, a row a sample."""
    samples = len(case.inputs["zeta"])
    return closest(case, [unbiased(case, lambda rows: samples), unbiased(case, lambda rows: rows)])


def unbiased(case, number):
    """sum (x - mean)^2 / (n - 1), n = number(rows)."""

    def factor(rows):
        return number(rows) / (number(rows) - 1)

    def inverse(variance, rows):
        return (variance * factor(rows) + layers.BATCH_NORM_EPSILON) ** -0.5

    return normed_by(case, inverse, lambda cache, rows: factor(rows))


@mistake("batch norm adds another number to the variance, not 0.01", EVERY, DISCRETE, read_off=True)
def other_epsilon(case):
    """1e-3 is Keras's."""
    found = []
    for epsilon in (1e-3, 1e-8, 1e-6, 1e-4, 0.1, 0.0):
        with replaced(layers, BATCH_NORM_EPSILON=epsilon):
            found.append(case.again())
    return closest(case, found)


@mistake("0.01 is added to the standard deviation, not to the variance", NONLINEAR)
def outside_the_root(case):
    """1 / (sqrt(variance) + 0.01)."""

    def inverse(variance, rows):
        return 1 / (np.sqrt(variance) + layers.BATCH_NORM_EPSILON)

    def shrink(cache, rows):
        return 1 / (cache.inverse_std * np.sqrt(cache.batch.variance))

    return normed_by(case, inverse, shrink)


@mistake("batch norm's mean and variance are held fixed in the gradient", NONLINEAR)
def fixed_statistics(case):
    """d_x = d_y scale / std alone."""

    def backward(d_y, cache):
        return BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * (cache.scale * cache.inverse_std)

    with replaced(layers, batch_norm_backward=backward):
        return case.again()


@mistake("there is no batch norm: scale x + offset alone", NONLINEAR)
def without_batch_norm(case):
    """The layer's own scale and offset, mean 0 and variance 1 for the batch's."""

    def forward(params, x):
        cache = BatchNormCache(x, params.scale, np.ones(x.shape[1]), Averages(x.mean(0), x.var(0)))
        return x * params.scale + params.offset, cache

    def backward(d_y, cache):
        return BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * cache.scale

    with replaced(layers, batch_norm=forward, batch_norm_backward=backward):
        return case.again()


@mistake("layer norm in place of batch norm: mean and variance over the units of a row", NONLINEAR, DISCRETE)
def layer_norm(case):
    """With 0.01 added to the variance, or PyTorch's 1e-5, or Keras's 1e-3."""
    return closest(case, [normed_by_row(case, epsilon) for epsilon in (layers.BATCH_NORM_EPSILON, 1e-5, 1e-3)])


def normed_by_row(case, epsilon):
    """scale (x - mean) / sqrt(variance + epsilon) + offset with a row's own mean and variance."""

    def forward(params, x):
        mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        inverse_std = 1 / np.sqrt(variance + epsilon)
        normed = (x - mean) * inverse_std
        cache = BatchNormCache(normed, params.scale, inverse_std, Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    def backward(d_y, cache):
        normed, d = cache.normed, d_y * cache.scale
        moved = d - d.mean(1, keepdims=True) - normed * np.mean(d * normed, 1, keepdims=True)
        return BatchNorm(np.sum(d_y * normed, 0), d_y.sum(0)), moved * cache.inverse_std

    normed = replaced(layers, batch_norm=forward, batch_norm_backward=backward)
    with normed, replaced(networks, hidden_evaluate=trained):
        return case.again()


def trained(params, moving, x, zeta=None):
    """networks.hidden_evaluate as in training: without the moving averages."""
    out = networks.network(params, x, zeta)[1].out
    return out.x, out.zeta


# -- what a network is given -------------------------------------------------------------------------------------------


def first_layer(case, network):
    """The name of a network's first kernel."""
    hidden = f"{network}.hidden.0.dense.kernel"
    return hidden if hidden in case.inputs else f"{network}.out.kernel"


def given(case, change, *numbered):
    """With other inputs to networks, each times a matrix: change(kernel's rows, pixels, number of the network).

    Inputs times a matrix are as if the first kernel were the matrix times itself; so is its gradient.
    """
    pixels, matrices = case.inputs["x"].shape[1], {}
    for n, network in enumerate(numbered):
        name = first_layer(case, network)
        matrices[name] = change(len(case.inputs[name]), pixels, n)
    found = case.again({name: matrix @ case.inputs[name] for name, matrix in matrices.items()})
    return found | {f"d_{name}": matrix.T @ found[f"d_{name}"] for name, matrix in matrices.items()}


def encoders(case):
    """The names of the groups' networks."""
    return [f"encoder.{g}" for g in range(len(case.inputs)) if f"encoder.{g}.out.kernel" in case.inputs]


@mistake("later groups see x alone, not zeta of the groups before", SEVERAL)
def independent_groups(case):
    """[x, 0] for [x, zeta]."""

    def of_x(rows, pixels, g):
        return np.diag(1.0 * (np.arange(rows) < pixels))

    return given(case, of_x, *encoders(case))


@mistake("each group sees the group before it alone, not all", "objective_*_4nonlin_*")
def chain_of_groups(case):
    """[x, 0, zeta_(g-1)] for [x, zeta_1, ..., zeta_(g-1)]."""
    size = len(case.inputs["rbm.a"]) // len(encoders(case))

    def seen(rows, pixels, g):
        unit = np.arange(rows) - pixels
        return np.diag(1.0 * ((unit < 0) | (unit >= (g - 1) * size)))

    return given(case, seen, *encoders(case))


@mistake("later groups see [zeta, x], not [x, zeta]", SEVERAL)
def zeta_first(case):
    """The rows of the kernel in another order."""

    def turned(rows, pixels, g):
        return np.roll(np.eye(rows), rows - pixels, 1)

    return given(case, turned, *encoders(case))


@mistake("the encoder sees 2 x - 1, not x - mean_x", NONLINEAR)
def doubled_x(case):
    """Batch norm takes the constant away."""

    def twice_x(rows, pixels, g):
        return np.diag(1.0 + (np.arange(rows) < pixels))

    return given(case, twice_x, *encoders(case))


@mistake("the decoder sees 2 zeta - 1", NONLINEAR)
def doubled_zeta(case):
    """Batch norm takes the constant away."""
    return given(case, lambda rows, pixels, g: 2 * np.eye(rows), "decoder")


def shifted(case, network, factor, constant):
    """With factor times the first inputs of a network and a constant added, in a first layer without batch norm."""
    kernel, bias, rows = f"{network}.out.kernel", f"{network}.out.bias", len(constant)
    W = case.inputs[kernel].copy()
    moved = case.inputs[bias] + constant @ W[:rows]
    W[:rows] *= factor
    found = case.again({kernel: W, bias: moved})
    slope = found[f"d_{kernel}"].copy()
    slope[:rows] = factor * slope[:rows] + np.outer(constant, found[f"d_{bias}"])
    return found | {f"d_{kernel}": slope}


@mistake("the encoder sees x, not x - mean_x", "objective_*_1lin_*")
def plain_x(case):
    """x - mean_x + mean_x."""
    return shifted(case, "encoder.0", 1.0, case.inputs["mean_x"])


@mistake("the encoder sees 2 x - 1, not x - mean_x", "objective_*_1lin_*")
def signed_x(case):
    """2 (x - mean_x) + 2 mean_x - 1."""
    return shifted(case, "encoder.0", 2.0, 2 * case.inputs["mean_x"] - 1)


@mistake("the decoder sees 2 zeta - 1", "objective_*_1lin_*")
def signed_zeta(case):
    """In the linear decoder the constant counts."""
    return shifted(case, "decoder", 2.0, -np.ones(len(case.inputs["rbm.a"])))


class DecoderOfQ:
    """`networks`, but that the decoder is given q(z=1|x) in the place of zeta."""

    def __getattr__(self, name):
        return getattr(networks, name)

    def encode(self, *arguments, **options):
        """The sample, which is kept."""
        self.sample, cache = networks.encode(*arguments, **options)
        return self.sample, cache

    def network(self, decoder, zeta):
        return networks.network(decoder, sigmoid(self.sample.logit_q))

    def network_backward(self, d_logits, cache, need_x):
        """The decoder's cotangent goes to q, and none to zeta."""
        d_decoder, self.d_q, _ = networks.network_backward(d_logits, cache, need_x=need_x)
        return d_decoder, np.zeros_like(self.d_q), None

    def encode_backward(self, d_sample, cache, posterior):
        logit_q = self.sample.logit_q
        d_logit_q = d_sample.logit_q + self.d_q * sigmoid(logit_q) * sigmoid(-logit_q)
        return networks.encode_backward(d_sample._replace(logit_q=d_logit_q), cache, posterior=posterior)


@mistake("the decoder sees q(z=1|x), not zeta", EVERY)
def decoder_of_q(case):
    """log p(x|q): the likelihood of the mean, whose gradient passes through q alone."""
    with replaced(autoencoder, networks=DecoderOfQ()):
        return case.again()


# -- what a unit does --------------------------------------------------------------------------------------------------


@mistake("max(x, 0) in place of tanh", NONLINEAR, DISCRETE)
def rectified(case):
    """Rectified linear units."""
    return activated(case, lambda x: np.maximum(x, 0), lambda y: y > 0)


@mistake("sigmoid in place of tanh", NONLINEAR, DISCRETE)
def sigmoid_units(case):
    """1 / (1 + e^-x)."""
    return activated(case, sigmoid, lambda y: y * (1 - y))


def activated(case, function, slope):
    """With another function in the place of tanh, and its slope in terms of its value."""

    def forward(x):
        return function(x), function(x)

    def backward(d_y, y):
        return d_y * slope(y)

    def evaluate(params, moving, x, zeta=None):
        for layer, averages in zip(params.hidden, moving, strict=True):
            y, _ = layers.dense(layers.folded(layer.dense, layer.norm, averages), x, zeta)
            x, zeta = function(y), None
        return x, zeta

    with replaced(layers, tanh=forward, tanh_backward=backward), replaced(networks, hidden_evaluate=evaluate):
        return case.again()


# -- the likelihood ----------------------------------------------------------------------------------------------------


@mistake("logit(mean_x) is subtracted from the decoder's logits, not added", EVERY, DISCRETE)
def opposite_output_bias(case):
    """The decoder's bias less twice logit(mean_x)."""
    bias = case.inputs["decoder.out.bias"] - 2 * autoencoder.output_bias(case.inputs["mean_x"])
    return case.again({"decoder.out.bias": bias})


def with_likelihood(case, value, slope):
    """log p(x|zeta) = sum over pixels of value(x, logits), its derivative in the logits slope(x, logits)."""

    def forward(x, logits):
        x = np.repeat(x, len(logits) // len(x), axis=0)
        return value(x, logits).sum(-1), (x, logits)

    def backward(d, cache):
        return d[:, None] * slope(*cache)

    with replaced(layers, bernoulli=forward, bernoulli_backward=backward):
        return case.again()


@mistake("p(x|zeta) is clipped away from 0 and 1", EVERY, OWN, read_off=True)
def clipped_likelihood(case):
    """At 1e-7 in Keras."""
    return closest(case, [clipped_at(case, least) for least in (1e-7, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3)])


def clipped_at(case, least):
    """x log p + (1 - x) log(1 - p) with p within [least, 1 - least], beyond which it does not move."""
    most = np.log1p(-least) - np.log(least)

    def value(x, logits):  # 1 - (1 - 1e-7) is off 1e-7 by rounding, which they have too
        p = np.clip(sigmoid(logits), least, 1 - least)
        return x * np.log(p) + (1 - x) * np.log(1 - p)

    def slope(x, logits):
        return (x - sigmoid(logits)) * (np.abs(logits) < most)

    return with_likelihood(case, value, slope)


@mistake("a guard is added inside the logarithms of p(x|zeta)", EVERY, OWN, read_off=True)
def guarded_likelihood(case):
    """1e-7 in many a loss."""
    return closest(case, [guarded_by(case, guard) for guard in (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-12)])


def guarded_by(case, guard):
    """x log(p + guard) + (1 - x) log(1 - p + guard)."""

    def value(x, logits):
        p = sigmoid(logits)
        return x * np.log(p + guard) + (1 - x) * np.log(1 - p + guard)

    def slope(x, logits):
        p, rest = sigmoid(logits), sigmoid(-logits)
        return p * rest * (x / (p + guard) - (1 - x) / (rest + guard))

    return with_likelihood(case, value, slope)


@mistake("the squared error in place of log p(x|zeta)", EVERY, OWN, read_off=True)
def squared_error(case):
    """With a 1/2, or without it."""
    return closest(case, [squared_by(case, factor) for factor in (1.0, 0.5)])


def squared_by(case, factor):
    """-factor (x - p)^2."""

    def value(x, logits):
        return -factor * (x - sigmoid(logits)) ** 2

    def slope(x, logits):
        return 2 * factor * (x - sigmoid(logits)) * sigmoid(logits) * sigmoid(-logits)

    return with_likelihood(case, value, slope)
