"""PyTorch: Adam, and mixtures of torch.distributions with gradients by backward()."""

import torch
from checks import Check, Found
from torch.distributions import Beta, Normal
from torch.nn.functional import softplus

PACKAGES = ("torch",)
CORRECTED = "epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it"


def adam(i):
    p = torch.nn.Parameter(torch.as_tensor(i["p"]).clone())
    p.grad = torch.as_tensor(i["g"]).clone()
    betas = float(i["beta1"]), float(i["beta2"])
    optimizer = torch.optim.Adam([p], float(i["learning_rate"]), betas, float(i["adam_epsilon"]))
    step, m, v = torch.tensor(float(i["iteration"] - 1)), torch.as_tensor(i["m"]), torch.as_tensor(i["v"])
    optimizer.state[p] = {"step": step, "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    optimizer.step()
    state = optimizer.state[p]
    return {"p_after": p, "m_after": state["exp_avg"], "v_after": state["exp_avg_sq"]}


def mixture(densities):
    """log((1 - q) r0 + q r1), densities(beta, zeta) -> log r0, log r1."""

    def answer(i):
        q, zeta = (torch.as_tensor(i[name]).clone().requires_grad_() for name in ("q", "zeta"))
        log_r0, log_r1 = densities(torch.as_tensor(i["beta"]), zeta)
        log_q = torch.log((1 - q) * log_r0.exp() + q * log_r1.exp()).sum(-1)
        (torch.as_tensor(i["cotangent"]) * log_q).sum().backward()
        return {"log_q": log_q, "d_q": q.grad, "d_zeta": zeta.grad}

    return answer


def gaussian(beta, zeta):
    return tuple(Normal(z, beta**-0.5).log_prob(zeta) for z in (0.0, 1.0))


def power(beta, zeta):
    one = torch.ones_like(beta)
    return Beta(1 / beta, one).log_prob(zeta), Beta(one, 1 / beta).log_prob(zeta)


def free_energy(i):
    a, W, n = torch.as_tensor(i["a"]), torch.as_tensor(i["W"]), len(i["W"])
    left = torch.as_tensor(i["z"])[:, :n]
    field = a[n:] + left @ W
    return {"free_energy": -left @ a[:n] - softplus(field).sum(-1), "p_right": torch.sigmoid(field)}


SIGMOID = """\
import torch
x = torch.tensor([8.0, 12.0, 17.0], requires_grad=True)
torch.sigmoid(x).sum().backward()
print([round(error, 3) for error in (x.grad / (torch.sigmoid(x) * torch.sigmoid(-x)) - 1).tolist()])"""
CUT = """\
import torch
x = torch.tensor(20.5, dtype=torch.float64)
print(torch.nn.functional.softplus(x).item() - 20.5, "log(1 + e^20.5) - 20.5 =", torch.log1p(torch.exp(-x)).item())"""
CHECKS = (
    Check(
        "free_energy",
        "`torch.nn.functional.softplus`, `torch.sigmoid`",
        free_energy,
        "softplus(x) is cut: x above 20, as in PyTorch",
    ),
    Check("adam", "`torch.optim.Adam`", adam, CORRECTED),
    Check("log_q_gauss", "`Normal.log_prob`, mixed", mixture(gaussian)),
    Check("log_q_power", "`Beta.log_prob`, mixed", mixture(power)),
)
FOUND = (
    Found(
        "`softplus(x)` is x from x = 20 on (its `threshold`): 2e-9 is missing, for which float64 has room.",
        CUT,
        "0.0 log(1 + e^20.5) - 20.5 = 1.2501528656053015e-09\n",
    ),
    Found(
        "The gradient of `sigmoid(x)` is s (1 - s), in float32 off by 1% at x = 12 and 0 at 17, where e^-17 is due. "
        "Where it meets a slope of 10^6, as Eq. 9 of the power function near a vertex has, that is a wrong gradient; "
        "taken through sigmoid(-x), which is 1 - q, it is right.",
        SIGMOID,
        "[-0.0, 0.009, -1.0]\n",
    ),
)
