"""How does something get from the store into the archive, so that a crash at any moment loses nothing and leaves nothing twice?

    noted      a row names the folder and keeps the keys of its files             (transaction)
    written    files, manifest and folder are on the disk                         (fsync)
    moved      the rows go, tombstones and the certificate stand in their place   (one transaction, in which everything is looked at again)

Cut off before the last step, the rows are still in the store: the next removal discards the folder first. Decision 0077.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from labmw.config import Retention
from labmw.lab.archive_index import indexed, stubs
from labmw.lab.leaving import Leaving, Taken
from labmw.lab.retention import PATIENT_CLASSES, Due
from labmw.lab.sealing import stones_digest
from labmw.store import schema, statements
from labmw.store.archive.folder import MANIFEST, ArchiveFolder, digest
from labmw.store.archive.piece import Kept, encode
from labmw.store.encryption import apart
from labmw.store.encryption.envelope import Unreadable
from labmw.store.encryption.keyring import DataKey, Keyring
from labmw.store.statements import archive as stored
from labmw.store.statements import keys
from labmw.store.statements import retention as stones
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Store, Transaction, ask

BEGINNING: Final = "0" * 64
"""What the first manifest holds in the place of the digest of one before it."""
NOBODYS: Final = ("qc", "audit")


def archive_terms(terms: Retention) -> Retention:
    """The ages at which the classes go into the archive, in the place of those at which they are destroyed."""
    ages = {name: getattr(terms, f"archive_{name}") or terms.archive for name in (*PATIENT_CLASSES, "qc", "audit")}
    first = min(ages[name] for name in PATIENT_CLASSES)
    return msgspec.structs.replace(terms, **ages, archive=first, genetics=terms.archive_genetics or first)


@dataclass(frozen=True, slots=True)
class Moved:
    """One removal that is through; `pieces`: rows by class."""

    name: str
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is to go: the rows of each piece, what the index is to say of it, and since when nobody's rows are there."""

    pieces: Mapping[str, Sequence[Kept]]
    index: Mapping[str, frozenset[tuple[str, str]]]
    newest: str


class _Rehearsed(Exception):
    """Ends a transaction that was only to show what it would do."""

    def __init__(self, why: str, found: Gathered) -> None:
        super().__init__("rehearsed")
        self.why, self.found = why, found


class _Overtaken(Exception):
    """What is in the store is no longer what was written to the archive."""


@dataclass(slots=True)
class Archiver:
    """Moves what a plan names, one patient at a time, or some rows of what is nobody's; `now` answers the moment as the store keeps it."""

    site: str
    store: Store
    folder: ArchiveFolder
    ring: Keyring | None
    by: str
    now: Callable[[], str]

    async def clear(self) -> int:
        """Bring to its end what was cut off; returns how many removals were discarded."""
        writing = await self.store.view(ask(stored.writing(self.site)))
        for one in writing:
            self.folder.discard(one.name)
            await self.store.run(_abandoned(one.id, self.now()))
        for piece in await self.store.view(ask(stored.going(self.site))):
            self.folder.remove(piece.name, file_of(piece.of, piece.key))
            await self.store.run(_gone(piece))
        return len(writing)

    async def move(self, plan: Mapping[str, Any], kind: str, one: Due | None = None) -> Moved | str | None:
        """Move what is due of a patient, or some of what is nobody's (`kind` qc, audit); returns why not, or None when there is nothing."""
        salt = secrets.token_hex(32)
        work = Removal(self.site, plan, salt, kind, one, self.by)
        try:
            await self.store.run(work.rehearse(self.now()))
        except _Rehearsed as end:
            why, found = end.why, end.found
        if why or not found.pieces:
            return why or None
        name, number, previous, made = await self.store.run(self._noted(work, found))
        files, told = self._files(name, previous, salt, found, made)
        self.folder.write(name, files)
        try:
            await self.store.run(
                work.carry_out(number, name, previous, found, told, digest(files[MANIFEST]), self.now())
            )
        except _Overtaken:
            self.folder.discard(name)
            await self.store.run(_abandoned(number, self.now()))
            return "archive-overtaken"
        return Moved(name, {of: len(rows) for of, rows in found.pieces.items()})

    def _noted(self, work: Removal, found: Gathered) -> Transaction[tuple[str, int, str, Mapping[str, DataKey]]]:
        name, at = secrets.token_hex(8), self.now()
        before = yield stored.last_manifest(self.site)
        previous = before[0].manifest if before else BEGINNING
        made: Mapping[str, DataKey] = {}
        if self.ring is not None:
            made = dict(zip(found.pieces, (yield from apart.make(self.ring, len(found.pieces))), strict=True))
        last = work.one.last if work.one else ""
        values = {"name": name, "kind": work.kind, "state": "writing", "began_at": at, "by": self.by, "last": last}
        rows = yield statements.insert(schema.archive_move, site=self.site, previous=previous, **values)
        number: int = rows[0].id
        for of in found.pieces:
            key = made[of].number if of in made else None
            piece: dict[str, Any] = {"class": of, "state": "noted", "key": key}
            yield statements.insert(schema.archive_piece, site=self.site, move=number, **piece)
        return name, number, previous, made

    def _files(
        self, name: str, previous: str, salt: str, found: Gathered, made: Mapping[str, DataKey]
    ) -> tuple[dict[str, bytes], dict[str, dict[str, Any]]]:
        """The files by their names, and what the store and the manifest say of each piece, by class."""
        files: dict[str, bytes] = {}
        told: dict[str, dict[str, Any]] = {}
        for of, rows in found.pieces.items():
            head = {"site": self.site, "archive": name, "class": of, "revision": schema.REVISION, "salt": salt}
            key = made.get(of)
            data = encode(head, rows)
            if key is not None:
                data = apart.sealed(data, key)
            files[file_of(of, key.number if key else None)] = data
            told[of] = {"digest": digest(data), "size": len(data), "rows": len(rows)}
        manifest = {
            "schema": "labmw-archive-manifest/1",
            "site": self.site,
            "archive": name,
            "previous": previous,
            "pieces": told,
        }
        files[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
        return files, told


@dataclass(frozen=True, slots=True)
class Removal:
    """What one removal takes out of the store: the same steps when it is rehearsed and when it is done."""

    site: str
    plan: Mapping[str, Any]
    salt: str
    kind: str
    one: Due | None
    by: str

    def rehearse(self, at: str) -> Transaction[None]:
        """Show what would go; always ends by raising, so that nothing has gone."""
        why, _, found = yield from self._take_out("rehearsed", at)
        raise _Rehearsed(why, found)

    def carry_out(
        self,
        number: int,
        name: str,
        previous: str,
        written: Gathered,
        told: Mapping[str, Mapping[str, Any]],
        manifest: str,
        at: str,
    ) -> Transaction[None]:
        """Take out what was written to the archive; raises _Overtaken, and nothing has gone, when the store holds something else by now."""
        before = yield stored.last_manifest(self.site)
        why, certificate, found = yield from self._take_out(name, at)
        if why or found != written or (before[0].manifest if before else BEGINNING) != previous:
            raise _Overtaken
        left = yield stones.tombstones_of(certificate)
        total = stones_digest(left)
        yield change(schema.certificate, certificate, closed_at=at, digest=total, tombstones=len(left))
        yield change(
            schema.archive_move, number, state="moved", closed_at=at, manifest=manifest, certificate=certificate
        )
        for piece in (yield stored.of_moves([number])):
            yield change(schema.archive_piece, piece.id, state="moved", newest=found.newest, **told[piece.of])
            rows = [{"site": self.site, "piece": piece.id, "kind": kind, "value": value} for kind, value in sorted(found.index[piece.of])]  # fmt: skip
            if rows:
                yield statements.insert_rows(schema.archive_index, rows)
        detail: dict[str, Any] = {"digest": total, "tombstones": len(left), "archive": name, "manifest": manifest}
        yield audited(self.site, at=at, who=self.by, what="archived", subject=f"certificate/{certificate}", **detail)

    def _take_out(self, name: str, at: str) -> Transaction[tuple[str, int, Gathered]]:
        signed = {"signed_by": self.by, "role": "", "signed_at": at}
        rows = yield statements.insert(
            schema.certificate, site=self.site, plan=f"archive/{name}", began_at=at, **signed
        )
        leaving = Leaving(self.site, self.plan, self.salt, rows[0].id, taken=[])
        tubes = yield from _tubes(self.site, self.one)
        why = yield from self._script(leaving, at)
        taken = leaving.taken or []
        if any(isinstance(value, Unreadable) for one in taken for value in one.row):
            why = "archive-unreadable"
        if why or not taken:
            return why, leaving.number, Gathered({}, {}, "")
        if self.kind in NOBODYS:
            taken = [replace(one, of=self.kind) for one in taken]
        kept = _by_class(taken)
        for of in kept:
            kept[of] += yield from stubs(kept[of], taken)
        index = yield from indexed(self.site, self.one.patient if self.one else "", tubes, kept)
        newest = "" if self.kind not in NOBODYS else max(_moments(taken), default="")
        return "", leaving.number, Gathered(kept, index, newest)

    def _script(self, leaving: Leaving, at: str) -> Transaction[str]:
        if self.one is not None:
            return (yield from leaving.patient(self.one, at))
        yield from leaving.controls(at) if self.kind == "qc" else leaving.audit(at)
        return ""


def file_of(of: str, key: int | None) -> str:
    """The name of a piece's file."""
    return f"{of}.sealed" if key is not None else f"{of}.lines"


def _by_class(taken: Iterable[Taken]) -> dict[str, list[Kept]]:
    kept: dict[str, list[Kept]] = {}
    for one in taken:
        how = "emptied" if one.emptied else "whole"
        kept.setdefault(one.of, []).append(Kept(one.table, one.row.mapping(), how))
    return kept


def _tubes(site: str, one: Due | None) -> Transaction[frozenset[str]]:
    """The tubes of a patient, as long as they are here."""
    if one is None:
        return frozenset()
    own = {row.identifier for row in (yield stones.of_patient(schema.specimen, site, [one.patient]))}
    return frozenset(
        own | {row.specimen for row in (yield stones.of_patient(schema.result, site, [one.patient]))} - {""}
    )


def _moments(taken: Iterable[Taken]) -> list[str]:
    """When what is nobody's came: results of control materials, rows of the audit."""
    names = {schema.result.name: "received_at", schema.audit.name: "at"}
    return [getattr(one.row, names[one.table.name]) for one in taken if one.table.name in names]


def _abandoned(number: int, at: str) -> Transaction[None]:
    rows = yield stored.of_moves([number])
    if numbers := [row.key for row in rows if row.key is not None]:
        yield keys.destroy(numbers)
    yield stones.remove(schema.archive_piece, [row.id for row in rows])
    yield change(schema.archive_move, number, state="abandoned", closed_at=at)


def _gone(piece: Row) -> Transaction[None]:
    ended = {"destroying": "destroyed", "returning": "returned"}[piece.state]
    yield change(schema.archive_piece, piece.id, state=ended)
