"""Two analyzers that know the same tests: who is given which, through the real daemon parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from askside import CREA, analyzer, order, running, set_up, states
from stage import ALT, Stage, eventually, free_port

from labmw.clock import SYSTEM
from labmw.config import load
from labmw.errors import ConfigError
from simulators.wire import TcpConnect


def two(folder: Path, *routes: str, work: str = "asked") -> tuple[Stage, int]:
    """A stage with a second analyzer of the same family."""
    port = free_port()
    second = f'[[link]]\nname = "second"\nlisten = "127.0.0.1:{port}"\ndriver = "chem-x1"\nwork = "{work}"\n'
    extra = second + "\n".join(routes)
    return set_up(folder, link=f'driver = "chem-x1"\nwork = "{work}"', extra=extra), port


ROUTE = '[[route]]\ntests = ["1742-6"]\nlinks = ["analyzer", "second"]\n%s\n'
COMPARED = 'comparable = { document = "CR-2026-03", by = "Dr Test" }'


async def test_a_pinned_test_is_given_to_its_analyzer_alone(tmp_path: Path) -> None:
    stage, port = two(tmp_path, ROUTE % "")
    order(stage, "S1", (ALT, CREA))
    async with running(stage), analyzer(stage) as first, analyzer(stage, plug=TcpConnect("127.0.0.1", port)) as second:
        assert await second.ask("S1") is not None
        assert second.held == {"S1": ["CREA"]}  # CREA has no route: whoever knows it
        assert await first.ask("S1") is not None
        assert first.held["S1"] == ["ALT", "CREA"]


async def test_another_stands_in_only_when_compared_and_the_preferred_one_is_away(tmp_path: Path) -> None:
    stage, port = two(tmp_path, ROUTE % COMPARED)
    order(stage, "S1")
    gone = [timedelta()]
    clock = replace(SYSTEM, now=lambda: SYSTEM.now() + gone[0])
    async with running(stage, clock), analyzer(stage, plug=TcpConnect("127.0.0.1", port)) as second:
        nothing = await second.ask("S1")
        assert nothing is not None and nothing.terminator == "I"  # the other may come back any moment
        gone[0] = timedelta(minutes=11)
        assert await second.ask("S1") is not None
        assert second.held == {"S1": ["ALT"]}
        await eventually(lambda: states(stage) == {"ALT@second": "accepted"})


async def test_by_load_orders_are_spread_over_the_analyzers_that_keep_a_worklist(tmp_path: Path) -> None:
    stage, port = two(tmp_path, ROUTE % f'by = "load"\n{COMPARED}', work="push")
    for number in range(6):
        order(stage, f"S{number}")
    async with running(stage), analyzer(stage) as first, analyzer(stage, plug=TcpConnect("127.0.0.1", port)) as second:
        await first.report("X", "ALT", "22", unit="U/L")
        await second.report("Y", "ALT", "22", unit="U/L")
        await eventually(lambda: len(first.held) + len(second.held) == 6)
        assert (len(first.held), len(second.held)) == (3, 3)
        assert not set(first.held) & set(second.held)


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (ROUTE % 'by = "load"', "stand in for each other"),
        (ROUTE.replace("second", "nobody") % "", "no link that is told what to do"),
        (ROUTE % "" + ROUTE % "", "is routed by"),
        (ROUTE.replace("1742-6", "ALT") % "", "not a LOINC code"),
    ],
)
def test_a_route_that_cannot_be_is_told(tmp_path: Path, route: str, problem: str) -> None:
    stage, _ = two(tmp_path, route)
    with pytest.raises(ConfigError, match=problem):
        load(stage.config)
