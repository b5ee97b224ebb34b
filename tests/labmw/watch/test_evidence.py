"""Bytes, frames and answers are found again in the journal, and patient records are hidden however they were cut."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.store import Row
from labmw.store.transaction import row_type
from labmw.watch.evidence import answers, frames_of_record, pieces_of_message, records, without_names
from labmw.watch.veil import HIDDEN, Veil, hide

ACK, NAK = b"\x06", b"\x15"


def row(**columns: Any) -> Row:
    return row_type(tuple(columns))(tuple(columns.values()))


def journal(*pieces: tuple[str, bytes]) -> list[Row]:
    return [row(id=n, at=f"t{n}", direction=direction, data=data) for n, (direction, data) in enumerate(pieces)]


def frames(*texts: bytes) -> list[Row]:
    return [row(seq=n, number=n % 8, text=text) for n, text in enumerate(texts, 1)]


def wire(number: int, text: bytes, end: bytes = b"\x03") -> bytes:
    body = b"%d%s%s" % (number % 8, text, end)
    return b"\x02%s%02X\r\n" % (body, sum(body) % 256)


def test_each_frame_has_its_answer() -> None:
    found = answers(
        journal(
            (">", b"\x05"),
            ("<", ACK),
            (">", wire(1, b"H|\r")),
            ("<", ACK),
            (">", wire(2, b"L|1\r")),
            ("<", ACK),
            (">", b"\x04"),
        ),
        frames(b"H|\r", b"L|1\r"),
    )
    assert {seq: (one.at, one.answer, one.answered_at) for seq, one in found.items()} == {
        1: ("t2", ACK, "t3"),
        2: ("t4", ACK, "t5"),
    }


def test_a_frame_that_was_refused_first_is_found_where_it_was_accepted() -> None:
    bad = wire(1, b"H|\r").replace(b"\x03", b"\x17")
    found = answers(journal((">", bad), ("<", NAK), (">", wire(1, b"H|\r")), ("<", ACK)), frames(b"H|\r"))
    assert found[1].at == "t2" and found[1].answer == ACK


def test_a_frame_that_came_in_pieces_counts_from_its_last() -> None:
    whole = wire(1, b"H|something\r")
    found = answers(journal((">", whole[:5]), (">", whole[5:]), ("<", ACK)), frames(b"H|something\r"))
    assert found[1].at == "t1" and found[1].answered_at == "t2"


def test_a_message_takes_its_part_of_the_session() -> None:
    pieces = [(">", b"\x05"), ("<", ACK)]
    for number, text in enumerate((b"H|1\r", b"L|1\r", b"H|2\r", b"L|2\r"), 1):
        pieces += [(">", wire(number, text)), ("<", ACK)]
    whole = journal(*pieces, (">", b"\x04"))
    every = frames(b"H|1\r", b"L|1\r", b"H|2\r", b"L|2\r")
    for part, expected in ((every[:2], (0, 5)), (every[2:], (6, 10)), (every, (0, 10))):
        assert pieces_of_message(whole, part, answers(whole, part)) == expected
    assert pieces_of_message(whole, every[:2], {}) == (0, 10)  # when that cannot be told, everything
    assert pieces_of_message([], [], {}) == (0, 0)


def test_without_an_answer_there_is_none() -> None:
    assert answers(journal((">", wire(1, b"H|\r"))), frames(b"H|\r")) == {}
    assert answers([], frames(b"H|\r")) == {}


def test_records_and_the_frames_that_carried_them() -> None:
    raw = b"H|1\rR|1|abcdef\rL|1\r"
    cut = frames(raw[:9], raw[9:])
    assert records(raw) == [b"H|1", b"R|1|abcdef", b"L|1"]
    assert [frames_of_record(raw, cut, n) for n in range(3)] == [[1], [1, 2], [2]]
    assert frames_of_record(raw, cut, 9) == [1, 2]
    assert frames_of_record(b"something else", cut, 0) == [1, 2]


PATIENT = b"P|1||ID7||DOE^JANE||19700101|F\r"
RAW = b"H|\\^&\r" + PATIENT + b"O|1|S1\rR|1|^^^K|4.2\rL|1|N\r"


SECRETS = (b"DOE", b"JANE", b"1970")


@pytest.mark.parametrize("size", [*range(1, 40), 240])
def test_a_patient_is_hidden_however_the_frames_cut_it(size: int) -> None:
    texts = [RAW[start : start + size] for start in range(0, len(RAW), size)]
    pieces = []
    for number, text in enumerate(texts, 1):
        pieces += [(">", wire(number, text, b"\x03" if number == len(texts) else b"\x17")), ("<", ACK)]
    shown = b"".join(data for _, data in without_names(journal(*pieces)))
    text = re.sub(rb"\x02\d|[\x03\x17]..\r\n|\x06", b"", shown)
    assert text == RAW.replace(PATIENT, b"P" + HIDDEN + b"\r")


@given(st.lists(st.integers(0, 80)))
def test_reads_that_cut_a_frame_hide_the_patient_too(cuts: list[int]) -> None:
    whole = wire(1, RAW)
    edges = sorted({0, len(whole), *cuts})
    pieces = [(">", whole[start:end]) for start, end in pairwise(edges)]
    shown = b"".join(data for _, data in without_names(journal(*pieces)))
    assert not any(secret in shown for secret in SECRETS)
    assert shown == whole.replace(PATIENT, b"P" + HIDDEN + b"\r")


def test_a_numbered_record_is_a_patient_too() -> None:
    assert hide(b"1H|a\r2P|1||DOE\r") == b"1H|a\r2P[...]\r"


def test_names_in_hl7_are_hidden() -> None:
    assert b"DOE" not in hide(b"\x0bMSH|^~\\&|A\rPID|1||7||DOE^JANE\rOBX|1|NM|K||4.2\r\x1c\r")


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_hiding_is_the_same_however_the_bytes_are_read(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [(">", data[start:end]) for start, end in pairwise(edges)]
    assert b"".join(shown for _, shown in without_names(journal(*pieces))) == hide(data)


TAGGED = (
    b"\x05\x02\x1emtrsl|pi77|pnMARTIN LEA|\x1epb01/01/1963|psF|so|ci26112502|\x1ertDD2|p\x1enX|qn1683 ng/ml|\x1d3f\x03\x04",
    b"\x05\x02\x1emtrsl|pi[...]|pn[...]|\x1epb[...]|ps[...]|so|ci26112502|\x1ertDD2|p\x1en[...]|qn1683 ng/ml|\x1d3f\x03\x04",
)
NAMED = (
    b"\x02SMP_NEW_DATA\x1c\x1eaMOD\x1d0500\x1d\x1d\x1d\x1ciIID\x1d64204\x1d\x1d\x1d\x1ciPNAME\x1dMARTIN\x1d\x1d\x1d\x1cmpH\x1d7.38\x1d\x1d\x1d\x1c\x1e\x03AD\x04",
    b"\x02SMP_NEW_DATA\x1c\x1eaMOD\x1d0500\x1d\x1d\x1d\x1ciIID\x1d64204\x1d\x1d\x1d\x1ciPNAME\x1d[...]\x1cmpH\x1d7.38\x1d\x1d\x1d\x1c\x1e\x03AD\x04",
)


@pytest.mark.parametrize(("data", "expected"), [TAGGED, NAMED], ids=["tags", "rapid"])
@given(places=st.lists(st.integers(0, 400), max_size=6))
def test_patients_of_plain_links_are_not_shown_however_the_bytes_are_cut(
    data: bytes, expected: bytes, places: list[int]
) -> None:
    ends = [0, *sorted(place % len(data) for place in places), len(data)]
    veil = Veil()
    assert b"".join(veil.over(data[begin:end]) for begin, end in pairwise(ends)) == expected
    assert b"MARTIN" not in expected


def test_the_veil_of_a_plain_link_ends_with_its_block() -> None:
    """The variant that breaks it: a field that was never closed would hide all that follows."""
    assert hide(b"\x02\x1emtrsl|pnMARTIN\x03\x05\x021H|a\r\x03") == b"\x02\x1emtrsl|pn[...]\x03\x05\x021H|a\r\x03"
    assert hide(b"H|\\^&|||X\rO|1|p1|i2|\rL|1\r") == b"H|\\^&|||X\rO|1|p1|i2|\rL|1\r"
