"""The breaks that --sabotage tries: at least one for every formula that a claim rests on."""

from validation.breaks import estimators, samplers, theory, training

BREAKS = theory.BREAKS + estimators.BREAKS + samplers.BREAKS + training.BREAKS
