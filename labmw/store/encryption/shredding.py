"""How do bytes give way to others, or go, so that no older page and no copy of them is ever read? Their key is destroyed with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Table

from labmw.store.schema import ENCRYPTED
from labmw.store.statements import keys
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction

CHUNK: Final = 500


def write_anew(table: Table, row: Row, /, **content: bytes | None) -> Transaction[None]:
    """Put other bytes in the place of those of a row. Columns that share a key are given together: the one that is left out could not be read any more."""
    places = {place: names for place, names in ENCRYPTED[table.name].items() if not content.keys().isdisjoint(names)}
    assert set(content) == {name for names in places.values() for name in names}
    yield change(table, row.id, **content, **dict.fromkeys(places))
    numbers = [number for place in places if (number := getattr(row, place)) is not None]
    if numbers:
        yield keys.destroy(numbers)


def shred(table: Table, rows: Sequence[Row]) -> Transaction[None]:
    """Destroy the keys of rows that have gone."""
    numbers = sorted(set(_keys_of(table, rows)))
    for start in range(0, len(numbers), CHUNK):
        yield keys.destroy(numbers[start : start + CHUNK])


def _keys_of(table: Table, rows: Sequence[Row]) -> Iterator[int]:
    for place in ENCRYPTED.get(table.name, ()):
        for row in rows:
            number = getattr(row, place)
            if number is not None:
                yield number
