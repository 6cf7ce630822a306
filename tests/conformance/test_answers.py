"""Answers in one JSON file, as other languages write them: what is read, and what is said of the rest."""

import json

import pytest

from dvae_ref import cli
from dvae_ref.conformance import case, quantity
from dvae_ref.conformance import export as exporting
from dvae_ref.conformance.catalogue import QUANTITIES

ENERGY = quantity.outputs(case("energy").quantity, case("energy").inputs)["energy"].tolist()
SAID = {  # name: (the file, exit code, words, the last line's)
    "right": ({"energy": {"energy": ENERGY}}, 0, "ok    energy", "the one quantity that is there agrees"),
    "null": ({"energy": {"energy": [None, *ENERGY[1:]]}}, 1, "1 of 6 are NaN or infinite", "disagrees"),
    "NaN": ({"energy": {"energy": [float("nan"), *ENERGY[1:]]}}, 1, "1 of 6 are NaN or infinite", "disagrees"),
    "infinite": ({"energy": {"energy": [float("-inf"), *ENERGY[1:]]}}, 1, "theirs -inf", "disagrees"),
    "a number beyond float64": ({"energy": {"energy": [10**400] * 6}}, 1, "int too large to convert", "disagrees"),
    "a misspelt name": (
        {"energi": {}, "energy": {"energy": ENERGY}},
        0,
        "??    energi is no quantity's; did you mean energy?",
        "agrees",
    ),
    "text": ({"energy": {"energy": "all"}}, 1, "energy must be an array of real numbers, got str", "disagrees"),
}
NOTHING = {"empty": {}, "others alone": {"energi": {"energy": ENERGY}}}


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "QUANTITIES", {name: QUANTITIES[name] for name in ("energy", "adam")})
        exporting.export(folder, 0, "float64")
    return folder


@pytest.fixture
def check(kit, tmp_path, capsys):
    def run(content):
        (tmp_path / "theirs.json").write_text(json.dumps(content))
        try:
            code = cli.main(["conformance", "check", str(kit), str(tmp_path / "theirs.json")])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", SAID)
def test_what_a_json_file_says(check, name):
    content, expected, words, last = SAID[name]
    code, out, _ = check(content)
    assert (code, words in out, last in out.splitlines()[-1]) == (expected, True, True), out


@pytest.mark.parametrize("name", NOTHING)
def test_a_json_file_without_a_quantity_is_nothing_to_compare(check, name):
    """It agreed, with all 0 of them."""
    code, _, err = check(NOTHING[name])
    assert (code, "theirs.json has none of the quantities, e.g. energy" in err) == (2, True)
