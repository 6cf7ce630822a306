"""A kernel to PTX, machine code (SASS) and ptxas's account of it, for a GPU that is not there.

numba-cuda brings the compiler (libNVVM) and ptxas; nvdisasm is a package of its own, nvidia-cuda-nvdisasm.
"""

import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

from numba import cuda, types

ARCHITECTURES = ((8, 0), (9, 0))  # A100, H100


class Usage(NamedTuple):
    """What ptxas -v reports for an entry function, in registers a thread and bytes."""

    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int


class Compiled(NamedTuple):
    ptx: str
    cubin: bytes
    usage: Usage


@functools.cache
def compile_kernel(kernel, capability):
    """Compiled, as ptxas -O3 makes it. A kernel with device functions asks which GPU there is; it is told this one."""
    device = SimpleNamespace(compute_capability=capability)
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device):
        signature = types.void(*kernel.arguments)
        ptx, _ = cuda.compile(kernel.source.py_func, signature, cc=capability, device=False, abi="numba", output="ptx")
    return assemble(ptx, capability)


def assemble(ptx, capability):
    """Compiled from PTX; RuntimeError with what ptxas says if it refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx, encoding="utf-8")
        command = [_tool("ptxas"), "-v", "-O3", "-arch=sm_{}{}".format(*capability), source, "-o", target]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"ptxas: {run.stderr}")
        return Compiled(ptx, target.read_bytes(), _usage(run.stderr))


def _usage(report):
    def number(pattern):
        found = re.search(pattern, report)
        return int(found[1]) if found else 0

    return Usage(
        registers=number(r"Used (\d+) registers"),
        shared=number(r"(\d+) bytes smem"),
        stack=number(r"(\d+) bytes stack frame"),
        spill_stores=number(r"(\d+) bytes spill stores"),
        spill_loads=number(r"(\d+) bytes spill loads"),
    )


def disassemble(cubin):
    """The machine code as text, and in hexadecimal digits, which hold how it is scheduled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(cubin)
        return subprocess.run([_tool("nvdisasm"), "-hex", path], capture_output=True, text=True, check=True).stdout


def has(tool):
    """Whether the program is installed."""
    return _find(tool) is not None


def _tool(name):
    found = _find(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: pip install '.[cuda,sass]'")
    return found


def _find(name):
    """A program of NVIDIA's packages, each of which has its own folder for them."""
    for place in sys.path:
        for path in sorted(Path(place or ".", "nvidia").glob(f"*/bin/{name}")):
            return path
    return None
