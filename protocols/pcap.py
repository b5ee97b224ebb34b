"""Which bytes went over which TCP connection, in a recording of the network? The classic pcap format, IPv4 and IPv6, nothing else.

Each direction of a connection is put together by sequence numbers: repeated segments count once, a segment that was not recorded ends what
can be believed, and is told. The newer pcapng is not read: ``tcpdump -w`` writes the classic format, and ``editcap -F pcap`` makes it.
Source: the file header and record header of libpcap (pcap-savefile(5)); RFC 791, RFC 8200, RFC 9293.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from protocols.errors import NetworkCaptureError

_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_LINKS: Final = {0: 4, 1: 14, 12: 0, 101: 0, 113: 16, 276: 20}
"""Bytes before IP by link type: BSD loopback, Ethernet, raw IP (two numbers), Linux cooked 1 and 2."""
_TCP: Final = 6
_SYN: Final = 0x02
MOST: Final = 10_000
"""Connections that are told apart; more are no recording of a laboratory's line."""
LONGEST: Final = 2**18
"""Bytes of one packet that a recording may hold (libpcap's own bound)."""


@dataclass(slots=True)
class Stream:
    """One direction of one connection. ``gap``: bytes are missing after these, and nothing behind them is given."""

    source: str
    target: str
    data: bytes = b""
    gap: bool = False
    _segments: dict[int, bytes] = field(default_factory=dict, repr=False)
    _first: int | None = field(default=None, repr=False)

    def take(self, sequence: int, payload: bytes, *, opening: bool) -> None:
        """Note a segment; sequence numbers count on across 2**32."""
        if self._first is None or opening:
            self._first = (sequence + opening) % 2**32
        at = (sequence + opening - self._first) % 2**32
        if payload and at < 2**31 and len(self._segments.get(at, b"")) < len(payload):
            self._segments[at] = payload

    def settle(self) -> Stream:
        """Put the segments together."""
        joined = bytearray()
        for at in sorted(self._segments):
            payload = self._segments[at]
            if at > len(joined):
                self.gap = True
                break
            joined += payload[len(joined) - at :]
        self.data = bytes(joined)
        return self


def is_pcap(data: bytes) -> bool:
    """Whether a file is a recording of the network, of either format."""
    return data[:4] in _MAGIC or data[:4] == PCAPNG


def streams(data: bytes) -> list[Stream]:
    """Every direction of every TCP connection that carried something, in the order of their first packets.

    Raises: NetworkCaptureError for pcapng, an unknown kind of network, or a file that is no recording.
    """
    if data[:4] == PCAPNG:
        raise NetworkCaptureError("pcapng", "this is pcapng: write the classic format, with `editcap -F pcap IN OUT`")
    order = _MAGIC.get(data[:4])
    if order is None or len(data) < 24:
        raise NetworkCaptureError("no-pcap", "this is no pcap file: it must begin with its magic number and header")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    if link not in _LINKS:
        raise NetworkCaptureError(
            "link-type",
            f"packets of link type {link} are not read: record on an Ethernet or loopback interface",
            link=str(link),
        )
    found: dict[tuple[str, str], Stream] = {}
    for packet in _packets(data, order):
        segment = _segment(packet, _LINKS[link])
        if segment is None:
            continue
        source, target, sequence, flags, payload = segment
        if (source, target) not in found:
            if len(found) >= 2 * MOST:
                raise NetworkCaptureError(
                    "connections",
                    f"more than {MOST} connections: filter the recording, with `tcpdump -r IN -w OUT port N`",
                    most=str(MOST),
                )
            found[source, target] = Stream(source, target)
        found[source, target].take(sequence, payload, opening=bool(flags & _SYN))
    return [one for one in (stream.settle() for stream in found.values()) if one.data]


def _packets(data: bytes, order: str) -> Iterator[bytes]:
    at = 24
    while at + 16 <= len(data):
        (size,) = struct.unpack_from(order + "I", data, at + 8)
        if size > LONGEST:
            raise NetworkCaptureError("damaged", f"a packet of {size} bytes at {at}: the file is damaged", at=str(at))
        packet = data[at + 16 : at + 16 + size]
        if len(packet) < size:
            return  # the recording was cut off in mid-packet
        yield packet
        at += 16 + size


def _segment(packet: bytes, before: int) -> tuple[str, str, int, int, bytes] | None:
    """Source, target, sequence number, flags and payload of a TCP segment; None for anything else, fragments among it."""
    if before == 14:
        while packet[before - 2 : before] in (b"\x81\x00", b"\x88\xa8"):  # VLAN tags
            before += 4
    ip = packet[before:]
    if len(ip) < 20:
        return None
    if ip[0] >> 4 == 4:
        head, total, protocol = (ip[0] & 15) * 4, int.from_bytes(ip[2:4]), ip[9]
        if int.from_bytes(ip[6:8]) & 0x3FFF or head < 20:
            return None
        source, target = (".".join(map(str, ip[at : at + 4])) for at in (12, 16))
    elif ip[0] >> 4 == 6 and len(ip) >= 40:
        head, total, protocol = 40, 40 + int.from_bytes(ip[4:6]), ip[6]
        source, target = (f"[{ip[at : at + 16].hex(':', 2)}]" for at in (8, 24))
    else:
        return None
    tcp = ip[head : total or len(ip)]  # 0: the network card was to fill it in
    if protocol != _TCP or len(tcp) < 20 or len(tcp) < (tcp[12] >> 4) * 4:
        return None
    ports = int.from_bytes(tcp[0:2]), int.from_bytes(tcp[2:4])
    payload = tcp[(tcp[12] >> 4) * 4 :]
    return f"{source}:{ports[0]}", f"{target}:{ports[1]}", int.from_bytes(tcp[4:8]), tcp[13], payload
