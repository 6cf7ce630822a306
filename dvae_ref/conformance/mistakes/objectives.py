"""Mistakes in the objective of a whole model and in its gradient."""

import math
from dataclasses import replace

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.mistakes.bounds import gradients
from dvae_ref.conformance.mistakes.machines import untransposed
from dvae_ref.conformance.mistakes.registry import mistake, negated, replaced, scaled
from dvae_ref.conformance.mistakes.relaxations import through_mean_field
from dvae_ref.conformance.mistakes.smoothings import GuardedPower
from dvae_ref.conformance.quantities import cancelling
from dvae_ref.conformance.quantities.given import GivenMixture
from dvae_ref.model import autoencoder, layers
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.priors import OverlappingJoint, Relaxed, SpikeJoint
from dvae_ref.runs.optimizer import DECAYED
from dvae_ref.theory import joint
from dvae_ref.theory.boltzmann import RBM, couple, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.overlapping import log_p_backward

EVERY, WEIGHTED, VARIATIONAL = "objective_*", "objective_dvaes_*", ("objective_dvae_*", "objective_dvaepp_*")
DISCRETE = "log_w_discrete"
RELAXED = tuple(f"objective_{name}_*" for name, baseline in BASELINES.items() if baseline.prior == "relaxed")


@mistake("E(z) has the opposite sign", EVERY, DISCRETE)
def opposite_energy(case):
    found = case.again({name: -case.inputs[name] for name in ("rbm.a", "rbm.W")})
    return negated(found, "d_rbm.a", "d_rbm.W")


@mistake("the couplings count twice: z·J·z without its 1/2", EVERY, DISCRETE)
def coupled_twice(case):
    found = case.again({"rbm.W": 2 * case.inputs["rbm.W"]})
    return found | scaled(found, 2, "d_rbm.W")


@mistake("the couplings count half", EVERY, DISCRETE)
def coupled_half(case):
    found = case.again({"rbm.W": case.inputs["rbm.W"] / 2})
    return found | scaled(found, 0.5, "d_rbm.W")


@mistake("left and right are swapped: W is used as (right, left)", EVERY, DISCRETE)
def swapped_sides(case):
    return untransposed(case.again({"rbm.W": case.inputs["rbm.W"].T}))


def with_log_z(case, factor):
    """factor times kappa log Z added to the bound, and to its gradient."""
    rbm, more = RBM(case.inputs["rbm.a"], case.inputs["rbm.W"]), factor * case.inputs["kappa"]
    z, zz = exact.moments(rbm)
    added = {"bound": more * exact.log_z(rbm), "d_rbm.a": more * z, "d_rbm.W": more * zz}
    return case.outputs | {name: case.outputs[name] + value for name, value in added.items()}


@mistake("-kappa log Z, the negative phase, is left out", EVERY)
def without_log_z(case):
    return with_log_z(case, 1)


@mistake("the negative phase has the opposite sign", EVERY)
def added_negative_phase(case):
    return with_log_z(case, 2)


@mistake("log Z is not multiplied by kappa", EVERY)
def whole_log_z(case):
    return with_log_z(case, 1 - 1 / case.inputs["kappa"])


@mistake("log-sum-exp without -log K", WEIGHTED)
def without_log_k(case):
    return case.outputs | {"bound": case.outputs["bound"] + math.log(case.inputs["k"])}


@mistake("the mean of the log-weights in place of the log of their mean", WEIGHTED)
def mean_of_logs(case):
    return case.again(change=lambda method: method._replace(importance_weighted=False))


@mistake("the log of the mean weight in place of the mean of the logs", *VARIATIONAL)
def log_of_mean(case):
    return case.again(change=lambda method: method._replace(importance_weighted=True))


@mistake("the sum over the samples in place of the mean", *VARIATIONAL)
def sum_over_samples(case):
    return case.outputs | scaled(case.outputs, case.inputs["k"], "bound", *gradients(case.outputs))


@mistake("the gradient of the sum over the images in place of the mean", EVERY)
def sum_over_images(case):
    return case.outputs | scaled(gradients(case.outputs), len(case.inputs["x"]))


@mistake("kappa is left out", EVERY)
def without_kappa(case):
    return case.again({"kappa": np.ones_like(case.inputs["kappa"])})


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", EVERY)
def tiled_samples(case):
    images, k = len(case.inputs["x"]), int(case.inputs["k"])
    found = case.again({"zeta": regrouped(case.inputs["zeta"], k, images)})
    return found | {name: regrouped(found[name], images, k) for name in ("q", "rho")}


def regrouped(rows, first, second):
    """Rows (first, second) in the order (second, first)."""
    return rows.reshape(first, second, -1).transpose(1, 0, 2).reshape(rows.shape)


@mistake("the gradient runs through the mean field, which Eq. 5 holds fixed", *RELAXED)
def differentiated_mean_field(case):
    class Through(Relaxed):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, _ = super().term_backward(d_term, cache, extra)
            whole = through_mean_field(self.mean_field_sweeps)(d_term, cache.log_p)
            more = tree.map(np.subtract, whole, log_p_backward(d_term, cache.log_p))
            d_t = d_sample.t + more[1] * self.posterior.smoothing.d_log_ratio(cache.sample.t)
            return tree.map(np.add, d_rbm, more[0]), d_sample._replace(t=d_t), ()

    return case.again(change=lambda method: method._replace(prior=with_fields(Through, method.prior)))


def with_fields(kind, part):
    """A part of the method as another class."""
    return kind(**vars(part))


@mistake("1e-7 is added to zeta in the power function", "objective_dvaepp_power_*", "objective_dvaes_power_*")
def guarded_power(case):
    def change(method):
        posterior = GivenMixture(GuardedPower(method.posterior.smoothing.beta))
        return method._replace(posterior=posterior, prior=replace(method.prior, posterior=posterior))

    return case.again(change=change)


@mistake("zeta does not move with q (Eq. 9 is left out)", EVERY)
def detached_zeta(case):
    def change(method):
        class Detached(type(method.posterior)):
            def draw_backward(self, d, sample, noise, extra=()):
                stopped = {name: 0 * getattr(d, name) for name in ("t", "zeta") if name in d._fields}
                return super().draw_backward(d._replace(**stopped), sample, noise, extra)

        return method._replace(posterior=with_fields(Detached, method.posterior))

    return case.again(change=change)


@mistake("dzeta/dq for dzeta/dlogit(q): Eq. 9 without its q (1 - q)", EVERY)
def by_q(case):
    return case.again(change=cancelling.with_slope_times(cancelling.by_q))


@mistake("c = log r(zeta|0) is left out", *RELAXED)
def without_c(case):
    class WithoutC(Relaxed):
        def term(self, rbm, sample, extra=()):
            value, cache = super().term(rbm, sample, extra)
            return value - self.posterior.smoothing.log_r0(sample.t).sum(-1), cache

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            d_c = d_term[:, None] * self.posterior.smoothing.d_log_r0(cache.sample.t)
            return d_rbm, d_sample._replace(t=d_sample.t - d_c), d_extra

    return case.again(change=lambda method: method._replace(prior=with_fields(WithoutC, method.prior)))


@mistake("the decoder lacks logit(mean_x)", EVERY, DISCRETE)
def without_output_bias(case):
    return case.again(
        {"decoder.out.bias": case.inputs["decoder.out.bias"] - autoencoder.output_bias(case.inputs["mean_x"])}
    )


@mistake("batch norm adds 1e-5 to the variance, not 0.01", EVERY, DISCRETE)
def other_batch_norm(case):
    # a constant of the module, which nothing hands down
    with replaced(layers, BATCH_NORM_EPSILON=1e-5):
        return case.again()


@mistake("weight decay is included in the gradient", EVERY)
def with_weight_decay(case):
    decayed = {name for name in case.inputs if name.rsplit(".", 1)[-1] in DECAYED}
    return case.outputs | {f"d_{name}": case.outputs[f"d_{name}"] - 1e-4 * case.inputs[name] for name in decayed}


@mistake("q(z=1|x) for q(z=1|x, zeta) on the left", "objective_dvaepp_*")
def mu_for_nu(case):
    class OneGroup(OverlappingJoint):
        def term(self, rbm, sample, extra=()):
            value, cache = joint.overlapping_term(rbm, sample.logit_q, 0 * sample.t, 1)
            return value, self.Cache(sample, cache)

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_logit_q, d_b = joint.overlapping_term_backward(d_term, cache.joint, 1)
            return d_rbm, type(cache.sample)(d_logit_q, d_b, d_b), ()

    return case.again(change=lambda method: method._replace(prior=with_fields(OneGroup, method.prior)))


@mistake(
    "the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does", "objective_dvae_*"
)
def without_jumps(case):
    class Smooth(SpikeJoint):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            rbm, logit_q, z, _ = cache
            pull = d_term[:, None] * couple(rbm, z) * sigmoid(logit_q)
            left, right = split(pull, rbm)
            pull = np.concatenate([left * (1 - split(z, rbm)[0]), right * split(sigmoid(-logit_q), rbm)[1]], -1)
            d_sample.logit_q[:] -= pull * (np.arange(z.shape[1]) < z.shape[1] * (self.groups - 1) // self.groups)
            return d_rbm, d_sample, d_extra

    return case.again(change=lambda method: method._replace(prior=with_fields(Smooth, method.prior)))


@mistake("dzeta/dstd is taken at zeta in place of zeta - shift", "objective_dvaes_gi_*")
def without_shift(case):
    def change(method):
        class Unshifted(type(method.posterior)):
            def draw_backward(self, d, sample, noise, extra):
                d_out, d_extra = super().draw_backward(d, sample, noise, extra)
                std, shift = np.abs(extra.s) / 5 + 0.05, (sigmoid(sample.raw) - 0.5) / 2
                return d_out, type(d_extra)(d_extra.s + np.sum((d.t + d.zeta) * shift / std, 0) * np.sign(extra.s) / 5)

        return method._replace(posterior=with_fields(Unshifted, method.posterior))

    return case.again(change=change)
