"""kill -9 at each step of the life of a sub-order that others ask for: none is done twice, and every result that was measured is reported once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from requesterside import set_up, tube
from stage import Analyzer, eventually, message

from protocols.hl7.er7 import Message
from simulators.errors import SimulatorError
from simulators.ltw import OrderingLis
from simulators.partner_requester import RequesterLab

TUBES = [f"K{place}" for place in range(6)]
STEPS = (
    "partner-message-committed",
    "message-committed",
    "verdict-committed",
    "sub-order-sent",
    "sub-order-answered",
)


async def tell(port: int, data: bytes) -> Message:
    """Send one message until its reply is there."""
    while True:
        try:
            async with OrderingLis("127.0.0.1", port, patience=2.0) as line:
                return await line.tell(data)
        except (OSError, SimulatorError):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("trap", STEPS)
async def test_killed_at_this_step_a_sub_order_is_done_and_reported_once(trap: str, tmp_path: Path) -> None:
    async with RequesterLab("127.0.0.1", 0) as lab:
        stage, port = set_up(tmp_path, lab)

        async def through(label: str) -> None:
            reply = await tell(port, asked[label])
            assert [orc.component(1) for orc in reply.all("ORC")] == ["OK"]
            await Analyzer(stage.analyzer_port).send(label, message(label))

        asked = {label: lab.message(tube(label)) for label in TUBES}
        async with daemon(stage, trap, random.Random(trap).randint(2, 5)) as process:
            working = [asyncio.create_task(through(label)) for label in TUBES]
            async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                await process.wait()
            assert process.returncode == -9
        async with daemon(stage), asyncio.timeout(60):
            await asyncio.gather(*working)
            await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
            await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state <> 'delivered'") == [(0,)])
        assert sorted(stage.ask("SELECT specimen, state FROM sub_order")) == [(label, "final") for label in TUBES]
        assert sorted(stage.ask("SELECT specimen, value, state FROM result")) == [
            (label, "22", "delivered") for label in TUBES
        ]
        assert lab.results == {f"RQ-{label}": [("22", "F")] for label in TUBES}
