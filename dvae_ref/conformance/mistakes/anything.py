"""Mistakes that any array may have; named only where none of the others explains as much."""

from dvae_ref.conformance.mistakes.registry import gradients, mistake, scaled

DIFFERENTIATED = ("energy", "smoothing_*", "log_[qp]_*", "bound_[iv]*", "kl_*", "objective_*", "own_networks_*")


@mistake("the opposite sign", "*", anywhere=True)
def opposite_sign(case):
    """-y."""
    return scaled(case.outputs, -1)


@mistake("a factor of 2", "*", anywhere=True)
def doubled(case):
    """2 y."""
    return scaled(case.outputs, 2)


@mistake("a factor of 1/2", "*", anywhere=True)
def halved(case):
    """y / 2."""
    return scaled(case.outputs, 0.5)


@mistake("no gradient: all are 0", DIFFERENTIATED, anywhere=True)
def detached(case):
    """0 of every gradient, the values being right."""
    return scaled(gradients(case.outputs), 0)
