"""Do the wires answer? Opens each device, dials each host and listens on each port for a moment, as `labmw check --live` asks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from labmw.config import Config, address
from labmw.errors import LinkError, StoreError
from labmw.line.transport import StreamWire, connect_tcp, open_serial
from labmw.store.lock import holder
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls
from labmw.watch.finding import Finding, error, good, warning
from labmw.watch.partner_check import tried

PATIENCE = 5.0  # seconds for one host


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing to be tried: what it is called while a person waits, and how it is done."""

    subject: str
    place: str
    make: Callable[[], Finding]


def attempts(config: Config) -> Iterator[Attempt]:
    """Say what there is to try, in the order of the configuration."""
    for link in config.link:
        if link.serial is not None:
            serial = link.serial
            yield Attempt(link.name, serial.device, lambda s=serial, n=link.name: _open(n, s.device, open_serial(s)))  # type: ignore[misc]
        elif link.connect:
            yield _dial(link.name, link.connect, link.tls)
        else:
            yield Attempt(link.name, link.listen, lambda n=link.name, p=link.listen: _listen(n, p))  # type: ignore[misc]
    if config.web.enabled:
        place = f"{config.web.host}:{config.web.port}"
        yield Attempt("web", place, lambda: _listen("web", place))
    if config.lis is not None:
        yield _dial(config.lis.name, config.lis.connect, config.lis.tls)
    for one in config.destination:
        yield _dial(one.name, one.connect, one.tls)
    for partner in config.partners:
        if partner.connect:
            yield _dial(partner.name, partner.connect, partner.tls)
        if partner.listen:
            yield Attempt(partner.feed, partner.listen, lambda n=partner.feed, p=partner.listen: _listen(n, p))  # type: ignore[misc]
        if partner.files is not None and partner.files.sftp is not None:
            yield Attempt(partner.name, partner.files.way, lambda n=partner.name, f=partner.files: tried(n, f))  # type: ignore[misc]


def in_use(config: Config) -> Finding | None:
    """Say that a running labmw has the wires: opening them too would disturb it."""
    try:
        process = holder(config.store.url)
    except StoreError:
        return None
    return None if process is None else warning("live", "check-live-running", process=process)


def _dial(name: str, place: str, tls: Tls | None) -> Attempt:
    host, port = address("the configuration", name, place)
    credentials = Credentials(tls, server=False) if tls else None
    return Attempt(name, place, lambda: _open(name, place, connect_tcp(host, port, patience=PATIENCE, tls=credentials)))


def _open(name: str, place: str, opening: Coroutine[Any, Any, StreamWire]) -> Finding:
    async def once() -> None:
        await (await opening).close()

    try:
        asyncio.run(once())
    except LinkError as problem:
        return error(name, "check-live-failed", name=name, problem=problem)
    return good(name, "check-live-good", name=name, place=place)


def _listen(name: str, place: str) -> Finding:
    host, port = address("the configuration", name, place)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as problem:
        return error(name, "check-live-listen", name=name, place=place, problem=problem)
    return good(name, "check-live-listens", name=name, place=place)
