"""Mistakes in the objective from what one's own networks put out; those of Eq. 2's samples in whole models, too.

Right is, row i K + k being sample k of image i, log w = kappa (term - log Z) + log p(x|zeta) and the mean over k of it
(Eq. 2) or log-mean-exp (Eq. 3). DVAE and DVAE++ are trained by Eq. 2: a log-mean-exp of their log w is not Eq. 3, as
minus the KL of a sample is no log-ratio of densities.
"""

from dvae_ref.conformance.mistakes.objectives import regrouped
from dvae_ref.conformance.mistakes.registry import gradients, mistake, replaced, scaled
from dvae_ref.theory import bounds

OWN = "own_networks_*"
VARIATIONAL = [f"{what}_{family}_*" for what in ("own_networks", "objective") for family in ("dvae", "dvaepp")]


@mistake("the log of the mean weight in place of the mean of the logs", VARIATIONAL)
def log_of_mean(case):
    """log (1/K) sum_k w_k, with minus the KL of each sample in w."""
    with replaced(bounds, variational=bounds.importance_weighted):
        return case.again()


@mistake("the sum over the samples in place of the mean", VARIATIONAL)
def sum_over_samples(case):
    """sum_k log w_k."""
    return scaled({"bound": case.outputs["bound"]} | gradients(case.outputs), case.inputs["k"])


@mistake("log Z is not multiplied by kappa", OWN)
def whole_log_z(case):
    """-log Z, where -kappa log Z is due."""
    return case.again({"log_z": case.inputs["log_z"] / case.inputs["kappa"]})


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", OWN)
def tiled_samples(case):
    """Row k B + i for sample k of image i, where row i K + k is meant."""
    images, k = len(case.inputs["x"]), int(case.inputs["k"])
    rows = ("logit_q", "zeta", "logits")
    found = case.again({name: regrouped(case.inputs[name], k, images) for name in rows})
    return found | {f"d_{name}": regrouped(found[f"d_{name}"], images, k) for name in rows if f"d_{name}" in found}
