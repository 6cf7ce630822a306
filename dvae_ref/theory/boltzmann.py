"""Restricted and general Boltzmann machines: energy, its gradient, conditionals (paper, Sec. 2).

A machine of D = D_left + D_right binary units, z = (z_left, z_right), has the energy

    E(z) = -a·z - z_left W z_right,    p(z) = exp(-E(z)) / Z,

which is the paper's E(z) = -a·z - z·J·z / 2 with J = [[0, W], [W', 0]]. It is multilinear in z: E at the means
of a factorial distribution is the mean of E. All in nats. Derived in docs/derivations/01-boltzmann-machines.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, in_floats, short
from dvae_ref.theory import domains
from dvae_ref.theory.elementary import per_row, sigmoid


class RBM(NamedTuple):
    """Parameters theta = {a, W}; also used for gradients in them."""

    a: np.ndarray  # (D_left + D_right,)
    W: np.ndarray  # (D_left, D_right)

    def __repr__(self) -> str:
        return short(self)

    @property
    def a_left(self) -> Array:
        """Biases of the left side, (D_left,): a view."""
        return self.a[: self.W.shape[0]]

    @property
    def a_right(self) -> Array:
        """Biases of the right side, (D_right,): a view."""
        return self.a[self.W.shape[0] :]


class BoltzmannMachine(NamedTuple):
    """A machine whose units may all be coupled: E(z) = -a·z - z J z / 2."""

    a: np.ndarray  # (D,)
    J: np.ndarray  # (D, D), symmetric, zero diagonal

    def __repr__(self) -> str:
        return short(self)


class Moments(NamedTuple):
    """E[z] and E[z_left z_right'] of a distribution over z: minus the mean energy's gradient in a and W."""

    z: np.ndarray  # (D,)
    zz: np.ndarray  # (D_left, D_right)

    def __repr__(self) -> str:
        return short(self)


def split(z: Array, rbm: RBM) -> tuple[Array, Array]:
    """(z_left, z_right): views of the two sides of the last axis of z.  ValueError if z is of other units."""
    n_left, n_right = rbm.W.shape
    if z.shape[-1] != n_left + n_right:
        raise ValueError(f"the RBM's W {rbm.W.shape} has {n_left + n_right} units; got an array of shape {z.shape}")
    return z[..., :n_left], z[..., n_left:]


def check(rbm: RBM) -> None:
    """Raise ValueError unless a and W are finite and of matching shapes, TypeError if they are no real arrays."""
    domains.instance("the machine", rbm, RBM)
    _check_each(domains.real, "RBM", rbm)
    if rbm.W.ndim != 2 or rbm.a.shape != (sum(rbm.W.shape),):
        raise ValueError(
            f"an RBM takes W of shape (D_left, D_right) and a of shape (D_left + D_right,); "
            f"got W {rbm.W.shape} and a {rbm.a.shape}"
        )
    _check_each(domains.finite, "RBM", rbm)


def check_general(machine: BoltzmannMachine) -> None:
    """Raise ValueError unless a and J are finite, of matching shapes, and J symmetric with a zero diagonal.

    TypeError if they are no real arrays.
    """
    domains.instance("the machine", machine, BoltzmannMachine)
    _check_each(domains.real, "machine", machine)
    a, J = machine
    if a.ndim != 1 or J.shape != 2 * a.shape:
        raise ValueError(f"a Boltzmann machine takes a of shape (D,) and J of (D, D); got {a.shape} and {J.shape}")
    _check_each(domains.finite, "machine", machine)
    if np.any(J != J.T) or np.any(np.diag(J)):
        raise ValueError("a Boltzmann machine takes a symmetric J with a zero diagonal")


def _check_each(demand, kind, machine):
    for name, value in zip(machine._fields, machine, strict=True):
        demand(f"the {kind}'s {name}", value)


@in_floats
def as_general(rbm: RBM) -> BoltzmannMachine:
    """The same machine with J = [[0, W], [W', 0]], (D, D).  ValueError for an a of other units than W's."""
    if rbm.a.shape != (sum(rbm.W.shape),):
        raise ValueError(
            f"a machine takes a of shape (D,) for W {rbm.W.shape}, D = {sum(rbm.W.shape)}; got {rbm.a.shape}"
        )
    n_left, n_right = rbm.W.shape
    zeros_left, zeros_right = np.zeros((n_left, n_left), rbm.W.dtype), np.zeros((n_right, n_right), rbm.W.dtype)
    return BoltzmannMachine(rbm.a, np.block([[zeros_left, rbm.W], [rbm.W.T, zeros_right]]))


@in_floats
def energy_general(machine: BoltzmannMachine, z: Array) -> Array:
    """E(z) = -a·z - z J z / 2 in nats.  z: (..., D)  ->  (...,)."""
    return -(z @ machine.a) - np.sum((z @ machine.J) * z, -1) / 2


@in_floats
def energy(rbm: RBM, z: Array) -> Array:
    """E(z) = -a·z - z_left W z_right in nats.  z: (..., D), binary or means in [0, 1] -> (...,).

    ValueError for a z of other units. Error 1e-13 of its terms' sizes, added up, in float64 (tests/theory).

    >>> rbm = RBM(a=np.array([1.0, 0.0, -1.0]), W=np.array([[2.0, 0.5]]))
    >>> energy(rbm, np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
    [-3.0, 1.0]
    """
    left, right = split(z, rbm)
    return -(z @ rbm.a) - np.sum((left @ rbm.W) * right, -1)


@in_floats
def energy_backward(d_energy: Array, rbm: RBM, z: Array) -> tuple[RBM, Array]:
    """Gradients of sum(d_energy * E(z)) in (rbm, z).  d_energy: (N,), z: (N, D).

    ValueError if d_energy is not one number a row of z.
    """
    right = split(z, rbm)[1]
    d = per_row(d_energy, z)
    weighted = d * z
    weighted_left = split(weighted, rbm)[0]
    d_z = d * -field(rbm, z)
    return RBM(-weighted.sum(0), -(weighted_left.T @ right)), d_z


@in_floats
def field(rbm: RBM, z: Array) -> Array:
    """-dE/dz: the input a + J z of every unit.  (..., D) -> (..., D).  ValueError for a z of other units."""
    return rbm.a + couple(rbm, z)


@in_floats
def couple(rbm: RBM, z: Array) -> Array:
    """J z = (W z_right, z_left W): what the other units contribute to the input of each.  (..., D) -> (..., D).

    ValueError for a z of other units.
    """
    left, right = split(z, rbm)
    return np.concatenate([right @ rbm.W.T, left @ rbm.W], -1)


@in_floats
def conditional_right(rbm: RBM, z_left: Array) -> Array:
    """p(z_right = 1 | z_left) = sigmoid(a_right + z_left W).  (N, D_left) -> (N, D_right).

    >>> conditional_right(RBM(np.zeros(3), np.array([[2.0, -2.0]])), np.ones((1, 1))).round(4).tolist()
    [[0.8808, 0.1192]]
    """
    return sigmoid(rbm.a_right + z_left @ rbm.W)


@in_floats
def conditional_left(rbm: RBM, z_right: Array) -> Array:
    """p(z_left = 1 | z_right) = sigmoid(a_left + W z_right).  (N, D_right) -> (N, D_left)."""
    return sigmoid(rbm.a_left + z_right @ rbm.W.T)


@in_floats
def moments(rbm: RBM, z: Array, weights: Array | None = None) -> Moments:
    """Mean of z and z_left z_right' over rows.  z: (R, D); weights: (R,), summing to 1, default 1/R.

    ValueError for no rows, and for a z of other units.

    >>> found = moments(RBM(np.zeros(3), np.zeros((1, 2))), np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))
    >>> found.z.tolist(), found.zz.tolist()
    ([0.5, 1.0, 0.5], [[0.5, 0.0]])
    """
    if len(z) == 0:
        raise ValueError(f"moments are means over at least one row; got z of shape {z.shape}")
    weights = np.full(len(z), 1 / len(z), z.dtype) if weights is None else weights
    left, right = split(z, rbm)
    return Moments(weights @ z, (weights[:, None] * left).T @ right)
