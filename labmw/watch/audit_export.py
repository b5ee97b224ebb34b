"""The audit as lines for somebody else's archive: numbered, chained, with the store's own seals; and is such a file whole?

Line n has seq = n, the digest of its row, and hash = SHA-256 of the hash of line n-1, a line feed and its digest; before the first line there are 64
zeros. A row that was destroyed is a line all the same, with its digest and nothing else. Where a seal of the store ends, `seal` is its hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from labmw.documents import atna, syslog
from labmw.lab.sealing import BATCH, BEGINNING, row_digest
from labmw.store import Row, Transaction
from labmw.store.statements.audit import audit_after, seals_after
from labmw.store.statements.retention import tombstones_between

_TOLD = re.compile(r'\[labmw@32473 seq="(\d+)" hash="([0-9a-f]{64})" digest="([0-9a-f]{64})"')
FAILED: Final = frozenset({"dead-letter"})


@dataclass(frozen=True, slots=True)
class Exported:
    """How many lines were written, and the hash of the last: kept, it proves what came before."""

    lines: int
    hash: str


def export(
    site: str, form: str, host: str, process: str, write: Callable[[str], object], after: int = 0
) -> Transaction[Exported]:
    """Write every row of the audit after a number as one line, oldest first."""
    number, written, last, chain = 0, 0, 0, BEGINNING
    seals = yield from _seals(site)
    while rows := (yield audit_after(site, last, most=BATCH)):
        gone = yield tombstones_between(site, "audit", last, rows[-1].id)
        for id_, digest, row in _in_order(rows, gone):
            number += 1
            chain = link(chain, digest)
            told = {"hash": chain, "digest": digest, "id": str(id_)}
            if id_ in seals:
                told["seal"] = seals[id_]
            if number > after:
                write(_line(site, form, host, process, number, told, row))
                written += 1
        last = rows[-1].id
    return Exported(written, chain)


def _seals(site: str) -> Transaction[dict[int, str]]:
    found: dict[int, str] = {}
    last = 0
    while rows := (yield seals_after(site, last, most=BATCH)):
        found |= {row.last: row.hash for row in rows}
        last = rows[-1].last
    return found


def _in_order(rows: list[Row], gone: list[Row]) -> list[tuple[int, str, Row | None]]:
    found: list[tuple[int, str, Row | None]] = [(row.id, row_digest(row), row) for row in rows]
    return sorted(found + [(stone.row, stone.digest, None) for stone in gone], key=lambda one: one[0])


def _line(site: str, form: str, host: str, process: str, number: int, told: dict[str, str], row: Row | None) -> str:
    if row is None:
        return syslog.line(
            at="-", host=host, process=process, message_id="destroyed", number=number, chain=told, text="its time was over"
        )  # fmt: skip
    severity = syslog.WARNING if row.what in FAILED else syslog.NOTICE
    if form == "atna":
        text = atna.message(
            at=row.at, site=site, host=host, who=row.who, what=row.what, subject=row.subject, why=row.why, detail=row.detail,
            number=number, digest=told["digest"],
        )  # fmt: skip
        message_id = atna.MESSAGE_ID
    else:
        about = {"site": site, "who": row.who, "what": row.what, "subject": row.subject, "why": row.why}
        told = told | about | ({"detail": row.detail} if row.detail != "{}" else {})
        text = f"{row.who}: {row.what} {row.subject}" + (f" ({row.why})" if row.why else "")
        message_id = row.what
    return syslog.line(
        at=row.at, host=host, process=process, message_id=message_id, number=number, chain=told, text=text, severity=severity
    )  # fmt: skip


def link(chain: str, digest: str) -> str:
    """The hash of a line, from that of the line before it and the digest of its row."""
    return hashlib.sha256(f"{chain}\n{digest}".encode()).hexdigest()


def check(lines: Iterable[str]) -> tuple[int, str]:
    """How many lines of an exported file follow each other without a gap, and what is wrong after them ("" for nothing).

    A file may begin in the middle (`--after`): the first line is believed, and every other must follow from it.
    """
    count, number, chain = 0, 0, ""
    for line in lines:
        if not line.strip():
            continue
        found = _TOLD.search(line)
        if found is None:
            return count, f"line {count + 1} has no seq, hash and digest"
        seq, hash_, digest = int(found[1]), found[2], found[3]
        if count and seq != number + 1:
            return count, f"after {number} comes {seq}"
        if hash_ != link(chain or BEGINNING, digest) and (count or seq == 1):
            return count, f"{seq} does not follow from {number}: a line was changed"
        count, number, chain = count + 1, seq, hash_
    return count, ""
