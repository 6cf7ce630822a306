"""What a checkpoint's arrays may hold: a run's own state passes, and each way of spoiling it is refused by name."""

import numpy as np
import pytest

from dvae_ref import tree
from dvae_ref.runs import contents, training
from dvae_ref.runs.presets import Settings
from dvae_ref.runs.training import SCALARS
from dvae_ref.sampling import fields

SMALL = {"struct": "1-layer-lin", "chains": 6, "sweeps": 1, "batch_size": 4, "log_every": 2, "num_train_iter": 10}


def state_after(iterations, sampler):
    settings = Settings(sampler=sampler, **SMALL)
    state, role = training.start(settings, np.full(784, 0.5, np.float32)), training.keys(0)
    for _ in range(iterations):
        x = (np.random.default_rng(0).random((4, 784)) < 0.5).astype(np.float32)
        state, _ = training.iterate(state, x, settings, role)
    return state


def items(state):
    trees = {name: value for name, value in state._asdict().items() if name not in SCALARS}
    return {key: leaf for name, value in trees.items() for key, leaf in tree.items(value, name)}


@pytest.fixture(scope="module", params=["pa", "pcd"])
def trained(request):
    """(sampler, arrays after three iterations, arrays at the beginning)."""
    return request.param, items(state_after(3, request.param)), items(state_after(0, request.param))


def test_a_run_s_own_arrays_pass(trained):
    _, arrays, begun = trained
    contents.check(arrays.items(), begun.items(), "last.npz")
    contents.check(begun.items(), begun.items(), "last.npz")


CHAINS = {
    "left": (255, "left holds 255; expected the bits of 100 units, four to a byte, at most 15"),
    "right": (16, "right holds 16; expected the bits of 100 units, four to a byte, at most 15"),
    "sweeps": (-1, "sweeps reaches from -1 to -1; expected 0 to"),
    "shape": (99, r"shape is \[99, 100\], expected \[100, 100\]"),
}
ANYWHERE = {
    "params.rbm.W": (np.nan, r"params\.rbm\.W has 1 values that are not finite"),
    "params.decoder.out.bias": (np.inf, r"params\.decoder\.out\.bias has 1 values that are not finite"),
    "statistics.mean_x": (-np.inf, r"statistics\.mean_x has 1 values that are not finite"),
    "adam.v.rbm.a": (-1.0, r"adam\.v\.rbm\.a reaches from -1.0 to .*; expected 0 to inf"),
}
REPLICAS = {
    "families": (6, "families reaches from . to 6; expected 0 to 5"),
    "deviations": (np.nan, "deviations has 1 values that are not finite"),
    "variance": (-1.0, "variance reaches from -1.0 to -1.0; expected 0 to inf"),
    "updates": (-3, "updates reaches from -3"),
    "resamplings": (2**62 + 1, "resamplings reaches from"),
}


@pytest.mark.parametrize("name", [*CHAINS, *ANYWHERE, *REPLICAS])
def test_an_array_that_is_spoilt_is_named(trained, name):
    sampler, arrays, begun = trained
    if name in REPLICAS and sampler == "pcd":
        return
    chains = "sampler.chains." if sampler == "pa" else "sampler."
    value, message = (CHAINS | ANYWHERE | REPLICAS)[name]
    full = name if name in ANYWHERE else (chains if name in CHAINS else "sampler.") + name
    spoilt = np.array(arrays[full])
    spoilt.flat[0] = value
    with pytest.raises(ValueError, match=rf"last\.npz: .*{message}"):
        contents.check((arrays | {full: spoilt}).items(), begun.items(), "last.npz")


@pytest.mark.parametrize("name", ["extra", "a.shape", "a.left", "kept.moments.more", "x" * 10_000])
@pytest.mark.parametrize("array", [np.zeros(3), np.array("text")])
def test_an_array_that_is_none_of_a_state_s_is_refused(trained, name, array):
    _, arrays, begun = trained
    with pytest.raises(ValueError, match=rf"last\.npz holds {name[:200]}.*, which is no part of it") as error:
        contents.check((arrays | {name: array}).items(), begun.items(), "last.npz")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("units", range(1, 10))
def test_every_bit_that_is_no_unit_is_seen(units):
    """And every one that is a unit passes: of 5 units, say, bits 0 of both bytes, 1 of both, and 2 of the first."""
    begun = {"x.shape": np.array([units, 1]), "x.left": fields.pack(np.zeros((1, units)))}
    passed = 0
    for place in range(begun["x.left"].size):
        for bit in range(8):
            packed = begun["x.left"].copy()
            packed[0, place] = 1 << bit
            try:
                contents.check({"x.left": packed}.items(), begun.items(), "a")
            except ValueError:
                assert fields.unpack(packed, units).sum() == 0
            else:
                assert fields.unpack(packed, units).sum() == 1
                passed += 1
    assert passed == units


ENDS = {"a.sweeps": (0, 2**62), "a.updates": (0, 2**62), "a.families": (0, 3), "kept.moments.zz": (0, 1)}


@pytest.mark.parametrize("name", ENDS)
def test_both_ends_pass_and_their_neighbours_do_not(name):
    """Of counts, of the ancestors of four chains, of moments."""
    least, most = ENDS[name]
    inside = np.array([least, most, most, least], float if "moments" in name else np.int64)
    step = 1e-6 if "moments" in name else 1
    contents.check([(name, inside)], [(name, inside)], "last.npz")
    for outside in (least - step, most + step):
        with pytest.raises(ValueError, match=f"{name} reaches from .*; expected {least} to {most}"):
            contents.check([(name, np.array([least, most, outside, least]))], [(name, inside)], "last.npz")


@pytest.mark.parametrize("name", ["sampler.variance", "adam.v.rbm.a"])
def test_a_square_is_nothing_or_more_and_another_array_anything(name):
    ends = [(name, np.array([0.0, 1e300]))]
    contents.check(ends, ends, "last.npz")
    with pytest.raises(ValueError, match=r"reaches from -1e-300 to 1\.0; expected 0 to inf"):
        contents.check([(name, np.array([-1e-300, 1.0]))], ends, "last.npz")
    contents.check([("adam.m.rbm.a", np.array([-1e300, 1e300]))], [("adam.m.rbm.a", ends)], "last.npz")


def test_of_bits_that_are_no_units_the_largest_byte_is_told():
    begun = {"x.shape": np.array([5, 1]), "x.left": fields.pack(np.zeros((3, 5)))}
    packed = begun["x.left"].copy()
    packed[:, 0], packed[1, 1], packed[2, 1] = 3, 4, 9
    with pytest.raises(ValueError, match=r"x\.left holds 9; expected the bits of 5 units"):
        contents.check([("x.left", packed)], begun.items(), "a")
