"""The eight columns of Table 1 by name."""

import numpy as np
import pytest

from dvae_ref import smoothing
from dvae_ref.model import autoencoder, methods, posteriors, priors
from dvae_ref.model.structures import STRUCTURES, Structure
from dvae_ref.runs import presets

COLUMNS = {  # posterior, its smoothing, prior, importance-weighted
    "dvae_spike_exp": (posteriors.SpikeExponential, None, priors.SpikeJoint, False),
    "dvaepp_exp": (posteriors.Mixture, smoothing.Exponential, priors.OverlappingJoint, False),
    "dvaepp_power": (posteriors.Mixture, smoothing.Power, priors.OverlappingJoint, False),
    "dvaes_gi": (posteriors.ShiftedGaussian, None, priors.GaussianIntegral, True),
    "dvaes_gauss": (posteriors.Mixture, smoothing.Gaussian, priors.Relaxed, True),
    "dvaes_exp": (posteriors.Mixture, smoothing.Exponential, priors.Relaxed, True),
    "dvaes_unexp": (posteriors.Mixture, smoothing.UniformExponential, priors.Relaxed, True),
    "dvaes_power": (posteriors.Mixture, smoothing.Power, priors.Relaxed, True),
}


def test_the_names_are_those_of_the_command_line():
    assert tuple(methods.BASELINES) == tuple(presets.BASELINES) == tuple(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_name_s_parts(name):
    posterior, smooth, prior, importance_weighted = COLUMNS[name]
    method = methods.method(name, 7.0, 2, epsilon=0.1, mean_field_sweeps=3)
    assert type(method.posterior) is posterior
    assert type(method.prior) is prior
    assert method.importance_weighted is importance_weighted
    if smooth:
        assert type(method.posterior.smoothing) is smooth
        assert method.prior.posterior is method.posterior  # one beta in q and p
        assert method.posterior.smoothing.beta == 7
    else:
        assert getattr(method.posterior, "beta", 7) == getattr(method.prior, "beta", 7) == 7
    assert getattr(method.prior, "groups", 2) == 2
    assert getattr(method.prior, "mean_field_sweeps", 3) == 3
    if smooth is smoothing.UniformExponential:
        assert method.posterior.smoothing.epsilon == 0.1


@pytest.mark.parametrize("name", ["", "dvaes", "dvae_power", "dvaepp_gi", "dvaepp_spike_exp", "dvaes_GI", "foo_exp"])
def test_an_unknown_name_is_refused_with_the_valid_ones(name):
    with pytest.raises(ValueError, match=f"unknown baseline '{name}'.*{', '.join(COLUMNS)}"):
        methods.method(name, 7.0, 2)


@pytest.mark.parametrize("name", COLUMNS)
def test_beta_outside_the_domain_is_refused(name):
    """beta > 0, > 1 for power functions, < 88 for the spike's exponential."""
    least = 1.0 if name.endswith("power") else 0.0
    beyond = 88.0 if name == "dvae_spike_exp" else np.inf
    methods.method(name, np.nextafter(least, 2), 1)
    methods.method(name, np.nextafter(beyond, 0), 1)
    for beta in (least, -3.0, beyond, np.nan):
        with pytest.raises(ValueError, match=rf"takes .*beta.*, got {beta}"):
            methods.method(name, beta, 1)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_method_for_another_number_of_groups_is_refused(name):
    """DVAE and DVAE++ depend on the groups; DVAE# does not."""
    structure = STRUCTURES["4-layer-nonlin"]
    autoencoder.Config(structure, methods.method(name, 7.0, 4))
    if name.startswith("dvaes"):
        autoencoder.Config(structure, methods.method(name, 7.0, 1))
    else:
        with pytest.raises(ValueError, match="the structure has 4 groups, the method was made for 1"):
            autoencoder.Config(structure, methods.method(name, 7.0, 1))


@pytest.mark.parametrize("groups", [0, -2, 1.5, 0.5])
def test_groups_are_whole_and_at_least_one(groups):
    with pytest.raises(ValueError, match=f"groups must be a whole number >= 1; got {groups}"):
        methods.method("dvaes_power", 7.0, groups)


def test_the_uniform_part_is_a_twentieth_by_default():
    """Sec. 4: epsilon = 0.05, here and in a run's settings."""
    [name] = [name for name, parts in COLUMNS.items() if parts[1] is smoothing.UniformExponential]
    assert methods.method(name, 9.0, 1).posterior.smoothing.epsilon == presets.Settings().epsilon == 0.05


def test_structures_are_the_paper_s():
    """Sec. 4: 200 units, one layer linear or with two hidden layers of 200; 2 x 200 and 4 x 100 hierarchical ones."""
    told = {name: (s.groups, s.width, s.hidden, s.latents) for name, s in STRUCTURES.items()}
    assert told == {
        "1-layer-lin": (1, 200, (), 200),
        "1-layer-nonlin": (1, 200, (200, 200), 200),
        "2-layer-nonlin": (2, 200, (200, 200), 400),
        "4-layer-nonlin": (4, 100, (200, 200), 400),
    }


@pytest.mark.parametrize(("groups", "width"), [(0, 4), (-1, 4), (2, 0), (1, 3), (3, 5)])
def test_a_structure_has_units_and_as_many_left_as_right(groups, width):
    with pytest.raises(ValueError, match="structure"):
        Structure(groups, width)


@pytest.mark.parametrize("sweeps", [1, 2, 3, 5, 300])
def test_any_number_of_sweeps_of_mean_field_is_accepted_from_one_on(sweeps):
    """Sec. 4's is five (tests/test_defaults.py)."""
    assert methods.relaxed(smoothing.Power(2.0), mean_field_sweeps=sweeps).prior.mean_field_sweeps == sweeps
    assert presets.Settings(mean_field_sweeps=sweeps).mean_field_sweeps == sweeps
