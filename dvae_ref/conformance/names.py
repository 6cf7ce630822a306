"""Names that somebody gave: which they mean, and what they may have meant."""

import difflib
from fnmatch import fnmatch


def matching(known, patterns):
    """The known names, in their order, that a pattern fits; ValueError, with a guess, for a pattern that fits none."""
    found = set()
    for pattern in patterns:
        fitting = {name for name in known if fnmatch(name, pattern)}
        if not fitting:
            raise ValueError(f"no quantity {pattern}{guess(pattern, known)}")
        found |= fitting
    return [name for name in known if name in found]


def guess(name, known):
    """ "; did you mean ...?", or what there is."""
    near = difflib.get_close_matches(name, known, 3, 0.75)
    if not near and name and any(other.startswith(name) for other in known):
        near = [f"{name}*"]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(known)}"
