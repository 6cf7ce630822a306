"""Pyro: RenyiELBO(alpha=0), the importance-weighted bound."""

import numpy as np
import pyro
import torch
from checks import Check

PACKAGES = ("pyro-ppl",)


def bound_of(log_w):
    """-loss of a model of one image whose log-weights (K,) are these, a particle after the other."""
    particle = iter(torch.as_tensor(log_w))

    def model():
        pyro.factor("log_w", next(particle))

    return -pyro.infer.RenyiELBO(alpha=0, num_particles=len(log_w)).loss(model, lambda: None)


def importance_weighted(i):
    log_w = i["kappa"] * (i["log_p"] - i["log_q"]) + i["log_px"]
    return {"bound": np.array([bound_of(row) for row in log_w])}


CHECKS = (Check("bound_importance_weighted", "`RenyiELBO(alpha=0)`, an image at a time", importance_weighted),)
FOUND = ()
