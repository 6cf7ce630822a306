"""A small PyTorch implementation to be checked: python conformance_torch.py KIT THEIRS

DVAE# with overlapping relaxations: the priors, the bounds, and the whole objective for four smoothings. It reads the
inputs of a kit (`python -m dvae_ref conformance export KIT`) and writes its outputs to THEIRS, for `conformance check
KIT THEIRS --only ...` to judge; gradients are those of loss.backward(). Nothing of dvae_ref is used.
"""

import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import softplus

KINDS = ("exp", "unexp", "power", "gauss")


# -- the model -----------------------------------------------------------------------------------------------------


def energy(a, W, z):
    left, right = z[..., : len(W)], z[..., len(W) :]
    return -(z @ a) - ((left @ W) * right).sum(-1)


def log_z(a, W):
    """The right side summed by hand: of a right unit there remains 1 + exp(its field)."""
    n = len(W)
    left = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=a.dtype)] * n)
    return torch.logsumexp(left @ a[:n] + softplus(a[n:] + left @ W).sum(-1), 0)


class Smoothing:
    """r(zeta|z) = r(1 - zeta|0) for z = 1: Eqs. 1 and 10 and Sec. 3.3."""

    def __init__(self, kind, inputs):
        self.kind, self.beta = kind, float(inputs["beta"])
        self.epsilon = float(inputs["epsilon"]) if kind == "unexp" else 0.0

    def density(self, zeta, z):
        distance = 1 - zeta if z else zeta
        if self.kind == "gauss":
            return math.sqrt(self.beta / (2 * math.pi)) * torch.exp(-self.beta * distance**2 / 2)
        if self.kind == "power":
            return distance ** (1 / self.beta - 1) / self.beta
        exponential = self.beta * torch.exp(-self.beta * distance) / (1 - math.exp(-self.beta))
        return (1 - self.epsilon) * exponential + self.epsilon

    def cdf(self, zeta, z):
        if z:
            return 1 - self.cdf(1 - zeta, 0)
        if self.kind == "gauss":
            return torch.special.ndtr(math.sqrt(self.beta) * zeta)
        if self.kind == "power":
            return zeta ** (1 / self.beta)
        exponential = (1 - torch.exp(-self.beta * zeta)) / (1 - math.exp(-self.beta))
        return (1 - self.epsilon) * exponential + self.epsilon * zeta

    def mixture(self, f, zeta, weights):
        """Weights 1 - q and q: near q = 1 the one is not to be had from the other."""
        return weights[0] * f(zeta, 0) + weights[1] * f(zeta, 1)

    def reparameterise(self, zeta, weights):
        """The drawn zeta, with the derivative of Eq. 9. It takes the smaller of q and 1 - q: the gradient of a sigmoid
        that rounds to 1 is lost."""
        rest, q = weights
        with torch.no_grad():
            slope = (self.cdf(zeta, 0) - self.cdf(zeta, 1)) / self.mixture(self.density, zeta, weights)
        rise = torch.where(q < 0.5, q, -rest)
        return zeta + slope * (rise - rise.detach())

    def log_q(self, zeta, weights):
        return torch.log(self.mixture(self.density, zeta, weights)).sum(-1)


@torch.no_grad()
def mean_field(a, W, b, sweeps):
    n = len(W)
    left, right = torch.full_like(b[:, :n], 0.5), torch.full_like(b[:, n:], 0.5)
    for _ in range(sweeps):
        right = torch.sigmoid(a[n:] + b[:, n:] + left @ W)
        left = torch.sigmoid(a[:n] + b[:, :n] + right @ W.T)
    return torch.cat([left, right], 1)


def log_p(a, W, zeta, smoothing, sweeps):
    """H(m) - E^(m); the gradient does not act on m (Eq. 5)."""
    c = torch.log(smoothing.density(zeta, 0))
    b = torch.log(smoothing.density(zeta, 1)) - c
    m = mean_field(a, W, b, sweeps)
    entropy = -(torch.xlogy(m, m) + torch.xlogy(1 - m, 1 - m)).sum(-1)
    return entropy - energy(a, W, m) + (b * m + c).sum(-1)


def gaussian_integral(a, W, zeta, lam):
    """Eq. 7."""
    n, k = W.shape
    J = torch.cat([torch.cat([W.new_zeros(n, n), W], 1), torch.cat([W.T, W.new_zeros(k, k)], 1)], 0)
    precision = J + lam * torch.eye(n + k, dtype=W.dtype)
    field = zeta @ precision
    log_det = torch.logdet(precision / (2 * math.pi))
    return log_det / 2 - (field * zeta).sum(-1) / 2 + softplus(field + a - lam / 2).sum(-1)


def importance_weighted(log_w):
    return torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])


def network(p, name, x):
    layer = 0
    while f"{name}.hidden.{layer}.dense.kernel" in p:
        x = x @ p[f"{name}.hidden.{layer}.dense.kernel"] + p[f"{name}.hidden.{layer}.dense.bias"]
        scale, offset = p[f"{name}.hidden.{layer}.norm.scale"], p[f"{name}.hidden.{layer}.norm.offset"]
        x = torch.tanh(torch.nn.functional.batch_norm(x, None, None, scale, offset, training=True, eps=0.01))
        layer += 1
    return x @ p[f"{name}.out.kernel"] + p[f"{name}.out.bias"]


def bound(p, i, smoothing):
    """The bound of each image, q, and CDF(zeta), Eq. 3."""
    k, width = int(i["k"]), p["encoder.0.out.bias"].shape[0]
    x = i["x"].repeat_interleave(k, 0)
    zeta, logit = x[:, :0], x[:, :0]
    for g, drawn in enumerate(i["zeta"].split(width, 1)):
        out = network(p, f"encoder.{g}", torch.cat([x - i["mean_x"], zeta], 1))
        moved = smoothing.reparameterise(drawn, (torch.sigmoid(-out), torch.sigmoid(out)))
        zeta, logit = torch.cat([zeta, moved], 1), torch.cat([logit, out], 1)
    q = torch.sigmoid(-logit), torch.sigmoid(logit)
    logits = network(p, "decoder", zeta) + torch.logit(i["mean_x"])
    log_px = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    prior = log_p(p["rbm.a"], p["rbm.W"], zeta, smoothing, int(i["sweeps"])) - log_z(p["rbm.a"], p["rbm.W"])
    log_w = i["kappa"] * (prior - smoothing.log_q(zeta, q)) + log_px
    return importance_weighted(log_w.reshape(-1, k)), q[1], smoothing.mixture(smoothing.cdf, zeta, q)


# -- the kit -------------------------------------------------------------------------------------------------------


def with_gradients(loss, outputs, leaves):
    """The outputs, and the gradient of the loss in the leaves, as d_name."""
    loss.backward()
    return outputs | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}


def leaves_of(i, *names):
    return {name: i[name].clone().requires_grad_() for name in names}


def answer_energy(i):
    v = leaves_of(i, "a", "W", "z")
    value = energy(v["a"], v["W"], v["z"])
    return with_gradients((i["cotangent"] * value).sum(), {"energy": value}, v)


def answer_log_p(f, i):
    v = leaves_of(i, "zeta", "a", "W")
    value = f(i, v["a"], v["W"], v["zeta"])
    return with_gradients((i["cotangent"] * value).sum(), {"log_p": value}, v)


def answer_log_q(kind, i):
    v = leaves_of(i, "q", "zeta")
    value = Smoothing(kind, i).log_q(v["zeta"], (1 - v["q"], v["q"]))
    return with_gradients((i["cotangent"] * value).sum(), {"log_q": value}, v)


def answer_bound(i):
    v = leaves_of(i, "log_p", "log_q", "log_px")
    value = importance_weighted(i["kappa"] * (v["log_p"] - v["log_q"]) + v["log_px"])
    return with_gradients(value.mean(), {"bound": value}, v)


def answer_objective(kind, i):
    v = leaves_of(i, *(name for name in i if "." in name))
    value, q, rho = bound(v, i, Smoothing(kind, i))
    return with_gradients(value.mean(), {"bound": value, "q": q, "rho": rho}, v)


def overlapping(kind, i, a, W, zeta):
    return log_p(a, W, zeta, Smoothing(kind, i), int(i["sweeps"]))


ANSWERS = {
    "energy": answer_energy,
    **{f"log_q_{kind}": partial(answer_log_q, kind) for kind in KINDS},
    **{f"log_p_overlapping_{kind}": partial(answer_log_p, partial(overlapping, kind)) for kind in KINDS},
    "log_p_gaussian_integral": partial(answer_log_p, lambda i, a, W, zeta: gaussian_integral(a, W, zeta, i["lam"])),
    "bound_importance_weighted": answer_bound,
    **{
        f"objective_dvaes_{kind}_{structure}_k{k}": partial(answer_objective, kind)
        for kind in KINDS
        for structure in ("1lin", "1nonlin", "2nonlin", "4nonlin")
        for k in (1, 3)
    },
}


def main(kit, theirs):
    Path(theirs).mkdir(parents=True, exist_ok=True)
    manifest = json.loads((Path(kit) / "manifest.json").read_text())
    for entry in manifest["quantities"]:
        if entry["name"] in ANSWERS:
            with np.load(Path(kit) / entry["file"]) as file:
                names = [array["name"] for array in entry["arrays"] if array["role"] == "input"]
                inputs = {name: torch.as_tensor(file[name]) for name in names}
            outputs = ANSWERS[entry["name"]](inputs)
            np.savez(Path(theirs) / entry["file"], **{name: x.detach().numpy() for name, x in outputs.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
