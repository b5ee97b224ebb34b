"""How does the value of a result travel? OBX-2 names the type, OBX-5 holds it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from decimal import Decimal

from protocols.errors import Hl7Error
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Field, Segment

COMPARATORS = ("", "<", "<=", ">", ">=")
SEPARATORS = ("", "-", ":", "/", "+")
"""What may stand between the two numbers of SN: a range, a titre or ratio, a fraction, a category such as 2+."""
_LONGEST_ST = 199  # 2.5.1 chapter 2.A.75
_LONGEST_NUMBER = 40  # digits: a number that long is a fault, not a result


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number (NM), or one with a comparator or a second number (SN): 5.42, <0.10, 1:10."""

    number: Decimal
    comparator: str = ""
    separator: str = ""
    second: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Words (ST, TX when longer than 199 characters, FT when of several lines)."""

    text: str


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, such as an organism or an answer from a list (CE)."""

    code: Code


@dataclass(frozen=True, slots=True)
class Document:
    """A file inside the message (ED), such as a report in PDF."""

    type: str  # application
    subtype: str  # pdf
    data: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """A value of another type, or one that is not what its type says; as sent. It is read, never written."""

    type: str
    field: str


Value = Numeric | Text | Coded | Document | Unread


def encode(value: Value) -> tuple[str, Field]:
    """OBX-2 and OBX-5.

    Raises: Hl7Error for what is no number, no known comparator, no text, or was not understood when read.
    """
    match value:
        case Numeric(number, "", "", None):
            return "NM", _digits(number)
        case Numeric(number, comparator, separator, second):
            if comparator not in COMPARATORS:
                raise Hl7Error(f"comparator {comparator!r}: use <, <=, > or >=")
            if separator not in SEPARATORS or (second is not None and not separator):
                raise Hl7Error(
                    f"separator {separator!r} of a structured number: use - : / or +, and one when there is a second number"
                )
            return "SN", (comparator, _digits(number), separator, None if second is None else _digits(second))
        case Text(text):
            if not text.strip():
                raise Hl7Error("the text is empty: leave the value out and give status X")
            return "FT" if "\n" in text else "TX" if len(text) > _LONGEST_ST else "ST", text
        case Coded(code):
            if not code.code or not code.system:
                raise Hl7Error("a coded value needs its code and its coding system")
            return "CE", code.components()
        case Document(kind, subtype, data):
            if not kind or not subtype or not data:
                raise Hl7Error("a document needs its type, subtype and content, such as application, pdf and the file")
            return "ED", (None, kind, subtype, "Base64", base64.b64encode(data).decode())
    raise Hl7Error(f"a value of type {value.type} was kept as read and cannot be written: forward the segment instead")


def _digits(number: Decimal) -> str:
    # Refusing float here keeps 0.1 + 0.2 out of a report: a result has the digits that the analyzer gave it.
    if not isinstance(number, Decimal) or not number.is_finite():
        raise Hl7Error(f"{number!r} is not a number to report: give a finite Decimal, or no value and status X")
    if abs(number.adjusted()) + len(number.as_tuple().digits) > _LONGEST_NUMBER:
        raise Hl7Error(f"{number!r} has more than {_LONGEST_NUMBER} digits: check its unit and its decimal separator")
    return f"{number:f}"


def decode(obx: Segment) -> Value | None:
    """The value of an OBX, None when OBX-5 is empty; whatever does not fit its type is kept as Unread."""
    kind, field = obx.component(2), obx.field(5)
    if not field:
        return None
    repeated = len(obx.repetitions(5)) > 1
    value: Value | None = None
    if kind in ("ST", "TX", "FT"):
        lines = [obx.text(5, repetition) for repetition in range(1, len(obx.repetitions(5)) + 1)]
        value = Text("\n".join(lines))
    elif repeated:
        value = None
    elif kind == "NM":
        number = _number(obx.text(5))
        value = None if number is None else Numeric(number)
    elif kind == "SN":
        value = _structured(*(obx.component(5, c) for c in range(1, 5)))
    elif kind in ("CE", "CWE", "CNE"):
        code = Code.read(obx, 5)
        value = None if code is None else Coded(code)
    elif kind == "ED" and obx.component(5, 4) == "Base64":
        value = _document(obx)
    return value if value is not None else Unread(kind, field)


def _structured(comparator: str, first: str, separator: str, second: str) -> Numeric | None:
    number, other = _number(first), _number(second) if second else None
    if number is None or (second and other is None) or comparator not in COMPARATORS or separator not in SEPARATORS:
        return None
    return Numeric(number, comparator, separator, other)


def _number(text: str) -> Decimal | None:
    # Data type NM: sign, digits, one point; no exponent, no comma, no space.
    return Decimal(text) if re.fullmatch(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})", text) else None


def _document(obx: Segment) -> Document | None:
    try:
        data = base64.b64decode(obx.component(5, 5), validate=True)
    except ValueError:  # binascii.Error, and what is not ASCII
        return None
    return Document(obx.component(5, 2), obx.component(5, 3), data)
