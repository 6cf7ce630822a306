"""Fig. 2(c): variance of the gradient of the K = 1 bound in the logits of q, during training, 2-layer-nonlin.

Which variance: for a fixed batch of training images at a fixed snapshot, the noise (u, rho) of the whole batch is drawn
anew S times. With L(x) the K = 1 bound of an image under the training's kappa, and l_i(x) what the encoder puts out for
unit i, the total derivative g_i(x) = dL/dl_i(x), by way of zeta_i in the later groups' encoder and in the decoder, too
(and, through batch norm, in the other images' bounds, as in training). Then

    the curve = mean over images x and units i of Var_noise[g_i(x)],

with the unbiased sample variance; its standard error is that over images. `between` is the variance over images of
the mean over noise, less its share of the noise: both together are the variance over noise and data. The gradient in
log p(zeta) is Eq. 5's. The same runs without warm-up (kappa = 1 from the start) say what of the curves is due to it.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.model import autoencoder
from dvae_ref.model.posteriors import Noise
from dvae_ref.runs import training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import Moments
from figures import snapshots, store, style

CURVES = (("exp", 10), ("power", 30))
WARM_UPS = {"": {}, "_without": {"warm_up": 0.0}}  # what the keys of a curve end in: settings other than the paper's
ROLE = 22


class Scale(NamedTuple):
    """The sample at each snapshot."""

    images: int  # in the batch, B
    draws: int  # of the noise of the whole batch, S


SCALES = {"quick": Scale(100, 20), "default": Scale(100, 100), "full": Scale(1000, 100)}


class Recorder:
    """A posterior that keeps the gradient in its logits of each group, (B, units), first group first.

    `objective_backward` takes the groups from the last to the first: each is put before those that it has come from.
    """

    def __init__(self, posterior):
        self.posterior, self.d_logit_q = posterior, []

    def __getattr__(self, name):
        return getattr(self.posterior, name)

    def draw_backward(self, d, sample, noise, extra=()):
        """As the posterior's; the total derivative in what the encoder puts out for its units passes here."""
        gradients = self.posterior.draw_backward(d, sample, noise, extra)
        self.d_logit_q.insert(0, gradients[0])
        return gradients


def logit_gradient(snapshot, x, noise, config, kappa):
    """d(sum over images of the bound)/dlogit(q), (B K, D)."""
    recorder = Recorder(config.method.posterior)
    recording = autoencoder.Config(config.structure, config.method._replace(posterior=recorder), config.k)
    bound, cache = autoencoder.objective(snapshot.params, snapshot.statistics, x, noise, config=recording, kappa=kappa)
    rbm = snapshot.params.rbm
    no_negative_phase = Moments(np.zeros_like(rbm.a), np.zeros_like(rbm.W))  # log Z does not depend on the logits
    autoencoder.objective_backward(np.ones_like(bound), cache, no_negative_phase, config=recording)
    return np.concatenate(recorder.d_logit_q, 1)


def compute(options):
    """nats^2 at T snapshots, for each of CURVES, with the warm-up and without, by group of q and, last, for all units:

    iteration (T,), warm_up ()                         of the snapshots; the iteration where kappa reaches 1
    <name>_<beta>_variance, _error, _between (T, G)    as the module says
    <name>_<beta>_variance_without, ... (T, G)         of the runs without warm-up
    """
    data = {}
    for name, beta in CURVES:
        for ending, changed in WARM_UPS.items():
            settings, iterations = snapshots.settings_for(f"dvaes_{name}", beta, options, **changed)
            for key, values in along(settings, iterations, options).items():
                data[f"{name}_{beta}_{key}{ending}"] = values
    warm_up = np.array(Settings().warm_up * iterations[-1])
    return data | {"iteration": np.array(iterations), "warm_up": warm_up}


def along(settings, iterations, options):
    """What `measure` finds at the snapshots of a run, (T, G) each."""
    scale = SCALES[options.scale]
    return store.stacked(list(snapshots.measured("fig2c", "variance", settings, iterations, scale, options, measure)))


def measure(settings, snapshot, images, scale, seed):
    """variance, error, between: (G,) each, with the mean over all units last."""
    key = philox.fold_in(philox.key(seed), ROLE, snapshot.iteration)
    rows = np.random.default_rng(philox.fold_in(key, 0)).choice(len(images), scale.images, replace=False)
    x, config = images[rows].astype(np.float32), training.config_of(settings)
    kappa = training.kappa_at(snapshot.iteration, settings)
    shape, total, squares = (2, len(x), config.structure.latents), 0.0, 0.0
    for draw in range(scale.draws):
        u, rho = philox.uniform(philox.fold_in(key, 1, draw), shape)
        g = logit_gradient(snapshot, x, Noise(u, rho), config, kappa).astype(np.float64)
        total, squares = total + g, squares + g**2
    return summarize(total, squares, scale.draws, config.structure.groups)


def summarize(total, squares, draws, groups):
    """From the sums over draws of g and g^2, (B, D): by group, and of all units last, (G + 1,) each.

    Var over noise (sum g^2 - S mean^2) / (S - 1), unbiased, unit by unit. The variance over images of means over S
    draws exceeds that of the expectations by 1/S of it in the mean, which is taken off.
    """
    mean = total / draws
    within = (squares - draws * mean**2) / (draws - 1)
    between = mean.var(0, ddof=1) - within.mean(0) / draws
    by_image = np.stack([units.mean(1) for units in (*np.split(within, groups, axis=1), within)])
    return {
        "variance": by_image.mean(1),
        "error": by_image.std(1, ddof=1) / np.sqrt(len(mean)),
        "between": np.array([units.mean() for units in (*np.split(between, groups), between)]),
    }


def plot(data):
    """Variance against the iteration: on the left over all units, with and without warm-up, on the right by group."""
    figure, ((whole, by_group),) = style.panels(1, 2, (9, 3.9), sharey=True)
    for i, (name, beta) in enumerate(CURVES):
        draw(whole, by_group, data, f"{name}_{beta}", f"{style.TITLES[name]}, β = {beta}", style.COLORS[name], i)
    highest = max(values.max() for key, values in data.items() if "_variance" in key)
    for axes, title in ((whole, "mean over all units"), (by_group, "by group of q")):
        axes.axvspan(0, data["warm_up"], color=style.GREY, alpha=0.6, linewidth=0, label="KL warm-up")
        style.iterations(axes, data["iteration"][-1])
        axes.set_ylim(0, 1.4 * highest)
        axes.set_title(title, fontsize=11)
    style.legends((whole, by_group))
    whole.set_ylabel("variance of ∂bound/∂logit q, nats²")
    return figure


def draw(whole, by_group, data, curve, label, color, i):
    """Curve i in both panels, with two standard errors over images; without warm-up there is no band."""
    iteration, without = data["iteration"], of_all_units(data, f"{curve}_variance_without")
    *groups, all_units = zip(data[f"{curve}_variance"].T, data[f"{curve}_error"].T, strict=True)
    variance, error = all_units
    look = {"color": color, "marker": style.MARKERS[i], "markersize": 4, "linewidth": 1.5}
    style.band(whole, iteration, variance, error, **look, label=label)
    whole.plot(iteration, without, linestyle=style.DASHES[3], color=color, label=f"{label}, no warm-up")
    for g, (variance, error) in enumerate(groups, 1):
        look = {"color": color, "linestyle": style.DASHES[g], "linewidth": 1.3}
        style.band(by_group, iteration, variance, error, **look, label=f"{label}, group {g}")


def of_all_units(data, key):
    """(T,) of (T, G + 1): their mean stands last."""
    return data[key].T[-1]


def summary(data):
    """Each curve at its ends and its peak, and the ratio of both, by which the paper compares them."""
    lines, curves = ["variance over noise of the gradient, mean over units and images, nats^2:"], []
    for name, beta in CURVES:
        prefix = f"{name}_{beta}"
        variance, without = of_all_units(data, f"{prefix}_variance"), of_all_units(data, f"{prefix}_variance_without")
        error, between = of_all_units(data, f"{prefix}_error"), of_all_units(data, f"{prefix}_between")
        lines.append(
            f"  {name} beta {beta}: {variance[0]:.3g} at first, largest {variance.max():.3g}, {variance[-1]:.3g} +- "
            f"{error[-1]:.1g} at last, where images differ by {between[-1]:.3g}"
        )
        lines.append(
            f"    without warm-up {without[0]:.3g} at first, largest {without.max():.3g}, {without[-1]:.3g} at last"
        )
        curves.append(variance)
    exponential, power = curves
    ratio = exponential / power
    after = data["iteration"] >= data["warm_up"]
    lines.append(
        f"exponential / power: {ratio.min():.3g} to {ratio.max():.3g}; after the warm-up {ratio[after].min():.3g} to "
        f"{ratio[after].max():.3g} (paper: power has significantly lower variance)"
    )
    return "\n".join(lines)
