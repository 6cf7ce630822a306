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
from figures import snapshots, style

CURVES = (("exp", 10), ("power", 30))
WARM_UPS = {"": {}, "_without": {"warm_up": 0.0}}  # what the keys of a curve end in: settings other than the paper's
ROLE = 22


class Scale(NamedTuple):
    images: int
    draws: int


SCALES = {"quick": Scale(100, 20), "default": Scale(100, 100), "full": Scale(1000, 100)}


class Recorder:
    """A posterior that keeps the gradient in its logits of each group, last group first."""

    def __init__(self, posterior):
        self.posterior, self.d_logit_q = posterior, []

    def __getattr__(self, name):
        return getattr(self.posterior, name)

    def draw_backward(self, d, sample, noise, extra=()):
        gradients = self.posterior.draw_backward(d, sample, noise, extra)
        self.d_logit_q.append(gradients[0])
        return gradients


def logit_gradient(snapshot, x, noise, config, kappa):
    """d(sum over images of the bound)/dlogit(q), (B K, D)."""
    recorder = Recorder(config.method.posterior)
    recording = autoencoder.Config(config.structure, config.method._replace(posterior=recorder), config.k)
    bound, cache = autoencoder.objective(snapshot.params, snapshot.statistics, x, noise, config=recording, kappa=kappa)
    no_negative_phase = Moments(*(np.zeros_like(leaf) for leaf in snapshot.params.rbm))
    autoencoder.objective_backward(np.ones_like(bound), cache, no_negative_phase, config=recording)
    return np.concatenate(recorder.d_logit_q[::-1], 1)


def compute(options):
    """iteration (T,), warm_up; for each curve, with the warm-up and `_without`, by group of q (T, G): variance, error
    and between."""
    data = {}
    for name, beta in CURVES:
        for ending, changed in WARM_UPS.items():
            settings, iterations = snapshots.settings_for(f"dvaes_{name}", beta, options, **changed)
            found = along(settings, iterations, options)
            data |= {f"{name}_{beta}_{key}{ending}": values for key, values in found.items()}
    warm_up = np.array(Settings().warm_up * iterations[-1])
    return data | {"iteration": np.array(iterations), "warm_up": warm_up}


def along(settings, iterations, options):
    """What `measure` finds at the snapshots of a run, (T, G) each."""
    scale = SCALES[options.scale]
    rows = list(snapshots.measured("fig2c", "variance", settings, iterations, scale, options, measure))
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def measure(settings, snapshot, images, scale, seed):
    """variance, error, between: (G,) each, with the mean over all units last."""
    key = philox.fold_in(philox.key(seed), ROLE, snapshot.iteration)
    rows = np.random.default_rng(philox.fold_in(key, 0)).choice(len(images), scale.images, replace=False)
    x, config = images[rows].astype(np.float32), training.config_of(settings)
    kappa = training.kappa_at(snapshot.iteration, settings)
    shape, total, squares = (2, len(x), config.structure.latents), 0.0, 0.0
    for draw in range(scale.draws):
        noise = Noise(*philox.uniform(philox.fold_in(key, 1, draw), shape))
        g = logit_gradient(snapshot, x, noise, config, kappa).astype(np.float64)
        total, squares = total + g, squares + g**2
    return summarize(total, squares, scale.draws, config.structure.groups)


def summarize(total, squares, draws, groups):
    """From the sums over draws of g and g^2, (B, D): by group, and of all units last."""
    mean = total / draws
    within = (squares - draws * mean**2) / (draws - 1)
    between = mean.var(0, ddof=1) - within.mean(0) / draws
    units = [slice(i * mean.shape[1] // groups, (i + 1) * mean.shape[1] // groups) for i in range(groups)]
    units.append(slice(None))
    by_image = np.stack([within[:, own].mean(1) for own in units])
    return {
        "variance": by_image.mean(1),
        "error": by_image.std(1, ddof=1) / np.sqrt(len(mean)),
        "between": np.array([between[own].mean() for own in units]),
    }


def plot(data):
    figure, axes = style.panels(1, 2, (9, 3.9), sharey=True)
    for i, (name, beta) in enumerate(CURVES):
        variance, error = data[f"{name}_{beta}_variance"], data[f"{name}_{beta}_error"]
        label, color = f"{style.TITLES[name]}, β = {beta}", style.COLORS[name]
        look = {"color": color, "marker": style.MARKERS[i], "markersize": 4, "linewidth": 1.5}
        style.band(axes[0, 0], data["iteration"], variance[:, -1], error[:, -1], **look, label=label)
        without = data[f"{name}_{beta}_variance_without"][:, -1]
        axes[0, 0].plot(
            data["iteration"], without, linestyle=style.DASHES[3], color=color, label=f"{label}, no warm-up"
        )
        for g, dashes in enumerate(style.DASHES[1 : variance.shape[1]]):
            look = {"color": color, "linestyle": dashes, "linewidth": 1.3}
            text = f"{label}, group {g + 1}"
            style.band(axes[0, 1], data["iteration"], variance[:, g], error[:, g], **look, label=text)
    for a, title in zip(axes[0], ("mean over all units", "by group of q"), strict=True):
        a.axvspan(0, data["warm_up"], color=style.GREY, alpha=0.6, linewidth=0, label="KL warm-up")
        style.iterations(a, data["iteration"][-1])
        a.set_ylim(0, 1.4 * max(values.max() for key, values in data.items() if "_variance" in key))
        a.set_title(title, fontsize=11)
        a.legend(fontsize=8, framealpha=0.9)
    axes[0, 0].set_ylabel("variance of ∂bound/∂logit q, nats²")
    return figure


def summary(data):
    lines = ["variance over noise of the gradient, mean over units and images, nats^2:"]
    rows = [(name, beta, data[f"{name}_{beta}_variance"][:, -1]) for name, beta in CURVES]
    for name, beta, variance in rows:
        error, between = (data[f"{name}_{beta}_{key}"][-1, -1] for key in ("error", "between"))
        lines.append(
            f"  {name} beta {beta}: {variance[0]:.3g} at first, largest {variance.max():.3g}, {variance[-1]:.3g} +- "
            f"{error:.1g} at last, where images differ by {between:.3g}"
        )
        without = data[f"{name}_{beta}_variance_without"][:, -1]
        lines.append(
            f"    without warm-up {without[0]:.3g} at first, largest {without.max():.3g}, {without[-1]:.3g} at last"
        )
    ratio = rows[0][2] / rows[1][2]
    after = data["iteration"] >= data["warm_up"]
    lines.append(
        f"exponential / power: {ratio.min():.3g} to {ratio.max():.3g}; after the warm-up {ratio[after].min():.3g} to "
        f"{ratio[after].max():.3g} (paper: power has significantly lower variance)"
    )
    return "\n".join(lines)
