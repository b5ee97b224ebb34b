"""A bad lot is found: who has results of it, and is each dealt with? Through the daemon and the command, on both stores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import forked
import pytest
from lisside import labmw as beside
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.lab import lookback as searching


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


async def labmw(stage: Stage, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    done = await asyncio.to_thread(forked.run, *arguments, env=environment, together=True)
    return done.returncode, done.stdout


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), url=store_url)


async def test_a_bad_lot_is_followed_to_whoever_has_its_results(stage: Stage) -> None:
    stage.build(["S1", "S2", "S3"])
    async with Lis(stage.lis_port), running(stage):
        for tube in ("S1", "S2", "S3"):
            await Analyzer(stage.analyzer_port).send(tube, message(tube))
        await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") == [(3,)])
        used = "INSERT INTO contribution (site, result, kind, name, lot) SELECT 'TEST', id, ?, ?, ? FROM result WHERE specimen = ?"
        await asyncio.to_thread(
            stage.write,
            [
                (used, ("SR", "ALT reagent", "L4711", "S1")),
                (used, ("SR", "ALT reagent", "L4711", "S2")),
                (used, ("RC", "ALT Cal", "C1", "S3")),
                (used, ("device", "module 2", "", "S3")),
            ],
        )

        async def touched(*how: str) -> list[str]:
            code, said = await labmw(stage, "lookback", *how, "--json")
            found = [one["specimen"] for one in json.loads(said)["results"]]
            assert code == (1 if found else 0)
            return found

        assert await touched("--lot", "L4711") == ["S1", "S2"]
        assert await touched("--lot", "L4711", "--to", "2026-01-01") == []
        assert await touched("--calibrator", "ALT Cal") == await touched("--module", "module 2") == ["S3"]
        assert await touched("--mapping", "erba-xl/ALTT") == await touched("--module", "analyzer") == ["S1", "S2", "S3"]
        assert await touched("--mapping", "erba-xl/ALT%") == []
        assert await touched("--rule", "chemistry") == ["S1", "S2", "S3"]
        [(trace,)] = stage.ask("SELECT trace FROM verdict ORDER BY id LIMIT 1")
        rule = json.loads(str(trace))[-1][0]
        assert await touched("--rule", rule) == ["S1", "S2", "S3"]
        assert await touched("--rule", rule[:-1]) == await touched("--rule", "%") == []
        code, said = await labmw(stage, "lookback", "--lot", "L4711", "--language", "en")
        assert code == 1 and "touched 2 results of 2 patients; 2 of them have left" in said and "LIS: delivered" in said
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(searching, "MOST", 1)
            said = await asyncio.to_thread(beside, stage, "lookback", "--lot", "L4711", "--open", "--why", "x", code=2)
            assert "More than 1 results" in said and "--from" in said
            await asyncio.to_thread(beside, stage, "lookback", "--lot", "C1", code=1)
        assert stage.ask("SELECT count(*) FROM lookback") == [(0,)]  # looking keeps nothing

        assert (
            (await labmw(stage, "lookback"))[0] == (await labmw(stage, "lookback", "--lot", "a", "--rule", "b"))[0] == 2
        )
        assert (await labmw(stage, "lookback", "--lot", "L4711", "--open"))[0] == 2  # no reason
        code, said = await labmw(stage, "lookback", "--lot", "L4711", "--open", "--why", "recalled", "--language", "fr")
        assert code == 1 and "recherche 1" in said
        code, said = await labmw(stage, "status", "--language", "en")
        assert "Search 1 (L4711): 2 results wait for a person" in said
        lines = [str(line) for (line,) in stage.ask("SELECT id FROM lookback_line ORDER BY id")]
        assert (await labmw(stage, "lookback", "close", "1", lines[0], "--why", " "))[0] == 2
        code, said = await labmw(stage, "lookback", "close", "1", lines[0], "--why", "measured again: 23", "--by", "Dr Test", "--language", "en")  # fmt: skip
        assert code == 0 and "others are open" in said
        assert (await labmw(stage, "lookback", "close", "1", lines[0], "--why", "twice"))[0] == 1
        code, said = await labmw(stage, "lookback", "close", "1", "--all", "--why", "withdrawn", "--language", "en")
        assert code == 0 and "it is done" in said
        code, said = await labmw(stage, "lookback", "show", "1", "--json")
        shown = json.loads(said)
        assert shown["state"] == "closed" and [line["note"] for line in shown["lines"]] == ["measured again: 23", "withdrawn"]  # fmt: skip
        assert [told["destination"] for told in shown["lines"][0]["told"]] == ["LIS"]
        assert (await labmw(stage, "lookback", "list"))[0] == 0
    said_by = stage.ask("SELECT what, who FROM audit WHERE subject = 'lookback/1' ORDER BY id")
    assert said_by[1] == ("lookback-line-closed", "Dr Test") and said_by[-1][0] == "lookback-closed"
