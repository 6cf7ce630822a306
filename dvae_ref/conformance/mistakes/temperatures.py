"""An inverse temperature that is not 1 in what follows from E(z): read off somebody's numbers.

exp(-beta E) for exp(-E): a sampler's or an annealer's own temperature. In whatever is a function of a and W it is the
same as beta a and beta W, so the outputs at any beta can be computed, and the one that fits somebody's best is looked
for. Where an array is merely multiplied by beta, as E is, a factor of 2 or 1/2 has a name of its own.
"""

import numpy as np

from dvae_ref.conformance.mistakes.machines import BIPARTITE, GENERAL, MODELS, with_parameters
from dvae_ref.conformance.mistakes.registry import closest, gradients, mistake, scaled
from dvae_ref.conformance.quantity import is_gradient

PHASE = "negative_phase"
COLD = [name for name in BIPARTITE if name != "gibbs"]
GRID = 2.0 ** np.arange(-4, 4.1, 0.25)  # from whose best number the search starts
EXAMPLE = 0.8  # where nobody's numbers are known
PLAIN = (2.0, 0.5)  # factors that have a name of their own, where all is merely times beta
STEPS, CHANGE = 8, 1e-4  # of the search, and of beta in a slope
MACHINE = ("a", "W", "J", "rbm.a", "rbm.W")


@mistake("the inverse temperature is not 1", COLD, GENERAL, PHASE, MODELS, read_off=True)
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
    return with_parameters(case, beta, beta)


def not_chained(case, beta):
    """The outputs with beta a and beta W, gradients in these products."""
    return case.again({name: beta * case.inputs[name] for name in MACHINE if name in case.inputs})


def everywhere(case):
    """Outputs at the temperatures of somebody's values, or of his largest gradient, where he has none: near a vertex
    gradients have lost digits."""
    names = [name for name in telling(case) if name.removeprefix("d_") not in MACHINE]
    values = [name for name in names if not is_gradient(name)]
    largest = sorted(names, key=lambda name: -case.theirs[name].size)[:1]
    found = []
    for name in values or largest:
        beta = fitted(case, name)
        if beta and not (is_linear(case, name) and np.any(np.isclose(beta, PLAIN))):
            found += [cooled(case, beta), not_chained(case, beta)]
    return found


def in_one_output(case):
    """Of what has no gradients; what is merely beta times what it should be has another reason."""
    if gradients(case.outputs) or case.quantity.name == PHASE:
        return []
    found = []
    for name in telling(case):
        if not is_linear(case, name):
            beta = fitted(case, name)
            found += [{name: cooled(case, beta)[name]}] if beta else []
    return found


def telling(case):
    """Names of somebody's arrays that move with the temperature. Any single number is one at some temperature."""
    example = cooled(case, EXAMPLE)
    moved = [name for name in case.theirs if not np.allclose(example[name], case.outputs[name])]
    return [name for name in moved if case.theirs[name].size > 1]


def is_linear(case, name):
    """Is the array merely beta times what it should be?"""
    return np.allclose(cooled(case, EXAMPLE)[name], EXAMPLE * case.outputs[name])


def fitted(case, name):
    """The beta at which an array is somebody's, by Gauss and Newton; None unless it is within a thousandth.

    The least squares of (ours at beta - theirs) / (1 + |ours|), from the best of a grid of 1/16 to 16; None as well if
    a step leads far out of it.
    """
    theirs, size = case.theirs[name], 1 + np.abs(case.outputs[name])

    def off(beta):
        try:
            return np.ravel((cooled(case, beta)[name] - theirs) / size)
        except ValueError:  # J + lam I is not positive definite
            return np.full(theirs.size, np.inf)

    beta = GRID[np.argmin([np.sum(off(beta) ** 2) for beta in GRID])]
    for _ in range(STEPS):
        change = CHANGE * beta
        slope = (off(beta + change) - off(beta - change)) / (2 * change)
        beta -= np.sum(slope * off(beta)) / np.sum(slope**2)
        if not GRID[0] / 2 < beta < GRID[-1] * 2:
            return None
    return beta if np.allclose(cooled(case, beta)[name], theirs, 1e-3, 1e-3) else None
