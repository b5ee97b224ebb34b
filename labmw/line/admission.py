"""How is a TLS connection let in? The handshake comes before anything else, each connection with the certificate of this moment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable

import structlog

from labmw.errors import CertificateError, HandshakeError
from labmw.line.dialling import HANDSHAKE
from labmw.line.proxied import declared, of_socket
from labmw.tls.certificate import read_der
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import diagnose, named_otherwise
from protocols.errors import ProxyError

log = structlog.get_logger("labmw.line")

WAITING = 64  # handshakes under way at once; beyond it the one that began first is given up
REST = 1.0  # seconds without accepting when the system is out of file descriptors

Welcome = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
"""Takes over a connection; with it the peer that a load balancer declared, "" where none did."""


class Admission:
    """Accepts connections and hands over those that have agreed on TLS.

    asyncio's own server is given one context for its life, and tells nobody why a handshake failed. Here each connection gets the context of
    its moment, so that a renewed certificate needs no restart and drops no line.
    """

    def __init__(
        self,
        credentials: Credentials,
        welcome: Welcome,
        admits: Callable[[str], bool],
        failed: Callable[[str, HandshakeError | CertificateError], None],
        proxied: Callable[[str], bool] = lambda peer: False,
        unnamed: Callable[[str, ProxyError], None] = lambda peer, error: None,
    ) -> None:
        self._credentials, self._welcome, self._admits, self._failed = credentials, welcome, admits, failed
        self._proxied, self._unnamed = (
            proxied,
            unnamed,
        )  # load balancers, and who comes from one without saying for whom
        self.sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._greeting: dict[asyncio.Task[None], None] = {}  # in the order in which they began
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> Admission:
        """Listen on every address of a host, as asyncio's own server does; raises OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                self.sockets.append(socket.create_server(address[:2], family=family, backlog=512))
        except OSError:
            self.close()
            raise
        for listening in self.sockets:
            listening.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(listening), name=f"accept TLS on {host}:{port}"))
        return self

    def close(self) -> None:
        """Accept no more; handshakes under way are given up. Connections that were let in belong to whoever welcomed them."""
        for task in (*self._accepting, *self._greeting):
            task.cancel()
        for listening in self.sockets:
            listening.close()

    async def wait_closed(self) -> None:
        """Wait until nothing of it runs any more."""
        await asyncio.gather(*self._accepting, *self._tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError:  # EMFILE, ECONNABORTED
                await asyncio.sleep(REST)
                continue
            self._begin(connection, f"{address[0]}:{address[1]}")

    def _begin(self, connection: socket.socket, peer: str) -> None:
        if not self._proxied(peer) and not self._admits(peer):
            connection.close()
            return
        if len(self._greeting) >= WAITING:
            next(iter(self._greeting)).cancel()
        task = asyncio.create_task(self._greet(connection, peer), name=f"TLS with {peer}")
        self._greeting[task] = None
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._greeting.pop(task, None)
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection could not be let in", task=task.get_name(), why=f"{type(error).__name__}: {error}")

    async def _greet(self, connection: socket.socket, peer: str) -> None:
        """Agree on TLS, then talk; runs as the connection's own task."""
        loop = asyncio.get_running_loop()
        named = ""
        if self._proxied(peer):
            try:
                named = (await declared(of_socket(connection))).peer
            except (ProxyError, asyncio.CancelledError) as error:
                connection.close()
                if isinstance(error, ProxyError):
                    self._unnamed(peer, error)
                    return
                raise
            peer = named or peer
            if not self._admits(peer):
                connection.close()
                return
        reader = asyncio.StreamReader(limit=65536)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=Outspoken(self._credentials.context(), connection),  # type: ignore[arg-type]
                ssl_handshake_timeout=HANDSHAKE,
            )
        except CertificateError as error:
            connection.close()
            self._failed(peer, error)
            return
        except (OSError, TimeoutError) as error:
            connection.close()
            self._failed(peer, diagnose(error, peer))
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        task = asyncio.current_task()
        if task is not None:
            self._greeting.pop(task, None)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        misnamed = self._misnamed(writer, peer)
        if misnamed is not None:
            transport.abort()
            self._failed(peer, misnamed)
            return
        await self._welcome(reader, writer, named)

    def _misnamed(self, writer: asyncio.StreamWriter, peer: str) -> HandshakeError | None:
        """A client that is believed, and is not the one that this line is for. OpenSSL checks names for clients alone."""
        wanted = self._credentials.tls.peer_name
        if not wanted:
            return None
        data = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        names = read_der(data).names if data else ()
        if wanted.lower() in (name.lower() for name in names):
            return None
        return named_otherwise(peer, wanted, ", ".join(names))


class Outspoken:
    """A context for one connection which tells the other side why the handshake failed: asyncio hangs up before OpenSSL's alert has left.

    Without the alert an analyzer's log can only say that labmw hung up, and somebody searches on the wrong side.
    """

    def __init__(self, context: ssl.SSLContext, connection: socket.socket) -> None:
        self._context, self._connection = context, connection

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool, server_hostname: str | None
    ) -> ssl.SSLObject:
        """The secured side of this connection."""
        secured = self._context.wrap_bio(incoming, outgoing, server_side, server_hostname)
        agree = secured.do_handshake

        def do_handshake() -> None:
            try:
                agree()
            except (ssl.SSLWantReadError, ssl.SSLSyscallError):
                raise
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # a few bytes, and nobody waits for them
                    self._connection.send(outgoing.read())
                raise

        secured.do_handshake = do_handshake  # type: ignore[method-assign]
        return secured
