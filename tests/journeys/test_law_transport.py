"""A LAW line when something goes wrong below it: silence, restarts, strange cuts (test plan I.3, items 1 and 7)."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest
from lawside import LINK, analyzer, blobs, observed, order, running, seen, set_up, states
from stage import ALT, Stage, eventually

from protocols.hl7 import law
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from protocols.hl7.profile import ROCHE_X800
from simulators.law import Manners, Taken

PUSH = f'{LINK}\npush = true\nallow = ["127.0.0.1"]\nack_timeout = 0.3'
QUIET = Manners(silent=99, patience=60.0)


def query(number: str, tube: str) -> bytes:
    return (
        f"MSH|^~\\&|SIM||LABMW||20261101080000+0000||QBP^Q11^QBP_Q11|{number}|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\r"
        f"QPD|WOS^Work Order Step^IHELAW|T{number}|{tube}\rRCP|I||R^Real Time^HL70394\r"
    ).encode()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return set_up(tmp_path)


# Scenario 7.4.
async def test_a_message_without_reply_is_sent_twice_more_and_status_says_it_and_the_line_stays(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=PUSH)
    async with running(stage), analyzer(stage, manners=QUIET) as sim:
        await sim.connected.wait()
        order(stage, "S1")
        await eventually(lambda: len(sim.arrived) == 3)
        assert len({one.header.control_id for one in sim.arrived}) == 1
        await eventually(lambda: stage.ask("SELECT reason FROM awos") == [("unanswered",)])
        await eventually(
            lambda: "law-unanswered" in str(stage.ask("SELECT trouble FROM link_state WHERE link = 'analyzer'"))
        )
        assert states(stage) == {f"{ALT}@analyzer": "broadcast"}  # never "accepted": nobody has said so
        assert stage.ask("SELECT sends FROM awos") == [(3,)]
        assert sim.connections == 1
        await asyncio.sleep(0.5)
        assert len(sim.arrived) == 3  # not for ever
        # The analyzer comes back and takes it: what was owed goes out again, the same bytes.
        sim.manners = Manners(patience=60.0)
        await sim.hang_up()
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        await eventually(lambda: stage.ask("SELECT trouble FROM link_state WHERE link = 'analyzer'") == [("",)])
    sent = re.findall(rb"\x0bMSH[^\x1c]*OML\^O33[^\x1c]*\x1c\r", _journal(stage, "<"))
    assert (
        len(sent) > 3 and len(set(sent)) == 1
    )  # once more on the new connection, or oftener where its answer took long


# Scenario 3.5.
async def test_a_refusal_after_sending_again_is_taken_for_a_repeat(tmp_path: Path) -> None:  # LAB28-006
    stage = set_up(tmp_path, link=PUSH)
    async with (
        running(stage),
        analyzer(stage, manners=Manners(loses=1)) as sim,
    ):  # it takes the first, and we never hear
        await sim.connected.wait()
        order(stage, "S1")
        await eventually(lambda: stage.ask("SELECT state, reason FROM awos") == [("accepted", "taken-as-repeat")])
        assert len(sim.arrived) > 1 and len({one.header.control_id for one in sim.arrived}) == 1


async def test_a_refusal_after_a_restart_is_taken_for_a_repeat(tmp_path: Path) -> None:
    """The analyzer took it, and its reply found nobody: the next process sends it again, and is told UA."""
    stage = set_up(tmp_path, link=PUSH.replace("0.3", "30.0"))
    order(stage, "S1")
    async with analyzer(stage, manners=QUIET) as sim:
        async with running(stage):
            await eventually(lambda: len(sim.arrived) == 1)
        (work,) = sim.arrived
        assert isinstance(work, law.Work) and work.specimens[0].steps[0].awos is not None
        sim.held[work.specimens[0].steps[0].awos.id] = Taken(work.specimens[0].specimen, work.specimens[0].steps[0])
        sim.manners = Manners(patience=60.0)
        async with running(stage):
            await eventually(lambda: stage.ask("SELECT state, reason FROM awos") == [("accepted", "taken-as-repeat")])


# Scenario 7.5.
@pytest.mark.usefixtures("at_rest")
async def test_what_was_about_to_be_said_is_said_by_the_next_process(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=PUSH)
    async with running(stage), analyzer(stage, manners=QUIET) as sim:
        await sim.connected.wait()
        order(stage, "S1")
        await eventually(lambda: len(sim.arrived) >= 1)
        number = sim.arrived[0].header.control_id
    async with running(stage), analyzer(stage) as sim:
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert {one.header.control_id for one in sim.arrived} == {number}


# Scenario 7.3.
async def test_five_messages_may_be_open_at_once_where_the_family_bears_it(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=PUSH.replace("ack_timeout = 0.3", "ack_timeout = 30.0") + '\nprofile = "roche-x800"')
    async with running(stage), analyzer(stage, profile=ROCHE_X800, manners=QUIET) as sim:
        await sim.connected.wait()
        for n in range(8):
            order(stage, f"S{n}")
        await eventually(lambda: len(sim.arrived) == 5)
        await asyncio.sleep(0.3)
        assert len(sim.arrived) == 5


# Scenarios 1.3, 7.6, 7.7.
async def test_two_messages_in_one_piece_and_one_in_single_bytes_are_answered_by_their_numbers(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        await sim.say(wrap(query("Q1", "S1")) + wrap(query("Q2", "S9")))
        for byte in wrap(query("Q3", "S8")):
            await sim.say(bytes([byte]))
        await eventually(lambda: len(sim.replies) == 3)
        assert [law.read_ack(one).control_id for one in sim.replies] == ["Q1", "Q2", "Q3"]
        await eventually(lambda: len(sim.arrived) == 3)
        await eventually(lambda: len(sim.held) == 1)


# Scenario 7.7.
async def test_any_cut_of_the_stream_gives_the_same(stage: Stage) -> None:
    chance = random.Random(7)
    for n in range(6):
        order(stage, f"S{n}")
    data = b"".join(wrap(query(f"Q{n}", f"S{n}")) for n in range(6))
    async with running(stage), analyzer(stage) as sim:
        while data:
            size = chance.randint(1, 90)
            await sim.say(data[:size])
            data = data[size:]
        await eventually(lambda: len(sim.held) == 6)
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
    assert [law.read_ack(one).control_id for one in sim.replies] == [f"Q{n}" for n in range(6)]


# Scenario 2.10.
async def test_the_work_never_comes_before_the_reply_to_its_query(stage: Stage) -> None:
    for n in range(10):
        order(stage, f"S{n}")
    async with running(stage), analyzer(stage) as sim:
        for n in range(10):
            await sim.ask(named=f"S{n}")
        await eventually(lambda: heard(stage) == ["RSP", "OML"] * 10)
        await eventually(lambda: set(states(stage).values()) == {"accepted"})


# Scenario 2.9.
async def test_a_repeated_query_gets_the_stored_reply_and_the_same_work(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=Manners(silent=1, patience=60.0)) as sim:
        await sim.say(wrap(query("Q1", "S1")))
        await eventually(lambda: len(sim.arrived) == 1)
        await sim.hang_up()
        await sim.say(wrap(query("Q1", "S1")))
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert len({one.raw for one in sim.replies}) == 1
        assert len({one.header.control_id for one in sim.arrived}) == 1
    assert stage.ask("SELECT count(*) FROM message WHERE kind = 'query'") == [(1,)]


async def test_a_repeated_query_without_work_is_told_so_again(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        for times in (1, 2):
            await sim.say(wrap(query("Q1", "S9")))
            await eventually(lambda: len(sim.arrived) == times)  # noqa: B023 - awaited within the loop
            assert isinstance(sim.arrived[-1], law.NoWork)
            await sim.hang_up()
    assert stage.ask("SELECT count(*) FROM message WHERE kind = 'query'") == [(1,)]


# Scenario 7.8.
async def test_a_block_that_is_too_large_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    stage = set_up(tmp_path, extra="[limits]\nmessage_bytes = 20000")
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        await sim.say(b"\x0bMSH|^~\\&|" + b"x" * 30000)
        await eventually(lambda: sim.connections == 2)
        await sim.connected.wait()
        assert len((await sim.ask(named="S1")).work) == 1


# Scenario 1.3.
async def test_reports_and_orders_cross_on_one_connection(stage: Stage) -> None:
    """Both sides have messages open at once; each reply finds its message by MSA-2."""
    for n in range(8):
        order(stage, f"S{n}")
    async with running(stage), analyzer(stage) as sim:
        asked = [sim.ask(named=f"S{n}") for n in range(8)]
        told = [sim.report(seen(f"S{n}", None, observed())) for n in range(8)]
        offers, replies = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*told))
    assert {one.answer.code for one in offers} == {one.code for one in replies} == {"AA"}


def heard(stage: Stage) -> list[str]:
    """The kinds of what the analyzer was told, in order."""
    return [Message.parse(one).code for one in re.findall(rb"\x0b(MSH[^\x1c]*)\x1c\r", _journal(stage, "<"))]


def _journal(stage: Stage, direction: str) -> bytes:
    return b"".join(blobs(stage, "SELECT data FROM journal WHERE direction = ? ORDER BY id", direction))
