"""Who is behind a load balancer? Its PROXY header is read, byte for byte and no further, before anything else of the connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from protocols.errors import ProxyError
from protocols.proxy import FIRST, LONGEST_1, REST_OF_2, Declared, length_2, read_1, read_2, version

PATIENCE: Final = 3.0  # seconds; a balancer sends its header with the first packet

Exactly = Callable[[int], Awaitable[bytes]]
"""Reads so many bytes; raises EOFError or OSError when they do not come."""


async def declared(exactly: Exactly) -> Declared:
    """What the header says; raises ProxyError when there is none in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            first = await exactly(FIRST)
            if version(first) == 2:
                rest = await exactly(REST_OF_2)
                return read_2(rest, await exactly(length_2(rest)))
            line = first
            while not line.endswith(b"\r\n"):
                if len(line) >= LONGEST_1:
                    raise ProxyError("a PROXY line without an end: look at the balancer")
                line += await exactly(1)
            return read_1(line)
    except TimeoutError:
        raise ProxyError(
            f"no PROXY header within {PATIENCE:g} s: look at the balancer's setting (send-proxy)"
        ) from None
    except (EOFError, OSError) as error:
        raise ProxyError(f"hung up before its PROXY header was whole ({type(error).__name__})") from None


def of_socket(connection: socket.socket) -> Exactly:
    """Reads from a socket that nobody else reads yet: TLS begins behind the header."""

    async def exactly(count: int) -> bytes:
        loop = asyncio.get_running_loop()
        found = b""
        while len(found) < count:
            data = await loop.sock_recv(connection, count - len(found))
            if not data:
                raise EOFError
            found += data
        return found

    return exactly
