"""Messages and streams of code written by others: python-hl7 reads what labmw writes, talks MLLP with it, and is outrun by it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest

from protocols.hl7.acknowledgment import Acknowledgment, ack, read_ack
from protocols.hl7.er7 import Message, build
from protocols.hl7.messages import (
    AutoRelease,
    Code,
    Comment,
    EntityId,
    Header,
    Identifier,
    Observation,
    Person,
    PersonName,
    Report,
    ReportOrder,
    ReportPatient,
    oru_r01,
)
from protocols.hl7.mllp import Block, MllpReader, wrap
from protocols.hl7.values import Numeric, Text

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.hl7"))
HOST = "127.0.0.1"


def report() -> bytes:
    glucose = Code("14749-6", "Glucose", "LN", "GLU", "Glycémie", "99LAB")
    auto = AutoRelease("Validé par règles & sans relecture", "chemistry", "3.1", Person("801", "ESSAI", "Ada"))
    results = (
        Observation(glucose, Numeric(Decimal("5.420")), Code("mmol/L", "mmol/L", "UCUM"), auto=auto),
        Observation(glucose, Text("a|b^c~d\\e&f"), comments=(Comment("one\ntwo"),)),
    )
    order = ReportOrder(glucose, EntityId("PO-1", "DPI"), None, results)
    patient = ReportPatient((Identifier("P1", "LAB", type="PI"),), (PersonName("ESSAI", "Léa"),), "19850412", "F")
    return oru_r01(Report(Header("LABMW", "LAB", "DPI", "HOP", "20260315090000+0100", "L-1"), patient, (order,)))


def test_python_hl7_reads_our_report_and_gives_it_back() -> None:
    raw = report()
    read = hl7.parse(raw.decode())
    assert str(read).encode() == raw
    obx = read.segments("OBX")
    assert str(obx[0][5]) == "5.420"
    assert read.extract_field("OBX", 2, 5, 1, 1, 1) == "a|b^c~d\\e&f"
    assert read.extract_field("OBX", 1, 16, 1, 1, 1) == "AUTO"
    assert read.extract_field("PID", 1, 5, 1, 2, 1) == "Léa"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_both_read_the_same_fields(path: Path) -> None:
    ours, theirs = Message.parse(path.read_bytes()), hl7.parse(path.read_bytes().decode())
    assert len(ours.segments) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.name == str(other[0])
        assert mine.fields[1:] == [str(other(n)) for n in range(1, len(other))]


def test_python_hl7_reads_our_acknowledgment_and_we_read_theirs() -> None:
    asked = report()
    ours = hl7.parse(ack(Message.parse(asked), "AA", control_id="A-1", when="20260315").decode())
    assert (str(ours.segment("MSA")[1]), str(ours.segment("MSA")[2])) == ("AA", "L-1")
    theirs = str(hl7.parse(asked.decode()).create_ack("AE", "A-2")).encode()
    assert read_ack(Message.parse(theirs)) == Acknowledgment("AE", "L-1")


Answer = Callable[[bytes], bytes]


async def our_server(answer: Answer, seen: list[bytes]) -> asyncio.Server:
    """The smallest shell around the reader: read, look at the blocks, answer."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        blocks = MllpReader()
        while data := await reader.read(7):  # small on purpose: blocks come in many pieces
            for event in blocks.receive(data):
                assert isinstance(event, Block)
                seen.append(event.data)
                writer.write(wrap(answer(event.data)))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    return await asyncio.start_server(connected, HOST, 0)


@contextlib.asynccontextmanager
async def serving(starting: Awaitable[Any]) -> AsyncIterator[int]:
    server = await starting
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_their_client_talks_to_our_reader() -> None:
    seen: list[bytes] = []

    def accept(data: bytes) -> bytes:
        return ack(Message.parse(data), "AA", control_id=f"A-{len(seen)}", when="20260315")

    async with serving(our_server(accept, seen)) as port:
        reader, writer = await hl7.mllp.open_hl7_connection(HOST, port, encoding="utf-8")
        for path in EXAMPLES[:5]:
            writer.writemessage(hl7.parse(path.read_bytes().decode()))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 60)
            assert str(answer.segment("MSA")[2]) == Message.parse(path.read_bytes()).control_id
        writer.close()
        await writer.wait_closed()
    assert seen == [path.read_bytes() for path in EXAMPLES[:5]]


async def test_our_client_talks_to_their_server() -> None:
    finished: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def connected(reader: Any, writer: Any) -> None:
        message = await reader.readmessage()
        writer.writemessage(message.create_ack("AA", "S-1"))
        await writer.drain()
        writer.close()
        finished.set_result(str(message))

    async with serving(hl7.mllp.start_hl7_server(connected, HOST, 0, encoding="utf-8")) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(wrap(report()))
        await writer.drain()
        blocks, events = MllpReader(), []
        while data := await asyncio.wait_for(reader.read(11), 60):
            events += blocks.receive(data)
        assert blocks.hang_up() == []
        (event,) = events
        assert isinstance(event, Block)
        assert read_ack(Message.parse(event.data)) == Acknowledgment("AA", "L-1")
        assert (await finished).encode() == report()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def upload() -> bytes:
    """An OUL^R22 of forty segments, as a clinical chemistry analyzer sends for one tube."""
    head: list[list[Any]] = [
        ["MSH", None, None, "CHEM-X1", "LABODEMO", "LABMW", "LABODEMO", "20260315083020+0100", None, ("OUL", "R22", "OUL_R22"), "A-1020", "P", "2.5.1", None, None, "NE", "AL", None, "UNICODE UTF-8"],
        ["PID", None, None, ("PAT000417", None, None, "LABODEMO", "PI"), None, ("ESSAI", "Léa"), None, "19850412", "F"],
        ["SPM", "1", (("26031500123", "LABMW"),), None, ("SER", "Serum", "HL70487"), *[None] * 6, ("P", "Patient specimen", "HL70369")],
        ["SAC", None, None, "26031500123"],
    ]  # fmt: skip
    test = ("14749-6", "Glucose [Moles/volume] in Serum or Plasma", "LN")
    each: list[list[Any]] = [
        ["OBR", None, ("AWOS-000451", "LABMW"), None, test],
        ["ORC", "SC", None, None, None, "CM"],
        ["OBX", "1", "NM", test, "1", "5.42", ("mmol/L", "mmol/L", "UCUM"), "3.90-6.10", ("N", "Normal", "HL70078"), None, None, "F", *[None] * 4, "TECH01", None, [("CHEM-X1", "ACME"), ("SN-4471", "ACME")], "20260315083015+0100", *[None] * 9, "RSLT"],
    ]  # fmt: skip
    each_reagent: list[Any] = ["TCD", test]
    return build([*head, *each * 10, *[each_reagent] * 6])


def read_ours(raw: bytes) -> list[Any]:
    message = Message.parse(raw)
    pid, spm = message.first("PID"), message.first("SPM")
    assert pid and spm
    found: list[Any] = [pid.component(5, 2), *pid.values(3, 5, 7, 8), *spm.values(2, 4)]
    return [*found, *[obx.values(3, 5, 6, 8, 11, 19) for obx in message.all("OBX")]]


def read_theirs(text: str) -> list[Any]:
    message = hl7.parse(text)
    pid, spm = message.segment("PID"), message.segment("SPM")
    found: list[Any] = [
        str(part) for part in (pid[5][0][1], pid[3][0][0], pid[5][0][0], pid[7], pid[8], spm[2][0][0][0], spm[4][0][0])
    ]
    for obx in message.segments("OBX"):
        found.append([str(part) for part in (obx[3][0][0], obx[5], obx[6][0][0], obx[8][0][0], obx[11], obx[19])])
    return found


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer (coverage, debugger) slows the short side more")
def test_both_read_the_same_out_of_a_result_message() -> None:
    """Patient, specimen and six columns of ten results out of forty segments; how much faster is for `make bench` to say."""
    raw = upload()
    assert len(Message.parse(raw).segments) == 40
    assert read_ours(raw) == read_theirs(raw.decode())
