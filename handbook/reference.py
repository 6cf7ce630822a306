"""The generated pages: equations, claims, quantities, functions; each entry leads to all others that belong to it."""

from handbook import tables
from handbook.tables import anchor


def pages():
    """{file: text} below reference/"""
    return {
        "equations.md": equations(),
        "claims.md": claims(),
        "quantities.md": quantities(),
        "api/index.md": api_index(),
        **{f"api/{module}.md": api(module) for module in tables.modules()},
    }


def function(name):
    return f"{{py:obj}}`{name.split('.', 1)[1]} <dvae_ref.{name}>`"


def module(name):
    return f"{{py:mod}}`{name} <dvae_ref.{name}>`"


def equation(label):
    return f"[{label}](#{anchor(label)})"


def claim(name):
    return f"[{name}](#claim-{name})"


def quantity(name):
    return f"[{name}](#quantity-{name})"


def chapter(stem):
    return f"{{doc}}`/docs/derivations/{stem}`"


def listed(title, entries):
    """A line of a list, or nothing."""
    return f"- **{title}**: {', '.join(entries)}\n" if entries else ""


# -- equations ---------------------------------------------------------------------------------------------------------


def equations():
    text = """# Equations

Of every equation of the paper: the page that derives it, the functions that compute it, the claims that hold these
against exact answers, and the quantities of the kit that check your own. Made from what pages, docstrings, claims and
quantities say themselves; all of these lead back here.

"""
    return text + "\n".join(of_equation(label) for label in tables.LABELS)


def of_equation(label):
    title = tables.titles().get(label, "")
    text = f"({anchor(label)})=\n## {label}\n\n" + (f"{title[0].upper()}{title[1:]}.\n\n" if title else "")
    text += f"```{{index}} {label}\n```\n\n"
    text += listed("Derived on", [chapter(stem) for stem, found in tables.pages().items() if label in found])
    text += listed("Functions", [function(name) for name, one in tables.things().items() if label in one.labels])
    text += listed("Modules", [module(name) for name, found in tables.module_labels().items() if label in found])
    text += listed("Claims", [claim(name) for name, found in tables.claim_labels().items() if label in found])
    return text + listed("Kit", [quantity(name) for name, found in families().items() if label in found])


def families():
    """{family: labels} of the kit's quantities."""
    found = {}
    for name, one in tables.quantities().items():
        found.setdefault(tables.family(name), set()).update(tables.labels(one.equation))
    return {name: [label for label in tables.LABELS if label in labels] for name, labels in found.items()}


# -- claims ------------------------------------------------------------------------------------------------------------


def claims():
    text = (
        "# Claims\n\nWhat `python -m validation` holds against exact answers, and which functions"
        " `python -m validation --sabotage` breaks to\nsee whether the claim notices.\n\n"
    )
    return text + "\n".join(of_claim(name) for name in tables.claims())


def of_claim(name):
    one = tables.claims()[name]
    text = f"(claim-{name})=\n## {name}\n\n{plain(one.statement)}\n\n"
    text += "".join(f"```math\n{formula}\n```\n\n" for formula in one.equations)
    text += listed("Equations", [equation(label) for label in tables.claim_labels()[name]])
    text += listed("Notices a break of", [function(broken) for broken in tables.broken()[name]])
    return text + f"- **Run it**: `python -m validation {name}`\n"


def plain(text):
    """Text in which nothing is markup."""
    return "".join("\\" + sign if sign in "*_[]<>|~^$`\\" else sign for sign in text)


# -- quantities --------------------------------------------------------------------------------------------------------


def quantities():
    text = (
        "# Quantities of the kit\n\nWhat {doc}`the conformance kit </docs/conformance>` checks. In Python:"
        ' `case("energy").check(energy=...)`.\n\n'
    )
    return text + "\n".join(of_family(name) for name in families())


def of_family(name):
    members = [member for member in tables.quantities() if tables.family(member) == name]
    one = tables.quantities()[members[0]]
    text = f"(quantity-{name})=\n## {name}\n\n{plain(one.meaning)}.\n\n"
    text += listed("Equations", [equation(label) for label in families()[name]])
    text += listed("Gradients of", [plain(one.gradient_of)] if one.gradient_of else [])
    text += listed("Cases", [f"`{member}`" for member in members] if len(members) > 1 else [])
    return text + f"- **What has to be computed**: `python -m dvae_ref conformance show {members[0]}`\n"


# -- functions ---------------------------------------------------------------------------------------------------------


def api_index():
    entries = "\n".join(tables.modules())
    return (
        "# Functions\n\nBy module; the [map](../../docs/architecture.md) says what is where.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    )


def api(name):
    text = f"# {name}\n\n"
    text += "```{eval-rst}\n" + f".. automodule:: dvae_ref.{name}\n   :members:\n   :member-order: bysource\n```\n\n"
    return text + listed("Equations", [equation(label) for label in tables.module_labels()[name]])


def belongs(name):
    """What a docstring is followed by: lines of reStructuredText that lead to equations, pages and claims."""
    if name not in tables.things():
        return []
    labels = tables.things()[name].labels
    pages = [stem for stem, names in tables.named_on().items() if name in names]
    claims = [claim for claim, names in tables.broken().items() if name in names]
    found = [f":ref:`{label} <{anchor(label)}>`" for label in labels]
    found += [f":doc:`page {int(stem[:2])} </docs/derivations/{stem}>`" for stem in pages]
    found += [f"claim :ref:`{claim} <claim-{claim}>`" for claim in claims]
    return ["", f"*See*: {', '.join(found)}.", ""] if found else []


# -- chapters ----------------------------------------------------------------------------------------------------------


def of_chapter(stem, interactive=False):
    """What a chapter ends with: the functions that it names, the claims and quantities of its equations."""
    labels = tables.pages()[stem]
    claims = [claim(name) for name, found in tables.claim_labels().items() if set(found) & set(labels)]
    kit = [quantity(name) for name, found in families().items() if set(found) & set(labels)]
    text = "\n---\n\n**From here**\n\n"
    text += "- **Move it yourself**: {doc}`beta and q, by hand </interactive>`\n" if interactive else ""
    text += listed("Equations", [equation(label) for label in labels])
    text += listed("Functions named here", [function(name) for name in tables.named_on()[stem]])
    text += listed("Claims", claims)
    return text + listed("Check your own, with the kit", kit)
