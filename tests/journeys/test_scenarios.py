"""The scenarios of docs/hl7-scenarios.md that need a stage of their own: every message checked, TLS on a LAW line, what families were seen to send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from authority import Authority
from lawside import (  # fmt: skip
    CREA,
    LINK,
    analyzer,
    blobs,
    change_orders,
    observed,
    of,
    order,
    running,
    seen,
    set_up,
    states,
)
from stage import ALT, Lis, Stage, eventually, free_port

from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls
from protocols.hl7 import law
from protocols.hl7.check import Severity, check
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from protocols.hl7.profile import QueryBy
from simulators.law import Manners

ROOT = Path(__file__).parents[1]
FIRST = {"QBP": "LAB-27", "OML": "LAB-28", "OUL": "LAB-29"}
SECOND = {"RSP": "LAB-27", "ORL": "LAB-28", "ACK": "LAB-29"}


def passed(stage: Stage) -> Iterator[tuple[str, Message]]:
    """Every message on the line, with its direction, in its order."""
    for way in (">", "<"):
        data = b"".join(blobs(stage, "SELECT data FROM journal WHERE direction = ? ORDER BY id", way))
        for block in re.findall(rb"\x0b([^\x1c]*)\x1c\r", data):
            yield way, Message.parse(block)


# Scenarios 1.1, 1.2, 1.3.
async def test_every_message_of_a_morning_is_sound_on_both_sides(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1", (ALT, CREA))
    order(stage, "S2")
    stage.write([("INSERT INTO material (site, identifier, name) VALUES ('TEST', 'QC1', 'control')", ())])
    manners = Manners(refuses=frozenset({CREA}), patience=5.0)
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage, manners=manners) as sim:
        first = await sim.ask(named="S1")
        await sim.ask(named="S2")
        await sim.ask(named="S9")
        await sim.ask(QueryBy.ALL)
        awos = of(first.work, ALT)
        await sim.report(seen("S1", awos, status="IP"))
        await sim.report(seen("S1", awos, observed(status="R"), observed("1742-6", "23", run="2")))
        await sim.report(seen(law.Specimen(container=law.EntityId("QC1"), role=law.Code("Q", "", "HL70369"), materials=(law.Material(law.Code("QC1", "", "99X"), (law.Code("OK", "", "HL70383"),), law.Code("CO", "", "HL70384"), lot="L1"),)), None, observed()))  # fmt: skip
        change_orders(stage, "S2", "cancelled")
        await eventually(lambda: lis.values == [("S1", "23")])
        await eventually(lambda: "cancelled" in states(stage).values())
    heard = list(passed(stage))
    asked = {message.control_id: (way, message) for way, message in heard if message.code in FIRST}
    for way, message in heard:
        wrong = [one for one in check(message, "law") if one.severity is Severity.ERROR]
        assert wrong == [], (message.code, wrong)
        head = message.header
        assert (head.component(11), head.component(12), head.component(18)) == ("P", "2.5.1", "UNICODE UTF-8")
        assert all(head.component(9, n) for n in (1, 2, 3)), "MSH-9 has three components"
        begins = message.code in FIRST
        assert head.component(21) == (FIRST | SECOND)[message.code] and head.component(21, 2) == "IHE"
        assert (head.field(15), head.field(16)) == (("NE", "AL") if begins else ("", ""))
        if not begins:
            msa = message.first("MSA")
            assert msa is not None
            other, question = asked[msa.component(2)]
            assert other != way, "a reply goes the other way, and names what it answers"
            assert (head.component(3), head.component(5)) == (
                question.header.component(5),
                question.header.component(3),
            )
    assert {message.code for _, message in heard} == {*FIRST, *SECOND}
    assert len({message.control_id for _, message in heard}) == len(heard)


def query(number: str, tube: str) -> bytes:
    return wrap(
        f"MSH|^~\\&|SIM||LABMW||20261101080000+0000||QBP^Q11^QBP_Q11|{number}|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\r"
        f"QPD|WOS^Work Order Step^IHELAW|T{number}|{tube}\rRCP|I||R^Real Time^HL70394\r".encode()
    )


async def asks(stage: Stage, tls: Tls | None, number: str) -> str:
    """MSA-1 of the reply to a query over TLS; "" when the line was not to be had."""
    context = Credentials(tls, server=False).context() if tls else None
    try:
        async with asyncio.timeout(20):
            name = "" if context else None
            reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port, ssl=context, server_hostname=name)  # fmt: skip
            try:
                writer.write(query(number, "S1"))
                reply = await reader.readuntil(b"\x1c\r")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError):
        return ""
    return Message.parse(reply.strip(b"\x0b\x1c\r")).all("MSA")[0].component(1)


# Scenarios 7.11, 7.12, 7.13.
async def test_a_law_line_over_tls_lets_in_whom_it_knows_and_says_why_not_the_others(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path), Authority(tmp_path)
    own = authority.issue("labmw.example")
    tls = f'tls = {{ certificate = "{own.certificate.name}", key = "{own.key.name}", trusted = "{authority.file.name}" }}'  # fmt: skip
    stage = set_up(tmp_path, link=f"{LINK}\n{tls}")
    order(stage, "S1")
    files = foreign.issue("stranger.example")
    stranger = Tls(certificate=str(files.certificate), key=str(files.key), trusted=str(authority.file))
    cases: list[tuple[Tls | None, str]] = [
        (authority.client(authority.issue("late.example", days=-1, since=9)), "tls-expired"),
        (authority.client(authority.issue("early.example", since=-2)), "tls-not-yet"),
        (stranger, "tls-untrusted"),
        (authority.client(), "tls-shows-none"),
        (None, "tls-plain"),  # an analyzer that speaks MLLP without TLS
    ]
    async with running(stage):
        for place, (peer, reason) in enumerate(cases):
            assert await asks(stage, peer, f"Q{place}") == ""
            await eventually(lambda: reason in _unsafe(stage))  # noqa: B023 - awaited within the loop
        assert await asks(stage, authority.client(authority.issue("analyzer.example")), "Q9") == "AA"
    assert stage.ask("SELECT control_id FROM message WHERE kind = 'query'") == [("Q9",)]


def _unsafe(stage: Stage) -> str:
    rows = stage.ask("SELECT facts FROM link_state WHERE link = 'analyzer' AND trouble LIKE '%unsafe%'")
    return str(json.loads(str(rows[0][0])).get("unsafe", "")) if rows else ""


# --- what families were seen to send -----------------------------------------------------------------------------------------

HEARTBEAT = b"MSH|^~\\&|AI||LABMW||20261101080000+0000||NMD^N02^NMD_N02|H1|P|2.5.1|||NE|AL||UNICODE UTF-8\rNST|N\r"
MENU = b"MSH|^~\\&|AI||LABMW||20261101080000+0000||TCU^U10^TCU_U10|H2|P|2.5.1|||NE|AL||UNICODE UTF-8\rEQU|AI\rTCC|747^Glucose^99ABT\r"
REPORT = (
    "MSH|^~\\&|SIM||LABMW||20261101080000+0000||OUL^R22^OUL_R22|R1|P|2.5.1|||%s||UNICODE UTF-8|||LAB-29^IHE\r"
    "SPM|1|%s||SER^Serum^HL70487|||||||P^Patient specimen^HL70369\rSAC|||S1\rOBR||%s||%s\rORC|SC||||CM\r"
    "OBX|1|NM|%s|1|5.4|mmol/L^^UCUM||N^Normal^HL70078|||F|||||OP||M^V~1^V|20261101080000||||||||||RSLT\r"
)


def report(modes: str, tube: str, number: str, code: str) -> bytes:
    return (REPORT % (modes, tube, number, code, code)).encode()


SEEN: dict[str, list[str | bytes]] = {
    "roche-x800": ["captures/roche-cobas-x800/*.hl7"],
    "cobas-pro": ["corpus/cobas-pro/*.hl7"],
    "cobas-4800": ["corpus/cobas-4800/*.mllp"],
    "cobas-6800": ["captures/roche-cobas-6800/*.hl7"],
    "alinity": [HEARTBEAT, MENU, report("NE|AL", "", '""', "747^Glucose^99ABT")],
    "atellica": [report("NE|AL", "S1", "b2b1b0f4-7d0b-4d34-9f0e-0d1c6b7f2a11", "Glu_3^^99SiemensHDXTestCode")],
    "ba400": [report("ER|AL", "S1", '""', "GLU^^99BIO")],
}
"""By personality: files, or messages with what its document says of it where no recording is to be had."""


# Scenarios 8.1 to 8.7.
async def test_what_each_family_was_seen_to_send_is_answered_and_kept(tmp_path: Path, corpus: Path) -> None:
    ports = {name: free_port() for name in SEEN}
    links = [f'[[link]]\nname = "{name}"\nlisten = "127.0.0.1:{port}"\n{LINK}\nprofile = "{name}"' for name, port in ports.items()]  # fmt: skip
    stage = set_up(tmp_path, extra="\n".join(links))
    order(stage, "S1")
    async with running(stage):
        for name, port in ports.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sent = list(_messages(SEEN[name], corpus))
            for message in sent:
                writer.write(wrap(message.encode()))
                said = await _reply_to(message, reader, writer)
                assert said == "AA", (name, message.header.line)
            writer.close()
            await writer.wait_closed()
            kept = blobs(stage, "SELECT raw FROM message WHERE link = ? AND direction = '>' AND kind <> 'order-response' ORDER BY id", name)  # fmt: skip
            heartbeats = [one.encode() for one in sent if one.code in ("NMD", "TCU")]
            assert [one for one in kept if one not in heartbeats] == [one.encode() for one in sent if one.encode() not in heartbeats]  # fmt: skip
            results = sum(one.name == "OBX" for message in sent for one in message.segments)
            assert stage.ask("SELECT count(*) FROM result WHERE link = ?", name) == [(results,)], name


def _messages(what: list[str | bytes], corpus: Path) -> Iterator[Message]:
    for one in what:
        if isinstance(one, bytes):
            yield Message.parse(one)
            continue
        where, _, pattern = one.partition("/")
        for path in sorted((ROOT / "captures" if where == "captures" else corpus / "hl7").glob(pattern)):
            data = path.read_bytes()
            for block in re.findall(rb"\x0b([^\x1c]*)\x1c", data) or [data]:
                yield Message.parse(block.strip(b"\n"))


async def _reply_to(message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """MSA-1 of the reply to a message; orders that come meanwhile are taken."""
    async with asyncio.timeout(30):
        while True:
            came = Message.parse((await reader.readuntil(b"\x1c\r")).strip(b"\x0b\x1c\r"))
            msa = came.first("MSA")
            if msa is not None and msa.component(2) == message.control_id:
                return msa.component(1)
            writer.write(wrap(f"MSH|^~\\&|S||L||2026||ORL^O34^ORL_O42|O{came.control_id}|P|2.5.1\rMSA|AA|{came.control_id}\r".encode()))  # fmt: skip
