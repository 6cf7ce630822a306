"""How many blocks of chains go through the same tables together: a task of an engine."""

WIDEST = 8


def shared(blocks, size, near, threads):
    """Blocks to a task: where tables are large, many share what is read of them, but every thread has as much to do.

    One more for each `near` bytes of the `size` of a table, up to WIDEST.
    """
    most = min(WIDEST, 1 + size // near)
    rounds = -(-blocks // (threads * most))
    return -(-blocks // (threads * rounds))
