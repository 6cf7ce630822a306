"""Every twin against its readable form in float64, given the same float32 numbers (twin_cases.py: the table)."""

import contextlib
import importlib
import inspect
import operator
import pkgutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from twin_cases import CASES, FAR, SMOOTHINGS, arrays, double, machine, places

import dvae_ref
from dvae_ref import mixture, overlapping, twins
from dvae_ref.model import layers
from dvae_ref.theory.elementary import softplus
from dvae_ref.theory.smoothing import Power

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def excess(found, case, args):
    """The largest error of all outputs beside the readable form's of these arguments, in what the case allows."""
    exact = arrays(case.function.readable(*args))
    sizes = case.sizes(exact, args)
    assert len(found) == len(exact) == len(sizes)
    return max(largest(f - e, size) for f, e, size in zip(found, exact, sizes, strict=True)) / case.allowed


def largest(error, size):
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.abs(error) / size
    return np.max(np.where(error == 0, 0, ratio), initial=0)


@each_case
def test_agrees_with_the_readable_form(case):
    output = case.function.twin()(*case.args)
    assert output is not NotImplemented
    found = arrays(output)
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    assert excess(found, case, double(case.args)) < 1


@pytest.mark.parametrize("case", [case for case in CASES if case.wrong], ids=str)
def test_control_other_inputs_are_seen(case):
    assert excess(arrays(case.function(*case.args)), case, case.wrong(double(case.args))) > 1


def test_every_twin_is_in_the_table():
    """Whatever is decorated, anywhere in the package."""
    found = set()
    for module in pkgutil.walk_packages(dvae_ref.__path__, "dvae_ref."):
        if ".cuda" not in module.name and "__main__" not in module.name:
            found |= {f for f in vars(importlib.import_module(module.name)).values() if hasattr(f, "twin")}
    assert found == {case.function for case in CASES}


def test_defaults_of_a_twin_are_those_of_its_readable_form():
    for function in {case.function for case in CASES}:
        assert defaults(function.twin()) == defaults(function.readable), str(function)


def defaults(function):
    parameters = inspect.signature(function).parameters.items()
    return {name: parameter.default for name, parameter in parameters if parameter.default is not parameter.empty}


def with_nan(args, place):
    """The arguments with a NaN in the array at a place, and the same in float64."""
    array = args[place].copy()
    array[(0,) * array.ndim] = np.nan
    return (*args[:place], array, *args[place + 1 :])


@pytest.mark.parametrize("case", {case.function: case for case in CASES}.values(), ids=str)
def test_nan_is_not_swallowed(case):
    """Where the readable form has a NaN, the twin has one; what refuses it is refused."""
    for place, argument in enumerate(case.args):
        if isinstance(argument, np.ndarray):
            args = with_nan(case.args, place)
            try:
                exact = arrays(case.function.readable(*args))
            except ValueError:
                assert case.function.twin()(*args) is NotImplemented
                continue
            for found, expected in zip(arrays(case.function(*args)), exact, strict=True):
                np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def rows_of_three(n):
    return np.full((n, 3), 0.5, np.float32)


def norm_of(n):
    """(parameters, what batch_norm_tanh keeps of n rows)."""
    of_units = rows_of_three(1)[0]
    cache = layers.BatchNormCache(rows_of_three(n), of_units, of_units, layers.Averages(of_units, of_units))
    return layers.BatchNorm(of_units, of_units), (cache, rows_of_three(n))


OF_ROWS = {
    layers.bernoulli: lambda n: (rows_of_three(n), rows_of_three(n)),
    layers.bernoulli_backward: lambda n: (rows_of_three(n)[:, 0], (rows_of_three(n), rows_of_three(n))),
    layers.dense_bernoulli: lambda n: (
        layers.Dense(rows_of_three(3), rows_of_three(1)[0]),
        rows_of_three(n),
        rows_of_three(n),
    ),
    layers.draw_binary: lambda n: (rows_of_three(n), rows_of_three(n)),
    layers.batch_norm_tanh: lambda n: (norm_of(n)[0], rows_of_three(n)),
    layers.batch_norm_tanh_backward: lambda n: (rows_of_three(n), norm_of(n)[1]),
}


@pytest.mark.parametrize("function", OF_ROWS, ids=operator.attrgetter("__name__"))
def test_of_no_rows_a_twin_says_nothing_and_of_one_it_does(function):
    """Kernels divide by the number of images."""
    assert function.twin()(*OF_ROWS[function](0)) is NotImplemented
    found = arrays(function.twin()(*OF_ROWS[function](1)))
    for ours, expected in zip(found, arrays(function.readable(*OF_ROWS[function](1))), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 0), (0, 3), (2, 0, 3), (2, 3, 0)])
def test_no_units_are_as_good_as_any(shape):
    """(5, 0) was said to go together with nothing."""
    nothing = np.zeros(shape, np.float32)
    assert mixture.log_ratio(nothing, Power(5.0)).shape == shape
    assert [found.shape for found in mixture.draw(nothing, nothing, nothing, Power(5.0))] == [shape] * 2
    assert mixture.log_ratio.twin()(nothing, Power(5.0)).dtype == np.float32


# -- what a table of single calls does not see -------------------------------------------------------------------------


def rows(function, n):
    """(the outputs of all rows at once, those of each row alone); function: row or rows -> array."""
    return function(slice(None)), np.concatenate([function(slice(i, i + 1)) for i in range(n)])


@pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=repr)
def test_slopes_of_rows_do_not_depend_on_their_neighbours(smoothing):
    t, logit_q = (a[::50] for a in places(smoothing))
    whole, alone = rows(lambda i: mixture.d_t_d_logit_q(t[i], logit_q[i], smoothing), len(t))
    assert alone.tobytes() == whole.tobytes()


def test_log_q_and_likelihoods_of_rows_do_not_depend_on_their_neighbours():
    """Chunks and threads then make no difference. Not log p: BLAS may sum another number of rows in another order."""
    _, logit_q, b, _ = machine(30)
    whole, alone = rows(lambda i: mixture.log_q(logit_q[i], b[i])[0], len(b))
    assert alone.tobytes() == whole.tobytes()
    x, logits = images(784)
    whole, alone = rows(lambda i: layers.bernoulli(x[i], logits[i])[0], len(x))
    assert alone.tobytes() == whole.tobytes()
    with ThreadPoolExecutor(2) as pool:
        values = pool.map(lambda _: layers.bernoulli(x, logits)[0].tobytes(), range(20))
        assert set(values) == {whole.tobytes()}


def images(pixels, n=12):
    rng = np.random.default_rng(2)
    return np.float32(rng.random((n, pixels))), np.float32(3 * rng.standard_normal((n, pixels)))


def test_gradients_keep_their_relative_accuracy_at_the_mode():
    """m - [b > 0] is e^-40 there, nu - [b > 0] likewise: a difference of m and 1 would be 0."""
    rbm, logit_q, b, d = machine(1)
    b = np.where(b > 0, np.float32(40), np.float32(-40))
    logit_q = np.clip(logit_q, -30, 30)
    d_b = overlapping.log_p_backward(d, overlapping.log_p(rbm, b)[1])[1]
    rbm64, logit64, b64, d64 = double((rbm, logit_q, b, d))
    exact = overlapping.log_p_backward(d64, overlapping.log_p(rbm64, b64)[1])[1]
    np.testing.assert_allclose(d_b, exact, rtol=1e-4)  # exponents of 40 are good to 2e-6, fields of a few to 1e-6
    assert np.all(d_b != 0)
    d_b = mixture.log_q_backward(d, (logit_q, b))[1]
    np.testing.assert_allclose(d_b, mixture.log_q_backward(d64, (logit64, b64))[1], rtol=1e-5, atol=FAR)


def test_tanh_is_good_to_its_last_bits_from_the_smallest_to_the_largest():
    """Relative to 5e-7, eight eps. The control, 1 - 2 / (1 + e^2x), has lost all of them at 1e-8."""
    from dvae_ref.fast.layers import norm_tanh

    inner = np.concatenate([np.geomspace(1e-30, 50, 300), -np.geomspace(1e-12, 200, 100)]).astype(np.float32)[None]
    one, zero = np.ones(inner.shape[1], np.float32), np.zeros(inner.shape[1], np.float32)
    _, y = norm_tanh(inner, zero, one, one, zero)
    np.testing.assert_allclose(y, np.tanh(np.float64(inner)), rtol=5e-7)
    plain = 1 - 2 / (1 + np.exp(np.minimum(2 * inner, 80)))
    assert not np.allclose(plain, np.tanh(np.float64(inner)), 5e-7, 0)


def test_statistics_of_shares_are_those_of_the_whole():
    """Means of moments over equal shares; the variance is a small difference of them: in float64 that does no harm."""
    from dvae_ref.fast.layers import moments

    x = np.float32(np.random.default_rng(5).normal(100, 1, (36, 21)))
    shares = np.mean([moments(part) for part in np.split(x, 4)], 0)
    exact = np.float64(x)
    np.testing.assert_allclose(shares[0], exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(shares[1] - shares[0] ** 2, exact.var(0), rtol=1e-4)
    in_float32 = np.mean(x * x, 0) - np.mean(x, 0) ** 2
    assert not np.allclose(in_float32, exact.var(0), rtol=1e-4)


# -- the decorator -----------------------------------------------------------------------------------------------------


def test_a_smoothing_of_the_user_s_own_goes_the_readable_way():
    class Own(Power):
        pass

    t = np.float32([[0.5, -3]])
    assert mixture.d_t_d_logit_q.twin()(t, t, Own(3.0)) is NotImplemented
    own, base = (mixture.d_t_d_logit_q(t, t, smoothing(3.0)) for smoothing in (Own, Power))
    np.testing.assert_allclose(own, base, rtol=1e-6)


def test_readable_only_is_what_it_says():
    """NumPy's bytes within, the twin's after, whatever happened within."""
    x = np.linspace(-20, 20, 1000, dtype=np.float32)
    in_numpy, twin = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), softplus.twin()(x)
    assert twin.tobytes() != in_numpy.tobytes()
    assert softplus_and_an_error(x).tobytes() == in_numpy.tobytes()
    assert softplus(x).tobytes() == twin.tobytes()


def softplus_and_an_error(x):
    with contextlib.suppress(KeyError), twins.readable_only():
        value = softplus(x)
        raise KeyError
    return value


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool])
def test_integers_are_taken_as_float64(dtype):
    """NumPy's own e^x of an int8 is float16, and minus an uint8 wraps around."""
    b = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    value, _ = mixture.log_q(b, b)
    np.testing.assert_array_equal(value, mixture.log_q(np.float64(b), np.float64(b))[0])


@pytest.mark.parametrize("dtype", [np.float16, np.complex128, object])
def test_other_numbers_are_refused(dtype):
    b = np.ones((2, 3), dtype)
    with pytest.raises(TypeError, match=rf"mixture.log_q takes float32, float64 or integers; got {np.dtype(dtype)}"):
        mixture.log_q(b, b)
    with pytest.raises(TypeError, match="log_q_backward"):
        mixture.log_q_backward(np.ones(2), mixture.LogQ(np.ones((2, 3)), b))
