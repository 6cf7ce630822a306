"""Mistakes in the probabilities of Gibbs sampling whose size is nobody's to know: it is read off somebody's outputs.

Right is z = [u < sigmoid(field)]. A sampler at another temperature, as an annealing device has its own, or one that
keeps probabilities away from 0 and 1, still mixes and still looks like a sampler; moments and log Z are those of
another machine.

From p the number follows at once. From spins alone it follows as well: a spin says on which side of its u the
probability was, and with that on which side of some bound the number is. Half of the u are close to p, so that what all
bounds leave is a narrow interval.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.theory.boltzmann import couple, split
from dvae_ref.theory.elementary import sigmoid


class Way(NamedTuple):
    """A way in which probabilities may be wrong, by one number."""

    chance: Callable  # (number, field) -> p
    from_p: Callable  # (p, field) -> number
    from_spins: Callable  # (u, field) -> (bound, side): z = 1 says that side (number - bound) > 0, z = 0 the opposite
    example: float  # the number where nobody's outputs are known


# -- p = sigmoid(beta field) -------------------------------------------------------------------------------------------


def cooled(beta, field):
    """sigmoid(beta field)."""
    return sigmoid(beta * field)


def slope_of_logits(p, field):
    """logit(p) / field, where neither is small or large: elsewhere rounding or 0 / 0 would be read."""
    usual = (np.abs(field) > 0.5) & (np.abs(field) < 4)
    logit = np.log(p) - np.log1p(-p)
    return np.median(logit[usual] / field[usual])


def bounds_of_slope(u, field):
    """z = [u < sigmoid(beta field)] says on which side of logit(u) / field beta is."""
    return (np.log(u) - np.log1p(-u)) / field, np.sign(field)


@mistake("the inverse temperature is not 1", "gibbs")
def temperature(case):
    """p = sigmoid(beta field)."""
    return fitted(case, Way(cooled, slope_of_logits, bounds_of_slope, 0.97))


# -- p = sigmoid(field) + constant -------------------------------------------------------------------------------------


def raised(by, field):
    """sigmoid(field) + constant."""
    return sigmoid(field) + by


def constant_of(p, field):
    """p - sigmoid(field)."""
    return np.median(p - sigmoid(field))


def bounds_of_constant(u, field):
    """z = [u < sigmoid(field) + constant]: on which side of u - sigmoid(field) the constant is."""
    return u - sigmoid(field), np.ones_like(u)


@mistake("something is added to every probability", "gibbs")
def offset(case):
    """p = sigmoid(field) + constant."""
    return fitted(case, Way(raised, constant_of, bounds_of_constant, 0.002))


# -- p = sigmoid(field), within [least, 1 - least] ---------------------------------------------------------------------


def held(least, field):
    """sigmoid(field) within [least, 1 - least]."""
    return sigmoid(field).clip(least, 1 - least)


def least_of(p, field):
    """The smallest p or 1 - p."""
    return min(p.min(), 1 - p.max())


def bounds_of_least(u, field):
    """Near 0, z = 1 says that u < least; near 1, z = 0 says that u > 1 - least; the others say nothing."""
    p = sigmoid(field)
    low, high = (p <= u) & (u < 0.5), (u < p) & (u > 0.5)
    bound = np.select([low, high], [u, 1 - u], np.nan)
    return bound, np.where(low, 1.0, -1.0)


@mistake("probabilities are clipped away from 0 and 1", "gibbs")
def clipped(case):
    """p = sigmoid(field) within [least, 1 - least]."""
    return fitted(case, Way(held, least_of, bounds_of_least, 0.01))


# -- the number --------------------------------------------------------------------------------------------------------


def fitted(case, way):
    """The outputs with wrong probabilities, the number from somebody's p of the first half-sweep, or his spins, where
    given; {} where no number explains them.

    The first half-sweep, because its fields follow from the inputs; those of all others follow from his spins.
    """
    number = way.example
    with np.errstate(all="ignore"):
        if "p" in case.theirs:
            _, p = split(case.theirs["p"][0], case.machine)
            _, field = split(case.inputs["a"] + couple(case.machine, case.inputs["z"]), case.machine)
            number = way.from_p(p, field)
        elif "z_after" in case.theirs:
            after = case.theirs["z_after"]
            bound, side = way.from_spins(case.inputs["u"], fields(case, after))
            number = between(after > 0.5, bound, side)
        if not np.isfinite(number):
            return {}
        return case.again(chance=lambda field: way.chance(number, field))


def fields(case, after):
    """Of each unit at its turn, if these were the states."""
    found, before = [], case.inputs["z"]
    for z in after:
        (left, _), (_, right) = split(before, case.machine), split(z, case.machine)
        found.append(case.inputs["a"] + couple(case.machine, np.concatenate([left, right], -1)))
        before = z
    return np.stack(found)


def between(z, bound, side):
    """A number on the right side of every bound, or NaN: the middle between the closest bounds, if they leave room."""
    above = np.where(z, side, -side) > 0
    known = np.isfinite(bound)
    low, high = bound[known & above].max(initial=-np.inf), bound[known & ~above].min(initial=np.inf)
    return (low + high) / 2 if low < high else np.nan
