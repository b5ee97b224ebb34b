"""Commit and application acknowledgment as two messages, and batches message by message (decisions 0079 and 0080)."""

from __future__ import annotations

from pathlib import Path

import hl7
from lawside import running, set_up
from stage import eventually

from labmw.line.dialling import dial
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.er7 import Message

END = b"\x1c\r"


def oru(control: str = "M1", *, kind: str = "ORU^R01^ORU_R01", modes: str = "") -> bytes:
    return (
        f"MSH|^~\\&|ANALYZER|LAB|LABMW|LAB|20261101080000||{kind}|{control}|P|2.5.1|||{modes}\r"
        "PID|1||P1\rOBR|1|||6690-2^WBC^LN\rOBX|1|NM|6690-2^WBC^LN||5.4|10*9/L|||||F|||20261101075900\rSPM|1|S1\r"
    ).encode()


def block(data: bytes) -> bytes:
    return b"\x0b" + data + END


def read(raw: bytes) -> Acknowledgment:
    return read_ack(Message.parse(raw))


HL7 = 'driver = "any-hl7"\nprotocol = "hl7"'


async def test_stored_is_said_first_and_the_reply_follows_under_its_own_number(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=HL7)
    async with running(stage):
        reader, writer = await dial("127.0.0.1", stage.analyzer_port, patience=5.0, tls=None)
        for _ in range(2):  # sent again, it is stored once and told twice
            writer.write(block(oru(modes="AL|AL")))
            commit, reply = [(await reader.readuntil(END))[1:-2] for _ in range(2)]
            assert [(read(one).code, read(one).control_id) for one in (commit, reply)] == [("CA", "M1"), ("AA", "M1")]
            assert hl7.parse(commit.decode())["MSH.F10"] != hl7.parse(reply.decode())["MSH.F10"]
        await eventually(lambda: stage.ask("SELECT state FROM owed_reply") == [("taken",)])
        writer.write(block(oru("M2", kind="ADT^A01", modes="AL|AL")) + block(oru("M3")))
        assert [read((await reader.readuntil(END))[1:-2]).code for _ in range(2)] == ["CR", "AA"]
        writer.close()


async def test_a_reply_that_the_last_process_owed_is_sent_by_the_next(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=HL7)
    async with running(stage):
        reader, writer = await dial("127.0.0.1", stage.analyzer_port, patience=5.0, tls=None)
        writer.write(block(oru(modes="AL|AL")))
        for _ in range(2):
            await reader.readuntil(END)
        await eventually(lambda: stage.ask("SELECT state FROM owed_reply") == [("taken",)])
        writer.close()
    stage.write([("UPDATE owed_reply SET state = ?, closed_at = NULL", ("owed",))])  # killed between the two
    async with running(stage):
        reader, writer = await dial("127.0.0.1", stage.analyzer_port, patience=5.0, tls=None)
        writer.write(block(oru("M2")))
        told = [read((await reader.readuntil(END))[1:-2]).control_id for _ in range(2)]
        assert told == ["M2", "M1"]
        writer.close()


async def test_a_batch_is_answered_message_by_message_and_a_wrong_count_is_told(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=HL7)
    data = b"BHS|^~\\&|A|B|C|D|20261101||||77\r" + oru("B1") + oru("B2") + b"BTS|3\r"
    async with running(stage):
        reader, writer = await dial("127.0.0.1", stage.analyzer_port, patience=5.0, tls=None)
        for _ in range(2):  # resent, nothing is there twice
            writer.write(block(data))
            told = [read((await reader.readuntil(END))[1:-2]) for _ in range(3)]
            assert [(one.code, one.control_id) for one in told] == [("AA", "B1"), ("AA", "B2"), ("AE", "77")]
        writer.close()
        assert stage.ask("SELECT control_id FROM message ORDER BY id") == [("B1",), ("B2",), ("77",)]
        assert stage.ask("SELECT reason FROM quarantine WHERE reason = 'batch-envelope'") == [("batch-envelope",)]
