"""What the tests of LAW lines share: a stage with LAW links, orders, and observations to report."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from stage import ALT, SITE, Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.clock import stamp
from labmw.config import load
from protocols.hl7 import law
from protocols.hl7.profile import GENERIC, LawProfile
from protocols.hl7.values import Numeric, Value
from simulators.clock import WallClock
from simulators.law import LawAnalyzer, Manners, Taken
from simulators.wire import Plug, TcpConnect

CREA = "14682-9"
PATIENT = Manners(patience=60.0)
LINK = 'driver = "law"\nprotocol = "law"'


def set_up(folder: Path, *, link: str = LINK, extra: str = "") -> Stage:
    """A stage with one LAW link."""
    return Stage(folder, free_port(), free_port(), extra).build([], link=link)


def order(
    stage: Stage,
    specimen: str,
    loincs: Iterable[str] = (ALT,),
    *,
    patient: str = "",
    state: str = "open",
    at: datetime | None = None,
) -> None:
    """What the LIS has told: the patient, the tube, and what is asked for."""
    moment = stamp(at or datetime.now(UTC))
    who = patient or f"P-{specimen}"
    rows: list[tuple[str, tuple[str, ...]]] = [
        (
            "INSERT INTO patient (site, identifier, family, given, birth, sex) VALUES (?, ?, 'TESTPERSON', 'Ada', '1970-01-01', 'F') ON CONFLICT DO NOTHING",
            (SITE, who),
        ),
        (
            "INSERT INTO specimen (site, identifier, kind, patient) VALUES (?, ?, 'SER', ?) ON CONFLICT DO NOTHING",
            (SITE, specimen, who),
        ),
    ]
    asked = 'INSERT INTO "order" (site, specimen, loinc, placer, state, ordered_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)'
    rows += [(asked, (SITE, specimen, loinc, f"O-{specimen}", state, moment, moment)) for loinc in loincs]
    stage.write(rows)


def change_orders(stage: Stage, specimen: str, state: str) -> None:
    """The LIS changes its mind."""
    changed = 'UPDATE "order" SET state = ?, updated_at = ? WHERE specimen = ?'
    stage.write([(changed, (state, stamp(datetime.now(UTC)), specimen))])


def long_ago() -> datetime:
    """When the order feed last said something, if it is dead."""
    return datetime.now(UTC) - timedelta(days=2)


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    """The daemon's parts, with every line open."""
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(stage.analyzer_port))
        yield laboratory
    finally:
        await laboratory.stop()


def analyzer(
    stage: Stage,
    *,
    port: int = 0,
    name: str = "sim",
    profile: LawProfile = GENERIC,
    manners: Manners = PATIENT,
    orders: Plug | None = None,
) -> LawAnalyzer:
    """A LAW analyzer that dials the stage's line."""
    plug = TcpConnect("127.0.0.1", port or stage.analyzer_port)
    return LawAnalyzer(name, plug, WallClock(), profile, orders, manners)


def observed(
    code: str = ALT,
    value: str | Value | None = "22",
    *,
    run: str = "1",
    status: str = "F",
    at: str = "20261101080000+0000",
    unit: str = "U/L",
) -> law.Observation:
    """One observation."""
    content = Numeric(Decimal(value)) if isinstance(value, str) else value
    return law.Observation(
        law.Code(code, "test", "LN"),
        content,
        run=run,
        status=status,
        unit=law.Code(unit, "", "UCUM") if content is not None else None,
        analysed=at,
        kind="RSLT",
    )


def seen(
    specimen: str | law.Specimen, awos: str | None, *observations: law.Observation, status: str = "CM", code: str = ALT
) -> law.SpecimenStatus:
    """A report on one step; `awos` None for work that began at the analyzer."""
    tube = (
        specimen
        if isinstance(specimen, law.Specimen)
        else law.Specimen(container=law.EntityId(specimen), role=law.Code("P", "", "HL70369"))
    )
    step = law.StepStatus(
        law.EntityId(awos) if awos else None,
        law.Code(code, "test", "LN"),
        status,
        at_analyzer=awos is None,
        observations=observations,
    )
    return law.SpecimenStatus(tube, (step,))


def of(taken: Iterable[Taken], code: str) -> str:
    """The AWOS of a test among those taken."""
    return next(one.step.awos.id for one in taken if one.step.awos and one.step.test.code == code)


def states(stage: Stage) -> dict[str, str]:
    """The state of every AWOS, by test and link."""
    return {
        f"{code}@{link}": str(state)
        for code, link, state in stage.ask("SELECT code, link, state FROM awos ORDER BY id")
    }


def blobs(stage: Stage, sql: str, *values: object) -> list[bytes]:
    """The first column of every row, as bytes."""
    return [one for (one, *_) in stage.ask(sql, *values) if isinstance(one, bytes)]
