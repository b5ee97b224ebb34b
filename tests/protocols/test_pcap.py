"""A recording of the network is put together by connection and direction, whatever order its packets came in."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import CaptureError
from protocols.pcap import PCAPNG, is_pcap, streams


def tcp(sequence: int, payload: bytes, *, flags: int = 0x18, ports: tuple[int, int] = (4000, 5000)) -> bytes:
    return struct.pack(">HHIIBBHHH", *ports, sequence % 2**32, 0, 5 << 4, flags, 1024, 0, 0) + payload


def ipv4(
    inside: bytes, *, source: bytes = b"\x0a\0\0\x01", target: bytes = b"\x0a\0\0\x02", fragment: int = 0
) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(inside), 0, fragment, 64, 6, 0)
    return head + source + target + inside


def ethernet(inside: bytes, *, tags: int = 0, kind: bytes = b"\x08\0") -> bytes:
    return bytes(12) + b"\x81\0\0\x07" * tags + kind + inside


def recording(packets: list[bytes], *, order: str = "<", link: int = 1) -> bytes:
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(order + "IIII", 0, 0, len(one), len(one)) + one for one in packets)


def test_each_direction_is_a_stream_of_its_own() -> None:
    there = ethernet(ipv4(tcp(100, b"\x05")))
    back = ethernet(ipv4(tcp(7, b"\x06", ports=(5000, 4000)), source=b"\x0a\0\0\x02", target=b"\x0a\0\0\x01"))
    found = streams(recording([there, back]))
    assert [(one.source, one.target, one.data) for one in found] == [
        ("10.0.0.1:4000", "10.0.0.2:5000", b"\x05"),
        ("10.0.0.2:5000", "10.0.0.1:4000", b"\x06"),
    ]


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.integers(1, 60), max_size=10),
    st.randoms(),
    st.integers(0, 2**32 - 1),
)
def test_packets_cut_repeated_and_shuffled_give_the_same_bytes(
    data: bytes, cuts: list[int], random: object, start: int
) -> None:
    pieces, at = [], 0
    for size in [*cuts, len(data)]:
        if at < len(data):
            pieces.append((start + 1 + at, data[at : at + size]))
            at += size
    again = [*pieces, *pieces[::2]]
    random.shuffle(again)  # type: ignore[attr-defined]
    opening = ethernet(ipv4(tcp(start, b"", flags=0x02)))
    packets = [opening, *(ethernet(ipv4(tcp(sequence, piece))) for sequence, piece in again)]
    for order, link, strip in (("<", 1, 0), (">", 1, 0), ("<", 101, 14)):
        (stream,) = streams(recording([one[strip:] for one in packets], order=order, link=link))
        assert stream.data == data
        assert not stream.gap


def test_a_missing_packet_ends_what_is_believed() -> None:
    packets = [ethernet(ipv4(tcp(1, b"abc"))), ethernet(ipv4(tcp(9, b"xyz")))]
    (stream,) = streams(recording(packets))
    assert (stream.data, stream.gap) == (b"abc", True)


def test_tags_fragments_other_protocols_and_ipv6() -> None:
    tagged = ethernet(ipv4(tcp(1, b"tagged")), tags=2)
    fragment = ethernet(ipv4(tcp(50, b"no"), fragment=0x2000))
    udp = ethernet(ipv4(tcp(60, b"no")).replace(b"\x40\x06", b"\x40\x11", 1))
    inside = tcp(5, b"six", ports=(1, 2))
    six = struct.pack(">IHBB", 0x60000000, len(inside), 6, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02" + inside
    found = streams(recording([tagged, fragment, udp, ethernet(six, kind=b"\x86\xdd")]))
    assert [one.data for one in found] == [b"tagged", b"six"]
    assert found[1].source == "[0000:0000:0000:0000:0000:0000:0000:0001]:1"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PCAPNG + bytes(40), "pcapng"),
        (b"hello", "no pcap file"),
        (recording([], link=105), "link type 105"),
        (recording([])[:24] + struct.pack("<IIII", 0, 0, 2**30, 2**30), "the file is damaged"),
    ],
)
def test_what_cannot_be_read_says_so(data: bytes, why: str) -> None:
    with pytest.raises(CaptureError, match=why):
        streams(data)


@given(st.binary(max_size=400))
def test_rubbish_behind_a_header_never_breaks_anything(rubbish: bytes) -> None:
    for link in (0, 1, 101, 113, 276):
        data = recording([rubbish, ethernet(rubbish), ethernet(ipv4(rubbish))], link=link) + rubbish
        try:
            found = streams(data)
        except CaptureError:
            continue
        assert all(one.data for one in found)


def test_a_recording_is_known_by_its_first_bytes() -> None:
    assert is_pcap(recording([]))
    assert is_pcap(recording([], order=">"))
    assert not is_pcap(b"\x05\x021H")
