"""What is peculiar to each molecular family whose messages are known from quotations, and does its driver know it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.driver.declaration import Evidence
from labmw.line.registry import Registry

COMPOSED = Path(__file__).parents[1] / "captures"
REGISTRY = Registry.find()


def results(driver: str, name: str, *, named: bool = False) -> list[dict[str, Any]]:
    """The main results of a composed capture, through the driver that its header names unless it is `named`."""
    chosen = REGISTRY.named(driver) if named else None
    decoded = to_json(Decoder(REGISTRY, chosen, ZoneInfo("Europe/Paris")).decode(COMPOSED / driver / name))
    assert {message["driver"] for message in decoded["messages"]} == {driver}
    return [one for message in decoded["messages"] for one in message["results"] if one["main"]]


def told(found: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (one["specimen"], one["loinc"], one["comparator"] or "", one["number"], one["ucum"], one["reason"])
        for one in found
    ]


@pytest.mark.parametrize("name", ["abbott-alinity-m", "roche-cobas-6800", "roche-taqman"])
def test_what_others_quote_proves_nothing(name: str) -> None:
    assert REGISTRY.named(name).evidence is Evidence.RESTATED  # read, mapped, and for a person (decision 0094)


def test_alinity_m_groups_thousands_and_has_its_unit_in_the_second_component() -> None:
    found = results("abbott-alinity-m", "composed-viral-load.hl7", named=True)
    assert told(found) == [
        ("26031000011", "20447-9", "", "48210", "{copies}/mL", ""),
        ("26031000012", "20447-9", "<", "20", "{copies}/mL", ""),
        ("26031000013", "20447-9", "", None, "", ""),
    ]
    assert [one["value"] for one in found] == ["48,210", "< 20", "Not Detected"]


def test_cobas_6800_has_its_power_of_ten_in_the_unit_and_no_number_where_there_is_none() -> None:
    assert told(results("roche-cobas-6800", "composed-viral-load.hl7")) == [
        ("26031000021", "70241-5", "", "51.2", "{copies}/mL", ""),
        ("26031000022", "70241-5", "", "304000", "{copies}/mL", ""),
        ("26031000023", "70241-5", "", None, "", "value-missing"),
        ("26031000024", "70241-5", "", None, "", "value-missing"),
    ]
    assert told(results("roche-cobas-6800", "composed-invalid.hl7")) == [
        ("26031000025", "70241-5", "", None, "", "not-performed")
    ]


def test_taqman_numbers_are_read_and_a_number_with_its_logarithm_is_not() -> None:
    found = [
        one for name in ("composed-number.astm", "composed-not-detected.astm") for one in results("roche-taqman", name)
    ]
    assert told(found) == [
        ("26031000031", "20447-9", "", "2210.40718302", "{copies}/mL", ""),
        ("26031000032", "20447-9", "", None, "", ""),
    ]
    assert told(results("roche-taqman", "composed-logarithm.astm")) == [
        ("26031000033", "20447-9", "", None, "", "number-format")
    ]


def test_cobas_pure_is_recognised_and_believed_in_nothing() -> None:
    (number,) = (one for one in results("roche-cobas-pure", "composed-control.hl7") if one["value"] == "9.11")
    assert (number["code"], number["number"], number["reason"], number["control"]) == (
        "20340",
        "9.11",
        "unverified-driver",
        True,
    )
