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
_LABEL = re.compile(r"\s*(\.L_x_\d+):")
_TARGET = re.compile(r"`\((\.L_x_\d+)\)")
_UPPER = re.compile(r"\s*/\* 0x([0-9a-f]{16}) \*/\s*$")  # the second half of an instruction, in hexadecimal digits
_INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)")


def parse(text):
    """Code from nvdisasm's output, with option -hex or without."""
    opcodes, controls, jumps, labels = [], [], [], {}
    for line in text.splitlines():
        label, instruction, upper = _LABEL.match(line), _INSTRUCTION.match(line), _UPPER.match(line)
        if label:
            labels[label[1]] = len(opcodes)
        elif instruction:
            target = _TARGET.search(instruction[2])
            if instruction[1].startswith("BRA") and target:
                jumps.append((len(opcodes), target[1]))
            opcodes.append(instruction[1])
            controls.append(AT_ONCE)
        elif upper and opcodes:
            controls[-1] = control(int(upper[1], 16))
    back, ahead = [], []
    for at, name in jumps:
        target = labels[name]
        if target < at:
            back.append((target, at))
        elif target > at:  # a jump to itself ends a program
            ahead.append((at, target))
    back.sort(key=lambda loop: (loop[0], -loop[1]))  # outer loops first
    return Code(tuple(opcodes), tuple(controls), _nest(back), tuple(ahead))


def control(upper):
    """Control from the upper 64 bits of an instruction."""
    bits = upper >> 41
    waits = [barrier for barrier in range(6) if bits >> (11 + barrier) & 1]
    return Control(max(1, bits & 15), bits >> 5 & 7, tuple(waits))


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
    part = code.opcodes
    if loop:
        part = part[loop.first : loop.last + 1]
    return sum(name(found) == opcode for found in part)


def own(loop):
    """The numbers of a loop's instructions that belong to no loop inside it."""
    numbers = set(range(loop.first, loop.last + 1))
    for inner in loop.inside:
        numbers -= set(range(inner.first, inner.last + 1))
    return sorted(numbers)


def skipped(code, opcodes, least):
    """The numbers of the instructions that are passed over by the innermost of the jumps ahead that pass over at least
    so many opcodes that begin like this."""
    spans = []
    for at, to in code.jumps:
        passed = sum(opcode.startswith(opcodes) for opcode in code.opcodes[at + 1 : to])
        if passed >= least:
            spans.append((at + 1, to))
    found = set()
    for span in spans:
        if not any(other != span and _within(other, span) for other in spans):
            first, last = span
            found |= set(range(first, last))
    return found


def _within(inner, outer):
    return outer[0] <= inner[0] and inner[1] <= outer[1]
