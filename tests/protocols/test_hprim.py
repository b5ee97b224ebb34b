"""HPRIM Santé: read without loss in both character sets, written with its line lengths, and the same exchange there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from protocols.errors import Hl7Error, HprimError
from protocols.hl7 import ilw
from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.ilw_orders import read_sub_orders
from protocols.hprim import LONGEST_LINE, Layout, build, escape, parse, unescape
from protocols.hprim_hl7 import to_hl7, to_hprim
from simulators.ltw import Order, Person, order_message

EXAMPLES = Path(__file__).parents[1] / "examples"
HEAD = "H|~^\\&|FICH001.HPR||EMET^LABO A||ORM|||DEST^LABO B||P|H2.1^L|20250110101500"
TEXT = some.text(
    some.characters(
        min_codepoint=32, max_codepoint=255, exclude_characters="\x7f" + "".join(map(chr, range(128, 160)))
    ),
    max_size=400,
)


def _is_utf8(data: bytes) -> bool:
    return data.decode("utf-8", "replace").encode() == data


@given(some.lists(some.lists(TEXT, min_size=1, max_size=6), max_size=8), some.sampled_from(["cp1252", "utf-8"]))
def test_what_is_written_comes_back(rows: list[list[str]], encoding: str) -> None:
    records = [["H", "", "", "F1", "", "A", "", "ORM"]]
    records += [["OBR", *(escape(cell) for cell in row)] for row in rows] + [["L", "1"]]
    data = build(records, encoding)
    assume(
        encoding == "utf-8" or data.isascii() or not _is_utf8(data)
    )  # letters that both character sets explain: "Â" and a space
    file = parse(data, encoding)
    assert file.encode() == data
    assert file.terminated
    read = [
        [unescape(record.field(n)) for n in range(1, len(row) + 1)]
        for record, row in zip(file.records[1:-1], rows, strict=True)
    ]
    assert read == [[cell.replace("\r\n", "\n") for cell in row] for row in rows]
    assert max(len(line) for line in data.decode(encoding).split("\r\n")) <= LONGEST_LINE


@given(some.binary(max_size=300))
def test_whatever_comes_is_read_or_refused_and_never_lost(data: bytes) -> None:
    for raw in (data, HEAD.encode() + b"\r\n" + data):
        try:
            file = parse(raw)
        except HprimError:
            continue
        assert file.encode() == raw


@pytest.mark.parametrize(
    ("raw", "agreed", "said", "name"),
    [
        ("Lefèvre".encode("cp1252"), "cp1252", "", "Lefèvre"),
        ("Lefèvre".encode(), "utf-8", "", "Lefèvre"),
        ("Lefèvre".encode(), "cp1252", "UTF-8 instead of Windows-1252", "Lefèvre"),
        ("Lefèvre".encode("cp1252"), "utf-8", "Windows-1252 instead of UTF-8", "Lefèvre"),
        (b"Lef\x81vre", "cp1252", "bytes that are neither UTF-8 nor Windows-1252", "Lef\udc81vre"),
    ],
)
def test_another_character_set_than_agreed_is_read_as_what_it_is_and_told(
    raw: bytes, agreed: str, said: str, name: str
) -> None:
    data = HEAD.encode() + b"\r\nP|1||||" + raw + b"\r\nL|1\r\n"
    file = parse(data, agreed)
    assert (file.charset_problem, file.records[1].field(5)) == (said, name)
    assert file.encode() == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"MSH|^~\\&|", "begins with"),
        (b"H||||||||", "five different marks"),
        (b"H|~^\\&|A\rX|1\r", "line 2 begins with 'X'"),
        (b"H|~^\\&|A\rH|~^\\&|B\r", "line 2 begins with 'H'"),
    ],
)
def test_what_is_no_file_is_refused_with_its_line(data: bytes, said: str) -> None:
    with pytest.raises(HprimError, match=said):
        parse(data)
    with pytest.raises(HprimError, match="character set"):
        parse(HEAD.encode(), "latin-1")


def test_the_order_of_the_delimiters_is_a_choice() -> None:
    data = b"H|^~\\&|F^X||A^B||ORM\rL|1\r"
    assert parse(data, layout=Layout(component_first=True)).delimiters.component == "^"
    assert parse(data).delimiters.component == "~"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("ilw_*.hl7")), ids=lambda file: file.stem)
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_every_example_travels_and_says_the_same(file: Path, encoding: str) -> None:
    message = Message.parse(file.read_bytes())
    data = to_hprim(message.raw, "F000001.HPR", encoding)
    back = to_hl7(parse(data, encoding))
    assert back.control_id == message.control_id
    if message.code == "OML":
        was, now = ilw.read_sub_orders(message), ilw.read_sub_orders(back)
        assert [(one.control, one.placer, one.service, one.reason) for one in now.orders] == [
            (one.control, one.placer, one.service, one.reason) for one in was.orders
        ]
        assert [one.specimens[0].labels for one in now.orders] == [one.specimens[0].labels for one in was.orders]
        assert now.patient is not None
        assert was.patient is not None
        assert (now.patient.patient.birth, now.patient.patient.sex) == (
            was.patient.patient.birth,
            was.patient.patient.sex,
        )
    elif message.code == "ORU":
        was_, now_ = ilw.read_sub_results(message), ilw.read_sub_results(back)
        told = [
            [(one.status, one.value, one.unit, one.range) for _, one in ilw.observations_of(order)]
            for order in was_.orders
        ]
        assert [
            [(one.status, one.value, one.unit, one.range) for _, one in ilw.observations_of(order)]
            for order in now_.orders
        ] == told
        assert [list(ilw.documents_of(order)) for order in now_.orders] == [
            list(ilw.documents_of(order)) for order in was_.orders
        ]
        assert [ilw.said_of(order) for order in now_.orders] == [ilw.said_of(order) for order in was_.orders]
        assert {one.performer.id for order in now_.orders for one in order.observations if one.performer} == {
            "690999902"
        }
    else:
        _, was_said, was_told = (
            ilw.read_order_reply(message) if message.code == "ORL" else (None, read_ack(message), ())
        )
        _, now_said, now_told = ilw.read_order_reply(back)
        assert (now_said.code, now_said.control_id) == (was_said.code, was_said.control_id)
        assert [(one.control, one.placer, one.filler, one.reason) for one in now_told] == [
            (one.control, one.placer, one.filler, one.reason) for one in was_told
        ]


def test_a_comparator_stays_a_number() -> None:
    raw = (
        (EXAMPLES / "ilw_lab36_01_oru_r01_partial.hl7")
        .read_bytes()
        .replace(b"|NM|", b"|SN|")
        .replace(b"||86.0|", b"||<^0.10|")
    )
    [order] = ilw.read_sub_results(to_hl7(parse(to_hprim(raw, "F.HPR")))).orders
    value = order.observations[0].value
    assert (value.comparator, str(value.number)) == ("<", "0.10")  # type: ignore[union-attr]


def test_a_letter_that_windows_lacks_loses_its_accent() -> None:
    assert b"Dvorak" in build([["H", "", "", "F"], ["P", "1", "", "", "", "Dvořák"], ["L", "1"]]).replace(b"\xe1", b"a")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("P|1\rL|1", "holds no OBR"),
        ("OBX|1|NM|X||1\rL|1", "before its OBR"),
        ("OBR|1|S1", "ended before its L"),
    ],
)
def test_a_file_that_is_no_exchange_is_refused(rows: str, said: str) -> None:
    with pytest.raises(HprimError, match=said):
        to_hl7(parse(f"{HEAD}\r{rows}\r".encode()))
    with pytest.raises(HprimError, match="H-7"):
        to_hl7(parse(f"{HEAD.replace('ORM', 'FAC')}\r{rows}\rL|1\r".encode()))
    with pytest.raises(Hl7Error, match="no place"):
        to_hprim(b"MSH|^~\\&|A|B|C|D|20261101||ADT^A08|1|P|2.5.1\r", "F")


def test_a_replacement_travels_in_a_file_too() -> None:
    """RP and RO stand in OBR-11 as they are: H2.1 has no word for them, and what is agreed is the control code."""
    orders = [Order("A", "1742-6^ALAT^LN", "RP"), Order("B", "1742-6^ALAT^LN", "RO")]
    data = to_hprim(order_message("M1", "O21", Person("P1"), "T1", orders), "F.HPR")
    read = read_sub_orders(to_hl7(parse(data))).orders
    assert [(one.control, one.placer and one.placer.id, one.specimens[0].labels) for one in read] == [
        ("RP", "A", ("T1",)),
        ("RO", "B", ("T1",)),
    ]
