"""What a kit of seed 0 is drawn from, and what its tolerances allow for: python tests/conformance/kept.py renews it."""

import json
from pathlib import Path

import numpy as np

from dvae_ref.conformance import fingerprint, quantity
from dvae_ref.conformance.catalogue import QUANTITIES

KEPT = Path(__file__).with_name("kept.json")


def found(item):
    """Of a Quantity [the inputs' fingerprint, the sum of the terms' sizes, that of what is subtracted]."""
    given = quantity.inputs(item, 0)
    return [fingerprint.of_inputs(given)[:16], summed(item.terms(given)), summed(item.subtracted(given))]


def summed(sizes):
    """Over all outputs, to eight digits: CPUs differ in the last ones."""
    return float(f"{sum(map(np.sum, sizes.values())):.8g}")


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(found(item))}" for name, item in QUANTITIES.items()]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
