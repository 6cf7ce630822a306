"""What `against` measures. A row is made in either tree, so by names that this tree and older ones have in common."""

import itertools
from types import SimpleNamespace

import numba
import numpy as np

from benchmarks import either, machines, ours, training
from benchmarks.step import deviation
from benchmarks.timing import Case
from dvae_ref import STRUCTURES
from dvae_ref.sampling import pcd, philox

CHAINS, SWEEPS = 1000, 40  # as in training
SIZES = {100: 8, 200: 4, 400: 1, 1024: 1}  # units a side: calls to a run
SAMPLES = {1: 12, 5: 4, 25: 1}  # K: steps to a run
IMAGES, EVALUATED = 2, 4000
TEMPERATURES = 10_000


def cases():
    """{name of a row: Case}, whose contenders `now` and `before` do the same, each in its tree."""
    rows = {f"gibbs-{n}": _gibbs(n, calls) for n, calls in SIZES.items()}
    rows["ais"] = _ais()
    rows |= {f"moments-{n}": _moments(n) for n in (100, 200)}
    for struct, k in itertools.product(STRUCTURES, SAMPLES):
        rows[f"step-{struct}-k{k}"] = _step(struct, k, alone=False)
        rows[f"step-{struct}-k{k}-alone"] = _step(struct, k, alone=True)
    rows["evaluation"] = _evaluation()
    return rows


def _gibbs(n, calls):
    """ns a spin of whole calls, with their checks and tables: what training pays."""
    name = f"Gibbs, {n} x {n}, {CHAINS:,} chains, calls of {SWEEPS} sweeps"
    scale = 1e9 / (calls * SWEEPS * CHAINS * 2 * n)
    return _row(name, "ns/spin", scale, ("gibbs", n, calls), machines.deviation_of_means)


def gibbs(n, calls):
    """A run of so many calls of 40 sweeps, from where the chains are."""
    return _calls(ours.gibbs(machines.rbm(n), CHAINS, SWEEPS), calls)


def _ais():
    """Seconds of a whole estimate; answers are compared in standard errors of their difference."""
    name = f"AIS, 100 x 100, {CHAINS:,} chains, {TEMPERATURES:,} temperatures"
    return _row(name, "s", 1, ("ais",), lambda a, b: abs(a[0] - b[0]) / np.hypot(a[1], b[1]))


def ais():
    """A run that estimates log Z as the paper's evaluation does: (log Z, standard error)."""
    return ours.ais(machines.rbm(100), CHAINS, TEMPERATURES)


def _moments(n):
    """ms of a call of no sweeps: what a step pays for moments alone."""
    return _row(f"0 sweeps with moments, {n} x {n}", "ms", 1e3 / 20, ("moments", n), _deviation_of_moments)


def moments(n):
    """Calls of pcd.step that draw nothing: the moments of the chains as they are."""
    rbm = machines.rbm(n)
    state, _ = pcd.step(ours.KEY, pcd.init(ours.KEY, rbm, CHAINS), rbm, SWEEPS)

    def run():
        found = pcd.step(ours.KEY, state, rbm, 0)[1].moments
        return np.append(found.z, found.zz)

    return _calls(run, 20)


def _deviation_of_moments(before, now):
    """In standard errors of means of R bits, as `machines.deviation_of_means`, of E[z] and E[z_left z_right']."""
    p = np.clip((before + now) / 2, 1 / CHAINS, 1 - 1 / CHAINS)
    return np.max(np.abs(before - now) / np.sqrt(2 * p * (1 - p) / CHAINS))


def _step(struct, k, alone):
    """ms a step; `alone`: with a sampler that costs nothing, so that networks, bound and Adam are what is measured."""
    steps = SAMPLES[k]
    name = f"Training step, {struct}, K = {k}{', without sampler' * alone}"
    return _row(name, "ms", 1e3 / steps, ("step", struct, k, steps, alone), deviation, "relative")


def step(struct, k, steps, alone):
    """(run, answer): the answer is the bound and gradient of given noise and moments, whatever random streams are."""
    settings, start, batches = training.setting(struct, k)
    latents = len(start.params.rbm.a)
    noise = np.random.default_rng(5).uniform(1e-6, 1 - 1e-6, (2, training.IMAGES * k, latents)).astype(np.float32)
    given = SimpleNamespace(z=np.full(latents, 0.4, np.float32), zz=np.full(start.params.rbm.W.shape, 0.2, np.float32))
    run, _ = ours.training_step(settings, start, batches, given, not alone, steps)
    return run, lambda: ours.bound_and_gradient(settings, start, batches[0], noise, given)


def _evaluation():
    """ms an image, of two images; answers are their log p(x), compared in nats."""
    name = f"Evaluation of an image, 1-layer-nonlin, {EVALUATED:,} samples"
    agreement = "nats, largest of log p(x)"
    return _row(name, "ms", 1e3 / IMAGES, ("evaluate",), lambda a, b: np.max(np.abs(a - b)), agreement)


def evaluate():
    """log p(x) of images, after some steps of training: batch norm's moving averages are those of a network in use."""
    settings, state, batches = training.setting("1-layer-nonlin", 1)
    role = ours.training.keys(settings.seed)
    for i in range(20):
        state, _ = ours.training.iterate(state, batches[i % len(batches)], settings, role)
    images = (batches[0][:IMAGES] > 0.5).astype(np.float32)
    given = philox.key(1), state.params, state.statistics, images
    options = {"samples": EVALUATED, "log_z": 100.0, "threads": numba.get_num_threads()}
    evaluation = either.module("evaluation")
    return lambda: evaluation.log_likelihood(*given, **options).log_px


def _row(name, unit, scale, made, agree, agreement="standard errors, largest of all"):
    """The Case of (name of a function of this file, *its arguments), made in both trees."""
    function, *arguments = made
    contenders = dict.fromkeys(("now", "before"), (f"benchmarks.rows:{function}", *arguments))
    return Case(name, unit, scale, contenders, agree, agreement)


def _calls(run, count):
    """A run of so many calls, the answer that of the last."""

    def several():
        for _ in range(count - 1):
            run()
        return run()

    return several
