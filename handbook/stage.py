"""The sources of the site: README and docs/, linked to the reference, in a folder that mirrors the project."""

import re
import shutil
from pathlib import Path

from handbook import reference, tables
from handbook.tables import ROOT

PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs")
LEFT_OUT = {"docs/package.md"}  # the text for package indexes
IN_THEIR_OWN = {"README", *(path.stem for path in tables.CHAPTERS)}  # table of contents
INTERACTIVE = {"02-smoothing-and-mixtures", "03-implicit-reparameterisation"}
NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)*)(?=[,.\s;]|$)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?<![`\w])`((?:[a-z_]\w*\.)+\w+)`(?!`)")

INDEX = """# dvae_ref

DVAE#, discrete variational autoencoders with relaxed Boltzmann priors (Vahdat, Andriyash, Macready, NeurIPS 2018), in
NumPy and Numba, every gradient derived by hand and proved. What would you like to do?

- **Learn it.** [The derivations](docs/derivations/README.md), step by step; each page has code that runs, common
  mistakes and exercises. [Move a smoothing yourself](interactive.md).
- **Teach it.** [Three sessions](docs/teaching.md), with notebooks for students and instructors.
- **Check your own implementation.** [The conformance kit](docs/conformance.md), and
  [its quantities](reference/quantities.md).
- **Regenerate the paper's results.** [The figures](docs/figures.md), [Table 1](docs/table1.md), and
  [what runs gave](docs/results.md).
- **Use it.** [README](README.md), and [the functions](reference/api/index.md).
- **Trust it, or not.** [The equations](reference/equations.md), each with its page, functions, claims and quantities;
  [the claims](reference/claims.md) that are held against exact answers, and [what they catch](docs/breaks.md);
  [errata](docs/errata.md).

```{toctree}
:hidden:
:caption: Start

Readme <README>
docs/derivations/README
interactive
docs/teaching
```

```{toctree}
:hidden:
:caption: Reference

reference/equations
reference/claims
reference/quantities
docs/conformance
docs/crosschecks
reference/api/index
docs/architecture
```

```{toctree}
:hidden:
:caption: Results

docs/results
docs/figures
docs/table1
docs/protocol
docs/errata
docs/breaks
docs/error_bars
docs/bracket_coverage
docs/performance
docs/cuda
CHANGELOG
CONTRIBUTING
REST
```
"""


def stage(folder):
    """Write all sources into an empty folder."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for path in sources():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(linked(path))
        else:
            shutil.copy(path, target)
    (folder / "index.md").write_text(INDEX.replace("REST", "\n".join(unlisted())))
    shutil.copy(Path(__file__).parent / "interactive.md", folder)
    for name, text in reference.pages().items():
        target = folder / "reference" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def sources():
    """The pages, and all files of ours that a page links to or shows."""
    pages = [page for one in PAGES for page in ([ROOT / one] if (ROOT / one).is_file() else (ROOT / one).rglob("*.md"))]
    pages = [page for page in pages if str(page.relative_to(ROOT)) not in LEFT_OUT and has_title(page)]
    files = {target for page in pages for _, target in links(page) if target.is_file() and target.suffix != ".md"}
    return [*sorted(pages), *sorted(files)]


def has_title(page):
    """Whether it is a page: a piece that another page is made of has none."""
    return re.search(r"^# ", FENCE.sub("", page.read_text()), re.MULTILINE) is not None


def unlisted():
    """The pages that INDEX does not name, chapters apart: a new page is part of the site without further ado."""
    names = [page.relative_to(ROOT).with_suffix("") for page in sources() if page.suffix == ".md"]
    entries = INDEX.splitlines()
    return [str(name) for name in names if str(name) not in entries and name.name not in IN_THEIR_OWN]


def links(page):
    """(link, the file or folder) of all links of a page that lead to something of ours."""
    text = FENCE.sub("", page.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if "://" not in link and not link.startswith("#"):
            yield link, (page.parent / link.partition("#")[0]).resolve()


def linked(page):
    """The text of a page; names of functions lead to the reference, and what is no page or file is not a link."""
    text = page.read_text()
    for link, target in links(page):
        if target.is_dir():
            text = re.sub(rf"\[([^\]]*)\]\({re.escape(link)}\)", r"\1", text)
    text = outside_fences(text, lambda prose: CODE.sub(to_reference, prose))
    if page in tables.CHAPTERS:
        text = outside_fences(text, equations_linked)
        text += "\n" + reference.of_chapter(page.stem, page.stem in INTERACTIVE)
    if page == tables.CHAPTERS[0].parent / "README.md":
        text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(path.stem for path in tables.CHAPTERS) + "\n```\n"
    return text


def outside_fences(text, change):
    """The text with its prose changed, and its fenced blocks as they were."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def to_reference(match):
    name = tables.resolve(match.group(1))
    if name in tables.things():
        return f"{{py:obj}}`{match.group(1)} <dvae_ref.{name}>`"
    return f"{{py:mod}}`{match.group(1)} <dvae_ref.{name}>`" if name else match.group()


def equations_linked(prose):
    """In the line **Paper:** of a chapter, every equation leads to its entry in the reference."""

    def line(match):
        return NUMBER.sub(lambda number: _link(match.group(), number), match.group())

    return re.sub(r"\*\*Paper:\*\*.*?(?=\*\*Code)", line, prose, flags=re.DOTALL)


def _link(line, number):
    kind = re.findall(r"(Eq|Sec)s?\.", line[: number.start()])[-1]
    label = f"{kind}. {number.group(1)}"
    return f"[{number.group(1)}](#{tables.anchor(label)})" if label in tables.LABELS else number.group()
