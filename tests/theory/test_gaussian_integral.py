"""Eq. 7: against the sum over z, its integral, its gradient, and lam."""

import numpy as np
import pytest
import witness
from scipy import stats

from dvae_ref import gaussian_integral
from dvae_ref.theory.boltzmann import RBM

SHAPES = [(1, 1), (2, 3), (4, 2)]


def machine(shape, scale=1.5):
    """A skewed RBM of W's norm a few units, and zeta in and far around the cube."""
    rng = np.random.default_rng(shape)
    d = sum(shape)
    return RBM(rng.normal(-0.5, 1, d), scale * (0.3 + rng.standard_normal(shape))), rng.uniform(-2, 3, (9, d))


def norm(W):
    return np.linalg.norm(W, 2)


def sum_over_z(rbm, zeta, lam):
    """log sum_z exp(-E(z)) N(zeta | z, (J + lam I)^-1), the densities by SciPy."""
    covariance = np.linalg.inv(witness.couplings(rbm.W) + lam * np.eye(len(rbm.a)))
    z = witness.states(len(rbm.a))
    log_joint = [-witness.energy(*rbm, v) + stats.multivariate_normal(v, covariance).logpdf(zeta) for v in z]
    return np.logaddexp.reduce(log_joint, 0)


@pytest.mark.parametrize("above", [1.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_sum_over_z(shape, above):
    """To 1e-12: the terms reach 1,000 nats at lam = 35, and J + lam I is conditioned to better than 20."""
    rbm, zeta = machine(shape)
    lam = norm(rbm.W) + above
    value, _ = gaussian_integral.log_p(rbm, zeta, lam)
    np.testing.assert_allclose(value, sum_over_z(rbm, zeta, lam), rtol=1e-12)


def test_control_another_precision_or_a_flipped_coupling_is_seen():
    rbm, zeta = machine((2, 3))
    lam = norm(rbm.W) + 1
    expected = sum_over_z(rbm, zeta, lam)
    for wrong, wrong_lam in ((rbm, lam * (1 + 1e-9)), (rbm._replace(W=-rbm.W), lam), (rbm._replace(a=-rbm.a), lam)):
        assert witness.relative_error(gaussian_integral.log_p(wrong, zeta, wrong_lam)[0], expected) > 1e-10


@pytest.mark.parametrize("coupling", [-3.0, 2.0])
def test_integrates_to_one(coupling):
    """D = 2, by the trapezoidal rule on [-6, 7]: spectrally accurate for Gaussians of standard deviation >= 0.3 at
    steps of 0.05; what lies outside is below e^-18, since the smaller eigenvalue of the precision is 1."""
    rbm = RBM(np.array([0.7, -1.2]), np.array([[coupling]]))
    axis = np.arange(-6, 7, 0.05)
    zeta = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    lam = abs(coupling) + 1

    def integral(lam, value_lam):
        log_p = gaussian_integral.log_p(rbm, zeta, value_lam)[0] - witness.log_z(*rbm)
        return np.exp(log_p).sum() * 0.05**2

    assert integral(lam, lam) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient(shape):
    """In a, W (through the log det too) and zeta, at fixed lam."""
    rbm, zeta = machine(shape)
    lam = norm(rbm.W) + 2

    def forward(a, W, zeta):
        return gaussian_integral.log_p(RBM(a, W), zeta, lam)[0]

    def gradients(cotangent):
        d_rbm, d_zeta = gaussian_integral.log_p_backward(cotangent, gaussian_integral.log_p(rbm, zeta, lam)[1])
        return *d_rbm, d_zeta

    witness.check_backward(np.random.default_rng(1), forward, gradients, (*rbm, zeta))


@pytest.mark.parametrize("shape", SHAPES)
def test_log_det_and_its_gradient(shape):
    """log det((J + lam I) / 2 pi) / 2 by NumPy's determinant of the whole matrix; the gradient alone is 2nd order in
    W / lam and would hide in that of log p."""
    rbm, _ = machine(shape)
    lam = norm(rbm.W) + 0.3
    value, _ = gaussian_integral._log_det(rbm, lam)
    whole = (witness.couplings(rbm.W) + lam * np.eye(len(rbm.a))) / (2 * np.pi)
    assert value == pytest.approx(np.linalg.slogdet(whole)[1] / 2, abs=1e-12)

    def forward(W):
        return np.array([gaussian_integral._log_det(RBM(rbm.a, W), lam)[0]])

    witness.check_backward(
        np.random.default_rng(2),
        lambda W: forward(W),
        lambda d: (d * gaussian_integral._log_det(rbm, lam)[1],),
        (rbm.W,),
        sharpness=1e-4,  # the singularity at ||W|| = lam is 0.3 away
    )


def test_precision_is_beta_or_the_norm_and_five():
    """Whether or not the cheap bound settles it: both ways occur."""
    rng, cheap = np.random.default_rng(3), []
    for shape in (*SHAPES, (30, 7)):
        for scale in (0.0, 0.1, 1.0, 5.0):
            W = scale * rng.standard_normal(shape)
            rbm = RBM(np.zeros(sum(shape)), W)
            for beta in (0.5, norm(W) + 4.99, norm(W) + 5.01, 40.0):
                lam = gaussian_integral.precision(rbm, beta)
                assert lam == pytest.approx(max(beta, norm(W) + 5), rel=1e-14)
                assert np.linalg.eigvalsh(witness.couplings(W) + lam * np.eye(sum(shape))).min() > 4.99
                size = np.abs(W)
                cheap.append((size.sum(0).max() * size.sum(1).max()) ** 0.5 + 5 <= beta)
    assert {True, False} <= set(cheap)
    assert isinstance(lam, float)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_lam_that_is_too_small_is_refused(dtype):
    rbm, zeta = machine((2, 3))
    rbm, zeta = RBM(*(leaf.astype(dtype) for leaf in rbm)), zeta.astype(dtype)
    for lam in (0.5, float(norm(rbm.W)) * 0.999, 0.0, -40.0, float("nan")):  # lam^2 does not show the sign
        with pytest.raises(ValueError, match=rf"\|\|W\|\| = 3\.379.*lam = {lam:g}"):
            gaussian_integral.log_p(rbm, zeta, lam)
    assert np.all(np.isfinite(gaussian_integral.log_p(rbm, zeta, norm(rbm.W) * 1.001)[0]))


def plain(rbm, zeta, lam):
    """Eq. 7 as it stands in the paper, without log Z."""
    precision = (witness.couplings(rbm.W) + lam * np.eye(len(rbm.a))).astype(zeta.dtype)
    c = zeta @ precision
    log_det = zeta.dtype.type(np.linalg.slogdet((precision / (2 * np.pi)).astype(np.float64))[1] / 2)
    return log_det - np.sum(zeta * c, 1) / 2 + np.sum(np.logaddexp(0, rbm.a + c - lam / 2), 1)


def test_float32_is_enough_at_the_paper_s_size():
    """D = 400, lam = 40, zeta around the vertices, most of them 1: within 3e-4 nats.

    The control: Eq. 7 as it stands, a difference of sums of 8,000 nats, whose float32 is 5e-4 wide. Gradients
    norm-wise; everything stays float32.
    """
    rng = np.random.default_rng(5)
    rbm = RBM(rng.normal(2, 1, 400), rng.normal(0, 0.3, (200, 200)))
    zeta = (rng.random((50, 400)) < 0.9) + rng.normal(0, 0.2, (50, 400))
    lam = gaussian_integral.precision(rbm, 40.0)
    rbm32, zeta32 = RBM(*(np.float32(leaf) for leaf in rbm)), np.float32(zeta)
    exact64 = RBM(*(np.float64(leaf) for leaf in rbm32)), np.float64(zeta32)
    value, cache = gaussian_integral.log_p(rbm32, zeta32, lam)
    expected, exact_cache = gaussian_integral.log_p(*exact64, lam)
    naive = plain(rbm32, zeta32, lam)
    print(f"float32: {np.abs(value - expected).max():.1e} nats; plain {np.abs(naive - expected).max():.1e} nats")
    assert value.dtype == naive.dtype == np.float32
    np.testing.assert_allclose(expected, plain(*exact64, lam), rtol=1e-11)
    assert np.abs(value - expected).max() < 3e-4 < np.abs(naive - expected).max()
    d = rng.standard_normal(50)
    own = gaussian_integral.log_p_backward(np.float32(d), cache)
    exact = gaussian_integral.log_p_backward(np.float64(np.float32(d)), exact_cache)
    for leaf, other in zip((*own[0], own[1]), (*exact[0], exact[1]), strict=True):
        assert leaf.dtype == np.float32
        assert witness.relative_error(leaf, other) < 1e-5
