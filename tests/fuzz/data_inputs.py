"""Files of data, damaged: IDX, amat, mat, gzipped or not, under their own names and under others'."""

import gzip
import shutil

import damage
import programs
from child import Command

ELSEWHERE = ("MNIST/raw/{}", "{}", "MNIST/{}", "OMNIGLOT/{}", "MNIST/{}.gz", "{}.gz")


def make(random, folder, template, marker):
    programs.copied(template, folder, "data")
    data = folder / "data"
    if random.random() < 0.5:  # else the amat files are found first
        for path in data.glob("MNIST/*.amat"):
            path.unlink()
    files = [path for path in data.rglob("*") if path.is_file()]
    for path in random.sample(files, random.choice([1, 1, 2, 3])):
        of_data(random, path, data, files)
    (data / "precious.txt").write_text("mine")
    return Command("dvae_ref", command(random))


def command(random):
    listing = ["data", "list", *random.choice([[], ["binarized_mnist"], ["omniglot"]]), "--data-dir=data"]
    fetching = ["data", "fetch", random.choice(["binarized_mnist", "omniglot"]), "--data-dir=data"]
    return random.choice([listing] * 9 + [fetching])


def of_data(random, path, data, files):
    """Damage a file of data: in its bytes, in what is packed in it, by its place or name, by what it is."""
    kind, content = random.random(), path.read_bytes()
    if kind < 0.15:
        damage.of_place(random, path)
    elif kind < 0.35:
        target = data / random.choice(ELSEWHERE).format(path.name.removesuffix(".gz"))
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            path.rename(target)
    elif kind < 0.45:
        other = random.choice(files)
        if other.is_file() and other != path:
            shutil.copy(other, path)
    elif content[:2] == b"\x1f\x8b" and random.random() < 0.7:
        inner = damage.of_bytes(random, gzip.decompress(content))
        path.write_bytes(gzip.compress(inner, 1) if random.random() < 0.8 else inner)
    else:
        path.write_bytes(damage.of_bytes(random, content))
