"""A store with released results, through the real intake and the real rules: what delivery starts from."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lineside import Lineside, lineside
from readings import reading, received, result
from stage import SITE

from labmw.clock import Clock
from labmw.delivery.lis import LisReport
from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox
from labmw.delivery.patience import Patience
from labmw.driver.reading import Reading, ResultRead
from labmw.lab.verification import Verification
from labmw.line.received import Received
from labmw.quantity import Quantity
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
SENTENCE = "Résultat validé automatiquement."


def chemistry() -> Packs:
    """The shipped chemistry pack, signed."""
    pack = load(SHIPPED / "chemistry")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Packs.of([pack], [Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", when, "test")])


def timed(value: str = "22", minutes: int = 0, **different: Any) -> ResultRead:
    """A result of the chemistry pack with a completion time."""
    moment = START + timedelta(minutes=minutes)
    measured = {
        "time": moment.strftime("%Y%m%d%H%M%S"),
        "completed": moment,
        "quantity": Quantity(Decimal(value), "", "U/L"),
    }
    return replace(result(value), **{**measured, **different})


@dataclass(slots=True)
class Morning:
    """Takes in, judges, and can say what is in the store; the clock is the test's."""

    line: Lineside
    verification: Verification
    clock: Clock
    at: list[datetime]

    async def release(self, *results: ResultRead) -> int:
        """Take in one message of these results and judge it."""
        stored = await self.line.intake.take(received(message=reading(*results)))
        await self.verification.step()
        return stored.message

    def later(self, seconds: float) -> None:
        self.at[0] += timedelta(seconds=seconds)

    def ask(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        return self.line.ask(sql, *values)

    def write(self, sql: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.line.stage.database, timeout=10)) as store, store:
            store.execute(sql, values)

    @property
    def report(self) -> LisReport:
        return LisReport(SITE, "LABMW", "LIS", "HOSPITAL", ZoneInfo("Europe/Paris"), SENTENCE)

    def outbox(self, sender: MllpSender, **different: Any) -> Outbox:
        common: dict[str, Any] = {
            "site": SITE,
            "destination": "LIS",
            "store": self.line.store,
            "clock": self.clock,
            "sender": sender,
            "compose": self.report.compose,
            "patience": Patience(10.0, 2.0, 40.0, 0.0),
            "rest": 0.01,
        }
        return Outbox(**{**common, **different})


@contextlib.asynccontextmanager
async def morning(
    folder: Path, specimens: tuple[str, ...] = ("S1", "S2", "S3"), **settings: Any
) -> AsyncIterator[Morning]:
    """A laboratory after its analyzers, before its LIS."""
    packs, at = chemistry(), [START]

    def as_given(one: Received) -> Reading:
        assert isinstance(one.message, Reading)
        return one.message

    async with lineside(folder, specimens, read=as_given, packs=packs, **settings) as line:
        clock = Clock(lambda: at[0], lambda: float(at[0].timestamp()))
        line.intake.clock = clock
        verification = Verification(SITE, line.store, clock, lambda: packs, ["LIS"], lambda: None, rest=0.01)
        yield Morning(line, verification, clock, at)
