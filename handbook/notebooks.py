"""The classroom: a notebook a page in three forms, made from the pages and from `handbook.tasks`.

plain       the page, its code in cells, what it prints below them
student     its text and formulas, the code on the trained model, exercises without answers, and tasks: functions to
            write, which the kit judges
instructor  the page, and the tasks with their functions
"""

import base64
import doctest
import importlib.util
import inspect
import json
import os
import re
from pathlib import Path

from handbook import cells
from handbook.tables import CHAPTERS

FORMS = ("plain", "student", "instructor")
ANSWER = re.compile(r"<details>.*?</details>\n*", re.DOTALL)
FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
TRAINED = re.compile(r"## (?:The|On a) trained model")
TURN = "    # your turn\n"
SETUP = '''from dvae_ref.conformance import case


def judge(name, outputs):
    """Print the kit's verdict: right, or what differs, where, and which mistake it looks like."""
    try:
        case(name).check(outputs)
        print(f"{name}: right ({', '.join(outputs)})")
    except AssertionError as verdict:
        print(verdict)
'''


def write_all(folder):
    """All notebooks, in folder/FORM/PAGE.ipynb; 0."""
    for form in FORMS:
        for path in CHAPTERS:
            target = Path(folder) / form / f"{path.stem}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(notebook(path, form, target.parent), indent=1, ensure_ascii=False) + "\n")
    print(f"{len(FORMS) * len(CHAPTERS)} notebooks in {folder}")
    return 0


def notebook(path, form, home):
    """The notebook of a page; its links are made for a notebook in the folder `home`."""
    found = student(path, home) if form == "student" else page(path.read_text(), path, home)
    found += tasks(path, cut=form == "student") if form != "plain" else []
    return cells.notebook(found)


def page(text, path, home):
    """The cells of a page: its prose, its code, and what its examples print."""
    found, end = [], 0
    for fence in FENCE.finditer(text):
        found += prose(text[end : fence.start()], path, home)
        found += [cells.code(fence.group(2))] if fence.group(1) == "python" else examples(fence.group(2))
        end = fence.end()
    return found + prose(text[end:], path, home)


def examples(code):
    """A cell for each example of a doctest, with what it prints."""
    for one in doctest.DocTestParser().get_examples(code):
        yield cells.code(one.source, one.want, raises=one.exc_msg is not None)


def student(path, home):
    """The text of a page, a cell a section: its code, but for that on the trained model, is for the instructor."""
    first, *sections = re.split(r"^(?=## )", ANSWER.sub("*Your answer:*\n\n", path.read_text()), flags=re.MULTILINE)
    hint = f"*Where a paragraph ends with a colon, code is left out: it is on the page, [{path.name}]"
    found = [*prose(first, path, home), cells.markdown(f"{hint}({outward(path, home)}). Your tasks are at the end.*")]
    for part in sections:
        found += page(part, path, home) if TRAINED.match(part) else prose(FENCE.sub("", part), path, home)
    return found


def prose(text, path, home):
    """One Markdown cell, or none, with formulas, links and pictures as a notebook takes them."""
    text = re.sub(r"^```math\n(.*?)^```", r"$$\n\1$$", text.strip(), flags=re.DOTALL | re.MULTILINE)
    pictures = {}

    def link(match):
        bang, words, target, anchor = match.groups()
        if "://" in target or not target:
            return match.group()
        whole = (path.parent / target).resolve()
        if bang:
            pictures[whole.name] = {"image/svg+xml": base64.b64encode(whole.read_bytes()).decode()}
            return f"![{words}](attachment:{whole.name})"
        there = f"{whole.stem}.ipynb" if whole in CHAPTERS else outward(whole, home)
        return f"[{words}]({there}{anchor or ''})"

    text = LINK.sub(link, text)
    return [cells.markdown(text, pictures)] if text else []


def outward(path, home):
    return os.path.relpath(path, home)


# -- tasks -------------------------------------------------------------------------------------------------------------


def module(path):
    """The module of a page's tasks, or None."""
    name = f"handbook.tasks.page{int(path.stem[:2])}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def functions(path):
    """{quantity: source} of the tasks of a page."""
    home = module(path)
    found = vars(home).values() if home else ()
    return {f.__name__: inspect.getsource(f) for f in found if inspect.isfunction(f) and f.__module__ == home.__name__}


def without_body(source):
    """The head of a function, for a student to go on from."""
    head, turn, _ = source.partition(TURN)
    assert turn, f"no '# your turn' in\n{source}"
    return head + TURN + '    raise NotImplementedError("your turn")\n'


def tasks(path, cut):
    """The cells of a page's tasks: what to write, the function, the verdict."""
    sources = functions(path)
    if not sources:
        return []
    imports = re.findall(r"^import .*$", inspect.getsource(module(path)), re.MULTILINE)
    found = [cells.markdown("## Your turn"), cells.code("\n".join(imports) + "\n" + SETUP)]
    for name, source in sources.items():
        found += [cells.markdown(question(name)), cells.code(without_body(source) if cut else source, task=name)]
        found.append(cells.code(f'judge("{name}", {name}(**case("{name}").inputs))', judges=name))
    return found


def question(name):
    """What a task asks for, from the kit's own words."""
    from dvae_ref.conformance.catalogue import QUANTITIES

    one = QUANTITIES[name]
    gradients = f" Gradients: of {one.gradient_of}." if one.gradient_of else ""
    shapes = f"`python -m dvae_ref conformance show {name}` has all shapes and meanings."
    return f"### `{name}` ({one.equation})\n\n```text\n{one.meaning}.{gradients}\n```\n\n{shapes}"


def pasted(student, instructor):
    """A student's notebook with the instructor's functions in the place of the student's."""
    right = {cells.task(cell): cell for cell in instructor["cells"] if cells.task(cell)}
    return student | {"cells": [right.get(cells.task(cell), cell) for cell in student["cells"]]}
