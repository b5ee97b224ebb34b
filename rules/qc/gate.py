"""May patients' results leave, as quality control stands? Start-only, or bracketed: provisional until the next control passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Light = Literal["green", "amber", "red"]


@dataclass(frozen=True, slots=True)
class Control:
    """One run of quality control of a test on a module: when, and whether it passed."""

    at: datetime
    passed: bool


def light(
    last: Control | None,
    now: datetime,
    max_age: timedelta,
    *,
    patients: int = 0,
    most: int | None = None,
    soon: float = 0.9,
) -> Light:
    """Return green in control, amber when the next control is nearly due, red when it failed, is overdue, or never was."""
    if last is None or not last.passed or now - last.at > max_age or (most is not None and patients > most):
        return "red"
    due = now - last.at > max_age * soon or (most is not None and patients > most * soon)
    return "amber" if due else "green"


def leaves(measured: datetime, controls: Sequence[Control], *, bracketed: bool) -> bool | None:
    """May a result leave? True, False, or None while a bracketed one waits for the next control. `controls` oldest first."""
    before = [one for one in controls if one.at <= measured]
    if not before or not before[-1].passed:
        return False
    if not bracketed:
        return True
    after = next((one for one in controls if one.at > measured), None)
    return None if after is None else after.passed


def since_last_good(measured: Sequence[datetime], controls: Sequence[Control]) -> tuple[int, ...]:
    """Return which results a failed control puts in doubt: all since the last control that passed; none when the newest passed."""
    if not controls or controls[-1].passed:
        return ()
    good = max((one.at for one in controls if one.passed), default=None)
    failed = controls[-1].at
    return tuple(place for place, at in enumerate(measured) if (good is None or at > good) and at <= failed)
