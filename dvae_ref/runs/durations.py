"""How long a training takes, roughly: said before it begins, with a way to try small."""

from dvae_ref.model.structures import STRUCTURES

SAMPLES = (1, 5, 25)  # K
MILLISECONDS = {  # of an iteration on 100 images at these K, one core of a Zen 5: docs/results/milliseconds.csv
    "1-layer-lin": (7.98, 15.5, 50.3),
    "1-layer-nonlin": (10.2, 19.9, 58.7),
    "2-layer-nonlin": (19.5, 35.7, 143),
    "4-layer-nonlin": (24, 48, 192),
}
TRY = "--num-train-iter 5000"
assert set(MILLISECONDS) == set(STRUCTURES)


def milliseconds(struct, samples):
    """Of an iteration, straight lines between the measured K and beyond the last.

    An iteration costs a constant, what depends on the images alone and the sampler, and a part in proportion to K.
    """
    known = MILLISECONDS[struct]
    i = int(samples > SAMPLES[1])  # from which of the measured K on
    slope = (known[i + 1] - known[i]) / (SAMPLES[i + 1] - SAMPLES[i])
    return known[i] + slope * (samples - SAMPLES[i])


def hours(settings, iterations=None):
    """Of one core, for so many iterations (default: all) of a run; validations come on top.

    A batch of b images with K samples each is taken for one of 100 with K b / 100.
    """
    iterations = settings.num_train_iter if iterations is None else iterations
    one = milliseconds(settings.struct, settings.k * settings.batch_size / 100)
    return max(one, 1) * iterations / 3.6e6  # where the line falls below it, 1 ms


def notice(total):
    """A sentence for a command of so many hours of one core; None for one of less than a quarter of an hour."""
    if total < 0.25:
        return None
    amount = f"{total:,.0f} hours" if total >= 1.5 else f"{60 * total:.0f} minutes"
    return f"this takes about {amount} of one core (a Zen 5); a first try: {TRY}"
