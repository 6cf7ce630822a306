"""What the derivations cite is in the list of references of their index, and what is listed is cited."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "derivations"
CITED = re.compile(r"((?:[A-ZÀ-Ý][\w-]+(?:, | & | ))*[A-ZÀ-Ý][\w-]+(?: et al\.)?),? \(?((?:19|20)\d\d)\b")


def cited(page):
    """What a page cites, as "Rolfe 2017"; the name of a method may stand before those of its authors."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    return [f"{who} {year}" for who, year in CITED.findall(" ".join(text.split()))]


def listed(index):
    """The heads of the references, "Rolfe 2017"."""
    return re.findall(r"^- \*\*(.+?)\.\*\*", index.partition("## References")[2], re.MULTILINE)


def lacking(pages, index):
    """(what is cited and not listed, what is listed and not cited)."""
    found, references = [one for page in pages for one in cited(page)], listed(index)
    unlisted = [one for one in found if not one.endswith(tuple(references))]
    return unlisted, [reference for reference in references if not any(one.endswith(reference) for one in found)]


def test_citations_and_references_agree():
    index = (FOLDER / "README.md").read_text()
    assert len(listed(index)) > 20
    assert lacking([path.read_text() for path in FOLDER.glob("[0-9]*.md")], index) == ([], [])


@pytest.mark.parametrize(
    ("page", "missing"),
    [
        ("(REINFORCE, Rolfe 2017)", ([], [])),
        ("as Rolfe (2017) has it", ([], [])),
        ("(Rolfe 2017; Sønderby et\nal. 2016)", (["Sønderby et al. 2016"], [])),
        ("(Rolfe 2016)", (["Rolfe 2016"], ["Rolfe 2017"])),
        ("```text\nRolfe 2017\n```", ([], ["Rolfe 2017"])),
    ],
)
def test_control_one_that_is_missing_is_seen(page, missing):
    assert lacking([page], "## References\n\n- **Rolfe 2017.** Discrete variational autoencoders.\n") == missing
