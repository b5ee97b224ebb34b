"""How are moments, durations and lists said to a person?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp
from labmw.phrases import Language, say

_NOTES: Final = tuple(
    (re.compile(pattern), f"note-{code}")
    for pattern, code in (
        (r"sent again in message (?P<message>\d+)", "sent-again"),
        (r"its order has come", "order-came"),
        (r"they agree now", "agree"),
        (r"(?P<what>.+) was added", "added"),
        (r"reconciled by message/(?P<message>\d+)", "reconciled"),
        (r"mismatch by message/(?P<message>\d+)", "mismatch"),
    )
)
"""What labmw itself writes where a person would give a reason: kept in English, as logs are."""


def noted(note: str, language: Language) -> str:
    """A note as people read it: labmw's own in their language, a person's as it was written."""
    for pattern, code in _NOTES:
        if match := pattern.fullmatch(note):
            return say(code, language, **match.groupdict())
    return note


_TROUBLES: Final = tuple(
    (re.compile(pattern), f"delivery-{code}")
    for pattern, code in (
        (r"the receiver answered (?P<answer>\w+): without a text", "answered"),
        (r"the receiver answered (?P<answer>\w+): (?P<text>.+)", "answered-text"),
        (r"no acknowledgment after (?P<attempts>\d+) attempts: (?P<why>.+)", "given-up"),
        (r"to (?P<destination>\S+) instead", "instead"),
        (r"overtaken by a later state", "overtaken"),
        (r"(?P<place>\S+) cannot be reached \((?P<said>.+)\); check that the receiver .+", "unreachable"),
        (r"(?P<place>\S+) gave no acknowledgment within (?P<seconds_waited>\S+) s; .+", "no-answer"),
        (r"(?P<place>\S+) broke the connection \((?P<said>.+)\); .+", "hung-up"),
        (r"(?P<folder>.+) cannot be written \((?P<said>.+)\); .+", "folder"),
    )
)
"""Why a message has not arrived: kept in English, as logs are."""


def trouble(error: str, language: Language) -> str:
    """Why a message has not arrived, as people read it: what labmw wrote in their language, what a receiver said as it said it."""
    for pattern, code in _TROUBLES:
        if match := pattern.fullmatch(error):
            facts = match.groupdict()
            if "why" in facts:
                facts["why"] = trouble(facts["why"], language)
            return say(code, language, **facts)
    return error


def duration(time: timedelta, language: Language) -> str:
    """The two largest units of a duration, like "3 h 12 min"."""
    seconds = max(0, int(time.total_seconds()))
    day = "j" if language == "fr" else "d"
    for size, unit, small, below in ((86400, day, 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"


def moment(stamp: str | None, zone: ZoneInfo) -> str:
    """A moment of the store in the laboratory's own time, to the second."""
    return read_stamp(stamp).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if stamp else "–"


def since(stamp: str, now: datetime) -> timedelta:
    """How long ago a moment of the store was."""
    return now - read_stamp(stamp)


def some(names: Iterable[str], most: int = 5) -> str:
    """A list that stays short: "A, B, C ..."."""
    different = list(dict.fromkeys(name for name in names if name))
    return ", ".join(different[:most]) + (" …" if len(different) > most else "") if different else "–"
