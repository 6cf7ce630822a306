"""A training step of DVAE# (power functions) as plain data, so that no contender needs dvae_ref to read it."""

from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """What a step starts from and works on. Arrays are float32.

    params: (encoder, decoder, (a, W), ()), a network (hidden, (kernel, bias)), a hidden layer ((kernel, bias),
    (scale, offset)) of dense and batch norm; the encoder has a network a group. A kernel is (inputs, outputs), its
    first inputs are pixels, then the groups before. The answer to compare: the bound of each of batches[0] with the
    noise and moments given here, and its mean's gradient in the two-dimensional leaves, in the order of params.
    """

    params: tuple
    decayed: tuple  # of bool, a leaf of params: does weight decay act on it?
    mean_x: np.ndarray  # (V,): subtracted from images
    output_bias: np.ndarray  # (V,): added to the decoder's logits
    batches: np.ndarray  # (n, B, V): the images of a step, in turn
    u: np.ndarray  # (B K, D), uniform, rows of an image consecutive: z = [u < q]
    rho: np.ndarray  # (B K, D), uniform: zeta ~ r(zeta|z)
    moments: tuple  # (E[z], E[z_left z_right']) of the RBM
    k: int
    beta: float
    chains: int
    sweeps: int  # of block Gibbs; 0: the moments given here serve every step
    steps: int  # to a run
    mean_field_sweeps: int = 5
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    adam: tuple = (0.9, 0.999, 1e-3)  # beta1, beta2, epsilon
    batch_norm: tuple = (1e-2, 0.2)  # epsilon, momentum of the moving averages


def deviation(ours, theirs):
    """Largest relative difference of the arrays of two answers: |a - b| / |a|, Euclidean."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in pairs)
