"""What a seed's random numbers are for: every use has a role, every role a key, and no two uses share one.

So `evaluate --seed 3` and `sample --seed 3` draw nothing that `train --seed 3` has drawn, and what is estimated at one
iteration for a record and for a validation are independent. Figures fold numbers from FIGURES on into the same seed.
"""

from dvae_ref.sampling import philox

ROLES = (  # a role's place is its number: new ones come last
    "init",  # of the parameters
    "noise",  # of the posterior in an iteration, folded in
    "chains",  # where they start
    "sweeps",  # of the chains, all along
    "record_log_z",  # the short AIS at an iteration
    "validation",  # importance samples at an iteration; the index of the image is folded in
    "pictures",  # at the end of training
    "validation_log_z",  # AIS at an iteration
    "measurement",  # importance samples of `evaluate` and `table1`
    "measurement_log_z",  # their AIS
    "sample",  # the command
    "measurement_above",  # log Z from above, of `evaluate` and `table1`
    "encode",  # z of images, in Python
)
FIGURES = 20  # the first of the figures' numbers


def keys(seed):
    """{role: key} of a run with this seed."""
    root = philox.key(seed)
    return {role: philox.fold_in(root, number) for number, role in enumerate(ROLES)}
