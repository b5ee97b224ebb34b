"""What does one recorded file say? Told apart by its content, read with the driver its header names, as a live line would."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from labmw.cli.render import Decoded, Shown
from labmw.cli.render_hl7 import hl7_only
from labmw.cli.unframe import LARGEST, Unframed, frames, peek, records
from labmw.cli.unopened_file import code_of
from labmw.cli.unplain import link_of, texts
from labmw.driver import astm, hl7, plain
from labmw.driver.declaration import Driver
from labmw.driver.laying import PlainDriver
from labmw.driver.reading import Facts
from labmw.line.registry import Registry
from protocols.astm.message import Message
from protocols.capture import loads, pieces_to_bytes, sniff
from protocols.errors import ProtocolError
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.er7 import split_batch
from protocols.hl7.mllp import Block, MllpReader, Truncated
from protocols.plain.message import NAMES, Name, PlainMessage
from protocols.plain.tolerance import PLAIN


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
            return unreadable(str(path), error)
        return self.read(str(path), data)

    def read(self, name: str, data: bytes) -> Decoded:
        """Read the bytes of one capture."""
        if not data:
            return refused(name, data, "unknown", "empty-file", ())
        if len(data) > LARGEST:
            return refused(name, data, "unknown", "capture-large", (("bytes", str(LARGEST)),))
        kind: str = sniff(data)
        body = data
        if kind == "wire":
            try:
                body = pieces_to_bytes(loads(data.decode("latin-1")))
            except ProtocolError as error:
                return refused(name, data, kind, "malformed", (("fault", str(error)),))
            kind = sniff(body)
        if (link := self._plain_link(body, kind)) is not None:
            return self._plain(name, data, body, link)
        try:
            if kind in ("lis01", "stx-etx", "records"):
                decoded = self._astm(name, data, body, kind)
            elif kind in ("mllp", "segments"):
                decoded = self._hl7(name, data, body, kind)
            else:
                return refused(name, data, kind, "not-a-message", (("kind", kind),))
        except ProtocolError as error:
            return refused(name, data, kind, "malformed", (("fault", str(error)),))
        if (
            not decoded.messages
            and not decoded.refused
            and not (decoded.frames and decoded.frames.get("empty_sessions"))
        ):
            return refused(name, data, kind, "not-a-message", (("kind", kind),))
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
            shown.append(Shown(reading, found.fault, message=found.message, driver=driver))
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

    def _plain_link(self, body: bytes, kind: str) -> Name | None:
        """The plain link that a file was recorded on: as the driver that was named, or as it looks where that is no other protocol."""
        if self._driver is not None and self._driver.protocol in NAMES and self._driver.name != "any-plain":
            return link_of(body, self._driver.protocol)
        return link_of(body, "") if kind in ("lis01", "stx-etx", "unknown") else None

    def _plain(self, name: str, data: bytes, body: bytes, link: Name) -> Decoded:
        wire = self._driver.wire if isinstance(self._driver, PlainDriver) else PLAIN
        unplained = texts(body, link, wire, self._encoding or (self._driver.encoding if self._driver else "latin-1"))
        shown = []
        for found in unplained.messages:
            driver = self._plain_reader(found.message)
            reading = plain.read(found.message, driver, zone=self._zone, tolerances_used=unplained.used)
            shown.append(Shown(reading, found.fault, message=found.message, driver=driver))
        decoded = Decoded(
            file=name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            protocol=link,
            framing=link,
            messages=tuple(shown),
            frames=unplained.blocks,
            used=unplained.used,
        )
        return decoded if shown else refused(name, data, link, "not-a-message", (("kind", link),))

    def _plain_reader(self, message: PlainMessage) -> Driver:
        if self._driver is not None and self._driver.protocol == message.protocol:
            return self._driver
        return self._registry.reader(self._registry.recognise_plain(message), message.protocol)

    def _reader(self, message: Message) -> Driver:
        if self._driver is not None and self._driver.protocol == "astm":
            return self._driver
        return self._registry.reader(self._registry.recognise_message(message))

    def _hl7(self, name: str, data: bytes, body: bytes, kind: str) -> Decoded:
        blocks = [(body, "")]
        summary = None
        if kind == "mllp":
            reader = MllpReader()
            events = reader.receive(body) + reader.hang_up()
            whole = [event.data for event in events if isinstance(event, Block)]
            blocks = [(one, "") for one in whole]
            blocks += [(event.data, "fault-truncated") for event in events if isinstance(event, Truncated)]
            summary = {"kind": "mllp", "count": len(whole), "lengths": [len(one) for one in whole]}
        shown: list[Shown] = []
        why: tuple[str, Facts] = ("", ())
        for block, damaged in blocks:
            try:
                messages = split_batch(block, self._encoding or None)
            except ProtocolError as error:  # this block alone: its neighbours are read
                why = ("malformed", (("fault", str(error)),))
                continue
            for message in messages:
                driver = self._hl7_driver(message)
                reading = hl7.read(message, driver, zone=self._zone)
                shown.append(Shown(reading, damaged, hl7_only(message, reading), message, driver))
        return Decoded(
            file=name,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            protocol="hl7",
            framing=kind,
            messages=tuple(shown),
            frames=summary,
            refused=why[0],
            refused_facts=why[1],
        )

    def _hl7_driver(self, message: Hl7Message) -> Driver:
        if self._driver is not None and self._driver.protocol == "hl7":
            return self._driver
        return self._registry.reader(self._registry.recognise_hl7(message), "hl7")


def _with_encoding(driver: Driver) -> Driver:
    """A driver that tries no other character set than the one asked for."""
    return replace(driver, encodings=())


def unreadable(name: str, error: OSError) -> Decoded:
    """A file that the system does not open."""
    code = code_of(error)
    if code:
        return refused(name, b"", "unknown", code, ())
    return refused(name, b"", "unknown", "malformed", (("fault", error.strerror or str(error)),))


def refused(name: str, data: bytes, framing: str, reason: str, facts: Facts) -> Decoded:
    """A file of which nothing can be taken for a message, and why."""
    return Decoded(
        name, len(data), hashlib.sha256(data).hexdigest(), "other", framing, refused=reason, refused_facts=facts
    )
