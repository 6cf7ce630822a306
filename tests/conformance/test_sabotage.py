"""Mistakes made in the plain NumPy example, in its source: each is rejected and named, and no other is."""

import pytest
from judging import judge, load
from planted import PLANTED
from test_strangers import STRANGERS

from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.mistakes import REGISTRY
from dvae_ref.conformance.pairs import JOINED

EQ_9 = ("here = zeta[:, own] - slide", "here = zeta[:, own] + 0 * slide")
TILED = (
    ('np.repeat(i["x"], k, axis=0)', 'np.tile(i["x"], (k, 1))'),
    (".reshape(-1, k)", ".reshape(k, -1).T"),
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
TO_RIGHT, TO_LEFT = "sigmoid(a[n:] + b[:, n:] + left @ W)", "sigmoid(a[:n] + b[:, :n] + right @ W.T)"
LEFT_FIRST = [(f"right = {TO_RIGHT}\n        left = {TO_LEFT}", f"left = {TO_LEFT}\n        right = {TO_RIGHT}")]
LOG_Z = ' - log_z(v["rbm.a"], v["rbm.W"])'
WITHOUT_LOG_Z = 'i["log_w"] - i["log_z"]'
LOSS = "np.mean(model(baseline, i, v)[0])"
SQUARES = 'sum(np.sum(v[n] ** 2) for n in v if n.rsplit(".", 1)[1] in ("kernel", "scale", "W"))'
GAUSSIAN, DISCRETE = "log_p_gaussian_integral", "log_w_discrete"


def in_place_of_beta(text):
    """Edits of the Gaussian."""
    density = "np.sqrt(beta / (2 * np.pi)) * np.exp(-beta * ("
    return [
        (density, density.replace("beta", text)),
        ("normal_cdf(np.sqrt(beta)", f"normal_cdf(np.sqrt({text})"),
    ]


# name of the mistake: (replacements in the source, quantities in which it is seen)
WEIGHTS = 'weights = (1 - v["q"], v["q"])'
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
    "the left side is updated before the right": (
        LEFT_FIRST,
        ["mean_field", "log_p_overlapping_power", "objective_dvaes_gauss"],
    ),
    "one sweep too many": ([("range(sweeps)", "range(sweeps + 1)")], ["mean_field", "log_p_overlapping_exp"]),
    "one sweep too few": ([("range(sweeps)", "range(sweeps - 1)")], ["mean_field", "log_p_overlapping_gauss"]),
    "H(m) has the opposite sign": (
        [("return entropy(m, 1 - m) - energy", "return -entropy(m, 1 - m) - energy")],
        ["mean_field", "log_p_overlapping_exp"],
    ),
    "H(m) is left out": (
        [("return entropy(m, 1 - m) - energy", "return -energy")],
        ["mean_field", "log_p_overlapping_unexp"],
    ),
    "1e-7 is added inside the logarithms of H(m)": (
        [("p * np.log(p + (p == 0))", "p * np.log(p + 1e-7)")],
        ["mean_field", "log_p_overlapping_power"],
    ),
    "z = 1 where u > p": (
        [("u[:, n:] < p_right", "u[:, n:] > p_right"), ("u[:, :n] < p_left", "u[:, :n] > p_left")],
        ["gibbs"],
    ),
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
                'np.log(mixture(kind, v["zeta"], weights, *law_of(i))[0])',
                'np.log(mixture(kind, v["zeta"], weights, *law_of(i))[0] + 1e-7)',
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
    "z = 0 and z = 1 are exchanged": (
        [('weights = (1 - v["q"], v["q"])', 'weights = (v["q"], 1 - v["q"])')],
        ["log_q_exp", "log_q_power"],
    ),
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
    "c = log r(zeta|0) is left out": (
        [("np.sum(b * m + c, -1)", "np.sum(b * m, -1)")],
        ["log_p_overlapping_exp", "log_p_overlapping_power", "objective_dvaes_power", "objective_dvaes_unexp"],
    ),
    "log Z is left out": (
        [(' - i["log_z"] - log_q', " - log_q"), (WITHOUT_LOG_Z, 'i["log_w"]')],
        [DISCRETE, "bound_discrete"],
    ),
    "log Z has the opposite sign": ([(WITHOUT_LOG_Z, WITHOUT_LOG_Z.replace("-", "+"))], ["bound_discrete"]),
    "the NLL is the sum over the images in place of the mean": (
        [("log_p_x.mean(1)", "log_p_x.sum(1)")],
        ["bound_discrete"],
    ),
    "log q(z|x) is left out": ([(' - i["log_z"] - log_q', ' - i["log_z"]')], [DISCRETE]),
    "batch norm takes the batch's statistics in place of the moving averages": (
        [("averages=True", "averages=False")],
        [DISCRETE],
    ),
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
        ["bound_importance_weighted", "objective_dvaes_exp", "objective_dvaes_gi", DISCRETE, "bound_discrete"],
    ),
    "the mean of the log-weights in place of the log of their mean": (
        [("logsumexp(log_w) - np.log(log_w.shape[-1])", "np.mean(log_w, -1)")],
        ["bound_importance_weighted", "objective_dvaes_unexp", DISCRETE, "bound_discrete"],
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
    "kappa multiplies log p(x|zeta), too": (
        [
            ('i["kappa"] * log_ratio + v["log_px"]', 'i["kappa"] * (log_ratio + v["log_px"])'),
            ('i["kappa"] * term + log_px', 'i["kappa"] * (term + log_px)'),
        ],
        ["bound_importance_weighted", "bound_variational", "objective_dvaes_power", "objective_dvae_spike_exp"],
    ),
    "dzeta/dq for dzeta/dlogit(q): Eq. 9 without its q (1 - q)": (
        [("here = zeta[:, own] - slide", "here = zeta[:, own] - slide / fixed(q * rest)")],
        ["objective_dvaes_power", "objective_dvaepp_exp", "objective_dvae_spike_exp"],
    ),
    "-kappa log Z, the negative phase, is left out": (
        [(LOG_Z, "")],
        ["objective_dvaes_power", "objective_dvae_spike_exp"],
    ),
    "the negative phase has the opposite sign": (
        [('- log_z(v["rbm.a"], v["rbm.W"])', '+ log_z(v["rbm.a"], v["rbm.W"])')],
        ["objective_dvaepp_exp"],
    ),
    "batch norm adds 1e-5 to the variance, not 0.01": ([("+ 0.01)", "+ 1e-5)")], ["objective_dvaes_gauss", DISCRETE]),
    "the samples of an image are taken to be B rows apart: tiled, not repeated": (
        TILED,
        ["objective_dvaes_exp", DISCRETE],
    ),
    "zeta does not move with q (Eq. 9 is left out)": (
        [EQ_9],
        ["objective_dvaes_power", "objective_dvaepp_exp", "objective_dvaes_gi", "objective_dvae_spike_exp"],
    ),
    "the decoder lacks logit(mean_x)": (
        [(" + np.log(mean_x / (1 - mean_x))", "")],
        ["objective_dvaes_power", DISCRETE],
    ),
    "q(z=1|x) for q(z=1|x, zeta) on the left": (
        [("left = (q * density(kind, zeta, 1, *law) / slope)[:, :n]", "left = q[:, :n]")],
        ["objective_dvaepp_exp", "objective_dvaepp_power"],
    ),
    "the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does": (
        [
            ("left = z[:, :n] + ((1 - z) / fixed(rest) * (q - fixed(q)))[:, :n]", "left = z[:, :n]"),
        ],
        ["objective_dvae_spike_exp"],
    ),
    "epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it": (
        [(STEP, 'np.sqrt(v) + i["adam_epsilon"] * np.sqrt(1 - i["beta2"] ** i["iteration"])')],
        ["adam"],
    ),
    "epsilon is added to v, inside the root": ([(STEP, 'np.sqrt(v + i["adam_epsilon"])')], ["adam"]),
    "the moments are not corrected for their bias": ([(RATE, "1")], ["adam"]),
    "up the gradient in place of down": ([('i["p"] - rate', 'i["p"] + rate')], ["adam"]),
    "epsilon is left out": ([(STEP, "np.sqrt(v)")], ["adam"]),
    "the iteration is counted from 0": ([(RATE, RATE.replace('i["iteration"]', '(i["iteration"] - 1)'))], ["adam"]),
    "beta1 and beta2 are exchanged": ([("beta1", "beta0"), ("beta2", "beta1"), ("beta0", "beta2")], ["adam"]),
    "the step uses the moments from before the update": (
        [("rate * m / (np.sqrt(v)", 'rate * i["m"] / (np.sqrt(i["v"])')],
        ["adam"],
    ),
    "log Z is not multiplied by kappa": (
        [(LOG_Z, ""), ("+ log_px).reshape", f"+ log_px{LOG_Z}).reshape")],
        ["objective_dvaes_gauss", "objective_dvaepp_exp"],
    ),
    "log p(zeta) - log q(zeta|x) has the opposite sign": (
        [('i["kappa"] * log_ratio', '-i["kappa"] * log_ratio')],
        ["bound_importance_weighted", "bound_variational"],
    ),
    "the log of the mean weight in place of the mean of the logs": (
        [("np.mean(log_w, -1)", "logsumexp(log_w) - np.log(log_w.shape[-1])")],
        ["bound_variational", "objective_dvaepp_power", "objective_dvae_spike_exp"],
    ),
    "both sides are updated at once, from the old m": (
        [(f"right = {TO_RIGHT}\n        left = {TO_LEFT}", f"right, left = {TO_RIGHT}, {TO_LEFT}")],
        ["mean_field"],
    ),
    "both sides are updated at once, from the old state": (
        [
            (
                'left, chances, after = i["z"][:, :n], [], []',
                'left, right, chances, after = i["z"][:, :n], i["z"][:, n:], [], []',
            ),
            ("right = 1.0 * (", "old, right = right, 1.0 * ("),
            ("p_left = sigmoid(a[:n] + right @ W.T)", "p_left = sigmoid(a[:n] + old @ W.T)"),
        ],
        ["gibbs"],
    ),
    "c is left out": (
        [("np.sum(b * m + c, -1)", "np.sum(b * m, -1)"), (" + c.sum(1)[:, None]", "")],
        ["mean_field"],
    ),
    "weight decay is included in the gradient": ([(LOSS, f"{LOSS} - 0.5e-4 * {SQUARES}")], ["objective_dvaes_power"]),
    "beta is the variance, not its inverse": (in_place_of_beta("(1 / beta)"), ["smoothing_gauss", "log_q_gauss"]),
    "beta is the inverse of the standard deviation": (
        in_place_of_beta("beta**2"),
        ["smoothing_gauss", "log_q_gauss"],
    ),
    "the rows' weights (cotangent) are left out: the gradient of the sum over rows": (
        [('np.sum(i["cotangent"] * value(v))', "np.sum(value(v))")],
        ["log_p_overlapping_unexp"],
    ),
    "the mean over units in place of the sum": ([("np.sum(np.log(mixture", "np.mean(np.log(mixture")], ["log_q_unexp"]),
    "dzeta/dlogit(q) in place of dzeta/dq": (
        [("(R0 - R1) / slope", "(R0 - R1) / slope * q * (1 - q)")],
        ["smoothing_power", "smoothing_spike"],
    ),
    "1 - CDF in place of the CDF": (
        [('"cdf1": R1, "cdf": cdf', '"cdf1": 1 - R1, "cdf": 1 - cdf'), ('"cdf0": R0', '"cdf0": 1 - R0')],
        ["smoothing_exp", "smoothing_spike"],
    ),
    "r(zeta|z) is not normalised": (
        [("zeta, z, *law)) for z in (0, 1))\n    found", "zeta, z, *law) * law[0]) for z in (0, 1))\n    found")],
        ["smoothing_power"],
    ),
    "b and c are those of the exponential alone": (
        [
            (
                '"b": log_r1 - log_r0, "c": log_r0',
                '"b": law[0] * (2 * zeta - 1), "c": np.log(density("exp", zeta, 0, law[0]))',
            )
        ],
        ["smoothing_unexp"],
    ),
    "z = 0 and z = 1 are exchanged in r(zeta|z)": (
        [
            ("c = np.log(density(kind, zeta, 0", "c = np.log(density(kind, zeta, 1"),
            ("b = np.log(density(kind, zeta, 1", "b = np.log(density(kind, zeta, 0"),
        ],
        ["log_p_overlapping_exp", "log_p_overlapping_gauss"],
    ),
    "log det((J + lam I) / 2 pi) / 2 has the opposite sign": ([("0.5 * log_det", "-0.5 * log_det")], [GAUSSIAN]),
    "the determinant of the covariance in place of that of J + lam I": (
        [("precision / (2 * np.pi)", "np.linalg.inv(precision) / (2 * np.pi)")],
        [GAUSSIAN],
    ),
}
SABOTAGE |= {
    "E[z_left] E[z_right]' in place of E[z_left z_right']": (
        [("(z[:, :n] * p[:, None]).T @ z[:, n:]", "np.outer((p @ z)[:n], (p @ z)[n:])")],
        ["log_z"],
    ),
    "a in place of a - lam / 2": ([("a - 0.5 * lam", "a")], [GAUSSIAN]),
    "mu on both sides: q(z = 1 | x) for the left side, which zeta has told more of": (
        [("left = (q / (q + rest * r0 / r1))[:, :n]", "left = q[:, :n]")],
        ["kl_dvaepp_exp", "kl_dvaepp_power"],
    ),
    "log Z of the base, units x log 2, is left out": (
        [('"log_z": len(a) * np.log(2) + np.log(', '"log_z": np.log(')],
        ["ais_weights"],
    ),
}
MIXED = 'weights = sigmoid(-v["logit_q"]), sigmoid(v["logit_q"])'
SABOTAGE |= {
    "q r(zeta|1) alone: (1 - q) r(zeta|0) is left out": (
        [(WEIGHTS, 'weights = (0 * v["q"], v["q"])'), (MIXED, MIXED.replace("= ", "= 0 * ", 1))],
        ["log_q_exp", "log_q_gauss", "own_networks_dvaes_power"],
    ),
    "(1 - q) r(zeta|0) alone: q r(zeta|1) is left out": (
        [(MIXED, MIXED.replace(", ", ", 0 * "))],
        ["own_networks_dvaes_power"],
    ),
}
SIDES_OF_Q = "    left, right = q[:, :n], q[:, n:]"
SABOTAGE |= {
    f"q is clipped: min(q, {name})": (
        [(WEIGHTS, f'q = np.where(fixed(v["q"]) > {name}, {name}, v["q"])\n        weights = (1 - q, q)')],
        ["log_q_exp", "log_q_gauss"],
    )
    for name in ("0.999", "1 - 1e-4", "1 - 1e-7")
} | {
    "q <= 1 - 1e-4 in log(1 - q), in front of both components: the authors' release": (
        [("- np.sum(np.log(slope), -1)", "- np.sum(np.log(slope) + np.log(1e-4 / np.minimum(rest, 1e-4)), -1)")],
        ["objective_dvaes_gi"],
    ),
    "the gradient passes through min(0.999, q): the authors' release": (
        [(SIDES_OF_Q, f"    q, rest = (np.where(fixed(q) > 0.999, fixed(p), p) for p in (q, rest))\n{SIDES_OF_Q}")],
        ["objective_dvae_spike_exp"],
    ),
}
MORE = {  # the same mistakes elsewhere
    "E(z) has the opposite sign": ([("    J = np.block(", "    a, W = -a, -W\n    J = np.block(")], [GAUSSIAN]),
    "the couplings count twice: z·J·z without its 1/2": (
        [("    J = np.block(", "    W = 2 * W\n    J = np.block("), ('v["rbm.W"]', '(2 * v["rbm.W"])')],
        [GAUSSIAN, "objective_dvaepp_exp", "objective_dvaes_power"],
    ),
    "left and right are swapped: W is used as (right, left)": (
        [("    J = np.block(", "    W = W.T\n    J = np.block("), ('v["rbm.W"]', 'v["rbm.W"].T')],
        [GAUSSIAN, "objective_dvaepp_exp", "objective_dvaes_power", "objective_dvae_spike_exp"],
    ),
    "units are -1 and 1 in place of 0 and 1": (
        [('v["W"], v["z"]', 'v["W"], 2 * v["z"] - 1'), ('i["W"], i["z"]', 'i["W"], 2 * i["z"] - 1')],
        ["energy"],
    ),
    "z = 0 and z = 1 are exchanged": (
        [
            ("distance = 1 - zeta if z else zeta", "distance = zeta if z else 1 - zeta"),
            (
                "if z:\n        return 1 - distribution(kind, 1 - zeta, 0",
                "if not z:\n        return 1 - distribution(kind, 1 - zeta, 1",
            ),
        ],
        ["smoothing_exp", "smoothing_power"],
    ),
}
GENERAL_BIASES, GENERAL_COUPLINGS = '-(z @ i["a"]) -', 'np.sum((z @ i["J"]) * z, -1) / 2'
WITHOUT_SIDES = {
    "E(z) has the opposite sign": [(f"{GENERAL_BIASES} {GENERAL_COUPLINGS}", f'z @ i["a"] + {GENERAL_COUPLINGS}')],
    "the biases have the opposite sign": [(GENERAL_BIASES, 'z @ i["a"] -')],
    "the couplings have the opposite sign": [(f"- {GENERAL_COUPLINGS}", f"+ {GENERAL_COUPLINGS}")],
    "the couplings count twice: z·J·z without its 1/2": [(GENERAL_COUPLINGS, GENERAL_COUPLINGS.replace(" / 2", ""))],
    "the couplings count half": [(GENERAL_COUPLINGS, GENERAL_COUPLINGS.replace('i["J"]', 'np.triu(i["J"])'))],
    "units are -1 and 1 in place of 0 and 1": [
        ("product([0.0, 1.0]", "product([-1.0, 1.0]"),
        ('value(i["z"]), "log_z"', 'value(2 * i["z"] - 1), "log_z"'),
    ],
}
OWN_TERM = 'i["kappa"] * (prior(v) - i["log_z"])'
OWN_NETWORKS = {
    "log Z is left out": [(OWN_TERM, 'i["kappa"] * prior(v)')],
    "log Z has the opposite sign": [(OWN_TERM, OWN_TERM.replace("-", "+"))],
    "log Z is not multiplied by kappa": [(OWN_TERM, 'i["kappa"] * prior(v) - i["log_z"]')],
    "kappa is left out": [(OWN_TERM, '(prior(v) - i["log_z"])')],
    "the gradient of the sum over the images in place of the mean": [("np.mean(bound(v))", "np.sum(bound(v))")],
    "the samples of an image are taken to be B rows apart: tiled, not repeated": [
        ('x, k = np.repeat(i["x"], int(i["k"]), axis=0), int', 'x, k = np.tile(i["x"], (int(i["k"]), 1)), int'),
        (f"({OWN_TERM} + log_px).reshape(-1, k)", f"({OWN_TERM} + log_px).reshape(k, -1).T"),
    ],
}
OF_NETWORKS = [name for name in QUANTITIES if name.startswith("own_networks")]
VARIANT = "_2nonlin_k3"
CASES = [
    (mistake, name + VARIANT * name.startswith("objective"), edits)
    for table in (SABOTAGE, MORE)
    for mistake, (edits, names) in table.items()
    for name in names
]
CASES += [(mistake, "general_machine", edits) for mistake, edits in WITHOUT_SIDES.items()]
CASES += [(mistake, name, edits) for mistake, edits in OWN_NETWORKS.items() for name in OF_NETWORKS]


@pytest.mark.parametrize(("mistake", "name", "edits"), CASES, ids=[f"{case[1]}: {case[0]}" for case in CASES])
def test_sabotage_is_rejected_and_named(kits, example_source, mistake, name, edits):
    source = example_source
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    verdict = judge(kits(), name, load(source).answer(kits(), name))
    assert not verdict.passed
    assert {found for diagnosis in verdict.diagnoses for found in diagnosis.mistakes} == {mistake}


def test_most_mistakes_are_made():
    """Here, in planted.py or in strangers.json: all but those whose sabotage would be a rewriting of the example."""
    known = {one.name for one in REGISTRY if not one.anywhere}
    assert set(SABOTAGE) <= known
    made = set(SABOTAGE) | {name for one in PLANTED for name in one.name.split(JOINED)}
    made |= {stranger["name"] for stranger in STRANGERS}
    assert known - made == {
        "dzeta/dstd is taken at zeta in place of zeta - shift",
        "the gradient in logit(q) in place of that in q",
        "DReG: the encoder's gradient has squared weights (on purpose? it is not Eq. 3's gradient)",
        "softplus(x) is cut: x above 10",  # rbms'
        "a guard is added inside the logarithms of p(x|zeta)",  # the plain 1 - p + guard rounds otherwise
    }
