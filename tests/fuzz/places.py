"""Where things are: the sources, and the hostile files that other tests have."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "tests"):  # `figures` and `validation`; hostile.py
    if str(folder) not in sys.path:
        sys.path.insert(1, str(folder))

SHARED_MEMORY = Path("/dev/shm")
SCRATCH = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None  # None: where the system has its temporary files

import hostile  # noqa: E402, F401 - it is found only now
