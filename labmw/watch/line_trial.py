"""What do an analyzer and its wire say when they are asked? The part of `labmw link test` that goes beyond name and connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from labmw.config import Config, Link, address
from labmw.errors import LinkError
from labmw.line.overhearing import SerialEar, Tuning, overhear_tcp
from labmw.line.transport import Wire, connect_tcp, open_serial
from labmw.tls.credentials import Credentials
from labmw.watch.diagnosis import Line, diagnose
from labmw.watch.finding import Finding, error, good, warning
from labmw.watch.held import holder_of
from labmw.watch.plain_diagnosis import diagnose_plain
from labmw.watch.probing import ANSWER, Probe
from protocols.astm.control import ACK, ENQ, NAK
from protocols.capture import FROM_INSTRUMENT, Piece
from protocols.plain.receiver import PlainLink
from protocols.plain.tolerance import PlainTolerances

Plain = tuple[PlainLink, PlainTolerances]
"""The machine of a line that is neither ASTM nor HL7, and its settings."""


def in_service(config: Config, link: Link) -> Finding | None:
    """A running labmw has the port or the device: it is not touched, whatever is asked."""
    place = link.serial.device if link.serial else link.listen
    found = holder_of(config, place) if place else None
    return error(link.name, "wire-held", place=place, process=found.process, link=found.link) if found else None


async def speak(
    link: Link, *, listen: float, call: bool, answer: float = ANSWER, plain: Plain | None = None
) -> AsyncIterator[Finding]:
    """Listen to a line that is not in service, call it once, and say what is the matter with it; a `plain` one is only listened to."""
    try:
        if link.serial is not None:
            async for finding in _serial(link, listen, call, answer, plain):
                yield finding
        elif link.connect:
            host, port = address("the configuration", link.name, link.connect)
            tls = Credentials(link.tls, server=False) if link.tls else None
            wire = await connect_tcp(host, port, tls=tls)
            for finding in await _probed(link, wire, listen, call, answer, plain=plain):
                yield finding
        else:
            for finding in _told(Line(link.name), await _dialled(link, listen), plain):
                yield finding
    except LinkError as problem:
        yield error(link.name, "wire-not-opened", problem=problem)


def _told(line: Line, pieces: Sequence[Piece], plain: Plain | None) -> list[Finding]:
    return diagnose(line, pieces) if plain is None else diagnose_plain(line, *plain, pieces)


async def _serial(link: Link, listen: float, call: bool, answer: float, plain: Plain | None) -> AsyncIterator[Finding]:
    """First as a listener, who counts what the port marks as broken; then with a call."""
    assert link.serial is not None
    settings = link.serial
    if "://" in settings.device:  # a device server: it has to be spoken to before it lets anybody listen
        said = Line(
            link.name,
            True,
            str(Tuning(settings.baud, settings.bits, settings.parity, settings.stop)),
            settings.bits == 7,
        )
        for finding in await _probed(link, await open_serial(settings), listen, call, answer, said, plain=plain):
            yield finding
        return
    tuning = Tuning(settings.baud, settings.bits, settings.parity, settings.stop)
    pieces, broken = await _overheard(settings.device, tuning, listen)
    line = Line(link.name, True, str(tuning), tuning.bits == 7, broken)
    if plain is not None:
        for finding in _told(line, pieces, plain):
            yield finding
        return
    found = diagnose(line, pieces) if pieces else []
    unreadable = [one for one in found if one.code in ("wire-wrong-baud", "wire-wrong-parity", "wire-two-masters")]
    if unreadable or not call:
        for finding in found or diagnose(line, pieces):
            yield finding
        return
    wire = await open_serial(settings)
    calling = bool(pieces) and pieces[-1].data.endswith(bytes((ENQ,)))  # and will call again, to be told "busy"
    for finding in await _probed(link, wire, answer if calling else 0.0, call, answer, line, pieces):
        yield finding


async def _probed(
    link: Link,
    wire: Wire,
    listen: float,
    call: bool,
    answer: float,
    line: Line | None = None,
    before: Sequence[Piece] = (),
    plain: Plain | None = None,
) -> list[Finding]:
    """Say what was heard `before`, and what comes of a call."""
    probe = Probe(wire, listen, answer, polite=plain is None)
    try:
        pieces = [*before, *await probe.run(call=call and plain is None)]
    finally:
        await wire.close()
    found = _told(line or Line(link.name), pieces, plain)
    if probe.busy_at is not None:
        rest = [one for one in found if one.code not in ("wire-call-unanswered", "wire-astm-call")]
        return [error(link.name, "wire-deaf-to-busy") if probe.deaf else good(link.name, "wire-hears"), *rest]
    if not probe.called:
        return found
    said = probe.answered
    if ACK in said:
        return [good(link.name, "wire-answers"), *(one for one in found if one.code != "wire-astm-call")]
    if NAK in said:
        return [warning(link.name, "wire-busy"), *(one for one in found if one.code != "wire-astm-call")]
    if ENQ in said:
        return [good(link.name, "wire-calls-too"), *(one for one in found if one.code != "wire-call-unanswered")]
    came = any(piece.direction == FROM_INSTRUMENT for piece in pieces)
    return [error(link.name, "wire-deaf"), *found] if came else found


async def _overheard(device: str, tuning: Tuning, seconds: float) -> tuple[list[Piece], int]:
    pieces: list[Piece] = []
    broken = 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    ear = SerialEar(device, tuning)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    data, marked = await ear.read()
                    if not data:
                        break
                    broken += marked
                    pieces.append(Piece(Decimal(f"{loop.time() - began:.6f}"), FROM_INSTRUMENT, data))
    finally:
        ear.close()
    return pieces, broken


async def _dialled(link: Link, seconds: float) -> list[Piece]:
    """What an analyzer that dials us says, without an answer."""
    host, port = address("the configuration", link.name, link.listen)
    loop = asyncio.get_running_loop()
    began = loop.time()
    pieces: list[Piece] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(overhear_tcp(host, port)) as events:
            async for event in events:
                if event.what == "said":
                    pieces.append(Piece(Decimal(f"{loop.time() - began:.6f}"), FROM_INSTRUMENT, event.data))
    return pieces
