"""What time does an analyzer mean, when its offset is not read as HL7 wants?"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from protocols.hl7.profile import TimeReading

_WITH_OFFSET = re.compile(r"([0-9]{12}(?:[0-9]{2})?)(\.[0-9]{1,4})?([+-])([0-9]{2})([0-9]{2})", re.ASCII)


def as_local(text: str, reading: TimeReading) -> str:
    """The time as HL7 writes it: local, with its offset. What is no full time with an offset stays as it is."""
    return _moved(text, 1) if reading is TimeReading.UTC else text


def as_sent(text: str, reading: TimeReading) -> str:
    """The reverse: a local time as this analyzer wants it written."""
    return _moved(text, -1) if reading is TimeReading.UTC else text


def _moved(text: str, direction: int) -> str:
    match = _WITH_OFFSET.fullmatch(text)
    if not match:
        return text
    digits, fraction, sign, hours, minutes = match.groups()
    form = "%Y%m%d%H%M%S" if len(digits) == 14 else "%Y%m%d%H%M"
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    try:
        moved = datetime.strptime(digits, form) + direction * offset  # the offset is carried beside it
    except (ValueError, OverflowError):
        return text
    return f"{moved.strftime(form):0>{len(digits)}}{fraction or ''}{sign}{hours}{minutes}"
