"""The objective from what anybody's networks put out: logits of q, zeta and the decoder's logits; no layers.

For whoever has other layers than the paper's: everything but the networks is in it (Eq. 2 or 3, the prior's term,
kappa, log Z, the likelihood), and the gradients are those that go back into the networks. With
term = log p(zeta) + log Z - log q(zeta|x), or minus the KL + log Z, nats, a row has

    log w = kappa (term - log Z) + log p(x|zeta).

log Z is an input, off by 0.01 nats or so like the estimates of a training: who enumerates the exact one instead is
told. No negative phase is in d_a and d_W.
"""

import functools

import numpy as np

from dvae_ref import exact
from dvae_ref.conformance.quantities import objectives, trouble
from dvae_ref.conformance.quantities.machines import ROWS, machine
from dvae_ref.conformance.quantities.objectives import PIXELS
from dvae_ref.conformance.quantities.parts import GROUPS, draw_kl
from dvae_ref.conformance.quantities.relaxations import SWEEPS
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model import layers, methods
from dvae_ref.model.baselines import BASELINES
from dvae_ref.theory import bounds

K = 3
CHOSEN = ("dvaes_power", "dvaepp_power", "dvae_spike_exp")  # one of each family


def draw(rng, baseline):
    """What networks put out, logit q and zeta (rows, D), the decoder's logits (rows, pixels); images, log Z."""
    record = BASELINES[baseline]
    found = draw_kl(rng, "spike" if record.prior == "spike_joint" else record.law.name)
    del found["cotangent"]
    logits = rng.normal(0.2, 2, (ROWS, PIXELS))
    log_z = exact.log_z(machine(found)) + rng.normal(0, 0.01)  # an estimate
    x = objectives.draw_images(rng, ROWS // K)
    logits[-K:, [0, -1]] += trouble.OUTPUT * np.array([1, -1])  # of all samples of an image, which has the other pixels
    x[-1, [0, -1]] = 0, 1
    found |= {"x": x, "logits": logits, "log_z": log_z, "kappa": rng.uniform(0.3, 0.8), "k": K}
    return found | ({"sweeps": SWEEPS} if record.prior == "relaxed" else {})


def method_of(inputs, baseline):
    """The sharpness of the spike is in no term of DVAE's."""
    beta = float(inputs.get("beta", BASELINES[baseline].law.tried_in_models))
    return methods.method(baseline, beta, GROUPS, mean_field_sweeps=int(inputs.get("sweeps", SWEEPS)))


def sample_of(inputs, method):
    """The posterior's Sample of logit q and zeta."""
    logit_q, zeta = inputs["logit_q"], inputs["zeta"]
    if "beta" not in inputs:
        return method.posterior.Sample(logit_q, zeta)
    return method.posterior.Sample(logit_q, method.posterior.smoothing.t(zeta), zeta)


def compute(inputs, baseline):
    """The bound (images,) of Eq. 2 or 3 with log w = kappa (term - log Z) + log p(x|zeta), and its gradients.

    Of the mean bound, in logit q and zeta (rows, D), in the decoder's logits (rows, pixels), in a and W. Row i K + k is
    sample k of image i: reshaped the other way round, (K, images), the bound mixes images. DVAE has no d_zeta: its term
    knows zeta by z = [zeta > 0] alone.
    """
    method, kappa = method_of(inputs, baseline), float(inputs["kappa"])
    sample = sample_of(inputs, method)
    term, cache = method.prior.term(machine(inputs), sample, ())
    log_px, of_px = layers.bernoulli(inputs["x"], inputs["logits"])
    log_w = bounds.log_weights(term - inputs["log_z"], log_px, kappa=kappa).reshape(-1, int(inputs["k"]))
    value, weights = (bounds.importance_weighted if method.importance_weighted else bounds.variational)(log_w)
    d_log_w = bounds.backward(np.full_like(value, 1 / len(value)), weights).reshape(-1)
    d_term, d_log_px = bounds.log_weights_backward(d_log_w, kappa=kappa)
    d_rbm, d_sample, _ = method.prior.term_backward(d_term, cache, ())
    d_zeta = {} if "beta" not in inputs else {"d_zeta": d_sample.t / method.posterior.smoothing.d_zeta(sample.t)}
    of_machine = {"d_a": d_rbm.a, "d_W": d_rbm.W}
    d_logits = layers.bernoulli_backward(d_log_px, of_px)
    return {"bound": value, "d_logit_q": d_sample.logit_q, **d_zeta, "d_logits": d_logits, **of_machine}


def terms(inputs):
    """Biases, couplings, log Z and logits, which are added."""
    size = np.abs(inputs["a"]).sum() + np.abs(inputs["W"]).sum() + np.abs(inputs["log_z"])
    return {"bound": size + np.abs(inputs["logits"]).sum(-1).max()}


def subtracted(inputs):
    """The slope that log p(zeta) and log q(zeta|x) share near a vertex: at most kappa / B / distance.

    At a distance of 2^-21 the rounding of both, 2^-53 and 2^-24 of it, is 2e-10 in float64 and 0.1 in float32.
    """
    if "sweeps" not in inputs:
        return {}
    distance = np.minimum(inputs["zeta"], 1 - inputs["zeta"])
    return {"d_zeta": float(inputs["kappa"]) / len(inputs["x"]) / distance}


def of(baseline):
    """The Quantity of one baseline."""
    record = BASELINES[baseline]
    method = methods.method(baseline, record.law.tried_in_models, GROUPS)
    equation, bound = objectives.BOUNDS[method.importance_weighted]
    term = objectives.TERMS[record.prior][True].replace("d_rbm", "d_a, d_W")
    return Quantity(
        f"own_networks_{baseline}",
        equation,
        f"{record.family}, {record.law.adjective}, two groups, K = {K}, whatever the networks are: the {bound}, "
        "log w = kappa (log p(zeta) - log q(zeta|x)) + log p(x|zeta) or with minus the KL, of each image. "
        f"{term}. log Z is the input log_z: no negative phase is in d_a and d_W. "
        "logit q, zeta and the decoder's logits are taken as independent: hand the gradients to your "
        "networks, with dzeta/dq as in the smoothings. Row n = i K + k is sample k of image i",
        functools.partial(draw, baseline=baseline),
        functools.partial(compute, baseline=baseline),
        "the mean of bound over the images",
        terms,
        subtracted,
    )


QUANTITIES = tuple(of(baseline) for baseline in CHOSEN)
