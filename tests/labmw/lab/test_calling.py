"""A critical value is called: after validation, with what was read back, and again unless a call covers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from judging import Bench, bench
from packs import CA, K, low, potassium, two

from labmw.clock import stamp
from labmw.lab.calling import after_release, agrees, document
from labmw.lab.deciding import Decision
from labmw.lab.rights import Undecidable
from labmw.lab.validation import Chosen, release
from labmw.store.transaction import Row, Transaction

TUBES = ("S1", "S2", "S3", "S4")


def called(decision: Decision, rows: Sequence[Row]) -> Transaction[None]:
    yield from after_release(decision.site, rows, decision.at)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, TUBES, packs=two(tmp_path / "two"), loincs=(K, CA)) as one:
        one.write("UPDATE specimen SET patient = 'P-S1'")
        one.house = replace(one.house, released=called)
        yield one


async def let_go(desk: Bench, value: str, specimen: str, minutes: float) -> None:
    """A potassium that a biologist releases."""
    await desk.judged(potassium(value, minutes=minutes, specimen=specimen))
    await desk.run(release(desk.by(), Chosen(specimen), desk.house, "biological"))


def calls(desk: Bench) -> list[tuple[object, ...]]:
    return desk.ask("SELECT number, direction, state FROM prescriber_call ORDER BY id")


async def documented(desk: Bench, number: int, read_back: str, who: str = "Dr Alouette") -> None:
    await desk.run(
        document(desk.by(who, "told at once"), desk.house.rights, number, "Dr Mésange", read_back, stamp(desk.at[0]))
    )


async def test_the_alert_stands_from_intake_and_the_call_follows_validation(desk: Bench) -> None:
    await desk.judged(potassium("2.5"))
    assert desk.ask("SELECT kind, state FROM alert") == [("critical", "open")] and calls(desk) == []
    await desk.run(release(desk.by(), Chosen("S1"), desk.house, "biological"))
    assert calls(desk) == [("2.5", "low", "open")]


async def test_a_value_that_is_not_critical_is_not_called(desk: Bench) -> None:
    await desk.judged(potassium("4.2"))
    assert calls(desk) == []


async def test_a_call_is_documented_with_who_was_told_and_what_was_read_back(desk: Bench) -> None:
    await let_go(desk, "2.5", "S1", 0)
    await documented(desk, 1, "2,5 mmol/L")
    assert desk.ask("SELECT state, called_by, told, read_back, note FROM prescriber_call") == [
        ("documented", "Dr Alouette", "Dr Mésange", "2,5 mmol/L", "told at once")
    ]
    assert desk.ask("SELECT who FROM audit WHERE what = 'called'") == [("Dr Alouette",)]
    assert desk.ask("SELECT state, closed_by FROM alert") == [("closed", "Dr Alouette")]
    with pytest.raises(Undecidable, match="call-unknown"):
        await documented(desk, 1, "2.5")


@pytest.mark.parametrize(("value", "state"), [("2.6", "covered"), ("2.5", "covered"), ("2.4", "open")])
async def test_a_repeat_is_called_again_unless_one_at_least_as_severe_was(desk: Bench, value: str, state: str) -> None:
    await let_go(desk, "2.5", "S1", 0)
    await documented(desk, 1, "2.5")
    await let_go(desk, value, "S2", 60)
    assert calls(desk)[1] == (value, "low", state)


async def test_what_is_not_documented_covers_nothing(desk: Bench) -> None:
    await let_go(desk, "2.5", "S1", 0)
    await let_go(desk, "2.6", "S2", 60)
    assert [state for *_, state in calls(desk)] == ["open", "open"]


@pytest.mark.parametrize(
    "change",
    [
        "direction = 'high'",
        "unit = 'mg/dL'",
        "patient = 'P-S9'",
        "number = NULL",
        "called_at = '2026-10-30T00:00:00.000000Z'",
    ],
)
async def test_a_call_about_something_else_or_long_ago_covers_nothing(desk: Bench, change: str) -> None:
    await let_go(desk, "2.5", "S1", 0)
    await documented(desk, 1, "2.5")
    desk.write(f"UPDATE prescriber_call SET {change}")
    await let_go(desk, "2.6", "S2", 60)
    assert [state for *_, state in calls(desk)] == ["documented", "open"]


async def test_what_was_read_back_wrongly_is_not_documented(desk: Bench) -> None:
    await let_go(desk, "2.5", "S1", 0)
    with pytest.raises(Undecidable, match="call-read-back"):
        await documented(desk, 1, "5.2")
    with pytest.raises(Undecidable, match="call-incomplete"):
        await documented(desk, 1, " ")
    with pytest.raises(Undecidable, match="rights-refused"):
        await documented(desk, 1, "2.5", "T. Pinson")
    late = document(desk.by(), desk.house.rights, 1, "Dr M", "2.5", "2026-11-01T23:00:00.000000Z")
    with pytest.raises(Undecidable, match="call-time"):  # not before it has been made
        await desk.run(late)
    assert calls(desk) == [("2.5", "low", "open")]


async def test_a_rule_may_want_any_value_called(tmp_path: Path) -> None:
    async with bench(
        tmp_path, packs=two(tmp_path / "two", low('action = ["call"]', verdict="comment")), loincs=(K, CA)
    ) as one:
        await one.judged(potassium("3.2"))
        assert one.states() == [
            ("S1", "3.2", "released")
        ]  # by the rules: and the call is there in the same transaction
        assert one.ask("SELECT number, state FROM prescriber_call") == [("3.2", "open")]


@pytest.mark.parametrize(
    ("text", "agree"),
    [
        ("6,8", True), ("6.80 mmol/L", True), ("potassium 6.8", True), ("6.8 (K)", True), ("8.6", False), ("", False), ("68", False),
        ("6.8 or 8.6", False), ("six point eight", False),
    ],
)  # fmt: skip
def test_what_agrees_with_a_value(text: str, agree: bool) -> None:
    assert agrees(text, "6.8", "6.8") is agree


def test_words_are_read_back_as_words() -> None:
    assert agrees("it is Positive", None, "POSITIVE") and not agrees("negative", None, "POSITIVE")
