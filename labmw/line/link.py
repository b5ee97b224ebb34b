"""One link's life: listen, connect or open the port, again and again, and run a conversation on each connection.

Bounded on purpose: so many connections per link and in all, and only from allowed addresses. When a link is full, a peer that has never
spoken gives way first, then the longest silent one from the newcomer's own address: an analyzer that lost its power comes back while its
old connection still looks alive (spec A.15), and ten thousand silent peers harm nobody.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from labmw.config import Link, address
from labmw.errors import CertificateError, HandshakeError, LinkError
from labmw.line.admission import Admission
from labmw.line.dialling import shown_by_peer
from labmw.line.health import LinkHealth
from labmw.line.overhearing import Tuning
from labmw.line.presence import Presence
from labmw.line.proxied import declared as behind_proxy
from labmw.line.tapping import EarWire, Silent
from labmw.line.transport import StreamWire, Wire, connect_tcp, open_serial, tcp_wire
from labmw.metrics import CONNECTIONS_REFUSED
from labmw.tls.credentials import Credentials
from protocols.errors import ProxyError

log = structlog.get_logger("labmw.line")

Converse = Callable[[Wire], Awaitable[str]]

RECONNECT = (
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
)  # seconds between attempts to reach an analyzer that listens, or a port that is gone


@dataclass(slots=True)
class Doorkeeper:
    """How many connections there may be in all, over every link."""

    most: int
    open: int = 0

    def enter(self) -> bool:
        """Count one in; False when the house is full."""
        if self.open >= self.most:
            return False
        self.open += 1
        return True

    def leave(self) -> None:
        """Count one out."""
        self.open -= 1


@dataclass(eq=False, slots=True)
class _Guest:
    """One open connection of a link."""

    wire: StreamWire
    heard: float  # when it last spoke; when it arrived, as long as it has not
    task: asyncio.Task[None] | None
    spoke: bool = False


@dataclass(slots=True)
class LinkRunner:
    """Keeps one link open until it is cancelled."""

    config: Link
    converse: Converse
    health: LinkHealth
    doorkeeper: Doorkeeper
    tls: Credentials | None = None
    presence: Presence | None = None  # who is there on all links
    bound: asyncio.Future[tuple[str, int]] | None = (
        None  # for tests and the demo: where a listening link really listens
    )
    _guests: list[_Guest] = field(default_factory=list)
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)  # hung up on, with something still to store
    _told: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Keep the link open. Whatever goes wrong with it stays its own affair: the other links go on."""
        failures = 0
        while True:
            try:
                await (self._listen() if self.config.listen else self._reopen())
            except Exception as error:
                self.health.trouble("unreachable", why=f"{type(error).__name__}: {error}")
                log.exception("link failed; it is opened again", link=self.config.name, why=str(error))
            await asyncio.sleep(RECONNECT[min(failures, len(RECONNECT) - 1)])
            failures += 1

    async def _reopen(self) -> None:
        """Open the port or the connection, talk, and when it is lost open it again: unplug and replug needs no restart."""
        failures = 0
        while True:
            try:
                wire = await self._open()
            except LinkError as error:
                self.health.unreachable(error)
                if failures == 0:
                    log.error("link is down", link=self.config.name, why=str(error))
                await asyncio.sleep(RECONNECT[min(failures, len(RECONNECT) - 1)])
                failures += 1
                continue
            failures = 0
            await self._talk(wire, wire.writer if isinstance(wire, StreamWire) else None)
            await asyncio.sleep(RECONNECT[0])

    async def _open(self) -> StreamWire | EarWire:
        if self.config.serial and self.config.tap:
            serial = self.config.serial
            return EarWire(serial.device, Tuning(serial.baud, serial.bits, serial.parity, serial.stop))
        if self.config.serial:
            return await open_serial(self.config.serial)
        host, port = address("the configuration", f"{self.config.name}.connect", self.config.connect)
        return await connect_tcp(host, port, tls=self.tls)

    async def _listen(self) -> None:
        host, port = address("the configuration", f"{self.config.name}.listen", self.config.listen)
        failures = 0
        while True:
            try:
                server = await self._serve(host, port)
            except OSError as error:
                self.health.trouble("cannot-listen", address=self.config.listen, why=str(error))
                log.error("link cannot listen", link=self.config.name, address=self.config.listen, why=str(error))
                await asyncio.sleep(RECONNECT[min(failures, len(RECONNECT) - 1)])
                failures += 1
                continue
            for code in ("cannot-listen", "unreachable"):
                self.health.well(code)
            if self.bound is not None and not self.bound.done():
                self.bound.set_result(server.sockets[0].getsockname()[:2])
            try:
                await asyncio.get_running_loop().create_future()  # until we are cancelled
            finally:
                server.close()
                # The guests first: from Python 3.12 on, wait_closed() waits for their connections.
                tasks = [*self._leaving, *(guest.task for guest in self._guests if guest.task is not None)]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await server.wait_closed()

    async def _serve(self, host: str, port: int) -> asyncio.Server | Admission:
        if self.tls is None:
            return await asyncio.start_server(self._arrived, host, port, limit=65536, backlog=512)
        doors = Admission(self.tls, self._arrived, self._admits, self._unsafe, self._proxied, self._unnamed)
        return await doors.listen(host, port)

    def _proxied(self, peer: str) -> bool:
        """Whether a peer is a load balancer of this link, whose PROXY header is believed."""
        return bool(self.config.proxy) and _allowed(peer, self.config.proxy)

    def _admits(self, peer: str) -> bool:
        """Whether a peer may begin a handshake at all."""
        if not self.config.allow or _allowed(peer, self.config.allow):
            return True
        self._turned_away(peer, "not-allowed")
        return False

    def _unsafe(self, peer: str, error: HandshakeError | CertificateError) -> None:
        """Note that TLS was not agreed. While somebody is connected, a stranger's failure is no trouble of the line."""
        self._turned_away(peer, "handshake", why=str(error))
        passer_by = (
            isinstance(error, HandshakeError) and error.code == "tls-hung-up"
        )  # a scan, a look whether the port is open
        if not self.health.connected and not passer_by:
            self.health.unsafe(peer, error)

    def _turned_away(self, peer: str, cause: str, **facts: object) -> None:
        CONNECTIONS_REFUSED.labels(self.config.name, cause).inc()
        self._tell("connection refused", peer=peer, cause=cause, **facts)

    def _unnamed(self, peer: str, error: ProxyError) -> None:
        """Note that a load balancer did not say for whom it comes."""
        self._turned_away(peer, "proxy", why=str(error))

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, declared: str = "") -> None:
        """Let a connection in, or say no at once. Runs as the connection's own task; `declared` by a PROXY header that was read already."""
        wire = tcp_wire(reader, writer, declared)
        if self.tls is None and self._proxied(wire.peer):
            try:
                said = await behind_proxy(reader.readexactly)
            except ProxyError as error:
                self._unnamed(wire.peer, error)
                wire.abort()
                return
            wire.peer = said.peer or wire.peer
        cause = self._refuses(wire)
        if cause:
            self._turned_away(wire.peer, cause)
            wire.abort()
            return
        task = asyncio.current_task()
        guest = _Guest(wire, asyncio.get_running_loop().time(), task)
        self._guests.append(guest)
        try:
            await self._talk(_Noticing(wire, guest), writer)
        except asyncio.CancelledError:
            pass  # asked to leave: the server's own task must end without noise
        finally:
            if guest in self._guests:
                self._guests.remove(guest)
            if task is not None:
                self._leaving.discard(task)
            self.doorkeeper.leave()

    def _tell(self, event: str, **facts: object) -> None:
        """Log the 1st, 2nd, 4th, 8th ... time: ten thousand connections must not fill the log."""
        self._told[event] += 1
        times = self._told[event]
        if times & (times - 1) == 0:
            log.warning(event, link=self.config.name, times=times, **facts)

    def _refuses(self, wire: StreamWire) -> str:
        """Return why a connection is not let in; "" lets it in and counts it."""
        if self.config.allow and not _allowed(wire.peer, self.config.allow):
            return "not-allowed"
        if len(self._guests) >= self.config.connections and not self._make_room(wire):
            return "link-full"
        return "" if self.doorkeeper.enter() else "house-full"

    def _make_room(self, newcomer: StreamWire) -> bool:
        """Hang up on whoever has the least claim to the link; False when everybody is busy."""
        silent = [guest for guest in self._guests if not guest.spoke]
        host = newcomer.peer.rpartition(":")[0]
        candidates = silent or [guest for guest in self._guests if guest.wire.peer.rpartition(":")[0] == host]
        if not candidates:
            return False
        gone = min(candidates, key=lambda guest: guest.heard)
        self._tell("connection gives way to a new one", peer=gone.wire.peer, newcomer=newcomer.peer, spoke=gone.spoke)
        # No guest any more, at once: the next newcomer must find another one. The house counts it until it has really gone.
        self._guests.remove(gone)
        if gone.task is not None:
            self._leaving.add(gone.task)
        gone.wire.abort()
        return True

    async def _talk(self, wire: Wire, writer: asyncio.StreamWriter | None) -> None:
        if self.config.tap:
            wire = Silent(wire)
        self.health.opened(wire.peer)
        if self.presence is not None:
            self.presence.opened(self.config.name, wire.peer)
        if self.tls is not None and writer is not None:
            self.health.met(shown_by_peer(writer), self.tls.tls.warn_days)
        log.info("connection opened", link=self.config.name, peer=wire.peer, tls=_agreed(writer))
        try:
            ending = await self.converse(wire)
            log.info("connection ended", link=self.config.name, peer=wire.peer, ending=ending)
        except Exception as error:  # one connection's failure must not take the link with it
            log.exception("connection failed", link=self.config.name, peer=wire.peer, why=str(error))
        finally:
            try:
                await wire.close()
            finally:
                self.health.closed()
                if self.presence is not None:
                    self.presence.closed(self.config.name, wire.peer)


@dataclass(slots=True)
class _Noticing:
    """A wire that notices that its guest has spoken."""

    wire: StreamWire
    guest: _Guest

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return self.wire.peer

    @property
    def lost(self) -> bool:
        """Whether the connection broke."""
        return self.wire.lost

    async def read(self) -> bytes:
        """Return what has arrived, and notice it."""
        data = await self.wire.read()
        if data:
            self.guest.spoke, self.guest.heard = True, asyncio.get_running_loop().time()
        return data

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent."""
        self.wire.write(data)

    async def drain(self) -> None:
        """Wait until the peer takes what was written."""
        await self.wire.drain()

    async def close(self) -> None:
        """Hang up."""
        await self.wire.close()


def _agreed(writer: asyncio.StreamWriter | None) -> str:
    """Which TLS a connection has; "" for none, and for a serial port."""
    if writer is None:
        return ""
    secured = writer.get_extra_info("ssl_object")
    return f"{secured.version()} {secured.cipher()[0]}" if secured is not None else ""


def _host(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        host = ipaddress.ip_address(peer.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        return host.ipv4_mapped  # an IPv4 peer of a socket that listens on "::"
    return host


def _allowed(peer: str, networks: Iterable[str]) -> bool:
    host = _host(peer)
    return host is not None and any(host in ipaddress.ip_network(network, strict=False) for network in networks)


def named_at(peer: str, senders: Mapping[str, str]) -> str:
    """What is named for the address of a peer: of several networks that hold it, the narrowest; "" for none."""
    host = _host(peer)
    if host is None:
        return ""
    found = [(ipaddress.ip_network(text, strict=False), name) for text, name in senders.items()]
    holding = [(network.prefixlen, name) for network, name in found if host in network]
    return max(holding, default=(0, ""))[1]
