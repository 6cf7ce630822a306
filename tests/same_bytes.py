"""Whether two commits train to the same bytes: python tests/same_bytes.py BEFORE [AFTER]

Each commit (AFTER: the working tree, by default) trains five baselines at K = 1 and 5 for 12 iterations on the bundled
digits, with the sampler, AIS and a validation; every array of last.npz is compared. About a minute a commit.
Exit code 0 if all are equal, 1 otherwise.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
BASELINES = ("dvae_spike_exp", "dvaepp_power", "dvaes_gi", "dvaes_unexp", "dvaes_power")
SMALL = ["--num-train-iter", "12", "--eval-every", "12", "--eval-samples", "5", "--eval-temperatures", "50"]
SMALL += ["--checkpoint-every", "6", "--log-every", "6", "--chains", "100", "--sweeps", "5", "--batch-size", "100"]


@contextlib.contextmanager
def tree_of(commit):
    """The folder of a commit's files; of the working tree for None."""
    if commit is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def trained(tree, baseline, k):
    """last.npz of a short run by the package in a folder: name -> array."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dvae_ref", "train", "--baseline", baseline, "--k", str(k), *SMALL]
        environment = os.environ | {"PYTHONPATH": str(tree)}
        run = Path(folder) / "run"
        subprocess.run([*command, "--run-dir", run], check=True, cwd=tree, env=environment, capture_output=True)
        with np.load(run / "last.npz") as arrays:
            return {name: arrays[name] for name in arrays.files if name != "header"}


def differences(before, after):
    """The names of arrays that are not in both, or of other bytes."""
    names = before.keys() | after.keys()
    missing = np.zeros(0)
    return sorted(n for n in names if before.get(n, missing).tobytes() != after.get(n, missing).tobytes())


def main(before, after=None):
    cells = [(baseline, k) for baseline in BASELINES for k in (1, 5)]
    with tree_of(before) as tree:
        first = {cell: trained(tree, *cell) for cell in cells}
    with tree_of(after) as tree:
        second = {cell: trained(tree, *cell) for cell in cells}
    for (baseline, k), arrays in first.items():
        others = differences(arrays, second[baseline, k])
        print(f"{baseline:16} K = {k}: {len(others)} of {len(arrays)} arrays differ", *others[:5])
    return any(differences(first[cell], second[cell]) for cell in cells)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    raise SystemExit(main(*sys.argv[1:]))
