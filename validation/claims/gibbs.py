"""The negative phase: moments of the persistent chains against enumeration.

Oracle: all moments by enumeration, and for the tails 1 / (1 + e^field). The machines mix within some ten sweeps, so
that independent groups of chains give the error: on a machine that does not mix the means would be off, and so would
their error bars. That is no fault of the sweeps, and is not claimed.
"""

import numpy as np

from dvae_ref import exact
from dvae_ref.sampling import gibbs, pcd, philox
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import STANDARD_ERRORS, Claim, Finding, at_most, close

SHAPES = ((12, 9), (7, 30))
GROUPS = 100  # of independent chains, whose spread is the error
BURN_IN = 200  # sweeps; the slowest of these machines forgets in about ten
SHARP = {True: 0.2, False: 0.08}


def check(quick, seed, only=None):
    """Two machines: moments over chains and time by enumeration, what `step` reports, its readable oracle; the tails.

    Chains are dealt out to GROUPS, whose spread is the error: within a group chains may hang together, groups do not.
    only: "tails", for who breaks these alone.
    """
    if only == "tails":
        return list(tails(philox.fold_in(philox.key(seed), 13))), None
    findings, points = [], []
    for shape in SHAPES:
        rng = oracles.generator(seed, f"gibbs {shape}")
        rbm = oracles.random_rbm(rng, *shape, 0.5)
        key = philox.fold_in(philox.key(seed), *shape)
        state, _ = pcd.step(key, pcd.init(key, rbm, 2000 if quick else 10_000), rbm, BURN_IN)
        measured = []
        for _ in range(10):
            state, _ = pcd.step(key, state, rbm, 10)
            measured.append(measure(rbm, state))
        groups = np.mean(measured, 0)
        expected = oracles.flat(exact.moments(rbm))
        error = groups.std(0, ddof=1) / np.sqrt(GROUPS)
        points.append((expected, groups.mean(0), error))
        findings += judge(f"{shape[0]} x {shape[1]}", *points[-1], SHARP[quick])
        findings.append(reported(rbm, state, shape))
        findings.append(oracle_form(key, rbm, shape))
    findings += tails(philox.fold_in(philox.key(seed), 13))
    return findings, points


def measure(rbm, state):
    """E[z] and E[z_left z_right'] of each group of chains: (GROUPS, D + D_left D_right)."""
    z = pcd.samples(state).astype(np.float64).reshape(GROUPS, -1, rbm.a.size)
    left, right = np.split(z, [len(rbm.W)], -1)
    zz = np.einsum("gci,gcj->gij", left, right) / z.shape[1]
    return np.concatenate([z.mean(1), zz.reshape(GROUPS, -1)], 1)


def judge(label, expected, found, error, sharp):
    """The worst moment, the mean square of all scores, and how small an error of a moment would have been seen."""
    scores = np.abs(found - expected) / error
    worst = np.argmax(scores)
    caught = (STANDARD_ERRORS + 1) * error[worst] / expected[worst]
    basis = f"standard errors; the worst of {expected.size}"
    yield Finding(f"moments, {label}", found[worst], expected[worst], scores[worst], STANDARD_ERRORS, basis, caught)
    mean_square = np.mean(scores**2)
    basis = "5 sqrt(2 / 20): the scores are worth some 20"
    yield close(f"mean square of the scores, {label}", mean_square, 1.0, 1.6, basis)
    basis = "what the median moment would have caught"
    yield at_most(f"sharpness, {label}", np.median(6 * error / expected), sharp, basis)


def reported(rbm, state, shape):
    """What pcd reports are the means over its chains."""
    z = pcd.samples(state).astype(np.float64)
    left, right = np.split(z, [shape[0]], 1)
    error = np.max(np.abs(pcd.moments(state).zz - left.T @ right / len(z)))
    quantity = f"reported moments less those of the chains, {shape[0]} x {shape[1]}"
    return at_most(quantity, error, 1e-6, "float32 rounding")


def oracle_form(key, rbm, shape):
    """The fused kernel and the plain NumPy form draw the same spins."""
    start = pcd.init(philox.fold_in(key, 1), rbm, 200)
    one = gibbs.sweep(key, start, rbm, 20).z
    other = gibbs.sweep_reference(key, start, rbm, 20).z
    quantity = f"spins in which kernel and NumPy differ, {shape[0]} x {shape[1]}"
    return at_most(quantity, float(np.sum(one != other)), 0.0, "bit for bit")


def tails(key):
    """Units without couplings at fields of +-13 and +-4: how often the rare state turns up, of 1.3 million draws of
    each, twelve of them at 13. A field kept within 12 would make it 2.7 times as frequent."""
    fields = np.repeat([-13.0, 13.0, -4.0, 4.0], [12, 12, 2, 2])
    units, chains, sweeps = len(fields), 65_536, 20
    rbm = RBM(np.tile(fields, 2), np.zeros((units, units)))
    counts = np.zeros(units)
    state = pcd.init(key, rbm, chains)
    for _ in range(sweeps):
        state, _ = pcd.step(key, state, rbm, 1)
        z = pcd.samples(state).mean(0, dtype=np.float64)
        rare = np.where(np.tile(fields, 2) < 0, z, 1 - z) * chains
        counts += rare.reshape(2, units).sum(0)
    for field in (-13.0, 13.0, -4.0, 4.0):
        found = counts[fields == field].sum()
        draws = 2 * chains * sweeps * np.sum(fields == field)
        expected = draws / (1 + np.exp(abs(field)))
        worst = abs(found - expected) / np.sqrt(expected)
        caught = float((STANDARD_ERRORS + 1) / np.sqrt(expected))
        basis = f"standard errors, of {draws / 1e6:.1f} million draws"
        yield Finding(f"rare states at a field of {field:g}", found, expected, worst, STANDARD_ERRORS, basis, caught)


def picture(points, figure):
    """What sampling is off by, moment by moment, with five standard errors."""
    for axes, shape, point in zip(figure.subplots(1, 2), SHAPES, points, strict=True):
        expected, found, error = point
        axes.errorbar(expected, found - expected, 5 * error, fmt=".", ms=3, lw=0.5, color="#2b5c8a")
        axes.axhline(0, color="0.4", lw=0.8)
        axes.set(xlabel="exact moment", title=f"RBM {shape[0]} x {shape[1]}, bars: 5 standard errors")
    figure.axes[0].set_ylabel("sampled - exact")


CLAIM = Claim(
    name="gibbs",
    statement="Persistent chains of block Gibbs sampling have the moments of p(z): the negative phase is unbiased.",
    equations=(r"\nabla_W\log Z=\mathbb{E}_{p(z)}\left[z_L z_R^T\right],\qquad\nabla_a\log Z=\mathbb{E}_{p(z)}[z]",),
    check=check,
    picture=picture,
    seconds=(0.3, 1),
)
