"""What a user of PyTorch would write: a training step of DVAE#, eager, gradients by autograd. Importing it needs torch.

zeta is held by t = logit(zeta), which floating point can tell apart at both ends. Densities are relative to
r(zeta|0), which p and q share; with b = log r(zeta|1) - log r(zeta|0) = (1 - 1/beta) t.
"""

import math

import torch
from torch.nn import functional

from benchmarks.peers_torch import sweep


class Draw(torch.autograd.Function):
    """t of zeta ~ (1 - q) r(zeta|0) + q r(zeta|1), z = [u < q]; backward by Eq. 9."""

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


def _moving_averages(networks):
    """(mean, variance) of every hidden layer of every network."""
    return [[(torch.zeros_like(scale), torch.ones_like(scale)) for _, (scale, _) in hidden] for hidden, _ in networks]


def _network(params, moving, x, zeta, batch_norm):
    epsilon, momentum = batch_norm
    hidden, out = params
    for ((kernel, bias), norm), averages in zip(hidden, moving, strict=True):
        y = functional.batch_norm(_dense(kernel, bias, x, zeta), *averages, *norm, True, momentum, epsilon)
        x, zeta = torch.tanh_(y), None
    return _dense(*out, x, zeta)


@torch.no_grad()
def _mean_field(a_left, a_right, W, b, sweeps):
    """(m_left, m_right, H(m))."""
    bias_left, bias_right = a_left + b[:, : len(W)], a_right + b[:, len(W) :]
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
    left, right, entropy = _mean_field(a[: len(W)], a[len(W) :], W, b.detach(), sweeps)
    m = torch.cat([left, right], 1)
    log_p = entropy + ((left @ W) * right).sum(1) + m @ a
    return log_p + (b * m - functional.softplus(logit_q + b) + functional.softplus(logit_q)).sum(1)


class Model:
    """Parameters as nested tuples of leaf tensors, and the bound."""

    def __init__(self, step):
        self.step, self.leaves = step, []
        self.encoder, self.decoder, self.rbm, _ = self._tensors(step.params)
        self.moving = _moving_averages([*self.encoder, self.decoder])
        self.mean_x, self.output_bias = torch.tensor(step.mean_x), torch.tensor(step.output_bias)

    def _tensors(self, params):
        if isinstance(params, tuple):
            return tuple(self._tensors(part) for part in params)
        self.leaves.append(torch.tensor(params, requires_grad=True))
        return self.leaves[-1]

    def bound(self, x, u, rho):
        """The K-sample bound plus log Z of each image."""
        step, centred, zeta = self.step, x - self.mean_x, None
        drawn, logits_q, first = [], [], 0
        for network, moving in zip(self.encoder, self.moving[:-1], strict=True):
            logit_q = _network(network, moving, centred, zeta, step.batch_norm)
            if first == 0:
                logit_q = _repeat(logit_q, step.k)
            own = slice(first, first + logit_q.shape[1])
            first = own.stop
            logits_q.append(logit_q)
            drawn.append(Draw.apply(logit_q, u[:, own], rho[:, own], step.beta))
            new = torch.sigmoid(drawn[-1])
            zeta = new if zeta is None else torch.cat([zeta, new], 1)
        b = (1 - 1 / step.beta) * torch.cat(drawn, 1)
        log_ratio = _log_ratio(self.rbm, torch.cat(logits_q, 1), b, step.mean_field_sweeps)
        logits = _network(self.decoder, self.moving[-1], zeta, None, step.batch_norm) + self.output_bias
        logits = logits.view(len(x), step.k, -1)
        target = x.unsqueeze(1).expand_as(logits)
        log_px = -functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(2)
        return torch.logsumexp(log_ratio.view(len(x), -1) + log_px, 1) - math.log(step.k)

    def loss(self, bound, moments):
        """Minus the bound, with the negative phase as the gradient of log Z."""
        (a, W), (z, zz) = self.rbm, moments
        return -bound.mean() + a @ z + (W * zz).sum()


def _negative_phase(rbm, z_left, sweeps):
    """z_left so many sweeps later, and the moments."""
    a, W = (value.detach() for value in rbm)
    z_left, z_right = sweep(a[: len(W)], a[len(W) :], W, W.T, z_left, sweeps)
    moments = torch.cat([z_left.mean(0), z_right.mean(0)]), z_left.T @ z_right / len(z_left)
    return z_left, moments


def training_step(step):
    """(run, answer): `step.steps` steps of training, and the answer of benchmarks.step."""
    model = Model(step)
    given = [torch.tensor(value) for value in step.moments]
    batches = torch.tensor(step.batches)
    chains = torch.bernoulli(torch.full((step.chains, len(step.params[2][1])), 0.5))
    decayed = [leaf for leaf, applies in zip(model.leaves, step.decayed, strict=True) if applies]
    others = [leaf for leaf, applies in zip(model.leaves, step.decayed, strict=True) if not applies]
    groups = [{"params": decayed, "weight_decay": step.weight_decay}, {"params": others}]
    beta1, beta2, epsilon = step.adam
    adam = torch.optim.Adam(groups, lr=step.learning_rate, betas=(beta1, beta2), eps=epsilon, fused=True)
    count = 0

    def run():
        nonlocal chains, count
        for _ in range(step.steps):
            moments = given
            if step.sweeps:
                with torch.no_grad():
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
        return [bound.detach().numpy(), *(-leaf.grad.numpy() for leaf in model.leaves if leaf.dim() == 2)]

    return run, answer
