"""The nouns of the laboratory, as frozen values: patient, specimen, order, result, alert, verdict."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from labmw.frozen import value
from labmw.quantity import Quantity


class Flag(enum.StrEnum):
    """What an analyzer says beside a value, in labmw's words; each driver maps its own letters to these."""

    LOW = "low"
    HIGH = "high"
    CRITICAL_LOW = "critical-low"
    CRITICAL_HIGH = "critical-high"
    BELOW_RANGE = "below-range"  # below what the instrument can measure
    ABOVE_RANGE = "above-range"
    ABNORMAL = "abnormal"
    NORMAL = "normal"
    INSTRUMENT_ERROR = "instrument-error"  # the measurement itself is in doubt
    CLOT = "clot"
    SHORT_SAMPLE = "short-sample"
    HAEMOLYSIS = "haemolysis"
    ICTERUS = "icterus"
    LIPAEMIA = "lipaemia"
    DILUTED = "diluted"
    RERUN = "rerun"
    CALIBRATION = "calibration"
    QC = "qc"  # the instrument's own quality control is out
    REVIEW = "review"  # the instrument asks for a person
    UNKNOWN = "unknown"  # a letter the driver does not map: never ignored


class Disposition(enum.StrEnum):
    """What became of a message or a result on its way in."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class VerdictLevel(enum.IntEnum):
    """How far a result may go without a person; the most severe wins (spec: rules §5.3)."""

    RELEASE = 0
    COMMENT = 1
    REVIEW = 2
    HOLD = 3
    BLOCK = 4


class Sex(enum.StrEnum):
    """Administrative sex as HL7 table 0001 and LIS02-A2 P.9 write it."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Patient:
    """A person as the LIS knows them; the analyzer's own idea of sex or age is never used."""

    site: str
    identifier: str
    family: str = ""
    given: str = ""
    birth: date | None = None
    sex: Sex = Sex.UNKNOWN
    pid: str = ""  # the PID segment as received, kept whole


@dataclass(frozen=True, slots=True)
class Specimen:
    """A tube: its identifier is only unique within a site, a validity window and a tube type (law 6)."""

    site: str
    identifier: str
    patient: str
    kind: str = ""  # specimen type as ordered: SER, PLAS, EDTA ...
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    collected: datetime | None = None
    ward: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One test asked for on one specimen."""

    site: str
    specimen: str
    loinc: str
    placer: str = ""
    filler: str = ""
    priority: str = "R"
    ordered: datetime | None = None


@value
class ResultKey:
    """The one identity of a result (law 5). "Lost" and "twice" are defined by it.

    `analyzer` is the serial number where the analyzer gives one, else the name of its link. `detail` tells two values under
    one test apart (LOG, Ct). `completed` is the analyzer's own text for the completion time, not a reading of it.
    """

    site: str
    analyzer: str
    specimen: str
    code: str
    detail: str
    run: str
    completed: str

    def text(self) -> str:
        """One line that two equal keys share and two different keys never do (separator 0x1F cannot occur in a field)."""
        return "\x1f".join((self.site, self.analyzer, self.specimen, self.code, self.detail, self.run, self.completed))


@dataclass(frozen=True, slots=True)
class Result:
    """One value of one test, as an analyzer sent it and as its driver read it."""

    key: ResultKey
    value: str  # the text as sent, after the component was chosen and escapes decoded
    quantity: Quantity | None  # the number it stands for, with comparator and UCUM unit; None for a text result
    unit_raw: str = ""
    loinc: str = ""
    test_name: str = ""
    range_raw: str = ""
    flags_raw: str = ""
    flags: frozenset[Flag] = frozenset()
    status: str = ""
    operator: str = ""
    completed: datetime | None = None
    main: bool = True  # False for a detail (Ct, log value, index): kept and shown, never reported on its own
    index: str = ""  # "H", "I" or "L" when this is a serum index and not a test
    comments: tuple[str, ...] = ()
    driver: str = ""
    driver_version: str = ""
    mapping_version: str = ""
    software: str = ""  # the analyzer's software version, where it says
    problem: str = ""  # a reason code of labmw.reasons: why this result goes to quarantine; "" when it does not


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is not a release: a code of the catalogue and the values to fill its sentence with."""

    code: str
    level: VerdictLevel
    rule: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    scope: str = "result"  # result, panel, sample, visit: how far it reaches beyond this result
    panel: tuple[str, ...] = ()  # LOINC codes that a reason of scope "panel" reaches


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule asks to be done beside its verdict; carried out once for each tube, whoever asks again."""

    kind: str  # rerun, dilute, reflex, add-on, comment, route, call
    target: str
    rule: str
    pack: str
    agreed: bool = True  # False: it adds to the prescription and no signed protocol says so: a person is asked
    protocol: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one result, with everything needed to explain it years later."""

    level: VerdictLevel
    reasons: tuple[Reason, ...]
    packs: tuple[str, ...]  # "id@version#hash" of every pack that judged
    trace: tuple[tuple[str, str, str], ...] = ()  # (rule, outcome fired|passed|unknown|exempt, detail with values)
    comments: tuple[str, ...] = ()
    actions: tuple[Asked, ...] = ()

    @property
    def released(self) -> bool:
        """True when the result may leave without a person."""
        return self.level <= VerdictLevel.COMMENT


@dataclass(frozen=True, slots=True)
class Previous:
    """An earlier result of the same patient and test: what delta checks compare with."""

    quantity: Quantity
    completed: datetime
    analyzer: str = ""
    method: str = ""
    laboratory: str = ""


@dataclass(frozen=True, slots=True)
class HilIndices:
    """Serum indices of one specimen on one analyzer; None when not measured (which is not the same as zero)."""

    haemolysis: Decimal | None = None
    icterus: Decimal | None = None
    lipaemia: Decimal | None = None
    beyond: frozenset[str] = frozenset()  # the names of those that were sent as `>500`: more than the number


@dataclass(frozen=True, slots=True)
class Module:
    """What is known of the part of the analyzer that measured, and of the reagent it used; None or "" is not known."""

    name: str = ""
    qc: str = ""  # ok, warning or failed: what quality control said last for this test
    qc_at: datetime | None = None
    calibrated: datetime | None = None
    reagent_lot: str = ""
    reagent_expires: datetime | None = None
    reagent_opened: datetime | None = None
    reagent_accepted: bool | None = None  # the comparison of a new lot with the one before is signed
    average: str = ""  # ok or alarm: the moving average of patients for this test
    reagent_partly: bool = False  # several reagents measured, and what is said above is not known of each


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the rules may look at for one result; what is unknown is None and stays unknown."""

    result: Result
    patient: Patient | None
    specimen: Specimen | None
    history: tuple[Previous, ...] | None = None  # None: history could not be asked; (): asked, nothing there
    indices: HilIndices | None = None
    terminated: bool = True
    now: datetime | None = None
    siblings: tuple[Result, ...] = field(default=())  # the other results of this specimen known so far
    method: str = ""  # how this result was measured, where known: delta checks stay within one method
    laboratory: str = ""  # and within one laboratory
    earlier_runs: int = 0  # of this test on this specimen: a rerun is never released without confirmation
    runs: tuple[Result, ...] = ()  # those earlier runs themselves, oldest first, as far as they are known
    panel_history: tuple[tuple[str, Previous], ...] | None = (
        None  # earlier results of the patient's other tests, by LOINC code
    )
    said_before: tuple[tuple[str, datetime], ...] | None = None  # what this test said in words before, newest first
    module: Module | None = None
    ordered: frozenset[str] | None = None  # LOINC codes asked for on this specimen
    received: datetime | None = None  # when the first result of this specimen came
    mode: str = ""  # how the laboratory is staffed now, in its own words: day, night, on-call
