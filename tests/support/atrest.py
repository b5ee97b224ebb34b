"""Rows with bytes, for tests of what lies in a store and what comes out of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import cast, select

from labmw.store import Step, Transaction, open_reader, schema
from labmw.store.encryption.envelope import marked
from labmw.store.statements import insert, insert_once, insert_rows, keep_payload, outbox_delivered
from labmw.store.statements.words import given_bytes

SECRET = b"H|\\^&|||ANALYZER\rP|1||279035121518989||DUPONT^CLAIRE\r"
MARK = b"\x00labmw\x1a"
RAW = select(schema.message.c.id, schema.message.c.raw, schema.message.c.reply).order_by(schema.message.c.id)
JOURNAL = select(schema.journal.c.data).order_by(schema.journal.c.id)
_SAID = select(cast(given_bytes("lies"), schema.message.c.raw.type).label("raw"))
"""Bytes that the store is given and reads back: it opens what is encrypted."""
FRAMES = select(schema.frame.c.text).order_by(schema.frame.c.id)


def message(raw: bytes, reply: bytes | None = None) -> Transaction[int]:
    row: dict[str, Any] = {"site": "s", "link": "l", "direction": ">", "protocol": "astm", "received_at": "t"}
    rows = yield insert(schema.message, **row, digest="d", raw=raw, reply=reply)
    number: int = rows[0].id
    return number


def piece(data: bytes, session: str = "a") -> dict[str, Any]:
    return {"site": "s", "link": "l", "session": session, "at": "t", "direction": ">", "data": data}


def frame(seq: int, text: bytes, session: str = "a") -> dict[str, Any]:
    return {"site": "s", "link": "l", "session": session, "seq": seq, "number": seq % 8, "text": text, "at": "t"}


def opened() -> Transaction[None]:
    for session in ("a", "b"):
        yield insert_once(schema.session, id=session, site="s", link="l", opened_at="t")


def lies(url: str, table: str, column: str) -> list[bytes]:
    """The bytes as they lie in the database."""
    of = schema.metadata.tables[table]
    with open_reader(url, as_it_lies=True) as reader:
        return [row[0] for row in reader.read(select(of.c[column]).order_by(of.c.id))]


def everything() -> Transaction[None]:
    """A row with bytes in every column that is encrypted where there is a key."""
    number = yield from message(SECRET, SECRET)
    yield insert_once(schema.session, id="a", site="s", link="l", opened_at="t")
    yield insert_rows(schema.frame, [frame(1, SECRET), frame(2, SECRET)])
    yield insert_rows(schema.journal, [piece(SECRET), piece(SECRET, "b")])
    made: dict[str, Any] = {"site": "s", "destination": "lis", "control_id": "C1", "due_at": "t", "created_at": "t"}
    (sent,) = yield insert(schema.outbox, message=number, **made)
    yield keep_payload(sent.id, SECRET)
    yield outbox_delivered(sent.id, at="t", receipt=SECRET)
    yield insert(schema.receipt, site="s", outbox=sent.id, at="t", code="AE", data=SECRET)
    told = {"site": "s", "role": "requester", "partner": "p", "number": "N", "state": "sent", "message": number}
    (order,) = yield insert(schema.sub_order, **told, created_at="t", updated_at="t")
    yield insert(schema.sub_order_item, site="s", sub_order=order.id, kind="consent", data=SECRET, at="t")
    report = {"site": "s", "sub_order": order.id, "direction": "in", "kind": "pdf", "digest": "d", "at": "t"}
    yield insert_once(schema.partner_document, **report, data=SECRET)


COLUMNS = [
    (table, column) for table, keys in schema.ENCRYPTED.items() for columns in keys.values() for column in columns
]
"""Every column that is encrypted, with its table."""


def read_all() -> Transaction[list[bytes]]:
    """What comes out of these columns."""
    found: list[bytes] = []
    for table, column in COLUMNS:
        rows = yield Step(select(schema.metadata.tables[table].c[column]))
        found += [row[0] for row in rows]
    return found


def as_read(url: str, key_file: str, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows of plain SQL with their encrypted bytes as the store itself reads them; all others are as they were."""
    if not any(marked(value) for row in rows for value in row):
        return rows
    with open_reader(url, key_file=key_file) as reader:

        def read(value: object) -> object:
            return reader.read(_SAID, {"lies": value})[0].raw if marked(value) else value

        return [tuple(read(value) for value in row) for row in rows]
