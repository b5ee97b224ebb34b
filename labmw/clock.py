"""What time is it? The one place that asks the operating system, so that tests can answer instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Two readings: the civil time in UTC, for people and records, and seconds that never go back, for waiting."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


def _utc_now() -> datetime:
    return datetime.now(UTC)


SYSTEM = Clock(now=_utc_now, monotonic=time.monotonic)


def stamp(moment: datetime) -> str:
    """Write a moment as the store keeps it: ISO 8601 in UTC with microseconds, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def read_stamp(text: str) -> datetime:
    """Read what `stamp` wrote."""
    return datetime.fromisoformat(text)
