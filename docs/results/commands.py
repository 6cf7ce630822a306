"""The commands for all 192 cells of Table 1, with the hours of one core that each takes: writes commands.txt.

    python docs/results/commands.py

Hours are 1,000,000 iterations at the milliseconds of milliseconds.csv, and 50 validations with 100 samples an image
beside the measurement with 4,000. The milliseconds are of dvaes_power on a core of a Zen 5 beside other work, good to
15%; what the other models take is alike. Measure your own (milliseconds.py), and run this again.
"""

import csv
from pathlib import Path

from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import records, report

FOLDER = Path(__file__).parent
ITERATIONS, VALIDATIONS, SAMPLES = 1_000_000, 50, 100 / 4000  # of a validation, in those of the measurement


def hours(row):
    """Of a row of milliseconds.csv."""
    measurements = 1 + VALIDATIONS * SAMPLES
    return float(row["milliseconds"]) * ITERATIONS / 3.6e6 + measurements * float(row["measurement_minutes"]) / 60


def lines():
    with open(FOLDER / "milliseconds.csv", newline="") as file:
        taken = {(row["struct"], int(row["k"])): hours(row) for row in csv.DictReader(file)}
    total = 0
    yield "# hours of one core, a seed | command; give it again to go on. Longest first pays where many run at a time."
    for dataset, struct, k, baseline in report.paper():
        total += taken[struct, k]
        settings = Settings(dataset=dataset, struct=struct, k=k, baseline=baseline)
        yield f"{taken[struct, k]:5.1f} | {records.command(settings)} --threads 1"
    yield f"# {total:,.0f} hours in all, a seed; the paper has five"


if __name__ == "__main__":
    (FOLDER / "commands.txt").write_text("".join(f"{line}\n" for line in lines()))
