"""What does an HL7 message hold? The ER7 ("vertical bar") encoding, read lazily and given back byte for byte.

A message is decoded at once, and cut into segments, fields and components only where somebody asks: a laboratory reads a
few dozen of the thousand values in a result message. Nothing is normalised; ``encode()`` returns what came in.

Line ends: CR is the standard. The first line end of a message decides: after CR or CR LF a lone LF is text inside a
field (a comment with line feeds must not become segments); after LF every line end counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from protocols.errors import Hl7Error
from protocols.hl7 import batch, charset
from protocols.hl7.escapes import NULL, escape, unescape
from protocols.hl7.segment import Component, Field, Raw, Segment, encode_field, segment
from protocols.hl7.separators import HEADERS, STANDARD, Separators

__all__ = [
    "NULL",
    "STANDARD",
    "Component",
    "Field",
    "Message",
    "Raw",
    "Segment",
    "Separators",
    "build",
    "encode_field",
    "escape",
    "segment",
    "split_batch",
    "unescape",
]


class Message:
    """One message: its lines, in the order and the bytes in which they came. Never changed after it was made."""

    __slots__ = ("_all", "_first", "_plain", "_segments", "_text", "charset_problem", "encoding", "raw", "separators")

    def __init__(self, raw: bytes, text: str, encoding: str, charset_problem: str | None = None) -> None:
        self.raw = raw
        self.encoding = encoding
        self.charset_problem = charset_problem
        """What was wrong with the declared character set; None when every byte was read as declared."""
        self.separators = Separators.of_header(text)
        self._text = text
        self._plain = "\n" not in text  # every line ends with CR alone, as it should
        self._first: dict[str, Segment | None] = {}
        self._all: dict[str, list[Segment]] = {}
        self._segments: list[Segment] | None = None

    @classmethod
    def parse(cls, data: bytes, encoding: str | None = None) -> Message:
        """The message in these bytes, without MLLP; ``encoding`` wins over MSH-18.

        Raises: Hl7Error when the data do not begin with MSH, declare no usable separators, or hold a second message.
        """
        if data[:3] != b"MSH" or len(data) < 5:
            raise Hl7Error(_no_header(data))
        header = _first_line(data).split(data[3:4])
        declared = header[17] if len(header) > 17 else b""
        repetition = header[1][1:2] if len(header) > 1 else b""
        first = declared.split(repetition, 1)[0] if repetition else declared
        text, actual, problem = charset.decode(data, first.decode("ascii", "replace"), encoding)
        message = cls(data, text, actual, problem)
        if not message._plain or _INNER_HEADER.search(text):
            for line in message.lines[1:]:
                if line.startswith(HEADERS) and line[3:4] == message.separators.field:
                    raise Hl7Error(f"{line[:3]} inside a message: cut the data into messages first (split_batch)")
        return message

    @classmethod
    def of(cls, segments: Iterable[Segment | Sequence[Field]], separators: Separators = STANDARD) -> Message:
        """A message to send, of segments or rows (``row[n]`` is field n, ``row[0]`` the name; MSH-1 and MSH-2 stay None).

        It is encoded as its MSH-18 says. Raises: Hl7Error for a character that this encoding lacks, a segment with other
        separators, and a line end inside a segment.
        """
        made = [item if isinstance(item, Segment) else segment(item, separators) for item in segments]
        if not made or made[0].name != "MSH":
            raise Hl7Error("the first segment is not MSH: a message starts with MSH")
        encoding = charset.encoding_of(made[0].component(18))
        if encoding is None:
            raise Hl7Error(f"MSH-18 {made[0].field(18)!r} is not a known character set: use UNICODE UTF-8")
        for item in made:
            if item.separators != made[0].separators:
                raise Hl7Error(f"{item.name} uses other separators than MSH: build all segments with the same ones")
            if "\r" in item.line or "\n" in item.line:
                raise Hl7Error(f"{item.name} holds a line end: escape it in the field")
            try:
                item.line.encode(encoding)
            except UnicodeEncodeError as error:
                lost = item.line[error.start : error.end]
                raise Hl7Error(
                    f"{item.name} holds {lost!r}, which MSH-18 {made[0].field(18)!r} cannot carry: send UNICODE UTF-8"
                ) from None
        text = "".join(item.line + "\r" for item in made)
        return cls(text.encode(encoding), text, encoding)

    def __repr__(self) -> str:
        return f"Message({self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.raw == other.raw and self.encoding == other.encoding

    def __hash__(self) -> int:
        return hash(self.raw)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    @property
    def lines(self) -> list[str]:
        """The lines of the message without their ends; blank ones, such as the one after the last CR, are empty."""
        text = self._text
        return text.split("\r") if self._plain else re.split(_end(text), text)

    @property
    def segments(self) -> list[Segment]:
        """Every segment, unknown and Z segments too, in order."""
        if self._segments is None:  # kept: a driver and the codec of a profile read the same ones
            self._segments = [Segment(line, self.separators, self.encoding) for line in self.lines if line]
        return self._segments.copy()

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        if name not in self._first:
            if self._plain and name not in HEADERS:
                match = _named(name, self.separators.field).search(self._text)
                self._first[name] = Segment(match[1], self.separators, self.encoding) if match else None
            else:
                self._first[name] = self.header if name == "MSH" else next(iter(self.all(name)), None)
        return self._first[name]

    def all(self, name: str) -> list[Segment]:
        """Every segment of this name, in order."""
        if name not in self._all:
            separators, encoding = self.separators, self.encoding
            if self._plain and name not in HEADERS:
                lines = _named(name, separators.field).findall(self._text)
            else:
                lines = [line for line in self.lines if line.startswith(name + separators.field) or line == name]
            self._all[name] = [Segment(line, separators, encoding) for line in lines]
        return self._all[name].copy()

    @property
    def header(self) -> Segment:
        """MSH."""
        found = self._first.get("MSH")
        if found is None:
            line = re.split("[\r\n]", self._text, maxsplit=1)[0]
            found = self._first["MSH"] = Segment(line, self.separators, self.encoding)
        return found

    @property
    def code(self) -> str:
        """MSH-9.1, such as ORU."""
        return self.header.component(9, 1)

    @property
    def trigger(self) -> str:
        """MSH-9.2, such as R01."""
        return self.header.component(9, 2)

    @property
    def structure(self) -> str:
        """MSH-9.3, such as ORU_R01; often left out before version 2.5."""
        return self.header.component(9, 3)

    @property
    def control_id(self) -> str:
        """MSH-10, which the reply repeats in MSA-2."""
        return self.header.component(10)

    @property
    def version(self) -> str:
        """MSH-12.1, such as 2.5.1."""
        return self.header.component(12)

    @property
    def line_end_problem(self) -> str | None:
        """What is unusual about the line ends; None when every segment ends with CR alone."""
        if self._plain:
            return None
        if any(re.search(rf"\n[A-Z][A-Z0-9]{{2}}{re.escape(self.separators.field)}", line) for line in self.lines):
            return "a line feed inside a field is followed by what looks like a segment: segments must end with CR"
        if any("\n" in line for line in self.lines):
            return "a field holds a line feed: it must be sent as \\.br\\"
        ends = sorted({repr(end)[1:-1] for end in re.findall(_end(self._text), self._text)})
        return f"segments end with {', '.join(ends)} instead of CR alone"

    def encode(self) -> bytes:
        """The bytes of the message: for one that was parsed, the bytes that came in."""
        return self._text.encode(self.encoding, "surrogateescape")


_INNER_HEADER = re.compile("\r[MBF][SH]")
_CR, _CR_OR_LF = "\r\n?", "\r\n?|\n"


def _end(text: str) -> str:
    """The pattern of this message's line ends."""
    first = re.search("[\r\n]", text)
    return _CR_OR_LF if first and first[0] == "\n" else _CR


@lru_cache(maxsize=256)
def _named(name: str, field: str) -> re.Pattern[str]:
    # Finding the wanted lines costs less than cutting all of them; the pattern begins with a plain character for that reason.
    return re.compile(rf"\r({re.escape(name)}(?:{re.escape(field)}[^\r]*+)?+)(?![^\r])")


def _first_line(data: bytes) -> bytes:
    cr = data.find(b"\r")
    line = data if cr < 0 else data[:cr]
    lf = line.find(b"\n")
    return line if lf < 0 else line[:lf]


def _no_header(data: bytes) -> str:
    if data[:3] in (b"FHS", b"BHS"):
        return "the data are a batch: cut it into messages first (split_batch)"
    if data[:3] == b"\xef\xbb\xbf":
        return "the data begin with a byte order mark: the sender must not write one"
    return f"the data begin with {data[:12]!r}: a message starts with MSH"


def build(segments: Iterable[Segment | Sequence[Field]], separators: Separators = STANDARD) -> bytes:
    """The bytes of a message made of these segments or rows: see ``Message.of``."""
    return Message.of(segments, separators).raw


def split_batch(data: bytes, encoding: str | None = None) -> list[Message]:
    """The messages of a batch, a file, or several messages one after the other.

    Raises: Hl7Error when the envelopes do not fit together, a trailer counts otherwise, or a message cannot be read.
    """
    return [Message.parse(part, encoding) for part in batch.cut(data)]
