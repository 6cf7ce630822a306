"""Python imports this when it starts with this folder on its path: a mutant is one in other processes, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import changed

sys.path.pop(0)
changed.installed()
