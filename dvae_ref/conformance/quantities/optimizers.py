"""The quantity of the optimiser: one step of Adam."""

from dvae_ref.conformance.quantity import Quantity
from dvae_ref.runs import optimizer


def draw_adam(rng, shape=(3, 5)):
    """In the middle of a run, where every part of the bias correction counts."""
    p, g, m = rng.normal(0.3, 1, (3, *shape))
    v = rng.uniform(0.01, 1, shape) ** 4
    options = {"learning_rate": 0.03, "beta1": 0.9, "beta2": 0.999, "adam_epsilon": 1e-3}
    return {"p": p, "g": 0.1 * g, "m": 0.1 * m, "v": v, "iteration": rng.integers(5, 40), **options}


def compute_adam(inputs, update=optimizer.update):
    """p - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon), and the moments m and v."""
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
