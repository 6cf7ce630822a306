"""Exported values and gradients against the plain NumPy example: the paper's formulas once more, complex steps."""

from dataclasses import replace

import numpy as np
import pytest
from judging import SEEDS, entry_of, judge, load

from dvae_ref.conformance import case, compare, quantity, tolerances, vectors
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantities import own_networks, smoothings
from dvae_ref.runs import evaluation
from dvae_ref.theory import mixture, spike


@pytest.mark.parametrize("name", QUANTITIES)
def test_float32_agrees_with_the_plain_implementation_in_float64(plain_answers, name):
    """That of the same inputs: float32 outputs are right, not only the same again."""
    one, exact = case(name, dtype="float32"), plain_answers(0, name)
    allowed = tolerances.estimate(one.quantity, 0, np.float32)
    for array, value in quantity.outputs(one.quantity, one.inputs).items():
        error = np.abs(value.astype(float) - exact[array])
        assert np.all(error <= allowed[array].allow(exact[array]))


@pytest.mark.parametrize("name", QUANTITIES)
def test_what_is_off_by_more_than_the_tolerance_is_rejected(kits, name):
    """One element of each array off by 1.02 tolerances, or a flipped spin; off by 0.98, it is accepted. The two are
    told apart as long as |y| 2^-53, what storing it may change, is below 0.02 tolerances: these are 64 times more."""
    entry = entry_of(kits(), name)
    ours = vectors.read_ours(kits(), entry)
    rng = np.random.default_rng(0)
    for array in (a for a in entry["arrays"] if a["role"] != "input"):
        value, tolerance = ours[array["name"]].astype(float), tolerances.of_record(array["tolerance"])
        index = tuple(rng.integers(n) for n in value.shape)
        allowed = tolerance.allow(value)[index]
        for factor, passes in ((1.02, False), (0.98, True)):
            off = value.copy()
            off[index] += factor * allowed if allowed else 1 - passes
            assert compare.compare(array["name"], ours[array["name"]], off, tolerance).passed == passes


SIGMOID = "return 1 / (1 + np.exp(-x))"
BACKPROPAGATED = "s = 1 / (1 + np.exp(-fixed(x)))\n    return s + 1j * np.imag(x) * s * (1 - s)"
SUBTRACTING = "objective_dvaes_power_2nonlin_k3"


def test_gradients_as_backpropagation_through_a_sigmoid_has_them_agree(kits, example_source):
    """s (1 - s) is off by the rounding of 1 where s is nearly 1: plain, and right in float64."""
    assert SIGMOID in example_source
    theirs = load(example_source.replace(SIGMOID, BACKPROPAGATED)).answer(kits(), SUBTRACTING)
    assert judge(kits(), SUBTRACTING, theirs).passed
    item = replace(QUANTITIES[SUBTRACTING], subtracted=lambda inputs: {})
    ours, allowed = quantity.outputs(item, quantity.inputs(item, 0)), tolerances.estimate(item, 0, np.float64)
    control = [compare.compare(name, ours[name], theirs[name], allowed[name]) for name in ours]
    assert not all(finding.passed for finding in control)


def test_the_spike_s_slope_is_the_library_s():
    """In terms of rho; s regained from it loses up to 1/(q s) of its digits, times e^beta."""
    given = quantity.inputs(QUANTITIES["smoothing_spike"], 3)
    found = quantity.outputs(QUANTITIES["smoothing_spike"], given)
    q, beta = given["q"], float(given["beta"])
    slope = spike.d_zeta_d_logit_q(smoothings.logit(q), found["cdf"], beta)
    usual = np.minimum(q, 1 - q) > 0.01
    expected = np.where(given["zeta"] > 0, slope, 0)[usual] / (q * (1 - q))[usual]
    np.testing.assert_allclose(found["d_zeta_d_q"][usual], expected, rtol=1e-11)


def test_the_slope_in_q_is_the_library_s():
    """d log q(zeta|x)/dq is that in logit q over q (1 - q); nu - q loses 1e-16 / (q (1 - q)) < 1e-10 there."""
    rng = np.random.default_rng(0)
    q, b = smoothings.draw_q(rng, (5, 4), 12), rng.normal(0, 8, (5, 4))
    d_logit_q, _ = mixture.log_q_backward(np.ones(5), mixture.LogQ(smoothings.logit(q), b))
    np.testing.assert_allclose(smoothings.slope_in_q(q, b), d_logit_q / (q * (1 - q)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_nll_is_that_of_the_evaluation(seed):
    """A float64's last places of log-weights and log Z of hundreds: 1e-13 each. Off by one sample, it is seen."""
    given = quantity.inputs(QUANTITIES["bound_discrete"], seed)
    found, log_w = quantity.outputs(QUANTITIES["bound_discrete"], given), given["log_w"] - given["log_z"]
    for n, k in enumerate(given["samples"]):
        expected = evaluation.of_log_weights(log_w[:, :k])
        np.testing.assert_allclose(found["log_p_x"][n], expected.log_px, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found["nll"][n], expected.summary()["nll"], rtol=0, atol=1e-12)
        assert np.abs(found["log_p_x"][n - 1] - expected.log_px).max() > 0.1


@pytest.mark.parametrize("baseline", own_networks.CHOSEN)
def test_own_networks_make_up_the_objective(example_source, baseline):
    """The bound, and the gradient in the last group's logits at fixed rho, as docs/conformance.md puts it together: in
    its sum over rows that of the output layer's bias. Without the decoder's part it is another number."""
    item, example = QUANTITIES[f"objective_{baseline}_2nonlin_k3"], load(example_source)
    given = quantity.inputs(item, 0)
    whole, kind, law = quantity.outputs(item, given), example.BASELINES[baseline][1], example.law_of(given)
    x = np.repeat(given["x"], int(given["k"]), axis=0) - given["mean_x"]
    zeta, q, rest, _, slope = (np.real(part) for part in example.encode(kind, given, x, given["zeta"], law))

    def decoder(zeta):
        return example.network(given, "decoder", zeta) + np.log(given["mean_x"] / (1 - given["mean_x"]))

    a, W = given["rbm.a"], given["rbm.W"]
    mine = {"a": a, "W": W, "logit_q": np.log(q / rest), "logits": decoder(zeta), "log_z": example.log_z(a, W)}
    left_out = ("beta",) if kind == "spike_exp" else ()
    mine = {name: value for name, value in (given | mine).items() if name not in left_out}
    found = quantity.outputs(QUANTITIES[f"own_networks_{baseline}"], mine)
    np.testing.assert_allclose(found["bound"], whole["bound"], rtol=1e-12)
    through = example.gradients(lambda v: np.sum(found["d_logits"] * decoder(v["zeta"])), {"zeta": zeta})["d_zeta"]
    has_spike = kind == "spike_exp"
    R0, R1 = (example.distribution("exp" if has_spike else kind, zeta, z, *law) for z in (0, 1))
    moves = (zeta > 0) * (1 - R1 if has_spike else R0 - R1) / slope * q * rest
    last = slice(zeta.shape[1] // 2, None)
    for decoded, agrees in ((through, True), (0, False)):
        total = found["d_logit_q"] + (found.get("d_zeta", 0) + decoded) * moves
        error = np.abs(total[:, last].sum(0) - whole["d_encoder.1.out.bias"]).max()
        assert (error < 1e-9) == agrees
