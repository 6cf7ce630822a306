"""Hard machines with exact answers: those on which annealing, and chains that walk, go wrong or might.

Each has a smaller side of at most 20 units, so that log Z, moments and samples follow from enumeration. All but the
first have modes that no walk connects at t = 1, or one that appears late in annealing and is then hard to find.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import comb, expit, softmax, softplus

from dvae_ref import exact
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM
from validation import oracles

JUMP = 2.0  # of a field in the first-order machine, from no unit of the left side to all 16
AHEAD = 5.0  # nats by which its frozen mode wins at t = 1
HOLE = 20.0  # weight of the golf hole's one unit
IN_HOLE = 0.9  # the share of its probability


class Machine(NamedTuple):
    """A named RBM, and what is hard about it."""

    name: str
    rbm: RBM
    about: str

    @property
    def log_z(self):
        """Exact, nats."""
        return exact.log_z(self.rbm)

    def samples(self, key, n):
        """Independent exact samples: (n, D), float64."""
        return exact.sample(philox.uniform(key, (n, 1 + max(self.rbm.W.shape)), np.float64), self.rbm)


def easy():
    rng = oracles.generator(0, "easy")
    rbm = oracles.random_rbm(rng, 20, 100, 0.35, bias=-0.6)
    return Machine("easy", rbm, "20 + 100 units, skewed couplings as training makes them: one broad mode")


def ferromagnet(tilt=0.0):
    """W = 0.45 + N(0, 0.02), a = tilt - 8 * 0.45 + N(0, 0.02): all 16 + 16 units are 0, or all are 1."""
    rng, coupling, spread = oracles.generator(0, "ferromagnet"), 0.45, 0.02
    W = coupling + spread * rng.standard_normal((16, 16))
    a = tilt - 8 * coupling + spread * rng.standard_normal(32)
    name, about = ("asymmetric ferromagnet", "unequal") if tilt else ("ferromagnet", "about equal")
    return Machine(name, RBM(a, W), f"16 + 16 units, two modes, {about}, that part at a critical temperature")


def first_order():
    """W = x / 16, a_left = -(200 (log(1 + e^x) - log 2) - 5) / 16, a_right = 0.

    With m of the 16 left units up, log p* is log C(16, m) + m a_left + 200 log(1 + e^(m x / 16)): at m = 16 it is 5
    above its value at m = 0.
    """
    a_left = -(200 * (np.logaddexp(0, JUMP) - np.log(2)) - AHEAD) / 16
    rbm = RBM(np.concatenate([np.full(16, a_left), np.zeros(200)]), np.full((16, 200), JUMP / 16))
    return Machine("first-order", rbm, "16 + 200 units; the mode that wins by 5 nats at t = 1 is e^-17 half-way")


def glass():
    """W = N(0, 0.6), and biases that let no unit prefer 0 or 1: a zero field in terms of spins +-1."""
    W = 0.6 * oracles.generator(0, "glass").standard_normal((20, 200))
    return Machine("glass", RBM(-np.concatenate([W.sum(1), W.sum(0)]) / 2, W), "20 + 200 units, no field, many modes")


def golf_hole():
    """40 units without biases and one that is up only when all are, W = 20.

    Its bias a = log(0.9 / 0.1) - 40 log((1 + e^20) / 2) makes Z = 2^40 (1 + 0.9 / 0.1).
    """
    a = np.log(IN_HOLE / (1 - IN_HOLE)) - 40 * (np.logaddexp(0, HOLE) - np.log(2))
    rbm = RBM(np.concatenate([np.zeros(40), [a]]), np.full((40, 1), HOLE))
    return Machine("golf hole", rbm, "40 + 1 units; one state of 2^40 has nine tenths of the probability")


def one_large_weight():
    """W = N(0, 1e-4) but for one of 200, whose two units have the biases -99 and -100: both are 1, or both 0."""
    W = 1e-4 * oracles.generator(0, "one large weight").standard_normal((16, 16))
    a = np.zeros(32)
    W[3, 5], a[3], a[16 + 5] = 200, -99, -100
    return Machine(
        "one large weight", RBM(a, W), "16 + 16 units, a weight of 200 beside 1e-4; two modes, e^-99 between"
    )


def machines():
    """All of them."""
    return (easy(), ferromagnet(), ferromagnet(0.1), first_order(), glass(), golf_hole(), one_large_weight())


def named(name):
    """The Machine of this name; ValueError for another."""
    found = {machine.name: machine for machine in machines()}
    if name not in found:
        raise ValueError(f"the hard machines are {', '.join(found)}; got {name!r}")
    return found[name]


# -- a training run that ends at the first-order machine -------------------------------------------------------------


class Trained(NamedTuple):
    """Snapshots of a training run, the last of them the machine itself."""

    rbms: list
    jeffreys: np.ndarray  # from the one before, exact, nats


def trained(iterations=10_000, rate=0.1, most=1.0):
    """The Trained of gradient ascent on the likelihood, from zero, of data that are the first-order machine's own.

    Units of a side stay alike: three parameters (a_left, a_right, W), and log p* of m left units up is all there is.
    The rate rises to 0.1 over 100 iterations. A snapshot is kept where its Jeffreys divergence from the last exceeds
    `most`.
    """
    rbm = first_order().rbm
    theta, end = np.zeros(3), np.array([rbm.a_left[0], rbm.a_right[0], rbm.W[0, 0]])
    data, path, jeffreys = _moments(end), [(theta, _moments(theta))], []
    for i in range(iterations):
        gradient = (data - _moments(theta)) / (16, 200, 16 * 200)
        theta = theta + rate * min(1, (i + 1) / 100) * gradient
        now = _moments(theta)
        if (divergence := (theta - path[-1][0]) @ (now - path[-1][1])) > most or i == iterations - 1:
            path.append((theta, now))
            jeffreys.append(divergence)
    jeffreys.append((end - theta) @ (data - path[-1][1]))
    return Trained([_alike(theta) for theta, _ in path[1:]] + [rbm], np.array(jeffreys))


def _alike(theta):
    a_left, a_right, w = theta
    return RBM(np.repeat([a_left, a_right], (16, 200)), np.full((16, 200), w))


def _moments(theta):
    """E of sum_i z_i left, sum_j z_j right, and of their product."""
    m = np.arange(17)
    field = theta[1] + m * theta[2]
    log_p = np.log(comb(16, m)) + m * theta[0] + 200 * softplus(field)
    p, right = softmax(log_p), 200 * expit(field)
    return np.array([p @ m, p @ right, p @ (m * right)])
