"""labmw link listen, labmw link record: what does a wire say, and how is it kept? Neither sends a byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import LanguageOption, Tongue, fail, language_of
from labmw.cli.wire_view import draw
from labmw.phrases import Language, said, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.line.overhearing import Overheard, Tuning
    from labmw.line.recording import Recording
    from labmw.line.registry import Registry
    from labmw.watch.finding import Finding
    from protocols.capture import Piece

NOTHING, USAGE = 1, 2
KEPT = 256 * 1024  # bytes of each peer that are looked at for what they are
EVERY_HOST = "0.0.0.0"  # noqa: S104 - an analyzer calls from wherever it is; nothing is answered

PlaceArgument = Annotated[
    str,
    typer.Argument(metavar="PORT|TTY", help="4102, 192.0.2.1:4102, or a serial port such as /dev/serial/by-id/...", show_default=False),
]  # fmt: skip
BaudOption = Annotated[
    int | None, typer.Option("--baud", help="Speed; when not given it is looked for.", show_default=False)
]
BitsOption = Annotated[int, typer.Option("--bits", help="Data bits with --baud: 7 or 8.")]
ParityOption = Annotated[str, typer.Option("--parity", help="Parity with --baud: none, even or odd.")]
StopOption = Annotated[int, typer.Option("--stop", help="Stop bits with --baud: 1 or 2.")]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", help="End after so many seconds; else Ctrl-C.", show_default=False)
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="LABMW_CONFIG", help="The configuration: which ports a running labmw has, and the laboratory's own drivers.", show_default=False),
]  # fmt: skip


def listen(
    place: PlaceArgument,
    baud: BaudOption = None,
    bits: BitsOption = 8,
    parity: ParityOption = "none",
    stop: StopOption = 1,
    seconds: SecondsOption = None,
    most: Annotated[int, typer.Option("--most", help="Bytes that are shown; what comes after is counted.")] = 1_000_000,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Show what arrives on a port, as hex and text, and say which protocol it is and which driver reads it. Nothing is ever sent.

    On a serial port speed and parity are looked for by scoring what arrives, unless --baud names them. An analyzer that waits for an
    answer to its ENQ will say no more than that: have labmw serve the line, and look with `labmw link trace`.

    Exit codes: 0 a protocol was recognised, 1 nothing came or nothing is known of it, 2 wrong usage, or the port is in use.
    """
    session = _Session(place, _tuning(baud, bits, parity, stop), seconds, config, language)
    session.run(most=most)


def record(
    place: PlaceArgument,
    file: Annotated[
        Path, typer.Argument(help="A new file in the .wire format (docs/wire-format.md).", show_default=False)
    ],
    baud: BaudOption = None,
    bits: BitsOption = 8,
    parity: ParityOption = "none",
    stop: StopOption = 1,
    seconds: SecondsOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Keep what arrives on a port in a .wire file, on the disk after every piece: kill it when you like. Nothing is ever sent.

    One peer at a time is recorded. What came while the speed of a serial line was still looked for is kept as comments.

    Exit codes: 0 something was recorded, 1 nothing came, 2 wrong usage, the port is in use, or the file is there already.
    """
    session = _Session(place, _tuning(baud, bits, parity, stop), seconds, config, language)
    session.run(file=file)


@dataclass(slots=True)
class _Heard:
    """What one peer has said so far, as far as it is kept, and what was said of it."""

    data: bytearray = field(default_factory=bytearray)
    told: tuple[str, ...] = ()
    looked_at: int = 0  # bytes there were when it was last looked at


@dataclass(slots=True)
class _Session:
    """One run of a command."""

    place: str
    tuning: Tuning | None
    seconds: float | None
    config: Path | None
    wanted: Tongue | None
    tongue: Language = "en"
    total: int = 0  # bytes
    number: int = 0  # of pieces
    peers: list[str] = field(default_factory=list)
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _pieces: list[Piece] = field(default_factory=list)
    _registry: Registry | None = None
    _setting: str = ""
    _broken: int = 0
    _sure: bool = False  # the setting is the line's own

    def run(self, *, most: int = 0, file: Path | None = None) -> None:
        """Listen until the end, then say what it was."""
        from labmw.errors import LinkError, WireHeld

        settings = _configured(self.config)
        self.tongue = language_of(settings, self.wanted)
        source = _source(self.place, self.tuning, 1 if file else 0, self.tongue)
        recording = None
        try:
            _refuse_what_labmw_has(settings, self.place, self.tongue)
            if file is not None:
                recording = _recording(file, self.place)
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(self._follow(source, most, recording))
        except WireHeld:
            if recording is not None and not recording.pieces:
                recording.file.unlink()
            fail(say("wire-held-other", self.tongue, place=self.place), USAGE)
        except LinkError as problem:
            if recording is not None and not recording.pieces:
                recording.file.unlink(missing_ok=True)
            fail(said(problem, self.tongue), USAGE)
        finally:
            if recording is not None:
                recording.close()
        if recording is not None:
            facts = {"file": recording.file, "bytes": recording.bytes, "pieces": recording.pieces}
            typer.echo(say("wire-recorded", self.tongue, **facts), err=True)
            raise typer.Exit(0 if recording.pieces else NOTHING)
        raise typer.Exit(0 if self._conclude() else NOTHING)

    async def _follow(self, source: AsyncGenerator[Overheard, None], most: int, recording: Recording | None) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        keep = _Keeping(recording) if recording is not None else None
        try:
            async with asyncio.timeout(self.seconds), contextlib.aclosing(source) as events:
                async for event in events:
                    seconds = loop.time() - began
                    self._take(event, seconds, most, quiet=keep is not None)
                    if keep is not None:
                        keep.take(event, seconds)
        except TimeoutError:
            pass  # as asked
        finally:
            if keep is not None:
                keep.end()

    def _take(self, event: Overheard, seconds: float, most: int, *, quiet: bool) -> None:
        match event.what:
            case "open":
                self._tell("wire-listening", place=self.place)
            case "came":
                self.peers.append(event.peer)
                self._heard[event.peer] = _Heard()
                self._tell("wire-came", peer=event.peer)
            case "left":
                self._tell("wire-left", peer=event.peer)
            case "tuned":
                self._tuned(event)
            case "said":
                self._said(event, seconds, most, quiet=quiet)

    def _tuned(self, event: Overheard) -> None:
        self._setting, self._sure = str(event.tuning), event.found
        code = "wire-tuned-given" if self.tuning else "wire-tuned-found" if event.found else "wire-tuned"
        self._tell(code, setting=self._setting)
        heard = self._heard.setdefault(event.peer, _Heard())
        if event.found and event.tuning is not None and event.tuning.bits == 7:
            heard.data = bytearray(byte & 0x7F for byte in heard.data)
        elif not event.found:
            heard.data.clear()  # it was read at another speed
            self._pieces.clear()
            self._broken = 0
        heard.looked_at = 0
        self._recognised(heard)

    def _said(self, event: Overheard, seconds: float, most: int, *, quiet: bool) -> None:
        from protocols.capture import FROM_INSTRUMENT, Piece

        self._broken += event.broken
        if not quiet and self.total < most:
            draw(seconds, ">", event.data, self.tongue)
            if self.total + len(event.data) >= most:
                self._tell("wire-enough", count=self.total + len(event.data))
        self.total += len(event.data)
        self.number += 1
        heard = self._heard.setdefault(event.peer, _Heard())
        if len(heard.data) < KEPT:
            heard.data += event.data[: KEPT - len(heard.data)]
            self._pieces.append(Piece(Decimal(f"{seconds:.6f}"), FROM_INSTRUMENT, event.data))
        if not quiet:
            self._recognised(heard)

    def _recognised(self, heard: _Heard) -> None:
        """Say what it is, whenever that has changed; a long stream is looked at again only when it has grown by a quarter."""
        if len(heard.data) < heard.looked_at * 1.25 and heard.looked_at > 4096:
            return
        heard.looked_at = len(heard.data)
        findings = self._findings(bytes(heard.data), now=True)
        told = tuple(f"{one.code}{one.facts.get('sender', '')}" for one in findings)
        if told != heard.told and findings:
            heard.told = told
            for finding in findings:
                typer.echo(finding.sentence(self.tongue), err=True)

    def _findings(self, data: bytes, *, now: bool = False) -> list[Finding]:
        """The protocol, and who reads the sender. `now`: more may come, so that nothing is guessed of an envelope that has only begun."""
        from labmw.watch.diagnosis import protocol
        from labmw.watch.sender import reader_of
        from protocols.recognition import begun, recognise

        known = recognise(data)
        if known.protocol == "nothing" or (now and not known.certain and begun(data)):
            return []
        found = [protocol(self.place, known)]
        if known.header:
            self._registry = self._registry or _drivers(self.config)
            found.append(reader_of(self._registry, known.header))
        return found

    def _likely(self, data: bytes) -> list[Finding]:
        """Drivers that know the test codes that came, where the header leads to none."""
        from labmw.cli.unframe import peek
        from labmw.driver import survey
        from labmw.watch.finding import Weight
        from labmw.watch.sender import knowers
        from protocols.capture import sniff

        kind = sniff(data)
        named = [one for one in self._findings(data) if one.subject == "driver"]
        if (
            kind not in ("lis01", "stx-etx", "records")
            or self._registry is None
            or not named
            or named[0].weight is Weight.GOOD
        ):
            return []
        return knowers(self._registry, survey.of_astm(peek(data, kind)).tests)

    def _conclude(self) -> bool:
        """Say what there was, and what is the matter; True when a protocol was recognised."""
        from labmw.watch.diagnosis import Line, diagnose
        from labmw.watch.finding import Weight

        peers = ", ".join(dict.fromkeys(self.peers)) or "–"
        typer.echo(say("wire-sum", self.tongue, bytes=self.total, pieces=self.number, peers=peers), err=True)
        seven = self._setting.partition(" ")[2].startswith("7")
        line = Line(self.place, bool(self._setting), self._setting, seven, self._broken)
        if self.total and not self._pieces:  # what came was read at speeds that have been given up
            self._tell("wire-scan-open", bytes=self.total)
            return False
        if self._setting and self._pieces and not self._sure:
            self._tell("wire-speed-open", setting=self._setting)
        findings = diagnose(line, self._pieces)
        senders = [
            one
            for heard in self._heard.values()
            for one in [*self._findings(bytes(heard.data)), *self._likely(bytes(heard.data))]
            if one.subject == "driver"
        ]
        for finding in {one.sentence(self.tongue): one for one in [*findings, *senders]}:
            typer.echo(finding, err=True)
        return bool(self.total) and all(
            finding.weight is not Weight.ERROR and finding.code != "wire-unknown" for finding in findings
        )

    def _tell(self, code: str, **facts: object) -> None:
        typer.echo(say(code, self.tongue, **facts), err=True)


@dataclass(slots=True)
class _Keeping:
    """Writes events into a recording; what came at a speed that was not the line's becomes a comment."""

    recording: Recording
    _waiting: list[tuple[float, bytes]] = field(default_factory=list)
    _setting: str = ""
    _sure: bool = True

    def take(self, event: Overheard, seconds: float) -> None:
        """Keep one event."""
        match event.what:
            case "came":
                self.recording.comment(f"{event.peer} is there at {seconds:.3f} s")
            case "left":
                self.recording.comment(f"{event.peer} has gone at {seconds:.3f} s")
            case "said" if self._sure:
                self.recording.said(seconds, event.data)
            case "said":
                self._waiting.append((seconds, event.data))
                self.recording.comment(f"{seconds:.3f} s at {self._setting}, not yet sure: {event.data[:512].hex()}")
            case "tuned":
                self._tuned(event)

    def end(self) -> None:
        """What came at the last setting is kept as it was read: nothing speaks against it."""
        if self._waiting:
            self.recording.comment(f"what follows was read at {self._setting}, which nothing has proven")
            for seconds, data in self._waiting:
                self.recording.said(seconds, data)

    def _tuned(self, event: Overheard) -> None:
        self._setting, self._sure = str(event.tuning), event.found
        self.recording.comment(f"{self._setting}{'' if event.found else ', looking for the speed'}")
        if event.found and event.tuning is not None:
            mask = 0x7F if event.tuning.bits == 7 else 0xFF
            for seconds, data in self._waiting:
                self.recording.said(seconds, bytes(byte & mask for byte in data))
        self._waiting.clear()


def _source(place: str, tuning: Tuning | None, connections: int, tongue: Language) -> AsyncGenerator[Overheard, None]:
    """Where a place is listened to; ends the command when it is none."""
    from labmw.line.overhearing import CONNECTIONS, adapters, overhear_serial, overhear_tcp

    host, _, port = place.rpartition(":")
    if port.isascii() and port.isdecimal() and "/" not in place and 0 < int(port) <= 65535:
        return overhear_tcp(host.strip("[]") or EVERY_HOST, int(port), connections or CONNECTIONS)
    if not Path(place).exists():
        fail(say("wire-no-place", tongue, place=place, adapters=", ".join(adapters()) or "–"), USAGE)
    return overhear_serial(place, tuning)


def _tuning(baud: int | None, bits: int, parity: str, stop: int) -> Tuning | None:
    from labmw.line.overhearing import Tuning

    if bits not in (7, 8) or parity not in ("none", "even", "odd") or stop not in (1, 2):
        raise typer.BadParameter("bits are 7 or 8, parity is none, even or odd, stop bits are 1 or 2")
    if baud is None:
        if (bits, parity, stop) != (8, "none", 1):
            raise typer.BadParameter(
                "without --baud the setting is looked for: leave the others out, or give --baud too"
            )
        return None
    return Tuning(baud, bits, parity, stop)  # type: ignore[arg-type]


def _recording(file: Path, place: str) -> Recording:
    from labmw.clock import SYSTEM, stamp
    from labmw.line.recording import Recording

    return Recording(file, f"{place}, from {stamp(SYSTEM.now())}\nrecorded by labmw link record, which answers nothing")


def _configured(path: Path | None) -> Config | None:
    from labmw.cli.options import configuration

    return configuration(path, USAGE) if path is not None else None


def _drivers(path: Path | None) -> Registry:
    from labmw.line.registry import Registry

    settings = _configured(path)
    return Registry.find([settings.drivers.folder] if settings is not None and settings.drivers.folder else [])


def _refuse_what_labmw_has(settings: Config | None, place: str, tongue: Language) -> None:
    """End the command when a running labmw of this configuration has the place, also while it waits for an adapter to come back."""
    from labmw.watch.held import holder_of

    found = holder_of(settings, place) if settings is not None else None
    if found is not None:
        fail(say("wire-held", tongue, place=place, process=found.process, link=found.link), USAGE)
