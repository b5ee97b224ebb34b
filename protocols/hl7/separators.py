"""Which characters separate the parts of this message? MSH-1 and MSH-2 say so."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from protocols.errors import Hl7Error

HEADERS = ("MSH", "BHS", "FHS")
"""Segments whose first field is the separator itself and whose second is the encoding characters."""

UNDECLARED = "\r"
"""Stands for a separator that MSH-2 does not declare: no line of a message holds it."""

# A letter or digit as separator would cut words, a quote would make "" ambiguous, anything not ASCII has no byte before MSH-18 is read.
_ALLOWED = frozenset("!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class Separators(NamedTuple):
    """The declared separators; one that the sender left out of MSH-2 is ``UNDECLARED`` and separates nothing."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = UNDECLARED  # the fifth encoding character, from version 2.7

    @classmethod
    def of_header(cls, line: str) -> Separators:
        """Read the separators of an MSH, BHS or FHS line, or of a message that begins with one.

        Raises: Hl7Error when they are missing, equal to each other, or characters that cannot separate.
        """
        if line[:3] not in HEADERS or len(line) < 5:
            raise Hl7Error(f"no header with separators in {line[:20]!r}: a message starts with MSH|^~\\&")
        return _declared(line[3:10])  # long enough to see that there are too many

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as declared."""
        return "".join(self[1:]).replace(UNDECLARED, "")


@lru_cache(maxsize=256)  # a sender declares the same ones in every message
def _declared(start: str) -> Separators:
    field, characters = start[0], re.split(f"[{re.escape(start[0])}\r\n]", start[1:], maxsplit=1)[0]
    if not 1 <= len(characters) <= 5:
        raise Hl7Error(f"the header declares {characters!r}: it takes one to five encoding characters, usually ^~\\&")
    declared = field + characters
    for character in declared:
        if character not in _ALLOWED:
            raise Hl7Error(f"the header declares {character!r} as a separator: use ASCII punctuation, usually |^~\\&")
    if len(set(declared)) != len(declared):
        raise Hl7Error(f"the header declares {declared!r}: every separator must be a different character")
    return Separators(field, *characters, *(UNDECLARED,) * (5 - len(characters)))


STANDARD = Separators()
