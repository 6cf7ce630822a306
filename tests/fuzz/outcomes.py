"""The table of what was found: a row a surface."""

from collections import Counter

COLUMNS = ("surface", "inputs", "exit 0", "exit 1", "exit 2", "exit 130", "exit else", "tracebacks", "signals", "hung",
           "other faults", "warnings", "CPU", "slowest")  # fmt: skip
NAMED = {"traceback": "tracebacks", "signal": "signals", "hung": "hung"}


def table(verdicts):
    """Markdown."""
    surfaces = list(dict.fromkeys(verdict.name.partition("/")[0] for verdict in verdicts))
    rows = [row(name, [v for v in verdicts if v.name.partition("/")[0] == name]) for name in surfaces]
    rows.append(row("all", verdicts))
    lines = [COLUMNS, ["---"] + ["--:"] * (len(COLUMNS) - 1), *([line[column] for column in COLUMNS] for line in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def row(name, verdicts):
    codes = Counter(verdict.code for verdict in verdicts if verdict.code is not None)
    kinds = Counter(kind for verdict in verdicts for kind in {kind for kind, _ in verdict.faults})
    slowest = max((v.seconds for v in verdicts if not v.interrupted), default=0)
    found = {f"exit {code}": codes.pop(code, 0) for code in (0, 1, 2, 130)}
    found |= {column: kinds.pop(kind, 0) for kind, column in NAMED.items()}
    kinds.pop("exit code", None)
    found |= {"exit else": codes.total(), "other faults": kinds.total()}
    found |= {"CPU": f"{sum(verdict.cpu for verdict in verdicts):.0f} s"}
    found |= {"warnings": sum(verdict.warnings > 0 for verdict in verdicts), "slowest": f"{slowest:.1f} s"}
    return {"surface": name, "inputs": len(verdicts), **found}
