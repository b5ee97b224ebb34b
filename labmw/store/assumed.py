"""What does SQLite assume of the results before anybody has counted them? Written by a migration, and looked after here (decision 0095).

An index that is dropped and made again, by a person or a tool, loses its statistics without a word. At ten million results a judgment then takes seconds.
"""

from __future__ import annotations

import sqlite3

RESULTS = {
    "ix_result_message": "1000000 8",
    "ix_result_site_specimen_code": "1000000 1000000 10 2",
    "ix_result_site_state": "1000000 1000000 5000",
    "ix_result_history": "900000 900000 50 5 1",
    "sqlite_autoindex_result_1": "1000000 1000000 2 1",
}
"""Rows of the table, then the rows that one value of the first, the first two … columns of the index leaves (sqlite.org/fileformat2.html#stat1tab)."""


def keep(connection: sqlite3.Connection) -> None:
    """Write those that are missing; what an ANALYZE counted stays. Costs two reads where nothing is."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
        connection.execute("ANALYZE alembic_version")  # makes the table of statistics
    there = {name for (name,) in connection.execute("SELECT idx FROM sqlite_stat1 WHERE tbl = 'result'")}
    missing = [(name, rows) for name, rows in RESULTS.items() if name not in there]
    if missing:
        connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('result', ?, ?)", missing)
        connection.execute("ANALYZE sqlite_master")  # read them now, and not when the file is opened next
