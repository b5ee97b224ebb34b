"""An LIS that says by its own line what it makes of our reports, and batches of it (decisions 0079, 0080)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from lisside import ALT, lab, new, orders, reasons, set_up
from stage import Analyzer, Stage, eventually, message

from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from simulators.ltw import OrderingLis

BOTH = 'acknowledge = "both"'


def said(number: str, code: str, control_id: str, modes: str = "") -> bytes:
    return f"MSH|^~\\&|SIL||LABMW||20261101||ACK^R01^ACK|{number}|P|2.5.1{modes}\rMSA|{code}|{control_id}\r".encode()


@contextlib.asynccontextmanager
async def storing(stage: Stage, commit: str = "CA") -> AsyncIterator[tuple[list[Message], list[Message]]]:
    """An LIS that takes reports and says only that they are stored; what it got, and what was said to it on that connection."""
    got: list[Message] = []
    told: list[Message] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                heard = Message.parse((await reader.readuntil(b"\x1c\r"))[1:-2])
                (told if heard.first("MSA") is not None else got).append(heard)
                if heard.first("MSA") is None and commit:
                    writer.write(wrap(said(f"C{len(got)}", commit, heard.control_id)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", stage.lis_port)
    try:
        yield got, told
    finally:
        server.close()


async def report(stage: Stage, got: list[Message], tube: str) -> str:
    """An analyzer reports; the MSH-10 of what the LIS was sent."""
    await Analyzer(stage.analyzer_port).send(tube, message(tube))
    await eventually(lambda: any(tube in one.first("SPM").field(2) for one in got if one.first("SPM")))  # type: ignore[union-attr]
    return got[-1].control_id


async def reply_or_nothing(lis: OrderingLis, data: bytes, nothing: bytes) -> list[str]:
    """What is said to a message, up to the reply to another one that is sent behind it."""
    await lis.write(wrap(data) + wrap(nothing))
    codes: list[str] = []
    while not codes or not codes[-1].endswith(Message.parse(nothing).control_id):
        told = read_ack(await lis.reply())
        codes.append(f"{told.code} {told.control_id}")
    return codes[:-1]


# Scenario 7.14.
async def test_an_application_reply_by_the_lis_own_line_delivers_and_is_confirmed_there(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis=BOTH)
    stage.expect(["T1", "T2", "T3"])
    async with storing(stage) as (got, told), lab(stage, port) as (_, lis):
        number = await report(stage, got, "T1")
        assert (got[0].header.component(15), got[0].header.component(16)) == ("AL", "AL")
        assert stage.ask("SELECT state FROM outbox") == [("claimed",)], "stored is not delivered"
        aa = said("R1", "AA", number, "|||AL|NE")
        assert await reply_or_nothing(lis, aa, new("N1", "T7", ALT)) == ["CA R1"]
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("delivered",)])
        # Again, it is known, and changes nothing.
        assert await reply_or_nothing(lis, aa, new("N2", "T8", ALT)) == ["CA R1"]
        # Refused after it was stored: a person is told, with the LIS's words.
        number = await report(stage, got, "T2")
        assert await reply_or_nothing(lis, said("R2", "AE", number), new("N3", "T9", ALT)) == []
        await eventually(lambda: stage.ask("SELECT state FROM outbox ORDER BY id") == [("delivered",), ("dead",)])
        assert stage.ask("SELECT code FROM receipt") == [("AE",)]
        # The queue goes on.
        number = await report(stage, got, "T3")
        await reply_or_nothing(lis, said("R3", "AA", number), new("N4", "T6", ALT))
        await eventually(lambda: stage.ask("SELECT state FROM outbox ORDER BY id")[2:] == [("delivered",)])
        assert reasons(stage) == []
        assert await reply_or_nothing(lis, said("R4", "AA", "NEVER-SENT"), new("N5", "T5", ALT)) == []
        assert reasons(stage) == ["reply-to-nothing"]
        assert not told, "what came by the one line is not confirmed on the other"
    assert stage.ask("SELECT count(*) FROM audit WHERE what = 'delivered'") == [(2,)]


async def test_the_variant_that_reports_without_asking_for_it_is_delivered_by_the_commit_alone(tmp_path: Path) -> None:
    """Without the agreement a CA is the only word there is to wait for."""
    stage, port = set_up(tmp_path)
    stage.expect(["T1"])
    async with storing(stage) as (got, _), lab(stage, port):
        await report(stage, got, "T1")
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("delivered",)])


async def test_a_batch_of_the_lis_is_answered_by_a_batch_where_that_was_agreed(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="batch_reply = true")
    head = b"FHS|^~\\&|SIL|H|LABMW||20261101||||F1\rBHS|^~\\&|SIL|H|LABMW||20261101||||B1\r"
    data = head + new("M1", "T1", ALT) + new("M2", "T2", ALT) + b"BTS|2\rFTS|1\r"
    async with lab(stage, port) as (_, lis):
        for _ in range(2):  # sent again, nothing is there twice
            await lis.write(wrap(data))
            raw = (await lis.block()).decode()
            rows = [row.split("|") for row in raw.split("\r") if row]
            assert [row[0] for row in rows if row[0] in ("FHS", "BHS", "BTS", "FTS")] == ["FHS", "BHS", "BTS", "FTS"]
            assert [row[11] for row in rows if row[0] == "BHS"] == ["B1"]
            assert [(row[1], row[2]) for row in rows if row[0] == "MSA"] == [("AA", "M1"), ("AA", "M2")]
        assert len(orders(stage)) == 2
        short = data.replace(b"BTS|2", b"BTS|3").replace(b"B1\r", b"B2\r")
        await lis.write(wrap(short))
        (bts,) = [row for row in (await lis.block()).decode().split("\r") if row.startswith("BTS")]
        assert bts.startswith("BTS|2|") and "counts 3 messages, 2 are there" in bts
        assert reasons(stage) == ["batch-envelope"]
