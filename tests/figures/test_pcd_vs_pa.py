"""Samplers along a trajectory, and the trajectory itself."""

import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.sampling import philox
from figures import moving_target, pcd_vs_pa
from figures.pcd_vs_pa import SAMPLERS, SHAPE, Point, Scale


def test_the_trajectory_climbs_the_likelihood():
    """The target stands still here: the exact log-likelihood rises at each of 40 steps; downhill it falls."""
    scale = Scale(40, 0.1, 100, 1)
    target = moving_target.targets_of(scale, 0)[0]
    rise = [moving_target.described(rbm, target)[2] for rbm in moving_target.trajectory([target] * 40, scale)]
    fall = [
        moving_target.described(rbm, target)[2]
        for rbm in moving_target.trajectory([target] * 40, scale._replace(rate=-0.1))
    ]
    assert np.all(np.diff(rise) > 0)
    assert np.all(np.diff(fall) < 0)


def test_targets_are_moments_of_binary_units_and_move():
    targets = moving_target.targets_of(Scale(200, 0.1, 100, 1), 0)
    for target in targets:
        left, right = target.z[: SHAPE[0], None], target.z[SHAPE[0] :]
        assert np.all(target.zz <= np.minimum(left, right))
        assert np.all(target.zz >= np.maximum(0, left + right - 1))
    assert np.max(np.abs(targets[0].z - targets[50].z)) > 0.1


def test_with_many_sweeps_both_samplers_reach_the_floor():
    """30 updates, still easy: 2,000 chains, 20 sweeps. The rms error over 450 correlated moments is the floor within
    25%; compared with the moments ten updates back it is twice the floor."""
    scale = Scale(30, 0.2, 2000, 1)
    targets = moving_target.targets_of(scale, 0)
    path = moving_target.trajectory(targets, scale)
    points = {i: Point(i, *moving_target.described(path[i], targets[i])) for i in (19, 29)}
    for sampler in SAMPLERS.values():
        *_, info = pcd_vs_pa.steps(sampler, philox.key(3), path, scale, 20)
        floor = pcd_vs_pa.floor(points[29].moments, 2000)
        row = pcd_vs_pa.compare(info, points[29])
        assert 0.75 < row["error"] / floor < 1.25
        assert pcd_vs_pa.compare(info, points[19])["error"] > 2 * floor
    assert abs(row["log_z"]) < 5 * row["standard_error"] + 0.05


def test_own_updates_follow_the_exact_ones():
    """With 2,000 chains and 20 sweeps the log-likelihood after 30 own updates is the exact trajectory's to 0.05 nats;
    it has come more than 5 nats from where it began."""
    scale = Scale(30, 0.1, 2000, 1)
    targets = moving_target.targets_of(scale, 0)
    path = moving_target.trajectory(targets, scale)
    start, end = (moving_target.described(path[i], targets[-1])[2] for i in (0, -1))
    for sampler in SAMPLERS.values():
        own = pcd_vs_pa.own_path(sampler, philox.key(4), targets, scale, 20)
        assert abs(moving_target.described(own[-1], targets[-1])[2] - end) < 0.05
    assert end - start > 5


def test_momentum_and_its_rate_go_as_far_in_the_end():
    """A constant gradient g, rate r: n updates come to n r g; with momentum 1/2 and half the rate they lag by one
    update, r g; at the whole rate they would come twice as far."""
    target, nothing = moving_target.targets_of(Scale(1, 0.1, 100, 1), 0)[0], lambda rbm: type(target)(0.0, 0.0)
    plain = moving_target.climb([target] * 60, 0.1, nothing)[-1]
    half = moving_target.climb([target] * 60, 0.05, nothing, momentum=0.5)[-1]
    np.testing.assert_allclose(plain.a - half.a, 0.1 * target.z, rtol=1e-10)
    np.testing.assert_allclose(plain.a, 60 * 0.1 * target.z, rtol=1e-12)


STEPS = {  # the third of each variant, in units of the rate: weights of targets t_0, t_1, t_2, and of moments
    "momentum": ([1 / 8, 1 / 4, 1 / 2], [1 / 8, 1 / 4, 1 / 2]),
    "averaged": ([0, 0, 1], [1 / 4, 1 / 4, 1 / 2]),
    "late": ([0, 0, 1], [0, 1, 0]),
}


@pytest.mark.parametrize("name", moving_target.VARIANTS)
def test_a_variant_takes_the_steps_that_it_is_drawn_for(name):
    """Its third step by hand, from the targets and the exact moments at its own machines: sums of four numbers below
    1, right to 1e-15; at another rate, or with another variant's weights, off by more than 1e-3."""
    scale = Scale(3, 0.4, 100, 1)
    targets = moving_target.targets_of(scale, 0)
    path = moving_target.VARIANTS[name](targets, scale.rate)
    start = path[0]._replace(a=np.zeros(50), W=np.zeros((10, 40)))
    t = np.stack([target.zz for target in targets])
    m = np.stack([exact.moments(rbm).zz for rbm in (start, *path[:2])])

    def off(weights):
        steps = scale.rate * (np.tensordot(weights[0], t, 1) - np.tensordot(weights[1], m, 1))
        return np.max(np.abs(path[2].W - path[1].W - steps))

    assert off(STEPS[name]) < 1e-14
    assert min(off(weights) for other, weights in STEPS.items() if other != name) > 1e-3
    assert off(2 * np.array(STEPS[name])) > 1e-3


def test_averages_of_moments_damp_and_late_ones_are_late():
    """Of exact moments m of machines 0, 1, 2: m0, (m0 + m1)/2, (m0 + m1)/4 + m2/2; and m0, m0, m1."""
    machines = moving_target.trajectory(moving_target.targets_of(Scale(3, 0.5, 100, 1), 0), Scale(3, 0.5, 100, 1))
    m = [exact.moments(rbm).z for rbm in machines]
    mean, late = moving_target.averaged(0.5), moving_target.late()
    np.testing.assert_allclose(
        [mean(rbm).z for rbm in machines], [m[0], (m[0] + m[1]) / 2, (m[0] + m[1]) / 4 + m[2] / 2]
    )
    np.testing.assert_array_equal([late(rbm).z for rbm in machines], [m[0], m[0], m[1]])


def test_what_is_gained_is_counted_from_the_exact_trajectory():
    """Along that itself nothing; at half its rate, behind the moving target, likelihood is lost at every point."""
    scale = Scale(20, 0.2, 100, 1)
    targets = moving_target.targets_of(scale, 0)
    path = moving_target.trajectory(targets, scale)
    points = [Point(i, *moving_target.described(path[i], targets[i])) for i in (9, 19)]
    np.testing.assert_array_equal(pcd_vs_pa.gained(path, targets, points), 0)
    slow = moving_target.trajectory(targets, scale._replace(rate=0.1))
    assert np.all(pcd_vs_pa.gained(slow, targets, points) < -0.1)


def test_compute_has_every_sampler_sweep_and_repeat(options):
    data = pcd_vs_pa.compute(options)
    shape = (len(pcd_vs_pa.SWEEPS), 2, 2)
    for key in ("pcd_error", "pa_error", "pcd_gained", "pa_gained", "pa_log_z", "pa_standard_error"):
        assert data[key].shape == shape
        assert np.all(np.isfinite(data[key]))
    for name in moving_target.VARIANTS:
        assert data[f"{name}_gained"].shape == data["update"].shape
    rbm = moving_target.trajectory(moving_target.targets_of(Scale(20, 0.2, 50, 2), 0), Scale(20, 0.2, 50, 2))[9]
    assert data["log_z"][0] == exact.log_z(rbm)
