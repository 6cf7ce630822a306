"""A State in a file and back: what a checkpoint's header says, and whether it is of this run.

A checkpoint is an npz. Its arrays are the leaves of a State's trees, named by `tree.items`: params, statistics, adam,
sampler and kept, e.g. "params.encoder.0.out.kernel". Its header is JSON (`files/schema.py: HEADER`): the State's
numbers, the run's settings, the origin of its data, how many bytes of metrics.jsonl and how many snapshots were written
before it, and the environment that bytes depend on.
"""

import json
import math

from dvae_ref import tree
from dvae_ref.files import schema, writing
from dvae_ref.runs import contents
from dvae_ref.runs.training import SCALARS


def save_state(path, state, header):
    """Write a State, its numbers into the header; what is at `path` stays until the new file is whole."""
    writing.save_checkpoint(path, header | _scalars(state), **_trees(state))


def load_state(path, like, settings):
    """(header, State) of a checkpoint of a run with these settings; `like` is a State of the right shapes.

    ValueError for a damaged file, or one of another run.
    """
    trees = _trees(like)

    def check(header, arrays):
        check_header(header, settings, path)
        if "snapshots" not in header:  # of 0.1: the next snapshot is the first
            del trees["kept"]
        for name, value in trees.items():
            writing.check_fits(name, value, arrays, path)

    header, arrays = writing.load_checkpoint(path, check)
    _check_arrays(arrays, trees, path)
    trees = {name: writing.restore(name, value, arrays, path) for name, value in trees.items()}
    return header, like._replace(**trees, **_numbers(header))


def _scalars(state):
    """{name: number}: of a State, as a header has them. JSON has no infinity: best_nll is null at first."""
    scalars = {name: getattr(state, name) for name in SCALARS}
    if not state.best_iteration:
        scalars["best_nll"] = None
    return scalars


def _numbers(header):
    """The same of a header, as a State has them."""
    numbers = {name: header[name] for name in SCALARS}
    if numbers["best_nll"] is None:
        numbers["best_nll"] = math.inf
    return numbers


def _trees(state):
    """{name: tree of arrays}: the fields of a State that are no numbers."""
    return {name: value for name, value in state._asdict().items() if name not in SCALARS}


def _check_arrays(arrays, trees, path):
    """ValueError unless every array holds what belongs under its name; trees: those of a State just begun."""
    expected = []
    for name, value in trees.items():
        expected += tree.items(value, name)
    contents.check(arrays.items(), expected, path)


def check_header(header, settings, path):
    """ValueError unless the header of a checkpoint is whole, and of a run with these settings."""
    schema.check(header, schema.HEADER, path)
    recorded = json.loads(writing.to_json(settings.to_json()))  # tuples are lists in a file
    differing = [name for name, value in recorded.items() if header["settings"].get(name) != value]
    if differing:
        raise ValueError(f"{path} belongs to a run with other settings: {', '.join(differing)} differ")
    for name in ("iteration", "validated", "best_iteration"):
        if header[name] > settings.num_train_iter:
            raise ValueError(f"{path} is damaged: {name} is {header[name]:,} of {settings.num_train_iter:,} iterations")


def check_data(path, header, dataset):
    """ValueError if a checkpoint was trained on other data than these; one of an earlier version does not say."""
    begun = header.get("data", dataset.origin)
    if begun != dataset.origin:
        raise ValueError(f"{path} was trained on {begun}; the data that are there now are {dataset.origin}")
