"""The programs, in this process: imported once, their compiled code loaded; small data in place of the published."""

import contextlib
import hashlib
import io
import os
import shutil

import places  # noqa: F401 - where the programs are

TINY = ("--struct=1-layer-lin", "--num-train-iter=4", "--batch-size=5", "--chains=4", "--sweeps=1", "--eval-every=2",
        "--eval-samples=1", "--eval-temperatures=4", "--checkpoint-every=2", "--log-every=1")  # fmt: skip
MEASURED = ("--samples=2", "--temperatures=4", "--images=3")
N = 20  # images of each file of data


def load(cells_here=True):
    """{name: main}; imports all that the programs import. Cells of table1 run in this process, or as they do."""
    import dvae_ref.cli
    import dvae_ref.commands
    import dvae_ref.conformance.commands
    import dvae_ref.runs.downloads
    import figures.__main__
    import validation.__main__

    figures.load("fig1"), figures.load("fig2a"), figures.load("gradient_variance")
    if cells_here:
        here()
    os.environ |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")  # nobody answers there
    mains = {"dvae_ref": dvae_ref.cli, "figures": figures.__main__, "validation": validation.__main__}
    return {name: module.main for name, module in mains.items()}


def here():
    """Cells of table1 run in the process of the command: new ones would import everything again."""
    from dvae_ref.table1 import executors, grid

    def run_local(todo, *, workers, on_done, on_progress=None, **options):
        for cell in todo:
            on_done(cell, grid.run_cell(cell, **options))

    executors.run_local = run_local


def make(folder, main):
    """In `folder`, once: what is whole, to be damaged. A run and its evaluation, records, a kit, data."""
    folder.mkdir()
    evaluate = ("evaluate", "--run-dir", "run", "--ais-chains=4", *MEASURED)
    commands = [
        ("train", *TINY, "--run-dir", "run"),
        evaluate,
        ("sample", "--run-dir", "run", "--number=1", "--sweeps=1"),
        ("table1", *TINY, *MEASURED, "--out", "table"),
        ("table1", "--record", "records", "--out", "table"),
        ("conformance", "export", "kit"),
        ("conformance", "check", "kit", "kit"),
    ]
    before = os.getcwd()
    os.chdir(folder)
    try:
        for arguments in commands:
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main(list(arguments))
            if code:
                raise RuntimeError(f"{' '.join(arguments)}: exit code {code}\n{said.getvalue()}")
    finally:
        os.chdir(before)
    small_data(folder / "data")


def small_data(folder):
    """Data sets of N images a file, and the package told that so they were published."""
    import gzip
    import struct

    import numpy as np
    import scipy.io

    from dvae_ref.runs import datasets

    rng = np.random.default_rng(0)
    for name in ("MNIST", "OMNIGLOT"):
        (folder / name).mkdir(parents=True)
    for name in datasets.IDX_FILES:
        content = struct.pack(">4I", 0x803, N, 28, 28) + rng.integers(0, 256, N * 784, np.uint8).tobytes()
        (folder / "MNIST" / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        datasets.IDX_FILES[name] = (N, hashlib.md5(content, usedforsecurity=False).hexdigest())
    text = b"\n".join(b" ".join(b"01"[i : i + 1] for i in row) for row in rng.integers(0, 2, (N, 784))) + b"\n"
    for name in datasets.AMAT_FILES:
        (folder / "MNIST" / name).write_bytes(text)
        datasets.AMAT_FILES[name] = N
    datasets.CHARDATA["chardata.mat"] = (N, N)
    matrices = {name: rng.random((784, N)) for name in ("data", "testdata")}
    scipy.io.savemat(folder / "OMNIGLOT" / "chardata.mat", matrices)


def copied(template, folder, *names):
    """Copies of these parts of the template in `folder`."""
    for name in names:
        shutil.copytree(template / name, folder / name)
    return folder
