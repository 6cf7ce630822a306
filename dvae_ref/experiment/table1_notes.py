"""What the columns of the table do not show, to be said below it."""

import math
from collections import defaultdict

PARTIAL = (
    "no difference in s.e. where only a part of the test images was measured: the paper's are of all, and the error "
    "over images counts"
)


def notes(made):
    """A line each, of Rows in their order."""
    said = [PARTIAL] * any(r.images < r.images_there and not math.isnan(r.paper_nll) for r in made)
    for r in made:
        if r.log_z_is_doubtful:
            effective = f"an effective sample of {r.log_z_effective_samples:.1f} of {r.alike['ais_chains']:,} chains"
            said.append(f"log Z of {r.cell} cannot be trusted: {effective}; take more --temperatures")
        if len(r.betas) > 1:
            among = ", ".join(f"{beta:g} ({n} run{'s' * (n > 1)})" for beta, n in r.betas.items())
            said.append(f"beta of {r.cell}: chosen among {among}")
    same = defaultdict(list)
    for r in made:
        same[r.cell, r.images].append(r.alike)
    for (cell, _), group in same.items():
        differing = [name for name in group[0] if any(alike[name] != group[0][name] for alike in group)]
        values = [f"{name} {', '.join(str(alike[name]) for alike in group)}" for name in differing]
        said += [f"{cell}: {len(group)} rows differ, from the top, in {'; '.join(values)}"] * bool(differing)
    return said
