"""How is a TCP connection opened, with or without TLS?"""

from __future__ import annotations

import asyncio

from labmw.errors import CertificateError, HandshakeError
from labmw.tls.certificate import Certificate, read_der
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import diagnose, is_handshake

HANDSHAKE = 10.0  # seconds for TLS to be agreed
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def dial(host: str, port: int, *, patience: float, tls: Credentials | None = None) -> Streams:
    """Open a connection.

    Raises: what the network says (OSError, TimeoutError, UnicodeError for a name that cannot be one), CertificateError when our own files
    cannot be used, HandshakeError when TLS cannot be agreed.
    """
    if tls is None:
        async with asyncio.timeout(patience):
            return await asyncio.open_connection(host, port)
    context = tls.context()
    try:
        async with asyncio.timeout(patience + HANDSHAKE):
            # A name is given whenever TLS is wanted: asyncio asks for one; "" says that there is none to ask for.
            return await asyncio.open_connection(
                host, port, ssl=context, server_hostname=tls.server_name(host) or "", ssl_handshake_timeout=HANDSHAKE
            )
    except OSError as error:
        if is_handshake(error):
            raise diagnose(error, f"{host}:{port}") from error
        raise


def shown_by_peer(writer: asyncio.StreamWriter) -> Certificate | None:
    """The certificate that the other side showed; None without TLS, and where it showed none."""
    secured = writer.get_extra_info("ssl_object")
    data = secured.getpeercert(binary_form=True) if secured is not None else None
    if not data:
        return None
    try:
        return read_der(data)
    except CertificateError:
        return None  # OpenSSL believes it; that we cannot tell its dates is no reason to hang up


__all__ = ["HANDSHAKE", "HandshakeError", "Streams", "dial", "shown_by_peer"]
