"""How does simulated time pass? The one place that waits, so that tests can wait without waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Seconds that never go back, the civil time, and waiting."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        ...

    def now(self) -> datetime:
        """Return the civil time in UTC."""
        ...

    def real(self, seconds: float) -> float:
        """Return the real seconds that seconds of the scenario last: a run may compress the time an analyzer thinks."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait real seconds: the timers of the link, the delays of a line."""
        ...


@dataclass(frozen=True, slots=True)
class WallClock:
    """The computer's clock; `speed` compresses the time of the scenario, never the timers of the link."""

    speed: float = 1.0

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the civil time in UTC."""
        return datetime.now(UTC)

    def real(self, seconds: float) -> float:
        """Return the real seconds that seconds of the scenario last."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait real seconds."""
        await asyncio.sleep(seconds)


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` gives, or None when the time is over first; the work is cancelled then.

    The reads of `simulators.wire` take bytes only in the step that returns them, so a cancelled read loses nothing.
    """
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, alarm), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, alarm):
            one.cancel()
        await asyncio.gather(task, alarm, return_exceptions=True)


def stamp(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
