"""Tables, lists and numbers in Markdown; a dash is a number that is not known."""

import math


def grid(columns, rows):
    """The lines of a table; columns: (title, is it a number), rows: the texts of their cells."""
    titles = _line(title for title, _ in columns)
    rule = "".join("|--:" if number else "|---" for _, number in columns) + "|"
    return [titles, rule, *map(_line, rows)]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def listed(texts):
    """The lines of a list, with an empty one before it; none where there is nothing to list."""
    lines = [f"- {text}" for text in texts]
    if lines:
        lines.insert(0, "")
    return lines


def shown(value, how):
    """The text of a cell: a number in its format, a dash for nan; a text as it is."""
    if isinstance(value, str):
        return value
    return "–" if math.isnan(value) else format(value, how)
