"""What a claim is, and what a check of it finds.

A finding is a number, what it is held against, and how far apart they may be; the bound follows from rounding, from a
theorem, or from the scatter of the sample itself. Statistical findings fail at 5 standard errors, so rarely by chance
that a report of hundreds of them does not have to be read with that in mind; what they would have caught is said
beside, since a sample that is too small passes everything.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

STANDARD_ERRORS = 5.0  # a statistical finding fails beyond this many: two-sided probability 6e-7 for a normal law
OUT_OF_LUCK = 1.0  # and is sure to see (84%) what moves the estimate by one more
SURE = 0.84
RARE = 1e-6  # the probability on either side beyond which a spread of scores fails


class Finding(NamedTuple):
    """A number held against its oracle. It passes if error <= bound; NaN never does."""

    quantity: str
    estimate: float
    oracle: float | None  # None: the bound alone is what the estimate is held against
    error: float
    bound: float
    basis: str  # what the bound follows from, or the unit of the error
    would_have_caught: float | None = None  # the relative error of the estimate that this sample would have shown

    @property
    def passed(self):
        return bool(self.error <= self.bound)

    def to_json(self):
        """For the report's JSON: numbers that are not finite are null there."""
        return {
            "quantity": self.quantity,
            "estimate": plain(self.estimate),
            "oracle": plain(self.oracle),
            "error": plain(self.error),
            "bound": plain(self.bound),
            "basis": self.basis,
            "passed": self.passed,
            "would_have_caught": plain(self.would_have_caught),
        }


def failure(error):
    """The finding that a check raised this exception."""
    return Finding(f"{type(error).__name__}: {error}", math.nan, None, math.nan, 0.0, "the check ended here")


def plain(number):
    """A Python float, or None for what JSON cannot hold."""
    if number is None or not math.isfinite(number):
        return None
    return float(number)


def close(quantity, estimate, oracle, bound, basis, relative=False):
    """The finding that |estimate - oracle| (of |oracle|, if relative) stays within the bound."""
    error = abs(estimate - oracle)
    if relative:
        error /= abs(oracle)
    return Finding(quantity, estimate, oracle, error, bound, basis)


def at_most(quantity, estimate, bound, basis):
    """The finding that a number which has no oracle but its bound stays within it."""
    return Finding(quantity, estimate, None, estimate, bound, basis)


def score(quantity, estimate, oracle, standard_error, allowance=0.0):
    """The finding that an estimate is its oracle to within 5 standard errors, less an allowance for the oracle's error.

    It would have caught a relative error of 5 + 1 standard errors of the estimate with probability 84%.
    """
    error = max(abs(estimate - oracle) - allowance, 0) / standard_error
    caught = (STANDARD_ERRORS + OUT_OF_LUCK) * standard_error / abs(oracle) if oracle else None
    return Finding(quantity, estimate, oracle, error, STANDARD_ERRORS, "standard errors", caught)


def mean_score(quantity, values, oracle, allowance=0.0):
    """The score of the mean of independent values."""
    return score(quantity, float(values.mean()), float(oracle), standard_error(values), allowance)


def worst_score(quantity, estimates, oracle, allowance=0.0):
    """The score of that component, of the means of independent rows (n, m), which is furthest from its oracle (m,).

    It would have caught a relative error of the median component.
    """
    mean = estimates.mean(0)
    error = estimates.std(0, ddof=1) / np.sqrt(len(estimates))
    scores = np.maximum(np.abs(mean - oracle) - allowance, 0) / error
    worst = np.argmax(scores)
    basis = f"standard errors; the worst of {len(scores)}"
    caught = (STANDARD_ERRORS + OUT_OF_LUCK) * float(np.median(error / oracle))
    return Finding(quantity, mean[worst], oracle[worst], scores[worst], STANDARD_ERRORS, basis, caught)


def spread(quantity, scores, allowance=0.0):
    """The finding that the root mean square of standard normal scores is 1, as far as chi-square lets it be.

    allowance: by how much more it may be, as error bars from few weights are known to be a little short. It would have
    caught error bars too long, or too short, by so much with probability 84%.
    """
    size = float(np.sqrt(np.mean(scores**2)))
    tails = [RARE, 1 - SURE, SURE, 1 - RARE]
    low, unlucky, lucky, high = np.sqrt(stats.chi2.ppf(tails, len(scores)) / len(scores))
    high *= 1 + allowance
    distance = max(size / high, low / size)
    basis = f"chi-square: {low:.2f} to {high:.2f}"
    caught = max(lucky / low - 1, 1 - unlucky / high)
    return Finding(quantity, size, 1.0, distance, 1.0, basis, float(caught))


def standard_error(values):
    """The standard error of the mean of independent values."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


@dataclass(frozen=True)
class Claim:
    """A statement of the paper or of the project, and the experiment that holds it against an exact answer.

    check(quick, seed, **part) returns the findings and whatever `picture(data, figure)` draws. part: what of it
    `--sabotage` runs. The docstring of a claim's module says what its oracle is, and what it cannot see.
    """

    name: str
    statement: str
    equations: tuple[str, ...]  # in the mathtext of matplotlib
    check: Callable
    picture: Callable
    seconds: tuple[float, float]  # about what a quick check takes, and a full one: for the time left
