"""How much memory what is asked for would take: too much is refused before the work, with the number of bytes.

What an item takes was measured as the growth of a process, and is rounded up; `tests/runs/test_sizes.py` holds it
against what is allocated.
"""

import os

from dvae_ref.model.structures import STRUCTURES
from dvae_ref.sampling.paths import MOST_TEMPERATURES

AIS_UNIT = 26  # bytes of a unit of a chain, in `sampling.ais`
TEMPERATURE = 20  # bytes of a temperature
MOMENT_UNIT = 32  # bytes of a unit of a chain whose moments are taken in float64
CHAIN_UNIT = 8  # bytes of a unit of a chain, in the samplers of the negative phase
SAMPLE_UNIT = 4  # bytes of a unit of an importance sample; each thread has some of an image, and three images wait
SAMPLE = 100  # bytes of its weights
ROW = 2**16  # bytes of a sample of an image in training, in the largest structure
PICTURE = 450_000  # bytes of an image in a picture of many
DECODED = 10_000  # bytes of an image besides


def most():
    """Bytes that a command may take for what it is asked for: 2 GiB, or DVAE_REF_MEMORY GiB."""
    given = os.environ.get("DVAE_REF_MEMORY", "2")
    try:
        return int(float(given) * 2**30)
    except (ValueError, OverflowError):
        raise ValueError(f"DVAE_REF_MEMORY must be a number of GiB, got {given!r}") from None


def demand(what, size):
    """ValueError if it takes more bytes than it may."""
    limit = most()
    if size > limit:
        raise ValueError(
            f"{what} would take {size:,} bytes of memory, {limit:,} are allowed: take less, or set DVAE_REF_MEMORY=GIB"
        )


def check_settings(settings, threads=1):
    """ValueError if a run with these settings would take too much."""
    s, latents = settings, STRUCTURES[settings.struct].latents
    demand(f"{s.chains:,} chains", ais(s.chains, s.eval_temperatures, latents) + CHAIN_UNIT * latents * s.chains)
    demand(f"k {s.k:,} and batch_size {s.batch_size:,}", ROW * s.k * s.batch_size)
    demand(f"{s.eval_samples:,} eval_samples", importance(s.eval_samples, latents, threads))
    check_temperatures("eval_temperatures", s.eval_temperatures)


def check_measurement(struct, samples, temperatures, ais_chains, threads=1):
    """ValueError if a measurement would take too much."""
    latents = STRUCTURES[struct].latents
    check_temperatures("temperatures", temperatures)
    demand(f"{ais_chains:,} AIS chains of {latents} units", ais(ais_chains, temperatures, latents))
    demand(f"{samples:,} importance samples of {latents} units", importance(samples, latents, threads))


def check_machine(shape, chains, temperatures):
    """ValueError if annealing and chains of a machine of this shape (left, right), and their moments, would take too
    much."""
    check_temperatures("temperatures", temperatures)
    units = sum(shape)
    demand(f"{chains:,} chains of {units:,} units", ais(chains, temperatures, units) + MOMENT_UNIT * units * chains)


def check_pictures(struct, number):
    """ValueError if so many images, and the picture of them, would take too much."""
    chains = CHAIN_UNIT * STRUCTURES[struct].latents * number
    demand(f"a picture of {number:,} images", chains + (PICTURE + DECODED) * number)


def check_temperatures(name, number):
    """ValueError for more inverse temperatures than float32 has distinct ones of, `name` the setting."""
    if number > MOST_TEMPERATURES:
        raise ValueError(f"{name} must be at most {MOST_TEMPERATURES:,}: float32 tells no more apart; got {number:,}")


def ais(chains, temperatures, latents):
    """Bytes of annealing so many chains of so many units."""
    return AIS_UNIT * latents * chains + TEMPERATURE * temperatures


def importance(number, latents, threads):
    """Bytes of the noise of an image in each thread and of three that wait, and of an image's log-weights.

    Activations are not in it: a thread decodes `evaluation.CHUNK_ROWS` samples at a time, however many there are.
    """
    return (SAMPLE_UNIT * latents * (threads + 3) + SAMPLE) * number
