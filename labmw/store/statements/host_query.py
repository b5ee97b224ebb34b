"""The queries of ASTM analyzers, the work of one tube on one line, and the orders that lie in a range of tubes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select

from labmw.store.schema import awos, host_query, message, order
from labmw.store.statements.words import given, given_number, given_texts, is_not, is_one_of
from labmw.store.transaction import Step

_OPEN: Final = (
    select(
        host_query.c.id, host_query.c.message, host_query.c.state, host_query.c.asked_at, host_query.c.control_id,
        message.c.raw, message.c.session, message.c.peer,
    )
    .join(message, message.c.id == host_query.c.message)
    .where(host_query.c.site == given("site"), host_query.c.link == given("link"), host_query.c.closed_at.is_(None))
    .order_by(host_query.c.id)
    .limit(given_number("most"))
)  # fmt: skip
_ANSWERED_BY: Final = select(host_query).where(
    host_query.c.site == given("site"),
    host_query.c.control_id == given("control_id"),
    is_not(host_query.c.control_id, ""),
)
_OF_LINK: Final = (
    select(awos)
    .where(awos.c.site == given("site"), awos.c.specimen.in_(given_texts("specimens")), awos.c.link == given("link"))
    .order_by(awos.c.id)
)
# By way of the open orders, which are few: nothing here may read every AWOS there ever was.
_UNTOLD: Final = (
    select(awos.c.specimen)
    .distinct()
    .select_from(order.join(awos, awos.c.order == order.c.id))
    .where(
        order.c.site == given("site"),
        order.c.updated_at >= given("since"),
        order.c.state == "open",
        awos.c.link == given("link"),
        is_one_of(awos.c.state, "planned", "broadcast"),
    )
    .limit(given_number("most"))
)
_IN_RANGE: Final = (
    select(order.c.specimen)
    .distinct()
    .where(
        order.c.site == given("site"),
        order.c.state == "open",
        order.c.specimen >= given("first"),
        order.c.specimen <= given("last"),
        func.length(order.c.specimen) == given_number("length"),
    )
    .order_by(order.c.specimen)
    .limit(given_number("most"))
)
LOOK_BACK: Final = 100_000  # messages; an analyzer that said nothing in so many is greeted without its name
_LAST_HEADER: Final = (
    select(message.c.raw)
    .where(
        message.c.id > select(func.max(message.c.id)).scalar_subquery() - LOOK_BACK,
        message.c.site == given("site"),
        message.c.link == given("link"),
        message.c.direction == ">",
    )
    .order_by(message.c.id.desc())
    .limit(1)
)


def queries_open(site: str, link: str, *, most: int) -> Step:
    """The queries of a line that nobody has closed, oldest first, each with the message that it came in."""
    return Step(_OPEN, {"site": site, "link": link, "most": most})


def query_answered_by(site: str, control_id: str) -> Step:
    """The query that our message of this number answers; no row for an order that nobody asked for."""
    return Step(_ANSWERED_BY, {"site": site, "control_id": control_id})


def awos_of_tubes(site: str, link: str, specimens: Sequence[str]) -> Step:
    """Every AWOS of these tubes on one line, oldest first."""
    return Step(_OF_LINK, {"site": site, "link": link, "specimens": list(specimens)})


def awos_untold(site: str, link: str, *, since: str, most: int) -> Step:
    """The tubes of open orders, changed since a moment, whose AWOS on this line are not known to be with the analyzer."""
    return Step(_UNTOLD, {"site": site, "link": link, "since": since, "most": most})


def tubes_between(site: str, first: str, last: str, *, most: int) -> Step:
    """The tubes with open orders whose numbers, as long as these, lie between two."""
    where = {"first": first, "last": last, "length": len(first)}
    return Step(_IN_RANGE, {"site": site, "most": most} | where)


def last_said(site: str, link: str) -> Step:
    """The last message that an analyzer sent: what it calls itself."""
    return Step(_LAST_HEADER, {"site": site, "link": link})
