"""Mistakes that any array may have; named only where none of the others explains as much."""

from dvae_ref.conformance.mistakes.registry import mistake, scaled

DIFFERENTIATED = ("energy", "smoothing_*", "log_[qp]_*", "bound_[iv]*", "kl_*", "objective_*", "own_networks_*")


@mistake("the opposite sign", "*", anywhere=True)
def opposite_sign(case):
    return scaled(case.outputs, -1)


@mistake("a factor of 2", "*", anywhere=True)
def doubled(case):
    return scaled(case.outputs, 2)


@mistake("a factor of 1/2", "*", anywhere=True)
def halved(case):
    return scaled(case.outputs, 0.5)


@mistake("no gradient: all are 0", *DIFFERENTIATED, anywhere=True)
def detached(case):
    return {name: 0 * value for name, value in case.outputs.items() if name.startswith("d_")}
