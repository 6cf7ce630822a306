"""Test vectors for other implementations: every equation's inputs and outputs, and a check that names mistakes.

A quantity (`quantity.Quantity`) is an equation: how its inputs are drawn, and its outputs as a function of them. They
stand by theme in `quantities`, all of them in `catalogue`.
`export` writes them with the tolerances of `tolerances`, `check` compares, `mistakes` knows the wrong variants.
docs/conformance.md is for those whose implementation is to be checked.
"""
