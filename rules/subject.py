"""What do the rules know of one result? Its value as an interval, and the patient, ward and specimen as the LIS knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from labmw.model import Case, Sex
from rules.age import Age, age
from rules.interval import Interval, interval

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One case, looked at once for all its rules; None is unknown and stays unknown.

    Sex and age come from the LIS and from nowhere else: analyzers send operators' guesses, and a wrong sex selects a wrong limit.
    """

    case: Case
    value: Interval | None  # None: no number
    unit: str  # "1" where there is none
    sex: str | None
    age: Age | None
    ward: str | None
    specimen: str | None

    @property
    def shown(self) -> str:
        """The value as people read it, unit included: the number where there is one, else the words sent."""
        quantity = self.case.result.quantity
        return str(quantity) if quantity is not None else self.case.result.value

    @property
    def unknown(self) -> str:
        """What is unknown of the patient and the specimen, in the columns' words."""
        return " ".join(name for name in ("sex", "age", "ward", "specimen") if getattr(self, name) is None)


def subject(case: Case) -> Subject:
    """Look at one case."""
    quantity, patient, tube = case.result.quantity, case.patient, case.specimen
    sex = patient.sex.value if patient is not None and patient.sex in (Sex.FEMALE, Sex.MALE) else None
    return Subject(
        case,
        value=None if quantity is None else interval(quantity),
        unit=(quantity.unit if quantity is not None else "") or "1",
        sex=sex,
        age=_age(case),
        ward=(tube.ward or None) if tube is not None else None,
        specimen=(tube.kind or None) if tube is not None else None,
    )


def _age(case: Case) -> Age | None:
    """Age on the day of collection; where that is unknown, on the day of the measurement, which the limits hardly tell apart."""
    if case.patient is None or case.patient.birth is None:
        return None
    moment = (case.specimen.collected if case.specimen is not None else None) or case.result.completed or case.now
    on: date | None = moment.date() if moment is not None else None
    return None if on is None else age(case.patient.birth, on)


@dataclass(frozen=True, slots=True)
class Scope:
    """For which wards or analyzers something holds; empty is for all."""

    wards: frozenset[str] = frozenset()
    drivers: frozenset[str] = frozenset()

    def holds(self, one: Subject, *, unknown: bool) -> bool:
        """True when the subject is inside; `unknown` is the answer where the ward or the driver is not known."""
        return _in(self.wards, one.ward, unknown) and _in(self.drivers, one.case.result.driver or None, unknown)


def _in(names: frozenset[str], name: str | None, unknown: bool) -> bool:
    return not names or (unknown if name is None else name in names)
