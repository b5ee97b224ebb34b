"""What becomes of a batch's envelope that does not fit its messages? It is kept, and a person asks the sender what is missing (decision 0080)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from labmw.clock import Clock, stamp
from labmw.lab.law_messages import keep_received
from labmw.lab.unread import storable
from labmw.line.received import Received
from labmw.store import schema, statements
from labmw.store.json_text import json_facts
from labmw.store.transaction import Store, Transaction
from protocols.hl7.report import Header


@dataclass(frozen=True, slots=True)
class BatchEnvelopes:
    """Fills `labmw.line.received.Envelopes`."""

    site: str
    store: Store
    clock: Clock
    commit_timeout: float = 10.0

    async def faulty(self, received: Received, faults: Sequence[str]) -> None:
        """Keep the lines of an envelope in quarantine, once however often it comes; raises StoreError."""
        script = _keep(self.site, received, faults[0], stamp(self.clock.now()))
        await self.store.run(script, timeout=self.commit_timeout)


def _keep(site: str, received: Received, fault: str, at: str) -> Transaction[None]:
    digest = hashlib.sha256(received.raw).hexdigest()
    if received.control_id:
        for row in (yield statements.messages_by_control_id(site, received.link, storable(received.control_id))):
            if row.digest == digest:
                return
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    facts = {"link": received.link, "problem": fault, "batch": storable(received.control_id) or "-"}
    header = Header("", "", "", "", "", "")
    kept = yield from keep_received(site, received, "batch", at, "quarantined", "batch-envelope", facts, None, header)
    entry = {
        "site": site,
        "message": kept.message,
        "reason": "batch-envelope",
        "facts": json_facts(facts),
        "raised_at": at,
    }
    yield statements.insert(schema.quarantine, **entry)
