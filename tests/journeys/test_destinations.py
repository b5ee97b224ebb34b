"""Several destinations, through the real daemon on both stores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load

DROP = '[[files]]\nname = "archive"\nfolder = "archive"\nretry_base = 0.05\nretry_cap = 0.1\n'


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), url=store_url)


def files(stage: Stage) -> list[Path]:
    return sorted((stage.folder / "archive").glob("*.hl7"))


@pytest.mark.usefixtures("at_rest")
async def test_a_folder_gets_what_the_lis_gets_and_delivered_means_everywhere(stage: Stage) -> None:
    stage.extra = DROP
    stage.build(["S1", "S2"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")])
        await eventually(
            lambda: (
                stage.ask("SELECT destination, state FROM outbox ORDER BY destination")
                == [("LIS", "delivered"), ("archive", "waiting")]
            )
        )
        assert stage.ask("SELECT state FROM result") == [("released",)]  # the archive is not there: not everywhere yet
        await eventually(
            lambda: "cannot be written" in str(stage.ask("SELECT facts FROM link_state WHERE link = 'archive'"))
        )
        (stage.folder / "archive").mkdir()
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
        await Analyzer(stage.analyzer_port).send("S2", message("S2"))
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM result") == [("delivered",)])
    assert len(files(stage)) == 2
    assert all(b"OBX|" in file.read_bytes() for file in files(stage))
    assert list((stage.folder / "archive").glob(".*")) == []
    receipts = stage.ask("SELECT receipt FROM outbox WHERE destination = 'archive'")
    assert all(b"sha256=" in bytes(receipt) for (receipt,) in receipts)  # type: ignore[call-overload]


async def test_a_receipt_that_was_lost_makes_no_second_file_and_another_file_is_not_overwritten(stage: Stage) -> None:
    stage.extra = DROP
    stage.build(["S1"])
    (stage.folder / "archive").mkdir()
    async with Lis(stage.lis_port), running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    (one,) = files(stage)
    again = "UPDATE outbox SET state = 'waiting', receipt = NULL WHERE destination = ?"
    await asyncio.to_thread(stage.write, [(again, ("archive",))])
    async with running(stage):
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)])
    assert files(stage) == [one]
    one.write_bytes(b"somebody else's")
    await asyncio.to_thread(stage.write, [(again, ("archive",))])
    async with running(stage):
        await eventually(lambda: stage.ask("SELECT state FROM outbox WHERE destination = 'archive'") == [("dead",)])
    assert one.read_bytes() == b"somebody else's"
