"""What is asked of the store about the LIS: orders by their number, what was sent to it, and what it says it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update

from labmw.store.schema import (
    lis_holds,
    order,
    order_origin,
    outbox,
    outbox_result,
    previous,
    provisional,
    result,
    withdrawal,
)
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_not, is_one_of
from labmw.store.transaction import Step

# --- orders -----------------------------------------------------------------------------------------------------------------

_BY_PLACER: Final = (
    select(order)
    .where(order.c.site == given("site"), order.c.placer.in_(given_texts("placers")), is_not(order.c.placer, ""))
    .order_by(order.c.id)
)
_ORIGINS: Final = select(order_origin).where(
    order_origin.c.site == given("site"), order_origin.c.order.in_(given_numbers("orders"))
)
_OPEN_ON: Final = select(order.c.id).where(
    order.c.site == given("site"), order.c.specimen == given("specimen"), is_one_of(order.c.state, "open", "elsewhere")
)
_TYPED: Final = (
    select(order)
    .where(
        order.c.site == given("site"),
        order.c.specimen == given("specimen"),
        order.c.placer == bindparam(None, "", literal_execute=True),
    )
    .order_by(order.c.id)
)
_PROVISIONAL: Final = (
    select(provisional)
    .where(
        provisional.c.site == given("site"),
        provisional.c.specimen.in_(given_texts("specimens")),
        is_one_of(provisional.c.state, "open"),
    )
    .order_by(provisional.c.id)
)
_PROVISIONALS: Final = (
    select(provisional)
    .where(provisional.c.site == given("site"), is_one_of(provisional.c.state, "open"))
    .order_by(provisional.c.id)
)

_UNSENT: Final = (
    select(outbox.c.id)
    .where(
        outbox.c.site == given("site"),
        outbox.c.specimen == given("specimen"),
        is_one_of(outbox.c.state, "waiting", "claimed", "held"),
        select(result.c.id)
        .join(outbox_result, outbox_result.c.result == result.c.id)
        .where(outbox_result.c.outbox == outbox.c.id, result.c.patient == given("patient"))
        .exists(),
    )
    .order_by(outbox.c.id)
)


def orders_of_placer(site: str, placers: Sequence[str]) -> Step:
    """The orders under these numbers of whoever ordered them (ORC-2)."""
    return Step(_BY_PLACER, {"site": site, "placers": list(placers)})


def origins_of(site: str, orders: Sequence[int]) -> Step:
    """What these orders were sent with."""
    return Step(_ORIGINS, {"site": site, "orders": list(orders)})


def open_on(site: str, specimen_: str) -> Step:
    """The open orders of a tube."""
    return Step(_OPEN_ON, {"site": site, "specimen": specimen_})


def typed_on(site: str, specimen_: str) -> Step:
    """The orders of a tube that nobody has given a number: typed by hand."""
    return Step(_TYPED, {"site": site, "specimen": specimen_})


def provisional_on(site: str, specimens: Sequence[str]) -> Step:
    """The tubes among these whose orders were typed by hand and which the LIS has not confirmed."""
    return Step(_PROVISIONAL, {"site": site, "specimens": list(specimens)})


def provisional_open(site: str) -> Step:
    """Every tube whose typed orders wait for the LIS."""
    return Step(_PROVISIONALS, {"site": site})


def unsent_of_specimen(site: str, specimen_: str, patient: str) -> Step:
    """The messages about a tube of this patient that have not been acknowledged."""
    return Step(_UNSENT, {"site": site, "specimen": specimen_, "patient": patient})


# --- earlier results --------------------------------------------------------------------------------------------------------

_TAKEN_BACK: Final = (
    delete(previous)
    .where(
        previous.c.site == given("of_site"),
        previous.c.patient == given("of_patient"),
        previous.c.loinc == given("of_loinc"),
        previous.c.completed_at == given("at"),
        previous.c.source == given("of_source"),
    )
    .returning(previous.c.id)
)
_DELIVERED_ON: Final = (
    select(result.c.specimen, result.c.loinc)
    .where(
        result.c.site == given("site"),
        result.c.specimen.in_(given_texts("specimens")),
        is_one_of(result.c.state, "delivered", "withdrawn"),
    )
    .distinct()
)


def previous_taken_back(site: str, patient: str, loinc: str, at: str, source: str) -> Step:
    """Drop what a source said of a test at a moment: it says something else now, or nothing."""
    values = {"of_site": site, "of_patient": patient, "of_loinc": loinc, "at": at, "of_source": source}
    return Step(_TAKEN_BACK, values)


def delivered_on(site: str, specimens: Sequence[str]) -> Step:
    """Which tests of these tubes labmw has delivered itself."""
    return Step(_DELIVERED_ON, {"site": site, "specimens": list(specimens)})


# --- what was sent, and what the LIS holds ------------------------------------------------------------------------------------

_SENT: Final = (
    select(
        result.c.id, result.c.specimen, result.c.patient, result.c.loinc, result.c.test_name, result.c.code, result.c.value,
        result.c.number, result.c.comparator, result.c.unit, result.c.state, outbox.c.delivered_at,
    )
    .select_from(
        outbox_result.join(result, result.c.id == outbox_result.c.result).join(
            outbox, outbox.c.id == outbox_result.c.outbox
        )
    )
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        outbox.c.state == bindparam(None, "delivered", literal_execute=True),
        outbox.c.delivered_at >= given("since"),
        outbox.c.delivered_at < given("before"),
        is_one_of(result.c.state, "delivered", "withdrawn"),
    )
    .order_by(result.c.id)
)  # fmt: skip
_HELD: Final = select(lis_holds).where(
    lis_holds.c.site == given("site"), lis_holds.c.specimen.in_(given_texts("specimens"))
)
_HEARD: Final = select(func.max(lis_holds.c.at).label("at")).where(lis_holds.c.site == given("site"))
_OLDER: Final = (
    select(result.c.id, result.c.loinc)
    .join(outbox_result, outbox_result.c.result == result.c.id)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.patient == given("patient"),
        outbox_result.c.destination == given("to"),
        outbox_result.c.outbox < given_number("entry"),
    )
    .order_by(result.c.id)
)
_REPORTED: Final = (
    select(result.c.loinc)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.patient == given("patient"),
        is_one_of(result.c.state, "released", "delivered", "dead"),
        result.c.main == 1,
    )
    .distinct()
)
_BLOCKED: Final = (
    update(result)
    .where(
        result.c.site == given("of_site"),
        result.c.specimen == given("tube"),
        result.c.patient == given("of_patient"),
        is_one_of(result.c.state, "verify", "released", "held", "technical"),
    )
    .values(state="blocked")
    .returning(result.c.id)
)
_WITHDRAWN: Final = select(withdrawal).where(withdrawal.c.outbox == given_number("entry")).order_by(withdrawal.c.id)
_TAKEN_BACK_IN: Final = (
    select(result)
    .join(withdrawal, withdrawal.c.result == result.c.id)
    .where(withdrawal.c.outbox == given_number("entry"))
    .order_by(withdrawal.c.id)
)
_RESULT: Final = select(result).where(result.c.site == given("site"), result.c.id == given_number("number"))
_CARRIED_BY: Final = (
    select(outbox)
    .join(outbox_result, outbox_result.c.outbox == outbox.c.id)
    .where(outbox_result.c.result == given_number("number"), outbox_result.c.destination == given("to"))
    .order_by(outbox.c.id)
)

_TOLD_OF: Final = (
    select(outbox_result.c.destination)
    .join(outbox, outbox.c.id == outbox_result.c.outbox)
    .where(
        outbox.c.site == given("site"),
        outbox_result.c.result == given_number("number"),
        is_one_of(outbox.c.state, "delivered"),
    )
    .order_by(outbox.c.id)
)
_NOT_TAKEN: Final = (
    select(outbox.c.id, outbox.c.destination, outbox.c.state, outbox.c.payload)
    .join(outbox_result, outbox_result.c.outbox == outbox.c.id)
    .where(outbox_result.c.result == given_number("number"), is_not(outbox.c.state, "delivered", "closed"))
    .order_by(outbox.c.id)
)


def told_of(site: str, number: int) -> Step:
    """The destinations that have taken a result."""
    return Step(_TOLD_OF, {"site": site, "number": number})


def not_taken(number: int) -> Step:
    """The messages that carry a result and have not arrived, dead letters among them."""
    return Step(_NOT_TAKEN, {"number": number})


def delivered_between(site: str, destination: str, since: str, before: str) -> Step:
    """The results that a destination has acknowledged within a time, oldest first."""
    return Step(_SENT, {"site": site, "to": destination, "since": since, "before": before})


def held_by_lis(site: str, specimens: Sequence[str]) -> Step:
    """What the LIS says it holds of these tubes."""
    return Step(_HELD, {"site": site, "specimens": list(specimens)})


def lis_heard(site: str) -> Step:
    """One row: when the LIS last said what it holds (`at`), NULL when never."""
    return Step(_HEARD, {"site": site})


def sent_before(site: str, specimen_: str, patient: str, destination: str, entry: int) -> Step:
    """The tests of a tube that an earlier message to a destination carries."""
    values = {"site": site, "specimen": specimen_, "patient": patient, "to": destination, "entry": entry}
    return Step(_OLDER, values)


def reported_tests(site: str, specimen_: str, patient: str) -> Step:
    """The tests of a tube that are released, whether or not they have left."""
    return Step(_REPORTED, {"site": site, "specimen": specimen_, "patient": patient})


def block_results(site: str, specimen_: str, patient: str) -> Step:
    """What was measured on a tube as a patient's and has not left does not leave any more: a person decides."""
    return Step(_BLOCKED, {"of_site": site, "tube": specimen_, "of_patient": patient})


def withdrawals_in(entry: int) -> Step:
    """What an outbox message takes back."""
    return Step(_WITHDRAWN, {"entry": entry})


def withdrawn_in(entry: int) -> Step:
    """The results that an outbox message takes back, in the order of `withdrawals_in`."""
    return Step(_TAKEN_BACK_IN, {"entry": entry})


def result_numbered(site: str, number: int) -> Step:
    """One result."""
    return Step(_RESULT, {"site": site, "number": number})


def carriers_of(number: int, destination: str) -> Step:
    """The messages to a destination that carry a result."""
    return Step(_CARRIED_BY, {"number": number, "to": destination})
