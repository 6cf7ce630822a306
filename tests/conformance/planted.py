"""Deviations planted in the source of the plain NumPy example: what people do, one at a time and two at once."""

from typing import NamedTuple

from dvae_ref.conformance.pairs import JOINED


class Planted(NamedTuple):
    name: str  # as the registry has it
    quantity: str
    edits: tuple  # (old, new)
    single: bool = True  # precision is enough to see and name it


ENERGY = "return -(z @ a) - np.sum((left @ W) * right, -1)"
ISING = "return z @ a + np.sum((left @ W) * right, -1)"
RIGHT, LEFT = "sigmoid(a[n:] + b[:, n:] + left @ W)", "sigmoid(a[:n] + b[:, :n] + right @ W.T)"
P_RIGHT, P_LEFT = "p_right = sigmoid(a[n:] + left @ W)", "p_left = sigmoid(a[:n] + right @ W.T)"
SWEEP, AT_ONCE = f"right = {RIGHT}\n        left = {LEFT}", f"right, left = {RIGHT}, {LEFT}"
START = "np.full_like(b[:, :n], 0.5), np.full_like(b[:, n:], 0.5)"
BOUND = "return logsumexp(log_w) - np.log(log_w.shape[-1])"
STEP, ROOT = "rate * m / (", "np.sqrt(v)"
RATE = 'np.sqrt(1 - i["beta2"] ** i["iteration"]) / (1 - i["beta1"] ** i["iteration"])'
SINGLE_RATE = 'np.sqrt(1 - power(i["beta2"])) / (1 - power(i["beta1"]))'
POWER = "\n    power = lambda b: float(np.prod(np.full(int(i['iteration']), b, np.float32), dtype=np.float32))"
ADAM = "def answer_adam(i):"
TERM = "return log_p(a, W, zeta) - np.sum(np.log(slope), -1)"
WEIGHTS = 'weights = (1 - v["q"], v["q"])'
SPIN_ENERGY = f"z = 2 * z - 1\n    left, right = z[..., : len(W)], z[..., len(W) :]\n    {ENERGY}"
TEMPERATURE, OFFSET = "the inverse temperature is not 1", "something is added to every probability"
SPINS, OPPOSITE = "units are -1 and 1 in place of 0 and 1", "E(z) has the opposite sign"
MORE_SWEEPS, NO_C = "one sweep too many", "c = log r(zeta|0) is left out"
RELEASE = "in front of both components: the authors' release"


def probabilities(formula):
    return tuple((old, f"{old.split(' = ')[0]} = {formula(old.split(' = ')[1])}") for old in (P_RIGHT, P_LEFT))


def bound(text):
    return ((BOUND, f"return {text}"),)


PLANTED = (
    Planted("the couplings count half", "energy", ((ENERGY, ENERGY.replace("- np", "- 0.5 * np")),)),
    Planted(
        "left and right are swapped: W is used as (right, left)", "energy", ((ENERGY, ENERGY.replace("@ W", "@ W.T")),)
    ),
    Planted(SPINS, "energy", ((ENERGY, SPIN_ENERGY),)),
    Planted(
        SPINS,
        "gibbs",
        (
            ("+ left @ W)\n        right = 1.0", "+ (2 * left - 1) @ W)\n        right = 1.0"),
            ("+ right @ W.T)\n        left = 1.0", "+ (2 * right - 1) @ W.T)\n        left = 1.0"),
        ),
    ),
    Planted("both sides are updated at once, from the old m", "log_p_overlapping_exp", ((SWEEP, AT_ONCE),)),
    Planted("both sides are updated at once, from the old m", "log_p_overlapping_power", ((SWEEP, AT_ONCE),)),
    Planted("m starts from 0, not from 1/2", "mean_field", ((START, START.replace("0.5", "0.0")),)),
    Planted("m starts from 0, not from 1/2", "log_p_overlapping_gauss", ((START, START.replace("0.5", "0.0")),)),
    Planted(
        "b is left out of the sweeps",
        "log_p_overlapping_power",
        ((RIGHT, RIGHT.replace("b[", "0 * b[")), (LEFT, LEFT.replace("b[", "0 * b["))),
    ),
    Planted(
        "the sweeps are damped: m <- (old m + new m) / 2",
        "mean_field",
        ((RIGHT, f"(right + {RIGHT}) / 2"), (LEFT, f"(left + {LEFT}) / 2")),
    ),
    Planted(MORE_SWEEPS, "objective_dvaes_exp_1nonlin_k3", (("range(sweeps)", "range(sweeps + 1)"),), single=False),
    Planted("H(m) is in bits", "mean_field", (("entropy(m, 1 - m) -", "entropy(m, 1 - m) / np.log(2) -"),)),
    Planted("H(m) is in bits", "log_p_overlapping_exp", (("entropy(m, 1 - m) -", "entropy(m, 1 - m) / np.log(2) -"),)),
    Planted(
        "kappa multiplies log p(zeta) alone",
        "bound_importance_weighted",
        (('i["kappa"] * log_ratio', 'i["kappa"] * v["log_p"] - v["log_q"]'),),
    ),
    Planted(
        "log-sum-exp of the negative log-weights, taken negative",
        "objective_dvaes_gauss_2nonlin_k3",
        bound("np.log(log_w.shape[-1]) - logsumexp(-log_w)"),
    ),
    Planted(
        "the best sample in place of the mean over samples",
        "bound_importance_weighted",
        bound("np.take_along_axis(log_w, np.argmax(fixed(log_w), -1)[:, None], -1)[:, 0]"),
    ),
    Planted(
        "-log K is there twice",
        "objective_dvaes_power_1lin_k3",
        bound("logsumexp(log_w) - 2 * np.log(log_w.shape[-1])"),
    ),
    Planted(
        "one log-mean-exp over the whole batch",
        "bound_importance_weighted",
        bound("np.zeros(len(log_w)) + logsumexp(log_w.reshape(-1)) - np.log(log_w.size)"),
    ),
    Planted(
        "the mean over pixels in place of the sum",
        "objective_dvaepp_exp_1lin_k3",
        (("return np.sum(x * logits", "return np.mean(x * logits"),),
    ),
    Planted(
        "the mean over units in place of the sum",
        "objective_dvaes_gauss_1nonlin_k1",
        (('i["kappa"] * term', 'i["kappa"] * term / zeta.shape[1]'),),
    ),
    Planted(
        "sticking the landing: log q(zeta|x) moves with zeta alone (on purpose? it is not Eq. 3's gradient)",
        "objective_dvaes_power_2nonlin_k3",
        (("posterior(kind, out, here", "posterior(kind, fixed(out), here"),),
    ),
    Planted(
        "GumBolt's term: -E(zeta), and zeta log q + (1 - zeta) log(1 - q) for log q(zeta|x)",
        "objective_dvaes_exp_2nonlin_k3",
        ((TERM, "return -energy(a, W, zeta) - np.sum(zeta * np.log(q) + (1 - zeta) * np.log(rest), -1)"),),
    ),
    Planted(
        "AdamW: p shrinks by learning_rate x 0.01 as well",
        "adam",
        (('i["p"] - rate', '(1 - 0.01 * i["learning_rate"]) * i["p"] - rate'),),
    ),
    Planted("AMSGrad: the larger of the old and the new v", "adam", ((ROOT, 'np.sqrt(np.maximum(v, i["v"]))'),), False),
    Planted(
        "Nesterov's momentum (NAdam)", "adam", ((STEP, 'rate * (i["beta1"] * m + (1 - i["beta1"]) * i["g"]) / ('),)
    ),
    Planted(
        "the powers of beta1 and beta2 are float32's, multiplied up: TensorFlow 1",
        "adam",
        ((RATE, SINGLE_RATE), (ADAM, ADAM + POWER)),
        single=False,
    ),
    Planted(
        "epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it",
        "adam",
        ((ROOT + " +", ROOT + ' + np.sqrt(1 - i["beta2"] ** i["iteration"]) *'),),
    ),
    Planted(TEMPERATURE, "gibbs", probabilities(lambda p: p.replace("(", "(0.97 * (", 1) + ")")),
    Planted(TEMPERATURE, "gibbs", probabilities(lambda p: p.replace("(", "(1.03 * (", 1) + ")")),
    Planted(OFFSET, "gibbs", probabilities(lambda p: f"{p} + 0.002")),
    Planted("probabilities are clipped away from 0 and 1", "gibbs", probabilities(lambda p: f"{p}.clip(0.01, 0.99)")),
    Planted(
        "q is clipped: min(q, 0.999)",
        "log_q_power",
        (
            (
                WEIGHTS,
                f'q = np.where(fixed(v["q"]) > 0.999, 0.999, v["q"])\n        {WEIGHTS}'.replace(
                    WEIGHTS, "weights = (1 - q, q)"
                ),
            ),
        ),
    ),
    Planted(
        f"q <= 1 - 1e-4 in log(1 - q), {RELEASE}",
        "objective_dvaes_gi_4nonlin_k3",
        ((TERM, TERM.replace("np.log(slope)", "np.log(slope) + np.log(1e-4 / np.minimum(rest, 1e-4))")),),
    ),
    Planted(
        "beta is a scale: 1/beta in the place of beta",
        "log_q_exp",
        (("float(i[name]) for", 'float(i[name]) ** (-1 if name == "beta" else 1) for'),),
    ),
    Planted(
        "r(zeta|0) = beta zeta^(beta - 1): beta in the place of 1/beta",
        "log_p_overlapping_power",
        (("float(i[name]) for", 'float(i[name]) ** (-1 if name == "beta" else 1) for'),),
    ),
    Planted(
        "the samples of an image are taken to be B rows apart: tiled, not repeated",
        "objective_dvaes_exp_4nonlin_k3",
        (('np.repeat(i["x"], k, axis=0)', 'np.tile(i["x"], (k, 1))'), (".reshape(-1, k)", ".reshape(k, -1).T")),
    ),
    Planted(
        JOINED.join((OPPOSITE, SPINS)),
        "energy",
        ((ENERGY, SPIN_ENERGY.replace(ENERGY, ENERGY.replace("-", "+").replace("+(z", "(z").replace(", +1", ", -1"))),),
    ),
    Planted(
        JOINED.join((OPPOSITE, SPINS)),
        "log_z",
        ((ENERGY, ISING), ("product([0.0, 1.0]", "product([-1.0, 1.0]")),
    ),
    Planted(
        JOINED.join(("log det(J + lam I) / 2 is left out", "a - lam in place of a - lam / 2")),
        "log_p_gaussian_integral",
        (("0.5 * log_det", "0"), ("a - 0.5 * lam", "a - lam")),
    ),
    Planted(
        JOINED.join((MORE_SWEEPS, NO_C)),
        "log_p_overlapping_exp",
        (("np.sum(b * m + c, -1)", "np.sum(b * m, -1)"), ("range(sweeps)", "range(sweeps + 1)")),
    ),
    Planted(
        JOINED.join(("kappa is left out", "log-sum-exp without -log K")),
        "bound_importance_weighted",
        ((BOUND, "return logsumexp(log_w)"), ('i["kappa"] * log_ratio', "log_ratio")),
    ),
    Planted(
        JOINED.join(("epsilon is added to v, inside the root", "beta1 and beta2 are exchanged")),
        "adam",
        (
            ("beta1", "beta0"),
            ("beta2", "beta1"),
            ("beta0", "beta2"),
            ('np.sqrt(v) + i["adam_epsilon"]', 'np.sqrt(v + i["adam_epsilon"])'),
        ),
    ),
)
