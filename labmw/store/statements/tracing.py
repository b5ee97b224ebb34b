"""What passes on one line now? Its journal and messages after a number, for somebody who follows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select

from labmw.store.schema import journal, message, quarantine, result
from labmw.store.statements.words import given, given_number, given_numbers
from labmw.store.transaction import Step

# Both tables are walked by their number, from near the end on. The site is asked of an expression, so that no index that begins with the site,
# and with it everything of the site, is preferred.
_OF_SITE: Final = journal.c.site.concat("") == given("site")
_MESSAGE_OF_SITE: Final = message.c.site.concat("") == given("site")

_PIECES: Final = (
    select(journal.c.id, journal.c.at, journal.c.direction, journal.c.session, journal.c.data)
    .where(_OF_SITE, journal.c.link == given("link"), journal.c.id > given_number("after"))
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
    .where(
        _MESSAGE_OF_SITE,
        message.c.link == given("link"),
        message.c.id > given_number("after"),
        message.c.received_at >= given("since"),
    )
    .order_by(message.c.id)
    .limit(given_number("most"))
)
_LAST_PIECES: Final = (
    select(journal.c.id, journal.c.at)
    .where(_OF_SITE, journal.c.link == given("link"), journal.c.id > given_number("after"))
    .order_by(journal.c.id.desc())
    .limit(given_number("most"))
)
_THESE: Final = given_numbers("messages")
_BECAME: Final = (
    select(result.c.message, result.c.state, func.count().label("count"))
    .where(result.c.message.in_(_THESE))
    .group_by(result.c.message, result.c.state)
    .order_by(result.c.message, result.c.state)
)
_WHY: Final = (
    select(
        quarantine.c.message,
        quarantine.c.reason,
        quarantine.c.facts,
        func.count().label("count"),
    )
    .where(quarantine.c.message.in_(_THESE), quarantine.c.state == "open", quarantine.c.result.is_not(None))
    .group_by(quarantine.c.message, quarantine.c.reason, quarantine.c.facts)
    .order_by(quarantine.c.message, quarantine.c.reason, quarantine.c.facts)
)
_NEWEST_PIECE: Final = select(func.coalesce(func.max(journal.c.id), 0).label("id"))
_NEWEST_MESSAGE: Final = select(func.coalesce(func.max(message.c.id), 0).label("id"))


def pieces_after(site: str, link: str, after: int, most: int = 500) -> Step:
    """Bytes of a line that were written after the journal's number, in order."""
    return Step(_PIECES, {"site": site, "link": link, "after": after, "most": most})


def messages_after(site: str, link: str, after: int, since: str, most: int = 100) -> Step:
    """Messages of a line that were taken in after this one and since a moment, in order."""
    return Step(_MESSAGES, {"site": site, "link": link, "after": after, "since": since, "most": most})


def became(messages: Sequence[int]) -> Step:
    """How many results of each of these messages are in which state."""
    return Step(_BECAME, {"messages": list(messages)})


def why_quarantined(messages: Sequence[int]) -> Step:
    """Why results of these messages are in quarantine: each reason with its facts once a message, and of how many results."""
    return Step(_WHY, {"messages": list(messages)})


def last_pieces(site: str, link: str, after: int, most: int) -> Step:
    """The numbers and times of the last pieces of a line after the journal's number, newest first."""
    return Step(_LAST_PIECES, {"site": site, "link": link, "after": after, "most": most})


def newest_piece() -> Step:
    """The journal's last number, of whatever line; 0 when it is empty."""
    return Step(_NEWEST_PIECE)


def newest_message() -> Step:
    """The number of the newest message, of whatever line; 0 for none."""
    return Step(_NEWEST_MESSAGE)
