"""What is the whole story of a specimen: bytes, frames, results, verdicts, alerts, quarantine, delivery?"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import or_, select

from labmw.store.schema import (
    action,
    alert,
    contribution,
    message,
    order,
    outbox,
    outbox_result,
    patient,
    prescriber_call,
    quarantine,
    recall,
    repeat,
    result,
    session,
    specimen,
    verdict,
)
from labmw.store.statements.wire import frames_between
from labmw.store.statements.words import given
from labmw.store.transaction import Row, Step, Transaction


class Story(NamedTuple):
    """Everything the store has on one specimen; each list is oldest first, each row has all columns of its table.

    `frames` are per message id. `outbox` rows carry the `result` beside the message, one row for each result.
    """

    specimens: list[Row]
    patients: list[Row]
    orders: list[Row]
    results: list[Row]
    messages: list[Row]
    sessions: list[Row]
    frames: dict[int, list[Row]]
    repeats: list[Row]
    verdicts: list[Row]
    alerts: list[Row]
    quarantine: list[Row]
    outbox: list[Row]
    contributions: list[Row]
    actions: list[Row]
    calls: list[Row]
    recalls: list[Row]


_ours = select(result.c.id).where(result.c.site == given("site"), result.c.specimen == given("specimen"))
_messages = (
    select(result.c.message)
    .where(result.c.site == given("site"), result.c.specimen == given("specimen"))
    .union(select(repeat.c.message).where(repeat.c.result.in_(_ours)))
)
_people = select(specimen.c.patient).where(specimen.c.site == given("site"), specimen.c.identifier == given("specimen"))
_known = select(result.c.patient).where(result.c.site == given("site"), result.c.specimen == given("specimen"))
_PATIENTS: Final = (
    select(patient)
    .where(patient.c.site == given("site"), patient.c.identifier.in_(_people.union(_known)))
    .order_by(patient.c.id)
)
_SPECIMENS: Final = (
    select(specimen)
    .where(specimen.c.site == given("site"), specimen.c.identifier == given("specimen"))
    .order_by(specimen.c.valid_from, specimen.c.id)
)
_ORDERS: Final = (
    select(order).where(order.c.site == given("site"), order.c.specimen == given("specimen")).order_by(order.c.id)
)
_RESULTS: Final = (
    select(result)
    .where(result.c.site == given("site"), result.c.specimen == given("specimen"))
    .order_by(result.c.received_at, result.c.id)
)
_MESSAGES: Final = select(message).where(message.c.id.in_(_messages)).order_by(message.c.id)
_SESSIONS: Final = (
    select(session)
    .where(
        session.c.site == given("site"),
        session.c.id.in_(select(message.c.session).where(message.c.id.in_(_messages))),
    )
    .order_by(session.c.opened_at, session.c.id)
)
_REPEATS: Final = select(repeat).where(repeat.c.site == given("site"), repeat.c.result.in_(_ours)).order_by(repeat.c.id)
_VERDICTS: Final = (
    select(verdict).where(verdict.c.site == given("site"), verdict.c.result.in_(_ours)).order_by(verdict.c.id)
)
_ALERTS: Final = select(alert).where(alert.c.site == given("site"), alert.c.result.in_(_ours)).order_by(alert.c.id)
_QUARANTINE: Final = (
    select(quarantine)
    .where(
        or_(
            quarantine.c.result.in_(_ours),
            quarantine.c.result.is_(None) & quarantine.c.message.in_(_messages),
        )
    )
    .order_by(quarantine.c.id)
)
_CONTRIBUTIONS: Final = select(contribution).where(contribution.c.result.in_(_ours)).order_by(contribution.c.id)
_ACTIONS: Final = select(action).where(action.c.result.in_(_ours)).order_by(action.c.id)
_CALLS: Final = (
    select(prescriber_call)
    .where(prescriber_call.c.site == given("site"), prescriber_call.c.result.in_(_ours))
    .order_by(prescriber_call.c.id)
)
_RECALLS: Final = select(recall).where(recall.c.site == given("site"), recall.c.result.in_(_ours)).order_by(recall.c.id)
_OUTBOX: Final = (
    select(outbox, outbox_result.c.result)
    .join(outbox_result, outbox_result.c.outbox == outbox.c.id)
    .where(outbox_result.c.result.in_(_ours))
    .order_by(outbox.c.id, outbox_result.c.id)
)


def story(site: str, identifier: str) -> Transaction[Story]:
    """The story of a specimen, for `Store.view` or `Reader.view`: all of it from one and the same moment."""
    about = {"site": site, "specimen": identifier}
    messages = yield Step(_MESSAGES, about)
    frames: dict[int, list[Row]] = {}
    for one in messages:
        if one.first_frame is not None and one.last_frame is not None:
            frames[one.id] = yield frames_between(site, one.session, one.first_frame, one.last_frame)
    return Story(
        specimens=(yield Step(_SPECIMENS, about)),
        patients=(yield Step(_PATIENTS, about)),
        orders=(yield Step(_ORDERS, about)),
        results=(yield Step(_RESULTS, about)),
        messages=messages,
        sessions=(yield Step(_SESSIONS, about)),
        frames=frames,
        repeats=(yield Step(_REPEATS, about)),
        verdicts=(yield Step(_VERDICTS, about)),
        alerts=(yield Step(_ALERTS, about)),
        quarantine=(yield Step(_QUARANTINE, about)),
        outbox=(yield Step(_OUTBOX, about)),
        contributions=(yield Step(_CONTRIBUTIONS, about)),
        actions=(yield Step(_ACTIONS, about)),
        calls=(yield Step(_CALLS, about)),
        recalls=(yield Step(_RECALLS, about)),
    )
