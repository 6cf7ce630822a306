"""TensorFlow Probability on JAX: implicit reparameterisation of MixtureSameFamily."""

import jax
import numpy as np
from checks import Check, Found

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
from tensorflow_probability.substrates import jax as tfp  # noqa: E402

PACKAGES = ("tfp-nightly", "jax")
tfd = tfp.distributions


def mixture(components, q):
    """By logits: weights of 0 have no gradient (FOUND). 1 - q of q = 1 is e^-80."""
    least = jnp.exp(-80.0) + (jax.lax.stop_gradient(q) - q)
    logit = jnp.log(q) - jnp.log(jnp.where(q == 1, least, 1 - q))
    weights = tfd.Categorical(logits=jnp.stack([jnp.zeros_like(q), logit], -1))
    return tfd.MixtureSameFamily(weights, components, reparameterize=True)


def gaussian(beta):
    """Of each element its beta."""
    return tfd.Normal(jnp.array([0.0, 1.0]), beta[..., None] ** -0.5)


def reparameterised(i):
    """dzeta/dq and dzeta/dbeta at given zeta, as `sample` has them."""
    zeta, q = jnp.asarray(i["zeta"]), jnp.asarray(i["q"])
    beta = jnp.full_like(q, i["beta"])

    def total(q, beta):
        return mixture(gaussian(beta), q)._reparameterize_sample(zeta, event_shape=()).sum()

    d_q, d_beta = jax.grad(total, (0, 1))(q, beta)
    return {"cdf": mixture(gaussian(beta), q).cdf(zeta), "d_zeta_d_q": d_q, "d_zeta_d_beta": d_beta}


def log_q(i):
    def total(q, zeta):
        log_q = mixture(gaussian(jnp.full_like(q, i["beta"])), q).log_prob(zeta).sum(-1)
        return (i["cotangent"] * log_q).sum(), log_q

    inputs = jnp.asarray(i["q"]), jnp.asarray(i["zeta"])
    (_, value), (d_q, d_zeta) = jax.value_and_grad(total, (0, 1), has_aux=True)(*inputs)
    return {"log_q": np.asarray(value), "d_q": d_q, "d_zeta": d_zeta}


CHECKS = (
    Check("smoothing_gauss", "`MixtureSameFamily(reparameterize=True)`: CDF, Eq. 9", reparameterised),
    Check("log_q_gauss", "`MixtureSameFamily.log_prob` and gradients", log_q),
)
NAN = """\
import jax
from tensorflow_probability.substrates.jax import distributions as tfd
def log_q(q): return tfd.MixtureSameFamily(tfd.Categorical(probs=[1 - q, q]), tfd.Normal([0.0, 1.0], 0.3)).log_prob(0.5)
print(jax.grad(log_q)(1.0))"""
FOUND = (
    Found(
        "With weights as probabilities the gradient of a mixture's `log_prob`, and of its reparameterised samples, is "
        "NaN at q = 1, which sigmoid(40) is, and in float32 sigmoid(17). By logits it is finite.",
        NAN,
        "nan\n",
    ),
)
