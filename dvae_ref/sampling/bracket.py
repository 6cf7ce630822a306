"""log Z from both sides: annealing up to the RBM, and down from it (Burda et al. 2015; Grosse et al. 2015).

**Below.** AIS (`ais.log_z`): E[Z^] = Z, so E[log Z^] <= log Z, and log Z^ exceeds log Z by b nats with a probability of
at most e^-b (Markov). It falls short by an unknown amount, which neither its standard error nor its effective sample
size shows: they are computed from the states that were visited, and a mode that no chain found is in neither.

**Above.** The same annealing from t = 1 to t = 0 estimates Z_0 / Z without bias *if it starts from exact samples* of
the RBM. Then log Z_0 - log(mean weight) is at least log Z in the mean, and below it by b nats with a probability of at
most e^-b. From anything else (replicas of training, z ~ q(z|x) of images, chains that have walked for long) it is a
*check*: it shows a mode that the start holds and annealing misses, and none that both miss.

**The bracket.** With s the standard error of an estimate and k = 1/s^2 (as many equal weights have this error), each
end lies log(k / g_k) beyond its estimate, g_k the 2.5% quantile of a gamma law of shape k: the exact limit for k equal
weights that turn up at random, conservative for unequal ones (Fay & Feuer 1997), and 1.96 s + O(s^2) for small s. (s,
itself estimated from n weights, is first multiplied by Student's t over 1.96.) So each end holds in 97.5% of all runs,
and the bracket contains log Z in 95%; in more where annealing falls short.

**The verdict.** With gap = above - below and its error s = sqrt(s_below^2 + s_above^2),

    closed          |gap| <= 3 s, and s <= 0.3 nats: both ways agree
    open            gap > 3 s: annealing falls short; or s > 0.3: an error bar this long is itself a guess
    contradictory   gap < -3 s: what is above in the mean lies below; the start is no sample, or an error bar is wrong

A mean field knows better than both ways where they miss the same mode (`modes.lower_bound`: log Z >= L, whatever was
sampled). An estimate that lies more than 3 of its standard errors below L has missed probability: from above, the
verdict is *contradictory*; from below alone, *open*.

How often a bracket contains log Z, and how often it is closed and wrong, on machines made to be hard:
docs/bracket_coverage.md, `python -m validation.coverage`. Derived in docs/derivations/09-sampling.md.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtri, stdtrit

from dvae_ref.arrays import Array
from dvae_ref.sampling import ais, fields, modes, paths, philox
from dvae_ref.sampling.ais import Progress
from dvae_ref.sampling.paths import Temperatures
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM

AGREE = 3.0  # standard errors of the gap
ROUGH = 0.3  # nats: a standard error beyond it is a guess
TAIL = 0.025  # of the probability, beyond each end
_ABOVE = 1  # what a key is for, beside ais.log_z


class Start(NamedTuple):
    """States of the RBM from which annealing goes down."""

    z: np.ndarray  # (R, D), binary: a chain each
    origin: str  # what they are, for people
    exact: bool = False  # whether they are independent samples of this very RBM


class End(NamedTuple):
    """An estimate of log Z from one side."""

    log_z: float  # nats
    standard_error: float
    weights: int  # independent ones, from whose scatter the standard error is
    start: str
    bound: bool  # whether it is one in the mean; otherwise a check

    @property
    def margin(self) -> float:
        """Nats from the estimate to this end of the bracket."""
        return margin(self.standard_error, self.weights)

    def __str__(self):
        return f"{self.log_z:.2f} +- {self.standard_error:.2f} from {self.start}"


class Bracket(NamedTuple):
    """log Z from below and from above."""

    below: End
    above: End
    least: float = -math.inf  # nats: log Z is not less, by a mean field

    @property
    def low(self) -> float:
        """Lower end of log Z, nats: the estimate from below less its margin."""
        return self.below.log_z - self.below.margin

    @property
    def high(self) -> float:
        """Upper end of log Z, nats: the estimate from above and its margin."""
        return self.above.log_z + self.above.margin

    @property
    def gap(self) -> float:
        """From above minus from below, nats."""
        return self.above.log_z - self.below.log_z

    @property
    def gap_error(self) -> float:
        """Standard error of the gap, nats."""
        return math.hypot(self.below.standard_error, self.above.standard_error)

    @property
    def verdict(self) -> str:
        """closed, open or contradictory."""
        if self.gap < -AGREE * self.gap_error or self._is_short(self.above):
            return "contradictory"
        agree = self.gap <= AGREE * self.gap_error and self.gap_error <= ROUGH
        return "closed" if agree and not self._is_short(self.below) else "open"

    def _is_short(self, end):
        return self.least - end.log_z > AGREE * end.standard_error + modes.ROUNDING

    def __str__(self):
        as_what = "above" if self.above.bound else "above (a check)"
        at_least = f"; by a mean field at least {self.least:.2f}" if self._is_short(self.below) else ""
        return f"log Z from below {self.below}, from {as_what} {self.above}{at_least}: {self.verdict}"


def log_z(
    key: philox.Key,
    rbm: RBM,
    start: Start,
    temperatures: Temperatures = 10_000,
    chains: int = 1_000,
    base: str | Array = "uniform",
    progress: Progress | None = None,
    backend: str = "cpu",
) -> Bracket:
    """Bracket of the RBM's log Z. start: a Start, whose states are the chains from above; the others as in `ais.log_z`.

    Takes twice the time of `ais.log_z` with as many chains. From below, it is that very estimate. ValueError for a
    start that holds no states of this RBM, TypeError for what is no Start, and what `ais.log_z` raises.

    >>> from dvae_ref.theory.boltzmann import RBM
    >>> rbm = RBM(np.zeros(5, np.float32), np.zeros((2, 3), np.float32))  # without couplings: log Z = 5 log 2
    >>> found = log_z(philox.key(0), rbm, Start(np.eye(5) > 0, "any states", exact=True), temperatures=10, chains=20)
    >>> round(found.low / math.log(2), 3), round(found.high / math.log(2), 3), found.verdict
    (5.0, 5.0, 'closed')
    """
    up = below(key, rbm, temperatures, chains, base, part_of(progress, 0, 2), backend)
    down = above(key, rbm, start, temperatures, base, part_of(progress, 1, 2), backend)
    return Bracket(up, down, modes.lower_bound(rbm))


def below(
    key: philox.Key,
    rbm: RBM,
    temperatures: Temperatures = 10_000,
    chains: int = 1_000,
    base: str | Array = "uniform",
    progress: Progress | None = None,
    backend: str = "cpu",
) -> End:
    """End of `ais.log_z`, of the same arguments and errors (ValueError, TypeError); nats."""
    result = ais.log_z(key, rbm, temperatures, chains, base, progress, backend)
    origin = base if isinstance(base, str) else "given"
    return End(result.log_z, result.standard_error, chains, f"the base {origin}", True)


def above(
    key: philox.Key,
    rbm: RBM,
    start: Start,
    temperatures: Temperatures = 10_000,
    base: str | Array = "uniform",
    progress: Progress | None = None,
    backend: str = "cpu",
) -> End:
    """End of annealing from the states of a Start down to the base.

    Its standard error takes the states as independent: replicas that share an ancestor are fewer than they look. Nats;
    ValueError for a start that holds no states of this RBM (R, D), TypeError for what is no Start.
    """
    log_w = log_weights(key, rbm, start, temperatures, base, progress, backend)
    log_ratio, error, _ = ais.statistics(log_w)
    log_z = paths.base_log_z(paths.annealing_path(rbm, base)) - float(log_ratio)
    return End(float(log_z), float(error), len(log_w), start.origin, start.exact)


def log_weights(
    key: philox.Key,
    rbm: RBM,
    start: Start,
    temperatures: Temperatures = 10_000,
    base: str | Array = "uniform",
    progress: Progress | None = None,
    backend: str = "cpu",
) -> Array:
    """Log-weights of the chains on the way down, (R,), float64: of exact samples, E[exp(log_weights)] = Z_0 / Z.

    The importance step between the RBM as given and the one with exact fields comes first; on the way up it is last.
    Nats. ValueError and TypeError as of `above`.
    """
    philox.check(key)
    path = paths.annealing_path(rbm, base)
    inv_temps = np.ascontiguousarray(paths.schedule(temperatures)[::-1])
    z_left, _ = fields.sides(states(start, rbm).T, path.W)
    log_w = -paths.correction(rbm, path, z_left.T)
    key = philox.fold_in(key, _ABOVE)
    ais.walk(key, path, fields.pack(z_left.T), log_w, inv_temps, progress, backend)
    return log_w


def margin(standard_error: float, weights: int) -> float:
    """log(k / g_k), k = 1 / s^2, nats: how far above the truth a mean of positive weights with this error may be.

    g_k: quantile TAIL of a gamma law of shape k; s: the standard error times Student's t over the normal law's
    quantile. At most log(1 / TAIL), by Markov's inequality.

    >>> round(margin(0.1, 10_000), 3), round(margin(5.0, 100), 3)  # 1.96 s and a little; no more than log 40
    (0.206, 3.689)
    """
    s = standard_error * stdtrit(weights - 1, TAIL) / ndtri(TAIL)
    k = 1 / max(s, 1e-6) ** 2
    return min(float(np.log(k / gammaincinv(k, TAIL))), math.log(1 / TAIL))


def states(start: Start, rbm: RBM) -> Array:
    """The states (R, D), uint8, of a Start of this RBM; ValueError if they are none, TypeError for what is no Start."""
    domains.instance("the start", start, Start)
    boltzmann.check(rbm)
    z = domains.array("a start's z", start.z)
    if z.ndim != 2 or z.shape[1] != len(rbm.a) or not np.all((z == 0) | (z == 1)):
        raise ValueError(f"a start takes binary states (R, {len(rbm.a)}) of this RBM; got shape {z.shape}")
    ais.check_chains(len(z))
    return z.astype(np.uint8)


def part_of(progress: Progress | None, n: int, parts: int) -> Progress | None:
    """What reports part n of the work, of so many equal parts, to `progress`; None if there is none."""
    if progress is None:
        return None

    def of_all(done, total):
        progress(n * total + done, parts * total)

    return of_all
