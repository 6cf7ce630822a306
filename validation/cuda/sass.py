"""Machine code as text: its instructions, how they are scheduled, its loops, and what is in them."""

import re
from typing import NamedTuple


class Loop(NamedTuple):
    """Instructions first .. last, the last of which jumps back to the first, and the loops directly inside."""

    first: int
    last: int
    inside: tuple


class Control(NamedTuple):
    """What an instruction of 128 bits says to the scheduler (Jia et al. 2018, arXiv:1804.06826, sec. 2)."""

    stall: int  # cycles until the warp's next instruction may be issued
    signal: int  # the barrier that it lifts when its result is there; 7: none
    wait: tuple  # the barriers that it waits for


class Code(NamedTuple):
    opcodes: tuple  # with their suffixes, in order
    controls: tuple
    loops: tuple  # the outermost ones
    jumps: tuple  # ahead: (from, to)


AT_ONCE = Control(1, 7, ())
_INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)")


def parse(text):
    """Code from nvdisasm's output, with option -hex or without."""
    opcodes, controls, jumps, labels = [], [], [], {}
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(opcodes)
        elif instruction := _INSTRUCTION.match(line):
            opcodes.append(instruction[1])
            controls.append(AT_ONCE)
            if instruction[1].startswith("BRA") and (target := re.search(r"`\((\.L_x_\d+)\)", instruction[2])):
                jumps.append((len(opcodes) - 1, target[1]))
        elif opcodes and (upper := re.match(r"\s*/\* 0x([0-9a-f]{16}) \*/\s*$", line)):
            controls[-1] = control(int(upper[1], 16))
    jumps = [(at, labels[target]) for at, target in jumps]
    back = [(target, at) for at, target in jumps if target < at]  # a jump to itself ends a program
    ahead = tuple((at, target) for at, target in jumps if target > at)
    return Code(tuple(opcodes), tuple(controls), _nest(sorted(back, key=lambda loop: (loop[0], -loop[1]))), ahead)


def control(upper):
    """Control from the upper 64 bits of an instruction."""
    bits = upper >> 41
    waits = tuple(barrier for barrier in range(6) if bits >> (11 + barrier) & 1)
    return Control(max(1, bits & 15), bits >> 5 & 7, waits)


def _nest(spans):
    """Loops from (first, last), outer ones first."""
    loops = []
    while spans:
        first, last = spans[0]
        inner = [span for span in spans[1:] if span[1] <= last]
        loops.append(Loop(first, last, _nest(inner)))
        spans = [span for span in spans[1:] if span[1] > last]
    return tuple(loops)


def name(opcode):
    """An opcode up to its first dot."""
    return opcode.split(".")[0]


def count(code, opcode, loop=None):
    """How many instructions of this name there are, in a loop or at all."""
    part = code.opcodes[loop.first : loop.last + 1] if loop else code.opcodes
    return sum(name(found) == opcode for found in part)


def own(loop):
    """The numbers of a loop's instructions that belong to no loop inside it."""
    inside = {number for inner in loop.inside for number in range(inner.first, inner.last + 1)}
    return [number for number in range(loop.first, loop.last + 1) if number not in inside]


def skipped(code, opcodes, least):
    """The numbers of the instructions that are passed over by the innermost of the jumps ahead that pass over at least
    so many opcodes that begin like this."""
    spans = [(at + 1, to) for at, to in code.jumps if _passed(code.opcodes[at + 1 : to], opcodes) >= least]
    innermost = [span for span in spans if not any(other != span and _within(other, span) for other in spans)]
    return {number for first, last in innermost for number in range(first, last)}


def _passed(part, opcodes):
    return sum(opcode.startswith(opcodes) for opcode in part)


def _within(inner, outer):
    return outer[0] <= inner[0] and inner[1] <= outer[1]
