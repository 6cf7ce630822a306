"""Options of the command line: those of Settings, from its fields, and those that several commands share.

Each stands here once, with its default and its help. Imports nothing heavy: `--help` lists them.
"""

import argparse
from dataclasses import fields
from fractions import Fraction

from dvae_ref.runs.presets import BASELINES, CHOICES, SAMPLERS, STRUCTURES, Settings

SHARED = {  # options that are the same in several commands
    "--data-dir": {"help": "where data sets are (default: $DVAE_REF_DATA, or the user's cache folder)"},
    "--threads": {"type": int, "help": "cores to use (default: all that this process may use)"},
    "--json": {"action": "store_true", "help": "print one JSON object as the last line"},
    "--checkpoint": {"choices": ("best", "last"), "default": "best", "help": "best on validation (default)"},
    "--samples": {"type": int, "default": 4000, "help": "importance samples an image (default: 4000)"},
}


def share(parser, *names):
    """Give a command these of the SHARED options."""
    for name in names:
        parser.add_argument(name, **SHARED[name])


def numbers(text):
    """Numbers separated by commas; 1/3 is one, too."""
    try:
        return tuple(map(_number, text.split(",")))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got {text!r}") from None


def _number(text):
    """A number of a text: 0.25, or 1/4."""
    above, slash, below = text.partition("/")
    return float(above) / float(below) if slash else float(above)


def shown(default):
    """A default as it may be typed in: the same value."""
    return ",".join(map(_typed, default)) if isinstance(default, tuple) else default


def _typed(value):
    """A number as a fraction, where that is the same number and no longer."""
    ratio = Fraction(value).limit_denominator(100)
    return min([str(ratio), repr(value)], key=len) if float(ratio) == value else repr(value)


def glossary():
    """What the names of models, structures and samplers stand for."""
    models = {name: baseline.title for name, baseline in BASELINES.items()}
    structures = {name: structure.title for name, structure in STRUCTURES.items()}
    tables = {"models (--baseline), the columns of Table 1": models, "structures (--struct), its rows": structures}
    tables["samplers (--sampler)"] = SAMPLERS
    parts = []
    for title, table in tables.items():
        lines = [f"  {name:<16}{text}" for name, text in table.items()]
        parts.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(parts)


def choices(name):
    """What the values of a setting are chosen from; None if they are not."""
    return tuple(CHOICES[name]) if name in CHOICES else None


def add_settings(parser, leave_out=()):
    """An option for each field of Settings. What is not given is absent, so that --resume can tell."""
    for f in fields(Settings):
        if f.name not in leave_out:
            add_setting(parser, f)


def add_setting(parser, f):
    """The option of one field of Settings. Without a default of its own: what is not given is for Settings to say."""
    kind = {tuple: numbers, float: float, int: int, str: str}[f.type]
    text = f.metadata["help"]
    if f.name in CHOICES:
        text = text.split(":")[0]  # argparse lists the choices itself
    if f.default is not None:
        text += f" (default: {shown(f.default)})"
    metavar = {tuple: "X,Y,...", str: None}.get(f.type, kind.__name__.upper())
    options = {"type": kind, "choices": choices(f.name), "metavar": metavar, "help": text}
    parser.add_argument(f"--{f.name.replace('_', '-')}", default=argparse.SUPPRESS, **options)


def add_common(parser, run_dir):
    """The options of all commands that work in a run folder. run_dir: what it is; required if it is there already."""
    parser.add_argument("--run-dir", help=run_dir, required=run_dir.startswith("the run"))
    share(parser, "--data-dir", "--threads", "--json")


def add_backend(parser, what):
    """--backend, of what runs there."""
    parser.add_argument(
        "--backend", choices=("cpu", "cuda", "auto"), default="cpu", help=f"where {what} run (default: cpu)"
    )
