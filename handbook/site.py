"""Build the site: sources staged, Sphinx with warnings as errors, then the checks of `handbook.check`."""

import shutil
import sys
from importlib import util
from pathlib import Path

from handbook import check, stage

LABELS = {
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    '<aside class="sidebar-drawer"': '<aside class="sidebar-drawer" aria-label="All pages"',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
}
NEEDED = ("sphinx", "myst_parser", "furo")


def build(out):
    """Exit code 0 if the site is built without a warning and passes its checks; 1 otherwise, 2 without Sphinx."""
    if missing := [name for name in NEEDED if util.find_spec(name) is None]:
        print(f"the site needs {', '.join(missing)}: pip install '.[docs]'", file=sys.stderr)
        return 2
    from sphinx.cmd.build import main as sphinx

    source, out = Path(out).resolve().with_name(f"{Path(out).name}-source"), Path(out).resolve()
    stage.stage(source)
    mathjax(source / "_mathjax")
    shutil.rmtree(out, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(Path(__file__).parent), "-d", f"{source}/.doctrees"]
    if sphinx([*options, str(source), str(out)]):
        return 1
    label(out)
    found = check.problems(out)
    for one in found:
        print(one, file=sys.stderr)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**20
    print(f"{out}/index.html: {len(list(out.rglob('*.html')))} pages, {size:.1f} MB, {len(found)} problems")
    return 1 if found else 0


def mathjax(folder):
    """Copy the one file that draws all formulas out of the package that has it."""
    (place,) = util.find_spec("sphinx-mathjax-offline").submodule_search_locations
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(place) / "static" / "mathjax" / "tex-svg.js", folder)


def label(folder):
    """Name what the theme leaves nameless for those who listen to a page: the level of captions, the two side bars."""
    for path in folder.rglob("*.html"):
        text = path.read_text()
        for nameless, named in LABELS.items():
            text = text.replace(nameless, named)
        path.write_text(text)
