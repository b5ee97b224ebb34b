"""Which records make one message, and what is in it?

A message runs from H to L (LIS02-A2 §4.1). `Assembly` puts it together from the frames of a session, `Message.parse`
from records without frames. Records are cut at CR; nothing is decoded or split before somebody looks.

A message that cannot be split safely (no header, or delimiters that contradict each other) is still a message: its
bytes and lines are there, `fault` says what is wrong, and its records are not to be had.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
            raise RecordError(f"no header: the message begins with {first[:12]!r}; name the delimiters to read a fragment")
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
            raise RecordError(f"{error.object[error.start]!r} cannot be sent as {encoding}: replace it, or change the link's encoding") from error
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
        self._forget()

    def _forget(self) -> None:
        self._lines: list[bytes] = []
        self._raw: list[bytes] = []
        self._size = 0
        self._open = b""
        self._ends = frozenset((b"L", b"l"))
        self._skipping = False

    @property
    def pending(self) -> bool:
        """Something of a message has come, and not its end."""
        return bool(self._lines or self._open)
