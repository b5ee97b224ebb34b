"""Which analyzers quality control takes out for which tests, and which may stand in for another: from its rows alone."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.lab.fitness import UNCONTROLLED, Fitness, stand
from labmw.lab.routing import Comparison, Route, Routing

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
K = "2823-3"
IDS = iter(range(10**6))


def state(state: str, link: str = "a", **changed: Any) -> Any:
    row = {
        "id": next(IDS),
        "link": link,
        "analyzer": f"SN-{link}",
        "module": "",
        "test": K,
        "level": "1",
        "rule": "1-3s",
    }
    row |= {"material": "C1", "lot": "L1", "state": state, "at": "2026-11-01T08:00:00.000000Z"}
    return SimpleNamespace(**{**row, **changed})


def plan(gate: str = "start", analyzer: str = "", minutes: int = 480) -> Any:
    return SimpleNamespace(id=next(IDS), analyzer=analyzer, module="", test=K, gate=gate, max_age=minutes)


def target(lot: str = "L1") -> Any:
    return SimpleNamespace(analyzer="", module="", test=K, material="C1", lot=lot)


def derogation(**changed: Any) -> Any:
    row = {"test": K, "analyzer": "a", "until": "2026-11-01T13:00:00.000000Z"}
    return SimpleNamespace(**{**row, **changed})


def found(*states: Any, plans: Any = (), targets: Any = (), derogations: Any = ()) -> Fitness:
    return stand(states, plans, targets, derogations, NOW)


def test_one_level_that_is_out_takes_the_analyzer_out_and_a_warning_does_not() -> None:
    assert found(state("in-control"), state("out", level="2")).out("a", K)
    assert not found(state("warning"), state("in-control", level="2")).out("a", K)
    assert not found(state("out")).out("b", K)
    assert not found(state("out")).out("a", "2951-2")


def test_an_analyzer_with_a_module_left_stays_in() -> None:
    one, two = state("out", module="M1"), state("in-control", module="M2")
    assert not found(one, two).out("a", K)
    assert found(one, state("out", module="M2")).out("a", K)
    assert found(two, state("out", module="")).out("a", K)  # a control without module speaks for the whole


def test_the_analyzer_that_was_controlled_last_speaks_for_the_line() -> None:
    """The one before it was replaced, whether it failed or passed."""
    late = "2026-11-01T09:00:00.000000Z"
    assert not found(state("out"), state("in-control", analyzer="NEW", at=late)).out("a", K)
    assert found(state("in-control"), state("out", analyzer="NEW", at=late)).out("a", K)


@pytest.mark.parametrize(
    ("changed", "out"),
    [({}, False), ({"test": "*"}, False), ({"analyzer": "SN-a"}, False), ({"analyzer": "b"}, True), ({"until": "2026-11-01T11:00:00.000000Z"}, True)],
)  # fmt: skip
def test_a_derogation_leaves_it_in_until_its_end(changed: dict[str, str], out: bool) -> None:
    assert found(state("out"), derogations=[derogation(**changed)]).out("a", K) is out


@pytest.mark.parametrize(
    ("states", "plans", "targets", "may"),
    [
        ((), (), (), True),  # nobody controls it anywhere
        ((), (plan(),), (target(),), False),  # the plan asks for a control, and there was none
        ((), (plan("none"),), (target(),), True),
        ((), (plan(), plan("none", "a")), (target(),), True),  # the more special plan
        ((state("in-control"),), (plan(),), (target(),), True),
        ((state("in-control"),), (plan(minutes=60),), (target(),), False),  # too old
        ((state("in-control"),), (plan(),), (target(), target("L2")), False),  # the other level was not controlled
        ((state("unjudged"),), (plan(),), (target(),), False),
        ((state("unjudged"),), (), (), True),  # as the gate has it: without a plan only a failure holds
        ((state("out"),), (), (), False),
    ],
)
def test_who_stands_in_is_controlled_as_its_plan_asks(states: Any, plans: Any, targets: Any, may: bool) -> None:
    assert found(*states, plans=plans, targets=targets).stands_in("a", K) is may


def test_what_has_changed_is_told_by_test() -> None:
    assert found(state("out")).changed(UNCONTROLLED) == {K}
    assert found(state("out")).changed(found(state("out", level="2"))) == frozenset()
    assert found(plans=[plan()]).changed(UNCONTROLLED) == {K}


@given(st.sets(st.sampled_from("abc")), st.sampled_from(["preference", "load"]), st.booleans(), st.sampled_from("SR"))
def test_no_route_gives_a_test_to_an_analyzer_whose_control_failed(
    failed: set[str], by: Any, compared: bool, priority: str
) -> None:
    comparison = Comparison("CR", "Dr Test") if compared else None
    fit = found(*(state("out", one) for one in failed))
    order: Any = SimpleNamespace(loinc=K, priority=priority)
    for routing in (Routing(), Routing({K: Route(("a", "b", "c"), by=by, comparison=comparison)})):
        asked = {link for link in "abc" if routing.asks(link, order, [], fit)}
        pushed = routing.pushed(order, [], list("abc"), {}, fit)
        assert not (asked | pushed) & failed
        if routing.routes and compared and len(failed) < 3:
            assert len(pushed) == 1 and asked
        if routing.routes and not compared:
            assert pushed == ({"a"} - failed)


def test_what_runs_is_not_moved_and_what_waits_is() -> None:
    """The variant beside it: with the control passed, neither is."""
    routing = Routing({K: Route(("a", "b"), comparison=Comparison("CR", "Dr Test"))})
    order: Any = SimpleNamespace(loinc=K, priority="R")
    for there, moved in (("accepted", {"b"}), ("in-process", set())):
        made: Any = [SimpleNamespace(link="a", state=there)]
        assert routing.pushed(order, made, ["a", "b"], {}, found(state("out"))) == moved
        assert routing.pushed(order, made, ["a", "b"], {}, found(state("in-control"))) == set()
