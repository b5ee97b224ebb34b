"""An answer in time or not at all: analyzers that go away and come back, an LIS that is asked, queries that a dead process left."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import lisside
from askside import DRIVER, analyzer, order, queries, running, set_up, states
from lisside import answering, lab
from stage import Stage, eventually, frames

from labmw.config import load
from labmw.lab.host_query import Answering, question_of
from labmw.store import open_store
from labmw.store.statements import host_query as stored
from labmw.store.transaction import ask
from simulators.asking import AskingManners

QUESTION = [b"H|\\^&|||CHEM-X1|||||LABMW||P|LIS02-A2\r", b"Q|1|^S1||ALL||||||||O\r", b"L|1|N\r"]


async def asks_and_goes(port: int) -> None:
    """An analyzer that hangs up as soon as it has asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in (b"\x05", *frames(QUESTION)):
        writer.write(piece)
        assert await reader.readexactly(1) == b"\x06"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_who_hangs_up_after_asking_gets_the_answer_when_it_comes_back_in_time(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "asked"\nallow = ["127.0.0.1"]')
    order(stage, "S1")
    async with running(stage):
        await asks_and_goes(stage.analyzer_port)
        async with analyzer(stage) as sim:
            await eventually(lambda: sim.held == {"S1": ["ALT"]})
            await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})


async def test_who_comes_back_too_late_is_told_nothing_and_the_tube_is_listed(tmp_path: Path) -> None:
    stage = set_up(tmp_path, dialect="patience=1.0", link='driver = "chem-x1"\nwork = "asked"\nallow = ["127.0.0.1"]')
    order(stage, "S1")
    async with running(stage):
        await asks_and_goes(stage.analyzer_port)
        await eventually(lambda: queries(stage)[0][0] in ("late", "failed"))
        async with analyzer(stage) as sim:
            await eventually(lambda: sim.connections == 1)
            assert await sim.report("X1", "ALT", "22", unit="U/L")  # it may speak, and is told nothing
            assert sim.messages == []
            assert stage.ask("SELECT specimen FROM re_present WHERE closed_at IS NULL") == [("S1",)]
            assert await sim.ask("S1") is not None
            await eventually(lambda: stage.ask("SELECT count(*) FROM re_present WHERE closed_at IS NULL") == [(0,)])


def asking_stage(folder: Path, *, patience: float) -> tuple[Stage, int]:
    """A stage whose LIS is asked about unknown tubes."""
    (folder / "drivers").mkdir()
    (folder / "drivers" / "chem_x1.py").write_text(DRIVER % "", encoding="utf-8")
    link, extra = 'driver = "chem-x1"\nwork = "asked"', '[drivers]\nfolder = "drivers"'
    return lisside.set_up(folder, lis=f"query_patience = {patience}", link=link, extra=extra)


@contextlib.asynccontextmanager
async def playing(folder: Path, answer: str, *, orders: bool = False, patience: float = 5.0) -> AsyncIterator[Stage]:
    """The daemon, and an LIS that answers questions about tubes with this."""
    stage, port = asking_stage(folder, patience=patience)
    async with answering(stage, port, answer, orders=orders), lab(stage, port):
        yield stage


async def test_the_lis_is_asked_about_an_unknown_tube_and_what_it_orders_is_in_the_answer(tmp_path: Path) -> None:
    async with playing(tmp_path, "OK", orders=True) as stage, analyzer(stage) as sim:
        answer = await sim.ask("T7")
        assert answer is not None and sim.held == {"T7": ["ALT"]}


async def test_the_word_of_the_lis_that_there_is_nothing_is_believed_although_its_feed_is_silent(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, "NF") as stage, analyzer(stage) as sim:
        answer = await sim.ask("T7")
        assert answer is not None and answer.terminator == "I"


async def test_its_silence_is_not(tmp_path: Path) -> None:
    async with playing(tmp_path, "", patience=0.3) as stage, analyzer(stage) as sim:
        answer = await sim.ask("T7")
        assert answer is not None and answer.terminator == "Q"
        assert stage.ask("SELECT specimen, reason FROM re_present") == [("T7", "order-feed-stale")]


async def test_a_query_of_a_process_that_died_is_answered_in_time_or_listed(tmp_path: Path) -> None:
    """One whose answer was on its way is never sent again: what has arrived of it nobody knows."""
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "asked"\nallow = ["127.0.0.1"]')
    order(stage, "S1")
    async with running(stage) as laboratory:
        links = laboratory.asked.links
        for task in laboratory._lines:  # nobody answers
            if task.get_name() == "orders analyzer":
                task.cancel()
        await asks_and_goes(stage.analyzer_port)
    terms = load(stage.config).store
    store = open_store(terms.url, key_file=terms.key_file)
    await store.start()
    (row,) = await store.view(ask(stored.queries_open("TEST", "analyzer", most=5)))
    now = laboratory.clock.now()
    step = Answering("TEST", links["analyzer"], question_of(row, links["analyzer"]), now, 3600.0, Counter())
    (dispatch,) = await store.run(step.script())
    assert dispatch.within is not None and dispatch.within < 15
    await store.stop()
    assert queries(stage) == [("answering", "work")]  # and here it died
    async with running(stage), analyzer(stage, manners=AskingManners(patience=60.0)) as sim:
        await eventually(lambda: queries(stage) == [("interrupted", "work")])
        assert stage.ask("SELECT specimen, reason FROM re_present") == [("S1", "query-interrupted")]
        assert states(stage) == {"ALT@analyzer": "broadcast"}
        assert sim.messages == []
        assert await sim.ask("S1") is not None
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
    assert stage.ask("SELECT count(*) FROM awos") == [(1,)]


async def test_an_order_is_asked_for_once_more_and_given_with_the_next_query(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        await sim.ask("S1")
        assert await sim.report("S1", "ALT", "22", unit="U/L")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "resulted"})
        ((name,),) = stage.ask("SELECT awos FROM awos")
        assert str(name) in lisside.labmw(stage, "order", "again", str(name))
        answer = await sim.ask("S1")
        assert answer is not None and answer.structure == "HPOL"
        await eventually(lambda: stage.ask("SELECT state FROM awos ORDER BY id") == [("resulted",), ("accepted",)])


async def test_a_test_that_could_not_be_done_is_given_again(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        await sim.ask("S1")
        records = [sim.form.head, "P|1", "O|1|S1||^^^ALT|R||||||N||||SER||||||||||X", "L|1|N"]
        assert await sim.send(records)
        await eventually(lambda: states(stage) == {"ALT@analyzer": "not-performed"})
        answer = await sim.ask("S1")
        assert answer is not None and answer.structure == "HPOL"


async def test_either_store_keeps_the_worklist(tmp_path: Path, store_url: str) -> None:
    stage = set_up(tmp_path, url=store_url)
    stage.expect(["1001", "1003"])
    async with running(stage), analyzer(stage) as sim:
        await sim.ask("", query="Q|1|^1000|^1009|ALL||||||||O")
        assert sorted(sim.held) == ["1001", "1003"]
        assert await sim.report("1001", "ALT", "22", unit="U/L")
        await eventually(
            lambda: stage.ask("SELECT state FROM awos ORDER BY specimen") == [("resulted",), ("accepted",)]
        )
        assert await sim.ask("", query="Q|1|ALL||||||||||O") is not None
        assert await sim.ask("1003") is not None
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM host_query") == [("answered",)])


async def test_an_order_that_was_pushed_and_not_taken_goes_out_again_from_the_next_process(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "push"')
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=AskingManners(patience=1.0, refuse=6)) as sim:
        assert await sim.report("X1", "ALT", "22", unit="U/L")
        await eventually(
            lambda: stage.ask("SELECT state, waits, reason FROM awos") == [("broadcast", 1, "query-untaken")]
        )
        assert sim.held == {}
    async with running(stage), analyzer(stage) as sim:
        assert await sim.report("X2", "ALT", "22", unit="U/L")
        await eventually(lambda: sim.held == {"S1": ["ALT"]})
        await eventually(lambda: stage.ask("SELECT state, waits, reason FROM awos") == [("accepted", 0, "")])
    assert stage.ask("SELECT count(*) FROM message WHERE kind = 'order'") == [(1,)]  # the very bytes


async def test_only_the_tests_of_the_link_are_given_and_no_name_goes_along_where_none_is_to(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "asked"\ntests = ["14682-9"]\npatients = false')
    order(stage, "S1", ("1742-6", "14682-9"))
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("S1")
        assert answer is not None and sim.held == {"S1": ["CREA"]}
        assert answer.records[1].raw == "P|1"
