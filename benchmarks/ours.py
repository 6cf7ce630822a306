"""dvae_ref as a contender, on the same terms as the peers.

As in the peers' files, a function here makes a `run` for benchmarks.worker: what is done once, before the clock starts,
is done in the function; what counts is in the run.

What is timed is what a caller pays: public calls, with their checks, and no kernel by itself. Random numbers are
counted in, as they are for the peers; compilation is not, nor is theirs.
"""

from unittest import mock

import numpy as np

from benchmarks import either
from dvae_ref import Noise, exact, model, tree
from dvae_ref.sampling import ais as annealed
from dvae_ref.sampling import pcd, philox, population_annealing

training = either.module("training")
KEY = philox.key(0)


def gibbs(rbm, chains, sweeps):
    """A function that takes persistent chains `sweeps` sweeps further and returns z (R, D)."""
    state = [pcd.init(KEY, rbm, chains)]

    def run():
        state[0], _ = pcd.step(KEY, state[0], rbm, sweeps)
        return pcd.samples(state[0])

    return run


def ais(rbm, chains, temperatures):
    """A function that returns (log Z, standard error)."""
    return lambda: annealed.log_z(KEY, rbm, temperatures, chains)[:2]


def anneal(rbm, chains, temperatures, sweeps):
    """A function that returns (log Z, standard error) of population annealing."""
    return lambda: population_annealing.anneal(KEY, rbm, chains, sweeps, temperatures)[:2]


def update(name, rbm, close, chains):
    """A function that makes an update of training's negative phase, from rbm to one close to it: E[z]."""
    if name == "pcd":
        sampler, start = pcd, pcd.init(KEY, rbm, chains)
    else:
        sampler, start = population_annealing, population_annealing.anneal(KEY, rbm, chains, 2).state
    return lambda: sampler.step(KEY, start, close)[1].moments.z


def log_z(machine):
    """A function that returns log Z by enumeration."""
    return lambda: exact.log_z(machine)


class Still:
    """A negative phase that costs nothing: its moments are given."""

    def __init__(self, moments):
        self.info = pcd.Info(moments)

    def step(self, key, state, rbm, sweeps, backend):
        """The State as it is, and the moments that were given."""
        return state, self.info


def training_step(settings, start, batches, moments, sampler, steps):
    """(run, answer): `steps` steps of training from a State, and the answer of benchmarks.step."""
    state, role = [start], training.keys(settings.seed)
    samplers = {} if sampler else {settings.sampler: Still(moments)}

    def run():
        with mock.patch.dict(training.SAMPLERS, samplers):
            for _ in range(steps):
                x = batches[state[0].iteration % len(batches)]
                state[0], _ = training.iterate(state[0], x, settings, role)

    def answer():
        given = noise(settings, start, len(batches[0]))
        return bound_and_gradient(settings, start, batches[0], given, moments)

    return run, answer


def noise(settings, state, images):
    """(u, rho), (B K, D) each: the uniform numbers of the State's next step."""
    return training.noise_of(state.iteration, images, settings, training.keys(settings.seed))


def bound_and_gradient(settings, state, x, noise, moments):
    """[bound (B,), gradients of its mean in the two-dimensional leaves]."""
    u, rho = noise
    share = np.full(len(x), 1 / len(x), x.dtype)
    bound, gradient, _ = model.objective_and_gradient(
        state.params, state.statistics, x, Noise(u, rho), share, moments, config=training.config_of(settings)
    )
    return [bound] + [leaf for leaf in tree.leaves(gradient) if leaf.ndim == 2]
