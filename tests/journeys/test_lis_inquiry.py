"""An analyzer asks about a tube nobody has ordered on: the LIS is asked, and the analyzer answered within its patience."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lawside import LINK, analyzer
from lisside import ALT, lab, new, set_up
from stage import Stage

from protocols.hl7 import law
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from simulators.ltw import OrderingLis, ended, msh


@contextlib.asynccontextmanager
async def answering(stage: Stage, port: int, answer: str, *, orders: bool = False) -> AsyncIterator[list[str]]:
    """An LIS that answers queries with this QAK-2 (or AE, or silence), and then sends the orders by its own line."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                block = await reader.readuntil(b"\x1c\r")
                query = Message.parse(block.strip(b"\x0b\x1c\r"))
                qpd = query.first("QPD")
                assert qpd is not None
                asked.append(qpd.component(3))
                if not answer:
                    continue
                code = "AE" if answer == "AE" else "AA"
                rows = [
                    msh(f"R{len(asked)}", "RSP^K11^RSP_K11"),
                    f"MSA|{code}|{query.control_id}",
                    f"QAK|{qpd.component(2)}|{answer}|WOS",
                ]
                writer.write(wrap(ended(rows)))
                await writer.drain()
                if orders:
                    async with OrderingLis("127.0.0.1", port) as lis:
                        await lis.tell(new(f"M{len(asked)}", asked[-1], ALT))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", stage.lis_port)
    try:
        yield asked
    finally:
        server.close()


async def test_what_the_lis_orders_now_is_given_in_the_same_answer(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="query_patience = 5.0", link=LINK)
    async with answering(stage, port, "OK", orders=True) as asked, lab(stage, port), analyzer(stage) as sim:
        offer = await sim.ask(named="T7")
        assert [one.step.test.code for one in offer.work] == ["1742-6"]
        await sim.ask(named="T7")  # known by now: nobody is asked
    assert asked == ["T7"]


async def test_nothing_is_believed_although_the_feed_is_silent(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="query_patience = 5.0", link=LINK)
    async with answering(stage, port, "NF"), lab(stage, port), analyzer(stage) as sim:
        offer = await sim.ask(named="T7")
        assert offer.answer.code == "AA"
        assert isinstance(offer.nothing, law.NoWork)


@pytest.mark.parametrize("answer", ["", "AE", "OK"])
async def test_silence_refusal_or_an_empty_promise_is_no_nothing(tmp_path: Path, answer: str) -> None:
    """The tube is to be presented again; the analyzer is answered in time all the same."""
    stage, port = set_up(tmp_path, lis="query_patience = 0.3", link=LINK)
    async with answering(stage, port, answer), lab(stage, port), analyzer(stage) as sim:
        async with asyncio.timeout(4.0):
            offer = await sim.ask(named="T7")
        assert offer.answer.code == "AE"
    assert stage.ask("SELECT specimen, reason FROM re_present") == [("T7", "order-feed-stale")]


async def test_a_lis_that_is_away_costs_no_more_than_its_patience(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="query_patience = 0.3", link=LINK)
    async with lab(stage, port), analyzer(stage) as sim:
        offer = await sim.ask(named="T7")
        assert offer.answer.code == "AE"


async def test_a_tube_that_is_asked_about_twice_at_once_is_asked_about_once(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis="query_patience = 5.0", link=LINK)
    async with answering(stage, port, "OK", orders=True) as asked, lab(stage, port) as (laboratory, _):
        inquire = laboratory.worklist.inquire
        assert inquire is not None
        assert list(await asyncio.gather(inquire("T8"), inquire("T8"))) == [False, False]
    assert asked == ["T8"]
