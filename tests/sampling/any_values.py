"""Calls every public function of the samplers and of `exact` with each argument made strange: python any_values.py

What stands in CALLS is a call that is answered. Each of its arguments, and each field of those that are tuples of
arrays, is in turn replaced by values of three kinds: those that have to be refused, those that say the same in other
words (then the answer is the same, or they are refused), and those that may be answered. Refused is: by a ValueError or
TypeError. Run as a process of its own (test_any_values.py): a wrong index may kill it.
"""

import json
import warnings
from collections import Counter

import numpy as np

from dvae_ref import RBM, BoltzmannMachine, exact
from dvae_ref.sampling import ais, bracket, gibbs, pcd, philox, trajectory
from dvae_ref.sampling import population_annealing as pa

rng = np.random.default_rng(0)
KEY = philox.key(1)
MACHINE = RBM(rng.normal(size=9).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32))
PATH = [RBM(t * MACHINE.a, t * MACHINE.W) for t in (np.float32(0.3), np.float32(0.6), np.float32(1))]
CHAINS = pcd.init(KEY, MACHINE, 20)
REPLICAS = pa.step(KEY, pa.init(KEY, MACHINE, 20), MACHINE, 2)[0]
START = bracket.Start(CHAINS.z, "somewhere")
B = 2 * rng.normal(size=(3, 9))
SYMMETRIC = np.triu(rng.normal(size=(6, 6)), 1)
GENERAL = BoltzmannMachine(rng.normal(size=6), SYMMETRIC + SYMMETRIC.T)
LOG_P = exact.log_p(MACHINE, B)[1]
GIBBS = {"key": KEY, "rbm": MACHINE, "sweeps": 3}
AIS = {"key": KEY, "rbm": MACHINE, "temperatures": 9, "chains": 6}
WALK = {"key": KEY, "machines": PATH, "steps": 2, "groups": 4, "sweeps": 1}
CALLS = {
    "gibbs.sweep": (gibbs.sweep, GIBBS | {"chains": CHAINS}),
    "gibbs.sweep_reference": (gibbs.sweep_reference, GIBBS | {"chains": CHAINS}),
    "gibbs.chains_from": (gibbs.chains_from, {"z": CHAINS.z, "shape": (4, 5), "sweeps": 3}),
    "pcd.init": (pcd.init, {"key": KEY, "shape": (4, 5), "chains": 6}),
    "pcd.step": (pcd.step, GIBBS | {"state": CHAINS}),
    "pcd.samples": (pcd.samples, {"state": CHAINS}),
    "pcd.moments": (pcd.moments, {"state": CHAINS}),
    "pa.init": (pa.init, {"key": KEY, "shape": (4, 5), "chains": 6}),
    "pa.step": (pa.step, GIBBS | {"state": REPLICAS, "most": 9, "family_updates": 3, "overlap": 0.5}),
    "pa.anneal": (pa.anneal, AIS | {"sweeps": 2, "base": MACHINE.a}),
    "pa.anneal, adaptive": (pa.anneal, {"key": KEY, "rbm": MACHINE, "overlap": 0.5, "most": 99, "chains": 9}),
    "ais.log_z": (ais.log_z, AIS | {"base": MACHINE.a}),
    "ais.log_z_batch": (ais.log_z_batch, {"key": KEY, "W": MACHINE.W, "a": B, "temperatures": 9, "chains": 6}),
    "bracket.log_z": (bracket.log_z, AIS | {"start": START, "base": MACHINE.a}),
    "bracket.below": (bracket.below, AIS | {"base": MACHINE.a}),
    "bracket.above": (bracket.above, AIS | {"start": START, "base": MACHINE.a}),
    "bracket.log_weights": (bracket.log_weights, AIS | {"start": START, "base": MACHINE.a}),
    "trajectory.log_z": (trajectory.log_z, WALK | {"start": START, "replicas": 5}),
    "trajectory.below": (trajectory.below, WALK | {"replicas": 5}),
    "trajectory.above": (trajectory.above, WALK | {"start": START}),
    "exact.log_z": (exact.log_z, {"machine": MACHINE}),
    "exact.log_z, general": (exact.log_z, {"machine": GENERAL}),
    "exact.moments": (exact.moments, {"machine": MACHINE}),
    "exact.moments, general": (exact.moments, {"machine": GENERAL}),
    "exact.log_p": (exact.log_p, {"rbm": MACHINE, "b": B}),
    "exact.log_p_backward": (lambda d: exact.log_p_backward(d, LOG_P), {"d": np.array([1.0, -2.0, 0.5])}),
    "exact.posterior_moments": (exact.posterior_moments, {"rbm": MACHINE, "b": B}),
    "exact.kl": (exact.kl, {"rbm": MACHINE, "b": B, "logit_m": B / 2}),
    "exact.sample": (exact.sample, {"u": philox.uniform(KEY, (7, 6), np.float64), "rbm": MACHINE}),
}
for call in ("bracket.above", "bracket.log_weights"):
    CALLS[call][1].pop("chains")

NO_KEYS = [0, None, (1, 2), "a", *(philox.Key(word, 3) for word in (-1, 2**32, 1.5, "a", np.nan, 2**70))]
NO_NUMBERS = [np.nan, np.inf, -1, -np.inf, 2.5, "7", "x", [3], {}, 3j, 2.0**63, 2**70, np.array([3]), np.array(3j)]
NO_FRACTIONS = [np.nan, np.inf, -0.5, 1.0, 2]
NO_SHAPES = [
    None,
    5,
    (3,),
    (3, 4, 5),
    (0, 3),
    (-3, 4),
    (2.5, 3),
    (np.nan, 2),
    "ab",
    (1j, 2),
    RBM(np.zeros(2), MACHINE.W),
]
NO_STATES = [None, 3, "a", [1.0]]


def strange(value):
    """(kind, value): kind is "refuse", "same" or "any"."""
    if isinstance(value, philox.Key):
        yield from (("refuse", odd) for odd in NO_KEYS)
    elif isinstance(value, bool | str):
        return
    elif isinstance(value, int):
        yield from (("refuse", odd) for odd in NO_NUMBERS)
        yield from (("same", kind(value)) for kind in (float, np.int8, np.float32, np.array, np.uint64))
    elif type(value) is float:
        yield from (("refuse", odd) for odd in NO_FRACTIONS)
    elif type(value) is tuple:  # a shape
        yield from (("refuse", odd) for odd in NO_SHAPES)
        yield from (("same", odd) for odd in ([4, 5], np.array([4, 5]), (4.0, 5.0)))
    elif isinstance(value, tuple):
        yield from (("refuse", odd) for odd in (*NO_STATES, tuple(value)))
        for name, field in value._asdict().items():
            yield from ((kind, value._replace(**{name: odd})) for kind, odd in strange(field))
    elif isinstance(value, list):
        yield from (("refuse", odd) for odd in (*NO_STATES, [], value[0], [*value, RBM(np.zeros(7), np.zeros((3, 4)))]))
        yield from (("refuse", [value[0], odd, value[2]]) for kind, odd in strange(value[1]) if kind == "refuse")
    else:
        yield from strange_array(np.asarray(value))


def strange_array(x):
    yield from (("refuse", odd) for odd in (None, "abc", x.astype("U8"), x.astype("M8[s]"), x + 1j))
    yield from (("same", x.astype(kind)) for kind in (">f4", np.longdouble, object, complex))
    if x.ndim:
        yield from (("same", odd) for odd in layouts(x))
        yield "refuse", np.ma.masked_array(x, mask=x > 0)
        yield from (("any", np.take(x, np.arange(n) % x.shape[k], k)) for k in range(x.ndim) for n in lengths(x, k))
        yield from (("refuse", odd) for odd in (x[None], x[..., None], {}))
        yield from (("any", x.astype(kind)) for kind in (np.float16, np.int8, np.uint8, bool))
    if x.dtype.kind == "f":
        for odd in (np.nan, np.inf, -np.inf):
            spoilt = np.array(x)
            spoilt[(0,) * x.ndim] = odd
            yield "refuse", spoilt
    elif x.dtype.kind in "iu":
        yield from (("any", np.full(x.shape, odd)) for odd in (0, 1, 15, 16, 127, 2**62))
        yield "refuse", np.full(x.shape, -1)


def layouts(x):
    yield from (np.asfortranarray(x), np.repeat(x, 2, -1)[..., ::2], x[::-1].copy()[::-1], x.tolist())
    yield np.ndarray(x.shape, x.dtype, bytearray(1) + x.tobytes(), 1)  # unaligned
    if x.ndim == 2:
        yield np.matrix(x)


def lengths(x, axis):
    return 0, 1, x.shape[axis] - 1, x.shape[axis] + 1, 3 * x.shape[axis]


def judge(name, function, arguments, kind, expected, counts):
    """Count what became of a call; AssertionError if it is not as it should be."""
    try:
        found = function(**arguments)
    except (ValueError, TypeError):
        counts["refused"] += 1
        return
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} in {name}") from error
    assert kind != "refuse", f"answered: {name}"
    if kind == "same":
        for ours, theirs in zip(numbers(found), numbers(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)
    counts["answered"] += 1


def numbers(answer):
    """All numbers of an answer, in order; text is left out."""
    if isinstance(answer, tuple | list):
        return [number for part in answer for number in numbers(part)]
    return [] if isinstance(answer, str) else [np.asarray(answer)]


def run(name):
    function, good = CALLS[name]
    counts, expected = Counter(), function(**good)
    for argument, value in good.items():
        for kind, odd in strange(value):
            call = f"{name}, {kind} {argument}={odd!r}"
            judge(call, function, good | {argument: odd}, kind, expected, counts)
    return counts


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        print(json.dumps({name: run(name) for name in CALLS}))
