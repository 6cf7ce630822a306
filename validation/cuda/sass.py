"""Machine code as text: its instructions, its loops, and what is in them."""

import re
from typing import NamedTuple


class Loop(NamedTuple):
    """Instructions first .. last, the last of which jumps back to the first, and the loops directly inside."""

    first: int
    last: int
    inside: tuple


class Code(NamedTuple):
    opcodes: tuple  # with their suffixes, in order
    loops: tuple  # the outermost ones


def parse(text):
    """Code from nvdisasm's output."""
    opcodes, jumps, labels = [], [], {}
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(opcodes)
        elif instruction := re.match(
            r"\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)", line
        ):
            opcodes.append(instruction[1])
            if instruction[1].startswith("BRA") and (target := re.search(r"`\((\.L_x_\d+)\)", instruction[2])):
                jumps.append((target[1], len(opcodes) - 1))
    back = [(labels[target], at) for target, at in jumps if labels[target] < at]  # a jump to itself ends a program
    return Code(tuple(opcodes), _nest(sorted(back, key=lambda loop: (loop[0], -loop[1]))))


def _nest(spans):
    """Loops from (first, last), outer ones first."""
    loops = []
    while spans:
        first, last = spans[0]
        inner = [span for span in spans[1:] if span[1] <= last]
        loops.append(Loop(first, last, _nest(inner)))
        spans = [span for span in spans[1:] if span[1] > last]
    return tuple(loops)


def count(code, name, loop=None):
    """How many instructions of this name (the opcode up to the first dot) there are, in a loop or at all."""
    part = code.opcodes[loop.first : loop.last + 1] if loop else code.opcodes
    return sum(opcode.split(".")[0] == name for opcode in part)


def own(code, loop):
    """The number of instructions of a loop that belong to no loop inside it."""
    return loop.last - loop.first + 1 - sum(inner.last - inner.first + 1 for inner in loop.inside)
