"""What files may say: records as the programs write them pass, and every value out of place is named."""

import math

import pytest

from dvae_ref.files import schema

HEADER = {
    "settings": {"k": 1},
    "data": "bundled",
    "metrics_bytes": 0,
    "iteration": 20,
    "validated": 10,
    "best_iteration": 10,
    "best_nll": 90.5,
    "log_z": 3,
    "bound_sum": -1e4,
}
EVALUATION = {
    "checkpoint": "best",
    "split": "test",
    "data": "bundled",
    "nll": 90.0,
    "nll_standard_error": 0.5,
    "best_validation_nll": 91,
    "log_z_standard_error": 0.0,
    "log_z_effective_samples": 9.5,
    "validated": 10,
    "images": 1,
    "images_there": 500,
    "samples": 1,
    "temperatures": 2,
    "ais_chains": 2,
    "seed": 0,
}
TEXTS, HUGE = ["", "3", [], {}, None], [math.inf, -math.inf, math.nan, 10**400, -(10**400)]
NO_NUMBER = [*TEXTS, *HUGE, True]
NO_COUNT = [*NO_NUMBER, 1.0, -1, 2**63]


@pytest.mark.parametrize(
    ("rule", "record", "name", "wrong"),
    [
        *(("HEADER", HEADER, name, NO_COUNT) for name in ("metrics_bytes", "iteration", "validated", "best_iteration")),
        *(("HEADER", HEADER, name, NO_NUMBER) for name in ("log_z", "bound_sum")),
        ("HEADER", HEADER, "best_nll", ["", [], {}, True, math.nan, -math.inf, 10**400]),
        ("HEADER", HEADER, "settings", [3, "k", None, []]),
        ("HEADER", HEADER, "data", [3, None, []]),
        *(("EVALUATION", EVALUATION, name, NO_COUNT) for name in ("images", "samples", "temperatures", "ais_chains")),
        ("EVALUATION", EVALUATION, "seed", NO_COUNT),
        ("EVALUATION", EVALUATION, "images", [0]),
        ("EVALUATION", EVALUATION, "temperatures", [1]),
        ("EVALUATION", EVALUATION, "nll", NO_NUMBER),
        ("EVALUATION", EVALUATION, "log_z_standard_error", [*NO_NUMBER, -0.1]),
        *(("EVALUATION", EVALUATION, name, ["", [], *HUGE, True]) for name in ("nll_standard_error", "validated")),
        ("EVALUATION", EVALUATION, "best_validation_nll", ["", [], *HUGE, True]),
        ("EVALUATION", EVALUATION, "checkpoint", [3, None]),
    ],
)
def test_every_value_out_of_place_is_named(rule, record, name, wrong):
    rules = getattr(schema, rule)
    assert schema.check(record, rules, "file") is record
    assert schema.check(record | {"of a later version": []}, rules, "file")
    for value in wrong:
        with pytest.raises(ValueError, match=rf"^file is damaged: expected {name} to be .*, got "):
            schema.check(record | {name: value}, rules, "file")


@pytest.mark.parametrize(("rules", "record"), [(schema.HEADER, HEADER), (schema.EVALUATION, EVALUATION)])
def test_what_is_missing_is_named_unless_an_earlier_version_did_not_write_it(rules, record):
    absent = []
    for name in record:
        without = {other: value for other, value in record.items() if other != name}
        try:
            schema.check(without, rules, "file")
        except ValueError as error:
            assert str(error).startswith(f"file is damaged: {name} is missing; expected a")  # noqa: PT017
        else:
            absent.append(name)
    assert absent == (
        ["data"]
        if rules is schema.HEADER
        else [
            *("data", "nll_standard_error", "best_validation_nll", "log_z_effective_samples", "validated"),
            "images_there",
        ]
    )


@pytest.mark.parametrize("value", [None, 3, "a", [], [{}]])
def test_what_is_no_object_is_said_to_be_none(value):
    with pytest.raises(ValueError, match="file is damaged: expected it to be an object, got"):
        schema.check(value, schema.EVALUATION, "file")


MANIFEST = {
    "quantities": [
        {
            "name": "energy",
            "file": "energy.npz",
            "sha256": "0" * 64,
            "arrays": [{"name": "rbm.W", "role": "input", "shape": [2, 3], "dtype": "float64"}],
        }
    ]
}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("file", "../energy.npz"),
        ("file", "/etc/passwd"),
        ("file", "energy"),
        ("file", ["energy.npz"]),
        ("sha256", "0" * 63),
        ("sha256", 0),
        ("name", "a/b"),
        ("name", {}),
        ("arrays", {}),
        ("arrays", [3]),
        ("arrays", [{"name": "a", "role": "input", "shape": [-1], "dtype": "float64"}]),
        ("arrays", [{"name": "a", "role": "input", "shape": 3, "dtype": "float64"}]),
        ("arrays", [{"name": "a", "role": "guess", "shape": [], "dtype": "float64"}]),
        ("arrays", [{"name": "a", "role": "input", "shape": [], "dtype": "object"}]),
        ("arrays", [{"name": "a", "role": "input", "shape": []}]),
    ],
)
def test_a_manifest_names_files_beside_it_and_arrays_of_numbers(place, value):
    schema.check(MANIFEST, schema.MANIFEST, "manifest.json")
    entry = MANIFEST["quantities"][0] | {place: value}
    with pytest.raises(ValueError, match=rf"^manifest.json is damaged: .*quantities\[0\]\.{place}"):
        schema.check({"quantities": [entry]}, schema.MANIFEST, "manifest.json")


def test_what_a_parser_takes_and_repr_does_not_is_said_to_be_nested():
    """The parser is called from fewer frames, so that a level or two are between what it takes and what repr does."""
    deep = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(RecursionError):
        repr(deep)
    with pytest.raises(ValueError, match=r"expected nll to be a number .*, got list nested too deeply to show"):
        schema.check(EVALUATION | {"nll": deep}, schema.EVALUATION, "file")


def test_what_was_found_is_said_in_a_line_of_bounded_length():
    with pytest.raises(ValueError, match=r"expected nll to be a number .*, got 'a.na.na") as error:
        schema.check(EVALUATION | {"nll": "a\n" * 10_000}, schema.EVALUATION, "file")
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)
