"""Finding frames in a stream: the short way and the long way agree, and each tolerance lets through what it names."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.astm.control import EOT, STX
from protocols.astm.events import Fault
from protocols.astm.frame import Frame, checksum, encode
from protocols.astm.scanner import Damaged, Scanner
from protocols.astm.tolerance import STRICT, Tolerances

Found = Frame | Damaged | int


def scan(data: bytes, *, short: bool = True, **tolerances: Any) -> tuple[list[Found], bytes, Counter[str]]:
    used: Counter[str] = Counter()
    scanner = Scanner(Tolerances(**tolerances), used)
    if not short:
        scanner._short = 0
    scanner.feed(data)
    found = []
    while (one := scanner.block()) is not None:
        found.append(one)
    return found, bytes(scanner.noise), used


PIECES = st.one_of(
    st.builds(encode, st.integers(0, 7), st.sampled_from([b"R|1\r", b"", b"x" * 240, b"x" * 241]), st.booleans()),
    st.binary(max_size=3),
    st.sampled_from([b"\x02", b"\x03", b"\x04", b"\x05", b"\x17", b"\r\n", b"\n", b"\x021R|1\r", b"\x03A3\r\n"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=12).map(b"".join),
    st.sampled_from(
        [
            {},
            {"control_in_text": True},
            {"resynchronise": True},
            {"checksum": "none"},
            {"checksum": "optional", "lower_case_checksum": True},
            {"max_frame": 247},
            {"max_frame": 16},
        ]
    ),
)
def test_the_short_way_and_the_long_way_agree(data: bytes, tolerances: dict[str, Any]) -> None:
    assert scan(data, short=True, **tolerances) == scan(data, short=False, **tolerances)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(PIECES, st.binary(min_size=1000, max_size=1600)), max_size=6).map(b"".join), st.integers(1, 600)
)
def test_long_frames_in_small_pieces(data: bytes, size: int) -> None:
    """Above 1024 bytes pieces are kept aside until one of them can end the frame."""
    tolerances = Tolerances(max_frame=3000)
    scanner = Scanner(tolerances, Counter())
    found: list[Found] = []
    for at in range(0, len(data), size):
        scanner.feed(data[at : at + size])
        while (one := scanner.block()) is not None:
            found.append(one)
    scanner.abandon()
    whole = Scanner(tolerances, Counter())
    whole.feed(data)
    expected: list[Found] = []
    while (one := whole.block()) is not None:
        expected.append(one)
    whole.abandon()
    assert found == expected and scanner.noise == whole.noise


def raw(
    number: bytes, text: bytes, end: bytes = b"\x03", total: bytes | None = None, trailer: bytes = b"\r\n"
) -> bytes:
    body = number + text + end
    return b"\x02" + body + (checksum(body) if total is None else total) + trailer


def accepted(data: bytes, **tolerances: Any) -> tuple[list[bytes], bytes, dict[str, int]]:
    found, noise, used = scan(data, **tolerances)
    assert all(isinstance(one, Frame) for one in found), found
    return [one.text for one in found if isinstance(one, Frame)], noise, dict(used)


def refused(data: bytes, **tolerances: Any) -> list[Fault]:
    found, _, _ = scan(data, **tolerances)
    return [one.fault for one in found if isinstance(one, Damaged)]


def test_wrong_checksum() -> None:
    wrong = raw(b"1", b"A\r", total=b"00")
    assert refused(wrong) == refused(wrong, checksum="optional") == [Fault.CHECKSUM]
    assert accepted(wrong, checksum="none") == ([b"A\r"], b"", {"checksum": 1})


@pytest.mark.parametrize("mode", ["optional", "none"])
def test_no_checksum(mode: str) -> None:
    bare = raw(b"1", b"A\r", total=b"")
    assert refused(bare) == [Fault.TRAILER]
    assert accepted(bare + raw(b"2", b"B\r"), checksum=mode) == ([b"A\r", b"B\r"], b"", {"checksum": 1})


def test_lower_case_checksum() -> None:
    lower = raw(b"1", b"k\r", total=b"ac")
    assert checksum(b"1k\r\x03") == b"AC"
    assert refused(lower) == [Fault.CHECKSUM]
    assert accepted(lower, lower_case_checksum=True) == ([b"k\r"], b"", {"lower_case_checksum": 1})
    assert refused(raw(b"1", b"k\r", total=b"ad"), lower_case_checksum=True) == [Fault.CHECKSUM]


@pytest.mark.parametrize("trailer", [b"", b"\r", b"\n", b"\r\n"])
def test_optional_trailer(trailer: bytes) -> None:
    data = raw(b"1", b"A\r", trailer=trailer) + raw(b"2", b"B\r", trailer=trailer)
    used = {} if trailer else {"trailer": 1}
    assert accepted(data, trailer="optional") == ([b"A\r", b"B\r"], b"", used)


def test_neither_checksum_nor_trailer() -> None:
    """A frame is over at ETX; digits and line ends that follow after all are no noise."""
    data = raw(b"1", b"A\r", total=b"", trailer=b"") + raw(b"2", b"B\r") + raw(b"3", b"C\r", total=b"", trailer=b"\r\n")
    texts, noise, used = accepted(data, trailer="optional", checksum="none")
    assert (texts, noise) == ([b"A\r", b"B\r", b"C\r"], b"")
    assert used == {"checksum": 3, "trailer": 1}
    texts, noise, _ = accepted(data, trailer="optional", checksum="optional")
    assert (texts, noise) == ([b"A\r", b"B\r", b"C\r"], b"")


def test_noise_after_an_optional_trailer_is_noise() -> None:
    found, noise, _ = scan(raw(b"1", b"A\r", trailer=b"\rzz") + b"\x04", trailer="optional")
    assert found[1:] == [EOT] and noise == b"zz"


def test_resynchronising() -> None:
    data = b"\x021R|1" + raw(b"1", b"A\r")
    assert refused(data) == [Fault.CONTROL]
    assert accepted(data, resynchronise=True) == ([b"A\r"], b"\x021R|1", {"resynchronise": 1})
    cut = raw(b"1", b"A\r", trailer=b"") + raw(b"2", b"B\r")
    assert refused(cut) == [Fault.TRAILER]
    found, _, _ = scan(cut, resynchronise=True)
    assert [type(one) for one in found] == [Damaged, Frame]


def test_controls_in_text() -> None:
    text = b"M|1|a\nb\x02c\x05d\r"
    assert refused(raw(b"1", text))[:1] == [Fault.NO_END]
    assert accepted(raw(b"1", text), control_in_text=True)[0] == [text]


def test_no_numbers() -> None:
    assert accepted(raw(b"", b"A\r"), frame_numbers="absent")[0] == [b"A\r"]
    assert refused(raw(b"", b"A\r")) == [Fault.NUMBER]


def test_a_trailer_that_does_not_fit_any_more() -> None:
    """The limit falls into the trailer: too long, whether the rest is there or not."""
    data = raw(b"1", b"x" * 10)
    assert refused(data, max_frame=16) == [Fault.TOO_LONG]
    assert accepted(data, max_frame=17)[0] == [b"x" * 10]
    assert refused(data[:16], max_frame=16) == [Fault.TOO_LONG]


def test_kept_truncate_abandon() -> None:
    scanner = Scanner(STRICT, Counter())
    scanner.feed(b"\x021")
    assert scanner.block() is None
    scanner.keep(b"abc")
    scanner.feed(b"def")
    assert scanner.kept() == 8
    assert scanner.truncate(6) == 2 and scanner.truncate(6) == 0
    scanner.abandon()
    assert scanner.noise == b"\x021abcd" and scanner.kept() == 0
    assert scanner.answer_to_frame() is None
    scanner.feed(bytes([STX]))
    assert scanner.call(implicit=True) == STX and scanner.block() is None
