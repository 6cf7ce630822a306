"""Calls samplers and enumeration with arrays of any shape, layout and dtype: python any_chains.py EXAMPLES

The answer is that of the same numbers in plain arrays, by the NumPy oracle or by enumeration written out, or it is a
ValueError or TypeError. Run as a process of its own (test_any_chains.py): a wrong index may kill it.
"""

import json
import sys
import warnings
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dvae_ref import RBM, exact
from dvae_ref.sampling import ais, gibbs, pcd, philox, population_annealing

KEY = philox.key(5)
KINDS = ("float32", "float64", "float16", "int8", "int64", "bool", "complex64", "object")
NIBBLE_KINDS = ("uint8", "int8", "int64", "float64", "bool")
LAYOUTS = ("C", "F", "strided", "read-only", "unaligned")


def laid_out(x, layout):
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "strided" and x.ndim:
        return np.repeat(x, 2, -1)[..., ::2]
    if layout == "unaligned" and x.dtype != object:
        copy = np.ndarray(x.shape, x.dtype, np.zeros(x.nbytes + 1, np.uint8)[1:])
        copy[...] = x
        return copy
    if layout == "read-only":
        x.flags.writeable = False
    return x


def resized(draw, shape):
    axis = draw(st.integers(0, len(shape) - 1))
    length = draw(st.sampled_from((0, 1, shape[axis] + 1, shape[axis] - 1, 300)))
    return (*shape[:axis], length, *shape[axis + 1 :])


@st.composite
def machines(draw):
    """(RBM, (n_left, n_right)): odd in at most one of its arrays."""
    n_left, n_right = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    odd = draw(st.sampled_from(("a", "W", "", "")))
    made = []
    for name, shape in (("a", (n_left + n_right,)), ("W", (n_left, n_right))):
        kind, layout = "float32", "C"
        if name == odd:
            kind, layout = draw(st.sampled_from(KINDS)), draw(st.sampled_from(LAYOUTS))
            shape = resized(draw, shape) if draw(st.booleans()) else shape
        made.append(laid_out((3 * rng.normal(size=shape)).astype(kind), layout))
    return RBM(*made), (n_left, n_right)


@st.composite
def chains_and_machines(draw):
    """(Chains, RBM): odd in one array of either; padding bits and nibbles above 15 among the oddities."""
    rbm, shape = draw(machines())
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    chains = draw(st.integers(1, 70))
    plain = gibbs.chains_from((rng.random((chains, sum(shape))) < 0.5).astype(np.float32), shape)
    odd = draw(st.sampled_from(("", "", "left", "right", "shape", "sweeps")))
    return plain._replace(**{odd: odd_chains(draw, getattr(plain, odd), odd)}) if odd else plain, rbm


def odd_chains(draw, array, name):
    if name in ("shape", "sweeps"):
        others = (array + 1, array.astype(np.float64), -array - 1, np.zeros((2, 2), np.int64), array.astype(object))
        return draw(st.sampled_from(others))
    how = draw(st.sampled_from(("size", "value", "kind")))
    if how == "size":
        return np.zeros(resized(draw, array.shape), np.uint8)
    if how == "value":
        array = array.copy()
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from((15, 16, 255)))
        return array
    return laid_out(array.astype(draw(st.sampled_from(NIBBLE_KINDS))), draw(st.sampled_from(LAYOUTS)))


def outcome(function):
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function()
    except (ValueError, TypeError) as error:
        return error


def plain_rbm(rbm):
    """The same machine in plain float32 arrays."""
    return RBM(*(np.array(p, np.float32, order="C") for p in rbm))


def brute_log_z(rbm):
    a, W = (np.asarray(p, np.float64) for p in rbm)
    z = np.arange(2 ** len(a))[:, None] >> np.arange(len(a)) & 1
    left, right = z[:, : len(W)], z[:, len(W) :]
    minus_energy = z @ a + np.sum((left @ W) * right, 1)
    return minus_energy.max() + np.log(np.sum(np.exp(minus_energy - minus_energy.max())))


def judge_sweep(chains, rbm, counts):
    found = outcome(lambda: gibbs.sweep(KEY, chains, rbm, 2))
    if isinstance(found, Exception):
        counts["refused"] += 1
        return
    plain = gibbs.Chains(*(np.array(x, order="C") for x in chains))
    expected = gibbs.sweep_reference(KEY, plain, plain_rbm(rbm), 2)
    assert all(np.array_equal(f, e) for f, e in zip(found, expected, strict=True)), (found, expected)
    moments = pcd.step(KEY, chains, rbm, 2)[1].moments
    np.testing.assert_allclose(moments.z, expected.z.mean(0), rtol=1e-6)
    counts["answered"] += 1


def judge_log_z(rbm, counts):
    """exact.log_z against an enumeration; AIS and population annealing refuse what it refuses, and are near it."""
    found = outcome(lambda: exact.log_z(rbm))
    estimate = outcome(lambda: ais.log_z(KEY, rbm, 30, 300))
    annealed = outcome(lambda: population_annealing.step(KEY, population_annealing.init(KEY, rbm, 20), rbm, 2))
    if isinstance(found, Exception):
        assert isinstance(estimate, Exception), (found, estimate)
        assert isinstance(annealed, Exception), (found, annealed)
        counts["refused"] += 1
        return
    np.testing.assert_allclose(found, brute_log_z(rbm), rtol=1e-12)
    assert isinstance(estimate, Exception) or abs(estimate.log_z - found) < 8, (estimate, found)
    counts["answered"] += 1


def run(strategy, judge, examples):
    counts = Counter()

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
    @given(strategy)
    def every_call_is_right_or_refused(made):
        judge(*made, counts)

    every_call_is_right_or_refused()
    return counts


if __name__ == "__main__":
    examples = int(sys.argv[1])
    total = {
        "gibbs.sweep, pcd.step": run(chains_and_machines(), judge_sweep, examples),
        "exact.log_z, ais.log_z, population_annealing.step": run(
            machines().map(lambda made: made[:1]), judge_log_z, examples
        ),
    }
    print(json.dumps(total))
