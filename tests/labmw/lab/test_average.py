"""Averages of patients move with each released result, survive a restart, raise one alarm, and hold until a person has looked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from controlled import Controlled, controlled
from stage import ALT

from labmw.lab import averaging
from labmw.lab.average import Average
from labmw.lab.averaging import AveragePlan
from labmw.lab.rights import Undecidable
from labmw.lab.verification import Verification
from labmw.store.transaction import row_type

TUBES = [f"S{number}" for number in range(1, 13)]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Controlled]:
    async with controlled(tmp_path, *TUBES) as one:
        yield one


async def follow(lab: Controlled, algorithm: str = "mean", size: int = 3, **different: object) -> None:
    values: dict[str, object] = {
        "analyzer": "", "test": ALT, "algorithm": algorithm, "size": size, "weight": None, "unit": "U/L", "truncate": ("10", "40"),
        "quiet": ("20", "26"), **different,
    }  # fmt: skip
    await lab.do(averaging.set_average(lab.decision(), AveragePlan(**values)))  # type: ignore[arg-type]


async def test_an_alarm_comes_once_and_holds_until_it_is_cleared(lab: Controlled) -> None:
    await follow(lab)
    values = ["22", "23", "24", "30", "31", "22"]
    states = [await lab.patient(value, specimen=tube) for value, tube in zip(values, TUBES, strict=False)]
    # 23, then 25.67: quiet; the fifth moves it to 28.33, and the sixth is held.
    assert states == ["released"] * 5 + ["held"]
    assert lab.line.ask("SELECT state FROM average_state") == [("alarm",)]


async def test_the_average_is_what_was_released_and_no_more(lab: Controlled) -> None:
    await follow(lab, quiet=("20", "30"))
    for value, tube in zip(["22", "23", "24"], TUBES, strict=False):
        await lab.patient(value, specimen=tube)
    await lab.patient("39", specimen="S4", minutes=10)
    assert lab.line.ask("SELECT count, value FROM average_state") == [(4, repr((23 + 24 + 39) / 3))]
    await lab.patient("41", specimen="S5")  # outside: left out
    await lab.patient("2200", specimen="S6")  # held by the pack: moves nothing
    assert lab.line.ask("SELECT count FROM average_state") == [(4,)]


async def test_a_restart_forgets_nothing(lab: Controlled) -> None:
    await follow(lab)
    for value, tube in zip(["22", "23"], TUBES, strict=False):
        await lab.patient(value, specimen=tube)
    old = lab.verification
    lab.verification = Verification(
        old.site, old.store, old.clock, old.packs, old.destinations, lambda: None, rest=0.01
    )
    await lab.patient("24", specimen="S3")
    assert lab.line.ask("SELECT value FROM average_state") == [("23.0",)]


async def test_cleared_it_begins_anew(lab: Controlled) -> None:
    await follow(lab, quiet=("20", "21"))
    for tube in TUBES[:3]:
        await lab.patient("30", specimen=tube)
    assert lab.line.ask("SELECT kind, state FROM alert") == [("average", "open")]
    assert await lab.patient("21", specimen="S4") == "held"
    assert lab.reasons() == ["qc-average"]
    with pytest.raises(Undecidable):
        await follow(lab, quiet=("20", "40"))
    await lab.do(averaging.clear_average(lab.decision(), "analyzer", ALT))
    assert await lab.patient("21", specimen="S5") == "released"
    with pytest.raises(Undecidable):
        await lab.do(averaging.stop_average(lab.decision(), "other", ALT))
    await lab.do(averaging.stop_average(lab.decision(), "", ALT))
    assert lab.line.ask("SELECT count(*) FROM average_state") == [(0,)]


async def test_another_unit_moves_nothing(lab: Controlled) -> None:
    await follow(lab, unit="ukat/L")
    await lab.patient("22")
    assert lab.line.ask("SELECT count(*) FROM average_state") == [(0,)]


@pytest.mark.parametrize(
    ("algorithm", "size", "weight", "start", "values", "wanted"),
    [
        # The worked examples: EWMA 140.10, 140.39, 140.151; Bull's outlier is damped to 90.012.
        ("ewma", 0, "0.1", "140", [141, 143, 138], 140.151),
        (
            "bull",
            20,
            "",
            "90",
            [88, 91, 90, 92, 89, 93, 90, 91, 87, 94, 90, 92, 88, 91, 90, 95, 89, 90, 92, 70],
            90.012,
        ),
        ("median", 3, "", "", [1, 9, 2, 3], 3),
    ],
)
def test_each_way_of_averaging_step_by_step(
    algorithm: str, size: int, weight: str, start: str, values: list[int], wanted: float
) -> None:
    names = ("id", "algorithm", "size", "weight", "start", "low", "high")
    plan = row_type(names)((1, algorithm, size, weight, start, "-1000", "1000"))
    one = Average(1)
    for value in values:
        kept = json.loads(json.dumps(one.kept))  # through the store and back
        one = Average(1, tuple(kept), one.value, one.count, one.state, one.since).moved(plan, float(value), "t")
    assert one.value == pytest.approx(wanted, abs=1e-3)
    assert one.count == len(values)
    assert Decimal(str(one.value)).is_finite()
