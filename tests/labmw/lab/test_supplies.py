"""Calibration and reagents reach the rules from what the analyzer and people say; what nobody has said is unknown, and holds where the pack says so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from judging import START, Bench, bench
from packs import K, potassium, two

from labmw.clock import stamp
from labmw.driver.reading import Inventory, ObxRead, ResultRead
from labmw.lab import supplies
from labmw.lab.rights import Undecidable
from labmw.lab.supplies import FAILED, PASSED, read_expiry, read_span
from labmw.lab.supplying import (
    Calibrated,
    Loaded,
    decide_lot,
    load_reagent,
    record_calibration,
    unload_reagent,
    withdraw_calibration,
)
from labmw.store.statements.control import contributions_behind
from labmw.store.transaction import Row, Transaction, ask


def gate(check: str, keys: str, good: str, bad: str) -> str:
    return f"""
[[rule]]
id = "{check.upper()}"
check = "{check}"
analytes = ["K"]
{keys}
if_missing = "hold"
verdict = "hold"
source = "here"
message.en = "gate"
message.fr = "gate"
[[rule.test]]
name = "fires"
given = {{ value = "4.2", unit = "mmol/L", module = {bad} }}
expect = "hold"
[[rule.test]]
name = "passes"
given = {{ value = "4.2", unit = "mmol/L", module = {good} }}
expect = "release"
"""


CALIBRATION = gate("calibration", 'max_age = "7d"', '{ calibrated = "6d" }', '{ calibrated = "8d" }')
REAGENT = gate(
    "reagent",
    'on_board = "3d"',
    '{ lot = "A", accepted = "yes", opened = "2d", expires_in = "9d" }',
    '{ lot = "A", accepted = "no" }',
)


@pytest.fixture
async def calibrated(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, packs=two(tmp_path / "two", CALIBRATION), loincs=(K,)) as one:
        yield one


@pytest.fixture
async def reacting(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, packs=two(tmp_path / "two", REAGENT), loincs=(K,)) as one:
        yield one


def at(hours: float) -> str:
    return stamp(START + timedelta(hours=hours))


def done(hours: float, outcome: str = PASSED, analyzer: str = "analyzer", test: str = K, **lots: str) -> Calibrated:
    return Calibrated(analyzer, lots.pop("module", ""), test, at(hours), outcome, **lots)


def reasons(desk: Bench) -> list[str]:
    [(text,)] = desk.ask("SELECT reasons FROM verdict ORDER BY id DESC LIMIT 1")
    return [one["code"] for one in json.loads(str(text))]


def state(desk: Bench) -> object:
    return desk.ask("SELECT state FROM result WHERE main = 1 ORDER BY id DESC LIMIT 1")[0][0]


def material(kind: str = "SR", lot: str = "R1", expiry: str = "20270101", opened: str = "20261101", status: str = "OK") -> Inventory:  # fmt: skip
    return Inventory("INV", "K-reagent", (f"{status}^^HL70383",), kind, expiry, lot, "OBX1", opened)


def behind(*materials: Inventory, minutes: float = 0, value: str = "4.2", device: str = "") -> ResultRead:
    """A potassium that its analyzer says was measured with these."""
    obx = ObxRead("result", "", (), False, "", materials, None, "", "", "NM", "1", "", "")
    return replace(potassium(value, minutes), obx=obx, instrument=device)


# --- calibration ---------------------------------------------------------------------------------------------------------------


async def test_a_calibration_that_nobody_has_recorded_is_unknown_and_holds(calibrated: Bench) -> None:
    await calibrated.judged(potassium("4.2"))
    assert (state(calibrated), reasons(calibrated)) == ("held", ["gate-unknown"])
    calibrated.later(60)
    await calibrated.run(record_calibration(calibrated.by(), done(-2)))
    await calibrated.settle()
    assert state(calibrated) == "released", "what waited for it is judged again"
    [(audit,)] = calibrated.ask("SELECT count(*) FROM audit WHERE what = 'calibration-passed' AND who = 'Dr Alouette'")
    assert audit == 1


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([done(-7 * 24)], []),  # exactly at the limit is inside
        ([done(-7 * 24 - 0.01)], ["calibration-old"]),
        ([done(0)], []),  # at the moment of the measurement
        ([done(0.01)], ["gate-unknown"]),  # after it: the one before is not known
        ([done(-100), done(0.01)], []),  # the one before is
        ([done(-100 * 24), done(-1)], []),
        ([done(-1), done(-9 * 24)], []),  # recorded later, done earlier
        ([done(-2), done(-1, FAILED)], ["calibration-failed", "gate-unknown"]),
        ([done(-2, FAILED), done(-1)], []),
        ([done(-1, analyzer="other")], ["gate-unknown"]),
        ([done(-1, analyzer="")], []),
        ([done(-1, test="*")], []),
        ([done(-1, test="9999-9")], ["gate-unknown"]),
        ([done(-1, module="M2")], ["gate-unknown"]),  # which module measured is not said
        ([done(-1, FAILED, module="M2")], ["calibration-failed", "gate-unknown"]),
        ([done(-2, FAILED, module="M2"), done(-1, module="M2"), done(-3)], []),
        ([done(-1, reagent_lot="R1")], ["gate-unknown"]),  # with which lot is not said
        ([done(-1, lot="CAL1")], []),
    ],
)
async def test_the_calibration_in_force_is_the_last_before_the_measurement(
    calibrated: Bench, records: list[Calibrated], expected: list[str]
) -> None:
    calibrated.later(3600)
    for one in records:
        await calibrated.run(record_calibration(calibrated.by(), one))
    await calibrated.judged(potassium("4.2"))
    assert reasons(calibrated) == expected
    assert state(calibrated) == ("held" if expected else "released")


@pytest.mark.parametrize(
    ("materials", "record", "expected"),
    [
        ((material(lot="R1"),), done(-1, reagent_lot="R1"), []),
        ((material(lot="R2"),), done(-1, reagent_lot="R1"), ["gate-unknown"]),
        ((material("RC", "CAL1"),), done(-1, lot="CAL1"), []),
        ((material("RC", "CAL2"),), done(-1, lot="CAL1"), ["gate-unknown"]),  # the analyzer was calibrated with another
        ((material("RC", status="CE"),), done(-1), ["material-error"]),
        ((material(status="EE"),), done(-1), ["material-error"]),
        ((material(status="EW"),), done(-1), []),  # a warning stops nothing
    ],
)
async def test_what_the_analyzer_says_of_lots_counts(
    calibrated: Bench, materials: tuple[Inventory, ...], record: Calibrated, expected: list[str]
) -> None:
    await calibrated.run(record_calibration(calibrated.by(), record))
    await calibrated.judged(behind(*materials))
    assert reasons(calibrated) == expected


async def test_a_calibration_that_failed_is_told_of_what_has_left(calibrated: Bench) -> None:
    calibrated.later(60)
    await calibrated.run(record_calibration(calibrated.by(), done(-3)))
    await calibrated.judged(potassium("4.2"))
    assert state(calibrated) == "released"
    _, left = await calibrated.run(record_calibration(calibrated.by(), done(-1, FAILED)))
    assert left == 1 and calibrated.ask("SELECT cause, state FROM recall") == [("late-calibration", "open")]
    # Recorded in error, it speaks against nothing any more; the one that was believed would.
    _, left = await calibrated.run(withdraw_calibration(calibrated.by("Dr Bergeronnette"), 2))
    assert left == 0
    with pytest.raises(Undecidable, match="calibration-unknown"):
        await calibrated.run(withdraw_calibration(calibrated.by(), 2))
    _, left = await calibrated.run(withdraw_calibration(calibrated.by(), 1))
    assert left == 1, "what left on the strength of a calibration that never was"


async def test_a_calibration_ahead_of_now_is_refused(calibrated: Bench) -> None:
    with pytest.raises(Undecidable, match="supply-ahead"):
        await calibrated.run(record_calibration(calibrated.by(), done(1)))


async def test_a_failed_calibration_holds_without_any_rule(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two"), loincs=(K,)) as one:
        await one.run(record_calibration(one.by(), done(-1, FAILED)))
        await one.judged(potassium("4.2"))
        assert (state(one), reasons(one)) == ("held", ["calibration-failed"])


async def test_the_variant_that_takes_the_newest_calibration_lets_go_what_was_measured_before_it(
    calibrated: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks: the newest of all stands for a measurement that went before it."""
    calibrated.later(7200)
    await calibrated.run(record_calibration(calibrated.by(), done(1)))
    await calibrated.judged(potassium("4.2"))
    assert state(calibrated) == "held"
    sound = supplies.supply_of

    def careless(row: Row, *rest: object) -> supplies.Supply:
        return replace(sound(row, *rest), calibrated=START)  # type: ignore[arg-type]

    monkeypatch.setattr("labmw.lab.qc_gate.supply_of", careless)
    await calibrated.judged(potassium("4.2", specimen="S2"))
    assert state(calibrated) == "released", "the test above would notice"


# --- reagents ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("materials", "accepted", "expected"),
    [
        ((), ("R1",), ["gate-unknown"]),
        ((material(),), (), ["gate-unknown"]),
        ((material(),), ("R1",), []),
        ((material(expiry="20261101"),), ("R1",), []),  # used up to the end of its day
        ((material(expiry="202611"),), ("R1",), []),  # and of its month
        ((material(expiry="20261031"),), ("R1",), ["reagent"]),
        ((material(expiry="2026-12"),), ("R1",), ["gate-unknown"]),  # not a date-time of HL7: not guessed
        ((material(expiry=""),), ("R1",), ["gate-unknown"]),
        ((material(opened=""),), ("R1",), ["gate-unknown"]),
        ((material(opened="20261029080000"),), ("R1",), []),  # exactly three days
        ((material(opened="20261029"),), ("R1",), ["reagent"]),  # at some hour of that day: the strict one
        ((material(), material("MR", "R2")), ("R1",), ["gate-unknown"]),
        ((material(), material("MR", "R2")), ("R1", "R2"), []),
        ((material(), material("MR", "R2", expiry="")), ("R1", "R2"), ["gate-unknown"]),
        ((material(), material("MR", "R2", expiry="20261001")), ("R1", "R2"), ["reagent"]),
        ((material(expiry=""), material("MR", "R2", expiry="20261001")), ("R1", "R2"), ["reagent"]),
        ((material(lot=""),), (), ["gate-unknown"]),
        ((material("DI", "D1"),), ("D1",), ["gate-unknown"]),  # a diluent is no reagent
    ],
)
async def test_reagents_as_the_analyzer_names_them(
    reacting: Bench, materials: tuple[Inventory, ...], accepted: tuple[str, ...], expected: list[str]
) -> None:
    for lot in accepted:
        await reacting.run(decide_lot(reacting.by(), "", K, lot, accepted=True))
    await reacting.judged(behind(*materials))
    assert reasons(reacting) == expected


def loaded(lot: str, hours: float, expires: str | None = "2027-01-01T00:00:00.000000Z", **different: str) -> Loaded:  # fmt: skip
    return Loaded("analyzer", different.get("module", ""), K, lot, at(hours), expires, different.get("part", ""))


async def test_reagents_as_a_person_records_them(reacting: Bench) -> None:
    """The lot on board at the measurement, and not the one that came after it, counts; a part more is asked for too."""
    reacting.later(10 * 3600)
    await reacting.run(load_reagent(reacting.by(), loaded("OLD", -24)))
    await reacting.run(load_reagent(reacting.by(), loaded("NEW", 2)))
    await reacting.run(decide_lot(reacting.by(), "", K, "OLD", accepted=True))
    await reacting.judged(potassium("4.2"))
    assert (state(reacting), reasons(reacting)) == ("released", [])
    await reacting.judged(potassium("4.2", 180, specimen="S2"))
    assert reasons(reacting) == ["gate-unknown"]
    await reacting.run(decide_lot(reacting.by(), "", K, "NEW", accepted=True))
    await reacting.settle()
    assert state(reacting) == "released"
    with pytest.raises(Undecidable, match="reagent-newer"):
        await reacting.run(load_reagent(reacting.by(), loaded("OLDER", 1)))
    await reacting.run(load_reagent(reacting.by(), loaded("P2", 3, None, part="R2")))
    await reacting.run(decide_lot(reacting.by(), "", K, "P2", accepted=True))
    await reacting.judged(potassium("4.2", 240, specimen="S2"))
    assert "gate-unknown" in reasons(reacting), "of one of the two the expiry is not known"
    assert (await reacting.run(unload_reagent(reacting.by(), 3, at(3.5)))).lot == "P2"
    with pytest.raises(Undecidable, match="reagent-unknown"):
        await reacting.run(unload_reagent(reacting.by(), 3, at(3.5)))
    with pytest.raises(Undecidable, match="reagent-newer"):
        await reacting.run(unload_reagent(reacting.by(), 2, at(-3)))


async def test_the_analyzers_lot_goes_before_the_persons_and_the_earlier_expiry_counts(reacting: Bench) -> None:
    for lot in ("R1", "R9"):
        await reacting.run(decide_lot(reacting.by(), "analyzer", K, lot, accepted=True))
    await reacting.run(load_reagent(reacting.by(), loaded("R9", -1)))
    await reacting.judged(behind(material(lot="R1", opened="")))
    assert reasons(reacting) == ["gate-unknown"], "what a person says of another lot is nothing about this one"
    await reacting.run(load_reagent(reacting.by(), loaded("R1", -1, "2026-10-01T00:00:00.000000Z")))
    await reacting.judged(behind(material(lot="R1", opened=""), minutes=5))
    assert "reagent" in reasons(reacting)


async def test_a_refused_lot_holds_at_once_and_lists_what_has_left(reacting: Bench) -> None:
    await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=True))
    await reacting.judged(behind(material()))
    assert state(reacting) == "released"
    left = await reacting.run(decide_lot(reacting.by("T. Pinson"), "", K, "R1", accepted=False))
    assert left == 1 and reacting.ask("SELECT cause FROM recall") == [("late-reagent",)]
    await reacting.judged(replace(behind(material(), minutes=5), specimen="S2"))
    assert (state(reacting), reasons(reacting)) == ("held", ["reagent-refused", "reagent"])
    for second in ("", "dr alouette"):
        with pytest.raises(Undecidable, match="reagent-was-refused"):
            await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=True, second=second))
    await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=True, second="Dr Bergeronnette"))
    await reacting.settle()
    assert state(reacting) == "released"


async def test_a_lot_of_a_person_that_is_refused_lists_what_was_measured_while_it_was_on_board(reacting: Bench) -> None:
    reacting.later(3600)
    await reacting.run(load_reagent(reacting.by(), loaded("R1", -1)))
    await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=True))
    await reacting.judged(potassium("4.2"))
    assert await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=False)) == 1


async def test_what_is_said_of_one_analyzer_goes_before_what_is_said_of_all(reacting: Bench) -> None:
    await reacting.run(decide_lot(reacting.by(), "analyzer", K, "R1", accepted=False))
    await reacting.run(decide_lot(reacting.by(), "", K, "R1", accepted=True))
    await reacting.judged(behind(material()))
    assert "reagent-refused" in reasons(reacting)


async def test_materials_are_kept_of_analyzers_that_do_not_speak_law_and_no_module_is_made_of_their_device(
    reacting: Bench,
) -> None:
    message = await reacting.judged(behind(material(), device="SN-1"))

    def kept() -> Transaction[list[Row]]:
        return (yield from ask(contributions_behind(message)))

    assert [(row.kind, row.lot, row.opened) for row in await reacting.run(kept())] == [("SR", "R1", "20261101")]


# --- dates ---------------------------------------------------------------------------------------------------------------------

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("20261130", datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC)),
        ("202602", datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC)),
        ("2024", datetime(2024, 12, 31, 22, 59, 59, tzinfo=UTC)),
        ("202611301200", datetime(2026, 11, 30, 11, 0, tzinfo=UTC)),
        ("20261130120005.1234+0000", datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)),
        ("20261130-0500", datetime(2026, 12, 1, 4, 59, 59, tzinfo=UTC)),
        *((text, None) for text in ("", "2026-11-30", "20261301", "20260230", "00000101", "99991231-1200", "today", "2026113012", "20261130+9999")),
    ],
)  # fmt: skip
def test_expiries(text: str, end: datetime | None) -> None:
    assert read_expiry(text, PARIS) == end
    assert (read_span(text, PARIS) is None) is (end is None)
