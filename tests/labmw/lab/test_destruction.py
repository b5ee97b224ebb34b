"""What is destroyed is gone, its tombstone stays, the audit's chain holds over it; and whoever must stay, stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from released import Morning, morning, timed
from sqlalchemy import select

from labmw.clock import stamp
from labmw.config import Retention
from labmw.lab import sealing
from labmw.lab.destruction import Destruction, Signed
from labmw.lab.retention import (
    Activities,
    RetentionPlan,
    UnusableList,
    hold,
    plan,
    read_activities,
    release,
    years_after,
)
from labmw.lab.sealing import seal, verify
from labmw.store import schema
from labmw.store.checking import check

SITE, LATER = "TEST", date(2047, 1, 1)
TERMS = Retention(destruction=True)
LIST = b"patient;last_activity\nP-S1;2026-11-01\nP-S2;2026-11-01\nP-S3;2040-06-01\nNOBODY;1999-01-01\n"


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        for minutes, tube in enumerate(("S1", "S2", "S3")):
            await one.release(timed(specimen=tube, minutes=minutes))
        one.write("UPDATE result SET state = 'delivered'")
        one.write("UPDATE outbox SET state = 'delivered', payload = X'41', receipt = X'42', delivered_at = created_at")
        one.write("INSERT INTO session (site, id, link, opened_at, closed_at) VALUES ('TEST', 'X1', 'a', '', '')")
        one.write(
            "INSERT INTO journal (site, link, session, at, direction, data) VALUES ('TEST', 'a', 'X1', '', '>', X'4B')"
        )
        one.write("UPDATE message SET session = 'X1' WHERE id = (SELECT message FROM result WHERE specimen = 'S1')")
        await one.line.store.run(seal(SITE, stamp(one.clock.now())))
        yield one


async def planned(day: Morning, terms: Retention = TERMS, today: date = LATER, raw: bytes = LIST) -> RetentionPlan:
    found: RetentionPlan = await day.line.store.view(plan(SITE, terms, read_activities(raw), today))
    return found


async def destroyed(day: Morning, found: RetentionPlan) -> Destruction:
    at = stamp(day.clock.now())
    work, signed = Destruction(SITE, found.as_json(), "salt"), Signed(found.digest, "Dr Test", "biologist", at)
    run = day.line.store.run
    assert await run(work.begin(signed, at))
    for one in work.due:
        await run(work.patient(one, at))
    while await run(work.controls(at)):
        pass
    while await run(work.audit(at)):
        pass
    await run(work.close(signed, at))
    await run(seal(SITE, at))
    return work


def traces(day: Morning, text: str) -> list[str]:
    """Tables in which a text still stands."""
    found = []
    for table in schema.metadata.sorted_tables:
        for column in table.c:
            if day.ask(f'SELECT 1 FROM "{table.name}" WHERE CAST("{column.name}" AS TEXT) LIKE ? LIMIT 1', f"%{text}%"):
                found.append(f"{table.name}.{column.name}")
    return found


async def test_nothing_is_due_without_the_list_and_only_who_is_on_it(day: Morning) -> None:
    empty = await day.line.store.view(plan(SITE, TERMS, Activities({}, ""), LATER))
    assert (empty.due, empty.archive) == ((), 0)
    found = await planned(day)
    assert [(one.patient, one.classes) for one in found.due] == [
        ("P-S1", ("raw", "messages", "results", "identity")),
        ("P-S2", ("raw", "messages", "results", "identity")),
    ]
    assert found.archive == 3  # P-S3 came again in 2040
    assert (await planned(day, today=date(2046, 10, 31))).due == ()  # a day too early
    assert (await planned(day, Retention(genetic_tests=["1742-6"]))).due == ()  # 30 years
    assert (await planned(day, raw=b"patient;last_activity\nP-S1;1999-01-01\n", today=date(2040, 1, 1))).due == ()
    # the list is older than what labmw has seen itself


async def test_what_is_destroyed_is_gone_and_the_chain_holds(day: Morning) -> None:
    before = traces(day, "P-S1")
    assert "patient.identifier" in before and "result.patient" in before
    await destroyed(day, await planned(day))
    assert traces(day, "P-S1") == []
    assert day.ask("SELECT identifier FROM patient") == [("P-S3",)]
    assert day.ask("SELECT specimen FROM result") == [("S3",)] == day.ask("SELECT specimen FROM outbox")
    assert day.ask("SELECT count(*) FROM journal WHERE session = 'X1'") == [(0,)]
    assert day.ask("SELECT count(*) FROM message") == [(1,)]
    kinds = {str(kind): count for kind, count in day.ask("SELECT kind, count(*) FROM tombstone GROUP BY kind")}
    assert kinds["result"] == kinds["message"] == kinds["patient"] == 2 and kinds["session"] == 1
    found = await day.line.store.view(verify(SITE))
    assert found.broken == "" and found.open == 0
    assert [one for one in check(f"sqlite:///{day.line.stage.database}", SITE) if one.faults] == []


async def test_rows_of_the_audit_leave_what_the_chain_needs(day: Morning) -> None:
    rows = day.ask("SELECT count(*) FROM audit")
    await destroyed(day, await planned(day, today=date(2057, 1, 1)))  # 30 years
    assert day.ask("SELECT count(*) FROM tombstone WHERE kind = 'audit'") == rows
    found = await day.line.store.view(verify(SITE))
    assert found.broken == "" and found.sealed > 3


@pytest.mark.parametrize(
    ("touch", "says"),
    [
        ("DELETE FROM tombstone WHERE id = (SELECT min(id) FROM tombstone WHERE kind = 'audit')", "rows where"),
        ("UPDATE tombstone SET digest = 'x' WHERE id = (SELECT min(id) FROM tombstone WHERE kind = 'audit')", "not as it was"),
        ("DELETE FROM tombstone WHERE id = (SELECT min(id) FROM tombstone WHERE kind = 'result')", "certificate 1"),
        ("UPDATE certificate SET digest = 'x'", "certificate 1"),
        ("INSERT INTO tombstone (site, certificate, class, kind, digest, at) VALUES ('TEST', 1, 'a', 'a', '', '')", "certificate 1"),
    ],
)  # fmt: skip
async def test_a_tombstone_that_was_touched_breaks_the_chain(day: Morning, touch: str, says: str) -> None:
    await destroyed(day, await planned(day, today=date(2057, 1, 1)))
    day.write(touch)
    assert says in (await day.line.store.view(verify(SITE))).broken


async def test_a_row_that_is_deleted_and_given_a_false_tombstone_is_found(day: Morning) -> None:
    """Whoever deletes a row of the audit and puts its true digest in its place still lacks a certificate that the audit speaks of."""
    [row] = await day.line.store.read(select(schema.audit).limit(1))
    day.write(
        "INSERT INTO certificate (id, site, plan, began_at, signed_by, role, signed_at, closed_at, digest) VALUES (7, 'TEST', 'p', '', '', '', '', '', 'd')"
    )
    day.write(
        "INSERT INTO tombstone (site, certificate, class, kind, row, digest, at) VALUES ('TEST', 7, 'audit', 'audit', ?, ?, '')",
        row.id,
        sealing.row_digest(row),
    )
    day.write("DELETE FROM audit WHERE id = ?", row.id)
    assert "certificate 7" in (await day.line.store.view(verify(SITE))).broken


async def test_who_is_held_or_has_something_open_stays(day: Morning) -> None:
    at = stamp(day.clock.now())
    await day.line.store.run(hold(SITE, "P-S1", at=at, by="Dr Test", why="lawsuit"))
    day.write(
        "INSERT INTO alert (site, result, kind, raised_at) SELECT 'TEST', id, 'critical', '' FROM result WHERE specimen = 'S2'"
    )
    found = await planned(day)
    assert (found.due, {one.why for one in found.kept}) == (
        (),
        {"retention-kept-hold", "retention-kept-unfinished"},
    )
    assert await day.line.store.run(release(SITE, "P-S1", at=at, by="Dr Test", why="settled"))
    assert not await day.line.store.run(release(SITE, "P-S1", at=at, by="Dr Test", why="twice"))
    day.write("UPDATE alert SET state = 'closed'")
    found = await planned(day)
    await day.line.store.run(hold(SITE, "P-S1", at=at, by="Dr Test", why="another lawsuit"))  # after the plan was made
    await destroyed(day, found)
    assert day.ask("SELECT identifier FROM patient ORDER BY id") == [("P-S1",), ("P-S3",)]


async def test_a_message_of_several_patients_stays_whole_until_all_are_due(day: Morning) -> None:
    [(shared,)] = day.ask("SELECT message FROM result WHERE specimen = 'S3'")
    day.write("UPDATE result SET message = ? WHERE specimen = 'S1'", shared)
    await destroyed(day, await planned(day))
    assert day.ask("SELECT length(raw) > 0 FROM message WHERE id = ?", shared) == [(1,)]
    assert day.ask("SELECT count(*) FROM journal WHERE session = 'X1'") == [
        (1,)
    ]  # its session is of a message that stays... or of none
    assert day.ask("SELECT specimen FROM result") == [("S3",)]


async def test_a_session_of_several_patients_stays_whole_and_goes_with_the_last(day: Morning) -> None:
    day.write("UPDATE message SET session = 'X1'")
    day.write(
        "INSERT INTO frame (site, link, session, seq, number, text, at) VALUES ('TEST', 'a', 'X1', 1, 1, X'4B', '')"
    )
    day.write("UPDATE message SET first_frame = 1, last_frame = 1")
    await destroyed(day, await planned(day))  # P-S3 is not due
    assert day.ask("SELECT identifier FROM patient") == [("P-S3",)]
    assert day.ask("SELECT count(*) FROM journal WHERE session = 'X1'") == [(1,)]
    assert day.ask("SELECT count(*) FROM message") == [(3,)]
    assert [one for one in check(f"sqlite:///{day.line.stage.database}", SITE) if one.faults] == []
    await destroyed(day, await planned(day, today=date(2061, 1, 1)))
    assert (
        day.ask("SELECT count(*) FROM message")
        == day.ask("SELECT count(*) FROM journal WHERE session = 'X1'")
        == [(0,)]
    )
    assert traces(day, "P-S3") == []
    assert (await day.line.store.view(verify(SITE))).broken == ""


async def test_messages_may_go_before_results(day: Morning) -> None:
    terms = Retention(destruction=True, raw=10, messages=10)
    await destroyed(day, await planned(day, terms, date(2037, 1, 1)))
    assert day.ask("SELECT count(*), max(length(raw)) FROM message WHERE length(raw) = 0") == [(2, 0)]
    assert day.ask("SELECT count(*) FROM result") == [(3,)]
    assert day.ask("SELECT count(*) FROM outbox WHERE payload IS NULL") == [(2,)]
    assert [one for one in check(f"sqlite:///{day.line.stage.database}", SITE) if one.faults] == []


async def test_a_destruction_that_was_killed_goes_on_and_a_second_time_is_refused(day: Morning) -> None:
    found, at = await planned(day), stamp(day.clock.now())
    work, signed = Destruction(SITE, found.as_json(), "salt"), Signed(found.digest, "Dr Test", "biologist", at)
    await day.line.store.run(work.begin(signed, at))
    await day.line.store.run(work.patient(work.due[0], at))  # and dies
    await destroyed(day, found)
    assert day.ask("SELECT count(*) FROM certificate") == [(1,)]
    assert day.ask("SELECT count(*) FROM tombstone WHERE kind = 'patient'") == [(2,)]
    assert not await day.line.store.run(Destruction(SITE, found.as_json(), "salt").begin(signed, at))
    assert (await day.line.store.view(verify(SITE))).broken == ""


@pytest.mark.parametrize(
    "raw",
    [b"", b"patient,last_activity\nP,2026-01-01\n", b"patient;last_activity\nP;26-01-01\n", b"patient;last_activity\nP\n", b"patient;last_activity\nP;2026-01-01\nP;2027-01-01\n", b"\xff\xfe", b"patient;last_activity\n;2026-01-01\n"],
)  # fmt: skip
def test_a_list_with_one_bad_line_is_refused_whole(raw: bytes) -> None:
    with pytest.raises(UnusableList):
        read_activities(raw)


def test_a_leap_day_is_no_trap() -> None:
    assert years_after(date(2024, 2, 29), 20) == date(2044, 2, 29)
    assert years_after(date(2024, 2, 29), 5) == date(2029, 3, 1)


async def test_the_plan_says_everything_that_is_signed(day: Morning) -> None:
    found = await planned(day)
    changed = found.as_json() | {"due": []}
    assert json.dumps(changed) != json.dumps(found.as_json())
    assert len(found.digest) == 64
