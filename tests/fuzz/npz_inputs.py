"""npz files of every kind in the place of each that is read: checkpoints, snapshots, a kit, somebody's outputs."""

import npz_damage
import programs
import run_folders
from child import Command


def make(random, folder, template, marker):
    if random.random() < 0.25:
        return theirs(random, folder, template, marker)
    programs.copied(template, folder, "run")
    command = run_folders.reading(random)
    wanted = ["last.npz", "snapshots.npz"] if "--resume" in command or "--checkpoint=last" in command else ["best.npz"]
    npz_damage.of_file(random, folder / "run" / random.choice(wanted), str(folder / marker))
    if random.random() < 0.05:
        return Command("figures", ["fig2a", "--quick", "--run-dir=run", "--out=out"])
    return Command("dvae_ref", command)


def theirs(random, folder, template, marker):
    """A kit, and outputs some of which are damaged."""
    programs.copied(template, folder, "kit")
    (folder / "theirs").mkdir()
    names = random.sample(sorted(path.name for path in (folder / "kit").glob("*.npz")), random.choice([1, 1, 2, 4]))
    for name in names:
        (folder / "theirs" / name).write_bytes((folder / "kit" / name).read_bytes())
        npz_damage.of_file(random, folder / "theirs" / name, str(folder / marker))
    only = ["--only", *(name.removesuffix(".npz") for name in names)]
    return Command("dvae_ref", ["conformance", "check", "kit", "theirs", *random.choice([[], ["--json"]]), *only])
