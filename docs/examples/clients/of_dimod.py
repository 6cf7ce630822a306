"""dimod: a binary quadratic model in 0 and 1, and in spins."""

import dimod
import numpy as np
from checks import Check, enumerated

PACKAGES = ("dimod",)


def model(a, W):
    n = len(W)
    couplings = {(i, n + j): -W[i, j] for i in range(n) for j in range(W.shape[1])}
    return dimod.BinaryQuadraticModel(dict(enumerate(-a)), couplings, 0.0, "BINARY")


def energies(bqm, z):
    return bqm.energies((z.astype(np.int8), range(z.shape[1])))


def ising(i):
    bqm, n = model(i["a"], i["W"]), len(i["W"])
    h, _, offset = bqm.to_ising()
    J = np.array([[bqm.spin.get_quadratic(k, n + j) for j in range(i["W"].shape[1])] for k in range(n)])
    return {"h": [h[k] for k in range(len(h))], "J": J, "offset": offset, "energy": energies(bqm, np.round(i["z"]))}


def log_z(i):
    bqm, d, n = model(i["a"], i["W"]), len(i["a"]), len(i["W"])
    return enumerated(lambda z: energies(bqm, z), d, n)


CHECKS = (
    Check("ising", "`BinaryQuadraticModel.to_ising` and `.energies`", ising),
    Check("log_z", "`.energies` of all 4,096 states", log_z),
)
FOUND = ()
