"""Does one line work, step by step? Name, connection, TLS, certificate and its dates, as `labmw link test` asks; what is wrong is said with its remedy."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from labmw.config import Config, Destination, Link, Lis, address
from labmw.errors import CertificateError, HandshakeError, StoreError
from labmw.line.dialling import HANDSHAKE, Streams, dial, shown_by_peer
from labmw.partner import Partner
from labmw.store.lock import holder
from labmw.tls.certificate import Certificate
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import diagnose
from labmw.tls.settings import Tls
from labmw.watch.certificates import of_one
from labmw.watch.finding import Finding, error, good, warning

PATIENCE = 10.0  # seconds for an answer from the network
AFTERWARDS = 1.0  # seconds: with TLS 1.3 the other side looks at our certificate when our side has finished


Line = Link | Lis | Destination | Partner


def lines_of(config: Config) -> dict[str, Line]:
    """What can be tested, by name: lines to analyzers, the LIS, further receivers, and partners that are not reached by files."""
    lis = [config.lis] if config.lis else []
    partners = [one for one in config.partners if one.connect or one.listen]
    found: list[Line] = [*config.link, *lis, *config.destination, *partners]
    return {one.name: one for one in found}


def running(config: Config, name: str) -> Finding | None:
    """A running labmw has the line: many analyzers bear one connection, and would hang up on the one that works."""
    found = lines_of(config).get(name)
    if not isinstance(found, Link) or not (found.connect or found.orders):
        return None
    try:
        process = holder(config.store.url)
    except StoreError:
        return None
    return warning(name, "link-test-running", link=name, process=process) if process is not None else None


async def test(config: Config, name: str, now: datetime) -> AsyncIterator[Finding]:
    """Each step of a line as it is found, until one fails; the line must be one of `lines_of`."""
    found = lines_of(config)[name]
    if isinstance(found, Link | Partner) and not found.connect:
        for finding in _listens(config, found, now):
            yield finding
        if not (isinstance(found, Link) and found.orders):
            return
    elif found.tls:
        usable = True
        for finding in of_one(name, found.tls, now, server=False):
            usable = usable and finding.code != "certificate-unusable"
            yield finding
        if not usable:
            return
    place = found.connect or (found.orders if isinstance(found, Link) else "")  # LAW: orders on a second connection
    host, port = address("the configuration", name, place)
    known = await _known(name, host, port)
    yield known
    if known.code == "link-name-good":
        plain = False
        async for finding in _connects(name, host, port, found.tls, now):
            plain = plain or finding.code == "link-test-plain"
            yield finding
        if plain and _in_blocks(found):  # now that the first connection is closed: many bear one alone
            async for finding in _plain(name, host, port):
                yield finding


def _in_blocks(found: Line) -> bool:
    """Whether the line speaks MLLP: there, bytes outside a block mean nothing."""
    return not isinstance(found, Link | Lis) or found.protocol in ("hl7", "law")


async def _plain(name: str, host: str, port: int) -> AsyncIterator[Finding]:
    """A line without TLS: does the other side expect one? Its greeting is noise outside a block to an MLLP receiver."""
    spoken, shown = await _greeted(host, port)
    if spoken:
        yield error(name, "link-test-tls-there", place=f"{host}:{port}")
    if shown is not None:
        yield _described(name, shown)


async def _greeted(host: str, port: int) -> tuple[bool, Certificate | None]:
    """Whether somebody answers TLS, and with which certificate; nothing is sent over this connection, and nothing is believed."""
    try:
        async with asyncio.timeout(AFTERWARDS):
            streams = await asyncio.open_connection(host, port, ssl=_unchecked(), server_hostname="")
    except (OSError, TimeoutError) as problem:
        code = diagnose(problem, host).code
        return code not in ("tls-plain", "tls-hung-up", "tls-silent", "tls-other"), None
    shown = shown_by_peer(streams[1])
    await _hang_up(streams)
    return True, shown


def _listens(config: Config, link: Link | Partner, now: datetime) -> Iterator[Finding]:
    """A line that is not dialled: what can be known from here."""
    if isinstance(link, Link) and link.serial:
        yield good(link.name, "link-test-serial", link=link.name, device=link.serial.device)
        return
    if link.tls:
        yield from of_one(link.name, link.tls, now, server=True)
    try:
        process = holder(config.store.url)
    except StoreError:
        process = None
    if process is None:
        yield warning(link.name, "link-test-nobody", link=link.name, place=link.listen)
    else:
        yield good(link.name, "link-test-listens", link=link.name, place=link.listen, process=process)


async def _known(name: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as problem:
        return error(name, "link-name-unknown", host=host, why=_network(problem))
    addresses = ", ".join(dict.fromkeys(str(one[4][0]) for one in found))
    return good(name, "link-name-good", host=host, addresses=addresses)


async def _connects(name: str, host: str, port: int, tls: Tls | None, now: datetime) -> AsyncIterator[Finding]:
    place = f"{host}:{port}"
    started = time.monotonic()
    try:
        streams = await dial(host, port, patience=PATIENCE, tls=Credentials(tls, server=False) if tls else None)
    except HandshakeError as problem:
        yield good(name, "link-connect-good", place=place, after=_since(started))
        yield error(name, problem.code, **problem.facts)
        shown = await _shown_unchecked(host, port)
        if shown is not None:
            yield _described(name, shown)
        return
    except CertificateError as problem:
        yield error(name, "certificate-unusable", link=name, why=problem)
        return
    except (OSError, TimeoutError, UnicodeError) as problem:
        yield error(name, _why_not(problem), place=place, why=_network(problem))
        return
    yield good(name, "link-connect-good", place=place, after=_since(started))
    try:
        if tls is None:
            yield good(name, "link-test-plain", place=place)
            return
        async for finding in _agreed(name, place, streams, tls, now):
            yield finding
    finally:
        await _hang_up(streams)


async def _agreed(name: str, place: str, streams: Streams, tls: Tls, now: datetime) -> AsyncIterator[Finding]:
    reader, writer = streams
    secured = writer.get_extra_info("ssl_object")
    try:
        async with asyncio.timeout(AFTERWARDS):
            ended = not await reader.read(1)
    except TimeoutError:
        ended = False  # it waits for us to speak, as it should
    except OSError as problem:
        found = diagnose(problem, place)
        yield error(name, found.code, **found.facts)
        return
    if ended:
        found = diagnose(ConnectionResetError("hung up after the handshake"), place)
        yield error(name, found.code, **found.facts)
        return
    yield good(name, "link-tls-good", place=place, version=secured.version(), cipher=secured.cipher()[0])
    shown = shown_by_peer(writer)
    if shown is not None:
        yield _described(name, shown)
        if shown.left(now).days < tls.warn_days:
            yield warning(
                name, "peer-certificate-ends", link=name, certificate=shown.title, ends=f"{shown.ends:%Y-%m-%d}"
            )
    if not tls.certificate:
        yield good(name, "link-test-no-certificate", place=place)


def _described(name: str, one: Certificate) -> Finding:
    return good(
        name,
        "link-certificate",
        certificate=one.title,
        issuer=one.issuer or "-",
        names=", ".join(one.names) or "-",
        begins=f"{one.begins:%Y-%m-%d}",
        ends=f"{one.ends:%Y-%m-%d}",
        fingerprint=one.fingerprint,
    )


async def _shown_unchecked(host: str, port: int) -> Certificate | None:
    """The certificate that was refused, to be shown to a person: nothing is sent over this connection, and nothing is believed."""
    try:
        async with asyncio.timeout(PATIENCE):
            streams = await asyncio.open_connection(
                host, port, ssl=_unchecked(), server_hostname="", ssl_handshake_timeout=HANDSHAKE
            )
    except (OSError, TimeoutError):
        return None
    shown = shown_by_peer(streams[1])
    await _hang_up(streams)
    return shown


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _hang_up(streams: Streams) -> None:
    writer = streams[1]
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _why_not(problem: BaseException) -> str:
    if isinstance(problem, TimeoutError) or _number(problem) == errno.ETIMEDOUT:
        return "link-connect-silent"
    return "link-connect-refused" if _number(problem) == errno.ECONNREFUSED else "link-connect-failed"


def _number(problem: BaseException) -> int | None:
    """The number of an error of the system; of several addresses that all failed alike, that of all of them."""
    if not isinstance(problem, OSError):
        return None
    told = {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(problem))}
    return problem.errno or (told.pop() if len(told) == 1 else None)


def _network(problem: BaseException) -> str:
    if isinstance(problem, socket.gaierror):
        return problem.strerror or str(problem)
    if number := _number(problem):
        return os.strerror(number)
    return f"{PATIENCE:g} s" if isinstance(problem, TimeoutError) else str(problem) or type(problem).__name__


def _since(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"
