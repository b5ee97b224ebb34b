"""kill -9 at each step of a sub-order's life: none is lost or asked twice, every result that was acknowledged is there once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from lisside import new
from partnerside import ADA, ALAT, ALT, CATALOGUE, msa, step
from stage import Lis, Stage, eventually, free_port

from protocols.hl7.er7 import Message
from simulators.errors import SimulatorError
from simulators.ltw import OrderingLis
from simulators.partner_lab import Asked, PartnerLab

TUBES = [f"K{place}" for place in range(10)]
STEPS = (
    "lis-message-not-committed",
    "lis-message-committed",
    "sub-order-not-sent",
    "sub-order-sent",
    "sub-order-answered",
    "delivery-committed",
    "partner-message-not-committed",
    "partner-message-committed",
    "verdict-not-committed",
    "verdict-committed",
)


def set_up(folder: Path, partner: PartnerLab) -> tuple[Stage, int, int]:
    feed, port = free_port(), free_port()
    extra = f"""
[[partners]]
name = "SPE"
connect = "127.0.0.1:{partner.port}"
listen = "127.0.0.1:{port}"
facility = "LABOSPE"
ack_timeout = 1.0
retry_base = 0.05
retry_cap = 0.1
routes = [{{ tests = ["{ALT}"] }}]
"""
    stage = Stage(folder, free_port(), free_port(), extra).build([])
    text = stage.config.read_text(encoding="utf-8").replace("[rules]", f'listen = "127.0.0.1:{feed}"\n[rules]', 1)
    stage.config.write_text(text, encoding="utf-8")
    return stage, feed, port


async def tell(port: int, message: bytes) -> Message:
    """Send one message until its reply is there."""
    while True:
        try:
            async with OrderingLis("127.0.0.1", port, patience=2.0) as line:
                return await line.tell(message)
        except (OSError, SimulatorError):
            await asyncio.sleep(0.02)


async def perform(partner: PartnerLab, port: int, tube: str, acknowledged: list[str]) -> None:
    """Wait until the tube is asked for, and report it until that is acknowledged."""
    found: list[Asked] = []
    while not found:
        await asyncio.sleep(0.02)
        found = [one for one in partner.asked.values() if one.tube == tube]
    if msa(await tell(port, partner.message(found[0], step("final"))))[0] == "AA":
        acknowledged.append(tube)


@pytest.mark.parametrize("trap", STEPS)
async def test_killed_at_this_step_no_sub_order_is_lost_or_asked_twice(trap: str, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    async with PartnerLab("127.0.0.1", 0, CATALOGUE) as partner:
        stage, feed, port = set_up(tmp_path, partner)
        async with Lis(stage.lis_port) as lis:
            async with daemon(stage, trap, random.Random(trap).randint(2, 7)) as process:
                working = [asyncio.create_task(tell(feed, new(f"M-{tube}", tube, ALAT, person=ADA))) for tube in TUBES]
                performing = [asyncio.create_task(perform(partner, port, tube, acknowledged)) for tube in TUBES]
                async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                    await process.wait()
                assert process.returncode == -9
            async with daemon(stage), asyncio.timeout(60):
                await asyncio.gather(*working, *performing)
                await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
                await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state <> 'delivered'") == [(0,)])
        assert sorted(acknowledged) == sorted(TUBES)
        assert sorted(
            str(row[0]) for row in stage.ask("SELECT specimen FROM sub_order WHERE state = 'final'")
        ) == sorted(TUBES)
        assert {number for number, one in partner.asked.items()} == {
            row[0] for row in stage.ask("SELECT number FROM sub_order")
        }
        assert sorted(stage.ask("SELECT specimen, value, state FROM result")) == sorted(
            (tube, "22", "delivered") for tube in TUBES
        )
        assert sorted(lis.values) == sorted((tube, "22") for tube in TUBES)


async def test_the_variant_that_acknowledges_first_loses(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    async with PartnerLab("127.0.0.1", 0, CATALOGUE) as partner:
        stage, feed, port = set_up(tmp_path, partner)
        async with Lis(stage.lis_port):
            async with daemon(stage, "partner-message-not-committed", 5, "ack-first", "partner") as process:
                working = [asyncio.create_task(tell(feed, new(f"M-{tube}", tube, ALAT, person=ADA))) for tube in TUBES]
                performing = [asyncio.create_task(perform(partner, port, tube, acknowledged)) for tube in TUBES]
                async with asyncio.timeout(60):
                    await process.wait()
            early = set(acknowledged)
            for task in (*working, *performing):
                task.cancel()
            await asyncio.gather(*working, *performing, return_exceptions=True)
    kept = {str(row[0]) for row in stage.ask("SELECT specimen FROM result")}
    assert early - kept, "acknowledging before the commit must lose results, or the test above proves nothing"
