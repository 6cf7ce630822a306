"""The formulas of the picture that moves are those of the package: run by Node, where there is one."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from dvae_ref import Exponential, Power, UniformExponential, mixture
from handbook.tables import ROOT

SCRIPT = ROOT / "handbook" / "static" / "smoothing.js"
LAWS = {"power": Power, "exponential": Exponential, "uniform + exponential": UniformExponential}
RHO = np.array([0.01, 0.2, 0.45, 0.5, 0.55, 0.9, 0.99])
CASES = [(name, beta, q) for name in LAWS for beta in (4.0, 15.0, 40.0) for q in (0.1, 0.5, 0.97)]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node, to run the picture's JavaScript")


def by_node(change=("", "")):
    """[t, zeta, rho, density, slope] at each rho of each case, by the script, or by what it is with a change."""
    script = SCRIPT.read_text().replace(*change)
    program = f"""{script}
    const found = {json.dumps(CASES)}.map(([name, beta, q]) => {json.dumps(RHO.tolist())}.map((rho) => {{
      const t = inverse(name, beta, q, rho);
      const one = mixture(name, beta, q, t);
      return [t, one.zeta, one.rho, one.density, one.slope];
    }}));
    console.log(JSON.stringify(found));"""
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout))


def by_python():
    found = []
    for name, beta, q in CASES:
        law, logit = LAWS[name](beta), np.log(q / (1 - q))
        t = mixture.inverse_cdf(np.full_like(RHO, logit), RHO, law)
        density = (1 - q) * np.exp(law.log_r0(t)) + q * np.exp(law.log_r1(t))
        slope = mixture.d_t_d_logit_q(t, logit, law) * law.d_zeta(t) / (q * (1 - q))
        found.append([t, law.zeta(t), RHO, density, slope])
    return np.moveaxis(np.array(found), 1, 2)


def differs(node, python):
    """Where they differ by more than 1e-6 of themselves: 1 - CDF near 1 has 10 digits, and bisection as many."""
    return ~np.isclose(node, python, rtol=1e-6, atol=1e-9)


def test_the_picture_s_numbers_are_the_package_s():
    node, python = by_node(), by_python()
    assert node.shape == python.shape
    assert not differs(node, python).any()


CHANGES = [
    ("(1 / beta - 1)", "(1 / beta - 1.01)"),
    ("cdf0(t, beta) - cdf1", "cdf1"),
    ("EPSILON = 0.05", "EPSILON = 0.06"),
    ("[-3000, 3000]", "[-3000, 40]"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_control_a_wrong_formula_is_seen(change):
    assert differs(by_node(change), by_python()).any()
