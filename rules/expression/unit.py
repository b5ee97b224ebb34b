"""Are two units the same? A UCUM expression as a power of ten over atoms: `10*3/uL` is `10*9/L`, and `mg/dL` is not `g/L`.

Nothing is converted: this only tells whether two numbers may be compared or added. Hours and days, and what stands in braces, are atoms
of their own, so `{copies}/mL` is not `{Log_copies}/mL`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from labmw.errors import QuantityError
from labmw.quantity import ucum

_PREFIX = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "d": -1, "da": 1, "k": 3, "M": 6, "G": 9}
_WHOLE = frozenset(
    {"mm[Hg]", "m[Hg]", "mol", "min", "h", "d", "m", "a", "%", "1", "g"}
)  # no prefix in front, whatever the first letter looks like


@dataclass(frozen=True, slots=True)
class Unit:
    """A power of ten and the powers of its atoms, in the order of their names; litres are cubic metres."""

    tens: int
    atoms: tuple[tuple[str, int], ...]
    text: str = ""

    def same(self, other: Unit) -> bool:
        """True when numbers in the two may be compared and added."""
        return (self.tens, self.atoms) == (other.tens, other.atoms)

    def times(self, other: Unit, sign: int = 1) -> Unit:
        """Return the unit of a product, or with sign -1 of a quotient."""
        if other == NONE:
            return self
        powers = dict(self.atoms)
        for atom, power in other.atoms:
            powers[atom] = powers.get(atom, 0) + sign * power
        mark = "." if sign > 0 else "/"
        return _unit(self.tens + sign * other.tens, powers, f"{self.text or '1'}{mark}({other.text or '1'})")


NONE = Unit(0, (), "1")


def _unit(tens: int, powers: dict[str, int], text: str) -> Unit:
    atoms = tuple(sorted((atom, power) for atom, power in powers.items() if power))
    return Unit(tens, atoms, text) if atoms or tens else NONE


@lru_cache(maxsize=512)
def unit(text: str) -> Unit:
    """Read a UCUM code; raises QuantityError for what is none."""
    code = ucum(text)
    tens = 0
    powers: dict[str, int] = {}
    sign = 1
    for part in re.split(r"([./])(?![^{]*\})", code):
        if part in ("", ".", "/"):
            sign = -1 if part == "/" else 1 if part == "." else sign
            continue
        term, _, note = part.partition("{")
        if note:
            powers["{" + note] = powers.get("{" + note, 0) + sign
        if term.startswith("10*"):
            tens += sign * int(term[3:])
        elif term:
            exponent, atom, power = _term(term)
            tens += sign * exponent * power
            if atom in ("L", "l"):  # a litre is a cubic decimetre
                tens, atom, power = tens - 3 * sign * power, "m", 3 * power
            if atom == "%":
                tens -= 2 * sign * power
            elif atom != "1":
                powers[atom] = powers.get(atom, 0) + sign * power
    return _unit(tens, powers, code)


def _term(term: str) -> tuple[int, str, int]:
    match = re.fullmatch(r"(.*?)(-?\d)?", term)
    if match is None or term == "1":
        return 0, "1", 1
    atom, power = match[1], int(match[2] or 1)
    if atom in _WHOLE:
        return 0, atom, power
    for prefix, tens in sorted(_PREFIX.items(), key=lambda one: -len(one[0])):
        rest = atom.removeprefix(prefix)
        if rest != atom and rest in _PREFIXED:
            return tens, rest, power
    return 0, atom, power


_PREFIXED = frozenset(
    {"g", "L", "l", "mol", "osm", "eq", "kat", "cal", "bar", "Pa", "m", "s", "U", "[IU]", "[iU]", "Cel", "K", "rad"}
)


@lru_cache(maxsize=4096)
def alike(one: str, other: str) -> bool:
    """True when two codes name one unit ("" is none at all); False where one of them is no unit."""
    try:
        return one == other or unit(one or "1").same(unit(other or "1"))
    except QuantityError:
        return False


__all__ = ["NONE", "Unit", "alike", "unit"]
