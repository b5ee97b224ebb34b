"""Whose is a piece of the archive, and what must be in it beside the rows that go? What a message holds of several patients is everybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Table

from labmw.lab.leaving import Taken
from labmw.lab.retention import CHUNK
from labmw.store import schema
from labmw.store.archive.piece import Kept
from labmw.store.statements import archive as stored
from labmw.store.statements import retention as stones
from labmw.store.transaction import Row, Transaction

_WITHOUT: Final[Mapping[str, Mapping[str, Any]]] = {
    "message": {"raw": b"", "reply": None, "facts": "{}", "sender": ""},
    "outbox": {"payload": None, "receipt": b""},
}
"""What a message is without its contents: as destruction leaves it where its results stay longer."""

Index = frozenset[tuple[str, str]]


def stubs(rows: Sequence[Kept], taken: Sequence[Taken]) -> Transaction[list[Kept]]:
    """The messages to which rows of a piece refer and which are not in it, without contents: they may be destroyed earlier, and the rows be asked for."""
    found: list[Kept] = []
    for table in (schema.message, schema.outbox):
        here = {one.values["id"] for one in rows if one.table is table}
        needed = {one.values[column.name] for one in rows for column in _referring(one.table, table)} - {None} - here
        goes = {one.row.id: one.row for one in taken if one.table is table and one.row.id in needed}
        stays = {row.id: row for row in (yield from _by(table, sorted(needed - goes.keys())))}
        for number in sorted(needed):
            row = goes.get(number) or stays[number]
            found.append(Kept(table, {**row.mapping(), **_WITHOUT[table.name]}, "stub"))
    return found


def indexed(
    site: str, patient: str, tubes: frozenset[str], kept: Mapping[str, Sequence[Kept]]
) -> Transaction[dict[str, Index]]:
    """What is to be known of each piece without opening it: patients, tubes, tests, and the messages whose results it holds."""
    index: dict[str, Index] = {}
    every = {("specimen", tube) for tube in tubes}
    for of, rows in kept.items():
        found = {("patient", patient)} if patient else set()
        for one in rows:
            found |= set(_told_by(one))
        found |= {("patient", who) for who in (yield from _others(site, rows, kept))}
        index[of] = frozenset(found | every)
    return index


def _told_by(one: Kept) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    if one.how == "stub":
        return told
    if one.table is schema.result:
        told += [("message", str(one.values["message"]))]
        told += [("test", one.values["loinc"])] if one.values["loinc"] else []
    tube = one.values["identifier"] if one.table is schema.specimen else one.values.get("specimen")
    return told + ([("specimen", tube)] if tube else [])


def _others(site: str, rows: Sequence[Kept], kept: Mapping[str, Sequence[Kept]]) -> Transaction[set[str]]:
    """Who else's data are in these messages and sessions: of those who are here, and of those who went into the archive before."""
    sessions = sorted({one.values["session"] for one in rows if one.table in (schema.journal, schema.frame)})
    messages = {one.values["id"] for one in rows if one.table is schema.message and one.how != "stub"}
    if sessions:
        going = [one.values for some in kept.values() for one in some if one.table is schema.message]
        messages |= {values["id"] for values in going if values["session"] in sessions}
        messages |= {row.id for row in (yield stones.messages_in(site, sessions))}
    found: set[str] = set()
    numbers = sorted(messages)
    for start in range(0, len(numbers), CHUNK):
        some = numbers[start : start + CHUNK]
        found |= {row.patient for row in (yield stones.measured_in(some))}
        found |= {row.patient for row in (yield stones.named_in(some))}
        before = yield stored.named(site, "message", [str(number) for number in some])
        if before:
            found |= {row.value for row in (yield stored.in_pieces([row.id for row in before], "patient"))}
    return found - {""}


def _referring(child: Table, parent: Table) -> list[Any]:
    return [column for table, column in stones.referring(parent) if table is child]


def _by(table: Table, numbers: Sequence[int]) -> Transaction[list[Row]]:
    found: list[Row] = []
    for start in range(0, len(numbers), CHUNK):
        found += yield stones.rows_by(table, "id", numbers[start : start + CHUNK])
    return found
