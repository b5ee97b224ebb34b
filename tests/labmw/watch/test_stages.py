"""How far an ordered test is follows from its AWOS, its results and where its tube was seen, each with its moment."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from labmw.config import Orders
from labmw.watch.stages import Stage, limits, stage_of

ORDERED = "2026-03-01T08:00:00.000000Z"


def at(minute: int) -> str:
    return f"2026-03-01T08:{minute:02}:00.000000Z"


def order(**changed: Any) -> Any:
    row = {"id": 1, "specimen": "S1", "loinc": "1742-6", "test_name": "ALAT", "placer": "P", "priority": "R"}
    return SimpleNamespace(**{**row, "ordered_at": ORDERED, "state": "open", "updated_at": ORDERED, **changed})


def awos(state: str, **changed: Any) -> Any:
    row = {"id": 1, "awos": "A", "link": "c311", "state": state, "reason": "", "wanted": "", "updated_at": at(9)}
    row |= {"queried_at": at(5), "answered_at": None, "resulted_at": None}
    return SimpleNamespace(**{**row, **changed})


def result(state: str, **changed: Any) -> Any:
    row = {"id": 1, "link": "c311", "state": state, "received_at": at(20), "decided_at": at(21)}
    return SimpleNamespace(**{**row, **changed})


PLACE: Any = SimpleNamespace(carrier="R7", position="3", seen_at=at(4), link="c311")
ASKED: Any = SimpleNamespace(link="c311", asked_at=at(5))


@pytest.mark.parametrize(
    ("steps", "results", "place", "asked", "stage", "since"),
    [
        ((), (), None, None, Stage.EXPECTED, ORDERED),
        ((), (), PLACE, None, Stage.SEEN, at(4)),
        ((), (), PLACE, ASKED, Stage.QUERIED, at(5)),
        ((awos("planned", queried_at=None),), (), None, None, Stage.EXPECTED, ORDERED),
        ((awos("broadcast"),), (), PLACE, None, Stage.QUERIED, at(5)),
        ((awos("accepted", answered_at=at(6)),), (), PLACE, None, Stage.SENT, at(6)),
        ((awos("in-process", answered_at=at(6)),), (), None, None, Stage.RUNNING, at(9)),
        ((awos("refused", answered_at=at(6)),), (), None, None, Stage.QUERIED, at(5)),
        (
            (awos("resulted", answered_at=at(6), resulted_at=at(20)),),
            (result("held"),),
            None,
            None,
            Stage.RESULTED,
            at(20),
        ),
        ((), (result("verify"),), None, None, Stage.RESULTED, at(20)),  # of an analyzer that is told nothing
        ((), (result("held"), result("delivered")), None, None, Stage.RELEASED, at(21)),
    ],
)
def test_the_stage_and_since_when(steps: Any, results: Any, place: Any, asked: Any, stage: Stage, since: str) -> None:
    found = stage_of(order(), steps, results, place, asked)
    assert (found.stage, found.since) == (stage, since)
    assert found.as_json()["stage"] == stage.name.lower()


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ((result("held"),), "held"),
        ((result("held"), result("quarantined", id=2)), "quarantined"),  # the newest
        ((result("quarantined"), result("released", id=2)), ""),  # it was released: nothing waits
        ((), ""),
    ],
)
def test_what_keeps_a_result_is_told_beside_its_stage(results: Any, told: str) -> None:
    found = stage_of(order(), (), results)
    assert (found.result, found.as_json()["result_state"]) == (told, told)


def test_of_several_analyzers_the_one_that_is_furthest_is_shown() -> None:
    steps = (awos("accepted", id=1, answered_at=at(6)), awos("planned", id=2, link="c702", queried_at=None))
    found = stage_of(order(), steps, ())
    assert (found.analyzer, found.stage) == ("c311", Stage.SENT)
    cancelled = (awos("cancelled", id=1), awos("planned", id=2, link="c702", queried_at=None))
    assert stage_of(order(), cancelled, ()).analyzer == "c702"


def test_where_the_tube_stands_is_shown_and_what_an_earlier_tube_of_its_number_did_is_not() -> None:
    found = stage_of(order(), (), (), PLACE)
    assert (found.carrier, found.position) == ("R7", "3")
    before = SimpleNamespace(carrier="R7", position="3", seen_at="2026-02-20T08:00:00.000000Z", link="c311")
    old = [result("delivered", received_at="2026-02-20T08:10:00.000000Z")]
    found = stage_of(order(), (), old, before)  # type: ignore[arg-type]
    assert (found.stage, found.carrier, found.analyzer) == (Stage.EXPECTED, "", "")


def test_urgent_orders_are_late_earlier() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    routine, urgent = limits(Orders(), now, None)
    assert routine < urgent
    assert limits(Orders(), now, 5)[0] == limits(Orders(), now, 5)[1]
