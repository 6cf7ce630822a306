"""Mistakes in the sweeps of the mean field: known alone, and in all that contains them.

Right is, from m = 1/2, m_right <- sigmoid(a + b + m_left W), then m_left <- sigmoid(a + b + W m_right) with the new
m_right, so many times (Sec. 3.1.1).

Once it has converged most of these give the same m, and the same bound: they are seen after two sweeps, in units where
zeta is undecided. Both sides at once may never settle, but alternate between two states; a start at an end may settle
in another minimum of KL(m || p^).
"""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.formulas import MEAN_FIELD
from dvae_ref.conformance.mistakes.objectives import RELAXED
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.theory import overlapping
from dvae_ref.theory.boltzmann import split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import mean_field

IN_LOG_P, OWN = "log_p_overlapping_*", "own_networks_dvaes_*"


def alone(wrongs, case):
    """As the mean field itself; of several the one that is closest to somebody's."""
    return closest(case, [case.again(iterate=wrong) for wrong in wrongs])


def inside(wrongs, case):
    """In the place of the one that log p(zeta) calls."""
    found = []
    for wrong in wrongs:
        with replaced(overlapping, mean_field=wrong):
            found.append(case.again())
    return closest(case, found)


def register(name, wrongs, *quantities, read_off=False):
    """Functions in the place of theory.mean_field's, of which the first is the usual one: alone, and in quantities."""
    mistake(name, "mean_field", read_off=read_off)(functools.partial(alone, wrongs))
    mistake(name, quantities, read_off=read_off)(functools.partial(inside, wrongs))


for _name, _wrong in MEAN_FIELD.items():
    register(_name, [_wrong], IN_LOG_P, RELAXED, OWN)


# -- other starts ------------------------------------------------------------------------------------------------------


def swept(rbm, b, sweeps, left, keep=0.0):
    """logit m after sweeps m <- keep m + (1 - keep) (new m) from a given m of the left side, 1/2 on the right."""
    bias_left, bias_right = split(rbm.a + b, rbm)
    right = np.full_like(bias_right, 0.5)
    for _ in range(sweeps):
        right = keep * right + (1 - keep) * sigmoid(bias_right + left @ rbm.W)
        left = keep * left + (1 - keep) * sigmoid(bias_left + right @ rbm.W.T)
    m = np.concatenate([left, right], -1)
    with np.errstate(divide="ignore"):
        return (np.log(m) - np.log1p(-m)).clip(-700, 700)


def started(rbm, b, sweeps, logit):
    """From sigmoid(logit) on either side."""
    if sweeps == 0:
        return logit
    left, _ = split(sigmoid(logit), rbm)
    return swept(rbm, b, sweeps, left)


def from_biases(rbm, b, sweeps=5):
    """m_left = sigmoid(a + b) before the first sweep."""
    return started(rbm, b, sweeps, rbm.a + b)


def from_b(rbm, b, sweeps=5):
    """m_left = sigmoid(b) before the first sweep."""
    return started(rbm, b, sweeps, b)


def from_one(rbm, b, sweeps=5):
    """m_left = 1 before the first sweep."""
    return started(rbm, b, sweeps, np.full_like(b, 700.0))


register("m starts from sigmoid(a + b)", [from_biases], IN_LOG_P, OWN)
register("m starts from sigmoid(b)", [from_b], IN_LOG_P, OWN)
register("m starts from 1", [from_one], IN_LOG_P, OWN)


# -- with a number that is read off ------------------------------------------------------------------------------------


def damped(keep, rbm, b, sweeps=5):
    """m <- keep m + (1 - keep) (new m)."""
    left, _ = split(np.full_like(b, 0.5), rbm)
    return swept(rbm, b, sweeps, left, keep)


def clipped(least, rbm, b, sweeps=5):
    """m within [least, 1 - least], after the sweeps."""
    most = np.log1p(-least) - np.log(least)
    return mean_field(rbm, b, sweeps).clip(-most, most)


DAMPED = [functools.partial(damped, keep) for keep in (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)]
CLIPPED = [functools.partial(clipped, least) for least in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)]
register("the sweeps are damped, by a factor that is not 1/2", DAMPED, IN_LOG_P, read_off=True)
register("m is clipped away from 0 and 1", CLIPPED, IN_LOG_P, read_off=True)

NUMBERS = [10, *range(1, 10), *range(11, 31), 50, 100, 1000]


@mistake("another number of sweeps", IN_LOG_P, read_off=True)
def other_number(case):
    """As somebody's numbers say: two more at least, or as many as it takes to converge."""
    given = int(case.inputs["sweeps"])
    return closest(case, [case.again({"sweeps": np.array(n)}) for n in NUMBERS if abs(n - given) > 1])
