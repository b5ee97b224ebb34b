"""Control results are judged before the patients behind them: Westgard's example to the point, gates, brackets, derogations, and what is in doubt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from controlled import START, Controlled, controlled
from stage import ALT

from labmw.clock import stamp
from labmw.lab import controlling, qc_gate, quality
from labmw.lab import verification as judging
from labmw.lab.controlling import Plan, Target
from labmw.lab.rights import Undecidable
from labmw.model import Flag
from labmw.store import transaction
from labmw.store.statements import surroundings as stored
from rules.qc.westgard import Rule


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Controlled]:
    async with controlled(tmp_path, "S1", "S2", "S3", "S4") as one:
        yield one


# --- Westgard, point by point --------------------------------------------------------------------------------------------------

EXAMPLE = [  # (level 1, level 2, what level 1 breaks, what level 2 breaks)
    ("102", "199", set(), set()),
    ("109", "204", {"1-2s"}, set()),
    ("113", "201", {"1-2s", "1-3s", "2-2s"}, set()),
    ("108.4", "211", {"1-2s", "2-2s"}, {"1-2s", "2-2s"}),
    ("109", "189", {"1-2s", "R-4s", "2-2s", "4-1s"}, {"1-2s", "R-4s"}),
    ("104.4", "205.5", {"4-1s"}, set()),
]  # fmt: skip
ALL = (Rule.W1_2S, Rule.W1_3S, Rule.W2_2S, Rule.R_4S, Rule.W4_1S)


async def test_the_worked_example_comes_out_of_the_store_as_it_is_printed(lab: Controlled) -> None:
    await lab.prepare("1", "2")
    await lab.plan(rules=ALL)
    for one, two, first, second in EXAMPLE:
        await lab.control("1", one)
        await lab.control("2", two)
        rows = lab.line.ask("SELECT level, broken, z FROM qc_point ORDER BY id DESC LIMIT 2")
        found = {str(level): {broken["rule"] for broken in json.loads(str(text))} for level, text, _ in rows}
        assert found == {"1": first, "2": second}, (one, two)
        lab.later(days=1)
    assert lab.line.ask("SELECT z FROM qc_point WHERE value = '108.4'") == [("2.1000",)]
    assert lab.line.ask("SELECT count(DISTINCT run) FROM qc_point") == [(6,)]


async def test_a_run_is_what_was_measured_together(lab: Controlled) -> None:
    """R-4s needs both levels of one run; the variant, a day between them, is no run and breaks nothing."""
    await lab.prepare("1", "2")
    await lab.control("1", "109")
    await lab.control("2", "189")
    assert lab.states() == {"1": ("out", "R-4s"), "2": ("out", "R-4s")}
    assert lab.line.ask("SELECT state FROM qc_point ORDER BY id") == [("out",), ("out",)], "the first level is told too"


async def test_levels_a_day_apart_are_no_run(lab: Controlled) -> None:
    await lab.prepare("1", "2")
    await lab.control("1", "109")
    lab.later(days=1)
    await lab.control("2", "189")
    assert lab.states() == {"1": ("warning", "1-2s"), "2": ("warning", "1-2s")}


async def test_a_corrective_action_begins_history_anew_and_clears_nothing(lab: Controlled) -> None:
    await lab.prepare("1")
    for _ in range(2):
        await lab.control("1", "109")
        lab.later(hours=8)
    assert lab.states()["1"] == ("out", "2-2s")
    await lab.do(controlling.restart(lab.decision(), "analyzer", "", ALT))
    assert lab.states()["1"] == ("out", "2-2s"), "only a control clears"
    lab.later(hours=1)
    await lab.control("1", "109")
    assert lab.states()["1"] == ("warning", "1-2s")


async def test_without_the_corrective_action_the_same_control_is_still_out(lab: Controlled) -> None:
    """The variant of the test above."""
    await lab.prepare("1")
    for _ in range(3):
        await lab.control("1", "109")
        lab.later(hours=8)
    assert lab.states()["1"] == ("out", "2-2s")


async def test_another_lot_begins_history_anew(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "109")
    lab.later(hours=8)
    await lab.do(controlling.close_lot(lab.decision(), "C1", "L1"))
    lab.later(minutes=1)
    await lab.do(controlling.add_lot(lab.decision(), "C1", "L2", stamp(lab.at[0]), None))
    await lab.do(controlling.set_target(lab.decision(), lab.target("1", "L2")))
    await lab.control("1", "109")
    assert lab.states()["1"] == ("warning", "1-2s")


async def test_a_technical_error_is_shown_and_judged_by_nothing(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "109")
    await lab.do(controlling.exclude(lab.decision(), 1))
    assert lab.states()["1"] == ("unjudged", "excluded"), "how it stands is unknown until the next control"
    lab.later(hours=8)
    await lab.control("1", "109")
    assert lab.states()["1"] == ("warning", "1-2s")
    with pytest.raises(Undecidable):
        await lab.do(controlling.exclude(lab.decision(), 1))


async def test_marking_a_point_that_is_out_does_not_open_the_gate(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "120")
    await lab.do(controlling.exclude(lab.decision(), 1))
    assert lab.states()["1"][0] == "out"
    assert await lab.patient() == "held"


@pytest.mark.parametrize(
    ("value", "different", "state", "why"),
    [
        ("100", {"ucum": "ukat/L"}, "unjudged", "unit"),
        ("100", {"comparator": ">"}, "out", "number"),
        ("100", {"flags": frozenset({Flag.INSTRUMENT_ERROR})}, "out", "flag"),
        ("100", {"loinc": "1920-8"}, "unjudged", "target"),
    ],
)
async def test_a_control_in_doubt_never_passes(
    lab: Controlled, value: str, different: dict[str, object], state: str, why: str
) -> None:
    await lab.prepare("1")
    await lab.control("1", value, **different)  # type: ignore[arg-type]
    assert lab.states()["1"] == (state, why)
    assert lab.line.ask("SELECT z FROM qc_point") == [(None,)]


async def test_a_word_may_be_the_target(lab: Controlled) -> None:
    await lab.do(controlling.add_material(lab.decision(), "C1", "Serology", "pos"))
    await lab.do(controlling.add_lot(lab.decision(), "C1", "L1", "", None))
    await lab.do(controlling.set_target(lab.decision(), Target("", "", ALT, "C1", "L1", "leaflet", expected="POS")))
    await lab.control("1", "pos", number=None, quantity=None)
    assert lab.states() == {"pos": ("in-control", "")}
    await lab.control("1", "NEG", number=None, quantity=None)
    assert lab.states() == {"pos": ("out", "word")}


async def test_a_late_control_does_not_overrule_a_newer_one(lab: Controlled) -> None:
    await lab.prepare("1")
    lab.later(hours=2)
    await lab.control("1", "120", minutes=60)
    await lab.control("1", "100", minutes=30)
    assert lab.states()["1"][0] == "out"


async def test_a_late_control_that_failed_is_not_overlooked(lab: Controlled) -> None:
    """Its clock was set back, or it came late: a person looks."""
    await lab.prepare("1")
    lab.later(hours=2)
    await lab.control("1", "100", minutes=60)
    await lab.control("1", "120", minutes=30)
    assert lab.states()["1"] == ("out", "1-3s")


async def test_a_clock_that_ran_ahead_does_not_make_later_controls_old(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "100", minutes=60 * 24 * 300)
    lab.later(hours=1)
    await lab.control("1", "120")
    assert lab.states()["1"] == ("out", "1-3s")
    lab.later(hours=1)
    await lab.control("1", "100")
    assert lab.states()["1"] == ("in-control", "")


# --- patients --------------------------------------------------------------------------------------------------------------


async def test_what_nobody_controls_is_not_held(lab: Controlled) -> None:
    assert await lab.patient() == "released"


async def test_a_control_that_failed_holds_whatever_was_declared(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "120")
    assert await lab.patient() == "held"
    assert lab.reasons() == ["qc-out"]
    await lab.control("1", "101")
    assert await lab.patient(specimen="S2") == "released"
    trace = json.loads(str(lab.line.ask("SELECT trace FROM verdict ORDER BY id DESC LIMIT 1")[0][0]))
    assert trace[-1][:2] == ["labmw/qc", "passed"]
    assert "level 1 in-control" in trace[-1][2]


async def test_a_gate_that_forgot_to_ask_would_release(lab: Controlled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks the rule above: without what the gate says, the result leaves."""
    monkeypatch.setattr(qc_gate.Standing, "over", lambda self, verdict, language: verdict)
    await lab.prepare("1")
    await lab.control("1", "120")
    assert await lab.patient() == "released"


async def test_a_warning_holds_nobody(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.plan()
    await lab.control("1", "109")
    assert lab.states()["1"] == ("warning", "1-2s")
    assert await lab.patient() == "released"


async def test_controls_that_came_before_are_judged_before(lab: Controlled) -> None:
    """Both lie in the queue at the same time; the patient's result is the newer one, and must see the failed control."""
    await lab.prepare("1")
    await lab.control("1", "120", step=False)
    assert await lab.patient() == "held"


async def test_a_control_that_cannot_be_judged_yet_holds_the_patients_behind_it(
    lab: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lab.prepare("1")
    await lab.control("1", "100")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault in the rules of quality control")

    monkeypatch.setattr(quality, "stand", broken)
    await lab.control("1", "120", step=False)
    assert await lab.patient() == "held"
    assert lab.reasons() == ["qc-waits"]
    for _ in range(judging.ATTEMPTS + 1):
        lab.later(seconds=60)
        await lab.settle()
    assert lab.states()["1"] == ("unjudged", "error"), "given up: written down, and it never passes"
    assert lab.line.ask("SELECT count(*) FROM work") == [(0,)]


async def test_a_declared_test_needs_a_control_before_and_not_too_old(lab: Controlled) -> None:
    await lab.prepare("1", "2")
    await lab.plan(hours=8)
    assert await lab.patient() == "held"
    assert lab.reasons() == ["qc-never", "qc-never"]
    await lab.control("1", "100")
    assert await lab.patient(specimen="S2") == "held", "each level that has a target is asked for"
    assert lab.reasons() == ["qc-never"]
    await lab.control("2", "200")
    assert await lab.patient(specimen="S3") == "released"
    lab.later(hours=9)
    assert await lab.patient(specimen="S4") == "held"
    assert lab.reasons() == ["qc-late", "qc-late"]


async def test_in_brackets_a_result_waits_for_the_next_control(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.plan("bracket")
    await lab.control("1", "100")
    lab.later(hours=1)
    assert await lab.patient() == "held"
    assert lab.reasons() == ["qc-bracket"]
    lab.later(hours=1)
    await lab.control("1", "101")
    assert lab.line.ask("SELECT state FROM result WHERE specimen = 'S1'") == [("released",)]
    assert lab.line.ask("SELECT count(*) FROM outbox_result") == [(1,)]


async def test_in_brackets_a_control_that_fails_keeps_what_was_measured_since_the_last_good_one(
    lab: Controlled,
) -> None:
    await lab.prepare("1")
    await lab.plan("bracket")
    await lab.control("1", "100")
    lab.later(hours=1)
    assert await lab.patient() == "held"
    lab.later(hours=1)
    await lab.control("1", "120")
    assert lab.line.ask("SELECT state FROM result WHERE specimen = 'S1'") == [("held",)]
    assert lab.reasons() == ["qc-out"]
    lab.later(hours=1)
    await lab.control("1", "100")
    assert lab.line.ask("SELECT state FROM result WHERE specimen = 'S1'") == [("held",)], "a person looks at those"


async def test_a_result_held_for_more_than_its_bracket_stays(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.plan("bracket")
    await lab.control("1", "100")
    lab.later(hours=1)
    assert await lab.patient("2200") == "held"
    lab.later(hours=1)
    await lab.control("1", "101")
    assert lab.line.ask("SELECT state FROM result WHERE specimen = 'S1'") == [("held",)]


# --- derogations -----------------------------------------------------------------------------------------------------------


async def test_a_derogation_takes_two_lets_go_and_marks(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "120")
    until = START.replace(hour=20)
    number = await lab.do(controlling.ask_derogation(lab.decision("A", "only machine"), "analyzer", "", ALT, until))
    assert await lab.patient() == "held", "one person is not enough"
    with pytest.raises(Undecidable):
        await lab.do(controlling.approve_derogation(lab.decision("A"), number))
    await lab.do(controlling.approve_derogation(lab.decision("B"), number))
    assert await lab.patient(specimen="S3") == "released"
    [(reasons, comments)] = lab.line.ask("SELECT reasons, comments FROM verdict ORDER BY id DESC LIMIT 1")
    [mark] = [one for one in json.loads(str(reasons)) if one["code"] == "qc-derogation"]
    assert (mark["facts"]["by"], mark["facts"]["asked"], mark["facts"]["instead"]) == ("B", "A", "qc-out")
    assert "dérogation" in str(comments)
    lab.later(hours=13)
    assert await lab.patient(specimen="S2") == "held", "its end is its end"


async def test_a_derogation_for_another_test_lets_nothing_go(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "120")
    number = await lab.do(
        controlling.ask_derogation(lab.decision("A"), "analyzer", "", "2823-3", START.replace(hour=20))
    )
    await lab.do(controlling.approve_derogation(lab.decision("B"), number))
    assert await lab.patient() == "held"


async def test_a_derogation_can_be_ended_and_not_be_endless(lab: Controlled) -> None:
    with pytest.raises(Undecidable):
        await lab.do(controlling.ask_derogation(lab.decision("A"), "", "", "*", START.replace(year=2028)))
    number = await lab.do(controlling.ask_derogation(lab.decision("A"), "", "", "*", START.replace(hour=20)))
    await lab.do(controlling.approve_derogation(lab.decision("B"), number))
    await lab.do(controlling.end_derogation(lab.decision("A"), number))
    await lab.prepare("1")
    await lab.control("1", "120")
    assert await lab.patient() == "held"


# --- what people set ---------------------------------------------------------------------------------------------------------


async def test_asking_for_less_takes_two(lab: Controlled) -> None:
    await lab.plan("bracket", hours=8, rules=ALL)
    with pytest.raises(Undecidable):
        await lab.plan("start", hours=8, rules=ALL)
    with pytest.raises(Undecidable):
        await lab.plan("bracket", hours=24, rules=ALL, by="A", second="a")
    with pytest.raises(Undecidable):
        await lab.plan("bracket", hours=8, rules=(Rule.W1_3S,))
    await lab.plan("start", hours=24, rules=(Rule.W1_3S,), by="A", second="B")
    await lab.plan("bracket", hours=8, rules=ALL)
    assert lab.line.ask("SELECT gate, second FROM qc_plan WHERE ended_at IS NULL") == [("bracket", "")]
    assert lab.line.ask("SELECT count(*) FROM qc_plan") == [(3,)], "nothing is overwritten"
    assert lab.line.ask("SELECT count(*) FROM audit WHERE what = 'qc-plan'") == [(3,)]


async def test_two_lots_that_could_not_be_told_apart_are_refused(lab: Controlled) -> None:
    await lab.prepare("1")
    with pytest.raises(Undecidable):
        await lab.do(controlling.add_lot(lab.decision(), "C1", "L2", stamp(lab.at[0]), None))


async def test_a_patients_tube_is_no_control_material(lab: Controlled) -> None:
    with pytest.raises(Undecidable):
        await lab.do(controlling.add_material(lab.decision(), "S1", "Multi", "1"))
    with pytest.raises(Undecidable):
        await lab.do(controlling.set_target(lab.decision(), lab.target("1")))


async def test_the_most_specific_plan_holds(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.do(controlling.set_plan(lab.decision(), Plan("", "", ALT, "bracket")))
    await lab.plan("none")
    assert await lab.patient() == "released"


async def test_points_keep_the_target_they_were_judged_with(lab: Controlled) -> None:
    await lab.prepare("1")
    await lab.control("1", "104")
    await lab.do(controlling.set_target(lab.decision(), lab.target("1", mean=Decimal(104))))
    lab.later(hours=1)
    await lab.control("1", "104")
    assert lab.line.ask("SELECT mean, z FROM qc_point ORDER BY id") == [("100", "1.0000"), ("104", "0.0000")]


async def test_a_result_that_comes_after_the_next_control_is_asked_for_the_one_before_it(lab: Controlled) -> None:
    """Breaks: the control after the measurement said how old the one before it was, so that any age passed."""
    await lab.prepare("1")
    for hours in (0, 30):
        await lab.control("1", "100", minutes=hours * 60)
        lab.later(hours=30)

    def module(message: int) -> Any:
        rows = yield from transaction.ask(stored.results_on_tubes("TEST", ["S1"], limit=100))
        row = next(one for one in rows if one.message == message)
        quality = yield from qc_gate.standings("TEST", [row], row.message, stamp(lab.at[0]))
        return quality.module(row)

    for minutes, expected in ((29 * 60, START), (31 * 60, START + timedelta(hours=30)), (-60, None)):
        await lab.patient(minutes=minutes)
        [(message,)] = lab.line.ask("SELECT max(message) FROM result")
        assert (await lab.do(module(int(str(message))))).qc_at == expected, minutes
