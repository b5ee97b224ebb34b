"""kill -9 at each step of a replacement (RP with RO): the partner has each sub-order once, the old one is gone on both sides, the new one is not."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from lisside import new
from partnerside import ADA, ALAT, ALT, CATALOGUE
from requesterside import set_up as set_up_subcontractor
from requesterside import tube
from stage import Lis, Stage, eventually, free_port

from protocols.hl7.er7 import Message
from simulators.errors import SimulatorError
from simulators.ltw import Order, OrderingLis, order_message
from simulators.partner_lab import PartnerLab
from simulators.partner_requester import Ask, RequesterLab

TUBES = [f"K{place}" for place in range(4)]


async def tell(port: int, message: bytes) -> Message:
    """Send one message until its reply is there."""
    while True:
        try:
            async with OrderingLis("127.0.0.1", port, patience=2.0) as line:
                return await line.tell(message)
        except (OSError, SimulatorError):
            await asyncio.sleep(0.02)


def requester(folder: Path, partner: PartnerLab) -> tuple[Stage, int]:
    feed = free_port()
    extra = f"""
[[partners]]
name = "SPE"
connect = "127.0.0.1:{partner.port}"
listen = "127.0.0.1:{free_port()}"
ack_timeout = 1.0
retry_base = 0.05
retry_cap = 0.1
routes = [{{ tests = ["{ALT}"] }}]
choices = {{ replace = "rp-ro" }}
"""
    stage = Stage(folder, free_port(), free_port(), extra).build([])
    text = stage.config.read_text(encoding="utf-8").replace("[rules]", f'listen = "127.0.0.1:{feed}"\n[rules]', 1)
    stage.config.write_text(text, encoding="utf-8")
    return stage, feed


@pytest.mark.parametrize(
    "trap",
    [
        "lis-message-not-committed",
        "lis-message-committed",
        "sub-order-not-sent",
        "sub-order-sent",
        "sub-order-answered",
        "delivery-committed",
    ],
)
async def test_killed_at_this_step_the_requester_replaces_once(trap: str, tmp_path: Path) -> None:
    async with PartnerLab("127.0.0.1", 0, CATALOGUE) as partner:
        stage, feed = requester(tmp_path, partner)

        async def through() -> None:
            for label in TUBES:
                await tell(feed, new(f"M-{label}", label, ALAT, person=ADA))
            for label in TUBES:
                await tell(
                    feed,
                    order_message(
                        f"R-{label}",
                        "O21",
                        ADA,
                        label,
                        [Order(f"{label}-1", ALAT, "RP"), Order(f"{label}-2", ALAT, "RO")],
                    ),
                )

        async with Lis(stage.lis_port):
            async with daemon(stage, trap, random.Random(trap).randint(5, 7)) as process:
                working = asyncio.create_task(through())
                async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                    await process.wait()
                assert process.returncode == -9
            async with daemon(stage), asyncio.timeout(60):
                await working
                await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state <> 'delivered'") == [(0,)])
        rows = stage.ask("SELECT specimen, state, number FROM sub_order ORDER BY id")
        assert sorted((label, state) for label, state, _ in rows) == sorted(
            (label, state) for label in TUBES for state in ("accepted", "cancelled")
        )
        assert {number: one.state for number, one in partner.asked.items()} == {
            number: "cancelled" if state == "cancelled" else "asked" for _, state, number in rows
        }


@pytest.mark.parametrize("trap", ["partner-message-not-committed", "partner-message-committed"])
async def test_killed_at_this_step_the_subcontractor_replaces_once(trap: str, tmp_path: Path) -> None:
    async with RequesterLab("127.0.0.1", 0) as lab:
        stage, port = set_up_subcontractor(tmp_path, lab)
        asked = [lab.message(tube(label)) for label in TUBES]
        asked += [lab.message(tube(label), Ask("replace")) for label in TUBES]

        async def through() -> list[list[str]]:
            replies = [await tell(port, message) for message in asked]
            return [[orc.component(1) for orc in reply.all("ORC")] for reply in replies]

        async with daemon(stage, trap, 6) as process:
            working = asyncio.create_task(through())
            async with asyncio.timeout(60):
                await process.wait()
            assert process.returncode == -9
        async with daemon(stage), asyncio.timeout(60):
            assert await working == [["OK"]] * 4 + [["RQ", "OK"]] * 4
        assert stage.ask("SELECT number, state FROM sub_order ORDER BY id") == [
            *((f"RQ-{label}", "cancelled") for label in TUBES),
            *((f"RQ-{label}-RO", "accepted") for label in TUBES),
        ]
