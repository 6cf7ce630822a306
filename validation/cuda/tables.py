"""The tables of docs/cuda.md: the kernels compiled for H100, and spins a second that are predicted of them."""

from importlib import metadata

from benchmarks import machines
from validation.cuda import compiler, kernels, prediction, sass

SAMPLERS = ("gibbs", "gibbs, tiles", "ais", "ais, tiles")
BEGIN, END = "<!-- begin: python -m validation.cuda -->", "<!-- end -->"
SIZES, CHAINS = (100, 200, 400, 1000), (1_000, 10_000, 100_000)


def resources(compiled):
    """Registers, shared memory of fixed size and instructions of every kernel, as a Markdown table."""
    lines = ["| kernel | registers | shared memory, bytes | spilled, bytes | code |", "|---|---|---|---|---|"]
    for name, result in compiled.items():
        usage = result.usage
        spilled = usage.spill_stores + usage.spill_loads + usage.stack
        code = len(sass.parse(compiler.disassemble(result.cubin)).opcodes)
        shared = "as needed" if name in SAMPLERS else f"{usage.shared:,}"
        lines.append(f"| {name} | {usage.registers} | {shared} | {spilled} | {code:,} instructions |")
    return lines


def predictions(compiled):
    """What a spin takes and predicted throughput, as a Markdown table."""
    heads = ("kernel", "units", "shared memory, KB", "blocks at a time", "instructions", "requests")
    heads += tuple(f"{n:,} chains" for n in CHAINS)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    codes = {name: sass.parse(compiler.disassemble(compiled[name].cubin)) for name in SAMPLERS}
    for weighed in (False, True):
        for size in SIZES:
            lines.append(_row(codes, compiled, machines.rbm(size), weighed))
    return lines


def _row(codes, compiled, rbm, weighed):
    """A machine's row: what a block takes, and spins a second with each number of chains."""
    name, shared = prediction.kernel(rbm, weighed)
    found = prediction.predict(codes[name], compiled[name].usage, rbm, CHAINS, weighed)
    one = found[-1]
    left, right = rbm.W.shape
    cells = [name, f"{left} x {right}", f"{shared / 1024:.0f}", one.blocks]
    cells += [f"{one.instructions:.0f}", f"{one.requests:.1f}"]
    cells += [f"{each.spins / 1e9:.0f} G/s ({each.limit})" for each in found]
    return "| " + " | ".join(map(str, cells)) + " |"


def versions():
    """Of the compilers, on which the numbers depend."""
    names = ("numba-cuda", "nvidia-cuda-nvcc-cu12")
    return "Compiled for sm_90 by " + ", ".join(f"{name} {metadata.version(name)}" for name in names) + "."


def tables():
    """Both tables, with the markers around them between which they stand in the document."""
    compiled = {name: compiler.compile_kernel(kernel, (9, 0)) for name, kernel in kernels.KERNELS.items()}
    head = f"**Predicted, not measured**: spins per second on one {prediction.H100.name}, and what bounds them."
    kernels_table, spins_table = "\n".join(resources(compiled)), "\n".join(predictions(compiled))
    return "\n".join((BEGIN, versions(), "", kernels_table, "", head, "", spins_table, "", END))
