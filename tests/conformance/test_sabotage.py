"""Mistakes made in the plain NumPy example, in its source: each is rejected and named, and no other is."""

import pytest
from conftest import judge, load

EQ_9 = ("here = zeta[:, own] - slide", "here = zeta[:, own] + 0 * slide")
TILED = (
    ('np.repeat(i["x"], k, axis=0)', 'np.tile(i["x"], (k, 1))'),
    (".reshape(-1, k)", ".reshape(k, -1).T"),
)
LEFT_FIRST = (
    (
        "right = sigmoid(a[n:] + b[:, n:] + left @ W)\n        left = sigmoid(a[:n] + b[:, :n] + right @ W.T)",
        "left = sigmoid(a[:n] + b[:, :n] + right @ W.T)\n        right = sigmoid(a[n:] + b[:, n:] + left @ W)",
    ),
)
GUARD = (
    ("distance ** (1 / beta - 1)", "(distance + 1e-7) ** (1 / beta - 1)"),
    ("zeta ** (1 / beta)", "(zeta + 1e-7) ** (1 / beta)"),
)
SIDES = (
    ("left, right = z[..., : len(W)], z[..., len(W) :]", "right, left = z[..., : W.shape[1]], z[..., W.shape[1] :]"),
)
STEP = 'np.sqrt(v) + i["adam_epsilon"]'
RATE = 'np.sqrt(1 - i["beta2"] ** i["iteration"]) / (1 - i["beta1"] ** i["iteration"])'
ENERGY = "return -(z @ a) - np.sum((left @ W) * right, -1)"
GAUSSIAN = "log_p_gaussian_integral"

# name of the mistake: (replacements in the source, quantities in which it is seen)
SABOTAGE = {
    "E(z) has the opposite sign": ([(ENERGY, "return z @ a + np.sum((left @ W) * right, -1)")], ["energy", "log_z"]),
    "the biases have the opposite sign": ([(ENERGY, ENERGY.replace("-(z @ a)", "z @ a"))], ["energy", "log_z"]),
    "the couplings have the opposite sign": ([(ENERGY, ENERGY.replace("- np", "+ np"))], ["energy", "log_z"]),
    "the couplings count twice: z·J·z without its 1/2": (
        [(ENERGY, ENERGY.replace("- np", "- 2 * np"))],
        ["energy", "log_z"],
    ),
    "left and right are swapped: W is used as (right, left)": (SIDES, ["energy", "log_z"]),
    "units are -1 and 1 in place of 0 and 1": ([("product([0.0, 1.0]", "product([-1.0, 1.0]")], ["log_z"]),
    "covariances in place of E[z_left z_right']": (
        [("(z[:, :n] * p[:, None]).T @ z[:, n:]", "(z[:, :n] * p[:, None]).T @ (z[:, n:] - p @ z[:, n:])")],
        ["log_z"],
    ),
    "the left side is updated before the right": (LEFT_FIRST, ["mean_field", "log_p_overlapping_power"]),
    "one sweep too many": ([("range(sweeps)", "range(sweeps + 1)")], ["mean_field", "log_p_overlapping_exp"]),
    "one sweep too few": ([("range(sweeps)", "range(sweeps - 1)")], ["mean_field", "log_p_overlapping_gauss"]),
    "H(m) has the opposite sign": (
        [("return entropy(m) - energy", "return -entropy(m) - energy")],
        ["mean_field", "log_p_overlapping_exp"],
    ),
    "H(m) is left out": ([("return entropy(m) - energy", "return -energy")], ["mean_field", "log_p_overlapping_unexp"]),
    "1e-7 is added inside the logarithms of H(m)": (
        [("m * np.log(m) + (1 - m) * np.log(1 - m)", "m * np.log(m + 1e-7) + (1 - m) * np.log(1 - m + 1e-7)")],
        ["mean_field", "log_p_overlapping_power"],
    ),
    "z = 1 where u > p": ([("u[:, n:] < ", "u[:, n:] > "), ("u[:, :n] < ", "u[:, :n] > ")], ["gibbs"]),
    "1e-7 is added to zeta in the power function": (
        GUARD,
        [
            "smoothing_power",
            "log_q_power",
            "log_p_overlapping_power",
            "objective_dvaes_power",
            "objective_dvaepp_power",
        ],
    ),
    "1e-7 is added to q(zeta) inside the logarithm": (
        [
            (
                'np.log(mixture(kind, v["zeta"], v["q"], *law_of(i))[0])',
                'np.log(mixture(kind, v["zeta"], v["q"], *law_of(i))[0] + 1e-7)',
            )
        ],
        ["log_q_exp", "log_q_gauss"],
    ),
    "the uniform part is left out": (
        [('("beta", "epsilon") if', '("beta",) if')],
        ["smoothing_unexp", "log_q_unexp", "log_p_overlapping_unexp"],
    ),
    "dzeta/dq has the opposite sign: R(zeta|1) - R(zeta|0)": (
        [("(R0 - R1)", "(R1 - R0)")],
        ["smoothing_exp", "smoothing_spike"],
    ),
    "dzeta/dbeta lacks its minus sign": ([("* -moved", "* moved")], ["smoothing_gauss", "smoothing_spike"]),
    "rho counts from the other end of the CDF": ([("[1]) < rho", "[1]) < 1 - rho")], ["smoothing_unexp"]),
    "z = 0 and z = 1 are exchanged": ([("weights = (1 - q, q)", "weights = (q, 1 - q)")], ["log_q_exp", "log_q_power"]),
    "the rows' weights (cotangent) are left out: the gradient of the mean over rows": (
        [('np.sum(i["cotangent"] * value(v))', "np.mean(value(v))")],
        ["log_p_overlapping_gauss", GAUSSIAN],
    ),
    "the gradient runs through the mean field, which Eq. 5 holds fixed": (
        [("mean_field(fixed(a), fixed(W), fixed(b), sweeps)", "mean_field(a, W, b, sweeps)")],
        ["log_p_overlapping_exp", "log_p_overlapping_power", "objective_dvaes_exp", "objective_dvaes_gauss"],
    ),
    "-log Z is included": (
        [
            (
                'return log_p(v["a"], v["W"], v["zeta"])',
                'return log_p(v["a"], v["W"], v["zeta"]) - log_z(v["a"], v["W"])',
            )
        ],
        ["log_p_overlapping_power", GAUSSIAN],
    ),
    "c = log r(zeta|0) is left out": ([("np.sum(b * m + c, -1)", "np.sum(b * m, -1)")], ["log_p_overlapping_exp"]),
    "the factor 1/2 of zeta·(J + lam I) zeta / 2 is missing": (
        [("0.5 * np.sum(field * zeta, -1)", "np.sum(field * zeta, -1)")],
        [GAUSSIAN],
    ),
    "the factor 1/2 of log det(J + lam I) / 2 is missing": ([("0.5 * log_det", "log_det")], [GAUSSIAN]),
    "log det(J + lam I) / 2 is left out": ([("0.5 * log_det", "0")], [GAUSSIAN]),
    "the 2 pi of the determinant is left out": ([("precision / (2 * np.pi)", "precision")], [GAUSSIAN]),
    "the determinant is taken for a constant: no gradient in W": (
        [("0.5 * log_det", "0.5 * fixed(log_det)")],
        [GAUSSIAN],
    ),
    "a - lam in place of a - lam / 2": ([("a - 0.5 * lam", "a - lam")], [GAUSSIAN]),
    "log-sum-exp without -log K": (
        [("logsumexp(log_w) - np.log(log_w.shape[-1])", "logsumexp(log_w)")],
        ["bound_importance_weighted", "objective_dvaes_exp", "objective_dvaes_gi"],
    ),
    "the mean of the log-weights in place of the log of their mean": (
        [("logsumexp(log_w) - np.log(log_w.shape[-1])", "np.mean(log_w, -1)")],
        ["bound_importance_weighted", "objective_dvaes_unexp"],
    ),
    "the sum over the samples in place of the mean": (
        [("np.mean(log_w, -1)", "np.sum(log_w, -1)")],
        ["bound_variational", "objective_dvaepp_exp", "objective_dvae_spike_exp"],
    ),
    "the gradient of the sum over the images in place of the mean": (
        [("np.mean(value(v))", "np.sum(value(v))"), ("np.mean(model(", "np.sum(model(")],
        ["bound_variational", "bound_importance_weighted", "objective_dvaes_power"],
    ),
    "kappa is left out": (
        [('i["kappa"] * log_ratio', "log_ratio"), ('i["kappa"] * term', "term")],
        ["bound_importance_weighted", "objective_dvaepp_power"],
    ),
    "-kappa log Z, the negative phase, is left out": (
        [(' - log_z(v["rbm.a"], v["rbm.W"])', "")],
        ["objective_dvaes_power", "objective_dvae_spike_exp"],
    ),
    "the negative phase has the opposite sign": (
        [('- log_z(v["rbm.a"], v["rbm.W"])', '+ log_z(v["rbm.a"], v["rbm.W"])')],
        ["objective_dvaepp_exp"],
    ),
    "batch norm adds 1e-5 to the variance, not 0.01": ([("+ 0.01)", "+ 1e-5)")], ["objective_dvaes_gauss"]),
    "the samples of an image are taken to be B rows apart: tiled, not repeated": (TILED, ["objective_dvaes_exp"]),
    "zeta does not move with q (Eq. 9 is left out)": (
        [EQ_9],
        ["objective_dvaes_power", "objective_dvaepp_exp", "objective_dvaes_gi", "objective_dvae_spike_exp"],
    ),
    "the decoder lacks logit(mean_x)": (
        [(' + np.log(i["mean_x"] / (1 - i["mean_x"]))', "")],
        ["objective_dvaes_power"],
    ),
    "q(z=1|x) for q(z=1|x, zeta) on the left": (
        [("left = (q * density(kind, zeta, 1, *law) / slope)[:, :3]", "left = q[:, :3]")],
        ["objective_dvaepp_exp", "objective_dvaepp_power"],
    ),
    "the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does": (
        [("left = up + (1 - up) / (1 - fixed(q[:, :3])) * (q - fixed(q))[:, :3]", "left = 1.0 * up")],
        ["objective_dvae_spike_exp"],
    ),
    "epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it": (
        [(STEP, 'np.sqrt(v) + i["adam_epsilon"] * np.sqrt(1 - i["beta2"] ** i["iteration"])')],
        ["adam"],
    ),
    "epsilon is added to v, inside the root": ([(STEP, 'np.sqrt(v + i["adam_epsilon"])')], ["adam"]),
    "the moments are not corrected for their bias": ([(RATE, "1")], ["adam"]),
    "up the gradient in place of down": ([('i["p"] - rate', 'i["p"] + rate')], ["adam"]),
}
CASES = [(mistake, name) for mistake, (_, names) in SABOTAGE.items() for name in names]


@pytest.mark.parametrize(("mistake", "name"), CASES)
def test_sabotage_is_rejected_and_named(kits, example_source, mistake, name):
    source = example_source
    for old, new in SABOTAGE[mistake][0]:
        assert source.count(old) >= 1
        source = source.replace(old, new)
    verdict = judge(kits(), name, load(source).answer(kits(), name))
    assert not verdict.passed
    assert {name for diagnosis in verdict.diagnoses for name in diagnosis.mistakes} == {mistake}
