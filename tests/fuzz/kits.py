"""Conformance kits and somebody's outputs, with files that are missing, swapped, of another kind or another's."""

import shutil

import damage
import npz_damage
import programs
from child import Command


def make(random, folder, template, marker):
    programs.copied(template, folder, "kit")
    shutil.copytree(folder / "kit", folder / "theirs")
    names = sorted(path.name for path in (folder / "kit").iterdir())
    touched = random.sample(names, random.choice([1, 1, 2, 5]))
    for name in touched:
        of_kit(random, folder / random.choice(["kit", "theirs", "theirs"]), name, names, str(folder / marker))
    (folder / "theirs" / "precious.txt").write_text("mine")
    only = [name.removesuffix(".npz") for name in touched if name.endswith(".npz")]
    check = ["conformance", "check", "kit", "theirs"]
    check += ["--only", *only] if only and random.random() < 0.8 else []
    export = ["conformance", "export", random.choice(["kit", "theirs", "theirs/adam.npz", "new"])]
    return Command("dvae_ref", export if random.random() < 0.05 else check)


def of_kit(random, kit, name, names, marker):
    """Damage a file of a kit."""
    path, kind = kit / name, random.random()
    if kind < 0.2 or not path.is_file():
        damage.of_place(random, path)
    elif kind < 0.4:
        other = kit / random.choice(names)
        if other.is_file() and other != path:
            shutil.copy(other, path)
    elif path.suffix == ".npz":
        npz_damage.of_file(random, path, marker)
    else:
        path.write_bytes(damage.of_bytes(random, path.read_bytes()))
