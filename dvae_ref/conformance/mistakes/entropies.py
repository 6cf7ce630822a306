"""Mistakes in H(m) = -sum_i m_i log m_i + (1 - m_i) log(1 - m_i): in the mean field's bound, and in log p(zeta).

H(m), nats, is summed over units, up to D log 2. As m is held fixed (Eq. 5) no gradient of it is asked for, so that a
wrong H(m) is in the values alone, and by them in the weights of several samples: training goes on, while the bound that
is reported is off, by all of H(m) where it is left out. Where m is settled at 0 or 1, H(m) is 0, and nothing is seen.
"""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.theory import overlapping
from dvae_ref.theory.elementary import bernoulli_entropy, sigmoid

GUARD = 1e-7
WRONG = {}  # name: function of m (..., D) and H(m) (...,), in the place of H(m)


def in_place_of_entropy(name):
    """Enter a function in the table."""

    def enter(wrong):
        WRONG[name] = wrong
        return wrong

    return enter


@in_place_of_entropy("H(m) is left out")
def left_out(m, entropy):
    """0."""
    return 0 * entropy


@in_place_of_entropy("H(m) has the opposite sign")
def opposite(m, entropy):
    """-H(m)."""
    return -entropy


@in_place_of_entropy("1e-7 is added inside the logarithms of H(m)")
def guarded(m, entropy):
    """-sum_i m_i log(m_i + 1e-7) + (1 - m_i) log(1 - m_i + 1e-7): a guard against log 0."""
    return -np.sum(m * np.log(m + GUARD) + (1 - m) * np.log(1 - m + GUARD), -1)


@in_place_of_entropy("H(m) is in bits")
def in_bits(m, entropy):
    """H(m) / log 2: a logarithm of base 2 beside energies in nats."""
    return entropy / np.log(2)


@in_place_of_entropy("the mean over units of H(m)")
def mean(m, entropy):
    """H(m) / D: a mean is the default reduction of binary cross-entropies, where the energy beside it is a sum."""
    return entropy / m.shape[-1]


@in_place_of_entropy("H(m) lacks (1 - m) log(1 - m)")
def half(m, entropy):
    """-sum_i m_i log m_i."""
    return -np.sum(m * np.log(m + (m == 0)), -1)


def logit(m):
    """Within 700, where m is 0 or 1."""
    with np.errstate(divide="ignore"):
        return (np.log(m) - np.log1p(-m)).clip(-700, 700)


def in_mean_field(wrong, case):
    """H(m) - E^(m), and KL(m || p^) less as much."""
    m = case.outputs["m"]
    entropy = bernoulli_entropy(logit(m)).sum(-1)
    return shifted(case, wrong(m, entropy) - entropy)


def shifted(case, by):
    """The bound of the mean field with something added, which the KL lacks."""
    return {"lower_bound": case.outputs["lower_bound"] + by, "kl": case.outputs["kl"] - by}


def in_log_p(wrong, case):
    """H(m) - E(m) + b·m + c, whose gradient holds m fixed."""
    logit_m = overlapping.mean_field(case.machine, case.smoothing.log_ratio(case.t), int(case.inputs["sweeps"]))
    entropy = bernoulli_entropy(logit_m).sum(-1)
    return {"log_p": case.outputs["log_p"] - entropy + wrong(sigmoid(logit_m), entropy)}


for _name, _wrong in WRONG.items():
    mistake(_name, "mean_field")(functools.partial(in_mean_field, _wrong))
    mistake(_name, "log_p_overlapping_*")(functools.partial(in_log_p, _wrong))
