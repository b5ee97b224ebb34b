"""Can the times of this analyzer be believed? The offset of its clock, and what speaks against the time of one result; pure.

The time itself is kept and shown as sent: it is part of the result's identity, and nobody knows a better one. What is in doubt is held for a
person, because windows, deltas and turnaround are computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from labmw.driver.reading import Facts, Reading, ResultRead
from labmw.model import Specimen

AHEAD: Final = timedelta(minutes=10)
"""How far a clock may run ahead of ours before it is doubted on every line: nothing can be finished later than it was sent."""
_LARGEST: Final = 2**31 - 1
_DOUBTS: Final = {"ambiguous": "clock-ambiguous", "skipped": "clock-skipped"}

Doubt = tuple[str, Facts]


def offset_seconds(reading: Reading, received_at: datetime) -> int | None:
    """By how many seconds the sender's clock is ahead of ours (negative: behind); None where its header gives no time."""
    if reading.sent_at is None:
        return None
    seconds = round((reading.sent_at - received_at).total_seconds())
    return max(-_LARGEST, min(_LARGEST, seconds))


def doubts_of_message(reading: Reading, received_at: datetime, tolerance: float) -> list[Doubt]:
    """What speaks against every time in a message: a header from the future, or further away than the link tolerates (seconds; 0: not asked).

    A header that is old may also be a message that waited: only a link that says so is held for it.
    """
    offset = offset_seconds(reading, received_at)
    if offset is None:
        return []
    ahead = offset > (min(tolerance, AHEAD.total_seconds()) if tolerance else AHEAD.total_seconds())
    behind = bool(tolerance) and -offset > tolerance
    return [("clock-drift", (("offset", _duration(offset)),))] if ahead or behind else []


def doubts_of_result(read: ResultRead, tubes: Sequence[Specimen], received_at: datetime) -> list[Doubt]:
    """What speaks against the time of one result: an hour that came twice or never, the future, a measurement before the collection."""
    found: list[Doubt] = []
    if code := _DOUBTS.get(read.time_doubt):
        found.append((code, (("time", read.time),)))
    if read.completed is None:
        return found
    if read.completed - received_at > AHEAD:
        found.append(
            (
                "clock-future",
                (("time", read.time), ("offset", _duration(round((read.completed - received_at).total_seconds())))),
            )
        )
    collected = [tube.collected for tube in tubes if tube.collected is not None]
    if collected and read.completed < min(collected):
        facts = (
            ("time", f"{read.completed:%Y-%m-%d %H:%M}"),
            ("collected", f"{min(collected).astimezone(read.completed.tzinfo):%Y-%m-%d %H:%M}"),
        )
        found.append(("before-collection", facts))
    return found


def _duration(seconds: int) -> str:
    """An offset as a person reads it: +2 h 0 min, -3 d 4 h."""
    sign, left = "-" if seconds < 0 else "+", abs(seconds)
    for size, unit, small, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if left >= size:
            return f"{sign}{left // size} {unit} {left % size // small} {below}"
    return f"{sign}{left} s"
