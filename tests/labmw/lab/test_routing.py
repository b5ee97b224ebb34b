"""A routed test is done where it is to be done, and elsewhere only where a comparison is on record and the preferred analyzer is away."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.lab.routing import EVERYWHERE, Comparison, Route, Routing

TODAY = date(2026, 3, 1)
HELD = Comparison("CR-2026-03", "Dr Test")
OVER = Comparison("CR-2024-03", "Dr Test", date(2026, 2, 28))


def order(priority: str = "R", loinc: str = "2823-3") -> Any:
    return SimpleNamespace(loinc=loinc, priority=priority)


def awos(link: str, state: str = "accepted") -> Any:
    return SimpleNamespace(link=link, state=state)


def routing(route: Route, *away: str) -> Routing:
    return Routing({"2823-3": route}, lambda link: link not in away, lambda: TODAY)


def test_without_a_route_everybody_who_knows_a_test_is_given_it() -> None:
    assert EVERYWHERE.asks("a", order(), [])
    assert EVERYWHERE.pushed(order(), [], ["a", "b"], {}) == {"a", "b"}
    assert routing(Route(("a",))).asks("b", order(loinc="718-7"), [])


def test_a_test_with_one_analyzer_is_pinned() -> None:
    pinned = routing(Route(("a",), comparison=HELD), "a")
    assert pinned.asks("a", order(), [])
    assert not pinned.asks("b", order(), [])


@pytest.mark.parametrize(
    ("comparison", "away", "given_"),
    [(None, (), False), (None, ("a",), False), (HELD, (), False), (HELD, ("a",), True), (OVER, ("a",), False)],
)
def test_another_analyzer_is_given_it_only_when_compared_and_the_preferred_one_is_away(
    comparison: Comparison | None, away: tuple[str, ...], given_: bool
) -> None:
    route = Route(("a", "b"), comparison=comparison)
    assert routing(route, *away).asks("b", order(), []) is given_
    assert routing(route, *away).asks("a", order(), [])


def test_what_another_analyzer_has_is_not_given_twice_unless_that_one_is_away() -> None:
    route = Route(("a", "b"), by="load", comparison=HELD)
    assert routing(route).asks("b", order(), [])
    assert not routing(route).asks("b", order(), [awos("a")])
    assert routing(route, "a").asks("b", order(), [awos("a")])
    assert routing(route).asks("b", order(), [awos("a", "not-performed")])
    assert not routing(Route(("a", "b")), "a").asks("b", order(), [awos("a")])
    assert routing(route).asks("b", order(), [awos("a"), awos("b")])  # what it has, it gets again


def test_urgent_orders_have_their_own_analyzer() -> None:
    route = Route(("a", "b"), urgent=("b",), comparison=HELD)
    assert routing(route).asks("b", order("S"), []) and not routing(route).asks("a", order("S"), [])
    assert routing(route, "b").asks("a", order("S"), [])
    assert routing(route).asks("a", order("R"), []) and not routing(route).asks("b", order("R"), [])


def test_by_load_the_one_that_has_least_is_told_and_none_is_told_of_what_is_done_elsewhere() -> None:
    route = Route(("a", "b"), by="load", comparison=HELD)
    assert routing(route).pushed(order(), [], ["a", "b"], {"a": 5, "b": 2}) == {"b"}
    assert routing(route, "b").pushed(order(), [], ["a", "b"], {"a": 5, "b": 2}) == {"a"}
    assert routing(route).pushed(order(), [awos("a")], ["a", "b"], {}) == frozenset()
    assert routing(Route(("a", "b"))).pushed(order(), [], ["a", "b"], {}) == {"a"}
    assert routing(Route(("a", "b"))).pushed(order(), [], ["b"], {}) == frozenset()  # a asks for it itself


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
    st.sampled_from(["preference", "load"]),
    st.sampled_from([None, HELD, OVER]),
    st.sets(st.sampled_from("abc")),
    st.lists(
        st.builds(awos, st.sampled_from("abc"), st.sampled_from(["accepted", "planned", "cancelled"])), max_size=3
    ),
    st.sampled_from("SR"),
)
def test_without_a_comparison_nobody_but_the_preferred_is_ever_given_it(
    links: list[str], by: Any, comparison: Comparison | None, away: set[str], made: list[Any], priority: str
) -> None:
    found = routing(Route(tuple(links), by=by, comparison=comparison), *away)
    asked = {link for link in "abc" if found.asks(link, order(priority), made)}
    pushed = found.pushed(order(priority), made, list("abc"), {})
    assert asked | pushed <= set(links)
    assert len(pushed) <= 1
    if comparison is not HELD:
        held = {one.link for one in made if one.state == "accepted"}
        assert pushed <= {links[0]} and asked <= {links[0]} | held
