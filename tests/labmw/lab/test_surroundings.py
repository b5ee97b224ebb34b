"""What the rules see around a result: asked in one moment, bounded, and never another patient's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from judging import START, Bench, bench, timed
from stage import SITE

from labmw.clock import stamp
from labmw.lab import verification as module
from labmw.lab.practice import Mode, Practice
from labmw.lab.surroundings import DEPTH
from labmw.model import Case, Verdict
from rules import engine
from rules.pack import Packs

AST = "1920-8"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, loincs=("1742-6", AST)) as one:
        yield one


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


async def test_results_of_the_tube_from_other_messages_are_siblings_and_runs(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("9999"))
    await desk.judged(timed("31", code="AST", loinc=AST, minutes=1))
    await desk.judged(timed("40", minutes=5))
    last = cases[-1] if cases[-1].result.value == "40" else next(one for one in cases if one.result.value == "40")
    assert [one.value for one in last.runs] == ["9999"] and last.earlier_runs == 1
    assert [one.value for one in last.siblings] == ["31"]


async def test_another_patient_of_the_number_is_never_a_sibling(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("31", code="AST", loinc=AST))
    desk.write("UPDATE result SET patient = 'P-S2'")
    await desk.judged(timed("22", minutes=5))
    assert cases[-1].siblings == () and cases[-1].runs == ()


async def test_of_two_runs_of_a_sibling_the_one_that_left_is_the_fact(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("31", code="AST", loinc=AST))
    await desk.judged(timed("33", code="AST", loinc=AST, minutes=2))
    desk.write("UPDATE result SET state = 'released' WHERE value = '31'")
    await desk.judged(timed("22", minutes=5))
    found = next(one for one in cases if one.result.value == "22")
    assert [one.value for one in found.siblings] == ["31"]  # the second waits for a person
    desk.write("UPDATE result SET state = 'held'")
    await desk.judged(timed("23", minutes=6))
    found = next(one for one in cases if one.result.value == "23")
    assert sorted(one.value for one in found.siblings) == ["31", "33"]  # neither has left: two are no fact


async def test_what_a_person_rejected_is_no_run(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("9999"))
    desk.write("UPDATE result SET state = 'rejected'")
    await desk.judged(timed("22", minutes=5))
    assert cases[-1].runs == () and cases[-1].earlier_runs == 0
    assert desk.states() == [("S1", "9999", "rejected"), ("S1", "22", "released")]


async def test_what_was_ordered_and_when_the_first_result_came(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("31", code="AST", loinc=AST))
    desk.later(600)
    await desk.judged(timed("22", minutes=5))
    case = next(one for one in cases if one.result.value == "22")
    assert case.ordered == frozenset({"1742-6", AST}) and case.received == START
    desk.write("UPDATE \"order\" SET state = 'cancelled' WHERE loinc = ?", AST)
    await desk.judged(timed("23", minutes=6))
    assert next(one for one in cases if one.result.value == "23").ordered == frozenset({"1742-6"})


async def test_earlier_results_of_the_other_tests_and_what_was_said_in_words(desk: Bench, cases: list[Case]) -> None:
    for days in range(1, 9):
        desk.write(
            "INSERT INTO previous (site, patient, loinc, completed_at, number, unit) VALUES (?, 'P-S1', ?, ?, ?, 'U/L')",
            SITE, AST, stamp(START - timedelta(days=days)), str(30 + days),
        )  # fmt: skip
    await desk.judged(timed("31", code="AST", loinc=AST), timed("22"))
    case = next(one for one in cases if one.result.value == "22")
    assert case.panel_history is not None
    assert [(loinc, str(one.quantity.number)) for loinc, one in case.panel_history] == [
        (AST, str(30 + days)) for days in range(1, DEPTH + 1)
    ]
    assert case.said_before == ()


async def test_words_that_left_before_are_known(desk: Bench, cases: list[Case]) -> None:
    await desk.judged(timed("22"))
    desk.write(
        "UPDATE result SET value = 'POSITIVE', number = NULL, state = 'delivered', specimen = 'OLD', completed_at = ?",
        stamp(START - timedelta(days=3)),
    )
    await desk.judged(timed("23", minutes=5))
    case = next(one for one in cases if one.result.value == "23")
    assert case.said_before == (("POSITIVE", START - timedelta(days=3)),)


PARIS = ZoneInfo("Europe/Paris")
NIGHT = Mode("night", time(20), time(7, 30), frozenset({"fri"}))


@pytest.mark.parametrize(
    ("at", "mode"),
    [
        (datetime(2026, 11, 6, 19, 59, tzinfo=PARIS), ""),
        (datetime(2026, 11, 6, 20, 0, tzinfo=PARIS), "night"),
        (datetime(2026, 11, 7, 7, 29, tzinfo=PARIS), "night"),  # Saturday morning, of the night that began on Friday
        (datetime(2026, 11, 7, 7, 30, tzinfo=PARIS), ""),
        (datetime(2026, 11, 7, 21, 0, tzinfo=PARIS), ""),
    ],
)
def test_a_mode_belongs_to_the_day_on_which_it_began(at: datetime, mode: str) -> None:
    assert Practice(PARIS, (NIGHT,)).mode(at) == mode


async def test_the_mode_is_told_to_the_rules(desk: Bench, cases: list[Case]) -> None:
    desk.verification.practice = Practice(modes=(Mode("day", time(0), time(23)),))
    await desk.judged(timed("22"))
    assert cases[-1].mode == "day"
