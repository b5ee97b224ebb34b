"""What must never be found in a store: questions whose every answer is a fault. They read everything, and are for `labmw store check`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from labmw.store.schema import (
    added_test,
    frame,
    message,
    outbox,
    outbox_result,
    quarantine,
    redelivery,
    result,
    session,
    sub_order_said,
    verdict,
    withdrawal,
    work,
)
from labmw.store.statements.words import given, is_one_of
from labmw.store.transaction import Step

_columns = (result.c.id, result.c.specimen, result.c.code, result.c.state)
_site = result.c.site == given("site")


def _on_its_way(*states: str) -> ColumnElement[bool]:
    """Some outbox row that carries the result is in one of these states."""
    return (
        exists()
        .where(outbox_result.c.result == result.c.id, outbox.c.id == outbox_result.c.outbox)
        .where(outbox.c.state.in_(states))
    )


_VERIFY_WITHOUT_WORK: Final = (
    select(*_columns)
    .where(_site, is_one_of(result.c.state, "verify"))
    .where(~exists().where(work.c.message == result.c.message, work.c.kind == "verify"))
    .order_by(result.c.id)
)
_DELIVERED_WITHOUT_RECEIPT: Final = (
    select(*_columns)
    .where(_site, is_one_of(result.c.state, "delivered"), ~_on_its_way("delivered"))
    .order_by(result.c.id)
)
_DEAD_WITHOUT_LETTER: Final = (
    select(*_columns)
    .where(_site, is_one_of(result.c.state, "dead"), ~_on_its_way("dead", "closed"))
    .order_by(result.c.id)
)
_RELEASED_AND_GONE: Final = (  # released, carried by something, and nothing of that is on its way any more
    select(*_columns)
    .where(
        _site,
        is_one_of(result.c.state, "released"),
        exists().where(outbox_result.c.result == result.c.id),
        ~_on_its_way("waiting", "claimed", "held"),
    )
    .order_by(result.c.id)
)
_JUDGED_BY_NOBODY: Final = (
    select(*_columns)
    .where(_site, is_one_of(result.c.state, "released", "delivered", "held", "blocked", "dead", "technical"))
    .where(~exists().where(verdict.c.result == result.c.id))
    .order_by(result.c.id)
)
_QUARANTINED_UNSEEN: Final = (  # in quarantine, and no entry shows it to anybody or says who put it away
    select(*_columns)
    .where(
        _site,
        is_one_of(result.c.state, "quarantined"),
        ~exists().where(
            or_(
                quarantine.c.result == result.c.id,
                and_(quarantine.c.result.is_(None), quarantine.c.message == result.c.message),
            )
        ),
    )
    .order_by(result.c.id)
)
_WORK_FOR_NOTHING: Final = (
    select(work.c.id, message.c.link, work.c.kind, work.c.created_at)
    .join(message, message.c.id == work.c.message)
    .where(work.c.site == given("site"), work.c.kind == "verify")
    .where(~exists().where(result.c.message == work.c.message, is_one_of(result.c.state, "verify")))
    .order_by(work.c.id)
)
_OUTBOX_WITHOUT_RESULT: Final = (
    select(outbox.c.id, outbox.c.destination, outbox.c.specimen, outbox.c.state)
    .where(
        outbox.c.site == given("site"),
        ~exists().where(outbox_result.c.outbox == outbox.c.id),
        ~exists().where(withdrawal.c.outbox == outbox.c.id),
        ~exists().where(redelivery.c.outbox == outbox.c.id),
        outbox.c.state != "closed",  # overtaken: what it would have sent again has changed since
        ~exists().where(added_test.c.outbox == outbox.c.id),
        ~exists().where(
            sub_order_said.c.outbox == outbox.c.id
        ),  # to another laboratory: what is asked, not what was found
    )
    .order_by(outbox.c.id)
)
_FRAMES_LEFT: Final = (
    select(frame.c.session, frame.c.link, func.count().label("frames"))
    .join(session, and_(session.c.site == frame.c.site, session.c.id == frame.c.session))
    .where(
        frame.c.site == given("site"),
        session.c.closed_at.is_not(None),
        ~exists().where(
            message.c.site == frame.c.site,
            message.c.session == frame.c.session,
            message.c.first_frame <= frame.c.seq,
            message.c.last_frame >= frame.c.seq,
        ),
    )
    .group_by(frame.c.session, frame.c.link)
    .order_by(frame.c.session)
)


def frames_left(site: str) -> Step:
    """Closed sessions with acknowledged frames that no message holds: nobody will come back to them."""
    return Step(_FRAMES_LEFT, {"site": site})


def verify_without_work(site: str) -> Step:
    """Results that wait for the rules, and no work row will bring them there."""
    return Step(_VERIFY_WITHOUT_WORK, {"site": site})


def work_for_nothing(site: str) -> Step:
    """Work rows whose message has nothing to verify."""
    return Step(_WORK_FOR_NOTHING, {"site": site})


def delivered_without_receipt(site: str) -> Step:
    """Results that count as delivered, and no outbox message with them was."""
    return Step(_DELIVERED_WITHOUT_RECEIPT, {"site": site})


def dead_without_letter(site: str) -> Step:
    """Results that count as given up, and no dead letter holds them."""
    return Step(_DEAD_WITHOUT_LETTER, {"site": site})


def released_and_gone(site: str) -> Step:
    """Results that count as on their way, and nothing that carries them is."""
    return Step(_RELEASED_AND_GONE, {"site": site})


def judged_by_nobody(site: str) -> Step:
    """Results that were decided on, and no verdict says by whom."""
    return Step(_JUDGED_BY_NOBODY, {"site": site})


def quarantined_unseen(site: str) -> Step:
    """Results in quarantine that no entry shows to anybody."""
    return Step(_QUARANTINED_UNSEEN, {"site": site})


def outbox_without_result(site: str) -> Step:
    """Outbox messages that carry no result, take none back, and tell of no added test."""
    return Step(_OUTBOX_WITHOUT_RESULT, {"site": site})
