"""Is each kind of conversation called by its name, from wherever one begins to listen?"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.phrases import codes
from protocols.astm.frame import encode
from protocols.capture import sniff
from protocols.plain import beckman, tags
from protocols.recognition import MOST, Protocol, Recognised, begun, header_of, recognise, sender_of

HEADER = rb"H|\^&|||ACME X100^2.1^SN0042|||||||P|LIS2-A2|20260310081500"
SESSION = b"\x05" + encode(1, HEADER + b"\r", True) + encode(2, b"L|1|N\r", True) + b"\x04"
TAGS = b"\x05" + tags.write(b"\x1emtrsl|\x1eci123|\x1eqn9 IU/ml|") + b"\x04"
AU = beckman.write(b"DB01") + beckman.write(b"D 010001011     0001") + beckman.write(b"DE01")
PK = beckman.write(b"SB15") + beckman.write(b"M 15aaaaaa0000001")
BLOCK = b"\x0bMSH|^~\\&|X|LAB|||20260310||ORU^R01|1|P|2.5.1\rPID|1\r\x1c\r"


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"", "nothing"),
        (SESSION, "astm"),
        (SESSION[30:], "astm"),
        (encode(1, HEADER, True).replace(b"SN0042", b"SN0043"), "astm"),
        (BLOCK, "hl7"),
        (b"\x05", "astm-call"),
        (b"\x05\x05\x04\x06", "astm-call"),
        (b"\x02" + HEADER + b"\r\x03", "astm-unnumbered"),
        (HEADER + b"\rP|1\rL|1|N\r", "astm-bare"),
        (BLOCK[1:-2], "hl7-bare"),
        (b"\x02\x1emtrsl\x1epiX\x1eid123\x1d9f\x03", "tags"),
        (b"\x02RB\x03\x02R 000101 0001    A1\x03", "beckman-au"),
        (b'<?xml version="1.0"?><HEL.R01>', "poct1-a"),
        (b"\x02;001;12.5;\x03", "stx-text"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", "http"),
        (b"\xff\xfd\x2c\xff\xfb\x2c", "telnet"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 4102\r\n", "proxy"),
        (b"glucose 5.4 mmol/L ok\r\n", "text"),
        (bytes(range(128, 160)), "unknown"),
    ],
)
def test_each_kind_has_its_name(data: bytes, protocol: str) -> None:
    assert recognise(data).protocol == protocol
    if protocol in ("astm-call", "astm-unnumbered", "tags", "beckman-au", "stx-text", "tls", "http", "telnet", "text"):
        assert not recognise(data).certain


@pytest.mark.parametrize(
    ("data", "protocol", "good"), [(TAGS, "tags", 1), (AU, "beckman-au", 3), (PK, "beckman-pk", 2)]
)
def test_a_right_check_of_a_plain_link_is_proof_and_a_wrong_one_is_none(data: bytes, protocol: str, good: int) -> None:
    assert recognise(data) == Recognised(protocol, good)  # type: ignore[arg-type]
    assert recognise(data).certain
    assert recognise(data[:-2]).bad == 0  # what has not come yet is not wrong
    at = data.index(b"\x02") + 2
    damaged = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
    assert recognise(damaged).good == good - 1
    assert recognise(data + damaged) in (Recognised(protocol, 2 * good - 1, 1), Recognised(protocol, 2 * good - 1))  # type: ignore[arg-type]


def test_every_kind_has_its_sentence() -> None:
    for name in get_args(Protocol):
        assert ("wire-heard-nothing" if name == "nothing" else f"wire-{name}") in codes()


def test_a_header_leads_to_its_sender() -> None:
    assert sender_of(header_of(SESSION)) == "ACME X100^2.1^SN0042"
    assert sender_of(header_of(BLOCK)) == "X|LAB"
    assert sender_of(b"") == ""
    assert header_of(SESSION[:20]) == b""
    assert header_of(b"the word H|\\^& in a text") == b""


@given(st.integers(0, len(SESSION)))
def test_a_frame_is_counted_when_its_checksum_has_come_and_never_as_wrong_before(end: int) -> None:
    said = recognise(SESSION[:end])
    assert said.bad == 0
    assert said.good == sum(end >= SESSION.find(b"\r\n", at) for at in (1, SESSION.find(b"\x02", 5)))


@given(st.integers(2, len(encode(1, HEADER, True)) - 5), st.integers(1, 255))
def test_a_changed_byte_in_a_frame_is_no_proof(at: int, change: int) -> None:
    frame = bytearray(encode(1, HEADER, True))
    frame[at] ^= change
    assert not recognise(bytes(frame)).certain


@given(st.binary(max_size=3000))
def test_anything_has_an_answer(data: bytes) -> None:
    assert recognise(data).protocol in get_args(Protocol)


def test_a_flood_is_looked_at_to_a_bound() -> None:
    assert recognise(b"\x05" * MOST + SESSION) == Recognised("astm-call")


def test_the_captures_of_real_analyzers_are_recognised(corpus: Path) -> None:
    seen = 0
    for path in sorted(corpus.rglob("*")):
        if path.suffix not in (".astm", ".hl7") or not path.is_file():
            continue
        data = path.read_bytes()
        kind, said = sniff(data), recognise(data)
        if kind == "lis01" and said.good:
            assert said.protocol == "astm", path
            seen += 1
        elif kind == "mllp":
            assert said.protocol == "hl7", path
            seen += 1
        elif kind == "segments":
            assert said.protocol in ("hl7-bare", "text"), path  # a batch without any message is none
            seen += 1
    assert seen > 20


def test_an_envelope_that_has_begun_is_waited_for_and_not_for_ever() -> None:
    whole = [place for place in range(len(SESSION)) if not begun(SESSION[:place])]
    assert SESSION[:2] == b"\x05\x02" and begun(SESSION[:2]) and 1 in whole
    ends = [place for place in range(len(SESSION)) if SESSION[place : place + 1] == b"\x03"]
    assert all(place + 1 in whole and place not in whole for place in ends)
    assert begun(BLOCK[:40]) and not begun(BLOCK)
    assert not begun(b"\x02" + b"A" * 5000)  # a stray STX is no envelope
