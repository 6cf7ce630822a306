import numpy as np
import pytest
from scipy import stats

from dvae_ref.fast import scalars
from dvae_ref.sampling import philox
from dvae_ref.sampling.philox import Key

# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, output
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_published_known_answers(counter, key, expected):
    assert list(philox.philox(*words(counter), *words(key))) == words(expected)
    wrong_key = [words(key)[0], words(key)[1] ^ np.uint64(1)]
    assert list(philox.philox(*words(counter), *wrong_key)) != words(expected)


def test_uniform_is_philox_word_by_word():
    """The compiled loop against the same function on NumPy arrays; 10,007 needs a last, partial counter."""
    key, n = philox.key(2**63 + 11), 10_007
    quarter = np.arange(-(-n // 4), dtype=np.uint64)
    drawn = philox.philox(quarter, np.uint64(0), np.uint64(0), philox.DOMAIN_UNIFORM, *map(np.uint64, key))
    np.testing.assert_array_equal(philox.uniform(key, n), scalars.uniform(np.concatenate(drawn))[:n])

    half = np.arange(-(-n // 2), dtype=np.uint64)
    w0, w1, w2, w3 = philox.philox(half, np.uint64(0), np.uint64(0), philox.DOMAIN_UNIFORM, *map(np.uint64, key))
    expected = np.concatenate([scalars.uniform_double(w0, w1), scalars.uniform_double(w2, w3)])[:n]
    np.testing.assert_array_equal(philox.uniform(key, n, np.float64), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_number_of_threads_does_not_matter(dtype, threads):
    one, two = threads(lambda: philox.uniform(philox.key(4), (1301, 101), dtype))
    assert one.tobytes() == two.tobytes()


def test_uniforms_never_reach_the_ends():
    zero, ones = np.uint64(0), np.uint64(0xFFFFFFFF)
    assert (scalars.uniform(zero), scalars.uniform(ones)) == (np.float32(2.0**-24), np.float32(1 - 2.0**-24))
    assert 0 < scalars.uniform_double(zero, zero) == 1 - scalars.uniform_double(ones, ones) == 2.0**-53
    # The negative control: 24 bits instead of 23 round up to 1.
    assert np.float32((np.float32(2**24 - 1) + np.float32(0.5)) * np.float32(2.0**-24)) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniforms_are_uniform_and_independent(dtype):
    """Mean and variance within 4.5 standard errors; chi-square of single numbers and of pairs, 256 cells
    each.

    One test in 1e5 would fail by chance at these bounds (4.5 sigma; p > 1e-5); the seed is fixed.
    """
    n = 2**20
    u = philox.uniform(philox.key(1), n, dtype).astype(np.float64)
    other = philox.uniform(philox.fold_in(philox.key(1), 0), n, dtype).astype(np.float64)
    assert_mean(u, 1 / 2, np.sqrt(1 / 12))
    assert_mean((u - 0.5) ** 2, 1 / 12, np.sqrt(1 / 180))
    assert chi_square(u * 256) > 1e-5
    assert chi_square(pairs(u[::2], u[1::2])) > 1e-5  # neighbouring counters
    assert chi_square(pairs(u[: n // 4], u[n // 4 : n // 2])) > 1e-5  # float32: two words of one counter
    assert chi_square(pairs(u, other)) > 1e-5  # two keys
    # What they would catch: a density that is off by two per cent; a stream that repeats.
    assert chi_square(u**1.02 * 256) < 1e-5
    assert chi_square(pairs(u, u)) < 1e-5


def assert_mean(x, mean, deviation):
    assert abs(x.mean() - mean) < 4.5 * deviation / np.sqrt(len(x))


def pairs(u, v):
    """Cell numbers of the points (u, v) on a 16 x 16 grid."""
    return np.floor(u * 16) * 16 + np.floor(v * 16)


def chi_square(cells):
    counts = np.bincount(cells.astype(np.int64), minlength=256)
    return stats.chisquare(counts).pvalue


def test_keys_are_distinct_and_their_seeds_checked():
    root = philox.key(5)
    derived = [philox.fold_in(root, *data) for data in ((), (0,), (1,), (0, 0), (0, 1), (1, 0), (2**32,), (2**64 - 1,))]
    assert len(set(derived)) == len(derived)
    assert philox.key(2**32 + 3) == Key(3, 1)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="0 <= value < 2\\*\\*64"):
            philox.key(seed)
        with pytest.raises(ValueError, match="folded"):
            philox.fold_in(root, seed)


def test_words_of_a_key_are_of_32_bits():
    philox.check(Key(0, 2**32 - 1))
    for wrong in (Key(2**32, 0), Key(0, 2**32), Key(-1, 0)):
        with pytest.raises(ValueError, match=r"a key's k[01] must be a whole number >= 0 and <= 4294967295"):
            philox.check(wrong)
    with pytest.raises(TypeError, match="a sampler takes a key"):
        philox.check((0, 0))


def test_a_counter_has_room_for_2_to_the_35_chains_and_2_to_the_30_units():
    """A word for chains by eights; one for units, but for the bits of side and fine."""
    assert (philox.MOST_CHAINS, philox.MOST_UNITS) == (8 * 2**32, 2**32 // 4)


def test_a_key_is_folded_by_the_first_two_words_of_its_domain():
    words = philox.philox(*map(np.uint64, (7, 1, 0, 2, 3, 4)))
    assert philox.fold_in(Key(3, 4), 2**32 + 7) == Key(int(words[0]), int(words[1]))


@pytest.mark.parametrize(("chains", "whole"), [(0, 0), (1, 8), (8, 8), (9, 16), (64, 64)])
def test_machines_of_a_batch_begin_with_counters_of_their_own(chains, whole):
    assert philox.whole_counters(chains) == whole


def test_no_two_domains_share_a_counter():
    """Spins, uniform numbers and derived keys of one key: the same counter gives each other words."""
    domains = (philox.DOMAIN_GIBBS, philox.DOMAIN_UNIFORM, philox.DOMAIN_KEY)
    zero, words = np.uint64(0), np.arange(1000, dtype=np.uint64)
    drawn = np.concatenate([philox.philox(words, zero, zero, d, zero, zero) for d in domains], 1)
    assert len(np.unique(drawn)) > 0.999 * drawn.size


def test_shapes_and_dtypes():
    assert philox.uniform(philox.key(0), ()).shape == ()
    assert philox.uniform(philox.key(0), (3, 0, 2)).shape == (3, 0, 2)
    with pytest.raises(ValueError, match="float32 or float64"):
        philox.uniform(philox.key(0), 3, np.int32)


def test_exp_is_accurate_to_one_ulp():
    x = np.linspace(-80, 80, 1_000_001).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    error = np.abs(scalars.exp(x) - exact) / np.spacing(exact.astype(np.float32))
    assert error.max() < 1
    print(f"exp: largest error {error.max():.3f} ulp, mean {error.mean():.3f}")


def test_a_scalar_is_the_array_function():
    x = np.array([-80, -1.7, 0, 3.1, 79], np.float32)
    np.testing.assert_array_equal(scalars.exp(x), [scalars.exp(value) for value in x])
    assert scalars.clamp(np.float32(-90)) == -80


def test_flip_probability():
    """u < sigmoid(f) for all 2**23 values of u: the fraction of ones is sigmoid(f) to within the spacing of
    u."""
    u = scalars.uniform(np.arange(2**23, dtype=np.uint64) << np.uint64(9))
    for f in np.float32([-20, -16, -3, 0, 0.7, 9, 17]):
        fraction = np.mean(scalars.is_up(u, scalars.exp(-f)), dtype=np.float64)
        exact = 1 / (1 + np.exp(-np.float64(f)))
        # products and sums of u (1 + e) round to 2**-24 relative: at most one more value of u on the wrong side
        assert abs(fraction - exact) <= 2 * 2.0**-23
        assert abs(fraction - (1 - exact)) > 2 * 2.0**-23 or f == 0  # the flipped sign


def test_softplus_increment_is_accurate_however_small():
    field = np.linspace(-70, 70, 4001)[:, None].astype(np.float32)
    delta = np.float32([0.25, -0.25, 1e-2, -1e-3, 1e-5, -1e-7])
    with np.errstate(over="ignore"):
        value = scalars.softplus_increment(scalars.exp(-field), delta)
    f, d = field.astype(np.float64), delta.astype(np.float64)
    exact = -np.log1p(np.expm1(-d) / (1 + np.exp(-f)))
    relative = np.abs(value / exact - 1)
    assert relative.max() < 6e-7  # ten float32 roundings of 2**-24 each
    naive = np.logaddexp(0, field) - np.logaddexp(0, field - delta)  # float32: what cancellation would cost
    assert np.abs(naive / exact - 1).max() > 1e-2


@pytest.mark.parametrize(
    ("coefficients", "function"), [(scalars._TANH, np.tanh), (scalars._ARTANH, np.arctanh)], ids=["tanh", "artanh"]
)
def test_truncation_of_the_polynomials(coefficients, function):
    """In float64 nothing but truncation is left: below 1e-8, as stated. Without the highest coefficient 2e-7 and 5e-7,
    which float32 rounding would hide."""
    x, given = np.linspace(1e-3, scalars.MAX_INCREMENT / 2, 1001), [float(c) for c in coefficients]
    assert np.abs(scalars._odd(given, x) / function(x) - 1).max() < 1e-8
    assert np.abs(scalars._odd([0.0, *given[1:]], x) / function(x) - 1).max() > 1e-7
