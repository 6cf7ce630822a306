"""What was found, as text and as one self-contained HTML page: inline style, every picture and equation embedded."""

import base64
import html
import io
import platform
from datetime import UTC, datetime
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dvae_ref import __version__
from dvae_ref.files import writing
from validation.claim import Claim

REPORT = "report.html"

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "validation"}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Validation of dvae_ref</title><style>
:root {{ --ink: #1d2733; --soft: #5a6775; --line: #d9dfe6; --pass: #1a7f4b; --fail: #b3261e; --paper: #fff; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 5rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 1.7rem; margin: 0 0 .3rem; }} h2 {{ font-size: 1.25rem; margin: 0; }}
p {{ margin: .4rem 0 .8rem; max-width: 48rem; }} .soft, caption {{ color: var(--soft); font-size: .9rem; }}
section {{ border-top: 1px solid var(--line); padding: 1.6rem 0 .6rem; margin-top: 1.6rem; }}
header.claim {{ display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }}
.badge {{ font-size: .78rem; font-weight: 600; letter-spacing: .04em; padding: .1rem .55rem; border-radius: 1rem; }}
.pass {{ color: var(--pass); }} .fail {{ color: var(--fail); }}
.badge.pass {{ background: #e3f4ea; }} .badge.fail {{ background: #fbe6e4; }}
img {{ max-width: 100%; height: auto; display: block; }} img.equation {{ margin: .7rem 0 .7rem 1.2rem; }}
img.picture {{ margin: .8rem auto; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .86rem; width: 100%; margin: .6rem 0; }}
th, td {{ text-align: left; padding: .28rem .7rem .28rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); }}
th {{ color: var(--soft); font-weight: 600; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
a {{ color: inherit; }} summary {{ cursor: pointer; color: var(--soft); font-size: .9rem; }}
</style></head><body>
<h1>Validation of dvae_ref</h1>
<p>Each claim of the paper that the implementation relies on is held against an exact answer: enumeration, quadrature,
or arithmetic of 50 digits and more. A finding passes if its error is within its bound; the last columns say what the
bound follows from and, for a statistical finding, which relative error of the estimate the sample would have shown:
its power, of which the summary gives the median and the worst.</p>
<p class="soft">{facts}</p>
{summary}
{sections}
</body></html>
"""


class Result(NamedTuple):
    claim: Claim
    findings: tuple
    data: object  # what the claim's picture draws
    seconds: float

    @property
    def passed(self):
        return bool(self.findings) and not failed(self.findings)

    @property
    def power(self):
        """(median, largest) relative error that a statistical finding would have caught; None if there is none."""
        caught = [f.would_have_caught for f in self.findings if f.would_have_caught is not None]
        if not caught:
            return None
        return float(np.median(caught)), float(max(caught))

    def to_json(self):
        return {
            "name": self.claim.name,
            "statement": self.claim.statement,
            "passed": self.passed,
            "power": self.power,
            "seconds": round(self.seconds, 2),
            "findings": [f.to_json() for f in self.findings],
        }


def failed(results):
    """How many of them, findings or results, have not passed."""
    return sum(not result.passed for result in results)


def number(x, digits=4):
    """A number for people: `3.142`, `-1.2e-14`, or nothing."""
    if x is None:
        return ""
    return f"{x:.{digits}g}"


def as_text(result):
    """The findings of a claim as lines of text: estimate, exact number, error and bound, and why that is the bound."""
    head = f"{verdict(result.passed)} ({result.seconds:.1f} s; {power(result) or 'not statistical'})"
    rows = [f"{result.claim.name}: {head}. {result.claim.statement}"]
    width = max((len(f.quantity) for f in result.findings), default=0)
    for f in result.findings:
        line = f"  {verdict(f.passed):5s} {f.quantity:{width}s} {number(f.estimate, 6):>12}"
        if f.oracle is not None:
            line += f" exact {number(f.oracle, 6):>12}"
        line += f"  error {number(f.error, 3)} <= {number(f.bound, 3)} ({f.basis}"
        if f.would_have_caught is not None:
            line += f"; would have caught {percent(f.would_have_caught)}"
        rows.append(f"{line})")
    return "\n".join(rows)


def percent(share):
    """A share in percent, or nothing."""
    if share is None:
        return ""
    return f"{100 * share:.2g}%"


def power(result):
    """What a claim's findings would have caught, in words; nothing where none is statistical."""
    if result.power is None:
        return ""
    median, worst = result.power
    return f"would have caught {100 * median:.2g}%, at worst {100 * worst:.2g}%"


def verdict(passed):
    return "holds" if passed else "FAILS"


def write(folder, results, *, quick, seed):
    """Write report.html into the folder; returns its path."""
    path = folder / REPORT
    with writing.atomic(path) as file:
        file.write(page(results, quick=quick, seed=seed).encode())
    return path


def check_writable(folder):
    """Make the folder. OSError if the report could not be written into it."""
    writing.make_folder(folder)
    writing.check_writable(folder / REPORT)


def page(results, *, quick, seed):
    """The report as one HTML file, pictures and all."""
    kind = "quick" if quick else "full"
    seconds = sum(r.seconds for r in results)
    facts = (
        f"dvae_ref {__version__}, {kind} run, seed {seed}, "
        f"{seconds:.0f} seconds, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"
    )
    with mpl.rc_context(STYLE):
        sections = "\n".join(map(section, results))
    return PAGE.format(facts=html.escape(facts), summary=summary(results), sections=sections)


def summary(results):
    """The verdict on all claims, and a table with a row for each."""
    head = f"All {len(results)} claims hold."
    if failed(results):
        head = f"{failed(results)} of {len(results)} claims fail."
    columns = ("Claim", "Statement"), ("Findings", "Largest error / bound"), ("Power", "")
    rows = map(summary_row, results)
    return f'<p class="{css(not failed(results))}"><strong>{head}</strong></p>\n{table(columns, rows)}'


def summary_row(result):
    name = result.claim.name
    numbers = cells(str(len(result.findings)), f"{closest(result):.2g}", kind="number")
    claim = cells(f'<a href="#{name}">{name}</a>', html.escape(result.claim.statement))
    return claim + numbers + cells(power(result), badge(result.passed))


def table(columns, rows):
    """columns: names of text columns, of numbers, of text again."""
    kinds = ("", "number", "")
    head = "".join(cells(*names, kind=kind, tag="th") for names, kind in zip(columns, kinds, strict=True))
    body = "\n".join(f"<tr>{row}</tr>" for row in (head, *rows))
    return f'<div class="scroll"><table>{body}</table></div>'


def cells(*texts, kind="", tag="td"):
    """Cells of one kind, the class of the style sheet, side by side."""
    opening = f'<{tag} class="{kind}">' if kind else f"<{tag}>"
    return "".join(f"{opening}{text}</{tag}>" for text in texts)


def closest(result):
    """The largest error in units of its bound."""
    return max(map(ratio, result.findings), default=np.nan)


def ratio(finding):
    """The error in units of its bound, infinite for one that is not a number."""
    if np.isnan(finding.error):
        return np.inf
    if finding.error <= 0:
        return 0.0
    if finding.bound <= 0:
        return np.inf
    return finding.error / finding.bound


def badge(passed):
    return f'<span class="badge {css(passed)}">{verdict(passed).upper()}</span>'


def css(passed):
    """The class of the style sheet."""
    return "pass" if passed else "fail"


def section(result):
    """A claim's part of the page: its equations as formulas, its picture, its findings."""
    claim = result.claim
    equations = "\n".join(image("equation", text, equation(text)) for text in claim.equations)
    title = f"<h2>{claim.name.replace('_', ' ')}</h2>{badge(result.passed)}"
    return f"""<section id="{claim.name}">
<header class="claim">{title}<span class="soft">{result.seconds:.1f} s</span></header>
<p>{html.escape(claim.statement)}</p>
{equations}
{"" if result.data is None else image("picture", f"picture of {claim.name}", picture(result))}
{tables(result.findings)}
</section>"""


COLUMNS = ("Quantity",), ("Estimate", "Exact", "Error", "Bound"), ("Bound follows from", "Would have caught", "")
SHOWN = 12


def tables(findings):
    """A table of the findings; of many, those that fail or come closest, and the others folded away."""
    if len(findings) <= SHOWN:
        return table(COLUMNS, map(row, findings))
    ordered = sorted(findings, key=ratio, reverse=True)[: max(6, failed(findings))]
    rest = table(COLUMNS, map(row, findings))
    return (
        f'<p class="soft">Of {len(findings)} findings, those that come closest to their bounds:</p>'
        f"{table(COLUMNS, map(row, ordered))}<details><summary>All {len(findings)} findings</summary>{rest}</details>"
    )


def row(f):
    mark = f'<span class="{css(f.passed)}">{verdict(f.passed)}</span>'
    numbers = cells(number(f.estimate), number(f.oracle), number(f.error, 2), number(f.bound, 2), kind="number")
    return cells(html.escape(f.quantity)) + numbers + cells(html.escape(f.basis), percent(f.would_have_caught), mark)


def image(kind, alt, svg):
    return f'<img class="{kind}" alt="{html.escape(alt)}" src="{embedded(svg)}">'


def equation(text):
    """SVG of a line of mathtext."""
    figure = Figure(figsize=(0.01, 0.01))
    with mpl.rc_context({"mathtext.fontset": "cm"}):
        figure.text(0, 0, f"${text}$", fontsize=13)
        return svg(figure, bbox_inches="tight", pad_inches=0.04)


def picture(result):
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    result.claim.picture(result.data, figure)
    return svg(figure)


def svg(figure, **options):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=False, metadata={"Date": None}, **options)
    return buffer.getvalue()


def embedded(svg):
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
