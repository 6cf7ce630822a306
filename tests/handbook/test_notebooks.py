"""Notebooks print what the pages say; students get no answers; the kit judges what they write, and names mistakes."""

import doctest
import json
import re

import pytest

from handbook import cells, notebooks
from handbook.tables import CHAPTERS, ROOT

HOME = ROOT / "out" / "notebooks" / "student"
PAGES = {int(path.stem[:2]): path for path in CHAPTERS}
TASKS = {number: list(notebooks.functions(path)) for number, path in PAGES.items()}
SHORT = (1, 7)  # whose notebooks are run on every change; all of them before a release


def made(number, form):
    return notebooks.notebook(PAGES[number], form, HOME)


def release_but(short):
    return [pytest.param(number, marks=() if number in short else pytest.mark.release) for number in PAGES]


def test_every_page_but_the_first_has_tasks():
    assert [number for number, names in TASKS.items() if not names] == [0]
    assert sum(map(len, TASKS.values())) >= 14


@pytest.mark.parametrize("number", PAGES)
@pytest.mark.parametrize("form", notebooks.FORMS)
def test_a_notebook_is_whole(number, form):
    """Every cell is text or code; no fence, link or picture of the page's kind is left."""
    book = json.loads(json.dumps(made(number, form)))
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    for cell in book["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        if cell["cell_type"] == "markdown":
            assert not re.search(r"```(math|python|pycon)|\]\((?!attachment:)[^)]*\.svg\)", cell["source"])
            assert all(f"attachment:{name}" in cell["source"] for name in cell.get("attachments", {}))
        else:
            compile(cell["source"], cell["id"], "exec")
            assert ">>>" not in cell["source"]


@pytest.mark.parametrize("number", PAGES)
def test_students_get_no_answers(number):
    """Neither an exercise's answer, nor a line of a task's function."""
    text = "\n".join(cell["source"] for cell in made(number, "student")["cells"])
    page = PAGES[number].read_text()
    assert "<details>" not in text
    assert text.count("*Your answer:*") == page.count("<details>")
    for source in notebooks.functions(PAGES[number]).values():
        lines = [line.strip() for line in source.partition(notebooks.TURN)[2].splitlines()]
        assert [line for line in lines if len(line) > 20 and line in text] == []
    whole = "\n".join(cell["source"] for cell in made(number, "instructor")["cells"])
    assert all(source.strip() in whole for source in notebooks.functions(PAGES[number]).values())


@pytest.mark.parametrize("number", PAGES)
def test_students_have_the_trained_model(number):
    """The code of its section, and no other of the page."""
    before_tasks = [cell for cell in made(number, "student")["cells"] if cell["cell_type"] == "code"]
    of_page = before_tasks[: len(before_tasks) - (2 * len(TASKS[number]) + 1 if TASKS[number] else 0)]
    assert "dvae_ref.teaching_model()" in of_page[0]["source"]
    (section,) = (part for part in re.split(r"^(?=## )", PAGES[number].read_text(), flags=re.MULTILINE)
                  if notebooks.TRAINED.match(part))  # fmt: skip
    assert all(cell["source"].splitlines()[0] in section for cell in of_page)


@pytest.mark.parametrize("form", notebooks.FORMS)
@pytest.mark.parametrize("number", PAGES)
def test_links_lead_somewhere(number, form):
    """From where `make notebooks` writes them: to other notebooks, or to files of the project."""
    text = "\n".join(cell["source"] for cell in made(number, form)["cells"] if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("attachment:"):
            chapter = target.removesuffix(".ipynb") in {path.stem for path in CHAPTERS}
            assert chapter or (HOME / target).resolve().exists(), target


def test_control_a_function_without_a_mark_is_seen():
    with pytest.raises(AssertionError, match="your turn"):
        notebooks.without_body("def f():\n    return 1\n")


@pytest.mark.parametrize("number", release_but(()))
def test_what_notebooks_print(number):
    """The plain one in a kernel, cell by cell, what the page says."""
    for cell, printed in cells.run(made(number, "plain")):
        wanted = "".join(out["text"] for out in cell["outputs"])
        assert not wanted or doctest.OutputChecker().check_output(wanted, printed, 0), cell["source"]


@pytest.mark.parametrize("number", release_but(SHORT))
def test_with_the_instructor_s_functions_every_task_is_right(number):
    found = cells.run(notebooks.pasted(made(number, "student"), made(number, "instructor")))
    verdicts = [printed for cell, printed in found if "judges" in cell["metadata"]]
    assert [verdict.split(":")[0] for verdict in verdicts] == TASKS[number]
    assert all(": right (" in verdict for verdict in verdicts)


def verdict(number, name, old, new):
    """What a student's notebook prints of a task whose function has `new` for `old`."""
    source = notebooks.functions(PAGES[number])[name]
    assert old in source
    book = made(number, "student")["cells"]
    (turn,) = (i for i, cell in enumerate(book) if cell["source"] == "## Your turn")
    kept = []
    for cell in book[turn:]:
        if cells.task(cell) == name:
            kept.append(cell | {"source": source.replace(old, new)})
        elif not cells.task(cell) and cell["metadata"].get("judges", name) == name:
            kept.append(cell)
    return "".join(cells.run_here(cells.notebook(kept)))


MISTAKES = {
    "the biases have the opposite sign": (1, "energy", "E = -z @ a", "E = z @ a"),
    "left and right are swapped": (1, "energy", "(left @ W) * right", "(left @ W.T) * right"),
    "covariances in place of E[z_left z_right']": (
        1, "log_z", "z[:, :n].T @ (p[:, None] * z[:, n:])",
        "z[:, :n].T @ (p[:, None] * z[:, n:]) - np.outer((p @ z)[:n], (p @ z)[n:])"),
    "E[z_left] E[z_right]' in place of E[z_left z_right']": (
        1, "log_z", "z[:, :n].T @ (p[:, None] * z[:, n:])", "np.outer((p @ z)[:n], (p @ z)[n:])"),
    "a in place of a - lam / 2": (6, "log_p_gaussian_integral", " - lam / 2", ""),
    "mu on both sides": (7, "kl_dvaepp_exp", "nu[:, :n] @ W", "q[:, :n] @ W"),
    "log Z of the base, units x log 2, is left out": (9, "ais_weights", "len(a) * np.log(2) + peak", "peak"),
    "dzeta/dq has the opposite sign": (3, "smoothing_power", "(R0 - R1) / density", "(R1 - R0) / density"),
    "H(m) has the opposite sign": (4, "mean_field", "entropy = -np.sum", "entropy = np.sum"),
    "c = log r(zeta|0) is left out": (5, "log_p_overlapping_power", "np.sum(b * m + c, 1)", "np.sum(b * m, 1)"),
    "one sweep too few": (5, "log_p_overlapping_power", "range(int(sweeps))", "range(int(sweeps) - 1)"),
    "the factor 1/2 of log det": (6, "log_p_gaussian_integral", "log_det / 2", "log_det"),
    "log-sum-exp without -log K": (7, "bound_importance_weighted", "w.mean(1)", "w.sum(1)"),
    "the gradient of the sum over the images": (7, "bound_importance_weighted", " / len(log_w)", ""),
    "epsilon is added to the corrected root": (
        8, "adam", "np.sqrt(v) + adam_epsilon", "np.sqrt(v) + adam_epsilon * np.sqrt(1 - beta2**iteration)"),
    "z = 1 where u > p": (9, "gibbs", " < p_", " > p_"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_student_s_mistake_is_named(mistake):
    printed = verdict(*MISTAKES[mistake])
    assert f"looks like: {mistake}" in printed, printed


def test_control_without_a_mistake_none_is_named():
    assert verdict(1, "energy", "E = -z @ a", "E = -(z @ a)").startswith("energy: right (")


def test_control_a_task_that_nobody_has_done_is_seen():
    with pytest.raises(NotImplementedError, match="your turn"):
        cells.run_here(made(1, "student"))


@pytest.mark.release
def test_control_a_cell_that_raises_in_a_kernel_is_seen():
    with pytest.raises(RuntimeError, match="your turn"):
        cells.run(made(1, "student"))


def test_a_mistake_in_one_array_of_a_smoothing_has_a_verdict():
    """Two mistakes at once are looked for, and one of them has no quantile: that is no traceback."""
    printed = verdict(2, "smoothing_power", "np.log(1 - zeta) - np.log(beta)", "np.log(1 - zeta + 1e-7) - np.log(beta)")
    assert "FAIL  smoothing_power" in printed
