"""What a run writes down of itself as it goes."""

import os
import warnings

from dvae_ref.files import writing


class Metrics:
    """metrics.jsonl: a JSON object a line, appended; what a checkpoint does not know of is cut off on resuming.

    What a line holds, `training.record` and `training.validate` say; both begin with the iteration. size: in bytes.
    """

    def __init__(self, path, size=0):
        self.path, self.size = path, size
        with open(path, "a+b") as file:
            if file.tell() < size:
                self.size = self._end_of_lines(file)
            file.truncate(self.size)

    def _end_of_lines(self, file):
        """Where the last whole line ends, of a file that lost its end in a power cut."""
        file.seek(0)
        end = file.read().rfind(b"\n") + 1
        warnings.warn(f"{self.path} is shorter than its checkpoint knows it; records are missing in it", stacklevel=5)
        return end

    def write(self, record):
        """Append a record as a line. It survives this process, and after `sync` a power cut."""
        with open(self.path, "ab") as file:
            file.write(writing.to_json(record).encode() + b"\n")
            self.size = file.tell()

    def sync(self):
        """Have on disk what was written."""
        with open(self.path, "ab") as file:
            os.fsync(file.fileno())
