"""Every engine draws what the NumPy oracles draw, bit for bit: Gibbs sampling and annealing, small, wide and hard."""

import types

import numpy as np
import pytest

from dvae_ref.sampling import ais, engines, fields, gibbs, paths, pcd, philox
from dvae_ref.sampling.engines import avx512, coarse, sharing
from dvae_ref.theory.boltzmann import RBM
from validation import machines

KEY = philox.key(24)
SHAPES = [(1, 1), (5, 7), (37, 37), (100, 100), (133, 40), (200, 200), (300, 300), (1024, 1024)]
HARD = {machine.name: machine.rbm for machine in machines.machines()}
INV_TEMPS = np.float32([0, 0.3, 0.35, 0.9, 1])  # steps below 1/4 of a nat a field, and above


def machine(shape):
    """Fields from -6 to 6 or so however many units there are, and biases that centre them."""
    rng = np.random.default_rng(shape)
    W = rng.normal(0.05, 2.5 / np.sqrt(max(shape)), shape)
    return RBM(rng.normal(0, 0.5, sum(shape)) - np.concatenate([W.sum(1), W.sum(0)]) / 2, W)


def chains_for(shape):
    """More than a block of any engine, and no whole number of counters; fewer where the oracle is slow."""
    return 37 if max(shape) > 500 else 140


def assert_gibbs_is_the_oracle(rbm, sweeps=3, chains=None):
    """After each sweep: chains with the same random numbers come together again, so that later ones show nothing."""
    state = pcd.init(KEY, rbm, chains or chains_for(rbm.W.shape))
    for _ in range(sweeps):
        found, oracle = (sweep(KEY, state, rbm, 1) for sweep in (gibbs.sweep, gibbs.sweep_reference))
        for ours, theirs in zip(found, oracle, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        state = found


def assert_annealing_is_the_oracle(rbm, base):
    """States to the bit. Log-weights: the increments' float32, 1e-6 of their absolute values, here summed by the
    largest field times the units, and float64's own."""
    path, chains = paths.annealing_path(rbm, base), chains_for(rbm.W.shape)
    z = gibbs.draw(KEY, 0, gibbs.LEFT, np.tile(fields.sides(path.base, path.W)[0], (chains, 1)))
    left, log_w = fields.pack(z), np.zeros(chains)
    ais.walk(KEY, path, left, log_w, INV_TEMPS)
    oracle, gained = ais.walk_reference(KEY, path, z, INV_TEMPS)
    np.testing.assert_array_equal(left, fields.pack(oracle))
    largest = np.sum(np.abs(path.slope.astype(float))) + np.sum(np.abs(path.W.astype(float)))
    assert np.max(np.abs(log_w - gained)) < 1e-6 * largest


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("shape", SHAPES)
def test_gibbs_is_the_oracle(shape):
    assert_gibbs_is_the_oracle(machine(shape))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("shape", SHAPES)
def test_annealing_is_the_oracle(shape):
    rbm = machine(shape)
    assert_annealing_is_the_oracle(rbm, "uniform")
    assert_annealing_is_the_oracle(rbm, rbm.a + np.linspace(-1, 1, len(rbm.a)))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", HARD)
def test_hard_machines_are_the_oracle(name):
    assert_gibbs_is_the_oracle(HARD[name], sweeps=20)
    for base in ("uniform", "bias"):
        assert_annealing_is_the_oracle(HARD[name], base)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("side", [37, 300])
def test_blocks_that_share_tables_draw_the_same(side, monkeypatch):
    """How many do so depends on the number of threads."""
    rbm, found = machine((side, side)), []
    for shared in (1, 2, 3, 8):
        monkeypatch.setattr(sharing, "shared", lambda *sizes, shared=shared: shared)
        swept = gibbs.sweep(KEY, pcd.init(KEY, rbm, 900), rbm, 2)
        left, log_w = swept.left.copy(), np.zeros(900)
        ais.walk(KEY, paths.annealing_path(rbm, "uniform"), left, log_w, INV_TEMPS)
        found.append(b"".join(array.tobytes() for array in (swept.left, swept.right, left, log_w)))
    assert len(set(found)) == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_blocks_are_shared_evenly(threads):
    """Every thread has as many tasks, give or take one, of no more than 8 blocks; small tables are not shared."""
    for blocks in (1, 7, 8, 100):
        assert sharing.shared(blocks, 1000, 2**16, threads) == 1
        span = sharing.shared(blocks, 2**24, 2**16, threads)
        rounds = -(-blocks // (threads * 8))
        assert 1 <= span <= 8
        assert -(-blocks // span) <= threads * rounds


# -- mistakes that the comparison shows --------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine")
def test_control_a_left_out_second_counter_is_seen(monkeypatch):
    """One spin in 60,000 needs it, and there are 1.2 million; the same machine with it is the oracle."""
    rbm = machine((200, 200))
    assert_gibbs_is_the_oracle(rbm, 1, 3000)
    monkeypatch.setattr(gibbs, "fine_words", philox.coarse_words)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        assert_gibbs_is_the_oracle(rbm, 1, 3000)


@pytest.mark.skipif(not avx512.available(), reason="this CPU has no AVX-512, which engines.avx512 needs")
def test_control_margins_that_are_left_out_are_seen(monkeypatch):
    """test_coarse.py shows how thin they may be; here the spins of an engine without any."""

    def thin(side):
        return side._replace(margins=np.zeros_like(side.margins))

    def tables(path):
        made = avx512.tables(path)
        return made._replace(to_right=thin(made.to_right), to_left=thin(made.to_left))

    assert coarse.side(machine((100, 100)).W.astype(np.float32), np.zeros(100, np.float32)).settled < avx512._OFTEN
    without = types.SimpleNamespace(tables=tables, anneal=avx512.anneal)
    monkeypatch.setattr(engines, "best", lambda: without)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        assert_gibbs_is_the_oracle(machine((100, 100)))
