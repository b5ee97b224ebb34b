"""What is asked of the store about other laboratories: sub-orders, what was said of them, results they performed, boxes, catalogues, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import case, func, select

from labmw.store.schema import (
    message,
    order,
    outbox,
    outbox_result,
    partner_document,
    performed,
    result,
    sub_order,
    sub_order_event,
    sub_order_item,
    sub_order_order,
    sub_order_said,
)
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_not, is_one_of
from labmw.store.transaction import Step

# --- sub-orders -----------------------------------------------------------------------------------------------------------------

_NUMBERED: Final = (
    select(sub_order)
    .where(
        sub_order.c.site == given("site"),
        sub_order.c.role == given("role"),
        sub_order.c.partner == given("partner"),
        sub_order.c.number.in_(given_texts("numbers")),
    )
    .order_by(sub_order.c.id)
)
_ANY: Final = (
    select(sub_order)
    .where(sub_order.c.site == given("site"), sub_order.c.number == given("named"))
    .order_by(sub_order.c.id)
)
_FILLED: Final = (
    select(sub_order)
    .where(
        sub_order.c.site == given("site"),
        sub_order.c.role == given("role"),
        sub_order.c.partner == given("partner"),
        sub_order.c.filler.in_(given_texts("numbers")),
        sub_order.c.filler != "",
    )
    .order_by(sub_order.c.id)
)
_ALL: Final = select(sub_order).where(sub_order.c.site == given("site")).order_by(sub_order.c.id)
_OF_ORDERS: Final = (
    select(sub_order, sub_order_order.c.order.label("of_order"))
    .join(sub_order_order, sub_order_order.c.sub_order == sub_order.c.id)
    .where(sub_order_order.c.site == given("site"), sub_order_order.c.order.in_(given_numbers("orders")))
    .order_by(sub_order.c.id)
)
_ORDERS_OF: Final = (
    select(order, sub_order_order.c.sub_order)
    .join(sub_order_order, sub_order_order.c.order == order.c.id)
    .where(sub_order_order.c.sub_order.in_(given_numbers("sub_orders")))
    .order_by(order.c.id)
)
_ON_TUBE: Final = (
    select(sub_order)
    .where(sub_order.c.site == given("site"), sub_order.c.specimen == given("specimen"))
    .order_by(sub_order.c.id)
)
_FOR_PATIENTS: Final = (
    select(sub_order.c.patient, sub_order.c.partner, sub_order.c.specimen)
    .where(
        sub_order.c.site == given("site"),
        sub_order.c.role == "subcontractor",
        sub_order.c.specimen.in_(given_texts("specimens")),
    )
    .distinct()
)
_OPENED_BY: Final = (
    select(order)
    .where(
        order.c.site == given("site"), order.c.message == given_number("of_message"), is_one_of(order.c.state, "open")
    )
    .order_by(order.c.id)
)
_OPEN: Final = (
    select(sub_order)
    .where(sub_order.c.site == given("site"), sub_order.c.closed_at.is_(None))
    .order_by(sub_order.c.due_at, sub_order.c.id)
)


_COUNTED: Final = (
    select(
        sub_order.c.partner,
        sub_order.c.state,
        func.count().label("count"),
        func.count(case((sub_order.c.due_at < given("at"), 1))).label("late"),
    )
    .where(sub_order.c.site == given("site"), sub_order.c.closed_at.is_(None))
    .group_by(sub_order.c.partner, sub_order.c.state)
    .order_by(sub_order.c.partner, sub_order.c.state)
)


def open_by_partner(site: str, at: str) -> Step:
    """Per partner and state, how many sub-orders have not ended (`count`), and how many of them are overdue (`late`)."""
    return Step(_COUNTED, {"site": site, "at": at})


def sub_orders_numbered(site: str, role: str, partner: str, numbers: Sequence[str]) -> Step:
    """The sub-orders of a partner under these numbers of the requester."""
    return Step(_NUMBERED, {"site": site, "role": role, "partner": partner, "numbers": list(numbers)})


def sub_orders_filled(site: str, role: str, partner: str, numbers: Sequence[str]) -> Step:
    """The same by the subcontractor's numbers."""
    return Step(_FILLED, {"site": site, "role": role, "partner": partner, "numbers": list(numbers)})


def sub_order_named(site: str, named: str) -> Step:
    """Every sub-order of this number, whoever the partner is."""
    return Step(_ANY, {"site": site, "named": named})


def all_sub_orders(site: str) -> Step:
    """All of them, oldest first."""
    return Step(_ALL, {"site": site})


def sub_orders_open(site: str) -> Step:
    """Those that have not ended, the one that is due first at the head."""
    return Step(_OPEN, {"site": site})


def sub_orders_of_orders(site: str, orders: Sequence[int]) -> Step:
    """The sub-orders that stand for these orders, each with `of_order`."""
    return Step(_OF_ORDERS, {"site": site, "orders": list(orders)})


def orders_of_sub_orders(sub_orders: Sequence[int]) -> Step:
    """The orders that these sub-orders stand for, each with `sub_order`."""
    return Step(_ORDERS_OF, {"sub_orders": list(sub_orders)})


def sub_orders_on(site: str, specimen_: str) -> Step:
    """The sub-orders of a tube."""
    return Step(_ON_TUBE, {"site": site, "specimen": specimen_})


def requesters_of(site: str, specimens: Sequence[str]) -> Step:
    """For which partners these tubes are: `specimen`, `patient`, `partner`."""
    return Step(_FOR_PATIENTS, {"site": site, "specimens": list(specimens)})


def orders_opened_by(site: str, message_: int) -> Step:
    """The open orders that a message has made or changed last."""
    return Step(_OPENED_BY, {"site": site, "of_message": message_})


# --- what happened, and what was said ------------------------------------------------------------------------------------------

_EVENTS: Final = (
    select(sub_order_event).where(sub_order_event.c.sub_order == given_number("of")).order_by(sub_order_event.c.id)
)
_SAID: Final = (
    select(sub_order, sub_order_said.c.control, sub_order_said.c.status.label("said_status"), sub_order_said.c.about)
    .join(sub_order_said, sub_order_said.c.sub_order == sub_order.c.id)
    .where(sub_order_said.c.outbox == given_number("entry"))
    .order_by(sub_order_said.c.id)
)
_SAYINGS: Final = (
    select(outbox.c.id, outbox.c.state, outbox.c.control_id, sub_order_said.c.control)
    .join(sub_order_said, sub_order_said.c.outbox == outbox.c.id)
    .where(sub_order_said.c.sub_order == given_number("of"))
    .order_by(outbox.c.id)
)
_ITEMS: Final = (
    select(sub_order_item)
    .where(sub_order_item.c.sub_order.in_(given_numbers("sub_orders")))
    .order_by(sub_order_item.c.id)
)
_RAW: Final = select(message.c.raw).where(message.c.id == given_number("of"))
_RECEIPT: Final = select(outbox.c.receipt, outbox.c.message).where(outbox.c.id == given_number("entry"))


def raw_of(message_: int) -> Step:
    """The bytes of a message that came."""
    return Step(_RAW, {"of": message_})


def events_of(sub_order_: int) -> Step:
    """Everything that happened to a sub-order."""
    return Step(_EVENTS, {"of": sub_order_})


def said_in(entry: int) -> Step:
    """The sub-orders that an outbox message speaks of, in the order in which it does, each with `control`, `said_status` and `about`."""
    return Step(_SAID, {"entry": entry})


def sayings_of(sub_order_: int) -> Step:
    """The outbox messages that speak of a sub-order."""
    return Step(_SAYINGS, {"of": sub_order_})


def items_of(sub_orders: Sequence[int]) -> Step:
    """What goes along with these sub-orders."""
    return Step(_ITEMS, {"sub_orders": list(sub_orders)})


def receipt_of(entry: int) -> Step:
    """The acknowledgment of an outbox message."""
    return Step(_RECEIPT, {"entry": entry})


# --- results that a partner performed -------------------------------------------------------------------------------------------

_PERFORMED: Final = select(performed).where(performed.c.result.in_(given_numbers("results"))).order_by(performed.c.id)
_PERFORMED_OF: Final = (
    select(
        performed, result.c.state, result.c.loinc, result.c.code, result.c.test_name, result.c.number, result.c.unit.label("ucum")
    )
    .join(result, result.c.id == performed.c.result)
    .where(performed.c.sub_order == given_number("of"))
    .order_by(performed.c.id)
)  # fmt: skip
_CARRIED: Final = (
    select(outbox.c.id, outbox.c.state, outbox.c.destination)
    .join(outbox_result, outbox_result.c.outbox == outbox.c.id)
    .where(outbox_result.c.result == given_number("of"))
    .order_by(outbox.c.id)
)
_DOCUMENTS: Final = (
    select(partner_document)
    .where(partner_document.c.sub_order.in_(given_numbers("sub_orders")))
    .order_by(partner_document.c.id)
)
_TRANSMITTED: Final = (
    select(func.count().label("total"), func.count(sub_order_order.c.id).label("transmitted"))
    .select_from(order.outerjoin(sub_order_order, sub_order_order.c.order == order.c.id))
    .where(order.c.site == given("site"), is_not(order.c.state, "cancelled"), order.c.updated_at >= given("since"))
)
_TESTS_OUT: Final = (
    select(result)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.patient == given("patient"),
        result.c.main == 1,
        is_one_of(result.c.state, "released", "delivered"),
    )
    .order_by(result.c.id)
)


_UNWRITTEN: Final = (
    select(outbox.c.id, outbox.c.specimen)
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        is_not(outbox.c.state, "delivered"),
        is_one_of(outbox.c.state, "waiting", "claimed"),
        outbox.c.payload.is_(None),
    )
    .order_by(outbox.c.id)
)


_DELIVERED_SINCE: Final = (
    select(outbox.c.id)
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        outbox.c.state == "delivered",
        outbox.c.delivered_at >= given("since"),
    )
    .order_by(outbox.c.id)
)


_REFUSED_SINCE: Final = (
    select(outbox.c.id)
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        outbox.c.state == "dead",
        outbox.c.created_at >= given("since"),
    )
    .order_by(outbox.c.id)
)


def refused_since(site: str, destination: str, since: str) -> Step:
    """The dead letters to a destination among what was to be said to it since a moment."""
    return Step(_REFUSED_SINCE, {"site": site, "to": destination, "since": since})


def delivered_since(site: str, destination: str, since: str) -> Step:
    """The messages that a destination has acknowledged since a moment."""
    return Step(_DELIVERED_SINCE, {"site": site, "to": destination, "since": since})


def unwritten_to(site: str, destination: str) -> Step:
    """The messages to a destination that are still to be written."""
    return Step(_UNWRITTEN, {"site": site, "to": destination})


def performed_of_results(results: Sequence[int]) -> Step:
    """Every version of these results as partners sent them, oldest first."""
    return Step(_PERFORMED, {"results": list(results)})


def performed_of(sub_order_: int) -> Step:
    """Every version of the results of a sub-order, with the state of the result each one made."""
    return Step(_PERFORMED_OF, {"of": sub_order_})


def carriers(result_: int) -> Step:
    """The outbox messages that carry a result, to whomever."""
    return Step(_CARRIED, {"of": result_})


def documents_of(sub_orders: Sequence[int]) -> Step:
    """The reports as documents of these sub-orders."""
    return Step(_DOCUMENTS, {"sub_orders": list(sub_orders)})


def transmitted_since(site: str, since: str) -> Step:
    """One row: how many tests were ordered (`total`), and how many of them went elsewhere (`transmitted`)."""
    return Step(_TRANSMITTED, {"site": site, "since": since})


def released_of_tube(site: str, specimen_: str, patient: str) -> Step:
    """The results of a tube that the laboratory has let go."""
    return Step(_TESTS_OUT, {"site": site, "specimen": specimen_, "patient": patient})
