"""The formulas of the derivations, and their golden copies: `python tests/formulas/pages.py --renew` writes them anew.

A display has an id, the number of its page and its own on it: 03.4. So has every equation within a line: 06.i2.
"""

import re
import sys
from pathlib import Path

DERIVATIONS = Path(__file__).parents[2] / "docs" / "derivations"
GOLDEN = Path(__file__).with_name("displays.txt")


def displays():
    """{id: LaTeX on one line}: the number of the page and of the display on it."""
    found = {}
    for page in sorted(DERIVATIONS.glob("[0-9]*.md")):
        blocks = re.findall(r"^```math\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        found |= {f"{page.name[:2]}.{n}": " ".join(block.split()) for n, block in enumerate(blocks, 1)}
    return found


def equations():
    """{id: LaTeX} of what stands in `$...$` and says that something equals, or is at most, or at least, something."""
    found = {}
    for page in sorted(DERIVATIONS.glob("[0-9]*.md")):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        inline = (" ".join(part.split()) for part in re.findall(r"\$([^$]+)\$", re.sub(r"`[^`\n]*`", "", text)))
        says = [part for part in inline if re.search(r"=|\\le\b|\\ge\b|\\approx", part)]
        found |= {f"{page.name[:2]}.i{n}": part for n, part in enumerate(says, 1)}
    return found


def formulas():
    """All of them."""
    return displays() | equations()


def golden():
    """The same, as it was when somebody last looked at every difference."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def write():
    head = "# Every formula of docs/derivations as it was last read: an edit has to be renewed here, by make formulas."
    lines = [head, *(f"{name} {text}" for name, text in formulas().items())]
    GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    before, now = golden() if GOLDEN.exists() else {}, formulas()
    for name in sorted(set(before) | set(now)):
        if before.get(name) != now.get(name):
            print(f"{name}: {before.get(name)}\n   now: {now.get(name)}")
    if sys.argv[1:] == ["--renew"]:
        write()
