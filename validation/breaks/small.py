"""Breaks as small as a quick run has to see: a tenth of a gradient, a quarter of an error bar.

A statistical claim sees a sign or a factor of 2 with few samples. Whether it has samples enough is seen of these alone.
"""

from dvae_ref.runs import evaluation
from dvae_ref.sampling import ais, replicas
from dvae_ref.theory import gaussian_integral, joint, overlapping
from validation.breaks.theory import scaled
from validation.sabotage import breaks


def larger_d_w(original, d_log_p, cache):
    """d_W of Eq. 5 times 1.1."""
    gradient, d_b = original(d_log_p, cache)
    return gradient._replace(W=1.1 * gradient.W), d_b


def smaller_d_zeta(original, d_log_p, cache):
    """d_zeta of Eq. 7 times 0.9."""
    gradient, d_zeta = original(d_log_p, cache)
    return gradient, 0.9 * d_zeta


def larger_d_logit_q(original, d_term, cache):
    """DVAE's estimate of the gradient in logit q times 1.1."""
    gradient, d_logit_q = original(d_term, cache)
    return gradient, 1.1 * d_logit_q


def longer_error_bars(original, log_weights):
    """AIS's standard error times 1.25: coverage gets better, so that only the spread of scores can tell."""
    log_mean, error, effective = original(log_weights)
    return log_mean, 1.25 * error, effective


EXP_POWER = (("dvaes_exp", 1, 2), ("dvaes_power", 2, 1))
GI = (("dvaes_gi", 1, 1), ("dvaes_gi", 2, 2))
SPIKE = (("dvae_spike_exp", 2, 1), ("dvae_spike_exp", 4, 1))
DVAE = "DVAE: the KL's gradient in logit q 10% too large"
BREAKS = [
    breaks("gradients", "dW of Eq. 5 10% too large", overlapping, "log_p_backward", larger_d_w, cells=EXP_POWER),
    breaks("gradients", "dzeta of Eq. 7 10% too small", gaussian_integral, "log_p_backward", smaller_d_zeta, cells=GI),
    breaks("gradients", DVAE, joint, "spike_term_backward", larger_d_logit_q, cells=SPIKE),
    breaks("ais", "AIS: error bars 25% too long", ais, "statistics", longer_error_bars),
    breaks("population", "PA: error bars 25% too long", replicas, "standard_error", scaled(1.25)),
    breaks("evaluation", "error over images 25% too long", evaluation, "standard_error", scaled(1.25)),
]
