"""Annealing down against NumPy in float64, its weights against Z_0 / Z, and what a bracket and its verdict say."""

import math

import numpy as np
import pytest
from enumeration import log_z, skewed_rbm
from scipy import stats

from dvae_ref import exact
from dvae_ref.sampling import ais, bracket, paths, philox
from dvae_ref.sampling.bracket import Bracket, End, Start
from dvae_ref.theory.boltzmann import RBM
from validation import machines

KEY = philox.key(23)


def exact_start(key, rbm, n):
    u = philox.uniform(key, (n, 1 + max(rbm.W.shape)), np.float64)
    return Start(exact.sample(u, rbm), "exact samples", exact=True)


def by_numpy(key, rbm, start, temperatures, base):
    """`bracket.log_weights`, the annealing by `ais.walk_reference`."""
    path = paths.annealing_path(rbm, base)
    z_left = start.z[:, : len(rbm.W)].astype(np.float32)
    _, gained = ais.walk_reference(philox.fold_in(key, 1), path, z_left, paths.schedule(temperatures)[::-1])
    return gained - paths.correction(rbm, path, z_left)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("base", ["uniform", "bias", "other"])
@pytest.mark.parametrize(
    ("n_left", "n_right", "chains", "temperatures", "scale"),
    [
        (12, 30, 100, 200, 1),
        (30, 5, 65, 400, 1),
        (1, 1, 3, 9, 1),
        (17, 9, 64, [0, 0.2, 0.21, 0.9, 1], 1),
        (9, 12, 40, 3, 4),
    ],
)
def test_kernel_is_the_numpy_oracle_on_the_way_down(n_left, n_right, chains, temperatures, scale, base):
    """The same spins, and increments that are negative: off by float32 rounding alone, as in test_ais. Two of the
    schedules have steps that are too long for `scalars.softplus_increment`: taken for short ones, they would show."""
    rbm = skewed_rbm(n_left, n_right)
    rbm = RBM(scale * rbm.a, scale * rbm.W)
    base = np.linspace(-2, 3, len(rbm.a)) if base == "other" else base
    start = exact_start(KEY, rbm, chains)
    ours = bracket.log_weights(KEY, rbm, start, temperatures, base)
    assert np.max(np.abs(ours - by_numpy(KEY, rbm, start, temperatures, base))) < 6e-5 * scale
    other = by_numpy(philox.fold_in(KEY, 9), rbm, start, temperatures, base)
    assert np.max(np.abs(ours - other)) > 1e-3 or n_left == 1


@pytest.mark.parametrize("base", ["uniform", "bias"])
def test_weights_from_exact_samples_are_unbiased(base):
    """E[w] = Z_0 / Z with three temperatures: 20,000 chains within 4.5 standard errors; from the base they are not."""
    rbm = skewed_rbm(5, 7)
    scale = log_z(rbm) - paths.base_log_z(paths.annealing_path(rbm, base))

    def score(start):
        w = np.exp(bracket.log_weights(KEY, rbm, start, [0, 0.3, 1], base) + scale)
        return (w.mean() - 1) / (w.std() / np.sqrt(len(w))), w.std()

    found, spread = score(exact_start(KEY, rbm, 20_000))
    assert abs(found) < 4.5
    assert spread > 0.2  # few temperatures indeed
    z = philox.uniform(KEY, (20_000, 12)) < 0.5
    assert abs(score(Start(z, "uniform states"))[0]) > 20


def test_the_rounding_of_the_weights_is_corrected():
    """Without the last step log Z would be off by more than 1e-8."""
    rbm = skewed_rbm(8, 5)
    start = exact_start(KEY, rbm, 200)
    path = paths.annealing_path(rbm, "bias")
    off = abs(exact.log_z(paths.target(path)) - exact.log_z(rbm))
    one_step = paths.correction(rbm, path, start.z[:, :8])
    assert np.max(np.abs(one_step)) > 1e-8 < off
    ours = bracket.log_weights(KEY, rbm, start, 50, "bias")
    np.testing.assert_allclose(ours, by_numpy(KEY, rbm, start, 50, "bias"), atol=3e-6)


def test_log_z_is_both_ends():
    """From below it is `ais.log_z` itself; from above exact samples agree with enumeration, and draw other numbers."""
    rbm = skewed_rbm(12, 9)
    start = exact_start(KEY, rbm, 300)
    found = bracket.log_z(KEY, rbm, start, 200, 400)
    assert found.below[:2] == ais.log_z(KEY, rbm, 200, 400)[:2]
    assert found.below[2:] == (400, "the base uniform", True)
    assert found.above[2:] == (300, "exact samples", True)
    assert abs(found.above.log_z - log_z(rbm)) < 4.5 * found.above.standard_error < 0.2
    assert found.verdict == "closed"
    assert found.low < log_z(rbm) < found.high
    assert found.low < found.below.log_z < found.high
    text = f"log Z from below {found.below.log_z:.2f} +- {found.below.standard_error:.2f} from the base uniform, "
    assert str(found).startswith(text + "from above")
    assert str(found).endswith("from exact samples: closed")
    check = bracket.log_z(KEY, rbm, start._replace(origin="replicas", exact=False), 200, 400)
    assert "from above (a check)" in str(check)
    assert check.above[:2] == found.above[:2]


@pytest.mark.usefixtures("engine")
def test_the_number_of_threads_does_not_matter(threads):
    rbm = skewed_rbm(30, 21)
    start = Start(philox.uniform(KEY, (333, 51)) < 0.5, "uniform states")
    one, two = threads(lambda: bracket.log_weights(KEY, rbm, start, 50))
    assert one.tobytes() == two.tobytes()


def end(log_z, error):
    return End(log_z, error, 1000, "somewhere", True)


@pytest.mark.parametrize(
    ("below", "above", "verdict"),
    [
        (end(10.0, 0.03), end(10.1, 0.04), "closed"),  # a gap of 2 errors
        (end(10.0, 0.03), end(10.2, 0.04), "open"),  # of 4
        (end(10.0, 0.03), end(10.149, 0.04), "closed"),  # 2.98
        (end(10.0, 0.03), end(10.151, 0.04), "open"),  # 3.02
        (end(10.0, 0.03), end(9.851, 0.04), "closed"),
        (end(10.0, 0.03), end(9.849, 0.04), "contradictory"),
        (end(10.0, 0.18), end(10.0, 0.239), "closed"),  # 0.299
        (end(10.0, 0.18), end(10.0, 0.241), "open"),  # 0.301
        (end(10.0, 0.03), end(9.9, 0.04), "closed"),
        (end(10.0, 0.03), end(9.8, 0.04), "contradictory"),
        (end(10.0, 0.2), end(10.0, 0.25), "open"),  # nobody knows
        (end(10.0, 0.2), end(8.0, 0.25), "contradictory"),
        (end(10.0, 0.0), end(10.0, 0.0), "closed"),
    ],
)
def test_verdicts(below, above, verdict):
    assert Bracket(below, above).verdict == verdict


@pytest.mark.parametrize(
    ("below", "above", "least", "verdict"),
    [
        (end(10.0, 0.03), end(10.05, 0.04), 10.08, "closed"),  # 2.6 errors of what is below
        (end(10.0, 0.03), end(10.05, 0.04), 10.1, "open"),  # 3.3
        (end(10.0, 0.03), end(10.05, 0.04), 10.0909, "closed"),  # 3 and a thousandth, less 1e-4
        (end(10.0, 0.03), end(10.05, 0.04), 10.0911, "open"),
        (end(10.0, 0.03), end(10.05, 0.04), 10.1709, "open"),  # as much of what is above
        (end(10.0, 0.03), end(10.05, 0.04), 10.1711, "contradictory"),
        (end(10.0, 0.03), end(10.05, 0.04), 10.18, "contradictory"),  # 3.3 of what is above, too
        (end(10.0, 0.03), end(10.2, 0.04), 10.0, "open"),  # by their gap
        (end(10.0, 0.03), end(9.8, 0.04), 9.0, "contradictory"),
        (end(10.0, 0.0), end(10.0, 0.0), 10.0009, "closed"),  # rounding
        (end(10.0, 0.0), end(10.0, 0.0), 10.002, "contradictory"),
        (end(0.0, 0.0), end(0.0, 0.0), 1e-3, "closed"),  # of which a thousandth is the most
    ],
)
def test_verdicts_where_a_mean_field_knows_better(below, above, least, verdict):
    found = Bracket(below, above, least)
    assert found.verdict == verdict
    short = least > below.log_z + 3 * below.standard_error + 1e-3
    assert (f"; by a mean field at least {least:.2f}: {verdict}" in str(found)) == short


def test_a_mode_that_neither_way_has_found_is_no_closed_bracket():
    """The golf hole from uniform states: both ways agree, 2.3 nats too low; from exact samples the gap shows it."""
    machine = machines.golf_hole()
    missed = Start(philox.uniform(KEY, (60, 41)) < 0.5, "uniform states")
    held = Start(machine.samples(KEY, 60), "exact samples", exact=True)
    with pytest.warns(UserWarning, match="too low: it is at least"):
        both_miss, open_ = (bracket.log_z(KEY, machine.rbm, start, 100, 60) for start in (missed, held))
    assert both_miss.above.log_z < machine.log_z - 2
    assert both_miss._replace(least=-math.inf).verdict == "closed"
    assert both_miss.verdict == "contradictory"
    assert machine.log_z - 0.02 < both_miss.least <= machine.log_z
    assert open_.verdict == "open"


@pytest.mark.parametrize("k", [2, 3, 10, 100])
def test_ends_are_the_exact_limits_of_equal_weights(k):
    """k weights of 1, Poisson: were their mean number k e^-margin, k or more would turn up in 2.5% of all runs.
    Within 1.96 standard errors of log they would in more."""
    margin = bracket.margin(1 / math.sqrt(k), 10**9)
    assert stats.poisson.sf(k - 1, k * math.exp(-margin)) == pytest.approx(0.025, rel=1e-6)
    assert stats.poisson.sf(k - 1, k * math.exp(-1.96 / math.sqrt(k))) > 0.027


def test_ends_for_small_and_large_errors():
    assert bracket.margin(0.001, 10**9) == pytest.approx(1.96e-3, rel=1e-3)
    assert bracket.margin(0.001, 10) == pytest.approx(2.262e-3, rel=1e-3)  # Student's t, 9 degrees of freedom
    assert bracket.margin(0.0, 10**9) == pytest.approx(1.96e-6, rel=1e-3)  # none is taken for less
    assert bracket.margin(7.0, 10) == pytest.approx(math.log(40))  # Markov: P(Z^ > 40 Z) <= 1/40


def test_progress_goes_through_both_halves():
    calls = []
    rbm = skewed_rbm(3, 2)
    bracket.log_z(KEY, rbm, exact_start(KEY, rbm, 40), 120, 40, progress=lambda *call: calls.append(call))
    done, total = zip(*calls, strict=True)
    assert set(total) == {240}
    assert (list(done), done[-1]) == (sorted(done), 240)
    assert 120 in done


def test_parts_of_the_work_are_told_one_after_the_other():
    calls = []
    for n in range(3):
        told = bracket.part_of(lambda *call: calls.append(call), n, 3)
        told(4, 10)
        told(10, 10)
    assert calls == [(4, 30), (10, 30), (14, 30), (20, 30), (24, 30), (30, 30)]
    assert bracket.part_of(None, 0, 3) is None


def test_a_base_of_biases_is_called_given():
    rbm = skewed_rbm(3, 2)
    assert bracket.below(KEY, rbm, 50, 40, np.ones(5)).start == "the base given"
    assert bracket.below(KEY, rbm, 50, 40, "bias").start == "the base bias"


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((5, 20)), r"binary states \(R, 21\) of this RBM; got shape \(5, 20\)"),
        (np.full((5, 21), 0.5), "binary states"),
        (np.zeros(21), "binary states"),
        (np.zeros((1, 21)), "at least 2 chains"),
    ],
)
def test_bad_starts_are_refused(z, message):
    with pytest.raises(ValueError, match=message):
        bracket.above(KEY, skewed_rbm(), Start(z, "nowhere"), 10)


def test_only_the_left_side_of_a_start_counts():
    """The right one is summed out."""
    rbm = skewed_rbm(6, 3)
    z = np.ones((4, 9))
    other = z.copy()
    other[:, 6:] = 0
    one, two = (bracket.log_weights(KEY, rbm, Start(start, "ones"), 20) for start in (z, other))
    np.testing.assert_array_equal(one, two)
    z[:, 0] = 0
    assert np.any(bracket.log_weights(KEY, rbm, Start(z, "others"), 20) != one)
