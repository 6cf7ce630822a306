"""A small run of the command line, as another process."""

import os
import subprocess
import sys

# Small enough to take seconds; a checkpoint every 50 iterations, a log record every 10, a validation every 100.
SMALL_RUN = (
    *("--num-train-iter", "200", "--batch-size", "20", "--chains", "50", "--sweeps", "2", "--seed", "3"),
    *("--eval-every", "100", "--eval-samples", "2", "--eval-temperatures", "10"),
    *("--checkpoint-every", "50", "--log-every", "10"),
)


def command(*arguments, code=None, **options):
    """Run python -m dvae_ref with these arguments, or python -c code, as another process; its output as text."""
    start = ["-c", code] if code else ["-m", "dvae_ref"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    given = {"capture_output": True, "text": True, "check": False, "timeout": 300, "env": environment} | options
    return subprocess.run([sys.executable, *start, *map(str, arguments)], **given)
