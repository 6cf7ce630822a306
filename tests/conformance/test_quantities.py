"""What a kit draws can be failed: an output that is zero whatever an implementation does checks nothing."""

import numpy as np
import pytest

from dvae_ref.conformance import quantity
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantities import objectives

NOTHING = (
    1e-6  # over SEEDS, gradients that vanish by law are below 1e-11; the smallest array that is checked has 1.2e-3
)
SEEDS = range(6)


def vanishing(name, seed):
    """Outputs without a number above NOTHING; the bias before batch norm has no gradient by law."""
    item = QUANTITIES[name]
    found = quantity.outputs(item, quantity.inputs(item, seed)).items()
    return [
        output
        for output, value in found
        if value.dtype.kind == "f" and np.abs(value).max() < NOTHING and not output.endswith("dense.bias")
    ]


@pytest.mark.parametrize("name", QUANTITIES)
def test_no_output_vanishes(name):
    assert [vanishing(name, seed) for seed in SEEDS] == [[]] * len(SEEDS)


def test_control_a_batch_of_equal_images_trains_no_hidden_layer(monkeypatch):
    """Drawn independently, four images of five pixels were all alike once in some 400 batches."""
    monkeypatch.setattr(objectives, "draw_images", lambda rng, number: np.tile([0.0, 1, 0, 0, 1], (number, 1)))
    monkeypatch.setattr(objectives.trouble, "in_decoder", lambda named, x: named)  # which makes pixels differ, too
    assert "d_encoder.0.hidden.0.dense.kernel" in vanishing("objective_dvaes_power_1nonlin_k1", 0)
