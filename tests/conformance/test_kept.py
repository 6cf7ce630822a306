"""A seed keeps its inputs from release to release, and tolerances what they allow for: stored answers stay right.

Whoever changes either on purpose renews kept.json (kept.py), and says so in CHANGELOG.md.
"""

import json

import kept
import pytest

from dvae_ref.conformance.catalogue import QUANTITIES

EXPECTED = json.loads(kept.KEPT.read_text())


def test_all_quantities_are_kept():
    assert list(EXPECTED) == list(QUANTITIES)


@pytest.mark.parametrize("name", QUANTITIES)
def test_inputs_and_sizes_are_what_they_were(name):
    inputs, *sizes = kept.found(QUANTITIES[name])
    assert inputs == EXPECTED[name][0]
    assert sizes == pytest.approx(EXPECTED[name][1:], rel=1e-6)
