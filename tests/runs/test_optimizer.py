"""Adam against TensorFlow's rule written for scalars; schedule and warm-up at their corners; what decays."""

import math

import numpy as np
import pytest

from dvae_ref import tree
from dvae_ref.fast import optimizer as fast
from dvae_ref.fast.threads import cores, submit
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import optimizer, training
from dvae_ref.runs.presets import Settings

RATE, BETA1, BETA2, EPSILON = 3e-3, 0.9, 0.999, 1e-3
PIXELS = 7


def gradients(steps=60, size=5):
    """Gradients of very different sizes, from far below epsilon to far above."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((steps, size)) * np.geomspace(1e-5, 10, size)


def adam(gradients, **options):
    """The parameters after each step, from zeros, by dvae_ref."""
    params, path = (np.zeros(gradients.shape[1], gradients.dtype),), []
    state = optimizer.init(params)
    for t, g in enumerate(gradients, 1):
        params, state = optimizer.update(params, (g,), state, iteration=t, learning_rate=RATE, **options)
        path.append(params[0])
    return np.array(path)


def tensorflow(gradients):
    """ApplyAdam, one scalar at a time: lr_t = lr sqrt(1-b2^t)/(1-b1^t); p -= lr_t m / (sqrt(v) + epsilon)."""
    path = np.zeros(gradients.shape)
    for j in range(gradients.shape[1]):
        p = m = v = 0.0
        power1 = power2 = 1.0
        for t, g in enumerate(gradients[:, j]):
            power1, power2 = power1 * BETA1, power2 * BETA2
            m += (g - m) * (1 - BETA1)
            v += (g * g - v) * (1 - BETA2)
            p -= RATE * math.sqrt(1 - power2) / (1 - power1) * m / (math.sqrt(v) + EPSILON)
            path[t, j] = p
    return path


def corrected(gradients, epsilon):
    """Kingma and Ba's form: epsilon(t) added to the corrected sqrt(v / (1 - beta2^t))."""
    m = v = p = np.zeros(gradients.shape[1])
    path = []
    for t, g in enumerate(gradients, 1):
        m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
        p = p - RATE * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + epsilon(t))
        path.append(p)
    return np.array(path)


def distance(a, b):
    """Largest error relative to the length of each parameter's path, so that none is too small to be seen."""
    return np.max(np.abs(a - b) / np.max(np.abs(b), 0))


def test_adam_adds_epsilon_to_the_uncorrected_root():
    """60 steps in float64: rounding is some 1e-16 a step; the other reading of epsilon is off by far more."""
    g = gradients()
    assert distance(adam(g), tensorflow(g)) < 1e-12
    assert distance(adam(g), corrected(g, lambda t: EPSILON / math.sqrt(1 - BETA2**t))) < 1e-12
    assert distance(adam(g), corrected(g, lambda t: EPSILON)) > 0.1
    assert distance(adam(g, epsilon=1e-8), tensorflow(g)) > 0.1


def test_adam_counts_iterations_from_one_and_keeps_float32():
    first = adam(gradients()[:1] * 1e6)  # epsilon negligible: the first step is -lr sign(g)
    np.testing.assert_allclose(first[0, 1:], -RATE * np.sign(gradients()[0, 1:]), rtol=2e-2)
    path = adam(gradients().astype(np.float32))
    assert path.dtype == np.float32
    assert distance(path, tensorflow(gradients())) < 60 * 1e-6  # a few roundings of 6e-8 in each of 60 steps


def test_two_halves_of_the_arrays_make_the_step(monkeypatch):
    """Whoever steps the second: bytes of the whole, and each array in its place."""
    rng, given = np.random.default_rng(3), []

    def spied(f, leaves, *rest):
        given.append(len(leaves))
        return submit(f, leaves, *rest)

    monkeypatch.setattr(optimizer, "submit", spied)
    params, gradient = (tuple(rng.standard_normal(n) for n in (3, 50, 7, 40, 2)) for _ in range(2))
    options = {"iteration": 1, "learning_rate": RATE}
    with cores(2):
        new, state = optimizer.update(params, gradient, optimizer.init(params), **options)
    assert given == [3]  # with 49 of 102 numbers: no other cut is nearer to half
    for i, leaf in enumerate(params):
        single = optimizer.update((leaf,), (gradient[i],), optimizer.init((leaf,)), **options)
        assert new[i].tobytes() == single[0][0].tobytes()
        assert state.m[i].tobytes() == single[1].m[0].tobytes()


def test_adam_leaves_its_arguments_alone():
    params, gradient = (np.ones(3),), (np.full(3, 0.5),)
    state = optimizer.init(params)
    optimizer.update(params, gradient, state, iteration=1, learning_rate=RATE)
    for leaf, value in zip([*params, *gradient, *state.m, *state.v], [1, 0.5, 0, 0], strict=True):
        assert np.all(leaf == value)


@pytest.mark.parametrize("count", [1, 23, 24, 25, 60])
def test_many_arrays_are_stepped_as_each_alone(count):
    """Around the 24 arrays that a compiled call takes: the same bytes, each in its place, all others left alone."""
    rng = np.random.default_rng(4)
    params, gradient, m, v = (tuple(np.float32(rng.random(3 + n)) for n in range(count)) for _ in range(4))
    before = [leaf.tobytes() for leaf in (*params, *gradient, *m, *v)]
    options = {"iteration": 2, "learning_rate": RATE, "decay": 0.1}
    new = optimizer.update(params, gradient, optimizer.Adam(m, v), **options)
    for i in range(count):
        alone = optimizer.update(
            params[i : i + 1], gradient[i : i + 1], optimizer.Adam(m[i : i + 1], v[i : i + 1]), **options
        )
        for whole, single in zip((new[0], *new[1]), (alone[0], *alone[1]), strict=True):
            assert whole[i].tobytes() == single[0].tobytes()
    assert [leaf.tobytes() for leaf in (*params, *gradient, *m, *v)] == before


def test_what_fills_up_a_compiled_call_holds_no_number():
    """One that nobody has set might not be finite."""
    filled = fast._filled_up((np.ones(3),), fast._NONE)
    assert (len(filled), sum(array.size for array in filled)) == (24, 3)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3, 6])
def test_an_array_that_is_not_finite_is_named(place, value, dtype, count):
    """Whichever it is, and whoever steps it; the largest finite number is let pass."""
    params, gradient = (tuple(np.ones(20, dtype) for _ in range(7)) for _ in range(2))
    params[place][7] = np.finfo(dtype).max
    options = {"iteration": 1, "learning_rate": RATE}
    with cores(count):
        optimizer.update(params, gradient, optimizer.init(params), **options)
        params[place][19] = value
        with pytest.raises(FloatingPointError, match=f"^{place} is not finite$"):
            optimizer.update(params, gradient, optimizer.init(params), **options)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_beyond_the_largest_number_is_named(dtype, sign):
    """Infinity itself, from finite numbers: of an infinite parameter a kernel makes NaN, by a decay of 0."""
    params, gradient = (np.array([sign * np.finfo(dtype).max]),), (np.array([-sign], dtype),)
    options = {"iteration": 1, "learning_rate": float(np.finfo(dtype).max) / 4}
    moved, _ = optimizer.update(params, (0 * gradient[0],), optimizer.init(params), **options)
    assert moved[0] == params[0]
    with pytest.raises(FloatingPointError, match=r"^0 is not finite$"):
        optimizer.update(params, gradient, optimizer.init(params), **options)


def test_arrays_that_do_not_fit_are_refused():
    """One too few, and one of another shape, which no kernel may read."""
    params = tuple(np.ones(4, np.float32) for _ in range(3))
    state = optimizer.init(params)
    for gradient in (params[:2], (*params[:2], np.ones(3, np.float32))):
        with pytest.raises(ValueError, match=r"shorter|broadcast"):
            optimizer.update(params, gradient, state, iteration=1, learning_rate=RATE)


@pytest.mark.parametrize(("total", "unit"), [(1_000_000, 1), (50_000, 20)])
def test_learning_rate_changes_after_each_boundary(total, unit):
    """Steps of the facts: 3e-4 up to and including 20,000, 3e-3 to 600,000, 1e-3, 3e-4, then 3e-3/33."""
    expected = {0: 3e-4, 20_000: 3e-4, 600_000: 3e-3, 750_000: 1e-3, 950_000: 3e-4, 1_000_000: 3e-3 / 33}
    s = Settings(num_train_iter=total)

    def rate(i):
        return optimizer.learning_rate(i, total, base=s.learning_rate, boundaries=s.lr_boundaries, factors=s.lr_factors)

    for step, value in expected.items():
        assert rate(step // unit) == pytest.approx(value, rel=1e-12)
    following = list(expected.values())[2:]
    for step, value in zip((20_000, 600_000, 750_000, 950_000), following, strict=True):
        assert rate(step // unit + 1) == pytest.approx(value, rel=1e-12)


def test_warm_up_rises_linearly_from_zero():
    assert [optimizer.warm_up(i, 1000, 0.3) for i in (0, 1, 150, 300, 301, 999)] == [0, 1 / 300, 0.5, 1, 1, 1]
    assert optimizer.warm_up(0, 1000, 0) == 1


def fresh(name):
    """The parameters of a structure."""
    return training.start(Settings(struct=name, chains=2), np.full(PIXELS, 0.3)).params


def decaying(structure):
    """The leaves with weight decay, by name: kernels, batch norm's scales and W; no bias, no offset, no a."""
    networks = [*(f"encoder.{g}" for g in range(structure.groups)), "decoder"]
    names = {"rbm.W"} | {f"{network}.out.kernel" for network in networks}
    for network in networks:
        for i in range(len(structure.hidden)):
            names |= {f"{network}.hidden.{i}.dense.kernel", f"{network}.hidden.{i}.norm.scale"}
    return names


@pytest.mark.parametrize(("name", "count"), list(zip(STRUCTURES, (3, 11, 16, 26), strict=True)))
def test_weight_decay_reaches_the_right_leaves(name, count):
    params = fresh(name)
    zeros, ones = tree.map(np.zeros_like, params), tree.map(np.ones_like, params)
    reached = {path for path, leaf in tree.items(optimizer.weight_decay(ones, zeros)) if np.all(leaf != 0)}
    untouched = {path for path, leaf in tree.items(optimizer.weight_decay(ones, zeros)) if np.all(leaf == 0)}
    assert reached == decaying(STRUCTURES[name])
    assert len(reached) == count
    assert reached | untouched == {path for path, _ in tree.items(params)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_update_takes_the_decay_along(dtype):
    """As one with the gradient of the penalty added; in float32 to a rounding."""
    rng = np.random.default_rng(2)
    params, gradient = (
        tree.map(lambda a: rng.standard_normal(a.shape).astype(dtype), fresh("1-layer-nonlin")) for _ in range(2)
    )
    state, options = optimizer.init(params), {"iteration": 1, "learning_rate": RATE}
    together = optimizer.update(params, gradient, state, decay=0.2, **options)
    apart = optimizer.update(params, optimizer.weight_decay(params, gradient, 0.2), state, **options)
    for a, b in zip(tree.leaves(together), tree.leaves(apart), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    without = optimizer.update(params, gradient, state, **options)
    assert not np.allclose(without[1].m.rbm.W, apart[1].m.rbm.W, rtol=1e-3)
    np.testing.assert_allclose(without[1].m.rbm.a, together[1].m.rbm.a)


def test_weight_decay_is_the_gradient_of_the_penalty():
    """Central differences of strength/2 sum w^2, a quadratic: exact but for rounding, 1e-16 / 1e-3."""
    rng, strength, step = np.random.default_rng(1), 1e-2, 1e-3
    like = fresh("2-layer-nonlin")
    params, before, direction = (tree.map(lambda leaf: rng.standard_normal(leaf.shape), like) for _ in range(3))

    def penalty(moved, names):
        return strength / 2 * sum(np.sum(leaf**2) for path, leaf in tree.items(moved) if path in names)

    def slope(names):
        ends = [tree.map(lambda p, d, h=h: p + h * d, params, direction) for h in (step, -step)]
        return (penalty(ends[0], names) - penalty(ends[1], names)) / (2 * step)

    after = optimizer.weight_decay(params, before, strength)
    added = sum(np.sum((a - b) * d) for a, b, d in zip(*map(tree.leaves, (after, before, direction)), strict=True))
    names = decaying(STRUCTURES["2-layer-nonlin"])
    assert added == pytest.approx(slope(names), rel=1e-8)
    assert all(added != pytest.approx(slope(names - {name}), rel=1e-6) for name in names)
