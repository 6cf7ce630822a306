"""Mistakes in the probabilities of Gibbs sampling whose size is nobody's to know: it is read off somebody's outputs."""

import numpy as np

from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.conformance.quantities.machines import machine
from dvae_ref.theory.boltzmann import couple, split
from dvae_ref.theory.elementary import sigmoid


@mistake("the inverse temperature is not 1", "gibbs")
def temperature(case):
    def from_p(p, field):
        usual = (np.abs(field) > 0.5) & (np.abs(field) < 4)
        return np.median((np.log(p) - np.log1p(-p))[usual] / field[usual])

    def from_spins(u, field):
        """Their z = [u < sigmoid(beta field)] says on which side of logit(u) / field beta is."""
        return (np.log(u) - np.log1p(-u)) / field, np.sign(field)

    return fitted(case, from_p, from_spins, lambda beta, field: sigmoid(beta * field), 0.97)


@mistake("something is added to every probability", "gibbs")
def offset(case):
    return fitted(
        case,
        lambda p, field: np.median(p - sigmoid(field)),
        lambda u, field: (u - sigmoid(field), np.ones_like(u)),
        lambda by, field: sigmoid(field) + by,
        0.002,
    )


@mistake("probabilities are clipped away from 0 and 1", "gibbs")
def clipped(case):
    def from_spins(u, field):
        """Near 0, z = 1 says that u < least; near 1, z = 0 says that u > 1 - least; the others say nothing."""
        p = sigmoid(field)
        low, high = (p <= u) & (u < 0.5), (u < p) & (u > 0.5)
        return np.where(low, u, np.where(high, 1 - u, np.nan)), np.where(low, 1.0, -1.0)

    return fitted(
        case,
        lambda p, field: min(p.min(), 1 - p.max()),
        from_spins,
        lambda least, field: sigmoid(field).clip(least, 1 - least),
        0.01,
    )


def fitted(case, from_p, from_spins, chance, number):
    """The outputs with the probabilities chance(number, field), the number from their p, or their spins, where given.

    from_p(p, field) -> number, of the first half-sweep's; from_spins(u, field) -> (bound, side): z = 1 is to say that
    side (number - bound) > 0, z = 0 the opposite.
    """
    theirs = case.theirs
    with np.errstate(all="ignore"):
        if "p" in theirs:
            n = len(case.inputs["W"])
            field = (couple(machine(case.inputs), case.inputs["z"]) + case.inputs["a"])[:, n:]
            number = from_p(theirs["p"][0][:, n:], field)
        elif "z_after" in theirs:
            number = between(theirs["z_after"] > 0.5, *from_spins(case.inputs["u"], fields(case, theirs["z_after"])))
        return case.again(chance=lambda field: chance(number, field)) if np.isfinite(number) else {}


def fields(case, after):
    """Of each unit at its turn, if these were the states."""
    rbm, found, before = machine(case.inputs), [], case.inputs["z"]
    for z in after:
        left, right = split(before, rbm)[0], split(z, rbm)[1]
        found.append(rbm.a + couple(rbm, np.concatenate([left, right], -1)))
        before = z
    return np.stack(found)


def between(z, bound, side):
    """A number on the right side of every bound, or NaN."""
    above = np.where(z, side, -side) > 0
    known = np.isfinite(bound)
    low, high = bound[known & above].max(initial=-np.inf), bound[known & ~above].min(initial=np.inf)
    return (low + high) / 2 if low < high else np.nan
