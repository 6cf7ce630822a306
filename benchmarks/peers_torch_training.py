"""What a user of PyTorch would write: a training step of DVAE#, eager, gradients by autograd. Importing it needs torch.

zeta is held by t = logit(zeta), which floating point can tell apart at both ends. Densities are relative to
r(zeta|0), which p and q share; with b = log r(zeta|1) - log r(zeta|0) = (1 - 1/beta) t

    log p(zeta) + log Z = H(m) + a m + m_left W m_right + b m         Eq. 6, m the mean field of the augmented machine
    log q(zeta|x) = sum_i softplus(logit q_i + b_i) - softplus(logit q_i)

A batch of B images with K samples each has N = B K rows, those of an image consecutive.
"""

import math

import torch
from torch.nn import functional

from benchmarks.peers_torch import sweep


class Draw(torch.autograd.Function):
    """t of zeta ~ (1 - q) r(zeta|0) + q r(zeta|1), z = [u < q]; backward by Eq. 9.

    zeta = rho^beta where z = 0, whose CDF is zeta^(1/beta); its mirror image 1 - rho^beta, that is -t, where z = 1.
    """

    @staticmethod
    def forward(ctx, logit_q, u, rho, beta):
        log_zeta = beta * torch.log(rho)
        t = log_zeta - torch.log(-torch.expm1(log_zeta))
        t = torch.where(u < torch.sigmoid(logit_q), -t, t)
        ctx.save_for_backward(t, logit_q)
        ctx.beta = beta
        return t

    @staticmethod
    def backward(ctx, d_t):
        t, logit_q = ctx.saved_tensors
        return d_t * _slope(t, logit_q, ctx.beta), None, None, None


def _slope(t, logit_q, beta):
    """dt / dlogit q = (R0 - R1) / (f0 / q + f1 / (1 - q)), written for the half of the interval where zeta is small."""
    log_far = -functional.softplus(-t.abs())
    log_near = log_far - t.abs()
    gap = torch.exp(log_near / beta) + torch.expm1(log_far / beta)
    logit = torch.where(t < 0, logit_q, -logit_q)
    f0, f1 = torch.exp(log_near / beta + log_far), torch.exp(log_far / beta + log_near)
    return beta * gap / (f0 / torch.sigmoid(logit) + f1 / torch.sigmoid(-logit))


def _repeat(y, k):
    """Each row k times."""
    return y if k == 1 else y.unsqueeze(1).expand(-1, k, -1).reshape(-1, y.shape[1])


def _dense(kernel, bias, x, zeta):
    """[x, zeta] kernel + bias; what hangs on x alone is computed once for its K samples."""
    if zeta is None:
        return torch.addmm(bias, x, kernel)
    kernel_x, kernel_zeta = kernel.split([x.shape[1], zeta.shape[1]])
    return torch.addmm(_repeat(torch.addmm(bias, x, kernel_x), len(zeta) // len(x)), zeta, kernel_zeta)


def _fresh_averages(network):
    """(mean, variance) of every hidden layer, 0 and 1."""
    hidden, _ = network
    return [(torch.zeros_like(scale), torch.ones_like(scale)) for _, (scale, _) in hidden]


def _network(params, moving, x, zeta, batch_norm):
    """Outputs (N, outputs) of dense layers with batch norm and tanh, a dense one last; zeta goes into the first."""
    epsilon, momentum = batch_norm
    hidden, out = params
    for ((kernel, bias), norm), averages in zip(hidden, moving, strict=True):
        (mean, variance), (scale, offset) = averages, norm
        y = _dense(kernel, bias, x, zeta)
        y = functional.batch_norm(y, mean, variance, scale, offset, True, momentum, epsilon)
        x, zeta = torch.tanh_(y), None
    kernel, bias = out
    return _dense(kernel, bias, x, zeta)


@torch.no_grad()
def _mean_field(a_left, a_right, W, b, sweeps):
    """(m_left, m_right, H(m)) after sweeps from m = 1/2, right side first: m_i = sigmoid(field of the other side's m).

    H = sum_i softplus(-|l_i|) + |l_i| sigmoid(-|l_i|), l = logit m: no difference of large numbers.
    """
    b_left, b_right = b.split(W.shape, 1)
    bias_left, bias_right = a_left + b_left, a_right + b_right
    left = torch.full_like(bias_left, 0.5)
    for _ in range(sweeps):
        logit_right = torch.addmm(bias_right, left, W)
        right = torch.sigmoid(logit_right)
        logit_left = torch.addmm(bias_left, right, W.T)
        left = torch.sigmoid(logit_left)
    size = torch.cat([logit_left, logit_right], 1).abs_()
    return left, right, (functional.softplus(-size) + size * torch.sigmoid(-size)).sum(1)


def _log_ratio(rbm, logit_q, b, sweeps):
    """log p(zeta) + log Z - log q(zeta|x) by mean field, whose m is not differentiated (Eq. 5)."""
    a, W = rbm
    a_left, a_right = a.split(W.shape)
    left, right, entropy = _mean_field(a_left, a_right, W, b.detach(), sweeps)
    m = torch.cat([left, right], 1)
    log_p = entropy + ((left @ W) * right).sum(1) + m @ a
    return log_p + (b * m - functional.softplus(logit_q + b) + functional.softplus(logit_q)).sum(1)


class Model:
    """Parameters as nested tuples of leaf tensors, and the bound."""

    def __init__(self, step):
        self.step, self.leaves = step, []
        self.encoder, self.decoder, self.rbm, _ = self._tensors(step.params)
        self.moving = [_fresh_averages(network) for network in [*self.encoder, self.decoder]]
        self.mean_x, self.output_bias = torch.tensor(step.mean_x), torch.tensor(step.output_bias)

    def _tensors(self, params):
        """The tree with tensors for arrays, each among the leaves in this order."""
        if isinstance(params, tuple):
            return tuple(self._tensors(part) for part in params)
        self.leaves.append(torch.tensor(params, requires_grad=True))
        return self.leaves[-1]

    def bound(self, x, u, rho):
        """The K-sample bound plus log Z of each image (B,), nats: log mean_k exp(log ratio + log p(x|zeta)) (Eq. 3)."""
        step = self.step
        t, zeta, logit_q = self._encode(x, u, rho)
        log_ratio = _log_ratio(self.rbm, logit_q, (1 - 1 / step.beta) * t, step.mean_field_sweeps)
        logits = _network(self.decoder, self.moving[-1], zeta, None, step.batch_norm) + self.output_bias
        logits = logits.view(len(x), step.k, -1)
        target = x.unsqueeze(1).expand_as(logits)
        log_px = -functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(2)
        return torch.logsumexp(log_ratio.view(len(x), -1) + log_px, 1) - math.log(step.k)

    def _encode(self, x, u, rho):
        """(t, zeta, logit q), (N, D) each, group by group: each group's network has the zeta of those before."""
        step, centred, zeta = self.step, x - self.mean_x, None
        groups, drawn, logits_q = len(self.encoder), [], []
        shares = zip(self.encoder, self.moving, u.chunk(groups, 1), rho.chunk(groups, 1), strict=False)
        for network, moving, own_u, own_rho in shares:
            logit_q = _network(network, moving, centred, zeta, step.batch_norm)
            if zeta is None:
                logit_q = _repeat(logit_q, step.k)
            logits_q.append(logit_q)
            drawn.append(Draw.apply(logit_q, own_u, own_rho, step.beta))
            new = torch.sigmoid(drawn[-1])
            zeta = new if zeta is None else torch.cat([zeta, new], 1)
        return torch.cat(drawn, 1), zeta, torch.cat(logits_q, 1)

    def loss(self, bound, moments):
        """Minus the bound, with the negative phase as the gradient of log Z."""
        (a, W), (z, zz) = self.rbm, moments
        return -bound.mean() + a @ z + (W * zz).sum()


@torch.no_grad()
def _negative_phase(rbm, z_left, sweeps):
    """z_left so many sweeps later, and the moments."""
    a, W = rbm
    a_left, a_right = a.split(W.shape)
    z_left, z_right = sweep(a_left, a_right, W, W.T, z_left, sweeps)
    moments = torch.cat([z_left.mean(0), z_right.mean(0)]), z_left.T @ z_right / len(z_left)
    return z_left, moments


def _adam(leaves, step):
    """PyTorch's, which adds epsilon to the corrected sqrt(v): other steps than ours, and the same work."""
    decayed = [leaf for leaf, applies in zip(leaves, step.decayed, strict=True) if applies]
    others = [leaf for leaf, applies in zip(leaves, step.decayed, strict=True) if not applies]
    groups = [{"params": decayed, "weight_decay": step.weight_decay}, {"params": others}]
    beta1, beta2, epsilon = step.adam
    return torch.optim.Adam(groups, lr=step.learning_rate, betas=(beta1, beta2), eps=epsilon, fused=True)


def training_step(step):
    """(run, answer): `step.steps` steps of training, and the answer of benchmarks.step."""
    model = Model(step)
    given = [torch.tensor(value) for value in step.moments]
    batches = torch.tensor(step.batches)
    chains = torch.bernoulli(torch.full((step.chains, len(step.params[2][1])), 0.5))
    adam, count = _adam(model.leaves, step), 0

    def run():
        nonlocal chains, count
        for _ in range(step.steps):
            moments = given
            if step.sweeps:
                chains, moments = _negative_phase(model.rbm, chains, step.sweeps)
            u, rho = torch.rand(step.u.shape), torch.rand(step.u.shape).clamp_min_(2**-25)
            adam.zero_grad()
            model.loss(model.bound(batches[count % len(batches)], u, rho), moments).backward()
            adam.step()
            count += 1

    def answer():
        adam.zero_grad()
        bound = model.bound(batches[0], torch.tensor(step.u), torch.tensor(step.rho))
        model.loss(bound, given).backward()
        return [bound.detach().numpy()] + [-leaf.grad.numpy() for leaf in model.leaves if leaf.dim() == 2]

    return run, answer
