"""Mistakes in the sweeps of the mean field: known alone, and in all that contains them."""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.formulas import MEAN_FIELD
from dvae_ref.conformance.mistakes.objectives import RELAXED
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.theory import overlapping
from dvae_ref.theory.boltzmann import split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import mean_field

IN_LOG_P = ("log_p_overlapping_*", *RELAXED, "own_networks_dvaes_*")


def alone(*wrongs):
    """As the mean field itself; of several the one that is closest to somebody's."""
    return lambda case: closest(case, [case.again(iterate=wrong) for wrong in wrongs])


def inside(*wrongs):
    """In the place of the one that log p(zeta) calls."""

    def made(case):
        found = []
        for wrong in wrongs:
            with replaced(overlapping, mean_field=wrong):
                found.append(case.again())
        return closest(case, found)

    return made


for _name, _wrong in MEAN_FIELD.items():
    mistake(_name, "mean_field")(alone(_wrong))
    mistake(_name, *IN_LOG_P)(inside(_wrong))


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


def from_biases(rbm, b, sweeps=5, own=1.0):
    """m = sigmoid(own a + b) before the first sweep, on either side."""
    if sweeps == 0:
        return own * rbm.a + b
    return swept(rbm, b, sweeps, sigmoid(split(own * rbm.a + b, rbm)[0]))


def from_one(rbm, b, sweeps=5):
    if sweeps == 0:
        return np.full_like(b, 700.0)
    return swept(rbm, b, sweeps, np.ones_like(split(b, rbm)[0]))


def damped(rbm, b, sweeps=5, keep=0.1):
    return swept(rbm, b, sweeps, np.full_like(split(b, rbm)[0], 0.5), keep)


def clipped(rbm, b, sweeps=5, least=1e-6):
    most = np.log1p(-least) - np.log(least)
    return mean_field(rbm, b, sweeps).clip(-most, most)


STARTS = {
    "m starts from sigmoid(a + b)": from_biases,
    "m starts from sigmoid(b)": functools.partial(from_biases, own=0.0),
    "m starts from 1": from_one,
}
for _name, _wrong in STARTS.items():
    mistake(_name, "mean_field")(alone(_wrong))
    mistake(_name, "log_p_overlapping_*", "own_networks_dvaes_*")(inside(_wrong))

READ_OFF = {
    "the sweeps are damped, by a factor that is not 1/2": [
        functools.partial(damped, keep=keep) for keep in (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)
    ],
    "m is clipped away from 0 and 1": [functools.partial(clipped, least=10.0**-n) for n in (3, 4, 5, 6, 7, 8)],
}
for _name, _wrongs in READ_OFF.items():
    mistake(_name, "mean_field", read_off=True)(alone(*_wrongs))
    mistake(_name, "log_p_overlapping_*", read_off=True)(inside(*_wrongs))


@mistake("another number of sweeps", "log_p_overlapping_*", read_off=True)
def other_number(case):
    """As somebody's numbers say: two more at least, or as many as it takes to converge."""
    given = int(case.inputs["sweeps"])
    numbers = [n for n in (*range(1, 31), 50, 100, 1000) if abs(n - given) > 1]
    numbers.sort(key=lambda n: n != 10)
    return closest(case, [case.again({"sweeps": np.array(n)}) for n in numbers])
