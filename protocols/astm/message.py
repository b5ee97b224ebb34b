"""Which records make one message, and what is in it?

A message runs from H to L (LIS02-A2 §4.1). `Assembly` puts it together from the frames of a session, `Message.parse`
from records without frames. Records are cut at CR; nothing is decoded or split before somebody looks.

A message that cannot be split safely (no header, or delimiters that contradict each other) is still a message: its
bytes and lines are there, `fault` says what is wrong, and its records are not to be had.
"""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from protocols.astm.frame import Frame
from protocols.astm.record import Delimiters, Record
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.astm.tree import Tree, grow
from protocols.errors import RecordError, SettingError

_CR: Final = 0x0D
MAX_MESSAGE: Final = 64 * 2**20
_STATELESS: Final = frozenset({"latin-1", "utf-8", "ascii", "cp1252"})
"""Encodings in which no damage spans a CR: a message is decoded at once, in the others line by line."""


@dataclass(frozen=True)
class Message:
    """The records from H to L, or as far as they came."""

    raw: bytes
    """As sent, each record with its CR, and at the end what was cut off."""
    lines: tuple[bytes, ...]
    """One record each, without CR and without what a tolerance drops."""
    encoding: str = "latin-1"
    terminated: bool = True
    """False when the sender stopped before L: kept and shown, never released by itself."""
    declared: Delimiters | None = None
    """Delimiters named for this message from outside; the header is then not asked."""
    cut_off: bytes = b""
    """What came of a last record whose end is missing: shown, never read ("5.4" may have been on its way to "5.42")."""

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
        if not self.lines:
            raise RecordError("no whole record has come: ask the sender to send the message again")
        first = self._decode(self.lines[0])
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
        if self.encoding in _STATELESS:
            texts = self._decode(b"\r".join(self.lines)).split("\r")
        else:
            texts = [self._decode(line) for line in self.lines]
        return tuple([Record(text, delimiters) for text in texts])

    @property
    def structure(self) -> str:
        """The record letters in order, such as HPORCL."""
        return "".join(record.type for record in self.records)

    @property
    def header(self) -> Record | None:
        """The H record; None in a fragment."""
        first = self.records[0]
        return first if first.type == "H" else None

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
    ) -> "list[Message]":
        """Messages from records without frames, each record ending with CR (which the last L may lack).

        With delimiters given, data may begin without a header, and headers are not asked for theirs.

        Raises:
            RecordError: no header, contradicting delimiters, or line ends that the tolerances do not name.
        """
        if b"\n" in data and not tolerances.record_line_feeds and (b"\r" not in data or b"\r\n" in data):
            raise RecordError("records end with LF or CR LF instead of CR: name the tolerance record_line_feeds")
        assembly = Assembly(encoding, tolerances, max_message=len(data), delimiters=delimiters)
        ends_with_l = assembly.completes(Frame(0, data[data.rfind(b"\r") + 1 :], True, b""))
        messages = assembly.feed(Frame(0, data, ends_with_l, b""))
        rest = assembly.close()
        if rest is not None:
            messages.append(rest)
        for message in messages:
            if message.fault is not None:
                raise message.fault
        if not messages:
            raise RecordError("no record in it: give records of LIS02-A2, each ending with CR")
        return messages


def check_encoding(encoding: str) -> None:
    """Refuse an encoding in which LIS02-A2 cannot be cut into records.

    Raises:
        SettingError: unknown, or with other bytes for the characters of ASCII.
    """
    try:
        good = "H|\\^&\r".encode(encoding) == b"H|\\^&\r"
    except LookupError:
        good = False
    if not good:
        raise SettingError(
            f"encoding {encoding!r}: give one that contains ASCII, such as latin-1, utf-8, cp1252 or shift_jis"
        )


class Assembly:
    """Messages from the frames of a session; begins anew at each H."""

    def __init__(
        self,
        encoding: str = "latin-1",
        tolerances: Tolerances = STRICT,
        *,
        max_message: int = MAX_MESSAGE,
        delimiters: Delimiters | None = None,
    ) -> None:
        check_encoding(encoding)
        self._encoding = encoding
        self._numbered = tolerances.numbered_records
        self._feeds = tolerances.record_line_feeds
        self._max = max_message
        self._declared = delimiters
        self.used: Counter[str] = Counter()
        self._parts: list[bytes] = []  # whole records of the message so far, each with its CR
        self._open: list[bytes] = []  # pieces of a record whose end has not come
        self._size = self._open_size = 0  # bytes in each
        self._after_cr = False  # the text before ended with CR, so that an LF now belongs to it
        self._skipping = False  # the message was too large: nothing is taken until the next H
        self._straight = not (self._numbered or self._feeds)  # the next text begins a record, and is taken as it is
        self._ordinary: Frame | None = None  # the last frame that was found ordinary, so as not to look twice

    @property
    def pending(self) -> bool:
        """Something of a message has come, and not its end."""
        return bool(self._parts or self._open)

    def copy(self) -> "Assembly":
        """An independent assembly in the same state, to try what a frame would bring."""
        other = copy(self)
        other._parts, other._open, other.used = list(self._parts), list(self._open), Counter(self.used)
        return other

    def feed(self, frame: Frame) -> list[Message]:
        """Take the text of an accepted frame; returns the messages that end here, or were cut short by a new H.

        Raises:
            RecordError: the message has grown beyond max_message; it is dropped, and what follows until the next H.
        """
        text = frame[1]
        if frame is self._ordinary or self._is_ordinary(frame):
            size = self._size + len(text)
            if size <= self._max:
                self._parts.append(text)
                self._size = size
                return []
        self._ordinary = None
        size = self._size + self._open_size + len(text)
        if size > self._max and not self._skipping:
            self._skip(inside=not (frame.last or text.endswith(b"\r")))
            raise RecordError(
                f"message of more than {self._max} bytes: look at the sender, or raise max_message for this link"
            )
        messages: list[Message] = []
        for record in self._ended_by(frame):
            if record[0] not in _TURNS and not self._skipping:
                self._parts.append(record)
                self._size += len(record)
            else:
                self._take(record, messages)
        self._straight = not (self._open or self._skipping or self._numbered or self._feeds)
        return messages

    def completes(self, frame: Frame) -> bool:
        """Whether this frame, if fed now, would bring the end of a message; nothing changes."""
        text = frame[1]
        if self._straight and text and text[0] not in b"HhLl" and text[-1] == _CR and _CR not in text[:-1]:
            self._ordinary = frame
            return False
        records, rest = self._split(frame.text)
        begun = b"".join(self._open[:3])  # enough to know the record by
        if frame.last and (rest or (begun and not records)):
            records.append(rest)
        kinds = [
            _kind(begun + record if place == 0 else record, self._numbered) for place, record in enumerate(records)
        ]
        if self._skipping:
            kinds = kinds[kinds.index(b"H") :] if b"H" in kinds else []
        return b"L" in kinds

    def _is_ordinary(self, frame: Frame) -> bool:
        """One whole record in one frame, neither first nor last of a message: nothing to look for. Most frames are."""
        text = frame[1]
        if self._straight and text and text[0] not in b"HhLl" and text[-1] == _CR and _CR not in text[:-1]:
            self._ordinary = frame
            return True
        return False

    def close(self) -> Message | None:
        """The session is over: what has come of a message without its L, unterminated; None if nothing has."""
        rest = None
        if self.pending and not self._skipping:
            rest = self._end(terminated=False, cut_off=b"".join(self._open))
        self._parts, self._open = [], []
        self._size = self._open_size = 0
        self._after_cr = self._skipping = False
        self._straight = not (self._numbered or self._feeds)
        return rest

    def _skip(self, inside: bool) -> None:
        """Drop everything until the next H; inside a record its beginning is not known any more."""
        self._parts = []
        self._open = [_LOST] if inside else []
        self._size = self._open_size = 0
        self._skipping, self._straight = True, False

    def _split(self, text: bytes) -> tuple[list[bytes], bytes]:
        """The records that end in a text, and what is left over."""
        if self._feeds and b"\n" in text:
            if self._after_cr and text.startswith(b"\n"):
                text = text[1:]
            text = text.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        *records, rest = text.split(b"\r")
        return records, rest

    def _ended_by(self, frame: Frame) -> list[bytes]:
        """The records that this frame brings to their end, each with a CR; what is left over stays open."""
        text = frame.text
        records, rest = self._split(text)
        if self._feeds and b"\n" in text:
            self.used["record_line_feeds"] += 1
        self._after_cr = text.endswith(b"\r")
        if records and self._open:
            records[0] = self._closed() + records[0]
        if rest and not (self._skipping and self._open and _kind(self._open[0], self._numbered) != b"H"):
            self._open.append(rest)
            self._open_size += len(rest)
            if self._open_size > self._max:  # only while skipping: a header that does not end
                self._skip(inside=True)
        if frame.last and self._open:
            self.used["record_without_cr"] += 1
            records.append(self._closed())
        return [record + b"\r" for record in records if record or not self._feeds]

    def _closed(self) -> bytes:
        """The open record, which is open no more."""
        record = b"".join(self._open)
        self._open = []
        self._open_size = 0
        return record

    def _take(self, record: bytes, messages: list[Message]) -> None:
        kind = _kind(record, self._numbered)
        if kind == b"H":
            if self._parts:
                messages.append(self._end(terminated=False))
            self._skipping = False
        if not self._skipping:
            self._parts.append(record)
            self._size += len(record)
            if kind == b"L":
                messages.append(self._end(terminated=True))

    def _end(self, terminated: bool, cut_off: bytes = b"") -> Message:
        raw = b"".join(self._parts)
        lines = raw.split(b"\r")[:-1]
        self._parts = []
        self._size = 0
        if self._numbered:
            lines = [self._without_number(line) for line in lines]
        return Message(raw + cut_off, tuple(lines), self._encoding, terminated, self._declared, cut_off)

    def _without_number(self, line: bytes) -> bytes:
        if line[:1].isdigit() and line[1:2].isalpha() and not line[2:3].isalnum():
            self.used["numbered_records"] += 1
            return line[1:]
        return line


_TURNS: Final = frozenset(b"HhLl0123456789")
"""How a record may begin that begins or ends a message; a digit where records are numbered."""
_LOST: Final = b"?"
"""Stands for the beginning of a record that was dropped; no record begins with it."""


def _kind(record: bytes, numbered: bool) -> bytes:
    """H or L where a message begins or ends (the letter alone or before a delimiter); anything else for other records."""
    if numbered and record[:1].isdigit():
        record = record[1:3]
    return b"" if record[1:2].isalnum() else record[:1].upper()
