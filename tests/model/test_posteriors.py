"""The families of q(zeta|x): draws and their derivatives, the shifted Gaussian's against mpmath."""

import mpmath
import numpy as np
import pytest
import witness
from scipy import stats

from dvae_ref import tree
from dvae_ref.model.posteriors import Mixture, Noise, ShiftedGaussian, SpikeExponential, Spread
from dvae_ref.theory.smoothing import Exponential, Power

FAMILIES = {
    "mixture of power functions": Mixture(Power(3.0)),
    "mixture of exponentials": Mixture(Exponential(4.0)),
    "shifted Gaussian": ShiftedGaussian(),
    "spike and exponential": SpikeExponential(3.0),
}
each_family = pytest.mark.parametrize("name", FAMILIES)
S = np.array([1.0, -0.7, 0.2, -1.8])  # std 0.25, 0.19, 0.09, 0.41


def setting(family, rows=5, dtype=np.float64):
    """(outputs, Noise, the posterior's own parameters) of four units; no rho within 0.02 of the end of a spike."""
    rng = np.random.default_rng(rows)
    out = rng.normal(0.3, 1.5, (rows, 4 * family.outputs))
    u, rho = rng.uniform(0.1, 0.9, (2, rows, 4))
    end = witness.sigmoid(-out[:, :4])
    rho = np.where(abs(rho - end) < 0.02, end + 0.02, rho)
    extra = tree.map(lambda s: S, family.init(4, dtype))
    return tree.map(dtype, (out, Noise(u, rho), extra))


@each_family
def test_draw_backward(name):
    """Every field of the Sample at fixed rho, zeta the inverse CDF, in the outputs and the family's own parameters."""
    family = FAMILIES[name]
    out, noise, extra = setting(family)
    noise = noise._replace(u=None)

    def forward(out, *s):
        return np.concatenate(family.draw(out, noise, Spread(*s) if s else ()), 1)

    def gradients(cotangent):
        sample = family.draw(out, noise, extra)
        d_sample = family.Sample(*np.split(cotangent, len(sample), 1))
        d_out, d_extra = family.draw_backward(d_sample, sample, noise, extra)
        return d_out, *d_extra

    witness.check_backward(np.random.default_rng(1), forward, gradients, (out, *extra))


@each_family
def test_either_noise_keeps_float32_and_the_shape(name):
    family = FAMILIES[name]
    out, noise, extra = setting(family, dtype=np.float32)
    for given in (noise, noise._replace(u=None)):
        sample = family.draw(out, given, extra)
        gradient = family.draw_backward(sample, sample, given, extra)
        assert {leaf.dtype for leaf in tree.leaves((sample, gradient))} == {np.dtype(np.float32)}
        assert {leaf.shape for leaf in sample} == {(5, 4)}
        assert gradient[0].shape == out.shape
        assert [leaf.shape for leaf in gradient[1]] == [(4,)] * len(extra)
    assert tree.leaves(family.init(3, np.float32)) == [] or family.init(3, np.float32).s.dtype == np.float32


# -- shifted Gaussian ----------------------------------------------------------------------------------------------


def test_standard_deviation_of_s():
    """std = |s| / 5 + 0.05, a quarter at first, at least 0.05; the slope has s's sign, and is 0 at the kink s = 0."""
    family = ShiftedGaussian()
    s = np.array([1, 2, -2, 0, -1e-9])
    std = np.array([0.25, 0.45, 0.45, 0.05, 0.05])
    np.testing.assert_allclose(family.smoothing(Spread(s)).beta, std**-2.0, rtol=1e-7)
    np.testing.assert_array_equal(family.init(2, np.float64).s, [1, 1])
    d_beta = np.array([3, 3, 3, 3, 3.0])
    slope = -2 / std**3 / 5 * np.array([1, 1, -1, 0, -1])
    np.testing.assert_allclose(family.d_s(d_beta, Spread(s)).s, 3 * slope, rtol=1e-7)
    witness.check_backward(
        np.random.default_rng(2),
        lambda s: family.smoothing(Spread(s)).beta,
        lambda d: tuple(family.d_s(d, Spread(S))),
        (S,),
    )


def exact_shift(raw):
    return 0.5 * (witness.sigmoid(raw) - 0.5)


def test_the_shift_stays_within_a_quarter():
    family = ShiftedGaussian()
    raw = np.array([[-800.0, -1, 0, 800]])
    noise = Noise(np.full((1, 4), 0.9), np.full((1, 4), 0.5))  # z = 0, the median: zeta = shift
    zeta = family.draw(np.concatenate([np.zeros((1, 4)), raw], 1), noise, Spread(S)).zeta
    np.testing.assert_allclose(zeta, [[-0.25, exact_shift(-1.0), 0, 0.25]], atol=1e-15)


def test_draws_are_those_of_the_shifted_mixture():
    """Ancestral: z + shift + std times a normal quantile, mirrored for z = 1. Inverse: SciPy's CDF is rho."""
    family = ShiftedGaussian()
    out, noise, extra = setting(family, rows=50)
    q, shift, std = witness.sigmoid(out[:, :4]), exact_shift(out[:, 4:]), np.abs(S) / 5 + 0.05
    quantile = std * stats.norm.ppf(noise.rho)
    expected = shift + np.where(noise.u < q, 1 - quantile, quantile)
    np.testing.assert_allclose(family.draw(out, noise, extra).zeta, expected, rtol=1e-13, atol=1e-14)
    zeta = family.draw(out, noise._replace(u=None), extra).zeta
    cdf = (1 - q) * stats.norm.cdf(zeta, shift, std) + q * stats.norm.cdf(zeta, 1 + shift, std)
    np.testing.assert_allclose(cdf, noise.rho, rtol=1e-12)
    unshifted = (1 - q) * stats.norm.cdf(zeta, 0, std) + q * stats.norm.cdf(zeta, 1, std)
    assert np.abs(unshifted - noise.rho).max() > 0.1


def d_zeta_d_std(family, out, noise, extra):
    """(dzeta/dstd of every unit, zeta), each row alone, since a row's share is what is added up in s."""
    found = []
    for i in range(len(out)):
        row, row_noise = out[i : i + 1], Noise(*(a if a is None else a[i : i + 1] for a in noise))
        sample = family.draw(row, row_noise, extra)
        zeros = np.zeros_like(sample.t)
        d_s = family.draw_backward(family.Sample(zeros, zeros, zeros, zeros + 1), sample, row_noise, extra)[1].s
        found.append((d_s * np.sign(extra.s) * 5, sample.zeta[0]))
    return np.array(found).transpose(1, 0, 2)


def test_zeta_moves_with_std():
    """At fixed rho, dzeta/dstd = (zeta - shift - E[z|zeta]) / std: each component's points scale about its own mean.

    By mpmath: the inverse CDF, solved at 40 digits, differentiated. The control is the published code's formula, which
    scales about z in place of z + shift: its error is shift / std.
    """
    family = ShiftedGaussian()
    out, noise, extra = setting(family, rows=4)
    noise = noise._replace(u=None)
    slope, zeta = d_zeta_d_std(family, out, noise, extra)
    q, shift, std = witness.sigmoid(out[:, :4]), exact_shift(out[:, 4:]), np.abs(S) / 5 + 0.05

    def inverse_cdf(q, shift, rho, start):
        def at(std):
            def gap(zeta):
                return (1 - q) * mpmath.ncdf(zeta, shift, std) + q * mpmath.ncdf(zeta, 1 + shift, std) - rho

            return mpmath.findroot(gap, start)

        return at

    with mpmath.workdps(40):
        for index in np.ndindex(zeta.shape):
            numbers = [mpmath.mpf(float(a[index])) for a in (q, shift, noise.rho, zeta)]
            expected = mpmath.diff(inverse_cdf(*numbers), mpmath.mpf(float(std[index[1]])), h=mpmath.mpf(10) ** -10)
            assert slope[index] == pytest.approx(float(expected), rel=1e-9, abs=1e-9)
    density = [(1 - q) * stats.norm.pdf(zeta, shift, std), q * stats.norm.pdf(zeta, 1 + shift, std)]
    mean_z = density[1] / sum(density)
    np.testing.assert_allclose(slope, (zeta - shift - mean_z) / std, rtol=1e-10, atol=1e-11)
    published = (zeta - mean_z) / std
    np.testing.assert_allclose(published - slope, shift / std, rtol=1e-9)
    assert np.abs(published - slope).max() > 0.5


# -- spike and exponential -----------------------------------------------------------------------------------------


def test_the_spike_takes_no_u():
    family = SpikeExponential(3.0)
    out, noise, _ = setting(family)
    zeta = family.draw(out, noise).zeta
    np.testing.assert_array_equal(zeta, family.draw(out, noise._replace(u=1 - noise.u)).zeta)
    np.testing.assert_array_equal(zeta > 0, noise.rho > 1 - witness.sigmoid(out))


@pytest.mark.parametrize("beta", [0.0, -1.0, 88.0, np.inf, np.nan])
def test_beta_outside_the_domain_is_refused(beta):
    with pytest.raises(ValueError, match=r"SpikeExponential takes 0 < beta < 88, got"):
        SpikeExponential(beta)
