"""Delivered once in effect, in order, whatever the receiver and the disk do in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from receiver import ack, at_once, never, receiving
from released import Morning, morning, timed
from stage import eventually, free_port

from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox
from labmw.delivery.patience import Patience
from labmw.errors import DeliveryError
from labmw.store.transaction import Row, Transaction

STATES = "SELECT specimen, state, attempts FROM outbox ORDER BY id"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        yield one


async def three(day: Morning) -> None:
    for minutes, specimen in enumerate(("S1", "S2", "S3")):
        await day.release(timed(specimen=specimen, minutes=minutes))


async def test_what_was_released_is_delivered_in_order_and_closed_with_its_receipt(day: Morning) -> None:
    await three(day)
    async with receiving(at_once) as (sender, receiver):
        assert await day.outbox(sender).step() == 0
        assert await day.outbox(sender).step() > 0
    assert [text.split("SPM|1|")[1].split("&")[0].split("^")[0] for text in receiver.texts] == ["S1", "S2", "S3"]
    assert day.ask(STATES) == [("S1", "delivered", 1), ("S2", "delivered", 1), ("S3", "delivered", 1)]
    assert day.ask("SELECT DISTINCT state FROM result") == [("delivered",)]
    assert day.ask(
        "SELECT count(*) FROM outbox WHERE payload IS NOT NULL AND substr(receipt, 1, 3) = CAST('MSH' AS BLOB)"
    ) == [(3,)]
    assert day.ask("SELECT what, subject FROM audit WHERE what = 'delivered' ORDER BY id LIMIT 1") == [
        ("delivered", "outbox/1")
    ]


async def test_stat_goes_first(day: Morning) -> None:
    day.write("UPDATE \"order\" SET priority = 'S' WHERE specimen = 'S3'")
    await three(day)
    async with receiving(at_once) as (sender, receiver):
        await day.outbox(sender).step()
    assert day.ask("SELECT specimen FROM outbox WHERE control_id = ?", receiver.got[0]) == [("S3",)]


async def test_a_receiver_that_is_away_costs_no_attempt_and_nothing_is_lost_when_it_returns(day: Morning) -> None:
    await three(day)
    port = free_port()
    told: list[str] = []
    outbox = day.outbox(MllpSender("127.0.0.1", port, patience=1), trouble=lambda code, facts: told.append(code))
    pauses = []
    for _ in range(5):
        pauses.append(await outbox.step())
        assert await outbox.step() == pauses[-1]  # nothing is tried before the pause is over
        day.later(pauses[-1])
    assert pauses == [10, 20, 40, 40, 40]
    assert told == ["lis-unreachable"] * 5
    assert day.ask(STATES) == [("S1", "waiting", 0), ("S2", "waiting", 0), ("S3", "waiting", 0)]
    assert "cannot be reached" in str(day.ask("SELECT last_error FROM outbox WHERE id = 1"))
    async with receiving(at_once) as (sender, receiver):
        well: list[str] = []
        outbox.sender, outbox.well = sender, well.append
        for _ in range(2):  # one message tries it, then the others
            assert await outbox.step() == 0
        assert outbox.breaker.closed
        assert "lis-unreachable" in well
        assert len(receiver.got) == len(set(receiver.got)) == 3
    assert day.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]


async def test_an_unacknowledged_message_is_sent_again_with_the_same_bytes(day: Morning) -> None:
    await day.release(timed())
    answers = iter([b"", b"", b"AA"])

    async def third_time(control: str, writer: asyncio.StreamWriter) -> None:
        if next(answers):
            writer.write(ack(control))

    async with receiving(third_time, patience=0.3) as (sender, receiver):
        outbox = day.outbox(sender)
        for _ in range(3):
            await outbox.step()
            day.later(41)
        assert len(set(receiver.texts)) == 1
        assert len(receiver.texts) == 3
    assert day.ask(STATES) == [("S1", "delivered", 3)]


async def test_a_refusal_goes_to_a_person_and_the_others_go_on(day: Morning) -> None:
    await three(day)

    async def refuses_the_first(control: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ack(control, "AE" if len(receiver.got) == 1 else "AA"))

    async with receiving(refuses_the_first) as (sender, receiver):
        await day.outbox(sender).step()
    assert day.ask(STATES) == [("S1", "dead", 1), ("S2", "delivered", 1), ("S3", "delivered", 1)]
    assert "AE" in str(day.ask("SELECT last_error FROM outbox WHERE id = 1"))
    assert day.ask("SELECT state FROM result WHERE specimen = 'S1'") == [("dead",)]
    assert day.ask("SELECT count(*) FROM audit WHERE what = 'dead-letter'") == [(1,)]


async def test_a_message_that_the_receiver_chokes_on_does_not_keep_back_the_others(day: Morning) -> None:
    """It is never acknowledged; the others go first from then on, and after its attempts it goes to a person."""
    await three(day)

    async def chokes_on_s1(control: str, writer: asyncio.StreamWriter) -> None:
        if "SPM|1|S1" not in receiver.texts[-1]:
            writer.write(ack(control))

    async with receiving(chokes_on_s1, patience=0.3) as (sender, receiver):
        outbox = day.outbox(sender, attempts=3)
        await outbox.step()
        assert day.ask(STATES)[0] == ("S1", "waiting", 1)
        day.later(10)
        for _ in range(2):
            await outbox.step()  # S1 waits for its own time
        assert day.ask(STATES) == [("S1", "waiting", 1), ("S2", "delivered", 1), ("S3", "delivered", 1)]
        for _ in range(2):
            day.later(41)
            await outbox.step()
    assert day.ask(STATES)[0] == ("S1", "dead", 3)
    assert "no acknowledgment after 3 attempts" in str(day.ask("SELECT last_error FROM outbox WHERE id = 1"))


async def test_a_later_report_of_the_same_specimen_does_not_overtake_one_in_doubt(day: Morning) -> None:
    await day.release(timed())
    day.write("INSERT INTO \"order\" (site, specimen, loinc, placer) VALUES ('TEST', 'S1', '2324-2', 'O')")
    await day.release(timed("25", minutes=1, code="GGT", loinc="2324-2", test_name="GGT"))
    await day.release(timed(specimen="S2"))
    silent = [True]

    async def sometimes(control: str, writer: asyncio.StreamWriter) -> None:
        if not silent[0] or "SPM|1|S2" in receiver.texts[-1]:
            writer.write(ack(control))

    async with receiving(sometimes, patience=0.3) as (sender, receiver):
        outbox = day.outbox(sender)
        await outbox.step()
        day.later(10)
        for _ in range(2):
            await outbox.step()
        assert day.ask(STATES) == [("S1", "waiting", 1), ("S1", "waiting", 0), ("S2", "delivered", 1)]
        silent[0] = False
        day.later(41)
        await outbox.step()
    assert day.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]
    order = [text.split("OBX|1|NM|")[1][:6] for text in receiver.texts if "SPM|1|S1" in text]
    assert order == ["1742-6", "1742-6", "2324-2"]


async def test_a_late_acknowledgment_closes_its_own_message_and_never_the_next(day: Morning) -> None:
    await day.release(timed())
    await day.release(timed("23", specimen="S2"))
    late: list[bytes] = []

    async def one_late(control: str, writer: asyncio.StreamWriter) -> None:
        if len(receiver.got) == 1:
            late.append(ack(control))  # AA for S1, when we have stopped waiting for it
        else:
            writer.write(late.pop())
            await asyncio.sleep(0.02)
            writer.write(ack(control, "AE"))

    async with receiving(one_late, patience=0.5) as (sender, receiver):
        outbox = day.outbox(sender)
        await outbox.step()
        day.later(10)
        await outbox.step()
        await eventually(lambda: day.ask(STATES) == [("S1", "delivered", 1), ("S2", "dead", 1)])
    assert day.ask("SELECT specimen, state FROM result ORDER BY id") == [("S1", "delivered"), ("S2", "dead")]
    assert len(receiver.got) == 2  # what was acknowledged late is not sent again


async def test_a_dead_letter_whose_acknowledgment_comes_late_is_delivered_after_all(day: Morning) -> None:
    await day.release(timed())
    async with receiving(never, patience=0.05) as (sender, receiver):
        outbox = day.outbox(sender, attempts=1)
        await outbox.step()
        assert day.ask(STATES) == [("S1", "dead", 1)]
        receiver.writers[-1].write(ack(receiver.got[0]))
        await eventually(lambda: day.ask(STATES) == [("S1", "delivered", 1)])
    assert day.ask("SELECT state FROM result") == [("delivered",)]


@pytest.mark.parametrize("code", ["AE", "AA"])
async def test_a_stray_acknowledgment_of_somebody_else_changes_nothing(code: str, day: Morning) -> None:
    await day.release(timed())
    async with receiving(at_once) as (sender, receiver):
        outbox = day.outbox(sender)
        await sender._connected()
        await eventually(lambda: len(receiver.writers) == 1)
        receiver.writers[0].write(ack("NOBODY", code))
        await asyncio.sleep(0.05)
        assert day.ask(STATES) == [("S1", "waiting", 0)]
        await outbox.step()
    assert day.ask(STATES) == [("S1", "delivered", 1)]


async def test_what_a_dead_process_had_claimed_comes_back_after_its_lease(day: Morning) -> None:
    await day.release(timed())
    async with receiving(at_once) as (sender, receiver):
        dead = day.outbox(sender, who="pid 1")
        assert len(await day.line.store.run(dead._claim())) == 1
        living = day.outbox(sender, who="pid 2")
        assert await living.step() > 0
        assert receiver.got == []
        day.later(121)
        await living.step()
        assert len(receiver.got) == 1
    assert day.ask(STATES) == [("S1", "delivered", 2)]


async def test_a_message_that_cannot_be_written_is_buried_alone(day: Morning) -> None:
    await three(day)
    report = day.report

    def compose(row: Row) -> Transaction[bytes]:
        if row.specimen == "S1":
            raise ZeroDivisionError("a fault of ours")
        if row.specimen == "S2":
            raise DeliveryError("no truthful report can be written")
        return (yield from report.compose(row))

    async with receiving(at_once) as (sender, _):
        await day.outbox(sender, compose=compose).step()
    assert day.ask(STATES) == [("S1", "dead", 1), ("S2", "dead", 1), ("S3", "delivered", 1)]
    errors = [str(row[0]) for row in day.ask("SELECT last_error FROM outbox ORDER BY id")]
    assert errors == ["ZeroDivisionError: a fault of ours", "no truthful report can be written", ""]


async def test_bytes_that_no_block_can_carry_are_buried_and_not_retried(day: Morning) -> None:
    await day.release(timed())

    def compose(row: Row) -> Transaction[bytes]:
        return b"MSH|\x1c"
        yield

    async with receiving(at_once) as (sender, receiver):
        assert await day.outbox(sender, compose=compose).step() == 0
        assert receiver.got == []
    assert day.ask(STATES) == [("S1", "dead", 1)]


async def test_a_store_that_fails_after_the_answer_sends_again_and_delivers_once_in_effect(day: Morning) -> None:
    await day.release(timed())

    async def break_disk(control: str, writer: asyncio.StreamWriter) -> None:
        day.line.disk.broken = len(receiver.got) == 1
        writer.write(ack(control))

    async with receiving(break_disk) as (sender, receiver):
        outbox = day.outbox(sender)
        assert await outbox.step() == outbox.rest
        day.line.disk.broken = False
        assert day.ask(STATES) == [("S1", "claimed", 1)]
        assert await day.outbox(sender, who="another").step() > 0
        assert len(receiver.got) == 1  # for anybody else it is claimed, until its lease ends
        sender.stray = outbox.stray
        await outbox.step()
        assert len(receiver.got) == 2
        assert len(set(receiver.texts)) == 1  # the receiver drops the repeat by its MSH-10
    assert day.ask(STATES) == [("S1", "delivered", 2)]


async def test_the_task_wakes_for_new_work_and_outlives_every_fault(
    day: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(at_once) as (sender, _):
        outbox = day.outbox(sender, rest=0.02)
        running = asyncio.create_task(outbox.run())
        try:
            day.line.disk.broken = True
            await asyncio.sleep(0.05)
            day.line.disk.broken = False
            monkeypatch.setattr(Outbox, "_claim", lambda self: 1 / 0)
            await asyncio.sleep(0.05)
            monkeypatch.undo()
            assert not running.done()
            outbox.rest = 3600.0
            await asyncio.sleep(0.05)
            await day.release(timed())
            outbox.signal.set()
            await eventually(lambda: day.ask(STATES) == [("S1", "delivered", 1)])
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_new_work_does_not_cut_the_back_off_short(day: Morning) -> None:
    """A LIS that is starting must not be stormed by every result that is released meanwhile."""
    attempts = 0

    class Counting(MllpSender):
        async def _connected(self) -> asyncio.StreamWriter:
            nonlocal attempts
            attempts += 1
            return await super()._connected()

    sender = Counting("127.0.0.1", free_port(), patience=1)
    outbox = day.outbox(sender, patience=Patience(600.0, 2.0, 600.0, 0.0))
    await day.release(timed())
    running = asyncio.create_task(outbox.run())
    try:
        await eventually(lambda: attempts == 1)
        for _ in range(40):
            outbox.signal.set()
            await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert attempts == 1


async def test_results_of_two_patients_in_one_row_are_never_sent(day: Morning) -> None:
    await day.release(timed(), timed("25", code="AST", minutes=1))
    day.write("UPDATE result SET state = 'released', patient = CASE code WHEN 'AST' THEN 'P-S2' ELSE patient END")
    day.write(
        "INSERT OR IGNORE INTO outbox (id, site, destination, control_id, specimen, message, due_at, created_at) VALUES (9, 'TEST', 'LIS', 'C9', 'S1', 1, '2026', '2026-11-01T08:00:00.000000Z')"
    )
    day.write(
        "INSERT INTO verdict (site, result, level, decided_at, decided_by) SELECT 'TEST', id, 0, '2026-11-01T08:00:00.000000Z', 'rules' FROM result"
    )
    day.write("UPDATE outbox SET state = 'delivered' WHERE id <> 9")
    day.write("DELETE FROM outbox_result")
    day.write("INSERT INTO outbox_result (site, outbox, result, destination) SELECT 'TEST', 9, id, 'LIS' FROM result")
    async with receiving(at_once) as (sender, receiver):
        await day.outbox(sender).step()
        assert receiver.got == []
    assert "several patients" in str(day.ask("SELECT last_error FROM outbox WHERE id = 9"))


async def test_two_outboxes_that_meet_deliver_each_message_once(day: Morning) -> None:
    await three(day)
    async with receiving(at_once) as (sender, receiver):
        one, two = day.outbox(sender, who="one"), day.outbox(sender, who="two")
        one.sender.stray = lambda acknowledgment, raw: None
        await asyncio.gather(one.step(), two.step())
        await asyncio.gather(one.step(), two.step())
        assert sorted(receiver.got) == sorted(set(receiver.got))
    assert day.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]
    assert replace(one, who="three").who == "three"
