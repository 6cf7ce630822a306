"""What a run shows of itself while it trains: a line of settings, and a bar with its bound and the time left."""

import sys

from tqdm import tqdm

from dvae_ref.program.console import bar_style


def describe(settings):
    """A run's settings in a line: what tells it from others, not all of them."""
    s = settings
    return f"{s.baseline} {s.struct} on {s.dataset}, K = {s.k}, beta = {s.beta:g}, {s.num_train_iter:,} iterations"


class Progress:
    """The progress bar of a run: bound, rate, time left, and the last validation."""

    def __init__(self, run):
        self.run, self.smoothed, self.validated, self.first = run, None, "", True

    def __enter__(self):
        total = self.run.settings.num_train_iter
        self.bar = tqdm(total=total, initial=self.run.state.iteration, desc="train", unit="it", **bar_style())
        return self

    def __exit__(self, *_):
        self.bar.close()

    def iteration(self, state, bound):
        """After each: the bound, nats, is shown as its mean over the last 50 or so."""
        self.smoothed = bound if self.smoothed is None else 0.98 * self.smoothed + 0.02 * bound
        self.bar.set_postfix_str(f"bound {self.smoothed:.2f}{self.validated}", refresh=False)
        if self.first:  # its time, compiling included, says nothing about the others
            self.bar.unpause()
            self.first = False
        self.bar.update()

    def validation(self, state, record):
        """A line above the bar, and in the bar from now on."""
        self.validated = f", validation NLL {record['validation_nll']:.2f}"
        text = f"iteration {state.iteration:,}: validation NLL {record['validation_nll']:.2f} ± "
        text += f"{record['validation_nll_standard_error']:.2f}, log Z {record['log_z']:.2f} ± "
        self.bar.write(text + f"{record['log_z_standard_error']:.2f}", file=sys.stderr)
