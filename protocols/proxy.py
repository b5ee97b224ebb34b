"""Who is really at the other end, when a load balancer hands a connection on? The header of the PROXY protocol, versions 1 and 2.

It stands before everything else, TLS included, and may only be believed of addresses that are known to be balancers: whoever may write one can
call itself what it likes. Source: the PROXY protocol specification of HAProxy (2.1 and 2.2), revision of 2020.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from protocols.errors import ProxyError

FIRST: Final = 12
"""Bytes that tell the version."""
REST_OF_2: Final = 4
"""Bytes behind them in version 2: version and command, family, length."""
LONGEST_1: Final = 107
"""Bytes of a line of version 1, its end included (2.1)."""
LONGEST_2: Final = 2048
"""Bytes behind the first sixteen of version 2 that are borne with; addresses take 36, the rest are extensions that are not read."""
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_LINE: Final = re.compile(rb"PROXY (TCP4|TCP6) (\S{1,45}) (\S{1,45}) ([0-9]{1,5}) ([0-9]{1,5})\r\n", re.ASCII)
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN[^\r\n]*\r\n")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a header says: the client's address and port; "" where the balancer speaks for itself (a health check) or does not know."""

    host: str = ""
    port: int = 0

    @property
    def peer(self) -> str:
        """As labmw names a peer."""
        return f"{self.host}:{self.port}" if self.host else ""


def version(first: bytes) -> int:
    """1 or 2, by the first twelve bytes. Raises: ProxyError when they begin no header."""
    if first == _SIGNATURE:
        return 2
    if first.startswith(b"PROXY "):
        return 1
    raise ProxyError(
        f"no PROXY header but {first[:6]!r}: the balancer must send one, or leave its address out of the link's proxy list"
    )


def read_1(line: bytes) -> Declared:
    """A whole line of version 1. Raises: ProxyError."""
    if _UNKNOWN.fullmatch(line) and len(line) <= LONGEST_1:
        return Declared()
    match = _LINE.fullmatch(line)
    if match is None or len(line) > LONGEST_1:
        raise ProxyError(f"{line[:40]!r} is no PROXY line: look at the balancer's setting (send-proxy)")
    family, source, _, port, _ = match.groups()
    try:
        host = ip_address(source.decode())
    except ValueError:
        raise ProxyError(f"{source[:45]!r} is no address: look at the balancer") from None
    if isinstance(host, IPv4Address) != (family == b"TCP4") or int(port) > 65535:
        raise ProxyError(f"{line[:40]!r} contradicts itself: look at the balancer")
    return Declared(str(host), int(port))


def length_2(rest: bytes) -> int:
    """How many bytes follow the first sixteen of version 2. Raises: ProxyError."""
    if rest[0] >> 4 != 2 or rest[0] & 0x0F > 1:
        raise ProxyError(
            f"PROXY version or command 0x{rest[0]:02x} is not known: the balancer must speak version 1 or 2"
        )
    length = int.from_bytes(rest[2:4], "big")
    if length > LONGEST_2:
        raise ProxyError(f"a PROXY header of {length} bytes: no balancer sends so much")
    return length


def read_2(rest: bytes, body: bytes) -> Declared:
    """The four bytes behind the signature of version 2, and what follows them. Raises: ProxyError."""
    if rest[0] & 0x0F == 0:  # LOCAL: the balancer itself
        return Declared()
    family = rest[1]
    if family == 0x11 and len(body) >= 12:  # TCP over IPv4
        return Declared(str(IPv4Address(body[:4])), int.from_bytes(body[8:10], "big"))
    if family == 0x21 and len(body) >= 36:  # TCP over IPv6
        return Declared(str(IPv6Address(body[:16])), int.from_bytes(body[32:34], "big"))
    if family in (0x11, 0x21):
        raise ProxyError(f"a PROXY header with {len(body)} bytes of addresses: look at the balancer")
    return Declared()  # another family: not known
