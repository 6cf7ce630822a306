"""python -m dvae_ref COMMAND, and the script dvae-ref."""

from dvae_ref.program import entry


def main():
    """Everything, from the first Ctrl-C that is heard to the exit code."""
    entry.leave_on_interrupt()

    from dvae_ref import cli

    entry.run(cli.main)


if __name__ == "__main__":
    main()
