"""A partner that answers AE for a whole day: its clock is the test's, nothing is lost, it is not stormed, and everything leaves when it can (issue 7, bad input)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from receiver import ack, receiving
from released import Morning, morning, timed

from labmw.delivery.partner import PatientSender
from labmw.delivery.patience import Patience

DAY = 24 * 3600.0
SPECIMENS = ("S1", "S2", "S3")
BUSY = b"ERR|||207^Application internal error^HL70357|E\r"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        yield one


async def test_an_internal_error_for_a_day_costs_no_message(day: Morning) -> None:
    for minutes, specimen in enumerate(SPECIMENS):
        await day.release(timed(specimen=specimen, minutes=minutes))
    well = False

    async def answers(control: str, writer: asyncio.StreamWriter) -> None:
        reply = ack(control, "AA" if well else "AE")
        writer.write(reply if well else reply.replace(b"\x1c\r", BUSY + b"\x1c\r"))

    told: list[str] = []
    async with receiving(answers) as (sender, receiver):
        outbox = day.outbox(
            PatientSender(sender),  # type: ignore[arg-type]
            patience=Patience(2.0, cap=300.0, jitter=0.0),
            attempts=5000,
            trouble=lambda code, facts: told.append(f"{code} {facts['why']}"),
        )
        passed = 0.0
        while passed < DAY:
            wait = max(await outbox.step(), 1.0)
            day.later(wait)
            passed += wait
        assert 200 < len(receiver.got) < 2000  # asked again about every five minutes, not stormed
        assert day.ask("SELECT DISTINCT state FROM outbox") == [("waiting",)]
        assert set(told) == {told[0]}
        assert "207" in told[0]
        assert "ask the partner if it lasts" in told[0]
        well = True
        for _ in range(40):
            day.later(max(await outbox.step(), 1.0))
            if day.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]:
                break
        assert day.ask("SELECT specimen, state FROM outbox ORDER BY id") == [(one, "delivered") for one in SPECIMENS]
        assert len(set(receiver.texts)) == len(SPECIMENS)  # the same bytes all day
