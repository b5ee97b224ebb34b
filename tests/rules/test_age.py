"""Ages and age bands: birthdays, leap years, and edges that cannot be put in order."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.age import BIRTH, Age, age, edge, equal, ordered

DAYS = st.integers(0, 60000)
BIRTHS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
EDGES = st.builds(lambda n, u: f"{n}{u}", st.integers(0, 120), st.sampled_from("dwmy"))


def test_a_birthday_counts_and_the_day_before_does_not() -> None:
    adult = edge("18y")
    assert adult is not None
    born = date(2008, 2, 29)
    for on, grown in ((date(2026, 2, 28), False), (date(2026, 3, 1), True)):
        found = age(born, on)
        assert found is not None
        assert adult.reached(found) is grown


def test_newborn_days() -> None:
    month = edge("28d")
    assert month is not None
    assert not month.reached(Age(27, 0))
    assert month.reached(Age(28, 0))


@given(BIRTHS, DAYS, st.integers(0, 2000))
def test_reaching_an_edge_lasts(born: date, days: int, later: int) -> None:
    first, second = age(born, born + timedelta(days)), age(born, born + timedelta(days + later))
    for text in ("28d", "1m", "18y"):
        one = edge(text)
        assert one is not None
        if first is not None and second is not None and one.reached(first):
            assert one.reached(second)


@given(EDGES, EDGES, BIRTHS, DAYS)
def test_order_holds_for_everybody(one: str, other: str, born: date, days: int) -> None:
    first, second = edge(one), edge(other)
    assert first is not None
    assert second is not None
    found = age(born, born + timedelta(days))
    if found is not None and ordered(first, second) and second.reached(found):
        assert first.reached(found)


@given(st.lists(EDGES, min_size=1, max_size=6))
def test_the_age_of_an_edge_stands_for_its_band(texts: list[str]) -> None:
    edges = [one for text in texts if (one := edge(text)) is not None]
    for one in edges:
        assert one.reached(one.age)
        for other in edges:
            if ordered(one, other):
                assert not other.reached(one.age)
            elif ordered(other, one):
                assert other.reached(one.age)


@pytest.mark.parametrize("text", ["", "18", "18 y", "y", "-1d", "1.5y", "18Y", "٣d", "99999d"])
def test_what_is_no_age(text: str) -> None:
    assert edge(text) is None


def test_months_and_days_that_depend_on_the_month_have_no_order() -> None:
    days, month = edge("29d"), edge("1m")
    assert days is not None
    assert month is not None
    assert ordered(days, month) is None
    late = edge("40d")
    assert late is not None
    assert ordered(month, late) is True
    assert ordered(late, month) is False


def test_one_edge_in_two_words() -> None:
    for one, other in (("18y", "216m"), ("28d", "4w"), ("0y", "0d"), ("0m", "0w")):
        first, second = edge(one), edge(other)
        assert first is not None
        assert second is not None
        assert equal(first, second)
    assert BIRTH.reached(Age(0, 0))


def test_impossible_births_are_unknown() -> None:
    assert age(date(2026, 1, 2), date(2026, 1, 1)) is None
    assert age(date(1850, 1, 1), date(2026, 1, 1)) is None
    assert age(date(2026, 1, 1), date(2026, 1, 1)) == Age(0, 0)
