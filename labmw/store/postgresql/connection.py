"""How is a PostgreSQL database opened, and how does a step become an answer?"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store.address import Server
from labmw.store.compiled import Compiler
from labmw.store.transaction import Row, Step, Values, row_type

CONNECT: Final = 5.0
"""Seconds to wait for the server to take a connection."""
MOST_BYTES: Final = 2**26
"""In the rows of one statement; beyond, each row is sent for itself (the server takes 1 GiB at once)."""
NUL: Final = "\x00"
SHOWN_NUL: Final = "\u2400"
"""PostgreSQL's text holds every character but NUL: it is kept as its symbol (decision 0030). The bytes of a message keep it as it came."""

_SETTINGS: Final = {
    # A dead host's locks and connections are to be noticed in half a minute, not in two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "search_path": "public",
    # The planner is told each value once and for all statements: our partial indexes stand in the text, not in the values.
    "plan_cache_mode": "auto",
}


def compiler() -> Compiler:
    """Statements as asyncpg takes them: $1, $2."""
    return Compiler(asyncpg_dialect.dialect())  # type: ignore[no-untyped-call]


async def connect(server: Server, *, patience: float | None, **settings: str) -> asyncpg.Connection[Any]:
    """Open one connection, whose statements take `patience` seconds at most; raises what asyncpg raises.

    `settings` are the server's own, for this connection. Its name there is "labmw PROCESS@HOST".
    """
    options: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "database": server.database,
        "ssl": server.ssl,
        "timeout": CONNECT,
        "command_timeout": patience,
        "statement_cache_size": 1024,
        "max_cached_statement_lifetime": 0,
    }
    name = f"labmw {os.getpid()}@{socket.gethostname()}"[:63]
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        **options, server_settings={**_SETTINGS, "application_name": name, **settings}
    )
    return connection


async def refuse_unsafe(connection: asyncpg.Connection[Any], place: str) -> None:
    """Raise StoreError, with the remedy, for a server that cannot keep what is acknowledged, or whose order of texts may change."""
    if connection.get_server_version().major < 15:
        raise StoreError(
            f"{place} is of version {connection.get_server_version().major}; labmw needs PostgreSQL 15 or newer"
        )
    for setting in ("fsync", "full_page_writes"):
        if await connection.fetchval(f"SHOW {setting}") != "on":
            raise StoreError(
                f"{place} runs with {setting} = off: what is acknowledged would be lost with the power; set {setting} = on there"
            )
    encoding = await connection.fetchval("SHOW server_encoding")
    row = await connection.fetchrow(
        "SELECT datcollate, datlocprovider FROM pg_database WHERE datname = current_database()"
    )
    assert row is not None
    # An index over texts is only as sound as the order of texts, which an update of the system's C library changes (except in C).
    plain = row["datcollate"].upper().replace("-", "") in ("C", "POSIX", "C.UTF8")
    if encoding != "UTF8" or not plain or row["datlocprovider"] == b"i":
        raise StoreError(
            f"{place} keeps text as {encoding} in the order of {row['datcollate']}; labmw needs UTF8 and C: "
            "make the database anew with CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"
        )


async def execute(connection: asyncpg.Connection[Any], compiler: Compiler, step: Step) -> list[Row]:
    """Run one step and return its rows."""
    statement, parameters = step
    if isinstance(parameters, Sequence):
        return await _execute_many(connection, compiler, statement, parameters)
    compiled = compiler(statement, parameters)
    values = _sent(compiled.values(parameters))
    text, taken = in_one_array(compiled.text) if compiled.lists else (compiled.text, ())
    if taken:
        values = [values[start] if end is None else values[start:end] for start, end in taken]
    return _rows(await connection.fetch(text, *values))


def _rows(records: Sequence[Any]) -> list[Row]:
    if not records:
        return []
    make = row_type(tuple(records[0].keys()))
    return [make(record) for record in records]


async def _execute_many(
    connection: asyncpg.Connection[Any], compiler: Compiler, statement: Executable, rows: Sequence[Values]
) -> list[Row]:
    answered: list[Row] = []
    start = 0
    while start < len(rows):
        names = tuple(rows[start])
        end = start + 1
        while end < len(rows) and tuple(rows[end]) == names:
            end += 1
        compiled = compiler(statement, rows[start])
        values = [_sent(one) for one in compiled.all_values(rows[start:end])]
        small = sum([len(value) for one in values for value in one if isinstance(value, bytes)]) < MOST_BYTES
        if len(values) > 1 and small and (text := columnwise(compiled.text)):
            answered += _rows(await connection.fetch(text, *[list(column) for column in zip(*values, strict=True)]))
        elif len(values) > 1 and not compiled.rows:
            await connection.executemany(compiled.text, values)
        else:
            for one in values:
                answered += _rows(await connection.fetch(compiled.text, *one))
        start = end
    return answered


@lru_cache(maxsize=1024)
def in_one_array(text: str) -> tuple[str, tuple[tuple[int, int | None], ...]]:
    """The same question with one array for each list of values, and which values each parameter takes: the one at a place, or those from one to another.

    A list of placeholders is another text for each length, which the server reads and plans anew. Nothing is taken where that cannot be done.
    """
    taken: list[tuple[int, int | None]] = []
    parts: list[str] = []
    for part in re.split(r"((?<!NOT )IN \((?:\$\d+::[A-Z]+, )*\$\d+::[A-Z]+\)|\$\d+)", text):
        places = [int(one) - 1 for one in re.findall(r"\$(\d+)", part)]
        if part.startswith("IN (") and places:
            if places != list(range(places[0], places[-1] + 1)):
                return text, ()
            taken.append((places[0], places[-1] + 1))
            parts.append(f"= ANY(${len(taken)}::{part.rpartition('::')[2][:-1]}[])")
        elif part.startswith("$"):
            taken.append((places[0], None))
            parts.append(f"${len(taken)}")
        else:
            parts.append(part)
    return "".join(parts), tuple(taken)


@lru_cache(maxsize=1024)
def columnwise(text: str) -> str:
    """The INSERT of one row as one of many, which come column by column; "" for what is no plain INSERT.

    One statement for all rows: the server plans and answers once, and each value is on the way once, without a message of its own.
    """
    found = _VALUES.fullmatch(text)
    if found is None or found[2].count("::") != found[1].count(",") + 1:
        return ""
    columns = re.sub(r"(\$\d+::[A-Z]+)", r"\1[]", found[2])
    return f"{found[1]}SELECT * FROM unnest({columns}){found[3]}"  # noqa: S608 -- of our own statement, without a value in it


_VALUES: Final = re.compile(
    r"(INSERT INTO \S+ \([^()]*\) )VALUES \((\$\d+::[A-Z]+(?:, \$\d+::[A-Z]+)*)\)((?: ON CONFLICT DO NOTHING)?(?: RETURNING [^()]*)?)"
)


def _sent(values: Iterable[Any]) -> list[Any]:
    return [value.replace(NUL, SHOWN_NUL) if isinstance(value, str) and NUL in value else value for value in values]
