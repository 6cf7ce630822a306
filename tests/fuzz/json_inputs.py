"""JSON of every kind in the place of each that is read: config, evaluation, metrics, a kit's manifest."""

import json_damage
import programs
import run_folders
from child import Command

PLACES = ("config.json", "evaluation.json", "metrics.jsonl", "sessions.json", "manifest.json")


def make(random, folder, template, marker):
    place = random.choice(PLACES)
    if place == "manifest.json":
        return kit(random, folder, template)
    if place == "evaluation.json" or random.random() < 0.3:
        programs.copied(template, folder, "table")
        run, command = folder / run_folders.CELL, ["table1", *programs.TINY, *programs.MEASURED, "--out=table"]
    else:
        programs.copied(template, folder, "run")
        run, command = folder / "run", run_folders.reading(random)
    run_folders.of_json(random, run / place)
    return Command("dvae_ref", command)


def kit(random, folder, template):
    """A damaged manifest, and a command that reads it."""
    programs.copied(template, folder, "kit")
    path = folder / "kit" / "manifest.json"
    path.write_bytes(json_damage.of_text(random, path.read_bytes()))
    check = ["conformance", "check", "kit", "kit", "--only", random.choice(["adam", "log_q*", "*"])]
    return Command("dvae_ref", random.choice([check] * 9 + [["conformance", "export", "kit"]]))
