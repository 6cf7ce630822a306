"""metrics.jsonl on its own: what is kept, what is cut, what a power cut may have taken. (test_run_files: in runs.)"""

import json

import pytest

from dvae_ref.runs.metrics import Metrics

LINES = b'{"iteration": 1}\n{"iteration": 2}\n{"iteration": 3}\n'
FIRST, SECOND = 17, 34  # where the first line ends, and the second


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(LINES)
    return path


@pytest.mark.parametrize("size", [0, FIRST, SECOND, 51])
def test_what_a_checkpoint_does_not_know_of_is_cut_off(path, size):
    assert Metrics(path, size).size == size
    assert path.read_bytes() == LINES[:size]


def test_a_new_one_is_empty(path):
    assert Metrics(path).size == 0
    assert path.read_bytes() == b""


@pytest.mark.parametrize(("left", "whole"), [(SECOND + 5, SECOND), (SECOND, SECOND), (FIRST + 1, FIRST), (3, 0)])
def test_a_file_that_lost_its_end_keeps_its_whole_lines(path, left, whole):
    path.write_bytes(LINES[:left])
    with pytest.warns(UserWarning, match=r"metrics\.jsonl is shorter than its checkpoint knows it; records are"):
        metrics = Metrics(path, 51)
    assert metrics.size == whole
    assert path.read_bytes() == LINES[:whole]


def test_a_record_is_a_line_and_the_size_that_of_the_file(path):
    metrics = Metrics(path, FIRST)
    for iteration in (5, 6):
        metrics.write({"iteration": iteration, "bound": None})
        assert metrics.size == path.stat().st_size
    metrics.sync()
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [1, 5, 6]
