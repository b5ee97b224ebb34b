"""How does something leave the store for good? By a signed plan, one patient a transaction, and a tombstone stays where each thing was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labmw.lab.leaving import Leaving
from labmw.lab.retention import Due
from labmw.lab.sealing import stones_digest
from labmw.store import schema, statements
from labmw.store.statements import archive, keys
from labmw.store.statements import retention as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction


@dataclass(frozen=True, slots=True)
class Signed:
    """Who has signed which plan."""

    plan: str
    who: str
    role: str
    at: str


@dataclass(slots=True)
class Destruction(Leaving):
    """One plan that is carried out."""

    def patient(self, one: Due, at: str) -> Transaction[str]:
        """Destroy what is due of a patient, here and in the archive; returns why nothing was, "" when it was."""
        why = yield from Leaving.patient(self, one, at)
        if why:
            return why
        pieces = [row for row in (yield archive.named(self.site, "patient", [one.patient])) if row.of in one.classes]
        if pieces:
            numbers = [row.id for row in pieces]
            yield archive.forget_one(numbers, "patient", one.patient)
            others = {row.piece for row in (yield archive.in_pieces(numbers, "patient"))}
            yield from self._pieces([row for row in pieces if row.id not in others], at)
        return ""

    def aged(self, at: str) -> Transaction[None]:
        """Destroy the pieces of the archive with what is nobody's and old enough."""
        for kind in ("qc", "audit"):
            yield from self._pieces((yield archive.aged(self.site, kind, self.plan[kind]["before"])), at)

    def _pieces(self, pieces: Sequence[Row], at: str) -> Transaction[None]:
        """Destroy the keys of pieces; their files are removed when this is on the disk (`Archiver.clear`)."""
        for piece in pieces:
            yield change(schema.archive_piece, piece.id, state="destroying")
            if piece.key is not None:
                yield keys.destroy([piece.key])
            yield from self._stone(piece.of, "archive", piece.id, piece.name, [piece.digest], at)
        if pieces:
            yield archive.forget([piece.id for piece in pieces])

    def begin(self, signed: Signed, at: str) -> Transaction[bool]:
        """Open the certificate, or take it up again after a crash; False when this plan was carried out already."""
        rows = yield stored.certificate_of(self.site, signed.plan)
        if rows:
            self.number = rows[0].id
            return rows[0].closed_at is None
        made = yield statements.insert(
            schema.certificate, site=self.site, plan=signed.plan, began_at=at, signed_by=signed.who, role=signed.role, signed_at=signed.at
        )  # fmt: skip
        self.number = made[0].id
        yield audited(
            self.site, at=at, who=signed.who, what="destruction-began", subject=f"certificate/{self.number}", plan=signed.plan
        )  # fmt: skip
        return True

    def close(self, signed: Signed, at: str) -> Transaction[str]:
        """Close the certificate: the audit says what its tombstones come to."""
        stones = yield stored.tombstones_of(self.number)
        digest = stones_digest(stones)
        yield change(schema.certificate, self.number, closed_at=at, digest=digest, tombstones=len(stones))
        subject = f"certificate/{self.number}"
        detail: dict[str, Any] = {"digest": digest, "tombstones": len(stones), "plan": signed.plan, "role": signed.role}
        yield audited(self.site, at=at, who=signed.who, what="destroyed", subject=subject, **detail)
        return digest
