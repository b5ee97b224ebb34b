"""What does labmw refuse to send? The checks of the strict writer; each names the place and the remedy."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from protocols.errors import Hl7Error
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Field

_OF_SEVERAL_LINES = frozenset({("OBX", 5), ("NTE", 3)})
_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})?([0-9]{2})?(?:([0-9]{2})([0-9]{2})([0-9]{2})?(?:\.[0-9]{1,4})?)?([+-][0-9]{4})?", re.ASCII
)
_NO_UNIT = "give its UCUM unit: 1 for a pure number, {titer} or {score} for what has no dimension"


def require(place: str, value: str, remedy: str) -> str:
    """The value itself, unless it is empty."""
    if not value:
        raise Hl7Error(f"{place} is empty: {remedy}")
    return value


def check_code(place: str, code: Code, with_text: bool = False) -> None:
    """A code needs its coding system, beside it or beside its local alternate; OBR-4 also needs words."""
    if not (code.code and code.system) and not (code.local_code and code.local_system):
        raise Hl7Error(
            f"{place} has no code with its coding system: map the test to LOINC, or give the local code and 99LAB"
        )
    if bool(code.code) != bool(code.system) or bool(code.local_code) != bool(code.local_system):
        raise Hl7Error(f"{place} has a code without coding system, or the reverse: give both (LN, UCUM, SCT, 99LAB)")
    if with_text and not (code.text or code.local_text):
        raise Hl7Error(f"{place} has no text: give the name of the test")


def check_unit(place: str, unit: Code | None) -> None:
    """A number needs a UCUM unit; UCUM has no spaces."""
    if unit is None or not unit.code:
        raise Hl7Error(f"{place} is empty beside a number: {_NO_UNIT}")
    if unit.system != "UCUM":
        raise Hl7Error(f"{place} is a unit of {unit.system or 'no system'}: {_NO_UNIT}")
    if not re.fullmatch("[!-~]+", unit.code):
        raise Hl7Error(
            f"{place} is {unit.code!r}, which is no UCUM unit: write it in ASCII without spaces, such as 10*9/L"
        )


def check_time(place: str, time: str) -> None:
    """An HL7 date-time that exists: YYYY[MM[DD[HHMM[SS[.S]]]]][+ZZZZ]; empty is allowed."""
    if not time:
        return
    match = _TIME.fullmatch(time)
    try:
        if not match:
            raise ValueError("not YYYYMMDDHHMMSS+ZZZZ")
        year, month, day, hour, minute, second, offset = match.groups()
        datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
        if (hour and not day) or (offset and not (int(offset[1:3]) <= 14 and int(offset[3:]) < 60)):
            raise ValueError("not a time of a day, or not an offset")
    except ValueError as error:
        raise Hl7Error(f"{place} is {time!r}: {error}; write YYYYMMDDHHMMSS+ZZZZ, shortened from the right") from None


def check_texts(row: list[Field]) -> None:
    """No control character and no undecodable byte in any field; line feeds only in OBX-5 and NTE-3."""
    name = row[0]
    for n, value in enumerate(row):
        for text in _texts(value):
            if text.isascii() and text.isprintable():
                continue
            for character in text:
                if character == "\n" and (name, n) in _OF_SEVERAL_LINES:
                    continue
                if unicodedata.category(character) in ("Cc", "Cs"):
                    raise Hl7Error(
                        f"{name}-{n} holds {character!r}, a control character or a byte that was no text: clean it at its source"
                    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [text for part in value for text in _texts(part)]
    return []
