"""The kernels' PTX, executed on the CPU: translated to C, built, and run in place of every launch.

Inside `emulated()`, backend="cuda" works as on a machine with a GPU, host code included; only, memory is NumPy's, and a
launch runs the translated kernel in a process of its own. The sanitizers find what no result shows: "thread" finds
two accesses without a barrier between them, "address" those beyond the end of an array.

It executes PTX, which ptxas then translates to machine code; and it runs one block after the other.
"""

import contextlib
import functools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np

from dvae_ref.sampling import backend
from dvae_ref.sampling.cuda import device
from validation.cuda import compiler, kernels, translator

SHARED_MEMORY = {(8, 0): 163 * 1024, (9, 0): 227 * 1024}  # bytes that a block can have, by capability

# No contraction: a product and a sum are one instruction in PTX (fma) or two.
_FLAGS = ("-std=c11", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing", "-pthread")
_SANITIZERS = {None: ("-O1",), "thread": ("-O1", "-fsanitize=thread"), "address": ("-O0", "-fsanitize=address")}
_SANITIZERS["trace"] = ("-O1", "-DTRACE")  # which finds nothing, but writes down every access to shared memory


class FaultError(AssertionError):
    """A sanitizer found something."""


class Program(NamedTuple):
    """A kernel as an executable."""

    path: Path
    barriers: int  # in the PTX
    shared: tuple  # accesses to shared memory: translator.Translation


def c_compiler():
    """The path of a C compiler, or None."""
    return shutil.which("gcc") or shutil.which("cc")


@functools.cache
def has_sanitizer(name):
    """Whether programs with it can be built and run here."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "empty.c"), Path(folder, "empty")
        source.write_text("int main(void) { return 0; }", encoding="utf-8")
        build = [c_compiler(), *_SANITIZERS[name], source, "-o", target]
        return _succeeds(build) and _succeeds([*_fixed_addresses(), target])


def _succeeds(command):
    """Whether it can be run, and ends with 0."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@functools.cache
def _folder():
    return tempfile.TemporaryDirectory()  # goes when the process does


@functools.cache
def program(name, capability=(9, 0), sanitizer=None):
    """The Program of a kernel of `kernels.KERNELS`."""
    return build(compiler.compile_kernel(kernels.KERNELS[name], capability).ptx, sanitizer)


def build(ptx, sanitizer=None):
    """A Program from PTX."""
    translation = translator.translate(ptx)
    runtime = Path(__file__).with_name("runtime.c").read_text(encoding="utf-8")
    source = Path(tempfile.mkdtemp(dir=_folder().name), "kernel.c")
    source.write_text(runtime.replace("\nKERNEL\n", f"\n{translation.source}\n"), encoding="utf-8")
    target = source.with_suffix("")
    subprocess.run([c_compiler(), *_FLAGS, *_SANITIZERS[sanitizer], source, "-o", target, "-lm"], check=True)
    return Program(target, translation.barriers, translation.shared)


def run(program, blocks, threads, arguments, shared=0, skip=-1):
    """Run the kernel; arrays among the arguments are changed in place. FaultError with a sanitizer's report.

    shared: bytes of dynamic shared memory; skip: the number of a barrier to leave out.
    """
    pieces = []
    for argument in arguments:
        pieces += _flatten(argument)
    parameters = program.path.with_suffix(".parameters")
    parameters.write_bytes(b"".join(map(_packed, pieces)))
    nx, ny = threads if isinstance(threads, tuple) else (threads, 1)
    numbers = [str(number) for number in (blocks, nx, ny, shared, skip)]
    command = [*_fixed_addresses(), program.path, parameters, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FaultError(f"exit code {done.returncode}: {done.stderr[:2000]}")
    _read_back(parameters.read_bytes(), pieces)


@contextlib.contextmanager
def emulated(capability=(9, 0), sanitizer=None, skip=-1, shared_memory=None, traces=None):
    """backend="cuda" without a GPU.

    shared_memory: bytes that a block can have, if not what the capability says. traces: a list to which every launch
    adds its kernel's name and what it did to dynamic shared memory: (n, 4), thread, instruction, times before, byte.
    """
    most = SHARED_MEMORY[capability] if shared_memory is None else shared_memory

    def launch(kernel, blocks, threads, *arguments, shared=0):
        name = next(name for name, known in kernels.KERNELS.items() if known.source is kernel)
        chosen = program(name, capability, sanitizer if traces is None else "trace")
        run(chosen, blocks, threads, arguments, shared, skip)
        if traces is not None:
            found = np.frombuffer(chosen.path.with_suffix(".parameters.trace").read_bytes(), np.uint32)
            traces.append((name, found.reshape(-1, 4)))

    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(backend, "why_not_cuda", return_value=None))
        replaced = {"put": np.array, "empty": _garbage, "get": _copy, "launch": launch, "shared_memory": lambda: most}
        patches.enter_context(mock.patch.multiple(device, **replaced))
        yield


def _garbage(shape, dtype):
    """Memory that nobody may read before it is written."""
    array = np.empty(shape, dtype)
    array.view(np.uint8).fill(0xA5)
    return array


def _copy(array, out=None):
    """As `device.get`."""
    if out is None:
        return array.copy()
    out[...] = array
    return out


def _flatten(argument):
    """An argument as numba passes it: a tuple's items; an array's seven or more words, the fifth points to its data."""
    if isinstance(argument, tuple):
        return list(argument)
    if isinstance(argument, np.ndarray):
        return [0, 0, argument.size, argument.itemsize, argument, *argument.shape, *argument.strides]
    return [argument]


def _packed(piece):
    """What runtime.c reads of a piece: the bytes of an array, or 0 for a number; then these, or the number's eight."""
    if isinstance(piece, np.ndarray):
        return struct.pack("<Q", piece.nbytes) + piece.tobytes()
    if isinstance(piece, float):
        return struct.pack("<Qd", 0, piece)
    return struct.pack("<QQ", 0, int(piece) & 2**64 - 1)


def _read_back(content, pieces):
    """The arrays among the pieces as the kernel left them, from what it wrote in the place of what it was given."""
    place = 0
    for piece in pieces:
        if isinstance(piece, np.ndarray):
            found = np.frombuffer(content, piece.dtype, piece.size, place + 8)
            piece[...] = found.reshape(piece.shape)
        place += len(_packed(piece))


def _fixed_addresses():
    """ThreadSanitizer wants the usual memory layout, which randomised addresses may not give it."""
    return ("setarch", "-R") if shutil.which("setarch") else ()
