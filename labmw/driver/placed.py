"""Which fields of a record has this driver a place for? What it leaves alone is kept with the message and read by nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Final

from labmw.driver.declaration import Driver, Field, Hl7Driver

_ALWAYS: Final[Mapping[str, frozenset[int]]] = {
    "H": frozenset({1, 2, 3, 5, 10, 12, 13, 14}),
    "P": frozenset({1, 2, 3, 4, 5, 6, 8, 9}),
    "O": frozenset({1, 2, 3, 4, 5, 6, 12, 16, 26}),
    "R": frozenset({1, 2}),
    "C": frozenset({1, 2, 3, 4, 5}),
    "Q": frozenset({1, 2, 3, 4, 5, 13}),
    "L": frozenset({1, 2, 3}),
}
"""What labmw.driver.astm reads of every family, by LIS02-A2 field number."""
_SEGMENTS: Final[Mapping[str, frozenset[int]]] = {
    "PID": frozenset({1, 2, 3, 5, 7, 8}),
    "SPM": frozenset({1, 2, 4, 11}),
    "SAC": frozenset({3, 4, 10, 11, 13, 14}),
    "ORC": frozenset({1, 2, 3, 5, 8}),
    "OBR": frozenset({1, 2, 3, 4, 7, 11}),
    "OBX": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 19, 29}),
    "TQ1": frozenset({1, 9}),
}
"""What labmw.driver.hl7 reads of every family, by HL7 field number."""
_WHOLE: Final = frozenset({"MSH", "QPD", "RCP", "MSA", "ERR", "INV", "NTE", "QAK", "EQU"})


def kept_whole(kind: str) -> bool:
    """Whether a record is kept and shown as it is: what it holds is the manufacturer's business (M), or nobody's here (S)."""
    return kind in {"M", "S"}


def fields_read(driver: Driver, kind: str) -> frozenset[int] | None:
    """The numbers of the fields of a record (or segment) that are read; None where all of them are. Empty: nothing of it has a place."""
    if isinstance(driver, Hl7Driver):
        if kind in _WHOLE:
            return None
        known = _SEGMENTS.get(kind)
    else:
        known = _ALWAYS.get(kind)
    if known is None:
        return frozenset()
    return known | {place.field for place in _places(driver) if place.record == kind}


def _places(driver: Driver) -> Iterator[Field]:
    """Every place that a driver declares."""
    for one in fields(driver):
        value = getattr(driver, one.name)
        if isinstance(value, Field):
            yield value
        elif isinstance(value, tuple):
            yield from (place for place in value if isinstance(place, Field))
