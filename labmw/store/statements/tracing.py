"""What passes on one line now? Its journal and messages after a number, for somebody who follows them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select

from labmw.store.schema import journal, message
from labmw.store.statements.words import given, given_number
from labmw.store.transaction import Step

_PIECES: Final = (
    select(journal.c.id, journal.c.at, journal.c.direction, journal.c.session, journal.c.data)
    .where(journal.c.site == given("site"), journal.c.link == given("link"), journal.c.id > given_number("after"))
    .order_by(journal.c.id)
    .limit(given_number("most"))
)
_MESSAGES: Final = (
    select(
        message.c.id,
        message.c.received_at,
        message.c.kind,
        message.c.driver,
        message.c.disposition,
        message.c.reason,
        message.c.facts,
    )
    .where(message.c.site == given("site"), message.c.link == given("link"), message.c.id > given_number("after"))
    .order_by(message.c.id)
    .limit(given_number("most"))
)
_LAST_PIECES: Final = (
    select(journal.c.id, journal.c.at)
    .where(journal.c.site == given("site"), journal.c.link == given("link"))
    .order_by(journal.c.id.desc())
    .limit(given_number("most"))
)
_LAST_MESSAGE: Final = select(func.coalesce(func.max(message.c.id), 0).label("id")).where(
    message.c.site == given("site"), message.c.link == given("link"), message.c.received_at < given("before")
)


def pieces_after(site: str, link: str, after: int, most: int = 500) -> Step:
    """Bytes of a line that were written after the journal's number, in order."""
    return Step(_PIECES, {"site": site, "link": link, "after": after, "most": most})


def messages_after(site: str, link: str, after: int, most: int = 100) -> Step:
    """Messages of a line that were taken in after this one, in order."""
    return Step(_MESSAGES, {"site": site, "link": link, "after": after, "most": most})


def last_pieces(site: str, link: str, most: int) -> Step:
    """The numbers and times of the last pieces of a line, newest first."""
    return Step(_LAST_PIECES, {"site": site, "link": link, "most": most})


def last_message(site: str, link: str, before: str) -> Step:
    """The number of the newest message of a line that was taken in before a moment; 0 for none."""
    return Step(_LAST_MESSAGE, {"site": site, "link": link, "before": before})
