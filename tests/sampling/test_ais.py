import numpy as np
import pytest
from enumeration import coarse_rbm, log_p_left, log_z, skewed_rbm, states
from scipy import stats

from dvae_ref.sampling import ais, engines, fields, paths, philox
from dvae_ref.sampling.engines import avx512, portable
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(22)
BASES = ["uniform", "bias"]


def other_base(rbm):
    """Biases that are neither 0 nor a."""
    return np.linspace(-2, 3, len(rbm.a))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("n_left", "n_right", "chains", "temperatures"),
    [(12, 30, 100, 200), (30, 5, 65, 400), (1, 1, 3, 9), (17, 9, 64, [0, 0.2, 0.21, 0.9, 1])],
)
@pytest.mark.filterwarnings("ignore:annealing ended")  # four temperatures are few, on purpose
def test_kernel_is_the_numpy_oracle(n_left, n_right, chains, temperatures, base):
    """The same spins: the log-weights differ by the float32 rounding of the increments alone.

    Stated accuracy: 1e-6 of the sum of absolute increments, here below 60 nats; a single differing spin costs
    1e-3 or more.
    """
    rbm = skewed_rbm(n_left, n_right)
    result = ais.log_z(KEY, rbm, temperatures, chains, base)
    oracle = ais.log_weights_reference(KEY, rbm, temperatures, chains, base)
    assert np.max(np.abs(result.log_weights - oracle)) < 6e-5
    other = ais.log_weights_reference(philox.fold_in(KEY, 0), rbm, temperatures, chains, base)
    assert np.max(np.abs(result.log_weights - other)) > 1e-3 or n_left == 1


@pytest.mark.parametrize("base", BASES)
def test_kernel_and_oracle_correct_for_rounded_weights_alike(base):
    """A bias of 8,000 makes its unit's weights multiples of 2**-10: more than 4e-4 nats a chain. With the other sign in
    one of the two they would differ by twice that, where the tolerance of the test above is 6e-5."""
    rbm = skewed_rbm(12, 30)
    rbm.a[0] = 8000.0
    path, z = paths.annealing_path(rbm, base), np.ones((1, 12))
    exactly = log_p_of_ones(rbm) - log_p_of_ones(paths.target(path))
    assert paths.correction(rbm, path, z) == pytest.approx(exactly, abs=1e-10)
    assert abs(exactly) > 4e-4
    result = ais.log_z(KEY, rbm, 200, 100, base)
    oracle = ais.log_weights_reference(KEY, rbm, 200, 100, base)
    assert np.max(np.abs(result.log_weights - oracle)) < 6e-5
    assert result.log_z == pytest.approx(log_z(rbm), abs=5 * result.standard_error)


def log_p_of_ones(rbm):
    """log p*(z_left = 1) in float64."""
    a, W = (np.asarray(value, np.float64) for value in rbm)
    return a[: len(W)].sum() + np.logaddexp(0, a[len(W) :] + W.sum(0)).sum()


@pytest.mark.skipif(not avx512.available(), reason="this CPU has no AVX-512")
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("scale", [1, 40])
def test_both_engines_give_the_same_log_weights(base, scale, monkeypatch):
    """The same increments, in another order: 4,000 of them below 1/4 in float64, 1e-16 each. The biases' sum over units
    is beyond what whole steps of a field can count: a·z so rounded would show."""
    rbm = skewed_rbm(33, 18)
    rbm = RBM(scale * rbm.a, rbm.W)
    ours = ais.log_z(KEY, rbm, 200, 70, base).log_weights
    monkeypatch.setattr(engines, "best", lambda: portable)
    np.testing.assert_allclose(ours, ais.log_z(KEY, rbm, 200, 70, base).log_weights, rtol=1e-14, atol=1e-12)
    path = paths.annealing_path(rbm, "uniform")
    a_left, _ = fields.sides(path.slope, path.W)
    step = fields.steps(np.sum(np.abs(a_left)))  # the finest that counts a·z below 2**24
    assert np.any(np.rint(a_left / step) * step != a_left)


@pytest.mark.parametrize("base", BASES)
def test_error_bars_cover_at_their_nominal_rate(base):
    """60 seeds, 12 x 30: z-scores (estimate - exact) / error against the normal law.

    |mean z| < 4 / sqrt(60); sum z^2 within the central 99.9% of chi-square with 60 degrees of freedom, (31,
    103); at least 51 of 60 within 1.96 (binomial: 1 in 1,000). Error bars of half the size, or Z of -W, fail
    each.
    """
    rbm, runs = skewed_rbm(12, 30), 60
    results = [ais.log_z(philox.fold_in(KEY, i), rbm, 150, 200, base) for i in range(runs)]
    score = np.array([(r.log_z - log_z(rbm)) / r.standard_error for r in results])
    assert abs(score.mean()) < 4 / np.sqrt(runs)
    assert 31 < np.sum(score**2) < 103
    assert np.sum(np.abs(score) < 1.96) >= 51
    assert np.sum((2 * score) ** 2) > 103
    assert abs(log_z(rbm) - log_z(RBM(rbm.a, -rbm.W))) > 100 * results[0].standard_error


def test_any_biases_make_a_base():
    """The kernel is the oracle, and the estimate that of the others: 4.5 of its standard errors from log Z.

    Without the base's own log Z, sum log(1 + e^base), or with a slope of a instead of a - base, it would be off by
    nats; a base without its own biases is refused.
    """
    rbm = skewed_rbm(12, 30)
    base = other_base(rbm)
    result = ais.log_z(KEY, rbm, 400, 400, base)
    oracle = ais.log_weights_reference(KEY, rbm, 400, 400, base)
    assert np.max(np.abs(result.log_weights - oracle)) < 6e-5
    assert abs(result.log_z - log_z(rbm)) < 4.5 * result.standard_error < 0.3
    uniform = ais.log_z(KEY, rbm, 400, 400, np.zeros_like(rbm.a))
    assert uniform.log_z == pytest.approx(ais.log_z(KEY, rbm, 400, 400, "uniform").log_z, abs=1e-9)
    with pytest.raises(ValueError, match=r"must be \(42,\), finite in float32; got shape \(41,\)"):
        ais.log_z(KEY, rbm, 10, 10, base[1:])
    with pytest.raises(ValueError, match="must be"):
        ais.log_z(KEY, rbm, 10, 10, base * np.nan)


def test_a_large_base_loses_nothing():
    """Biases in the thousands on a few units, as b(zeta) has: in float32 base + slope would be off by 1e-4."""
    rbm = skewed_rbm(8, 5)
    rbm.a[[0, -1]] = 4321.123456789, -1234.56789
    base = rbm.a + np.linspace(-0.3, 0.2, 13)
    path = paths.annealing_path(rbm, base)
    assert np.max(np.abs(paths.target(path).a - rbm.a)) < 1e-6
    assert np.max(np.abs((path.base + path.slope).astype(np.float64) - rbm.a)) > 1e-5
    result = ais.log_z(KEY, rbm, 300, 300, base)
    assert abs(result.log_z - log_z(rbm)) < 4.5 * result.standard_error + 1e-9


def test_more_temperatures_and_the_better_base_help():
    rbm = skewed_rbm(12, 30)
    error = {(b, t): ais.log_z(KEY, rbm, t, 400, b).standard_error for b in BASES for t in (20, 2000)}
    assert error["uniform", 2000] < error["uniform", 20] / 5
    weak = RBM(rbm.a, 0.02 * rbm.W)  # nearly the biased base itself
    uniform, bias = (ais.log_z(KEY, weak, 20, 400, b).standard_error for b in BASES)
    assert bias < uniform / 5


def test_weights_are_unbiased_for_z():
    """Also with few temperatures: mean w over 20,000 chains within 4.5 standard errors of Z."""
    rbm = skewed_rbm(5, 7)
    w = np.exp(ais.log_z(KEY, rbm, [0, 0.3, 1], 20_000).log_weights - log_z(rbm))
    assert abs(w.mean() - 1) < 4.5 * w.std() / np.sqrt(len(w))
    assert w.std() > 0.3  # few temperatures indeed


def test_a_machine_without_couplings_is_exact():
    """W = 0 and the base that has the same a: nothing to anneal, every weight is Z but for the rounding of
    a."""
    rbm = RBM(skewed_rbm(6, 3).a, np.zeros((6, 3)))
    result = ais.log_z(KEY, rbm, 10, 50, "bias")
    _, step = fields.exact_fields(rbm)
    assert np.max(np.abs(result.log_weights - np.sum(np.logaddexp(0, rbm.a)))) < np.sum(step) / 2
    assert (result.standard_error, result.effective_sample_size) == (
        pytest.approx(0, abs=1e-7),
        pytest.approx(50),
    )


def test_the_rounding_of_the_weights_is_corrected():
    """Sums over all states of p*_rounded exp(correction) are exactly Z."""
    rbm = coarse_rbm()
    path = paths.annealing_path(rbm, "bias")
    rounded = RBM((path.base + path.slope).astype(np.float64), path.W.astype(np.float64))
    corrected = np.logaddexp.reduce(log_p_left(rounded) + paths.correction(rbm, path, states(8)))
    assert abs(corrected - log_z(rbm)) < 1e-11
    assert abs(log_z(rounded) - log_z(rbm)) > 1e-5


@pytest.mark.usefixtures("engine")
def test_the_number_of_threads_does_not_matter(threads):
    rbm = skewed_rbm(30, 21)
    one, two = threads(lambda: ais.log_z(KEY, rbm, 50, 333))
    assert one.log_weights.tobytes() == two.log_weights.tobytes()


def test_result_summarises_its_weights():
    log_w = np.log([1.0, 2.0, 3.0, 6.0]) - 1000  # mean 3, standard deviation sqrt(14/3)
    result = ais.summarize(log_w)
    assert result.log_z == pytest.approx(np.log(3) - 1000, abs=1e-12)
    assert result.standard_error == pytest.approx(np.sqrt(14 / 3) / 3 / 2, rel=1e-10)
    assert result.effective_sample_size == pytest.approx(144 / 50, rel=1e-10)


def test_pieces_are_the_same_chains(monkeypatch):
    """Long calls are cut, so that Ctrl-C is heard between pieces. Sums of float64 are rounded at the cuts."""
    weights = [ais.log_z(KEY, skewed_rbm(6, 5), 40, 30).log_weights]
    for temperatures in (1, 7):
        monkeypatch.setattr(ais, "_PIECE", temperatures * 30 * 30)
        weights.append(ais.log_z(KEY, skewed_rbm(6, 5), 40, 30).log_weights)
    np.testing.assert_allclose(weights[1:], weights[:1] * 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("piece", [ais._PIECE, 1])
def test_progress_ends_at_the_number_of_temperatures(monkeypatch, piece):
    monkeypatch.setattr(ais, "_PIECE", piece)
    for temperatures in (2, 7, 100, 101, 350):
        calls = []
        ais.log_z(KEY, skewed_rbm(3, 2), temperatures, 40, progress=lambda *call, calls=calls: calls.append(call))
        done, total = zip(*calls, strict=True)
        assert done[-1] == temperatures
        assert set(total) == {temperatures}
        assert list(done) == sorted(set(done))
        assert temperatures // 60 <= len(calls) <= 100


@pytest.mark.parametrize(
    ("temperatures", "message"),
    [
        (1, "number of temperatures must be a whole number >= 2 and <= 16777216; got 1"),
        (2.5, "whole number"),
        (np.inf, "got inf"),
        (2**24 + 1, "<= 16777216; got 16777217"),
        (np.array([0, 0.5j, 1]), "real numbers; got complex"),
        ([0, 0.5, 0.4, 1], "entries 1 and 2"),
        ([0, 0.5, 0.5 + 1e-9, 1], "increase strictly, in float32"),
        ([0, np.nan, 1], "increase strictly"),
        ([0.1, 1], "begins with 0 and ends with 1"),
        ([0, 0.9], "begins with 0 and ends with 1"),
        ([[0, 1]], "a vector"),
    ],
)
def test_bad_schedules_are_refused(temperatures, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ais.log_z(KEY, skewed_rbm(), temperatures, 10)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 2 chains"):
        ais.log_z(KEY, skewed_rbm(), 10, 0)
    with pytest.raises(ValueError, match="uniform, bias; got 'data'"):
        ais.log_z(KEY, skewed_rbm(), 10, 10, "data")
    with pytest.raises(ValueError, match="not finite"):
        ais.log_z(KEY, RBM(np.full(21, np.nan), np.zeros((12, 9))), 10, 10)


def test_a_collapsed_sample_is_reported():
    rbm = skewed_rbm()
    with pytest.warns(UserWarning, match="use more temperatures"):
        ais.log_z(KEY, RBM(6 * rbm.a, 6 * rbm.W), 2, 100)


@pytest.mark.parametrize(
    ("chains", "machines", "fit"),
    [(1, 1, False), (2, 1, True), (2**35, 1, True), (2**35 + 1, 1, False), (2**20, 2**15, True), (2**20, 32769, False)],
)
def test_how_many_chains_have_room_in_a_key(chains, machines, fit):
    """2**32 counters of 8 chains each: of all chains of all machines together."""
    assert philox.MOST_CHAINS == 2**35
    if fit:
        ais.check_chains(chains, machines)
    else:
        with pytest.raises(ValueError, match="chains"):
            ais.check_chains(chains, machines)


def test_ten_chains_take_student_s_t():
    """1,000 runs: coverage of nominal 95% is binomial, its standard deviation 0.7%. 93 to 97% by Student's t, and less
    than 93% by the normal law, whose 91% the docstring states."""
    rbm = skewed_rbm(12, 30)
    runs = [ais.log_z(philox.fold_in(KEY, 10, i), rbm, 150, 10) for i in range(1000)]
    score = np.abs([(run.log_z - log_z(rbm)) / run.standard_error for run in runs])
    assert 0.93 < np.mean(score < stats.t.ppf(0.975, 9)) < 0.97
    assert np.mean(score < 1.96) < 0.93
