"""python -m dvae_ref COMMAND."""

from dvae_ref.program import entry

if __name__ == "__main__":
    entry.at_once()

    from dvae_ref import cli

    entry.run(cli.main)
