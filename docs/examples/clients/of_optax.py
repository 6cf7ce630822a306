"""optax and Keras: Adam."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import optax  # noqa: E402
from checks import Check  # noqa: E402

PACKAGES = ("optax", "keras", "jax")
CORRECTED = "epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it"


def of_optax(i):
    options = (float(i[name]) for name in ("learning_rate", "beta1", "beta2", "adam_epsilon"))
    p, g, m, v = (jnp.asarray(i[name]) for name in "pgmv")
    transformation = optax.adam(*options)
    adam, *rest = transformation.init(p)
    adam = adam._replace(count=jnp.asarray(int(i["iteration"]) - 1, jnp.int32), mu=m, nu=v)
    updates, (after, *_) = transformation.update(g, (adam, *rest), p)
    return {"p_after": optax.apply_updates(p, updates), "m_after": after.mu, "v_after": after.nu}


def of_keras(i):
    keras.config.set_floatx("float64")
    options = (float(i[name]) for name in ("learning_rate", "beta1", "beta2", "adam_epsilon"))
    optimizer, p = keras.optimizers.Adam(*options), keras.Variable(i["p"])
    optimizer.build([p])
    optimizer.iterations.assign(int(i["iteration"]) - 1)
    optimizer._momentums[0].assign(i["m"])
    optimizer._velocities[0].assign(i["v"])
    optimizer.apply([jnp.asarray(i["g"])])
    return {"p_after": p.value, "m_after": optimizer._momentums[0].value, "v_after": optimizer._velocities[0].value}


CHECKS = (
    Check("adam", "`optax.adam`", of_optax, CORRECTED),
    Check("adam", "`keras.optimizers.Adam`", of_keras),
)
FOUND = ()
