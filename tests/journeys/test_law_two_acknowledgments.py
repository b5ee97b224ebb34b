"""A LAW link on which both acknowledgments were agreed: an order that is stored is not sent again, and its reply settles it (decision 0079)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lawside import LINK, PATIENT, analyzer, observed, of, order, running, seen, set_up, states
from stage import ALT, Lis, eventually

from protocols.hl7.profile import GENERIC
from simulators.law import Manners

BOTH = f'{LINK}\npush = true\nallow = ["127.0.0.1"]\nack_timeout = 0.3\nacknowledge = "both"'
ASKS_BOTH = replace(GENERIC, accept="AL", application="AL")
STORES = Manners(patience=60.0, stores_only=99)
TROUBLE = "SELECT trouble FROM link_state WHERE link = 'analyzer'"


# Scenario 7.14.
async def test_asked_worked_reported_with_both_acknowledgments_each_way(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\nacknowledge = "both"')
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage, profile=ASKS_BOTH) as sim:
        offer = await sim.ask(named="S1")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert (await sim.report(seen("S1", of(offer.work, ALT), observed()))).code == "AA"
        await eventually(lambda: lis.values == [("S1", "22")])
        assert sim.counts["committed"] == 1, "the order was said to be stored, and its answer came as its reply"
        told = [(one.code, one.header.field(15), one.all("MSA")[0].component(1)) for one in sim.replies]
        assert told == [("ACK", "", "CA"), ("RSP", "", "AA"), ("ACK", "", "CA"), ("ACK", "", "AA")]
        await eventually(lambda: stage.ask("SELECT state FROM owed_reply ORDER BY id") == [("taken",)] * 2)


async def test_what_is_stored_is_not_sent_again_and_its_reply_is_missed(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=BOTH.replace("0.3", "1.5"))  # time enough to say that it is stored
    order(stage, "S1")
    async with running(stage), analyzer(stage, profile=ASKS_BOTH, manners=STORES) as sim:
        await eventually(lambda: "law-unanswered" in str(stage.ask(TROUBLE)))
        assert len(sim.arrived) == 1, "after CA the analyzer has it: it is not sent again"
        assert states(stage) == {f"{ALT}@analyzer": "broadcast"}
    async with (
        running(stage),
        analyzer(stage, profile=ASKS_BOTH) as sim,
    ):  # the next process waits, and does not send either
        await eventually(lambda: stage.ask("SELECT waits, reason FROM awos") == [(2, "unanswered")])
        assert not sim.arrived


async def test_a_reply_that_comes_to_the_next_process_settles_what_was_stored(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=BOTH.replace("0.3", "30.0"))
    order(stage, "S1")
    async with running(stage), analyzer(stage, profile=ASKS_BOTH, manners=STORES) as sim:
        await eventually(lambda: stage.ask("SELECT waits FROM awos") == [(2,)])
        (work,) = sim.arrived
    async with running(stage), analyzer(stage, profile=ASKS_BOTH) as sim:
        await sim.connected.wait()
        await sim.reply_to(work)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert not sim.arrived


async def test_without_a_commit_acknowledgment_it_is_sent_again(tmp_path: Path) -> None:
    """The variant: an analyzer that says nothing is told three times, on the same line."""
    stage = set_up(tmp_path, link=BOTH)
    order(stage, "S1")
    async with running(stage), analyzer(stage, profile=ASKS_BOTH, manners=replace(PATIENT, silent=99)) as sim:
        await eventually(lambda: len(sim.arrived) == 3)


async def test_our_replies_are_sent_again_until_they_are_confirmed_where_that_was_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labmw.line.replying.UNDER_WAY", timedelta(seconds=0.3))
    link = f'{LINK}\nacknowledge = "confirmed"\nack_timeout = 0.2'
    stage = set_up(tmp_path, link=link)
    deaf = Manners(patience=60.0, confirms=False)
    async with running(stage), analyzer(stage, profile=ASKS_BOTH, manners=deaf) as sim:
        assert (await sim.ask(named="S9")).answer.code == "AE"  # orders are not fresh: present it again
        await eventually(lambda: "reply-unconfirmed" in str(stage.ask(TROUBLE)))
        replies = [one for one in sim.replies if one.code == "RSP"]
        assert len(replies) == 3 and len({one.control_id for one in replies}) == 1
        assert {one.header.component(15) for one in replies} == {"AL"}
        sim.manners = Manners(patience=60.0)
        await sim.hang_up()
        await sim.ask(named="S9")  # the next connection: what nobody has confirmed goes out again
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM owed_reply") == [("taken",)])
        await eventually(lambda: stage.ask(TROUBLE) == [("",)])
