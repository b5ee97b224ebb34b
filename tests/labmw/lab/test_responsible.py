"""Each automatic release names who answers for it; where a roster is kept and nobody stands there, nothing leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from controlled import START, Controlled, controlled

from labmw.clock import stamp
from labmw.lab import rostering
from labmw.lab.rights import Undecidable


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Controlled]:
    async with controlled(tmp_path, "S1", "S2", "S3") as one:
        yield one


async def put(lab: Controlled, who: str, begins: float, ends: float) -> int:
    moments = [stamp(START + timedelta(hours=hours)) for hours in (begins, ends)]
    return int(await lab.do(rostering.add_to_roster(lab.decision(), who, *moments)))


def responsible(lab: Controlled) -> list[tuple[object, ...]]:
    return lab.line.ask("SELECT level, responsible FROM verdict ORDER BY id")


async def test_without_a_roster_nothing_changes(lab: Controlled) -> None:
    assert await lab.patient() == "released"
    assert responsible(lab) == [(0, "")]


async def test_the_hour_decides_who(lab: Controlled) -> None:
    await put(lab, "Dr Day", 0, 10)
    await put(lab, "Dr Night", 10, 24)
    await lab.patient()
    lab.later(hours=10)
    await lab.patient(specimen="S2")
    assert responsible(lab) == [(0, "Dr Day"), (0, "Dr Night")]


async def test_an_hour_without_anybody_holds(lab: Controlled) -> None:
    number = await put(lab, "Dr Day", 1, 10)
    assert await lab.patient() == "held"
    assert lab.reasons() == ["no-responsible"]
    assert responsible(lab) == [(3, "")]
    await lab.do(rostering.end_on_roster(lab.decision(), number))
    assert await lab.patient(specimen="S2") == "released"


async def test_what_is_held_anyway_names_nobody(lab: Controlled) -> None:
    await put(lab, "Dr Day", 0, 10)
    await lab.patient("2200")
    assert responsible(lab)[0][1] == ""


async def test_wrong_entries_are_refused(lab: Controlled) -> None:
    with pytest.raises(Undecidable):
        await put(lab, "Dr Day", 10, 1)
    with pytest.raises(Undecidable):
        await put(lab, "", 0, 1)
    with pytest.raises(Undecidable):
        await lab.do(rostering.end_on_roster(lab.decision(), 99))
