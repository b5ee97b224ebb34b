"""What has an analyzer that speaks IHE LAW to do this morning, and what will it say of each tube? Everything follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from simulators.analyzers import MENUS
from simulators.dialect import Assay
from simulators.patients import Body
from simulators.samples import BETWEEN, MEASURING, People, PlantedCase, Sample, Work, begin_of, earlier, morning
from simulators.scenario import LawPlanted, LawTable, Scenario
from simulators.transmission import SentResult

HL7_TIME = "%Y%m%d%H%M%S%z"
RERUN = timedelta(minutes=4)  # between two runs of one test
PLAIN = LawPlanted(case="")
Whose = Literal["given", "added", "strange"]


@dataclass(frozen=True, slots=True)
class Run:
    """One observation of one run of a test, as it will be reported."""

    test: Assay
    value: str  # "" when none could be produced
    run: int
    status: str  # OBX-11: F candidate, R not a candidate, X none could be produced
    completed: datetime
    whose: Whose  # answers work that was given, was added by the analyzer, or names an AWOS that nobody has given

    @property
    def time(self) -> str:
        """OBX-19."""
        return self.completed.strftime(HL7_TIME)


@dataclass(frozen=True, slots=True)
class LawTask:
    """One tube: asked about unless it is a control, measured, and reported so many times."""

    name: str
    specimen: str
    case: str
    runs: tuple[Run, ...]
    control: bool = False
    work: bool = True  # whether there is work to be given
    times: int = 1
    think: float = 0.0

    @property
    def results(self) -> tuple[SentResult, ...]:
        """What the report says, for the count."""
        return tuple(
            SentResult(
                self.specimen,
                one.test.code,
                "",
                one.value,
                one.test.unit if one.value else "",
                one.time,
                one.status != "R",
            )
            for one in self.runs
        )


@dataclass(frozen=True, slots=True)
class LawWork:
    """What one analyzer will do."""

    table: LawTable
    tasks: tuple[LawTask, ...]
    samples: tuple[Sample, ...]
    planted: tuple[PlantedCase, ...]


def law_morning(scenario: Scenario, now: datetime) -> list[LawWork]:
    """Lay out the morning of every analyzer that speaks LAW."""
    begin = begin_of(scenario, now)
    people = People(scenario.seed, begin)
    first = len(scenario.analyzer)  # tube numbers go on where those of the others end
    return [_work(scenario, table, first + place, begin, people) for place, table in enumerate(scenario.law)]


def all_samples(scenario: Scenario, now: datetime) -> list[Sample]:
    """Every tube of the morning, whatever its analyzer speaks."""
    works: list[Work | LawWork] = [*morning(scenario, now), *law_morning(scenario, now)]
    return [sample for work in works for sample in work.samples]


def _work(scenario: Scenario, table: LawTable, index: int, begin: datetime, people: People) -> LawWork:
    menu = MENUS[table.menu]
    tasks: list[LawTask] = []
    samples: list[Sample] = []
    planted: list[PlantedCase] = []
    for place, case in enumerate(_lined_up(table)):
        number = place + 1
        random = Random(f"{scenario.seed}/{table.name}/{number}")  # noqa: S311 - repeatable on purpose
        completed = begin + MEASURING + BETWEEN * number
        specimen = case.control or f"{begin:%y%m%d}{index + 1}{number:03d}"
        who, body = people.person(number), people.body(number)
        task = LawTask(
            f"{table.name}/{number}",
            specimen,
            case.case,
            _runs(menu.assays, case, body, completed) if case.ordered else (),
            control=bool(case.control),
            work=case.ordered,
            times=case.times,
            think=table.think + (0 if tasks else table.start),
        )
        tasks.append(task)
        if not case.control:
            codes = tuple(menu.assays)
            before = earlier(menu.assays, codes, body, {}, random, table.history, completed)
            samples.append(Sample(table.name, table.menu, specimen, who, codes, completed, case.ordered, before))
        if case.case:
            planted.append(PlantedCase(case.case, table.name, specimen, task.results, tuple(case.expect)))
    return LawWork(table, tuple(tasks), tuple(samples), tuple(planted))


def _lined_up(table: LawTable) -> list[LawPlanted]:
    """Put the planted tubes among the plain ones, spread evenly."""
    line = [PLAIN] * table.samples
    step = max(1, len(line) // (len(table.planted) + 1)) if table.planted else 1
    for count, case in enumerate(table.planted, 1):
        line.insert(min(len(line), count * (step + 1) - 1), case)
    return line


def _runs(assays: Mapping[str, Assay], case: LawPlanted, body: Body, completed: datetime) -> tuple[Run, ...]:
    found: list[Run] = []
    for code, assay in assays.items():
        whose: Whose = "given"
        if case.control:
            whose = "added"  # controls are not ordered: the analyzer measures them by itself
        elif code in case.strange:
            whose = "strange"
        if code in case.failed:
            found.append(Run(assay, "", 1, "X", completed, whose))
            continue
        number, run = completed, 1
        if code in case.first_runs:
            found.append(Run(assay, case.first_runs[code], 1, "R", completed, whose))
            number, run = completed + RERUN, 2
        value = case.values.get(code) or assay.value(body.value(assay.analyte))
        found.append(Run(assay, value, run, "F", number, whose))
    for code, value in case.added.items():
        extra = Assay(code=code, analyte="", loinc=code, unit="pmol/L", ucum="pmol/L")
        found.append(Run(extra, value, 1, "F", completed, "added"))
    return tuple(found)
