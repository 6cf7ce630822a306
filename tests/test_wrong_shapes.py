"""Arrays of wrong shapes: a ValueError that names the shapes in words of ours, never NumPy's, and never a number."""

import numpy as np
import pytest

from dvae_ref import (
    RBM,
    BoltzmannMachine,
    Config,
    Moments,
    Noise,
    Structure,
    boltzmann,
    bounds,
    elementary,
    gaussian_integral,
    joint,
    layers,
    method,
    mixture,
    model,
    networks,
    overlapping,
    spike,
    tree,
)
from dvae_ref.arrays import NUMPYS, shapes_named
from dvae_ref.sampling import ais, fields, paths, philox
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory.mean_field import log_partition_bound, mean_field
from dvae_ref.theory.smoothing import Power, UniformExponential


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def zeros(request):
    """np.zeros of a dtype: float32 goes to the compiled twins first."""
    return lambda *shape: np.zeros(shape, request.param)


def theory(zeros):
    """{what is called: (call, the shapes that its error has to name)}, of a machine of 3 + 4 units and 5 rows."""
    rbm, x, wrong, power, four = RBM(zeros(7), zeros(3, 4)), zeros(5, 7), zeros(5, 6), Power(20.0), zeros(4)
    machine, short = BoltzmannMachine(zeros(7), zeros(7, 7)), RBM(zeros(6), zeros(3, 4))
    both = ("(5, 7)", "(5, 6)")
    return {
        "energy": (lambda: boltzmann.energy(rbm, wrong), "(3, 4)", "(5, 6)"),
        "energy, bad RBM": (lambda: boltzmann.energy(short, x), "(6,)", "(5, 7)"),
        "energy_backward": (lambda: boltzmann.energy_backward(four, rbm, x), "(4,)", "(5, 7)"),
        "energy_general": (lambda: boltzmann.energy_general(machine, wrong), "(7, 7)", "(5, 6)"),
        "as_general": (lambda: boltzmann.as_general(short), "(3, 4)", "(6,)"),
        "field": (lambda: boltzmann.field(rbm, wrong), "(3, 4)", "(5, 6)"),
        "conditional_right": (lambda: boltzmann.conditional_right(rbm, zeros(5, 4)), "(3, 4)", "(5, 4)"),
        "conditional_left": (lambda: boltzmann.conditional_left(rbm, zeros(5, 3)), "(3, 4)", "(5, 3)"),
        "moments": (lambda: boltzmann.moments(rbm, x, four), "(5, 7)", "(4,)"),
        "log_weights": (lambda: bounds.log_weights(zeros(5), four), "(5,)", "(4,)"),
        "variational": (lambda: bounds.variational(zeros(5, 0)), "(5, 0)"),
        "importance_weighted": (lambda: bounds.importance_weighted(zeros(5)), "(5,)"),
        "logaddexp": (lambda: elementary.logaddexp(zeros(5), four), "(5,)", "(4,)"),
        "Eq. 7": (lambda: gaussian_integral.log_p(rbm, wrong, 40.0), "(3, 4)", "(5, 6)"),
        "DVAE++": (lambda: joint.overlapping_term(rbm, x, wrong, 2), *both),
        "DVAE": (lambda: joint.spike_term(rbm, x, wrong, 1), *both),
        "mean_field": (lambda: mean_field(rbm, wrong), "(3, 4)", "(5, 6)"),
        "log_partition_bound": (lambda: log_partition_bound(rbm, wrong, x), *both),
        "overlapping": (lambda: overlapping.log_p(rbm, wrong), "(3, 4)", "(5, 6)"),
        "draw": (lambda: mixture.draw(x, wrong, x, power), *both),
        "draw_backward": (lambda: mixture.draw_backward(x, x, x, wrong, x, power), *both),
        "inverse_cdf": (lambda: mixture.inverse_cdf(x, wrong, power), *both),
        "cdf": (lambda: mixture.cdf(x, wrong, power), *both),
        "d_t_d_logit_q": (lambda: mixture.d_t_d_logit_q(x, wrong, power), *both),
        "log_q": (lambda: mixture.log_q(x, wrong), *both),
        "spike": (lambda: spike.sample(x, wrong, 3.0), *both),
        "importance_weighted, K": (lambda: bounds.importance_weighted(zeros(5, 0)), "(5, 0)"),
        "variational, axes": (lambda: bounds.variational(zeros(5)), "(5,)"),
    }


def small_model(zeros):
    config = Config(Structure(1, 8, (6,)), method("dvaes_power", 20.0, 1))
    params, statistics = model.init(np.random.default_rng(0), config, np.full(10, 0.3), zeros(1).dtype)
    return config, params, statistics, Noise(zeros(4, 8) + 0.5, zeros(4, 8) + 0.5)


def of_models(zeros):
    """The same of networks: 10 pixels, 6 hidden and 8 latent units, 4 images."""
    config, params, statistics, noise = small_model(zeros)
    (encoder,), x, u = params.encoder, zeros(4, 10), noise.u
    out, hidden, (averages,) = params.decoder.out, params.decoder.hidden[0], statistics.decoder
    cache = model.objective(params, statistics, x, noise, config=config)[1]
    moments = Moments(zeros(7), zeros(4, 4))
    of_norm, of_dense = (f(*given)[1] for f, given in ((layers.batch_norm, (hidden.norm, zeros(5, 6))),
                                                       (layers.dense, (out, zeros(4, 6)))))  # fmt: skip
    less, moving = model.discrete_log_weights, statistics.encoder
    weigh = lambda x, u: less(params, statistics, x, u, log_z=0.0)  # noqa: E731
    options = {"posterior": config.method.posterior}
    return {
        "dense": (lambda: layers.dense(out, zeros(4, 5)), "(6, 10)", "(4, 5)"),
        "dense, K": (lambda: layers.dense(out, zeros(4, 3), zeros(7, 3)), "(4, 3)", "(7, 3)"),
        "dense_of_x": (lambda: layers.dense_of_x(out, zeros(4, 9)), "(6, 10)", "(4, 9)"),
        "dense_backward": (lambda: layers.dense_backward(zeros(4, 3), of_dense), "(6, 10)", "(4, 3)"),
        "dense_gradient": (lambda: layers.dense_gradient(zeros(4, 3), of_dense), "(6, 10)", "(4, 3)"),
        "dense_bernoulli": (lambda: layers.dense_bernoulli(out, zeros(4, 5), x), "(6, 10)", "(4, 5)"),
        "batch_norm": (lambda: layers.batch_norm(hidden.norm, zeros(5, 7)), "(6,)", "(5, 7)"),
        "batch_norm_tanh": (lambda: layers.batch_norm_tanh(hidden.norm, zeros(5, 7)), "(6,)", "(5, 7)"),
        "batch_norm_backward": (lambda: layers.batch_norm_backward(zeros(5, 7), of_norm), "(5, 6)", "(5, 7)"),
        "batch_norm, rows": (lambda: layers.batch_norm(hidden.norm, zeros(0, 6)), "(0, 6)"),
        "batch_norm_tanh, rows": (lambda: layers.batch_norm_tanh(hidden.norm, zeros(0, 6)), "(0, 6)"),
        "bernoulli": (lambda: layers.bernoulli(x, zeros(7, 10)), "(4, 10)", "(7, 10)"),
        "bernoulli, V": (lambda: layers.bernoulli(x, zeros(4, 9)), "(4, 10)", "(4, 9)"),
        "bernoulli, axes of x": (lambda: layers.bernoulli(zeros(4, 10, 1), x), "(4, 10, 1)", "(4, 10)"),
        "bernoulli, axes": (lambda: layers.bernoulli(x, zeros(4, 10, 1)), "(4, 10)", "(4, 10, 1)"),
        "bernoulli, no image": (lambda: layers.bernoulli(x[:0], x), "(0, 10)", "(4, 10)"),
        "draw_binary": (lambda: layers.draw_binary(zeros(4, 6), zeros(5, 6)), "(4, 6)", "(5, 6)"),
        "folded": (lambda: layers.folded(out, hidden.norm, averages), "(6, 10)", "(6,)"),
        "network": (lambda: networks.network(params.decoder, zeros(4, 7)), "(8, 6)", "(4, 7)"),
        "network_evaluate": (lambda: networks.network_evaluate(encoder, (), x), "1 hidden", "0"),
        "encode": (lambda: networks.encode(params.encoder, zeros(4, 9), noise, **options), "(10, 6)", "(4, 9)"),
        "encode, B": (lambda: networks.encode(params.encoder, zeros(3, 10), noise, **options), "(3, 8)", "(4, 8)"),
        "encode_discrete": (lambda: networks.encode_discrete(params.encoder, moving, x, u[:, :7]), "(4, 7)"),
        "objective_backward": (
            lambda: model.objective_backward(zeros(4), cache, moments, config=config), "(7,)", "(4, 4)"
        ),
        "discrete_log_weights": (lambda: weigh(zeros(4, 9), u), "10 pixels", "(4, 9)"),
        "discrete_log_weights, D": (lambda: weigh(x, zeros(4, 7)), "(B K, 8)", "(4, 7)"),
        "discrete_log_weights, K": (lambda: weigh(x, zeros(5, 8)), "4 images", "(5, 8)"),
        "discrete_log_weights, axes": (lambda: weigh(x, zeros(4, 8, 1)), "(B K, 8)", "(4, 8, 1)"),
        "discrete_log_weights, no image": (lambda: weigh(x[:0], u), "0 images", "(4, 8)"),
        "reconstruct": (lambda: model.reconstruct(params, statistics, zeros(3, 10), u), "(4, 8)"),
        "decode_discrete": (lambda: model.decode_discrete(params, statistics, zeros(4, 7)), "(8, 6)", "(4, 7)"),
    }  # fmt: skip


def of_samplers(zeros):
    key, rbm, other = philox.key(0), RBM(zeros(7), zeros(3, 4)), RBM(zeros(6), zeros(3, 3))
    path = paths.annealing_path(rbm, "bias")
    return {
        "summarize": (lambda: ais.summarize(zeros(3, 4)), "(3, 4)"),
        "statistics": (lambda: ais.statistics(zeros(0)), "(0,)"),
        "correction": (lambda: paths.correction(rbm, path, zeros(5, 4)), "(3, 4)", "(5, 4)"),
        "population annealing": (lambda: pa.step(key, pa.init(key, rbm, 10), other), "(3, 4)", "(3, 3)"),
        "pack": (lambda: fields.pack(zeros(7)), "(7,)"),
        "unpack": (lambda: fields.unpack(np.zeros((3, 1), np.uint8), 7), "(R, 2)", "(3, 1)"),
        "reach": (lambda: fields.reach(zeros(6), zeros(3, 4)), "(6,)", "(3, 4)"),
        "tree.map": (lambda: tree.map(np.add, rbm, (zeros(7),)), "[2, 1]"),
        "tree.unflatten": (lambda: tree.unflatten(rbm, [zeros(7)]), "2 leaves", "1"),
    }


def of_another_kind(zeros):
    """{what is called: (call, what its error has to say)}: arguments swapped, lists, texts, numbers for records."""
    rbm, x = RBM(zeros(7), zeros(3, 4)), zeros(5, 7)
    lists = RBM(zeros(7), [[0.0] * 4] * 3)
    return {
        "swapped": (lambda: boltzmann.energy(x, rbm), "boltzmann.energy: rbm must be of the type RBM; got ndarray"),
        "text": (lambda: boltzmann.energy(rbm, "0"), "boltzmann.energy: z must be an array; got str"),
        "field": (lambda: boltzmann.energy(lists, x), "boltzmann.energy: rbm.W must be an array; got list"),
        "backward": (lambda: boltzmann.energy_backward([1.0], rbm, x), "d_energy must be an array; got list"),
        "list": (lambda: overlapping.log_p(rbm, [[0.0] * 7]), "overlapping.log_p: b must be an array; got list"),
        "option": (lambda: overlapping.log_p(rbm, b=None), "overlapping.log_p: b must be an array; got NoneType"),
        "machine": (lambda: overlapping.log_p(None, x), "overlapping.log_p: rbm must be of the type RBM; got NoneType"),
        "beta for its smoothing": (
            lambda: mixture.draw(x, x + 0.5, x + 0.5, 40.0),
            "smoothing must be of the type Smo",
        ),
        "bound": (
            lambda: bounds.importance_weighted("w"),
            "bounds.importance_weighted: log_w must be an array; got str",
        ),
        "lam": (
            lambda: gaussian_integral.log_p(rbm, x, "40"),
            "gaussian_integral.log_p: lam must be a number; got str",
        ),
        "beta": (lambda: Power("40"), "Power's beta must be a number; got '40'"),
        "epsilon": (
            lambda: UniformExponential(8.0, "0.05"),
            "UniformExponential's epsilon must be a number; got '0.05'",
        ),
        "betas": (lambda: Power([40.0, 50.0]), "Power's beta must be a number; got [40.0, 50.0]"),
    }


def models_of_another_kind(zeros):
    config, params, statistics, noise = small_model(zeros)
    x, structure = zeros(4, 10), config.structure
    return {
        "generator": (
            lambda: model.init(0, config, zeros(10)),
            "autoencoder.init: rng must be of the type Generator; got",
        ),
        "noise": (
            lambda: model.objective(params, statistics, x, noise.u, config=config),
            "noise must be of the type Noise",
        ),
        "images": (
            lambda: model.objective(params, statistics, [0], noise, config=config),
            "x must be an array; got list",
        ),
        "swapped": (
            lambda: model.reconstruct(statistics, params, x, noise.u),
            "params must be of the type Params; got S",
        ),
        "a part": (
            lambda: model.decode_discrete(params._replace(rbm=0), 0, x),
            "params.rbm must be of the type RBM; got int",
        ),
        "config": (lambda: Config(config.method, structure), "the structure must be a Structure; got Method"),
        "method": (lambda: Config(structure, "dvaes_power"), "the method must be a Method; got str"),
        "k": (lambda: Config(structure, config.method, "1"), "must be a whole number; got '1'"),
        "groups": (lambda: Structure("1", 8), "a structure takes whole numbers; got '1' in Structure(groups='1'"),
        "hidden": (lambda: Structure(1, 8, 6), "hidden must be a tuple of the hidden layers' widths; got 6"),
    }


@pytest.mark.parametrize("calls", [of_another_kind, models_of_another_kind])
def test_arguments_of_another_kind_are_named(zeros, calls):
    for what, (call, said) in calls(zeros).items():
        with pytest.raises(TypeError) as caught:
            print(what, call())
        assert said in str(caught.value), what


def test_control_errors_that_have_another_cause_are_left_alone():
    @shapes_named
    def broken(rbm: RBM, factor: float):
        return rbm.nothing * factor

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        broken(RBM(np.zeros(2), np.zeros((1, 1))), 1.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'factor'"):
        broken(RBM(np.zeros(2), np.zeros((1, 1))))


@pytest.mark.parametrize("calls", [theory, of_models, of_samplers])
def test_wrong_shapes_are_named(zeros, calls):
    for what, (call, *shapes) in calls(zeros).items():
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            print(what, call())
        said = str(caught.value)
        assert not NUMPYS.search(said), what
        assert [shape for shape in shapes if shape not in said] == [], (what, said)


def test_control_numpy_says_it_in_its_own_words():
    """Without the decorator, and what the decorator leaves alone: other errors."""

    def product(left, right):
        """It."""
        return left @ right

    with pytest.raises(ValueError, match="matmul: "):
        product(np.zeros((3, 4)), np.zeros(5))
    with pytest.raises(ValueError, match=r"product takes arrays that go together; got left \(3, 4\), right \(5,\)"):
        shapes_named(product)(np.zeros((3, 4)), right=np.zeros(5))
    with pytest.raises(ValueError, match="another"):
        shapes_named(lambda: (_ for _ in ()).throw(ValueError("another")))()
