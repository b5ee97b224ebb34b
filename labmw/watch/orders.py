"""What was ordered, of which analyzer, and what became of it? Read beside the daemon, whether or not it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labmw.lab.awos import is_child
from labmw.lab.fitness import Failed, fitness
from labmw.store import Row, Transaction
from labmw.store.statements import worklist as stored

TIMES = ("queried", "broadcast", "answered", "resulted", "closed")


@dataclass(frozen=True, slots=True)
class Given:
    """One AWOS with what it has brought."""

    row: Row
    results: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON; moments as the store keeps them."""
        row = self.row
        names = (
            "awos",
            "link",
            "specimen",
            "loinc",
            "code",
            "test_name",
            "priority",
            "state",
            "wanted",
            "reason",
            "parent",
        )
        return {
            **{name: getattr(row, name) for name in names},
            "analyzer": row.link,
            "sends": row.sends,
            "unanswered": bool(row.waits),
            "times": {"created": row.created_at} | {name: getattr(row, f"{name}_at") for name in TIMES},
            "results": [
                {
                    "result": one.id,
                    "test": one.code,
                    "run": one.run,
                    "value": one.value,
                    "unit": one.unit_raw,
                    "status": one.status,
                    "state": one.state,
                    "received_at": one.received_at,
                }
                for one in self.results
            ],
        }


@dataclass(frozen=True, slots=True)
class Ordered:
    """One ordered test with every AWOS made of it; `order` None for tests that an analyzer added by itself, and for `control` orders of a person."""

    order: Row | None
    given: tuple[Given, ...]
    failed: tuple[Failed, ...] = ()  # where quality control of the test failed, while it is open
    control: bool = False

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        names = ("loinc", "test_name", "placer", "priority", "state", "ordered_at", "updated_at")
        order = self.order.mapping() if self.order is not None else {}
        return {
            "order": {name: order[name] for name in names} if order else None,
            "control": self.control,
            "awos": [one.as_json() for one in self.given],
            "quality": [one.as_json() for one in self.failed],
        }


@dataclass(frozen=True, slots=True)
class SpecimenOrders:
    """Everything ordered on one specimen."""

    specimen: str
    tests: tuple[Ordered, ...]
    to_present: tuple[Row, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "labmw-orders/1",
            "specimen": self.specimen,
            "tests": [one.as_json() for one in self.tests],
            "present_again": [
                {"link": row.link, "reason": row.reason, "asked_at": row.asked_at} for row in self.to_present
            ],
        }


def of_specimen(site: str, what: str, now: datetime) -> Transaction[SpecimenOrders | None]:
    """The orders of a specimen, or of the one that an AWOS was given for; None when nothing is known."""
    specimen = what
    named = yield stored.awos_named(site, [what])
    if named:
        specimen = named[0].specimen
    orders = yield stored.ordered_tests(site, specimen)
    steps = yield stored.awos_of_specimen(site, specimen)
    waiting = tuple(row for row in (yield stored.to_present(site)) if row.specimen == specimen)
    if not (orders or steps or waiting):
        return None
    brought = yield from _brought(site, steps)
    fit = yield from fitness(site, {order.loinc for order in orders if order.state == "open"}, now)
    tests = [
        Ordered(order, _given(steps, order.id, brought), fit.of_test(order.loinc) if order.state == "open" else ())
        for order in orders
    ]
    without = _given(steps, None, brought)
    own = tuple(one for one in without if is_child(one.row.awos))
    controls = [Ordered(None, (one,), control=True) for one in without if not is_child(one.row.awos)]
    return SpecimenOrders(specimen, (*tests, *controls, *([Ordered(None, own)] if own else [])), waiting)


def _brought(site: str, steps: Sequence[Row]) -> Transaction[dict[int, list[Row]]]:
    found: dict[int, list[Row]] = {}
    if steps:
        for row in (yield stored.results_of_awos(site, [one.id for one in steps])):
            found.setdefault(row.awos, []).append(row)
    return found


def _given(steps: Sequence[Row], order: int | None, brought: dict[int, list[Row]]) -> tuple[Given, ...]:
    return tuple(Given(one, tuple(brought.get(one.id, ()))) for one in steps if one.order == order)
