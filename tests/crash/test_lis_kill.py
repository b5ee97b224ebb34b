"""kill -9 while the LIS speaks: every order it has a reply for is there, and what it sends again for want of one is there once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from lisside import ALT, CREA, code, new, orders, set_up
from stage import Stage

from protocols.hl7.er7 import Message
from simulators.errors import SimulatorError
from simulators.ltw import OrderingLis

TUBES = [f"K{place}" for place in range(12)]


async def tell(port: int, message: bytes) -> Message:
    """Send one message until its reply is there, as an interface engine does."""
    while True:
        try:
            async with OrderingLis("127.0.0.1", port, patience=2.0) as lis:
                return await lis.tell(message)
        except (OSError, SimulatorError):
            await asyncio.sleep(0.02)


async def ordered(stage: Stage, port: int, step: str, *more: str) -> list[str]:
    """Order on every tube while the daemon is killed at this step and started again; returns the tubes confirmed before its death."""
    confirmed: list[str] = []

    async def order_all() -> None:
        for tube in TUBES:
            if code(await tell(port, new(f"M-{tube}", tube, ALT, CREA))) == "AA":
                confirmed.append(tube)

    async with daemon(stage, step, random.Random(step).randint(3, 9), *more) as process:
        ordering = asyncio.create_task(order_all())
        async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
            await process.wait()
        assert process.returncode == -9
        early = list(confirmed)
    if more:
        ordering.cancel()
        return early
    async with daemon(stage), asyncio.timeout(60):
        await ordering
    return early


@pytest.mark.parametrize("step", ["lis-message-not-committed", "lis-message-committed"])
async def test_no_order_is_lost_or_taken_twice(step: str, tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    await ordered(stage, port, step)
    wanted = {(tube, loinc, f"{tube}-{n}") for tube in TUBES for n, loinc in enumerate(("1742-6", "14682-9"), 1)}
    assert orders(stage) == dict.fromkeys(wanted, "open")
    assert stage.ask("SELECT count(*), count(DISTINCT control_id) FROM message") == [(len(TUBES), len(TUBES))]
    assert stage.ask("SELECT count(*) FROM patient") == [(1,)]


async def test_the_variant_that_answers_first_loses(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    confirmed = await ordered(stage, port, "lis-message-not-committed", "ack-first")
    kept = {tube for tube, _, _ in orders(stage)}
    assert set(confirmed) - kept, "answering before the commit must lose orders, or the test above proves nothing"
