"""Rows with bytes, for tests of what lies in a store and what comes out of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from labmw.store import Transaction, open_reader, schema
from labmw.store.statements import insert, insert_once

SECRET = b"H|\\^&|||ANALYZER\rP|1||279035121518989||DUPONT^CLAIRE\r"
MARK = b"\x00labmw\x1a"
RAW = select(schema.message.c.id, schema.message.c.raw, schema.message.c.reply).order_by(schema.message.c.id)
JOURNAL = select(schema.journal.c.data).order_by(schema.journal.c.id)
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
