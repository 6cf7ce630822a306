"""Systematic resampling on a GPU: `population.systematic` as whole weights, their prefix sum, and a search in it.

The prefix sum is of integers, exact in any order; what is done in floating point is done to one number at a time, and
each operation is correctly rounded. So ancestors are those of the CPU.
"""

import math

import numpy as np
from numba import cuda, int64

from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.weights import LEAST_LOG_W, whole

THREADS = 256


def systematic(log_w, u):
    """Ancestors of R new replicas, as of `population.systematic`: (R,), int64."""
    shifted = device.put(np.float32(log_w - np.max(log_w)))
    weights, ends, found = (device.empty(len(log_w), np.int64) for _ in range(3))
    blocks = -(-len(log_w) // THREADS)
    device.launch(weigh_kernel, blocks, THREADS, shifted, weights)
    device.launch(share_kernel, blocks, THREADS, prefix_sum(weights), np.float64(u), ends)
    device.launch(search_kernel, blocks, THREADS, ends, found)
    return device.get(found)


def prefix_sum(values):
    """n_0, n_0 + n_1, ...: (R,), int64, on the GPU. Within blocks first; then the blocks' sums, likewise, are added."""
    blocks = -(-values.shape[0] // THREADS)
    sums, totals = device.empty(values.shape[0], np.int64), device.empty(blocks, np.int64)
    device.launch(scan_kernel, blocks, THREADS, values, sums, totals)
    if blocks > 1:
        device.launch(shift_kernel, blocks, THREADS, sums, prefix_sum(totals))
    return sums


def gather(nibbles, ancestors):
    """nibbles[ancestors]: (R, q), uint8."""
    nibbles = device.put(nibbles)
    copies = device.empty((len(ancestors), nibbles.shape[1]), np.uint8)
    device.launch(gather_kernel, -(-copies.size // THREADS), THREADS, nibbles, device.put(ancestors), copies)
    return device.get(copies)


@device.kernel()
def weigh_kernel(shifted, weights):
    """Whole weights from log-weights of which the largest is 0: (R,), float32, and (R,), int64."""
    i = THREADS * device.block()[0] + device.thread()[0]
    if i < weights.shape[0]:
        weights[i] = whole(max(shifted[i], LEAST_LOG_W))


@device.kernel()
def scan_kernel(values, sums, totals):
    """Sums within blocks of 256, by doubling: before the pass of a `reach`, an entry holds the last `reach` values.

    values, sums: (R,), totals: (blocks,), int64. The passes go to and fro between two buffers: a barrier a pass.
    """
    buffers = cuda.shared.array((2, THREADS), int64)
    x, b = device.thread()[0], device.block()[0]
    i = THREADS * b + x
    buffers[0, x] = values[i] if i < values.shape[0] else 0
    source, reach = 0, 1
    while reach < THREADS:
        cuda.syncthreads()
        before = buffers[source, x - reach] if x >= reach else 0
        buffers[1 - source, x] = buffers[source, x] + before
        source, reach = 1 - source, 2 * reach
    if i < values.shape[0]:
        sums[i] = buffers[source, x]
    if x == THREADS - 1:
        totals[b] = buffers[source, x]


@device.kernel()
def shift_kernel(sums, totals):
    """Add to each block the sum of all blocks before it; totals: their prefix sums."""
    b = device.block()[0]
    i = THREADS * b + device.thread()[0]
    if b > 0 and i < sums.shape[0]:
        sums[i] += totals[b - 1]


@device.kernel()
def share_kernel(cumulated, u, ends):
    """The replica after the last copy of each: ceil(R cumulated / total - u); (R,), int64; u: float64."""
    i = THREADS * device.block()[0] + device.thread()[0]
    size = ends.shape[0]
    if i < size:
        share = np.float64(cumulated[i]) * np.float64(size) / np.float64(cumulated[size - 1])
        ends[i] = np.int64(math.ceil(share - u))


@device.kernel()
def search_kernel(ends, found):
    """The ancestor of copy i, by bisection: the first whose end lies beyond i."""
    i = THREADS * device.block()[0] + device.thread()[0]
    if i < found.shape[0]:
        low, high = 0, found.shape[0] - 1
        while low < high:
            middle = (low + high) // 2
            if ends[middle] > i:
                high = middle
            else:
                low = middle + 1
        found[i] = low


@device.kernel()
def gather_kernel(nibbles, ancestors, copies):
    """A thread a byte; (R, q), uint8, and (R,), int64."""
    n = THREADS * device.block()[0] + device.thread()[0]
    i, g = n // copies.shape[1], n % copies.shape[1]
    if i < copies.shape[0]:
        copies[i, g] = nibbles[ancestors[i], g]
