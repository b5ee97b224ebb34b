"""What does a driver say about its family of analyzers? Values only; where a branch is needed, one pure function beside them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from protocols.astm.tolerance import STRICT, Tolerances

from labmw.model import Flag
from labmw.quantity import PLAIN, NumberFormat

DetailRule = Callable[[str], tuple[str, str, str]]
"""Splits a raw test field into (code, detail, analyte)."""


class Evidence(enum.IntEnum):
    """What proves a driver, weakest first; the suite checks the claim."""

    UNVERIFIED = 0
    MANUAL = 1
    CAPTURE = 2
    BENCH = 3
    ROUTINE = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a message: record letter, field (the letter is field 1), component and repeat (1-based; 0 = the whole field)."""

    record: str
    field: int
    component: int = 0
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Test:
    """One test code of the analyzer: what it measures (LOINC) and the UCUM unit its numbers are in.

    `unit` is the UCUM unit the analyzer's unit field must stand for; "" when the analyzer sends none for this test. `also` are
    further UCUM units the same LOINC code allows. `text` is True for qualitative tests, whose value is words. `decimal_unit` is
    not a conversion: labmw never converts between the analyzer and the LIS.
    """

    __test__ = False  # not a pytest class

    loinc: str
    unit: str = ""
    also: tuple[str, ...] = ()
    name: str = ""
    text: bool = False
    index: Literal["", "H", "I", "L"] = ""  # a serum index, not a test
    values: tuple[str, ...] = ()  # the words a qualitative test may send; any other word is quarantined


@dataclass(frozen=True, slots=True)
class Control:
    """How the family marks quality-control runs; a match with a registered material is still asked for (labmw.lab)."""

    processing_id: bool = True  # H.12 = Q
    action: bool = True  # O.12 = Q
    specimen: str = ""  # regular expression on the specimen identifier
    descriptor: str = ""  # regular expression on O.16


@dataclass(frozen=True, slots=True)
class Driver:
    """Everything labmw knows about one family of analyzers (house §5).

    `recognises` is a regular expression searched in the sender field (H.5 or MSH-3/4) written as sent; "" for a family whose header names
    nobody, which must then be chosen by the link or by `--driver`. `main` and `split` are the pure functions of families whose details share a
    code with the result. `units` are unit strings of this family beyond the common aliases, each with its UCUM code.
    """

    name: str
    recognises: str = ""
    protocol: Literal["astm", "hl7"] = "astm"
    maker: str = ""
    models: tuple[str, ...] = ()
    version: str = "1"
    evidence: Evidence = Evidence.UNVERIFIED
    specimen: Field = Field("O", 3, 1)
    test: Field = Field("R", 3, 4)
    value: Field = Field("R", 4)
    unit: Field = Field("R", 5)
    range: Field = Field("R", 6)
    flag: Field = Field("R", 7)
    status: Field = Field("R", 9)
    operator: Field = Field("R", 11)
    completed: Field = Field("R", 13)
    instrument: Field = Field("R", 14)
    serial: Field | None = None
    software: Field | None = None
    ordered: Field = Field("O", 5, 4)
    query: Field = Field("Q", 3, 2)  # the specimen identifier in a query
    run: Field | None = None
    value_or: Field | None = (
        None  # read instead where `value` is empty (words in one component, the number in the next)
    )
    tests: Mapping[str, Test] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, Flag] = field(default_factory=dict)
    flag_separator: str = ""  # several letters in one flag field, beside repeats
    no_value: frozenset[str] = (
        frozenset()
    )  # texts that say there is no value: the result is kept, and quarantined as not measured
    numbers: NumberFormat = PLAIN
    encoding: str = "latin-1"
    tolerances: Tolerances = STRICT
    control: Control = Control()
    split: DetailRule | None = None
    main: Callable[[str, str, str], bool] | None = None  # (code, detail, status) -> is this the reportable result
    accepts_status: frozenset[str] = frozenset({"F", "V", "R", "C", "W", "P", ""})
    preliminary: frozenset[str] = frozenset(
        {"P", "W", "S", "I"}
    )  # statuses held for review, never released automatically
    file: str = ""  # where it was found; filled by the registry
