"""All quantities by name."""

from dvae_ref.conformance import bounds, machines, objectives, optimizers, relaxations, smoothings

_THEMES = (machines, smoothings, relaxations, bounds, objectives, optimizers)
QUANTITIES = {quantity.name: quantity for theme in _THEMES for quantity in theme.QUANTITIES}
