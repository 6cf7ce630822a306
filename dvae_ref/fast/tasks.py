"""Tasks of a kernel, shared out among threads: each thread takes the next one when it is free.

Unlike numba's parallel loops, which deal out equal parts beforehand, this loses nothing where a core has other work as
well, such as the network of a training step; and it may be called in several threads at a time, whichever of numba's
threading layers there is.
"""

import os

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dvae_ref.fast import threads
from dvae_ref.fast.jit import ENABLED, compiled


class Share(threads.Call):
    """What one more thread does of a kernel's tasks, whatever else is submitted meanwhile."""


def share_out(kernel, size, width, *arguments):
    """kernel(counter, width, *arguments) in as many threads as numba may use here and as there are tasks.

    A task is `width` of `size` elements. kernel: compiled, without the interpreter's lock; as long as
    first = width * take(counter) is below the size, it works on the elements from `first` on.
    """
    counter, count = np.zeros(1, np.int64), min(numba.get_num_threads(), -(-size // width))
    if not ENABLED:
        return _as_python(kernel, counter, width, *arguments)
    others = [Share(kernel, counter, width, *arguments) for _ in range(count - 1)]
    for other in others:
        threads.give(other, os.cpu_count())
    kernel(counter, width, *arguments)
    for other in others:
        if not other.cancel():  # not begun: nothing is left for it
            other.result()


def fill(out, at_a_time, kernel, *arguments):
    """Fill a vector by kernel(counter, 1, *arguments, start, part), part = out[start:], `at_a_time` elements a call.

    A task is an element. Calls are short, because an interrupt can come between them only.
    """
    for start in range(0, out.size, at_a_time):
        part = out[start : start + at_a_time]
        share_out(kernel, part.size, 1, *arguments, start, part)


def _as_python(kernel, *arguments):
    """With NUMBA_DISABLE_JIT=1: what can be run as Python is, in one thread."""
    try:
        kernel(*arguments)
    except NotImplementedError as error:  # numba's, of an intrinsic
        raise RuntimeError(f"the samplers run compiled only, and NUMBA_DISABLE_JIT is set ({error})") from error


@intrinsic
def take(typing_context, counter):
    """counter[0], which becomes one more: no two threads are given the same number."""

    def codegen(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(counter), codegen


if not ENABLED:

    def take(counter):
        """What the compiled `take` does, in Python, for one thread."""
        counter[0] += 1
        return int(counter[0]) - 1


@compiled()
def taken(counter, size):
    """The tasks 0 ... size - 1 that this thread takes, one after the other: in a kernel, `for task in taken(...)`."""
    task = take(counter)
    while task < size:
        yield task
        task = take(counter)
