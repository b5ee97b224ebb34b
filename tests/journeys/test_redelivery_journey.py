"""A register beside the LIS, an LIS that was restored from yesterday, an LIS that is replaced: through the daemon and its commands, on both stores."""

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
from labmw.delivery import redelivery


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


async def test_an_lis_restored_from_yesterday_gets_the_day_again_and_a_replaced_one_none_of_it(stage: Stage) -> None:
    register = free_port()
    common = "retry_base = 0.05\nretry_cap = 0.1\n"
    stage.extra = (
        f'[[destination]]\nname = "register"\nconnect = "127.0.0.1:{register}"\n{common}'
        f'[[destination]]\nname = "elsewhere"\nconnect = "127.0.0.1:{register}"\ntests = ["718-7"]\n{common}'
    )
    stage.build(["S1", "S2"])
    period = ("--from", "2026-01-01", "--to", "2100-01-01T00:00")
    async with Lis(register) as other, Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")] == other.values)
        sent = "SELECT destination FROM outbox WHERE state = 'delivered' ORDER BY destination"
        await eventually(lambda: stage.ask(sent) == [("LIS",), ("register",)])  # "elsewhere" wants another test
        assert stage.ask("SELECT state FROM result") == [("delivered",)]
        lis.got.clear()  # it was restored, and has nothing
        code, said = await labmw(stage, "outbox", "redeliver", *period, "--language", "en")
        assert code == 0 and "Nothing was sent" in said and "1 would be sent again" in said
        assert "1 seraient renvoyés" in (await labmw(stage, "outbox", "redeliver", *period, "--language", "fr"))[1]
        assert lis.got == [] and stage.ask("SELECT count(*) FROM outbox") == [(2,)]
        assert (await labmw(stage, "outbox", "redeliver", *period, "--send"))[0] == 2  # no reason
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(redelivery, "MOST", 0)
            said = await asyncio.to_thread(
                beside, stage, "outbox", "redeliver", *period, "--send", "--why", "x", code=2
            )
            assert "more than 0 results" in said and lis.got == []
        code, said = await labmw(stage, "outbox", "redeliver", *period, "--send", "--why", "restored", "--json")
        assert code == 0 and [one["fate"] for one in json.loads(said)] == ["redeliver-send"]
        await eventually(lambda: lis.values == [("S1", "22")])
        assert lis.got[0][0].startswith("R")
        lis.answers["*"] = "AE"  # and then it is replaced
        await Analyzer(stage.analyzer_port).send("S2", message("S2"))
        await eventually(lambda: ("S2", "22") in other.values)
        await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state = 'dead'") == [(1,)])
        code, said = await labmw(
            stage, "outbox", "route", "--from", "LIS", "--to", "elsewhere", "--why", "replaced", "--language", "en"
        )
        assert code == 0, said
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM result") == [("delivered",)])
        code, said = await labmw(stage, "outbox", "route", "--to", "nowhere", "1", "--why", "x", "--language", "en")
        assert code == 2 and "no destination nowhere" in said
        code, said = await labmw(stage, "outbox", "redeliver", "--from", "yesterday", "--to", "today")
        assert code == 2
    assert (await labmw(stage, "store", "check"))[0] == 0
