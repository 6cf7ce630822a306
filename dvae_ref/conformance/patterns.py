"""What wrong numbers have to do with the right ones, whatever the formula: a factor, a constant, an order, an axis.

For mistakes that nobody has written down. Each pattern is undone and the result compared with what is right: theirs is
exp(x) of it if log(theirs) agrees. It has to hold for all elements, within four tolerances (that theirs is a mean or a
sum of what is right, within 1e-6), and a factor, a constant or a function for three of them at least, since some factor
turns any one number into any other.
"""

import itertools

import numpy as np

from dvae_ref.theory.elementary import sigmoid

KNOWN = {  # factors that have a name
    "bits?": 1 / np.log(2),
    "base 10?": 1 / np.log(10),
    "from bits to nats?": np.log(2),
    "spins?": 4.0,
}
DEEP = 5  # axes, beyond which nobody looks for means over some of them
CLOSE = 1e-3  # to 1 a factor, to 0 a constant: a guard or few digits rather
MANY = 1e3  # tolerances, below which numbers are noise
FEW = 3  # numbers, of which a factor or a constant is no pattern


def same(found, ours, tolerance):
    """Do they agree within four tolerances?"""
    return found.shape == ours.shape and bool(np.all(np.abs(found - ours) <= 4 * tolerance.allow(ours)))


def of_numbers(name, ours, theirs, tolerance):
    """What is known of an array of the right shape that differs, behind a semicolon; "" if nothing is. All floats."""
    if ours.ndim == 2 and ours.T.shape == ours.shape and same(theirs.T, ours, tolerance):
        return "; the numbers are right, but transposed"
    if not theirs.any():
        return "; all are 0: is it detached?" if name.startswith("d_") else "; all are 0"
    with np.errstate(all="ignore"):
        for what, turned in INVERSES.items():
            if same(turned(theirs), ours, tolerance) and ours.size >= FEW:
                return f"; it is {what}, x being what is expected"
        return _affine(ours, theirs, tolerance) or _order(ours, theirs, tolerance)


INVERSES = {  # what was done to the right numbers, and what takes it back
    "1 - x": lambda y: 1 - y,
    "2 x - 1": lambda y: (y + 1) / 2,
    "exp(x)": np.log,
    "log(x)": np.exp,
    "logit(x)": sigmoid,
    "sigmoid(x)": lambda y: np.log(y) - np.log1p(-y),
    "1 / x": np.reciprocal,
    "x^2": np.sqrt,
}


def _affine(ours, theirs, tolerance):
    """A factor or a constant that all have in common: the factor by least squares, the constant as the median of the
    differences.

    A factor within a thousandth of 1 is not told, nor a constant below a thousandth of the median number: a guard or a
    lost digit makes as much. Neither is told of numbers below a thousand tolerances, nor of such as are all alike.
    """
    size = np.sum(ours * ours)
    small = np.max(np.abs(ours)) < MANY * np.max(tolerance.allow(ours))  # rounding, which has no factor
    if ours.size < FEW or small or np.ptp(ours) == 0 or not 0 < size < np.inf:
        return ""
    factor, constant = np.sum(theirs * ours) / size, np.median(theirs - ours)
    if abs(factor - 1) > CLOSE and same(theirs / factor, ours, tolerance):
        return f"; all are {factor:.8g} times what is expected{_known(factor)}"
    if abs(constant) > CLOSE * np.median(np.abs(ours)) and same(theirs - constant, ours, tolerance):
        return f"; all are {abs(constant):.8g} {'more' if constant > 0 else 'less'} than what is expected"
    return ""


def _known(factor):
    """ ": bits?", say, of a factor that has a name."""
    for name, known in KNOWN.items():
        if abs(factor / known - 1) < 1e-9:
            return f": {name}"
    return ""


def _order(ours, theirs, tolerance):
    """The same numbers at other places; of whole numbers, which repeat, that says nothing."""
    if ours.size < FEW or len(np.unique(ours)) < ours.size // 2 or np.array_equal(ours, np.round(ours)):
        return ""
    for axis in range(ours.ndim):
        if same(np.flip(theirs, axis), ours, tolerance):
            return f"; the numbers are right, but along axis {axis} the other way round"
    if same(np.sort(theirs.ravel()), np.sort(ours.ravel()), tolerance._replace(rows=())):
        return "; the numbers are right, but in another order"
    return ""


def of_shape(ours, theirs, tolerance):
    """What is known of an array of another shape, behind a semicolon; "" if nothing is. All floats."""
    if not theirs.size or theirs.ndim > DEEP:
        return ""
    with np.errstate(all="ignore"):
        moved = _moved(ours, theirs, tolerance)
        return moved or _reduced(ours, theirs, tolerance) or _block(ours, theirs, tolerance)


def _moved(ours, theirs, tolerance):
    """The right numbers under another shape."""
    if theirs.size != ours.size:
        return ""
    found = {
        "transposed": theirs.T,
        "in another shape": theirs.reshape(ours.shape),
        "column by column": theirs.reshape(ours.shape, order="F"),
    }
    for what, moved in found.items():
        if same(moved, ours, tolerance):
            return f"; the numbers are right, but {what}"
    return ""


def _reduced(ours, theirs, tolerance):
    """A mean or a sum of what is expected; or what is expected, of each row, not yet summed."""
    for axes in _axes(ours.ndim):
        over = "all" if len(axes) == ours.ndim else f"axis {', '.join(map(str, axes))}"
        for what, reduce in (("mean", np.mean), ("sum", np.sum)):
            expected = reduce(ours, axes)
            if expected.shape == theirs.shape and np.allclose(theirs, expected, 1e-6, tolerance.absolute):
                return f"; it is the {what} over {over} of what is expected"
    for axes in _axes(theirs.ndim):
        for what, reduce in (("mean", np.mean), ("sum", np.sum)):
            if same(reduce(theirs, axes), ours, tolerance):
                return f"; its {what} over axis {', '.join(map(str, axes))} is right"
    return ""


def _axes(ndim):
    """Axes that may be reduced, singly and together."""
    return [axes for n in range(1, ndim + 1) for axes in itertools.combinations(range(ndim), n)]


def _block(ours, theirs, tolerance):
    """The upper right block of a square matrix of all units, as J has W."""
    if ours.ndim != 2 or theirs.shape != (sum(ours.shape),) * 2:
        return ""
    block = theirs[: len(ours), len(ours) :]
    for what, moved in (("is right", block), ("is half of what is expected", 2 * block)):
        if same(moved, ours, tolerance):
            return f"; its upper right block {what}"
    return ""
