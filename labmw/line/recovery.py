"""After a restart: what was acknowledged frame by frame and never ended is handed to intake as unterminated (law 3)."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.line.received import UNTERMINATED, Intake, Received
from labmw.store import statements
from labmw.store.transaction import Row, Store, Transaction, ask
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly, Message
from protocols.errors import ProtocolError

log = structlog.get_logger("labmw.line")


async def recover(site: str, store: Store, intake: Intake, clock: Clock, encoding_of: Callable[[str], str]) -> int:
    """Close every session that the last process left open; return how many messages came to light. `encoding_of` a link by name."""
    found = 0
    for session in await store.view(ask(statements.open_sessions(site))):
        found += await _session(site, session, store, intake, clock, encoding_of(session.link))
        await store.run(_close(site, session.id, stamp(clock.now())))
    return found


def _close(site: str, session: str, now: str) -> Transaction[None]:
    yield statements.close_session(site, session, at=now, why="restart")


async def _session(site: str, session: Row, store: Store, intake: Intake, clock: Clock, encoding: str) -> int:
    """Put a session's frames together again, from the last message that was taken in; what intake already has, it recognises."""
    taken = await store.view(ask(statements.last_message_of_session(site, session.id)))
    since = taken[0].first_frame if taken and taken[0].first_frame is not None else 1
    rows = await store.view(ask(statements.frames_after(site, session.id, since - 1)))
    assembly = Assembly(encoding)
    first, found = since, 0

    async def take(message: Message, row: Row, place: int) -> None:
        nonlocal found
        received = Received(
            link=session.link,
            session=session.id,
            peer=session.peer,
            protocol="astm",
            first=first,
            last=row.seq,
            place=place,
            received_at=read_stamp(row.at),
            raw=message.raw,
            message=message,
        )
        stored = await intake.take(received)
        if not stored.repeat:
            found += 1
            log.warning(
                "message recovered from the journal",
                link=session.link,
                session=session.id,
                message=stored.message,
                reason=stored.reason,
            )

    try:
        for row in rows:
            complete = assembly.feed(Frame(row.number, row.text, bool(row.last), b""))
            for place, message in enumerate(complete):
                await take(message, row, place)
                first = row.seq if assembly.pending else row.seq + 1
    except ProtocolError as error:
        log.error("frames of a session cannot be read; they stay in the journal", session=session.id, why=str(error))
    if rows and (rest := assembly.close()) is not None:
        await take(rest, rows[-1], UNTERMINATED)
    return found
