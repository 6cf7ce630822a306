"""log Z and moments of a machine, an RBM or a general one, and the checks in front of every enumeration."""

import functools
from typing import Any

import numpy as np

from dvae_ref import tree
from dvae_ref.arrays import Array
from dvae_ref.exact import bipartite, bipartite_moments, general, general_moments, limits
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM, BoltzmannMachine, Moments

MAX_STATES = 2**28
SAMPLE_UNITS = 20  # listed by the runs that measure the rate: enough blocks for all cores


def log_z(machine: RBM | BoltzmannMachine, *, force: bool = False) -> float:
    """log Z in nats of an RBM or a BoltzmannMachine, float64.

    Visits 2^min(D_left, D_right) states of an RBM, 2^D of a general machine, at most 2^28 unless forced; ValueError
    beyond that, with the time that it would take, and for malformed parameters. The result does not depend on the
    number of threads. Relative error below 1e-13 (tests/exact), also where log Z is close to 0, for energies whose
    terms add up to 100 nats in size; beyond, below 1e-15 of that sum.

    >>> import numpy as np
    >>> round(float(log_z(RBM(np.zeros(3), np.zeros((1, 2)))) / np.log(2)), 12)
    3.0
    """
    if isinstance(machine, RBM):
        return float(_rbm_log_sum(machine, force)[1][0])
    return float(_general_log_sum(machine, force)[1])


def moments(machine: RBM | BoltzmannMachine, *, force: bool = False) -> Moments:
    """E[z] and E[z z'] as Moments, float64: z (D,) and zz, (D_left, D_right) for an RBM, (D, D) for a general machine.

    The gradient of log_z. Limits and errors (ValueError) as in log_z; about eight times its time (RBM), ten times
    (general). Relative error 1e-13, for the same energies, where a probability is tiny as well, down to 1e-40
    (tests/exact/test_machines.py).

    >>> import numpy as np
    >>> moments(RBM(np.array([0.0, 100.0]), np.zeros((1, 1)))).z.round(12).tolist()
    [0.5, 1.0]
    """
    if isinstance(machine, RBM):
        p, log_sum = _rbm_log_sum(machine, force)
        found = bipartite_moments.marginals(p, log_sum, bipartite.lists_left(machine.W))
        return Moments(found.on[0], found.zz[0])
    problem, log_sum = _general_log_sum(machine, force)
    zz = general_moments.moments(problem, log_sum)
    return Moments(np.diag(zz).copy(), zz)


def _rbm_log_sum(rbm, force):
    """(bipartite.Problem, its log_sum (1,)) of the RBM itself: b is 0."""
    boltzmann.check(rbm)
    p = rbm_problem(rbm, np.zeros((1, rbm.a.size)), force)
    return p, bipartite.log_sum(p)


def _general_log_sum(machine, force):
    """(general.Problem, log Z)."""
    if not isinstance(machine, BoltzmannMachine):
        raise ValueError(f"expected an RBM or a BoltzmannMachine, got {type(machine).__name__}")
    boltzmann.check_general(machine)
    _check_energies(machine)
    d = machine.a.size
    limits.check(2**d, MAX_STATES, force, f"the enumeration of {d} units", _general_sample, machine)
    p = general.problem(machine)
    return p, general.log_sum(p)


def rbm_problem(rbm: RBM, b: Array, force: bool = False) -> bipartite.Problem:
    """The bipartite.Problem of the augmented machines with log-ratios b, (N, D): on = a + min(b, 0), off = -max(b, 0),
    which is relative to r_max. ValueError if anything is malformed or too large."""
    boltzmann.check(rbm)
    _check_energies(rbm)
    check_rows(rbm, b, "b")
    n, rows = min(rbm.W.shape), len(b)
    what = f"the enumeration of {n} units for {rows} machine{'s' * (rows != 1)}"
    limits.check(rows * 2**n, MAX_STATES, force, what, _rbm_sample, rbm)
    return _problem(rbm, b)


def _problem(rbm, b):
    """What rbm_problem returns, of arguments that have been checked."""
    b = np.asarray(b, np.float64)
    return bipartite.problem(rbm, rbm.a + np.minimum(b, 0), -np.maximum(b, 0))


def _check_energies(machine):
    """Raise ValueError if an energy may be beyond float64."""
    with np.errstate(over="ignore"):
        largest = sum(np.abs(value).sum(dtype=np.float64) for value in machine)
    if not np.isfinite(largest):
        raise ValueError("the machine's parameters are too large: its energies are beyond float64")


def check_rows(rbm: RBM, rows: Array, name: str) -> None:
    """Raise ValueError unless `rows` is a finite array (N, D), TypeError if it is no real array."""
    domains.real(name, rows)
    if rows.ndim != 2 or rows.shape[1] != rbm.a.size:
        raise ValueError(f"{name} must have the shape (N, D) with D = {rbm.a.size}, got {rows.shape}")
    domains.finite(name, rows)


def in_double(parameters: Any) -> Any:
    """A tree of parameters with its leaves, arrays of any shape, in float64."""
    return tree.map(functools.partial(np.asarray, dtype=np.float64), parameters)


def smaller(rbm: RBM, most: int) -> tuple[RBM, Array]:
    """The RBM with at most so many of the units that are listed, and which of the D units it has, integers (n,)."""
    W = rbm.W[:most] if bipartite.lists_left(rbm.W) else rbm.W[:, :most]
    left, right = (np.arange(size) for size in W.shape)
    units = np.concatenate([left, len(rbm.W) + right])
    return RBM(rbm.a[units], W), units


def _rbm_sample(rbm):
    """Enumerate a smaller machine, for the rate."""
    part, _ = smaller(rbm, SAMPLE_UNITS)
    bipartite.log_sum(_problem(part, np.zeros((1, part.a.size))))
    return 2 ** min(part.W.shape)


def _general_sample(machine):
    """Enumerate a smaller machine, for the rate."""
    n = SAMPLE_UNITS + 4  # a state takes a nanosecond
    general.log_sum(general.problem(BoltzmannMachine(machine.a[:n], machine.J[:n, :n])))
    return 2 ** min(n, machine.a.size)
