import itertools
import warnings

import numpy as np
import pytest
from enumeration import log_z, skewed_rbm

from dvae_ref.sampling import ais, fields, gibbs, paths, philox
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import softplus

KEY = philox.key(24)


def batch(n, n_left, n_right, seed=3):
    """W and n bias vectors of the sizes that b(zeta) has, some saturated."""
    rbm, rng = skewed_rbm(n_left, n_right), np.random.default_rng(seed)
    return rbm.W, rbm.a + rng.normal(0, 3, (n, n_left + n_right))


def reference(key, W, a, temperatures, chains):
    """The log-weights of `log_z_batch` as readable NumPy, in float64 from the same spins: all chains are rows.

    A machine's chains begin with a counter of eight; the rows that fill up its last one are left out at the end.
    """
    rows = -(-chains // 8) * 8
    inv_temps, base = paths.schedule(temperatures), np.repeat(np.float32(a), rows, 0)
    (_, rounded), _ = fields.exact_fields(RBM(np.zeros(a.shape[1]), W))
    base_left, base_right = base[:, : len(W)], base[:, len(W) :]
    z_left, log_w = gibbs.draw(key, 0, gibbs.LEFT, base_left), softplus(base.astype(np.float64)).sum(1)
    for k, (t, t_next) in enumerate(itertools.pairwise(inv_temps)):
        h = z_left @ rounded
        log_w += softplus(base_right + float(t_next) * h.astype(np.float64)).sum(1)
        log_w -= softplus(base_right + float(t) * h.astype(np.float64)).sum(1)
        z_right = gibbs.draw(key, k + 1, gibbs.RIGHT, base_right + t_next * h)
        z_left = gibbs.draw(key, k + 1, gibbs.LEFT, base_left + t_next * (z_right @ rounded.T))
    return log_w.reshape(-1, rows)[:, :chains]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("temperatures", [150, [0, 0.2, 0.21, 0.9, 1]])
@pytest.mark.parametrize(("machines", "n_left", "n_right", "chains"), [(3, 12, 30, 70), (2, 17, 9, 64), (5, 5, 3, 10)])
@pytest.mark.filterwarnings("ignore:annealing ended")
def test_kernel_is_the_numpy_oracle(machines, n_left, n_right, chains, temperatures):
    """The same spins: the log-weights differ by float32 rounding, 1e-6 of the sum of absolute increments (below 60)."""
    W, a = batch(machines, n_left, n_right)
    result = ais.log_z_batch(KEY, W, a, temperatures, chains)
    assert np.max(np.abs(result.log_weights - reference(KEY, W, a, temperatures, chains))) < 6e-5
    other = reference(philox.fold_in(KEY, 0), W, a, temperatures, chains)
    assert np.max(np.abs(result.log_weights - other)) > 1e-3


def test_each_machine_has_its_own_log_z():
    """40 machines of 12 x 30: z-scores within the central 99.9% of chi-square with 40 degrees of freedom, (17, 76).

    Biases of the next machine, or twice the standard error, fail.
    """
    W, a = batch(40, 12, 30)
    result = ais.log_z_batch(KEY, W, a, 300, 100)
    exact = np.array([log_z(RBM(row, W)) for row in a])
    score = (result.log_z - exact) / result.standard_error
    assert 17 < np.sum(score**2) < 76
    assert abs(score.mean()) < 4 / np.sqrt(40)
    assert np.sum((score / 2) ** 2) < 17
    assert np.sum(((result.log_z - np.roll(exact, 1)) / result.standard_error) ** 2) > 1000


def test_a_machine_does_not_depend_on_the_others():
    W, a = batch(3, 9, 14)
    three, one = (ais.log_z_batch(KEY, W, rows, 60, 30) for rows in (a, a[:1]))
    assert three.log_weights[0].tobytes() == one.log_weights[0].tobytes()
    assert abs(ais.log_z(KEY, RBM(a[0], W), 60, 30, "bias").log_z - one.log_z[0]) < 1e-4  # the rounding of a apart
    moved = ais.log_z_batch(KEY, W, a[[1, 0]], 60, 30)
    assert abs(moved.log_z[1] - one.log_z[0]) > 1e-4  # in second place it has other random numbers


@pytest.mark.usefixtures("engine")
def test_the_number_of_threads_does_not_matter(threads):
    W, a = batch(5, 30, 21)
    one, two = threads(lambda: ais.log_z_batch(KEY, W, a, 50, 33))
    assert one.log_weights.tobytes() == two.log_weights.tobytes()


def test_biases_have_no_part_in_the_rounding_of_the_weights():
    """They are in the base. A field of 1 + 2**-23 alone has steps of 2**-23; with a bias of 1 beside it, of 2**-22."""
    W = np.full((1, 1), 1 + 2.0**-23)
    assert ais._check_batch(W, np.ones((3, 2)), 2)[0, 0] == 1 + 2.0**-23
    assert fields.exact_fields(RBM(np.ones(2), W))[0].W[0, 0] != 1 + 2.0**-23


def test_one_machine_of_two_chains_is_a_batch():
    W, a = batch(1, 3, 2)
    assert ais.log_z_batch(KEY, W, a, [0, 1], 2).log_weights.shape == (1, 2)


def few_of(effective, chains):
    """Log-weights of which so many are 0 and the others nothing."""
    return np.where(np.arange(chains) < effective, 0.0, -np.inf)


@pytest.mark.parametrize(("chains", "least"), [(2, 1), (10, 5), (20, 10), (100, 10), (10_000, 10)])
def test_from_how_few_chains_on_it_is_said(chains, least):
    """Half of the chains, or ten: so many are let pass, one less is not, alone and in a batch."""
    assert ais.least_effective(chains) == least
    enough, few = few_of(least, chains), few_of(least - 1, chains)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ais.summarize(enough).effective_sample_size == least
        assert ais._summarize_batch(np.array([enough, enough])).effective_sample_size.tolist() == [least, least]
    if least > 1:
        with pytest.warns(UserWarning, match=rf"effective sample of {least - 1}\.0 of {chains} chains"):
            ais.summarize(few)
        with pytest.warns(UserWarning, match=rf"effective sample of {least - 1}\.0 of .* below {least} for 1 of 2"):
            ais._summarize_batch(np.array([enough, few]))


def test_statistics_are_of_the_last_axis():
    """Weights 1, 3 and 1, 1: means 2 and 1, standard errors 1/2 and 0 of them, 1.6 and 2 of two chains."""
    log_z, error, effective = ais.statistics(np.log([[1.0, 3.0], [1.0, 1.0]]) + 500)
    np.testing.assert_allclose(log_z, [np.log(2) + 500, 500], rtol=1e-14)
    np.testing.assert_allclose(error, [0.5, 0], atol=1e-12)
    np.testing.assert_allclose(effective, [1.6, 2], rtol=1e-12)
    for shape in ((), (0,), (1,), (3, 1)):
        with pytest.raises(ValueError, match="R >= 2; got shape"):
            ais.statistics(np.zeros(shape))


def test_what_does_not_fit_is_refused():
    W, a = batch(3, 5, 4)
    with pytest.raises(ValueError, match=r"a \(N, D_left \+ D_right\); got \(5, 4\) and \(3, 8\)"):
        ais.log_z_batch(KEY, W, a[:, 1:])
    with pytest.raises(ValueError, match="a batch takes"):
        ais.log_z_batch(KEY, W, a[:0])
    for large in (np.inf, 1e39):  # which float32 does not hold: log Z was NaN
        with pytest.raises(ValueError, match="a, in float32, has 1 values that are not finite"):
            ais.log_z_batch(KEY, W, np.where(a == a[1, 2], large, a))
    with pytest.raises(ValueError, match="W has 20 values that are not finite"):
        ais.log_z_batch(KEY, W * np.nan, a)
    with pytest.raises(ValueError, match="at least 2 chains"):
        ais.log_z_batch(KEY, W, a, chains=1)
    with pytest.raises(ValueError, match="increase strictly"):
        ais.log_z_batch(KEY, W, a, [0, 0.5, 0.4, 1])


def test_hopeless_machines_are_counted():
    W, a = batch(4, 12, 9)
    a[2:] = -90  # nothing is on: W does not matter
    with pytest.warns(UserWarning, match="below 10 for 2 of 4 machines"):
        ais.log_z_batch(KEY, 6 * W, a, 2, 100)
