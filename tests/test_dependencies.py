"""The versions that setup.cfg allows: the lowest and the highest, on this Python and on others that are there.

Each in a fresh environment, with the wheel: README's blocks, and a short part of the tests (`make release`).
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_readme import follow, packed  # noqa: F401  packed is a fixture

ROOT = Path(__file__).parent.parent
SHORT = ("theory", "sampling/test_pcd.py", "runs/test_library.py", "figures/test_smoothing_figures.py")
OURS_TO_TEST = ("autograd", "hypothesis", "mpmath", "pytest")  # of the extra test, what SHORT needs
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def demands(section, name):
    """{package: lowest version} of a list in setup.cfg."""
    return dict(re.findall(r"^([\w-]+) >= ([\d.]+)$", SETUP[section][name], re.MULTILINE))


def allowed():
    """What is installed, and what the short tests need, with the lowest version of each."""
    test = demands("options.extras_require", "test")
    return demands("options", "install_requires") | {name: test[name] for name in OURS_TO_TEST}


def pythons():
    """{version: path} of each Python of the classifiers that is found, this one among them."""
    supported = re.findall(r"Python :: (3\.\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    elsewhere = {v: [shutil.which(f"python{v}"), *Path.home().glob(f".pyenv/versions/{v}.*/bin/python{v}")]
                 for v in supported}  # fmt: skip
    return {here: sys.executable} | {v: str(next(filter(works, map(str, filter(None, places))), ""))
                                     for v, places in elsewhere.items() if v != here}  # fmt: skip


def works(python):
    """Whether it can be started; what a version manager leaves in a path may not."""
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def environment(folder, python, packages):
    """The Python of a fresh environment with these packages."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    found = folder / "bin/python"
    install = [found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(install, check=True, cwd=folder)
    return found


def short_tests(python, folder):
    """Run them: (exit code, what was said). Deprecations are those of libraries among themselves."""
    settings = {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder / "numba")}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning",
               "-m", "not slow and not release", *(str(ROOT / "tests" / part) for part in SHORT)]  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_every_dependency_has_a_lowest_version():
    listed = SETUP["options"]["install_requires"].split("\n")
    assert len(allowed()) == len([line for line in listed if line]) + len(OURS_TO_TEST)
    assert set(pythons()) == {"3.11", "3.12", "3.13"}


@pytest.mark.release
@pytest.mark.parametrize("which", ["lowest", "highest"])
def test_allowed_versions_work(tmp_path, packed, which):  # noqa: F811
    """The lowest of all at once: where pip finds no such set, a floor is too low."""
    pinned = [f"{name}=={version}" if which == "lowest" else name for name, version in allowed().items()]
    python = environment(tmp_path / "venv", sys.executable, [*pinned, packed["wheel"]])
    code, said = short_tests(python, tmp_path)
    assert code == 0, said
    follow(tmp_path, python, warnings="default" if which == "lowest" else "error")


@pytest.mark.release
@pytest.mark.parametrize("version", [version for version in pythons() if pythons()[version] != sys.executable])
def test_other_pythons_work(tmp_path, packed, version):  # noqa: F811
    if not pythons()[version]:
        pytest.skip(f"there is no Python {version} on this machine")
    python = environment(tmp_path / "venv", pythons()[version], [*allowed(), packed["wheel"]])
    code, said = short_tests(python, tmp_path)
    assert code == 0, said
    follow(tmp_path, python)
