"""What comes from other people: somebody's machine, log-weights, a folder of records of Table 1; damaged."""

import npz_damage
import numpy as np
import programs
import run_folders
from child import Command

RECORDED = ("config.json", "evaluation.json", "log_px.npz", "metrics.jsonl", "record.json")


def make(random, folder, template, marker):
    return random.choice([machine, weights, records, cells])(random, folder, template, str(folder / marker))


def machine(random, folder, template, marker):
    """`log-z` of an RBM of up to 9 x 9."""
    rng = np.random.default_rng(random.randrange(2**32))
    shape = random.choice([(1, 1), (3, 2), (4, 9), (9, 4)])
    np.savez(folder / "machine.npz", a=rng.normal(size=sum(shape)), W=rng.normal(size=shape))
    damaged(random, folder / "machine.npz", marker)
    numbers = [f"--{name}={random.choice([1, 2, 4])}" for name in ("temperatures", "chains", "sweeps")]
    return Command("dvae_ref", ["log-z", "machine.npz", *numbers, *random.choice([[], ["--json"], ["--out=out.npz"]])])


def weights(random, folder, template, marker):
    """`nll` of log-weights of up to 4 images."""
    rng = np.random.default_rng(random.randrange(2**32))
    log_w = random.choice([1.0, 1.0, 1e5]) * rng.normal(size=(random.randrange(1, 5), random.choice([1, 3, 64])))
    np.savez(folder / "weights.npz", log_w=log_w.astype(random.choice(["f4", "f8"])))
    damaged(random, folder / "weights.npz", marker)
    log_z = random.choice(["0", "-3.5", "1e300", "nan", "inf", "x", "1e-320"])
    return Command("dvae_ref", ["nll", "weights.npz", f"--log-z={log_z}", *random.choice([[], ["--json"]])])


def damaged(random, path, marker):
    if random.random() < 0.9:
        npz_damage.of_file(random, path, marker)


def records(random, folder, template, marker):
    """`table1 --from` a folder of records, of which a file or two are damaged."""
    programs.copied(template, folder, "records")
    for _ in range(random.choice([1, 1, 2])):
        run_folders.of_run(random, folder / run_folders.CELL.replace("table", "records", 1), marker, RECORDED)
    return Command("dvae_ref", ["table1", "--from", "records", "--out=page"])


def cells(random, folder, template, marker):
    """`table1 --record` of a table, of which a file or two are damaged."""
    programs.copied(template, folder, "table")
    for _ in range(random.choice([1, 1, 2])):
        run_folders.of_run(random, folder / run_folders.CELL, marker)
    return Command("dvae_ref", ["table1", "--record", "kept", "--out=table", *random.choice([[], ["--commit=abc"]])])
