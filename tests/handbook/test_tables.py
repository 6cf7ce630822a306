"""The table of equations is read off rightly, and is whole: each has a page, code, a claim and a quantity."""

import re

import pytest

from handbook import reference, tables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Eq. 9", ["Eq. 9"]),
        ("Eqs. 4 to 6", ["Eq. 4", "Eq. 5", "Eq. 6"]),
        ("Eqs. 1, 4 and 10, Sec. 3.3.", ["Eq. 1", "Eq. 4", "Eq. 10", "Sec. 3.3"]),
        ("Eq. 1, left; Eqs. 8, 9", ["Eq. 1", "Eq. 8", "Eq. 9"]),
        ("Sec. 3.1.1, Eq. 12, equation 3", []),
    ],
)
def test_labels(text, found):
    assert tables.labels(text) == found


def of(label):
    """What the table has for a label, by kind."""
    return {
        "pages": [stem for stem, found in tables.pages().items() if label in found],
        "code": [name for name, one in tables.things().items() if label in one.labels]
        + [name for name, found in tables.module_labels().items() if label in found],
        "claims": [name for name, found in tables.claim_labels().items() if label in found],
        "kit": [name for name, found in reference.families().items() if label in found],
    }


@pytest.mark.parametrize("label", tables.LABELS)
def test_every_equation_has_a_page_code_a_claim_and_a_quantity(label):
    assert [kind for kind, found in of(label).items() if not found] == []


def rows_of_the_readers_table():
    """(label, function, page, claim, quantity) of each row in docs/derivations/README.md."""
    text = (tables.ROOT / "docs" / "derivations" / "README.md").read_text()
    return re.findall(r"^\| (Eq\. \d+) \| `([\w.]+)` \| \[\d\]\(([\w-]+)\.md\) \| `(\w+)` \| `(\w+)` \|$", text, re.M)


def test_the_table_for_readers_names_of_every_equation_what_belongs_to_it():
    rows = rows_of_the_readers_table()
    assert [label for label, *_ in rows] == [label for label in tables.LABELS if label.startswith("Eq.")]
    for label, *named in rows:
        for name, kind in zip(named, ("code", "pages", "claims", "kit"), strict=True):
            assert name in of(label)[kind], label


def test_eq_9():
    found = of("Eq. 9")
    assert found["pages"] == ["03-implicit-reparameterisation"]
    assert "theory.mixture.d_t_d_logit_q" in found["code"]
    assert {"reparameterisation", "gradients"} <= set(found["claims"])
    assert "smoothing_power" in found["kit"]


def test_links_lead_both_ways():
    """From the entry of an equation to whatever belongs to it, and from there back."""
    pages = reference.pages()
    for label in tables.LABELS:
        back = reference.equation(label)
        for name in of(label)["claims"]:
            assert reference.claim(name) in reference.of_equation(label)
            assert back in reference.of_claim(name)
        for name in of(label)["kit"]:
            assert reference.quantity(name) in reference.of_equation(label)
            assert back in reference.of_family(name)
        for name in of(label)["pages"]:
            assert reference.chapter(name) in reference.of_equation(label)
            assert back in reference.of_chapter(name)
        for name in of(label)["code"]:
            link = reference.function(name) if name in tables.things() else reference.module(name)
            assert link in reference.of_equation(label)
            lines = "\n".join(reference.belongs(name)) if name in tables.things() else pages[f"api/{name}.md"]
            assert f"<{tables.anchor(label)}>" in lines or back in lines


def test_every_claim_and_quantity_is_there():
    assert all(f"(claim-{name})=" in reference.claims() for name in tables.claims())
    assert all(f"(quantity-{tables.family(name)})=" in reference.quantities() for name in tables.quantities())
    assert all(tables.broken().values())


@pytest.mark.parametrize("dotted", ["mixture.cdf", "theory.mixture.cdf", "dvae_ref.theory.mixture.cdf"])
def test_a_name_is_resolved(dotted):
    assert tables.resolve(dotted) == "theory.mixture.cdf"


@pytest.mark.parametrize("dotted", ["mixture.fdc", "np.exp", "cdf", "mixture.py"])
def test_control_what_is_no_function_of_ours_is_not(dotted):
    assert tables.resolve(dotted) is None
