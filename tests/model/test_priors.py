"""The prior's term of the bound: densities against SciPy, and the gradient in everything that enters it."""

import numpy as np
import pytest
import witness
from scipy import stats

from dvae_ref import gaussian_integral, smoothing
from dvae_ref.model.posteriors import Mixture, ShiftedGaussian, SpikeExponential, Spread
from dvae_ref.model.priors import GaussianIntegral, OverlappingJoint, Relaxed, SpikeJoint
from dvae_ref.theory.boltzmann import RBM

S = np.array([1.0, -0.7, 0.6, -1.8, 0.9])  # std 0.25, 0.19, 0.17, 0.41, 0.23


def machine():
    rng = np.random.default_rng(8)
    return RBM(rng.normal(-0.5, 1, 5), 0.3 + rng.standard_normal((2, 3)))


def gaussian(beta=20.0):
    """(prior, rbm, sample, extra): six rows, with zeta near both vertices."""
    rng = np.random.default_rng(9)
    prior = GaussianIntegral(ShiftedGaussian(), beta)
    logit_q, raw = rng.normal(0, 2, (2, 6, 5))
    t = rng.choice([-0.5, 0.5], (6, 5)) + rng.normal(0, 0.3, (6, 5))
    zeta = t + 0.5 + 0.5 * (witness.sigmoid(raw) - 0.5)
    return prior, machine(), ShiftedGaussian.Sample(logit_q, raw, t, zeta), Spread(S)


@pytest.mark.parametrize("beta", [0.1, 20.0])
def test_gaussian_integral_is_log_p_minus_log_q(beta):
    """log p(zeta) + log Z as a sum over z of SciPy's multivariate normals, log q(zeta|x) of its normals."""
    prior, rbm, sample, extra = gaussian(beta)
    value = prior.term(rbm, sample, extra)[0]
    lam = max(beta, np.linalg.norm(rbm.W, 2) + 5)
    covariance = np.linalg.inv(witness.couplings(rbm.W) + lam * np.eye(5))
    parts = [
        -witness.energy(*rbm, z) + stats.multivariate_normal(z, covariance).logpdf(sample.zeta)
        for z in witness.states(5)
    ]
    q, std = witness.sigmoid(sample.logit_q), np.abs(S) / 5 + 0.05
    shift = 0.5 * (witness.sigmoid(sample.raw) - 0.5)
    density = (1 - q) * stats.norm.pdf(sample.zeta, shift, std) + q * stats.norm.pdf(sample.zeta, 1 + shift, std)
    expected = np.logaddexp.reduce(parts, 0) - np.log(density).sum(1)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    unshifted = (1 - q) * stats.norm.pdf(sample.zeta, 0, std) + q * stats.norm.pdf(sample.zeta, 1, std)
    assert np.abs(np.log(unshifted / density).sum(1)).max() > 1


def check_term(prior, rbm, sample, extra, fields, sharpness=1e-6):
    """The gradient in a, W, the named fields of the sample, and s; the other fields get none."""

    def forward(a, W, *others):
        moved = sample._replace(**dict(zip(fields, others, strict=False)))
        return prior.term(RBM(a, W), moved, Spread(*others[len(fields) :]) if extra else ())[0]

    def gradients(cotangent):
        d_rbm, d_sample, d_extra = prior.term_backward(cotangent, prior.term(rbm, sample, extra)[1], extra)
        d_sample = type(sample)(*d_sample)
        for name in set(sample._fields) - set(fields):
            assert not np.any(getattr(d_sample, name)), name
        return *d_rbm, *(getattr(d_sample, name) for name in fields), *d_extra

    arguments = (*rbm, *(getattr(sample, name) for name in fields), *extra)
    witness.check_backward(np.random.default_rng(10), forward, gradients, arguments, sharpness)


def test_gradient_with_the_gaussian_integral():
    """zeta enters through p, t through q: the posterior adds them up.

    q(z|x, zeta) changes within t of std^2 = 0.03: the truncation of steps of 1e-3 is (1e-3 / 0.03)^4 / 30 = 4e-8 of it.
    """
    prior, rbm, sample, extra = gaussian()
    assert gaussian_integral.precision(rbm, 20.0) == 20
    check_term(prior, rbm, sample, extra, ("logit_q", "t", "zeta"), sharpness=1e-5)


def test_control_the_gradient_in_s_needs_both_of_its_terms(monkeypatch):
    prior, rbm, sample, extra = gaussian()
    for name in ("d_beta_log_ratio", "d_beta_log_r0"):
        with monkeypatch.context() as patch:
            patch.setattr(smoothing.Gaussian, name, lambda self, t: 0 * t)
            with pytest.raises(AssertionError, match="argument 5"):
                check_term(prior, rbm, sample, extra, ("logit_q", "t", "zeta"), sharpness=1e-5)


def test_the_density_has_no_corner_between_the_vertices():
    """At t = 0 log r_max and the mixture relative to it both have one; d log q/dt is (nu - 1/2) / std^2 there."""
    prior, rbm, sample, extra = gaussian()
    sample = sample._replace(t=np.zeros((6, 5)))
    d_t = prior.term_backward(np.ones(6), prior.term(rbm, sample, extra)[1], extra)[1].t
    q, std = witness.sigmoid(sample.logit_q), np.abs(S) / 5 + 0.05
    np.testing.assert_allclose(d_t, -(q - 0.5) / std**2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("smooth", [smoothing.Exponential(4.0), smoothing.Power(3.0)])
def test_gradient_with_overlapping_joint(smooth, groups):
    rng = np.random.default_rng(11)
    prior = OverlappingJoint(Mixture(smooth), groups)
    sample = Mixture.Sample(rng.normal(0, 2, (6, 5)), rng.normal(0, 2, (6, 5)), rng.uniform(0, 1, (6, 5)))
    if groups == 1:
        d_t = prior.term_backward(np.ones(6), prior.term(machine(), sample)[1])[1].t
        assert not np.any(d_t)
    check_term(prior, machine(), sample, (), ("logit_q", "t") if groups > 1 else ("logit_q",))


def test_gradient_with_spike_joint():
    """One group; zeta moves z in jumps only, and gets no gradient."""
    rng = np.random.default_rng(12)
    sample = SpikeExponential.Sample(rng.normal(0, 2, (6, 5)), rng.choice([0, 0.4, 0.8], (6, 5)))
    check_term(SpikeJoint(1), machine(), sample, (), ("logit_q",))


@pytest.mark.parametrize("smooth", [smoothing.Exponential(4.0), smoothing.Power(3.0)])
def test_gradient_with_a_relaxed_prior(smooth):
    """Eq. 5 is the derivative of the term where the mean field has converged; log q(zeta|x) depends on logit q and t.
    With |t| of 0.2 and more the kink of r_max is out of reach."""
    rng = np.random.default_rng(13)
    prior, rbm = Relaxed(Mixture(smooth), 300), machine()
    t = rng.choice([-1, 1], (6, 5)) * rng.uniform(0.2, 3, (6, 5))
    sample = Mixture.Sample(rng.normal(0, 2, (6, 5)), t, 1 / (1 + np.exp(-t)))
    check_term(prior, RBM(rbm.a, 0.3 * rbm.W), sample, (), ("logit_q", "t"))


@pytest.mark.parametrize("beta", [0.0, -2.0, np.inf, np.nan])
def test_bad_beta_is_refused(beta):
    with pytest.raises(ValueError, match="GaussianIntegral takes a finite beta > 0, got"):
        GaussianIntegral(ShiftedGaussian(), beta)


@pytest.mark.parametrize("sweeps", [0, -1, 0.5, 2.5, np.nan])
def test_relaxed_takes_a_whole_number_of_sweeps(sweeps):
    with pytest.raises(ValueError, match=f"mean_field_sweeps must be a whole number >= 1, got {sweeps}"):
        Relaxed(Mixture(smoothing.Power(3.0)), sweeps)
    assert [Relaxed(None, whole).mean_field_sweeps for whole in (1, 2, 3, 4.0)] == [1, 2, 3, 4]
