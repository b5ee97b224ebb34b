"""What does an HPRIM Santé file hold? Records of H2.x, read without loss and written with their line lengths; pure.

HPRIM Santé derives from ASTM E1238: lines that begin with H, P, OBR, OBX, C, A (continues the line above), ERR and L, with the delimiters that H declares. The
file is given back byte for byte. Uncertain, because the standard was not at hand: the order of the delimiters in H-2 (``Layout``).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.errors import HprimError
from protocols.hl7.envelope import plain

LONGEST_LINE = 220  # characters, as in E1238; what is longer goes on in an A line
NAMES = frozenset({"H", "P", "OBR", "OBX", "C", "A", "AP", "AC", "ACT", "FAC", "REG", "ERR", "L"})
ENCODINGS = ("cp1252", "utf-8")
MOST_LINES = 200_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Which delimiter stands where in H-2. uncertain: some senders declare the component before the repetition."""

    component_first: bool = False


AS_IN_HL7 = Layout()


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The delimiters of one file."""

    field: str = "|"
    repetition: str = "~"
    component: str = "^"
    escape: str = "\\"
    subcomponent: str = "&"

    @classmethod
    def of_header(cls, line: str, layout: Layout) -> Delimiters:
        """As the header declares them; raises HprimError."""
        if len(line) < 6 or line[0] != "H":
            raise HprimError(f"the file begins with {line[:12]!r}: an HPRIM file begins with H|~^\\&|")
        first, second, escape, subcomponent = tuple(line[2:6])
        marks = (line[1], first, second, escape, subcomponent)
        if len(set(marks)) < 5 or any(mark.isalnum() or mark.isspace() for mark in marks):
            raise HprimError(f"H-2 declares {line[1:6]!r}: five different marks are needed, such as |~^\\&")
        if layout.component_first:
            return cls(line[1], second, first, escape, subcomponent)
        return cls(line[1], first, second, escape, subcomponent)

    def declared(self, layout: Layout) -> str:
        """H-2."""
        first, second = (
            (self.component, self.repetition) if layout.component_first else (self.repetition, self.component)
        )
        return first + second + self.escape + self.subcomponent


STANDARD = Delimiters()


@dataclass(frozen=True, slots=True)
class Record:
    """One record, its continuations joined: ``fields[n]`` is field n, encoded as it was sent; ``fields[0]`` the name."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """H, P, OBR ..."""
        return self.fields[0]

    def field(self, n: int) -> str:
        """Field n as sent; "" when the record ends before it."""
        return self.fields[n] if n < len(self.fields) else ""


@dataclass(frozen=True, slots=True)
class HprimFile:
    """One file. ``records`` are what it says; ``text`` with ``encoding`` gives the bytes back."""

    text: str
    encoding: str
    delimiters: Delimiters
    records: tuple[Record, ...]
    charset_problem: str = ""

    @property
    def terminated(self) -> bool:
        """Whether it ends with L: without, it was cut off, or is still being written."""
        return self.records[-1].name == "L"

    @property
    def context(self) -> str:
        """H-7: ORM, ORU, ACK ..."""
        return self.records[0].field(7)

    def encode(self) -> bytes:
        """The bytes of the file, as they came."""
        return self.text.encode(self.encoding, "surrogateescape")

    def values(self, record: Record, n: int) -> list[str]:
        """The components of a field, unescaped."""
        return [unescape(part, self.delimiters) for part in record.field(n).split(self.delimiters.component)]


def parse(data: bytes, encoding: str = "cp1252", layout: Layout = AS_IN_HL7) -> HprimFile:
    """Read a file. ``encoding`` is what was agreed: bytes that say otherwise are read as what they are, and that is told.

    Raises: HprimError when it does not begin with H, holds an unknown record, or a continuation of nothing.
    """
    text, actual, problem = _decoded(data, encoding)
    lines = [line for line in re.split("\r\n|\r|\n", text) if line]
    if not lines:
        raise HprimError("the file is empty: it begins with H|~^\\&|")
    if len(lines) > MOST_LINES:
        raise HprimError(f"the file has {len(lines)} lines, and {MOST_LINES} at most are read: cut it into several")
    marks = Delimiters.of_header(lines[0], layout)
    found: list[list[str]] = []
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition(marks.field)
        if name not in NAMES or (name == "H") != (number == 1):
            raise HprimError(
                f"line {number} begins with {name[:12]!r}: it is no record of HPRIM Santé, or stands in the wrong place"
            )
        if name == "A":
            if not found:
                raise HprimError(f"line {number} continues nothing: an A line stands under the line it continues")
            found[-1].append(rest)
        else:
            found.append([line])
    records = [Record(tuple(_fields("".join(parts), marks))) for parts in found]
    return HprimFile(text, actual, marks, tuple(records), problem)


def _fields(line: str, marks: Delimiters) -> list[str]:
    cells = line.split(marks.field)
    if cells[0] == "H":
        cells.insert(1, marks.field)  # H-1 is the delimiter itself, as in MSH
    return cells


def _decoded(data: bytes, encoding: str) -> tuple[str, str, str]:
    """Text, the encoding it is in, and what is wrong with the agreed one."""
    if encoding not in ENCODINGS:
        raise HprimError(f"{encoding!r} is no character set of HPRIM files here: use {', '.join(ENCODINGS)}")
    if data.isascii():
        return data.decode("ascii"), encoding, ""
    try:
        text = data.decode("utf-8")
        return text, "utf-8", "" if encoding == "utf-8" else "UTF-8 instead of Windows-1252"
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape"), "utf-8", "bytes that are neither UTF-8 nor Windows-1252"
    return text, "cp1252", "" if encoding == "cp1252" else "Windows-1252 instead of UTF-8"


def build(records: Iterable[Sequence[str]], encoding: str = "cp1252", layout: Layout = AS_IN_HL7) -> bytes:
    """The bytes of a file of these records, whose fields are encoded already (``escape``); the header's H-1 and H-2 are left empty.

    What the character set lacks loses its accents, or becomes a question mark: a name must not stop a result. Raises: HprimError for a line end in a field.
    """
    marks = Delimiters()
    lines: list[str] = []
    for record in records:
        cells = list(record)
        if cells[0] == "H":
            cells[1:3] = [marks.declared(layout)]
        line = marks.field.join(cells).rstrip(marks.field)
        if "\r" in line or "\n" in line:
            raise HprimError(f"{cells[0]} holds a line end: escape it in the field")
        lines.append(line[:LONGEST_LINE])
        lines += [
            f"A{marks.field}{line[at : at + LONGEST_LINE - 2]}"
            for at in range(LONGEST_LINE, len(line), LONGEST_LINE - 2)
        ]
    return "".join(line + "\r\n" for line in lines).encode(encoding, "hprim-plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What the character set lacks, without its accents: Windows-1252 has no ř, and Dvorák is still the same person."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(plain(one) for one in error.object[error.start : error.end]) or "?", error.end


codecs.register_error("hprim-plain", _plain)


_ESCAPES = {"F": "field", "R": "repetition", "S": "component", "E": "escape", "T": "subcomponent"}


def escape(text: str, marks: Delimiters = STANDARD) -> str:
    """A text as a field holds it."""
    mark = marks.escape
    codes = {getattr(marks, name): f"{mark}{code}{mark}" for code, name in _ESCAPES.items()}
    codes |= {"\r": f"{mark}.br{mark}", "\n": f"{mark}.br{mark}"}
    return "".join(codes.get(one, one) for one in text.replace("\r\n", "\n"))


def unescape(text: str, marks: Delimiters = STANDARD) -> str:
    """The text that a field holds; an escape that is not understood stays as it is."""
    if marks.escape not in text:
        return text
    mark = re.escape(marks.escape)

    def said(match: re.Match[str]) -> str:
        if match[1] == ".br":
            return "\n"
        return getattr(marks, _ESCAPES[match[1]]) if match[1] in _ESCAPES else match[0]

    return re.sub(rf"{mark}([A-Z]|\.br){mark}", said, text)
