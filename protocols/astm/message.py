"""Which records make one message, and what is in it?

A message runs from H to L (LIS02-A2 §4.1). `Assembly` puts it together from the frames of a session, `Message.parse`
from records without frames. Records are cut at CR; nothing is decoded or split before somebody looks.

A message that cannot be split safely (no header, or delimiters that contradict each other) is still a message: its
bytes and lines are there, `fault` says what is wrong, and its records are not to be had.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from protocols.astm.frame import Frame
from protocols.astm.record import Delimiters, Record
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.astm.tree import Tree, grow
from protocols.errors import RecordError

MAX_MESSAGE: Final = 64 * 2**20


@dataclass(frozen=True)
class Message:
    """The records from H to L, or as far as they came."""

    raw: bytes
    """As sent, each record with its CR."""
    lines: tuple[bytes, ...]
    """One record each, without CR and without what a tolerance drops."""
    encoding: str = "latin-1"
    terminated: bool = True
    """False when the sender stopped before L: kept and shown, never released by itself."""
    declared: Delimiters | None = None
    """Delimiters named for this message from outside; the header is then not asked."""

    @cached_property
    def fault(self) -> RecordError | None:
        """Why this message cannot be split into fields; None if it can."""
        try:
            self._delimiters()
        except RecordError as error:
            return error
        return None

    @cached_property
    def delimiters(self) -> Delimiters:
        """The delimiters in force.

        Raises:
            RecordError: the message has no header, or the header contradicts itself.
        """
        return self._delimiters()

    def _delimiters(self) -> Delimiters:
        if self.declared is not None:
            return self.declared
        first = self._decode(self.lines[0]) if self.lines else ""
        if first[:1] not in ("H", "h"):
            raise RecordError(
                f"no header: the message begins with {first[:12]!r}; name the delimiters to read a fragment"
            )
        return Delimiters.of_header(first)

    def _decode(self, line: bytes) -> str:
        return line.decode(self.encoding, "surrogateescape")

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The records in order; bytes that the encoding does not know are kept as surrogates.

        Raises:
            RecordError: as for delimiters.
        """
        delimiters = self.delimiters
        return tuple(Record(self._decode(line), delimiters) for line in self.lines)

    @property
    def structure(self) -> str:
        """The record letters in order, such as HPORCL."""
        return "".join(record.type for record in self.records)

    @property
    def header(self) -> Record | None:
        """The H record; None in a fragment."""
        first = self.records[0] if self.lines else None
        return first if first is not None and first.type == "H" else None

    @property
    def terminator(self) -> str | None:
        """L.3 as sent; None without L."""
        ends = [record for record in self.records if record.type == "L"]
        return ends[-1].field(3) if ends else None

    @cached_property
    def tree(self) -> Tree:
        """Patients, orders and results by level."""
        return grow(self.records)

    def encode(self) -> bytes:
        """The message byte for byte as it was parsed or built."""
        return self.raw

    def records_bytes(self) -> list[bytes]:
        """One record each, ending with CR: what a link sends."""
        return [line + b"\r" for line in self.lines]

    @staticmethod
    def of(records: Sequence[str], encoding: str = "latin-1") -> "Message":
        """A message from records written by protocols.astm.record.build.

        Raises:
            RecordError: no header, no L at the end, or text that the encoding does not have.
        """
        if not records or records[0][:1] != "H" or records[-1][:1] != "L":
            raise RecordError("a message to send begins with H and ends with L: add the missing record")
        try:
            lines = tuple(record.encode(encoding, "surrogateescape") for record in records)
        except UnicodeEncodeError as error:
            raise RecordError(
                f"{error.object[error.start]!r} cannot be sent as {encoding}: replace it, or change the link's encoding"
            ) from error
        for line in lines:
            if b"\r" in line or b"\n" in line:
                raise RecordError(f"record {line[:12]!r} holds a line end: escape it")
        Delimiters.of_header(records[0])
        return Message(b"".join(line + b"\r" for line in lines), lines, encoding)

    @staticmethod
    def parse(
        data: bytes,
        encoding: str = "latin-1",
        *,
        tolerances: Tolerances = STRICT,
        delimiters: Delimiters | None = None,
        used: Counter[str] | None = None,
    ) -> "list[Message]":
        """Messages from records without frames, each record ending with CR.

        With delimiters given, data may begin without a header, and headers are not asked for theirs.

        Raises:
            RecordError: no header, contradicting delimiters, or line ends that the tolerances do not name.
        """
        assembly = Assembly(encoding, tolerances, max_message=max(len(data) * 2, 1), delimiters=delimiters, used=used)
        if b"\n" in data and not tolerances.record_line_feeds and (b"\r" not in data or b"\r\n" in data):
            raise RecordError("records end with LF or CR LF instead of CR: name the tolerance record_line_feeds")
        messages = assembly.feed(Frame(0, data, True, b""))
        rest = assembly.close()
        if rest is not None:
            messages.append(rest)
        for message in messages:
            if message.fault is not None:
                raise message.fault
        return messages


class Assembly:
    """Messages from the frames of a session; begins anew at each H."""

    def __init__(
        self,
        encoding: str = "latin-1",
        tolerances: Tolerances = STRICT,
        *,
        max_message: int = MAX_MESSAGE,
        delimiters: Delimiters | None = None,
        used: Counter[str] | None = None,
    ) -> None:
        self._encoding = encoding
        self._numbered = tolerances.numbered_records
        self._feeds = tolerances.record_line_feeds
        self._max = max_message
        self._declared = delimiters
        self.used: Counter[str] = Counter() if used is None else used
        self._parts: list[bytes] = []  # whole records of the message so far, each with its CR
        self._open: list[bytes] = []  # pieces of a record whose end has not come
        self._size = 0
        self._after_cr = False  # the text before ended with CR, so that an LF now belongs to it
        self._skipping = False  # the message was too large: nothing is taken until the next H
        self._plain = not (self._numbered or self._feeds)  # and nothing open, and not skipping

    @property
    def pending(self) -> bool:
        """Something of a message has come, and not its end."""
        return bool(self._parts or self._open)

    def fork(self) -> "Assembly":
        """A second assembly in the same state: an owner whose store may fail feeds the fork, and keeps it when all went well."""
        other = copy(self)
        other._parts, other._open = list(self._parts), list(self._open)
        return other

    def feed(self, frame: Frame) -> list[Message]:
        """Take the text of an accepted frame; returns the messages that end here, or were cut short by a new H.

        Raises:
            RecordError: the message has grown beyond max_message; it is dropped, and what follows until the next H.
        """
        text = frame.text
        # One whole record in one frame, neither first nor last: nothing to look for.
        size = self._size + len(text)
        if self._plain and size <= self._max and text.find(b"\r") == len(text) - 1 and text and text[0] not in b"HhLl":
            self._parts.append(text)
            self._size = size
            return []
        self._size = size
        if self._size > self._max and not self._skipping:
            self._parts = []
            self._open = [] if frame.last or text.endswith(b"\r") else [b"?"]
            self._skipping = True
            raise RecordError(
                f"message of more than {self._max} bytes: look at the sender, or raise max_message for this link"
            )
        messages: list[Message] = []
        for record in self._records_ending_in(frame, self.used):
            self._take(record, messages)
        return messages

    def completes(self, frame: Frame) -> bool:
        """Whether this frame, if fed now, would bring a message out, by its L or by a new H; nothing changes."""
        before = (list(self._open), self._after_cr)
        skipping = self._skipping
        begun = bool(self._parts)
        ends = False
        for record in self._records_ending_in(frame, Counter()):
            kind = self._kind(record)
            skipping = skipping and kind != b"H"
            ends = ends or (kind == b"L" and not skipping) or (kind == b"H" and begun)
            begun = begun or not skipping
        self._open, self._after_cr = before
        return ends

    def close(self) -> Message | None:
        """The session is over: what has come of a message without its L, unterminated; None if nothing has."""
        messages: list[Message] = []
        if self._open:
            self._take(b"".join(self._open) + b"\r", messages)
        rest = self._cut(terminated=False) if self._parts else None
        self._open, self._parts, self._size = [], [], 0
        self._after_cr = self._skipping = False
        return messages[0] if messages else rest

    def _records_ending_in(self, frame: Frame, used: Counter[str]) -> list[bytes]:
        """The records that this frame brings to their end, each with a CR; what is left over stays open."""
        text = frame.text
        if self._feeds and b"\n" in text:
            used["record_line_feeds"] += 1
            after = text.endswith(b"\r")
            text = (
                (text[1:] if self._after_cr and text[:1] == b"\n" else text)
                .replace(b"\r\n", b"\r")
                .replace(b"\n", b"\r")
            )
            self._after_cr = after
        else:
            self._after_cr = text.endswith(b"\r")
        *records, rest = text.split(b"\r")
        if records and self._open:
            records[0] = b"".join(self._open) + records[0]
            self._open = []
        if rest:
            self._open.append(rest)
        if frame.last and self._open:
            used["record_without_cr"] += 1
            records.append(b"".join(self._open))
            self._open = []
        return [record + b"\r" for record in records if record or not self._feeds]

    def _kind(self, record: bytes) -> bytes:
        """H or L where a message begins or ends, with its CR: the letter stands alone or before a delimiter."""
        if self._numbered and record[:1].isdigit():
            record = record[1:3]
        return record[:1].upper() if not record[1:2].isalnum() else b""

    def _take(self, record: bytes, messages: list[Message]) -> None:
        kind = self._kind(record)
        if kind == b"H":
            if self._parts:
                messages.append(self._cut(terminated=False))
            self._size = len(record)
            self._skipping = False
        if self._skipping:
            return
        self._parts.append(record)
        if kind == b"L":
            messages.append(self._cut(terminated=True))

    def _cut(self, terminated: bool) -> Message:
        raw = b"".join(self._parts)
        self._parts = []
        self._size = 0
        lines: Iterable[bytes] = raw.split(b"\r")[:-1]
        if self._numbered:
            lines = [self._without_number(line) for line in lines]
        return Message(raw, tuple(lines), self._encoding, terminated, self._declared)

    def _without_number(self, line: bytes) -> bytes:
        if line[:1].isdigit() and line[1:2].isalpha() and not line[2:3].isalnum():
            self.used["numbered_records"] += 1
            return line[1:]
        return line
