"""How is one record of LIS02-A2 taken apart into fields, repeats and components, and put together?

Fields are counted with the record letter as field 1; of a header, field 2 is the three characters after the field
delimiter, so that field 3 is the message control ID. What a field holds as sent is kept; escapes are decoded only in
components. Source: LIS02-A2 §5.4 (delimiters), §5.4.5.1 (escape sequences).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from protocols.errors import RecordError

Value = str | Sequence[str] | Sequence[Sequence[str]]
"""A field to write: its text, or its components, or its repeats with components each."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The four characters that a header declares for its message."""

    field: str
    repeat: str
    component: str
    escape: str

    @staticmethod
    def of_header(record: str) -> "Delimiters":
        """The delimiters that a header record declares in the characters after its H.

        Raises:
            RecordError: too few characters, or a definition that could only split the message wrongly.
        """
        declared = record[1:5]
        if record[:1] not in ("H", "h") or len(declared) < 4:
            raise RecordError(
                f"header {record[:12]!r} does not declare four delimiters: expected H and, for example, |\\^&"
            )
        delimiters = Delimiters(*declared)
        delimiters.check(record[:12])
        if record[5:6] not in ("", delimiters.field):
            raise RecordError(
                f"header {record[:12]!r}: {record[5]!r} stands where {delimiters.field!r} has to end the delimiter "
                "definition: correct the sender, or name the delimiters for this link"
            )
        return delimiters

    def check(self, where: str) -> None:
        """Refuse delimiters that could not be told from content or from each other.

        Raises:
            RecordError: naming the characters at fault. Source: LIS02-A2 §5.4 (no alphanumerics), §5.1 (characters).
        """
        four = self.field + self.repeat + self.component + self.escape
        unfit = [
            character for character in four if character.isalnum() or character.isspace() or not character.isprintable()
        ]
        if unfit:
            raise RecordError(
                f"{where!r}: {unfit[0]!r} cannot be a delimiter: correct the sender, or name the delimiters for this link"
            )
        if len(set(four)) < 4:
            raise RecordError(
                f"bad delimiter definition {where!r}: one character has two meanings in {four!r}: "
                "correct the sender, or name the delimiters for this link"
            )

    def __str__(self) -> str:
        return self.field + self.repeat + self.component + self.escape


STANDARD: Final = Delimiters("|", "\\", "^", "&")
"""Those of the examples in LIS02-A2 §5.4, which most analyzers use."""


class Record:
    """One record as sent, without its CR; split when asked.

    A plain class with slots, not a dataclass: a message makes sixty of them, and the fields are cut on first use and kept.
    """

    __slots__ = ("_fields", "delimiters", "text")

    def __init__(self, text: str, delimiters: Delimiters) -> None:
        self.text = text
        self.delimiters = delimiters
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"Record({self.text!r}, {self.delimiters!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and (self.text, self.delimiters) == (other.text, other.delimiters)

    def __hash__(self) -> int:
        return hash((self.text, self.delimiters))

    @property
    def raw(self) -> str:
        """The record as sent."""
        return self.text

    @property
    def fields(self) -> list[str]:
        """Every field as sent, the record letter first."""
        if self._fields is None:
            self._fields = self.text.split(self.delimiters.field)
        return self._fields

    @property
    def type(self) -> str:
        """The record letter, which may be sent in lower case (LIS02-A2 §5.5.1); the whole first field if it is longer."""
        return self.text.partition(self.delimiters.field)[0].upper()

    def field(self, number: int) -> str:
        """A field as sent; empty beyond the end. Field 1 is the record letter."""
        fields = self._fields or self.fields
        return fields[number - 1] if 1 <= number <= len(fields) else ""

    def repeats(self, number: int) -> list[str]:
        """The repeats of a field as sent, at least one; the delimiters in a header are no repeats."""
        field = self.field(number)
        if self.delimiters.repeat not in field or (number == 2 and self.type == "H"):
            return [field]
        return field.split(self.delimiters.repeat)

    def components(self, number: int, repeat: int = 1) -> list[str]:
        """The components of one repeat of a field, with escape sequences decoded; empty for a repeat beyond the end."""
        repeats = self.repeats(number)
        if not 1 <= repeat <= len(repeats):
            return []
        if number == 2 and self.type == "H":
            return repeats
        delimiters, text = self.delimiters, repeats[repeat - 1]
        if delimiters.escape not in text:
            return text.split(delimiters.component)
        return [unescape(part, delimiters) for part in text.split(delimiters.component)]

    def component(self, number: int, component: int, repeat: int = 1) -> str:
        """One component of a field, with escape sequences decoded; empty beyond the end."""
        components = self.components(number, repeat)
        return components[component - 1] if 1 <= component <= len(components) else ""


@lru_cache(maxsize=64)
def _sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}(?:([FSREHN])|X([0-9A-Fa-f]+)){mark}")


def unescape(text: str, delimiters: Delimiters) -> str:
    """Text with its escape sequences decoded.

    Only well-formed sequences: a bare escape character, which some analyzers send in names and comments, stays, and so
    does a local sequence (&Z...&), whose meaning is the manufacturer's. Highlighting is dropped. Hexadecimal data are
    read as ISO 8859-1, an odd number of digits as if led by 0.
    """
    if delimiters.escape not in text:
        return text
    meaning = {"F": delimiters.field, "S": delimiters.component, "R": delimiters.repeat, "E": delimiters.escape}

    def decoded(found: re.Match[str]) -> str:
        letter, digits = found.groups()
        if letter:
            return meaning.get(letter, "")
        return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits).decode("latin-1")

    return _sequences(delimiters.escape).sub(decoded, text)


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape
    named = {delimiters.field: "F", delimiters.component: "S", delimiters.repeat: "R", mark: "E"}
    table = {code: f"{mark}X{code:02X}{mark}" for code in (*range(32), 127)}
    return table | {ord(character): f"{mark}{letter}{mark}" for character, letter in named.items()}


def escape(text: str, delimiters: Delimiters) -> str:
    """Text fit for a component: delimiters and control characters become escape sequences."""
    return text.translate(_escapes(delimiters))


def build(type: str, values: Mapping[int, Value], delimiters: Delimiters = STANDARD) -> str:
    """A record, without its CR: values by field number, from 2 (from 3 for H, whose delimiters come by themselves).

    A text is one component; a sequence of texts are components; a sequence of those are repeats. All are escaped, and
    trailing empty fields are left out.

    Raises:
        RecordError: the type is not a letter, or a number is outside the record.
    """
    if len(type) != 1 or not ("A" <= type <= "Z"):
        raise RecordError(f"record type {type!r}: give one letter, such as R")
    first = 3 if type == "H" else 2
    if any(number < first for number in values):
        raise RecordError(f"field {min(values)} of {type} cannot be chosen: values start with field {first}")
    fields = [type, str(delimiters)[1:]] if type == "H" else [type]
    fields += [""] * (max(values, default=first - 1) - first + 1)
    for number, value in values.items():
        fields[number - 1] = _field(value, delimiters)
    while len(fields) >= first and not fields[-1]:
        fields.pop()
    return delimiters.field.join(fields)


def _field(value: Value, delimiters: Delimiters) -> str:
    if isinstance(value, str):
        return escape(value, delimiters)
    repeats = [[part] if isinstance(part, str) else part for part in value]
    if all(isinstance(part, str) for part in value):
        repeats = [[part for part in value if isinstance(part, str)]]
    return delimiters.repeat.join(
        delimiters.component.join(escape(part, delimiters) for part in repeat) for repeat in repeats
    )
