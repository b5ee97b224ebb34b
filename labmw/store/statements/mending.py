"""Outbox messages as a person looks at them, and what a person does with one."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import FromClause, Select, and_, or_, select, text, union_all, update

from labmw.store.schema import outbox, outbox_result, receipt, redelivery, result, withdrawal
from labmw.store.statements.words import given, given_number, is_not, is_one_of
from labmw.store.transaction import Step

_shown = (
    outbox.c.id, outbox.c.destination, outbox.c.state, outbox.c.priority, outbox.c.specimen, outbox.c.control_id, outbox.c.attempts,
    outbox.c.due_at, outbox.c.created_at, outbox.c.delivered_at, outbox.c.last_error,
)  # fmt: skip
_UNDELIVERED: Final = (
    select(*_shown)
    .where(outbox.c.site == given("site"), is_not(outbox.c.state, "delivered", "closed"))
    .order_by(outbox.c.destination, outbox.c.priority.desc(), outbox.c.id)
    .limit(given_number("most"))
)
_OF_SPECIMEN: Final = (
    select(*_shown).where(outbox.c.site == given("site"), outbox.c.specimen == given("specimen")).order_by(outbox.c.id)
)
_ENTRY: Final = select(outbox).where(outbox.c.site == given("site"), outbox.c.id == given_number("entry"))
_CARRIED: Final = (
    select(
        result.c.id,
        result.c.specimen,
        result.c.code,
        result.c.test_name,
        result.c.value,
        result.c.unit_raw,
        result.c.state,
    )
    .where(
        result.c.id.in_(
            union_all(
                *(
                    select(table.c.result).where(table.c.outbox == given_number("entry"))
                    for table in (outbox_result, withdrawal, redelivery)
                )
            )
        )
    )
    .order_by(result.c.id)
)
_BECOMES: Final = (
    update(outbox)
    .where(outbox.c.site == given("of_site"), outbox.c.id == given_number("entry"), outbox.c.state == given("was"))
    .values(state=given("becomes"), due_at=given("due"), attempts=0, claimed_by=None, claimed_until=None)
    .returning(outbox.c.id)
)

# A later message has brought one of the tests of this one to the same destination, or is bringing it. One that was on the wire counts, too: its
# acknowledgment may be under way, or lost.
_mine, _my, _ours = outbox.alias("mine"), outbox_result.alias("my"), result.alias("ours")
_later, _its, _theirs = outbox.alias("later"), outbox_result.alias("its"), result.alias("theirs")
_my_word = withdrawal.alias("my_word")
_may_be_there = or_(
    is_one_of(_later.c.state, "delivered"), and_(is_one_of(_later.c.state, "waiting", "claimed"), _later.c.attempts > 0)
)


def _overtaking(mine: FromClause) -> Select[Any]:
    """Later messages with the same tests of the tube; `mine` says what this one is about: results, or results taken back."""
    return (
        select(_later.c.id, _ours.c.specimen, _ours.c.test_name, _ours.c.code)
        .select_from(_mine.join(mine, mine.c.outbox == _mine.c.id).join(_ours, _ours.c.id == mine.c.result))
        .join(
            _later,
            and_(
                _later.c.site == _mine.c.site,
                _later.c.specimen == _mine.c.specimen,
                _later.c.destination == _mine.c.destination,
                _later.c.id > _mine.c.id,
            ),
        )
        .join(_its, _its.c.outbox == _later.c.id)
        .join(_theirs, _theirs.c.id == _its.c.result)
        .where(
            _mine.c.id == given_number("entry"),
            _may_be_there,
            _theirs.c.patient == _ours.c.patient,
            _theirs.c.loinc == _ours.c.loinc,
            or_(_ours.c.loinc != "", _theirs.c.code == _ours.c.code),
        )
    )


# What takes a value back must not take back the one that came after it.
_OVERTAKEN_BY: Final = union_all(_overtaking(_my), _overtaking(_my_word)).order_by(text("1 DESC"))
_NOT_ANY_MORE: Final = (
    select(result.c.id, result.c.specimen, result.c.test_name, result.c.code, result.c.state)
    .join(outbox_result, outbox_result.c.result == result.c.id)
    .where(
        outbox_result.c.outbox == given_number("entry"), is_one_of(result.c.state, "withdrawn", "blocked", "rejected")
    )
    .order_by(result.c.id)
)
_REFUSALS: Final = select(receipt).where(receipt.c.outbox == given_number("entry")).order_by(receipt.c.id)
_AT_DESTINATION: Final = (
    select(outbox_result.c.result, outbox_result.c.outbox, outbox.c.state)
    .join(outbox, outbox.c.id == outbox_result.c.outbox)
    .where(
        outbox_result.c.site == given("site"),
        outbox_result.c.destination == given("to"),
        outbox_result.c.result.in_(select(_my.c.result).where(_my.c.outbox == given_number("entry"))),
    )
    .order_by(outbox_result.c.outbox)
)
_NEWER_AT: Final = (
    select(_later.c.id, _ours.c.specimen, _ours.c.test_name, _ours.c.code)
    .select_from(_my.join(_ours, _ours.c.id == _my.c.result))
    .join(
        _theirs,
        and_(_theirs.c.site == _ours.c.site, _theirs.c.specimen == _ours.c.specimen, _theirs.c.id > _ours.c.id),
    )
    .join(_its, _its.c.result == _theirs.c.id)
    .join(_later, _later.c.id == _its.c.outbox)
    .where(
        _my.c.outbox == given_number("entry"),
        _later.c.site == given("site"),
        _later.c.destination == given("to"),
        is_one_of(_later.c.state, "waiting", "claimed", "held", "delivered"),
        _theirs.c.patient == _ours.c.patient,
        _theirs.c.loinc == _ours.c.loinc,
        or_(_ours.c.loinc != "", _theirs.c.code == _ours.c.code),
    )
    .order_by(_later.c.id.desc())
)
_CARRIED_NUMBERS: Final = select(outbox_result.c.result).where(outbox_result.c.outbox == given_number("entry"))
_WITHDRAWALS: Final = select(withdrawal).where(withdrawal.c.outbox == given_number("entry")).order_by(withdrawal.c.id)
_UNFINISHED: Final = (
    select(outbox.c.id, outbox.c.state)
    .where(
        outbox.c.site == given("site"),
        outbox.c.destination == given("to"),
        is_not(outbox.c.state, "delivered", "closed"),
    )
    .order_by(outbox.c.id)
)


def overtaken_by(entry: int) -> Step:
    """The messages, newest first, that have brought a test of this one to its destination since, or may have; with the tube and test."""
    return Step(_OVERTAKEN_BY, {"entry": entry})


def not_any_more(entry: int) -> Step:
    """The results of a message that hold no longer: taken back, blocked, or refused by a person."""
    return Step(_NOT_ANY_MORE, {"entry": entry})


def refusals_of(entry: int) -> Step:
    """What a destination answered when it did not take a message, oldest first."""
    return Step(_REFUSALS, {"entry": entry})


def at_destination(site: str, destination: str, entry: int) -> Step:
    """Which of a message's results another destination has, or will get: `result`, the `outbox` message to it, and its `state`."""
    return Step(_AT_DESTINATION, {"site": site, "to": destination, "entry": entry})


def newer_at(site: str, destination: str, entry: int) -> Step:
    """The messages to another destination that carry a newer result of a test of this one, with the tube and test."""
    return Step(_NEWER_AT, {"site": site, "to": destination, "entry": entry})


def carried_numbers(entry: int) -> Step:
    """The numbers of the results that a message carries."""
    return Step(_CARRIED_NUMBERS, {"entry": entry})


def withdrawals_of(entry: int) -> Step:
    """What a message takes back."""
    return Step(_WITHDRAWALS, {"entry": entry})


def unfinished_to(site: str, destination: str) -> Step:
    """Every message to a destination that it has not taken, in the order of birth."""
    return Step(_UNFINISHED, {"site": site, "to": destination})


def outbox_undelivered(site: str, *, most: int) -> Step:
    """What has not arrived, by destination, in the order of sending."""
    return Step(_UNDELIVERED, {"site": site, "most": most})


def outbox_of_specimen(site: str, specimen: str) -> Step:
    """Every message about a specimen, delivered ones too."""
    return Step(_OF_SPECIMEN, {"site": site, "specimen": specimen})


def outbox_entry(site: str, entry: int) -> Step:
    """One message, whole."""
    return Step(_ENTRY, {"site": site, "entry": entry})


def results_carried(entry: int) -> Step:
    """The results that a message brings, takes back, or brings again."""
    return Step(_CARRIED, {"entry": entry})


def outbox_becomes(site: str, entry: int, *, was: str, becomes: str, due: str) -> Step:
    """Move a message from a state to another, to be sent from `due` on, as if it were new; answers no row when it has moved on."""
    return Step(_BECOMES, {"of_site": site, "entry": entry, "was": was, "becomes": becomes, "due": due})
