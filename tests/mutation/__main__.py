"""Mutation testing, is every formula held by a test? `make mutate`; `python tests/mutation theory.bounds --mutants 5`.

A seeded sample of mutants a module (`mutants.py`), each in a process of its own that sees the changed source and runs
the module's tests until one fails. What survives is looked up in equivalent.txt: `module | before | after | why` says
that a mutant computes the same, or what no test is to hold. Any other survivor is a hole: exit code 1.

Kernels: what a mutant is compiled to is not kept on disk, where it would answer for the source as it is; and a mutant
with kernels of its own has all of its room compiled anew, as kernels that inline it are its, too.
"""

import argparse
import importlib.machinery
import os
import resource
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mutants

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
LIMIT = 240  # seconds of processor time of a mutant: one that never ends is noticed, too
PATIENCE = 1800  # seconds, for one that waits
ROOMS = ("theory", "model", "exact", "runs", "conformance", "sampling")
ANNEALING = ["tests/sampling/test_ais.py", "tests/sampling/test_ais_batch.py"]
JUDGING = ["tests/conformance/test_check.py", "tests/conformance/test_kit.py", "tests/conformance/test_planted.py"]
ALSO = {  # tests of a module beside those of its name
    "theory.boltzmann": ["tests/exact/test_discrete.py"],
    "theory.logistic": ["tests/theory/test_smoothing.py", "tests/theory/test_mixture.py"],
    "theory.mirror": ["tests/theory/test_smoothing.py", "tests/theory/test_mixture.py"],
    "theory.smoothing": ["tests/theory/test_mixture.py"],
    "model.baselines": ["tests/runs/test_presets.py", "tests/figures/test_scales.py", "tests/theory/test_smoothing.py"],
    "model.layers": ["tests/model/test_networks.py"],
    "model.structures": ["tests/model/test_methods.py"],
    "exact.bipartite": ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"],
    "exact.bipartite_moments": ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"],
    "exact.general": ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"],
    "exact.general_moments": ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"],
    "exact.limits": ["tests/exact/test_machines.py"],
    "exact.states": ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"],
    "conformance.compare": JUDGING,
    "conformance.diagnosis": JUDGING,
    "conformance.fingerprint": JUDGING,
    "conformance.pairs": JUDGING,
    "conformance.quantity": JUDGING,
    "conformance.tolerances": JUDGING,
    "conformance.verdict": JUDGING,
    "runs.checkpoints": ["tests/runs/test_run_files.py"],
    "runs.durations": ["tests/runs/test_library.py"],
    "runs.lifecycle": ["tests/runs/test_run_files.py"],
    "runs.metrics": ["tests/runs/test_run_files.py", "tests/runs/test_training.py"],
    "sampling.ais": ANNEALING[1:],
    "sampling.fields": ["tests/sampling/test_gibbs.py", "tests/sampling/test_rounding.py"],
    "sampling.paths": [*ANNEALING, "tests/sampling/test_rounding.py"],
    "sampling.replicas": ["tests/sampling/test_population_annealing.py"],
    "sampling.weights": [*ANNEALING, "tests/sampling/test_population_annealing.py"],
    "fast.scalars": ["tests/sampling/test_philox.py"],
}
WITHOUT_JIT = ("fast.scalars",)  # their compiled forms are inlined where a mutant would not be seen


def modules():
    """Those with tests of their own."""
    found = [f"{room}.{path.stem}" for room in ROOMS for path in sorted((ROOT / "dvae_ref" / room).glob("[!_]*.py"))]
    return [module for module in (*found, "fast.scalars") if tests_of(module)]


def tests_of(module):
    room, name = module.split(".")
    own = ROOT / "tests" / room / f"test_{name}.py"
    formulas = ["tests/formulas"] if room in ("theory", "model") else []
    files = [*([str(own.relative_to(ROOT))] if own.exists() else []), *ALSO.get(module, [])]
    return files + formulas if files else []


class Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from a changed source."""

    def __init__(self, name, path, source):
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname):
        return compile(self.source, self.path, "exec", dont_inherit=True)


class Finder:
    """Finds one module with its changed source."""

    def __init__(self, name, path, source):
        self.name, self.path, self.source = name, str(path), source

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        loader = Changed(name, self.path, self.source)
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


def survives(module, source, limit=PATIENCE, mutant=True):
    """Whether all tests of a module pass with this source, in a child process."""
    child = os.fork()
    if not child:
        _in_child(module, source, mutant)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _in_child(module, source, mutant):
    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        path = ROOT / "dvae_ref" / Path(*module.split(".")).with_suffix(".py")
        sys.meta_path.insert(0, Finder(f"dvae_ref.{module}", path, source))
        if mutant:
            _compile_apart(module.split(".")[0] if "@compiled" in source else None)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not release"]
        code = int(pytest.main([*options, *tests_of(module)]))
    finally:
        os._exit(code)


def _compile_apart(room):
    """Keep nothing that is compiled from now on; take up nothing of a room that was kept."""
    from dvae_ref.fast import jit

    kept = jit.keep
    jit.Guarded.save_overload = lambda *_: None
    jit.keep = lambda kernel, f, *rest: f.__module__.startswith(f"dvae_ref.{room}.") or kept(kernel, f, *rest)


def equivalents():
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()
    return {tuple(part.strip() for part in line.split(" | ")[:3]) for line in lines if line and line[0] != "#"}


def main(argv=None):
    parser = argparse.ArgumentParser("python tests/mutation", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as theory.bounds (default: all with tests)")
    parser.add_argument("--mutants", type=int, default=15, help="of each module (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    import numba  # once, for all children; dvae_ref itself is theirs
    import scipy.stats  # noqa: F401

    known, killed, holes, same, broken = equivalents(), 0, 0, 0, 0
    for module in options.modules or modules():
        numba.config.DISABLE_JIT = int(module in WITHOUT_JIT)  # the variable is read when numba is imported
        os.environ["NUMBA_DISABLE_JIT"] = str(numba.config.DISABLE_JIT)
        source = (ROOT / "dvae_ref" / Path(*module.split(".")).with_suffix(".py")).read_text(encoding="utf-8")
        if not survives(module, source, mutant=False):
            print(f"{module}: its tests fail as it is", flush=True)
            broken += 1
            continue
        for mutant in mutants.mutants(source, options.mutants, f"{options.seed} {module}"):
            if not survives(module, mutant.source):
                killed += 1
                continue
            equivalent = (module, mutant.before, mutant.after) in known
            same, holes = same + equivalent, holes + (not equivalent)
            print(f"{'same' if equivalent else 'LIVES'} | {module} | {mutant.before} | {mutant.after}", flush=True)
        print(f"{module}: done; {killed} killed, {holes} live, {same} are equivalent so far", flush=True)
    print(f"score: {100 * killed / max(killed + holes, 1):.1f}% of {killed + holes} that are not equivalent")
    return 2 if broken else int(holes > 0)


if __name__ == "__main__":
    sys.exit(main())
