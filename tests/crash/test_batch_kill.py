"""kill -9 in the middle of a batch: sent again whole, every message is there, and there once (decision 0080)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from crashing import daemon
from lisside import ALT, new, orders, set_up
from stage import Stage

from protocols.hl7.mllp import wrap
from simulators.errors import SimulatorError
from simulators.ltw import OrderingLis

NUMBERS = [f"B{place}" for place in range(8)]
HEAD, TAIL = b"BHS|^~\\&|SIL|H|LABMW||20261101||||77\r", f"BTS|{len(NUMBERS)}\r".encode()
BATCH = HEAD + b"".join(new(f"M-{one}", f"T-{one}", ALT) for one in NUMBERS) + TAIL
WANTED = {(f"T-{one}", "1742-6", f"T-{one}-1"): "open" for one in NUMBERS}


async def tell(port: int, together: bool) -> list[str]:
    """Send the whole batch, and return what was accepted before the line broke, or all of it."""
    said: list[str] = []
    try:
        async with OrderingLis("127.0.0.1", port, patience=10.0) as lis:
            await lis.write(wrap(BATCH))
            while len(said) < len(NUMBERS):
                rows = [row.split("|") for row in (await lis.block()).decode().split("\r")]
                said += [row[2] for row in rows if row[0] == "MSA" and row[1] == "AA"]
    except (OSError, SimulatorError):
        assert not together or len(said) in (0, len(NUMBERS)), "one batch answers all or nothing"
    return said


async def told(port: int, together: bool) -> list[str]:
    """Send it until the daemon listens."""
    async with asyncio.timeout(60):
        while not (said := await tell(port, together)):
            await asyncio.sleep(0.02)
    return said


async def killed(stage: Stage, port: int, step: str, *more: str, together: bool = False) -> list[str]:
    """What was accepted by a daemon that is killed at the fifth message."""
    async with daemon(stage, step, 5, *more) as process, asyncio.timeout(60):
        said: list[str] = []
        while process.returncode is None:
            said = await tell(port, together) or said
            await asyncio.sleep(0.02)
        assert process.returncode == -9  # the step must be reached, or this test tests nothing
    return said


@pytest.mark.parametrize(
    ("step", "together"),
    [("lis-message-not-committed", False), ("lis-message-committed", False), ("lis-message-committed", True)],
)
async def test_nothing_of_a_batch_is_lost_or_there_twice(step: str, together: bool, tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="batch_reply = true" if together else "")
    early = await killed(stage, port, step, together=together)
    assert len(early) == (0 if together else 4)
    kept = {f"M-{tube.removeprefix('T-')}" for tube, _, _ in orders(stage)}
    assert set(early) <= kept, "what was acknowledged is there"
    assert len(kept) == (4 if step == "lis-message-not-committed" else 5)
    async with daemon(stage):
        assert await told(port, together) == [f"M-{one}" for one in NUMBERS]
    assert orders(stage) == WANTED
    assert stage.ask("SELECT count(*), count(DISTINCT control_id) FROM message") == [(len(NUMBERS), len(NUMBERS))]


async def test_the_variant_that_answers_first_loses(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    early = await killed(stage, port, "lis-message-not-committed", "ack-first")
    kept = {f"M-{tube.removeprefix('T-')}" for tube, _, _ in orders(stage)}
    assert set(early) - kept, "answering before the commit must lose messages, or the test above proves nothing"
