"""Deviations planted in the source of the PyTorch example, those of planted.py where it has the quantity, and more."""

from planted import MORE_SWEEPS, NO_C, OPPOSITE, SPINS, Planted

from dvae_ref.conformance.pairs import JOINED

ENERGY = "return -(z @ a) - ((left @ W) * right).sum(-1)"
SPIN_ENERGY = f"z = 2 * z - 1\n    left, right = z[..., : len(W)], z[..., len(W) :]\n    {ENERGY}"
RIGHT, LEFT = "torch.sigmoid(a[n:] + b[:, n:] + left @ W)", "torch.sigmoid(a[:n] + b[:, :n] + right @ W.T)"
SWEEP = f"right = {RIGHT}\n        left = {LEFT}"
START = "torch.full_like(b[:, :n], 0.5), torch.full_like(b[:, n:], 0.5)"
ENTROPY = "entropy = -(torch.xlogy"
VALUE = "return entropy - energy(a, W, m) + (b * m + c).sum(-1)"
BOUND = "return torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])"
MIXED = 'i["kappa"] * (v["log_p"] - v["log_q"]) + v["log_px"]'
WEIGHTED = 'i["kappa"] * (prior - smoothing.log_q(zeta, q)) + log_px'
PRIOR = 'prior = log_p(p["rbm.a"], p["rbm.W"], zeta, smoothing, int(i["sweeps"]))'
LOG_Z = ' - log_z(p["rbm.a"], p["rbm.W"])'
LOG_Q = "return torch.log(self.mixture(self.density, zeta, weights)).sum(-1)"
DET = "return log_det / 2"
CLIPPED = "weights = 1 - weights[1].clamp(max=0.999), weights[1].clamp(max=0.999)"
SIDES_FIRST = f"left = {LEFT}\n        right = {RIGHT}"
EXP, POWER, GAUSS, UNEXP = (f"log_p_overlapping_{kind}" for kind in ("exp", "power", "gauss", "unexp"))
IW, GAUSSIAN = "bound_importance_weighted", "log_p_gaussian_integral"


def one(name, quantity, *edits, single=True):
    return Planted(name, quantity, tuple(edits), single)


def energy(name, text):
    return one(name, "energy", (ENERGY, text))


def bound(name, quantity, text):
    return one(name, quantity, (BOUND, f"return {text}"))


PLANTED = (
    energy("the couplings count half", ENERGY.replace("- (", "- 0.5 * (")),
    energy("the couplings count twice: z·J·z without its 1/2", ENERGY.replace("- (", "- 2 * (")),
    energy("left and right are swapped: W is used as (right, left)", ENERGY.replace("@ W", "@ W.T")),
    energy(SPINS, SPIN_ENERGY),
    energy(OPPOSITE, "return z @ a + ((left @ W) * right).sum(-1)"),
    energy("the biases have the opposite sign", ENERGY.replace("-(z @ a)", "z @ a")),
    energy("the couplings have the opposite sign", ENERGY.replace("- (", "+ (")),
    one("both sides are updated at once, from the old m", EXP, (SWEEP, f"right, left = {RIGHT}, {LEFT}")),
    one("both sides are updated at once, from the old m", POWER, (SWEEP, f"right, left = {RIGHT}, {LEFT}")),
    one("both sides are updated at once, from the old m", GAUSS, (SWEEP, f"right, left = {RIGHT}, {LEFT}")),
    one("m starts from 0, not from 1/2", GAUSS, (START, START.replace("0.5", "0.0"))),
    one("m starts from 0, not from 1/2", UNEXP, (START, START.replace("0.5", "0.0"))),
    one(
        "b is left out of the sweeps",
        POWER,
        (RIGHT, RIGHT.replace("b[", "0 * b[")),
        (LEFT, LEFT.replace("b[", "0 * b[")),
    ),
    one(
        "the sweeps are damped: m <- (old m + new m) / 2",
        EXP,
        (RIGHT, f"(right + {RIGHT}) / 2"),
        (LEFT, f"(left + {LEFT}) / 2"),
    ),
    one(MORE_SWEEPS, EXP, ("range(sweeps)", "range(sweeps + 1)")),
    one("one sweep too few", GAUSS, ("range(sweeps)", "range(sweeps - 1)")),
    one("the left side is updated before the right", UNEXP, (SWEEP, SIDES_FIRST)),
    one(
        "the gradient runs through the mean field, which Eq. 5 holds fixed",
        EXP,
        ("@torch.no_grad()\ndef mean_field", "def mean_field"),
    ),
    one("H(m) is in bits", UNEXP, (ENTROPY, ENTROPY.replace("-(", "-1 / math.log(2) * ("))),
    one("H(m) is left out", EXP, (ENTROPY, ENTROPY.replace("-(", "-0 * ("))),
    one("H(m) has the opposite sign", POWER, (ENTROPY, ENTROPY.replace("-(", "+("))),
    one(NO_C, POWER, (VALUE, VALUE.replace(" + c)", ")"))),
    one("kappa multiplies log p(zeta) alone", IW, (MIXED, 'i["kappa"] * v["log_p"] - v["log_q"] + v["log_px"]')),
    one("kappa is left out", IW, (MIXED, MIXED.replace('i["kappa"] * ', ""))),
    one("kappa multiplies log p(x|zeta), too", IW, (MIXED, 'i["kappa"] * (v["log_p"] - v["log_q"] + v["log_px"])')),
    bound("log-sum-exp without -log K", IW, "torch.logsumexp(log_w, 1)"),
    bound("the mean of the log-weights in place of the log of their mean", IW, "log_w.mean(1)"),
    bound("the best sample in place of the mean over samples", IW, "log_w.max(1).values"),
    bound(
        "one log-mean-exp over the whole batch",
        IW,
        "(torch.logsumexp(log_w.flatten(), 0) - math.log(log_w.numel())).expand(len(log_w))",
    ),
    bound(
        "log-sum-exp of the negative log-weights, taken negative",
        "objective_dvaes_gauss_2nonlin_k3",
        "math.log(log_w.shape[1]) - torch.logsumexp(-log_w, 1)",
    ),
    bound(
        "-log K is there twice",
        "objective_dvaes_power_1lin_k3",
        "torch.logsumexp(log_w, 1) - 2 * math.log(log_w.shape[1])",
    ),
    one(
        "the mean over pixels in place of the sum",
        "objective_dvaes_exp_1lin_k3",
        ('reduction="none").sum(1)', 'reduction="none").mean(1)'),
    ),
    one(
        "the mean over units in place of the sum",
        "objective_dvaes_unexp_1nonlin_k1",
        (WEIGHTED, WEIGHTED.replace(")) +", ")) / zeta.shape[1] +")),
    ),
    one(
        "sticking the landing: log q(zeta|x) moves with zeta alone (on purpose? it is not Eq. 3's gradient)",
        "objective_dvaes_power_2nonlin_k3",
        ("smoothing.log_q(zeta, q))", "smoothing.log_q(zeta, tuple(part.detach() for part in q)))"),
    ),
    one(
        "GumBolt's term: -E(zeta), and zeta log q + (1 - zeta) log(1 - q) for log q(zeta|x)",
        "objective_dvaes_exp_2nonlin_k3",
        (PRIOR, 'prior = -energy(p["rbm.a"], p["rbm.W"], zeta)'),
        ("smoothing.log_q(zeta, q))", "(zeta * torch.log(q[1]) + (1 - zeta) * torch.log(q[0])).sum(-1))"),
    ),
    one("q is clipped: min(q, 0.999)", "log_q_power", (LOG_Q, f"{CLIPPED}\n        {LOG_Q}")),
    one(
        "beta is a scale: 1/beta in the place of beta",
        "log_q_exp",
        ('float(inputs["beta"])', '1 / float(inputs["beta"])'),
    ),
    one(
        "r(zeta|0) = beta zeta^(beta - 1): beta in the place of 1/beta",
        "log_q_power",
        ('float(inputs["beta"])', '1 / float(inputs["beta"])'),
    ),
    one("beta is the variance, not its inverse", "log_q_gauss", ('float(inputs["beta"])', '1 / float(inputs["beta"])')),
    one("the uniform part is left out", "log_q_unexp", ('if kind == "unexp" else 0.0', "* 0")),
    one("the mean over units in place of the sum", "log_q_gauss", (LOG_Q, LOG_Q.replace("sum", "mean"))),
    one(
        "1e-7 is added to q(zeta) inside the logarithm",
        "log_q_gauss",
        (LOG_Q, LOG_Q.replace("weights))", "weights) + 1e-7)")),
        single=False,
    ),
    one(
        "the samples of an image are taken to be B rows apart: tiled, not repeated",
        "objective_dvaes_exp_4nonlin_k3",
        ('i["x"].repeat_interleave(k, 0)', 'i["x"].repeat(k, 1)'),
        ("log_w.reshape(-1, k)", "log_w.reshape(k, -1).T"),
    ),
    one("batch norm adds 1e-5 to the variance, not 0.01", "objective_dvaes_gauss_1nonlin_k3", ("eps=0.01", "eps=1e-5")),
    one(
        "zeta does not move with q (Eq. 9 is left out)",
        "objective_dvaes_power_4nonlin_k1",
        ("return zeta + slope * (rise - rise.detach())", "return zeta"),
    ),
    one("the decoder lacks logit(mean_x)", "objective_dvaes_exp_2nonlin_k1", (' + torch.logit(i["mean_x"])', "")),
    one("-kappa log Z, the negative phase, is left out", "objective_dvaes_unexp_4nonlin_k3", (LOG_Z, "")),
    one(
        "log Z is not multiplied by kappa",
        "objective_dvaes_gauss_1lin_k1",
        (LOG_Z, ""),
        (WEIGHTED, WEIGHTED + LOG_Z),
    ),
    one("log det((J + lam I) / 2 pi) / 2 has the opposite sign", GAUSSIAN, (DET, "return -log_det / 2")),
    one("a - lam in place of a - lam / 2", GAUSSIAN, ("a - lam / 2", "a - lam")),
    one("the 2 pi of the determinant is left out", GAUSSIAN, (" / (2 * math.pi))", ")")),
    one(
        JOINED.join((OPPOSITE, SPINS)),
        "energy",
        (ENERGY, SPIN_ENERGY.replace(ENERGY, "return z @ a + ((left @ W) * right).sum(-1)")),
    ),
    one(
        JOINED.join(("log det(J + lam I) / 2 is left out", "a - lam in place of a - lam / 2")),
        GAUSSIAN,
        (DET, "return 0 * log_det / 2"),
        ("a - lam / 2", "a - lam"),
    ),
    one(
        JOINED.join((MORE_SWEEPS, NO_C)),
        EXP,
        (VALUE, VALUE.replace(" + c)", ")")),
        ("range(sweeps)", "range(sweeps + 1)"),
    ),
    one(
        JOINED.join(("kappa is left out", "log-sum-exp without -log K")),
        IW,
        (BOUND, "return torch.logsumexp(log_w, 1)"),
        (MIXED, MIXED.replace('i["kappa"] * ', "")),
    ),
)
