"""What was measured, for people to read.

A contender that is not installed, or failed, is said to be so in its line: nobody is left out silently. Ratios are of
one run on one machine; between runs they do not compare.
"""


def show_machine(machine):
    """The line above what was measured on so many cores."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"\n{machine['cpu']}, {machine['cores']} core(s); {versions}", flush=True)


def show(record):
    """A record as it is printed: of parts, or of a case with its contenders."""
    if "parts" in record:
        _show_parts(record)
    else:
        _show_case(record)


def failures(run):
    """The contenders that failed in a run."""
    found = []
    for case in run["cases"]:
        found += failed(case)
    return found


def failed(case):
    """The contenders that failed in a case."""
    return [name for name, found in case.get("contenders", {}).items() if "failed" in found]


def _show_case(case):
    print(f"\n{case['case']}  [{case['unit']}]")
    for name, found in case["contenders"].items():
        print(f"  {name:14s} {_line(found, case)}", flush=True)


def _line(found, case):
    """Of a contender: its times, its ratio to ours, its answer, its memory; or why it took no part."""
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
        spent = ", ".join(f"{value} {name}" for name, value in case["a spin"].items())
        print(f"  a spin takes {spent}", flush=True)
