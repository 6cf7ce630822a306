"""Mistakes in the networks of whole models: what they are given, and what a unit does.

Right are [x - mean_x, zeta of all earlier groups] at an encoder, zeta at the decoder, whose logits have logit(mean_x)
added, and tanh. In training the first layer's batch norm takes a constant away, so that x - mean_x and x are the same
in networks with hidden layers; in the linear ones they are not.

Other inputs make another model and no crash: a group that does not see the ones before it is a factorial q, a decoder
of q a deterministic autoencoder, whose likelihood is no bound of log p(x).
"""

import numpy as np

from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY, NONLINEAR
from dvae_ref.conformance.mistakes.registry import mistake, replaced
from dvae_ref.model import autoencoder, layers, networks
from dvae_ref.theory.elementary import sigmoid

SEVERAL = ("objective_*_2nonlin_*", "objective_*_4nonlin_*")


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
    """`networks`, in whose place it stands, but that the decoder is given q(z=1|x) in the place of zeta."""

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
