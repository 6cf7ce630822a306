"""The quantity of the optimiser: one step of Adam, from given moments.

Sec. 4 takes over the optimiser of DVAE++; that it is Adam, and its epsilon, are known from the authors' release. With g
the gradient of the loss, t the number of the step and everything element by element,

    m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,
    p <- p - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).

Implementations differ in where epsilon stands: on the uncorrected root, as here, in TensorFlow and Keras; on the
corrected one, sqrt(v / (1 - beta2^t)), in PyTorch and optax, where the same epsilon counts up to
1 / sqrt(1 - beta2) = 32 times less.
"""

from dvae_ref.conformance.quantity import Quantity
from dvae_ref.runs import optimizer


def draw_adam(rng, shape=(3, 5)):
    """p, g, m and v, (3, 5) each, in the middle of a run, where every part of the bias correction counts.

    At t = 5 to 39, 1 - beta1^t is 0.4 to 0.98 and sqrt(1 - beta2^t) 0.07 to 0.2. epsilon = 1e-3 is a thousandth of
    sqrt(v) + epsilon for some elements, some hundredths or tenths for others: what is done with it is told from a
    factor.
    """
    p, g, m = rng.normal(0.3, 1, (3, *shape))
    v = rng.uniform(0.01, 1, shape) ** 4
    options = {"learning_rate": 0.03, "beta1": 0.9, "beta2": 0.999, "adam_epsilon": 1e-3}
    return {"p": p, "g": 0.1 * g, "m": 0.1 * m, "v": v, "iteration": rng.integers(5, 40), **options}


def compute_adam(inputs, update=optimizer.update):
    """p - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon), and the moments m and v, (3, 5)
    each.

    m and v in the step are those after the update; t = iteration counts from 1. update: what takes the place of
    `runs.optimizer.update`.
    """
    options = {name: inputs[name].item() for name in ("iteration", "learning_rate", "beta1", "beta2")}
    p, g, m, v = (inputs[name] for name in "pgmv")
    new, state = update(p, g, optimizer.Adam(m, v), epsilon=inputs["adam_epsilon"].item(), **options)
    return {"p_after": new, "m_after": state.m, "v_after": state.v}


QUANTITIES = (
    Quantity(
        "adam",
        "Sec. 4",
        "one step of Adam down the gradient g as TensorFlow takes it, epsilon added to the uncorrected root: "
        "p - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon), t = iteration, counted from 1",
        draw_adam,
        compute_adam,
    ),
)
