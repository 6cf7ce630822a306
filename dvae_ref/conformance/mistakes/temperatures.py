"""An inverse temperature that is not 1 in what follows from E(z): read off somebody's numbers."""

import numpy as np
from scipy.optimize import brentq

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.mistakes.machines import BIPARTITE, GENERAL
from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY
from dvae_ref.conformance.mistakes.registry import closest, mistake, scaled

PHASE = "negative_phase"
COLD = tuple(name for name in (*BIPARTITE, GENERAL, PHASE, EVERY, DISCRETE) if name != "gibbs")
GRID = 2.0 ** np.arange(-4, 4.1, 0.25)  # between which the number is looked for
EXAMPLE = 0.5  # where nobody's numbers are known
MACHINE = ("a", "W", "J", "rbm.a", "rbm.W")


@mistake("the inverse temperature is not 1", *COLD, read_off=True)
def temperature(case):
    """beta E(z) in the place of E(z): in all outputs, or in one of them, the others being right."""
    if not case.theirs:
        return cooled(case, EXAMPLE)
    with np.errstate(all="ignore"):  # numbers near the largest one
        options = everywhere(case) + in_one_output(case)
    return closest(case, options) if options else {}


def cooled(case, beta):
    """The outputs with beta a and beta W. Of gradients in a and W the chain rule takes beta once more."""
    if case.quantity.name == PHASE:  # d log Z(beta a, beta W) of chains that are given
        return scaled(case.outputs, beta)
    found = not_chained(case, beta)
    gradients = [f"d_{name}" for name in MACHINE if f"d_{name}" in found]
    return found | {name: beta * found[name] for name in gradients}


def not_chained(case, beta):
    """The outputs with beta a and beta W, gradients in these products."""
    return case.again({name: beta * case.inputs[name] for name in MACHINE if name in case.inputs})


def everywhere(case):
    """Outputs at the temperatures that somebody's largest array may have been computed at."""
    names = [name for name in telling(case) if name.removeprefix("d_") not in MACHINE]
    if not names:
        return []
    found = betas(case, max(names, key=lambda name: case.theirs[name].size))
    return [way(case, beta) for beta in found for way in (cooled, not_chained)]


def in_one_output(case):
    """Of what has no gradients; what is merely beta times what it should be has another reason."""
    if any(map(quantities.is_gradient, case.outputs)) or case.quantity.name == PHASE:
        return []
    example, found = cooled(case, EXAMPLE), []
    for name in telling(case):
        if not np.allclose(example[name], EXAMPLE * case.outputs[name]):
            found += [{name: cooled(case, beta)[name]} for beta in betas(case, name)]
    return found


def telling(case):
    """Names of somebody's arrays that move with the temperature. Any single number is one at some temperature."""
    example = cooled(case, EXAMPLE)
    moved = [name for name in case.theirs if not np.allclose(example[name], case.outputs[name])]
    return [name for name in moved if case.theirs[name].size > 1]


def betas(case, name):
    """The numbers beta at which an array's sum is somebody's, if the array is, too, within a thousandth."""

    def off(beta):
        try:
            return float(np.sum(case.theirs[name] - cooled(case, beta)[name]))
        except ValueError:  # J + lam I is not positive definite
            return np.nan

    sides = np.sign([off(beta) for beta in GRID])
    found = []
    for n in np.flatnonzero(sides[1:] * sides[:-1] <= 0):
        beta = brentq(off, GRID[n], GRID[n + 1], xtol=1e-15, rtol=1e-15)
        if np.allclose(cooled(case, beta)[name], case.theirs[name], 1e-3, 1e-3):
            found.append(beta)
    return found
