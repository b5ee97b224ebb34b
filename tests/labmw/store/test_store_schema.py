"""The schema, its migrations and its keys agree."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Table, create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from labmw.store import schema
from labmw.store.migrations import revisions
from labmw.store.statements.writing import natural_key

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
TABLES = list(schema.metadata.tables.values())


def shape(file: Path) -> dict[str, set[str]]:
    """Every table and index as the database wrote it down: the lines of its definition, in any order."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT IN ('alembic_version', 'sqlite_stat1')"
        )
        # SQLite writes a column that was added later behind the last one, on its line.
        parts = {name: re.sub(r", (?=\w+ (?:TEXT|INTEGER))", ",\n", sql) for name, sql in rows}
        return {name: {line.strip().rstrip(",") for line in sql.splitlines()} for name, sql in parts.items()}


def declared(folder: Path) -> dict[str, set[str]]:
    """The same, of a database made from the metadata alone."""
    engine = create_engine(f"sqlite:///{folder / 'metadata.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    return shape(folder / "metadata.db")


def test_the_migrations_make_the_schema(file: Path, tmp_path: Path) -> None:
    wanted, made = declared(tmp_path), shape(file)
    assert made.keys() == wanted.keys()
    for name, lines in wanted.items():
        assert made[name] == lines, name


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE result ADD COLUMN forgotten TEXT",
        "ALTER TABLE alert RENAME COLUMN kind TO sort",
        "DROP INDEX ix_outbox_next",
        "CREATE TABLE forgotten (id INTEGER)",
    ],
)
def test_a_schema_that_moved_on_without_a_migration_would_be_noticed(change: str, file: Path, tmp_path: Path) -> None:
    """The variant that breaks the rule above."""
    with closing(sqlite3.connect(file)) as database:
        database.execute(change)
    assert shape(file) != declared(tmp_path)


def test_the_newest_migration_is_the_revision_that_start_looks_for() -> None:
    assert max(revisions()) == schema.REVISION


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_site_is_in_every_key(table: Table) -> None:
    assert "site" in table.c
    assert not table.c.site.nullable
    key = natural_key(table)
    assert "site" in key or key == ("id",)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_can_be_made_in_postgresql(table: Table) -> None:
    text = str(CreateTable(table).compile(dialect=POSTGRESQL))
    if table.name != "session":
        assert "id BIGSERIAL" in text


def test_no_time_number_or_json_is_converted_by_a_database() -> None:
    kinds = {str(column.type) for table in TABLES for column in table.columns}
    assert kinds == {"TEXT", "INTEGER", "BIGINT", "BLOB"}


def test_final_states_are_states() -> None:
    assert set(schema.FINAL_STATES) < set(schema.RESULT_STATES)
    assert {"verify", "released"}.isdisjoint(schema.FINAL_STATES)
