"""Listening until a moment: one timer for many reads, and nobody else's cancellation is swallowed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lineside import MemoryWire

from labmw.line.hearing import Hearing

LONG = 60.0


def soon(seconds: float) -> float:
    """A moment of the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def test_what_arrives_is_read_and_what_does_not_is_told() -> None:
    wire = MemoryWire()
    hearing = Hearing(wire)
    wire.say(b"abc")
    assert await hearing.read(soon(LONG)) == b"abc"
    assert await hearing.read(soon(0.01)) is None
    wire.say(b"def")  # after a silence the line is read on
    assert await hearing.read(soon(LONG)) == b"def"
    hearing.close()


async def test_one_timer_serves_many_reads_and_rings_again_when_it_was_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = MemoryWire()
    hearing = Hearing(wire)
    made: list[float] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counted(when: float, *given: Any) -> asyncio.TimerHandle:
        made.append(when)
        return call_at(when, *given)

    monkeypatch.setattr(loop, "call_at", counted)
    first = soon(0.02)
    for moment in (first, soon(LONG), soon(LONG)):
        wire.say(b"x")
        assert await hearing.read(moment) == b"x"
    assert made == [first]
    until = soon(0.3)
    assert await hearing.read(until) is None
    assert loop.time() >= until
    assert made == [first, until]
    hearing.close()


async def test_a_cancellation_from_outside_goes_on() -> None:
    hearing = Hearing(MemoryWire())
    task = asyncio.create_task(hearing.read(soon(LONG)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hearing.close()


async def test_a_cancellation_from_outside_goes_on_also_at_the_very_moment() -> None:
    """The variant that would break it: whoever takes every cancellation for the end of the time never leaves."""
    hearing = Hearing(MemoryWire())
    task = asyncio.create_task(hearing.read(soon(LONG)))
    await asyncio.sleep(0)
    hearing._until = 0.0
    hearing._ring()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hearing.close()
