"""What does a driver say about its family of analyzers? Values only; where a branch is needed, one pure function beside them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from labmw.driver.ordering import OrderDialect
from labmw.model import Flag
from labmw.quantity import PLAIN, NumberFormat
from labmw.tube_form import AS_WRITTEN, TubeForm
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.hl7.asking import AskingDialect


class Evidence(enum.IntEnum):
    """What proves a driver, weakest first; the suite checks the claim."""

    UNVERIFIED = 0
    RESTATED = (
        1  # a document as others restate it, or messages that others quote: not counted as proven (decision 0094)
    )
    MANUAL = 2
    CAPTURE = 3
    BENCH = 4
    ROUTINE = 5


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a message: record letter or segment name, field, component (1-based; 0 = the whole field) and repeat.

    Fields are counted as each standard does: the letter of an ASTM record is its field 1, the name of an HL7 segment its field 0. `bare`: an
    ASTM field without any component delimiter is taken whole (`ABO` beside `^^^ABO`). `sub` is the subcomponent, which HL7 alone has.
    """

    record: str
    field: int
    component: int = 0
    repeat: int = 1
    bare: bool = False
    sub: int = 1


@dataclass(frozen=True, slots=True)
class TestId:
    """What a universal test identifier (R.3) names, taken apart by the family's rule.

    `key` is looked up in the driver's tests; `analyte` and `detail` tell several values under one code apart (a target, its Ct, its
    logarithm); `assay` is the assay's own name. `main` False: this can never be the reportable result. `dilution` is what stands there of a
    dilution, as sent; "" where nothing does.
    """

    __test__ = False  # not a pytest class

    code: str
    key: str = ""
    detail: str = ""
    analyte: str = ""
    assay: str = ""
    main: bool = True
    dilution: str = ""


SplitRule = Callable[[tuple[str, ...]], TestId]
"""Takes the decoded components of R.3 (or OBX-3) apart."""


class Measure(NamedTuple):
    """What a value text holds in a family that puts more than a number into it.

    `text` is the number or the word to be read; `unit`, where it stands in the same text, wins over the unit field. `missing`: the text
    says that there is no value.
    """

    text: str = ""
    unit: str = ""
    missing: bool = False


MeasureRule = Callable[[str], Measure]
"""Takes the decoded text of OBX-5 apart."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test code of the analyzer: what it measures (LOINC) and the UCUM unit its numbers are in.

    `unit` is the UCUM unit the analyzer's unit field must stand for; "" when the analyzer sends none for this test. `also` are
    further UCUM units the same LOINC code allows. `text` is True for qualitative tests, whose value is words; `values` are the words
    that this test may send instead of a number, any other word is quarantined. labmw never converts between the analyzer and the LIS.
    """

    __test__ = False  # not a pytest class

    loinc: str  # "" for a serum index alone
    unit: str = ""
    also: tuple[str, ...] = ()
    name: str = ""
    text: bool = False
    index: Literal["", "H", "I", "L"] = ""  # a serum index, not a test
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """How the family marks quality-control runs; a match with a registered material is still asked for (labmw.lab)."""

    processing_id: bool = True  # H.12 = Q
    action: bool = True  # O.12 = Q
    specimen: str = ""  # regular expression on the specimen identifier
    descriptor: str = ""  # regular expression on O.16
    position: str = ""  # regular expression on O.4, the instrument's own specimen field


PRACTICE = frozenset({"T", "D"})
"""LIS02-A2 H.12 and HL7 table 0103: training and debugging. What was measured then is no patient's, whatever tube it names."""

STANDARD_FLAGS: Mapping[str, Flag] = {
    "L": Flag.LOW, "H": Flag.HIGH, "LL": Flag.CRITICAL_LOW, "HH": Flag.CRITICAL_HIGH,
    "<": Flag.BELOW_RANGE, ">": Flag.ABOVE_RANGE, "N": Flag.NORMAL, "A": Flag.ABNORMAL,
}  # fmt: skip
"""LIS02-A2 10.1.7. U, D, B and W (changes since an earlier result) stay unmapped: no family here documents them."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Everything labmw knows about one family of analyzers (house §5).

    `recognises` is a regular expression searched in the sender field as sent (H.5, or MSH-3 "|" MSH-4); "" for a family whose header names
    nobody, which must then be chosen by the link or by `--driver`. `split` and `main` are the pure functions of families whose details share a
    code with the result. `units` are unit strings of this family beyond the common aliases, each with its UCUM code. `details` says, for a
    detail and the UCUM unit beside it, which unit the number is really in: a logarithm never carries the linear unit. `material` are the
    places that tell what was measured, `materials` what the LOINC codes of the tests hold for: a urine value never goes out as serum.
    `undiluted` are the words for a specimen that was not diluted. `diluted` says what stands in R.4 of one that was: "applied", the value of the
    specimen itself, or "raw", that of the dilution; "" where nothing that we read says so, and such a value is for a person.
    """

    name: str
    recognises: str = ""
    protocol: Literal["astm", "hl7", "tags", "stx", "au", "pk", "rapid"] = "astm"
    maker: str = ""
    models: tuple[str, ...] = ()
    version: str = "1"
    evidence: Evidence = Evidence.UNVERIFIED
    specimen: Field = Field("O", 3, 1)
    specimen_or: tuple[Field, ...] = ()  # tried in turn where `specimen` is empty
    tube: TubeForm = AS_WRITTEN  # how the identifier of a tube is written: padded, with a check digit
    test: Field = Field("R", 3, 4)
    value: Field = Field("R", 4)
    value_or: Field | None = (
        None  # read instead where `value` is empty (words in one component, the number in the next)
    )
    unit: Field = Field("R", 5)
    range: Field = Field("R", 6)
    flag: Field = Field("R", 7)
    status: Field = Field("R", 9)
    operator: Field = Field("R", 11)
    completed: Field = Field("R", 13)
    completed_or: Field | None = None  # read instead where `completed` is empty
    instrument: Field = Field("R", 14)
    loinc_sent: Field | None = None  # a LOINC code that the analyzer itself sends; compared, never believed alone
    alarm: Field | None = None  # a code in the comment after a result, looked up in `alarms`
    serial: Field | None = None
    software: Field | None = None
    ordered: Field = Field("O", 5, 4, bare=True)
    query: Field = Field("Q", 3, 2, bare=True)  # the specimen identifier in a query
    orders: OrderDialect | None = (
        None  # how it is told what to do (ASTM); None: nothing that we read says how, and it is told nothing
    )
    run: Field | None = None
    material: tuple[Field, ...] = ()
    materials: frozenset[str] = frozenset()
    tests: Mapping[str, Test] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    powers: bool = False  # a unit 10*n.u multiplies: 130 in 10*2.{copies}/mL are 13000 {copies}/mL
    details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unreported: frozenset[str] = frozenset()  # codes that are kept and shown, and never reported on their own
    flags: Mapping[str, Flag] = field(default_factory=lambda: STANDARD_FLAGS)
    alarms: Mapping[str, Flag] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()  # flag and alarm codes that say nothing
    flag_separator: str = ""  # several letters in one flag field, beside repeats
    mean_flag: str = ""  # marks the mean of replicates under one code; the others are then details
    no_value: frozenset[str] = frozenset()  # texts that say there is no value: kept, and quarantined as not measured
    undiluted: frozenset[str] = frozenset({""})
    diluted: Literal["", "applied", "raw"] = ""
    numbers: NumberFormat = PLAIN
    encoding: str = "latin-1"
    encodings: tuple[str, ...] = ()  # tried first, in this order, for text beyond ASCII; `encoding` when none fits
    tolerances: Tolerances = STRICT
    control: Control = Control()
    practice: bool = (
        True  # H.12 or MSH-11 = T or D is training or debugging; False for a family that writes them of patients too
    )
    split: SplitRule | None = None
    main: Callable[[TestId, str], bool] | None = None  # (test, status) -> is this the reportable result
    accepts_status: frozenset[str] = frozenset({"F", "V", "R", "C", "W", "P", ""})
    preliminary: frozenset[str] = frozenset({"P", "W", "S", "I"})  # held for review, never released automatically
    file: str = ""  # where it was found; filled by the registry
    rivals: tuple[
        str, ...
    ] = ()  # of the reader of an ambiguous sender: the drivers that claim it; filled by the registry
    mapping_version: str = ""  # digest of that file; filled by the registry


@dataclass(frozen=True, slots=True)
class Hl7Driver(Driver):
    """A family that speaks HL7 v2: the places of OUL^R22 and ORU^R01 (2.5.1), and what only segments can say.

    `specimen_or` are tried in turn where `specimen` is empty: SPM-2 first, then the container of SAC. `awos` and `run` are declared by
    families that follow IHE LAW, in which OBR-2 is the manager's identifier and OBX-4 a run; elsewhere OBX-4 tells parts of a result apart.
    `assay`, `analyte` and `detail` are places of families whose details share a code; tests are then looked up as `assay/analyte`, `assay`
    or by their code. A place may be in any segment that is open above the OBX: MSH, PID, SPM, SAC, ORC, OBR or TQ1.
    """

    protocol: Literal["astm", "hl7", "tags", "stx", "au", "pk", "rapid"] = "hl7"
    specimen: Field = Field("SPM", 2, 1)
    specimen_or: tuple[Field, ...] = (Field("SAC", 3, 1), Field("SPM", 2, 2), Field("SAC", 4, 1))
    test: Field = Field("OBX", 3, 1)
    value: Field = Field("OBX", 5)
    unit: Field = Field("OBX", 6, 1)
    range: Field = Field("OBX", 7)
    flag: Field = Field("OBX", 8, 1)
    status: Field = Field("OBX", 11, 1)
    operator: Field = Field("OBX", 16)
    completed: Field = Field("OBX", 19, 1)  # the analysis; OBX-14 is often the collection
    completed_or: Field | None = Field("OBX", 14, 1)
    instrument: Field = Field("OBX", 18)
    ordered: Field = Field("OBR", 4, 1)
    query: Field = Field("QPD", 3, 1)
    awos: Field | None = None
    assay: Field | None = None
    analyte: Field | None = None
    detail: Field | None = None
    marks: tuple[Field, ...] = ()  # further fields whose codes are looked up in `alarms`
    measure: MeasureRule | None = None
    coded: bool = False  # LOINC codes (LN) in OBX-3 and UCUM units in OBX-6 are taken as sent: IHE LAW as it is written
    unreported_types: frozenset[str] = frozenset({"ED", "RP"})  # OBX-2 of what is never a reportable value: pictures
    unreported_orders: frozenset[str] = (
        frozenset()
    )  # OBR-4 of what was computed or typed in: kept and shown, never reported
    utc: bool = False  # date-times are UTC, also those without an offset, which is still to be added (Roche x800, protocol notes C.5)
    accepts_status: frozenset[str] = frozenset({"F", "C"})  # OBX-11, table 0085
    preliminary: frozenset[str] = frozenset({"P"})
    traced: frozenset[str] = frozenset()  # OBX-11 of runs that are no candidates, sent for traceability (R in IHE LAW)
    encoding: str = "utf-8"
    asks: AskingDialect | None = None  # how it asks for the work of a tube, and is answered, where that is not IHE LAW
    order_codes: Mapping[str, str] | None = None  # LOINC: the code ordered; None: the codes of its results
