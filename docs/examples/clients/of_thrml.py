"""thrml: IsingEBM, E(s) = -beta (b·s + s·J·s), spins as booleans."""

import jax
import numpy as np
from checks import Check, spins

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
from thrml import Block, SpinNode  # noqa: E402
from thrml.models import IsingEBM  # noqa: E402

PACKAGES = ("thrml",)


def ising(i):
    h, J, offset = spins(i["a"], i["W"])
    n, nodes = len(J), [SpinNode() for _ in i["a"]]
    edges = [(nodes[k], nodes[n + j]) for k, j in np.ndindex(J.shape)]
    ebm = IsingEBM(nodes, edges, jnp.asarray(-h), jnp.asarray(-J.ravel()), jnp.asarray(1.0))
    energies = [ebm.energy([jnp.asarray(row)], [Block(nodes)]) for row in i["z"] > 0.5]
    return {"energy": np.asarray(energies) + offset}


CHECKS = (Check("ising", "`IsingEBM.energy`, in float64", ising),)
FOUND = ()
