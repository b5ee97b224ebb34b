"""How are codes, identifiers, names and organisations laid out in components? The HL7 2.5.1 data types labmw writes.

Each value knows its components in the order of the standard (``components``) and how to be read back (``read``). Reading
takes what labmw writes; components beyond those are left in the segment.

An analyzer repeats itself: the same codes, units, devices and operators in every message. What a short field says is kept, and the next one with
the same text, separators and character set is the same value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from protocols.hl7.segment import Component, Segment
from protocols.hl7.separators import Separators

T = TypeVar("T")

LONGEST_KEPT = 200  # characters of a field whose meaning is kept
_KEPT = 4096  # of them: some hundred codes of a few dozen analyzers
_PLACE = 3  # MSH-1 and MSH-2 are read by themselves; from the third field on all segments are alike


def kept(read: Callable[[Segment, int, int], T]) -> Callable[[Segment, int, int], T]:
    """A way of reading one repetition of a field (0: all of them) that remembers what short fields say; the value must be frozen."""

    @lru_cache(maxsize=_KEPT)
    def remembered(text: str, repetition: int, separators: Separators, encoding: str) -> T:
        return read(Segment(f"ZZZ{separators.field * _PLACE}{text}", separators, encoding), _PLACE, repetition)

    def reading(segment: Segment, n: int, repetition: int) -> T:
        cells = segment.fields
        text = cells[n] if n < len(cells) else ""
        if n < _PLACE or len(text) > LONGEST_KEPT:
            return read(segment, n, repetition)
        return remembered(text, repetition, segment.separators, segment.encoding)

    return reading


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value with its local alternate (CE): ``14749-6^Glucose^LN^GLU^Glucose^99LAB``."""

    code: str
    text: str = ""
    system: str = ""  # table 0396: LN, UCUM, SCT, HL70487, 99xxx for local ones
    local_code: str = ""
    local_text: str = ""
    local_system: str = ""

    def components(self) -> tuple[Component, ...]:
        """CE-1 to CE-6."""
        return self.code, self.text, self.system, self.local_code, self.local_text, self.local_system

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> Code | None:
        """The code in field n, None when it is empty."""
        return _code(segment, n, repetition)


@dataclass(frozen=True, slots=True)
class EntityId:
    """A number and who gave it (EI): order numbers, serial numbers, profiles."""

    id: str
    authority: str = ""
    universal_id: str = ""
    universal_type: str = ""  # ISO for an OID

    def components(self) -> tuple[Component, ...]:
        """EI-1 to EI-4."""
        return self.id, self.authority, self.universal_id, self.universal_type

    def subcomponents(self) -> tuple[str, ...]:
        """The same inside one component, as specimen ids (EIP) want it."""
        return self.id, self.authority, self.universal_id, self.universal_type

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> EntityId | None:
        """The number in field n, None when it is empty."""
        parts = segment.parts(n, 4, repetition)
        return cls(*parts) if any(parts) else None

    @classmethod
    def read_inside(cls, segment: Segment, n: int, c: int) -> EntityId | None:
        """The number in component c of field n, None when it is empty."""
        parts = [segment.component(n, c, s) for s in range(1, 5)]
        return cls(*parts) if any(parts) else None


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier of a patient, its authority and its type (CX): PI local, INS national, AN of the stay."""

    id: str
    authority: str = ""
    universal_id: str = ""
    universal_type: str = ""
    type: str = ""  # table 0203

    def components(self) -> tuple[Component, ...]:
        """CX-1, CX-4, CX-5; the check digit belongs to the id, CX-7 and CX-8 stay empty (France, INS)."""
        return self.id, None, None, (self.authority, self.universal_id, self.universal_type), self.type

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> Identifier | None:
        """The identifier in field n, None when it is empty."""
        value = segment.component(n, repetition=repetition)
        authority, universal_id, universal_type = (segment.component(n, 4, s, repetition) for s in range(1, 4))
        kind = segment.component(n, 5, repetition=repetition)
        return (
            cls(value, authority, universal_id, universal_type, kind)
            if value or authority or universal_id or kind
            else None
        )


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name (XPN); type L is the legal or birth name, D the used one, S a pseudonym, U unspecified."""

    family: str
    given: str = ""
    further: str = ""  # in France all given names of the birth record
    suffix: str = ""
    prefix: str = ""
    degree: str = ""
    type: str = "L"  # table 0200

    def components(self) -> tuple[Component, ...]:
        """XPN-1 to XPN-7."""
        return self.family, self.given, self.further, self.suffix, self.prefix, self.degree, self.type

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> PersonName | None:
        """The name in field n, None when no name is there."""
        parts = segment.parts(n, 7, repetition)
        return cls(*parts) if any(parts[:6]) else None


@dataclass(frozen=True, slots=True)
class Person:
    """A professional with his or her number (XCN): prescriber, biologist, technician."""

    id: str
    family: str = ""
    given: str = ""
    further: str = ""
    suffix: str = ""
    prefix: str = ""
    degree: str = ""
    authority: str = ""
    universal_id: str = ""
    universal_type: str = ""
    name_type: str = ""
    id_type: str = ""  # RPPS for a French professional

    def components(self) -> tuple[Component, ...]:
        """XCN-1 to XCN-7, 9, 10 and 13."""
        name = (self.id, self.family, self.given, self.further, self.suffix, self.prefix, self.degree)
        authority = (self.authority, self.universal_id, self.universal_type)
        return (*name, None, authority, self.name_type, None, None, self.id_type)

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> Person | None:
        """The person in field n, None when it is empty."""
        return _person(segment, n, repetition)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A laboratory with its number (XON)."""

    name: str
    name_type: str = ""
    authority: str = ""
    universal_id: str = ""
    universal_type: str = ""
    id_type: str = ""  # FINEG for a French FINESS number
    id: str = ""

    def components(self) -> tuple[Component, ...]:
        """XON-1, 2, 6, 7 and 10."""
        authority = (self.authority, self.universal_id, self.universal_type)
        return self.name, self.name_type, None, None, None, authority, self.id_type, None, None, self.id

    @classmethod
    def read(cls, segment: Segment, n: int, repetition: int = 1) -> Organisation | None:
        """The organisation in field n, None when it is empty."""
        name = [segment.component(n, c, repetition=repetition) for c in (1, 2)]
        authority = [segment.component(n, 6, s, repetition) for s in range(1, 4)]
        ids = [segment.component(n, c, repetition=repetition) for c in (7, 10)]
        return cls(*name, *authority, *ids) if any((*name, *authority, *ids)) else None


@kept
def _code(segment: Segment, n: int, repetition: int) -> Code | None:
    parts = segment.parts(n, 6, repetition)
    return Code(*parts) if any(parts) else None


@kept
def _person(segment: Segment, n: int, repetition: int) -> Person | None:
    name = segment.parts(n, 7, repetition)
    authority = [segment.component(n, 9, s, repetition) for s in range(1, 4)]
    kinds = [segment.component(n, c, repetition=repetition) for c in (10, 13)]
    return Person(*name, *authority, *kinds) if any((*name, *authority, *kinds)) else None
