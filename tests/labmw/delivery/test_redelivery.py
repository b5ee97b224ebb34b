"""A period is sent again as it stands now, and never over a later state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from receiver import Receiver, at_once, never, receiving
from released import START, Morning, morning, timed

from labmw.clock import stamp
from labmw.delivery import outbox as sending
from labmw.delivery import redelivery
from labmw.delivery.redelivery import Line, plan, redeliver
from labmw.lab.withdrawing import withdraw

SITE, LIS = "TEST", "LIS"
WHEN = ("2026-11-01T00:00:00.000000Z", "2026-11-02T00:00:00.000000Z")


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        yield one


async def deliver(day: Morning, times: int = 3) -> Receiver:
    async with receiving(at_once) as (sender, receiver):
        for _ in range(times):
            await day.outbox(sender).step()
    return receiver


async def again(day: Morning) -> list[Line]:
    planned: list[Line] = await day.line.store.view(plan(SITE, LIS, *WHEN))
    script = redeliver(SITE, LIS, planned, at=stamp(day.clock.now()), by="Dr Test", why="restored from Tuesday")
    lines: list[Line] = await day.line.store.run(script)
    return lines


async def newer(day: Morning, value: str) -> None:
    """A second run, which the rules hold and a person lets go."""
    await day.release(timed(value, minutes=5, run="2"))
    [(number, message)] = day.ask("SELECT id, message FROM result WHERE run = '2'")
    at = stamp(day.clock.now())
    day.write("UPDATE result SET state = 'released' WHERE id = ?", number)
    day.write(
        "INSERT INTO outbox (site, destination, control_id, specimen, message, due_at, created_at) VALUES ('TEST', 'LIS', 'NEWER', 'S1', ?, ?, ?)",
        message,
        at,
        at,
    )
    day.write(
        "INSERT INTO outbox_result (site, outbox, result, destination) SELECT 'TEST', max(id), ?, 'LIS' FROM outbox",
        number,
    )


def shown(receiver: Receiver) -> list[tuple[str, str, str]]:
    """Value and OBX-11 of what came, with the kind of its MSH-10."""
    found = []
    for control, text in zip(receiver.got, receiver.texts, strict=True):
        for row in text.split("\r"):
            fields = row.split("|")
            if fields[0] == "OBX":
                found.append(((control[0] == "R" and "again") or "first", fields[5], fields[11]))
    return found


async def test_of_a_period_with_too_much_in_it_one_more_than_allowed_is_shown(
    day: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        await day.release(timed("22", specimen=f"S{number}"))
    await deliver(day, 6)
    assert len(await day.line.store.view(plan(SITE, LIS, *WHEN))) == 3
    monkeypatch.setattr(redelivery, "MOST", 1)
    assert len(await day.line.store.view(plan(SITE, LIS, *WHEN))) == 2


async def test_what_changed_since_it_was_planned_is_sent_as_it_is_now(day: Morning) -> None:
    await day.release(timed("22"))
    await deliver(day)
    planned = await day.line.store.view(plan(SITE, LIS, *WHEN))
    await newer(day, "30")
    script = redeliver(SITE, LIS, planned, at=stamp(day.clock.now()), by="Dr Test", why="restored from Tuesday")
    assert [line.fate for line in await day.line.store.run(script)] == ["redeliver-on-its-way"]


async def test_what_is_current_is_sent_again_as_it_was_said_first(day: Morning) -> None:
    await day.release(timed("22"))
    await day.release(timed("30", specimen="S2"))
    first = await deliver(day)
    assert {line.fate for line in await day.line.store.view(plan(SITE, LIS, *WHEN))} == {"redeliver-send"}
    assert day.ask("SELECT count(*) FROM outbox") == [(2,)]  # looking sends nothing
    await again(day)
    second = await deliver(day)
    assert shown(second) == [("again", "22", "F"), ("again", "30", "F")]  # a first report, no correction
    assert not set(first.got) & set(second.got)
    assert day.ask("SELECT DISTINCT state FROM result") == [("delivered",)]
    assert day.ask("SELECT who, why FROM audit WHERE what = 'redelivered' LIMIT 1") == [
        ("Dr Test", "restored from Tuesday")
    ]


async def test_an_older_value_is_never_sent_again_over_a_newer_one(day: Morning) -> None:
    await day.release(timed("22"))
    await deliver(day)
    await newer(day, "25")
    await deliver(day)
    lines = await again(day)
    assert [(line.value, line.fate) for line in lines] == [
        ("22 U/L", "redeliver-superseded"),
        ("25 U/L", "redeliver-send"),
    ]
    assert [value for _, value, _ in shown(await deliver(day))] == ["25"]


async def overtaken(day: Morning) -> list[str]:
    """Queued to be sent again; before it leaves, a newer value does. The values that arrive, in order."""
    await day.release(timed("22"))
    await deliver(day)
    await again(day)
    async with receiving(never, patience=0.05) as (sender, _):
        await day.outbox(sender).step()  # sent, and not acknowledged
    day.later(100)
    await newer(day, "25")
    receiver = await deliver(day, times=4)
    return [value for _, value, _ in shown(receiver)]


async def test_what_was_overtaken_between_queue_and_wire_is_closed_unsent(day: Morning) -> None:
    assert await overtaken(day) == ["25"]
    assert day.ask("SELECT state FROM outbox ORDER BY id") == [("delivered",), ("closed",), ("delivered",)]


async def test_without_the_last_look_the_older_value_would_arrive(
    day: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variant that breaks the rule."""

    def trusting(row, *, sent):  # type: ignore[no-untyped-def]
        return True
        yield

    monkeypatch.setattr(sending, "still_current", trusting)
    assert "22" in await overtaken(day)


async def test_what_is_left_of_an_overtaken_message_goes_under_another_number(day: Morning) -> None:
    day.write("INSERT INTO \"order\" (site, specimen, loinc, placer) VALUES ('TEST', 'S1', '2324-2', 'O')")
    await day.release(timed("22"), timed("31", code="GGT", loinc="2324-2", test_name="GGT"))
    await deliver(day)
    await again(day)
    async with receiving(never, patience=0.05) as (sender, silent):
        await day.outbox(sender).step()
    day.later(100)
    await newer(day, "25")
    receiver = await deliver(day, times=5)
    values = {control: [row.split("|")[5] for row in text.split("\r") if row.startswith("OBX")] for control, text in zip(receiver.got, receiver.texts, strict=True)}  # fmt: skip
    assert sorted(values.values()) == [["25"], ["31"]]
    assert silent.got[0] not in values  # never two contents under one MSH-10


async def test_what_was_taken_back_in_the_time_is_taken_back_again(day: Morning) -> None:
    await day.release(timed("22"))
    await deliver(day)
    [(number,)] = day.ask("SELECT id FROM result")
    assert (
        await day.line.store.run(withdraw(SITE, LIS, int(str(number)), "Dr Test", "wrong tube", stamp(START))) is None
    )
    await deliver(day)
    lines = await again(day)
    assert [line.fate for line in lines] == ["redeliver-withdrawn", "redeliver-take-back"]
    assert [status for _, _, status in shown(await deliver(day))] == ["X"]


async def test_what_the_lis_holds_or_has_changed_since_is_left_alone(day: Morning) -> None:
    for tube in ("S1", "S2", "S3"):
        await day.release(timed("22", specimen=tube))
    await deliver(day)
    held = "INSERT INTO lis_holds (site, specimen, loinc, value, unit, status, message, at) VALUES ('TEST', ?, '1742-6', ?, 'U/L', 'F', 1, ?)"
    day.write(held, "S1", "22.0", "2026-11-01T07:00:00.000000Z")
    day.write(held, "S2", "23", "2026-11-01T09:00:00.000000Z")
    day.write(held, "S3", "23", "2026-11-01T07:00:00.000000Z")
    lines = await day.line.store.view(plan(SITE, LIS, *WHEN))
    assert [line.fate for line in lines] == ["redeliver-there", "redeliver-changed-there", "redeliver-send"]
    every = await day.line.store.view(plan(SITE, LIS, *WHEN, every=True))
    assert [line.fate for line in every] == ["redeliver-send", "redeliver-changed-there", "redeliver-send"]
