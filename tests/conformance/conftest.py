"""Kits as exported, and the source of the plain NumPy example, the implementation that is checked."""

import functools
import re
import shlex
import subprocess
import sys
from typing import NamedTuple

import pytest
from judging import EXAMPLES, load, representative

from dvae_ref.conformance import case
from dvae_ref.conformance import export as exporting


@pytest.fixture(scope="session")
def kits(tmp_path_factory):
    """kits(seed, dtype): the folder of that kit, exported once; of seed 0, or whole, with all variants of an objective,
    of other seeds with the representative ones."""
    root, everything = tmp_path_factory.mktemp("kits"), exporting.QUANTITIES
    chosen = {name: item for name, item in everything.items() if representative(name)}

    @functools.cache
    def exported(seed, dtype, whole):
        folder = root / f"{seed}-{dtype}-{whole}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exporting, "QUANTITIES", everything if whole else chosen)
            exporting.export(folder, seed, dtype)
        return folder

    return lambda seed=0, dtype="float64", whole=False: exported(seed, dtype, whole or seed == 0)


class Documented(NamedTuple):
    """What the shell commands of docs/conformance.md left."""

    commands: list
    kit: object
    theirs: object
    said: list  # the last line of each


@pytest.fixture(scope="session")
def documented(tmp_path_factory):
    """In the order of the page, from the root of the repository as it says, into a folder of our own."""
    root, said = tmp_path_factory.mktemp("documented"), []
    text = (EXAMPLES.parent / "conformance.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    folders = {name: str(root / name) for name in ("kit", "theirs")}
    for command in commands:
        python, *arguments = (folders.get(word, word) for word in shlex.split(command))
        assert python == "python"
        done = subprocess.run([sys.executable, *arguments], cwd=EXAMPLES.parents[1], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said += done.stdout.splitlines()[-1:] or [""]
    return Documented(commands, root / "kit", root / "theirs", said)


@pytest.fixture(scope="session")
def plain_answers(example_source):
    """plain_answers(seed, name): the example's outputs for the inputs of a seed, computed once."""
    example = load(example_source)

    @functools.cache
    def answer(seed, name):
        found = example.ANSWERS[name](case(name, seed).inputs)
        return {output: example.fixed(value) for output, value in found.items()}

    return answer


@pytest.fixture(scope="session")
def example_source():
    return (EXAMPLES / "conformance_numpy.py").read_text()
