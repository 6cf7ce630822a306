"""The modules that are mutated, and the tests that are to kill the mutants of each."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dvae_ref"
ROOMS = ("theory", "model", "exact", "fast", "runs", "conformance", "conformance/quantities", "sampling")
SCALAR = ("elementary", "layers", "mixture", "optimizer", "overlapping", "scalars", "smoothing", "spike", "sums")
ENGINES = tuple(f"sampling.engines.{name}" for name in ("path", "blocks", "lanes", "planes", "portable"))
SCALAR_FORMS = (*(f"fast.{name}" for name in SCALAR), *ENGINES)  # of engines, the functions of numbers alone
NOT_THEIRS = {  # what no number hangs on
    "conformance.glossary": "words",
    "conformance.names": "words",
    "sampling.vector": "instructions of the CPU: an intrinsic that is wrong does not compile, or fails every engine",
    "sampling.backend": "which of two machines is asked; the GPU's is tried where there is one",
}
TWINS = ["tests/fast/test_twins.py"]
ANNEALING = ["tests/sampling/test_ais.py", "tests/sampling/test_ais_batch.py"]
REPLICAS = ["tests/sampling/test_population_annealing.py"]
REFUSALS = ["tests/sampling/test_any_chains.py"]
ENUMERATION = ["tests/exact/test_discrete.py", "tests/exact/test_machines.py"]
CHECKS, ANSWERS = ["tests/conformance/test_check.py"], ["tests/conformance/test_answers.py"]
COMMANDS = ["tests/conformance/test_kit_commands.py"]
FILES = ["tests/runs/test_run_files.py"]
ALSO = {  # tests of a module beside those of its name
    "theory.boltzmann": ENUMERATION[:1],
    "theory.logistic": ["tests/theory/test_smoothing.py", "tests/theory/test_mixture.py"],
    "theory.mirror": ["tests/theory/test_smoothing.py", "tests/theory/test_mixture.py"],
    "theory.smoothing": ["tests/theory/test_mixture.py"],
    "model.baselines": ["tests/runs/test_presets.py", "tests/figures/test_scales.py", "tests/theory/test_smoothing.py"],
    "model.layers": ["tests/model/test_networks.py"],
    "model.structures": ["tests/model/test_methods.py"],
    "exact.bipartite": ENUMERATION,
    "exact.bipartite_moments": ENUMERATION,
    "exact.general": ENUMERATION,
    "exact.general_moments": ENUMERATION,
    "exact.limits": ["tests/exact/test_how_much.py"],
    "exact.machines": ["tests/exact/test_relaxation.py"],
    "exact.states": ENUMERATION,
    "conformance.check": ANSWERS,
    "conformance.commands": [*COMMANDS, *CHECKS],
    "conformance.export": [*COMMANDS, *CHECKS],
    "conformance.vectors": [*CHECKS, *ANSWERS],
    "runs.checkpoints": FILES,
    "runs.durations": ["tests/test_first_hour.py"],
    "runs.lifecycle": [*FILES, "tests/runs/test_snapshots.py"],
    "runs.plots": ["tests/table1/test_table1_report.py"],
    "runs.training": ["tests/runs/test_iteration.py"],
    "sampling.ais": ANNEALING[1:],
    "sampling.fields": ["tests/sampling/test_gibbs.py", "tests/sampling/test_rounding.py", *REFUSALS],
    "sampling.gibbs": REFUSALS,
    "sampling.paths": [*ANNEALING, "tests/sampling/test_rounding.py"],
    "sampling.population": [*REPLICAS, "tests/sampling/test_trajectory.py", *REFUSALS],
    "sampling.replicas": [*REPLICAS, *REFUSALS],
    "sampling.weights": [*ANNEALING, *REPLICAS],
    "fast.elementary": ["tests/theory/test_elementary.py", *TWINS],
    "fast.layers": TWINS,
    "fast.mixture": TWINS,
    "fast.optimizer": [*TWINS, "tests/runs/test_optimizer.py"],
    "fast.overlapping": TWINS,
    "fast.scalars": ["tests/sampling/test_philox.py"],
    "fast.smoothing": TWINS,
    "fast.spike": [*TWINS, "tests/theory/test_spike.py"],
    "fast.sums": TWINS,
}
SHAPES, DEFAULTS = ["tests/test_wrong_shapes.py"], ["tests/test_defaults.py"]
QUANTITIES = ["tests/conformance/test_kept.py", "tests/conformance/test_plain.py"]


def modules():
    """Those of the rooms, and of `fast` and the engines those that have scalar forms."""
    found = [".".join((*room.split("/"), p.stem)) for room in ROOMS for p in sorted((PACKAGE / room).glob("[!_]*.py"))]
    readable = [name for name in found if not name.startswith("fast.") and name not in NOT_THEIRS]
    return [*readable, *SCALAR_FORMS]


def room_of(module):
    return "scalar forms" if module in SCALAR_FORMS else module.split(".")[0]


def path_of(module):
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


def tests_of(module):
    *room, name = module.split(".")
    own = ROOT / "tests" / room[0] / f"test_{name}.py"
    formulas = [*SHAPES, "tests/formulas"] if room[0] in ("theory", "model") else []
    quantities = QUANTITIES if room[-1] == "quantities" else []
    if module in ENGINES:
        return ["tests/sampling/test_scalar_forms.py"]
    own = [str(own.relative_to(ROOT))] if own.exists() else []
    defaults = DEFAULTS if room[0] not in ("fast", "conformance") else []
    return [*own, *ALSO.get(module, []), *quantities, *formulas, *defaults]


def dependents(module):
    """The modules that import this one, or one that does: what its kernels may be inlined in. Itself, too."""
    imports = {path: _imports(path) for path in PACKAGE.glob("**/*.py")}
    found, new = set(), {f"dvae_ref.{module}"}
    while new:
        found |= new
        new = {_name(path) for path, names in imports.items() if names & found} - found
    return found


def _name(path):
    return ".".join(("dvae_ref", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def _imports(path):
    """The modules that a file imports, and as such all names it takes from one: they may be modules."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
