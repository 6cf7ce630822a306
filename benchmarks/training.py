"""Cases of a training step: every structure of Table 1 and K, with the sampler and without it."""

import functools
import itertools

import numpy as np

from benchmarks import either, machines
from benchmarks.ours import noise
from benchmarks.step import Step, deviation
from benchmarks.timing import Case
from dvae_ref import STRUCTURES, model, tree
from dvae_ref.sampling import pcd

datasets, optimizer, training = (either.module(name) for name in ("datasets", "optimizer", "training"))
Settings = either.module("presets").Settings

SAMPLES = (1, 5, 25)  # K
IMAGES, BATCHES = 100, 8


def cases(quick, structures=None, samples=None):
    """ms a step of dvaes_power: 40 sweeps of 1,000 persistent chains, the bound of 100 images, its gradient, Adam."""
    some_structures, some_samples = (("1-layer-nonlin",), (1,)) if quick else (STRUCTURES, SAMPLES)
    structures, samples = structures or some_structures, samples or some_samples
    for struct, k, sampler in itertools.product(structures, samples, (True, False)):
        yield _case(struct, k, sampler, quick)  # one at a time: a case holds all that its contenders need


def _case(struct, k, sampler, quick):
    """The Case of a structure and K. Every contender starts from the same parameters, moments and images; the answer,
    bound and gradient of one step with given noise, is the same for all but for rounding."""
    settings, start, batches = setting(struct, k)
    steps = 1 if quick else max(2, 10 // k)
    given = moments_of(start)
    step = as_plain(settings, start, batches, given)._replace(steps=steps)
    if not sampler:
        step = step._replace(sweeps=0)
    contenders = {"dvae_ref": ("benchmarks.ours:training_step", settings, start, batches, given, sampler, steps)}
    for peer in ("torch", "jax"):
        contenders[peer] = (f"benchmarks.peers_{peer}_training:training_step", step)
    included = "included" if sampler else "excluded"
    name = f"Training step, {struct}, K = {k}, sampler {included}"
    return Case(name, "ms/step", 1e3 / steps, contenders, deviation, "relative", rounds=5, seconds=5)


def setting(struct, k):
    """(Settings, State, batches): fresh networks, an RBM as after training, the first images of mnist5k."""
    dataset = _dataset()
    settings = Settings(struct=struct, k=k, sampler="pcd", warm_up=0.0, batch_size=IMAGES)
    start = training.start(settings, dataset.mean_x)
    rbm = machines.rbm(len(start.params.rbm.W))
    start = start._replace(params=start.params._replace(rbm=rbm))
    return settings, start, np.stack([datasets.batch(dataset, 0, i, IMAGES) for i in range(BATCHES)])


@functools.cache
def _dataset():
    return datasets.load("mnist5k")


def moments_of(start):
    """Moments of the chains as they are: any will do, as long as all contenders are given the same."""
    return pcd.moments(start.sampler)


def as_plain(settings, start, batches, given):
    """The Step that dvae_ref's State stands for, of one step to a run, with the sampler."""
    u, rho = noise(settings, start, IMAGES)
    return Step(
        params=_plain(start.params),
        decayed=tuple(path.rsplit(".", 1)[-1] in optimizer.DECAYED for path, _ in tree.items(start.params)),
        mean_x=start.statistics.mean_x,
        output_bias=model.output_bias(start.statistics.mean_x),
        batches=batches,
        u=u,
        rho=rho,
        moments=tuple(given),
        k=settings.k,
        beta=settings.beta,
        chains=settings.chains,
        sweeps=settings.sweeps,
        steps=1,
        mean_field_sweeps=settings.mean_field_sweeps,
        learning_rate=training.learning_rate(0, settings),
        weight_decay=settings.weight_decay,
        adam=(settings.adam_beta1, settings.adam_beta2, settings.adam_epsilon),
    )


def _plain(params):
    """NamedTuples as tuples."""
    if isinstance(params, np.ndarray):
        return params
    return tuple(map(_plain, params))
