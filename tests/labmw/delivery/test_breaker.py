"""Open, one that tries, closed: by a clock that a test turns, and not by the one on the wall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiver import ack, receiving
from released import Morning, morning, timed

from labmw.clock import Clock
from labmw.delivery import breaker
from labmw.delivery.breaker import Breaker
from labmw.delivery.patience import Patience

PATIENCE = Patience(10.0, 2.0, 40.0, 0.0)


def clocked() -> tuple[Breaker, list[float], list[datetime]]:
    seconds, wall = [100.0], [datetime(2026, 11, 1, tzinfo=UTC)]
    return Breaker(Clock(lambda: wall[0], lambda: seconds[0]), PATIENCE), seconds, wall


def test_it_opens_lets_one_try_and_closes() -> None:
    one, seconds, _ = clocked()
    assert one.closed and one.wait == 0 and one.most(20) == 20
    assert one.failed() == 10
    assert not one.closed and one.wait == 10 and one.most(20) == 1
    seconds[0] += 10
    assert one.wait == 0 and one.most(20) == 1  # one may try
    assert one.failed() == 20
    seconds[0] += 20
    assert one.worked() == 2
    assert one.closed and one.wait == 0 and one.most(20) == 20


def test_a_wall_clock_that_is_set_back_does_not_prolong_the_pause() -> None:
    one, seconds, wall = clocked()
    one.failed()
    wall[0] -= timedelta(hours=1)
    seconds[0] += 10
    assert one.wait == 0


def test_refusals_in_a_row_open_it_and_one_success_forgets_them() -> None:
    one, _, _ = clocked()
    assert [one.was_refused() for _ in range(9)] == [0] * 9
    one.worked()
    assert [one.was_refused() for _ in range(11)] == [0] * 9 + [10, 20]
    assert not one.closed and one.most(20) == 1


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path, tuple(f"S{number}" for number in range(16))) as one:
        yield one


async def refusing(day: Morning) -> tuple[list[tuple[object, ...]], list[str]]:
    """Sixteen messages to an LIS that refuses everything; the states after as many steps, and what was told."""
    for number in range(16):
        await day.release(timed(specimen=f"S{number}", minutes=number))
    told: list[str] = []

    async def refuses(control: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ack(control, "AE"))

    async with receiving(refuses) as (sender, _):
        outbox = day.outbox(sender, trouble=lambda code, facts: told.append(code))
        for _ in range(16):
            await outbox.step()
    return day.ask("SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state"), told


async def test_an_lis_that_refuses_everything_does_not_make_the_morning_dead_letters(day: Morning) -> None:
    states, told = await refusing(day)
    assert states == [("dead", 10), ("waiting", 6)]
    assert "lis-refuses" in told
    assert day.ask("SELECT count(*), min(code) FROM receipt") == [(10, "AE")]  # what it answered is kept


async def test_without_the_breaker_it_does(day: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks the rule."""
    monkeypatch.setattr(breaker.Breaker, "closed", property(lambda self: True))
    assert (await refusing(day))[0] == [("dead", 16)]
