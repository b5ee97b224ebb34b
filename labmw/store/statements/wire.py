"""What came over the wire: sessions, frames, messages, and how the links are doing."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update

from labmw.store.schema import frame, link_state, message, session
from labmw.store.statements.words import given, given_number, given_texts, is_not
from labmw.store.together import AMONG
from labmw.store.transaction import Step

_taken = (
    select(func.coalesce(func.max(message.c.last_frame), -1))
    .where(message.c.site == session.c.site, message.c.session == session.c.id)
    .scalar_subquery()
)
_last = (
    select(func.coalesce(func.max(frame.c.seq), -1))
    .where(frame.c.site == session.c.site, frame.c.session == session.c.id)
    .scalar_subquery()
)
_OPEN_SESSIONS: Final = (
    select(session, _taken.label("taken"), _last.label("last_seq"))
    .where(session.c.site == given("site"), session.c.closed_at.is_(None))
    .order_by(session.c.opened_at, session.c.id)
)
_FRAMES: Final = (
    select(frame)
    .where(
        frame.c.site == given("site"),
        frame.c.session == given("session"),
        frame.c.seq > given_number("after"),
        frame.c.seq <= given_number("upto"),
    )
    .order_by(frame.c.seq)
)
_CLOSE_SESSION: Final = (
    update(session)
    .where(session.c.site == given("at_site"), session.c.id == given("session"), session.c.closed_at.is_(None))
    .values(closed_at=given("at"), closing=given("why"))
    .returning(session.c.id)
)
_FRAMES_IN_NO_MESSAGE: Final = (
    select(frame.c.session, frame.c.link, func.count().label("frames"))
    .where(
        frame.c.site == given("site"),
        ~select(message.c.id)
        .where(
            message.c.site == frame.c.site,
            message.c.session == frame.c.session,
            message.c.first_frame <= frame.c.seq,
            message.c.last_frame >= frame.c.seq,
        )
        .exists(),
    )
    .group_by(frame.c.session, frame.c.link)
    .order_by(frame.c.session)
)
_MESSAGES_BY_CONTROL_ID: Final = (
    select(
        message.c.id,
        message.c.control_id,
        message.c.digest,
        message.c.received_at,
        message.c.reply,
        message.c.disposition,
    )
    .where(
        message.c.site == given("site"),
        message.c.link == given("link"),
        message.c.control_id.in_(given_texts("control_ids")),
        is_not(message.c.control_id, ""),
    )
    .order_by(message.c.id)
    .execution_options(**{AMONG: ("control_ids", "control_id")})
)
_LINK_STATES: Final = select(link_state).where(link_state.c.site == given("site")).order_by(link_state.c.link)


def open_sessions(site: str) -> Step:
    """The sessions that no end has been written for: after a restart, those that were cut.

    Beside the session: `taken`, the last frame that a message has used, and `last_seq`, the last frame there is; -1 for none.
    Frames after `taken` were acknowledged and are nowhere else.
    """
    return Step(_OPEN_SESSIONS, {"site": site})


def frames_after(site: str, session: str, last_seq: int) -> Step:
    """The frames of a session after one (-1: all of them), in order."""
    return Step(_FRAMES, {"site": site, "session": session, "after": last_seq, "upto": 2**31 - 1})


def frames_between(site: str, session: str, first: int, last: int) -> Step:
    """The frames a message was made of, in order."""
    return Step(_FRAMES, {"site": site, "session": session, "after": first - 1, "upto": last})


def close_session(site: str, session: str, *, at: str, why: str) -> Step:
    """Write a session's end; belongs in, or after, the transaction that takes its last frames. Answers no row when it had one."""
    return Step(_CLOSE_SESSION, {"at_site": site, "session": session, "at": at, "why": why})


def frames_in_no_message(site: str) -> Step:
    """Sessions with acknowledged frames that no message holds; reads every frame, for checks and tests. Empty on a healthy idle store."""
    return Step(_FRAMES_IN_NO_MESSAGE, {"site": site})


def messages_by_control_id(site: str, link: str, control_id: str) -> Step:
    """Messages that came under this MSH-10 on this link, oldest first: the same bytes get the stored reply (law 4)."""
    return Step(_MESSAGES_BY_CONTROL_ID, {"site": site, "link": link, "control_ids": [control_id]})


def link_states(site: str) -> Step:
    """How each link is doing."""
    return Step(_LINK_STATES, {"site": site})
