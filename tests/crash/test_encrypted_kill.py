"""kill -9 on a store that encrypts: nothing that was acknowledged is lost, nothing is doubled, and every byte is read again with the key file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from atrest import COLUMNS, MARK, lies, read_all
from crashing import daemon
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.store import open_reader
from labmw.store.encryption.envelope import Unreadable
from labmw.store.schema import FINAL_STATES

IN_FLIGHT = 24


@pytest.mark.parametrize("step", ["frame-committed", "message-committed", "delivery-committed"])
async def test_killed_while_it_encrypts_nothing_is_lost(step: str, store_url: str, tmp_path: Path) -> None:
    tubes = [f"SHUT-{place}" for place in range(IN_FLIGHT)]
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url, key_file="store.key").build(tubes)
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()
    async with Lis(stage.lis_port) as lis:
        async with daemon(stage, step, IN_FLIGHT // 3) as process:
            for specimen in tubes:
                sending.add(asyncio.create_task(analyzer.send(specimen, message(specimen))))
            async with asyncio.timeout(60):
                await process.wait()
            assert process.returncode == -9
        async with daemon(stage):
            await asyncio.gather(*sending)
            unfinished = "SELECT count(*) FROM result WHERE state IN ('verify', 'released')"
            await eventually(lambda: stage.ask(unfinished) == [(0,)] and len(lis.values) >= len(tubes))
    final = {
        tube for tube, state in stage.ask("SELECT specimen, state FROM result WHERE main = 1") if state in FINAL_STATES
    }
    assert final == {*tubes}
    assert stage.ask("SELECT key FROM result GROUP BY site, key HAVING count(*) > 1") == []
    assert sorted(lis.values) == sorted((tube, "22") for tube in tubes)
    url = stage.url or f"sqlite:///{stage.database}"
    held = [bytes(one) for place in COLUMNS for one in lies(url, *place) if one]
    assert held
    assert not [one for one in held if not one.startswith(MARK) or b"SHUT-" in one or b"TESTPERSON" in one]
    with open_reader(url, key_file=str(stage.folder / stage.key_file)) as reader:
        found = reader.look(read_all)
    assert not [one for one in found if isinstance(one, Unreadable)]
    assert sum(b"SHUT-1|" in one for one in found if one) >= 2
