"""Common mistakes: what somebody's outputs would be if they had made one, so that `check` can name it.

To add one, write in the module of its theme a function from a Case to the wrong outputs, all or some of them:

    @mistake("the factor 1/2 of the coupling term is missing", "energy")
    def coupled_twice(case):
        return case.again({"W": 2 * case.inputs["W"]})

Its docstring is the wrong formula; the heads of the modules say what is right, how people come to the others, and what
would be seen of them in training. Most are made as here, by other inputs, or by a hook of the quantity's compute, or by
putting something else in the place of a function of the library while it is computed (`registry.replaced`): a mistake
in a building block is then known in all that contains it. Unless the mistake is one of the gradient, gradients follow
the chain rule through what has been changed: they are what automatic differentiation would give of the wrong formula.
"""

import importlib

from dvae_ref.conformance.mistakes.registry import REGISTRY, Case, Mistake, mistake

THEMES = (
    "entropies",
    "machines",
    "sampling",
    "chains",
    "temperatures",
    "parts",
    "sweeps",
    "smoothings",
    "relaxations",
    "densities",
    "partial",
    "bounds",
    "objectives",
    "batch_norm",
    "layers",
    "likelihoods",
    "estimators",
    "own_networks",
    "clips",
    "discrete",
    "optimizers",
    "pages",
    "anything",
)
for _theme in THEMES:
    importlib.import_module(f"dvae_ref.conformance.mistakes.{_theme}")

__all__ = ["REGISTRY", "Case", "Mistake", "mistake"]
