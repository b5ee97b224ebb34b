"""A plain link over a real store: journal first, then the answer; not understood is quarantined; a restart loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lineside import LINK, ZONE, Lineside, MemoryWire, lineside
from stage import eventually

from labmw.driver import Reading
from labmw.driver import astm as astm_reading
from labmw.driver import plain as plain_reading
from labmw.line.plain import PlainConversation, gathering_of
from labmw.line.received import Received
from labmw.line.registry import Registry
from protocols.astm.message import Message
from protocols.plain.beckman import write as write_au
from protocols.plain.links import LINKS
from protocols.plain.message import PlainMessage
from protocols.plain.rapid import write as write_rapid
from protocols.plain.tags import write
from protocols.plain.tolerance import PLAIN

REGISTRY = Registry.find()
TUBE = "26112501"
VIDAS = write(
    f"\x1emtrsl|\x1epi|\x1epn|\x1esi|\x1eci{TUBE}|\x1ertTSH|\x1ernTSH|\x1ett14:03|\x1etd11/20/26|\x1eql|\x1eqn1.85 uIU/ml|\x1eqd1|".encode()
)
MAGLUMI = (
    f"H|\\^&||PSWD|Maglumi X3|||||Lis||P|E1394-97|20261120\rP|1\rO|1|{TUBE}||^^^TSH II\r"
    "R|1|^^^TSH II|1.85|uIU/mL|0.3 to 4.5|N||||||20261120150745\rL|1|N\r"
).encode()


def read(received: Received) -> Reading:
    message = received.message
    if isinstance(message, PlainMessage):
        names = {
            "tags": "biomerieux-vidas",
            "au": "beckman-au",
            "stx": "arkray-spotchem-el",
            "pk": "any-plain",
            "rapid": "siemens-rapidpoint",
        }
        driver = REGISTRY.named(names[message.protocol])
        return plain_reading.read(message, driver, zone=ZONE, tolerances_used=received.tolerances)
    assert isinstance(message, Message)
    return astm_reading.read(message, REGISTRY.named("snibe-maglumi"), zone=ZONE)


def open_line(line: Lineside, link: str, **settings: Any) -> MemoryWire:
    one = LINKS[link]
    plain = (one, PLAIN.changed(settings, one.uses, one.name))
    return line.converse(PlainConversation, plain=plain)


async def test_a_result_is_stored_before_its_sum_is_answered(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "tags")
        assert await wire.ask(b"\x05") == b"\x06"
        line.disk.ready.clear()
        wire.say(VIDAS)
        with pytest.raises(TimeoutError):
            await wire.answer(within=0.2)
        line.disk.ready.set()
        assert await wire.answer() == b"\x06"
        assert line.ask("SELECT protocol, disposition FROM message") == [("tags", "accepted")]
        assert line.ask(
            "SELECT r.specimen, code, value, unit_raw, q.reason FROM result r JOIN quarantine q ON q.result = r.id"
        ) == [(TUBE, "TSH", "1.85", "uIU/ml", "unverified-driver")]
        wire.say(b"\x04")
        wire.hang_up()
        assert await line.ended() == ["hang-up"]
        assert VIDAS in line.passed(">")
        assert line.ask("SELECT closing FROM session WHERE closing IS NOT NULL")[0] == ("eot",)


async def test_a_rapidpoint_is_asked_for_its_result_and_answered_when_it_is_stored(tmp_path: Path) -> None:
    yes = b"\x02\x06\x030B\x04"
    asked = write_rapid("SMP_REQ", {"aMOD": "0500", "iIID": "64204", "rSEQ": "7"})
    told = {
        "aMOD": "0500",
        "iIID": "64204",
        "rSEQ": "7",
        "rDATE": "26Nov26",
        "rTIME": "14:03",
        "iPID": TUBE,
        "mK+": "4.1",
    }
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "rapid")
        wire.say(write_rapid("SMP_NEW_AV", {"aMOD": "0500", "iIID": "64204", "rSEQ": "7"}))
        assert await wire.answer(len(yes + asked)) == yes + asked
        assert line.ask("SELECT count(*) FROM message")[0] == (0,)
        wire.say(yes)
        line.disk.ready.clear()
        wire.say(write_rapid("SMP_NEW_DATA", told))
        with pytest.raises(TimeoutError):
            await wire.answer(within=0.2)
        line.disk.ready.set()
        assert await wire.answer(len(yes)) == yes
        assert line.ask("SELECT protocol, disposition FROM message") == [("rapid", "accepted")]
        assert line.ask(
            "SELECT r.specimen, code, value, q.reason FROM result r JOIN quarantine q ON q.result = r.id"
        ) == [(TUBE, "mK+", "4.1", "unverified-driver")]
        wire.hang_up()
        assert await line.ended() == ["hang-up"]


async def test_a_store_that_cannot_write_refuses_and_the_analyzer_sends_again(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "tags")
        await wire.ask(b"\x05")
        line.disk.broken = True
        assert await wire.ask(VIDAS) == b"\x15"
        line.disk.broken = False
        assert await wire.ask(VIDAS) == b"\x06"
        assert line.count("SELECT count(*) FROM result") == 1


async def test_damage_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "tags")
        await wire.ask(b"\x05")
        assert await wire.ask(VIDAS.replace(b"1.85", b"7.85")) == b"\x15"
        assert line.count("SELECT count(*) FROM message") == 0


async def test_each_sign_of_a_maglumi_is_answered_and_its_results_released_like_any_astm(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read, loincs=("3016-3",)) as line:
        wire = open_line(line, "maglumi")
        assert await wire.ask(b"\x05") == b"\x06"
        assert await wire.ask(b"\x02") == b"\x06"
        wire.say(MAGLUMI)
        assert await wire.ask(b"\x03") == b"\x06"
        assert await wire.ask(b"\x04") == b"\x06"
        assert line.ask("SELECT protocol FROM message") == [("astm",)]
        assert line.ask("SELECT specimen, loinc, value, state FROM result") == [(TUBE, "3016-3", "1.85", "verify")]


async def test_a_maglumi_that_wants_each_record_answered(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read, loincs=("3016-3",)) as line:
        wire = open_line(line, "maglumi", acknowledge="records")
        for data in (b"\x05", b"\x02", *MAGLUMI.splitlines(keepends=True), b"\x03", b"\x04"):
            assert await wire.ask(data) == b"\x06"
        assert line.count("SELECT count(*) FROM frame") == MAGLUMI.count(b"\r")
        assert line.count("SELECT count(*) FROM result") == 1


async def test_a_text_of_several_blocks_is_one_message(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "au", pause=0)
        head = "D " + "01" + "0001" + "01" + " " + "0001" + f"{TUBE:10}" + "    "
        one, two = " 001" + "     5.10" + " " * 8, " 002" + "      140" + "H " + " " * 6
        assert await wire.ask(write_au(b"DB01")) == b"\x06"
        assert await wire.ask(write_au((head + "0" + one).encode(), last=False)) == b"\x06"
        assert line.count("SELECT count(*) FROM message") == 0
        assert await wire.ask(write_au((head + "E" + two).encode())) == b"\x06"
        assert await wire.ask(write_au(b"DE01")) == b"\x06"
        assert line.ask("SELECT specimen, code, value, flags FROM result ORDER BY code") == [
            (TUBE, "001", "5.10", "[]"), (TUBE, "002", "140", '["unknown"]'),
        ]  # fmt: skip
        assert line.count("SELECT count(*) FROM message") == 1


async def test_a_text_that_breaks_off_is_kept_unterminated(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "au", pause=0)
        assert await wire.ask(write_au(b"D 01 half", last=False)) == b"\x06"
        wire.hang_up(lost=True)
        await line.ended()
        assert line.ask("SELECT protocol, terminated, reason FROM message") == [("au", 0, "unterminated")]


async def test_what_is_not_understood_is_acknowledged_and_quarantined(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "stx")
        assert await wire.ask(b"\x02something else\x03") == b"\x06"
        assert line.ask("SELECT protocol, disposition, reason FROM message") == [
            ("stx", "quarantined", "not-understood")
        ]
        assert line.bytes_of("SELECT raw FROM message") == [b"\x02something else\x03"]


async def test_a_line_in_one_direction_is_stored_and_never_answered(tmp_path: Path) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, "pk")
        wire.say(
            write_au(b"SB15")
            + write_au(b"M 15aaaaaa")
            + write_au(b"DB15")
            + write_au(b"D 15 one")
            + write_au(b"D 15 two")
        )
        wire.say(write_au(b"DE15"))
        await line.until("SELECT count(*) FROM frame", [(6,)])
        wire.hang_up()
        await line.ended()
        assert bytes(wire.out) == b""
        assert line.bytes_of("SELECT raw FROM message ORDER BY id") == [
            b"\x02M 15aaaaaa\x03\x02D 15 one\x03", b"\x02D 15 two\x03",
        ]  # fmt: skip


@pytest.mark.parametrize(("link", "data"), [("tags", b"\x05" + VIDAS), ("au", write_au(b"D 01 half", last=False))])
async def test_a_restart_takes_up_what_was_acknowledged(tmp_path: Path, link: str, data: bytes) -> None:
    async with lineside(tmp_path, [TUBE], read=read) as line:
        wire = open_line(line, link, **({"pause": 0} if link == "au" else {}))
        wire.say(data)
        await line.until("SELECT count(*) FROM frame", [(1,)])
        before = line.count("SELECT count(*) FROM message")
        line.tasks.pop().cancel()
        await eventually(lambda: wire.closed)
    async with lineside(tmp_path, [TUBE], read=read) as line:
        terms = line.terms(plain=(LINKS[link], PLAIN))
        await line.recover(lambda name: gathering_of(terms))
        assert line.count("SELECT count(*) FROM message") == 1
        assert before in (0, 1)
        assert line.ask("SELECT link, protocol FROM message") == [(LINK, link)]
