"""Names that somebody gave: which they mean, and what they may have meant."""

import difflib
from fnmatch import fnmatch


def matching(known, patterns):
    """The known names that a pattern fits; ValueError, with a guess, for patterns that fit none."""
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in known):
            raise ValueError(f"no quantity {pattern}{guess(pattern, known)}")
    return [name for name in known if any(fnmatch(name, pattern) for pattern in patterns)]


def guess(name, known):
    """ "; did you mean ...?", or what there is."""
    longer = sorted(other for other in known if other.startswith(name))
    near = difflib.get_close_matches(name, known, 3, 0.75) or ([f"{name}*"] if name and longer else [])
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}"
