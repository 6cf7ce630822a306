"""A parser of command lines that says what is wrong in one line, and what a misspelt name may have meant."""

import argparse
import difflib


class Parser(argparse.ArgumentParser):
    """argparse's, but for what it says of wrong usage: exit code 2 as there, and not its own twenty lines of usage."""

    def error(self, message):
        """Exit with code 2 after a line that says what is wrong, and where help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, args=None, namespace=None):
        """A command refuses itself what it does not know: the parser above it has other options to offer."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_guess(unknown[0], self._option_string_actions)}")
        return found, unknown

    def _check_value(self, action, value):
        """argparse's, with a guess among the choices behind what it says."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _guess(str(value), map(str, action.choices))
            raise


def _guess(word, known):
    """What to say of the known name that is closest to a word: "; did you mean ...?", or nothing if none is close."""
    spelt = {name.lstrip("-"): name for name in known}  # dashes alone make no two names alike
    near = difflib.get_close_matches(word.partition("=")[0].lstrip("-"), spelt, 1, 0.7)
    return f"; did you mean {spelt[near[0]]}?" if near else ""
