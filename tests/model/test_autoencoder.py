"""The whole objective: value and gradient against autograd on an independent expression, and central differences."""

import functools

import numpy as np
import pytest
import witness
from autograd import value_and_grad

from dvae_ref import bounds, mixture, overlapping, tree
from dvae_ref.fast import team, threads
from dvae_ref.model import autoencoder, layers, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import STRUCTURES as PAPER_STRUCTURES
from dvae_ref.model.structures import Structure
from dvae_ref.theory.boltzmann import RBM, Moments
from dvae_ref.theory.smoothing import SMOOTHINGS, Power

# The four structures of the paper at small widths: hidden layers of unequal widths, V = 7 pixels, D = 6 or 8.
STRUCTURES = {
    "1-layer-lin": Structure(1, 6),
    "1-layer-nonlin": Structure(1, 6, (5, 4)),
    "2-layer-nonlin": Structure(2, 3, (5, 4)),
    "4-layer-nonlin": Structure(4, 2, (5, 4)),
}
BETA = 4.0
PIXELS, BATCH, KAPPA = 7, 4, 0.37
TOLERANCE = 1e-9


class Case:
    """An objective with skewed parameters and grey pixels, and everything needed to differentiate it twice over."""

    def __init__(self, name, structure, k, sweeps=2, coupling=1.0):
        rng = np.random.default_rng([len(name), len(structure), k])
        self.name, self.k, self.sweeps = name, k, sweeps
        structure = STRUCTURES[structure]
        d = structure.latents
        self.config = autoencoder.Config(structure, self.method(structure.groups), k)
        mean_x = rng.uniform(0, 1, PIXELS)
        mean_x[:2] = 0, 1  # clipped to 0.001 and 0.999 in the output bias
        params, self.statistics = autoencoder.init(rng, self.config, mean_x, np.float64)
        params = tree.map(lambda leaf: leaf + 0.3 * rng.standard_normal(leaf.shape), params)
        W = coupling * (0.3 + rng.standard_normal((d // 2, d - d // 2)))
        self.params = params._replace(rbm=RBM(rng.normal(-0.5, 1, d), W))
        self.x = rng.uniform(0, 1, (BATCH, PIXELS))
        self.d_bound = rng.uniform(0.5, 2, BATCH)
        self.noise = Noise(rng.uniform(0.1, 0.9, (BATCH * k, d)), rng.uniform(0.1, 0.9, (BATCH * k, d)))

    def method(self, groups):
        return methods.relaxed(SMOOTHINGS[self.name](BETA), self.sweeps)

    def value(self, params, noise=None):
        """The bound of dvae_ref, with the exact -kappa log Z that its value leaves out."""
        noise = self.noise if noise is None else noise
        bound, cache = autoencoder.objective(params, self.statistics, self.x, noise, config=self.config, kappa=KAPPA)
        return bound - KAPPA * witness.log_z(*params.rbm), cache

    def gradient(self, noise=None, negative=None):
        cache = self.value(self.params, noise)[1]
        negative = exact_moments(self.params.rbm) if negative is None else negative
        return autoencoder.objective_backward(self.d_bound, cache, negative, config=self.config)

    def autograd(self, **changes):
        """(sum(d_bound * bound), gradient leaf by leaf) of the witness."""

        def total(leaves):
            return (self.expression(tree.unflatten(self.params, leaves), **changes) * self.d_bound).sum()

        return value_and_grad(total)(tree.leaves(self.params))

    def expression(self, params, **changes):
        """The bound of the witness."""
        options = {"name": self.name, "beta": BETA, "k": self.k, "sweeps": self.sweeps, "kappa": KAPPA}
        return witness.objective(params, self.statistics.mean_x, self.x, *self.noise, **options | changes)


def exact_moments(rbm):
    """E[z] and E[z_left z_right'] by enumeration."""
    z, p = witness.states(len(rbm.a)), witness.probabilities(*rbm)
    left = rbm.W.shape[0]
    return Moments(p @ z, (p[:, None] * z[:, :left]).T @ z[:, left:])


def disagreements(gradient, expected):
    """{path: relative error} of the leaves that miss the tolerance.

    Errors are relative to the leaf's norm, but to no less than 1e-4 of the whole gradient's: the biases in front of a
    batch norm have no gradient at all.
    """
    floor = 1e-4 * np.sqrt(sum(np.sum(leaf**2) for leaf in expected))
    errors = {
        path: witness.relative_error(leaf, other, floor)
        for (path, leaf), other in zip(tree.items(gradient), expected, strict=True)
    }
    return {path: error for path, error in errors.items() if not error < TOLERANCE}


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("name", SMOOTHINGS)
def test_value_and_gradient_agree_with_autograd(name, structure, k):
    case = Case(name, structure, k)
    value, expected = case.autograd()
    assert case.value(case.params)[0] @ case.d_bound == pytest.approx(value, rel=1e-11)
    assert disagreements(case.gradient(), expected) == {}


def flipped(f):
    return lambda *args, **kwargs: -f(*args, **kwargs)


def frozen_statistics(d_y, cache):
    """Batch norm's backward, were mean and variance constants."""
    return layers.BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * cache.scale * cache.inverse_std


def plain_mean(d_bound, weights):
    """The gradient of the mean of the log weights."""
    return d_bound[:, None] * np.full_like(weights, 1 / weights.shape[1])


def without_d_b(d_log_p, cache):
    """The prior's backward without its gradient in zeta."""
    rbm, d_b = LOG_P_BACKWARD(d_log_p, cache)
    return rbm, np.zeros_like(d_b)


def d_zeta_of_prior_only(d_log_q, cache):
    """The posterior's backward without its gradient in zeta ("sticking the landing" is another estimator)."""
    d_logit_q, d_b = LOG_Q_BACKWARD(d_log_q, cache)
    return d_logit_q, np.zeros_like(d_b)


LOG_P_BACKWARD, LOG_Q_BACKWARD = overlapping.log_p_backward, mixture.log_q_backward
BREAKAGES = {
    "sign of dzeta/dq": (mixture, "d_t_d_logit_q", flipped(mixture.d_t_d_logit_q)),
    "mean of the log weights": (bounds, "backward", plain_mean),
    "weights of other samples": (bounds, "backward", lambda d, w: d[:, None] * w[:, ::-1]),
    "warm-up left out": (bounds, "log_weights_backward", lambda d, kappa: (d, d)),
    "batch statistics frozen": (layers, "batch_norm_backward", frozen_statistics),
    "prior's gradient in zeta": (overlapping, "log_p_backward", without_d_b),
    "posterior's gradient in zeta": (mixture, "log_q_backward", d_zeta_of_prior_only),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_control_a_broken_backward_is_seen(breakage, monkeypatch):
    case = Case("power", "2-layer-nonlin", 5)
    _, expected = case.autograd()
    assert disagreements(case.gradient(), expected) == {}
    monkeypatch.setattr(*BREAKAGES[breakage])
    assert disagreements(case.gradient(), expected) != {}


def test_control_without_the_negative_phase_the_prior_is_wrong():
    case = Case("exp", "1-layer-nonlin", 1)
    nothing = tree.map(np.zeros_like, exact_moments(case.params.rbm))
    _, expected = case.autograd()
    assert set(disagreements(case.gradient(negative=nothing), expected)) == {"rbm.a", "rbm.W"}


def test_control_the_gradient_through_m_is_another():
    """After two sweeps m is no fixed point, and the derivative of H(m) - E^(m) in m is not zero."""
    case = Case("gauss", "1-layer-nonlin", 1)
    _, expected = case.autograd(stop=lambda a: a)
    assert {"rbm.a", "rbm.W", "encoder.0.out.kernel"} <= set(disagreements(case.gradient(), expected))


def test_control_the_sum_of_the_weights_for_their_mean():
    case = Case("power", "1-layer-lin", 5)
    mean = case.value(case.params)[0]
    total, _ = case.autograd()
    assert abs((mean + np.log(case.k)) @ case.d_bound - total) > 1


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("name", SMOOTHINGS)
def test_gradient_agrees_with_central_differences(name, structure, k):
    """With zeta the inverse CDF at rho, a converged mean field and log Z enumerated, it is the gradient of a function.

    Small couplings make the mean field contract: its error after 60 sweeps is below rounding.
    """
    check_central_differences(Case(name, structure, k, sweeps=60, coupling=0.3))


def check_central_differences(case):
    """One random unit vector a group of parameters (encoder, decoder, RBM, the posterior's own).

    The tolerance is witness.derivative's estimate, at most a millionth of the slope that a random direction has, which
    is |gradient| / sqrt(n).
    """
    noise = case.noise._replace(u=None)
    gradient = case.gradient(noise)
    rng = np.random.default_rng(5)
    for field in gradient._fields if case.params.posterior else ("encoder", "decoder", "rbm"):
        part = tree.map(lambda a: rng.standard_normal(a.shape), getattr(case.params, field))
        length = np.sqrt(inner(part, part))
        along = tree.map(np.zeros_like, case.params)._replace(**{field: tree.map(lambda a, s=length: a / s, part)})
        difference = witness.derivative(lambda h, v=along: bound_along(case, noise, v, h))
        found = getattr(gradient, field)
        typical = np.sqrt(inner(found, found)) / length
        assert difference.error < 1e-6 * typical, f"{field}: the difference is too rough to judge"
        assert abs(inner(gradient, along) - difference.value) <= difference.error, field


def bound_along(case, noise, direction, h):
    moved = tree.map(lambda a, v: a + h * v, case.params, direction)
    return case.value(moved, noise)[0] @ case.d_bound


def inner(tree_a, tree_b):
    return sum(np.sum(a * b) for a, b in zip(tree.leaves(tree_a), tree.leaves(tree_b), strict=True))


def test_control_central_differences_see_two_sweeps():
    """Two sweeps from 1/2 are not the fixed point; then the gradient of Eq. 5 is not the derivative of the value."""
    case = Case("gauss", "1-layer-lin", 1, sweeps=2)
    noise = case.noise._replace(u=None)
    along = tree.map(np.zeros_like, case.params)
    along = along._replace(rbm=tree.map(np.ones_like, along.rbm))
    difference = witness.derivative(lambda h: bound_along(case, noise, along, h))
    assert abs(inner(case.gradient(noise), along) - difference.value) > 1e3 * difference.error


def test_what_does_not_depend_on_k_is_computed_once_and_equals_the_repeated_form():
    """K samples of an image are the K = 1 samples of K copies of it: value and gradient, batch norm included."""
    case = Case("power", "4-layer-nonlin", 5)
    _, cache = case.value(case.params)
    config = case.config.__class__(case.config.structure, case.config.method, 1)
    copies = np.repeat(case.x, 5, axis=0)
    _, repeated = autoencoder.objective(case.params, case.statistics, copies, case.noise, config=config, kappa=KAPPA)
    for part, whole in zip(cache.encoder.sample, repeated.encoder.sample, strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-11, atol=1e-13)
    negative = exact_moments(case.params.rbm)
    per_sample = (case.d_bound[:, None] * cache.weights).reshape(-1)
    expected = autoencoder.objective_backward(per_sample, repeated, negative, config=config)
    assert disagreements(case.gradient(), tree.leaves(expected)) == {}
    before = case.statistics
    once, again = autoencoder.update_statistics(before, cache), autoencoder.update_statistics(before, repeated)
    for a, b in zip(tree.leaves(once), tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_update_statistics_moves_a_fifth_of_the_way_to_the_batch():
    case = Case("exp", "1-layer-nonlin", 1)
    _, cache = case.value(case.params)
    first = case.params.encoder[0].hidden[0].dense
    inputs = (case.x - case.statistics.mean_x) @ first.kernel + first.bias
    new = autoencoder.update_statistics(case.statistics, cache)
    np.testing.assert_allclose(new.encoder[0][0].mean, 0.2 * inputs.mean(0), rtol=1e-12)
    np.testing.assert_allclose(new.encoder[0][0].variance, 0.8 + 0.2 * inputs.var(0), rtol=1e-12)
    np.testing.assert_array_equal(new.mean_x, case.statistics.mean_x)


def test_the_objective_keeps_float32():
    """Gradients are of the parameters' dtype, also where exact moments are float64."""
    case = Case("exp", "2-layer-nonlin", 5)
    to_float32 = functools.partial(tree.map, np.float32)
    params, statistics = to_float32(case.params), to_float32(case.statistics)
    noise = Noise(*(np.float32(a) for a in case.noise))
    bound, cache = autoencoder.objective(params, statistics, np.float32(case.x), noise, config=case.config)
    assert bound.dtype == np.float32
    for convert in (np.float32, np.float64):
        negative = tree.map(convert, exact_moments(case.params.rbm))
        gradient = autoencoder.objective_backward(np.ones(BATCH, np.float32), cache, negative, config=case.config)
        assert {leaf.dtype for leaf in tree.leaves(gradient)} == {np.dtype(np.float32)}
    assert {leaf.dtype for leaf in tree.leaves(autoencoder.update_statistics(statistics, cache))} == {
        np.dtype(np.float32)
    }


def test_init_has_the_paper_s_shapes():
    config = autoencoder.Config(PAPER_STRUCTURES["4-layer-nonlin"], methods.relaxed(Power(2.0)))
    params, statistics = autoencoder.init(np.random.default_rng(0), config, np.full(784, 0.1))
    shapes = {path: leaf.shape for path, leaf in tree.items(params)}
    assert len(params.encoder) == 4
    assert shapes["encoder.2.hidden.0.dense.kernel"] == (784 + 200, 200)
    assert shapes["encoder.2.out.kernel"] == (200, 100)
    assert shapes["decoder.hidden.0.dense.kernel"] == (400, 200)
    assert shapes["decoder.out.kernel"] == (200, 784)
    assert shapes["rbm.W"] == (200, 200)
    assert not np.any(params.rbm.W)
    assert not np.any(params.rbm.a)
    assert {leaf.dtype for leaf in tree.leaves((params, statistics))} == {np.dtype(np.float32)}
    assert [s.latents for s in PAPER_STRUCTURES.values()] == [200, 200, 400, 400]


def test_output_bias_is_the_logit_of_the_clipped_mean():
    bias = autoencoder.output_bias(np.array([0.0, 0.0005, 0.25, 1.0]))
    np.testing.assert_allclose(bias, [-np.log(999), -np.log(999), -np.log(3), np.log(999)], rtol=1e-12)


def init(mean_x):
    return autoencoder.init(np.random.default_rng(0), Case("exp", "1-layer-lin", 1).config, mean_x)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Structure(1, 5), "even number"),
        (lambda: Structure(0, 4), "groups"),
        (
            lambda: autoencoder.Config(STRUCTURES["1-layer-lin"], methods.relaxed(Power(2.0)), k=0),
            "k, the number of samples",
        ),
        (lambda: methods.relaxed(Power(2.0), mean_field_sweeps=0), "mean_field_sweeps"),
        (lambda: init(np.array([0.5, 1.5])), "mean_x"),
        (lambda: init(np.array([0.5, np.nan])), "mean_x"),
        (lambda: init(np.zeros((2, 2))), "mean_x"),
    ],
)
def test_bad_configuration_is_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


def test_noise_and_images_of_a_wrong_shape_are_refused():
    case = Case("power", "1-layer-lin", 5)
    for rho in (case.noise.rho[:-1], case.noise.rho[:, :-1]):
        with pytest.raises(ValueError, match="noise"):
            case.value(case.params, Noise(rho, rho))
    with pytest.raises(ValueError, match=r"noise\.u"):
        case.value(case.params, Noise(case.noise.u[:-1], case.noise.rho))
    good = case.x
    case.x = np.round(good)  # 0 and 1 themselves are pixels
    case.value(case.params)
    beyond = [good + 1, good - 1, np.where(good > 0.5, 1.001, good), good * np.nan]
    for x, said in [(good[:, :-1], "7 pixels"), *((x, "pixels must lie") for x in beyond)]:
        case.x = x
        with pytest.raises(ValueError, match=said):
            case.value(case.params)


def test_discrete_log_weights_for_every_z():
    """log w = -E(z) - log Z - log q(z|x) + log p(x|z), batch norm by the moving averages.

    u = 0 and 1 force each of the 2^D binary z in turn (u < q is z = 1).
    """
    case = Case("exp", "2-layer-nonlin", 1)
    moving = tree.map(lambda a: a + 0.3, case.statistics)._replace(mean_x=case.statistics.mean_x)
    z = witness.states(6)
    x = case.x[:1]
    log_z = witness.log_z(*case.params.rbm)
    log_w = autoencoder.discrete_log_weights(case.params, moving, x, 1 - z, log_z=log_z)
    logits, log_q = autoencoder.output_bias(moving.mean_x) + evaluate(case.params.decoder, moving.decoder, z), 0
    for g, group in enumerate(case.params.encoder):
        inputs = np.concatenate([np.repeat(x - moving.mean_x, len(z), 0), z[:, : 3 * g]], 1)
        q = witness.sigmoid(evaluate(group, moving.encoder[g], inputs))
        own = z[:, 3 * g : 3 * g + 3]
        log_q = log_q + np.sum(np.log(np.where(own == 1, q, 1 - q)), 1)
    log_px = np.sum(x * np.log(witness.sigmoid(logits)) + (1 - x) * np.log(witness.sigmoid(-logits)), 1)
    expected = -witness.energy(*case.params.rbm, z) - log_z - log_q + log_px
    np.testing.assert_allclose(log_w[0], expected, rtol=1e-12)
    assert np.sum(np.exp(log_q)) == pytest.approx(1, rel=1e-12)


def test_reconstruct_is_the_mean_of_images_given_a_sampled_z():
    """E[x|z], z_g = [u < q] group by group. Without mean_x taken off the image other z would be drawn."""
    case = Case("exp", "2-layer-nonlin", 1)
    moving = tree.map(lambda a: a + 0.3, case.statistics)._replace(mean_x=case.statistics.mean_x)
    u = np.random.default_rng(4).random((200, 6))
    x = np.random.default_rng(5).integers(0, 2, (200, case.x.shape[1])).astype(float)

    def expected(mean_x):
        z = np.zeros((200, 0))
        for g, group in enumerate(case.params.encoder):
            q = witness.sigmoid(evaluate(group, moving.encoder[g], np.concatenate([x - mean_x, z], 1)))
            z = np.concatenate([z, u[:, z.shape[1] : z.shape[1] + 3] < q], 1)
        return witness.sigmoid(
            autoencoder.output_bias(moving.mean_x) + evaluate(case.params.decoder, moving.decoder, z)
        )

    found = autoencoder.reconstruct(case.params, moving, x, u)
    np.testing.assert_allclose(found, expected(moving.mean_x), rtol=1e-12)
    assert np.max(np.abs(found - expected(0 * moving.mean_x))) > 0.01


def evaluate(network, moving, x):
    """A network whose batch norms use given averages."""
    for ((kernel, bias), (scale, offset)), (mean, variance) in zip(network.hidden, moving, strict=True):
        x = np.tanh(scale * (x @ kernel + bias - mean) / np.sqrt(variance + 0.01) + offset)
    return x @ network.out.kernel + network.out.bias


@pytest.mark.parametrize("structure", ["1-layer-lin", "4-layer-nonlin"])
def test_another_core_changes_no_byte(structure, monkeypatch):
    """One share, K = 1: with two threads another core may make the prior's terms and the kernels' gradients."""
    case, given = Case("power", structure, 1), []
    arguments = case.params, case.statistics, case.x, case.noise, case.d_bound, exact_moments(case.params.rbm)
    alone = autoencoder.objective_and_gradient(*arguments, config=case.config, kappa=KAPPA)
    give = threads.give
    monkeypatch.setattr(threads, "give", lambda call, most: given.append(call) or give(call, most))
    helped = autoencoder.objective_and_gradient(*arguments, config=case.config, kappa=KAPPA, threads=2)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(tree.leaves(alone), tree.leaves(helped), strict=True))
    assert len(given) > 3


@pytest.mark.parametrize("images", [1, 2])
def test_few_images_are_one_share(images):
    """Bound and gradient of the objective itself, to the byte: a batch of one or two images has nothing to deal out."""
    case = Case("power", "1-layer-lin", 1)
    negative, options = exact_moments(case.params.rbm), {"config": case.config, "kappa": KAPPA}
    x, d_bound, noise = case.x[:images], case.d_bound[:images], Noise(*(a[:images] for a in case.noise))
    arguments = case.params, case.statistics, x, noise
    bound, gradient, _ = autoencoder.objective_and_gradient(*arguments, d_bound, negative, **options)
    whole, cache = autoencoder.objective(*arguments, **options)
    expected = autoencoder.objective_backward(d_bound, cache, negative, config=case.config)
    np.testing.assert_array_equal(bound, whole)
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(gradient), tree.leaves(expected), strict=True))


@pytest.mark.parametrize("images", [1, 2], ids=["four shares", "two shares"])
@pytest.mark.parametrize("structure", ["1-layer-nonlin", "4-layer-nonlin"])
def test_shares_of_a_batch_make_the_gradient_of_the_batch(structure, images, monkeypatch):
    """Shares of so many images with one batch norm between them: value, gradient and moving averages of the whole, to
    the byte the same for any number of threads. Without the common batch norm it is another objective."""
    case = Case("power", structure, 5)
    negative, options = exact_moments(case.params.rbm), {"config": case.config, "kappa": KAPPA}
    monkeypatch.setattr(autoencoder, "ROWS", images * case.k)
    arguments = case.params, case.statistics, case.x, case.noise, case.d_bound, negative
    one, two = (autoencoder.objective_and_gradient(*arguments, **options, threads=n) for n in (1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(tree.leaves(one), tree.leaves(two), strict=True))
    bound, gradient, statistics = one
    whole, cache = autoencoder.objective(*arguments[:4], **options)
    np.testing.assert_allclose(bound, whole, rtol=1e-11)
    assert disagreements(gradient, tree.leaves(case.gradient())) == {}
    expected = tree.leaves(autoencoder.update_statistics(case.statistics, cache))
    for a, b in zip(tree.leaves(statistics), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
    monkeypatch.setattr(team._Member, "mean", lambda member, array: array)
    assert (
        disagreements(autoencoder.objective_and_gradient(*arguments, **options)[1], tree.leaves(case.gradient())) != {}
    )
