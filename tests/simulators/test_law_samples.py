"""Is the morning of a LAW analyzer laid out as its scenario says, and does what it will send match its account of it?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.errors import ScenarioError
from simulators.law_samples import LawTask, all_samples, law_morning
from simulators.recorded import HERE
from simulators.scenario import load, read
from simulators.worklist import worklist

DEMO = HERE / "scenarios" / "demo.toml"
NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
TSH = "3016-3"


def tasks() -> dict[str, LawTask]:
    (work,) = law_morning(load(DEMO), NOW)
    return {one.case: one for one in work.tasks if one.case}


def test_the_seed_and_the_moment_decide_everything() -> None:
    assert law_morning(load(DEMO), NOW) == law_morning(load(DEMO), NOW)


def test_what_is_planted_is_laid_out() -> None:
    planted = tasks()
    first, second = (one for one in planted["law-two-runs"].runs if one.test.code == TSH)
    assert [(one.run, one.status) for one in (first, second)] == [(1, "R"), (2, "F")] and first.time < second.time
    assert [(one.value, one.status) for one in planted["law-not-performed"].runs if one.status == "X"] == [("", "X")]
    assert {one.whose for one in planted["law-unknown-awos"].runs} == {"given", "strange"}
    assert {one.whose for one in planted["law-control"].runs} == {"added"}
    assert planted["law-sent-again"].times == 2
    assert not planted["law-no-work"].work and not planted["law-no-work"].runs


def test_the_work_list_has_what_is_ordered_and_no_control() -> None:
    scenario = load(DEMO)
    told = worklist(scenario, all_samples(scenario, NOW))
    tubes = {row["specimen"] for row in told["orders"]}
    planted = tasks()
    assert planted["law-two-runs"].specimen in tubes
    assert not {planted[name].specimen for name in ("law-no-work", "law-control", "law-control-unknown")} & tubes
    assert len({row["identifier"] for row in told["specimens"]}) == len(told["specimens"])  # no tube on two analyzers


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "xn"}, "used twice"),
        ({"connect": "nowhere"}, "not host:port"),
        ({"menu": "no-such"}, "no-such"),
        ({"profile": "no-such"}, "no-such"),
        ({"planted": [{"case": "x", "failed": ["WBC"]}]}, "WBC"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], says: str) -> None:
    table = {"name": "law", "connect": "127.0.0.1:4105"} | change
    xn = {"name": "xn", "dialect": "sysmex-xn", "connect": "127.0.0.1:4001"}
    with pytest.raises(ScenarioError, match=says):
        read({"analyzer": [xn], "law": [table]}, "scenario.toml")
