"""Mistakes in the sweeps of the mean field: known alone, and in all that contains them."""

from dvae_ref.conformance.mistakes.formulas import MEAN_FIELD
from dvae_ref.conformance.mistakes.objectives import RELAXED
from dvae_ref.conformance.mistakes.registry import mistake, replaced
from dvae_ref.theory import overlapping

IN_LOG_P = ("log_p_overlapping_*", *RELAXED, "own_networks_dvaes_*")


def register(name, wrong):
    """As the mean field itself, and in the place of the one that log p(zeta) calls."""

    def inside(case):
        with replaced(overlapping, mean_field=wrong):
            return case.again()

    mistake(name, "mean_field")(lambda case: case.again(iterate=wrong))
    mistake(name, *IN_LOG_P)(inside)


for _name, _wrong in MEAN_FIELD.items():
    register(_name, _wrong)
