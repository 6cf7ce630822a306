"""What a run's bytes depend on besides its settings and data: recorded in checkpoints, compared on resuming.

Sums of floating point depend on their order, and that on how wide the CPU's vectors are and which kernel BLAS chose
for it; exp and log are rounded as a version of NumPy, or of numba, does it. Random numbers are the package's own:
philox.STREAMS counts their versions.
"""

import numba
import numpy as np
from numba.core import registry

from dvae_ref import blas
from dvae_ref.sampling import philox

FEATURES = ("sse4.1", "avx", "avx2", "fma", "avx512f", "neon", "sve")  # how wide vectors are; is x y + z rounded once


def here():
    """What bytes may depend on, by name, as strings: versions, BLAS, CPU and random streams of this process."""
    return {
        "NumPy": np.__version__,
        "numba": numba.__version__,
        "BLAS": _blas("internal_api", "version"),
        "BLAS kernel": _blas("architecture"),
        "CPU of compiled code": " ".join(_features()),
        "CPU of NumPy": " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])),
        "random streams": str(philox.STREAMS),
    }


def _blas(*attributes):
    """What threadpoolctl knows of NumPy's library, e.g. "openblas 0.3.30"; SciPy may have one of its own."""
    libraries = blas.libraries()
    own = [library for library in libraries if "numpy" in library.filepath] or libraries
    known = []
    for library in own:
        values = [str(getattr(library, name, "unknown")) for name in attributes]
        known.append(" ".join(values))
    return ", ".join(known)


def _features():
    """Those FEATURES of the CPU that numba compiles for; NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may change which."""
    signs = registry.cpu_target.target_context.codegen().magic_tuple()[2]  # "+avx2,-avx512f,..."
    there = signs.split(",")
    return [feature for feature in FEATURES if f"+{feature}" in there]


def notice(before, now):
    """In a line, that bytes may differ from here on, and why; None if they do not. Of an earlier here(), and here()."""
    if before is None:
        return "the checkpoint does not say what BLAS, CPU and random streams it is of: from here on, bytes may differ"
    changed = [f"{name} {before.get(name, 'unknown')} -> {now[name]}" for name in now if before.get(name) != now[name]]
    return f"from here on, bytes may differ: {', '.join(changed)}" if changed else None
