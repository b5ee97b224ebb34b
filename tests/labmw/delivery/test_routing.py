"""What one destination does not take goes to another, once; what is put away is sent no more; an older value is never let go over a newer one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from receiver import ack, at_once, receiving
from released import Morning, morning, timed

from labmw.clock import stamp
from labmw.delivery import mending
from labmw.delivery.mending import NotNow, Overtaken, TakenBack
from labmw.delivery.routing import route, route_all
from labmw.store.checking import check
from labmw.store.statements import mending as stored

STATES = "SELECT destination, state FROM outbox ORDER BY id"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        yield one


def decided(day: Morning) -> dict[str, str]:
    return {"at": stamp(day.clock.now()), "by": "Dr Test", "why": "the LIS is replaced"}


async def refused(day: Morning) -> None:
    await day.release(timed())

    async def refuses(control: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ack(control, "AE"))

    async with receiving(refuses) as (sender, _):
        await day.outbox(sender).step()


async def test_a_dead_letter_goes_to_another_destination_and_counts_as_delivered_there(day: Morning) -> None:
    await refused(day)
    routed = await day.line.store.run(route("TEST", 1, "OTHER", **decided(day)))
    assert (routed.anew, routed.results) == (2, 1)
    assert day.ask(STATES) == [("LIS", "closed"), ("OTHER", "waiting")]
    assert day.ask("SELECT state FROM result") == [("released",)]
    async with receiving(at_once) as (sender, receiver):
        await day.outbox(sender, destination="OTHER").step()
    assert len(receiver.got) == 1
    assert day.ask("SELECT state FROM result") == [("delivered",)]
    assert day.ask("SELECT who, subject, why FROM audit WHERE what = 'routed'") == [
        ("Dr Test", "outbox/1", "the LIS is replaced")
    ]
    assert [one.code for one in check(f"sqlite:///{day.line.stage.database}", "TEST") if one.faults] == []


async def test_a_destination_gets_a_result_once(day: Morning) -> None:
    day.verification.destinations = ["LIS", "OTHER"]
    await day.release(timed())
    routed = await day.line.store.run(route("TEST", 1, "OTHER", **decided(day)))
    assert (routed.anew, routed.results, routed.there) == (None, 0, 1)
    with pytest.raises(NotNow):
        await day.line.store.run(route("TEST", 2, "LIS", **decided(day)))  # there it was put away: retry that one
    async with receiving(at_once) as (sender, _):
        await day.outbox(sender, destination="OTHER").step()
    assert day.ask("SELECT state FROM result") == [("delivered",)]


async def test_everything_of_a_destination_goes_in_one_step(day: Morning) -> None:
    for minutes, tube in enumerate(("S1", "S2", "S3")):
        await day.release(timed(specimen=tube, minutes=minutes))
    done = await day.line.store.run(route_all("TEST", "LIS", "OTHER", **decided(day)))
    assert [one.anew for one in done] == [4, 5, 6]
    async with receiving(at_once) as (sender, receiver):
        await day.outbox(sender, destination="LIS").step()
        assert receiver.got == []
        await day.outbox(sender, destination="OTHER").step()
        assert len(receiver.got) == 3


async def newer_delivered(day: Morning) -> None:
    """A newer run of what is a dead letter arrives: its message is the second."""
    await day.release(timed("25", minutes=5, run="2"))
    [(number, message)] = day.ask("SELECT id, message FROM result WHERE run = '2'")
    day.write("UPDATE result SET state = 'delivered' WHERE id = ?", number)
    day.write(
        "INSERT INTO outbox (site, destination, control_id, specimen, message, state, due_at, created_at) VALUES ('TEST', 'LIS', 'NEWER', 'S1', ?, 'delivered', '', '')",
        message,
    )
    day.write(
        "INSERT INTO outbox_result (site, outbox, result, destination) SELECT 'TEST', max(id), ?, 'LIS' FROM outbox",
        number,
    )


async def test_a_dead_letter_is_not_let_go_over_a_newer_value(day: Morning) -> None:
    await refused(day)
    await newer_delivered(day)
    with pytest.raises(Overtaken):
        await day.line.store.run(mending.retry("TEST", 1, **decided(day)))
    await day.line.store.run(mending.close("TEST", 1, **decided(day)))
    assert day.ask(STATES)[0] == ("LIS", "closed")
    async with receiving(at_once) as (sender, receiver):
        day.later(600)
        await day.outbox(sender).step()
        assert receiver.got == []


@pytest.mark.parametrize(
    ("state", "attempts", "may_be_there"), [("claimed", 1, True), ("waiting", 1, True), ("waiting", 0, False)]
)
async def test_a_newer_value_that_was_on_the_wire_may_be_there(
    day: Morning, state: str, attempts: int, may_be_there: bool
) -> None:
    """It is being sent, or its acknowledgment was lost: the older one, let go now, would arrive behind it."""
    await refused(day)
    await newer_delivered(day)
    day.write("UPDATE outbox SET state = ?, attempts = ? WHERE control_id = 'NEWER'", state, attempts)
    if may_be_there:
        with pytest.raises(Overtaken):
            await day.line.store.run(mending.retry("TEST", 1, **decided(day)))
    else:  # it has not left, and waits for the older one
        await day.line.store.run(mending.retry("TEST", 1, **decided(day)))


@pytest.mark.parametrize("state", ["withdrawn", "blocked", "rejected"])
async def test_what_does_not_hold_any_more_is_not_let_go(day: Morning, state: str) -> None:
    await refused(day)
    day.write("UPDATE result SET state = ?", state)
    with pytest.raises(TakenBack):
        await day.line.store.run(mending.retry("TEST", 1, **decided(day)))
    with pytest.raises(TakenBack):
        await day.line.store.run(route("TEST", 1, "OTHER", **decided(day)))
    await day.line.store.run(mending.close("TEST", 1, **decided(day)))


async def test_without_that_look_it_would_go(day: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks the rule."""
    await refused(day)
    await newer_delivered(day)
    monkeypatch.setattr(stored, "overtaken_by", lambda entry: stored.refusals_of(-1))
    await day.line.store.run(mending.retry("TEST", 1, **decided(day)))
    async with receiving(at_once) as (sender, receiver):
        await day.outbox(sender).step()
    assert len(receiver.got) == 1 and "|22|" in receiver.texts[0]


async def test_a_newer_value_at_the_other_destination_is_not_covered_either(day: Morning) -> None:
    await refused(day)
    await newer_delivered(day)
    day.write("UPDATE outbox SET destination = 'OTHER' WHERE control_id = 'NEWER'")
    with pytest.raises(Overtaken):
        await day.line.store.run(route("TEST", 1, "OTHER", **decided(day)))


@pytest.mark.parametrize("script", [mending.retry, mending.close, mending.hold])
async def test_what_was_delivered_stays(day: Morning, script: Any) -> None:
    await day.release(timed())
    async with receiving(at_once) as (sender, _):
        await day.outbox(sender).step()
    with pytest.raises(NotNow):
        await day.line.store.run(script("TEST", 1, **decided(day)))
