"""The script that compares commits sees what it should; the comparison itself takes minutes, and is run by hand."""

import numpy as np
from same_bytes import differences


def test_one_bit_and_one_missing_array_are_seen():
    before = {"a": np.zeros(3), "b": np.float32([1, 2])}
    assert differences(before, dict(before)) == []
    assert differences(before, before | {"a": np.array([0, -0.0, 0])}) == ["a"]
    assert differences(before, {"a": before["a"]}) == ["b"]
