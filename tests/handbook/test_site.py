"""The site builds without a warning, leads nowhere wrong, needs no network, and its search finds what is sought."""

import json
import subprocess
import sys
from importlib import util

import pytest

from handbook import check, stage

INDEX = {"alltitles": {"Eq. 9": []}, "indexentries": {}, "terms": {"pinsker": 5}}
GOOD = {
    "index.html": '<a href="b.html#x">b</a><a href="https://example.org">out</a><img src="p.png"><script src="s.js">',
    "b.html": '<h1 id="x">b</h1><a href="#x">up</a><link rel="stylesheet" href="s.css">',
    "p.png": "",
    "s.js": "",
    "s.css": "a { background: url(p.png) }",
    "searchindex.js": f"Search.setIndex({json.dumps(INDEX)})",
}


def problems(folder, **changes):
    for name, text in (GOOD | {name.replace("_", "."): text for name, text in changes.items()}).items():
        (folder / name).write_text(text)
    return check.problems(folder)


def test_a_good_site_has_no_problem(tmp_path):
    assert problems(tmp_path) == []


BAD = {
    "a page that is not there": {"b_html": '<h1 id="x">b</h1><a href="c.html">c</a>'},
    "an anchor that is not there": {"b_html": '<h1 id="y">b</h1>'},
    "a script from elsewhere": {"b_html": '<h1 id="x">b</h1><script src="https://cdn.example/m.js"></script>'},
    "a picture without a scheme": {"b_html": '<h1 id="x">b</h1><img src="//cdn.example/m.png">'},
    "a picture that is not there": {"b_html": '<h1 id="x">b</h1><img src="q.png">'},
    "a font from elsewhere": {"s_css": "@font-face { src: url('https://fonts.example/f.woff2') }"},
    "a style sheet from elsewhere": {"s_css": "@import 'https://fonts.example/f.css';"},
    "words that are not found": {"searchindex_js": f"Search.setIndex({json.dumps(INDEX | {'terms': {}})})"},
    "an equation that is not found": {"searchindex_js": f"Search.setIndex({json.dumps(INDEX | {'alltitles': {}})})"},
}


@pytest.mark.parametrize("what", BAD)
def test_control_what_is_wrong_is_seen(tmp_path, what):
    assert len(problems(tmp_path, **BAD[what])) == 1


def test_control_no_site_is_no_good_site(tmp_path):
    assert check.problems(tmp_path)


def test_sources_mirror_the_project(tmp_path):
    """Every page is there, its pictures and files beside it, and code in fences is as it was."""
    stage.stage(tmp_path / "source")
    for page in stage.sources():
        assert (tmp_path / "source" / page.relative_to(stage.ROOT)).exists()
    page = "docs/derivations/03-implicit-reparameterisation.md"
    before, after = ((folder / page).read_text() for folder in (stage.ROOT, tmp_path / "source"))
    assert stage.FENCE.findall(after) == stage.FENCE.findall(before)
    assert "{py:obj}`mixture.inverse_cdf <dvae_ref.theory.mixture.inverse_cdf>`" in after
    assert "Eqs. [8](#eq-8) and [9](#eq-9), Sec. [3.3](#sec-3-3)" in after


def test_what_has_no_title_is_no_page(tmp_path):
    (tmp_path / "notes.md").write_text("```sh\n# no title\n```\n")
    assert not stage.has_title(tmp_path / "notes.md")
    assert stage.has_title(stage.ROOT / "docs/errata.md")


def test_a_page_that_nobody_listed_is_in_the_index(tmp_path, monkeypatch):
    before = stage.unlisted()
    monkeypatch.setattr(stage, "INDEX", stage.INDEX.replace("docs/errata\n", ""))
    assert sorted(stage.unlisted()) == sorted([*before, "docs/errata"])


@pytest.mark.release
@pytest.mark.skipif(util.find_spec("sphinx") is None, reason="needs the extra docs, which `make release` installs")
def test_the_site_is_built(tmp_path):
    command = [sys.executable, "-m", "handbook", "site", "--out", str(tmp_path / "docs")]
    done = subprocess.run(command, cwd=stage.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ", 0 problems" in done.stdout
    assert (tmp_path / "docs/index.html").exists()
