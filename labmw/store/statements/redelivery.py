"""What is asked of the store to send a period again: what a destination took in it, and what has become of each test since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, delete, exists, func, or_, select

from labmw.store.schema import outbox, outbox_result, redelivery, result, verdict, withdrawal
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_one_of
from labmw.store.transaction import Step

CONTROL: Final = "R"
"""How the MSH-10 of a message begins that sends again what was delivered before; those of others are hexadecimal."""

_TOLD: Final = (
    result.c.id, result.c.specimen, result.c.patient, result.c.loinc, result.c.code, result.c.test_name, result.c.value, result.c.number,
    result.c.comparator, result.c.unit, result.c.state,
)  # fmt: skip
_taken = and_(
    outbox.c.site == given("site"),
    outbox.c.destination == given("to"),
    outbox.c.state == "delivered",
)
_in_period = and_(_taken, outbox.c.delivered_at >= given("since"), outbox.c.delivered_at < given("before"))
_among = and_(_taken, outbox.c.id.in_(given_numbers("entries")))
_by = (outbox.c.id, result.c.id)
_brought = select(*_TOLD, outbox.c.id.label("outbox"), outbox.c.message.label("message"), outbox.c.delivered_at).select_from(
    outbox_result.join(result, result.c.id == outbox_result.c.result).join(outbox, outbox.c.id == outbox_result.c.outbox)
)  # fmt: skip
_taken_back = select(
    *_TOLD, outbox.c.id.label("outbox"), outbox.c.message.label("message"), outbox.c.delivered_at, withdrawal.c.by, withdrawal.c.why
).select_from(
    withdrawal.join(result, result.c.id == withdrawal.c.result).join(outbox, outbox.c.id == withdrawal.c.outbox)
)  # fmt: skip
_BROUGHT: Final = _brought.where(_in_period).order_by(*_by).limit(given_number("most"))
_BROUGHT_BY: Final = _brought.where(_among).order_by(*_by)
_TAKEN_BACK: Final = _taken_back.where(_in_period).order_by(*_by).limit(given_number("most"))
_TAKEN_BACK_BY: Final = _taken_back.where(_among).order_by(*_by)
_LIVING = ("waiting", "claimed", "held", "delivered")
_SINCE: Final = (
    select(result.c.specimen, result.c.patient, result.c.loinc, result.c.code, outbox.c.id.label("outbox"), outbox.c.state)
    .select_from(
        outbox_result.join(result, result.c.id == outbox_result.c.result).join(
            outbox, outbox.c.id == outbox_result.c.outbox
        )
    )
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        outbox.c.specimen.in_(given_texts("specimens")),
        is_one_of(outbox.c.state, *_LIVING),
    )
    .order_by(outbox.c.id)
)  # fmt: skip
_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_AGAIN: Final = (
    select(
        result, verdict.c.decided_at, verdict.c.decided_by, verdict.c.packs, verdict.c.comments.label("verdict_comments")
    )
    .select_from(redelivery.join(result, result.c.id == redelivery.c.result).join(verdict, verdict.c.id == _latest))
    .where(redelivery.c.outbox == given_number("entry"))
    .order_by(result.c.id)
)  # fmt: skip
_EARLIER: Final = select(func.min(redelivery.c.earlier).label("entry")).where(
    redelivery.c.outbox == given_number("entry")
)

# Of a message that sends again: the results whose test a later message has brought to that destination, or brings.
_mine, _ours = outbox.alias("mine"), result.alias("ours")
_later, _its, _theirs = outbox.alias("later"), outbox_result.alias("its"), result.alias("theirs")
_overtaken = (
    select(redelivery.c.id)
    .select_from(
        redelivery.join(_mine, _mine.c.id == redelivery.c.outbox).join(_ours, _ours.c.id == redelivery.c.result)
    )
    .where(
        redelivery.c.outbox == given_number("entry"),
        or_(
            _ours.c.state == "withdrawn",
            exists().where(
                _later.c.site == _mine.c.site,
                _later.c.destination == _mine.c.destination,
                _later.c.specimen == _mine.c.specimen,
                _later.c.id > redelivery.c.earlier,
                is_one_of(_later.c.state, *_LIVING),
                _its.c.outbox == _later.c.id,
                _theirs.c.id == _its.c.result,
                _theirs.c.patient == _ours.c.patient,
                _theirs.c.loinc == _ours.c.loinc,
                or_(_ours.c.loinc != "", _theirs.c.code == _ours.c.code),
            ),
        ),
    )
)
_DROP_OVERTAKEN: Final = (
    delete(redelivery).where(redelivery.c.id.in_(_overtaken)).returning(redelivery.c.id, redelivery.c.result)
)
_LEFT: Final = select(redelivery.c.result).where(redelivery.c.outbox == given_number("entry"))


def brought(site: str, destination: str, since: str, before: str, *, most: int) -> Step:
    """The results that a destination took within a time, each with the message that brought it, oldest first."""
    return Step(_BROUGHT, {"site": site, "to": destination, "since": since, "before": before, "most": most})


def brought_by(site: str, destination: str, entries: Sequence[int]) -> Step:
    """The same, of these messages."""
    return Step(_BROUGHT_BY, {"site": site, "to": destination, "entries": list(entries)})


def taken_back_in(site: str, destination: str, since: str, before: str, *, most: int) -> Step:
    """The results of which a destination was told within a time that they are taken back."""
    return Step(_TAKEN_BACK, {"site": site, "to": destination, "since": since, "before": before, "most": most})


def taken_back_by(site: str, destination: str, entries: Sequence[int]) -> Step:
    """The same, by these messages."""
    return Step(_TAKEN_BACK_BY, {"site": site, "to": destination, "entries": list(entries)})


def carried_of(site: str, destination: str, specimens: Sequence[str]) -> Step:
    """Every test of these tubes that a destination has, or will get: by which message, and in which state that is."""
    return Step(_SINCE, {"site": site, "to": destination, "specimens": list(specimens)})


def report_again(entry: int) -> Step:
    """What a message that sends again reports, as `report_of` of any other."""
    return Step(_AGAIN, {"entry": entry})


def first_entry(entry: int) -> Step:
    """One row: the message that first brought what this one brings again (`entry`)."""
    return Step(_EARLIER, {"entry": entry})


def drop_overtaken(entry: int) -> Step:
    """Take out of a message that sends again whatever has a later state by now; answers what was taken out."""
    return Step(_DROP_OVERTAKEN, {"entry": entry})


def left_in(entry: int) -> Step:
    """What a message that sends again still carries."""
    return Step(_LEFT, {"entry": entry})
