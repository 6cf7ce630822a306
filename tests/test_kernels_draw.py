"""The compiled draws and slopes against the readable ones in float64, given the same float32 numbers."""

import numpy as np
import pytest

from dvae_ref import mixture, posteriors, spike
from dvae_ref.fast import mixture as kernels_draw
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.smoothing import Exponential, Gaussian, Power, UniformExponential

SPREAD = np.float32([400, 16, 44.4, 5, 0.7, 16, 100])  # a beta a unit, as the shifted Gaussian has
SMOOTHINGS = {
    **{f"power {beta}": Power(beta) for beta in (1.01, 2.0, 15.0, 40.0)},
    **{f"exp {beta}": Exponential(beta) for beta in (0.1, 5.0, 16.0, 80.0)},
    **{f"unexp {beta}": UniformExponential(beta, 0.05) for beta in (0.5, 16.0, 40.0)},
    **{f"gauss {beta}": Gaussian(beta) for beta in (0.5, 20.0, 40.0)},
    "gauss, one a unit": Gaussian(SPREAD),
}
each_smoothing = pytest.mark.parametrize("name", SMOOTHINGS)
UNITS = len(SPREAD)
FAR = 1e-33  # compiled sigmoids stop at e^-80 = 2e-35, times slopes of up to beta


def float64(smoothing):
    return Gaussian(np.float64(smoothing.beta)) if np.ndim(smoothing.beta) else smoothing


def units(*grids):
    """Every combination of the grids' numbers, in rows of UNITS units, each unit seeing all of them in turn."""
    columns = np.stack([a.reshape(-1) for a in np.meshgrid(*grids, indexing="ij")])
    return [np.stack([a] * UNITS, 1).astype(np.float32) for a in columns]


def places(smoothing):
    """(t, logit_q): where draws can be, to both ends and beyond; q from 1e-30 to 1 less that."""
    end = np.abs(smoothing.sample0(np.full(UNITS, 2.0**-24)))
    part = np.concatenate([[0, 1e-8, 1e-5], np.geomspace(1e-3, 1.2, 40)])
    part, logit_q = units(np.concatenate([-part, part]), [-70, -17, -4, -0.5, 0, 1, 5, 17, 70])
    return part * end.astype(np.float32), logit_q


def numbers():
    """(u, rho): from the least uniform number to the largest."""
    ends = (np.array([0, 1, 5, 100, 1e4]) + 0.5) / 2**23
    inner = np.linspace(0.011, 0.989, 41)
    return [0.3, 0.7], np.concatenate([ends, inner, 1 - ends])


@each_smoothing
def test_slopes_agree_with_the_readable_form(name):
    """Relative to 1e-5: e^(beta zeta) at beta zeta = 40, good to a few eps. Measured: 7e-6, and 1e-6 up to beta = 40.

    Near t = 0 at beta = 0.1 and 0.5 the readable form's own cancellation in float64 is far below that.
    """
    smoothing = SMOOTHINGS[name]
    t, logit_q = places(smoothing)
    value = kernels_draw.d_t_d_logit_q(t, logit_q, smoothing)
    exact = mixture.d_t_d_logit_q(np.float64(t), np.float64(logit_q), float64(smoothing))
    assert value.dtype == np.float32
    kept = exact < 1e34
    np.testing.assert_allclose(value[kept], exact[kept], rtol=1e-5, atol=FAR * exact[kept].max())
    other = mixture.d_t_d_logit_q(np.float64(t), np.float64(logit_q) + 1e-3, float64(smoothing))
    assert not np.allclose(value[kept], other[kept], rtol=1e-5, atol=FAR * exact[kept].max())


@each_smoothing
def test_log_ratios_agree_with_the_readable_form(name):
    """b to 2e-6 of 1 + |b|, of its slope: exponentials and 1 / (1 + ...) with exponents of up to beta, good to eps."""
    smoothing = SMOOTHINGS[name]
    t, _ = places(smoothing)
    for kernel, readable in ((kernels_draw.log_ratio, "log_ratio"), (kernels_draw.d_log_ratio, "d_log_ratio")):
        value, exact = kernel(t, smoothing), getattr(float64(smoothing), readable)(np.float64(t))
        scale = np.abs(exact).max() if readable == "d_log_ratio" else 1 + np.abs(exact)
        assert np.max(np.abs(value - exact) / scale) < 2e-6
        moved = kernel(t + np.float32(0.01), smoothing)
        assert name.startswith(("power", "gauss")) or np.max(np.abs(moved - exact) / scale) > 1e-5


@each_smoothing
def test_draws_agree_with_the_readable_form(name):
    """t to 2e-6 of max(1, |t|), zeta to 2e-6; the nearest rho to epsilon is 0.005 from it (float32 rounds epsilon)."""
    smoothing = SMOOTHINGS[name]
    u, rho, logit_q = units(*numbers(), [-3, -0.2, 0.5, 4])
    t, zeta = kernels_draw.draw(logit_q, u, rho, smoothing)
    exact = mixture.sample(np.float64(logit_q), np.float64(u), np.float64(rho), float64(smoothing))
    assert np.min(np.abs(u - sigmoid(np.float64(logit_q)))) > 1e-3  # z is the same
    assert np.max(np.abs(t - exact) / np.maximum(1, np.abs(exact))) < 2e-6
    assert np.max(np.abs(zeta - smoothing.zeta(np.float64(t)))) < 2e-6
    assert np.all(np.sign(t)[rho < 0.01] == np.where(u < sigmoid(logit_q), 1, -1)[rho < 0.01])
    wrong = kernels_draw.draw(logit_q, u, 1 - rho, smoothing)[0]
    assert np.max(np.abs(wrong - exact) / np.maximum(1, np.abs(exact))) > 1e-2


@each_smoothing
def test_the_backward_is_that_of_the_posterior(name):
    """d_out with random cotangents, relative to the sum of its terms' sizes."""
    smoothing, rng = SMOOTHINGS[name], np.random.default_rng(3)
    t, logit_q = places(smoothing)
    d = rng.standard_normal((3, *t.shape)).astype(np.float32)
    value = kernels_draw.draw_backward(*d, t, logit_q, smoothing)
    exact_d = np.float64(d)
    s, t64 = float64(smoothing), np.float64(t)
    slope = mixture.d_t_d_logit_q(t64, np.float64(logit_q), s)
    exact = exact_d[0] + (exact_d[1] + exact_d[2] * s.d_zeta(t64)) * slope
    size = np.abs(exact_d[0]) + (np.abs(exact_d[1]) + np.abs(exact_d[2]) * s.d_zeta(t64)) * slope
    kept = slope < 1e34
    assert np.max((np.abs(value - exact) / size)[kept]) < 1e-5
    without = kernels_draw.draw_backward(d[0], d[1], np.zeros_like(d[2]), t, logit_q, smoothing)
    assert np.max((np.abs(without - exact) / size)[kept]) > 1e-2


@each_smoothing
def test_rows_do_not_depend_on_their_neighbours(name):
    smoothing = SMOOTHINGS[name]
    t, logit_q = places(smoothing)
    whole = kernels_draw.d_t_d_logit_q(t, logit_q, smoothing)
    alone = [kernels_draw.d_t_d_logit_q(t[i : i + 1], logit_q[i : i + 1], smoothing) for i in range(0, len(t), 50)]
    assert np.concatenate(alone).tobytes() == whole[::50].tobytes()


@pytest.mark.parametrize("name", [name for name in SMOOTHINGS if "gauss" in name])
def test_dt_dbeta_of_the_gaussian(name):
    """To 1e-6 of the size of its terms, nu being good to |logit q + b| eps and no more than 1."""
    smoothing = SMOOTHINGS[name]
    t, logit_q = places(smoothing)
    value = kernels_draw.d_t_d_beta(t, logit_q, smoothing)
    with np.errstate(over="ignore"):  # where the readable form divides by densities of nothing
        exact = mixture.d_t_d_beta(np.float64(t), np.float64(logit_q), float64(smoothing))
    size = (1 + np.abs(np.float64(t))) / smoothing.beta
    assert np.nanmax(np.abs(value - exact) / size) < 2e-6
    other = mixture.d_t_d_beta(np.float64(t), -np.float64(logit_q), float64(smoothing))
    assert np.nanmax(np.abs(value - other) / size) > 1e-2


@pytest.mark.parametrize("beta", [0.5, 4.0, 8.0, 80.0])
def test_the_spike(beta):
    """zeta and its slope: s = (rho - (1 - q)) / q is good to eps / q where q > 1/2, and to eps (1 - s) elsewhere."""
    rho, logit_q = units(numbers()[1], [-20, -3, -0.2, 0.5, 4, 15])
    exact = np.float64(logit_q), np.float64(rho), beta
    zeta, slope = spike.sample(logit_q, rho, beta), spike.d_zeta_d_logit_q(logit_q, rho, beta)
    wanted, wanted_slope = spike.sample(*exact), spike.d_zeta_d_logit_q(*exact)
    s = np.maximum(np.expm1(beta * wanted) / np.expm1(beta), 1e-7)
    clear = s > 1e-5  # nearer to the spike one rounding of q puts zeta on it
    assert zeta.dtype == slope.dtype == np.float32
    assert np.max((np.abs(zeta - wanted) * beta * s)[clear]) < 1e-5  # up to 80 eps
    np.testing.assert_allclose((slope * s)[clear], (wanted_slope * s)[clear], rtol=2e-5 / s[clear].min(), atol=1e-30)
    assert np.all((slope > 0) == (zeta > 0))
    swapped = spike.sample(-exact[0], *exact[1:])
    assert np.max((np.abs(zeta - swapped) * beta * s)[clear]) > 1e-2


def test_what_has_no_kernel_goes_the_readable_way():
    """float64, a smoothing of the user's own, shapes that broadcast; the posterior uses the kernels where there are."""

    class Own(Power):
        pass

    t = np.float32([[0.5, -3]])
    assert kernels_draw.takes(Power(3.0), t, t)
    assert not kernels_draw.takes(Power(3.0), t, t[:, :1])
    assert not kernels_draw.takes(Power(3.0), np.float64(t))
    assert not kernels_draw.takes(Own(3.0), t)
    own, base = (mixture.d_t_d_logit_q(t, t, smoothing(3.0)) for smoothing in (Own, Power))
    np.testing.assert_allclose(own, base, rtol=1e-6)
    noise = posteriors.Noise(np.float32([[0.2, 0.9]]), np.float32([[0.3, 0.6]]))
    sample = posteriors.Mixture(Power(3.0)).draw(t, noise)
    np.testing.assert_array_equal(sample.t, kernels_draw.draw(t, *noise, Power(3.0))[0])


@pytest.mark.parametrize("place", ["t", "logit_q"])
def test_nan_is_not_swallowed(place):
    for smoothing in (Power(3.0), Exponential(4.0), UniformExponential(4.0), Gaussian(9.0)):
        arguments = {"t": np.float32([[0.5, -1, 2]]), "logit_q": np.float32([[1, 0, -1]])}
        arguments[place][0, 1] = np.nan
        value = kernels_draw.d_t_d_logit_q(*arguments.values(), smoothing)
        assert np.isnan(value[0, 1])
        assert np.isfinite(value[0, ::2]).all()
