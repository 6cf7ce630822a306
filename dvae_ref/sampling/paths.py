"""Paths of annealing (Sec. 4; Neal 2001): inverse temperatures, the base, and what rounding the parameters leaves out.

A Path has machines E_t(z) = -base·z - t (slope·z + z_left W z_right), 0 <= t <= 1, with base + slope = a: base = 0
("uniform"), base = a ("bias"), or any other biases. At t = 0 it has no couplings, and log Z_0 = sum_i softplus(base_i)
nats. Its parameters are rounded (`fields.exact_fields`), so that it ends at an RBM which is not quite the one given.
Derived in docs/derivations/09-sampling.md.
"""

from collections.abc import Sequence

import numpy as np

from dvae_ref.arrays import Array, shapes_named
from dvae_ref.sampling import fields
from dvae_ref.sampling.engines.path import Path
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import softplus

Temperatures = int | Sequence[float] | Array  # how many, or which
MOST_TEMPERATURES = 2**24  # evenly spaced, of which float32 can tell each from the next


def schedule(temperatures: Temperatures) -> Array:
    """The inverse temperatures (K + 1,), float32, from 0 to 1; ValueError unless they increase strictly.

    >>> schedule(5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    given = temperatures
    if np.ndim(given) == 0:
        given = np.linspace(0, 1, domains.whole("the number of temperatures", given, 2, MOST_TEMPERATURES))
    inv_temps = domains.array("temperatures", given).astype(np.float32)
    if inv_temps.ndim != 1 or len(inv_temps) < 2 or inv_temps[0] != 0 or inv_temps[-1] != 1:
        raise ValueError("a schedule is a vector of inverse temperatures that begins with 0 and ends with 1")
    _check_rising(inv_temps, given)
    return inv_temps


def _check_rising(inv_temps, given):
    """ValueError unless they do, in float32, that names the first two, as given, that do not."""
    rising = np.diff(inv_temps) > 0
    if not np.all(rising):
        at = int(np.argmin(rising))
        raise ValueError(
            f"a schedule must increase strictly, in float32; entries {at} and {at + 1} are {given[at]}, {given[at + 1]}"
        )


def annealing_path(rbm: RBM, base: str | Array) -> Path:
    """The Path of the RBM with exact fields from one of the two bases, or from the biases (D,) of another one.

    ValueError for an unknown base, biases of another shape, and parameters that are not finite.
    """
    boltzmann.check(rbm)
    if not isinstance(base, str):
        return _path_from(rbm, domains.array("base", base))
    rounded, _ = fields.exact_fields(rbm)
    zero = np.zeros_like(rounded.a)
    known = {"uniform": Path(zero, rounded.a, rounded.W), "bias": Path(rounded.a, zero, rounded.W)}
    if base not in known:
        raise ValueError(f"the base must be one of {', '.join(known)}; got {base!r}")
    return known[base]


def _path_from(rbm, base):
    """Exact fields are needed of what is annealed, slope + W z: the base may be large where the slope is not."""
    with np.errstate(over="ignore"):
        base = base.astype(np.float32)
    if base.shape != rbm.a.shape or not np.all(np.isfinite(base)):
        raise ValueError(f"the biases of the base must be {rbm.a.shape}, finite in float32; got shape {base.shape}")
    rounded, _ = fields.exact_fields(RBM(rbm.a - base.astype(np.float64), rbm.W))
    return Path(base, rounded.a, rounded.W)


def base_log_z(path: Path) -> float:
    """log Z_0 of the base, which has no couplings: float64, nats."""
    return np.sum(softplus(path.base.astype(np.float64)))


def target(path: Path) -> RBM:
    """The RBM at the end of a Path: base + slope in float64, where they do not round."""
    return RBM(path.base.astype(np.float64) + path.slope, path.W)


@shapes_named
def correction(rbm: RBM, path: Path, z_left: Array) -> Array:
    """log p*(z_left) of the RBM as given minus that of the rounded one: (R,), float64."""
    rounded = target(path)
    return _log_p_left(rbm, z_left) - _log_p_left(rounded, z_left)


def _log_p_left(rbm, z_left):
    rbm = RBM(*(np.asarray(value, np.float64) for value in rbm))
    return z_left @ rbm.a_left + np.sum(softplus(rbm.a_right + z_left @ rbm.W), -1)
