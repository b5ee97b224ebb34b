"""How does a row get into a table: new, once, or over the one that was there?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

from sqlalchemy import Insert, Table, UniqueConstraint
from sqlalchemy import insert as new_row

# PostgreSQL's construct, on purpose: SQLite took over its ON CONFLICT word for word, and SQLAlchemy writes this one for both.
from sqlalchemy.dialects.postgresql import insert as row_or_conflict

from labmw.store import schema
from labmw.store.together import TOLD_BY
from labmw.store.transaction import Step, Values

# For `submit_rows`: many rows, no answer.
INSERT_JOURNAL: Final = new_row(schema.journal)
INSERT_FRAME: Final = new_row(schema.frame)
# A message; answers its `id`, and its `session`, by which the scripts that are played together know their own.
_INSERT_MESSAGE: Final = (
    new_row(schema.message)
    .returning(schema.message.c.id, schema.message.c.session)
    .execution_options(**{TOLD_BY: "session"})
)


def insert(table: Table, /, **values: object) -> Step:
    """A new row; answers its `id`. A key that is taken is a StoreError."""
    return Step(_insert(table), values)


def insert_message(**values: object) -> Step:
    """A new message; answers its `id`. Of the scripts that are played together, each has a session of its own."""
    return Step(_INSERT_MESSAGE, values)


def insert_rows(table: Table, /, rows: Sequence[Values]) -> Step:
    """Many new rows at once, which answer nothing; all of them or none."""
    return Step(_insert_rows(table), rows)


def insert_rows_once(table: Table, /, rows: Sequence[Values]) -> Step:
    """Many rows, of which those whose key is taken are left out; answers nothing."""
    return Step(_insert_rows_once(table), rows)


def insert_once(table: Table, /, **values: object) -> Step:
    """A new row unless its key is taken; answers its `id`, or no row when it was there already (and stays as it was)."""
    return Step(_insert_once(table), values)


def insert_or_update(table: Table, /, **values: object) -> Step:
    """A new row, or the row under the same natural key with the columns given here changed; answers its `id`."""
    return Step(_insert_or_update(table, tuple(values)), values)


def natural_key(table: Table) -> tuple[str, ...]:
    """The columns that make a row of this table itself: its unique constraint, else its primary key."""
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            return tuple(column.name for column in constraint.columns)
    return tuple(column.name for column in table.primary_key.columns)


@cache
def _insert(table: Table) -> Insert:
    return new_row(table).returning(table.c.id)


@cache
def _insert_rows(table: Table) -> Insert:
    return new_row(table)


@cache
def _insert_rows_once(table: Table) -> Insert:
    return row_or_conflict(table).on_conflict_do_nothing()


@cache
def _insert_once(table: Table) -> Insert:
    return row_or_conflict(table).on_conflict_do_nothing().returning(table.c.id)


@lru_cache(maxsize=256)
def _insert_or_update(table: Table, names: tuple[str, ...]) -> Insert:
    key = natural_key(table)
    row = row_or_conflict(table)
    # With nothing but the key given, the key is set to itself, so that the row is answered.
    changed = [name for name in names if name not in key] or [key[-1]]
    return row.on_conflict_do_update(index_elements=key, set_={name: row.excluded[name] for name in changed}).returning(
        table.c.id
    )
