"""The audit's chain: it holds over many seals, and each way of touching a row breaks it where it was touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postgresql_server import say
from stores import open_queued

from labmw.lab import sealing
from labmw.lab.sealing import BEGINNING, Verified, seal, verify
from labmw.store import Transaction, is_postgresql, migrate
from labmw.store.queued import QueuedStore
from labmw.store.statements.audit import audited


@pytest.fixture
async def store(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QueuedStore]:
    monkeypatch.setattr(sealing, "BATCH", 3)
    url = store_url or f"sqlite:///{tmp_path / 'labmw.db'}"
    migrate(url)
    one = open_queued(url)
    await one.start()
    yield one
    await one.stop()


def written(count: int, site: str = "s") -> Transaction[None]:
    for number in range(count):
        yield audited(site, at="t", who="w", what="did", subject=f"result/{number}", why="because é", number=number)


async def sealed(store: QueuedStore, count: int) -> list[int]:
    await store.run(written(count))
    await store.run(written(1, "elsewhere"))  # another laboratory's rows stand between
    found = []
    while (rows := (await store.run(seal("s", "t2")))[0]) > 0:
        found.append(rows)
    return found


async def test_a_chain_holds_over_many_seals(store: QueuedStore) -> None:
    assert await store.view(verify("s")) == Verified(0, 0, BEGINNING, "")
    assert await sealed(store, 7) == [3, 3, 1]
    await sealed(store, 2)
    await store.run(written(4))
    found = await store.view(verify("s"))
    assert (found.sealed, found.open, found.broken, found.sealed_at) == (9, 4, "", "t2")
    assert len(found.hash) == 64


@pytest.mark.parametrize(
    ("touch", "says"),
    [
        ("UPDATE audit SET why = 'other' WHERE id = 2", "rows 1 to 3: a row is not as it was"),
        ("UPDATE audit SET detail = '{}' WHERE id = 5", "rows 4 to 6: a row is not as it was"),
        ("DELETE FROM audit WHERE id = 5", "rows 4 to 6: 2 rows where 3 were sealed"),
        ("UPDATE audit SET id = 99 WHERE id = 7", "rows 7 to 7: 0 rows where 1 were sealed"),
        ("UPDATE audit SET site = 's' WHERE id = 8", "rows 7 to 9: 2 rows where 1"),
        ("DELETE FROM audit_seal WHERE last = 6", "the seal does not follow the one before it"),
        ("DELETE FROM audit_seal WHERE last = 3", "the seal does not follow the one before it"),
        ("UPDATE audit_seal SET hash = 'x' WHERE last = 3", "rows 1 to 3: a row is not as it was"),
    ],
)
async def test_whatever_is_touched_is_found(
    touch: str, says: str, store: QueuedStore, store_url: str, tmp_path: Path
) -> None:
    await sealed(store, 7)
    if "id = 8" in touch:  # a row slipped in between two seals: it needs a later seal to stand before
        await store.run(written(1))
        await store.run(seal("s", "t3"))
        says = "rows 8 to 9: 2 rows where 1"
    if is_postgresql(store.url):  # type: ignore[attr-defined]
        say(store_url, touch)
    else:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(tmp_path / "labmw.db")) as database, database:
            database.execute(touch)
    found = await store.view(verify("s"))
    assert says in found.broken


async def test_without_the_chain_the_same_would_pass(store: QueuedStore, tmp_path: Path, store_url: str) -> None:
    """The variant without seals: rows that are not sealed yet can be changed unseen; that is why sealing goes on all the time."""
    await store.run(written(2))
    found = await store.view(verify("s"))
    assert (found.open, found.broken) == (2, "")
