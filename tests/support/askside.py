"""What the tests of ASTM lines with orders share: a stage whose analyzer asks, a driver of the laboratory's own, and what the store says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from lawside import change_orders, long_ago, order, states
from stage import UNTOLD, Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.clock import SYSTEM, Clock
from labmw.config import load
from simulators.asking import AskingAnalyzer, AskingForm, AskingManners
from simulators.clock import WallClock
from simulators.wire import Plug, TcpConnect

__all__ = ["CREA", "analyzer", "change_orders", "long_ago", "order", "queries", "running", "set_up", "states"]

CREA = "14682-9"
DRIVER = '''"""An analyzer of the tests, that speaks LIS02-A2 as it is written.

Source: LIS02-A2.
Evidence: manual.
"""

from labmw.driver.declaration import Driver, Evidence, Test
from labmw.driver.ordering import NoWork, OrderDialect

DRIVER = Driver(
    name="chem-x1",
    evidence=Evidence.MANUAL,
    tests={"ALT": Test("1742-6", "U/L"), "CREA": Test("14682-9", "umol/L")},
    orders=OrderDialect(%s),
)
'''
PATIENT, STANDARD_FORM = AskingManners(patience=60.0), AskingForm()
LINK = 'driver = "chem-x1"\nwork = "asked"'


def set_up(folder: Path, *, link: str = LINK, dialect: str = "", extra: str = "", url: str = UNTOLD) -> Stage:
    """A stage with one ASTM link that is given work."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "chem_x1.py").write_text(DRIVER % dialect, encoding="utf-8")
    more = f'[drivers]\nfolder = "drivers"\n{extra}'
    return Stage(folder, free_port(), free_port(), more, url).build([], link=link)


@contextlib.asynccontextmanager
async def running(stage: Stage, clock: Clock = SYSTEM) -> AsyncIterator[Laboratory]:
    """The daemon's parts, with every line open."""
    laboratory = Laboratory(load(stage.config), clock)
    try:
        await laboratory.start()
        if stage.analyzer_port:
            await eventually(lambda: listens(stage.analyzer_port))
        yield laboratory
    finally:
        await laboratory.stop()


def analyzer(
    stage: Stage,
    *,
    plug: Plug | None = None,
    manners: AskingManners = PATIENT,
    form: AskingForm = STANDARD_FORM,
) -> AskingAnalyzer:
    """An analyzer that dials the stage's line, and asks."""
    return AskingAnalyzer(plug or TcpConnect("127.0.0.1", stage.analyzer_port), WallClock(), form, manners)


def queries(stage: Stage) -> list[tuple[object, ...]]:
    """State and word of every query, in order."""
    return stage.ask("SELECT state, said FROM host_query ORDER BY id")
