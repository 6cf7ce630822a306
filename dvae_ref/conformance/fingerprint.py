"""Were these outputs computed from another kit's inputs? By a fingerprint of inputs, or by the outputs themselves.

Two exports with different seeds lie about, and outputs of one are held against the other: everything differs, and no
mistake explains it. Inputs that stand beside the outputs in somebody's file tell at once. Otherwise the outputs for the
first ten seeds are tried, all arrays of floats at once: spins and signs alone might agree by chance.
"""

import hashlib

import numpy as np

from dvae_ref.conformance import quantity as quantities

SEEDS = range(10)  # that are tried


def of_inputs(given):
    """SHA-256 of the inputs in float64, by name: the same for both dtypes of a seed, since float32 holds them all."""
    digest = hashlib.sha256()
    for name in sorted(given):
        digest.update(name.encode() + np.asarray(given[name], np.float64).tobytes())
    return digest.hexdigest()


def other_inputs(item, given, theirs, usable, allowed):
    """What to say of outputs that belong to other inputs than `given`, "" if nothing says so."""
    copied = {name: theirs[name] for name in given if name in theirs}
    if not _same(copied, given):
        return f"computed from other inputs: {_whose(item, copied)}"
    for seed in SEEDS:
        inputs = quantities.inputs(item, seed)
        if of_inputs(inputs) != of_inputs(given) and _agree(quantities.outputs(item, inputs), usable, allowed):
            return f"these are the outputs for seed {seed}: export the kit with --seed {seed}, or compute them anew"
    return ""


def _same(copied, given):
    """Are all copies those of these inputs?"""
    return all(np.array_equal(value, given[name]) for name, value in copied.items())


def _agree(outputs, theirs, allowed):
    """Do numbers that are not all 0, 1 or the like agree?"""
    floats = [name for name in theirs if outputs[name].dtype.kind == "f"]
    for name in floats:
        if np.any(np.abs(theirs[name] - outputs[name]) > 4 * allowed[name].allow(outputs[name])):
            return False
    return bool(floats)


def _whose(item, copied):
    """The seed that these inputs are of, if it is among the first."""
    for seed in SEEDS:
        if _same(copied, quantities.inputs(item, seed)):
            return f"those of seed {seed}"
    return f"{', '.join(copied)} of the file are not those of the kit"
