"""kill -9 at each step of an exchange by files, over the partner's SFTP server: no file is lost, none is written or done twice, no number is missing."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from hprimside import accepted, result
from lisside import new
from sftpside import PartnerServer, partner_over_sftp, partner_server
from stage import Lis, eventually

from protocols.hl7.er7 import Message
from protocols.hprim import parse
from simulators.errors import SimulatorError
from simulators.ltw import OrderingLis, Person

ALAT = "1742-6^ALAT^LN"
ADA = Person("P1", family="Lefèvre", given="Zoé")
TUBES = [f"K{place}" for place in range(4)]
STEPS = (
    "file-laid",
    "file-aside",
    "partner-message-committed",
    "answer-laid",
    "file-put-away",
)


async def tell(port: int, message: bytes) -> Message:
    """Send one message until its reply is there."""
    while True:
        try:
            async with OrderingLis("127.0.0.1", port, patience=2.0) as line:
                return await line.tell(message)
        except (OSError, SimulatorError):
            await asyncio.sleep(0.02)


async def perform(server: PartnerServer, number: int) -> None:
    """Wait for a file that asks, answer it, lay the result down, whole and under its own name, and wait until it is answered."""
    out, into = server.root / "out", server.root / "in"
    asking = out / f"LABMW{number:06d}.HPR"
    while not asking.exists():
        await asyncio.sleep(0.02)
    asked = parse(asking.read_bytes())
    name = f"SPE{number:06d}"
    for file, data in ((f"Y{number}.ACK", accepted(asked)), (f"{name}.HPR", result(asked, file=f"{name}.HPR"))):
        (into / f"{file}.part").write_bytes(data)
        (into / f"{file}.part").rename(into / file)
    while not (out / f"{name}.ACK").exists():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("trap", STEPS)
async def test_killed_at_this_step_no_file_is_lost_or_done_twice(trap: str, tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        stage, feed = partner_over_sftp(tmp_path, server)
        async with Lis(stage.lis_port) as lis:
            async with daemon(stage, trap, random.Random(trap).randint(1, 4)) as process:
                working = [asyncio.create_task(tell(feed, new(f"M-{tube}", tube, ALAT, person=ADA))) for tube in TUBES]
                performing = [asyncio.create_task(perform(server, number)) for number in range(1, len(TUBES) + 1)]
                async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                    await process.wait()
                assert process.returncode == -9
            async with daemon(stage), asyncio.timeout(60):
                await asyncio.gather(*working, *performing)
                await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
                await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state <> 'delivered'") == [(0,)])
                into = server.root / "in"
                await eventually(lambda: len(list(into.glob("taken/*"))) == 2 * len(TUBES))
        numbers = range(1, len(TUBES) + 1)
        expected = {f"LABMW{n:06d}.HPR" for n in numbers} | {f"SPE{n:06d}.ACK" for n in numbers}
        assert {file.name for file in (server.root / "out").iterdir()} == expected
        assert [file.name for file in (server.root / "in").iterdir()] == ["taken"]
        asked = [parse((server.root / "out" / f"LABMW{n:06d}.HPR").read_bytes()) for n in numbers]
        assert sorted(file.values(file.records[2], 2)[2] for file in asked) == TUBES
        assert sorted(stage.ask("SELECT specimen, state FROM sub_order")) == [(tube, "final") for tube in TUBES]
        results = sorted(stage.ask("SELECT specimen, value, state FROM result"))
        assert results == [(tube, "22", "delivered") for tube in TUBES]
        assert sorted(lis.values) == [(tube, "22") for tube in TUBES]
