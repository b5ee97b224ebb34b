"""Where was a test ordered? The first agreed field that is filled says it, and no other is looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from labmw.lab.order_places import places_of
from labmw.partner import Route
from labmw.terms import Elsewhere, Leaving
from protocols.hl7.er7 import Segment

FIELDS = ("ORC-21", "ORC-13", "PV1-3")
SUNDAY = datetime(2026, 11, 1, 8, tzinfo=UTC)
WARD = Segment("PV1|1|I|CHIR^101^1^SUD")


def orc(cells: dict[int, str]) -> Segment:
    return Segment("|".join(["ORC", *(cells.get(n, "") for n in range(1, 22))]))


@pytest.mark.parametrize(
    ("cells", "pv1", "places"),
    [
        ({21: "Labo Nord^D^^^^A&1&ISO^FINEG^^^750999901", 13: "PRELEV^^^SUD"}, WARD, {"Labo Nord", "750999901"}),
        ({13: "PRELEV^^^NORD"}, WARD, {"PRELEV", "NORD"}),
        ({}, WARD, {"CHIR", "SUD"}),
        ({21: '""'}, None, set()),
        ({21: "^D"}, Segment("PV1|1|O|^101"), set()),
        ({}, None, set()),
    ],
)
def test_the_first_filled_field_is_the_place(cells: dict[int, str], pv1: Segment | None, places: set[str]) -> None:
    assert places_of(orc(cells), pv1, FIELDS) == places


def test_only_the_agreed_fields_are_looked_at() -> None:
    assert places_of(orc({21: "NORD"}), WARD, ("PV1-3",)) == {"CHIR", "SUD"}
    assert places_of(None, None, FIELDS) == frozenset()


def routed(*routes: Route, places: frozenset[str] = frozenset()) -> Leaving:
    every = Elsewhere(tuple((f"P{n}", one) for n, one in enumerate(routes)))
    return every.route_for(["1742-6"], "SER", SUNDAY, ZoneInfo("Europe/Paris"), frozenset(), places)


def test_a_route_takes_what_comes_from_its_places_and_never_guesses() -> None:
    north, anywhere = Route(tests=["1742-6"], places=["NORD"]), Route(tests=["1742-6"])
    assert routed(north, anywhere, places=frozenset({"PRELEV", "NORD"})) == Leaving("P0")
    assert routed(north, anywhere, places=frozenset({"SUD"})) == Leaving("P1")
    # a general route below it must not take what may be the north's
    assert routed(north, anywhere) == Leaving("P0", asks_for_place=True)
    # what the route would not take anyway needs no place
    weekday = Route(tests=["1742-6"], places=["NORD"], days=[1])
    assert routed(weekday, anywhere) == Leaving("P1")
    assert routed(weekday, places=frozenset({"NORD"})) == Leaving()
    assert routed(anywhere, north) == Leaving("P0")
