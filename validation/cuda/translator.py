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
_DIVISIONS = {"div": "/", "rem": "%"}
_SHIFTS = {"shl": "<<", "shr": ">>"}
_EXTREMES = {"min": "<", "max": ">"}
_OF_FLOAT = {"f32": "f", "f64": ""}  # what ends the name of a C function
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ROUNDINGS = {"rzi": "trunc", "rpi": "ceil", "rn": ""}


class Translation(NamedTuple):
    """The C function, with what runtime.c wants to know of it."""

    source: str
    barriers: int
    shared: tuple  # of the instructions that access shared memory, by number: bytes, as digits, and "ld" or "st"


class _Instruction(NamedTuple):
    """e.g. `add.u64 %rd3, %rd1, %rd2`."""

    name: str  # the opcode up to its first dot
    modifiers: tuple  # what follows, the last of which is the type
    operands: tuple


class _Names(NamedTuple):
    """What operands may call by name, with its place in the Context of runtime.c."""

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
    sizes = ", ".join([size for _, size in shared] + ["0"])
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
    """Every register as a variable of 64 bits, zero at first."""
    for prefix, count in re.findall(r"\.reg \.\w+\s+%(\w+)<(\d+)>;", body):
        registers = ", ".join(f"{prefix}{i} = 0" for i in range(int(count)))
        yield f"uint64_t {registers};"


def _split(body):
    """Labels and instructions, one by one, without directives."""
    body = re.sub(r"^\s*\.(reg|loc|pragma)[^\n]*$", "", body, flags=re.M)
    body = re.sub(r"^\s*(\$\w+):", r"\1:;", body, flags=re.M)
    return [text.strip() for text in body.split(";") if text.strip()]


def _statement(text, names):
    """A label or an instruction in C; `@%p1 bra $L` runs if the predicate is true, `@!%p1 bra $L` if it is not."""
    if text.endswith(":"):
        return _label(text) + ";"
    guard, negated, condition, rest = re.fullmatch(r"(@(!?)%(\w+)\s+)?(.*)", text, re.S).groups()
    prefix = f"if ({negated}as_pred({condition})) " if guard else ""
    opcode, _, operands = rest.replace("\t", " ").partition(" ")
    name, *modifiers = opcode.split(".")
    operands = tuple(part.strip() for part in re.split(r",(?![^{]*\})", operands) if part.strip())
    return f"{prefix}{{ {_code(_Instruction(name, tuple(modifiers), operands), names, text)} }}"


def _code(op, names, text):
    """The statements of an instruction without its guard. @: a number that `_count_calls` puts there."""
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
    return f"{_register(op.operands[0])} = {value};"


def _memory(op, names):
    """Loads and stores: of parameters, or of global and shared memory by C pointers, alone or four at a time."""
    kind, loads = op.modifiers[-1], op.name == "ld"
    values, address = op.operands if loads else op.operands[::-1]
    inside, _, offset = address.strip("[]").partition("+")
    if "param" in op.modifiers:
        return f"{_register(values)} = c->parameters[{names.parameters[inside]}];"
    pointer = f"(({_TYPES[kind]} *)({_read(inside, 'u64', names)} + {offset or 0}))"
    registers = [value.strip() for value in values.strip("{}").split(",")]
    if loads:
        code = [f"{_register(r)} = from_{kind}({pointer}[{i}]);" for i, r in enumerate(registers)]
    else:
        code = [f"{pointer}[{i}] = {_read(r, kind, names)};" for i, r in enumerate(registers)]
    if "shared" in op.modifiers:
        code.insert(0, f"TOUCH(c, @, {len(registers) * _bits_of(kind) // 8}, {op.name}, {pointer});")
    return " ".join(code)


def _register(operand):
    """Its name in C."""
    return operand.removeprefix("%")


def _bits_of(kind):
    """64 of "s64"."""
    return int(kind.lstrip("bfsu"))


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
        wide = f"{kind[0]}{2 * _bits_of(kind)}"
        return write(f"({_TYPES[wide]}){read(1)} * ({_TYPES[wide]}){read(2)}", wide)
    if op.name in _DIVISIONS and "f" not in kind:
        return write(f"{read(1)} {_DIVISIONS[op.name]} {read(2)}")
    if op.name in _BINARY and not modifiers & {"hi", "approx", "full", "ftz", "sat"}:
        return write(f"{read(1, unsigned)} {_BINARY[op.name]} {read(2, unsigned)}", unsigned)
    if op.name == "fma":
        return write(f"fma{_OF_FLOAT[kind]}({read(1)}, {read(2)}, {read(3)})")
    if op.name == "neg":
        return write(f"-{read(1, unsigned)}", unsigned)
    if op.name == "not":
        return write(f"!{read(1)}" if kind == "pred" else f"~{read(1)}")
    if op.name in _EXTREMES and kind in _OF_FLOAT:
        return write(f"f{op.name}{_OF_FLOAT[kind]}({read(1)}, {read(2)})")
    if op.name in _EXTREMES:
        return write(f"{read(1)} {_EXTREMES[op.name]} {read(2)} ? {read(1)} : {read(2)}")
    if op.name in _SHIFTS:
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
    bits, beyond = _bits_of(kind), "0"
    if name == "shr" and kind[0] == "s":
        beyond = f"{value} >> {bits - 1}"
    return f"{by} >= {bits} ? {beyond} : {value} {_SHIFTS[name]} {by}"


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
        return f"as_{kind}({_register(operand)})"
    if operand.startswith("0f"):  # constants are written as their bits
        return f"as_f32(0x{operand.removeprefix('0f')}u)"
    if operand.startswith("0d"):
        return f"as_f64(0x{operand.removeprefix('0d')}u)"
    if operand in names.shared:
        return f"(uint64_t)c->shared[{names.shared[operand]}]"
    return f"({_TYPES[kind]}){int(operand) & 2**64 - 1:#x}ull"


def _label(text):
    """Its name in C, of "$L__BB0_2"."""
    return text.lstrip("$")
