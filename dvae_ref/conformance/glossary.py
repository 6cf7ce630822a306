"""What the arrays of the kit are, in words."""

import re

INPUTS = {
    "a": "biases of the machine, left side first",
    "W": "couplings of the machine, (left, right)",
    "J": "couplings of the machine, symmetric with a zero diagonal: each pair twice, (unit, unit)",
    "z": "states of the machine, left side first; means where they lie between 0 and 1",
    "b": "log r(zeta|1) - log r(zeta|0)",
    "c": "log r(zeta|0)",
    "u": "uniform numbers: z = [u < probability]; (sweep, chain, unit) or (row, unit), left units first",
    "zeta": "continuous latent variables",
    "q": "q(z=1|x)",
    "rho": "uniform numbers at which the CDF is inverted",
    "beta": "sharpness of the smoothing; in the Gaussian integral the diagonal lam of the precision",
    "epsilon": "share of the uniform",
    "log_z": "log Z, as it was estimated",
    "lam": "diagonal of the precision J + lam I, the paper's beta",
    "sweeps": "number of sweeps of mean field",
    "cotangent": "the weight of each row in the sum that is differentiated",
    "kappa": "KL warm-up coefficient",
    "k": "samples an image, K",
    "log_p": "log p(zeta) of each image and sample",
    "log_q": "log q(zeta|x) of each image and sample",
    "log_px": "log p(x|zeta) of each image and sample",
    "minus_kl": "minus the KL term of each image and sample",
    "x": "images, binary",
    "logits": "the decoder's logits of p(x|zeta), (row, pixel)",
    "mean_x": "mean image: subtracted from the encoder's x, its logit added to the decoder's logits",
    "log_w": "log-weight of each image and sample, log Z not taken off, (image, sample)",
    "samples": "numbers of samples K: the first so many of each image",
    "p": "parameters",
    "g": "gradient of the loss",
    "m": "first moment of the gradient",
    "v": "second moment of the gradient",
    "iteration": "number of this step, counted from 1",
    "learning_rate": "learning rate",
    "beta1": "decay of the first moment",
    "beta2": "decay of the second moment",
    "adam_epsilon": "epsilon of Adam",
    "logit_q": "logit of q(z=1|x)",
    "left": "states of the left side before each step, (step, chain, unit)",
    "t": "inverse temperatures, from 0 to 1",
    "energies": "E(z) of each member of the population",
    "step": "by how much the inverse temperature rises",
    "rbm.a": "biases of the prior's machine",
    "rbm.W": "couplings of the prior's machine",
    "posterior.s": "std of the shifted Gaussians is |s| / 5 + 0.05",
}
OUTPUTS = {
    "energy": "E(z)",
    "log_z": "log Z",
    "mean_z": "E[z]",
    "mean_zz": "E[z_left z_right']",
    "m": "m after each number of sweeps",
    "lower_bound": "H(m) - E^(m) after each number of sweeps",
    "log_partition": "log sum_z exp(-E^(z))",
    "kl": "KL(m || p^) after each number of sweeps",
    "p": "p(z_i = 1 | other side) of each unit at its turn",
    "z_after": "states after each sweep",
    "log_r0": "log r(zeta|z=0)",
    "log_r1": "log r(zeta|z=1)",
    "cdf0": "R(zeta|z=0)",
    "cdf1": "R(zeta|z=1)",
    "cdf": "(1 - q) R(zeta|0) + q R(zeta|1)",
    "quantile": "zeta at which that CDF is rho (Eq. 8)",
    "log_q": "log q(zeta|x)",
    "log_p": "log p(zeta) + log Z",
    "bound": "the bound of each image, nats",
    "rho": "CDF(zeta) of each unit, its encoder's q given",
    "z_drawn": "z of each row and unit",
    "log_q_z": "log q(z|x) of each row",
    "log_w": "log-weight of each image and sample, (image, sample)",
    "log_p_x": "log (1/K) sum_k w_k, the estimate of log p(x), nats",
    "nll": "minus the mean over images of log_p_x, for each K, nats",
    "minus_kl": "minus the KL of each row, without log Z, nats",
    "free_energy": "-log sum over the right side of exp(-E)",
    "p_right": "p(z_right = 1 | left)",
    "h": "fields of the spins",
    "J": "couplings of the spins, (left, right)",
    "offset": "what is added to h·s + s_left J s_right",
    "covariance": "E[z_left z_right'] - E[z_left] E[z_right]'",
    "log_mean_weight": "log of the mean of exp(-step E)",
    "tau": "weight over mean weight of each member",
    "copies": "copies of each member",
    "p_after": "parameters after the step",
    "m_after": "first moment after the step",
    "v_after": "second moment after the step",
}
LEAVES = {
    "dense.kernel": "weights of the hidden layer, (inputs, outputs)",
    "dense.bias": "biases of the hidden layer",
    "norm.scale": "batch norm's scale",
    "norm.offset": "batch norm's offset",
    "norm.mean": "moving average of the means that batch norm subtracts",
    "norm.variance": "moving average of its variances",
    "out.kernel": "weights of the output layer, (inputs, outputs)",
    "out.bias": "biases of the output layer",
}


def meaning(name, is_output):
    """In words; KeyError for a name that nobody explained."""
    if is_output and name.startswith("d_zeta_d_"):
        return f"dzeta/d{name.removeprefix('d_zeta_d_')} at fixed rho = CDF(zeta)"
    if is_output and name.startswith("d_"):
        return f"gradient in {name.removeprefix('d_')}"
    if network := re.fullmatch(r"(encoder\.(\d)|decoder)\.(?:hidden\.\d\.)?(\w+\.\w+)", name):
        of = f"encoder of group {network[2]}" if network[2] else "decoder"
        return f"{of}: {LEAVES[network[3]]}"
    return (OUTPUTS if is_output and name in OUTPUTS else INPUTS)[name]
