"""Do the simulated analyzers write what the drivers of these families read? The two are written apart and meet here."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from labmw.driver.astm import read
from labmw.driver.reading import Reading, ResultRead
from labmw.line.registry import Registry
from labmw.quantity import ucum
from protocols.astm.message import Message
from simulators.analyzers import DIALECTS
from simulators.dialect import Measured, Tube, measure, orders, sent, write
from simulators.patients import ANALYTES, Body, Person, person
from simulators.recorded import results

DRIVERS = Registry.find([Path(__file__).parents[2] / "drivers"], shipped=False)
PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2025, 3, 10, 9, 30, tzinfo=PARIS)
SOMEBODY = person(Random(1), 1, AT.date())


def tube(name: str, who: Person | None = SOMEBODY, *more: Measured) -> Tube:
    dialect = DIALECTS[name]
    body = Body(Random(2), SOMEBODY)
    assays = [one for one in dialect.assays.values() if one.analyte]
    measured = tuple(measure(one, body.value(one.analyte), dialect) for one in assays)
    return Tube("2503101001", who, (*measured, *more), AT, AT, 3)


def reading(name: str, one: Tube, *, terminated: bool = True) -> tuple[Message, Reading]:
    dialect = DIALECTS[name]
    (message,) = Message.parse(b"".join(write(dialect, one, at=AT, terminated=terminated)), dialect.encoding)
    return message, read(message, DRIVERS.named(name), zone=PARIS)


def what(one: ResultRead) -> tuple[str, ...]:
    return (one.specimen, one.code, one.detail, one.value, one.unit_raw, one.time)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_every_result_is_read_as_it_was_meant(name: str) -> None:
    dialect, one = DIALECTS[name], tube(name)
    message, seen = reading(name, one)
    assert not message.tree.problems
    assert seen.kind == "result"
    assert seen.reason == ""
    meant = sent(dialect, one)
    assert [what(result) for result in seen.results] == [
        (r.specimen, r.code, r.detail, r.value, r.unit, r.completed) for r in meant
    ]
    for r, found in zip(meant, seen.results, strict=True):
        assert found.problem == "", f"{r.code}: {found.problem} {found.problem_facts}"
        assert (found.main and not found.index) == r.main, r.code
        if r.main:
            assert found.time
            assert found.quantity is not None


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_orders_ask_for_what_the_driver_will_find(name: str) -> None:
    dialect, one = DIALECTS[name], tube(name)
    _, seen = reading(name, one)
    asked = set(orders(dialect, list(dialect.assays)))
    assert {found.loinc for found in seen.results if found.main and not found.index} <= asked
    for assay in dialect.assays.values():
        if assay.main and assay.unit:
            assert ucum(assay.unit) == assay.ucum or ucum(assay.unit) == "um3", (
                assay.code
            )  # um3 and fL are the same volume


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_the_lenient_reader_of_recordings_agrees(name: str) -> None:
    one = tube(name)
    message, _ = reading(name, one)
    assert results([message], DIALECTS[name]) == sent(DIALECTS[name], one)


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - {"erba-xl"}))
def test_the_header_names_its_driver(name: str) -> None:
    _, seen = reading(name, tube(name))
    found = DRIVERS.recognise(seen.sender)
    assert found is DRIVERS.named(name)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_no_name_can_add_a_field(name: str) -> None:
    evil = Person("P|1^2\\3&4`@", "O'N|EIL^\\&", "A\rL|1|N", AT.date(), "F")
    message, _ = reading(name, tube(name, evil))
    plain, _ = reading(name, tube(name))
    assert message.structure == plain.structure
    assert [len(one.fields) for one in message.records] == [len(one.fields) for one in plain.records]


def test_an_unterminated_message_has_no_l() -> None:
    message, seen = reading("sysmex-xn", tube("sysmex-xn"), terminated=False)
    assert not message.terminated
    assert seen.reason == "unterminated"


def test_an_unknown_code_and_a_value_with_two_readings_reach_the_driver_as_they_stand() -> None:
    dialect = DIALECTS["cepheid-genexpert"]
    odd = measure(dialect.assays["HIV-1"], "161,152", dialect)
    _, seen = reading("cepheid-genexpert", Tube("S1", None, (odd,), AT, AT))
    assert [(one.value, one.problem) for one in seen.results] == [("161,152", "number-format")]
    _, seen = reading("roche-cobas-c311", Tube("S1", None, (Measured("877", "0.31", "ng/ml", "", "F", "877"),), AT, AT))
    assert [(one.code, one.problem) for one in seen.results] == [("877", "unknown-code")]


def test_bodies_are_plausible_and_the_same_for_the_same_seed() -> None:
    for seed in range(200):
        who = person(Random(seed), seed, AT.date())
        body, again = Body(Random(seed), who), Body(Random(seed), who)
        assert 18 <= who.age(AT.date()) <= 92
        for analyte, spread in ANALYTES.items():
            assert Decimal(str(spread.low)) <= body.value(analyte) <= Decimal(str(spread.high))
            assert body.value(analyte) == again.value(analyte) == body.value(analyte)
        shares = [
            body.value(f"{one}-share")
            for one in ("neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils")
        ]
        assert sum(shares) == 100
        assert min(shares) > 0
        assert abs(body.value("haemoglobin") * 100 / body.value("haematocrit") - body.value("mchc")) <= Decimal("0.5")


def test_a_value_outside_the_printed_limits_is_flagged() -> None:
    dialect = DIALECTS["roche-cobas-c311"]
    potassium = dialect.assays["990"]
    assert [measure(potassium, Decimal(n), dialect).flag for n in ("3.0", "4.0", "6.0")] == ["L", "N", "H"]
    assert measure(potassium, "7.1", dialect, flag="HH").flag == "HH"


def test_times_are_written_in_the_analyzers_zone() -> None:
    one = tube("sysmex-xn")
    _, seen = reading("sysmex-xn", one)
    assert seen.results[0].completed == AT.astimezone(UTC)
