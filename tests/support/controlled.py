"""A line whose ALT is controlled: two levels with targets, and what a test measures on them and on patients."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lineside import Lineside, lineside
from readings import reading, received, result
from stage import ALT, SITE

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading
from labmw.lab import controlling
from labmw.lab.controlling import Plan, Target
from labmw.lab.deciding import Decision
from labmw.lab.verification import Verification
from labmw.line.received import Received
from labmw.quantity import Quantity
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
_RUNS = itertools.count(1)


def chemistry() -> Packs:
    """The shipped chemistry pack, signed."""
    pack = load(SHIPPED / "chemistry")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Packs.of([pack], [Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", when, "test")])


@dataclass(slots=True)
class Controlled:
    """A laboratory with one analyzer, whose clock the test moves. Level 1: mean 100, SD 4 (material C1); level 2: 200, SD 5 (C2)."""

    line: Lineside
    verification: Verification
    at: list[datetime]
    packs: list[Packs] = field(default_factory=list)

    def decision(self, by: str = "A. Biologist", why: str = "because") -> Decision:
        """Somebody decides now."""
        return Decision(SITE, stamp(self.at[0]), by, why)

    async def do(self, script: Any) -> Any:
        """Carry a decision out."""
        return await self.line.store.run(script)

    async def prepare(self, *levels: str) -> None:
        """Register the materials of these levels with lots and targets."""
        for level in levels:
            name = f"C{level}"
            await self.do(controlling.add_material(self.decision(), name, "Multi", level))
            await self.do(controlling.add_lot(self.decision(), name, "L1", "", None))
            await self.do(controlling.set_target(self.decision(), self.target(level)))

    def target(self, level: str, lot: str = "L1", **different: Any) -> Target:
        """The target of a level."""
        mean, sd = {"1": ("100", "4"), "2": ("200", "5")}[level]
        values = {"unit": "U/L", "mean": Decimal(mean), "sd": Decimal(sd), **different}
        return Target("analyzer", "", ALT, f"C{level}", lot, "parallel run", **values)

    async def plan(
        self, gate: str = "start", hours: float = 24, by: str = "A", second: str = "", **different: Any
    ) -> None:
        """Declare how ALT is controlled."""
        plan = Plan("analyzer", "", ALT, gate, max_age=timedelta(hours=hours), **different)
        await self.do(controlling.set_plan(self.decision(by), plan, second))

    async def control(
        self, level: str, value: str, *, minutes: float | None = None, step: bool = True, **different: Any
    ) -> int:
        """Measure a level now (or so many minutes after the start), and let verification judge it."""
        message = await self._bring(f"C{level}", value, minutes, control=True, **different)
        if step:
            await self.settle()
        return message

    async def patient(
        self, value: str = "22", *, minutes: float | None = None, specimen: str = "S1", **different: Any
    ) -> str:
        """Measure a patient; returns the state of the result once it was judged."""
        message = await self._bring(specimen, value, minutes, **different)
        await self.settle()
        [(state,)] = self.line.ask(f"SELECT state FROM result WHERE message = {message}")
        return str(state)

    async def _bring(self, specimen: str, value: str, minutes: float | None, **different: Any) -> int:
        moment = self.at[0] if minutes is None else START + timedelta(minutes=minutes)
        number = (
            {"number": value, "quantity": Quantity(Decimal(value), "", different.get("ucum", "U/L"))}
            if _is_number(value)
            else {}
        )
        read = result(
            value,
            specimen=specimen,
            time=moment.isoformat(),
            completed=moment,
            run=str(next(_RUNS)),
            **{**number, **different},
        )
        stored = await self.line.intake.take(received(message=reading(read), received_at=self.at[0]))
        return stored.message

    async def settle(self) -> None:
        """Let verification do what is due."""
        while await self.verification.step():
            pass

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.at[0] += timedelta(**span)

    def states(self) -> dict[str, tuple[str, str]]:
        """State and rule of each level."""
        rows = self.line.ask("SELECT level, state, rule FROM qc_state ORDER BY level")
        return {str(level): (str(state), str(rule)) for level, state, rule in rows}

    def reasons(self) -> list[str]:
        """The codes of the last verdict."""
        [(text,)] = self.line.ask("SELECT reasons FROM verdict ORDER BY id DESC LIMIT 1")
        return [one["code"] for one in json.loads(str(text))]

    def write(self, sql: str, *values: object) -> None:
        """Write into the store with plain SQL."""
        with contextlib.closing(sqlite3.connect(self.line.stage.database, timeout=10)) as store, store:
            store.execute(sql, values)


def _is_number(text: str) -> bool:
    return text.replace(".", "").isdigit()


@contextlib.asynccontextmanager
async def controlled(folder: Path, *specimens: str) -> AsyncIterator[Controlled]:
    """Open it."""
    packs = [chemistry()]

    def as_given(one: Received) -> Reading:
        assert isinstance(one.message, Reading)
        return one.message

    async with lineside(folder, list(specimens) or ["S1", "S2"], read=as_given, packs=packs[0]) as line:
        at = [START]
        clock = Clock(lambda: at[0], lambda: float(at[0].timestamp()))
        line.intake.clock = clock
        verification = Verification(SITE, line.store, clock, lambda: packs[0], ["LIS"], lambda: None, rest=0.01)
        yield Controlled(line, verification, at, packs)
