"""The RBM on its way through training: the machines along which log Z can be annealed when the run is done.

Kept is every hundredth of a run, and what lies between where neighbours overlap too little. How little is told by the
Jeffreys divergence, which for an exponential family takes the parameters and moments of both ends alone:

    J = KL(p || p') + KL(p' || p) = (a' - a) . (E'[z] - E[z]) + sum (W' - W) (E'[z z'] - E[z z']),        nats.

The log-weight of an importance step from p to p' has a variance of about J, and so 1000 chains the worth of
1000 e^-J: 18 at MOST = 4, with which an interpolation of a few steps is quick. R chains estimate J to sqrt(2 J / R),
with moments that are one update old. It is looked at four times in a hundredth, so there are at most 400 snapshots.
(At 390,000 of 1,000,000 iterations of 1-layer-nonlin, where the learning rate is highest, J is 1 after 100 iterations,
which is Adam's noise about a place that hardly moves: it is 2.2 after 2,500. Hence no smaller MOST.)
"""

import contextlib
import math
import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.files import npz, writing
from dvae_ref.theory.boltzmann import RBM, Moments

PARTS, LOOKS = 100, 400  # of a run: after each is a snapshot; after each is looked whether one is needed
TYPES = {"iteration": np.int64, "a": np.float32, "W": np.float32, "jeffreys": np.float64}  # of Path's arrays
MOST = 4.0  # nats of J from the last snapshot


class Kept(NamedTuple):
    """The last snapshot: part of a run's State, as the next look compares with it."""

    rbm: RBM
    moments: Moments


class Path(NamedTuple):
    """What snapshots.npz holds, n machines in their order. The path begins before them: at zero, log Z = D log 2."""

    iteration: np.ndarray  # (n,) int64: updates behind it
    a: np.ndarray  # (n, D) float32
    W: np.ndarray  # (n, D_left, D_right) float32
    jeffreys: np.ndarray  # (n,) float64: estimate of J from the one before, nats


def at_zero(rbm):
    """The Kept of the machine without parameters, of this shape: where every run begins."""
    zero = RBM(np.zeros_like(rbm.a), np.zeros_like(rbm.W))
    return Kept(zero, Moments(np.full_like(rbm.a, 0.5), np.full_like(rbm.W, 0.25)))


def is_whole(iteration, total):
    """Has this iteration completed a hundredth of the run, after which a snapshot is always kept?"""
    return _ends(iteration, total, PARTS)


def is_look(iteration, total):
    """Has it completed a 400th, after which J decides?"""
    return _ends(iteration, total, LOOKS)


def _ends(iteration, total, parts):
    """Whether one of so many equal parts of the run ends with this iteration, counted from 1."""
    return iteration * parts // total > (iteration - 1) * parts // total


def jeffreys(kept, rbm, moments):
    """J between a Kept and the machine with these moments, in float64: nats; with estimated ones it may be negative."""
    of_a = _product(rbm.a, kept.rbm.a, moments.z, kept.moments.z)
    return of_a + _product(rbm.W, kept.rbm.W, moments.zz, kept.moments.zz)


def _product(theta, theta_before, mean, mean_before):
    """sum (theta - theta_before) (mean - mean_before), float64."""
    in_theta = np.subtract(theta, theta_before, dtype=np.float64)
    return float(np.sum(in_theta * np.subtract(mean, mean_before, dtype=np.float64)))


class Snapshots:
    """snapshots.npz of a run: written before each checkpoint that counts on it, cut on resuming to what that knows."""

    def __init__(self, path, rbm, count=0):
        """rbm: one of the shapes of all."""
        self.path, self.taken = path, []
        if count:
            self._read(rbm, count)
        else:
            path.unlink(missing_ok=True)
        self.written = len(self.taken)

    def _read(self, rbm, count):
        """Take up the first `count` of the file; warn where it has fewer, and go on with these."""
        with contextlib.suppress(FileNotFoundError):
            taken = list(zip(*read(self.path, rbm), strict=True))
            self.taken = taken[:count]
        if len(self.taken) < count:
            text = f"{self.path} has {len(self.taken)} of the {count} snapshots that its checkpoint knows of"
            warnings.warn(text, stacklevel=5)

    def __len__(self):
        """How many there are, on disk or not yet: what a checkpoint counts."""
        return len(self.taken)

    def take(self, iteration, rbm, divergence):
        """Add the machine; the arrays are kept, not copied."""
        self.taken.append((iteration, rbm.a, rbm.W, divergence))

    def write(self):
        """Have on disk what was taken."""
        if len(self.taken) == self.written:
            return
        path = Path(*zip(*self.taken, strict=True))
        arrays = {name: np.array(getattr(path, name), kind) for name, kind in TYPES.items()}
        with writing.atomic(self.path) as file:
            np.savez(file, **arrays)
        self.written = len(self.taken)


def read(path, rbm=None):
    """The Path in a snapshots.npz, of machines like `rbm` if given. ValueError if it is damaged, or of others."""

    def check(headers):
        if set(headers) != set(Path._fields):
            raise ValueError(f"{path} holds {', '.join(headers)}; expected {', '.join(Path._fields)}")
        for name, shape in _shapes(headers, rbm).items():
            found, kind = headers[name], TYPES[name]
            if found != (kind, shape):
                expected = f"{np.dtype(kind)} {shape}"
                raise ValueError(f"{path}: expected {name} to be {expected}, found {found.dtype} {found.shape}")

    found = Path(**npz.read(path, "npz of snapshots", check))
    if np.any(np.diff(found.iteration, prepend=0) <= 0) or not all(np.all(np.isfinite(array)) for array in found):
        raise ValueError(f"{path} is damaged: expected iterations that rise from 1, and finite numbers")
    return found


def _shapes(headers, rbm):
    """The shapes of arrays that agree with the first, or with the machine."""
    n = math.prod(headers["iteration"].shape)
    sides = rbm.W.shape if rbm else headers["W"].shape[1:]
    if len(sides) != 2:
        sides = 0, 0  # a damaged file: no machine has such arrays
    left, right = sides
    return {"iteration": (n,), "a": (n, left + right), "W": (n, left, right), "jeffreys": (n,)}
