"""Frames and their checksums: published vectors, cutting and writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.astm.control import RESTRICTED, show
from protocols.astm.frame import MAX_TEXT, OVERHEAD, Frame, check_text, checksum, cut, encode
from protocols.errors import FrameError

VECTORS = [
    # the first four are published with the Perl implementation p5-Epidermis-Protocol-CLSI-LIS, the others by T. Genaux
    (b"1Hello world\x03", b"70"),
    (b"1frame 1\x17", b"A4"),
    (b"2frame 2\x17", b"A6"),
    (b"3frame 3\x03", b"94"),
    (b"4L|1|N\r\x03", b"07"),
    (b"3L|1|N\r\x03", b"06"),
    (b"2L|1|N\r\x03", b"05"),
]


@pytest.mark.parametrize(("body", "expected"), VECTORS)
def test_published_checksums(body: bytes, expected: bytes) -> None:
    assert checksum(body) == expected
    assert encode(body[0] - 0x30, body[1:-1], body.endswith(b"\x03")) == b"\x02" + body + expected + b"\r\n"


@given(st.one_of(st.binary(max_size=1000), st.binary(min_size=1, max_size=4).map(lambda some: some * 700)))
def test_checksum_is_the_sum(body: bytes) -> None:
    assert checksum(body) == b"%02X" % (sum(body) % 256)


def test_checksum_of_the_heaviest_bytes() -> None:
    for size in (255, 256, 257, 512, 64_000):
        assert checksum(b"\xff" * size) == b"%02X" % (255 * size % 256)


SAFE = st.binary(max_size=300).map(lambda text: text.translate(None, RESTRICTED))


@given(st.integers(0, 7), SAFE, st.booleans())
def test_overhead(number: int, text: bytes, last: bool) -> None:
    assert len(encode(number, text, last)) == len(text) + OVERHEAD


@given(SAFE, st.integers(1, 300))
def test_cutting(record: bytes, limit: int) -> None:
    texts = cut(record, limit)
    assert b"".join(text for text, _ in texts) == record
    assert all(len(text) <= limit for text, _ in texts)
    assert [last for _, last in texts] == [False] * (len(texts) - 1) + [True]
    assert all(text for text, _ in texts[:-1])


@pytest.mark.parametrize("number", [-1, 8])
def test_impossible_number(number: int) -> None:
    with pytest.raises(FrameError, match="is outside 0"):
        encode(number, b"", True)


def test_too_long() -> None:
    assert len(encode(1, b"x" * MAX_TEXT, True)) == 64_000
    with pytest.raises(FrameError, match="cut the record"):
        encode(1, b"x" * (MAX_TEXT + 1), True)


@pytest.mark.parametrize("character", list(RESTRICTED))
def test_restricted_characters(character: int) -> None:
    with pytest.raises(FrameError, match=f"0x{character:02X} at byte 2 .*&X{character:02X}&"):
        check_text(b"ab" + bytes([character]) + b"c")
    check_text(b"ab\r\t\xe9")


def test_frame_is_a_value() -> None:
    assert Frame(1, b"a", True, b"b") == Frame(1, b"a", True, b"b") != Frame(1, b"a", False, b"b")


def test_show() -> None:
    assert show(encode(1, b"H|\\^&\r", True)) == "<STX>1H|\\^&<CR><ETX>E5<CR><LF>"
    assert show(b"\x05\x06\x15\x04\x17\x1d\x7f\xe9") == "<ENQ><ACK><NAK><EOT><ETB><0x1D><0x7F><0xE9>"
