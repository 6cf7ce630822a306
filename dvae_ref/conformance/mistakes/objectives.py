"""Mistakes in the objective of a whole model and in its gradient.

Right is the bound of Eq. 2 or 3 with -kappa log Z in it, whose gradient in a and W has the negative phase, -kappa E[z]
and -kappa E[z_left z_right'], beside the positive one, and in logit q, besides its own terms, what comes through zeta
by Eq. 9.

Most leave a model that trains, to a worse likelihood: an encoder with a weaker or a biased gradient, a decoder that has
to learn mean_x. Without log Z and its negative phase a and W grow without end, and so does the reported bound.
"""

from dataclasses import replace

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.mistakes.registry import mistake, replaced
from dvae_ref.conformance.mistakes.relaxations import through_mean_field
from dvae_ref.conformance.mistakes.smoothings import GuardedPower
from dvae_ref.conformance.quantities import cancelling
from dvae_ref.conformance.quantities.changes import with_posterior, with_prior
from dvae_ref.conformance.quantities.given import GivenMixture
from dvae_ref.model import autoencoder, layers
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.priors import OverlappingJoint, Relaxed, SpikeJoint
from dvae_ref.runs.optimizer import DECAYED
from dvae_ref.theory import joint
from dvae_ref.theory.boltzmann import RBM, couple
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.overlapping import log_p_backward

NONLINEAR = "objective_*nonlin_*"  # with hidden layers
EVERY, DISCRETE = "objective_*", "log_w_discrete"
RELAXED = tuple(f"objective_{name}_*" for name, baseline in BASELINES.items() if baseline.prior == "relaxed")


def with_log_z(case, factor):
    """factor times kappa log Z added to the bound, and to its gradient."""
    rbm, more = RBM(case.inputs["rbm.a"], case.inputs["rbm.W"]), factor * case.inputs["kappa"]
    z, zz = exact.moments(rbm)
    added = {"bound": more * exact.log_z(rbm), "d_rbm.a": more * z, "d_rbm.W": more * zz}
    return case.outputs | {name: case.outputs[name] + value for name, value in added.items()}


@mistake("-kappa log Z, the negative phase, is left out", EVERY)
def without_log_z(case):
    """kappa (log p(zeta) + log Z - log q(zeta|x)), and no moments in d_a and d_W."""
    return with_log_z(case, 1)


@mistake("the negative phase has the opposite sign", EVERY)
def added_negative_phase(case):
    """+kappa log Z."""
    return with_log_z(case, 2)


@mistake("log Z is not multiplied by kappa", EVERY)
def whole_log_z(case):
    """-log Z, where -kappa log Z is due: log Z left outside of the prior's term, which alone is warmed up."""
    return with_log_z(case, 1 - 1 / case.inputs["kappa"])


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", EVERY)
def tiled_samples(case):
    """Row k B + i for sample k of image i, where row i K + k is meant.

    repeat of PyTorch and tile of NumPy and TensorFlow tile, NumPy's repeat and PyTorch's repeat_interleave do not. At
    K = 1 both are the same; else each bound mixes samples of several images.
    """
    images, k = len(case.inputs["x"]), int(case.inputs["k"])
    found = case.again({"zeta": regrouped(case.inputs["zeta"], k, images)})
    return found | {name: regrouped(found[name], images, k) for name in ("q", "rho")}


def regrouped(rows, first, second):
    """Rows (first, second) in the order (second, first)."""
    return rows.reshape(first, second, -1).transpose(1, 0, 2).reshape(rows.shape)


@mistake("the gradient runs through the mean field, which Eq. 5 holds fixed", RELAXED)
def differentiated_mean_field(case):
    """d log p/d(a, W, zeta) with dm/d(a, b, W), where Eq. 5 holds m fixed: m was not detached."""

    class Through(Relaxed):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, _ = super().term_backward(d_term, cache, extra)
            whole = through_mean_field(self.mean_field_sweeps)(d_term, cache.log_p)
            more = tree.map(np.subtract, whole, log_p_backward(d_term, cache.log_p))
            d_t = d_sample.t + more[1] * self.posterior.smoothing.d_log_ratio(cache.sample.t)
            return tree.map(np.add, d_rbm, more[0]), d_sample._replace(t=d_t), ()

    return case.again(change=with_prior(Through))


@mistake("1e-7 is added to zeta in the power function", "objective_dvaepp_power_*", "objective_dvaes_power_*")
def guarded_power(case):
    """r(zeta|0) = (zeta + 1e-7)^(1/beta - 1) / beta."""

    def change(method):
        posterior = GivenMixture(GuardedPower(method.posterior.smoothing.beta))
        return method._replace(posterior=posterior, prior=replace(method.prior, posterior=posterior))

    return case.again(change=change)


@mistake("zeta does not move with q (Eq. 9 is left out)", EVERY)
def detached_zeta(case):
    """dzeta/dq = 0: a zeta that was sampled, as from a library without reparameterised gradients, and no error is
    raised.

    At K = 1 the encoder then hears nothing of the decoder. DVAE's and DVAE++'s still learns from the KL; to DVAE#'s the
    derivative of log q(zeta|x) at fixed zeta is left, whose mean is 0.
    """

    def derived(posterior):
        class Detached(posterior):
            def draw_backward(self, d, sample, noise, extra=()):
                stopped = {name: 0 * getattr(d, name) for name in ("t", "zeta") if name in d._fields}
                return super().draw_backward(d._replace(**stopped), sample, noise, extra)

        return Detached

    return case.again(change=with_posterior(derived))


@mistake("dzeta/dq for dzeta/dlogit(q): Eq. 9 without its q (1 - q)", EVERY)
def by_q(case):
    """The slope of zeta in logit q over q (1 - q)."""
    return case.again(change=cancelling.with_slope_times(cancelling.by_q))


@mistake("c = log r(zeta|0) is left out", RELAXED)
def without_c(case):
    """-E(m) + H(m) + b·m, without the sum of log r(zeta|0), which log q(zeta|x) still has."""

    class WithoutC(Relaxed):
        def term(self, rbm, sample, extra=()):
            value, cache = super().term(rbm, sample, extra)
            return value - self.posterior.smoothing.log_r0(sample.t).sum(-1), cache

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            d_c = d_term[:, None] * self.posterior.smoothing.d_log_r0(cache.sample.t)
            return d_rbm, d_sample._replace(t=d_sample.t - d_c), d_extra

    return case.again(change=with_prior(WithoutC))


@mistake("the decoder lacks logit(mean_x)", EVERY, DISCRETE)
def without_output_bias(case):
    """p(x|zeta) = sigmoid(decoder(zeta))."""
    bias = case.inputs["decoder.out.bias"] - autoencoder.output_bias(case.inputs["mean_x"])
    return case.again({"decoder.out.bias": bias})


@mistake("batch norm adds 1e-5 to the variance, not 0.01", EVERY, DISCRETE)
def other_batch_norm(case):
    """Keras's 1e-3 and others: layers.py."""
    with replaced(layers, BATCH_NORM_EPSILON=1e-5):
        return case.again()


@mistake("weight decay is included in the gradient", EVERY)
def with_weight_decay(case):
    """-1e-4 w, of kernels, scales and W: it is the optimiser's to add."""
    found = {}
    for name, value in case.inputs.items():
        if name.rpartition(".")[2] in DECAYED:
            found[f"d_{name}"] = case.outputs[f"d_{name}"] - 1e-4 * value
    return found


@mistake("q(z=1|x) for q(z=1|x, zeta) on the left", "objective_dvaepp_*")
def mu_for_nu(case):
    """H(q) + a·q + q_left W q_right: as with one group, as if the right side did not depend on zeta of the left."""

    class OneGroup(OverlappingJoint):
        def term(self, rbm, sample, extra=()):
            value, cache = joint.overlapping_term(rbm, sample.logit_q, 0 * sample.t, 1)
            return value, self.Cache(sample, cache)

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_logit_q, d_b = joint.overlapping_term_backward(d_term, cache.joint, 1)
            return d_rbm, type(cache.sample)(d_logit_q, d_b, d_b), ()

    return case.again(change=with_prior(OneGroup))


@mistake(
    "the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does", "objective_dvae_*"
)
def without_jumps(case):
    """Without (J z)_i (1 - z_i) q_i on the left, (J z)_i q_i (1 - q_i) on the right, of all groups but the last."""

    class Smooth(SpikeJoint):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            rbm, logit_q, z, _ = cache
            q, rest, (n, units) = sigmoid(logit_q), sigmoid(-logit_q), (len(rbm.W), z.shape[1])
            free = np.where(np.arange(units) < n, 1 - z, rest)
            jumps = np.arange(units) < units * (self.groups - 1) // self.groups
            pull = d_term[:, None] * couple(rbm, z) * q * free * jumps
            return d_rbm, d_sample._replace(logit_q=d_sample.logit_q - pull), d_extra

    return case.again(change=with_prior(Smooth))


@mistake("dzeta/dstd is taken at zeta in place of zeta - shift", "objective_dvaes_gi_*")
def without_shift(case):
    """dzeta/dstd is too large by shift / std."""

    def derived(posterior):
        class Unshifted(posterior):
            def draw_backward(self, d, sample, noise, extra):
                d_out, d_extra = super().draw_backward(d, sample, noise, extra)
                std, shift = np.abs(extra.s) / 5 + 0.05, (sigmoid(sample.raw) - 0.5) / 2
                d_std = np.sum((d.t + d.zeta) * shift / std, 0)
                return d_out, d_extra._replace(s=d_extra.s + d_std * np.sign(extra.s) / 5)

        return Unshifted

    return case.again(change=with_posterior(derived))
