"""An analyzer asks, is given work, takes or refuses it: LAB-27 and LAB-28 through the real daemon parts (names: Gazelle assertions)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lawside import (
    CREA,
    LINK,
    analyzer,
    blobs,
    change_orders,
    long_ago,
    observed,
    of,
    order,
    running,
    seen,
    set_up,
    states,
)
from stage import ALT, Stage, eventually, free_port

from protocols.hl7 import law
from protocols.hl7.er7 import Message
from protocols.hl7.profile import ALINITY, BA400, COBAS_PRO, PERSONALITIES, QueryBy
from simulators.law import Manners
from simulators.wire import TcpListen


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return set_up(tmp_path)


# Scenarios 2.1, 3.2, 3.4, 7.1.
async def test_a_query_by_container_brings_the_work_of_this_tube_alone(stage: Stage) -> None:  # LAB27-001, LAB28-007
    order(stage, "S1", (ALT, CREA))
    order(stage, "S2")
    async with running(stage), analyzer(stage) as sim:
        offer = await sim.ask(named="S1")
        assert (offer.answer.code, offer.answer.status) == ("AA", "OK")
        assert sorted(one.step.test.code for one in offer.work) == [CREA, ALT]
        (work,) = sim.arrived
        assert isinstance(work, law.Work) and [one.specimen.label for one in work.specimens] == ["S1"]
        assert work.patient is not None and work.patient.identifiers[0].id == "P-S1"
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
    names = [name for (name,) in stage.ask("SELECT awos FROM awos")]
    assert len(set(names)) == 2
    # Both directions are kept raw: the query with its reply, our message, the analyzer's reply.
    kept = stage.ask("SELECT direction, kind FROM message ORDER BY id")
    assert kept == [(">", "query"), ("<", "order"), (">", "order-response")]
    (raw,) = blobs(stage, "SELECT raw FROM message WHERE direction = '<'")
    sent = Message.parse(raw)
    assert sent.header.component(15) == "NE" and sent.header.component(16) == "AL"
    assert sent.header.component(21) == "LAB-28" and sent.header.component(9, 3) == "OML_O33"
    journal = b"".join(blobs(stage, "SELECT data FROM journal WHERE direction = '<' ORDER BY id"))
    (reply,) = blobs(stage, "SELECT reply FROM message WHERE kind = 'query'")
    assert reply in journal and raw in journal


# Scenarios 2.7, 3.6, 3.7.
async def test_without_work_the_reply_is_ok_and_the_absence_is_said_in_four_segments(stage: Stage) -> None:
    """LAB27-003, LAB27-004, LAB28-001, LAB28-009."""
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        offer = await sim.ask(named="S9")
        assert (offer.answer.code, offer.answer.status) == ("AA", "OK")
        assert offer.nothing is not None and offer.nothing.specimen.label == "S9"
        await eventually(lambda: stage.ask("SELECT count(*) FROM message WHERE kind = 'order-response'") == [(1,)])
    (raw,) = blobs(stage, "SELECT raw FROM message WHERE direction = '<'")
    assert [one.name for one in Message.parse(raw).segments] == ["MSH", "SPM", "SAC", "ORC"]
    (raw,) = blobs(stage, "SELECT raw FROM message WHERE kind = 'order-response'")
    assert [one.name for one in Message.parse(raw).segments] == ["MSH", "MSA"]
    assert stage.ask("SELECT count(*) FROM awos") == [(0,)]


# Scenario 2.8.
async def test_while_orders_are_not_up_to_date_no_work_is_not_said_and_the_tube_is_listed(stage: Stage) -> None:
    order(stage, "S1", at=long_ago())
    async with running(stage), analyzer(stage) as sim:
        offer = await sim.ask(named="S9")
        assert (offer.answer.code, offer.answer.status) == ("AE", "AE")
        assert "present the tube again" in offer.answer.errors[0].text
        assert not sim.arrived
        assert stage.ask("SELECT specimen, reason, closed_at FROM re_present") == [("S9", "order-feed-stale", None)]
        known = await sim.ask(named="S1")  # what is known is given all the same
        assert len(known.work) == 1
        order(stage, "S9")
        assert len((await sim.ask(named="S9")).work) == 1
    assert stage.ask("SELECT count(*) FROM re_present WHERE closed_at IS NULL") == [(0,)]


# Scenario 3.5.
async def test_the_same_order_is_given_once_and_an_unanswered_one_again_under_the_same_name(stage: Stage) -> None:
    """LAB28-006: an identity that was taken is never offered again; one that nobody has answered is."""
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=Manners(silent=1, patience=60.0)) as sim:
        with pytest.raises(Exception, match="neither work nor its absence"):
            await asyncio.wait_for(sim.ask(named="S1"), 60)
        first = sim.arrived[0]
        assert states(stage) == {f"{ALT}@analyzer": "broadcast"}
        again = await sim.ask(named="S1")
        assert isinstance(first, law.Work) and [one.step.awos for one in again.work] == [
            one.awos for one in first.steps
        ]
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert (await sim.ask(named="S1")).nothing is not None
    assert stage.ask("SELECT count(*) FROM awos") == [(1,)]


# Scenario 2.4.
async def test_all_brings_every_tube_that_was_not_given_yet(stage: Stage) -> None:  # LAB27-005
    for name in ("S1", "S2", "S3"):
        order(stage, name)
    async with running(stage), analyzer(stage) as sim:
        await sim.ask(QueryBy.ALL)
        await eventually(lambda: len(sim.held) == 3)
        await eventually(lambda: stage.ask("SELECT count(*) FROM awos WHERE state = 'accepted'") == [(3,)])
        order(stage, "S4")
        await sim.ask(QueryBy.ALL)
        await eventually(lambda: len(sim.held) == 4)
        await eventually(lambda: stage.ask("SELECT count(*) FROM awos WHERE state = 'accepted'") == [(4,)])
        heard = sim.counts["heard OML^O33"]
        nothing = await sim.ask(QueryBy.ALL)  # there is no tube to name: OK, and no message behind it
        assert (nothing.answer.code, nothing.answer.status, sim.counts["heard OML^O33"]) == ("AA", "OK", heard)
        assert sim.connections == 1, "the line goes on"
    assert sim.counts["refused"] == 0


# Scenario 2.2.
async def test_a_rack_is_known_from_where_tubes_were_seen(stage: Stage) -> None:  # LAB27-006, LAB27-007
    order(stage, "S1")
    order(stage, "S2", (CREA,))
    async with running(stage), analyzer(stage) as sim:
        unknown = await sim.ask(QueryBy.RACK, carrier="R7", position="1")
        assert unknown.answer.code == "AE" and unknown.answer.errors[0].code == "204"
        tube = law.Specimen(container=law.EntityId("S2"), carrier="R7", position="2", role=law.Code("P", "", "HL70369"))
        await sim.report(seen(tube, None, status="IP"))
        answer = await sim.ask(QueryBy.RACK, carrier="R7", position="2")
        assert answer.answer.code == "AA"
        await eventually(lambda: [one.step.test.code for one in sim.held.values()] == [CREA])


# Scenario 2.6.
async def test_an_unknown_query_name_and_a_missing_container_are_answered_ae(stage: Stage) -> None:
    query = b"QPD|%s^x^IHELAW|T1|%s\rRCP|I||R^Real Time^HL70394\r"
    head = (
        b"MSH|^~\\&|SIM||LABMW||20261101080000+0000||QBP^Q11^QBP_Q11|%s|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\r"
    )
    async with running(stage), analyzer(stage) as sim:
        unknown = law.read_query_answer(await sim.send("U1", head % b"U1" + query % (b"WOS_BY_MOON", b"S1")))
        assert (unknown.code, unknown.status, unknown.errors[0].code) == ("AE", "AE", "103")
        empty = law.read_query_answer(await sim.send("U2", head % b"U2" + query % (b"WOS", b"")))
        assert (empty.code, empty.errors[0].code) == ("AE", "101")
    assert stage.ask("SELECT disposition, reason FROM message") == [("refused", "query-not-served")] * 2


# Scenario 3.3.
async def test_an_analyzer_may_refuse_one_test_and_take_the_other(stage: Stage) -> None:  # LAB28-004
    order(stage, "S1", (ALT, CREA))
    async with running(stage), analyzer(stage, manners=Manners(refuses=frozenset({CREA}), patience=60.0)) as sim:
        offer = await sim.ask(named="S1")
        assert [one.step.test.code for one in offer.work] == [ALT]
        wanted = {f"{ALT}@analyzer": "accepted", f"{CREA}@analyzer": "refused"}
        await eventually(lambda: states(stage) == wanted)


# Scenarios 4.1, 4.4, 11.9.
async def test_a_cancelled_order_is_taken_back_where_the_analyzer_can(stage: Stage) -> None:  # LAB28-005, LAW-004
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        await sim.ask(named="S1")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        change_orders(stage, "S1", "cancelled")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "cancelled"})
        assert [one.state for one in sim.held.values()] == ["CA"]
        # ... and a result that comes all the same is acknowledged, kept, and goes to a person.
        awos = next(iter(sim.held))
        assert (await sim.report(seen("S1", awos, observed()))).code == "AA"
    assert stage.ask("SELECT state FROM result") == [("quarantined",)]
    assert stage.ask("SELECT reason FROM quarantine") == [("cancelled-order",)]
    assert states(stage) == {f"{ALT}@analyzer": "cancelled"}


# Scenarios 4.2, 4.4.
async def test_an_analyzer_unable_to_cancel_may_still_report(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=Manners(cannot_cancel=True, patience=60.0)) as sim:
        await sim.ask(named="S1")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        change_orders(stage, "S1", "cancelled")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "unable"})
        assert (await sim.report(seen("S1", next(iter(sim.held)), observed()))).code == "AA"
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted"})
    assert stage.ask("SELECT reason FROM quarantine") == [
        ("cancelled-order",)
    ]  # nobody wants it any more: a person decides


# Scenarios 3.1, 3.9.
async def test_new_orders_are_pushed_to_an_analyzer_that_keeps_a_worklist(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\npush = true\nallow = ["127.0.0.1"]')
    async with running(stage), analyzer(stage) as sim:
        await sim.connected.wait()
        order(stage, "S1")
        await eventually(lambda: len(sim.held) == 1)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert (await sim.ask(named="S1")).nothing is not None


# Scenario 6.1.
async def test_when_one_analyzer_has_done_it_the_other_is_asked_to_leave_it(tmp_path: Path) -> None:  # LAW-001
    other = free_port()
    extra = f'[[link]]\nname = "other"\nlisten = "127.0.0.1:{other}"\n{LINK}'
    stage = set_up(tmp_path, extra=extra)
    order(stage, "S1")
    async with running(stage), analyzer(stage) as one, analyzer(stage, port=other, name="sim2") as two:
        mine = await one.ask(named="S1")
        await two.ask(named="S1")
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
        assert stage.ask("SELECT count(DISTINCT awos) FROM awos") == [(2,)]
        await one.report(seen("S1", of(mine.work, ALT), observed()))
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted", f"{ALT}@other": "cancelled"})
        assert [held.state for held in two.held.values()] == ["CA"]
    assert stage.ask('SELECT state FROM "order"') == [("done",)]


# Scenario 7.2.
async def test_orders_go_over_a_second_connection_where_the_analyzer_has_one(tmp_path: Path) -> None:
    port = free_port()
    stage = set_up(tmp_path, link=f'{LINK}\nprofile = "alinity"\norders = "127.0.0.1:{port}"')
    order(stage, "S1")
    plug = TcpListen("127.0.0.1", port)
    await plug.start()
    async with running(stage), analyzer(stage, profile=ALINITY, orders=plug) as sim:
        await eventually(lambda: sim.connections == 2)
        offer = await sim.ask(named="S1")
        assert len(offer.work) == 1
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert (await sim.report(seen("S1", of(offer.work, ALT), observed()))).code == "AA"
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted"})
    await plug.close()
    assert stage.ask("SELECT count(*) FROM session") == [(2,)]


@pytest.mark.parametrize("profile", PERSONALITIES.values(), ids=lambda one: one.name)
# Scenario 8.8.
async def test_every_personality_gets_its_work_and_reports(profile: law.LawProfile, tmp_path: Path) -> None:
    link = f'{LINK}\nprofile = "{profile.name}"'
    stage = set_up(tmp_path, link=link)
    order(stage, "S1")
    async with running(stage), analyzer(stage, profile=profile) as sim:
        offer = await sim.ask(named="S1")
        assert len(offer.work) == 1
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        if profile is not BA400:  # which asks for no application acknowledgment (NE): nothing comes back
            assert (await sim.report(seen("S1", of(offer.work, ALT), observed()))).code == "AA"
            await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted"})
    assert COBAS_PRO.reply_names_steps is False


# Scenario 2.3.
async def test_a_tray_is_known_from_where_tubes_were_seen(stage: Stage) -> None:  # LAB27-007
    order(stage, "S1")
    order(stage, "S2", (CREA,))
    async with running(stage), analyzer(stage) as sim:
        assert (await sim.ask(QueryBy.TRAY, tray="T1")).answer.code == "AE"
        for place, name in enumerate(("S1", "S2"), 1):
            tube = law.Specimen(container=law.EntityId(name), tray="T1", tray_position=str(place))
            await sim.report(seen(tube, None, status="IP"))
        assert (await sim.ask(QueryBy.TRAY, tray="T1")).answer.code == "AA"
        await eventually(lambda: sorted(one.step.test.code for one in sim.held.values()) == [CREA, ALT])
        assert {len(one.specimens) for one in sim.arrived if isinstance(one, law.Work)} == {1}  # LAB28-007


# Scenario 2.5.
async def test_an_isolate_is_asked_for_within_its_parent(stage: Stage) -> None:  # LAB27-008
    order(stage, "S1")
    order(stage, "S1-ISO2", (CREA,))
    async with running(stage), analyzer(stage) as sim:
        offer = await sim.ask(QueryBy.ISOLATE, named="S1", isolate="S1-ISO2")
        assert [one.step.test.code for one in offer.work] == [CREA]


# Scenario 3.8.
async def test_a_tube_that_the_analyzer_does_not_recognise_is_answered_ar_and_that_is_kept(stage: Stage) -> None:
    """LAB28-008: the line goes on, nothing is sent again, and what the analyzer said can be read."""
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=Manners(unknown_container=True, patience=60.0)) as sim:
        assert (await sim.ask(named="S9")).nothing is not None
        await eventually(lambda: stage.ask("SELECT count(*) FROM message WHERE kind = 'order-response'") == [(1,)])
        assert len((await sim.ask(named="S1")).work) == 1
        assert [type(one) for one in sim.arrived] == [law.NoWork, law.Work]
    ((facts,),) = stage.ask("SELECT facts FROM message WHERE kind = 'order-response' ORDER BY id LIMIT 1")
    assert '"answer": "AR"' in str(facts) and "S9 was not queried" in str(facts)
    assert stage.ask("SELECT count(*) FROM quarantine") == [(0,)]


# Scenario 4.3.
async def test_a_cancellation_of_what_the_analyzer_no_longer_has_leaves_the_door_open(stage: Stage) -> None:
    """Test plan I.3, item 4: it has lost its worklist and answers UC."""
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        sim.held.clear()
        change_orders(stage, "S1", "cancelled")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "unable"})
        assert (await sim.report(seen("S1", awos, observed()))).code == "AA"
    assert stage.ask("SELECT reason FROM quarantine") == [("cancelled-order",)]


async def test_what_was_planned_and_never_said_is_cancelled_without_a_word(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\npush = true\nallow = ["127.0.0.1"]')
    async with running(stage):  # nobody has connected
        order(stage, "S1")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "planned"})
        change_orders(stage, "S1", "cancelled")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "cancelled"})
        async with analyzer(stage) as sim:
            await sim.connected.wait()
            assert (await sim.ask(named="S9")).nothing is not None
            assert sim.counts["heard OML^O33"] == 1


async def test_a_feed_that_is_loaded_at_once_is_worked_through_without_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labmw.lab.worklist.MOST_ORDERS", 3)
    stage = set_up(tmp_path, link=f'{LINK}\npush = true\nallow = ["127.0.0.1"]')
    now = datetime.now(UTC)
    for n in range(
        20
    ):  # seven steps, of a second each if there were a rest between them; ten orders of one and the same moment
        order(stage, f"S{n}", at=now if n < 10 else None)
    async with running(stage) as laboratory:
        laboratory.worklist.rest = 3600.0
        await eventually(lambda: stage.ask("SELECT count(*) FROM awos") == [(20,)])


async def test_an_order_that_comes_to_the_disk_after_a_later_one_is_pushed_all_the_same(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\npush = true\nallow = ["127.0.0.1"]')
    now = datetime.now(UTC)
    order(stage, "S1", at=now)
    async with running(stage):
        await eventually(lambda: stage.ask("SELECT specimen FROM awos") == [("S1",)])
        order(stage, "S2", at=now - timedelta(seconds=5))
        await eventually(lambda: len(stage.ask("SELECT specimen FROM awos")) == 2)
