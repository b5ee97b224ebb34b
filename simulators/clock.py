"""How does simulated time pass? The one place that waits, so that tests can wait without waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_TURNS = 50  # of the event loop, in which everything happens that does not wait for the clock


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


class HandClock:
    """A clock that stands still until it is moved: a day of waiting takes no time."""

    def __init__(self, start: datetime = datetime(2025, 3, 10, 9, 0, tzinfo=UTC)) -> None:
        self._start, self._time = start, 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._asked = 0  # how often somebody came to wait

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._time

    def now(self) -> datetime:
        """Return the civil time in UTC."""
        return self._start + timedelta(seconds=self._time)

    def real(self, seconds: float) -> float:
        """Return the seconds unchanged."""
        return seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved so far."""
        self._asked += 1
        if seconds > 0:
            alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append((self._time + seconds, alarm))
            await alarm

    @property
    def waiting(self) -> bool:
        """True while somebody waits for this clock."""
        return any(not alarm.done() for _, alarm in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake who has waited long enough."""
        self._time += seconds
        for when, alarm in self._sleepers:
            if when <= self._time and not alarm.done():
                alarm.set_result(None)
        self._sleepers = [one for one in self._sleepers if not one[1].done()]

    async def run(self, work: asyncio.Task[T]) -> T:
        """Let the work go on, and whenever nothing more happens by itself, move to the next that somebody waits for."""
        while not work.done():
            asked = -1
            while asked != self._asked:  # as long as somebody comes to wait, something still happens
                asked = self._asked
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            waiting = [when for when, alarm in self._sleepers if not alarm.done()]
            if waiting and not work.done():
                self.advance(max(0.0, min(waiting) - self._time))
        return work.result()


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
