"""The README, followed word by word: every block of it has a mark that says how.

<!-- run -->                    as it stands
<!-- run small: A => B ; ... --> with B in place of A, so that it takes seconds
<!-- install -->                in a fresh environment (`make release`)
<!-- parse -->                  takes hours, a network or `make`: targets are there, command lines are understood
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from dvae_ref import cli
from dvae_ref.runs import durations
from dvae_ref.runs.presets import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MARKED = re.compile(r"<!-- (run|install|parse)(?: small: (.*?))? -->\n```(\w*)\n(.*?)```\n", re.DOTALL)


def blocks(text):
    """(mark, replacements, language, code) of each block."""
    return MARKED.findall(text)


def small(code, replacements):
    """The code with its replacements, each of which has something to replace."""
    for pair in filter(None, replacements.split(" ; ")):
        old, new = pair.split(" => ")
        assert old in code, f"{old!r} is not in the block"
        code = code.replace(old, new)
    return code


def understood(line):
    """Whether a line of a block that is not run could be: a target of the Makefile, a command of ours."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["make"]:
        return re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
    if words[:3] == ["python", "-m", "dvae_ref"]:
        try:
            return bool(cli.build_parser().parse_args(words[3:]))
        except SystemExit:
            return False
    return False


def follow(folder, python, warnings="error"):
    """Run all blocks that are to be run, small, in order, with `python` in the place of python."""
    for mark, replacements, language, code in blocks(README):
        if mark != "run":
            continue
        code = small(code, replacements)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"PATH": f"{python.parent}:{os.environ['PATH']}", "DVAE_REF_DATA": str(folder / "none")}
        start = [str(python), "-W", warnings, "-c"] if language == "python" else ["bash", "-euc"]
        done = subprocess.run([*start, code], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def test_every_block_has_a_mark():
    assert len(blocks(README)) == len(re.findall(r"^```\w*\n.*?^```$", README, re.DOTALL | re.MULTILINE)) >= 6
    assert {mark for mark, *_ in blocks(README)} == {"run", "install", "parse"}


def test_what_is_not_run_is_understood():
    lines = [line for mark, _, language, code in blocks(README) if mark == "parse" and language != "bibtex"
             for line in code.splitlines()]  # fmt: skip
    assert len(lines) >= 5
    assert [line for line in lines if not understood(line)] == []


WRONG = ("make tea", "python -m dvae_ref train --kk 5", "rm -rf /", "python -m dvae_ref train --k x")


@pytest.mark.parametrize("line", WRONG)
def test_control_what_does_not_work_is_seen(line):
    assert not understood(line)


def test_control_a_replacement_of_nothing_is_seen():
    with pytest.raises(AssertionError, match="'b' is not in the block"):
        small("a", "a => x ; b => y")


def test_the_readme_can_be_followed(tmp_path):
    """The short form, with the Python that runs the tests; `python` is a script, so that there is one of that name."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    follow(tmp_path, python)
    assert (tmp_path / "out/first/samples.png").exists()


def installed(folder, what):
    """The Python of a fresh environment in a folder, with this installed: the block marked install."""
    (code,) = [code for mark, _, _, code in blocks(README) if mark == "install"]
    assert code.splitlines()[1] == ".venv/bin/pip install ."
    venv.create(folder / ".venv", with_pip=True)
    pip = [folder / ".venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what]
    subprocess.run(pip, check=True, cwd=folder)
    return folder / ".venv/bin/python"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """{kind: file} of the wheel and the sdist of a copy of this tree, made with the setuptools that an index has."""
    folder = tmp_path_factory.mktemp("packed")
    made = {".venv", ".git", "out", "runs", "build"}  # at the top; dvae_ref/runs is another

    def left_out(place, names):
        return [n for n in names if n in {"__pycache__", "dvae_ref.egg-info"} or (Path(place) == ROOT and n in made)]

    shutil.copytree(ROOT, folder / "tree", ignore=left_out)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "setuptools>=77", "wheel"], check=True)
    kinds = {}
    for kind in ("wheel", "sdist"):
        code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(folder)!r}))"
        done = subprocess.run([python, "-c", code], cwd=folder / "tree", capture_output=True, text=True, check=True)
        kinds[kind] = folder / done.stdout.splitlines()[-1]
    return kinds


@pytest.mark.release
@pytest.mark.parametrize("source", ["clone", "wheel", "sdist"])
def test_the_readme_can_be_followed_in_a_fresh_environment(tmp_path, source, packed):
    """In an empty folder, from each of the places that the package comes from."""
    what = ROOT if source == "clone" else packed[source]
    (tmp_path / "empty").mkdir()
    python = installed(tmp_path / "empty", what)
    follow(tmp_path / "empty", python)
    script = subprocess.run([python.parent / "dvae-ref", "--version"], capture_output=True, text=True, check=True)
    assert script.stdout.startswith("dvae_ref ")


@pytest.mark.release
def test_the_sdist_s_tests_run(tmp_path, packed):
    """Those of the documents and the theory, in what the archive holds."""
    archive = packed["sdist"]
    subprocess.run(["tar", "xf", archive, "-C", tmp_path], check=True)
    tree = tmp_path / archive.name.removesuffix(".tar.gz")
    tests = ["tests/theory", "tests/test_documents.py", "tests/test_first_hour.py", "tests/test_readme.py"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# -- times ------------------------------------------------------------------------------------------------------------


def minutes(text):
    """{target of make: minutes} as a text tells them."""
    found = re.findall(r"^(?:make )?(\w+)\b.*?about (\d+) minutes", text, re.MULTILINE)
    return {target: int(number) for target, number in found}


def test_times_of_the_readme_are_those_of_the_makefile():
    readme = {k: v for k, v in minutes(README).items() if f"make {k}" in README}
    assert readme == {"demo": 5, "test": 10, "figures": 20}
    assert minutes((ROOT / "Makefile").read_text()) == readme


def test_hours_of_the_readme_are_those_that_train_says():
    ((line, told),) = re.findall(r"(python -m dvae_ref train.*)# about (\d+) hours of one core", README)
    args = vars(cli.build_parser().parse_args(shlex.split(line)[3:]))
    settings = Settings(**{name: args[name] for name in ("dataset", "struct", "k")})
    assert f"{durations.hours(settings):.0f}" == told


# -- as an index, and a librarian, would see it ------------------------------------------------------------------------


def test_the_long_description_has_no_relative_links():
    text = (ROOT / "docs/package.md").read_text()
    assert "long_description = file: docs/package.md" in (ROOT / "setup.cfg").read_text()
    assert not re.findall(r"\]\((?!https?://)|src=", text)
    assert all(understood(line) for line in re.findall(r"^python -m dvae_ref.*$", text, re.MULTILINE))


def test_one_version_is_told_everywhere():
    from dvae_ref import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"version = {{{__version__}}}" in README
