"""An HL7 line that is fed rubbish of every kind: what is sound behind it is answered, what was answered is kept, and memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lawside import running
from stage import Stage, eventually, free_port

from labmw.fitting import rounds
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap

HEAD = b"MSH|^~\\&|ACME|LAB|LABMW|LAB|20261101080000||ORU^R01^ORU_R01|%s|P|2.5.1||||||%s\r"
BODY = b"PID|1||P1||TESTPERSON\rOBR|1||S1|PANEL\rOBX|1|NM|ALT^ALT^L||22|U/L|||||F|||20261101080000\r"


def good(number: str, charset: bytes = b"UNICODE UTF-8", body: bytes = BODY) -> bytes:
    return HEAD % (number.encode(), charset) + body


class Sender:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self._blocks = reader, writer, MllpReader()
        self._came: list[bytes] = []

    async def say(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def told(self) -> Acknowledgment | None:
        """The next reply; None when the other side has hung up."""
        async with asyncio.timeout(60):
            while not self._came:
                with contextlib.suppress(ConnectionError):
                    if data := await self.reader.read(65536):
                        self._came += [one.data for one in self._blocks.receive(data) if isinstance(one, Block)]
                        continue
                return None
        return read_ack(Message.parse(self._came.pop(0)))

    async def until(self, number: str) -> list[tuple[str, str]]:
        """What is answered up to a sound message that is sent now: MSA-2 and MSA-1."""
        await self.say(wrap(good(number)))
        found: list[tuple[str, str]] = []
        while (said := await self.told()) is not None:
            if said.control_id == number:
                assert said.code == "AA", number
                return found
            found.append((said.control_id, said.code))
        raise AssertionError(f"hung up before {number} was answered: {found}")


@contextlib.asynccontextmanager
async def line(stage: Stage) -> AsyncIterator[Sender]:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port)
    try:
        yield Sender(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, free_port(), free_port()).build([], link='driver = "any-hl7"\nprotocol = "hl7"')


X = good("X")
RUBBISH: list[tuple[bytes, list[tuple[str, str]]]] = [
    (b"", []),
    (b"\r\r\r", []),
    (b"hello", []),
    (b"MSH", []),
    (b"MSH\r" + BODY, []),
    (b"MSH|||\r" + BODY, []),  # no encoding characters
    (b"MSH||||||||||X\r" + BODY, []),
    (b"MSH|^^^^|A|B|C|D|2026||ORU^R01|X|P|2.5.1\r" + BODY, []),  # four times the same
    (b"MSHAAAA\r" + BODY, []),
    (BODY + X, []),  # what should begin it comes behind
    (b"\x00" * 5000, []),
    (X.replace(b"MSH|", b"\xef\xbb\xbfMSH|", 1), []),  # a mark before MSH: law 4, no MSH and no reply
    (X.replace(b"|X|", b"||"), [("", "AA")]),
    (X.replace(b"|X|", b"|" + b"X" * 3000 + b"|"), [("X" * 3000, "AA")]),
    (X.replace(b"ORU^R01^ORU_R01", b""), [("X", "AR")]),
    (X.replace(b"|P|2.5.1", b"|P|"), [("X", "AA")]),  # no version is no unknown one
    (X.replace(b"TESTPERSON", b"A\x00B"), [("X", "AA")]),
    (X.replace(b"22", b"2" * 200_000), [("X", "AA")]),
    (X.replace(b"|22|", b"|" + b"\\X" * 50_000 + b"|"), [("X", "AA")]),
    (X.replace(b"|22|", b"|" + b"^" * 50_000 + b"|"), [("X", "AA")]),
    (X.replace(b"|22|", b"|" + b"~" * 50_000 + b"|"), [("X", "AA")]),
    (X + X.replace(b"|X|", b"|Y|"), [("X", "AA"), ("Y", "AA")]),  # two messages in one block
    (X + X, [("X", "AA"), ("X", "AA")]),  # the same twice
    (X.replace(b"\r", b"\n"), [("X", "AA")]),
    (X.replace(b"\r", b"\r\n"), [("X", "AA")]),
    (b"".join(b"Z%02d|x\r" % (n % 100) for n in range(1000)).join([HEAD % (b"X", b""), BODY]), [("X", "AA")]),
]
"""What stands in one block, and what is answered."""


# Scenario 11.12.
async def test_whatever_a_block_holds_the_next_one_is_answered_and_what_was_accepted_is_kept(stage: Stage) -> None:
    wrong: list[object] = []
    async with running(stage), line(stage) as one:
        for place, (data, answers) in enumerate(RUBBISH):
            data = data.replace(b"|X|", b"|X%d|" % place).replace(b"|Y|", b"|Y%d|" % place)  # noqa: PLW2901
            await one.say(b"\x0b" + data + b"\x1c\r")
            expected = [(f"{number}{place}" if number in ("X", "Y") else number, code) for number, code in answers]
            if (told := await one.until(f"N{place}")) != expected:
                wrong.append((place, data[:80], told, expected))
            if [code for _, code in told] == ["AA"]:
                kept = [raw for (raw,) in stage.ask("SELECT raw FROM message")].count(data)
                if kept != 1:
                    wrong.append((place, data[:80], "kept", kept))
        assert wrong == []
    journal = b"".join(bytes(raw) for (raw,) in stage.ask("SELECT data FROM journal WHERE direction = '>' ORDER BY id") if isinstance(raw, bytes))  # fmt: skip
    assert all(data in journal for data, _ in RUBBISH if b"|X|" not in data and b"|Y|" not in data), "kept raw whatever it is"  # fmt: skip


CHARSETS = [b"", b"ASCII", b"8859/1", b"8859/15", b"UNICODE UTF-8", b"UTF-8", b"UNICODE", b"GB 18030-2000", b"KLINGON", b"UNICODE UTF-16"]  # fmt: skip


# Scenarios 11.5, 11.12.
@pytest.mark.parametrize("encoding", ["", "utf-8", "latin-1"])
async def test_bytes_that_no_character_set_explains_are_kept_in_each(encoding: str, stage: Stage) -> None:
    if encoding:
        text = stage.config.read_text(encoding="utf-8")
        stage.config.write_text(text.replace('protocol = "hl7"', f'protocol = "hl7"\nencoding = "{encoding}"'), "utf-8")
    async with running(stage), line(stage) as one:
        for place, charset in enumerate(CHARSETS):
            data = good(f"C{place}", charset, BODY.replace(b"TESTPERSON", b"D\xc9S\xff\xfeIR\x80"))
            await one.say(wrap(data))
            assert await one.until(f"N{place}") == [(f"C{place}", "AA")], charset
            assert stage.ask("SELECT raw FROM message WHERE control_id = ?", f"C{place}") == [(data,)]


# Scenarios 7.7, 11.1, 11.2, 11.12.
async def test_cut_dribbled_begun_again_and_never_ended(stage: Stage) -> None:
    chance = random.Random(3)
    whole = wrap(good("CUT"))
    async with running(stage):
        for size in {chance.randrange(1, len(whole) - 2) for _ in range(20)}:
            async with line(stage) as one:
                await one.say(whole[:size])
        async with line(stage) as one:
            for byte in wrap(good("D1")):
                await one.say(bytes([byte]))
            assert await one.until("D2") == [("D1", "AA")]
            await one.say(whole[: len(whole) // 2])  # begun, and begun again
            assert await one.until("D3") == []
            await one.say(b"noise \x1c\r noise" * 1000 + b"\x1c\x1c\r\r")
            assert await one.until("D4") == []
            await one.say(wrap(good("D5"))[:-2] + b"\x1c")  # FS without CR
            assert await one.until("D6") == [("D5", "AA")]
    kept = stage.ask("SELECT control_id FROM message ORDER BY id")
    assert [str(number) for (number,) in kept] == ["D1", "D2", "D3", "D4", "D5", "D6"]


# Scenarios 11.3, 11.12.
async def test_a_segment_of_a_hundred_megabytes_ends_its_connection_and_costs_no_memory(stage: Stage) -> None:
    piece = b"x" * (1 << 20)
    async with running(stage):
        async with line(stage) as before:
            assert await before.until("B1") == []
            at = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            async with line(stage) as one:
                await one.say(b"\x0b" + HEAD % (b"BIG", b"") + b"OBX|1|ST|X||")
                for _ in range(100):
                    await one.say(piece)
                assert await one.told() is None, "hung up on, and nothing said of it"
            assert await before.until("B2") == [], "another connection goes on"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at) / 1024
        assert grown < 400, f"{grown:.0f} MiB more"
        await eventually(lambda: stage.ask("SELECT count(*) FROM session WHERE closing = 'too-large'") == [(1,)])
    assert stage.ask("SELECT control_id FROM message ORDER BY id") == [("B1",), ("B2",)]


# Scenario 11.12.
async def test_hundreds_of_thousands_of_results_in_one_message_are_kept_and_the_line_goes_on(stage: Stage) -> None:
    many = b"".join(b"OBX|%d|NM|T%d^T^L||%d|U/L|||||F\r" % (n, n, n) for n in range(1, 300_001))
    data = good("MANY", body=BODY + many)
    async with running(stage), line(stage) as one, line(stage) as other:
        await one.say(wrap(data))
        assert await other.until("M1") == [], "the others are answered meanwhile"
        assert await one.until("M2") == [("MANY", "AA")]
    assert stage.ask("SELECT raw FROM message WHERE control_id = 'MANY'") == [(data,)]
    assert stage.ask("SELECT count(*) FROM quarantine q JOIN message m ON m.id = q.message WHERE m.control_id = 'MANY'") != [(0,)]  # fmt: skip


# Scenario 7.13.
async def test_a_peer_that_speaks_tls_on_a_line_without_is_told_and_forgotten_with_the_next_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(rounds, "HEALTH_EVERY", 0.05)
    trouble = "SELECT trouble FROM link_state WHERE link = 'analyzer'"
    async with running(stage):
        async with line(stage) as one:
            await one.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64, 128)))
        await eventually(lambda: stage.ask(trouble) == [("peer-speaks-tls",)])
        async with line(stage) as one:
            assert await one.until("N1") == []
        await eventually(lambda: stage.ask(trouble) == [("",)])
