import numpy as np
import pytest
from enumeration import moments, skewed_rbm

from dvae_ref import boltzmann
from dvae_ref.sampling import pcd, philox
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(21)


def test_moments_of_a_skewed_rbm():
    """20,000 independent chains: the standard error is that of as many Bernoulli draws. 129 moments, 5
    standard errors."""
    rbm, chains = skewed_rbm(), 20_000
    state, info = pcd.step(KEY, pcd.init(KEY, rbm, chains), rbm, sweeps=60)

    def worst(estimate):
        exact = moments(rbm)
        return max(
            np.max(np.abs(ours - p) / np.sqrt(p * (1 - p) / chains)) for ours, p in zip(estimate, exact, strict=True)
        )

    assert worst(info.moments) < 5
    flipped = RBM(rbm.a, -rbm.W)
    assert worst(pcd.step(KEY, pcd.init(KEY, rbm, chains), flipped, sweeps=60)[1].moments) > 50
    unmixed = pcd.step(KEY, pcd.init(KEY, rbm, chains), rbm, sweeps=1)[1]
    assert worst(unmixed.moments) > 5
    assert state.sweeps == 60


def test_moments_are_those_of_the_samples():
    rbm, state = skewed_rbm(), pcd.init(KEY, (12, 9), 777)
    state, info = pcd.step(KEY, state, rbm, sweeps=3)
    z = pcd.samples(state)
    assert z.shape == (777, 21)
    assert z.dtype == info.moments.z.dtype == info.moments.zz.dtype == np.float32
    expected = boltzmann.moments(rbm, z.astype(np.float64))
    for ours, theirs in zip(info.moments, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1.2e-7)  # one rounding: the counts are exact
    assert not np.allclose(info.moments.zz, np.outer(*boltzmann.split(info.moments.z, rbm)), atol=1e-3)


def test_a_stored_state_continues_with_the_same_bytes(tmp_path):
    rbm = skewed_rbm(33, 18)
    state = pcd.init(KEY, rbm, 130)
    straight = pcd.step(KEY, pcd.step(KEY, state, rbm, 7)[0], rbm, 7)
    np.savez(tmp_path / "state.npz", **pcd.step(KEY, state, rbm, 7)[0]._asdict())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as stored:
        resumed = pcd.step(KEY, pcd.State(**stored), rbm, 7)
    for a, b in zip([*straight[0], *straight[1].moments], [*resumed[0], *resumed[1].moments], strict=True):
        assert a.tobytes() == b.tobytes()
    restarted = pcd.step(KEY, pcd.State(*resumed[0][:3], np.array(0)), rbm, 7)
    further = pcd.step(KEY, resumed[0], rbm, 7)
    assert restarted[0].left.tobytes() != further[0].left.tobytes()  # a lost sweep counter would show


def test_the_initial_state_is_uniform():
    """Fractions of ones within 4.5 standard errors of 1/2; four units to a byte."""
    state = pcd.init(KEY, skewed_rbm(40, 30), 10_000)
    z = pcd.samples(state)
    assert np.max(np.abs(z.mean(0) - 0.5)) < 4.5 * 0.5 / 100
    assert np.max(np.abs(np.corrcoef(z.T) - np.eye(70))) < 5 / 100
    assert (state.left.dtype, state.left.shape, state.right.shape) == (np.uint8, (10_000, 10), (10_000, 8))


def test_a_single_chain_is_enough():
    state, info = pcd.step(KEY, pcd.init(KEY, (12, 9), 1), skewed_rbm(), 2)
    np.testing.assert_array_equal(info.moments.z, pcd.samples(state)[0])


def test_zero_chains_are_refused():
    with pytest.raises(ValueError, match="chains must be a whole number >= 1; got 0"):
        pcd.init(KEY, (12, 9), 0)
