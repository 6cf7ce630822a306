"""The kernels' PTX executed on the CPU: the spins of the CPU backend, bit for bit, without a race, within bounds."""

import functools

import numpy as np
import pytest
from enumeration import skewed_rbm
from test_philox import KNOWN_ANSWERS, words

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")

import cuda_scalars

from dvae_ref.fast import scalars
from dvae_ref.sampling import ais, bracket, fields, gibbs, paths, pcd, philox, population
from dvae_ref.sampling.cuda import device, layout, resampling, tiles
from dvae_ref.sampling.cuda import gibbs as cuda_gibbs
from dvae_ref.theory.boltzmann import RBM
from validation.cuda import compiler, emulator, kernels

pytestmark = pytest.mark.skipif(emulator.c_compiler() is None, reason="needs a C compiler")
KEY = philox.key(20)
TILES = 0  # bytes of shared memory that W would have to fit into


def needs(sanitizer):
    there = emulator.c_compiler() is not None and emulator.has_sanitizer(sanitizer)
    return pytest.mark.skipif(not there, reason=f"needs a C compiler with the {sanitizer} sanitizer")


def frozen(rbm):
    """Thirty times the parameters: most fields lie where units hardly ever flip, some beyond the clamp."""
    return RBM(30 * rbm.a, 30 * rbm.W)


def assert_same(ours, oracle):
    for a, b in zip(ours, oracle, strict=True):
        np.testing.assert_array_equal(a, b)


def kernel(source, arguments):
    return kernels.Kernel(source, arguments, False, cuda_scalars.THREADS)


def test_philox_known_answers():
    compiled = compiler.compile_kernel(kernel(cuda_scalars.philox_kernel, cuda_scalars.PHILOX), (9, 0))
    counters, keys, answers = (
        np.array([words(text) for text in column]) for column in zip(*KNOWN_ANSWERS, strict=True)
    )
    found = np.zeros_like(counters)
    emulator.run(emulator.build(compiled.ptx), 1, cuda_scalars.THREADS, [counters, keys, found])
    np.testing.assert_array_equal(found, answers)


def test_scalar_functions_round_as_on_the_cpu():
    """And a product contracted into an FMA would show: in one of a hundred values of exp, at least."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-85, 85, 1000).astype(np.float32)
    word = rng.integers(0, 2**32, len(x), dtype=np.uint64)
    exp, increment, uniform = (np.zeros_like(x) for _ in range(3))
    compiled = compiler.compile_kernel(kernel(cuda_scalars.scalar_kernel, cuda_scalars.SCALARS), (8, 0))
    arguments = [x, word, exp, increment, uniform]
    emulator.run(emulator.build(compiled.ptx), cuda_scalars.blocks(len(x)), cuda_scalars.THREADS, arguments)
    bounded = np.clip(x, -scalars.FIELD_MAX, scalars.FIELD_MAX)
    np.testing.assert_array_equal(exp, scalars.exp(-bounded))
    np.testing.assert_array_equal(increment, scalars.softplus_increment(exp, x * np.float32(1 / 512)))
    np.testing.assert_array_equal(uniform, scalars.uniform(word))
    assert np.mean(exp != contracted_exp(-bounded)) > 0.01


def contracted_exp(x):
    """scalars.exp with every product next to a sum contracted: float64 holds the product of two float32s."""

    def fma(a, b, c):
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))

    n = np.rint(x * scalars._LOG2_E)
    r = fma(-n, scalars._LN2_LOW, fma(-n, scalars._LN2_HIGH, x))
    p = scalars._EXP[0]
    for coefficient in scalars._EXP[1:]:
        p = fma(p, r, coefficient)
    return np.ldexp(fma(p, r * r, r) + scalars.ONE, n.astype(int))


@pytest.mark.parametrize("capability", compiler.ARCHITECTURES)
@pytest.mark.parametrize("shared_memory", [None, TILES])
@pytest.mark.parametrize(
    ("n_left", "n_right", "chains", "sweeps"),
    [(12, 9, 37, 3), (1, 1, 1, 4), (5, 7, 8, 3), (37, 37, 18, 2), (133, 40, 5, 2), (40, 133, 9, 2), (200, 200, 3, 1)],
)
def test_spins_are_the_cpus(n_left, n_right, chains, sweeps, shared_memory, capability):
    rbm = skewed_rbm(n_left, n_right, seed=chains)
    state = gibbs.sweep(KEY, pcd.init(KEY, rbm, chains), rbm, 1)
    with emulator.emulated(capability, shared_memory=shared_memory):
        ours = gibbs.sweep(KEY, state, rbm, sweeps, backend="cuda")
    assert_same(ours, gibbs.sweep(KEY, state, rbm, sweeps))
    assert_same(ours, gibbs.sweep_reference(KEY, state, rbm, sweeps))
    assert chains < 10 or np.any(gibbs.sweep(philox.fold_in(KEY, 1), state, rbm, sweeps).left != ours.left)


@pytest.mark.parametrize(
    ("n_left", "n_right", "chains", "kernel"),
    [(128, 132, 9, "resident"), (4, 1024, 3, "resident"), (1028, 3, 17, "tiled"), (1024, 1000, 3, "tiled")],
)
@pytest.mark.filterwarnings("ignore:the field of .* unit")  # of so many weights some are lost: on both sides alike
def test_columns_and_passes(n_left, n_right, chains, kernel, monkeypatch):
    """Sides of whole columns and a nibble more; the widest that fits, and one nibble more; several passes and tiles."""
    rbm, launched = skewed_rbm(n_left, n_right), []
    state = pcd.init(KEY, rbm, chains)
    with emulator.emulated(), monkeypatch.context() as patch:  # undone before the emulator goes, not after
        patch.setattr(device, "launch", noting(launched, device.launch))
        ours, info = pcd.step(KEY, state, rbm, 1, backend="cuda")
    oracle = gibbs.sweep(KEY, state, rbm, 1)
    assert_same(ours, oracle)
    assert_same(info.moments, pcd.moments(oracle))
    assert launched == [getattr(cuda_gibbs, f"{kernel}_kernel")]


def noting(launched, launch):
    """launch, which adds the kernel to a list."""

    def noted(source, *arguments, **options):
        launched.append(source)
        launch(source, *arguments, **options)

    return noted


def test_no_sweeps_change_nothing():
    rbm = skewed_rbm(12, 9)
    state = pcd.init(KEY, rbm, 11)
    for shared_memory in (None, TILES):
        with emulator.emulated(shared_memory=shared_memory):
            assert_same(gibbs.sweep(KEY, state, rbm, 0, backend="cuda"), state)


@pytest.mark.parametrize("shared_memory", [None, TILES])
def test_spins_are_the_cpus_at_extreme_fields(shared_memory):
    rbm = frozen(skewed_rbm(30, 21))
    state = pcd.init(KEY, rbm, 40)
    with emulator.emulated(shared_memory=shared_memory):
        ours = gibbs.sweep(KEY, state, rbm, 3, backend="cuda")
    assert_same(ours, gibbs.sweep(KEY, state, rbm, 3))
    assert np.max(np.abs(state.z[:, :30] @ rbm.W)) > scalars.FIELD_MAX


@pytest.mark.parametrize("shared_memory", [None, TILES])
def test_bits_that_do_not_decide_are_drawn_anew(shared_memory):
    """Units whose field is a threshold of the 16 bits: of 192,000 spins, some have just these, and need the other 7."""
    coarse, sweeps, units = 40_000, 4, 1000
    field = -np.log(2.0**16 / (coarse + 0.5) - 1)  # sigmoid of it is in the middle of the u that begin with these bits
    rbm = RBM(np.append(0, np.full(units, field)), np.zeros((1, units)))
    state = pcd.init(KEY, rbm, 48)
    with emulator.emulated(shared_memory=shared_memory):
        ours = gibbs.sweep(KEY, state, rbm, sweeps, backend="cuda")
    assert_same(ours, gibbs.sweep_reference(KEY, state, rbm, sweeps))
    place = np.arange(6, dtype=np.uint64)[:, None], philox.RIGHT, np.arange(units, dtype=np.uint64)
    words = [philox.coarse_words(place[0], np.uint64(t), *place[1:], *map(np.uint64, KEY)) for t in range(sweeps)]
    assert sum(np.sum(gibbs._halves(each) == coarse) for each in words) > 1


def test_weights_that_were_not_rounded_would_not_do():
    """The rule that decides a spin is exactness: with float32 parameters as they come, fields depend on the order."""
    rbm = skewed_rbm(200, 150)
    z = np.random.default_rng(3).integers(0, 2, (50, 200)).astype(np.float32)
    for machine, same in ((fields.exact_fields(rbm)[0], True), (RBM(*(v.astype(np.float32) for v in rbm)), False)):
        in_tiles = np.tile(machine.a_right, (len(z), 1))
        for i in range(200):
            in_tiles = in_tiles + z[:, i, None] * machine.W[i]
        assert np.array_equal(in_tiles, machine.a_right + z @ machine.W) is same


@pytest.mark.parametrize("base", ["uniform", "bias"])
@pytest.mark.parametrize("shared_memory", [None, TILES])
@pytest.mark.parametrize(("n_left", "n_right", "chains"), [(12, 9, 37), (40, 133, 18), (133, 40, 5)])
def test_annealing_takes_the_same_chains_and_weighs_them_alike(n_left, n_right, chains, shared_memory, base):
    """By two launches, of 50 temperatures and of 10. Increments are the same float32s, of a thousand or so nats in
    absolute value, added up in float64: 1e-16 each. Other spins would show in all of them."""
    whole, temperatures = skewed_rbm(n_left, n_right), 61
    reach = np.max(np.abs(whole.a_right) + np.abs(whole.W).sum(0))
    scale = 0.8 * scalars.MAX_INCREMENT * (temperatures - 1) / reach  # so that the CPU takes these increments, too
    rbm = RBM(*(min(scale, 0.1) * value for value in whole))
    run = functools.partial(ais.log_z, KEY, rbm, temperatures, chains, base)
    with emulator.emulated(shared_memory=shared_memory):
        ours = run(backend="cuda").log_weights
    np.testing.assert_allclose(ours, run().log_weights, rtol=0, atol=1e-11)
    other = ais.log_z(philox.fold_in(KEY, 1), rbm, temperatures, chains, base).log_weights
    assert np.max(np.abs(ours - other)) > 1e-3


@pytest.mark.parametrize("shared_memory", [None, TILES])
def test_long_annealing_steps_in_parts(shared_memory):
    """A step of 0.9 at once: the CPU takes float64 softplus, the kernel the parts; each is good to 1e-6 of itself."""
    rbm = skewed_rbm(30, 21)
    schedule = [0, 0.1, 1]
    with emulator.emulated(shared_memory=shared_memory), pytest.warns(UserWarning, match="effective sample"):
        ours = ais.log_z(KEY, rbm, schedule, 300, backend="cuda")
    with pytest.warns(UserWarning, match="effective sample"):
        oracle = ais.log_z(KEY, rbm, schedule, 300)
    reach = np.max(np.abs(rbm.a_right) + np.abs(rbm.W).sum(0))
    assert 0.9 * reach > 4 * scalars.MAX_INCREMENT  # the case is as described
    assert 0 < np.max(np.abs(ours.log_weights - oracle.log_weights)) < 1e-4


def test_long_annealing_steps_down_in_parts():
    """The same from t = 1 to 0: the parts follow from the size of a step, not from its sign."""
    rbm = skewed_rbm(30, 21)
    start = bracket.Start(np.random.default_rng(1).integers(0, 2, (64, 51)), "uniform states")
    with emulator.emulated():
        ours = bracket.log_weights(KEY, rbm, start, [0, 0.1, 1], backend="cuda")
    oracle = bracket.log_weights(KEY, rbm, start, [0, 0.1, 1])
    assert 0 < np.max(np.abs(ours - oracle)) < 1e-4


@pytest.mark.parametrize(("replicas", "spread"), [(1, 0.0), (256, 0.0), (700, 2.0), (513, 40.0)])
def test_ancestors_are_the_cpus(replicas, spread):
    rng = np.random.default_rng(replicas)
    log_w, u = 500 + spread * rng.normal(size=replicas), philox.uniform(KEY, 1)[0]
    nibbles = rng.integers(0, 16, (replicas, 5), dtype=np.uint8)
    with emulator.emulated():
        ancestors = resampling.systematic(log_w, u)
        copies = resampling.gather(nibbles, ancestors)
    np.testing.assert_array_equal(ancestors, population.systematic(log_w, u))
    np.testing.assert_array_equal(copies, nibbles[ancestors])
    assert spread == 0 or np.any(ancestors != np.arange(replicas))


def run_gibbs(sanitizer, skip=-1, size=(40, 50), chains=13, shared_memory=None):
    """Two blocks, several warps, tiles and shares: there every barrier is needed."""
    rbm = skewed_rbm(*size)
    with emulator.emulated(sanitizer=sanitizer, skip=skip, shared_memory=shared_memory):
        gibbs.sweep(KEY, pcd.init(KEY, rbm, chains), rbm, 2, backend="cuda")


def run_ais(sanitizer, skip=-1, size=(40, 50), chains=13, shared_memory=None):
    with emulator.emulated(sanitizer=sanitizer, skip=skip, shared_memory=shared_memory):
        from dvae_ref.sampling.cuda import ais as cuda

        path = paths.annealing_path(skewed_rbm(*size), "uniform")
        left, schedule = np.zeros((1, chains, -(-size[0] // 4)), np.uint8), np.array([0, 0.3, 0.301], np.float32)
        cuda.anneal(left, None, np.zeros((1, chains)), schedule, 0, cuda.tables(path), *map(np.uint64, KEY))


def run_prefix_sum(sanitizer, skip=-1):
    values = np.arange(200)
    with emulator.emulated(sanitizer=sanitizer, skip=skip):
        sums = resampling.prefix_sum(values)
    np.testing.assert_array_equal(sums, np.cumsum(values))


_IN_TILES = {"size": (140, 150), "chains": 17, "shared_memory": TILES}
RUNS = {
    "gibbs": run_gibbs,
    "gibbs, tiles": functools.partial(run_gibbs, **_IN_TILES),
    "ais": run_ais,
    "ais, tiles": functools.partial(run_ais, **_IN_TILES),
    "resampling: prefix sum": run_prefix_sum,
}


@needs("thread")
@pytest.mark.parametrize("name", RUNS)
def test_no_thread_races_and_every_barrier_is_needed(name):
    RUNS[name]("thread")
    for barrier in range(emulator.program(name, sanitizer="thread").barriers):
        with pytest.raises(emulator.FaultError, match="ThreadSanitizer: data race"):
            RUNS[name]("thread", skip=barrier)


@needs("address")
@pytest.mark.parametrize("name", RUNS)
def test_nobody_leaves_the_arrays(name):
    RUNS[name]("address")


@needs("address")
@pytest.mark.parametrize(("module", "name"), [(layout, "gibbs"), (tiles, "gibbs, tiles")])
def test_leaving_an_array_is_seen(module, name, monkeypatch):
    parameters = module.parameters
    monkeypatch.setattr(module, "parameters", lambda *given: parameters(*given)[:1000])
    with pytest.raises(emulator.FaultError, match="AddressSanitizer: heap-buffer-overflow"):
        RUNS[name]("address")


@needs("address")
def test_leaving_shared_memory_is_seen(monkeypatch):
    """A block that asks for 36 floats less than it needs: for the last share's sums of four units."""
    shared = layout.Plan.shared.fget
    monkeypatch.setattr(layout.Plan, "shared", property(lambda plan: shared(plan) - 4 * 36))
    with pytest.raises(emulator.FaultError, match="AddressSanitizer: heap-buffer-overflow"):
        RUNS["gibbs"]("address")
