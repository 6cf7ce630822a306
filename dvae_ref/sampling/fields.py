"""The fields of an RBM, a + W z, in arithmetic that does not round, and the compact storage of z.

**Storage.** A side of D units is held as q = ceil(D / 4) nibbles, a uint8 each: bit k of nibble g is unit k q
+ g. The four words of one Philox counter then serve the four units of one nibble, and a loop over g runs
through contiguous memory.

**Exact fields.** `exact_fields` rounds a and W to multiples of a power of two, the step s, so coarse that the
absolute values that meet in any one field add up to less than 2**24 s. Every partial sum, in whatever order,
is then an integer below 2**24 times s, which float32 holds exactly: a table look-up, BLAS, with FMA or
without, one thread or many, and a GPU all compute the very same fields. A parameter moves by at most s/2; for
fields that reach 50 that is 2**-19 = 2e-6.
Derived in docs/derivations/09-sampling.md.
"""

import functools
import math
import warnings

import numpy as np
import numpy.typing as npt

from dvae_ref.arrays import Array, shapes_named
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import vector
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM

FINEST = 2.0**-27  # of the steps; below it no parameter matters
MAX_FIELD = 2.0**14  # beyond it s > 2**-10, and rounding would no longer be harmless
HARMLESS = 1e-3  # nats: what rounding may do to a field without a warning; no probability moves by more than a quarter
NEVER = np.float32(-128)  # the field of the units that pad the last nibbles; below -16.7 no unit is ever 1
_BITS = np.array([[v >> k & 1 for k in range(4)] for v in range(16)], np.float32)  # (16, 4): nibble v, bit k
_TILE = 2 * vector.LANES  # columns of a table that are summed together
_ENTRY, _LANES = np.uint64(_TILE), np.uint64(vector.LANES)


def exact_fields(rbm: RBM) -> tuple[RBM, Array]:
    """(rbm rounded to multiples of the units' steps, float32; steps (D,)): every sum of a field is exact in float32.

    The step s_u of a unit is the least power of two with |a_u| + sum |W| < 2**24 s_u over the weights that meet there,
    and at least 2**-27. a_u is a multiple of s_u, W_ij one of the larger of s_i and s_j, and so of both: one unit with
    large weights costs the others nothing. Rounding moves parameters, and where it makes a sum too large for its step,
    that step is doubled. ValueError if the parameters are not finite, or if a field can reach 2**14 (s would exceed
    2**-10).
    """
    boltzmann.check(rbm)
    a, W = (np.asarray(value, np.float64) for value in rbm)
    if min(W.shape) < 1:
        raise ValueError(f"an RBM needs at least one unit on each side; W has shape {W.shape}")
    far = reach(a, W)
    if np.max(far) >= MAX_FIELD:
        raise ValueError(
            f"the RBM's weights are too large to sample from: a unit's field can reach {np.max(far):.3g}, "
            f"and units freeze far below the limit of {MAX_FIELD:.0f}; has training diverged?"
        )
    (a, W), own = _rounded(a, W, far)
    return RBM(a.astype(np.float32), W.astype(np.float32)), own


def _rounded(a, W, far):
    """((a, W) as multiples of the units' steps, these steps), float64, of fields that reach so far."""
    own, needed = np.zeros_like(far), steps(far)
    while np.any(needed > own):
        own = np.maximum(own, needed)
        rounded = _whole(a, own), _whole(W, np.maximum(own[: len(W), None], own[len(W) :]))
        needed = steps(reach(*rounded))
    return rounded, own


def warn_of_rounding(rbm: RBM, rounded: RBM, own: Array) -> None:
    """Warn if rounding by `exact_fields`, to (rounded, own (D,)), moves a field by more than HARMLESS; name the worst
    unit.

    That takes a unit with large weights beside tiny ones: its step loses these, and samples are of another machine.
    Whoever weighs them by the energies of the given one, as `ais` does, needs no warning.
    """
    if (1 + max(rounded.W.shape)) * np.max(own) / 2 < HARMLESS:  # each number moves by half of the largest step at most
        return
    most, likely = rounding(rbm, rounded)
    worst, n_left = int(np.argmax(likely)), len(rounded.W)
    if likely[worst] > HARMLESS:
        unit = f"left unit {worst}" if worst < n_left else f"right unit {worst - n_left}"
        warnings.warn(
            f"the field of {unit} is off by up to {most[worst]:.1g} nats: sampling takes its weights, which reach "
            f"{own[worst] * 2**24:.2g} in sum, in steps of {own[worst]:.2g}, and loses those below half a step; make "
            "the large ones smaller, or weigh samples (annealed importance sampling does)",
            stacklevel=4,
        )


def rounding(rbm: RBM, rounded: RBM) -> tuple[Array, Array]:
    """How far a unit's field moves from one RBM to another, d_a + z d_W, in nats: (most (D,), likely (D,)).

    It is most where z picks the differences of one sign. `likely` is what it is for z = 0 or all 1, and two standard
    deviations for units that are 1 half of the time: differences of all signs hardly add up.
    """
    d_a, d_W = (np.asarray(y, np.float64) - np.asarray(x, np.float64) for x, y in zip(rbm, rounded, strict=True))
    up, down, square = (
        np.concatenate([part.sum(1), part.sum(0)]) for part in (np.maximum(d_W, 0), np.minimum(d_W, 0), d_W**2)
    )
    ends = np.maximum(np.abs(d_a), np.abs(d_a + up + down))
    return np.maximum(d_a + up, -d_a - down), ends + np.sqrt(square)


def _whole(values, step):
    """The values rounded to multiples of the step."""
    values = values / step
    np.rint(values, out=values)
    values *= step
    return values


@shapes_named
def reach(a: Array, W: Array) -> Array:
    """The most that a unit's field can be in absolute value: |a_u| + sum |W|, of all units (D,)."""
    size = np.abs(W)
    return np.abs(a) + np.concatenate([size.sum(1), size.sum(0)])


def steps(reach: Array) -> Array:
    """The least powers of two of which 2**24 are more than the reach, (D,), and at least 2**-27."""
    _, exponent = np.frexp(np.maximum(reach, FINEST * 2.0**23) / 2**24)
    return np.ldexp(1.0, exponent)


def sides(values: Array, W: Array) -> tuple[Array, Array]:
    """(left, right): views of the values of all units, (D,), in its two sides."""
    return values[: len(W)], values[len(W) :]


def pack(z: Array) -> Array:
    """Binary z (R, D) -> nibbles (R, ceil(D / 4)), uint8.  ValueError for another shape.

    >>> pack(np.array([[1, 0, 0, 1, 1]])).tolist()  # units 0, 2, 4 and 1, 3
    [[5, 2]]
    """
    if z.ndim != 2:
        raise ValueError(f"states to pack are (R, D); got shape {z.shape}")
    rows, units = z.shape
    planes = np.zeros((rows, 4, -(-units // 4)), np.uint8)
    planes.reshape(rows, -1)[:, :units] = z
    return planes[:, 0] | planes[:, 1] << 1 | planes[:, 2] << 2 | planes[:, 3] << 3


def check_packed(nibbles: Array, units: int, name: str) -> None:
    """ValueError unless this is what `pack` makes of so many units, (R, ceil(units / 4)): bits that only pad are 0.

    TypeError for what is no array of real numbers.
    """
    domains.real(name, nibbles)
    q = -(-units // 4)
    if nibbles.dtype != np.uint8 or nibbles.ndim != 2 or nibbles.shape[1] != q:
        raise ValueError(f"{name} must be uint8 of shape (R, {q}), {units} units; got {nibbles.dtype} {nibbles.shape}")
    present = _present(units)
    if np.any(odd := nibbles & ~present):
        raise ValueError(f"{name} has bits that are no units: {nibbles[odd > 0][0]} in a nibble")


@functools.lru_cache(16)
def _present(units):
    """The bits of each nibble that are units."""
    present = pack(np.ones((1, units), np.uint8))[0]
    present.flags.writeable = False
    return present


def unpack(nibbles: Array, units: int) -> Array:
    """Nibbles (R, q) -> z (R, units), float32.  ValueError unless q is ceil(units / 4)."""
    if nibbles.ndim != 2 or nibbles.shape[1] != -(-units // 4):
        raise ValueError(f"{units} units are packed in (R, {-(-units // 4)}); got {nibbles.shape}")
    planes = nibbles[:, None, :] >> np.arange(4, dtype=np.uint8)[:, None] & 1
    return planes.reshape(len(nibbles), -1)[:, :units].astype(np.float32)


def partial_sums(W: Array) -> Array:
    """The sum of the rows of W (units in, units out) that nibble g = v switches on: (q_in, 16, units out)."""
    q_in = -(-W.shape[0] // 4)
    padded = np.zeros((4 * q_in, W.shape[1]), W.dtype)
    padded[: len(W)] = W
    return (_BITS.astype(W.dtype) @ padded.reshape(4, -1)).reshape(16, q_in, -1).transpose(1, 0, 2)


def tables(W: Array, a: Array) -> Array:
    """`partial_sums` as `add_up` reads them, of the shape (tiles, 16 q_in, 32), float32, on a cache line.

    A tile has 32 of the units out. Its entry 16 g + v belongs to value v of nibble g, and one entry per nibble adds up
    to a + W z, as a is part of nibble 0. Units that pad the last nibbles and the last tile have the field 0.
    """
    n_out = W.shape[1]
    columns = np.zeros((-(-len(W) // 4), 16, -(-n_out // _TILE) * _TILE), np.float32)
    columns[..., :n_out] = partial_sums(W)
    columns[0, :, :n_out] += a
    table = aligned((columns.shape[2] // _TILE, 16 * len(columns), _TILE))
    table[:] = columns.reshape(table.shape[1], -1, _TILE).transpose(1, 0, 2)
    return table


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """An empty array of this shape that starts on a cache line: vectors loaded from its rows never straddle two."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


@compiled()
def empty_rows(chains: int, table: Array) -> Array:
    """Room for the fields of a block of chains, of shape (chains, width): a whole number of tiles each.

    Allocated once per block: to return it to the system and ask again in each sweep would cost more than the sweep.
    """
    return np.empty((chains, len(table) * _TILE), np.float32)


@compiled()
def add_up(nibbles: Array, table: Array, rows: Array) -> None:
    """Fields of a block of chains: rows[c, u] is that of unit u of chain c.

    nibbles: (R, q_in), of the other side; table: from `tables`; rows: from `empty_rows`, written.
    It goes tile by tile: the part of the table in use (2 KB x q_in) then stays in the nearest caches for all chains,
    and the sums stay in registers.
    """
    chains, tiles = len(nibbles), len(table)
    entries, flat = table.reshape(-1), rows.reshape(-1)
    for tile in range(tiles):
        for c in range(chains):
            low, high = _sum_tile(nibbles[c], entries, np.uint64(tile * table.shape[1] * _TILE))
            start = np.uint64((c * tiles + tile) * _TILE)
            vector.store(flat, start, low)
            vector.store(flat, start + _LANES, high)


@compiled()
def _sum_tile(nibbles, entries, start):
    """The sum over nibbles of their entries in the tile that begins at `start`, as two vectors."""
    entry = start + np.uint64(nibbles[0]) * _ENTRY
    low, high = vector.load(entries, entry), vector.load(entries, entry + _LANES)
    for g in range(1, len(nibbles)):
        start += np.uint64(16) * _ENTRY
        entry = start + np.uint64(nibbles[g]) * _ENTRY
        low = vector.add(low, vector.load(entries, entry))
        high = vector.add(high, vector.load(entries, entry + _LANES))
    return low, high
