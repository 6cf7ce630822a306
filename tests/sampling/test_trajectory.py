"""log Z along a sequence of machines, up and down, against enumeration."""

import numpy as np
import pytest
from enumeration import log_z, skewed_rbm

from dvae_ref import boltzmann, exact
from dvae_ref.sampling import ais, bracket, gibbs, modes, pcd, philox, population, trajectory
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(31)


def path(n_left=5, n_right=7):
    """A way that winds: its first machine has the last one's biases turned round."""
    rbm = skewed_rbm(n_left, n_right)
    return [RBM(-0.5 * rbm.a, 0.3 * rbm.W), RBM(rbm.a, 0.1 * rbm.W), rbm]


def exact_start(key, rbm, n):
    u = philox.uniform(key, (n, 1 + max(rbm.W.shape)), np.float64)
    return bracket.Start(exact.sample(u, rbm), "exact samples", exact=True)


def scores(ends, truth):
    return [(end.log_z - truth) / end.standard_error for end in ends]


@pytest.mark.parametrize("steps", [3, [2, 3, 4]])
def test_both_ways_are_unbiased_for_z(steps):
    """Two replicas in a group, so that resampling has its largest effect, few steps and a sweep: the mean of 500
    groups within 4.5 standard errors. Another end, or a start that is no sample, are off by more than 10."""
    machines = path()
    start = exact_start(KEY, machines[-1], 1000)
    found = trajectory.log_z(KEY, machines, start, steps, groups=500, replicas=2, sweeps=1)
    ends = (found.below, found.above)
    assert np.max(np.abs(scores(ends, log_z(machines[-1])))) < 4.5
    assert all(0.02 < end.standard_error < 0.1 for end in ends)  # weights have a variance, and it is small enough
    other = trajectory.log_z(KEY, [*machines[:-1], RBM(machines[-1].a + 0.4, machines[-1].W)], start, steps, 500, 2, 1)
    assert np.min(np.abs(scores(other[:2], log_z(machines[-1])))) > 10
    uniform = bracket.Start(philox.uniform(KEY, (1000, 12)) < 0.5, "uniform states")
    assert abs(scores([trajectory.above(KEY, machines, uniform, steps, 500, 1)], log_z(machines[-1]))[0]) > 10


def test_error_bars_cover_at_their_nominal_rate():
    """60 runs of 20 groups each way: sum z^2 within the central 99.9% of chi-square with 120 degrees of freedom,
    widened by Student's t with 19 (variance 1.12), and |mean z| < 4.5 / sqrt(120). Errors of half the size fail."""
    machines = path(8, 12)
    truth = log_z(machines[-1])
    z = []
    for i in range(60):
        key = philox.fold_in(KEY, i)
        start = exact_start(key, machines[-1], 200)
        z += scores(trajectory.log_z(key, machines, start, 4, groups=20, replicas=10, sweeps=2)[:2], truth)
    z = np.array(z)
    assert abs(z.mean()) < 4.5 / np.sqrt(120)
    assert 76 < np.sum(z**2) < 1.12 * 178
    assert np.sum((2 * z) ** 2) > 1.12 * 178


def test_log_z_is_both_ends():
    machines = path()
    start = exact_start(KEY, machines[-1], 207)  # 7 more than divide into the groups
    found = trajectory.log_z(KEY, machines, start, 5, groups=20, replicas=10)
    assert found.below == trajectory.below(KEY, machines, 5, groups=20, replicas=10)
    assert found.below[2:] == (20, "uniform states", True)
    assert found.above == trajectory.above(KEY, machines, start._replace(z=start.z[:200]), 5, groups=20)
    assert found.above[2:] == (20, "exact samples", True)
    assert found.verdict == "closed"
    assert found.least == modes.lower_bound(machines[-1]) < log_z(machines[-1]) < found.least + 0.5
    assert (
        trajectory.log_z(KEY, iter(machines), start, 5, groups=20, replicas=10) == found
    )  # an iterator goes both ways
    assert not trajectory.above(KEY, machines, start._replace(exact=False), 5).bound


def test_groups_are_resampled_by_themselves():
    """Ancestors of a group are its own replicas, and the weights of another group do not change them."""
    log_w = np.random.default_rng(0).normal(0, 1, (6, 9))
    ancestors = trajectory._ancestors(KEY, log_w, 3).reshape(6, 9)
    np.testing.assert_array_equal(ancestors // 9, np.repeat(np.arange(6), 9).reshape(6, 9))
    assert np.any(ancestors != np.arange(54).reshape(6, 9))
    log_w[0] *= 2
    other = trajectory._ancestors(KEY, log_w, 3).reshape(6, 9)
    np.testing.assert_array_equal(other[1:], ancestors[1:])
    assert np.any(other[0] != ancestors[0])
    assert np.any(trajectory._ancestors(KEY, log_w, 4).reshape(6, 9)[1:] != ancestors[1:])


def test_both_ways_have_keys_of_their_own():
    """Roles 2 and 3, and 4 for resampling: the ends by hand, a step each, of four replicas in two groups."""
    rbm = path(2, 3)[-1]
    zero = RBM(0 * rbm.a, 0 * rbm.W)
    start = bracket.Start(np.eye(5)[:4], "given")
    for role, first, last in ((2, zero, rbm), (3, rbm, zero)):
        key = philox.fold_in(KEY, role)
        chains = pcd.init(key, zero, 4) if role == 2 else gibbs.chains_from(start.z, (2, 3))
        log_w = -boltzmann.energy(RBM(last.a - first.a, last.W - first.W), chains.z.astype(np.float64)).reshape(2, 2)
        log_ratio, error, _ = ais.statistics(np.logaddexp.reduce(log_w, 1) - np.log(2))
        if role == 2:
            end, sign = trajectory.below(KEY, [rbm], 1, 2, 2), 1
        else:
            end, sign = trajectory.above(KEY, [rbm], start, 1, 2), -1
        assert end.log_z == pytest.approx(5 * np.log(2) + sign * log_ratio, abs=1e-5)  # the rounding of W
        assert end.standard_error == pytest.approx(error, abs=1e-5)


def test_replicas_are_resampled_by_a_number_for_each_group_and_step():
    log_w = np.random.default_rng(1).normal(0, 1, (3, 50))
    u = philox.uniform(philox.fold_in(KEY, 4, 6), 3)
    by_hand = [50 * g + population.systematic(log_w[g], u[g]) for g in range(3)]
    np.testing.assert_array_equal(trajectory._ancestors(KEY, log_w, 6), np.concatenate(by_hand))


def test_two_replicas_in_each_of_two_groups_are_enough():
    machines = path(2, 3)
    start = bracket.Start(np.eye(5)[:4], "given")
    assert trajectory.above(KEY, machines, start, 1, 2).weights == 2
    assert trajectory.below(KEY, machines, 1, 2, 2).weights == 2
    with pytest.raises(ValueError, match="each of 2 groups needs at least 2 replicas; got 2 in all"):
        trajectory.above(KEY, machines, start._replace(z=start.z[:3]), 1, 2)


def test_steps_follow_from_the_divergence():
    """J falls with the square of their number: 4 nats in 7 steps are 0.082 each, in 6 they would be 0.11."""
    np.testing.assert_array_equal(trajectory.steps_for(np.array([4.0, 0.1, 0.05, -0.2, 0.11])), [7, 1, 1, 1, 2])
    np.testing.assert_array_equal(trajectory.steps_for(np.array([4.0]), each=1.0), [2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "whole number >= 1; got 0"),
        ({"steps": 1.5}, "whole number >= 1; got 1.5"),
        ({"steps": np.inf}, "whole number >= 1; got inf"),
        ({"steps": 2.0**63}, "whole number >= 1; got 9.2"),
        ({"groups": 1}, "at least 2 chains for a standard error; got 1"),
        ({"replicas": 1}, "replicas must be a whole number >= 2; got 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        trajectory.below(KEY, path(), **options)


def test_bad_steps_and_starts_are_refused():
    with pytest.raises(ValueError, match="one for each of 3 machines; got"):
        trajectory.below(KEY, path(), steps=[1, 2])
    with pytest.raises(ValueError, match="binary states"):
        trajectory.above(KEY, path(), bracket.Start(np.zeros((40, 11)), "nowhere"))
    with pytest.raises(ValueError, match="each of 20 groups"):
        trajectory.above(KEY, path(), exact_start(KEY, path()[-1], 39))
