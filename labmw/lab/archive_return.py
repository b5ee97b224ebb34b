"""How do rows come back from the archive, all of them once? They are written first, in one transaction; only then do the files go.

What stands here by now in the place of an archived row (a patient who has come again) stays as it is: then the piece stays in the archive too, marked "partly".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table

from labmw.errors import StoreError
from labmw.lab.archiving import Archiver, file_of
from labmw.lab.retention import CHUNK
from labmw.store import schema
from labmw.store.archive.folder import digest
from labmw.store.archive.piece import Kept, decode
from labmw.store.encryption import apart
from labmw.store.encryption.shredding import write_anew
from labmw.store.statements import archive as stored
from labmw.store.statements import keys, writing
from labmw.store.statements import retention as stones
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction, ask

_OWN: Final = ("results", "identity")
"""Classes whose pieces hold one patient's data alone."""
_CONTENTS: Final = {"message": ("raw", "reply"), "outbox": ("payload", "receipt")}


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back: names of the removals, rows, and how many rows were left out because something newer stands in their place."""

    names: tuple[str, ...]
    rows: int
    left_out: int


async def bring_back(archiver: Archiver, *, specimen: str = "", name: str = "", why: str) -> Returned | None:
    """Bring back everything of whoever's tube this was, or one removal; None when there is nothing of it in the archive. Raises StoreError."""
    own, lent = await archiver.store.view(_wanted(archiver.site, specimen, name))
    if not own:
        return None
    contents = {piece.id: (piece, await _read(archiver, piece)) for piece in own}
    more = [one for piece in lent for one in await _read(archiver, piece)]
    borrowed = _shared([one for _, kept in contents.values() for one in kept], more)
    done: Returned = await archiver.store.run(_returned(archiver, contents, borrowed, specimen or name, why))
    await archiver.clear()
    return done


def _wanted(site: str, specimen: str, name: str) -> Transaction[tuple[list[Row], list[Row]]]:
    """The pieces that come back, and those of other patients in which something of the same patients is."""
    if name:
        moves = {row.id for row in (yield stored.moves(site)) if row.name == name}
    else:
        moves = {row.move for row in (yield stored.named(site, "specimen", [specimen]))}
    rows = (yield stored.of_moves(sorted(moves))) if moves else []
    owners: list[str] = []
    if numbers := [row.id for row in rows if row.of in _OWN]:
        owners = sorted({row.value for row in (yield stored.in_pieces(numbers, "patient"))})
    named = (yield stored.named(site, "patient", owners)) if owners else []
    if not name:  # all of a patient comes back, also what went earlier or later
        earlier = {row.move for row in named if row.of in _OWN or row.move in moves}
        rows = (yield stored.of_moves(sorted(moves | earlier))) if moves else []
    own = {row.id: row for row in rows if row.state == "moved"}
    return list(own.values()), list({row.id: row for row in named if row.id not in own}.values())


def _shared(rows: Sequence[Kept], more: Sequence[Kept]) -> list[Kept]:
    """What others' pieces hold of the messages and sessions of these rows: it comes back too, and stays there."""
    numbers = {one.values["id"] for one in rows if one.table is schema.message}
    messages = [one for one in more if one.table is schema.message and one.values["id"] in numbers]
    sessions = {one.values["session"] for one in (*rows, *messages) if one.table is schema.message} - {""}
    lines = [one for one in more if one.table in (schema.journal, schema.frame) and one.values["session"] in sessions]
    return [*messages, *lines]


async def _read(archiver: Archiver, piece: Row) -> list[Kept]:
    return opened(
        archiver, piece, await archiver.store.view(ask(keys.among([piece.key]))) if piece.key is not None else []
    )


def opened(archiver: Archiver, piece: Row, found: list[Row]) -> list[Kept]:
    """The rows of a piece, when its file is the one that was written; `found`: the row of its key. Raises StoreError."""
    file = file_of(piece.of, piece.key)
    data = archiver.folder.read(piece.name, file, piece.size)
    if digest(data) != piece.digest:
        raise StoreError(
            f"{file} of {piece.name} in the archive is not what was written; put its copy in its place (`labmw retention archive verify`)"
        )
    if piece.key is not None:
        data = apart.opened(archiver.ring, piece.key, found, data)
    _, kept = decode(data, site=archiver.site, archive=piece.name, **{"class": piece.of})
    return kept


def _returned(
    archiver: Archiver,
    contents: Mapping[int, tuple[Row, Sequence[Kept]]],
    borrowed: Sequence[Kept],
    subject: str,
    why: str,
) -> Transaction[Returned]:
    site, at = archiver.site, archiver.now()
    count, missed = 0, dict.fromkeys(contents, 0)
    for table in schema.metadata.sorted_tables:
        for how in ("whole", "emptied", "stub"):  # what is whole goes before what only stands for it
            for number, (_, kept) in contents.items():
                rows = [one.values for one in kept if one.table is table and one.how == how]
                new, left = yield from _put_back(table, sorted(rows, key=lambda row: row["id"]), how)
                count, missed[number] = count + new, missed[number] + left
            rows = [one.values for one in borrowed if one.table is table and one.how == how]
            new, _ = yield from _put_back(table, sorted(rows, key=lambda row: row["id"]), how)
            count += new
    for number, (piece, _) in contents.items():
        if missed[number]:
            yield change(schema.archive_piece, number, state="partly")
            continue
        yield change(schema.archive_piece, number, state="returning")
        yield stored.forget([number])
        if piece.key is not None:
            yield keys.destroy([piece.key])
    names = tuple(sorted({piece.name for piece, _ in contents.values()}))
    detail = {"archives": list(names), "rows": count, "left_out": sum(missed.values())}
    yield audited(
        site, at=at, who=archiver.by, what="archive-returned", subject=f"archive/{names[0]}", why=why, **detail
    )
    return Returned(names, count, sum(missed.values()))


def _put_back(table: Table, rows: Sequence[Mapping[str, Any]], how: str) -> Transaction[tuple[int, int]]:
    """Write rows of a table that are not here; returns how many, and how many were left out."""
    here = {row.id: row for row in (yield from _here(table, [row["id"] for row in rows]))}
    new = left = 0
    for row in rows:
        present = here.get(row["id"])
        if present is None and how != "emptied":
            if stones.referring(table):
                yield writing.insert(table, **row)
            elif not (yield writing.insert_once(table, **row)):
                left += 1
                continue
            new += 1
        elif present is None:
            left += 1  # the message itself is not here to take its contents back
        elif how != "stub":
            same = all(getattr(present, name) == value for name, value in row.items())
            if not same and _lacks_contents(table, present, row):
                yield from write_anew(table, present, **{name: row[name] for name in _CONTENTS[table.name]})
                rest = {name: value for name, value in row.items() if name not in (*_CONTENTS[table.name], "id")}
                yield change(table, present.id, **rest)
                new += 1
            elif not same:
                raise StoreError(
                    f"row {present.id} of {table.name} is another one by now; bring the archive back into a copy of the store"
                )
    return new, left


def _lacks_contents(table: Table, present: Row, row: Mapping[str, Any]) -> bool:
    """Whether a message here is the same one without its contents."""
    names = {"message": ("site", "link", "received_at", "digest"), "outbox": ("site", "destination", "control_id")}
    if table.name not in names or getattr(present, _CONTENTS[table.name][0]):
        return False
    return all(getattr(present, name) == row[name] for name in names[table.name])


def _here(table: Table, numbers: Sequence[int]) -> Transaction[list[Row]]:
    found: list[Row] = []
    for start in range(0, len(numbers), CHUNK):
        found += yield stones.rows_by(table, "id", numbers[start : start + CHUNK])
    return found
