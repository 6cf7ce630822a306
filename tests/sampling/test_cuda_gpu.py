"""For a machine with a GPU: what the emulator shows, on the real thing."""

import numpy as np
import pytest
from enumeration import skewed_rbm

from dvae_ref.sampling import ais, backend, gibbs, pcd, philox, population

pytestmark = pytest.mark.skipif(backend.why_not_cuda() is not None, reason=f"no CUDA: {backend.why_not_cuda()}")
KEY = philox.key(20)


@pytest.fixture(params=["as it is", "none"])
def memory(request, monkeypatch):
    """With the shared memory that a block can have, and as if it had none: both kernels."""
    if request.param == "none":
        from dvae_ref.sampling.cuda import device

        monkeypatch.setattr(device, "shared_memory", lambda: 0)


@pytest.mark.parametrize(
    ("n_left", "n_right", "chains"),
    [(1, 1, 1), (133, 40, 1000), (200, 200, 1000), (1024, 1000, 50), (100, 100, 20_000)],
)
def test_spins_are_the_cpus(n_left, n_right, chains, memory):
    rbm = skewed_rbm(n_left, n_right)
    state = pcd.init(KEY, rbm, chains)
    ours, oracle = (gibbs.sweep(KEY, state, rbm, 10, backend=name) for name in ("cuda", "cpu"))
    for a, b in zip(ours, oracle, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("base", ["uniform", "bias"])
def test_log_weights_are_the_cpus(base, memory):
    rbm = skewed_rbm(40, 133)
    ours, oracle = (ais.log_z(KEY, rbm, 3000, 500, base, backend=name) for name in ("cuda", "cpu"))
    np.testing.assert_allclose(ours.log_weights, oracle.log_weights, rtol=1e-12)


def test_ancestors_are_the_cpus():
    from dvae_ref.sampling.cuda import resampling

    log_w = np.random.default_rng(0).normal(size=200_000)
    np.testing.assert_array_equal(
        resampling.systematic(log_w, np.float32(0.3)), population.systematic(log_w, np.float32(0.3))
    )
