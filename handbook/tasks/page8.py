"""Back-propagation, and Adam."""

import numpy as np


def adam(p, g, m, v, iteration, learning_rate, beta1, beta2, adam_epsilon):
    """One step of Adam as TensorFlow takes it: epsilon is added to the uncorrected root."""
    # your turn
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    size = learning_rate * np.sqrt(1 - beta2**iteration) / (1 - beta1**iteration)
    return {"p_after": p - size * m / (np.sqrt(v) + adam_epsilon), "m_after": m, "v_after": v}
