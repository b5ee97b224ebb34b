"""From stored to judged: one transaction, no result lost by an error, none released by one (law 7)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lineside import Disk, Lineside, lineside
from readings import reading, received, result
from stage import ALT, SITE, eventually

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.errors import StoreError
from labmw.lab import verification as module
from labmw.lab.verification import ATTEMPTS, Verification
from labmw.line.received import Received
from labmw.model import Case, Flag, HilIndices, Verdict, VerdictLevel
from labmw.quantity import Quantity
from rules import engine
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def chemistry() -> Packs:
    pack = load(SHIPPED / "chemistry")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Packs.of([pack], [Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", when, "test")])


@dataclass(slots=True)
class Work:
    """A line with its verification, and a clock that the test moves."""

    line: Lineside
    verification: Verification
    at: list[datetime]

    async def bring(self, *results: ResultRead, **different: Any) -> int:
        """Take in one message; returns its number."""
        stored = await self.line.intake.take(received(message=reading(*results), **different))
        return stored.message

    def later(self, seconds: float) -> None:
        self.at[0] += timedelta(seconds=seconds)

    def states(self) -> list[tuple[object, ...]]:
        return self.line.ask("SELECT specimen, value, state FROM result WHERE main = 1 ORDER BY id")

    def write(self, sql: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.line.stage.database, timeout=10)) as store, store:
            store.execute(sql, values)

    def recycle(self) -> None:
        """The number of S1 goes to the other patient's tube in the afternoon, with the same test ordered for each."""
        self.write("UPDATE specimen SET valid_to = ? WHERE identifier = 'S1'", stamp(START + timedelta(hours=4)))
        self.write(
            "INSERT INTO specimen (site, identifier, kind, valid_from, patient) VALUES (?, 'S1', 'SER', ?, 'P-S2')",
            SITE,
            stamp(START + timedelta(hours=5)),
        )
        self.write("""UPDATE "order" SET ordered_at = ? WHERE specimen = 'S1'""", stamp(START))
        self.write(
            """INSERT INTO "order" (site, specimen, loinc, placer, ordered_at) VALUES (?, 'S1', ?, 'O-NEXT', ?)""",
            SITE,
            ALT,
            stamp(START + timedelta(hours=5)),
        )

    def previous(self, value: str, days: float, loinc: str = ALT) -> None:
        """What the LIS told us of an earlier result."""
        self.write(
            "INSERT INTO previous (site, patient, loinc, completed_at, number, unit) VALUES (?, 'P-S1', ?, ?, ?, 'U/L')",
            SITE, loinc, stamp(START - timedelta(days=days)), value,
        )  # fmt: skip


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[Work]:
    packs = chemistry()

    def as_given(one: Received) -> Reading:
        assert isinstance(one.message, Reading)
        return one.message

    async with lineside(tmp_path, ["S1", "S2"], read=as_given, packs=packs) as line:
        at = [START]
        clock = Clock(lambda: at[0], lambda: float(at[0].timestamp()))
        line.intake.clock = clock
        verification = Verification(SITE, line.store, clock, lambda: packs, ["LIS"], lambda: None, rest=0.01)
        yield Work(line, verification, at)


def timed(value: str = "22", minutes: int = 0, **different: Any) -> ResultRead:
    moment = START + timedelta(minutes=minutes)
    return result(
        value, time=moment.strftime("%Y%m%d%H%M%S"), completed=moment,
        quantity=Quantity(Decimal(value), "", "U/L"), **different,
    )  # fmt: skip


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """What the rules were asked about."""
    found: list[Case] = []
    judge = engine.judge

    def noticing(case: Case, packs: Packs) -> Verdict:
        found.append(case)
        return judge(case, packs)

    monkeypatch.setattr(module, "judge", noticing)
    return found


def fails_for(specimen: str) -> Callable[[Case, Packs], Verdict]:
    judge = engine.judge

    def failing(case: Case, packs: Packs) -> Verdict:
        if case.result.key.specimen == specimen:
            raise ZeroDivisionError("a fault in a rule")
        return judge(case, packs)

    return failing


# --- one transaction --------------------------------------------------------------------------------------------------------


async def test_a_release_writes_verdict_audit_and_outbox_together_and_ends_the_work(work: Work) -> None:
    message = await work.bring(timed(), timed("9999", specimen="S2"))
    assert await work.verification.step() == 1
    assert work.states() == [("S1", "22", "released"), ("S2", "9999", "held")]
    assert work.line.ask("SELECT count(*) FROM work") == [(0,)]
    assert work.line.ask("SELECT level FROM verdict ORDER BY id") == [(0,), (3,)]
    assert work.line.ask("SELECT what, why FROM audit ORDER BY id") == [("verified", ""), ("verified", "above-limit")]
    assert work.line.ask("SELECT specimen, message, state, destination FROM outbox") == [
        ("S1", message, "waiting", "LIS")
    ]
    assert work.line.ask("SELECT count(*) FROM outbox_result") == [(1,)]
    assert await work.verification.step() == 0


async def test_a_store_that_fails_leaves_the_work_and_nothing_else(work: Work) -> None:
    await work.bring(timed())
    due = await work.line.store.run(work.verification._claim())
    work.line.disk.broken = True
    with pytest.raises(StoreError):
        await work.verification._one(due[0])
    work.line.disk.broken = False
    assert work.states() == [("S1", "22", "verify")]
    assert work.line.ask("SELECT count(*) FROM verdict") == [(0,)]
    other = replace(work.verification, who="another")
    assert (
        await other.step() == 0
    )  # claimed, and others do not know whether by somebody dead: for them it comes back after its lease
    assert work.line.ask("SELECT attempts FROM work") == [(1,)]
    assert await work.verification.step() == 1  # whose it is takes it up as soon as the store is back
    assert work.states() == [("S1", "22", "released")]


async def test_a_store_that_fails_for_long_makes_nothing_held(work: Work) -> None:
    """Six attempts that end with the store are no fault of the message: it is not given up."""
    await work.bring(timed())
    for _ in range(6):
        due = await work.line.store.run(work.verification._claim())
        work.line.disk.broken = True
        with pytest.raises(StoreError):
            await work.verification._one(due[0])
        work.line.disk.broken = False
    assert await work.verification.step() == 1
    assert work.states() == [("S1", "22", "released")]


async def test_two_that_claim_do_not_both_judge(work: Work) -> None:
    await work.bring(timed())
    other = replace(work.verification, who="another")
    rows = await work.line.store.run(work.verification._claim())
    assert await other.step() == 0
    work.later(61)
    assert await other.step() == 1
    await work.verification._one(rows[0])  # the first one was only slow, not dead
    assert work.line.ask("SELECT count(*) FROM verdict") == [(1,)]
    assert work.line.ask("SELECT count(*) FROM outbox") == [(1,)]


async def test_one_report_for_each_specimen_and_stat_is_told(work: Work) -> None:
    work.write("UPDATE \"order\" SET priority = 'S' WHERE specimen = 'S2'")
    await work.bring(timed(), timed("23", specimen="S2"), timed("24", specimen="S2", code="ALTX"))
    await work.verification.step()
    # The second value of one test on S2 is another run of it, and both wait for a person.
    assert work.line.ask("SELECT specimen, priority FROM outbox ORDER BY id") == [("S1", "R")]
    await work.bring(timed("25", specimen="S2", minutes=10))
    assert work.line.ask("SELECT count(*) FROM outbox") == [(1,)]


async def test_a_recycled_barcode_never_puts_two_patients_into_one_report(work: Work) -> None:
    """One message from an analyzer that sends in the evening: the tube of that number in the morning, and the one after noon."""
    work.recycle()
    await work.bring(timed("22"), timed("31", minutes=360))
    await work.verification.step()
    assert work.line.ask("SELECT patient, state FROM result ORDER BY id") == [
        ("P-S1", "released"),
        ("P-S2", "released"),
    ]
    assert work.line.ask(
        "SELECT outbox, count(*), count(DISTINCT result.patient) FROM outbox_result JOIN result ON result.id = result GROUP BY outbox"
    ) == [(1, 1, 1), (2, 1, 1)]


async def test_the_other_patient_of_a_recycled_barcode_is_no_sibling(work: Work, cases: list[Case]) -> None:
    work.recycle()
    await work.bring(timed("22"), timed("31", minutes=360), timed("5", code="OTHER", minutes=1))
    await work.verification.step()
    found = {case.result.value: {other.value for other in case.siblings} for case in cases}
    assert found == {"22": {"5"}, "31": set(), "5": {"22"}}
    assert {case.result.value: case.patient.identifier for case in cases if case.patient}["31"] == "P-S2"


# --- errors -----------------------------------------------------------------------------------------------------------------


async def test_an_error_postpones_its_message_and_the_others_go_on(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    await work.bring(timed())
    await work.bring(timed("23", specimen="S2"))
    monkeypatch.setattr(module, "judge", fails_for("S1"))
    assert await work.verification.step() == 2
    assert work.states() == [("S1", "22", "verify"), ("S2", "23", "released")]
    assert work.line.ask("SELECT attempts, claimed_by FROM work") == [(1, None)]
    assert await work.verification.step() == 0  # not before its time
    monkeypatch.undo()
    work.later(2.1)
    await work.verification.step()
    assert work.states()[0] == ("S1", "22", "released")


async def test_after_too_many_errors_the_results_are_held_and_a_person_is_shown_why(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work.bring(timed())
    monkeypatch.setattr(module, "judge", fails_for("S1"))
    for _ in range(ATTEMPTS):
        work.later(61)
        assert await work.verification.step() == 1
        assert work.states() == [("S1", "22", "verify")]
    work.later(61)
    await work.verification.step()
    assert work.states() == [("S1", "22", "held")]
    [(reasons,)] = work.line.ask("SELECT reasons FROM verdict")
    assert json.loads(str(reasons))[0]["code"] == "rule-error"
    assert work.line.ask("SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE result SET flags = '[\"no-such-flag\"]'",
        "UPDATE result SET number = 'NaN?'",
        "UPDATE result SET completed_at = 'yesterday'",
    ],
)
async def test_a_row_that_cannot_be_read_is_held_too_and_blocks_nobody(spoil: str, work: Work) -> None:
    await work.bring(timed())
    work.write(spoil)
    await work.bring(timed("23", specimen="S2"))
    for _ in range(ATTEMPTS + 1):
        await work.verification.step()
        work.later(61)
    assert work.states() == [("S1", "22", "held"), ("S2", "23", "released")]


async def test_a_transaction_that_its_own_rows_forbid_is_an_error_like_any_other(work: Work) -> None:
    """The store refuses it, and not for the disk's sake: the neighbours in the same batch must not wait for it."""
    await work.bring(timed())
    await work.bring(timed("23", specimen="S2"))
    [(result_id,)] = work.line.ask("SELECT id FROM result WHERE specimen = 'S1'")
    work.write(
        "INSERT INTO outbox (id, site, destination, control_id, specimen, message, due_at, created_at) VALUES (99, ?, 'LIS', 'X', 'S1', 1, '', '')",
        SITE,
    )
    work.write(
        "INSERT INTO outbox_result (site, outbox, result, destination) VALUES (?, 99, ?, 'LIS')", SITE, result_id
    )
    assert await work.verification.step() == 2
    assert work.states() == [("S1", "22", "verify"), ("S2", "23", "released")]


async def test_the_task_outlives_a_store_that_is_down_and_faults_of_ours(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = asyncio.create_task(work.verification.run())
    try:
        disk: Disk = work.line.disk
        disk.broken = True
        await asyncio.sleep(0.05)
        disk.broken = False
        monkeypatch.setattr(work.verification.__class__, "_claim", lambda self: 1 / 0)
        await asyncio.sleep(0.05)
        monkeypatch.undo()
        assert not running.done()
        await work.bring(timed())
        work.verification.signal.set()
        await eventually(lambda: work.states() == [("S1", "22", "released")])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# --- what the rules are told ------------------------------------------------------------------------------------------------


async def test_history_comes_from_the_lis_and_from_our_own_releases(work: Work, cases: list[Case]) -> None:
    work.previous("40", days=2)
    work.previous("50", days=400)  # too long ago
    work.previous("60", days=3, loinc="1920-8")  # another test
    await work.bring(timed("30", minutes=-60))
    await work.verification.step()
    await work.bring(timed("31", minutes=-30, code="ALT2"))
    await work.verification.step()
    first, second = cases
    assert [str(one.quantity.number) for one in first.history or ()] == ["40"]
    assert [str(one.quantity.number) for one in second.history or ()] == ["30", "40"]
    assert second.earlier_runs == 1


async def test_a_result_without_history_is_told_so_and_a_held_one_is_no_history(work: Work, cases: list[Case]) -> None:
    await work.bring(timed("9999", minutes=-60))
    await work.verification.step()
    await work.bring(timed("22"))
    await work.verification.step()
    assert [case.history for case in cases] == [(), ()]


async def test_serum_indices_of_another_message_of_the_tube_are_told(work: Work, cases: list[Case]) -> None:
    await work.bring(result("250", code="H", index="H", main=False, loinc="", unit_raw="", ucum=""))
    await work.bring(timed("22"), timed("23", specimen="S2"))
    await work.verification.step()
    assert [case.indices for case in cases] == [HilIndices(haemolysis=Decimal(250)), None]


async def test_the_indices_of_another_analyzer_are_not(work: Work, cases: list[Case]) -> None:
    await work.bring(result("250", code="H", index="H", main=False, loinc=""), link="other")
    await work.bring(timed("22"))
    await work.verification.step()
    assert cases[0].indices is None


def haemolysis(value: str = "5", minutes: int = 0, **different: Any) -> ResultRead:
    return timed(value, minutes, code="H", index="H", main=False, loinc="", unit_raw="", ucum="", **different)


async def test_the_index_of_the_tube_that_had_this_barcode_before_is_not_believed(
    work: Work, cases: list[Case]
) -> None:
    work.recycle()
    await work.bring(haemolysis(), timed("22"))
    await work.bring(timed("31", minutes=360))
    await work.verification.step()
    assert [case.indices for case in cases] == [HilIndices(haemolysis=Decimal(5)), None]


@pytest.mark.parametrize(
    "doubt", [{"status": "P"}, {"flags": frozenset({Flag.UNKNOWN})}, {"flags": frozenset({Flag.INSTRUMENT_ERROR})}]
)
async def test_an_index_in_doubt_is_not_known(doubt: dict[str, Any], work: Work, cases: list[Case]) -> None:
    await work.bring(haemolysis("4"))
    await work.bring(haemolysis("5", 1, **doubt), timed("22", 1))
    await work.verification.step()
    assert [case.indices for case in cases] == [HilIndices()]


async def test_an_index_that_is_more_than_a_number_is_told_so(work: Work, cases: list[Case]) -> None:
    await work.bring(haemolysis("10", comparator=">"), timed("22"))
    await work.verification.step()
    assert [case.indices for case in cases] == [HilIndices(haemolysis=Decimal(10), beyond=frozenset({"haemolysis"}))]


async def test_another_value_for_the_same_tube_waits_for_a_person_whenever_it_comes(work: Work) -> None:
    await work.bring(timed("22"))
    await work.verification.step()
    await work.bring(timed("31"))
    await work.bring(timed("23", minutes=30))
    await work.verification.step()
    assert work.states() == [("S1", "22", "released"), ("S1", "31", "held"), ("S1", "23", "held")]
    reasons = [json.loads(str(row[0])) for row in work.line.ask("SELECT reasons FROM verdict ORDER BY id")]
    assert [[one["code"] for one in found] for found in reasons] == [[], ["rerun"], ["rerun"]]


async def test_siblings_are_those_of_the_same_tube(work: Work, cases: list[Case]) -> None:
    await work.bring(timed("22"), timed("5", code="X"), timed("7", specimen="S2"))
    await work.verification.step()
    assert {case.result.value: [other.value for other in case.siblings] for case in cases} == {
        "22": ["5"],
        "5": ["22"],
        "7": [],
    }


async def test_the_verdict_keeps_what_it_takes_to_explain_it(work: Work) -> None:
    await work.bring(timed("22"))
    await work.verification.step()
    [(packs, trace, decided_by, decided_at)] = work.line.ask("SELECT packs, trace, decided_by, decided_at FROM verdict")
    [pack] = json.loads(str(packs))
    assert pack["signed_by"] == "Dr Test"
    assert pack["pack"].startswith("chemistry@")
    assert len(json.loads(str(trace))) > 5
    assert (decided_by, decided_at) == ("rules", stamp(START))


def test_every_level_has_a_state() -> None:
    assert set(module.STATE_OF) == set(VerdictLevel)


async def test_judging_gives_way_to_senders_that_wait_and_not_for_ever(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work.bring(timed())
    calm = [0.0]
    monkeypatch.setattr(work.line.store, "calm", lambda: calm[0])
    step = asyncio.create_task(work.verification.step())
    await eventually(lambda: work.line.ask("SELECT claimed_by IS NOT NULL FROM work") == [(1,)])
    assert work.states() == [("S1", "22", "verify")]
    work.later(module.GIVES_WAY)  # the upload goes on
    assert await step == 1
    assert work.states() != [("S1", "22", "verify")]


async def test_judging_waits_for_a_calm_moment(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    await work.bring(timed())
    calm = [0.0]
    monkeypatch.setattr(work.line.store, "calm", lambda: calm[0])
    step = asyncio.create_task(work.verification.step())
    await eventually(lambda: work.line.ask("SELECT claimed_by IS NOT NULL FROM work") == [(1,)])
    assert work.states() == [("S1", "22", "verify")]
    calm[0] = module.CALM
    assert await step == 1
    assert work.states() != [("S1", "22", "verify")]
