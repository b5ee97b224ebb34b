"""A fact that comes late: what is held is judged again, what has left goes on a list, and a person's word stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from judging import START, Bench, bench, timed
from packs import CA, EDTA, K, calcium, low, panel, potassium, two
from stage import ALT, SITE

from labmw.clock import stamp
from labmw.lab.late import look_again, patient_changed, quality_failed
from labmw.lab.validation import Chosen, comment, hold
from labmw.store import statements
from labmw.store.transaction import ask
from rules.pack import Packs


def now(desk: Bench) -> str:
    return stamp(desk.at[0])


@pytest.fixture
async def waiting(tmp_path: Path) -> AsyncIterator[Bench]:
    """A potassium that waits for its calcium."""
    async with bench(tmp_path, packs=two(tmp_path / "two", panel(), EDTA), loincs=(K, CA)) as one:
        await one.judged(potassium("4.2"))
        assert one.states() == [("S1", "4.2", "held")]
        yield one


def codes(desk: Bench) -> list[tuple[object, ...]]:
    return desk.ask(
        "SELECT json_extract(reasons, '$[0].code') FROM verdict WHERE id IN (SELECT max(id) FROM verdict GROUP BY result) ORDER BY result"
    )


# --- siblings -----------------------------------------------------------------------------------------------------------


async def test_what_waits_leaves_when_its_sibling_comes(waiting: Bench) -> None:
    await waiting.judged(calcium("2.3", minutes=1))
    assert waiting.states() == [("S1", "4.2", "released"), ("S1", "2.3", "released")]
    assert waiting.ask("SELECT count(*) FROM outbox_result") == [(2,)]
    assert waiting.ask("SELECT what, json_extract(detail, '$.late') FROM audit WHERE what = 'verified-again'") == [
        ("verified-again", "late-sibling")
    ]


async def test_the_row_of_the_timeout_is_on_the_disk_and_not_due_before(waiting: Bench) -> None:
    assert waiting.ask("SELECT kind, due_at, why FROM work") == [
        ("again", stamp(START + timedelta(hours=2)), "late-waited")
    ]
    waiting.later(3600)
    await waiting.settle()
    assert waiting.states() == [("S1", "4.2", "held")] and waiting.ask("SELECT count(*) FROM verdict") == [(1,)]


async def test_after_the_timeout_a_person_is_told_so(waiting: Bench) -> None:
    waiting.later(2 * 3600)
    await waiting.settle()
    assert codes(waiting) == [("panel-timeout",)] and waiting.states() == [("S1", "4.2", "held")]
    assert waiting.ask("SELECT count(*) FROM work") == [(0,)]  # and it does not come back by itself


async def test_after_the_timeout_the_rest_leaves_where_the_pack_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", panel("release")), loincs=(K, CA)) as one:
        await one.judged(potassium("4.2"))
        one.later(2 * 3600)
        await one.settle()
        assert one.states() == [("S1", "4.2", "released")]


async def test_a_row_that_is_brought_forward_by_a_restart_waits_on(waiting: Bench) -> None:
    """A start makes due what a clock that ran ahead may have written: looked at too early, it is written again for its moment."""
    due = stamp(START + timedelta(hours=2))
    bring = statements.bring_work_forward(SITE, now=now(waiting), latest=stamp(START + timedelta(minutes=10)))
    await waiting.run(ask(bring))
    await waiting.settle()
    assert waiting.states() == [("S1", "4.2", "held")]
    assert waiting.ask("SELECT kind, due_at FROM work") == [("again", due)]
    assert waiting.ask("SELECT count(*) FROM verdict") == [(1,)]


async def test_without_the_second_look_nothing_would_leave(waiting: Bench) -> None:
    """The variant that breaks the tests above."""
    waiting.verification.again = None
    await waiting.judged(calcium("2.3", minutes=1))
    waiting.later(3 * 3600)
    await waiting.settle()
    assert waiting.states()[0] == ("S1", "4.2", "held")


# --- what a person has said stands --------------------------------------------------------------------------------------------


async def test_a_late_fact_does_not_undo_a_persons_word(waiting: Bench) -> None:
    await waiting.run(hold(waiting.by(), Chosen("S1"), waiting.house))
    await waiting.judged(calcium("2.3", minutes=1))
    assert waiting.states()[0] == ("S1", "4.2", "held")


async def test_a_persons_comment_goes_out_though_the_rules_let_it_go(waiting: Bench) -> None:
    await waiting.run(comment(waiting.by(), Chosen("S1"), waiting.house))
    await waiting.judged(calcium("2.3", minutes=1))
    assert waiting.states()[0] == ("S1", "4.2", "released")
    assert waiting.ask("SELECT comments FROM verdict WHERE result = (SELECT id FROM result WHERE value = '4.2') ORDER BY id DESC LIMIT 1") == [
        ('["looked at it"]',)
    ]  # fmt: skip


async def test_an_earlier_run_does_not_leave_by_a_late_fact(waiting: Bench) -> None:
    await waiting.judged(potassium("4.3", minutes=5))  # measured again: a person compares
    await waiting.judged(calcium("2.3", minutes=6))
    assert [state for _, value, state in waiting.states() if value in ("4.2", "4.3")] == ["held", "held"]


async def test_the_same_verdict_is_not_written_twice(waiting: Bench) -> None:
    message = waiting.ask("SELECT message FROM result")[0][0]
    for _ in range(3):
        await waiting.run(look_again(SITE, [int(str(message))], "late-sibling", now(waiting)))
        await waiting.settle()
    assert waiting.ask("SELECT count(*) FROM verdict") == [(1,)]


# --- what has left ------------------------------------------------------------------------------------------------------------


async def test_a_finding_about_the_tube_puts_what_left_on_the_recall_list(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", EDTA), loincs=(K, CA)) as one:
        await one.judged(calcium("1.1"))
        assert one.states() == [("S1", "1.1", "released")]
        await one.judged(potassium("6.5", minutes=3))
        assert one.states() == [("S1", "1.1", "released"), ("S1", "6.5", "held")]  # never held back in silence
        assert one.ask(
            "SELECT result.value, cause, recall.state FROM recall JOIN result ON result.id = recall.result"
        ) == [("1.1", "reached-sample", "open")]


async def test_a_finding_about_the_tube_holds_what_comes_with_it_and_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", EDTA), loincs=(K, CA)) as one:
        await one.judged(potassium("6.5"), calcium("1.1"))
        assert one.states() == [("S1", "6.5", "held"), ("S1", "1.1", "held")]
        assert codes(one)[1] == ("reached-sample",)
        await one.judged(calcium("2.4", minutes=9, specimen="S2"))
        assert one.states()[2] == ("S2", "2.4", "released")  # another tube is not reached


async def test_a_sex_that_is_corrected_judges_again_and_lists_what_left(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        await one.judged(timed("22"))
        await one.judged(timed("22", specimen="S2"))
        one.write("UPDATE patient SET birth = '' WHERE identifier = 'P-S1'")
        await one.run(patient_changed(SITE, "P-S1", "late-patient", now(one)))
        await one.settle()
        assert one.states() == [("S1", "22", "released"), ("S2", "22", "released")]
        assert one.ask("SELECT result.specimen, cause FROM recall JOIN result ON result.id = recall.result") == [
            ("S1", "late-patient")
        ]  # its limits ask for the age
        assert one.ask("SELECT count(*) FROM verdict") == [(2,)]


NEVER = low("", "NEVER").replace("K < 3.5", "K > 4").replace('"4.2"', '"3.9"').replace('"3.4"', '"4.4"')


@pytest.mark.parametrize("known", [True, False])
async def test_what_left_is_judged_by_the_packs_that_let_it_go(tmp_path: Path, known: bool) -> None:
    """A stricter pack of today is no reason to recall; a late fact is one under either, and where the old pack was not kept it is shown."""
    first = two(tmp_path / "one", EDTA)
    second = two(tmp_path / "two", EDTA, NEVER)
    signatures = [*first.signatures, *second.signatures]
    stricter = Packs.of(second.active, signatures, kept=first.active if known else ())
    assert [pack.name for pack in stricter.active] == [pack.name for pack in second.active] != [first.active[0].name]
    async with bench(tmp_path, packs=first, loincs=(K, CA)) as one:
        await one.judged(potassium("4.2"))
        await one.judged(potassium("6.5", minutes=1, specimen="S2"))
        one.verification.packs = lambda: stricter
        messages = [int(str(number)) for (number,) in one.ask("SELECT message FROM result")]
        await one.run(look_again(SITE, messages[:1], "late-sibling", now(one)))
        await one.settle()
        listed = one.ask("SELECT result.value FROM recall JOIN result ON result.id = recall.result")
        assert listed == ([] if known else [("4.2",)])
        await one.judged(
            calcium("1.1", minutes=3, specimen="S2")
        )  # EDTA: it would have been held by the first pack too
        listed = one.ask("SELECT result.value FROM recall JOIN result ON result.id = recall.result ORDER BY 1")
        assert ("6.5",) in listed


async def test_what_was_held_for_want_of_a_fact_leaves_with_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.write("UPDATE patient SET birth = '', sex = '' WHERE identifier = 'P-S1'")
        await one.judged(timed("40"))
        held = one.states()[0][2]
        one.write("UPDATE patient SET birth = '1970-01-01', sex = 'M' WHERE identifier = 'P-S1'")
        await one.run(patient_changed(SITE, "P-S1", "late-patient", now(one)))
        await one.settle()
        assert (held, one.states()[0][2]) in (("held", "released"), ("released", "released"))


async def test_quality_control_that_failed_lists_all_since_the_last_that_held(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        await one.judged(timed("22"))
        one.later(3600)
        await one.judged(timed("23", specimen="S2"))
        facts = {"test": "ALT", "analyzer": "analyzer"}
        since = stamp(START + timedelta(minutes=30))
        assert await one.run(quality_failed(SITE, "analyzer", ALT, since, now(one), facts)) == 1
        assert one.ask("SELECT result.value, cause FROM recall JOIN result ON result.id = recall.result") == [
            ("23", "late-quality")
        ]
        await one.run(quality_failed(SITE, "analyzer", ALT, since, now(one), facts))
        assert one.ask("SELECT count(*) FROM recall") == [(1,)]


async def test_one_fact_costs_so_many_looks_at_most(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        for minutes in range(60):
            await one.bring(timed("9999", minutes=minutes))
        await one.settle()
        one.write("DELETE FROM work")
        assert await one.run(patient_changed(SITE, "P-S1", "late-patient", now(one))) == 50


async def test_what_the_lis_calls_another_patients_no_late_fact_lets_go(waiting: Bench) -> None:
    waiting.write("UPDATE result SET state = 'blocked'")  # as a mismatch of typed orders leaves it
    await waiting.judged(calcium("2.3", minutes=1))
    assert waiting.states()[0] == ("S1", "4.2", "blocked")


async def test_what_the_rules_block_may_leave_when_they_say_so(waiting: Bench) -> None:
    waiting.write("UPDATE result SET state = 'blocked'")
    waiting.write("UPDATE verdict SET level = 4")
    await waiting.judged(calcium("2.3", minutes=1))
    assert waiting.states()[0] == ("S1", "4.2", "released")
