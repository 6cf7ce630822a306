"""The oracle itself: dvae_ref.exact against 50-digit arithmetic over all states.

Oracle: mpmath's sum over 1,024 states, term by term. What is shared with dvae_ref is the definition of E(z) alone. It
cannot see what only larger machines have: enumeration in blocks, or in threads, is left to the tests.
"""

import mpmath
import numpy as np

from dvae_ref import exact
from dvae_ref.theory.boltzmann import BoltzmannMachine
from validation import oracles
from validation.claim import Claim, close

MACHINES = {"ordinary": (1.0, -0.3), "strong couplings": (12.0, 0.5), "log Z near 0": (1.0, -40.0)}  # coupling, bias
BOUND = 1e-13  # log-sum-exp over 2^10 terms, each a sum of 35: 1,000 eps if errors all add up, 1e-14 as they do
BASIS = "relative; 500 eps of float64"


def check(quick, seed):
    """log Z and E[z] of machines of ten units, with sides and without, in 50 digits by a loop over the 1,024 states.

    Strong couplings make terms of very different sizes; log Z near 0 makes its relative error hardest.
    """
    rng = oracles.generator(seed, "enumeration")
    findings, errors = [], {}
    for name, (coupling, bias) in MACHINES.items():
        rbm = oracles.random_rbm(rng, 4, 6, coupling, bias)
        J = np.triu(rng.normal(0, coupling, (10, 10)), 1)
        general = BoltzmannMachine(rbm.a, J + J.T)
        for kind, machine, J in (("RBM 4 x 6", rbm, oracles.couplings(rbm)), ("general, D = 10", general, general.J)):
            log_z, moments = decimal_moments(machine.a, J)
            label = f"{kind}, {name}"
            findings.append(close(f"log Z, {label}", exact.log_z(machine), log_z, BOUND, BASIS, relative=True))
            found = exact.moments(machine).z
            worst = np.argmax(np.abs(found / moments - 1))
            findings.append(
                close(f"E[z], worst unit, {label}", found[worst], moments[worst], 1e-12, BASIS, relative=True)
            )
            errors[label] = findings[-2].error, findings[-1].error
    findings.append(marginal(rng))
    return findings, errors


def decimal_moments(a, J):
    """(log Z, E[z]) of exp(a·z + z J z / 2) in 50 digits."""
    with mpmath.workdps(50):
        total, mean = mpmath.mpf(0), [mpmath.mpf(0)] * len(a)
        for z in oracles.states(len(a)):
            w = mpmath.exp(decimal_minus_energy(a, J, np.flatnonzero(z)))
            total += w
            for i in np.flatnonzero(z):
                mean[i] += w
        return float(mpmath.log(total)), np.array([float(m / total) for m in mean])


def decimal_minus_energy(a, J, on):
    """a·z + z J z / 2 of the state in which these units are 1."""
    total = mpmath.mpf(0)
    for i in on:
        total += mpmath.mpf(a[i])
        for j in on[on > i]:
            total += mpmath.mpf(J[i, j])
    return total


def marginal(rng):
    """log p(zeta): the augmented machine is the machine with the biases a + b, up to sum max(b, 0)."""
    rbm, b = oracles.random_rbm(rng, 4, 6, 1.0), rng.normal(0, 8, 10)
    log_z, _ = decimal_moments(rbm.a + b, oracles.couplings(rbm))
    value = float(exact.log_p(rbm, b[None])[0][0])
    return close("log p(zeta) + log Z - log r_max", value, log_z - np.maximum(b, 0).sum(), 1e-12, BASIS, relative=True)


def picture(errors, figure):
    """The relative errors of every machine, on the scale of float64's eps."""
    axes = figure.subplots()
    places = np.arange(len(errors))
    for k, (label, colour) in enumerate((("log Z", "#2b5c8a"), ("E[z], worst unit", "#c9822b"))):
        values = [max(pair[k], 1e-17) for pair in errors.values()]
        axes.barh(places + 0.2 - 0.4 * k, values, 0.36, label=label, color=colour, left=1e-17)
    axes.axvline(np.finfo(float).eps, color="0.5", lw=0.8, ls=":", label="eps of float64")
    axes.set(xscale="log", xlim=(1e-17, 2e-12), xlabel="relative error", yticks=places, yticklabels=list(errors))
    axes.legend(frameon=False)


CLAIM = Claim(
    name="enumeration",
    statement="The oracle is exact: log Z, moments and log p(zeta) by enumeration agree with 50-digit arithmetic.",
    equations=(r"Z=\sum_z e^{-E(z)},\qquad E(z)=-a^T z-\frac{1}{2}\,z^T W z",),
    check=check,
    picture=picture,
    seconds=(1, 1),
)
