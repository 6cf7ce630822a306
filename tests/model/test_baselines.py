"""The objective of the other four columns of Table 1: value and gradient against autograd on independent expressions,
central differences, and, for DVAE in several groups, the exact gradient of the exact expectation."""

import functools

import autograd.numpy as anp
import numpy as np
import pytest
import test_autoencoder
import witness
from autograd import value_and_grad
from test_autoencoder import KAPPA, STRUCTURES, disagreements, exact_moments

from dvae_ref import gaussian_integral, joint, mixture, tree
from dvae_ref.model import autoencoder, methods, posteriors
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.theory.boltzmann import RBM

BETAS = {"dvaes_gi": 9.0, "dvaepp_exp": 4.0, "dvaepp_power": 3.0, "dvae_spike_exp": 3.0}
EVERY_BETA = dict.fromkeys(BASELINES, 4.0) | BETAS
each_baseline = pytest.mark.parametrize("name", BETAS)
each_structure = pytest.mark.parametrize("structure", STRUCTURES)
each_k = pytest.mark.parametrize("k", [1, 5])


class Case(test_autoencoder.Case):
    """The same skewed parameters and grey pixels; of the posterior's own, every other one is negative."""

    def __init__(self, name, structure, k, **options):
        self.beta = options.pop("beta", EVERY_BETA[name])
        super().__init__(name, structure, k, **options)
        flipped = tree.map(lambda s: s * np.resize([1, -1, 1], s.shape), self.params.posterior)
        self.params = self.params._replace(posterior=flipped)

    def method(self, groups):
        return methods.method(self.name, self.beta, groups)

    def expression(self, params, **changes):
        plus_plus = functools.partial(witness.objective_plus_plus, name=BASELINES[self.name].law.name)
        objectives = {"gaussian_integral": witness.objective_gi, "spike_joint": witness.objective_spike}
        f = (objectives | {"overlapping_joint": plus_plus})[BASELINES[self.name].prior]
        options = {"beta": self.beta, "k": self.k, "kappa": KAPPA} | changes
        return f(params, self.statistics.mean_x, self.x, *self.noise, **options)


@each_k
@each_structure
@each_baseline
def test_value_and_gradient_agree_with_autograd(name, structure, k):
    case = Case(name, structure, k)
    value, expected = case.autograd()
    assert case.value(case.params)[0] @ case.d_bound == pytest.approx(value, rel=1e-11)
    assert disagreements(case.gradient(), expected) == {}


def test_agrees_with_autograd_where_the_couplings_set_the_precision():
    """beta = 2 < ||W|| + 5: the gradient does not flow through lam."""
    case = Case("dvaes_gi", "2-layer-nonlin", 5, beta=2.0)
    value, expected = case.autograd()
    assert gaussian_integral.precision(case.params.rbm, 2.0) > 7
    assert case.value(case.params)[0] @ case.d_bound == pytest.approx(value, rel=1e-11)
    assert disagreements(case.gradient(), expected) == {}


@each_k
@pytest.mark.parametrize(
    ("name", "structure"),
    [(name, s) for name in BETAS for s in STRUCTURES if name != "dvae_spike_exp" or STRUCTURES[s].groups == 1],
)
def test_gradient_agrees_with_central_differences(name, structure, k):
    """With zeta the inverse CDF at rho it is the gradient of a function; for DVAE in one group only, where z = q.

    dvaes_gi: the couplings are so small that beta alone sets lam. DVAE: zeta has a corner where the spike ends, from
    which rho is kept away.
    """
    case = Case(name, structure, k, coupling=0.3)
    if name == "dvae_spike_exp":
        end = witness.sigmoid(-case.value(case.params)[1].encoder.sample.logit_q)
        case.noise = Noise(None, np.where(abs(case.noise.rho - end) < 0.02, end + 0.02, case.noise.rho))
    assert name != "dvaes_gi" or gaussian_integral.precision(case.params.rbm, case.beta) == case.beta
    test_autoencoder.check_central_differences(case)


# -- controls ------------------------------------------------------------------------------------------------------


def no_gradient_of_log_det(rbm, lam):
    value, gradient = LOG_DET(rbm, lam)
    return value, 0 * gradient


def published_d_std(self, d, sample, noise, extra):
    """The published code's dzeta/dstd, with zeta - z for zeta - shift - z: too large by shift / std."""
    d_out, d_extra = DRAW_BACKWARD(self, d, sample, noise, extra)
    std, shift = np.abs(extra.s) / 5 + 0.05, (witness.sigmoid(sample.raw) - 0.5) / 2
    return d_out, posteriors.Spread(d_extra.s + np.sum((d.t + d.zeta) * shift / std, 0) * np.sign(extra.s) / 5)


def without_nu(d_term, cache, groups):
    """z on the left as if it were a constant."""
    d_rbm, d_logit_q, d_b = OVERLAPPING_BACKWARD(d_term, cache, groups)
    return d_rbm, d_logit_q - d_b, 0 * d_b


def without_the_factor(d_term, cache):
    """DVAE's gradient with dz_i = dq_i on the left too, (1 - z_i) / (1 - q_i) left out."""
    d_rbm, d_logit_q = SPIKE_BACKWARD(d_term, cache)
    rbm, logit_q, z, _ = cache
    left = rbm.W.shape[0]
    q = witness.sigmoid(logit_q[:, :left])
    d_logit_q[:, :left] += d_term[:, None] * q * (z[:, :left] - q) * (z[:, left:] @ rbm.W.T)
    return d_rbm, d_logit_q


def z_held(d_term, cache):
    """DVAE's gradient of the sampled value, in which z of all groups but the last is a constant."""
    d_rbm, d_logit_q = SPIKE_BACKWARD(d_term, cache)
    rbm, logit_q, z, _ = cache
    left, q = rbm.W.shape[0], witness.sigmoid(logit_q)
    d_logit_q[:, :left] -= d_term[:, None] * q[:, :left] * (1 - z[:, :left]) * (z[:, left:] @ rbm.W.T)
    return d_rbm, d_logit_q


LOG_DET, DRAW_BACKWARD = gaussian_integral._log_det, posteriors.ShiftedGaussian.draw_backward
OVERLAPPING_BACKWARD, SPIKE_BACKWARD = joint.overlapping_term_backward, joint.spike_term_backward
D_T_D_BETA, D_ZETA, GI_LOG_P = mixture.d_t_d_beta, posteriors.spike.d_zeta_d_logit_q, gaussian_integral.log_p
BREAKAGES = {
    "log det": ("dvaes_gi", gaussian_integral, "_log_det", no_gradient_of_log_det),
    "the published d zeta/d std": ("dvaes_gi", posteriors.ShiftedGaussian, "draw_backward", published_d_std),
    "std of the draw": ("dvaes_gi", mixture, "d_t_d_beta", lambda *a: 0 * D_T_D_BETA(*a)),
    "nu": ("dvaepp_power", joint, "overlapping_term_backward", without_nu),
    "nu of the exponential": ("dvaepp_exp", joint, "overlapping_term_backward", without_nu),
    "the factor (1 - z) / (1 - q)": ("dvae_spike_exp", joint, "spike_term_backward", without_the_factor),
    "z held": ("dvae_spike_exp", joint, "spike_term_backward", z_held),
    "the spike's slope": ("dvae_spike_exp", posteriors.spike, "d_zeta_d_logit_q", lambda *a: 0.99 * D_ZETA(*a)),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_control_a_broken_gradient_is_seen(breakage, monkeypatch):
    name, *patch = BREAKAGES[breakage]
    case = Case(name, "2-layer-nonlin", 5)
    _, expected = case.autograd()
    assert disagreements(case.gradient(), expected) == {}
    monkeypatch.setattr(*patch)
    assert disagreements(case.gradient(), expected) != {}


@pytest.mark.parametrize("name", ["dvaepp_exp", "dvae_spike_exp"])
def test_control_the_importance_weighted_bound_is_another(name):
    """DVAE and DVAE++ average the log weights (Eq. 2); the log of the mean weight is another tenth above."""
    case = Case(name, "2-layer-nonlin", 5)
    value = case.value(case.params)[0] @ case.d_bound
    case.config = autoencoder.Config(
        case.config.structure, case.config.method._replace(importance_weighted=True), case.k
    )
    assert case.value(case.params)[0] @ case.d_bound > value + 0.1


# -- DVAE in several groups: the exact expectation -----------------------------------------------------------------

TINY = {"2 x 1": (2, 1, 12), "2 x 2": (2, 2, 12), "4 x 1": (4, 1, 12), "3 x 2": (3, 2, 5)}  # groups, width, nodes


class Expectation:
    """Eq. 2 of a tiny linear DVAE on one image, its expectation over zeta as a sum.

    Each zeta_i is 0, or one of the Gauss-Legendre nodes of the density e^(beta zeta) on (0, 1]: all combinations.
    Linear networks have no batch norm, so that rows do not depend on one another.
    """

    def __init__(self, groups, width, nodes):
        rng = np.random.default_rng([groups, width])
        self.beta, self.structure = 1.5, Structure(groups, width)
        self.config = autoencoder.Config(self.structure, methods.method("dvae_spike_exp", self.beta, groups))
        d = self.structure.latents
        params, self.statistics = autoencoder.init(rng, self.config, np.array([0.2, 0.7, 0.4]), np.float64)
        params = tree.map(lambda leaf: leaf + 0.7 * rng.standard_normal(leaf.shape), params)
        self.params = params._replace(rbm=RBM(rng.normal(-0.5, 1, d), 0.5 + rng.normal(0, 1, (d // 2, d - d // 2))))
        self.x = np.array([[1, 0.3, 0]])
        point, weight = np.polynomial.legendre.leggauss(nodes)
        point, weight = np.append(0, (point + 1) / 2), np.append(1, weight / 2)
        weight[1:] *= self.beta * np.exp(self.beta * point[1:]) / np.expm1(self.beta)
        index = np.stack(np.meshgrid(*[range(nodes + 1)] * d, indexing="ij"), -1).reshape(-1, d)
        self.zeta, self.z, self.weight = point[index], 1.0 * (index > 0), weight[index].prod(1)

    def q(self, params):
        """q(z_g = 1 | x, zeta_<g) of every row, (N, D)."""
        x, width = np.repeat(self.x - self.statistics.mean_x, len(self.z), 0), self.structure.width
        inputs = [np.concatenate([x, self.zeta[:, : g * width]], 1) for g in range(self.structure.groups)]
        outputs = [witness.network(group, i) for group, i in zip(params.encoder, inputs, strict=True)]
        return anp.concatenate([witness.sigmoid(out) for out in outputs], 1)

    def probability(self, params):
        """Of every row: (N,), summing to one."""
        return self.weight * anp.exp(self.log_q(params))

    def log_q(self, params):
        q = self.q(params)
        return anp.sum(anp.log(anp.where(self.z > 0, q, 1 - q)), 1)

    def value(self, leaves):
        """E[kappa (log p(z) - log q(z|x)) + log p(x|zeta)]: r(zeta|z) is in p and in q."""
        params = tree.unflatten(self.params, leaves)
        log_p = -witness.energy(*params.rbm, self.z) - witness.log_z(*params.rbm)
        log_px = witness.log_likelihood(params, self.statistics.mean_x, self.x, self.zeta)
        return anp.sum(self.probability(params) * (KAPPA * (log_p - self.log_q(params)) + log_px))

    def estimate(self):
        """(value, gradient) of dvae_ref averaged over the same zeta, as the rho from which they are drawn."""
        q, x = self.q(self.params), np.repeat(self.x, len(self.z), 0)
        above = np.expm1(self.beta * self.zeta) / np.expm1(self.beta)
        rho = np.where(self.z > 0, 1 - q * (1 - above), (1 - q) / 2)
        bound, cache = autoencoder.objective(
            self.params, self.statistics, x, Noise(None, rho), config=self.config, kappa=KAPPA
        )
        np.testing.assert_allclose(cache.encoder.sample.zeta, self.zeta, atol=1e-13)
        p, negative = self.probability(self.params), exact_moments(self.params.rbm)
        value = p @ bound - KAPPA * witness.log_z(*self.params.rbm)
        return value, autoencoder.objective_backward(p, cache, negative, config=self.config)


@functools.cache
def exact_and_estimate(size):
    case = Expectation(*TINY[size])
    return case, value_and_grad(case.value)(tree.leaves(case.params)), case.estimate()


def worst(gradient, expected):
    """The largest relative error of a leaf."""
    return max(witness.relative_error(a, b) for a, b in zip(tree.leaves(gradient), expected, strict=True))


@pytest.mark.parametrize("size", TINY)
def test_dvae_s_gradient_is_unbiased(size):
    """The mean of the estimate is the gradient of the exact expectation, which autograd takes of the sum over zeta.

    Integration by parts makes one of the other, so the difference is that of the quadrature, whose integrands are
    analytic in zeta with poles far off: twelve nodes leave rounding, five (six units, 6^6 combinations) about 1e-7.
    """
    tolerance = 1e-12 if TINY[size][2] == 12 else 1e-6
    case, (value, gradient), (mean, estimate) = exact_and_estimate(size)
    print(f"{size}: value {abs(mean / value - 1):.1e}, gradient {worst(estimate, gradient):.1e}")
    assert case.probability(case.params).sum() == pytest.approx(1, rel=tolerance)
    assert mean == pytest.approx(value, rel=tolerance)
    assert worst(estimate, gradient) < tolerance


def test_the_exact_gradient_is_that_of_central_differences():
    case, (_, gradient), _ = exact_and_estimate("2 x 2")
    rng = np.random.default_rng(3)
    along = [rng.standard_normal(leaf.shape) for leaf in tree.leaves(case.params)]
    difference = witness.derivative(
        lambda h: case.value([leaf + h * v for leaf, v in zip(tree.leaves(case.params), along, strict=True)])
    )
    slope = sum(np.sum(g * v) for g, v in zip(gradient, along, strict=True))
    assert difference.error < 1e-6 * abs(slope)
    assert abs(slope - difference.value) <= difference.error


@pytest.mark.parametrize("wrong", [without_the_factor, z_held])
@pytest.mark.parametrize("size", TINY)
def test_control_a_biased_gradient_is_seen(size, wrong, monkeypatch):
    case, (_, gradient), _ = exact_and_estimate(size)
    monkeypatch.setattr(joint, "spike_term_backward", wrong)
    assert worst(case.estimate()[1], gradient) > 1e-3


# -- float32 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", EVERY_BETA)
def test_all_eight_keep_float32(name, inverse):
    """Objective, gradient and moving averages; with either kind of noise.

    Against float64: sums of tens of terms, each good to a few times 6e-8, through a dozen stages; 3e-6 was measured.
    """
    case = Case(name, "2-layer-nonlin", 5)
    case.noise = Noise(None if inverse else np.float32(case.noise.u), np.float32(case.noise.rho))
    single = functools.partial(tree.map, np.float32)
    params, statistics, d_bound = single(case.params), single(case.statistics), np.float32(case.d_bound)
    x, config = np.float32(case.x), case.config
    bound, cache = autoencoder.objective(params, statistics, x, case.noise, config=config, kappa=KAPPA)
    gradient = autoencoder.objective_backward(d_bound, cache, single(exact_moments(case.params.rbm)), config=config)
    trees = [(bound,), gradient, autoencoder.update_statistics(statistics, cache), tuple(cache.encoder.sample)]
    assert {leaf.dtype for part in trees for leaf in tree.leaves(part)} == {np.dtype(np.float32)}
    expected = case.value(case.params)[0] + KAPPA * witness.log_z(*case.params.rbm)
    np.testing.assert_allclose(bound, expected, rtol=1e-4)
    whole, own = (np.concatenate([leaf.ravel() for leaf in tree.leaves(g)]) for g in (case.gradient(), gradient))
    assert witness.relative_error(own, whole) < 3e-5
