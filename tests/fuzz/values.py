"""Values of command-line options that somebody might give, by accident or not."""

LONG = "x" * 5000
HOSTILE = (
    *("", " ", "-", "--", "-1", "0", "-0.0", "nan", "NaN", "inf", "-inf", "1e400", "1e308", "1e-320", "0x10", "1_000"),
    *("1.5", "+2", " 3 ", "٣", "½", "∞", "None", "true", "[]", "{}", "1,2", ",", "1,,2", "nan,nan", "0.5," * 100),
    *("9" * 30, "9" * 4400, "-" + "9" * 30, str(2**31), str(2**32), str(2**63 - 1), str(2**63), str(-(2**63))),
    *(str(2**64), "~nosuchuser", "~nosuchuser/a", "~", "*", "?", "[", "%s", "%(prog)s", "{0}", "$HOME", "a b", "a\nb"),
    *("a\tb", "\x1b[31m", "é", "日本語", "e\u0301", "\u202e", "\udcff", "\U0001f600", "ﬁ", "\ufeff", LONG),
    *("a/" * 2000 + "a", "../" * 3000, "nowhere", "nowhere/at/all", "file", "file/below", "folder", "link", "dangling"),
    *("loop", "pipe", "null", "full", "/proc/self/mem", "/proc/nothing/a", "/sys/a", "/dev/stdout", ".", "./.", "run"),
    *("run/last.npz", "kit", "kit/adam.npz", "@file", "tcp://127.0.0.1:9", "127.0.0.1", "=", "a=b"),
)
LARGE = ("1000000", "100000000", str(2**31), str(2**32), str(2**62), str(2**63 - 1))
SMALL = ("1", "2", "3", "5", "10")
FRACTIONS = ("0.1", "0.5", "0.999999", "1", "1.0", "2.5", "30", "1e-3", "88", "1e30")


def any_of(random, action):
    """A value of an option: of those that it offers, or small and well-formed, or large, or hostile."""
    kind = random.random()
    if action.choices and kind < 0.6:
        return random.choice(list(action.choices))
    if kind < 0.35:
        return random.choice(SMALL if action.type is int else FRACTIONS)
    if kind < 0.42:
        return random.choice(LARGE)
    return random.choice(HOSTILE)


def is_large(value):
    """Might a command with this value take long, or for ever?"""
    try:
        return float(value) > 1000
    except ValueError:
        return False
