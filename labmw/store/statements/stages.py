"""How far is every ordered test? Orders by state or as far as they are pending, what has come of them, and where their tubes were seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, case, exists, func, or_, select

from labmw.store.schema import awos, host_query, order, result, tube_place, verdict
from labmw.store.statements.words import given, given_number, given_texts
from labmw.store.transaction import Step

UNRELEASED: Final = ("verify", "held", "blocked", "quarantined")
"""States of a result that nobody has got yet."""
_rank = case((order.c.priority == "S", 0), (order.c.priority == "A", 1), else_=2)
_late = or_(
    given("before") == "",
    and_(order.c.priority.in_(("S", "A")), order.c.ordered_at <= given("before_urgent")),
    and_(order.c.priority.not_in(("S", "A")), order.c.ordered_at <= given("before")),
)
_LISTED: Final = (
    select(order)
    .where(order.c.site == given("site"), order.c.state.in_(given_texts("states")), _late)
    .order_by(order.c.id.desc())
    .limit(given_number("most"))
)
_waits_for_release = exists().where(
    result.c.site == order.c.site,
    result.c.specimen == order.c.specimen,
    result.c.loinc == order.c.loinc,
    result.c.main == 1,
    result.c.state.in_(UNRELEASED),
)
_PENDING: Final = (
    select(order)
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),
        or_(order.c.state == "open", and_(order.c.state == "done", _waits_for_release)),
        _late,
    )
    .order_by(_rank, order.c.ordered_at, order.c.id)
    .limit(given_number("most"))
)
_RESULTS: Final = (
    select(
        result.c.id, result.c.specimen, result.c.loinc, result.c.link, result.c.state, result.c.received_at,
        func.max(verdict.c.decided_at).label("decided_at"),
    )
    .select_from(result.outerjoin(verdict, verdict.c.result == result.c.id))
    .where(result.c.site == given("site"), result.c.specimen.in_(given_texts("specimens")), result.c.main == 1)
    .group_by(
        result.c.id, result.c.specimen, result.c.loinc, result.c.link, result.c.state, result.c.received_at
    )
    .order_by(result.c.id)
)  # fmt: skip
_PLACES: Final = (
    select(tube_place)
    .where(tube_place.c.site == given("site"), tube_place.c.specimen.in_(given_texts("specimens")))
    .order_by(tube_place.c.seen_at, tube_place.c.id)
)
_ASKED: Final = (
    select(host_query.c.link, host_query.c.tubes, host_query.c.asked_at, host_query.c.state)
    .where(host_query.c.site == given("site"), host_query.c.tubes.in_(given_texts("specimens")))
    .order_by(host_query.c.id)
)
_OF_ORDERS: Final = (
    select(awos).where(awos.c.site == given("site"), awos.c.specimen.in_(given_texts("specimens"))).order_by(awos.c.id)
)


def orders_listed(site: str, states: Sequence[str], *, before: str, before_urgent: str, most: int) -> Step:
    """Orders in these states, newest first; `before` the moment that routine orders were ordered by, "" for any."""
    where = {"before": before, "before_urgent": before_urgent}
    return Step(_LISTED, {"site": site, "states": list(states), "most": most} | where)


def orders_pending(site: str, *, since: str, before: str, before_urgent: str, most: int) -> Step:
    """Orders, changed since a moment, of which nobody has a result yet: the most urgent and oldest first."""
    where = {"before": before, "before_urgent": before_urgent}
    return Step(_PENDING, {"site": site, "since": since, "most": most} | where)


def awos_of_specimens(site: str, specimens: Sequence[str]) -> Step:
    """Every AWOS of these tubes, oldest first."""
    return Step(_OF_ORDERS, {"site": site, "specimens": list(specimens)})


def results_of_specimens(site: str, specimens: Sequence[str]) -> Step:
    """Every reportable result of these tubes, oldest first, and when it was last decided on."""
    return Step(_RESULTS, {"site": site, "specimens": list(specimens)})


def places_of(site: str, specimens: Sequence[str]) -> Step:
    """Where these tubes were seen, the last place last."""
    return Step(_PLACES, {"site": site, "specimens": list(specimens)})


def queries_of(site: str, specimens: Sequence[str]) -> Step:
    """The queries that named one of these tubes alone."""
    return Step(_ASKED, {"site": site, "specimens": list(specimens)})
