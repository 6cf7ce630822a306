"""An inverse temperature that is not 1 in what follows from E(z): read off somebody's numbers."""

import numpy as np
from scipy.optimize import brentq

from dvae_ref.conformance.mistakes.registry import closest, mistake

GRID = 2.0 ** np.arange(-4, 4.1, 0.25)  # between which the number is looked for


@mistake(
    "the inverse temperature is not 1",
    "log_z",
    "general_machine",
    "mean_field",
    "free_energy",
    "ais_weights",
    read_off=True,
)
def temperature(case):
    """E times beta, in all outputs at once."""
    if not case.theirs:
        return cooled(case, 0.5)
    name = max(case.theirs, key=lambda name: case.theirs[name].size)
    if case.theirs[name].size == 1:  # some temperature makes any single number
        return {}

    def off(beta):
        return float(np.sum(case.theirs[name] - cooled(case, beta)[name]))

    sides = np.sign([off(beta) for beta in GRID])
    found = [brentq(off, *GRID[n : n + 2], xtol=1e-15, rtol=1e-15) for n in np.flatnonzero(sides[1:] != sides[:-1])]
    best = closest(case, [cooled(case, beta) for beta in found]) if found else {}
    agrees = found and np.allclose(best[name], case.theirs[name], 1e-3, 1e-3)  # its sum does, whatever the mistake
    return best if agrees else {}


def cooled(case, beta):
    couplings = "J" if "J" in case.inputs else "W"
    return case.again({name: beta * case.inputs[name] for name in ("a", couplings)})
