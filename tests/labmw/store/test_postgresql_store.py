"""What is PostgreSQL's own: its restarts, its locks, its settings, and the one character that it does not hold."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import asyncpg
import pytest
from postgresql_server import PostgresqlServer, say
from sqlalchemy import func, select

from labmw.errors import StoreBusy, StoreError, StoreUnfit
from labmw.store import Transaction, migrate, open_reader, open_store, read_sync, revision_of, schema
from labmw.store.lock import hold, holder
from labmw.store.postgresql.connection import SHOWN_NUL
from labmw.store.postgresql.failure import explain
from labmw.store.postgresql.store import PostgresqlStore
from labmw.store.postgresql.writer import Writer
from labmw.store.statements import INSERT_JOURNAL, insert, specimens_among

COUNT = select(func.count().label("n")).select_from(schema.journal)
ROW = {"site": "s", "link": "l", "at": "t", "direction": ">", "data": b"x"}


@pytest.fixture
async def own_server(postgresql_server: PostgresqlServer | None) -> PostgresqlServer:
    """The server, for a test that stops it."""
    assert postgresql_server is not None
    return postgresql_server


async def test_nul_is_kept_as_its_symbol_in_texts_and_as_it_is_in_bytes(postgresql: str) -> None:
    """The same on the way in and in a question, so that what was stored is found again (decision 0030)."""
    store = open_store(postgresql)
    await store.start()

    def script() -> Transaction[list[Any]]:
        yield insert(schema.specimen, site="s", identifier="T\x001", patient="P")
        yield insert(schema.journal, **ROW | {"data": b"T\x001"})
        return (yield specimens_among("s", ["T\x001"]))

    (row,) = await store.run(script())
    assert row.identifier == f"T{SHOWN_NUL}1"
    assert (await store.read(select(schema.journal.c.data)))[0].data == b"T\x001"
    await store.stop()


async def test_postgresql_itself_would_refuse_nul(postgresql: str) -> None:
    """The variant without the rule above: a message that holds one would be refused for ever."""
    connection = await asyncpg.connect(postgresql.replace("+asyncpg", ""))
    with pytest.raises(asyncpg.PostgresError, match="0x00"):
        await connection.execute("INSERT INTO specimen (site, identifier) VALUES ('s', $1)", "T\x001")
    await connection.close()


async def test_a_restart_of_the_server_refuses_for_a_moment_and_loses_nothing(
    postgresql: str, own_server: PostgresqlServer
) -> None:
    store = open_store(postgresql, serves=True)
    await store.start()
    told, refused, stop = 0, 0, False

    async def produce() -> None:
        nonlocal told, refused
        while not stop:
            try:
                await store.run_rows(INSERT_JOURNAL, [ROW])
                told += 1
            except StoreError as error:
                assert "labmw goes on by itself" in str(error)
                refused += 1
                await asyncio.sleep(0.01)

    producers = [asyncio.create_task(produce()) for _ in range(10)]
    while told < 200:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(own_server.stop, how=signal.SIGQUIT)  # without a checkpoint: it recovers from its log
    while refused < 10:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(own_server.start)
    before = told
    while told < before + 200:
        await asyncio.sleep(0.01)
    stop = True
    await asyncio.gather(*producers)
    there = (await store.read(COUNT))[0].n  # the reader, too, has found its way back
    assert there >= told
    await store.stop()


async def test_whoever_loses_its_connection_loses_the_store_and_takes_it_again(postgresql: str) -> None:
    store = open_store(postgresql, serves=True)
    await store.start()
    assert holder(postgresql) == os.getpid()
    say(postgresql, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1")
    await asyncio.gather(store.run_rows(INSERT_JOURNAL, [ROW]), return_exceptions=True)
    await store.run_rows(INSERT_JOURNAL, [ROW])
    assert holder(postgresql) == os.getpid()
    await store.stop()
    assert holder(postgresql) is None


async def test_a_second_daemon_is_refused_and_a_command_may_write_beside_the_first(postgresql: str) -> None:
    first = open_store(postgresql, serves=True)
    await first.start()
    second = PostgresqlStore(postgresql, serves=True, busy=0.2)
    with pytest.raises(StoreBusy, match="another labmw already serves"):
        await second.start()
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\).*stop it first"), hold(postgresql, patience=0.1):
        pytest.fail("two at once")
    command = open_store(postgresql)
    await command.start()
    await asyncio.gather(*[one.run_rows(INSERT_JOURNAL, [ROW]) for one in (first, command) for _ in range(20)])
    assert (await first.read(COUNT))[0].n == 40
    await command.stop()
    await first.stop()
    with hold(postgresql, patience=0.1):
        pass


SERVE = """
import asyncio, sys
from labmw.store import open_store
async def main():
    store = open_store(sys.argv[1], serves=True)
    await store.start()
    print("served", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_killed_daemon_leaves_no_lock_behind(postgresql: str) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, postgresql], stdout=subprocess.PIPE) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        assert process.stdout.readline() == b"served\n"
        assert holder(postgresql) == process.pid
        process.send_signal(signal.SIGKILL)
    with hold(postgresql):
        store = open_store(postgresql, serves=True)
        await store.start()
        await store.stop()


async def test_a_neighbour_that_writes_for_too_long(postgresql: str) -> None:
    store = PostgresqlStore(postgresql, busy=0.05)
    await store.start()
    neighbour = await asyncpg.connect(postgresql.replace("+asyncpg", ""))
    await neighbour.execute("BEGIN; LOCK TABLE journal IN EXCLUSIVE MODE")
    with pytest.raises(StoreBusy, match="another process is writing"):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    assert (await store.read(COUNT))[0].n == 0  # reading goes on
    await neighbour.execute("ROLLBACK")
    await store.run_rows(INSERT_JOURNAL, [ROW])
    await neighbour.close()
    await store.stop()


async def test_what_is_told_is_on_the_disk_whatever_the_database_says(postgresql: str) -> None:
    name = postgresql.rpartition("/")[2]
    say(postgresql, f"ALTER DATABASE {name} SET synchronous_commit = off")
    seen: list[str] = []

    class Looking(Writer):
        async def settle(self, connection: Any, outcomes: Any, began: float) -> None:
            seen.append(await connection.fetchval("SHOW synchronous_commit"))
            await super().settle(connection, outcomes, began)

    class Store(PostgresqlStore):
        writer = Looking

    store = Store(postgresql)
    await store.start()
    await store.stop()
    assert set(seen) == {"on"}


def test_a_server_without_flushes_is_refused(postgresql: str, postgresql_server: PostgresqlServer) -> None:
    with (postgresql_server.data / "postgresql.conf").open("a") as settings:
        settings.write("fsync = off\n")
    say(postgresql, "SELECT pg_reload_conf()")
    try:
        while say(postgresql, "SHOW fsync") != [("off",)]:
            pass
        with pytest.raises(StoreError, match=r"fsync = off.*lost with the power; set fsync = on"):
            revision_of(postgresql)
    finally:
        with (postgresql_server.data / "postgresql.conf").open("a") as settings:
            settings.write("fsync = on\n")
        say(postgresql, "SELECT pg_reload_conf()")
        while say(postgresql, "SHOW fsync") != [("on",)]:
            pass


def test_a_database_whose_order_of_texts_may_change_is_refused(
    postgresql: str, postgresql_server: PostgresqlServer
) -> None:
    name = postgresql.rpartition("/")[2] + "_icu"
    say(postgresql, f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'fr'")
    with pytest.raises(StoreError, match=r"UTF8 and C: make the database anew"):
        migrate(postgresql_server.url(name))
    postgresql_server.drop(name)


def test_a_store_is_made_and_found(postgresql_server: PostgresqlServer, postgresql: str) -> None:
    name = postgresql_server.make()
    url = postgresql_server.url(name)
    assert revision_of(url) is None
    with pytest.raises(StoreError, match="there is no store at the PostgreSQL database"):
        open_reader(url)
    migrate(url)
    assert revision_of(url) == schema.REVISION
    migrate(url)
    say(url, "UPDATE alembic_version SET version_num = '9999'")
    for attempt in (lambda: migrate(url), lambda: open_reader(url)):
        with pytest.raises(StoreError, match=r"revision 9999.*start that version, or restore"):
            attempt()
    postgresql_server.drop(name)
    with pytest.raises(StoreError, match=r"does not exist.*CREATE DATABASE"):
        revision_of(url)


def test_two_processes_may_make_the_same_store(postgresql_server: PostgresqlServer, postgresql: str) -> None:
    name = postgresql_server.make()
    code = f"from labmw.store import migrate; migrate({postgresql_server.url(name)!r})"
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    assert revision_of(postgresql_server.url(name)) == schema.REVISION
    postgresql_server.drop(name)


def test_somebody_elses_database_is_refused(postgresql: str) -> None:
    say(postgresql, "DROP TABLE alembic_version")
    with pytest.raises(StoreError, match="is not a labmw store"):
        migrate(postgresql)


def shape(url: str) -> set[tuple[object, ...]]:
    """Every column, constraint and index of a database."""
    columns = "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public'"
    keys = "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
    indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    found = {tuple(row) for question in (columns, keys, indexes) for row in say(url, question)}
    return {row for row in found if row[0] != "alembic_version"}


def test_the_migrations_make_the_schema(postgresql_server: PostgresqlServer, postgresql: str) -> None:
    from sqlalchemy.dialects import postgresql as dialect
    from sqlalchemy.schema import CreateIndex, CreateTable

    name = postgresql_server.make()
    url = postgresql_server.url(name)
    for table in schema.metadata.sorted_tables:
        say(url, str(CreateTable(table).compile(dialect=dialect.dialect())))  # type: ignore[no-untyped-call]
        for index in table.indexes:
            say(url, str(CreateIndex(index).compile(dialect=dialect.dialect())))  # type: ignore[no-untyped-call]
    assert shape(postgresql) == shape(url)
    postgresql_server.drop(name)


async def test_a_server_that_is_not_there(postgresql: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be reached.*check that the server runs"):
        read_sync("postgresql+asyncpg://labmw@127.0.0.1:1/labmw", COUNT)


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (asyncpg.DiskFullError("x"), StoreError, "free space"),
        (asyncpg.TooManyConnectionsError("x"), StoreError, "max_connections"),
        (asyncpg.LockNotAvailableError("x"), StoreBusy, "wait"),
        (asyncpg.ReadOnlySQLTransactionError("x"), StoreError, "primary"),
        (asyncpg.AdminShutdownError("x"), StoreError, "labmw goes on by itself"),
        (asyncpg.DataCorruptedError("x"), StoreError, "last backup"),
        (asyncpg.InvalidPasswordError("x"), StoreError, "pg_hba.conf"),
        (asyncpg.InvalidCatalogNameError("x"), StoreError, "CREATE DATABASE"),
        (asyncpg.ConnectionDoesNotExistError("x"), StoreError, "network"),
        (asyncpg.InterfaceError("x"), StoreError, "network"),
        (ConnectionRefusedError("x"), StoreError, "server runs"),
        (TimeoutError(), StoreError, "server runs"),
        (asyncpg.UniqueViolationError("x"), StoreUnfit, "nothing was changed"),
        (asyncpg.ProgramLimitExceededError("x"), StoreUnfit, "limits.message_bytes"),
        (asyncpg.UndefinedColumnError("x"), StoreUnfit, "report it"),
        (ValueError("x"), StoreUnfit, "report it"),
        (RuntimeError("x"), StoreError, "report it"),
    ],
)
def test_every_failure_has_a_remedy(error: Exception, kind: type[StoreError], remedy: str) -> None:
    found = explain(error, "the database")
    assert type(found) is kind
    assert remedy in str(found)
