"""The disk fails for real: full, cut short, read-only, locked by a neighbour, damaged. Nothing told is lost, and it goes on."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from labmw.errors import StoreError
from labmw.store import SqliteStore, schema
from labmw.store.failure import explain
from labmw.store.statements import INSERT_JOURNAL

LIBC = ctypes.CDLL(None)
PROGRAM = Path(__file__).with_name("trouble_writer.py")
COUNT = select(func.count().label("n")).select_from(schema.journal)
ROW = {"site": "s", "link": "l", "at": "t", "direction": ">", "data": b"x"}


def report(answer: subprocess.CompletedProcess[str]) -> tuple[str, int, int, int]:
    assert answer.returncode == 0, answer.stderr
    sentence, told, there, reopened = answer.stdout.splitlines()
    return sentence, int(told), int(there), int(reopened)


def test_a_file_that_may_not_grow(sqlite_url: str) -> None:
    answer = subprocess.run(
        [sys.executable, str(PROGRAM), sqlite_url, "file-size"], capture_output=True, text=True, check=False
    )
    sentence, told, there, reopened = report(answer)
    assert "cannot be read or written" in sentence
    assert sentence.endswith("labmw goes on by itself")
    assert told > 100
    assert told <= there == reopened


def test_a_full_disk(file: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=3m tmpfs {disk} && cp {file} {disk}/labmw.db && exec {sys.executable} {PROGRAM} sqlite:///{disk}/labmw.db full"
    probe = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*probe, f"mount -t tmpfs tmpfs {disk}"], check=False).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk (user namespaces are off)")
    sentence, told, there, reopened = report(
        subprocess.run([*probe, mount], capture_output=True, text=True, check=False)
    )
    assert "is full" in sentence
    assert sentence.endswith("free space there; labmw goes on by itself")
    assert told > 100
    assert told <= there == reopened


READ_ONLY = """
import asyncio, sys
from labmw.errors import StoreError
from labmw.store import SqliteStore, read_sync
import sqlalchemy
async def main():
    try:
        await SqliteStore(sys.argv[1]).start()
    except StoreError as error:
        print(error)
asyncio.run(main())
from labmw.store import schema
print(len(read_sync(sys.argv[1], sqlalchemy.select(schema.journal))))
"""


def bound_by_permissions() -> None:
    """Let root, too, be stopped by permissions (prctl(2), PR_CAPBSET_DROP: in force from the next program on).

    Becoming another user would not do: the folders that pytest keeps for its runs are closed to others, and closed again at each start of a run.
    """
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH (capabilities(7))
            assert LIBC.prctl(24, capability, 0, 0, 0) == 0


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_read_only_store_refuses_to_start_and_can_be_read(sqlite_url: str, file: Path, *, folder_too: bool) -> None:
    file.chmod(0o444)
    file.parent.chmod(0o555 if folder_too else 0o755)
    answer = subprocess.run(
        [sys.executable, "-c", READ_ONLY, sqlite_url],
        capture_output=True, text=True, check=False, preexec_fn=bound_by_permissions,
    )  # fmt: skip
    file.parent.chmod(0o755)
    assert not answer.stderr
    sentence, rows = answer.stdout.splitlines()
    assert "is read-only" in sentence or "cannot be opened" in sentence
    assert "labmw's user" in sentence
    assert rows == "0"


async def test_a_neighbour_that_writes_for_too_long(sqlite_url: str, file: Path) -> None:
    store = SqliteStore(sqlite_url, busy=0.05)
    await store.start()
    with closing(sqlite3.connect(file, isolation_level=None)) as neighbour:
        neighbour.execute("BEGIN IMMEDIATE")
        futures = [store.submit_rows(INSERT_JOURNAL, [ROW]) for _ in range(3)]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)
        assert "another process is writing" in str(outcomes[0])
        assert (await store.read(COUNT))[0].n == 0  # reading goes on
        with pytest.raises(StoreError, match="another process is writing"):
            await SqliteStore(sqlite_url, busy=0.05).start()
        neighbour.execute("ROLLBACK")
    await store.run_rows(INSERT_JOURNAL, [ROW])
    await store.stop()


async def test_a_neighbour_that_writes_for_a_moment_is_waited_for(sqlite_url: str, file: Path) -> None:
    store = SqliteStore(sqlite_url)
    await store.start()
    with closing(sqlite3.connect(file, isolation_level=None)) as neighbour:
        neighbour.execute("BEGIN IMMEDIATE")
        future = store.submit_rows(INSERT_JOURNAL, [ROW])
        await asyncio.sleep(0)
        neighbour.execute("INSERT INTO journal (site, link, at, direction, data) VALUES ('s', 'l', 't', '>', x'00')")
        neighbour.execute("COMMIT")
        await future
    assert (await store.read(COUNT))[0].n == 2
    await store.stop()


async def test_a_store_whose_file_is_gone_says_so_and_comes_back(sqlite_url: str, file: Path) -> None:
    store = SqliteStore(sqlite_url)
    await store.start()
    await store.stop()
    moved = file.rename(file.with_name("away.db"))  # noqa: ASYNC240
    with pytest.raises(StoreError, match="there is no store"):
        await store.start()
    moved.rename(file)
    await store.start()
    await store.run_rows(INSERT_JOURNAL, [ROW])
    await store.stop()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_store_that_loses_its_name_under_the_writer_acknowledges_nothing_more(
    sqlite_url: str, file: Path, *, replaced: bool
) -> None:
    store = SqliteStore(sqlite_url)
    await store.start()
    await store.run_rows(INSERT_JOURNAL, [ROW])
    moved = file.rename(file.with_name("away.db"))  # noqa: ASYNC240
    if replaced:
        shutil.copy(moved, file)
    with pytest.raises(StoreError, match="was removed or replaced"):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    if not replaced:
        with pytest.raises(StoreError, match="cannot be opened"):
            await store.run_rows(INSERT_JOURNAL, [ROW])
        moved.rename(file)
        await store.run_rows(INSERT_JOURNAL, [ROW])
    await store.stop()
    with closing(sqlite3.connect(file if not replaced else moved)) as again:
        assert again.execute("SELECT count(*) FROM journal").fetchone()[0] >= 2


async def test_a_log_that_is_removed_under_the_writer_loses_nothing(sqlite_url: str, file: Path) -> None:
    store = SqliteStore(sqlite_url)
    await store.start()
    await store.run_rows(INSERT_JOURNAL, [ROW])
    assert (await store.read(COUNT))[0].n == 1
    file.with_name(file.name + "-wal").unlink()
    with pytest.raises(StoreError, match="was removed or replaced"):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    for _ in range(3):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    with contextlib.suppress(StoreError):  # the reader had the old log open: it may fail once, and opens afresh
        await store.read(COUNT)
    # The one that was refused is there too: it came late, and its resend is recognised.
    assert (await store.read(COUNT))[0].n == 5
    await store.stop()
    with closing(sqlite3.connect(file)) as again:
        assert again.execute("SELECT count(*) FROM journal").fetchone() == (5,)
        assert again.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def damage(file: Path) -> None:
    """Overwrite the pages of tables and indexes, under a store that has not read them yet."""
    with file.open("r+b") as pages:
        pages.seek(4096)
        pages.write(os.urandom(file.stat().st_size - 4096))


async def test_a_damaged_store_refuses_with_the_remedy(sqlite_url: str, file: Path) -> None:
    store = SqliteStore(sqlite_url)
    await store.start()
    damage(file)
    with pytest.raises(StoreError, match=r"restore the last backup|report it"):
        await store.run_rows(INSERT_JOURNAL, [ROW])
    await store.stop()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (sqlite3.SQLITE_FULL, "free space"),
        (sqlite3.SQLITE_IOERR_FSYNC, "system log"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "permission"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "wait"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "backup"),
        (sqlite3.SQLITE_NOMEM, "uses it up"),
        (sqlite3.SQLITE_TOOBIG, "limits.message_bytes"),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "nothing was changed"),
        (sqlite3.SQLITE_ERROR, "report it"),
    ],
)
def test_every_failure_has_a_remedy(code: int, remedy: str) -> None:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    sentence = str(explain(error, Path("labmw.db")))
    assert remedy in sentence
    assert "what SQLite says" in sentence
