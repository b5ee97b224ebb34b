"""Does labmw's own receiver and sender, with the store behind it, get on with the MLLP client and server of python-hl7?"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest
from deviant import example
from receiver import oru
from stage import Stage, eventually, free_port

from labmw.app import Laboratory
from labmw.config import load
from labmw.delivery.mllp import MllpSender

HOST = "127.0.0.1"
SENT = ("law_lab29_01", "law_lab29_03", "law_lab29_05", "law_lab29_06")


async def test_their_client_sends_results_to_our_line_and_reads_the_acknowledgments(tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port()).build([], link='driver = "law"\nprotocol = "hl7"')
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        port = stage.analyzer_port
        await eventually(lambda: listens(port))
        reader, writer = await hl7.mllp.open_hl7_connection(HOST, port, encoding="utf-8")
        for name in (*SENT, SENT[0]):  # the last one a second time: LAW-008
            message = hl7.parse(example(name).decode())
            writer.writemessage(message)
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 60)
            assert [str(answer.segment("MSA")[n]) for n in (1, 2)] == ["AA", str(message.segment("MSH")[10])]
        writer.writemessage(hl7.parse(example("law_lab27_01").decode().replace("QBP^Q11^QBP_Q11", "ZZZ^Z01")))
        await writer.drain()
        refused = await asyncio.wait_for(reader.readmessage(), 60)
        assert str(refused.segment("MSA")[1]) == "AR"
        writer.close()
        await writer.wait_closed()
    finally:
        await laboratory.stop()
    kept = [bytes(raw) for (raw,) in stage.ask("SELECT raw FROM message ORDER BY id")]  # type: ignore[call-overload]
    assert kept[: len(SENT)] == [example(name) for name in SENT]
    assert kept.count(example(SENT[0])) == 1, "a repeated MSH-10 with the same bytes is the same message"


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


@pytest.mark.parametrize("code", ["AA", "AE", "AR"])
async def test_our_sender_delivers_to_their_server(code: str) -> None:
    seen: list[str] = []

    async def connected(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                seen.append(str(message))
                writer.writemessage(message.create_ack(code, f"S-{len(seen)}"))
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    server = await hl7.mllp.start_hl7_server(connected, HOST, 0, encoding="utf-8")
    sender = MllpSender(HOST, server.sockets[0].getsockname()[1], patience=10.0)
    try:
        for control in ("M1", "M2", "M3"):
            answer, _ = await sender.deliver(control, oru(control))
            assert (answer.code, answer.control_id) == (code, control)
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()
    assert [one.encode() for one in seen] == [oru(control) for control in ("M1", "M2", "M3")]
