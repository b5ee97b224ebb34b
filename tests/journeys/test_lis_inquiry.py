"""An analyzer asks about a tube nobody has ordered on: the LIS is asked, and the analyzer answered within its patience."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lawside import LINK, analyzer
from lisside import answering, lab, set_up

from protocols.hl7 import law


# Scenario 12.11.
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
        async with asyncio.timeout(14.0):
            offer = await sim.ask(named="T7")
        assert offer.answer.code == "AE"
    assert stage.ask("SELECT specimen, reason FROM re_present") == [("T7", "order-feed-stale")]


# Scenario 12.11.
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
