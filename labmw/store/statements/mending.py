"""Outbox messages as a person looks at them, and what a person does with one."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from labmw.store.schema import outbox, outbox_result, result
from labmw.store.statements.words import given, given_number, is_not
from labmw.store.transaction import Step

_shown = (
    outbox.c.id, outbox.c.destination, outbox.c.state, outbox.c.priority, outbox.c.specimen, outbox.c.control_id, outbox.c.attempts,
    outbox.c.due_at, outbox.c.created_at, outbox.c.delivered_at, outbox.c.last_error,
)  # fmt: skip
_UNDELIVERED: Final = (
    select(*_shown)
    .where(outbox.c.site == given("site"), is_not(outbox.c.state, "delivered"))
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
    .join(outbox_result, outbox_result.c.result == result.c.id)
    .where(outbox_result.c.outbox == given_number("entry"))
    .order_by(result.c.id)
)
_BECOMES: Final = (
    update(outbox)
    .where(outbox.c.site == given("of_site"), outbox.c.id == given_number("entry"), outbox.c.state == given("was"))
    .values(state=given("becomes"), due_at=given("due"), attempts=0, claimed_by=None, claimed_until=None)
    .returning(outbox.c.id)
)


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
    """The results that a message carries."""
    return Step(_CARRIED, {"entry": entry})


def outbox_becomes(site: str, entry: int, *, was: str, becomes: str, due: str) -> Step:
    """Move a message from a state to another, to be sent from `due` on, as if it were new; answers no row when it has moved on."""
    return Step(_BECOMES, {"of_site": site, "entry": entry, "was": was, "becomes": becomes, "due": due})
