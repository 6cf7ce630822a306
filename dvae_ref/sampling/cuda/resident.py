"""Fields a + W z of eight chains with all of W in shared memory: it is copied there once, and read in every sweep.

**Shared memory** of a block of threads, floats one after the other (`layout.Plan`): W, with 4 q_left rows of `vectors`
times four floats; the states of the left side and of the right as floats 0 and 1, first those of chains 0 .. 3, four to
a unit, then those of 4 .. 7; and the partial sums, for each share and each four units. Row i of W is unit i of the left
side, column j unit j of the right side; both sides are filled up to whole nibbles by units that are never 1.

**Warps.** A warp has 128 units out, four to a thread, and a share of the units in. The 32 sums of a thread, of its
units and the eight chains, stay in registers, and a weight that is loaded serves eight chains. Then every thread adds
up the shares of a unit, and draws it for the eight chains from one Philox counter (`spins`). So there are two barriers
to a side: one before the partial sums are read and one before the new states are.

**Exactness.** Every sum is exact (`fields.exact_fields`), in this order as in any other, and so is each product by a
bit: it does not matter that the compiler contracts them to FMAs.

**Banks.** Shared memory has 32 banks of a word, and a vector of four words is read by eight threads at a time. To the
right, neighbouring threads read neighbouring vectors of a row. To the left they read vectors of neighbouring rows, and
as `vectors` is odd, eight of these are in different banks. States are stored as neighbouring vectors. The sums of four
units take nine vectors, of which the last is empty: so they can be stored as vectors and read as words. There are no
conflicts (`validation/cuda/banks.py` counts them).
"""

import numpy as np

from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.cuda.layout import LANES, ROOM, SUMS
from dvae_ref.sampling.philox import CHAINS

_HALF = CHAINS // 2  # chains whose states are a vector

# -- places ------------------------------------------------------------------------------------------------------------
# Those in shared memory are counted in vectors of four floats, so that the compiler sees what is aligned.


@device.function
def units_at(plan, number, right):
    """Where the values of a side begin in `parameters`, of the number-th pair."""
    return 16 * plan.q_left * plan.vectors + 4 * (number * (plan.q_left + plan.q_right) + right * plan.q_left)


@device.function
def _states_at(plan, right, unit, half):
    """The states of a unit in chains 0 .. 3, half 0, or 4 .. 7, half 1."""
    q = plan.q_right if right else plan.q_left
    return 4 * plan.q_left * plan.vectors + CHAINS * right * plan.q_left + 4 * half * q + unit


@device.function
def _sums_at(plan, right, part, vector, c):
    """A share's sums of the units 4 vector .. 4 vector + 3 of a side in chain c."""
    before = 4 * plan.q_left * plan.vectors + CHAINS * (plan.q_left + plan.q_right)
    return before + ROOM * ((plan.q_right if right else plan.q_left) * part + vector) + c


# -- a block's states, from and to the nibbles of all chains: of the left side (R, q_left), then of the right ----------


@device.function
def load(nibbles, chains, parameters, plan, shared):
    """W and the states of the left side."""
    g, row = device.thread()
    while row < 4 * plan.q_left:
        for i in range(4 * plan.vectors * row + g, 4 * plan.vectors * (row + 1), LANES):
            shared[device.index(i)] = parameters[device.index(i)]
        row += device.shape()[1]
    (g, warp), q, first = device.thread(), plan.q_left, CHAINS * device.block()[0]
    while g < q:
        c = warp
        while c < CHAINS:
            nibble = np.uint32(0)
            if first + c < chains:
                nibble = np.uint32(nibbles[device.index((first + c) * q + g)])
            for k in range(4):
                shared[_state(plan, 0, k * q + g, c)] = _bit(nibble, k)
            c += device.shape()[1]
        g += LANES


@device.function
def store(nibbles, chains, plan, right, shared):
    """A side's states."""
    (g, warp), first, q = device.thread(), CHAINS * device.block()[0], plan.q_right if right else plan.q_left
    while g < q:
        c = warp
        while c < min(CHAINS, chains - first):
            nibble = np.uint32(0)
            for k in range(4):
                nibble |= np.uint32(np.int32(state(plan, right, k * q + g, c, shared))) << np.uint32(k)
            nibbles[device.index(right * chains * plan.q_left + (first + c) * q + g)] = nibble
            c += device.shape()[1]
        g += LANES


@device.function
def _state(plan, right, unit, c):
    return device.index(4 * _states_at(plan, right, unit, c // _HALF) + c % _HALF)


@device.function
def state(plan, right, unit, c, shared):
    """A unit of chain c of the eight: 0 or 1."""
    return shared[_state(plan, right, unit, c)]


@device.function
def _bit(bits, k):
    return np.float32(np.int32(bits >> np.uint32(k) & np.uint32(1)))


@device.function
def set_states(plan, right, unit, up, shared):
    """A unit of the eight chains, bit c of `up` that of chain c."""
    for c in range(CHAINS):
        shared[_state(plan, right, unit, c)] = _bit(up, c)


# -- fields ------------------------------------------------------------------------------------------------------------


@device.function
def add_up_right(plan, work, shared, sums):
    """This warp's share of W' z_left, stored."""
    column, part, first, last = _own(work, 1)
    vector = LANES * column + device.thread()[0]
    if part >= 0 and vector < plan.q_right:
        _clear(sums)
        unit = 4 * first
        while unit < 4 * last:
            _add_unit(plan, unit, vector, shared, sums)
            _add_unit(plan, unit + 1, vector, shared, sums)
            _add_unit(plan, unit + 2, vector, shared, sums)
            _add_unit(plan, unit + 3, vector, shared, sums)
            unit += 4
        for c in range(CHAINS):
            for k in range(4):
                shared[device.index(4 * _sums_at(plan, 1, part, vector, c) + k)] = sums[4 * c + k]


@device.function
def _add_unit(plan, unit, vector, shared, sums):
    """One unit in: its weights of four units out, and its bit in eight chains."""
    for c in range(CHAINS):
        z = shared[_state(plan, 0, unit, c)]
        for k in range(4):
            sums[4 * c + k] += shared[device.index(4 * (unit * plan.vectors + vector) + k)] * z


@device.function
def add_up_left(plan, work, shared, sums):
    """This warp's share of W z_right, stored; the units out of a thread are those of a nibble, q_left apart."""
    column, part, first, last = _own(work, 0)
    nibble = LANES * column + device.thread()[0]
    if part >= 0 and nibble < plan.q_left:
        _clear(sums)
        while first < last:
            _add_vector(plan, first, nibble, shared, sums)
            first += 1
        for k in range(4):
            unit = k * plan.q_left + nibble
            for c in range(CHAINS):
                shared[device.index(4 * _sums_at(plan, 0, part, unit >> 2, c) + (unit & 3))] = sums[4 * c + k]


@device.function
def _add_vector(plan, j, nibble, shared, sums):
    """Four units in, of number 4 j and on: their weights of four units out, and their bits in eight chains."""
    for k in range(4):
        row = (k * plan.q_left + nibble) * plan.vectors
        for m in range(4):
            w = shared[device.index(4 * (row + j) + m)]
            for c in range(CHAINS):
                sums[4 * c + k] += w * shared[_state(plan, 1, 4 * j + m, c)]


@device.function
def _own(work, right):
    """This warp's row. It is read anew for every side: what follows from it would take registers all the time."""
    at = 4 * (right * device.shape()[1] + device.thread()[1])
    i = device.index(at)
    return work[i], work[i + np.uint64(1)], work[i + np.uint64(2)], work[i + np.uint64(3)]


@device.function
def _clear(sums):
    for i in range(SUMS):
        sums[i] = np.float32(0)


@device.function
def fields(plan, right, unit, offset, shared, field):
    """field[c] = offset + the shares of a side's unit, of the eight chains."""
    shares = plan.shares_right if right else plan.shares_left
    for c in range(CHAINS):
        field[c] = offset
    part = 0
    while part < shares:
        for c in range(CHAINS):
            field[c] += shared[device.index(4 * _sums_at(plan, right, part, unit >> 2, c) + (unit & 3))]
        part += 1
