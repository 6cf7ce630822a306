"""Formulas of the derivations: no edit goes unseen, and those that matter most are evaluated and held against the code.

A case finds its display by what stands left of its equation, reads the LaTeX itself (`latex`), and compares every side
of the equation with what the function returns, at random numbers. The golden copies in displays.txt hold the rest:
`make formulas` shows what has changed and renews them.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import cases
import cases_of_training
import latex
import pages


def display(case):
    """(id, LaTeX) of the one display that the case is of."""
    there = pages.displays().items()
    [found] = [(n, t) for n, t in there if n.startswith(case.page) and case.left in t and case.key in t]
    return found


def equation(case, text=None):
    """The sides right of the beginning."""
    found = display(case)[1] if text is None else text
    following = found[found.index(case.left) + len(case.left) :].split(case.end)[0]
    return latex.sides(following.removesuffix(r"\end{aligned}"))


def errors(case, text=None):
    """The relative error of each side."""
    wanted = np.asarray(case.value)
    for side in equation(case, text):
        found = latex.evaluate(side, case.symbols)
        yield float(np.max(np.abs(found - wanted) / (1e-300 + np.abs(wanted))))


CASES = [*cases.all_of(), *cases_of_training.all_of()]
NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_page_says_what_the_code_does(case):
    found = list(errors(case))
    assert found
    assert max(found) < case.tolerance


FALSE = [  # the formula, what is written on the page, and what a slip would make of it
    ("Eq. 9", r"R(\zeta \mid 0) - R(\zeta \mid 1)", r"R(\zeta \mid 1) - R(\zeta \mid 0)"),
    ("Eq. 9 in logits", r"f_0 / q + f_1 / (1 - q)", r"f_0 / (1 - q) + f_1 / q"),
    ("dzeta/dbeta, Sec. 3.3", r"= -\frac", r"= \frac"),
    ("Eq. 7", r"a_i - \lambda/2", r"a_i - \lambda"),
    ("Eq. 7's gradient in zeta", r"M \mu - M \zeta", r"M \zeta - M \mu"),
    ("log det", r"+ \tfrac12 \log \det\left( I", r"- \tfrac12 \log \det\left( I"),
    ("mean field, right", r"a^R + b^R + m^L W", r"a^R + m^L W"),
    ("H(m) - E^(m), Eq. 6", r"\max(b_i, 0)\, (1 - m_i)", r"\max(b_i, 0)\, m_i"),
    ("Eq. 5 in W", r"m^L_i m^R_j", r"m^L_i m^L_i"),
    ("Eq. 3", r"- \log K", r"+ \log K"),
    ("DVAE's gradient in q, left", r"(1 - z_i)\, q_i", r"(1 - q_i)\, q_i / 2"),
    ("batch norm's d x", r"- \hat x_n \cdot", r"+ \hat x_n \cdot"),
    ("batch norm's scale", r"\omega + \epsilon", r"\omega"),
    ("Adam", r"{1 - \beta_1^t}", r"{1 - \beta_2^t}"),
    ("nu", r"\mathrm{logit}(q) + b", r"\mathrm{logit}(q) - b"),
    ("E(z)", r"-a \cdot z", r"a \cdot z"),
    ("batch norm's d x", r"\hat x_n \cdot", r"\hat x_r \cdot"),
    ("b of two widths", r"\log \frac{v_0}{v_1}", r"\log \frac{v_1}{v_0}"),
    ("dKL/dm", r"- \Big( a_i", r"+ \Big( a_i"),
    ("Eq. 5 in b", r"b_i} = m_i", r"b_i} = 1 - m_i"),
    ("Eq. 7's gradient in W", r"- W \left( \lambda^2", r"+ W \left( \lambda^2"),
    ("log w to second order", r"{2\, p(x)^2}", r"{p(x)^2}"),
    ("the bias of log Z", r"\log Z - \frac", r"\log Z + \frac"),
    ("the variance of log Z", r"{R Z^2}", r"{R Z}"),
    ("AIS's increment", r"1 + y\, (1 + \vartheta)", r"1 + y\, (1 - \vartheta)"),
]


@pytest.mark.parametrize(("name", "written", "slip"), FALSE, ids=[f[0] for f in FALSE])
def test_false_formulas_are_seen(name, written, slip):
    """By their numbers, whatever the golden copy says."""
    case = CASES[NAMES.index(name)]
    text = display(case)[1]
    assert written in text
    assert max(errors(case, text.replace(written, slip))) > 10 * case.tolerance


@pytest.mark.parametrize(
    ("page", "written", "slip"),
    [
        ("07", r"\nu_i\, \mu_j", r"\mu_i\, \mu_j"),
        ("06", r"\lambda = \max(\beta, \lVert W \rVert + 5)", r"\lambda = \max(\beta, \lVert W \rVert) / 2"),
    ],
)
def test_false_formulas_that_are_not_evaluated_are_no_golden_copies(page, written, slip):
    """An edit of the page fails until the copy is renewed, and shows there as a difference."""
    [(name, text)] = [(n, t) for n, t in pages.formulas().items() if n.startswith(page) and written in t]
    assert pages.golden()[name] == text != text.replace(written, slip)


def test_no_formula_has_changed_unseen():
    """`make formulas` shows what has, and renews the copies."""
    assert pages.formulas() == pages.golden()


def test_every_page_has_displays():
    assert {name[:2] for name in pages.displays()} == {path.name[:2] for path in pages.DERIVATIONS.glob("[0-9]*.md")}
