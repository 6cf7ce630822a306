"""rbms: BBRBM, whose visible units are the left side."""

import itertools

import torch
from checks import Check, Found
from rbms.bernoulli_bernoulli.classes import BBRBM
from rbms.bernoulli_bernoulli.implement import _compute_gradient, _sample_hiddens
from rbms.partition_function.exact import compute_partition_function

PACKAGES = ("rbms",)
CUT_ABOVE = "softplus(x) is cut: x above 10"


def machine(i):
    a, W = torch.as_tensor(i["a"]), torch.as_tensor(i["W"])
    return BBRBM(W, a[: len(W)], a[len(W) :])


def sides(i):
    z, n = torch.as_tensor(i["z"]), len(i["W"])
    return z[:, :n], z[:, n:]


def energy(i):
    return {"energy": machine(i).compute_energy(*sides(i))}


def free_energy(i):
    rbm, (left, _) = machine(i), sides(i)
    _, p_right = _sample_hiddens(left, rbm.weight_matrix, rbm.hbias)
    return {"free_energy": rbm.compute_energy_visibles(left), "p_right": p_right}


def log_z(i):
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(i["W"]))), dtype=torch.float64)
    return {"log_z": compute_partition_function(machine(i), states)}


def negative_phase(i):
    """The gradient with data of zeros, turned around; their mean is clamped to 1e-7."""
    left, right = sides(i)
    weights, nothing = torch.zeros(len(left), dtype=left.dtype), torch.zeros(1, dtype=left.dtype)
    rbm = machine(i)
    for value in (rbm.weight_matrix, rbm.vbias, rbm.hbias):
        value.grad = torch.zeros_like(value)
    arrays = (torch.zeros_like(left[:1]), torch.zeros_like(right[:1]), nothing + 1, left, right, weights)
    _compute_gradient(*arrays, rbm.vbias, rbm.hbias, rbm.weight_matrix, centered=False)
    return {"mean_zz": -rbm.weight_matrix.grad, "mean_z": -torch.cat([rbm.vbias.grad - 1e-7, rbm.hbias.grad])}


CUT = """\
import torch
from rbms.bernoulli_bernoulli.classes import BBRBM
zero = torch.zeros(1, 1, dtype=float)
rbm = BBRBM(zero, zero[0], zero[0] + 10)
print(-rbm.compute_energy_visibles(zero).item(), "log(1 + e^10) =", (zero + 10).exp().log1p().item())"""
CLAMPED = """\
import torch
from rbms.bernoulli_bernoulli.implement import _compute_gradient as gradient
zero, weight = torch.zeros(1, 1, dtype=float), torch.ones(1, dtype=float)
W, v, h = (torch.nn.Parameter(x) for x in (zero.clone(), zero[0].clone(), zero[0].clone()))
W.grad, v.grad, h.grad = zero.clone(), zero[0].clone(), zero[0].clone()
gradient(zero + 1, zero, weight, zero, zero, weight, v, h, W, centered=False)
print(v.grad.item())"""
CHECKS = (
    Check("energy", "`BBRBM.compute_energy`", energy),
    Check("free_energy", "`.compute_energy_visibles`, hidden units' means", free_energy, CUT_ABOVE),
    Check("negative_phase", "`_compute_gradient`, not centred, of chains", negative_phase),
    Check("log_z", "`compute_partition_function`, exact", log_z),
)
FOUND = (
    Found(
        "Free energies, and with them the exact log Z and AIS, take x for log(1 + e^x) from x = 10 on, where they jump "
        "by 4.5e-5 a unit. In float32, and beside energies of hundreds, that is rounding; in float64 it is not.",
        CUT,
        "10.0 log(1 + e^10) = 10.000045398899218\n",
    ),
    Found(
        "Means over the data and over the chains are clamped to [1e-7, 1 - 1e-7] before they are subtracted: the "
        "gradient of a visible bias is off by up to 2e-7, which is harmless.",
        CLAMPED,
        "0.9999998000000001\n",
    ),
)
