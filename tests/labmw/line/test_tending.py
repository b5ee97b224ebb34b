"""What a line sees to goes on after whatever happens to one step, and ends with its line alone."""

from __future__ import annotations

import asyncio

import pytest

from labmw.clock import SYSTEM
from labmw.errors import StoreError
from labmw.line.health import LinkHealth
from labmw.line.tending import tend


async def test_a_step_that_fails_is_told_and_tried_again() -> None:
    signal, health, done = asyncio.Event(), LinkHealth("TEST", "line", SYSTEM), list[str]()

    async def step() -> float | None:
        done.append("step")
        signal.set()  # the next one is due at once
        if len(done) == 1:
            raise StoreError("the disk is full")
        if len(done) == 2:
            raise ValueError("a fault of ours")
        if len(done) == 5:
            raise asyncio.CancelledError
        return None

    with pytest.raises(asyncio.CancelledError):
        await tend(step, signal, health, link="line", failing="orders cannot be sent")
    assert len(done) == 5
    assert health.troubles["store"] == {"why": "the disk is full"}


async def test_a_step_comes_when_its_time_is_there_though_nobody_wakes_it() -> None:
    done: list[str] = []

    async def step() -> float | None:
        done.append("step")
        if len(done) == 3:
            raise asyncio.CancelledError
        return 0.0

    with pytest.raises(asyncio.CancelledError):
        await tend(step, asyncio.Event(), LinkHealth("TEST", "line", SYSTEM), link="line", failing="-")
    assert len(done) == 3
