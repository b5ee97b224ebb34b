"""Which reports as documents come with a partner's results? Kept as they are, whole or not; one that is cut off is asked for again."""

from __future__ import annotations

import hashlib

from labmw.lab.lis_told import Doubt, Told, raise_task
from labmw.lab.sub_orders import Cause, note
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.transaction import Row, Transaction
from protocols import document
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.ilw_results import documents_of
from protocols.hl7.report import ReportOrder

Refused = tuple[Doubt, ErrorDetail]
LATE = "interlab-document-late"


def take_documents(
    told: Told, row: Row, order: ReportOrder, cause: Cause, place: int
) -> Transaction[list[Refused | None]]:
    """Keep the documents of one order of a report; for each, what is wrong with it. `place`: OBX before the order in the message."""
    found: list[Refused | None] = []
    here = list(documents_of(order))
    known = {one.digest for one in (yield stored.documents_of([row.id]))} if here else set()
    for at, data in here:
        kept = data or b""
        whole = document.is_whole(kept)
        digest = hashlib.sha256(kept).hexdigest()
        if whole and digest not in known:
            yield from _too_late(row, document.kind_of(kept), digest, cause)
        yield statements.insert_once(
            schema.partner_document,
            site=told.site,
            sub_order=row.id,
            message=told.message,
            direction="in",
            kind=document.kind_of(kept) or "unknown",
            digest=digest,
            data=kept,
            whole=int(whole),
            at=told.at,
        )
        yield from note(row, "document" if whole else "document-cut", row.state, cause)
        if whole:
            found.append(None)
            continue
        text = "OBX-5: the document is cut off or cannot be decoded; send it again"
        facts = (("order", row.number), ("partner", row.partner))
        found.append((Doubt("interlab-document-cut", facts), ErrorDetail("102", text, Location("OBX", place + at, 5))))
    return found


def _too_late(row: Row, kind: str, digest: str, cause: Cause) -> Transaction[None]:
    """A document goes to the LIS with the results under which it came; when all of them have left before it, a person passes it on."""
    results = [one for one in (yield stored.performed_of(row.id)) if one.fate != "old"]
    if results and all(one.state in ("delivered", "withdrawn") for one in results):
        facts = {"order": row.number, "partner": row.partner, "kind": kind}
        yield from raise_task(cause.site, LATE, f"sub-order/{row.number}/{digest[:12]}", row.specimen, facts, cause.at)
