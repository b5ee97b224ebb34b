"""What does one line of a message hold? Fields, repetitions, components and subcomponents, cut when asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from protocols.errors import Hl7Error, Misuse
from protocols.hl7.escapes import NULL, escape, unescape
from protocols.hl7.separators import HEADERS, STANDARD, UNDECLARED, Separators


class Raw(str):
    """Field content that is already encoded: written as it is."""

    __slots__ = ()


Component = str | Sequence[str | None] | None
"""A text, or the texts of its subcomponents."""
Repetition = str | tuple[Component, ...] | None
Field = str | tuple[Component, ...] | list[Repetition] | None
"""What a field is built from: a text, a tuple of components, or a list of repetitions. None and "" send nothing; Raw(NULL) deletes."""


class Segment:
    """One line of a message. Fields are counted as in the standard: MSH-1 is the separator, MSH-2 the encoding characters.

    A plain class with slots, not a dataclass: the fields are cut on first use and kept.
    """

    __slots__ = ("_cells", "encoding", "line", "separators")

    def __init__(self, line: str, separators: Separators = STANDARD, encoding: str = "utf-8") -> None:
        self.line = line
        self.separators = separators
        self.encoding = encoding
        self._cells: list[str] | None = None

    def __repr__(self) -> str:
        return f"Segment({self.line!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segment) and (self.line, self.separators) == (other.line, other.separators)

    def __hash__(self) -> int:
        return hash(self.line)

    @property
    def name(self) -> str:
        """PID, OBX, ZXX ... as sent, also when it is not three characters long."""
        return (self._cells or self.fields)[0]

    @property
    def fields(self) -> list[str]:
        """The name and then every field as sent: ``fields[n]`` is field n."""
        if self._cells is None:
            cells = self.line.split(self.separators.field)
            if cells[0] in HEADERS:
                cells.insert(1, self.separators.field)
            self._cells = cells
        return self._cells

    def field(self, n: int) -> str:
        """Field n as sent, with its repetitions and escapes; "" when the segment ends before it."""
        cells = self._cells or self.fields
        if 0 < n < len(cells):
            return cells[n]
        if n < 1:
            raise Misuse(f"field {n}: fields are counted from 1")
        return ""

    def repetitions(self, n: int) -> list[str]:
        """The repetitions of field n as sent; none when the field is empty."""
        value = self.field(n)
        if not value:
            return []
        return [value] if self._is_declaration(n) else value.split(self.separators.repetition)

    def components(self, n: int, repetition: int = 1) -> list[str]:
        """The components of one repetition, decoded, each with its subcomponents left together; none when it is empty."""
        value = self._repetition(n, repetition)
        if not value:
            return []
        if self._is_declaration(n):
            return [value]
        return [self._decoded(part) for part in value.split(self.separators.component)]

    def component(self, n: int, c: int = 1, s: int = 1, repetition: int = 1) -> str:
        """One decoded value: component c, subcomponent s of field n; "" when it is absent, empty or the null ``""``."""
        cells = self._cells or self.fields
        if not 0 < n < len(cells):
            return self.field(n)
        value = cells[n]
        if not value:
            return ""
        if n < 3 and cells[0] in HEADERS:
            return value if c == s == repetition == 1 else ""
        _, component, repeats, mark, subcomponent, _ = self.separators
        if repetition != 1 or repeats in value:
            value = _pick(value, repeats, repetition)
        if c != 1:
            value = _pick(value, component, c)
        elif component in value:
            value = value.partition(component)[0]
        if s != 1:
            value = _pick(value, subcomponent, s)
        elif subcomponent in value:
            value = value.partition(subcomponent)[0]
        if mark in value:
            return self._decoded(value)
        return "" if value == NULL else value

    def values(self, *numbers: int) -> list[str]:
        """``component(n)`` of several fields at once: the quick way to read the columns of a result."""
        cells = self._cells or self.fields
        size = len(cells)
        _, component, repeats, mark, subcomponent, _ = self.separators
        found = []
        for n in numbers:
            if 2 < n < size:
                value = cells[n]
                if component in value:
                    value = value.partition(component)[0]
                if repeats in value or subcomponent in value or mark in value or value == NULL:
                    value = self.component(n)
            else:
                value = self.component(n)
            found.append(value)
        return found

    def parts(self, n: int, count: int, repetition: int = 1) -> list[str]:
        """``component(n, c)`` for c from 1 to ``count`` at once: the quick way to read a code or an identifier."""
        cells = self._cells or self.fields
        if not 2 < n < len(cells):
            return [self.component(n, c, repetition=repetition) for c in range(1, count + 1)]
        value = cells[n]
        _, component, repeats, mark, subcomponent, _ = self.separators
        if repetition != 1 or repeats in value:
            value = _pick(value, repeats, repetition)
        if mark in value or subcomponent in value or NULL in value:
            return [self.component(n, c, repetition=repetition) for c in range(1, count + 1)]
        found = value.split(component, count)[:count]
        return found + [""] * (count - len(found))

    def text(self, n: int, repetition: int = 1) -> str:
        """One repetition of a text field decoded whole: component separators that the sender forgot to escape are text.

        For OBX-5 of type ST, TX or FT and for NTE-3. "" when it is absent, empty or the null.
        """
        cells = self._cells or self.fields
        if repetition == 1 and 2 < n < len(cells):  # most texts hold nothing to take apart
            value = cells[n]
            if self.separators.repetition not in value and self.separators.escape not in value:
                return "" if value == NULL else value
        value = self._repetition(n, repetition)
        if value == NULL:
            return ""
        return value if self._is_declaration(n) else self._decoded(value)

    def is_null(self, n: int, c: int | None = None, repetition: int = 1) -> bool:
        """Whether the field (or its component c) is the null ``""``: the sender asks to delete, not merely says nothing."""
        value = self._repetition(n, repetition)
        if not value:
            return False
        return (value if c is None else _pick(value, self.separators.component, c)) == NULL

    def _repetition(self, n: int, repetition: int) -> str:
        value = self.field(n)
        if self._is_declaration(n):
            return value if repetition == 1 else ""
        return _pick(value, self.separators.repetition, repetition)

    def _decoded(self, value: str) -> str:
        return unescape(value, self.separators, self.encoding)

    def _is_declaration(self, n: int) -> bool:
        return n <= 2 and self.fields[0] in HEADERS


def _pick(value: str, separator: str, number: int) -> str:
    if number < 1:
        raise Misuse(f"part {number}: repetitions, components and subcomponents are counted from 1")
    parts = value.split(separator)
    return parts[number - 1] if number <= len(parts) else ""


def segment(row: Sequence[Field], separators: Separators = STANDARD) -> Segment:
    """The segment of a row: ``row[0]`` is the name, ``row[n]`` field n; empty fields at the end are dropped."""
    name = row[0]
    if not isinstance(name, str) or not re.fullmatch("[A-Z][A-Z0-9]{2}", name):
        raise Hl7Error(f"{name!r} is not a segment name: three capital letters or digits, such as OBX")
    cells = [encode_field(value, separators) for value in row[1:]]
    if name in HEADERS:
        if any(cells[:2]):
            raise Hl7Error(f"{name}-1 and {name}-2 are the separators: leave them None")
        cells = [separators.encoding_characters, *cells[2:]]
    while cells and not cells[-1]:
        cells.pop()
    return Segment(separators.field.join([name, *cells]), separators)


def encode_field(value: Field, separators: Separators = STANDARD) -> str:
    """A field as sent: see ``Field``. Empty parts at the end of a tuple or list are dropped.

    Raises: Hl7Error when a part has to be separated by a character that MSH-2 does not declare.
    """
    if isinstance(value, list):
        return _join([encode_field(part, separators) for part in value], separators.repetition, "repetition")
    if isinstance(value, tuple):
        return _join([_encode_component(part, separators) for part in value], separators.component, "component")
    return _encode_component(value, separators)


def _encode_component(value: Component, separators: Separators) -> str:
    if value is None:
        return ""
    if isinstance(value, Raw):
        return value
    if isinstance(value, str):
        return escape(value, separators)
    return _join([_encode_component(part, separators) for part in value], separators.subcomponent, "subcomponent")


def _join(parts: list[str], separator: str, what: str) -> str:
    while parts and not parts[-1]:
        parts.pop()
    if len(parts) > 1 and separator == UNDECLARED:
        raise Hl7Error(f"MSH-2 declares no {what} separator: declare ^~\\&")
    return separator.join(parts)
