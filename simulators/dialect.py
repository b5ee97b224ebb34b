"""How does one family of analyzers write? Templates of its records, its test codes and units, as a value; and the writing itself (pure).

A template is a record as it goes over the wire, with the places of the changing texts in braces. What is filled in is escaped with the
delimiters of the header, so that no name can add a field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from protocols.astm.record import Delimiters, escape
from simulators.patients import Person, rounded
from simulators.transmission import SentResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Assay:
    """One test of the family: how it is written, what it measures, and what it is called in an order (LOINC).

    `factor` turns the unit of `simulators.patients.ANALYTES` into `unit`. `written` overrides the test field where it is not `code` alone.
    """

    code: str
    analyte: str
    loinc: str
    unit: str  # as the analyzer writes it
    ucum: str = ""  # what that stands for; used for the earlier results in the work list
    decimals: int = 0
    factor: Decimal = Decimal(1)
    written: str = ""  # the test field of the R record, between the template's own signs
    detail: str = ""
    main: bool = True
    fixed: str = ""  # a text that is always the same, instead of a measured value
    brief: bool = False  # written with the dialect's `brief` template, which carries little more than the value
    normal: tuple[str, str] = ("", "")  # printed limits; a value outside is flagged L or H
    status: str = ""  # where it is not the dialect's

    def value(self, number: Decimal) -> str:
        """Write a number of the analyte as the analyzer prints it."""
        return f"{rounded(number * self.factor, self.decimals):f}"


@dataclass(frozen=True, slots=True)
class Menu:
    """What an analyzer measures, and in which tubes: all that the work list asks of a family."""

    kind: str  # tube type: SER, EDTA ...
    assays: Mapping[str, Assay]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One family of analyzers."""

    name: str
    header: str
    patient: str
    order: str
    result: str
    comment: str
    terminator: str
    brief: str = ""  # template of details that carry little more than a value
    alarm: str = ""  # text of a comment that follows every result; "" for families that send none
    assays: Mapping[str, Assay]
    kind: str  # tube type in the work list: SER, EDTA ...
    order_test: str = "^^^{code}"  # one repeat of the order's test field
    time_format: str = "%Y%m%d%H%M%S"
    encoding: str = "latin-1"
    decimal_mark: str = "."
    packing: str = "record"
    frame_text: int = 240
    status: str = "F"
    flags: Mapping[str, str] = field(default_factory=lambda: {"L": "L", "H": "H", "": "N"})
    # where a reader of captures finds what was sent: (record letter, field, component; 0 is the whole field)
    specimen_at: tuple[str, int, int] = ("O", 3, 1)
    code_at: tuple[int, int] = (3, 4)
    detail_at: tuple[int, int] = (0, 0)
    value_at: tuple[int, int] = (4, 0)
    completed_at: tuple[tuple[str, int], ...] = (("R", 13), ("R", 12), ("O", 23))
    query: tuple[
        str, ...
    ] = ()  # the records with which it asks for a tube's work; none for a family that does not ask here
    given_at: tuple[int, int, int] = (
        3,
        1,
        4,
    )  # in an O record of the host: field and component of the specimen, component of O.5
    instrument: Mapping[str, str] = field(
        default_factory=dict
    )  # serial number and the like, filled into every template

    @property
    def delimiters(self) -> Delimiters:
        """Return what the header declares."""
        return Delimiters.of_header(self.header)


@dataclass(frozen=True, slots=True)
class Measured:
    """One value to write: a test of the dialect, or a test field nobody knows."""

    code: str
    value: str
    unit: str
    flag: str = ""
    status: str = ""
    written: str = ""
    detail: str = ""
    main: bool = True
    brief: bool = False
    range: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tube:
    """One specimen on the analyzer."""

    specimen: str
    person: Person | None
    measured: tuple[Measured, ...]
    started: datetime
    completed: datetime
    position: int = 1


def measure(assay: Assay, number: Decimal | str, dialect: Dialect, *, flag: str | None = None) -> Measured:
    """Return a value as this family writes it, flagged against the printed limits unless a flag is given; a text is written as it stands."""
    text = number if isinstance(number, str) else assay.value(number).replace(".", dialect.decimal_mark)
    if flag is None:
        flag = "" if isinstance(number, str) else _flag(Decimal(assay.value(number)), assay.normal)
    return Measured(
        code=assay.code,
        value=text,
        unit=assay.unit,
        flag=dialect.flags.get(flag, flag),
        status=assay.status or dialect.status,
        written=assay.written or assay.code,
        detail=assay.detail,
        main=assay.main,
        brief=assay.brief,
        range=" to ".join(assay.normal) if all(assay.normal) else "",
        comments=(dialect.alarm,) if dialect.alarm else (),
    )


def _flag(number: Decimal, normal: tuple[str, str]) -> str:
    low, high = normal
    if low and number < Decimal(low):
        return "L"
    return "H" if high and number > Decimal(high) else ""


def write(dialect: Dialect, tube: Tube, *, at: datetime, terminated: bool = True) -> tuple[bytes, ...]:
    """Write one message: header, patient, order, results with their comments, terminator; each record ends with CR."""
    marks = dialect.delimiters
    who = tube.person
    facts = {
        **dialect.instrument,
        "at": at.strftime(dialect.time_format),
        "started": tube.started.strftime(dialect.time_format),
        "completed": tube.completed.strftime(dialect.time_format),
        "specimen": tube.specimen,
        "position": str(tube.position),
        "patient": who.identifier if who else "",
        "family": who.family if who else "",
        "given": who.given if who else "",
        "birth": who.birth.strftime("%Y%m%d") if who else "",
        "sex": who.sex if who else "",
    }
    facts = {name: escape(text, marks) for name, text in facts.items()}
    tests = marks.repeat.join(
        dialect.order_test.format(code=code) for code in dict.fromkeys(one.code for one in tube.measured)
    )
    records = [dialect.header.format(**facts), dialect.patient.format(n=1, **facts)]
    records.append(dialect.order.format(n=1, tests=tests, **facts))
    for number, one in enumerate(tube.measured, 1):
        cells = {
            name: escape(text, marks)
            for name, text in (("value", one.value), ("unit", one.unit), ("flag", one.flag), ("range", one.range))
        }
        template = dialect.brief if one.brief else dialect.result
        records.append(template.format(n=number, written=one.written, status=one.status, **cells, **facts))
        records += [dialect.comment.format(n=n, text=escape(text, marks)) for n, text in enumerate(one.comments, 1)]
    if terminated:
        records.append(dialect.terminator)
    return tuple(f"{record}\r".encode(dialect.encoding) for record in records)


def question(dialect: Dialect, tube: Tube) -> tuple[bytes, ...]:
    """Write the query with which the analyzer asks for a tube's work; each record ends with CR."""
    facts = {"specimen": escape(tube.specimen, dialect.delimiters), "position": str(tube.position)}
    return tuple(f"{record.format(**facts)}\r".encode(dialect.encoding) for record in dialect.query)


def sent(dialect: Dialect, tube: Tube) -> tuple[SentResult, ...]:
    """Return what a message of this tube says, for the count."""
    completed = tube.completed.strftime(dialect.time_format)
    return tuple(
        SentResult(tube.specimen, one.code, one.detail, one.value, one.unit, "" if one.brief else completed, one.main)
        for one in tube.measured
    )


def orders(menu: Menu | Dialect, codes: Sequence[str]) -> list[str]:
    """Return the LOINC codes to order so that these test codes are expected; unknown codes, details and indices cannot be ordered."""
    wanted = (menu.assays[code] for code in codes if code in menu.assays)
    return list(dict.fromkeys(assay.loinc for assay in wanted if assay.main and assay.loinc))
