"""What does the laboratory know before the analyzers begin? Patients, tubes, orders, earlier results and control materials of a scenario, as JSON.

Times are UTC in ISO 8601, numbers are texts, units are UCUM: rows ready for a store, with the names of labmw's columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from simulators.analyzers import MENUS
from simulators.clock import stamp
from simulators.dialect import orders
from simulators.samples import Sample
from simulators.scenario import Scenario

_COLLECTED = timedelta(minutes=50)  # before the result
_VALID = timedelta(days=7)  # barcodes recycle


def worklist(scenario: Scenario, samples: Iterable[Sample]) -> dict[str, Any]:
    """Return the work list; a sample played without order has neither tube nor order in it."""
    known = [sample for sample in samples if sample.ordered]
    people = {sample.person.identifier: sample.person for sample in known}
    return {
        "patients": [
            {
                "identifier": who.identifier,
                "family": who.family,
                "given": who.given,
                "birth": who.birth.isoformat(),
                "sex": who.sex,
            }
            for who in people.values()
        ],
        "specimens": [_specimen(sample) for sample in known],
        "orders": [row for sample in known for row in _orders(sample)],
        "previous": [row for sample in known for row in _previous(sample)],
        "materials": [
            {"identifier": one.identifier, "name": one.name, "lot": one.lot, "valid_from": None, "valid_to": None}
            for one in scenario.material
        ],
    }


def _specimen(sample: Sample) -> dict[str, Any]:
    """A tube is valid for a week from its collection; one that only a capture knows, always."""
    collected = sample.completed - _COLLECTED if sample.completed else None
    return {
        "identifier": sample.specimen,
        "kind": MENUS[sample.dialect].kind,
        "patient": sample.person.identifier,
        "valid_from": stamp(collected) if collected else None,
        "valid_to": stamp(collected + _VALID) if collected else None,
        "collected": stamp(collected) if collected else None,
        "ward": "",
    }


def _orders(sample: Sample) -> list[dict[str, Any]]:
    ordered = stamp(sample.completed - _COLLECTED) if sample.completed else None
    return [
        {
            "specimen": sample.specimen,
            "loinc": loinc,
            "placer": f"{sample.specimen}-{number:02d}",
            "filler": "",
            "priority": "R",
            "ordered_at": ordered,
        }
        for number, loinc in enumerate(orders(MENUS[sample.dialect], sample.codes), 1)
    ]


def _previous(sample: Sample) -> list[dict[str, Any]]:
    assays = MENUS[sample.dialect].assays
    return [
        {
            "patient": sample.person.identifier,
            "loinc": assays[one.code].loinc,
            "completed_at": stamp(one.completed),
            "number": f"{one.number:f}",
            "comparator": "",
            "unit": assays[one.code].ucum,
            "analyzer": sample.analyzer,
            "method": "",
            "laboratory": "",
            "source": "history",
        }
        for one in sample.earlier
    ]
