"""The executor: what is told is on the disk, what fails fails alone, what is too much is refused."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from stores import open_queued

from labmw.errors import StoreBusy, StoreError
from labmw.store import Commit, SqliteStore, Step, Transaction, open_reader, open_store, read_sync, schema
from labmw.store.queued import QueuedStore
from labmw.store.statements import INSERT_FRAME, INSERT_JOURNAL, insert, insert_once
from labmw.store.transaction import Values
from labmw.store.writer import Writer

COUNT = select(func.count().label("n")).select_from(schema.journal)


def row(data: object = b"x", **changes: Any) -> Values:
    return {"site": "s", "link": "l", "session": "", "at": "2026-01-01", "direction": ">", "data": data} | changes


def keep(data: bytes) -> Transaction[int]:
    rows = yield insert(schema.journal, **row(data))
    number: int = rows[0].id
    return number


def kept(url: str) -> list[bytes]:
    """What another process would find."""
    return [row.data for row in read_sync(url, select(schema.journal.c.data).order_by(schema.journal.c.id))]


async def test_a_transaction_returns_its_value_once_it_is_on_disk(store: QueuedStore, url: str) -> None:
    assert await store.run(keep(b"one")) == 1
    assert kept(url) == [b"one"]


async def test_steps_receive_rows_by_place_and_by_name(store: QueuedStore) -> None:
    def script() -> Transaction[tuple[Any, ...]]:
        first = yield insert(schema.journal, **row(b"a"))
        nothing = yield Step(INSERT_JOURNAL, [row(b"b"), row(b"c")])
        rows = yield Step(select(schema.journal.c.id, schema.journal.c.data).order_by(schema.journal.c.id))
        return first[0].id, first[0][0], nothing, [one.data for one in rows], rows[2].mapping(), rows[2]

    assert await store.run(script()) == (1, 1, [], [b"a", b"b", b"c"], {"id": 3, "data": b"c"}, (3, b"c"))


async def test_columns_named_like_methods_of_a_tuple(store: QueuedStore) -> None:
    rows = await store.read(select(func.count().label("count"), func.count().label("index")))
    assert rows[0].count == rows[0].index == 1


async def test_a_failing_transaction_takes_only_itself_back(store: QueuedStore, url: str) -> None:
    def changes_its_mind() -> Transaction[None]:
        yield insert(schema.journal, **row(b"never"))
        raise ValueError("changed my mind")

    def breaks_a_key() -> Transaction[None]:
        yield insert(schema.journal, **row(b"never"))
        yield insert(schema.journal, **row(b"never", id=1))

    futures: list[asyncio.Future[Any]] = [
        store.submit(keep(b"one")),
        store.submit(changes_its_mind()),
        store.submit(breaks_a_key()),
        store.submit(keep(b"two")),
    ]
    one, mind, key, two = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(two, int)
    assert one == 1 < two  # PostgreSQL does not give a number twice, also when it came to nothing
    assert isinstance(mind, ValueError)
    assert isinstance(key, StoreError)
    assert "UNIQUE constraint failed: journal.id" in str(key) or "violates unique constraint" in str(key)
    assert str(key).endswith("nothing was changed")
    assert kept(url) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(2**70), "look at what was given"),
        (row(b"", link="\udcff"), "look at what was given"),
        (row(b"", link=object()), "look at what was given|report it"),
        (row(b"", link=None), "not.null"),
        ({"site": "s"}, "not.null"),
        (row(b"", liink="l"), "no column liink"),
    ],
)
async def test_a_value_no_column_can_hold_fails_alone(
    store: QueuedStore, url: str, bad: dict[str, Any], says: str
) -> None:
    outcomes = await asyncio.gather(
        store.submit_rows(INSERT_JOURNAL, [row(b"one")]),
        store.submit_rows(INSERT_JOURNAL, [row(b"spoiled with it"), bad]),
        store.submit_rows(INSERT_JOURNAL, [bad]),
        store.submit(iter_steps(Step(INSERT_JOURNAL, bad))),
        store.submit_rows(INSERT_JOURNAL, [row(b"two")]),
        return_exceptions=True,
    )
    assert outcomes[0] is outcomes[4] is None
    for outcome in outcomes[1:4]:
        assert isinstance(outcome, StoreError)
        assert re.search(says, str(outcome), re.IGNORECASE)
    assert kept(url) == [b"one", b"two"]


def iter_steps(*steps: Step) -> Transaction[None]:
    for step in steps:  # noqa: UP028 - a list cannot be sent the rows
        yield step


async def test_a_frame_that_is_there_already_fails_alone_among_many(store: QueuedStore) -> None:
    def opened() -> Transaction[None]:
        yield insert(schema.session, id="a", site="s", link="l", opened_at="t")

    def frame(seq: int) -> list[Values]:
        return [{"site": "s", "link": "l", "session": "a", "seq": seq, "number": seq, "text": b"", "at": "t"}]

    await store.run(opened())
    sent = [1, 2, 2, 3, 1, 4]
    outcomes = await asyncio.gather(
        *[store.submit_rows(INSERT_FRAME, frame(seq)) for seq in sent], return_exceptions=True
    )
    assert [outcome is None for outcome in outcomes] == [True, True, False, True, False, True]
    assert [one.seq for one in await store.read(select(schema.frame.c.seq))] == [1, 2, 3, 4]


async def test_a_frame_without_its_session_is_refused(store: QueuedStore) -> None:
    lost = {"site": "s", "link": "l", "session": "none", "seq": 1, "number": 1, "text": b"", "at": "t"}
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        await store.run_rows(INSERT_FRAME, [lost])


async def test_rows_are_kept_all_or_none(store: QueuedStore, url: str) -> None:
    await store.run_rows(INSERT_JOURNAL, [row(b"1")])
    with pytest.raises(StoreError):
        await store.run_rows(INSERT_JOURNAL, [row(b"2"), row(b"3", id=7), row(b"4", id=7)])
    assert kept(url) == [b"1"]


async def test_more_rows_than_a_statement_can_hold(store: QueuedStore) -> None:
    await store.run_rows(INSERT_JOURNAL, [row(b"x")] * 20_000)
    assert (await store.read(COUNT))[0].n == 20_000


async def test_no_rows_at_all(store: QueuedStore) -> None:
    await store.run_rows(INSERT_JOURNAL, [])
    await store.run(iter_steps(Step(INSERT_JOURNAL, [])))
    assert (await store.read(COUNT))[0].n == 0


async def test_returning_for_many_rows_answers_the_rows_of_all(store: QueuedStore) -> None:
    once = insert_once(schema.journal, **row()).statement
    assert await store.run(collect(Step(once, [row(b"a"), row(b"b")]))) == [[(1,), (2,)]]
    assert (await store.read(COUNT))[0].n == 2


def collect(*steps: Step) -> Transaction[list[Any]]:
    answers = []
    for step in steps:
        answers.append((yield step))
    return answers


async def test_what_waits_together_is_committed_together(url: str) -> None:
    commits: list[Commit] = []
    store = open_queued(url, group=7, on_commit=commits.append)
    await store.start()
    commits.clear()
    with held_up(store) as go:
        futures = [store.submit(keep(b"%d" % number)) for number in range(20)]
        go()
    await asyncio.gather(*futures)
    await store.stop()
    assert [commit.kept for commit in commits] == [1, 7, 7, 6]  # 1: the one that was held up
    assert all(commit.failed == 0 and commit.seconds >= 0 for commit in commits)


class held_up:
    """Keep the writer busy with one transaction until `go` is called."""

    def __init__(self, store: QueuedStore) -> None:
        self._entered, self._go = threading.Event(), threading.Event()
        self.future = store.submit(self._script())

    def _script(self) -> Transaction[None]:
        self._entered.set()
        self._go.wait(10)
        yield Step(COUNT)

    def __enter__(self) -> Callable[[], None]:
        assert self._entered.wait(10)
        return self._go.set

    def __exit__(self, *_: object) -> None:
        self._go.set()


async def test_a_full_queue_refuses_and_recovers(url: str) -> None:
    store = open_queued(url, queue=3)
    await store.start()
    with held_up(store) as go:
        waiting = [store.submit(keep(b"x")) for _ in range(3)]
        assert store.waiting == 3
        with pytest.raises(StoreBusy, match="look at the disk"):
            store.submit(keep(b"too much"))
        with pytest.raises(StoreBusy):
            store.submit_rows(INSERT_JOURNAL, [row()])
        go()
        await asyncio.gather(*waiting)
    assert store.waiting == 0
    await store.run(keep(b"again"))
    await store.stop()


async def test_who_waited_too_long_is_refused_and_what_had_not_begun_is_not_done(store: QueuedStore, url: str) -> None:
    with held_up(store) as go:
        with pytest.raises(StoreBusy, match=r"within 0.01 s"):
            await store.run(keep(b"refused"), timeout=0.01)
        with pytest.raises(StoreBusy, match=r"within 0.01 s"):
            await store.run_rows(INSERT_JOURNAL, [row(b"refused")], timeout=0.01)
        go()
    await store.run(keep(b"later"), timeout=10)
    assert kept(url) == [b"later"]


async def test_a_commit_that_completes_after_the_refusal_is_not_undone(store: QueuedStore, url: str) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> Transaction[None]:
        yield insert(schema.journal, **row(b"begun"))
        begun.set()
        go.wait(10)

    waiting = asyncio.ensure_future(store.run(slow(), timeout=0.05))
    await asyncio.to_thread(begun.wait, 10)
    with pytest.raises(StoreBusy):
        await waiting
    go.set()
    await store.run(keep(b"next"))
    assert kept(url) == [b"begun", b"next"]


async def test_a_cancelled_wait_harms_nobody(store: QueuedStore, url: str) -> None:
    with held_up(store) as go:
        gone = asyncio.ensure_future(store.run(keep(b"gone")))
        stays = store.submit(keep(b"stays"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        go()
        await stays
    assert kept(url) == [b"stays"]


async def test_stop_commits_what_is_queued(url: str) -> None:
    store = open_queued(url)
    await store.start()
    futures = [store.submit(keep(b"x")) for _ in range(200)]
    await store.stop()
    assert all(future.done() for future in futures)
    assert len(kept(url)) == 200
    with pytest.raises(StoreError, match="not open"):
        store.submit(keep(b"late"))
    with pytest.raises(StoreError, match="not open"):
        await store.read(COUNT)
    await store.stop()  # twice is once
    await store.start()
    await store.run(keep(b"again"))
    await store.stop()


async def test_reading_does_not_wait_for_the_writer(store: QueuedStore) -> None:
    await store.run(keep(b"before"))
    with held_up(store) as go:
        pending = store.submit(keep(b"pending"))
        assert (await store.read(COUNT))[0].n == 1
        go()
        await pending
    assert (await store.read(COUNT))[0].n == 2


async def test_a_view_sees_one_moment(store: QueuedStore) -> None:
    loop = asyncio.get_running_loop()

    def look() -> Transaction[tuple[int, int]]:
        before = yield Step(COUNT)
        asyncio.run_coroutine_threadsafe(store.run(keep(b"meanwhile")), loop).result(10)
        after = yield Step(COUNT)
        return before[0].n, after[0].n

    assert await store.view(look()) == (0, 0)
    assert (await store.read(COUNT))[0].n == 1


async def test_a_view_cannot_write(store: QueuedStore, url: str) -> None:
    with pytest.raises(StoreError):
        await store.view(keep(b"no"))
    assert kept(url) == []
    assert (await store.read(COUNT))[0].n == 0


async def test_reading_with_an_error_leaves_the_reader_usable(store: QueuedStore) -> None:
    missing = select(schema.journal).where(func.no_such_function(1) == 1)
    with pytest.raises(StoreError, match=r"no such function|no_such_function"):
        await store.read(missing)
    assert (await store.read(COUNT))[0].n == 0


async def test_a_script_that_ignores_its_end_does_not_stop_the_writer(store: QueuedStore, url: str) -> None:
    def stubborn() -> Transaction[None]:
        while True:
            try:
                yield insert(schema.journal, **row(b"x", id=1))
            except GeneratorExit:
                yield Step(COUNT)

    def shouts() -> Transaction[None]:
        yield Step(COUNT)
        raise SystemExit("a fault, not an end")

    await store.run(keep(b"first"))
    with pytest.raises((StoreError, RuntimeError)):
        await store.run(stubborn())
    with pytest.raises(StoreError, match="SystemExit"):
        await store.run(shouts())
    await store.run(keep(b"second"))
    assert kept(url) == [b"first", b"second"]


async def test_nothing_lies_beside_a_file_that_nobody_has_open(sqlite_url: str, file: Path) -> None:
    store = open_queued(sqlite_url)
    await store.start()
    await store.run(keep(b"x"))
    await store.stop()
    assert sorted(path.name for path in file.parent.iterdir()) == ["labmw.db"]


async def test_the_disk_is_told_to_flush_every_commit(sqlite_url: str) -> None:
    seen: dict[str, Any] = {}

    class Looking(Writer):
        def settle(self, connection: sqlite3.Connection, outcomes: Sequence[Any], began: float) -> None:
            for name in ("journal_mode", "synchronous", "foreign_keys"):
                (seen[name],) = connection.execute(f"PRAGMA {name}").fetchone()
            super().settle(connection, list(outcomes), began)

    class Store(SqliteStore):
        writer = Looking

    store = Store(sqlite_url)
    await store.start()
    await store.stop()
    assert seen == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_a_hundred_thousand_bytes_and_nul(store: QueuedStore) -> None:
    data = bytes(range(256)) * 400
    await store.run(keep(data))
    assert (await store.read(select(schema.journal.c.data)))[0].data == data


async def test_open_store_gives_what_the_protocol_promises(url: str) -> None:
    store = open_store(url, group=3, queue=5)
    await store.start()
    assert await store.run(keep(b"x")) == 1
    await store.stop()
    with open_reader(url) as reader:
        assert reader.read(COUNT)[0].n == 1
