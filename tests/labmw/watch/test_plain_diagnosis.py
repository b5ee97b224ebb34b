"""Does `labmw link test` say of a plain line what is so? Blocks of every plain link, whole, damaged, said again, and of another kind; and nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from cable import Cable
from hypothesis import given
from hypothesis import strategies as st
from stage import free_port

from labmw.config import Link, Serial
from labmw.line.plain import plain_of
from labmw.phrases import codes
from labmw.watch.diagnosis import Line
from labmw.watch.line_trial import speak
from labmw.watch.plain_diagnosis import LINK_OF, diagnose_plain
from protocols.astm.frame import encode
from protocols.capture import FROM_INSTRUMENT, Piece
from protocols.plain import beckman, tags
from protocols.plain.links import LINKS
from protocols.plain.tolerance import PLAIN

ENQ, ACK = b"\x05", b"\x06"
TAGS = tags.write(b"\x1emtrsl|\x1epi|\x1eci26112501|\x1ertTSH|\x1eqn1.85 uIU/ml|\x1e")
AU = beckman.write(b"D 01010001 00001             2611250001    E001  5.2r ")
STX = b"\x02WBC 7.1\r\nRBC 4.5\x03"
MAGLUMI = ENQ + b"\x02" + rb"H|\^&||PSWD|Maglumi" + b"\rL|1|N\r\x03\x04"
ASTM = ENQ + encode(1, rb"H|\^&|||X" + b"\r", True) + encode(2, b"L|1|N\r", True) + b"\x04"


def said(name: str, data: bytes, *, serial: bool = False, **settings: object) -> list[str]:
    link = LINKS[name]
    line = Line("one", serial, "9600 8N1" if serial else "")
    pieces = [Piece(Decimal(0), FROM_INSTRUMENT, data)] if data else []
    found = diagnose_plain(line, link, PLAIN.changed(settings, link.uses, name), pieces)
    assert {one.code for one in found} <= codes()
    assert all(one.sentence(language) for one in found for language in ("en", "fr"))
    return [one.code for one in found]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("tags", b"", ["wire-nothing"]),
        ("tags", ENQ * 3, ["wire-plain-calls"]),
        ("tags", ENQ + TAGS, ["wire-plain-whole"]),
        ("tags", TAGS.replace(b"1.85", b"9.85"), ["wire-plain-damaged"]),
        ("tags", TAGS + ACK + TAGS, ["wire-two-masters", "wire-plain-whole", "wire-plain-again"]),
        ("tags", ASTM, ["wire-plain-other"]),
        ("tags", AU, ["wire-plain-other"]),
        ("au", AU, ["wire-plain-whole"]),
        ("au", AU * 3, ["wire-plain-whole", "wire-plain-again"]),
        ("au", AU[:-1] + bytes([AU[-1] ^ 0x01]), ["wire-plain-damaged"]),
        ("au", ENQ * 2, ["wire-plain-called"]),
        ("au", MAGLUMI, ["wire-plain-other"]),
        ("pk", AU.replace(b"D ", b"D ") * 2, ["wire-plain-other"]),
        ("stx", STX, ["wire-plain-unchecked"]),
        ("stx", b"WBC 7.1\r\n" * 4, ["wire-plain-no-block"]),
        ("stx", ASTM, ["wire-plain-other"]),
        ("maglumi", ENQ, ["wire-plain-calls"]),
        ("maglumi", MAGLUMI, ["wire-plain-unchecked"]),
        ("maglumi", ASTM, ["wire-plain-other"]),
    ],
)
def test_a_plain_line_is_told_what_is_the_matter(name: str, data: bytes, expected: list[str]) -> None:
    assert said(name, data) == expected


def test_the_wrong_check_is_found_and_the_right_one_is_silent() -> None:
    """The variant that breaks it: a diagnosis that looked at no check would call both whole."""
    summed = b"\x02WBC 7.1\x03" + b"%02X" % (sum(b"WBC 7.1\x03") & 0xFF)
    assert said("stx", summed, check="sum") == ["wire-plain-whole"]
    assert said("stx", summed.replace(b"7.1", b"7.2"), check="sum") == ["wire-plain-damaged"]


def test_rubbish_on_a_serial_line_is_a_speed() -> None:
    assert said("au", bytes((0x9C, 0xE1, 0x83, 0xFE)) * 16, serial=True) == ["wire-wrong-baud"]


@given(st.sampled_from(sorted(LINKS)), st.binary(max_size=300), st.integers(0, 300))
def test_whatever_comes_something_is_said_and_no_cut_changes_it(name: str, data: bytes, cut: int) -> None:
    link = LINKS[name]
    whole = diagnose_plain(Line("one"), link, PLAIN, [Piece(Decimal(0), FROM_INSTRUMENT, data)] if data else [])
    halves = [one for one in (data[:cut], data[cut:]) if one]
    pieces = [Piece(Decimal(n), FROM_INSTRUMENT, one) for n, one in enumerate(halves)]
    assert whole == diagnose_plain(Line("one"), link, PLAIN, pieces)
    assert whole


def test_every_recognised_envelope_has_a_link_to_name() -> None:
    assert set(LINK_OF.values()) - {"astm", "hl7"} == set(LINKS) - {"stx"}  # text between STX and ETX proves nothing


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    one.pull()


async def test_a_plain_serial_line_is_listened_to_and_not_a_byte_is_sent(cable: Cable) -> None:
    link = Link(name="vidas", serial=Serial(device=str(cable.name)), protocol="tags", driver="biomerieux-vidas")

    async def calls() -> None:
        while True:
            await cable.say(ENQ)
            await asyncio.sleep(0.02)

    calling = asyncio.create_task(calls())
    found = [one.code async for one in speak(link, listen=0.5, call=True, plain=plain_of(link, None))]
    calling.cancel()
    assert found == ["wire-plain-calls"]
    with pytest.raises(
        OSError, match="Input/output error"
    ):  # nobody has the port any more, and nothing was written before
        os.read(cable.end, 1)


async def test_one_that_labmw_dials_is_not_told_busy() -> None:
    heard = bytearray()

    async def analyzer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ENQ)
        heard.extend(await reader.read())
        writer.close()

    port = free_port()
    server = await asyncio.start_server(analyzer, "127.0.0.1", port)
    link = Link(name="maglumi", connect=f"127.0.0.1:{port}", protocol="maglumi")
    found = [one.code async for one in speak(link, listen=0.5, call=True, plain=plain_of(link, None))]
    server.close()
    with contextlib.suppress(AttributeError):
        server.close_clients()  # type: ignore[attr-defined]
    assert found == ["wire-plain-calls"]
    assert not heard
