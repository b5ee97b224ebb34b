"""Has the value changed too much since the patient's previous one? Absolute, in percent, or as a rate; within one method and laboratory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from labmw.errors import QuantityError
from labmw.model import Case, Previous, VerdictLevel
from labmw.quantity import ucum
from rules.checks.finding import About, Finding, Limits, no_number, other_unit
from rules.interval import Interval, above, difference, divided, interval, negative, percent, show, size
from rules.kleene import word
from rules.strict import Table
from rules.subject import Facts, Subject
from rules.vocabulary import POLICIES

MODES = ("absolute", "percent", "rate-per-hour", "rate-per-day")
DIRECTIONS = ("both", "up", "down")
_SPAN = re.compile(r"([1-9]\d{0,4})(min|h|d)", re.ASCII)
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_HOURS = {"rate-per-hour": 1.0, "rate-per-day": 24.0}


@dataclass(frozen=True, slots=True)
class DeltaCheck:
    """How much change in how much time. `limit` is by unit, or under "" for a percentage; more than it fires."""

    mode: str
    limit: Mapping[str, Decimal]
    window: timedelta
    direction: str
    no_previous: VerdictLevel  # asked, and nothing comparable is there: unknown, never "first result"
    name: str = "delta"
    numeric: bool = True
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "previous", "change", "limit", "hours"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Compare with the newest comparable result inside the window before this one."""
        if one.value is None:
            return no_number(one)
        history, completed = one.case.history, one.case.result.completed
        shown = (("value", one.shown),)
        if history is None:
            return Finding(None, "no-history", shown, "history not available")
        if completed is None:
            return Finding(None, "no-time", shown, "completion time unknown")
        limit = self.limit.get("" if self.mode == "percent" else one.unit)
        if limit is None:
            return other_unit(one, tuple(self.limit))
        near = [
            p for p in history if timedelta(0) < completed - p.completed <= self.window and _comparable(p, one.case)
        ]
        if not near:
            hours = f"{self.window / timedelta(hours=1):g}"
            detail = f"no previous within {hours} h, of {len(history)} known"
            return Finding(None, "no-previous", (*shown, ("hours", hours)), detail, self.no_previous)
        return self._change(one, one.value, limit, near, completed)

    def _change(
        self, one: Subject, value: Interval, limit: Decimal, near: Sequence[Previous], completed: datetime
    ) -> Finding:
        newest = max(near, key=lambda p: p.completed)
        usable = [p for p in near if (p.quantity.unit or "1") == one.unit]
        if not usable:
            other = (("value", one.shown), ("previous", str(newest.quantity)))
            return Finding(None, "previous-unit", other, f"previous {newest.quantity} in another unit")
        previous = max(usable, key=lambda p: p.completed)
        before = interval(previous.quantity)
        hours = (completed - previous.completed) / timedelta(hours=1)
        change = None if before is None else self._measure(value, before, hours)
        facts: Facts = (("value", one.shown), ("previous", str(previous.quantity)), ("hours", f"{hours:.4g}"))
        used = f"previous {previous.quantity} at {previous.completed.isoformat()}"
        if change is None:
            return Finding(None, "previous-unusable", facts, f"{used}: no {self.mode} change can be computed")
        truth = above(change, float(limit))
        unit = (
            "%"
            if self.mode == "percent"
            else one.unit + {"rate-per-hour": "/h", "rate-per-day": "/d"}.get(self.mode, "")
        )
        detail = f"{self.mode} change > limit [{show(change)} vs {limit} {unit}] -> {word(truth)}; {used}"
        code = "censored" if truth is None else "delta"
        facts = (
            *facts,
            ("change", f"{_told(change, limit)} {unit}"),
            ("limit", f"{limit} {unit}"),
            ("check", self.name),
        )
        return Finding(truth, code, facts if truth is not False else (), detail)

    def _measure(self, value: Interval, before: Interval, hours: float) -> Interval | None:
        change = percent(value, before) if self.mode == "percent" else difference(value, before)
        if change is None:
            return None
        if self.mode in _HOURS:
            change = divided(change, hours / _HOURS[self.mode])
        match self.direction:
            case "up":
                return change
            case "down":
                return negative(change)
            case _:
                return size(change)


def _told(change: Interval, limit: Decimal) -> str:
    """Write a change in a sentence: four digits, or as many as tell it from the limit."""
    if change.point and float(short := f"{change.low:.4g}") != float(limit):
        return short
    return show(change)


def _comparable(previous: Previous, case: Case) -> bool:
    """Within one method and one laboratory, where both are known."""
    return _alike(previous.method, case.method) and _alike(previous.laboratory, case.laboratory)


def _alike(one: str, other: str) -> bool:
    return not one or not other or one == other


def span(text: str) -> timedelta | None:
    """Read `30min`, `72h` or `7d`; None when it is none of them."""
    match = _SPAN.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def read_delta(table: Table, about: About) -> DeltaCheck:
    """Read the keys of a delta rule."""
    mode = table.word("mode", MODES)
    if mode == "percent":
        limit = {"": table.number("limit", "write the percentage as a number")}
    else:
        remedy = 'write the limit with its unit: limit = { "mmol/L" = 1.2 }'
        by_unit = table.numbers("limit", remedy)
        if not isinstance(by_unit, dict):
            raise table.refuse("limit", "has no unit", remedy)
        limit = {_unit(table, text): number for text, number in by_unit.items()}
        if len(limit) < len(by_unit):
            raise table.refuse("limit", "names one unit twice", "give each unit one limit")
    for number in limit.values():
        if number <= 0:
            raise table.refuse("limit", f"{number} is not more than zero", "write how much change is still accepted")
    window = read_window(table)
    no_previous = POLICIES[table.word("if_no_previous", POLICIES)]
    return DeltaCheck(mode, limit, window, table.word("direction", DIRECTIONS, "both"), no_previous)


def read_window(table: Table) -> timedelta:
    """Read how far back a change is looked for."""
    remedy = "write it like 72h or 7d"
    window = span(text := table.text("window", remedy))
    if window is None:
        raise table.refuse("window", f"{text!r} is not a time span", remedy)
    return window


def _unit(table: Table, text: str) -> str:
    try:
        return ucum(text)
    except QuantityError:
        raise table.refuse(f"limit.{text}", f"{text!r} is not a unit", "write a UCUM unit such as mmol/L") from None
