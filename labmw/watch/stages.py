"""How far is an ordered test, since when, on which analyzer, and where is its tube? Read beside the daemon, whether or not it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from labmw.clock import read_stamp, stamp
from labmw.config import Orders
from labmw.lab.fitness import Failed, fitness
from labmw.store import Row, Transaction
from labmw.store.statements import stages as stored

PENDING_WITHIN = timedelta(days=30)  # what is older is no longer waited for
SEEN_BEFORE = timedelta(
    hours=24
)  # a test may be added to a tube that is here; what was seen earlier was another tube of this number
AT_ONCE = 500  # tubes in one question to the store


class Stage(IntEnum):
    """How far an ordered test is; each has its phrase order-stage-*."""

    EXPECTED = 0  # ordered, and nothing was seen of its tube
    SEEN = 1  # an analyzer has seen the tube
    QUERIED = 2  # an analyzer has asked for its work
    SENT = 3  # the analyzer has acknowledged the order
    RUNNING = 4
    RESULTED = 5  # a result has come: it is verified, held, or waits for a person
    RELEASED = 6


_OF_AWOS = {
    "accepted": Stage.SENT,
    "unable": Stage.SENT,
    "in-process": Stage.RUNNING,
    "resulted": Stage.RESULTED,
    "not-performed": Stage.QUERIED,
    "refused": Stage.QUERIED,
}
_GONE = frozenset(
    {"released", "delivered", "dead"}
)  # states of a result that was released, whatever became of its delivery


@dataclass(frozen=True, slots=True)
class Staged:
    """One ordered test. `times` are the moments at which it came to a stage; `awos` is the row that is furthest along."""

    order: Row
    stage: Stage
    times: dict[str, str] = field(default_factory=dict)
    analyzer: str = ""
    carrier: str = ""
    position: str = ""
    awos: Row | None = None
    # Where quality control of the test failed: it is not ordered there until a control passes.
    failed: tuple[Failed, ...] = ()
    # The state of the newest result while none was released: verify, held, blocked, quarantined.
    result: str = ""

    @property
    def since(self) -> str:
        """When it came to where it is."""
        return self.times.get(self.stage.name.lower(), "") or max(self.times.values(), default="")

    def as_json(self) -> dict[str, Any]:
        """As JSON; moments as the store keeps them."""
        names = ("specimen", "loinc", "test_name", "placer", "priority", "ordered_at", "state", "updated_at")
        given = self.awos
        return {
            **{name: getattr(self.order, name) for name in names},
            "stage": self.stage.name.lower(),
            "times": {stage.name.lower(): self.times.get(stage.name.lower()) for stage in Stage},
            "analyzer": self.analyzer,
            "rack": self.carrier,
            "position": self.position,
            "awos": given.awos if given is not None else None,
            "link": given.link if given is not None else None,
            "awos_state": given.state if given is not None else None,
            "reason": given.reason if given is not None else "",
            "wanted": given.wanted if given is not None else "",
            "result_state": self.result,
            "quality": [one.as_json() for one in self.failed],
        }


def limits(orders: Orders, now: datetime, minutes: int | None) -> tuple[str, str]:
    """The moments that routine and urgent orders were ordered by to be late now; `minutes` instead of what the configuration says."""
    routine, urgent = (timedelta(minutes=minutes or late) for late in (orders.late, orders.late_urgent))
    return stamp(now - routine), stamp(now - urgent)


def pending(site: str, most: int, now: datetime, before: tuple[str, str] = ("", "")) -> Transaction[list[Staged]]:
    """What nobody has a result of yet, the most urgent and oldest first; with `before` only what is late."""
    since = stamp(now - PENDING_WITHIN)
    orders = yield stored.orders_pending(site, since=since, before=before[0], before_urgent=before[1], most=most)
    return (yield from staged(site, orders, now))


def listed(
    site: str, states: Sequence[str], most: int, now: datetime, before: tuple[str, str] = ("", "")
) -> Transaction[list[Staged]]:
    """Orders in these states, newest first; with `before` only those ordered by then."""
    orders = yield stored.orders_listed(site, states, before=before[0], before_urgent=before[1], most=most)
    return (yield from staged(site, orders, now))


def staged(site: str, orders: Sequence[Row], now: datetime) -> Transaction[list[Staged]]:
    """How far each of these orders is."""
    tubes = list(dict.fromkeys(order.specimen for order in orders))
    steps: dict[int, list[Row]] = {}
    results: dict[tuple[str, str], list[Row]] = {}
    places: dict[str, Row] = {}
    asked: dict[str, Row] = {}
    for start in range(0, len(tubes), AT_ONCE):
        some = tubes[start : start + AT_ONCE]
        for row in (yield stored.awos_of_specimens(site, some)):
            if row.order is not None:
                steps.setdefault(row.order, []).append(row)
        for row in (yield stored.results_of_specimens(site, some)):
            results.setdefault((row.specimen, row.loinc), []).append(row)
        for row in (yield stored.places_of(site, some)):
            places[row.specimen] = row
        for row in (yield stored.queries_of(site, some)):
            asked[row.tubes] = row
    fit = yield from fitness(site, {order.loinc for order in orders if order.state == "open"}, now)
    return [
        replace(
            stage_of(
                order,
                steps.get(order.id, ()),
                results.get((order.specimen, order.loinc), ()),
                places.get(order.specimen),
                asked.get(order.specimen),
            ),
            failed=fit.of_test(order.loinc) if order.state == "open" else (),
        )
        for order in orders
    ]


def stage_of(
    order: Row, steps: Sequence[Row], results: Sequence[Row], place: Row | None = None, asked: Row | None = None
) -> Staged:
    """How far one order is, by its AWOS, the results of its tube and test since it was ordered, and where the tube was seen. Pure."""
    since = order.ordered_at or ""
    lately = stamp(read_stamp(since) - SEEN_BEFORE) if since else ""
    results = [one for one in results if one.received_at >= since]
    live = [one for one in steps if one.state != "cancelled"] or list(steps)
    best = max(live, key=lambda one: (_stage(one), one.id), default=None)
    times: dict[str, str | None] = {"expected": order.ordered_at}
    if place is not None and place.seen_at >= lately:
        times["seen"] = place.seen_at
    if asked is not None and asked.asked_at >= lately:
        times["queried"] = asked.asked_at
    if best is not None:
        reached = _stage(best)
        times["queried"] = best.queried_at or times.get("queried")
        times["sent"] = best.answered_at if reached >= Stage.SENT else None
        times["running"] = best.updated_at if reached is Stage.RUNNING else None
        times["resulted"] = best.resulted_at
    if results:
        times["resulted"] = min(one.received_at for one in results)
        gone = [one for one in results if one.state in _GONE]
        times["released"] = min((one.decided_at or one.received_at for one in gone), default=None)
    told = {name: at for name, at in times.items() if at}
    stage = max((one for one in Stage if one.name.lower() in told), default=Stage.EXPECTED)
    stage = max(stage, _stage(best)) if best is not None else stage
    analyzer = next(
        (
            row.link
            for row in (best, results[-1] if results else None, asked if "queried" in told else None, place)
            if row is not None and (row is not place or "seen" in told)
        ),
        "",
    )
    seen = place if place is not None and "seen" in told else None
    return Staged(
        order,
        stage,
        told,
        analyzer,
        seen.carrier if seen else "",
        seen.position if seen else "",
        best,
        result=results[-1].state if results and stage is Stage.RESULTED else "",
    )


def _stage(row: Row) -> Stage:
    """How far an AWOS is by itself."""
    return _OF_AWOS.get(row.state, Stage.QUERIED if row.queried_at else Stage.EXPECTED)
