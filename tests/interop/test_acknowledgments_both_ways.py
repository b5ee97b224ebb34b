"""Do two acknowledgments, and a batch that answers a batch, get on with python-hl7's client and server, and with hl7apy's parser?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from receiver import oru
from stage import SITE, Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.config import load
from labmw.delivery.mllp import MllpSender

HOST = "127.0.0.1"
MODES = "|2.5.1|||AL|AL"


def report(control: str, kind: str = "ORU^R01^ORU_R01") -> str:
    return oru(control).decode().replace("|2.5.1", MODES).replace("ORU^R01^ORU_R01", kind)


def judged(text: str) -> tuple[str, str, str]:
    """MSH-9, MSA-1 and MSA-2 as hl7apy finds them in a reply that it holds for sound."""
    one = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    one.validate()
    return one.msh.msh_9.to_er7(), one.msa.msa_1.to_er7(), one.msa.msa_2.to_er7()


async def test_their_client_is_told_twice_and_hl7apy_finds_both_sound(tmp_path: Path) -> None:
    link = 'driver = "any-hl7"\nprotocol = "hl7"\nbatch_reply = true'
    stage = Stage(tmp_path, free_port(), free_port()).build([], link=link)
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(stage.analyzer_port))
        reader, writer = await hl7.mllp.open_hl7_connection(HOST, stage.analyzer_port, encoding="utf-8")

        async def said() -> str:
            return str(await asyncio.wait_for(reader.readmessage(), 60))

        for _ in range(2):  # sent again, it is told the same
            writer.writemessage(hl7.parse(report("M1")))
            assert judged(await said()) == ("ACK^R01^ACK", "CA", "M1")
            assert judged(await said()) == ("ACK^R01^ACK", "AA", "M1")
        writer.writemessage(hl7.parse(report("M2", "ZZZ^Z01^ZZZ_Z01")))
        (_, code, number) = _coded(await said())
        assert (code, number) == ("CR", "M2"), "not stored, and no application reply behind it"
        batch = f"BHS|^~\\&|LAB|F|HOST|F|20261101||||B7\r{report('M3')}{report('M4')}BTS|2\r"
        writer.writeblock(batch.encode())
        answer = hl7.parse_batch((await asyncio.wait_for(reader.readblock(), 60)).decode())
        assert [str(answer.header[n]) for n in (3, 5, 12)] == ["HOST", "LAB", "B7"]
        assert [_coded(str(one))[1:] for one in answer] == [("AA", "M3"), ("AA", "M4")]
        writer.close()
        await writer.wait_closed()
    finally:
        await laboratory.stop()
    assert stage.ask("SELECT control_id, count(*) FROM message WHERE site = ? GROUP BY 1 ORDER BY 1", SITE) == [
        ("M1", 1),
        ("M2", 1),
        ("M3", 1),
        ("M4", 1),
    ]


def _coded(text: str) -> tuple[str, str, str]:
    one = hl7.parse(text)
    return str(one["MSH.F9"]), str(one["MSA.F1"]), str(one["MSA.F2"])


async def test_our_sender_waits_for_their_second_message_and_confirms_it() -> None:
    heard: list[Any] = []

    async def connected(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                heard.append(message)
                if message["MSH.F9.R1.C1"] == "ACK":
                    continue
                writer.writemessage(message.create_ack("CA", "C1"))
                await writer.drain()
                reply = message.create_ack("AE" if "BAD" in str(message) else "AA", f"R-{message['MSH.F10']}")
                reply["MSH.F15"] = "AL"
                writer.writemessage(reply)
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    server = await hl7.mllp.start_hl7_server(connected, HOST, 0, encoding="utf-8")
    sender = MllpSender(HOST, server.sockets[0].getsockname()[1], patience=10.0, two_replies=True)
    try:
        for control, code in (("M1", "AA"), ("BAD", "AE")):
            answer, raw = await sender.deliver(control, report(control).encode())
            assert (answer.code, answer.control_id) == (code, control)
            await sender.confirm(raw)
        await eventually(lambda: len(heard) == 4)
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()
    confirmed = [_coded(str(one)) for one in heard if one["MSH.F9.R1.C1"] == "ACK"]
    assert [one[1:] for one in confirmed] == [("CA", "R-M1"), ("CA", "R-BAD")]
