"""Is a store sound: its file, and what is written in it? Nothing lost, nothing twice, every state with what must stand beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from labmw.errors import StoreError
from labmw.store import open_reader
from labmw.store.address import is_postgresql, sqlite_file
from labmw.store.connection import open_for_reading
from labmw.store.failure import explain
from labmw.store.statements import checks, deliveries_twice, results_twice
from labmw.store.transaction import Row, Step, Transaction

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One question: its code in the catalogue, how many faults were found, and the first of them in a few words."""

    code: str
    faults: int
    examples: tuple[str, ...] = ()


def check(url: str, site: str) -> list[Check]:
    """Ask everything; raises StoreError when the store cannot be read at all."""
    found = [] if is_postgresql(url) else list(_file(url))
    if any(one.faults for one in found):
        return found  # of a damaged file nothing else can be believed
    with open_reader(url) as reader:
        return found + reader.view(_rows(site))


def _rows(site: str) -> Transaction[list[Check]]:
    questions: list[tuple[str, Step]] = [
        ("store-check-twice", results_twice(site)),
        ("store-check-sent-twice", deliveries_twice(site)),
        ("store-check-frames", checks.frames_left(site)),
        ("store-check-verify", checks.verify_without_work(site)),
        ("store-check-work", checks.work_for_nothing(site)),
        ("store-check-released", checks.released_and_gone(site)),
        ("store-check-delivered", checks.delivered_without_receipt(site)),
        ("store-check-dead", checks.dead_without_letter(site)),
        ("store-check-verdict", checks.judged_by_nobody(site)),
        ("store-check-quarantine", checks.quarantined_unseen(site)),
        ("store-check-outbox", checks.outbox_without_result(site)),
    ]
    found = []
    for code, question in questions:
        rows = yield question
        found.append(Check(code, len(rows), tuple(_shown(row) for row in rows[:EXAMPLES])))
    return found


def _file(url: str) -> Iterator[Check]:
    """What SQLite itself says of its file (sqlite.org/pragma.html, integrity_check and foreign_key_check)."""
    file = sqlite_file(url)
    if not file.exists():
        raise StoreError(
            f"there is no store at {file}; set store.url, or start `labmw serve` once to make it",
            "store-error-absent",
            place=file,
        )
    try:
        quiet = not file.with_name(file.name + "-wal").exists()
        with closing(open_for_reading(file, 30.0, quiet=quiet)) as connection:
            said = [text for (text,) in connection.execute("PRAGMA integrity_check(20)") if text != "ok"]
            lost = [
                f"{table} {row} -> {parent}" for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
            ]
    except sqlite3.DatabaseError as error:
        said, lost = [str(explain(error, file))], []
    yield Check("store-check-file", len(said), tuple(said[:EXAMPLES]))
    yield Check("store-check-references", len(lost), tuple(lost[:EXAMPLES]))


def _shown(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.mapping().items() if value not in (None, ""))
