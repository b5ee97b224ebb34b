"""How is what lies in quarantine read again, beside a running daemon? With today's drivers, mapping and packs, in the order in which it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from labmw.clock import SYSTEM, stamp
from labmw.config import Config
from labmw.fitting.knowledge import Knowledge
from labmw.fitting.reading import Readers
from labmw.lab.replay import Replayed, received_again, replay
from labmw.store import open_store
from labmw.store.statements.quarantine import message_numbered, messages_in_quarantine
from labmw.store.transaction import ask


async def replay_quarantine(
    config: Config, *, reason: str, messages: Sequence[int], by: str, why: str
) -> list[Replayed]:
    """Read what lies in quarantine again with today's drivers and packs, in the order in which it came, beside a running daemon.

    `reason` and `messages` narrow it down; "" and none mean everything. Raises StoreError; what was replayed by then stays so.
    """
    site = config.site.id
    clock, knowledge = SYSTEM, Knowledge.read(config)
    readers = Readers(config, clock, knowledge)
    store = open_store(config.store.url, key_file=config.store.key_file)
    await store.start()
    try:
        found = [row.message for row in await store.view(ask(messages_in_quarantine(site, reason)))]
        replayed: list[Replayed] = []
        for number in [one for one in found if not messages or one in messages]:
            (row,) = await store.view(ask(message_numbered(site, number)))
            again = await store.view(received_again(site, row, readers.gathering, readers.encoding))
            if again is None or row.link.endswith(
                " messages"
            ):  # a partner's: it has the answer, and sends what it mends
                replayed.append(Replayed(number))
                continue
            reading = await asyncio.to_thread(readers.read, again)
            at = stamp(clock.now())
            tolerance = next((link.clock_tolerance for link in config.link if link.name == again.link), 0.0)
            script = replay(
                site,
                number,
                again,
                reading,
                packs=knowledge.packs,
                at=at,
                by=by,
                why=why,
                tolerance=tolerance,
                specimens=readers.specimens,
            )
            replayed.append(await store.run(script))
    finally:
        await store.stop()
    return replayed
