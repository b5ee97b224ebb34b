"""What HL7 senders get wrong, on the line of an analyzer and on that of the LIS: each is answered as law 4 says, kept, and shown with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from lisside import ALT, lab, new, orders, reasons, set_up

from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from simulators.ltw import OrderingLis

C4800 = "MSH|^~\\&|cobas 4800 software 2.3.0.1905^S1^M|LAB|LIS|H|20260613145247+0100||"
RUN = 'SPM|1|S1|||||||||P\rSAC|||S1\rOBR|1|""||70241-5^HIV^99ROC\rORC|SC||||CM\r'


def sent(kind: str, number: str, rest: str = "", *, modes: str = "ER|AL", version: str = "2.5.1") -> bytes:
    """A message of a cobas 4800: an acknowledgment on error, and an application reply always."""
    return f"{C4800}{kind}|{number}|P|{version}|||{modes}||UNICODE UTF-8\r{rest}".encode()


def obx(value: str) -> str:
    return f"OBX|1|ST|0BHIV1^^99ROC|1.1|{value}|1/mL^^UCUM|||||F|||||op||C4800^Roche|20260612194324\r"


async def told(lis: OrderingLis, data: bytes, behind: bytes) -> list[tuple[str, str]]:
    """MSA-1 and ERR-3 of what is said to a message, up to the reply to another one that is sent behind it."""
    await lis.write(wrap(data) + wrap(behind))
    found: list[tuple[str, str]] = []
    while True:
        reply = await lis.reply()
        said = read_ack(reply)
        if said.control_id == Message.parse(behind).control_id:
            return found
        assert reply.version == "2.5.1", "never the version that is not served"
        found.append((said.code, said.errors[0].code if said.errors else ""))


# Scenarios 11.4, 11.7.
async def test_on_the_line_of_an_analyzer(tmp_path: Path) -> None:
    link = 'driver = "roche-cobas-4800"\nprotocol = "hl7"'
    stage, port = set_up(tmp_path, link=link)
    long = "x" * 300_000
    cases: list[tuple[bytes, list[tuple[str, str]], str, str]] = [
        (sent("ZZZ^Z01", "B1"), [("AR", "200")], "refused", "unsupported-type"),
        (sent("", "B2"), [("AR", "200")], "refused", "unsupported-type"),
        (sent("OUL^R22^OUL_R22", "B3", RUN, version="9.9"), [("AR", "203")], "refused", "unsupported-version"),
        (sent("OUL^R22^OUL_R22", "B4", RUN, version="9.9", modes="AL|AL"), [("CR", "203")], "refused", "unsupported-version"),
        (sent("ACK", "B5", "MSA|AA|NEVER\r"), [], "quarantined", "reply-to-nothing"),
        (sent("ACK", "B6"), [], "quarantined", "reply-to-nothing"),
        (sent("ORL^O34^ORL_O42", "B7", "MSA|AA|NEVER\r"), [], "quarantined", "reply-to-nothing"),
        (sent("OUL^R22^OUL_R22", "B8", RUN + obx(long)), [("AA", "")], "accepted", ""),
    ]  # fmt: skip
    async with lab(stage, port), OrderingLis("127.0.0.1", stage.analyzer_port) as line:
        for place, (data, answers, disposition, reason) in enumerate(cases):
            assert await told(line, data, sent("OUL^R22^OUL_R22", f"N{place}", RUN + obx("1"))) == answers, data[:200]
            number = Message.parse(data).control_id
            kept = stage.ask("SELECT disposition, reason, raw FROM message WHERE control_id = ?", number)
            assert kept == [(disposition, reason, data)]
            if reason:
                shown = "SELECT count(*) FROM quarantine q JOIN message m ON m.id = q.message WHERE m.control_id = ? AND q.reason = ?"
                assert stage.ask(shown, number, reason) == [(1,)]
    assert stage.ask("SELECT max(length(facts)) < 1000 FROM quarantine") == [(1,)], "a person is shown the beginning"
    assert stage.ask("SELECT length(value) FROM result ORDER BY length(value) DESC LIMIT 1") == [(len(long),)]


# Scenarios 11.4, 11.5, 11.7.
async def test_on_the_line_of_the_lis(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    order = new("X", "T1", ALT)
    cases: list[tuple[bytes, list[tuple[str, str]], str, str]] = [
        (order.replace(b"|P|2.5.1", b"|P|9.9"), [("AR", "203")], "refused", "unsupported-version"),
        (order.replace(b"OML^O33^OML_O33", b""), [("AR", "200")], "refused", "unsupported-type"),
        # A French LIS that says UTF-8 and writes Latin-1: nobody is called "D", a byte and "SIR".
        (order.replace(b"TESTPERSON", b"D\xc9SIR"), [("AE", "102")], "quarantined", "lis-message-malformed"),
        (b"MSH|^~\\&|SIL||LABMW||20261101||ACK|X|P|2.5.1\r", [], "quarantined", "reply-unreadable"),
        (b"MSH|^~\\&|SIL||LABMW||20261101||ACK|X|P|2.5.1\rMSA|QQ|N\r", [], "quarantined", "reply-unreadable"),
        (b"MSH|^~\\&|SIL||LABMW||20261101||ACK|X|P|2.5.1\rMSA|AA|NEVER\r", [], "quarantined", "reply-to-nothing"),
    ]
    async with lab(stage, port) as (_, lis):
        for place, (data, answers, disposition, reason) in enumerate(cases):
            data = data.replace(b"|X|", f"|L{place}|".encode())  # noqa: PLW2901
            assert await told(lis, data, new(f"N{place}", f"T2{place}", ALT)) == answers, data
            kept = stage.ask("SELECT disposition, reason FROM message WHERE control_id = ?", f"L{place}")
            assert kept == [(disposition, reason)]
        assert reasons(stage) == [reason for _, _, disposition, reason in cases if disposition == "quarantined"]
        assert len(orders(stage)) == len(cases), "those behind, and none of these"
        # What the sender declares is what is read; and with the character set of the line it is read whatever it declares.
        latin = order.replace(b"UNICODE UTF-8", b"8859/1").replace(b"TESTPERSON", b"D\xc9SIR").replace(b"|X|", b"|L9|")
        assert (await lis.tell(latin)).first("MSA").component(1) == "AA"  # type: ignore[union-attr]
    assert stage.ask("SELECT family FROM patient") == [("DÉSIR",)]


@pytest.mark.parametrize("known", [True, False], ids=["encoding set", "not set"])
# Scenario 11.5.
async def test_the_character_set_of_the_line_wins_over_what_the_lis_declares(known: bool, tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis='encoding = "latin-1"' if known else "")
    async with lab(stage, port) as (_, lis):
        reply = await lis.tell(new("M1", "T1", ALT).replace(b"TESTPERSON", b"D\xc9SIR"))
        assert read_ack(reply).code == ("AA" if known else "AE")
