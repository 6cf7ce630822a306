"""The scalar forms of the engines as the Python that they are: increments of a path, places in blocks, shares of work.

(What the samplers share, exp and the bits of a spin: tests/fast/test_scalars.py.)
"""

import itertools
import math

import numpy as np
import pytest

from dvae_ref.sampling.engines import blocks, lanes, path, planes, portable
from dvae_ref.sampling.philox import CHAINS

# Multiples of 1/8 up to 40, times t in eighths: base + t h, and its difference in steps, are exact in float32.
EXACT = list(itertools.product(np.arange(-40, 41, 5.0) / 8, np.arange(-20, 21, 2.5), (1, 0.875, 0.5)))


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@pytest.mark.parametrize("steps", [1, -1, 0.25])
def test_an_increment_of_a_path_is_the_difference_of_two_softplus(steps):
    """Relative to the increment: ten roundings of float32, as in tests/sampling/test_philox.py, and log1p of expm1 in
    float64 as oracle. The other way round, or at t in place of t_next, errors are of the size of the increment."""
    for base, h, t_next in EXACT:
        if h:
            delta_t = steps / 128 / 2 ** math.ceil(math.log2(abs(h)))  # |delta_t h| <= 1/128, a power of two times h
            found = path.increment(np.float32(h), np.float32(base), np.float32(t_next), np.float32(delta_t))
            field = base + t_next * h
            exact = -math.log1p(math.expm1(-delta_t * h) / (1 + math.exp(-field)))
            assert found == pytest.approx(exact, rel=6e-7)
            assert type(found) is np.float64


def test_a_difference_is_one_of_steps_of_any_size():
    """Of numbers up to 60, float64: a few eps of them."""
    for base, h, t in EXACT:
        for t_next in (t, 1.0, 0.125):
            exact = softplus(base + t_next * h) - softplus(base + t * h)
            assert path.difference(h, base, t, t_next) == pytest.approx(exact, abs=1e-14 + 4e-16 * (abs(base) + abs(h)))


@pytest.mark.parametrize("field", [-1000.0, -40.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 40.0, 1000.0])
def test_softplus_of_a_path_by_cases(field):
    """Up to a rounding: log(1 + e^x) is log 2 + x/2 near 0, x far above and e^x far below."""
    near = math.log(2) + field / 2
    expected = near if abs(field) < 0.1 else max(field, 0) + (math.log1p(math.exp(-abs(field))) if field < 700 else 0)
    assert path._softplus(field) == pytest.approx(expected, rel=4e-16, abs=1e-300)


def test_the_rough_exponential_is_good_to_6e_6_up_to_20_and_stays_there():
    fields = np.linspace(-20, 20, 4001).astype(np.float32)
    found = np.array([planes._exp_minus_roughly(field) for field in fields], np.float64)
    error = np.abs(found * np.exp(np.float64(fields)) - 1)
    assert 1e-6 < error.max() < 6e-6
    for far in (20.5, 1e4):
        for sign in (-1, 1):
            assert planes._exp_minus_roughly(np.float32(sign * far)) == planes._exp_minus_roughly(np.float32(sign * 20))


def test_every_chain_of_a_block_has_a_lane_of_its_own():
    """`lanes._chain` says whose a lane is: register v of four, lane l of 32. Blocks are alike."""
    found = [blocks.lane(c) for c in range(blocks.BLOCK)]
    assert sorted(found) == list(range(128))
    assert [lanes._chain(*divmod(at, 32)) for at in found] == list(range(128))
    assert [blocks.lane(c) for c in range(128, 3 * 128)] == 2 * found


def test_registers_hold_two_chains_of_every_counter():
    """Eight chains share a counter, four words of it; register v has the two halves of word v."""
    for c in range(blocks.BLOCK):
        register, lane = divmod(blocks.lane(c), 32)
        assert (register, lane // 2, lane % 2) == (c % CHAINS // 2, c // CHAINS, c % 2)


@pytest.mark.parametrize(("chains", "number"), [(0, 0), (1, 1), (128, 1), (129, 2), (256, 2), (257, 3)])
def test_blocks_are_as_many_as_chains_take(chains, number):
    assert blocks.number(chains) == number


@pytest.mark.parametrize(("machines", "chains", "span"), [(1, 1, 8), (2, 16, 8), (3, 17, 8), (2, 100, 64), (4, 8, 64)])
def test_tasks_are_every_chain_of_every_machine_once(machines, chains, span):
    """And a machine's chains begin counters of their own, in the order of the chains."""
    tasks = portable._tasks((machines, chains, 5), span)
    seen, counters = np.zeros((machines, chains), int), {}
    for task in range(tasks):
        machine, part, first = portable._part(task, chains, span)
        own = np.arange(chains)[part]
        assert 0 < len(own) <= span
        seen[machine, part] += 1
        counters |= {(machine, c): first + c - own[0] for c in own}
    np.testing.assert_array_equal(seen, 1)
    assert len(set(counters.values())) == machines * chains
    whole = -(-chains // CHAINS) * CHAINS  # no two machines share a counter
    assert counters == {(m, c): m * whole + c for m in range(machines) for c in range(chains)}
