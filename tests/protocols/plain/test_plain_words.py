"""The parts of the plain links that need no machine: checks, fields, settings, messages, drawings."""

import re
import runpy
import sys

import pytest

from protocols.errors import SettingError
from protocols.plain.beckman import kind_of, write
from protocols.plain.check import NONE, SUM, XOR
from protocols.plain.diagram import mermaid
from protocols.plain.links import LINKS
from protocols.plain.message import PlainMessage, belongs
from protocols.plain.rapid import fields_of as fields_of_rapid
from protocols.plain.rapid import write as write_rapid
from protocols.plain.states import Input, State
from protocols.plain.tags import fields_of
from protocols.plain.tags import write as write_tags
from protocols.plain.tolerance import PLAIN


def test_the_sum_is_that_of_published_messages() -> None:
    """What a mini VIDAS and a VITEK 2 have sent, as far as their check goes: (sum of the bytes, what stood behind GS)."""
    mini = b"\x1emtrsl|\x1epi|\x1epn|\x1esi|\x1eciTIC21103806|\x1ertATPO|\x1ernAnti-TPO|\x1ett13:55|\x1etd12/07/21|\x1eql|\x1eqn274.0 IU/ml|\x1d"
    assert SUM.of(mini) == b"37"
    assert SUM.holds(mini, b"37")
    assert SUM.holds(b"\xab", b"AB")
    assert not SUM.holds(mini, b"38")


def test_the_bcc_is_that_of_a_published_transmission() -> None:
    for text, sent in ((b"SB99\x03", b"\x12"), (b"M 99aaaaaa7777777\x03", b"Y"), (b"DE15\x03", b"\x06")):
        assert XOR.holds(text, sent)
        assert not XOR.holds(text, b"\x00")
    assert NONE.holds(b"anything", b"")
    assert write(b"SB99") == b"\x02SB99\x03\x12"


def test_rs_separates_nothing_and_may_stand_anywhere() -> None:
    assert fields_of("\x1emtrsl|\x1epi|\x1eci7|") == [("mt", "rsl"), ("pi", ""), ("ci", "7")]
    assert fields_of("\x1emtrsl|rn\r\n\x1eD-Dimer|m\x1e4vidas|") == [("mt", "rsl"), ("rn", "D-Dimer"), ("m4", "vidas")]
    assert fields_of("mtrsl|?x|y3ng/ml") == [("mt", "rsl"), ("", "?x"), ("y3", "ng/ml")]
    assert fields_of("") == []
    assert write_tags(b"\x1emtrsl|").endswith(b"\x03")


def test_what_a_beckman_text_is() -> None:
    kinds = {code: kind_of(code) for code in (b"D 01", b"DH", b"DQ", b"DR", b"R 01", b"S 01", b"DB", b"QR", b"zz", b"")}
    assert list(kinds.values()) == [
        "result", "result", "result", "calibration", "inquiry", "order", "bracket", "reagent", "other", "other",
    ]  # fmt: skip


def test_which_texts_make_a_message() -> None:
    assert belongs("tags", [b"anything"]) == belongs("stx", [b""]) == "message"
    assert belongs("au", []) == belongs("au", [b"DB01"]) == "nothing"
    assert belongs("au", [b"M 01"]) == belongs("pk", [b"M 15", b"D 15"]) == "message"
    assert belongs("pk", [b"M 15", b"QR15"]) == "part"
    assert belongs("rapid", [b"SMP_NEW_DATA\x1c"]) == belongs("rapid", [b"QC_EDIT_DATA\x1c"]) == "message"
    assert belongs("rapid", [b"SMP_NEW_AV\x1c"]) == belongs("rapid", []) == "nothing"


def test_the_sum_of_a_rapidpoint_covers_its_start() -> None:
    """What four host programs answer, and a sample of one of them with the sum that stands behind it."""
    fields = {"aMOD": "0500", "iIID": "64204", "iPID": "10260048", "rSEQ": "13224"}
    fields |= {"mpH": "7.38", "mpCO2": "41.2", "mpO2": "88", "cHCO3": "24.1", "mNa": "139"}
    assert write_rapid("SMP_NEW_DATA", fields).endswith(b"\x03AD\x04")
    assert fields_of_rapid("SMP\x1c\x1emNa\x1d139\x1dmmol/L\x1d\x1d\x1c\x1e") == [("mNa", ("139", "mmol/L", "", ""))]


def test_a_message_keeps_its_bytes() -> None:
    message = PlainMessage("au", (b"D 01\xe9", b"D 01b"))
    assert message.raw == b"\x02D 01\xe9\x03\x02D 01b\x03"
    assert message.decoded() == ["D 01é", "D 01b"]


@pytest.mark.parametrize("link", sorted(LINKS))
def test_every_transition_is_drawn(link: str) -> None:
    table = LINKS[link].table
    lines = mermaid(table).splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> NEUTRAL"]
    drawn = set()
    for line in lines[2:]:
        match = re.fullmatch(r"    (\w+) --> (\w+): (.+)", line)
        assert match
        for label in match[3].split("<br>"):
            happened, action = label.split(" / ")
            drawn.add((match[1], happened.replace(" ", "_").upper(), action.replace(" ", "_"), match[2]))
    assert drawn == {
        (state.name, happened.name, action, following.name)
        for (state, happened), (action, following) in table.items()
        if happened is not Input.HANG_UP
    }


@pytest.mark.parametrize("link", sorted(LINKS))
def test_no_state_is_a_trap(link: str) -> None:
    """From every state that a table enters, the wire's end leads to NEUTRAL, and so does something else."""
    table = LINKS[link].table
    entered = {following for _, following in table.values()}
    for state in entered - {State.NEUTRAL}:
        assert table[state, Input.HANG_UP][1] is State.NEUTRAL
    reach = {State.NEUTRAL}
    for _ in State:
        reach |= {
            state
            for (state, happened), (_, following) in table.items()
            if following in reach and happened is not Input.HANG_UP
        }
    assert entered <= reach


def test_the_drawing_as_a_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "protocols.plain.diagram")
    monkeypatch.setattr(sys, "argv", ["diagram", "tags"])
    runpy.run_module("protocols.plain.diagram", run_name="__main__")
    assert capsys.readouterr().out == mermaid(LINKS["tags"].table)


@pytest.mark.parametrize(
    ("link", "settings", "said"),
    [
        ("tags", {"pause": 1.0}, "none of a tags link"),
        ("stx", {"check": "crc"}, "one of 'xor', 'sum', 'none'"),
        ("stx", {"send_replies": 1}, "true or false"),
        ("stx", {"max_block": 3}, "whole number"),
        ("stx", {"start": 64}, "control character"),
        ("au", {"pause": 11.0}, "seconds from 0 to 10"),
        ("maglumi", {"acknowledge": "all"}, "'pieces', 'records'"),
    ],
)
def test_a_setting_that_is_wrong_is_named(link: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        PLAIN.changed(settings, LINKS[link].uses, link)


def test_settings_that_are_right_are_taken() -> None:
    chosen = PLAIN.changed(
        {"check": "sum", "max_block": 100, "send_replies": False, "start": 1, "end": 4}, LINKS["stx"].uses, "stx"
    )
    assert (chosen.check, chosen.max_block, chosen.send_replies, chosen.start, chosen.end) == ("sum", 100, False, 1, 4)
    assert PLAIN.changed({"pause": 0, "check": "none"}, LINKS["au"].uses, "au").pause == 0
