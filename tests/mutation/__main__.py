"""Mutation testing, is every formula held by a test? `make mutate`; `python tests/mutation theory.bounds --mutants 5`.

A seeded sample of mutants a module (`mutants.py`), each in a process of its own that sees the changed source (so do
the processes that a test starts) and runs the module's tests (`modules.py`) until one fails, those first that reach
the changed line, of these the quickest (`reach.py`). What survives is looked up in equivalent.txt:
`module | before | after | why` says that a mutant computes the same, or what no test is to hold. Any other survivor is
a hole: exit code 1.

It takes, in seconds of a core, a mutant (measured with 3 to 8 a module on a busy machine): theory and model 2 to 5,
exact 7, runs 3 to 17, scalar forms 2 to 7, sampling 5 to 25, conformance 2 to 10. So 15 of each of 110 modules are some
hours of a core; the rooms but conformance and sampling are about one and a half.

Kernels: what a mutant is compiled to is not kept on disk, where it would answer for the source as it is; and where a
mutant may be in a kernel, all that may inline it is compiled anew. Scalar forms run as the Python that they are.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import modules
import mutants
import trial

EQUIVALENT = Path(__file__).with_name("equivalent.txt")
ONCE = ("numba", "scipy.stats", "scipy.special", "mpmath", "pytest")  # for all children; dvae_ref itself is theirs


def equivalents():
    """[(module, before, after)] of equivalent.txt, in which ... is whatever stands there."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()
    return [[part.strip() for part in line.split(" | ")[:3]] for line in lines if line and line[0] != "#"]


def is_known(module, mutant, known):
    """Whether one of the lines `known` is of this mutant."""
    found = (module, mutant.before, mutant.after)
    return any(all(map(_matches, line, found)) for line in known)


def _matches(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), text) is not None


def judge(module, count, seed):
    """Counter of what became of a module's mutants: killed, late (and so killed), same, LIVES; or broken."""
    _jit(module not in modules.SCALAR_FORMS)
    start, before, found, known = time.monotonic(), trial.used(), Counter(), equivalents()
    baseline = trial.Baseline(module)
    if not baseline.passes:
        print(f"{module}: its tests fail as it is", flush=True)
        return Counter(broken=1)
    for mutant in mutants.mutants(baseline.source, count, f"{seed} {module}", module in modules.ENGINES):
        outcome = baseline.outcome(mutant)
        if outcome == "lives":
            outcome = "same" if is_known(module, mutant, known) else "LIVES"
        found[outcome] += 1
        if outcome != "killed":
            print(f"{outcome} | {module} | {mutant.before} | {mutant.after}", flush=True)
    counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(found.items()))
    seconds, found["cpu"] = time.monotonic() - start, round(trial.used() - before)
    print(f"{module}: {counts}; {seconds:.0f} s, {found['cpu']} s of a core", flush=True)
    return found


def _jit(enabled):
    """For the children of this process; the variable alone is read when numba is imported, which is done."""
    import numba

    numba.config.DISABLE_JIT = int(not enabled)
    os.environ["NUMBA_DISABLE_JIT"] = str(int(not enabled))


def score(found):
    killed = found["killed"] + found["late"]
    total = killed + found["LIVES"]
    return f"{killed} of {total} that are not equivalent killed, {100 * killed / max(total, 1):.1f}%"


def main(argv=None):
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python tests/mutation", description=__doc__, formatter_class=plain)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as theory.bounds, or a room (default: all)")
    parser.add_argument("--mutants", type=int, default=15, help="of each module (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="modules at a time (default: %(default)s)")
    options = parser.parse_args(argv)
    os.chdir(modules.ROOT)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    sys.path.insert(0, str(modules.ROOT))
    for name in ONCE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    chosen = [m for m in modules.modules() if not options.modules or {m, modules.room_of(m)} & {*options.modules}]
    rooms = run(chosen, options)
    for room, found in rooms.items():
        print(f"{room}: {score(found)}; {found['same']} are equivalent, {found['late']} were killed by time")
    whole = sum(rooms.values(), Counter())
    print(f"score: {score(whole)}; {whole['cpu'] / 60:.0f} minutes of a core")
    return 2 if whole["broken"] else int(whole["LIVES"] > 0)


def run(chosen, options):
    """{room: Counter} of these modules, some at a time."""
    rooms = {modules.room_of(module): Counter() for module in chosen}
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("fork")) as pool:
        jobs = {pool.submit(judge, module, options.mutants, options.seed): module for module in chosen}
        for job in as_completed(jobs):
            rooms[modules.room_of(jobs[job])] += job.result()
    return rooms


if __name__ == "__main__":
    sys.exit(main())
