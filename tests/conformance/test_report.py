"""Verdicts in words: how far a whole model is right, and what is listed of many arrays."""

import numpy as np
import pytest

from dvae_ref.conformance import case, quantity


def test_of_a_whole_model_it_is_said_how_far_it_is_right():
    one = case("objective_dvaes_power_1lin_k1")
    ours = quantity.outputs(one.quantity, one.inputs)
    shuffled = {name: value * np.linspace(1, 2, value.size).reshape(value.shape) for name, value in ours.items()}
    for names, words in (
        (("q", "bound"), "q differs: begin with the encoder's networks"),
        (("bound", "d_rbm.a"), "q agrees, and with it the encoder"),
        (("d_rbm.a",), "q and the bound agree: the gradient alone differs"),
    ):
        with pytest.raises(AssertionError, match=words):
            one.check(ours | {name: shuffled[name] for name in names})


def test_of_many_arrays_that_differ_some_are_listed():
    one = case("objective_dvaes_power_2nonlin_k1")
    ours = quantity.outputs(one.quantity, one.inputs)
    with pytest.raises(AssertionError) as caught:
        one.check({name: value + np.linspace(1, 2, value.size).reshape(value.shape) for name, value in ours.items()})
    assert f"and {len(ours) - 12} arrays more" in str(caught.value)
    assert f"and {len(ours) - 3} more" in str(caught.value)
    assert str(caught.value).count("\n") < 20
