"""The law of a spin as the engines draw it: at fixed fields, and of all states at once.

A spin's probability follows exactly from the rule: u has 2**23 values, and is_up falls with u, so that a bisection
counts those for which the spin is 1. Counts of draws are held against it. What 23 bits do to sigmoid(f) itself, in the
tail most of all, is tested beside it (and told in docs/derivations/09-sampling.md).
"""

import numba
import numpy as np
import pytest
from enumeration import log_p_left, skewed_rbm, states
from scipy import stats
from scipy.special import expit

from dvae_ref.fast import scalars
from dvae_ref.sampling import counts, fields, gibbs, pcd, philox
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(23)
# from -16 to 16; and about the last field at which a spin can be 1 (or 0), eight units at each that is rare
FIELDS = np.concatenate([np.arange(-16.0, 17.0), np.repeat([-16.6, 16.6], 8), [-16.7, 16.7]])
LEFT = 60  # units that are always 1: their weights make fields that the quick path of an engine rounds


def machine():
    """An RBM whose left units are 1, and whose right units then have the FIELDS."""
    W = np.random.default_rng(1).normal(0, 0.3, (LEFT, len(FIELDS)))
    return RBM(np.concatenate([np.full(LEFT, 60.0), FIELDS - W.sum(0)]), W)


def fields_drawn():
    """The right units' fields as they are, exact."""
    rbm, _ = fields.exact_fields(machine())
    drawn = rbm.a_right + np.ones((1, LEFT), np.float32) @ rbm.W
    assert np.max(np.abs(drawn - FIELDS)) < 1e-4
    return drawn[0]


def numbers_up(f):
    """How many of the 2**23 values of u make a spin of field f a 1: is_up falls with u, so by bisection."""
    e = scalars.exp(-np.clip(np.float32(f), -80, 80))
    low, high = np.zeros(np.shape(f), np.int32), np.full(np.shape(f), 2**23, np.int32)
    while np.any(low < high):
        middle = (low + high) // 2
        up = scalars.is_up(scalars.spin_uniform(*np.divmod(middle, np.int32(128))), e)
        low, high = np.where(up & (low < high), middle + 1, low), np.where(up, high, middle)
    return low


def ones(draws, sweep):
    """How often each right unit is 1 in so many draws, a sweep of a million chains at a time."""
    rbm, total, done = machine(), 0, 0
    chains = gibbs.chains_from(np.ones((min(draws, 10**6), LEFT + len(FIELDS)), np.uint8), (LEFT, len(FIELDS)))
    while done < draws:
        chains = sweep(KEY, chains, rbm, 1)
        found, _ = counts.counts(chains.left, chains.right, LEFT, len(FIELDS))
        assert np.all(found[:LEFT] == len(chains.left))
        total, done = total + found[LEFT:], done + len(chains.left)
    return total


def least_p(found, draws, p):
    """The least p-value of the counts, two-sided: binomial, for the tails' counts are small."""
    return min(stats.binomtest(int(k), draws, q).pvalue for k, q in zip(found, p, strict=True))


def pooled_p(found, draws, p):
    """The p-value of chi-square over the fields where ten ones and ten zeros or more are expected."""
    enough = np.minimum(p, 1 - p) * draws > 10
    z = (found - draws * p)[enough] / np.sqrt(draws * p * (1 - p))[enough]
    return stats.chi2.sf(np.sum(z**2), np.sum(enough))


def rule():
    return numbers_up(fields_drawn()) / 2**23


def assert_drawn(found, draws):
    """By the rule's probabilities, and by sigmoid(f) as far as 23 bits go.

    The smallest of 51 p-values is below 1e-6 once in 20,000 seeds, and this one is fixed.
    """
    assert least_p(found, draws, rule()) > 1e-6
    assert pooled_p(found, draws, rule()) > 1e-5
    sigmoid = expit(fields_drawn().astype(np.float64))
    error = np.sqrt(rule() * (1 - rule()) / draws)
    assert np.all(np.abs(found / draws - sigmoid) <= 5.5 * error + 2 * 2.0**-23)
    never, always = FIELDS == -16.7, FIELDS == 16.7
    assert (found[never], found[always]) == (0, draws)


@pytest.mark.usefixtures("engine")
def test_a_million_draws_at_each_field():
    """A probability that is off by 0.3% at a field of 0 would show, or by a factor of 1.1 at -8."""
    found = ones(10**6, gibbs.sweep)
    assert_drawn(found, 10**6)
    assert least_p(found, 10**6, expit(1.003 * fields_drawn().astype(float) + 0.01)) < 1e-6  # another law


@pytest.mark.release
@pytest.mark.usefixtures("engine")
def test_a_hundred_million_draws_at_each_field():
    """0.03% at a field of 0; and the tail's bias shows: at -16.6 a spin is 1 for one u in 2**23, sigmoid(f) is half."""
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    draws, rare = 10**8, FIELDS == -16.6
    found = ones(draws, gibbs.sweep)
    assert_drawn(found, draws)
    assert stats.binomtest(int(found[rare].sum()), 8 * draws, expit(-16.6)).pvalue < 1e-6


def test_the_tail_is_as_it_is_told():
    """Probabilities are multiples of 2**-23, sigmoid(f) to within one; the last before 0 is nearly twice sigmoid(f)."""
    f = np.float32(FIELDS)
    off = numbers_up(f) - 2**23 * expit(f.astype(np.float64))
    assert np.max(np.abs(off)) < 1
    p = dict(zip(FIELDS.tolist(), numbers_up(f).tolist(), strict=True))
    assert (p[-16.7], p[-16.6], p[16.6], p[16.7]) == (0, 1, 2**23 - 1, 2**23)
    assert p[-16.6] / 2**23 / expit(-16.6) - 1 == pytest.approx(0.93, abs=0.005)
    every_u = scalars.spin_uniform(*np.divmod(np.arange(2**23, dtype=np.int32), np.int32(128)))
    for field, n in ((-9.0, p[-9.0]), (0.0, p[0.0])):  # the bisection, against counting
        assert np.sum(scalars.is_up(every_u, scalars.exp(np.float32(-field)))) == n


# -- mistakes that the counts show -------------------------------------------------------------------------------------


def coarse_words_twice(*place):
    return philox.coarse_words(*place)


def no_fine_bits(*place):
    return [np.zeros_like(word) for word in philox.coarse_words(*place)]


def drawn_by_the_oracle(draws, f):
    """How often spins of these fields are 1."""
    return gibbs.draw(KEY, 0, gibbs.RIGHT, np.tile(f, (draws, 1))).sum(0)


def test_controls_a_left_out_second_counter_and_tail_bits_left_out(monkeypatch):
    """One counter used for both, or the 7 bits always 0: u has 16 bits, and a spin of -14 is 1 in 2**16, not 2**20."""
    draws, f = 10**6, np.float32([-16, -14, 2])
    assert least_p(drawn_by_the_oracle(draws, f), draws, numbers_up(f) / 2**23) > 1e-6
    for mistake in (coarse_words_twice, no_fine_bits):
        monkeypatch.setattr(gibbs, "fine_words", mistake)
        assert least_p(drawn_by_the_oracle(draws, f), draws, numbers_up(f) / 2**23) < 1e-6


# -- all states at once ------------------------------------------------------------------------------------------------


def state_counts(sweep, rbm, chains):
    """How many of so many independent chains are in each state of all units, after 60 sweeps."""
    z = sweep(KEY, pcd.init(KEY, rbm, chains), rbm, 60).z
    return np.bincount(z.astype(int) @ (1 << np.arange(z.shape[1])), minlength=2 ** z.shape[1])


@pytest.mark.usefixtures("engine")
def test_states_are_as_often_as_enumeration_says():
    """50,000 independent chains, all 2**9 states of 5 + 4 units: chi-square over those expected five times or more.

    p > 1e-5; chains that have not mixed, after a single sweep, are far off, and so is a machine with a bias 0.2 off.
    """
    rbm, chains = skewed_rbm(5, 4), 50_000
    z = states(9)
    log_p = z @ rbm.a + np.sum((z[:, :5] @ rbm.W) * z[:, 5:], 1)
    expected = np.zeros(512)
    expected[z.astype(int) @ (1 << np.arange(9))] = chains * np.exp(log_p - np.logaddexp.reduce(log_p_left(rbm)))

    def p_value(found):
        often = expected >= 5
        rest = chains - expected[often].sum(), chains - found[often].sum()
        return stats.chisquare([*found[often], rest[1]], [*expected[often], rest[0]]).pvalue

    assert p_value(state_counts(gibbs.sweep, rbm, chains)) > 1e-5
    off = RBM(rbm.a + 0.2 * (np.arange(9) == 6), rbm.W)
    assert p_value(state_counts(gibbs.sweep, off, chains)) < 1e-5
    assert p_value(state_counts(lambda *args: gibbs.sweep(*args[:3], 1), rbm, chains)) < 1e-5
