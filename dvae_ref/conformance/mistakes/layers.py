"""Mistakes in the layers of whole models: batch norm, what networks are given, the likelihood."""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.model import autoencoder, layers, networks
from dvae_ref.theory.elementary import sigmoid

NONLINEAR = ("objective_*nonlin_*",)
SEVERAL = ("objective_*_2nonlin_*", "objective_*_4nonlin_*")
OWN = "own_networks_*"
KERNELS = (".dense.kernel", ".out.kernel")


def with_variance(change):
    """batch_norm with change(variance, rows) for the variance and its 0.01, and its backward."""

    def forward(params, x):
        mean, variance = x.mean(0), x.var(0)
        inverse_std = change(variance, len(x))
        normed = (x - mean) * inverse_std
        cache = layers.BatchNormCache(normed, params.scale, inverse_std, layers.Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    return forward


def rescaled(shrink):
    """A backward in which what moves the variance counts shrink(cache) times: the derivative of another inverse std."""

    def backward(d_y, cache):
        normed, scale, inverse_std, _ = cache
        d_scale, d_offset = np.sum(d_y * normed, 0), d_y.sum(0)
        moved = d_y - d_offset / len(d_y) - normed * d_scale / len(d_y) * shrink(cache, len(d_y))
        return layers.BatchNorm(d_scale, d_offset), moved * (scale * inverse_std)

    return backward


def as_it_is(cache, rows):
    return 1.0


def normed_by(case, change, shrink=as_it_is):
    with replaced(layers, batch_norm=with_variance(change), batch_norm_backward=rescaled(shrink)):
        return case.again()


@mistake("batch norm divides by rows - 1: the unbiased variance", *NONLINEAR)
def unbiased_variance(case):
    """What depends on x alone has a row an image, or, as with most, a row a sample."""
    samples = len(case.inputs["zeta"])
    return closest(case, [unbiased(case, lambda rows: samples), unbiased(case, lambda rows: rows)])


def unbiased(case, number):
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


@mistake("0.01 is added to the standard deviation, not to the variance", *NONLINEAR)
def outside_the_root(case):
    def inverse(variance, rows):
        return 1 / (np.sqrt(variance) + layers.BATCH_NORM_EPSILON)

    return normed_by(case, inverse, lambda cache, rows: 1 / (cache.inverse_std * np.sqrt(cache.batch.variance)))


@mistake("batch norm's mean and variance are held fixed in the gradient", *NONLINEAR)
def fixed_statistics(case):
    def backward(d_y, cache):
        normed, scale, inverse_std, _ = cache
        return layers.BatchNorm(np.sum(d_y * normed, 0), d_y.sum(0)), d_y * (scale * inverse_std)

    with replaced(layers, batch_norm_backward=backward):
        return case.again()


@mistake("there is no batch norm: scale x + offset alone", *NONLINEAR)
def without_batch_norm(case):
    def forward(params, x):
        cache = layers.BatchNormCache(x, params.scale, np.ones(x.shape[1]), layers.Averages(x.mean(0), x.var(0)))
        return x * params.scale + params.offset, cache

    def backward(d_y, cache):
        return layers.BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * cache.scale

    with replaced(layers, batch_norm=forward, batch_norm_backward=backward):
        return case.again()


# -- what a network is given -------------------------------------------------------------------------------------------


def first_layer(case, network):
    """The name of a network's first kernel."""
    names = (f"{network}.hidden.0.dense.kernel", f"{network}.out.kernel")
    return next(name for name in names if name in case.inputs)


def given(case, change, networks):
    """With change(kernel, pixels, number of the network) for the first kernels: inputs times a matrix, which the
    gradient is taken by as well."""
    pixels = case.inputs["x"].shape[1]
    matrices = {}
    for n, network in enumerate(networks):
        name = first_layer(case, network)
        matrices[name] = change(len(case.inputs[name]), pixels, n)
    found = case.again({name: matrix @ case.inputs[name] for name, matrix in matrices.items()})
    return found | {f"d_{name}": matrix.T @ found[f"d_{name}"] for name, matrix in matrices.items()}


def encoders(case):
    return [f"encoder.{g}" for g in range(len(case.inputs)) if f"encoder.{g}.out.kernel" in case.inputs]


@mistake("later groups see x alone, not zeta of the groups before", *SEVERAL)
def independent_groups(case):
    return given(case, lambda rows, pixels, g: np.diag(1.0 * (np.arange(rows) < pixels)), encoders(case))


@mistake("each group sees the group before it alone, not all", "objective_*_4nonlin_*")
def chain_of_groups(case):
    size = len(case.inputs["rbm.a"]) // len(encoders(case))

    def seen(rows, pixels, g):
        unit = np.arange(rows) - pixels
        return np.diag(1.0 * ((unit < 0) | (unit >= (g - 1) * size)))

    return given(case, seen, encoders(case))


@mistake("later groups see [zeta, x], not [x, zeta]", *SEVERAL)
def zeta_first(case):
    return given(case, lambda rows, pixels, g: np.roll(np.eye(rows), rows - pixels, 1), encoders(case))


@mistake("the encoder sees 2 x - 1, not x - mean_x", *NONLINEAR)
def doubled_x(case):
    """Batch norm takes the constant away."""
    return given(case, lambda rows, pixels, g: np.diag(1.0 + (np.arange(rows) < pixels)), encoders(case))


@mistake("the decoder sees 2 zeta - 1", *NONLINEAR)
def doubled_zeta(case):
    return given(case, lambda rows, pixels, g: 2 * np.eye(rows), ["decoder"])


@mistake("max(x, 0) in place of tanh", *NONLINEAR, DISCRETE)
def rectified(case):
    return activated(case, lambda x: np.maximum(x, 0), lambda y: y > 0)


@mistake("sigmoid in place of tanh", *NONLINEAR, DISCRETE)
def sigmoid_units(case):
    return activated(case, sigmoid, lambda y: y * (1 - y))


def activated(case, function, slope):
    """With another function in the place of tanh, and its slope in terms of its value."""

    def forward(x):
        return function(x), function(x)

    def backward(d_y, y):
        return d_y * slope(y)

    def evaluate(params, moving, x, zeta=None):
        for layer, averages in zip(params.hidden, moving, strict=True):
            y, _ = layers.dense(layers.folded(*layer, averages), x, zeta)
            x, zeta = function(y), None
        return x, zeta

    with replaced(layers, tanh=forward, tanh_backward=backward), replaced(networks, hidden_evaluate=evaluate):
        return case.again()


@mistake("layer norm in place of batch norm: mean and variance over the units of a row", *NONLINEAR, DISCRETE)
def layer_norm(case):
    """With 0.01 added to the variance, or PyTorch's 1e-5, or Keras's 1e-3."""
    return closest(case, [normed_by_row(case, epsilon) for epsilon in (layers.BATCH_NORM_EPSILON, 1e-5, 1e-3)])


def normed_by_row(case, epsilon):
    def forward(params, x):
        mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        inverse_std = 1 / np.sqrt(variance + epsilon)
        normed = (x - mean) * inverse_std
        cache = layers.BatchNormCache(normed, params.scale, inverse_std, layers.Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    def backward(d_y, cache):
        normed, scale, inverse_std, _ = cache
        d = d_y * scale
        moved = d - d.mean(1, keepdims=True) - normed * np.mean(d * normed, 1, keepdims=True)
        return layers.BatchNorm(np.sum(d_y * normed, 0), d_y.sum(0)), moved * inverse_std

    with (
        replaced(layers, batch_norm=forward, batch_norm_backward=backward),
        replaced(networks, hidden_evaluate=trained),
    ):
        return case.again()


def trained(params, moving, x, zeta=None):
    """networks.hidden_evaluate as in training: without the moving averages."""
    out = networks.network(params, x, zeta)[1].out
    return out.x, out.zeta


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
    with replaced(autoencoder, networks=DecoderOfQ()):
        return case.again()


def shifted(case, network, factor, constant):
    """With factor times the first inputs of a network and a constant added, in a first layer without batch norm."""
    kernel, bias = (f"{network}.out.{part}" for part in ("kernel", "bias"))
    rows = slice(0, len(constant))
    W = case.inputs[kernel].copy()
    moved = case.inputs[bias] + constant @ W[rows]
    W[rows] *= factor
    found = case.again({kernel: W, bias: moved})
    slope = found[f"d_{kernel}"].copy()
    slope[rows] = factor * slope[rows] + constant[:, None] * found[f"d_{bias}"]
    return found | {f"d_{kernel}": slope}


@mistake("the encoder sees x, not x - mean_x", "objective_*_1lin_*")
def plain_x(case):
    return shifted(case, "encoder.0", 1.0, case.inputs["mean_x"])


@mistake("the encoder sees 2 x - 1, not x - mean_x", "objective_*_1lin_*")
def signed_x(case):
    return shifted(case, "encoder.0", 2.0, 2 * case.inputs["mean_x"] - 1)


@mistake("the decoder sees 2 zeta - 1", "objective_*_1lin_*")
def signed_zeta(case):
    return shifted(case, "decoder", 2.0, -np.ones(len(case.inputs["rbm.a"])))


# -- the likelihood ----------------------------------------------------------------------------------------------------


@mistake("logit(mean_x) is subtracted from the decoder's logits, not added", EVERY, DISCRETE)
def opposite_output_bias(case):
    bias = case.inputs["decoder.out.bias"] - 2 * autoencoder.output_bias(case.inputs["mean_x"])
    return case.again({"decoder.out.bias": bias})


def with_likelihood(case, value, slope):
    """log p(x|zeta) = sum value(x, p), its derivative in the logits slope(x, p)."""

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
    most = np.log1p(-least) - np.log(least)

    def value(x, logits):  # 1 - (1 - 1e-7) is off 1e-7 by rounding, which they have too
        p = np.clip(sigmoid(logits), least, 1 - least)
        return x * np.log(p) + (1 - x) * np.log(1 - p)

    return with_likelihood(case, value, lambda x, logits: (x - sigmoid(logits)) * (np.abs(logits) < most))


@mistake("a guard is added inside the logarithms of p(x|zeta)", EVERY, OWN, read_off=True)
def guarded_likelihood(case):
    return closest(case, [guarded_by(case, guard) for guard in (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-12)])


def guarded_by(case, guard):
    def value(x, logits):
        p = sigmoid(logits)
        return x * np.log(p + guard) + (1 - x) * np.log(1 - p + guard)

    def slope(x, logits):
        p, rest = sigmoid(logits), sigmoid(-logits)
        return p * rest * (x / (p + guard) - (1 - x) / (rest + guard))

    return with_likelihood(case, value, slope)


@mistake("the squared error in place of log p(x|zeta)", EVERY, OWN, read_off=True)
def squared_error(case):
    factors = [functools.partial(squared_by, case, factor) for factor in (1.0, 0.5)]
    return closest(case, [factor() for factor in factors])


def squared_by(case, factor):
    def value(x, logits):
        return -factor * (x - sigmoid(logits)) ** 2

    def slope(x, logits):
        return 2 * factor * (x - sigmoid(logits)) * sigmoid(logits) * sigmoid(-logits)

    return with_likelihood(case, value, slope)
