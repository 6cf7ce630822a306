"""Known trouble: where implementations of one formula have been seen to part, as rows that are added to the inputs.

A quantity's `draw` puts them in; `flags` finds them again, row by row, and a verdict counts failures by flag.
"""

import numpy as np

from dvae_ref.conformance.quantity import is_gradient

LOGITS = np.array([12.0, -40.0, 40.0, -12.0])  # of q: the authors' release clips q from 6.9 and from 9.2 on
NEAR = 2.0**-21  # from a vertex, below 1e-6; float32 holds it and 1 minus it
FIELD = 30.0  # of a unit of the machine: e^-30 is below float32's last place, and above its smallest number
CUT = 12.0, 22.0  # fields: log(1 + e^x) is x to some from 10 on, to others from 20; e^-22 = 3e-10
OUTPUT = 25.0  # of the decoder: p is clipped at 16 by some (1e-7, Keras), log(1 + e^x) cut at 20 by others
B = 300.0  # of log r(zeta|1) - log r(zeta|0): e^300 is more than float32 holds
APART = 700.0  # log-weights: e^-700 is nearly the smallest number that float64 holds, e^710 more than the largest
TINY = -800.0  # all of an image's log-weights: e^-800 is 0
ENDS = np.array([NEAR, 1 - NEAR])
MOST_GROUPS = 4  # of a model

MEANINGS = {
    "near-vertex": "zeta within 1e-6 of 0 or 1, not on it",
    "large-logit": "|logit q| of 12 and more",
    "large-output": "a logit of p(x|zeta) of 20 and more in size",
    "small-rho": "rho below 1e-6",
    "large-b": "|b| of a hundred and more",
    "large-field": "a unit whose field is 25 and more in size",
    "far-apart": "log-weights that are hundreds apart",
    "underflow": "log-weights that are below -745, all of an image: their exponentials are 0",
    "all-equal": "log-weights that are all the same",
    "on-vertex": "zeta = 0 or 1, or all units of the machine 0",
    "square": "as many units left as right, and W not symmetric",
}


def flags(inputs):
    """{flag: rows it concerns}, booleans over the rows of the inputs; of the whole quantity, where it has no rows.

    They are found in the inputs, not remembered from the draw: a kit that was exported elsewhere has them as well.
    """
    found = {}
    for name, where in _elements(inputs):
        found[name] = where.reshape(len(where), -1).any(1)
    found |= _of_all(inputs)
    return {name: rows for name, rows in found.items() if rows.any()}


def _elements(inputs):
    """(flag, booleans): where in an input the trouble is, rows first."""
    if "zeta" in inputs:
        end = np.minimum(np.abs(inputs["zeta"]), np.abs(1 - inputs["zeta"]))
        yield "near-vertex", (end > 0) & (end < 1e-6)
        yield "on-vertex", end == 0
    if "q" in inputs:
        yield "large-logit", np.abs(_logit(inputs["q"])) > 11.99
    if "logit_q" in inputs:
        yield "large-logit", np.abs(inputs["logit_q"]) > 11.99
    if "logits" in inputs:
        yield "large-output", np.abs(inputs["logits"]) >= 20
    if "rho" in inputs:
        yield "small-rho", inputs["rho"] < 1e-6
    if "b" in inputs:
        yield "large-b", np.abs(inputs["b"]) >= 100
    if "z" in inputs and inputs["z"].ndim == 2:
        yield "on-vertex", ~inputs["z"].any(-1)
    for name in ("log_w", "log_px"):
        if name in inputs:
            yield "far-apart", np.ptp(inputs[name], axis=-1) >= 100
            yield "all-equal", np.ptp(inputs[name], axis=-1) == 0
            yield "underflow", inputs[name].max(-1) < -745


def of_rows(inputs):
    """The flags of single rows."""
    return {name: rows for name, rows in flags(inputs).items() if len(rows) > 1}


def rows(inputs):
    """Rows with any flag of their own, booleans; of no rows where none has one."""
    found = list(of_rows(inputs).values())
    return np.logical_or.reduce(found) if found else np.zeros(0, bool)


BY_ROW = {"zeta", "q", "logit_q", "logits", "z", "log_p", "log_q", "log_px", "minus_kl"}  # inputs that have gradients


def axis_of_rows(quantity, name, shape, number):
    """The axis of an output along which so many rows of the inputs are counted, None if it has no such rows.

    A gradient in what all rows share (W, a kernel) is a sum over them, and has none.
    """
    differentiated = name.removeprefix("d_").partition("_d_")[0]  # zeta of d_zeta_d_q
    axis = min(quantity.row_axis, len(shape) - 1)
    summed = is_gradient(name) and differentiated not in BY_ROW
    return None if summed or axis < 0 or shape[axis] != number else axis


def _logit(q):
    """At q = 0 and 1 the largest number."""
    with np.errstate(divide="ignore"):
        return np.nan_to_num(np.log(q) - np.log1p(-q))


def _of_all(inputs):
    """Of the machine and of the networks' last biases, which concern every row."""
    found = {}
    for W in _there(inputs, "W", "rbm.W"):
        found["square"] = W.shape[0] == W.shape[1] and not np.array_equal(W, W.T)
    for a in _there(inputs, "a", "rbm.a"):
        found["large-field"] = np.abs(a).max() >= 25
    for bias in _there(inputs, *[f"encoder.{g}.out.bias" for g in range(MOST_GROUPS)]):
        found["large-logit"] = found.get("large-logit", False) or np.abs(bias).max() >= 12
    for bias in _there(inputs, "decoder.out.bias"):
        found["large-output"] = np.abs(bias).max() >= 20
    return {name: np.array([concerned]) for name, concerned in found.items()}


def _there(inputs, *names):
    """Those of the named inputs that are there."""
    return [inputs[name] for name in names if name in inputs]


def in_machine(inputs):
    """The first unit of the left side and the last of the right with a field of 30 in size, unlike in sign."""
    inputs["a"][0], inputs["a"][-1] = FIELD, -FIELD
    return inputs


def in_networks(named, groups):
    """Units of the encoder with logits of q about 12, -40, 40 and -12, spread over the groups; of one group two."""
    for n, shift in enumerate(LOGITS if groups > 1 else LOGITS[2:]):
        bias = named[f"encoder.{n % groups}.out.bias"]
        bias[n] += shift + np.sign(shift) * 2  # networks add one or two of their own
    return named


def in_decoder(named, x):
    """Logits of about 25 for the first pixel and -25 for the last, which are on and off in turn from image to image."""
    named["decoder.out.bias"][[0, -1]] += OUTPUT * np.array([1, -1])
    x[:, 0], x[:, -1] = np.arange(len(x)) % 2, np.arange(len(x)) // 2 % 2
    return named


def zeta_and_q(units):
    """zeta at both ends and in the middle with each of LOGITS, (rows, units): as many rows as are needed.

    Pairs matter. At zeta near 0 and q = sigmoid(12), (1 - q) r(zeta|0) and q r(zeta|1) of the power function are of one
    size, the one a tiny number times a large one: who has 1 - q by subtraction, in float32, may be 1% off.
    """
    zeta, logit = np.meshgrid(np.append(ENDS, 0.5), LOGITS)
    shape = -(-zeta.size // units), units
    return np.resize(zeta, shape), np.resize(1 / (1 + np.exp(-logit)), shape)
