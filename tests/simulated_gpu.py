"""Run by test_benchmarks_gpu.py with NUMBA_ENABLE_CUDASIM=1: python -m benchmarks, with the simulator mended."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sampling"))

import simulator

from benchmarks import __main__

if __name__ == "__main__":
    simulator.mend()
    sys.exit(__main__.main())
