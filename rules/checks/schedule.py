"""Is it night, a weekend, or is somebody only on call? Rules that ask for more care when fewer people are there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.checks.finding import About, Finding, Limits
from rules.strict import Table
from rules.subject import Subject

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScheduleCheck:
    """The laboratory's own modes, or hours of the day on some days of the week, in its time zone."""

    modes: frozenset[str]
    start: time | None
    end: time | None
    days: frozenset[str]
    zone: ZoneInfo | None
    name: str = "schedule"
    numeric: bool = False
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "when"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire in one of the modes, or between the hours; hours that pass midnight belong to the day on which they begin."""
        shown = (("value", one.shown),)
        if self.modes:
            if not one.case.mode:
                return Finding(None, "no-mode", shown, "the laboratory's mode is not known")
            truth = one.case.mode in self.modes
            return Finding(
                truth, "schedule", (*shown, ("when", one.case.mode)) if truth else (), f"mode {one.case.mode}"
            )
        now = one.case.now or one.case.result.completed
        if now is None:
            return Finding(None, "no-mode", shown, "the time is not known")
        assert self.zone is not None and self.start is not None and self.end is not None
        local = now.astimezone(self.zone)
        at, day = local.time(), local.weekday()
        if self.start < self.end:
            inside = self.start <= at < self.end
        else:
            inside = at >= self.start or at < self.end
            day = (day - 1) % 7 if at < self.end else day
        truth = inside and DAYS[day] in self.days
        told = f"{DAYS[local.weekday()]} {local:%H:%M}"
        return Finding(truth, "schedule", (*shown, ("when", told)) if truth else (), told)


def read_schedule(table: Table, about: About) -> ScheduleCheck:
    """Read the keys of a rule about the time."""
    modes = frozenset(table.texts("modes"))
    if modes:
        return ScheduleCheck(modes, None, None, frozenset(), None)
    start, end = _time(table, "from"), _time(table, "to")
    if start == end:
        raise table.refuse("to", "is the same as from", "write two different times")
    days = frozenset(table.texts("days", f"list some of {', '.join(DAYS)}")) or frozenset(DAYS)
    if unknown := days - set(DAYS):
        raise table.refuse("days", f"{min(unknown)!r} is not a day", f"known are {', '.join(DAYS)}")
    name = table.text("timezone", 'there is no default time zone: timezone = "Europe/Paris"')
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise table.refuse("timezone", f"{name!r} is not a time zone", 'write it like "Europe/Paris"') from None
    return ScheduleCheck(frozenset(), start, end, days, zone)


def _time(table: Table, key: str) -> time:
    text = table.text(key, 'write modes = ["on-call"], or from = "20:00" and to = "07:30"')
    match = _TIME.fullmatch(text)
    if match is None:
        raise table.refuse(key, f"{text!r} is not a time of day", "write it like 20:00")
    return time(int(match[1]), int(match[2]))
