"""Every mistake of the registry: what it makes of the outputs is rejected, and named, alone or among equals.

test_sabotage.py makes most of them in an independent implementation; here it is each, wherever it may be made.
"""

import functools
from collections import Counter

import numpy as np
import pytest
from judging import representative

from dvae_ref.conformance import compare, diagnosis, quantity, tolerances
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.mistakes import REGISTRY, Case, mistake

SMALL = {  # of 1e-7 beside numbers of order one: float32, u = 6e-8, cannot tell
    "1e-7 is added inside the logarithms of H(m)",
    "1e-7 is added to q(zeta) inside the logarithm",
    "q is clipped: min(q, 1 - 1e-7)",
    "AMSGrad: the larger of the old and the new v",  # where v hardly moves
    "the powers of beta1 and beta2 are float32's, multiplied up: TensorFlow 1",
    "the gradient passes through min(0.999, q): the authors' release",  # 6e-6 of a gradient of images far from theirs
    *("softplus(x) is cut: x above 10", "softplus(x) is cut: x above 20, as in PyTorch"),
}

CONVERGED = {  # after five sweeps of a whole model: float32 cannot tell
    "the gradient runs through the mean field, which Eq. 5 holds fixed",
    *("the left side is updated before the right", "one sweep too many", "one sweep too few"),
    "m starts from 0, not from 1/2",
}


@functools.cache
def alternatives(name, seed):
    """(right outputs, (mistake, outputs) of every mistake), in float64."""
    case = diagnosis.case_of(QUANTITIES[name], quantity.inputs(QUANTITIES[name], seed))
    return case.outputs, diagnosis.alternatives(case)


def diagnoses(name, seed, dtype):
    """(mistake, failing arrays, diagnoses) of every mistake in a quantity."""
    item = QUANTITIES[name]
    ours = quantity.outputs(item, quantity.inputs(item, seed, dtype))
    allowed = tolerances.estimate(item, seed, dtype)
    right, wrongs = alternatives(name, seed)
    for one, wrong in wrongs:
        theirs = {array: np.asarray(wrong[array], float) for array in ours}
        found = [compare.compare(array, ours[array], theirs[array], allowed[array]) for array in ours]
        assert {finding.failure for finding in found} <= {"", "differs"}
        failing = {finding.array for finding in found if not finding.passed}
        sharp = diagnosis.sharpened(allowed, right, theirs, failing)
        yield one, failing, diagnosis.diagnose(wrongs, theirs, failing, sharp, right)


LATER = [pytest.param(name, marks=() if representative(name) else pytest.mark.release) for name in QUANTITIES]


@pytest.mark.parametrize("name", LATER)
def test_each_is_rejected_and_named(name):
    """In a variant of an objective it may be nothing (log K with K = 1), or the same as another one."""
    for one, failing, found in diagnoses(name, 1, np.float64):
        assert failing or not representative(name), one.name
        if not failing:
            continue
        names = {name for one_of in found for name in one_of.mistakes}
        if one.anywhere:  # a factor or a sign may be what a mistake of the theme comes to
            assert names
        elif representative(name):
            assert names == {one.name}
        else:
            assert one.name in names


@pytest.mark.parametrize("name", [name for name in QUANTITIES if representative(name)])
def test_in_float32_most_are_still_seen_and_named(name):
    for one, failing, found in diagnoses(name, 1, np.float32):
        if one.anywhere or one.name in SMALL or (name.startswith("objective") and one.name in CONVERGED):
            continue
        assert failing, one.name
        assert one.name in {name for one_of in found for name in one_of.mistakes}


def test_every_mistake_may_be_made_somewhere_and_is_registered_once():
    for one in REGISTRY:
        assert any(one.concerns(name) for name in QUANTITIES), one.name
    pairs = Counter((one.name, name) for one in REGISTRY for name in QUANTITIES if one.concerns(name))
    assert max(pairs.values()) == 1


def test_control_a_factor_that_no_mistake_explains_has_no_name():
    item = QUANTITIES["energy"]
    given = quantity.inputs(item, 0)
    case = diagnosis.case_of(item, given)
    theirs = {name: 1.1 * value for name, value in case.outputs.items()}
    allowed = tolerances.estimate(item, 0, np.float64)
    assert diagnosis.diagnose(diagnosis.alternatives(case), theirs, set(theirs), allowed, case.outputs) == []


def test_control_rounding_alone_looks_like_no_mistake():
    """Off by two tolerances in one number: many a mistake changes that gradient by less."""
    item = QUANTITIES["objective_dvaes_power_1lin_k3"]
    given = quantity.inputs(item, 0)
    theirs = quantity.outputs(item, given)
    allowed = tolerances.estimate(item, 0, np.float64)
    name = "d_encoder.0.out.bias"
    theirs[name] = theirs[name] + 2 * allowed[name].allow(theirs[name]) * [1, 0, -1, 0]
    assert diagnosis.of(item, given, theirs, {name}, allowed, seconds=1) == []


def named(name, **changed):
    """{array: names} of the diagnoses of the right outputs of a quantity, some of them changed."""
    item = QUANTITIES[name]
    given = quantity.inputs(item, 0)
    ours = quantity.outputs(item, given)
    theirs = ours | {array: change(ours[array]) for array, change in changed.items()}
    found = diagnosis.of(item, given, theirs, set(changed), tolerances.estimate(item, 0, np.float64), seconds=1)
    return {array: one.mistakes for one in found for array in one.arrays}


def test_a_mistake_that_would_have_changed_what_is_right_is_not_named():
    """Were the energy's sign wrong, the free energy would be; were the couplings', J and the energy."""
    assert named("free_energy", p_right=lambda p: 1 - p) == {
        "p_right": ("p(z_right = 0 | left) in place of p(z_right = 1 | left)",)
    }
    found = named("ising", h=lambda h: h + 1, offset=lambda offset: -offset - 1)
    assert "the couplings have the opposite sign" not in {name for names in found.values() for name in names}


def test_a_mistake_may_be_in_the_values_or_in_gradients_written_by_hand_alone():
    assert "c = log r(zeta|0) is left out" in next(iter(named_of_gradient().values()))
    sign = "the couplings have the opposite sign"
    item = QUANTITIES["energy"]
    wrong = dict(alternatives("energy", 0)[1])
    value = next(outputs["energy"] for one, outputs in wrong.items() if one.name == sign)
    assert named(item.name, energy=lambda _: value) == {"energy": (sign,)}


def named_of_gradient():
    found = dict(alternatives("log_p_overlapping_exp", 0)[1])
    d_zeta = next(outputs["d_zeta"] for one, outputs in found.items() if one.name.startswith("c = log r(zeta|0)"))
    return named("log_p_overlapping_exp", d_zeta=lambda _: d_zeta)


def test_a_gradient_of_zeros_is_that_and_not_a_mistake_whose_gradient_is_zero():
    assert named("kl_dvaepp_exp", d_zeta=lambda d: 0 * d) == {"d_zeta": ("no gradient: all are 0",)}


def test_one_number_has_no_temperature():
    """Some temperature makes any log Z; E[z] tells."""
    assert named("log_z", log_z=lambda value: value - 3) == {}


@pytest.mark.parametrize(
    ("wrong", "off", "explained"),
    [(1e12, 1e-10, True), (1e12, 1e-6, False), (5.0, 1e-10, False)],
)
def test_of_what_a_mistake_blows_up_half_the_digits_have_to_agree(wrong, off, explained):
    """1 / (1 - q) loses digits that right formulas have; of an array of the usual size all of them count."""
    ours, wrong = {"d": np.array([1.0, 2.0])}, {"d": np.array([wrong, 3.0])}
    theirs = {"d": wrong["d"] * (1 + off)}
    error = diagnosis.errors(wrong, theirs, {"d": tolerances.Tolerance(1e-14, 1e-14, "")}, ours)["d"]
    assert (error <= diagnosis.SLACK) is explained


def test_two_mistakes_at_once_are_both_named():
    item = QUANTITIES["smoothing_exp"]
    given = quantity.inputs(item, 0)
    ours = quantity.outputs(item, given)
    theirs = ours | {"d_zeta_d_q": -ours["d_zeta_d_q"], "quantile": 1 - ours["quantile"]}
    theirs["quantile"] = quantity.outputs(item, given | {"rho": 1 - given["rho"]})["quantile"]
    found = diagnosis.diagnose(
        diagnosis.alternatives(diagnosis.case_of(item, given)),
        theirs,
        {"d_zeta_d_q", "quantile"},
        tolerances.estimate(item, 0, np.float64),
        ours,
    )
    assert {(d.mistakes, d.arrays) for d in found} == {
        (("dzeta/dq has the opposite sign: R(zeta|1) - R(zeta|0)",), ("d_zeta_d_q",)),
        (("rho counts from the other end of the CDF",), ("quantile",)),
    }


def test_a_mistake_is_added_in_three_lines(monkeypatch):
    monkeypatch.setattr("dvae_ref.conformance.mistakes.registry.REGISTRY", registry := [])

    @mistake("the biases are left out", "energy")
    def without_biases(case):
        return case.again({"a": 0 * case.inputs["a"]})

    given = quantity.inputs(QUANTITIES["energy"], 0)
    wrong = registry[0].wrong(Case(QUANTITIES["energy"], given, quantity.outputs(QUANTITIES["energy"], given)))
    left, right = given["z"][:, :4], given["z"][:, 4:]
    np.testing.assert_allclose(wrong["energy"], -np.sum(left @ given["W"] * right, 1), rtol=1e-13)
