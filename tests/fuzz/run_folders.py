"""Run folders with files that are damaged, missing, swapped, of another kind; and the commands that read them."""

import shutil

import damage
import json_damage
import npz_damage
import programs
from child import Command

CELL = "table/mnist5k/1-layer-lin/dvaes_power-k1-beta40-seed0-4"
FILES = ("config.json", "metrics.jsonl", "last.npz", "best.npz", "snapshots.npz", "evaluation.json", "log_px.npz",
         "sessions.json", ".lock", "curves.png")  # fmt: skip


def make(random, folder, template, marker):
    if random.random() < 0.25:
        programs.copied(template, folder, "table")
        run, command = folder / CELL, ["table1", *programs.TINY, *programs.MEASURED, "--out=table"]
    else:
        programs.copied(template, folder, "run")
        run, command = folder / "run", reading(random)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        of_run(random, run, folder / marker)
    (run / "precious.txt").write_text("mine")
    return Command("dvae_ref", command)


def reading(random, run="run"):
    """A command that reads a run folder."""
    evaluate = ["evaluate", "--run-dir", run, "--samples=2", "--temperatures=4", "--ais-chains=4", "--images=3"]
    commands = {
        "evaluate": [*evaluate, *random.choice([[], ["--checkpoint=last"], ["--split=validation"], ["--json"]])],
        "sample": ["sample", "--run-dir", run, "--number=2", "--sweeps=2"],
        "resume": ["train", "--resume", "--run-dir", run],
        "train": ["train", *programs.TINY, "--run-dir", run],
    }
    return commands[random.choice(list(commands))]


def of_run(random, run, marker, files=FILES):
    """Damage one file of a run, by what it holds or by what it is."""
    path, kind = run / random.choice(files), random.random()
    if kind < 0.25 or not path.is_file():
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
            damage.of_place(random, path)
    elif kind < 0.35:
        path.unlink()
        other = run / random.choice(files)
        if other.is_file():
            shutil.copy(other, path)
    elif path.suffix in (".json", ".jsonl"):
        of_json(random, path)
    elif path.suffix == ".npz":
        npz_damage.of_file(random, path, str(marker))
    else:
        path.write_bytes(damage.of_bytes(random, path.read_bytes()))


def of_json(random, path):
    """A file of JSON, or of lines of it, of which one is damaged."""
    lines = path.read_bytes().splitlines(keepends=True) if path.suffix == ".jsonl" else [path.read_bytes()]
    at = random.randrange(max(len(lines), 1))
    lines[at : at + 1] = [json_damage.of_text(random, lines[at] if lines else b"") + b"\n"]
    path.write_bytes(b"".join(lines))
