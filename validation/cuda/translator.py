"""PTX as C: every instruction of a kernel becomes one statement, to be run by runtime.c.

Registers are untyped 64-bit variables; `as_f32(r)` reads one as the type in the instruction's suffix, `from_f32(v)` is
what is written to it. Integer sums and products are taken unsigned, where C wraps as PTX does. Known are the
instructions that the kernels have; any other is a NotImplementedError, never a guess.
"""

import re
from typing import NamedTuple

_TYPES = {"f32": "float", "f64": "double", "pred": "int"}
for _bits in (8, 16, 32, 64):
    _TYPES |= {f"u{_bits}": f"uint{_bits}_t", f"b{_bits}": f"uint{_bits}_t", f"s{_bits}": f"int{_bits}_t"}
_BINARY = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^", "mul": "*", "div": "/"}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ROUNDINGS = {"rzi": "trunc", "rpi": "ceil", "rn": ""}


class Translation(NamedTuple):
    """The C function, with what runtime.c wants to know of it."""

    source: str
    barriers: int
    shared: tuple  # of the instructions that access shared memory, by number: bytes, as digits, and "ld" or "st"


class _Instruction(NamedTuple):
    name: str  # the opcode up to its first dot
    modifiers: tuple  # what follows, the last of which is the type
    operands: tuple


class _Names(NamedTuple):
    parameters: dict  # name -> number
    shared: dict  # name -> number; all dynamic ones have that after the others


def translate(ptx):
    """Translation of the one kernel that the PTX has."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    shared = re.findall(r"\.shared \.align \d+ \.b8 (\w+)\[(\d+)\];", ptx)
    dynamic = re.findall(r"\.extern \.shared \.align \d+ \.b8 (\w+)\[\];", ptx)
    parameters, body = re.search(r"\.entry \w+\((.*?)\)[^{]*\{(.*)\}", ptx, re.S).groups()
    parameters = re.findall(r"\.param \.[uf]64 (\w+)", parameters)
    places = _numbered(name for name, _ in shared) | dict.fromkeys(dynamic, len(shared))
    names = _Names(_numbered(parameters), places)
    sizes = ", ".join(size for _, size in [*shared, ("", "0")])
    lines = [
        f"#define PARAMETERS {len(parameters)}",
        f"#define SHARED_COUNT {len(shared)}",
        f"static const size_t SHARED_SIZES[] = {{{sizes}}};",
        "static void kernel(Context *c) {",
    ]
    lines += _declarations(body)
    lines += [_statement(text, names) for text in _split(body)]
    lines.append("}")
    source = "\n".join(lines)
    accesses = re.findall(r"TOUCH\(c, @, (\d+), (\w+)", source)
    source, barriers = _count_calls(source, "barrier(c, @")
    source, _ = _count_calls(source, "TOUCH(c, @")
    return Translation(source, barriers, tuple(accesses))


def _numbered(names):
    return {name: number for number, name in enumerate(names)}


def _count_calls(source, call):
    """(the source with calls of this beginning numbered where an @ stands, how many there are)"""
    first, *others = source.split(call)
    numbered = [call.replace("@", str(number)) + rest for number, rest in enumerate(others)]
    return first + "".join(numbered), len(others)


def _declarations(body):
    for prefix, count in re.findall(r"\.reg \.\w+\s+%(\w+)<(\d+)>;", body):
        registers = ", ".join(f"{prefix}{i} = 0" for i in range(int(count)))
        yield f"uint64_t {registers};"


def _split(body):
    """Labels and instructions, one by one, without directives."""
    body = re.sub(r"^\s*\.(reg|loc|pragma)[^\n]*$", "", body, flags=re.M)
    body = re.sub(r"^\s*(\$\w+):", r"\1:;", body, flags=re.M)
    return [text.strip() for text in body.split(";") if text.strip()]


def _statement(text, names):
    if text.endswith(":"):
        return _label(text) + ";"
    guard, negated, condition, rest = re.fullmatch(r"(@(!?)%(\w+)\s+)?(.*)", text, re.S).groups()
    prefix = f"if ({negated}as_pred({condition})) " if guard else ""
    opcode, _, operands = rest.replace("\t", " ").partition(" ")
    name, *modifiers = opcode.split(".")
    operands = tuple(part.strip() for part in re.split(r",(?![^{]*\})", operands) if part.strip())
    return f"{prefix}{{ {_code(_Instruction(name, tuple(modifiers), operands), names, text)} }}"


def _code(op, names, text):
    if op.name == "bra":
        return f"goto {_label(op.operands[0])};"
    if op.name == "ret":
        return "return;"
    if op.name == "bar":
        return "barrier(c, @);"
    if op.name in ("ld", "st"):
        return _memory(op, names)
    value = _value(op, names)
    if value is None:
        raise NotImplementedError(f"no translation of the PTX instruction: {text}")
    return f"{op.operands[0][1:]} = {value};"


def _memory(op, names):
    """Loads and stores: of parameters, or of global and shared memory by C pointers, alone or four at a time."""
    kind, loads = op.modifiers[-1], op.name == "ld"
    values, address = op.operands if loads else op.operands[::-1]
    inside, _, offset = address.strip("[]").partition("+")
    if "param" in op.modifiers:
        return f"{values[1:]} = c->parameters[{names.parameters[inside]}];"
    pointer = f"(({_TYPES[kind]} *)({_read(inside, 'u64', names)} + {offset or 0}))"
    registers = [value.strip() for value in values.strip("{}").split(",")]
    if loads:
        code = " ".join(f"{r[1:]} = from_{kind}({pointer}[{i}]);" for i, r in enumerate(registers))
    else:
        code = " ".join(f"{pointer}[{i}] = {_read(r, kind, names)};" for i, r in enumerate(registers))
    if "shared" in op.modifiers:
        return f"TOUCH(c, @, {len(registers) * int(kind[1:]) // 8}, {op.name}, {pointer}); {code}"
    return code


def _value(op, names):
    """What the instruction writes to its first operand; None if it is not known."""
    kind = op.modifiers[-1]

    def read(i, kind=kind):
        return _read(op.operands[i], kind, names)

    def write(value, kind=kind):
        return f"from_{kind}({value})"

    unsigned, modifiers = kind.replace("s", "u"), set(op.modifiers)
    if op.name in ("mov", "cvta"):
        return write(read(1))
    if op.name == "mul" and "wide" in modifiers:
        wide = f"{kind[0]}{2 * int(kind[1:])}"
        return write(f"({_TYPES[wide]}){read(1)} * ({_TYPES[wide]}){read(2)}", wide)
    if op.name in ("div", "rem") and "f" not in kind:
        return write(f"{read(1)} {'/' if op.name == 'div' else '%'} {read(2)}")
    if op.name in _BINARY and not modifiers & {"hi", "approx", "full", "ftz", "sat"}:
        return write(f"{read(1, unsigned)} {_BINARY[op.name]} {read(2, unsigned)}", unsigned)
    if op.name == "fma":
        return write(f"{'fmaf' if kind == 'f32' else 'fma'}({read(1)}, {read(2)}, {read(3)})")
    if op.name == "neg":
        return write(f"-{read(1, unsigned)}", unsigned)
    if op.name == "not":
        return write(f"!{read(1)}" if kind == "pred" else f"~{read(1)}")
    if op.name in ("min", "max") and kind[0] == "f":
        return write(f"f{op.name}{'f' if kind == 'f32' else ''}({read(1)}, {read(2)})")
    if op.name in ("min", "max"):
        return write(f"{read(1)} {'<' if op.name == 'min' else '>'} {read(2)} ? {read(1)} : {read(2)}")
    if op.name in ("shl", "shr"):
        return write(_shift(op.name, kind, read(1), read(2, "u32")))
    if op.name == "setp" and op.modifiers[0] in _COMPARISONS and len(op.modifiers) == 2:
        return write(f"{read(1)} {_COMPARISONS[op.modifiers[0]]} {read(2)}", "pred")
    if op.name == "selp":
        return write(f"{read(3, 'pred')} ? {read(1)} : {read(2)}")
    if op.name == "bfi":  # bits of the first operand inserted into the second, at a place that leaves room for them
        mask = f"(((({_TYPES[kind]})1 << {read(4, 'u32')}) - 1) << {read(3, 'u32')})"
        return write(f"({read(1)} << {read(3, 'u32')} & {mask}) | ({read(2)} & ~{mask})")
    if op.name == "cvt":
        return _conversion(op, read)
    return None


def _shift(name, kind, value, by):
    """A shift by the width or more leaves zeros, or the sign."""
    bits = int(kind[1:])
    beyond = f"{value} >> {bits - 1}" if name == "shr" and kind[0] == "s" else "0"
    return f"{by} >= {bits} ? {beyond} : {value} {'<<' if name == 'shl' else '>>'} {by}"


def _conversion(op, read):
    """cvt[.rounding].to.from"""
    *rounding, to, of = op.modifiers
    if len(rounding) > 1 or any(r not in _ROUNDINGS for r in rounding):
        return None
    function = _ROUNDINGS[rounding[0]] if rounding else ""
    return f"from_{to}(({_TYPES[to]}){function}({read(1, of)}))"


def _read(operand, kind, names):
    """An operand as a C value: a register, a special register, a constant, or the address of shared memory."""
    special = re.fullmatch(r"%(n?tid|n?ctaid)\.([xyz])", operand)
    if special:
        return f"c->{special[1]}[{'xyz'.index(special[2])}]"
    if operand == "%dynamic_smem_size":
        return "c->dynamic_smem_size"
    if operand.startswith("%"):
        return f"as_{kind}({operand[1:]})"
    if operand.startswith(("0f", "0d")):
        return f"as_{'f32' if operand[1] == 'f' else 'f64'}(0x{operand[2:]}u)"
    if operand in names.shared:
        return f"(uint64_t)c->shared[{names.shared[operand]}]"
    return f"({_TYPES[kind]}){int(operand) & 2**64 - 1:#x}ull"


def _label(text):
    return text.lstrip("$")
