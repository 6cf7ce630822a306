"""python -m validation.cuda: compile the kernels for H100 and write the tables of docs/cuda.md."""

import argparse
from importlib import metadata
from pathlib import Path

from validation.cuda import compiler, kernels, prediction, sass

DOCUMENT = Path(__file__).parents[2] / "docs" / "cuda.md"
BEGIN, END = "<!-- begin: python -m validation.cuda -->", "<!-- end -->"
SIZES, CHAINS = (100, 200, 400, 1000), (1_000, 100_000)


def resources(compiled):
    """Registers, shared memory, occupancy and instructions of every kernel, as a Markdown table."""
    lines = [
        "| kernel | registers | shared memory, bytes | spilled, bytes | blocks at a time | occupancy | code |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in compiled.items():
        usage, threads = result.usage, kernels.KERNELS[name].threads
        blocks, share = prediction.occupancy(usage, threads)
        spilled = usage.spill_stores + usage.spill_loads + usage.stack
        code = len(sass.parse(compiler.disassemble(result.cubin)).opcodes)
        lines.append(
            f"| {name} | {usage.registers} | {usage.shared:,} | {spilled} | {blocks} of {threads} threads "
            f"| {share:.0%} | {code:,} instructions |"
        )
    return lines


def predictions(compiled):
    """Instructions per spin and predicted throughput, as a Markdown table."""
    lines = ["| kernel | units | instructions per spin | limit |" + "".join(f" {n:,} chains |" for n in CHAINS)]
    lines.append("|---" * (4 + len(CHAINS)) + "|")
    for name in ("gibbs", "ais"):
        code = sass.parse(compiler.disassemble(compiled[name].cubin))
        for size in SIZES:
            few, many = (prediction.predict(code, size, size, chains) for chains in CHAINS)
            lines.append(
                f"| {name} | {size} x {size} | {many.instructions:.0f} | {many.limit} "
                f"| <= {few.spins / 1e9:.0f} G/s | {many.spins / 1e9:.0f} G/s |"
            )
    return lines


def versions():
    """Of the compilers, on which the numbers depend."""
    names = ("numba-cuda", "nvidia-cuda-nvcc-cu12")
    return "Compiled for sm_90 by " + ", ".join(f"{name} {metadata.version(name)}" for name in names) + "."


def tables():
    """Both tables, with the markers around them."""
    compiled = {name: compiler.compile_kernel(kernel, (9, 0)) for name, kernel in kernels.KERNELS.items()}
    head = f"**Predicted, not measured**: spins per second on one {prediction.H100.name}."
    return "\n".join((BEGIN, versions(), "", *resources(compiled), "", head, "", *predictions(compiled), "", END))


def main(argv=None):
    parser = argparse.ArgumentParser("python -m validation.cuda", description="Write the tables of docs/cuda.md.")
    parser.add_argument("--print", action="store_true", help="print the tables and leave the document alone")
    options = parser.parse_args(argv)
    text = tables()
    if options.print:
        print(text)
        return
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(before + text + rest.split(END, 1)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
