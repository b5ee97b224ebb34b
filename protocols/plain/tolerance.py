"""Which settings does a plain link have, and what does it bear with?

The makers leave most of this to menus of their analyzers; a driver names what its family does by default, a link's configuration what its own
analyzer is set to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from protocols.errors import SettingError


@dataclass(frozen=True, slots=True)
class PlainTolerances:
    """How this link is set; what a link has no use for, it refuses."""

    check: Literal["", "xor", "sum", "none"] = ""
    """What stands behind a block: one byte (xor), two hex digits (sum), nothing; "" is the link's usual one. none where a check is usual is a tolerance."""
    max_block: int = 64_000
    """Longest block accepted, in bytes from its start character to its check."""
    send_replies: bool = True
    """False: a line in one direction only, nothing is ever answered (class A of Beckman and Sysmex)."""
    start: int = 0x02
    """The character that begins a block (Beckman AU lets a menu choose 01h to 1Fh)."""
    end: int = 0x03
    """The character that ends a block."""
    pause: float = 0.5
    """Seconds between the end of a block and our answer: the AU does not hear one that comes sooner."""
    acknowledge: Literal["pieces", "records"] = "pieces"
    """Maglumi: pieces answers ENQ, STX, ETX and EOT, records each record as well."""

    def changed(self, settings: Mapping[str, object], uses: frozenset[str], link: str) -> "PlainTolerances":
        """These with some set otherwise: a link's own over its driver's.

        Raises:
            SettingError: names the key that this link has not, or the key and the values that it may have.
        """
        for key, value in settings.items():
            if key not in uses:
                raise SettingError(f"tolerance {key!r} is none of a {link} link: use one of {', '.join(sorted(uses))}")
            _check(key, value)
        chosen: dict[str, Any] = dict(settings)
        return replace(self, **chosen)


def _check(key: str, value: object) -> None:
    hint = _HINTS[key]
    if hint is bool:
        good, wanted = isinstance(value, bool), "true or false"
    elif key == "max_block":
        good = type(value) is int and 16 <= value <= 64 * 2**20
        wanted = "a whole number of bytes from 16 to 67108864"
    elif hint is int:
        good, wanted = type(value) is int and 1 <= value <= 31, "the number of a control character, 1 to 31"
    elif hint is float:
        good = type(value) in (int, float) and 0 <= float(str(value)) <= 10
        wanted = "a number of seconds from 0 to 10"
    else:
        words = [one for one in get_args(hint) if one]
        good, wanted = value in words, "one of " + ", ".join(map(repr, words))
    if not good:
        raise SettingError(f"tolerance {key} = {value!r}: give {wanted}")


_HINTS = get_type_hints(PlainTolerances)
PLAIN = PlainTolerances()
"""As each link usually is."""
NAMES = frozenset(field.name for field in fields(PlainTolerances))
