"""dwave-pytorch-plugin: GraphRestrictedBoltzmannMachine, E(s) = h·s + s·J·s with s = -1, 1."""

import numpy as np
import torch
from checks import Check, Found, enumerated, spins
from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine

PACKAGES = ("dwave-pytorch-plugin",)


def machine(a, W, hidden=None):
    """The machine, in the dtype of a, and what its energies lack."""
    h, J, offset = spins(a, W)
    n, d = len(W), len(a)
    edges = [(i, n + j) for i in range(n) for j in range(d - n)]
    grbm = GraphRestrictedBoltzmannMachine(range(d), edges, hidden)
    grbm.to(torch.as_tensor(a).dtype)
    grbm.set_linear(dict(enumerate(h.tolist())))
    grbm.set_quadratic({(i, n + j): float(J[i, j]) for i, j in np.ndindex(J.shape)})
    return grbm, offset


def energy_of(a, W):
    grbm, offset = machine(a, W)
    return lambda z: grbm(torch.as_tensor((2 * z - 1).astype(a.dtype))).detach().numpy() + offset


def ising(i):
    return {"energy": energy_of(i["a"], i["W"])(i["z"])}


def log_z(i):
    return enumerated(energy_of(i["a"], i["W"]), len(i["a"]), len(i["W"]))


def p_right(i):
    n, d = len(i["W"]), len(i["a"])
    grbm, _ = machine(i["a"], i["W"], range(n, d))
    s = grbm._compute_expectation_disconnected(torch.as_tensor(2 * i["z"][:, :n] - 1))
    return {"p_right": (1 + s[:, n:].detach().numpy()) / 2}


CHECKS = (
    Check("ising", "`GraphRestrictedBoltzmannMachine(spins)`, in float64", ising),
    Check("log_z", "its energies of all 4,096 states", log_z),
    Check("free_energy", "hidden units' means, in float32 (`exact-disc`)", p_right, dtype="float32"),
)
ENTROPY = """\
import torch
from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine as Machine
from dwave.plugins.torch.models.losses import pseudo_kl_divergence_loss as pseudo_kl
for n in (8, 16, 32):
    machine = Machine(range(n), [(0, 1)], linear=dict.fromkeys(range(n), 0.0), quadratic={(0, 1): 0.0})
    spins = torch.ones(4, n)
    print(n, round(pseudo_kl(spins, torch.zeros(4, n), spins, machine).item(), 4))"""
UNDECLARED = """\
from importlib.metadata import requires
print([name for name in requires("dwave-pytorch-plugin") if "einops" in name])"""
FOUND = (
    Found(
        "The entropy in `pseudo_kl_divergence_loss` is a mean over units (binary cross-entropy's default reduction), "
        "where the cross-entropy beside it is a sum over units. With logits and energies of zero the loss is -log 2 = "
        "-0.693 for any number n of units; -n log 2 is due. So the gradient of the entropy is n times too small.",
        ENTROPY,
        "8 -0.6931\n16 -0.6931\n32 -0.6931\n",
    ),
    Found(
        "It imports einops, which it does not ask for: installed alone it cannot be imported.",
        UNDECLARED,
        "[]\n",
    ),
)
