"""Calls every function that has a compiled form with arrays of any shape, layout and dtype: any_arrays.py EXAMPLES

The answer is the readable form's in float64, to float32's accuracy, or a ValueError or TypeError; never another number.
Run as a process of its own (test_any_arrays.py), as compiled code that reads past the end of an array may kill it.
Prints for each function how often it was right and how often it refused.
"""

import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twin_cases import arrays, double

from dvae_ref import fast, mixture, overlapping, spike
from dvae_ref.model import layers
from dvae_ref.theory import elementary
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import Exponential, Gaussian, Power, UniformExponential

ACCURACY = 2e-5  # of 1 + |value|: numbers up to 3, sums of up to 40 of them, exponentials of up to 10
KINDS = (*("float32",) * 6, "float64", "float16", "int8", "uint8", "int64", "bool", "complex64", ">f4")
LAYOUTS = ("C", "C", "F", "strided", "reversed", "read-only", "unaligned")
CHANGES = ("as it should be", *("one",) * 2, "more", "fewer", "none", "no axis", "another axis", "transposed")


class Subject(NamedTuple):
    function: Callable
    letters: tuple  # of each array: "ND"; "NDu" for uniform numbers
    call: Callable  # arrays -> the arguments
    margin: Callable = lambda *arrays: True  # whether rounding cannot decide between two answers


def norm_cache(normed, scale, inverse_std, y):
    return layers.BatchNormCache(normed, scale, inverse_std, None), y


def smoothings(*functions_and_letters):
    for s in (Power(5.0), Exponential(4.0), UniformExponential(4.0, 0.05), Gaussian(9.0)):
        for function, letters in functions_and_letters:
            yield Subject(function, letters, lambda *a, s=s: (*a, s))


def u_is_clear(logit_q, u, rho):
    """No u at its q."""
    return not np.any(np.abs(u - elementary.sigmoid.readable(np.float64(logit_q))) < 1e-4)


def rho_is_clear(logit_q, rho):
    """Nothing at the edge of the spike."""
    return u_is_clear(-logit_q, rho, None)


SUBJECTS = [
    *(Subject(f, ("ND",), lambda x: (x,)) for f in (elementary.sigmoid, elementary.softplus)),
    Subject(elementary.bernoulli_entropy, ("ND",), lambda x: (x,)),
    Subject(elementary.logaddexp, ("ND", "ND"), lambda x, y: (x, y)),
    *smoothings(
        (mixture.log_ratio, ("ND",)),
        (mixture.d_log_ratio, ("ND",)),
        (mixture.d_t_d_logit_q, ("ND", "ND")),
        (mixture.d_t_d_beta, ("ND", "ND")),
        (mixture.draw_backward, ("ND",) * 5),
    ),
    *(s._replace(margin=u_is_clear) for s in smoothings((mixture.draw, ("ND", "NDu", "NDu")))),
    Subject(spike.sample, ("ND", "NDu"), lambda l, rho: (l, rho, 3.0)),
    Subject(spike.d_zeta_d_logit_q, ("ND", "NDu"), lambda l, rho: (l, rho, 3.0), rho_is_clear),
    Subject(mixture.log_q, ("ND", "ND"), lambda l, b: (l, b)),
    Subject(mixture.log_q_backward, ("N", "ND", "ND"), lambda d, l, b: (d, mixture.LogQ(l, b))),
    *(
        Subject(overlapping.log_p, ("D", "LR", "ND"), lambda a, W, b, sweeps=sweeps: (RBM(a, W), b, sweeps))
        for sweeps in (0, 1, 5)
    ),
    Subject(
        *(overlapping.log_p_backward, ("N", "D", "LR", "ND", "ND")),
        lambda d, a, W, b, m: (d, overlapping.LogP(RBM(a, W), b, m)),
    ),
    Subject(layers.bernoulli, ("BV", "NV"), lambda x, l: (x, l)),
    Subject(layers.bernoulli_backward, ("N", "BV", "NV"), lambda d, x, l: (d, (x, l))),
    Subject(layers.batch_norm_tanh, ("H", "H", "NH"), lambda scale, offset, x: (layers.BatchNorm(scale, offset), x)),
    Subject(layers.batch_norm_tanh_backward, ("NH", "NH", "H", "H", "NH"), lambda d, *cache: (d, norm_cache(*cache))),
]


@st.composite
def arrays_of(draw, subject):
    """An array for each of the letters: of agreeing shapes, but for at most two changes."""
    lengths = {letter: draw(st.integers(1, 4), label=letter) for letter in "BLRVH"}
    lengths |= {"D": lengths["L"] + lengths["R"], "N": lengths["B"] * draw(st.integers(1, 3), label="K")}
    changed = draw(st.lists(st.integers(0, len(subject.letters) - 1), max_size=2), label="changed")
    odd = draw(st.lists(st.integers(0, len(subject.letters) - 1), max_size=2), label="of another kind")
    rng = np.random.default_rng(draw(st.integers(0, 99), label="seed"))
    made = []
    for i, letters in enumerate(subject.letters):
        shape, low = [lengths[letter] for letter in letters.rstrip("u")], 0.1 if letters.endswith("u") else -3
        if i in changed:
            shape = change(shape, draw(st.sampled_from(CHANGES)), draw(st.integers(0, len(shape) - 1)))
        kind, layout = (draw(st.sampled_from(c)) for c in (KINDS, LAYOUTS)) if i in odd else ("float32", "C")
        made.append(laid_out(rng.uniform(low, 0.9 if low > 0 else 3, shape).astype(kind), layout))
    return made


def change(shape, how, axis):
    """Another shape."""
    length = {"one": 1, "more": shape[axis] + 1, "fewer": shape[axis] - 1, "none": 0}.get(how)
    if length is not None:
        return [*shape[:axis], length, *shape[axis + 1 :]]
    return {"no axis": shape[1:], "another axis": [2, *shape], "transposed": shape[::-1]}.get(how, shape)


def laid_out(x, layout):
    """The same numbers, elsewhere in memory."""
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "strided" and x.ndim:
        return np.repeat(x, 2, -1)[..., ::2]
    if layout == "reversed" and x.ndim:
        return x[..., ::-1].copy()[..., ::-1]
    if layout == "unaligned":
        buffer = np.zeros(x.nbytes + 1, np.uint8)[1:]
        return np.ndarray(x.shape, x.dtype, buffer)
    if layout == "read-only":
        x.flags.writeable = False
    return x


def outcome(function, args):
    """Its arrays, or the exception of a kind that is allowed."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of overflow, of an imaginary part that float64 does not hold
            return arrays(function(*args))
    except (ValueError, TypeError) as error:
        return error


def agree(found, exact):
    """Whether every array is the exact one, as float32 would have it."""
    return len(found) == len(exact) and all(map(close, found, exact))


def close(found, exact):
    return found.shape == exact.shape and np.allclose(found, exact, ACCURACY, ACCURACY, equal_nan=True)


def judge(subject, given_arrays, counts):
    """Compare a call with the readable form's in float64, and count what it was."""
    if is_margin(subject, given_arrays):
        return
    args = subject.call(*given_arrays)
    found = outcome(subject.function, args)
    exact = outcome(lambda *args: subject.function.readable(*double(args)), args)
    if isinstance(found, Exception):
        counts["refused"] += 1
        return
    assert not isinstance(exact, Exception), f"gave {found}, where the readable form raises {exact!r}"
    assert agree(found, exact), f"gave {found} for {exact}"
    counts["answered by the twin" if twin_answers(subject, args) else "answered as it is read"] += 1


def is_margin(subject, given_arrays):
    """Whether rounding may decide between two answers: at 0 and 1, which are read as the nearest float, it does."""
    uniform = [x for x, letters in zip(given_arrays, subject.letters, strict=True) if letters.endswith("u")]
    if any(np.any((x == 0) | (x == 1)) for x in uniform):
        return True
    try:
        return not subject.margin(*given_arrays)
    except (ValueError, TypeError):
        return False


def twin_answers(subject, args):
    return subject.function.twin()(*args) is not NotImplemented


def run(subject, examples):
    counts = Counter()

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
    @given(arrays_of(subject))
    def every_call_is_right_or_refused(made):
        judge(subject, made, counts)

    every_call_is_right_or_refused()
    return counts


if __name__ == "__main__":
    if "--open-door" in sys.argv:  # the control: twins that trust shapes
        for module in (fast.mixture, fast.overlapping, fast.layers):
            module.agree = lambda *layout: True
    total = {}
    for subject in SUBJECTS:
        name = f"{subject.function.__module__.rpartition('.')[2]}.{subject.function.__name__}"
        total.setdefault(name, Counter()).update(run(subject, int(sys.argv[1])))
    print(json.dumps(total))
