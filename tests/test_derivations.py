"""The code of all pages in docs/ runs, in order, and prints what the page says; formulas, links and names are in order.

In a ```python block there is code, in a ```pycon block a doctest; the blocks of a page share their names. The README's
code is run by test_documents.py.
"""

import doctest
import importlib
import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dvae_ref import RBM
from dvae_ref.cli import build_parser
from dvae_ref.conformance.mistakes import registry

ROOT = Path(__file__).parent.parent
DERIVATIONS = ROOT / "docs" / "derivations"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = sorted(DERIVATIONS.glob("*.md"))
CHAPTERS = sorted(DERIVATIONS.glob("[0-9]*.md"))
WHY, *DERIVED = CHAPTERS  # page 0 says what for; the others derive


def name(path):
    return str(path.relative_to(ROOT))


class Block(NamedTuple):
    language: str
    line: int  # of the first line of code, counted from 1
    code: str


def blocks(text):
    """The fenced blocks of a Markdown text."""
    lines, start = text.splitlines(), None
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if start is None:
            start, language = number, line[3:].strip()
        else:
            yield Block(language, start + 1, "\n".join(lines[start : number - 1]) + "\n")
            start = None
    assert start is None, f"the block that begins in line {start} does not end"


def prose(text):
    """The text without its fenced blocks and its `code`."""
    kept, fenced = [], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        kept.append("" if fenced or line.startswith("```") else line)
    return re.sub(r"`[^`\n]*`", "", "\n".join(kept))


# -- code ----------------------------------------------------------------------------------------------------------


def run(text, filename="page", names=None):
    """Run the python and pycon blocks; AssertionError if a doctest prints something else."""
    names = {"__name__": "page"} if names is None else names
    for block in blocks(text):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.code, filename, "exec"), names)
        elif block.language == "pycon":
            test = doctest.DocTestParser().get_doctest(block.code, names, filename, filename, block.line - 1)
            report = []
            assert test.examples, f"{filename}, line {block.line}: a pycon block without an example"
            failed = doctest.DocTestRunner().run(test, out=report.append, clear_globs=False).failed
            assert not failed, "".join(report)
            names.update(test.globs)
    return names


def has_code(path):
    return any(block.language in ("python", "pycon") for block in blocks(path.read_text()))


@pytest.mark.parametrize("path", [path for path in DOCUMENTS[1:] if has_code(path)], ids=name)
def test_code_runs(path, monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", list(registry.REGISTRY))  # a page registers a mistake of its own
    stage = STAGES.get(name(path), lambda monkeypatch: None)
    run(path.read_text(), name(path), stage(monkeypatch))


def stage_cuda(monkeypatch):
    """What the line of docs/cuda.md takes as given; without a GPU, backend="cuda" is the CPU's."""
    from dvae_ref import RBM
    from dvae_ref.sampling import backend, gibbs, philox

    monkeypatch.setattr(backend, "resolve", lambda name: "cpu")
    rbm = RBM(np.zeros(5, np.float32), np.ones((2, 3), np.float32))
    state = gibbs.chains_from(np.zeros((4, 5), np.float32), rbm.W.shape)
    return {"gibbs": gibbs, "key": philox.key(0), "state": state, "rbm": rbm}


def stage_slurm(monkeypatch):
    """A cluster that does nothing, and a command that is parsed instead of run."""

    class Cluster:
        scheduler_address = "tcp://host:8786"

        def __init__(self, **options):
            assert options["cores"] == options["processes"] == 1

        def adapt(self, minimum_jobs, maximum_jobs):
            assert minimum_jobs == maximum_jobs > 1

    def call(command):
        assert command[:3] == [sys.executable, "-m", "dvae_ref"]
        build_parser().parse_args(command[3:])

    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=Cluster))
    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(sys, "exit", lambda code: None)


STAGES = {"docs/cuda.md": stage_cuda, "docs/table1.md": stage_slurm}


@pytest.mark.parametrize(
    "text",
    [
        "```pycon\n>>> 1 + 1\n3\n```",
        "```python\nx = 1\n```\n```pycon\n>>> x\n2\n```",
        "```python\nassert False\n```",
        "```pycon\n1 + 1\n```",
        "```python\nx = 1\n",
    ],
)
def test_control_code_that_fails_is_seen(text):
    with pytest.raises(AssertionError):
        run(text)


def commands(text):
    """The command lines `python -m dvae_ref ...` in blocks without a language: continued lines joined, no comments."""
    for block in blocks(text):
        if block.language in ("", "sh", "bash", "console"):
            for line in block.code.replace("\\\n", " ").splitlines():
                if (line := line.removeprefix("$ ")).startswith("python -m dvae_ref "):
                    yield [word for word in shlex.split(line, comments=True)[3:] if word != "..."]


def test_command_lines_are_parsed():
    found = [command for path in DOCUMENTS for command in commands(path.read_text())]
    assert len(found) >= 6
    for command in found:
        build_parser().parse_args(command)


@pytest.mark.parametrize("line", ["python -m dvae_ref trian", "python -m dvae_ref train --betta 3 # beta"])
def test_control_a_command_line_with_a_mistake_is_seen(line, capsys):
    (command,) = commands(f"```\n{line}\n```")
    with pytest.raises(SystemExit):
        build_parser().parse_args(command)
    assert "did you mean" in capsys.readouterr().err


# -- formulas ------------------------------------------------------------------------------------------------------

FORBIDDEN = {  # what one of the usual code hosts does not render, or reads as something else
    r"\\operatorname": "not allowed on GitHub",
    r"\\(newcommand|def|bm)\b": "not everywhere defined",
    r"\\text\{[^}]*_": "an underscore in text",
    r"[^\x00-\x7f]": "a character that is not ASCII",
}
FORBIDDEN_INLINE = {
    r"\\[^A-Za-z]": "Markdown takes a backslash before punctuation for its own",
    r"\*": "Markdown takes it for emphasis",
    r"[^A-Za-z0-9]_": "Markdown takes an underscore behind punctuation for emphasis",
    r"<": r"Markdown may take it for a tag: \lt",
    r"\|": r"it ends a table's cell: \mid, \lvert",
    r"^\s|\s$": "a blank inside the dollars",
    r"\]\(": "Markdown takes it for a link",
}


def mistakes_in_formula(formula, inline):
    """What is wrong with a formula, in words."""
    patterns = FORBIDDEN | (FORBIDDEN_INLINE if inline else {})
    found = [why for pattern, why in patterns.items() if re.search(pattern, formula)]
    bare = re.sub(r"\\[{}]", "", formula)
    depth = np.cumsum([(c == "{") - (c == "}") for c in bare] or [0])
    if depth[-1] != 0 or depth.min() < 0:
        found.append("unbalanced braces")
    if len(re.findall(r"\\left\b", formula)) != len(re.findall(r"\\right\b", formula)):
        found.append(r"\left without \right")
    if re.findall(r"\\begin\{(\w+)\}", formula) != re.findall(r"\\end\{(\w+)\}", formula)[::-1]:
        found.append(r"\begin without \end")
    return found


def formulas(text):
    """(formula, inline) of a page; AssertionError where the dollars of a line do not pair, or stand too close."""
    for block in blocks(text):
        if block.language == "math":
            yield block.code, False
    for line in prose(text).splitlines():
        parts = line.split("$")
        assert len(parts) % 2, f"dollars that do not pair: {line}"
        assert "$$" not in line, f"display formulas go into math blocks: {line}"
        for before, formula, after in zip(parts[0::2], parts[1::2], parts[2::2], strict=False):
            assert re.search(r"(^|[\s(\[])$", before), f"before the dollar neither a blank nor a bracket: {line}"
            assert re.match(r"$|[\s)\].,;:?!']", after), f"behind the dollar neither a blank nor punctuation: {line}"
            yield formula, True


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_formulas_are_in_order(path):
    wrong = [
        (formula, why)
        for formula, inline in formulas(path.read_text())
        if (why := mistakes_in_formula(formula, inline))
    ]
    assert not wrong
    assert path not in CHAPTERS or len(list(formulas(path.read_text()))) > 20


@pytest.mark.parametrize(
    "formula",
    [
        r"\operatorname{KL}",
        r"\{0, 1\}",
        r"\mathbf{z}_i + \mathbf{z}_j",
        r"a*b*c",
        r"\zeta_{<g}",
        r"p(z|x)",
        r"\frac{1}{2",
        r"}x{",
        r"[z](x)",
        r"\left( x",
        "ζ",
        " x",
    ],
)
def test_control_a_formula_that_would_break_is_seen(formula):
    assert mistakes_in_formula(formula, True)


@pytest.mark.parametrize(
    "text", ["costs $5", "a$x$", "**$x$ is", "$x$2", "$x$-axis", "$$x$$", "```math\n\\begin{aligned} x\n```"]
)
def test_control_dollars_and_blocks_that_would_break_are_seen(text):
    with pytest.raises(AssertionError):
        assert not [why for formula, inline in formulas(text) for why in mistakes_in_formula(formula, inline)]


# -- links, names, sections ----------------------------------------------------------------------------------------


def sections(path):
    """{what its heading can be linked by: from it to the next heading that is not below it}, of a page."""
    text = path.read_text()
    without_code = re.sub(r"^```.*?^```", lambda block: " " * len(block[0]), text, flags=re.MULTILINE | re.DOTALL)
    headings, found = list(re.finditer(r"^(#+) (.*)$", without_code, re.MULTILINE)), {}
    for n, heading in enumerate(headings):
        anchor = re.sub(r"[^\w\- ]", "", heading[2].lower()).replace(" ", "-")
        behind = (other.start() for other in headings[n + 1 :] if len(other[1]) <= len(heading[1]))
        found[anchor] = text[heading.start() : next(behind, len(text))]
    return found


def broken_links(path, text):
    """The links of a text, at the place of `path`, that lead to no file, or to no heading of it."""
    for link in re.findall(r"(?:\]\(|src=\")([^)\"]+)", prose(text)):
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if "://" not in link and not (target.exists() and (not anchor or anchor in sections(target))):
            yield link


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=name)
def test_links_lead_somewhere(path):
    assert list(broken_links(path, path.read_text())) == []


@pytest.mark.parametrize(
    "link", ["[a](docs/nowhere.md)", "[a](docs/errata.md#nowhere)", "[a](#nowhere)", '<img src="no.png">']
)
def test_control_a_link_that_leads_nowhere_is_seen(link):
    good = "[a](docs/errata.md#1---zeta-in-float32) [b](https://example.org/x) [c](#tests)"
    assert len(list(broken_links(ROOT / "README.md", f"{good} {link}"))) == 1


NUMBER = r"\d+\.\d+"


def numbers_not_there(path, text):
    """The numbers, 7.5 say, that a link tells and the section, or the page, that it leads to does not have."""
    for words, file, anchor in re.findall(r"\[([^\]]*)\]\(([^)#]*)#?([^)]*)\)", prose(text)):
        target = (path.parent / file).resolve() if file else path
        if target.suffix == ".md" and "://" not in file and not words.startswith(("exercise", "Exercise")):
            there = sections(target)[anchor] if anchor else target.read_text()
            known = set(re.findall(NUMBER, there))
            yield from (number for number in re.findall(NUMBER, words) if number not in known)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_numbers_in_a_link_stand_where_it_leads(path):
    assert list(numbers_not_there(path, path.read_text())) == []


def test_control_a_number_that_is_not_where_its_link_leads_is_seen(tmp_path):
    (tmp_path / "there.md").write_text("# A\n17.25 712\n```\n# no heading\n```\n7.5\n## B\n8.5\n# C\n7.2\n")
    text = "[7.2](there.md#a) [7.5, 8.5](there.md#a) [7.5](there.md#b) [7.2](there.md) [exercise 7.3](there.md)"
    assert list(numbers_not_there(tmp_path / "page.md", text)) == ["7.2", "7.5"]


def missing_names(text):
    """Of the names like `boltzmann.energy` in a text, those that dvae_ref does not have."""
    for dotted in sorted(set(re.findall(r"`(?:dvae_ref\.)?([a-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`", text))):
        head, *rest = dotted.split(".")
        homes = [home for home in ("dvae_ref", "dvae_ref.theory") if importlib.util.find_spec(f"{home}.{head}")]
        if rest == ["py"] or not homes:
            continue
        thing = importlib.import_module(f"{homes[0]}.{head}")
        for part in rest:
            if (
                isinstance(thing, types.ModuleType)
                and importlib.util.find_spec(thing.__name__).submodule_search_locations
            ):
                thing = getattr(thing, part, None) or importlib.import_module(f"{thing.__name__}.{part}")
                continue
            if not hasattr(thing, part):
                yield dotted
                break
            thing = getattr(thing, part)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_names_of_the_code_exist(path):
    assert not list(missing_names(path.read_text()))


def test_control_a_name_that_is_not_there_is_seen():
    assert list(missing_names("`boltzmann.energy`, `boltzmann.enregy` and `sampling.ais.log_x`")) == [
        "boltzmann.enregy",
        "sampling.ais.log_x",
    ]


def test_the_index_lists_every_chapter():
    links = re.findall(r"\]\((\d\d-[\w-]+\.md)\)", (DERIVATIONS / "README.md").read_text())
    assert list(dict.fromkeys(links)) == [path.name for path in CHAPTERS]


@pytest.mark.parametrize("path", DERIVED, ids=name)
def test_a_chapter_has_its_parts(path):
    """Code with a check, common mistakes, three to five exercises with answers; where to go on."""
    text = path.read_text()
    for heading in ("## Check", "## Common mistakes", "## Exercises"):
        assert re.search(rf"^{heading}", text, re.MULTILINE), heading
    assert 3 <= text.count("<details>") == text.count("</details>") == text.count("<summary>Answer</summary>") <= 5
    assert {"python", "pycon", "math"} <= {block.language for block in blocks(text)}
    assert not re.search(r"\b(clearly|obviously|trivially|easy to see)\b", text, re.IGNORECASE)


def machines(text):
    """What `rbm` is set to at the left margin of a page, as source."""
    return set(re.findall(r"^rbm = (RBM\(np\.array.*?\))(?:  #.*)?$", text, re.MULTILINE))


def test_one_machine_goes_through_the_pages():
    """Pages 1, 2, 4, 5, 6 and 9, and the pictures; page 7 has its first left and first right unit."""
    texts = {path.name[:2]: path.read_text() for path in CHAPTERS}
    (source,) = machines(texts["01"])
    assert {page for page, text in texts.items() if machines(text) == {source}} == {"01", "02", "04", "05", "06", "09"}
    names = {"RBM": RBM, "np": np}
    drawing = runpy.run_path(str(DERIVATIONS / "drawing.py"))
    ((corner,),) = (machines(texts[page]) for page in ["07"])
    for shown, drawn in ((source, "MACHINE"), (corner, "CORNER")):
        for ours, theirs in zip(eval(shown, names), drawing[drawn], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_one_trained_model_goes_through_the_pages(path):
    """Each has a section of its own on it, which runs by itself, as students have it; it links page 0's."""
    found = re.search(r"^## (?:On a|The) trained model.*?(?=^## )", path.read_text(), re.MULTILINE | re.DOTALL)
    section = found.group()
    assert "dvae_ref.teaching_model()" in section
    assert path == WHY or "(00-why.md#the-trained-model-of-these-pages)" in section
    run(section)


def test_control_another_machine_is_another():
    one, other = (f"rbm = RBM(np.array([{a}]), np.array([[3.0]]))  # small\n" for a in (0.5, 0.25))
    assert len(machines(one + one)) == 1 < len(machines(one + other)) == 2


def test_page_0_is_two_screens_and_says_where_its_numbers_are_from():
    """Each price has a link to where it was measured, or a source with a year."""
    text = WHY.read_text()
    assert len(prose(text).split()) < 1300
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text.partition("## At what price")[2], re.MULTILINE)
    assert len(rows) >= 9
    assert [row for row, found in rows[2:] if not re.search(r"\]\(|\d{4}\)", row + found)] == []


def needs(path):
    """The pages that a page says it needs."""
    line = re.search(r"\*\*Needs:\*\*(.*?)\*\*Gives:", path.read_text(), re.DOTALL).group(1)
    return {int(number) for number in re.findall(r"\((\d\d)-[\w-]+\.md", line)}


def reading_paths(text):
    """{name: pages} of the list of paths."""
    return {
        name: [int(number) for number in re.findall(r"\d", pages)]
        for name, pages in re.findall(r"^- \*\*([^*]+)\*\*: ((?:\d, )+\d)\.$", text, re.MULTILINE)
    }


def missing_on(path):
    """(page, what it needs and the path has not had) of a path."""
    return [(page, need) for i, page in enumerate(path) for need in sorted(needs(CHAPTERS[page]) - set(path[:i]))]


def test_on_a_reading_path_nothing_is_used_before_it_is_there():
    paths = reading_paths((DERIVATIONS / "README.md").read_text())
    assert len(paths) >= 4
    for pages in paths.values():
        assert [missing for missing in missing_on(pages) if missing != (1, 0)] == []  # page 1: "for what it is for"
    assert missing_on(range(10)) == []


def test_control_a_path_that_skips_a_page_is_seen():
    assert (5, 4) in missing_on([0, 1, 2, 3, 5])


def test_on_a_page_a_letter_has_one_meaning():
    rows = re.findall(r"^\| (\$.+?) \|.*\| (\[.*\)) \|$", (DERIVATIONS / "README.md").read_text(), re.MULTILINE)
    named = []
    for symbols, pages in rows:
        for symbol in re.findall(r"\$([^$]+)\$", symbols):
            letter = re.sub(r"\(.*\)|_.*", "", symbol)
            named += [(letter, page) for page in re.findall(r"\[(\d)\]", pages)]
    allowed = {("r", "2"), ("q", "2")}  # r_max is one of the r; q(zeta|x) the density that q makes
    assert len(named) > 35
    assert {one for one in named if named.count(one) > 1} <= allowed


# -- pictures ------------------------------------------------------------------------------------------------------


def test_pictures_are_what_their_script_draws(tmp_path):
    """The same files, and in them the same text and the same numbers to 0.01 points, if matplotlib is the same."""
    subprocess.run([sys.executable, str(DERIVATIONS / "pictures.py"), str(tmp_path)], check=True, cwd=ROOT)
    shipped, drawn = (
        {path.name: path.read_text() for path in folder.glob("*.svg")}
        for folder in (DERIVATIONS / "pictures", tmp_path)
    )
    assert shipped.keys() == drawn.keys()
    for file, text in shipped.items():
        assert any(f"pictures/{file}" in page.read_text() for page in PAGES), f"no page shows {file}"
        version = re.search(r"Matplotlib v[\d.]+", text).group()
        if version in drawn[file]:
            number = r"-?\d+\.?\d*"
            assert re.split(number, text) == re.split(number, drawn[file]), file
            values = (np.array(re.findall(number, t), float) for t in (text, drawn[file]))
            np.testing.assert_allclose(*values, atol=0.01, err_msg=file)
