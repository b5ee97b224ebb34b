"""Which samples does a scenario bring, and as which messages? Everything follows from the seed and the moment the morning begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from simulators import recorded
from simulators.analyzers import DIALECTS
from simulators.dialect import Assay, Dialect, Measured, Tube, measure, question, sent, write
from simulators.patients import Body, Person, person
from simulators.scenario import AnalyzerTable, Expected, Planted, Scenario
from simulators.transmission import HangUp, SentResult, Transmission

BETWEEN = timedelta(seconds=75)  # two samples of one analyzer
MEASURING = timedelta(minutes=9)
_PRINTING = timedelta(seconds=12)
NOTHING = Planted(case="")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier result of a patient."""

    code: str
    number: Decimal
    completed: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """One specimen of the morning, for the work list."""

    analyzer: str
    dialect: str
    specimen: str
    person: Person
    codes: tuple[str, ...]  # keys of the dialect's assays
    completed: datetime | None  # None: when, only the capture knows
    ordered: bool = True
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class PlantedCase:
    """A planted case as it was sent, and where it must end."""

    case: str
    analyzer: str
    specimen: str
    results: tuple[SentResult, ...]
    expect: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What one analyzer will do."""

    table: AnalyzerTable
    transmissions: tuple[Transmission, ...]
    samples: tuple[Sample, ...]
    planted: tuple[PlantedCase, ...]


def morning(scenario: Scenario, now: datetime) -> list[Work]:
    """Lay out the whole morning; raises SimulatorError when a capture cannot be read."""
    begin = begin_of(scenario, now)
    people = People(scenario.seed, begin)
    return [_work(scenario, index, begin, people) for index in range(len(scenario.analyzer))]


def begin_of(scenario: Scenario, now: datetime) -> datetime:
    """When the first sample of the morning was on its way, in the laboratory's own time."""
    zone = ZoneInfo(scenario.timezone)
    return (now - timedelta(hours=scenario.hours_ago)).astimezone(zone).replace(microsecond=0)


class People:
    """The patients of the morning: the same tube number on two analyzers belongs to the same person, with one body."""

    def __init__(self, seed: int, begin: datetime) -> None:
        self._seed, self._begin = seed, begin
        self._bodies: dict[int, Body] = {}

    def person(self, number: int) -> Person:
        """Patient number so-and-so."""
        return person(Random(f"{self._seed}/person/{number}"), number, self._begin.date())  # noqa: S311 - repeatable on purpose

    def body(self, number: int) -> Body:
        """His or her values this morning."""
        if number not in self._bodies:
            self._bodies[number] = Body(Random(f"{self._seed}/body/{number}"), self.person(number))  # noqa: S311 - as above
        return self._bodies[number]


def _work(scenario: Scenario, index: int, begin: datetime, people: People) -> Work:
    table = scenario.analyzer[index]
    dialect = DIALECTS[table.dialect]
    transmissions: list[Transmission] = []
    samples: list[Sample] = []
    planted: list[PlantedCase] = []
    if table.capture is not None:
        path = recorded.find(table.capture.corpus, table.capture.otherwise, table.capture.file)
        transmissions += recorded.transmissions(path.name, recorded.load(path), dialect, table.start)
        results = [one for sent_ in transmissions for one in sent_.results]
        for place, specimen in enumerate(dict.fromkeys(one.specimen for one in results)):
            number = 900 + 10 * index + place
            codes = tuple(dict.fromkeys(one.code for one in results if one.specimen == specimen))
            samples.append(Sample(table.name, dialect.name, specimen, people.person(number), codes, None))
    for place, case in enumerate(_lined_up(table)):
        number = place + 1
        random = Random(f"{scenario.seed}/{table.name}/{number}")  # noqa: S311 - repeatable on purpose
        completed = begin + MEASURING + BETWEEN * number
        specimen = f"{begin:%y%m%d}{index + 1}{number:03d}"
        who, body = people.person(number), people.body(number)
        codes = tuple(case.tests or table.tests or dialect.assays)
        measured = _measured(dialect, codes, body, case)
        tube = Tube(specimen, who, measured, completed - MEASURING, completed, number)
        think = table.think + (0 if transmissions else table.start)
        transmissions += _transmissions(dialect, tube, case, f"{table.name}/{number}", think, asks=table.asks)
        before = earlier(dialect.assays, codes, body, case.before, random, table.history, completed)
        samples.append(Sample(table.name, dialect.name, specimen, who, codes, completed, case.ordered, before))
        if case.case:
            planted.append(PlantedCase(case.case, table.name, specimen, sent(dialect, tube), tuple(case.expect)))
    return Work(table, tuple(transmissions), tuple(samples), tuple(planted))


def _lined_up(table: AnalyzerTable) -> list[Planted]:
    """Put the planted samples among the plain ones: at their place, or spread evenly."""
    line = [NOTHING] * table.samples
    step = max(1, len(line) // (len(table.planted) + 1)) if table.planted else 1
    for count, case in enumerate(table.planted, 1):
        line.insert(min(len(line), case.at if case.at is not None else count * step), case)
    return line


def _measured(dialect: Dialect, codes: Sequence[str], body: Body, case: Planted) -> tuple[Measured, ...]:
    found: list[Measured] = []
    for code in codes:
        assay = dialect.assays[code]
        number: Decimal | str = case.values.get(code) or assay.fixed or body.value(assay.analyte)
        found.append(measure(assay, number, dialect, flag=case.flags.get(code)))
    for one in case.unknown:
        found.append(Measured(one.code, one.value, one.unit, "", dialect.status, one.code))
    return tuple(found)


def _transmissions(
    dialect: Dialect, tube: Tube, case: Planted, name: str, think: float, *, asks: bool
) -> list[Transmission]:
    records = write(dialect, tube, at=tube.completed + _PRINTING, terminated=case.terminated)
    hang_ups = (HangUp(case.hang_up_after, case.pause),) if case.hang_up_after is not None else ()
    first = Transmission(
        name,
        sent(dialect, tube),
        records,
        case=case.case,
        terminated=case.terminated,
        think=think,
        hang_ups=hang_ups,
        query=question(dialect, tube) if asks else (),
    )
    again = [
        replace(first, name=f"{name}/{n}", repeat_of=name, hang_ups=(), query=()) for n in range(2, case.times + 1)
    ]
    return [first, *again]


def earlier(
    assays: Mapping[str, Assay],
    codes: Sequence[str],
    body: Body,
    told: Mapping[str, str],
    random: Random,
    share: float,
    completed: datetime,
) -> tuple[Earlier, ...]:
    """Earlier results: as told, else near today's body for some of the patients; half of them within reach of a delta check."""
    when = completed - timedelta(days=random.choice((1, 2, 30, 90)))
    found = {code: Decimal(text) for code, text in told.items()}
    if random.random() < share:
        for code in codes:
            assay = assays[code]
            if assay.main and not assay.fixed and code not in found:
                drift = Decimal(str(round(random.uniform(0.97, 1.03), 3)))
                found[code] = Decimal(assay.value(body.value(assay.analyte) * drift))
    return tuple(Earlier(code, number, when) for code, number in found.items())
