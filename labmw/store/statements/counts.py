"""How many of what: for status, metrics, and the count that proves nothing lost and nothing twice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Text, and_, case, func, literal, select

from labmw.store.schema import FINAL_STATES, alert, message, outbox, outbox_result, quarantine, repeat, result, verdict
from labmw.store.statements.words import given, is_not, is_one_of
from labmw.store.transaction import Step

_number = func.count().label("count")

_RESULTS_BY_STATE: Final = (
    select(result.c.state, _number)
    .where(result.c.site == given("site"))
    .group_by(result.c.state)
    .order_by(result.c.state)
)
_QUARANTINE_BY_REASON: Final = (
    select(quarantine.c.reason, _number, func.min(quarantine.c.raised_at).label("oldest"))
    .where(quarantine.c.site == given("site"), is_one_of(quarantine.c.state, "open"))
    .group_by(quarantine.c.reason)
    .order_by(quarantine.c.reason)
)
_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_HELD: Final = (
    select(result.c.id, result.c.specimen, result.c.code, result.c.state, verdict.c.level, verdict.c.reasons)
    .join(verdict, verdict.c.id == _latest)
    .where(result.c.site == given("site"), is_one_of(result.c.state, "held", "blocked", "technical"))
    .order_by(result.c.id)
)
_QUARANTINE_OPEN: Final = (
    select(quarantine, message.c.link, message.c.sender, result.c.specimen, result.c.code, result.c.value)
    .join(message, message.c.id == quarantine.c.message)
    .outerjoin(result, result.c.id == quarantine.c.result)
    .where(quarantine.c.site == given("site"), is_one_of(quarantine.c.state, "open"))
    .order_by(quarantine.c.raised_at, quarantine.c.id)
)
_ALERTS_OPEN: Final = (
    select(alert, result.c.specimen, result.c.code, result.c.value, result.c.unit_raw)
    .join(result, result.c.id == alert.c.result)
    .where(alert.c.site == given("site"), is_one_of(alert.c.state, "open"))
    .order_by(alert.c.raised_at, alert.c.id)
)
_REPEATS: Final = select(_number).select_from(repeat).where(repeat.c.site == given("site"))
_RESULTS: Final = (
    select(
        result.c.id, result.c.key, result.c.link, result.c.specimen, result.c.code, result.c.detail, result.c.run,
        result.c.value, result.c.number, result.c.unit, result.c.completed_raw, result.c.main, result.c.state,
    )
    .where(result.c.site == given("site"))
    .order_by(result.c.id)
)  # fmt: skip
_UNFINISHED: Final = (
    select(result.c.id, result.c.link, result.c.specimen, result.c.code, result.c.state, result.c.received_at)
    .where(result.c.site == given("site"), is_not(result.c.state, *FINAL_STATES))
    .order_by(result.c.id)
)
# A result that a person has given to another tube was measured under the number that the analyzer said: there it is somebody else's second.
_separator, _nothing = (literal(text, Text(), literal_execute=True) for text in ("\x1f", ""))
_sent_as = case(
    (
        and_(
            func.replace(result.c.identity, _separator, _nothing) != result.c.identity,
            func.replace(result.c.identity, _separator + result.c.specimen + _separator, _nothing) == result.c.identity,
        ),
        result.c.identity,
    ),
    else_=_nothing,
)
# By its parts, not by the unique `key`: the count must not rest on the constraint it is there to prove.
_identity = (
    _sent_as.label("sent_as"),
    result.c.analyzer,
    result.c.specimen,
    result.c.code,
    result.c.detail,
    result.c.run,
    result.c.completed_raw,
)
_SAME_KEY: Final = (
    select(*_identity, _number)
    .where(result.c.site == given("site"))
    .group_by(_sent_as, *_identity[1:])
    .having(func.count() > 1)
)
_SENT_TWICE: Final = (
    select(outbox.c.destination, outbox_result.c.result, _number)
    .join(outbox, outbox.c.id == outbox_result.c.outbox)
    .where(outbox_result.c.site == given("site"))
    .group_by(outbox.c.destination, outbox_result.c.result)
    .having(func.count() > 1)
)


def results_by_state(site: str) -> Step:
    """Per state: `count`; reads every result."""
    return Step(_RESULTS_BY_STATE, {"site": site})


def quarantine_open(site: str) -> Step:
    """What is in quarantine, oldest first, each with link, sender and, where it is one result, specimen, code and value."""
    return Step(_QUARANTINE_OPEN, {"site": site})


def quarantine_by_reason(site: str) -> Step:
    """Per reason of what is open: `count` and the `oldest`."""
    return Step(_QUARANTINE_BY_REASON, {"site": site})


def results_held(site: str) -> Step:
    """What waits for a person, each with the `reasons` (JSON) of its latest verdict."""
    return Step(_HELD, {"site": site})


def alerts_open(site: str) -> Step:
    """The alerts that nobody has closed, oldest first, each with its specimen, code and value."""
    return Step(_ALERTS_OPEN, {"site": site})


def repeats_counted(site: str) -> Step:
    """One row: how many retransmitted results were recognised."""
    return Step(_REPEATS, {"site": site})


def results_listed(site: str) -> Step:
    """Every result with its identity, value and state: the store's side of the three-sided count."""
    return Step(_RESULTS, {"site": site})


def results_unfinished(site: str) -> Step:
    """Results in no final state, whatever it is called; those left when nothing runs any more are lost (law 5). Reads every result."""
    return Step(_UNFINISHED, {"site": site})


def results_twice(site: str) -> Step:
    """Identities that more than one result has: must answer no row."""
    return Step(_SAME_KEY, {"site": site})


def deliveries_twice(site: str) -> Step:
    """Results that were queued more than once to a destination: must answer no row."""
    return Step(_SENT_TWICE, {"site": site})
