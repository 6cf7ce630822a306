"""Command lines: the options of each real parser, with values of all kinds; words missing, twice, in another order."""

import argparse
import functools

import numpy as np
import programs
import values
from child import Command
from damage import dangling, device, loop, pipe

EVALUATE = ("--run-dir=run", "--samples=2", "--temperatures=4", "--ais-chains=4", "--images=3")
COMMANDS = {  # program, subcommands: what makes it small; options given later win
    ("dvae_ref", "train"): (*programs.TINY, "--run-dir=new"),
    ("dvae_ref", "evaluate"): EVALUATE,
    ("dvae_ref", "sample"): ("--run-dir=run", "--number=2", "--sweeps=2"),
    ("dvae_ref", "table1"): (*programs.TINY, *programs.MEASURED, "--out=table"),
    ("dvae_ref", "data", "list"): (),
    ("dvae_ref", "data", "fetch"): ("mnist5k",),
    ("dvae_ref", "conformance", "show"): (),
    ("dvae_ref", "conformance", "export"): ("new",),
    ("dvae_ref", "conformance", "check"): ("kit", "kit"),
    ("dvae_ref", "log-z"): ("machine.npz", "--temperatures=4", "--chains=4", "--sweeps=2"),
    ("dvae_ref", "nll"): ("weights.npz", "--log-z=1"),
    ("dvae_ref",): (),
    ("figures",): ("fig1", "--quick"),
    ("validation",): ("--list",),
}
SLOW = {("figures",): 0.05, ("dvae_ref", "train"): 0.5, ("dvae_ref", "conformance", "export"): 0.1,
        ("dvae_ref", "table1"): 0.3}  # how often the small command is left as it is, to run to its end  # fmt: skip


def make(random, folder, template, marker):
    programs.copied(template, folder, "run", "kit")
    furnish(folder)
    path = random.choice(list(COMMANDS))
    options = actions(path)
    line = list(COMMANDS[path])
    given = []
    for _ in range(random.choice([1, 1, 1, 2, 2, 3, 5])):
        given += option(random, options)
    if random.random() < 0.15:
        given = disordered(random, [*line, *given])
        line = []
    if random.random() > SLOW.get(path, 1):
        given.append(f"{random.choice(['--threads', '--seed', '--k', '--images'])}=-1")
    arguments = [*path[1:], *line, *given]
    arguments = ["--debugging" if argument == "--debug" else argument for argument in arguments]
    return Command(path[0], arguments, encoding(random), interrupt(random, given, is_small=bool(line)))


def furnish(folder):
    """Things to be named: a machine and log-weights, a file, a folder, links, a pipe, devices."""
    np.savez(folder / "machine.npz", a=np.zeros(5), W=np.ones((2, 3)))
    np.savez(folder / "weights.npz", log_w=np.ones((2, 4)))
    (folder / "file").write_bytes(b"mine")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("file")
    dangling(folder / "dangling")
    loop(folder / "loop")
    pipe(folder / "pipe")
    device(folder / "null")
    device(folder / "full", (1, 7))


def encoding(random):
    return random.choice(["utf-8"] * 6 + ["ascii", "cp932", "latin-1"])


def interrupt(random, given, is_small):
    """When Ctrl-C is pressed: where something may take long, and now and then elsewhere."""
    large = any(values.is_large(argument.rpartition("=")[2]) for argument in given)
    due = large or not is_small or random.random() < 0.03
    return random.choice([0.05, 0.2, 0.5, 1.0, 2.0]) if due else None


@functools.cache
def actions(path):
    """The actions of a program's parser below these subcommands."""
    if path[0] == "dvae_ref":
        from dvae_ref.cli import build_parser
    elif path[0] == "figures":
        from figures.__main__ import build_parser
    else:
        from validation.__main__ import build_parser
    parser = build_parser()
    for name in path[1:]:
        subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = subparsers[0].choices[name] if subparsers else parser
    return [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def option(random, options):
    """One option as words of a command line, or a stray word."""
    action = random.choice(options)
    words = [values.any_of(random, action) for _ in range(number_of(random, action))]
    if not action.option_strings or random.random() < 0.03:
        return words
    name = random.choice(action.option_strings)
    if random.random() < 0.05:
        name = name[: random.randrange(2, len(name) + 1)]
    if len(words) == 1 and random.random() < 0.7:
        return [f"{name}={words[0]}"]
    return [name, *words]


def number_of(random, action):
    """How many words an option takes; now and then another number."""
    if random.random() < 0.05:
        return random.choice([0, 1, 2, 50])
    if action.nargs in ("+", "*"):
        return random.choice([1, 2, 3])
    return 1 if action.nargs is None or action.nargs == "?" else 0


def disordered(random, words):
    """Words missing, twice, or in another order."""
    found = list(words)
    for _ in range(random.choice([1, 2])):
        at = random.randrange(len(found)) if found else 0
        kind = random.random()
        if kind < 0.4:
            del found[at : at + 1]
        elif kind < 0.6:
            found.insert(at, random.choice(["--", "-h", "-", "--help", "--version", "@file", "-x", "---", "=", ""]))
        elif kind < 0.8:
            found[at:at] = found[at : at + 1]
        else:
            random.shuffle(found)
    return found
