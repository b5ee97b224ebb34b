"""How is a scenario played? Every analyzer on its plug, the LIS beside them, and one report of who sent and who got what."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from simulators.analyzer import AS_INSTRUMENT, Analyzer, LineSettings
from simulators.analyzers import DIALECTS
from simulators.clock import Clock, stamp
from simulators.law_morning import LawMorning
from simulators.law_samples import LawWork, law_morning
from simulators.lis import Lis
from simulators.nullmodem import BadLine, BadPlug
from simulators.samples import PlantedCase, Work, morning
from simulators.scenario import AnalyzerTable, Scenario, address, faults
from simulators.wire import Plug, PtyPort, TcpConnect, TcpListen
from simulators.worklist import worklist


class Play:
    """One run of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        *,
        file: str = "scenario",
        folder: Path = Path(),
        told: Callable[[str], None] = lambda _: None,
        now: datetime | None = None,
    ) -> None:
        self.scenario, self.file, self.folder = scenario, file, folder
        moment = now or clock.now()
        self.works, self.law_works = morning(scenario, moment), law_morning(scenario, moment)
        self.phase = "ready"
        self._clock, self._told = clock, told
        self._began = stamp(clock.now())
        self._plugs: dict[str, Plug] = {}
        self._lines: dict[str, BadLine] = {}
        self._analyzers: list[Analyzer] = []
        self._law: list[LawMorning] = []
        self._lis: Lis | None = None

    @property
    def _playing(self) -> list[Analyzer | LawMorning]:
        return [*self._analyzers, *self._law]

    @property
    def _all_works(self) -> list[Work | LawWork]:
        return [*self.works, *self.law_works]

    @property
    def complete(self) -> bool:
        """True when every message of every analyzer was acknowledged."""
        return self.phase != "ready" and all(one.done for one in self._playing)

    async def open(self) -> dict[str, Any]:
        """Open ports and devices; returns where they are, and what the laboratory is to know before. Raises SimulatorError."""
        if self.scenario.lis is not None:
            host, port = address(self.file, "lis.listen", self.scenario.lis.listen)
            self._lis = Lis(host, port, self._clock, self.scenario.lis.behaviour(), self._told)
            await self._lis.start()
        places: dict[str, str] = {}
        for index, work in enumerate(self.works):
            table = work.table
            plug = await self._plug(table)
            places[table.name] = plug.device if isinstance(plug, PtyPort) else plug.name
            self._plugs[table.name] = plug
            if table.faults.to_labmw or table.faults.from_labmw:
                there = faults(table.faults.to_labmw, self.file, "faults.to_labmw")
                back = faults(table.faults.from_labmw, self.file, "faults.from_labmw")
                line = BadLine(self.scenario.seed + index, there, back)
                self._lines[table.name] = line
                self._plugs[table.name] = BadPlug(plug, line)
            self._analyzers.append(
                Analyzer(
                    table.name,
                    self._plugs[table.name],
                    work.transmissions,
                    self._clock,
                    _settings(table),
                    self._told,
                )
            )
        for law_work in self.law_works:
            host, port = address(self.file, law_work.table.name, law_work.table.connect)
            plug = self._plugs[law_work.table.name] = TcpConnect(host, port)
            places[law_work.table.name] = plug.name
            self._law.append(LawMorning(law_work, plug, self._clock, self._told))
        return {
            "lis": f"{self._lis.host}:{self._lis.port}" if self._lis else "",
            "analyzers": places,
            "worklist": worklist(self.scenario, [one for work in self._all_works for one in work.samples]),
        }

    async def _plug(self, table: AnalyzerTable) -> Plug:
        if table.pty:
            return PtyPort(self.folder / table.pty)
        host, port = address(self.file, table.name, table.connect or table.listen)
        if table.connect:
            return TcpConnect(host, port)
        plug = TcpListen(host, port)
        await plug.start()
        return plug

    async def send(self) -> None:
        """Let all analyzers send what they have."""
        self.phase = "sending"
        async with asyncio.TaskGroup() as group:
            for one in self._playing:
                group.create_task(one.run())
        self.phase = "sent"
        self._told(f"all analyzers are done, {'everything' if self.complete else 'not everything'} was acknowledged")

    async def settle(self) -> None:
        """Wait until the LIS has not heard anything for a while."""
        if self._lis is None:
            return
        began = self._clock.monotonic()
        while (quiet := self._clock.monotonic() - max(self._lis.quiet_since, began)) < self.scenario.settle:
            await self._clock.sleep(self.scenario.settle - quiet)

    async def close(self) -> None:
        """Free ports and devices."""
        if self._lis is not None:
            await self._lis.stop()
        for plug in self._plugs.values():
            await plug.close()
        if self.phase == "sent":
            self.phase = "finished"

    def report(self) -> dict[str, Any]:
        """Return who sent what, and what the LIS got, as JSON."""
        analyzers = []
        for work, one in zip(self.works, self._analyzers, strict=True):
            told = one.report()
            line = self._lines.get(one.name)
            told["dialect"] = work.table.dialect
            told["faults"] = line.report() if line else {}
            analyzers.append(told)
        for law_work, morning_ in zip(self.law_works, self._law, strict=True):
            analyzers.append({**morning_.report(), "dialect": law_work.table.menu, "faults": {}})
        results = [row for one in analyzers for row in one["results"]]
        return {
            "schema": "labmw-simulators/1",
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "phase": self.phase,
            "complete": self.complete,
            "started_at": self._began,
            "written_at": stamp(self._clock.now()),
            "counts": {
                "messages": sum(len(one["messages"]) for one in analyzers),
                "results": len(results),
                "main": sum(row["main"] for row in results),
                "acknowledged": sum(row["acknowledged"] for row in results),
            },
            "analyzers": analyzers,
            "planted": [_planted(case) for work in self._all_works for case in work.planted],
            "lis": self._lis.report() if self._lis else None,
        }


def _planted(case: PlantedCase) -> dict[str, Any]:
    return {
        "case": case.case,
        "analyzer": case.analyzer,
        "specimen": case.specimen,
        "results": [asdict(one) for one in case.results],
        "expect": [{"state": one.state, "reason": one.reason, "test": one.test} for one in case.expect],
    }


def _settings(table: AnalyzerTable) -> LineSettings:
    dialect = DIALECTS[table.dialect]
    packing = table.packing or dialect.packing
    tolerances = replace(AS_INSTRUMENT, packing="message" if packing == "message" else "record")
    return LineSettings(
        tolerances,
        table.frame_text or dialect.frame_text,
        table.forgets,
        table.patience,
        given_at=dialect.given_at,
    )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all: whoever waits for it never reads half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
