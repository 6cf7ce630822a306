"""What was measured, for people to read."""


def show_machine(machine):
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"\n{machine['cpu']}, {machine['cores']} core(s); {versions}", flush=True)


def show(record):
    _show_parts(record) if "parts" in record else _show_case(record)


def failures(run):
    """The contenders that failed in a run."""
    return [name for case in run["cases"] for name, found in case.get("contenders", {}).items() if "failed" in found]


def _show_case(case):
    print(f"\n{case['case']}  [{case['unit']}]")
    for name, found in case["contenders"].items():
        print(f"  {name:14s} {_line(found, case)}", flush=True)


def _line(found, case):
    if "median" not in found:
        return found.get("absent") or found["failed"]
    memory = found["memory"]
    line = f"{found['median']:9.4g}   ({found['least']:.4g} to {found['largest']:.4g})   "
    if found["deviation"] is not None:
        line += f"{found['ratio']:6.2f} x ours   (answers differ by {found['deviation']:.2g}, {case['agreement']})   "
    return f"{line}{memory['peak']:.0f} MB, of which imports {memory['imports']:.0f}"


def _show_parts(case):
    print(f"\nParts, one core, {case['parts']}  [{case['unit']}]")
    for name, value in case["found"].items():
        print(f"  {name:34s} {value:8.3g}")
    if case["a spin"]:
        print("  a spin takes " + ", ".join(f"{value} {name}" for name, value in case["a spin"].items()), flush=True)
