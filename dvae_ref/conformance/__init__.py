"""Test vectors for other implementations: every equation's inputs and outputs, and a check that names mistakes.

    from dvae_ref.conformance import case

    one = case("log_q_power")
    one.check(log_q=mine(**one.inputs))  # AssertionError: what differs, where, and which mistake it looks like

A quantity (`quantity.Quantity`) is an equation: how its inputs are drawn, and its outputs as a function of them. They
stand by theme in `quantities`, all of them in `catalogue`. `tolerances` says what rounding may do, `compare` and
`verdict` judge, `mistakes` knows the wrong variants, and `diagnosis` finds the one. The doors are `kit` (Python) and
`export` and `check` (files). docs/conformance.md is for those whose implementation is to be checked.
"""

from dvae_ref.conformance.kit import KitCase, case, cases

__all__ = ["KitCase", "case", "cases"]
