"""Is what is the matter with a line said in the right sentence?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.phrases import codes, facts_of
from labmw.watch.diagnosis import Line, diagnose
from protocols.astm.frame import encode
from protocols.capture import FROM_INSTRUMENT, FROM_LABMW, Piece

HEADER = encode(1, rb"H|\^&|||ACME X100^2.1^SN0042|||||||P|LIS2-A2|20260310081500" + b"\r", True)
TCP, RS232 = Line("counter"), Line("counter", serial=True, setting="9600 8N1")


def talk(*spoken: tuple[str, bytes], gap: float = 0.05) -> list[Piece]:
    return [Piece(Decimal(str(round(n * gap, 3))), direction, data) for n, (direction, data) in enumerate(spoken)]


def them(*data: bytes) -> list[tuple[str, bytes]]:
    return [(FROM_INSTRUMENT, one) for one in data]


def us(data: bytes) -> tuple[str, bytes]:
    return FROM_LABMW, data


def said(line: Line, pieces: Sequence[Piece]) -> list[str]:
    found = diagnose(line, pieces)
    for one in found:
        assert one.code in codes()
        assert facts_of(one.code) <= set(one.facts)
    return [one.code for one in found]


def even(data: bytes) -> bytes:
    return bytes(byte | (0x80 if byte.bit_count() & 1 else 0) for byte in data)


@pytest.mark.parametrize(
    ("line", "pieces", "expected"),
    [
        (RS232, [], ["wire-nothing"]),
        (RS232, talk(us(b"\x05")), ["wire-nothing"]),
        (RS232, talk(*them(bytes([0x9C, 0xE1, 0x83, 0xFE] * 8))), ["wire-wrong-baud"]),
        (TCP, talk(*them(bytes([0x9C, 0xE1, 0x83, 0xFE] * 8))), ["wire-rubbish"]),
        (RS232, talk(*them(even(b"\x05" + HEADER + b"\x04"))), ["wire-wrong-parity"]),
        (Line("c", True, "9600 8E1", broken=60), talk(*them(HEADER[1:-4])), ["wire-wrong-parity"]),
        (RS232, talk(*them(b"\x05", b"\x05")), ["wire-call-unanswered"]),
        (RS232, talk(*them(b"\x05"), us(b"\x06"), *them(HEADER), us(b"\x06"), *them(b"\x04")), ["wire-astm"]),
        (RS232, talk(*them(b"\x05", b"\x06", HEADER, b"\x06", b"\x04")), ["wire-two-masters"]),
        (RS232, talk(us(b"\x05"), *them(b"\x06"), us(b"\x04")), ["wire-astm-call"]),
        (RS232, talk(us(b"\x05"), *them(b"\x05"), us(b"\x05"), *them(b"\x05"), us(b"\x06")), ["wire-contention"]),
        (RS232, talk(*them(HEADER[:8] + b"x" + HEADER[9:])), ["wire-astm-damaged"]),
        (TCP, talk(*them(HEADER[:30], HEADER[30:]), gap=0.8), ["wire-packing-slow"]),
        (RS232, talk(*them(HEADER[:30], HEADER[30:]), gap=0.8), ["wire-astm"]),
        (TCP, talk(*them(*(HEADER[n : n + 1] for n in range(len(HEADER)))), gap=0.001), ["wire-packing-small"]),
        (TCP, talk(*them(HEADER, HEADER), gap=5), ["wire-astm"]),
        (TCP, talk(*them(b"\x16\x03\x01\x02\x00\x01\x00\x01")), ["wire-tls"]),
    ],
)
def test_each_trouble_has_its_sentence(line: Line, pieces: list[Piece], expected: list[str]) -> None:
    assert said(line, pieces) == expected


@given(st.lists(st.tuples(st.sampled_from("<>"), st.binary(min_size=1, max_size=40)), max_size=12), st.booleans())
def test_something_is_said_of_anything(spoken: list[tuple[str, bytes]], serial: bool) -> None:
    assert said(RS232 if serial else TCP, talk(*spoken))
