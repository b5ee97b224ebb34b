"""After a restart, or when the store is back: what was acknowledged frame by frame and never ended is handed to intake (law 3)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.line.gathering import Gathered, Gatherer
from labmw.line.received import Intake, Received
from labmw.store import statements
from labmw.store.encryption.envelope import readable
from labmw.store.transaction import Row, Store, Transaction, ask
from protocols.astm.frame import Frame

log = structlog.get_logger("labmw.line")


async def recover(
    site: str,
    store: Store,
    intake: Intake,
    clock: Clock,
    gathering: Callable[[str], Gatherer],
    only: Collection[str] | None = None,
) -> int:
    """Close every session that was left open, or `only` these; return how many messages came to light.

    `gathering` puts the messages of a link together as its line did. Raises StoreError; what was done by then stays done.
    """
    found = 0
    for session in await store.view(ask(statements.open_sessions(site))):
        if only is None or session.id in only:
            found += await _session(site, session, store, intake, gathering(session.link))
            await store.run(_close(site, session.id, stamp(clock.now()), "restart" if only is None else "store-back"))
    return found


def _close(site: str, session: str, now: str, why: str) -> Transaction[None]:
    yield statements.close_session(site, session, at=now, why=why)


async def _session(site: str, session: Row, store: Store, intake: Intake, gathering: Gatherer) -> int:
    """Put a session's frames together again, from its first: what intake already has, it recognises."""
    rows = await store.view(ask(statements.frames_after(site, session.id, -1)))
    found = 0
    for row in rows:
        for one in gathering.feed(Frame(row.number, readable(row.text), bool(row.last), b""), row.seq):
            found += await _take(session, one, row, intake, gathering.protocol)
    if rows and (rest := gathering.rest(rows[-1].seq)) is not None:
        found += await _take(session, rest, rows[-1], intake, gathering.protocol)
    return found


async def _take(session: Row, one: Gathered, row: Row, intake: Intake, protocol: str) -> int:
    received = Received(
        link=session.link,
        session=session.id,
        peer=session.peer,
        protocol=protocol,
        first=one.first,
        last=one.last,
        place=one.place,
        received_at=read_stamp(row.at),
        raw=one.message.raw,
        message=one.message,
    )
    stored = await intake.take(received)
    if stored.repeat:
        return 0
    log.warning(
        "message recovered from the journal",
        link=session.link,
        session=session.id,
        message=stored.message,
        reason=stored.reason,
    )
    return 1
