"""A register beside the LIS, an LIS that was restored from yesterday, an LIS that is replaced: through the daemon and its commands, on both stores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import forked
import pytest
from lisside import labmw as beside
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.delivery import redelivery
from labmw.watch.spoken import moment


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
        ((taken,),) = stage.ask("SELECT delivered_at FROM outbox WHERE destination = 'LIS'")
        assert moment(str(taken), ZoneInfo("Europe/Paris"))[:16] in said  # in the time in which the period is given
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


@pytest.mark.parametrize("register_is", ["refusing", "silent", "away"])
async def test_what_the_lis_has_is_taken_back_whatever_another_destination_does(stage: Stage, register_is: str) -> None:
    """The result is a dead letter of the register, or has not got there yet: the LIS is told all the same, and the register never gets it over that."""
    register = free_port()
    stage.extra = f'[[destination]]\nname = "register"\nconnect = "127.0.0.1:{register}"\nretry_base = 0.05\nretry_cap = 0.1\nack_timeout = 0.2\n'
    stage.build(["S1"])
    other = Lis(register, answers={"*": "AE" if register_is == "refusing" else ""})
    async with contextlib.AsyncExitStack() as stack:
        lis = await stack.enter_async_context(Lis(stage.lis_port))
        if register_is != "away":
            await stack.enter_async_context(other)
        await stack.enter_async_context(running(stage))
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        tried = "SELECT count(*) FROM outbox WHERE destination = 'register' AND last_error <> ''"
        await eventually(lambda: lis.values == [("S1", "22")] and stage.ask(tried) == [(1,)])
        assert stage.ask("SELECT state FROM result") == [("dead" if register_is == "refusing" else "released",)]
        ((result,),) = stage.ask("SELECT id FROM result")
        code, said = await labmw(stage, "result", "withdraw", str(result), "--why", "wrong tube")
        assert code == 0, said
        await eventually(lambda: lis.values[1:] == [("S1", "")])
        assert stage.ask("SELECT state FROM result") == [("withdrawn",)]
        other.answers["*"] = "AA"
        if register_is == "away":
            await stack.enter_async_context(other)
        await eventually(
            lambda: stage.ask("SELECT count(*) FROM outbox WHERE state NOT IN ('delivered', 'closed')") == [(0,)]
        )
        if register_is == "refusing":  # it has never had it
            assert len(other.got) == 1
        elif register_is == "silent" or other.got:  # it may have it: then it hears of that, last
            assert "|X|" in other.got[-1][1]
        first = int(str(stage.ask("SELECT min(id) FROM outbox WHERE destination = 'register'")[0][0]))
        code, said = await labmw(stage, "outbox", "retry", str(first), "--why", "x", "--language", "en")
        assert code == 1 and ("taken back" in said or "is delivered" in said)
    assert (await labmw(stage, "store", "check"))[0] == 0
