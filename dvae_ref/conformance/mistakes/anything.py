"""Mistakes that any array may have; named only where none of the others explains as much."""

from dvae_ref.conformance.mistakes.registry import mistake, scaled


@mistake("the opposite sign", "*")
def opposite_sign(case):
    return scaled(case.outputs, -1)


@mistake("a factor of 2", "*")
def doubled(case):
    return scaled(case.outputs, 2)


@mistake("a factor of 1/2", "*")
def halved(case):
    return scaled(case.outputs, 0.5)
