"""The twins' kernels with numba's own check of every index, in a process with a cache of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.release
def test_no_kernel_of_the_twins_leaves_its_arrays(tmp_path):
    """What it does not see: kernels of LLVM's own instructions (tests/sampling/test_guard_pages.py)."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", HERE / "test_twins.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_control_an_index_beyond_the_end_is_seen():
    code = (
        "import numpy as np\nfrom dvae_ref.fast.jit import compiled\n"
        "@compiled()\ndef beyond(x):\n    return x[x.size]\n"
        "beyond(np.zeros(3))"
    )
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "IndexError" in done.stderr
