"""Stopping works at once: a pack that is retired judges nothing more in a daemon that runs, and one that is refused changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from crashing import daemon
from stage import Analyzer, Lis, Stage, free_port, message

from rules.signature import add_signature, read_signatures

TUBES = [f"T{number}" for number in range(30)]


async def judged(stage: Stage, analyzer: Analyzer, tube: str) -> str:
    await analyzer.send(tube, message(tube))
    async with asyncio.timeout(20):
        while True:
            rows = stage.ask(
                "SELECT state FROM result WHERE specimen = ? AND state NOT IN ('verify', 'released')", tube
            )
            if rows:
                return str(rows[0][0])
            await asyncio.sleep(0.05)


async def test_a_pack_that_is_retired_stops_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port()).build(TUBES)
    file = tmp_path / "signatures.toml"
    analyzer = Analyzer(stage.analyzer_port)
    async with Lis(stage.lis_port), daemon(stage):
        assert await judged(stage, analyzer, TUBES[0]) == "delivered"
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole + "[[signature", encoding="utf-8")  # cut while being written: what is in force stays
        await asyncio.sleep(3)
        assert await judged(stage, analyzer, TUBES[1]) == "delivered"
        file.write_text(whole, encoding="utf-8")
        [signature] = read_signatures(file)
        add_signature(file, replace(signature, step="retired", at=datetime.now(UTC).replace(microsecond=0)))
        states = []
        for tube in TUBES[2:]:
            states.append(await judged(stage, analyzer, tube))
            if states[-1] == "held":
                break
            await asyncio.sleep(0.25)
        assert states[-1] == "held", "within seconds, without a restart"
