"""The line is stopped: with the next verdict, by one person, until two let it go on; and by itself when too much leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import START, Bench, bench, timed
from stage import ALT, SITE

from labmw.clock import stamp
from labmw.lab.rights import Undecidable
from labmw.lab.stopping import ENOUGH, ENOUGH_BEFORE, RATE_RULE, jumped, resume, stop
from labmw.store.statements.stops import count_judged
from labmw.store.transaction import ask


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    ("scope", "target"), [("site", ""), ("analyzer", "analyzer"), ("analyte", ALT), ("rule", "chemistry/LIMIT")]
)
async def test_what_is_stopped_waits_for_a_person_at_once(desk: Bench, scope: str, target: str) -> None:
    await desk.judged(timed("22"))
    names = [str(name) for (name,) in desk.ask("SELECT value ->> 0 FROM verdict, json_each(trace)")]
    wanted = next(name for name in names if name.startswith("chemistry/")) if scope == "rule" else target
    await desk.run(stop(desk.by("T. Pinson", "wrong diluent"), desk.house.rights, scope, wanted))
    await desk.judged(timed("22", specimen="S2"))
    assert desk.states() == [("S1", "22", "released"), ("S2", "22", "held")]
    assert desk.ask("SELECT json_extract(reasons, '$[0].code') FROM verdict ORDER BY id DESC LIMIT 1") == [
        (f"stopped-{scope}",)
    ]


@pytest.mark.parametrize(
    ("scope", "target"), [("analyzer", "another"), ("analyte", "718-7"), ("rule", "chemistry/NO-SUCH")]
)
async def test_what_is_not_meant_goes_on(desk: Bench, scope: str, target: str) -> None:
    await desk.run(stop(desk.by(), desk.house.rights, scope, target))
    await desk.judged(timed("22"))
    assert desk.states() == [("S1", "22", "released")]


async def test_going_on_takes_two(desk: Bench) -> None:
    await desk.run(stop(desk.by("T. Pinson"), desk.house.rights, "site", ""))
    with pytest.raises(Undecidable, match="rights-refused"):
        await desk.run(resume(desk.by("T. Pinson"), desk.house.rights, "site", ""))
    assert await desk.run(resume(desk.by(), desk.house.rights, "site", "")) == "asked"
    await desk.judged(timed("22"))
    assert desk.states() == [("S1", "22", "held")]  # one is not enough
    with pytest.raises(Undecidable, match="stop-same-person"):
        await desk.run(resume(desk.by(), desk.house.rights, "site", ""))
    assert await desk.run(resume(desk.by("Dr Bergeronnette"), desk.house.rights, "site", "")) == "resumed"
    await desk.judged(timed("22", specimen="S2"))
    assert desk.states() == [
        ("S1", "22", "released"),
        ("S2", "22", "released"),
    ]  # what was held meanwhile was judged again
    assert [what for (what,) in desk.ask("SELECT what FROM audit WHERE what LIKE 'line-%' ORDER BY id")] == [
        "line-stopped", "line-asked", "line-resumed"
    ]  # fmt: skip
    with pytest.raises(Undecidable, match="stop-unknown"):
        await desk.run(resume(desk.by(), desk.house.rights, "site", ""))


async def test_who_has_no_role_stops_nothing(desk: Bench) -> None:
    with pytest.raises(Undecidable, match="rights-refused"):
        await desk.run(stop(desk.by("Nobody"), desk.house.rights, "site", ""))
    assert desk.ask("SELECT count(*) FROM line_stop") == [(0,)]


async def test_a_person_may_release_what_is_stopped(desk: Bench) -> None:
    from labmw.lab.validation import Chosen, release

    await desk.run(stop(desk.by(), desk.house.rights, "site", ""))
    await desk.judged(timed("22"))
    await desk.run(release(desk.by(), Chosen("S1"), desk.house, "biological"))
    assert desk.states() == [("S1", "22", "released")]


# --- the release rate -----------------------------------------------------------------------------------------------------


def hour(hours: float) -> str:
    return stamp(START - timedelta(hours=hours))


async def usual(desk: Bench, share: float) -> None:
    """A week in which a share was released, and an hour in which everything was."""
    for day in range(1, 7):
        await desk.run(ask(count_judged(SITE, "analyzer", hour(24 * day), judged=100, released=int(100 * share))))
    await desk.run(ask(count_judged(SITE, "analyzer", hour(0), judged=60, released=60)))


async def test_a_jump_of_the_release_rate_stops_the_analyzer(desk: Bench) -> None:
    await usual(desk, 0.6)
    await desk.judged(timed("22"))
    assert desk.ask("SELECT scope, target, stopped_by FROM line_stop") == [("analyzer", "analyzer", RATE_RULE)]
    await desk.judged(timed("22", specimen="S2"))
    assert desk.states()[1] == ("S2", "22", "held")


async def test_a_rate_as_it_always_was_stops_nothing(desk: Bench) -> None:
    await usual(desk, 0.97)
    await desk.judged(timed("22"))
    assert desk.ask("SELECT count(*) FROM line_stop") == [(0,)]


async def test_after_two_people_let_it_go_on_the_rate_is_measured_anew(desk: Bench) -> None:
    await usual(desk, 0.6)
    await desk.judged(timed("22"))
    await desk.run(resume(desk.by(), desk.house.rights, "analyzer", "analyzer"))
    await desk.run(resume(desk.by("Dr Bergeronnette"), desk.house.rights, "analyzer", "analyzer"))
    await desk.judged(timed("22", specimen="S2"))
    assert desk.states()[1] == ("S2", "22", "released")
    assert desk.ask("SELECT count(*) FROM line_stop WHERE resumed_at IS NULL") == [(0,)]


async def test_the_rate_is_counted_by_analyzer_and_hour(desk: Bench) -> None:
    await desk.judged(timed("22"), timed("9999", specimen="S2"))
    assert desk.ask("SELECT analyzer, hour, judged, released FROM release_hour") == [("analyzer", hour(0), 2, 1)]


@given(
    judged=st.integers(0, 10_000),
    released=st.integers(0, 10_000),
    before=st.integers(0, 10_000),
    let=st.integers(0, 10_000),
)
def test_a_jump_is_a_jump_upwards_of_enough_results(judged: int, released: int, before: int, let: int) -> None:
    released, let = min(released, judged), min(let, before)
    found = jumped(judged, released, before, let)
    if found:
        assert judged >= ENOUGH and before >= ENOUGH_BEFORE and released / judged > let / before + 0.1
    assert not jumped(judged, 0, before, let)
