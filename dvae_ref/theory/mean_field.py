"""Mean field for the augmented machine p^(z) ~ exp(-E(z) + b·z + c), Sec. 3.1.1 and Eq. 6.

The factorial m(z) is held by its logits, so that both m = sigmoid(logit_m) and 1 - m = sigmoid(-logit_m) keep their
relative accuracy: b (1 - m) is tiny although b may be in the hundreds. Derived in docs/derivations/04-mean-field.md.
"""

import numpy as np

from dvae_ref.arrays import Array, in_floats
from dvae_ref.theory.boltzmann import RBM, split
from dvae_ref.theory.elementary import bernoulli_entropy, sigmoid


@in_floats
def mean_field(rbm: RBM, b: Array, sweeps: int = 5) -> Array:
    """logit(m) of the factorial m that minimises KL(m || p^): alternating sweeps from m = 1/2, right side first.

    m_right <- sigmoid(a_right + b_right + m_left W);  m_left <- sigmoid(a_left + b_left + W m_right).
    b: (N, D) -> (N, D). sweeps = 0 gives m = 1/2. Each side's update minimises the KL given the other.
    Raises ValueError for sweeps < 0, and for b and RBM of other numbers of units.

    >>> m = sigmoid(mean_field(RBM(np.zeros(2), np.array([[1.0]])), np.array([[300.0, 0.0]])))
    >>> m.round(4).tolist()
    [[1.0, 0.7311]]
    """
    if sweeps < 0:
        raise ValueError(f"the mean field takes sweeps >= 0; got {sweeps}")
    bias_left, bias_right = split(rbm.a + b, rbm)
    left, right = np.zeros_like(bias_left), np.zeros_like(bias_right)
    for _ in range(sweeps):
        right = bias_right + sigmoid(left) @ rbm.W
        left = bias_left + sigmoid(right) @ rbm.W.T
    return np.concatenate([left, right], -1)


@in_floats
def log_partition_bound(rbm: RBM, b: Array, logit_m: Array) -> Array:
    """H(m) - E^(m) - sum_i max(log r0, log r1) in nats, (N, D) -> (N,): below the exact log sum_z exp(-E^(z)),
    relative to the same factors, by KL(m || p^) (Eq. 6).

    = H(m) + a·m + m_left W m_right - sum_i (max(b, 0) (1 - m) + max(-b, 0) m), since b m + c - (c + max(b, 0)) is
    -b (1 - m) where b > 0 and b m elsewhere. ValueError for arrays of other units than the
    RBM's. Error 1e-11 of the terms in float64 (tests/theory/test_mean_field.py).
    """
    m = sigmoid(logit_m)
    left, right = split(m, rbm)
    off_mode = np.abs(b) * sigmoid(np.where(b > 0, -logit_m, logit_m))
    interaction = np.sum((left @ rbm.W) * right, -1)
    return interaction + np.sum(bernoulli_entropy(logit_m) + rbm.a * m - off_mode, -1)
