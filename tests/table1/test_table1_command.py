"""python -m dvae_ref table1, killed and interrupted: what is left, and that the same command ends at the same bytes."""

import json
import os
import shutil
import signal
from pathlib import Path

import journal
import pytest
from tables import differing, is_gone, results, run, start, workers_of


def test_the_command_reports_what_it_did(straight_table):
    out, done = straight_table
    last = json.loads(done.stdout.splitlines()[-1])
    assert last == {
        "cells": 2,
        "finished": 2,
        "failed": {},
        "files": [f"{out}/table1.{s}" for s in ("md", "csv", "png")],
    }
    assert {len(pids) for pids in workers_of(out).values()} == {1}
    assert "80/80" in done.stderr
    assert done.stdout.startswith((out / "table1.md").read_text())


def test_finished_cells_are_not_touched_and_a_failing_one_stops_nobody(straight_table, tmp_path):
    """OMNIGLOT is not there: its cell fails, first in the queue; seeds 0 and 1 are finished, seed 2 is still run."""
    out = shutil.copytree(straight_table[0], tmp_path / "table")
    before = results(out)
    arguments = ("--dataset", "omniglot", "mnist5k", "--seed", "0", "1", "2", "--workers=1", f"--data-dir={tmp_path}")
    done = run(out, *arguments, "--json")
    assert done.returncode == 1, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["cells"], last["finished"]) == (6, 3)
    assert len(last["failed"]) == 3
    assert all("chardata.mat not found in" in error for error in last["failed"].values())
    assert "Traceback" not in done.stderr
    for folder in last["failed"]:
        assert "chardata.mat not found in" in (Path(folder) / "error.txt").read_text()
    assert list(workers_of(out)) == [2]
    cells = [name for name in before if name.startswith("mnist5k")]
    assert {name: results(out)[name] for name in cells} == {name: before[name] for name in cells}
    refused = run(out, "--seed", "0", "--chains=21")
    assert refused.returncode == 2
    assert "holds a cell with other settings: chains differ" in refused.stderr


def test_a_table_that_cannot_be_written_is_shown(straight_table, tmp_path):
    """A folder is where table1.csv should be: exit code 1, the reason, and the table all the same."""
    out = shutil.copytree(straight_table[0], tmp_path / "table")
    (out / "table1.csv").unlink()
    (out / "table1.csv").mkdir()
    done = run(out, "--seed", "0", "1", "--json")
    assert done.returncode == 1, done.stderr
    assert "the table is not written: [Errno 21] cannot write here: it is a folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith((out / "table1.md").read_text())
    assert json.loads(done.stdout.splitlines()[-1]) == {"cells": 2, "finished": 2, "failed": {}, "files": []}


def test_a_damaged_cell_stops_nobody(straight_table, tmp_path):
    """Seed 0 has no readable config.json, seed 1 no readable measurement: one fails, the other is measured again."""
    out = shutil.copytree(straight_table[0], tmp_path / "table")
    zero, one = (out / f"mnist5k/1-layer-lin/dvaes_power-k1-beta40-seed{seed}-40" for seed in (0, 1))
    (zero / "config.json").write_text("[]")
    (one / "evaluation.json").write_text("{}")
    done = run(out, "--seed", "0", "1", "--json")
    assert done.returncode == 1, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["finished"], list(last["failed"])) == (1, [str(zero)])
    assert "config.json is damaged: expected an object of settings, got list" in last["failed"][str(zero)]
    assert differing(straight_table[0] / one.relative_to(out), one) == []
    assert f"- left out: {zero.relative_to(out)}: {zero}/config.json is damaged" in (out / "table1.md").read_text()


def test_a_table_of_failed_cells_alone_is_written(tmp_path):
    """OMNIGLOT is not there."""
    done = run(tmp_path / "table", "--dataset=omniglot", f"--data-dir={tmp_path}", "--json")
    assert done.returncode == 1, done.stderr
    files = json.loads(done.stdout.splitlines()[-1])["files"]
    assert files == [f"{tmp_path}/table/table1.{suffix}" for suffix in ("md", "csv")]
    assert "not begun; it failed: FileNotFoundError: omniglot: chardata.mat not found" in Path(files[0]).read_text()


@pytest.mark.slow
def test_killed_again_and_again_the_command_ends_at_the_same_bytes(straight_table, tmp_path):
    """SIGKILL to the command in training, which its workers outlive by a checkpoint at most; to all its processes with
    evaluation.json half-way there; and while the table is written."""
    out, arguments = tmp_path / "table", ("--seed", "0", "1", "--workers=2")
    left, kills = (
        [],
        ("seed0-40|iterate 17|parent", "seed0-40|replace evaluation.json|group", "|replace table1.csv|self"),
    )
    for die in kills:
        killed = run(out, *arguments, die=die, pace=0.1)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        Path(f"{out}.journal.died").unlink()
        # of the cell that is aimed at, and of the table: the other cell is half-way through anything
        parts = {path.name.split(".")[1] for path in out.rglob("*.part") if "seed1-40" not in path.parent.name}
        left.append(parts - {"best", "last", "sessions"})  # what a worker writes that outlives the command
    assert left == [set(), {"evaluation"}, {"table1"}]
    done = run(out, *arguments)
    assert done.returncode == 0, done.stderr
    assert "2 finished already" in done.stderr
    for path in out.glob(".table1.csv.*.part"):
        path.unlink()  # of the third; nobody mistakes it for the table
    assert differing(straight_table[0], out) == []
    pids = workers_of(out)
    assert len(pids[0]) == 3
    assert all(is_gone(pid) for pid in [*pids[0], *pids[1]]), "no worker is left behind"


def test_a_killed_worker_is_replaced(straight_table, tmp_path):
    """SIGKILL to one of two workers at iteration 17: the other is not disturbed, this cell goes on from 10."""
    out = tmp_path / "table"
    done = run(out, "--seed", "0", "1", "--workers=2", die="seed1-40|iterate 17|self")
    assert done.returncode == 0, done.stderr
    assert differing(straight_table[0], out) == []
    assert [len(pids) for _, pids in sorted(workers_of(out).items())] == [1, 2]


def test_ctrl_c_leaves_checkpoints_and_the_same_command_goes_on(straight_table, tmp_path):
    """As a terminal does it: SIGINT to the whole process group. No iteration is done again."""
    out, arguments = tmp_path / "table", ("--seed", "0", "1", "--workers=2")
    with start(out, *arguments, pace=0.3) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert text.count(": interrupted\n") == 2
    assert "2 cells are not finished; the same command goes on with them" in text
    assert not list(out.rglob("error.txt"))
    done = run(out, *arguments)
    assert done.returncode == 0, done.stderr
    assert differing(straight_table[0], out) == []
    for entries in journal.read(f"{out}.journal").values():
        iterations = [entry[2] for entry in entries if entry[1] == "iterate"]
        assert len(iterations) == len(set(iterations))
    assert {len(pids) for pids in workers_of(out).values()} == {2}


def test_the_journal_tells_a_good_history_from_a_bad_one():
    def history(*turns):
        return [(pid, "iterate", str(i)) for pid, first, last in turns for i in range(first, last + 1)]

    measured = [(2, "measured")]
    assert journal.check(history((1, 1, 17), (2, 11, 40)) + measured, 40, 10) == [1, 2]
    assert journal.check(history((1, 1, 17), (2, 18, 40)) + measured, 40, 10) == [1, 2]
    assert journal.check(history((1, 1, 20), (2, 11, 40)) + measured, 40, 10) == [1, 2]
    bad = {
        "two at a time": history((1, 1, 17), (2, 11, 20), (1, 18, 40)) + measured,
        "skipped or repeated": history((1, 1, 17), (1, 11, 40)) + measured,
        "0 after 17": history((1, 1, 17), (2, 1, 40)) + measured,
        "20 after 17": history((1, 1, 17), (2, 21, 40)) + measured,
        "0 after 20": history((1, 1, 20), (2, 1, 40)) + measured,
        "measured once": history((1, 1, 17), (2, 11, 40)) + 2 * measured,
        "ended at 39": history((1, 1, 39)) + measured,
    }
    for message, entries in bad.items():
        with pytest.raises(AssertionError, match=message):
            journal.check(entries, 40, 10)
