import sys
from types import SimpleNamespace

import numpy as np
import pytest
from enumeration import moments, skewed_rbm

from dvae_ref.sampling import fields, gibbs, pcd, philox
from dvae_ref.sampling.engines import coarse
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(20)
SHAPES = [(12, 9, 100), (1, 1, 3), (5, 30, 65), (33, 17, 129), (23, 4, 64), (100, 101, 7)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("n_left", "n_right", "chains"), SHAPES)
def test_kernel_is_the_numpy_oracle_bit_for_bit(n_left, n_right, chains):
    rbm = skewed_rbm(n_left, n_right, seed=chains)
    state = pcd.init(KEY, rbm, chains)
    fast, slow = (sweep(KEY, state, rbm, 3) for sweep in (gibbs.sweep, gibbs.sweep_reference))
    for ours, oracle in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(ours, oracle)
    other_key = gibbs.sweep(philox.fold_in(KEY, 1), state, rbm, 3)
    assert chains < 10 or np.any(other_key.left != fast.left)


def test_sweeps_compose_and_the_input_is_left_alone():
    rbm, before = skewed_rbm(), pcd.init(KEY, (12, 9), 70)
    copy = gibbs.Chains(*(value.copy() for value in before))
    at_once = gibbs.sweep(KEY, before, rbm, 5)
    in_two = gibbs.sweep(KEY, gibbs.sweep(KEY, before, rbm, 2), rbm, 3)
    for a, b in zip([*at_once, *before], [*in_two, *copy], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("engine")
def test_the_number_of_threads_and_of_chains_does_not_matter(threads):
    rbm = skewed_rbm(30, 21)
    state = pcd.init(KEY, rbm, 333)
    one, two = threads(lambda: gibbs.sweep(KEY, state, rbm, 4))
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()
    few = gibbs.Chains(state.left[:100], state.right[:100], state.shape, state.sweeps)
    np.testing.assert_array_equal(gibbs.sweep(KEY, few, rbm, 4).left, one.left[:100])


def chain_averages(sweep, rbm, chains=1500, burn_in=60, rounds=50):
    """Averages over time of z and z_left z_right', one row for each of the independent chains: (R, D + D_left
    D_right)."""
    n_left = len(rbm.W)
    state = sweep(pcd.init(KEY, rbm, chains), burn_in)
    total = 0
    for _ in range(rounds):
        state = sweep(state, 2)
        z = state.z
        zz = z[:, :n_left, None] * z[:, None, n_left:]
        total = total + np.concatenate([z, zz.reshape(chains, -1)], -1) / rounds
    return total


def worst_error(averages, rbm):
    """Largest deviation from the exact moments, in standard errors, and the smallest effective sample size.

    The chains are independent: the error of a mean over them is their deviation / sqrt(R); the ESS is the
    number of independent states that would have that error.
    """
    exact = np.concatenate([value.ravel() for value in moments(rbm)])
    error = averages.std(0, ddof=1) / np.sqrt(len(averages))
    return np.max(np.abs(averages.mean(0) - exact) / error), np.min(exact * (1 - exact) / error**2)


def test_moments_of_a_skewed_rbm():
    """129 moments, 12 x 9: 5 standard errors would be exceeded by chance in 1 of 13,000 runs; the seed is
    fixed."""
    rbm = skewed_rbm()
    worst, ess = worst_error(chain_averages(lambda state, n: gibbs.sweep(KEY, state, rbm, n), rbm), rbm)
    assert ess > 3000
    assert worst < 5


def test_moments_catch_a_flipped_sign():
    rbm = skewed_rbm()
    flipped = RBM(rbm.a, -rbm.W)
    worst, _ = worst_error(chain_averages(lambda state, n: gibbs.sweep(KEY, state, flipped, n), rbm), rbm)
    assert worst > 50


def test_moments_catch_a_stale_side():
    """Both sides drawn from the old state: each side's law is right, that of the pair is not."""
    rbm, _ = fields.exact_fields(skewed_rbm())

    def stale_sweep(state, sweeps):
        for t in range(int(state.sweeps), int(state.sweeps) + sweeps):
            left, right = np.split(state.z, [12], -1)
            new_right = gibbs.draw(KEY, t, gibbs.RIGHT, rbm.a_right + left @ rbm.W)
            new_left = gibbs.draw(KEY, t, gibbs.LEFT, rbm.a_left + right @ rbm.W.T)
            state = gibbs.chains_from(np.concatenate([new_left, new_right], -1), (12, 9), t + 1)
        return state

    worst, _ = worst_error(chain_averages(stale_sweep, rbm, chains=500, rounds=20), skewed_rbm())
    assert worst > 5


@pytest.mark.parametrize(("n_left", "n_right", "scale"), [(12, 9, 1), (1, 3, 1), (200, 150, 1), (30, 20, 200)])
def test_exact_fields_do_not_round(n_left, n_right, scale):
    given = skewed_rbm(n_left, n_right)
    given.W[0, 0] *= scale  # one large weight: the steps differ
    rbm, step = fields.exact_fields(given)
    rng = np.random.default_rng(1)
    assert np.all(fields.reach(*(value.astype(np.float64) for value in rbm)) < 2**24 * step)  # the rule
    np.testing.assert_array_equal(np.log2(step), np.round(np.log2(step)))
    assert np.all(fields.reach(*given) >= 2**23 * step * 0.99)  # half the step would break it, but for the rounding
    shared = np.maximum(step[:n_left, None], step[n_left:])
    for value, rounded, own in ((given.a, rbm.a, step), (given.W, rbm.W, shared)):
        assert np.all(rounded / own == np.rint(rounded / own))
        assert np.all(np.abs(rounded - value) <= own / 2)
    assert scale == 1 or np.max(step) > 4 * np.median(step)  # a large one costs the others nothing
    z = rng.integers(0, 2, (64, n_left)).astype(np.float32)
    assert spread_of_sums(z, rbm, rng) == 0
    if n_left > 100:
        single = RBM(*(value.astype(np.float32) for value in given))
        assert spread_of_sums(z, single, rng) > 0  # what the rounding buys


def spread_of_sums(z, rbm, rng):
    """Largest difference between float32 fields of the right side, summed in ten random orders, and float64
    ones."""
    exact = rbm.a_right.astype(np.float64) + z.astype(np.float64) @ rbm.W.astype(np.float64)
    spread = 0.0
    for _ in range(10):
        terms = np.concatenate([np.tile(rbm.a_right, (len(z), 1))[:, None], z[:, :, None] * rbm.W], 1)
        total = np.zeros_like(rbm.a_right)
        for i in rng.permutation(terms.shape[1]):
            total = total + terms[:, i]
        spread = max(spread, np.max(np.abs(total - exact)))
    return spread


def test_kernel_fields_are_the_matrix_product():
    rbm, _ = fields.exact_fields(skewed_rbm(23, 41))
    z = np.random.default_rng(2).integers(0, 2, (13, 23))
    table = fields.tables(rbm.W, rbm.a_right)
    ours = fields.empty_rows(13, table)
    fields.add_up(fields.pack(z), table, ours)
    np.testing.assert_array_equal(ours[:, :41], rbm.a_right + z.astype(np.float32) @ rbm.W)
    assert np.all(ours[:, 41:] == 0)


def test_packing_is_invertible():
    for units in (1, 4, 9, 30):
        z = np.random.default_rng(units).integers(0, 2, (7, units))
        assert fields.pack(z).shape == (7, -(-units // 4))
        np.testing.assert_array_equal(fields.unpack(fields.pack(z), units), z)


def test_a_single_chain_of_two_units_is_enough():
    rbm, state = RBM(np.array([20.0, -20.0]), np.ones((1, 1))), gibbs.chains_from(np.zeros((1, 2)), (1, 1))
    gibbs.check(state)
    assert gibbs.sweep(KEY, state, rbm, 1).z.tolist() == [[1, 0]]


def test_chains_are_drawn_from_any_on():
    """Chains 5 to 12 of twenty, across a counter of eight."""
    field = np.linspace(-1, 1, 20 * 3).reshape(20, 3)
    whole = gibbs.draw(KEY, 7, gibbs.LEFT, field)
    for first, end in ((5, 13), (8, 20), (0, 8)):
        np.testing.assert_array_equal(gibbs.draw(KEY, 7, gibbs.LEFT, field[first:end], first), whole[first:end])


def test_sweeps_of_a_key_end_at_2_to_the_32():
    rbm, state = skewed_rbm(2, 1), gibbs.chains_from(np.zeros((1, 3)), (2, 1), 2**32 - 3)
    assert gibbs.sweep(KEY, state, rbm, 2).sweeps == 2**32 - 1
    with pytest.raises(ValueError, match=r"2\*\*32 to a key; asked for 3 after 4294967293"):
        gibbs.sweep(KEY, state, rbm, 3)


def test_a_gpu_is_given_both_sides_and_the_number_of_sweeps_behind_them(monkeypatch):
    given = []
    gpu = SimpleNamespace(sweep=lambda left, right, *rest: given.append((left, right, *rest)) or (right, left))
    monkeypatch.setitem(sys.modules, "dvae_ref.sampling.cuda", SimpleNamespace(gibbs=gpu))
    monkeypatch.setattr(gibbs.backends, "resolve", lambda backend: backend)
    state = pcd.init(KEY, (12, 9), 3)._replace(sweeps=np.array(5))
    found = gibbs.sweep(KEY, state, skewed_rbm(), 2, "cuda")
    assert (found.left is state.right, found.right is state.left, found.sweeps) == (True, True, 7)
    ((left, right, rbm, start, sweeps, key),) = given
    assert (left is state.left, right is state.right, start, sweeps, key) == (True, True, 5, 2, KEY)
    np.testing.assert_array_equal(rbm.W, fields.exact_fields(skewed_rbm())[0].W)


def test_more_chains_or_units_than_a_key_has_room_for_are_refused(monkeypatch):
    """With room for four chains, and for twelve units a side."""
    monkeypatch.setattr(philox, "MOST_CHAINS", 4)
    monkeypatch.setattr(philox, "MOST_UNITS", 12)
    gibbs.sweep(KEY, pcd.init(KEY, (12, 9), 4), skewed_rbm(), 1)
    for chains, shape in ((5, (12, 9)), (4, (13, 9)), (4, (9, 13))):
        with pytest.raises(ValueError, match="too many chains for one key"):
            gibbs.sweep(KEY, pcd.init(KEY, shape, chains), skewed_rbm(*shape), 1)


def changed(rbm, **changes):
    values = {name: value.copy() for name, value in rbm._asdict().items()}
    for name, value in changes.items():
        values[name].flat[3] = value
    return RBM(**values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": np.nan}, "W has 1 values that are not finite"),
        ({"a": np.inf}, "a has 1 values that are not finite"),
        ({"W": 1e6}, "too large to sample from: a unit's field can reach 1e\\+06"),
    ],
)
def test_bad_weights_are_named(change, message):
    state = pcd.init(KEY, (12, 9), 4)
    with pytest.raises(ValueError, match=message):
        gibbs.sweep(KEY, state, changed(skewed_rbm(), **change), 1)


def test_what_does_not_fit_is_refused():
    rbm, state = skewed_rbm(), pcd.init(KEY, (12, 9), 4)
    with pytest.raises(ValueError, match=r"chains are of a machine \(9, 12\)"):
        gibbs.sweep(KEY, pcd.init(KEY, (9, 12), 4), rbm, 1)
    with pytest.raises(ValueError, match="sweeps must be a whole number >= 0; got -1"):
        gibbs.sweep(KEY, state, rbm, -1)
    with pytest.raises(ValueError, match="at least one"):
        gibbs.sweep(KEY, gibbs.Chains(state.left[:0], state.right[:0], *state[2:]), rbm, 1)
    with pytest.raises(ValueError, match="0 or 1"):
        gibbs.chains_from(np.full((2, 21), 0.5), (12, 9))
    with pytest.raises(ValueError, match=r"shape \(R, 12 \+ 9\)"):
        gibbs.chains_from(np.zeros((2, 20)), (12, 9))
    with pytest.raises(ValueError, match="at least one unit on each side"):
        fields.exact_fields(RBM(np.zeros(3), np.zeros((3, 0))))


@pytest.mark.filterwarnings("ignore:the field of right unit 3 is off")
@pytest.mark.parametrize(("size", "holds"), [(500, True), (2000, False)])
def test_a_margin_that_is_cut_off_is_not_relied_on(size, holds):
    """One unit with large weights: its fields in 16 bits are so rough that the side takes exact ones. By the mean of
    all margins alone, which one unit hardly moves, it would not. The control is the machine whose margins hold."""
    rng = np.random.default_rng(200)
    W, a = rng.normal(0, 0.05, (200, 200)), rng.normal(0, 0.3, 400)
    W[:, 3] = rng.choice([-1, 1], 200) * size / 50 * rng.uniform(0.5, 1.5, 200)
    a[203] = -W[:, 3].sum() / 2
    rbm = RBM(a.astype(np.float32), W.astype(np.float32))
    exact, _ = fields.exact_fields(rbm)
    side = coarse.side(exact.W, exact.a_right)
    assert (side.margins.max() < 32766) == holds
    assert (side.settled < 0.01) == holds
    chains = pcd.init(KEY, rbm, 100)
    for found, expected in zip(
        gibbs.sweep(KEY, chains, rbm, 2), gibbs.sweep_reference(KEY, chains, rbm, 2), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_no_sweeps_draw_nothing_and_refuse_what_does_not_fit(monkeypatch):
    """The same states in arrays of their own; no fields are made for them, and what is wrong is still said."""
    rbm, state = skewed_rbm(), pcd.init(KEY, (12, 9), 70)
    monkeypatch.setattr(fields, "exact_fields", lambda rbm: pytest.fail("fields for no sweep"))
    found = gibbs.sweep(KEY, state, rbm, 0)
    for ours, given in zip(found, state, strict=True):
        np.testing.assert_array_equal(ours, given)
    assert not np.shares_memory(found.left, state.left)
    assert not np.shares_memory(found.right, state.right)
    with pytest.raises(ValueError, match="W has 1 values that are not finite"):
        gibbs.sweep(KEY, state, changed(rbm, W=np.nan), 0)
    with pytest.raises(ValueError, match=r"chains are of a machine \(12, 9\)"):
        gibbs.sweep(KEY, state, skewed_rbm(9, 12), 0)
    with pytest.raises(ValueError, match="backend must be one of"):
        gibbs.sweep(KEY, state, rbm, 0, backend="gpu")
