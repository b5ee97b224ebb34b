"""When was it measured? Date-times of LIS02-A2 and HL7 v2 in the analyzer's own zone, with what is doubtful about them (law 10: no default zone)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

Doubt = Literal["", "ambiguous", "skipped", "unreadable", "date-only"]

# LIS02-A2 5.6.2: YYYYMMDDHHMMSS with an optional zone; YYYYMMDDHHMM is common in the field (protocol notes B.5).
_FORM = re.compile(r"(\d{8})(?:(\d{4})(\d{2})?(?:\.\d{1,6})?)?([+-]\d{4})?", re.ASCII)
_LONGEST = 26  # YYYYMMDDHHMMSS.ffffff+ZZZZ, and one more
_FIRST, _LAST = 1900, 2199  # years; what lies outside is a fault, and cannot be brought into every zone
_NULL = ("18991230", "00000000", "00010101")  # the zero of a sending system, not a date (corpus: phadia-prime)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, or None; `doubt` says what keeps it from being certain."""

    at: datetime | None
    doubt: Doubt = ""


def zone_of_message(header_time: str, zone: ZoneInfo) -> tzinfo:
    """The zone of the date-times in an HL7 message that carry none: an offset in MSH-7 holds for all of them (2.5.1, 2.15.9.7).

    Where the analyzer's own zone has that offset at that moment, it is kept: it also knows when the clocks change.
    """
    stated = read_time(header_time, zone).at
    offset = stated.utcoffset() if stated is not None else None
    if stated is None or offset is None or isinstance(stated.tzinfo, ZoneInfo):
        return zone
    return zone if stated.astimezone(zone).utcoffset() == offset else timezone(offset)


def read_time(text: str, zone: tzinfo, utc: bool = False) -> Moment:
    """Read a date-time as sent. A zone in the text wins over the analyzer's; `utc`: the text is UTC, and its offset is still to be added.

    "ambiguous": this hour came twice (the clock went back), the first is taken. "skipped": it never came (the clock went forward): the
    analyzer does not change its clock, and the moment is what its unchanged clock showed.
    """
    text = text.strip()
    if not text or text.startswith(_NULL):
        return Moment(None)
    return _read(text, zone, utc) if len(text) <= _LONGEST else Moment(None, "unreadable")


@lru_cache(maxsize=1024)  # one analysis gives many results the same time
def _read(text: str, zone: tzinfo, utc: bool) -> Moment:
    match = _FORM.fullmatch(text)
    if not match:
        return Moment(None, "unreadable")
    day, minute, second, offset = match.groups()
    clock = minute or "0000"
    try:
        naive = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), int(clock[:2]), int(clock[2:]), int(second or 0))
    except ValueError:
        return Moment(None, "unreadable")
    if not _FIRST <= naive.year <= _LAST:
        return Moment(None, "unreadable")
    if minute is None:
        return Moment(None, "date-only")
    if offset:
        hours, minutes = int(offset[1:3]), int(offset[3:5])
        if hours > 14 or minutes > 59:
            return Moment(None, "unreadable")
        if utc:
            return Moment(naive.replace(tzinfo=UTC))
        away = timedelta(hours=hours, minutes=minutes)
        return Moment(naive.replace(tzinfo=timezone(-away if offset[0] == "-" else away)))
    first, second_pass = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second_pass.utcoffset()
    if before is None or after is None or before == after:
        return Moment(first)
    return Moment(first, "ambiguous" if before > after else "skipped")
