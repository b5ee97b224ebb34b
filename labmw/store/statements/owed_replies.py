"""Application replies that are still owed to who was told that its message is stored."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from labmw.store.schema import message, owed_reply
from labmw.store.statements.words import given, given_number
from labmw.store.transaction import Step

_OPEN: Final = (
    select(owed_reply.c.id, owed_reply.c.control_id, owed_reply.c.confirm, owed_reply.c.sends, message.c.reply)
    .join(message, message.c.id == owed_reply.c.message)
    .where(
        owed_reply.c.site == given("site"),
        owed_reply.c.link == given("link"),
        owed_reply.c.closed_at.is_(None),
        owed_reply.c.created_at < given("before"),
    )
    .order_by(owed_reply.c.id)
    .limit(given_number("most"))
)
_NUMBERED: Final = (
    select(owed_reply)
    .where(
        owed_reply.c.site == given("site"),
        owed_reply.c.link == given("link"),
        owed_reply.c.control_id == given("control_id"),
    )
    .order_by(owed_reply.c.id)
)


def owed_replies(site: str, link: str, *, before: str, most: int) -> Step:
    """The replies owed on a line since before a moment, oldest first, with their bytes (`reply`)."""
    return Step(_OPEN, {"site": site, "link": link, "before": before, "most": most})


def owed_reply_numbered(site: str, link: str, control_id: str) -> Step:
    """The reply of ours with this MSH-10."""
    return Step(_NUMBERED, {"site": site, "link": link, "control_id": control_id})
