"""Does the simulated LIS keep, acknowledge, misbehave and report as told? Asked by a client written by others."""

from __future__ import annotations

import asyncio

import hl7
import hl7.client
import pytest

from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap
from simulators.clock import HandClock, WallClock
from simulators.errors import SimulatorError
from simulators.lis import Behaviour, Lis, Outage


def oru(control_id: str, value: str = "4.1") -> bytes:
    segments = (
        f"MSH|^~\\&|LABMW|LAB|LIS|HOSP|20250310090000+0100||ORU^R01^ORU_R01|{control_id}|P|2.5.1|||||FRA|UNICODE UTF-8",
        "PID|1||P000001^^^HOSP^PI||ALOUETTE^Inès||20051003|F",
        "PV1|1|U",
        "ORC|RE|S1-01^LIS|F1^LABMW||CM",
        "OBR|1|S1-01^LIS|F1^LABMW|2823-3^Potassium^LN|||20250310080000||||||||||||||||||F",
        f"OBX|1|NM|2823-3^Potassium^LN^990^Potassium^99COBAS||{value}|mmol/L^mmol/L^UCUM|3.5 - 5.1|N|||F|||20250310084500||AUTO^demo^1^^^^^^99LABMW~1^BIO",
        "NTE|1|L|Validé automatiquement.|AUTO^Automatic release^99LABMW",
        "OBX|2|SN|5902-2^HIV^LN||<^40|{copies}/mL^^UCUM||L|||F|||20250310084500||1^BIO",
        "NTE|1|L|Sous le seuil.",
        "SPM|1|S1&LIS||SER",
        "ORC|RE|S2-01^LIS|F2^LABMW||CM",
        "OBR|2|S2-01^LIS|F2^LABMW|718-7^Hb^LN|||20250310080000||||||||||||||||||F",
        "OBX|1|NM|718-7^Hb^LN||13.9|g/dL||H~A|||C|||20250310084500",
        "SPM|1|S2&LIS||EDTA",
    )
    return "".join(one + "\r" for one in segments).encode()


async def asked(port: int, *messages: bytes) -> list[bytes]:
    """Send each and wait for its answer, on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers: list[bytes] = []
    blocks = MllpReader()
    for one in messages:
        writer.write(wrap(one))
        while len(answers) < len(messages) and (data := await reader.read(65536)):
            found = [event.data for event in blocks.receive(data) if isinstance(event, Block)]
            answers += found
            if found:
                break
    writer.close()
    return answers


async def test_python_hl7_gets_its_acknowledgment() -> None:
    lis = Lis("127.0.0.1", 0, WallClock())
    _, port = await lis.start()

    def send() -> bytes:
        with hl7.client.MLLPClient("127.0.0.1", port) as client:
            first: bytes = client.send_message(oru("M1"))
            client.send_message(oru("M2"))
            return first

    answer = hl7.parse((await asyncio.to_thread(send)).strip(b"\x0b\x1c\r").decode())
    await lis.stop()
    assert str(answer.segment("MSA")[1]) == "AA"
    assert str(answer.segment("MSA")[2]) == "M1"
    assert str(answer.segment("MSH")[3]) == "LIS"
    assert lis.report()["distinct"] == 2


async def test_what_a_message_says_is_listed_value_by_value() -> None:
    lis = Lis("127.0.0.1", 0, WallClock())
    _, port = await lis.start()
    await asked(port, oru("M1"))
    await lis.stop()
    rows = lis.report()["observations"]
    told = [
        (one["message"], one["patient"], one["specimen"], one["loinc"], one["value"], one["unit"], one["status"])
        for one in rows
    ]
    assert told == [
        ("M1", "P000001", "S1", "2823-3", "4.1", "mmol/L", "F"),
        ("M1", "P000001", "S1", "5902-2", "<40", "{copies}/mL", "F"),
        ("M1", "P000001", "S2", "718-7", "13.9", "g/dL", "C"),
    ]
    assert [(one["automatic"], one["automatic_text"]) for one in rows] == [
        (True, "Validé automatiquement."),
        (False, ""),
        (False, ""),
    ]
    assert [one["local"] for one in rows] == ["990", "", ""]
    assert [one["notes"] for one in rows] == [["Validé automatiquement."], ["Sous le seuil."], []]
    assert [one["placer"] for one in rows] == ["S1-01", "S1-01", "S2-01"]
    assert rows[2]["flags"] == ["H", "A"]


async def test_repeats_are_counted_by_their_number_and_told_from_reuse() -> None:
    lis = Lis("127.0.0.1", 0, WallClock())
    _, port = await lis.start()
    await asked(port, oru("M1"), oru("M1"), oru("M1", "9.9"))
    await lis.stop()
    report = lis.report()
    assert (report["received"], report["distinct"], report["repeats"]) == (3, 1, 2)
    assert (report["messages"][0]["receptions"], report["messages"][0]["changed"]) == (3, 1)
    assert len(report["observations"]) == 3  # a repeat is no second result


async def test_every_second_is_refused() -> None:
    lis = Lis("127.0.0.1", 0, WallClock(), Behaviour(error_every=2))
    _, port = await lis.start()
    answers = [read_ack(Message.parse(one)) for one in await asked(port, oru("M1"), oru("M2"), oru("M3"))]
    await lis.stop()
    assert [(one.code, one.control_id) for one in answers] == [("AA", "M1"), ("AE", "M2"), ("AA", "M3")]
    assert lis.report()["messages"][1]["answers"] == ["AE"]


async def test_another_number_in_the_acknowledgment() -> None:
    lis = Lis("127.0.0.1", 0, WallClock(), Behaviour(mismatch_every=1))
    _, port = await lis.start()
    (answer,) = await asked(port, oru("M1"))
    await lis.stop()
    assert read_ack(Message.parse(answer)).control_id == "M1-X"


async def test_silence_late_answers_and_delay_wait_for_the_clock() -> None:
    clock = HandClock()
    lis = Lis("127.0.0.1", 0, clock, Behaviour(silent_every=2, late_every=3, late_seconds=7.0, delay=0.0))
    _, port = await lis.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(1, 5):
        writer.write(wrap(oru(f"M{n}")))
    await lis.received(4)
    blocks = MllpReader()

    async def answer() -> str:
        while True:
            for event in blocks.receive(await reader.read(65536)):
                if isinstance(event, Block):
                    return read_ack(Message.parse(event.data)).control_id

    assert await answer() == "M1"
    clock.advance(6.9)
    waiting = asyncio.create_task(answer())
    assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
    clock.advance(0.1)
    assert await waiting == "M3"
    writer.close()
    await lis.stop()
    assert [one["answers"] for one in lis.report()["messages"]] == [["AA"], ["none"], ["AA late"], ["none"]]


async def test_it_stops_listening_for_a_while() -> None:
    clock = HandClock()
    lis = Lis("127.0.0.1", 0, clock, Behaviour(outages=(Outage(30.0, after_messages=1),)))
    _, port = await lis.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(wrap(oru("M1")))
    while await reader.read(65536):
        pass  # the answer, perhaps, and then the end
    writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
    assert lis.quiet_since == clock.monotonic()
    clock.advance(30.0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert [read_ack(Message.parse(one)).code for one in await asked(port, oru("M2"))] == ["AA"]
    await lis.stop()
    (outage,) = lis.report()["outages"]
    assert outage["to"] > outage["from"]


async def test_noise_and_what_is_no_message_are_counted_and_not_answered() -> None:
    lis = Lis("127.0.0.1", 0, WallClock())
    _, port = await lis.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"noise" + wrap(b"PID|1\r") + wrap(oru("M1")))
    assert b"MSA|AA|M1" in await reader.read(65536)
    writer.close()
    await lis.stop()
    counts = lis.report()["counts"]
    assert (counts["Noise"], counts["unreadable"], counts["received"]) == (1, 1, 1)


async def test_a_port_in_use_is_told() -> None:
    lis = Lis("127.0.0.1", 0, WallClock())
    _, port = await lis.start()
    with pytest.raises(SimulatorError, match="choose another port"):
        await Lis("127.0.0.1", port, WallClock()).start()
    await lis.stop()
