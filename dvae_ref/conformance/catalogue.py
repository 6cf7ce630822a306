"""All quantities by name."""

from dvae_ref.conformance.quantities import bounds, discrete, machines, objectives, optimizers, relaxations, smoothings

_THEMES = (machines, smoothings, relaxations, bounds, objectives, discrete, optimizers)
QUANTITIES = {quantity.name: quantity for theme in _THEMES for quantity in theme.QUANTITIES}
