"""`labmw decode`: what do captures say, read as a live line would read them? No daemon, no store, nothing is answered or kept."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from labmw.cli.render import Decoded, Shown, print_table, to_json
from labmw.cli.unframe import LARGEST, Unframed, frames, peek, records
from labmw.driver import astm, hl7
from labmw.driver.declaration import Driver
from labmw.driver.reading import Facts
from labmw.errors import DriverError
from labmw.line.registry import Registry
from protocols.astm.message import Message
from protocols.capture import loads, pieces_to_bytes, sniff
from protocols.errors import ProtocolError
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.er7 import split_batch
from protocols.hl7.mllp import Block, MllpReader

_BESIDE = (".expected.json", ".orig.txt", ".transcript.json", ".orig.json")  # what lies beside a capture and is none
_NEITHER = frozenset({"manifest.toml", "README", "README.md"})


def decode(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Captures, or folders of captures.")],
    driver: Annotated[str, typer.Option("--driver", help="Read with this driver, whatever the header says.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file (schema labmw-corpus/1).")] = False,
    encoding: Annotated[str, typer.Option(help="Character set of the text, in place of the driver's.")] = "",
    timezone: Annotated[str, typer.Option(help="The analyzer's time zone.")] = "Europe/Paris",
    language: Annotated[str, typer.Option(help="Language of the reasons: en or fr.")] = "",
    drivers: Annotated[Path | None, typer.Option(help="A folder of the laboratory's own driver files.")] = None,
) -> None:
    """Show what captures say, through the driver that their header names or --driver.

    Framed captures (ASTM, MLLP), bare records or segments, and .wire recordings are told apart by their content. The driver's
    tolerances apply as on a live line; those that were needed are named. Content of a damaged frame is shown, marked refused.

    Exit code: 0 everything was read (also what would go to quarantine), 1 something would have been refused, 2 wrong usage.
    """
    registry = Registry.find([drivers] if drivers else [])
    chosen = _chosen(registry, driver)
    zone = _zone(timezone)
    spoken = _language(language)
    _check_encoding(encoding)
    files = list(_files(paths))
    decoder = Decoder(registry, chosen, zone, encoding)
    sound = True
    console = None
    for path in files:
        decoded = decoder.decode(path)
        sound = sound and decoded.sound
        if as_json:
            print_json(to_json(decoded, spoken), pretty=len(files) == 1)
        else:
            if console is None:
                from rich.console import Console

                if isinstance(sys.stdout, io.TextIOWrapper):
                    sys.stdout.reconfigure(errors="replace")
                console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
            print_table(decoded, console, spoken)
    for file, error in registry.broken.items():
        typer.echo(f"driver file not used: {error}" if file else str(error), err=True)
    raise typer.Exit(0 if sound else 1)


def print_json(shown: dict[str, Any], *, pretty: bool) -> None:
    """Print one object, on one line unless it is the only one; bytes without meaning in the character set become escapes."""
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    text = json.dumps(shown, ensure_ascii=plain, indent=2 if pretty else None)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


class Decoder:
    """Reads files with the drivers of this installation; remembers nothing between two files."""

    def __init__(self, registry: Registry, driver: Driver | None, zone: ZoneInfo, encoding: str = "") -> None:
        self._registry, self._driver, self._zone, self._encoding = registry, driver, zone, encoding

    def decode(self, path: Path) -> Decoded:
        """Read one file; a file that cannot be read or is no capture is told, not raised."""
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            return _refused(str(path), b"", "unknown", "malformed", (("fault", error.strerror or str(error)),))
        if len(data) > LARGEST:
            return _refused(str(path), data, "unknown", "malformed", (("fault", f"more than {LARGEST} bytes"),))
        return self.read(str(path), data)

    def read(self, name: str, data: bytes) -> Decoded:
        """Read the bytes of one capture."""
        kind: str = sniff(data)
        body = data
        if kind == "wire":
            try:
                body = pieces_to_bytes(loads(data.decode("latin-1")))
            except ProtocolError as error:
                return _refused(name, data, kind, "malformed", (("fault", str(error)),))
            kind = sniff(body)
        try:
            if kind in ("lis01", "stx-etx", "records"):
                decoded = self._astm(name, data, body, kind)
            elif kind in ("mllp", "segments"):
                decoded = self._hl7(name, data, body, kind)
            else:
                return _refused(name, data, kind, "not-a-message", (("kind", kind),))
        except ProtocolError as error:
            return _refused(name, data, kind, "malformed", (("fault", str(error)),))
        if not decoded.messages and not (decoded.frames and decoded.frames["empty_sessions"]):
            return _refused(name, data, kind, "not-a-message", (("kind", kind),))
        return decoded

    def _astm(self, name: str, data: bytes, body: bytes, kind: str) -> Decoded:
        seen = peek(body, kind)
        first = self._reader(seen[0]) if seen else self._registry.reader(None)
        encoding = self._encoding or first.encoding
        unframed: Unframed
        if kind == "records":
            unframed = records(body, first.tolerances, encoding)
        else:
            unframed = frames(body, kind, first.tolerances, encoding)
        shown = []
        for found in unframed.messages:
            driver = self._reader(found.message)
            if self._encoding:
                driver = _with_encoding(driver)
            reading = astm.read(found.message, driver, zone=self._zone, tolerances_used=unframed.used)
            shown.append(Shown(reading, found.fault))
        return Decoded(
            file=name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            protocol="astm",
            framing=kind,
            messages=tuple(shown),
            frames=unframed.frames,
            used=unframed.used,
            sent_again=unframed.sent_again,
        )

    def _reader(self, message: Message) -> Driver:
        if self._driver is not None and self._driver.protocol == "astm":
            return self._driver
        return self._registry.reader(self._registry.recognise_message(message))

    def _hl7(self, name: str, data: bytes, body: bytes, kind: str) -> Decoded:
        blocks = [body]
        summary = None
        noise = 0
        if kind == "mllp":
            reader = MllpReader()
            events = reader.receive(body) + reader.hang_up()
            blocks = [event.data for event in events if isinstance(event, Block)]
            noise = sum(not isinstance(event, Block) for event in events)
            summary = {"kind": "mllp", "count": len(blocks), "lengths": [len(block) for block in blocks]}
        shown = []
        for block in blocks:
            for message in split_batch(block, self._encoding or None):
                reading = hl7.read(message, self._hl7_driver(message), zone=self._zone)
                shown.append(Shown(reading, extra=_hl7_extra(message)))
        if noise and not shown:
            return _refused(name, data, kind, "not-a-message", (("kind", kind),))
        return Decoded(
            file=name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            protocol="hl7",
            framing=kind,
            messages=tuple(shown),
            frames=summary,
        )

    def _hl7_driver(self, message: Hl7Message) -> Driver:
        if self._driver is not None and self._driver.protocol == "hl7":
            return self._driver
        return self._registry.reader(self._registry.recognise(message.header.field(3), "hl7"), "hl7")


def _hl7_extra(message: Hl7Message) -> dict[str, Any]:
    """What only an HL7 message has, beside the reading."""
    header = message.header
    return {
        "control_id": message.control_id,
        "sending_facility": header.field(4),
        "accept_ack": header.field(15),
        "application_ack": header.field(16),
        "charset_declared": header.field(18),
        "structure": [segment.name for segment in message.segments],
        "terminator": None,
    }


def _with_encoding(driver: Driver) -> Driver:
    """A driver that tries no other character set than the one asked for."""
    return replace(driver, encodings=())


def _refused(name: str, data: bytes, framing: str, reason: str, facts: Facts) -> Decoded:
    return Decoded(
        name, len(data), hashlib.sha256(data).hexdigest(), "other", framing, refused=reason, refused_facts=facts
    )


def _files(paths: list[Path]) -> Iterator[Path]:
    """Yield files in order; folders are walked sorted, links to folders are not followed."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    if name not in _NEITHER and not name.startswith(".") and not name.endswith(_BESIDE):
                        file = Path(folder) / name
                        if file.is_file():
                            yield file
        elif path.exists():
            if len(paths) == 1 or not path.name.endswith(_BESIDE):  # a pattern of the shell names them too
                yield path
        else:
            raise typer.BadParameter(f"there is no file {path}", param_hint="FILE")


def _chosen(registry: Registry, name: str) -> Driver | None:
    if not name:
        return None
    try:
        return registry.named(name)
    except DriverError as error:
        raise typer.BadParameter(str(error), param_hint="--driver") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name!r} is not a time zone, such as Europe/Paris", param_hint="--timezone"
        ) from None


def _language(name: str) -> Literal["en", "fr"]:
    if not name:
        said = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        return "fr" if said.lower().startswith("fr") else "en"
    if name == "en":
        return "en"
    if name == "fr":
        return "fr"
    raise typer.BadParameter(f"{name!r} is neither en nor fr", param_hint="--language")


def _check_encoding(name: str) -> None:
    try:
        "".encode(name or "latin-1")
    except LookupError:
        raise typer.BadParameter(
            f"{name!r} is not a character set, such as latin-1 or utf-8", param_hint="--encoding"
        ) from None
