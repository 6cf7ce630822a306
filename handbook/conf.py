"""Sphinx's settings of the site, and the docstrings of this project, which are plain text, as reStructuredText."""

import re
from pathlib import Path

import dvae_ref
from handbook import reference

project = "dvae_ref"
author = "The dvae_ref developers"
release = dvae_ref.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "furo"
html_title = "dvae_ref"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_search_scorer = str(Path(__file__).parent / "static" / "scorer.js")
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    f"{scheme}_css_variables": dict.fromkeys(("color-link", "color-brand-primary", "color-brand-content"), color)
    for scheme, color in {"light": "#0b5394", "dark": "#8cc7ff"}.items()
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
mathjax_path = "tex-svg.js"  # one file, copied from a package: nothing is fetched
mathjax3_config = {"options": {"enableMenu": False}}
myst_enable_extensions = ["dollarmath", "html_image"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
myst_dmath_double_inline = False
autodoc_typehints = "none"
toc_object_entries = False
nitpicky = False


PAGE = re.compile(r"(?:docs/derivations/)?(0(\d)-[a-z-]+)\.md")  # as docstrings name a chapter


def setup(app):
    app.connect("config-inited", lambda app, config: config.html_static_path.append(str(app.srcdir / "_mathjax")))
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-skip-member", without_field_numbers)


def as_restructured_text(app, what, name, obj, options, lines):
    """Escape what is markup by accident; what stands further in is a literal block, as it is in help()."""
    text = "\n".join(lines)
    lines[:] = "\n\n".join(map(_paragraph, re.split(r"\n\s*\n", text))).splitlines()
    lines += reference.belongs(name.removeprefix("dvae_ref."))


def _paragraph(text):
    if text.lstrip().startswith(">>>"):
        return text
    if text.startswith("  "):
        return "::\n\n" + text
    if re.search(r"^  +\S", text, re.MULTILINE) or re.match(r"[-*] ", text):  # a table or list of its own
        return "::\n\n" + "\n".join(f"    {line}" for line in text.splitlines())
    escaped = re.sub(r"([\\*_|])", r"\\\1", re.sub(r"`([^`]*)`", r"‘\1’", text))
    return PAGE.sub(r":doc:`page \2 </docs/derivations/\1>`", escaped)


def without_field_numbers(app, what, name, obj, skip, options):
    """ "Alias for field number 0" says nothing."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else skip
