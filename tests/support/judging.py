"""A line with its rules and people: results are taken in, judged, and decided about, on a clock that the test moves."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from lineside import Lineside, lineside
from readings import reading, received, result
from stage import ALT, SITE

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.lab.deciding import Decision
from labmw.lab.reconsidering import reconsider
from labmw.lab.rights import Rights
from labmw.lab.validation import House
from labmw.lab.verification import Verification
from labmw.line.received import Received
from labmw.quantity import Quantity
from labmw.store.transaction import Transaction
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

T = TypeVar("T")
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
EVERYTHING = ("technical", "biological", "hold", "reject", "rerun", "comment", "call", "recall", "stop", "resume")
RIGHTS = Rights.of(
    {
        "biologist": (list(EVERYTHING), ["Dr Alouette", "Dr Bergeronnette"]),
        "technician": (["technical", "hold", "rerun", "comment", "stop"], ["T. Pinson"]),
    }
)


def chemistry() -> Packs:
    """The shipped pack, signed."""
    pack = load(SHIPPED / "chemistry")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Packs.of([pack], [Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", when, "test")])


def timed(value: str = "22", minutes: float = 0, unit: str = "U/L", **different: Any) -> ResultRead:
    """An ALT on S1, measured so many minutes after the start."""
    moment = START + timedelta(minutes=minutes)
    quantity = Quantity(Decimal(value), "", unit)
    return result(
        value, time=moment.strftime("%Y%m%d%H%M%S"), completed=moment, quantity=quantity, ucum=unit, unit_raw=unit,
        **different,
    )  # fmt: skip


@dataclass(slots=True)
class Bench:
    """What a test of verdicts and decisions works with."""

    line: Lineside
    verification: Verification
    at: list[datetime]
    house: House

    async def bring(self, *results: ResultRead, **different: Any) -> int:
        """Take in one message; returns its number."""
        stored = await self.line.intake.take(received(message=reading(*results), **different))
        return stored.message

    async def judged(self, *results: ResultRead, **different: Any) -> int:
        """Take in one message and have the rules judge what is due."""
        message = await self.bring(*results, **different)
        await self.settle()
        return message

    async def settle(self) -> None:
        """Do all that is due."""
        while await self.verification.step():
            pass

    async def run(self, script: Transaction[T]) -> T:
        return await self.line.store.run(script)

    def later(self, seconds: float) -> None:
        self.at[0] += timedelta(seconds=seconds)

    def by(self, who: str = "Dr Alouette", why: str = "looked at it") -> Decision:
        return Decision(SITE, stamp(self.at[0]), who, why)

    def ask(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        return self.line.ask(sql, *values)

    def states(self) -> list[tuple[object, ...]]:
        return self.ask("SELECT specimen, value, state FROM result WHERE main = 1 ORDER BY id")

    def write(self, sql: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.line.stage.database, timeout=10)) as store, store:
            store.execute(sql, values)

    def lis_validates(self) -> None:
        self.house = replace(self.house, validation="lis")


@contextlib.asynccontextmanager
async def bench(
    folder: Path, specimens: Sequence[str] = ("S1", "S2"), packs: Packs | None = None, loincs: Sequence[str] = (ALT,)
) -> AsyncIterator[Bench]:
    """A bench with these tubes, of one patient each."""
    signed = packs or chemistry()

    def as_given(one: Received) -> Reading:
        assert isinstance(one.message, Reading)
        return one.message

    async with lineside(folder, specimens, read=as_given, packs=signed, loincs=loincs) as line:
        at = [START]
        clock = Clock(lambda: at[0], lambda: float(at[0].timestamp()))
        line.intake.clock = clock
        verification = Verification(
            SITE, line.store, clock, lambda: signed, ["LIS"], lambda: None, again=reconsider, rest=0.01
        )
        yield Bench(line, verification, at, House(RIGHTS, ("LIS",), "LIS"))
