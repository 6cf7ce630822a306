"""The command line of the kit: what it prints, its exit codes, and what it makes of files it cannot use."""

import json
import os
import shutil
import zipfile

import hostile
import numpy as np
import pytest
from judging import judge

from dvae_ref.cli import main
from dvae_ref.conformance import check as checking
from dvae_ref.conformance import export as exporting
from dvae_ref.conformance import vectors
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.files import npz


@pytest.fixture
def cli(capsys):
    """Run a command in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        try:
            code = main(["conformance", *map(str, arguments)])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


FEW = (
    *("energy", "log_z", "mean_field", "gibbs", "log_q_exp", "log_q_logistic", "log_q_power", "log_q_gauss"),
    *("log_p_overlapping_exp", "bound_importance_weighted", "adam"),
)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A kit of these quantities alone."""
    folder = tmp_path_factory.mktemp("kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "QUANTITIES", {name: QUANTITIES[name] for name in FEW})
        exporting.export(folder, 0, "float64")
    return folder


@pytest.fixture
def kit(few, tmp_path):
    """A kit, to be spoilt at will."""
    return shutil.copytree(few, tmp_path / "kit")


@pytest.fixture
def theirs(few, tmp_path):
    """Outputs that agree."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for path in few.glob("*.npz"):
        shutil.copy(path, folder)
    return folder


def change(folder, quantity, **arrays):
    """Replace arrays of somebody's file; None removes one."""
    path = folder / f"{quantity}.npz"
    found = npz.read(path) | arrays
    np.savez(path, **{name: value for name, value in found.items() if value is not None})


def test_show_says_what_an_implementer_has_to_know(cli):
    """Every quantity in the list; of one, its formula, and all its arrays with shapes and meanings."""
    code, out, _ = cli("show")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(QUANTITIES)
    code, out, _ = cli("show", "log_q_p*")
    assert code == 0
    assert "log q(zeta|x) = sum_i log((1 - q_i) r(zeta_i|0) + q_i r(zeta_i|1))" in out
    assert "sum(cotangent * log_q)" in out
    for words in ("cotangent (7,) the weight of each row", "d_zeta (7, 7) gradient in zeta"):
        assert words in " ".join(out.split())
    assert "smoothing_power" not in out
    code, _, err = cli("show", "energy", "entropy")
    assert code == 2
    assert "no quantity entropy; there are energy, log_z" in err


@pytest.mark.slow
def test_export_then_check(cli, tmp_path, kits):
    code, out, _ = cli("export", tmp_path / "new" / "kit", "--dtype", "float32", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["quantities"] == len(QUANTITIES)
    for path in kits(dtype="float32").iterdir():
        assert (tmp_path / "new" / "kit" / path.name).read_bytes() == path.read_bytes()
    code, out, _ = cli("check", tmp_path / "new" / "kit", kits(dtype="float32"))
    assert (code, out.splitlines()[-1]) == (0, f"all {len(QUANTITIES)} quantities agree")


def test_outputs_alone_are_enough(cli, few, theirs):
    """The inputs need not be there, nor arrays that nobody asked for be absent."""
    change(theirs, "energy", a=None, W=None, z=None, cotangent=None, mine=np.ones(3))
    assert cli("check", few, theirs)[0] == 0


def test_a_mismatch_says_where_and_what_it_looks_like(cli, few, theirs):
    ours = npz.read(few / "bound_importance_weighted.npz")["bound"]
    change(theirs, "bound_importance_weighted", bound=ours + np.log(3))
    code, out, _ = cli("check", few, theirs, "--json")
    assert code == 1
    assert "FAIL  bound_importance_weighted\n" in out
    lines = [f"bound[{i}]: theirs {y + np.log(3):.10g}, ours {y:.10g}, off by 1.1, allowed" for i, y in enumerate(ours)]
    assert any(line in out for line in lines)
    assert "looks like: log-sum-exp without -log K  (all that differ)" in out
    assert f"1 of {len(FEW)} quantities disagree" in out
    record = json.loads(out.splitlines()[-1])
    (failed,) = (quantity for quantity in record["quantities"] if not quantity["passed"])
    assert failed["diagnoses"] == [{"mistakes": ["log-sum-exp without -log K"], "arrays": ["bound"]}]


def test_what_is_missing_misshapen_or_not_finite_is_said(cli, few, theirs):
    log_z = npz.read(few / "log_z.npz")
    change(theirs, "energy", energy=None)
    change(theirs, "log_z", mean_zz=log_z["mean_zz"].T, mean_z=log_z["mean_z"][:, None], log_z=np.array(np.nan))
    change(theirs, "gibbs", z_after=np.full((2, 25, 12), np.inf))
    (theirs / "adam.npz").unlink()
    code, out, _ = cli("check", few, theirs, "--all")
    assert code == 1
    assert "energy is missing: expected float64 (6,)" in out
    assert "the numbers are right, but transposed" in out
    assert "mean_z has the shape (12, 1), expected (12,); the numbers are right, but in another shape" in out
    assert "1 of 1 are NaN or infinite, e.g. log_z: theirs nan" in out
    assert "are NaN or infinite, e.g. z_after[" in out
    assert "p_after is missing" in out
    assert f"4 of {len(FEW)} quantities disagree" in out


def test_partial_answers_are_normal(cli, few, theirs):
    """What is not there is counted; with --all it fails."""
    change(theirs, "energy", d_W=None)
    for name in FEW:
        if name not in ("energy", "adam"):
            (theirs / f"{name}.npz").unlink()
    code, out, _ = cli("check", few, theirs)
    assert (code, out.splitlines()[-1]) == (0, f"all 2 quantities agree; not attempted: {len(FEW) - 2}")
    (line,) = (line for line in out.splitlines() if line.startswith("ok    energy"))
    assert line.endswith("not attempted: d_W")
    code, out, _ = cli("check", few, theirs, "--all")
    assert code == 1
    assert "d_W is missing" in out
    assert f"{len(FEW) - 1} of {len(FEW)} quantities disagree" in out


def test_names_are_guessed(cli, few, theirs):
    (theirs / "adam.npz").rename(theirs / "adams.npz")
    np.savez(theirs / "energy.npz", energie=np.ones(6))
    code, out, _ = cli("check", few, theirs)
    assert code == 1
    assert "adams.npz is no quantity's; did you mean adam?" in out
    assert "it holds none of energy, d_a, d_W, d_z, but energie; did you mean energy?" in out
    code, _, err = cli("check", few, theirs, "--only", "log_q_powr")
    assert code == 2
    assert "no quantity log_q_powr; did you mean log_q_power?" in err


@pytest.mark.parametrize("with_inputs", [True, False])
def test_outputs_of_another_seed_are_recognised(cli, few, kits, theirs, with_inputs):
    """By copies of the inputs, or by the numbers themselves."""
    other = npz.read(kits(1) / "log_q_exp.npz")
    outputs = {name: other[name] for name in ("log_q", "d_q", "d_zeta")}
    np.savez(theirs / "log_q_exp.npz", **(other if with_inputs else outputs))
    code, out, _ = cli("check", few, theirs, "--only", "log_q_exp")
    assert code == 1
    said = "computed from other inputs: those of seed 1" if with_inputs else "these are the outputs for seed 1: export"
    assert said in out
    assert "looks like" not in out


def test_failures_are_ordered_and_counted_by_flag(cli, few, theirs):
    """Energy is in the mean field and that in log p: it is to be mended first. Rows of known trouble are counted."""
    for name in ("energy", "mean_field", "log_p_overlapping_exp", "adam"):
        ours = npz.read(few / f"{name}.npz")
        array = {"energy": "energy", "mean_field": "m", "adam": "p_after"}.get(name, "log_p")
        change(theirs, name, **{array: ours[array] + 0.1})
    log_q = npz.read(few / "log_q_power.npz")["log_q"]
    log_q[-1] += 1  # a row of trouble
    change(theirs, "log_q_power", log_q=log_q)
    code, out, _ = cli("check", few, theirs)
    assert code == 1
    assert "; mend first: energy, log_q_power, adam (2 of the others contain these)" in out
    assert "large-logit 1 of 2, no flag 0 of " in out


def test_agreement_in_digits_hints_at_its_cause(few):
    ours = npz.read(few / "log_z.npz")
    for error, words in ((3e-8, "7 digits: a constant in float32?"), (3e-13, "12 digits: rounding")):
        verdict = judge(few, "log_z", {"mean_z": ours["mean_z"] * (1 + error)})
        assert words in verdict.worst.where
    guard = {3e-4: None, 3e-5: 4, 3e-6: 5, 3e-7: None, 3e-9: 8, 3e-11: 10}  # of 6 and 7 digits: a constant
    for error, digits in guard.items():
        found = judge(few, "log_z", {"mean_z": ours["mean_z"] * (1 + error)}).worst.where
        assert ("a guard of 1e-7?" in found) == (digits is not None), (error, found)
        assert digits is None or f"it agrees to {digits} digits: " in found
    ours = npz.read(few / "log_q_exp.npz")["d_q"]
    assert "9 digits: finite differences?" in judge(few, "log_q_exp", {"d_q": ours * (1 + 3e-10)}).worst.where


def test_what_no_mistake_explains_is_said(cli, few, theirs):
    ours = npz.read(few / "energy.npz")
    change(theirs, "energy", energy=ours["energy"] + 1, d_W=-ours["d_W"])
    code, out, _ = cli("check", few, theirs, "--only", "energy")
    assert code == 1
    assert "looks like: the opposite sign  (d_W)" in out
    assert "like no mistake known here: energy" in out


def test_float32_in_place_of_float64_is_said(few):
    ours = npz.read(few / "log_z.npz")
    verdict = judge(few, "log_z", {name: ours[name].astype(np.float32) for name in ("log_z", "mean_z", "mean_zz")})
    assert all("export the kit with --dtype float32" in finding.where for finding in verdict.findings)


def test_spins_of_any_type_will_do_but_not_one_may_differ(cli, few, theirs):
    z = npz.read(few / "gibbs.npz")["z_after"]
    change(theirs, "gibbs", z_after=z.astype(bool))
    assert cli("check", few, theirs, "--only", "gibbs")[0] == 0
    z[1, 2, 3] ^= 1
    change(theirs, "gibbs", z_after=z.astype(float))
    code, out, _ = cli("check", few, theirs, "--only", "gibbs")
    assert code == 1
    assert "z_after[1, 2, 3]" in out


def test_only_some_quantities(cli, few, theirs):
    (theirs / "adam.npz").unlink()
    code, out, _ = cli("check", few, theirs, "--only", "log_q_*", "energy")
    assert (code, out.splitlines()[-1]) == (0, "all 5 quantities agree")
    code, _, err = cli("check", few, theirs, "--only", "nonsense")
    assert code == 2
    assert "no quantity nonsense; there are energy, log_z" in err


def spoil_manifest(text):
    def spoil(kit, theirs):
        (kit / vectors.MANIFEST).write_text(text)

    return spoil


def remove(which, name):
    return lambda kit, theirs: ({"kit": kit, "theirs": theirs}[which] / name).unlink()


def truncate(which, name):
    def spoil(kit, theirs):
        path = {"kit": kit, "theirs": theirs}[which] / name
        path.write_bytes(path.read_bytes()[:-100])

    return spoil


def pickle(kit, theirs):
    np.savez(theirs / "energy.npz", energy=np.array([{}], object))


def words(kit, theirs):
    np.savez(theirs / "energy.npz", energy=np.array(["a"]))


def readme(kit, theirs):
    with zipfile.ZipFile(theirs / "energy.npz", "a") as archive:
        archive.writestr("README.txt", "how it was computed")


def bomb(kit, theirs):
    hostile.bomb(theirs / "energy.npz")


def pipe(kit, theirs):
    (theirs / "energy.npz").unlink()
    os.mkfifo(theirs / "energy.npz")


def complex_numbers(kit, theirs):
    np.savez(theirs / "energy.npz", energy=np.ones(3, complex))


def edit_manifest(edit):
    """An edit of the entry of energy, the first; their outputs differ, so that mistakes are looked for."""

    def spoil(kit, theirs):
        path = kit / vectors.MANIFEST
        manifest = json.loads(path.read_text())
        edit(manifest["quantities"][0])
        path.write_text(json.dumps(manifest))
        change(theirs, "energy", energy=npz.read(kit / "energy.npz")["energy"] + 1)

    return spoil


def of_version(number):
    def spoil(kit, theirs):
        path = kit / vectors.MANIFEST
        path.write_text(path.read_text().replace('"version": 2', f'"version": {number}'))

    return spoil


def stranger(kit, theirs):
    path = kit / vectors.MANIFEST
    path.write_text(path.read_text().replace('"name": "adam"', '"name": "eve"'))


def empty(kit, theirs):
    for path in theirs.iterdir():
        path.unlink()


UNUSABLE = {
    "no manifest": (remove("kit", vectors.MANIFEST), "has no manifest.json: it is not a folder that"),
    "half a manifest": (truncate("kit", vectors.MANIFEST), "is damaged or no JSON"),
    "another file": (spoil_manifest("[1]"), "is of kind 'list'; expected ('dvae_ref conformance', 2)"),
    "an object without quantities": (
        spoil_manifest('{"format": "dvae_ref conformance", "version": 2}'),
        "manifest.json is damaged: quantities is missing; expected a list",
    ),
    "another version": (of_version(3), "is of kind ('dvae_ref conformance', 3)"),
    "a kit of 0.1": (
        of_version(1),
        "is a kit of dvae_ref 0.1; `conformance export DIR --seed 0 --dtype float64` makes",
    ),
    "an unknown quantity": (stranger, "quantities that this version does not know: eve"),
    "ours missing": (remove("kit", "adam.npz"), "adam.npz, which manifest.json lists, is not there"),
    "ours damaged": (truncate("kit", "adam.npz"), "adam.npz is not the file that was exported"),
    "a manifest of brackets": (spoil_manifest("[" * 100_000), "manifest.json is damaged or no JSON (RecursionError"),
    "a manifest with NaN": (
        edit_manifest(lambda entry: entry["arrays"][-1]["tolerance"].update(absolute=float("nan"))),
        "manifest.json is damaged or no JSON (NaN is no number of JSON)",
    ),
    "a tolerance below 0": (
        edit_manifest(lambda entry: entry["arrays"][-1]["tolerance"].update(relative=-1)),
        "is damaged: expected the tolerance of d_z.relative to be a number of 0 or more, got -1",
    ),
    "a tolerance of rows that are not there": (
        edit_manifest(lambda entry: entry["arrays"][-1]["tolerance"].update(rows=[1.0, 2.0], axis=0)),
        "is damaged: the tolerance of d_z is of other rows than the array",
    ),
    "a tolerance along an axis that is not there": (
        edit_manifest(lambda entry: entry["arrays"][-1]["tolerance"].update(rows=[1.0, 2.0], axis=2)),
        "is damaged: the tolerance of d_z is of other rows than the array",
    ),
    "a row with less than the tolerance": (
        edit_manifest(lambda entry: entry["arrays"][-1]["tolerance"].update(rows=[0.5] * 6, axis=0)),
        "expected the tolerance of d_z.rows to be a list of numbers of 1 or more, got [0.5,",
    ),
    "an output without a tolerance": (
        edit_manifest(lambda entry: entry["arrays"][-1].pop("tolerance")),
        "is damaged: expected the tolerance of d_z to be an object, got None",
    ),
    "a file elsewhere": (
        edit_manifest(lambda entry: entry.update(file="../theirs/energy.npz")),
        "expected quantities[0].file to be the name of an npz file beside it, got '../theirs/energy.npz'",
    ),
    "a quantity twice": (edit_manifest(lambda entry: entry.update(name="log_z")), "log_z there more than once"),
    "an array twice": (
        edit_manifest(lambda entry: entry["arrays"].append(entry["arrays"][0])),
        "manifest.json is damaged: a there more than once",
    ),
    "an array that is not in the file": (
        edit_manifest(lambda entry: entry["arrays"][0].update(name="b")),
        "energy.npz: b is not there; expected ('float64', (",
    ),
    "another shape": (
        edit_manifest(lambda entry: entry["arrays"][0].update(shape=[2])),
        "energy.npz: a is ('float64', (8,)); expected ('float64', (2,)), as manifest.json says",
    ),
    "an input called an output": (
        edit_manifest(
            lambda entry: entry["arrays"][0].update(role="output", tolerance={"absolute": 0, "relative": 0, "why": ""})
        ),
        "manifest.json is of another version: energy has other arrays than `conformance show` says",
    ),
    "nothing": (empty, "has none of the files, e.g. energy.npz"),
}
REMARKS = {
    "of a tolerance": lambda entry: entry["arrays"][-1]["tolerance"].update(remark="ours"),
    "of an array": lambda entry: entry["arrays"][-1].update(remark="ours"),
    "of an input": lambda entry: entry["arrays"][0].update(tolerance={"remark": "ours"}),
    "of a quantity": lambda entry: entry.update(remark="ours"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_input_ends_with_2_and_says_why(cli, kit, theirs, case):
    spoil, message = UNUSABLE[case]
    spoil(kit, theirs)
    code, _, err = cli("check", kit, theirs)
    assert code == 2
    assert message in err


UNREADABLE = {
    "theirs damaged": (truncate("theirs", "adam.npz"), "adam.npz is truncated or no npz file"),
    "pickles": (pickle, "energy.npz is truncated or no npz file of plain arrays"),
    "words": (words, "energy.npz: energy is of type <U1, expected real numbers"),
    "a text beside theirs": (readme, "energy.npz is truncated or no npz file of plain arrays (it holds 'README.txt'"),
    "theirs a bomb": (
        bomb,
        "no npz file of plain arrays (it unpacks to 1,073,741,899 bytes",
    ),
    "theirs a pipe": (pipe, "energy.npz is truncated or no npz file of plain arrays (it is no regular file)"),
    "complex numbers": (complex_numbers, "energy.npz: energy is of type complex128, expected real numbers"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_file_fails_and_does_not_stop_the_others(cli, kit, theirs, case):
    spoil, message = UNREADABLE[case]
    spoil(kit, theirs)
    code, out, _ = cli("check", kit, theirs)
    assert code == 1
    assert message in out
    assert f"1 of {len(FEW)} quantities disagree" in out


@pytest.mark.parametrize("place", REMARKS)
def test_a_manifest_may_say_more(cli, kit, theirs, place):
    edit_manifest(REMARKS[place])(kit, theirs)
    code, out, _ = cli("check", kit, theirs, "--only", "energy")
    assert code == 1  # theirs are changed, too
    assert "FAIL  energy" in out


def test_wrong_arguments(cli, tmp_path):
    assert cli("export", tmp_path, "--seed", -1)[0] == 2
    assert cli("export", tmp_path, "--dtype", "float16")[0] == 2
    assert cli("check", tmp_path)[0] == 2
    assert not list(tmp_path.iterdir())


def test_two_mistakes_at_once_are_looked_for_in_a_minute_of_a_whole_check(monkeypatch):
    """Five seconds a quantity, as long as there are some left."""
    entries = [{"name": name} for name in "abcde"]
    clock, given = iter(range(0, 10**6, 29)), []
    monkeypatch.setattr(checking.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(checking, "_check_file", lambda *arguments: given.append(arguments[-1]))
    checking.check("kit", {}, {"quantities": entries}, "abce")
    assert given == [5.0, 5.0, 2.0, 0.0]


def test_an_interrupted_export_is_no_kit(cli, kit, monkeypatch, theirs):
    """The manifest is written last, and an older one is replaced first by one of no quantities."""

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("dvae_ref.conformance.vectors.write_npz", fail)
    monkeypatch.setattr(exporting, "QUANTITIES", {"adam": QUANTITIES["adam"]})
    assert cli("export", kit)[0] == 1
    code, _, err = cli("check", kit, theirs)
    assert code == 2
    assert "is a kit whose export was not finished: export again" in err
    monkeypatch.undo()
    monkeypatch.setattr(exporting, "QUANTITIES", {"adam": QUANTITIES["adam"]})
    assert cli("export", kit)[0] == 0


@pytest.mark.parametrize("name", [vectors.MANIFEST, "energy.npz", "adam.npz"])
def test_an_export_over_somebody_s_files_is_refused(cli, tmp_path, name):
    """Their outputs, or another program's manifest."""
    (tmp_path / name).write_text('{"format": "web extension"}')
    code, _, err = cli("export", tmp_path)
    assert code == 1
    assert f"{name} is there, but not of a kit: take another folder" in err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, '{"format": "web extension"}')]
