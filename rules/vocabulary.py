"""Which words may a rule pack use? The closed lists; a word outside them is an error of the pack, never ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal

from labmw.model import VerdictLevel

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

VERDICTS: Mapping[str, VerdictLevel] = {
    "comment": VerdictLevel.COMMENT,
    "review": VerdictLevel.REVIEW,
    "hold": VerdictLevel.HOLD,
    "block": VerdictLevel.BLOCK,
}
"""What a rule may ask for when it fires."""

SCOPES = ("result", "panel", "sample", "visit")
"""What a verdict holds: this result; the tests of the rule on this tube; the tube; the tubes of the patient that were taken with it."""
VISIT: Final = timedelta(hours=12)
"""Tubes of a patient that were collected within it of each other were taken together."""

POLICIES: Mapping[str, VerdictLevel] = {
    "pass": VerdictLevel.RELEASE,
    "review": VerdictLevel.REVIEW,
    "hold": VerdictLevel.HOLD,
}
"""What a rule may ask for when it cannot be evaluated."""

EXPECTATIONS: Mapping[str, VerdictLevel] = {"release": VerdictLevel.RELEASE, **VERDICTS}
"""What an example in a pack may expect."""

ANY = "*"  # in a limit table: whatever the sex, the ward, the specimen

_LOINC = re.compile(r"(\d{1,7})-(\d)", re.ASCII)


def is_loinc(code: str) -> bool:
    """True when the text has the form of a LOINC code and its check digit (mod 10) is right."""
    match = _LOINC.fullmatch(code)
    if not match:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return (10 - total % 10) % 10 == int(match[2])


def loincs_in(text: str) -> frozenset[str]:
    """Return every LOINC code that occurs in a text: what an unreadable pack may have been about."""
    return frozenset(code for code in re.findall(r"(?<![\d-])\d{1,7}-\d(?![\d-])", text, re.ASCII) if is_loinc(code))
