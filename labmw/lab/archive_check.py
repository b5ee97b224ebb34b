"""Is the archive whole? Every file is there and as it was written, nothing is there that nobody knows, and each manifest follows the one before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from labmw.errors import StoreError
from labmw.lab.archive_return import opened
from labmw.lab.archiving import BEGINNING, Archiver, file_of
from labmw.store.archive.folder import MANIFEST, MOST_MANIFEST, digest
from labmw.store.statements import archive as stored
from labmw.store.statements import keys
from labmw.store.statements.archive import READABLE
from labmw.store.statements.audit import audit_about, audited
from labmw.store.transaction import Row, ask

WHERE: Final = "archive"
LOOKED: Final = "archive-verified"
"""Under this subject and name the audit says when the archive was read through, and with which result."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: a code of the catalogue, with its place and what was found."""

    code: str
    archive: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at: removals, files, rows in them, and what is wrong."""

    moves: int
    files: int
    rows: int
    faults: tuple[Fault, ...]


async def look_through(archiver: Archiver) -> Looked:
    """Read the whole archive, and write into the audit that it was read; raises StoreError when the folder or the store cannot be used."""
    site, store = archiver.site, archiver.store
    moves = await store.view(ask(stored.moves(site)))
    pieces = await store.view(ask(stored.pieces(site)))
    faults: list[Fault] = []
    files = rows = 0
    before = BEGINNING
    for move in moves:
        if move.state != "moved":
            faults += [Fault("archive-cut-off", move.name)] if move.state == "writing" else []
            continue
        own = [one for one in pieces if one.move == move.id]
        said = await store.view(ask(audit_about(site, [f"certificate/{move.certificate}"])))
        faults += _manifest(archiver, move, own, before, said)
        before = move.manifest
        for piece in own:
            file = file_of(piece.of, piece.key)
            if piece.state not in READABLE:
                if archiver.folder.has(piece.name, file):
                    faults.append(Fault("archive-left", piece.name, file))
                continue
            files += 1
            wrapped = await store.view(ask(keys.among([piece.key]))) if piece.key is not None else []
            try:
                kept = opened(archiver, piece, wrapped)
            except StoreError as error:
                faults.append(Fault("archive-damaged", piece.name, str(error)))
                continue
            rows += len(kept)
            if len(kept) != piece.rows:
                faults.append(Fault("archive-damaged", piece.name, f"{file}: {len(kept)} rows, {piece.rows}"))
    known = {move.name for move in moves if move.state in ("moved", "writing")}
    known |= {f"{move.name}.partial" for move in moves if move.state == "writing"}
    faults += [Fault("archive-unknown", name) for name in archiver.folder.names() if name not in known]
    found = Looked(len(moves), files, rows, tuple(faults))
    told: dict[str, Any] = {"files": files, "rows": rows, "faults": len(faults)}
    await store.run(ask(audited(site, at=archiver.now(), who=archiver.by, what=LOOKED, subject=WHERE, **told)))
    return found


def _manifest(archiver: Archiver, move: Row, pieces: Sequence[Row], before: str, told: Sequence[Row]) -> list[Fault]:
    try:
        data = archiver.folder.read(move.name, MANIFEST, MOST_MANIFEST)
    except StoreError as error:
        return [Fault("archive-damaged", move.name, str(error))]
    said = [json.loads(row.detail).get("manifest") for row in told if row.what == "archived"]
    if digest(data) != move.manifest or said != [move.manifest]:
        return [Fault("archive-manifest", move.name)]
    manifest = json.loads(data)
    listed = {of: (one["digest"], one["size"], one["rows"]) for of, one in manifest["pieces"].items()}
    if manifest["previous"] != before or move.previous != before:
        return [Fault("archive-chain", move.name)]
    if listed != {one.of: (one.digest, one.size, one.rows) for one in pieces}:
        return [Fault("archive-manifest", move.name)]
    return []
