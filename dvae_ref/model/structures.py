"""The four network structures of Table 1. Imports nothing heavy: the command line lists them."""

from dataclasses import dataclass
from numbers import Integral


@dataclass(frozen=True)
class Structure:
    """`groups` groups of `width` latent units; every network has hidden layers of the widths `hidden`."""

    groups: int
    width: int
    hidden: tuple = ()

    def __post_init__(self):
        if not isinstance(self.hidden, tuple):
            raise TypeError(f"hidden must be a tuple of the hidden layers' widths; got {self.hidden!r}")
        for number in (self.groups, self.width, *self.hidden):
            if not isinstance(number, Integral):
                raise TypeError(f"a structure takes whole numbers; got {number!r} in {self}")
        if min(self.groups, self.width, *self.hidden) < 1 or self.latents % 2:
            raise ValueError(f"a structure needs numbers >= 1 and an even number of latent units, got {self}")

    @property
    def latents(self) -> int:
        """D; the first half of the units is the RBM's left side."""
        return self.groups * self.width

    @property
    def title(self) -> str:
        """In words: so many groups of so many latent units, and the widths of the hidden layers."""
        latent = f"{self.groups} group{'s' if self.groups > 1 else ''} of {self.width} latent units"
        hidden = f"hidden layers of {' and '.join(map(str, self.hidden))}" if self.hidden else "no hidden layers"
        return f"{latent}, {hidden}"


STRUCTURES = {
    "1-layer-lin": Structure(1, 200),
    "1-layer-nonlin": Structure(1, 200, (200, 200)),
    "2-layer-nonlin": Structure(2, 200, (200, 200)),
    "4-layer-nonlin": Structure(4, 100, (200, 200)),
}
