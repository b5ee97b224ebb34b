"""Law 3 and law 4 for HL7 over MLLP: acknowledged after the one transaction that stores it, and each kind of fault has its answer."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lineside import Lineside, MemoryWire, lineside

from labmw.line import blocks
from labmw.line.blocks import Hl7Conversation
from labmw.metrics import FRAMES_REFUSED
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.er7 import Message

END = b"\x1c\r"


def oru(
    control: str = "M1",
    *,
    kind: str = "ORU^R01^ORU_R01",
    version: str = "2.5.1",
    value: str = "5.4",
    modes: str = "",
    specimen: str = "S1",
) -> bytes:
    return (
        f"MSH|^~\\&|ANALYZER|LAB|LABMW|LAB|20261101080000||{kind}|{control}|P|{version}|||{modes}\r"
        f"PID|1||P1\rOBR|1|||6690-2^WBC^LN\rOBX|1|NM|6690-2^WBC^LN||{value}|10*9/L|||||F|||20261101075900\r"
        f"SPM|1|{specimen}\r"
    ).encode()


def block(data: bytes) -> bytes:
    return b"\x0b" + data + END


def talk(line: Lineside, **settings: Any) -> MemoryWire:
    return line.converse(Hl7Conversation, encoding="", **settings)


async def reply(wire: MemoryWire, data: bytes) -> bytes:
    wire.say(block(data))
    return (await wire.until(END))[1:-2]


def read(raw: bytes) -> Acknowledgment:
    return read_ack(Message.parse(raw))


async def no_reply(wire: MemoryWire, data: bytes) -> None:
    """What is not answered: the answer to the next message is the first that comes."""
    wire.say(block(data))
    assert read(await reply(wire, oru("NEXT"))).control_id == "NEXT"


# --- law 3 ------------------------------------------------------------------------------------------------------------------


async def test_a_message_is_stored_with_its_results_before_it_is_answered(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        answer = await reply(wire, oru())
        assert (read(answer).code, read(answer).control_id) == ("AA", "M1")
        assert line.ask("SELECT control_id, raw, reply, disposition FROM message") == [
            ("M1", oru(), answer, "quarantined")
        ]
        assert line.ask("SELECT specimen, value, state FROM result") == [("S1", "5.4", "quarantined")]
        wire.hang_up()
        await line.ended()
        assert line.ask("SELECT closing FROM session") == [("closed",)]
        rows = line.ask("SELECT direction, data FROM journal ORDER BY id")
        assert rows == [(">", block(oru())), ("<", block(answer))]


async def test_an_interrupted_answer_is_told_from_one_that_was_read(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        await reply(wire, oru())
        wire.hang_up(lost=True)
        await line.ended()
        assert line.ask("SELECT closing FROM session") == [("hang-up",)]


async def test_a_store_that_is_down_answers_ae_and_the_resend_is_stored(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        line.disk.broken = True
        answer = read(await reply(wire, oru()))
        assert (answer.code, answer.errors[0].code) == ("AE", "207")
        assert "store" in line.health.troubles
        line.disk.broken = False
        assert read(await reply(wire, oru())).code == "AA"
        assert not line.health.troubles
        assert line.ask("SELECT count(*) FROM message") == [(1,)]


@pytest.mark.parametrize("control", ["M1", ""])
async def test_a_commit_that_comes_late_is_recognised_when_the_message_comes_again(
    control: str, tmp_path: Path
) -> None:
    async with lineside(tmp_path, commit_timeout=1.0) as line:
        wire = talk(line)
        line.disk.ready.clear()
        assert read(await reply(wire, oru(control))).code == "AE"
        before = line.disk.commits
        line.disk.ready.set()
        while line.disk.commits == before:
            await asyncio.sleep(0.005)
        assert read(await reply(wire, oru(control))).code == "AA"
        wire.hang_up()
        await line.ended()
        assert line.ask("SELECT count(*) FROM message") == [(1,)]
        assert line.ask("SELECT count(*) FROM repeat") == [(0,)]
        rows = line.ask("SELECT direction, data FROM journal ORDER BY id")
        assert [direction for direction, _ in rows] == [">", "<", ">", "<"]


# --- law 4 ------------------------------------------------------------------------------------------------------------------


async def test_the_same_message_again_gets_the_stored_reply_byte_for_byte(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        first, second = talk(line), talk(line)
        answer = await reply(first, oru())
        assert await reply(first, oru()) == answer
        assert await reply(second, oru()) == answer  # on another connection of the same link
        second.hang_up()
        first.hang_up()
        await line.ended()
        assert line.ask("SELECT count(*) FROM message") == [(1,)]
        assert line.ask("SELECT count(*) FROM result") == [(1,)]
        # Its bytes are in the journal all the same.
        assert line.ask("SELECT count(*) FROM journal WHERE direction = '>'") == [(3,)]
        assert line.ask("SELECT count(*) FROM session WHERE closing = 'closed'") == [(2,)]


async def test_a_control_id_used_again_for_other_bytes_is_a_new_message_and_shown(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        await reply(wire, oru(value="5.4"))
        assert read(await reply(wire, oru(value="6.1"))).code == "AA"
        assert line.ask("SELECT tolerances FROM message ORDER BY id") == [("[]",), ('["control_id_reused"]',)]
        assert line.ask("SELECT value, run FROM result ORDER BY id") == [("5.4", ""), ("6.1", "2")]


async def test_without_msh_there_is_no_reply_and_it_is_counted(tmp_path: Path) -> None:
    counter = FRAMES_REFUSED.labels("analyzer", "malformed")
    before = counter._value.get()
    async with lineside(tmp_path) as line:
        wire = talk(line)
        await no_reply(wire, b"PID|1||P1\r")
        await no_reply(wire, b"")
        assert counter._value.get() == before + 2
        assert line.ask("SELECT control_id FROM message") == [("NEXT",)]


@pytest.mark.parametrize(
    ("data", "code", "error"),
    [
        (oru(kind="ADT^A01^ADT_A01"), "AR", "200"),
        (oru(kind="XYZ^Z99"), "AR", "200"),
        (oru(version="3.0"), "AR", "203"),
        (oru(version="9.9"), "AR", "203"),
        (oru(version="2.99"), "AR", "203"),
        (oru() + b"BHS|^~\\&|\r", "AE", "100"),
    ],
)
async def test_what_is_not_served_is_ar_and_what_is_malformed_ae(
    data: bytes, code: str, error: str, tmp_path: Path
) -> None:
    async with lineside(tmp_path) as line:
        answer = read(await reply(talk(line), data))
        assert (answer.code, answer.control_id, answer.errors[0].code) == (code, "M1", error)
        assert line.ask("SELECT count(*) FROM result WHERE state <> 'quarantined'") == [(0,)]


@pytest.mark.parametrize(
    ("modes", "good", "bad"),
    [
        ("", "AA", "AR"),
        ("NE|AL", "AA", "AR"),
        ("AL|NE", "CA", "CR"),
        ("NE|NE", "", ""),
        ("ER|NE", "", "CR"),
        ("SU|NE", "CA", ""),
        ("NE|ER", "", "AR"),
        ("ER|AL", "AA", "AR"),  # cobas 4800: the application reply that it waits for says it, and no CR beside it
        ("ER|ER", "", "AR"),
        ("ER|SU", "AA", "CR"),
    ],
)
async def test_the_sender_gets_the_replies_it_asked_for(modes: str, good: str, bad: str, tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        for control, kind, code in (("M1", "ORU^R01", good), ("M2", "ADT^A01", bad)):
            if code:
                assert read(await reply(wire, oru(control, kind=kind, modes=modes))).code == code
            else:
                wire.say(block(oru(control, kind=kind, modes=modes)))
                await line.until("SELECT count(*) FROM message", [(int(control[1]),)])
        assert b"MSH" not in wire.out
        assert line.ask("SELECT control_id FROM message ORDER BY id") == [("M1",), ("M2",)]


async def test_a_reply_is_never_replied_to(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        await no_reply(
            talk(line),
            b"MSH|^~\\&|A|B|C|D|20261101||ACK^R01^ACK|A1|P|2.5.1\rMSA|AA|M1\r",
        )


async def test_what_comes_damaged_is_in_the_journal_and_unanswered(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        wire.say(b"noise\x0b" + oru("CUT")[:40])  # begun again before its end
        assert read(await reply(wire, oru())).control_id == "M1"
        wire.say(b"\x0b" + oru("M2")[:50])
        wire.hang_up()
        assert await line.ended() == ["hang-up"]
        assert line.ask("SELECT control_id FROM message") == [("M1",)]
        assert line.passed(">") == b"noise\x0b" + oru("CUT")[:40] + block(oru()) + b"\x0b" + oru("M2")[:50]


async def test_a_block_beyond_the_bound_ends_the_connection(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line, message_bytes=5000)
        assert read(await reply(wire, oru())).code == "AA"
        wire.say(b"\x0b" + b"x" * 6000)
        assert await line.ended() == ["too-large"]
        assert wire.closed


async def test_a_block_that_does_not_end_and_a_line_that_says_nothing_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_PATIENCE", 0.05)
    async with lineside(tmp_path) as line:
        unfinished, idle = talk(line), talk(line, idle_timeout=0.05)
        unfinished.say(b"\x0bMSH|^~\\&|")
        assert await line.ended() == ["block-unfinished", "idle"]
        assert idle.closed


async def test_a_control_id_that_would_cut_the_reply_is_answered_without_it(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = talk(line)
        answer = await reply(wire, oru("M\x1cX"))
        assert read(answer).control_id == "MX"
        assert line.ask("SELECT control_id FROM message") == [("M\x1cX",)]


async def test_bytes_outside_the_declared_character_set_are_kept_and_answered(tmp_path: Path) -> None:
    data = oru().replace(b"||P1\r", b"||P\xc91\r").replace(b"|||||F", b"|||||F", 1).replace(b"|S1\r", b"|S\xc9\r")
    async with lineside(tmp_path) as line:
        wire = talk(line)
        assert read(await reply(wire, data)).code == "AA"
        assert line.ask("SELECT raw FROM message") == [(data,)]
        assert line.ask("SELECT count(*) FROM result") == [(1,)]


PIECES = block(oru("M1")) + block(oru("M2", value="7.7")) + b"\n" + block(b"no message\r") + block(oru("M1"))


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(0, len(PIECES)), max_size=30))
def test_however_the_bytes_are_cut_the_store_holds_the_same(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def play() -> list[tuple[object, ...]]:
        async with lineside(tmp_path_factory.mktemp("cut")) as line:
            wire = talk(line)
            places = [0, *sorted(cuts), len(PIECES)]
            for start, end in pairwise(places):
                wire.say(PIECES[start:end])
            wire.hang_up()
            await line.ended()
            return line.ask(
                "SELECT control_id, value FROM message JOIN result ON result.message = message.id ORDER BY message.id"
            )

    assert asyncio.run(play()) == [("M1", "5.4"), ("M2", "7.7")]


@settings(max_examples=20)
@given(header=st.lists(st.binary(max_size=12), max_size=22), rest=st.binary(max_size=60))
@example(header=[b"^~\\&", *[b""] * 7, b"ORU", b"\x1c\x0b", b"P", b"2.5.1"], rest=b"")
def test_whatever_a_block_holds_the_line_lives(
    header: list[bytes], rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def play() -> None:
        async with lineside(tmp_path_factory.mktemp("any")) as line:
            wire = talk(line)
            wire.say(block(b"MSH|" + b"|".join(header) + b"\r" + rest))
            wire.say(END + block(oru("LAST")))
            async with asyncio.timeout(60):
                while b"MSA|AA|LAST" not in wire.out:
                    assert not line.tasks[0].done()
                    await asyncio.sleep(0.002)

    asyncio.run(play())
