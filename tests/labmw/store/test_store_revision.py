"""Stores of this revision, of another, of nobody, and half made."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from labmw.errors import StoreError
from labmw.store import Reader, SqliteStore, migrate, revision_of
from labmw.store.schema import REVISION


def test_a_store_is_made_with_its_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a' / 'b' / 'labmw.db'}"
    assert revision_of(url) is None
    migrate(url)
    assert revision_of(url) == REVISION
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["labmw.db"]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "labmw.db").touch()
    migrate(f"sqlite:///{tmp_path / 'labmw.db'}")
    assert revision_of(f"sqlite:///{tmp_path / 'labmw.db'}") == REVISION


def test_an_up_to_date_store_is_left_alone_and_alembic_not_even_loaded(url: str, file: Path) -> None:
    before = file.read_bytes()
    code = f"import sys; from labmw.store import migrate; migrate({url!r}); print('alembic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
    assert file.read_bytes() == before


def set_revision(file: Path, text: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (text,))
        database.commit()


async def test_a_newer_store_is_refused_everywhere(url: str, file: Path) -> None:
    set_revision(file, "9999")
    for attempt in (lambda: migrate(url), lambda: Reader(url)):
        with pytest.raises(StoreError, match=r"revision 9999.*start that version, or restore"):
            attempt()
    with pytest.raises(StoreError, match="revision 9999"):
        await SqliteStore(url).start()


async def test_an_older_store_is_not_used_before_it_is_migrated(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labmw.store.revision.REVISION", "9998")
    with pytest.raises(StoreError, match=r"needs 9998; start `labmw serve` once"):
        await SqliteStore(url).start()


async def test_an_absent_store_is_not_made_by_reading(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labmw.db'}"
    with pytest.raises(StoreError, match="there is no store at"):
        Reader(url)
    with pytest.raises(StoreError, match="there is no store at"):
        await SqliteStore(url).start()
    assert not tmp_path.joinpath("labmw.db").exists()


def test_somebody_elses_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(StoreError, match="not a labmw store"):
        migrate(f"sqlite:///{file}")
    file.write_bytes(b"Dear Sir or Madam," * 200)
    with pytest.raises(StoreError, match="is not a SQLite file"):
        migrate(f"sqlite:///{file}")
    file.unlink()
    file.mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        migrate(f"sqlite:///{file}")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"(folder|looked at)"):
        migrate(f"sqlite:///{tmp_path / 'file' / 'labmw.db'}")


def test_a_migration_that_is_killed_leaves_nothing_half_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labmw.db'}"
    code = f"""
import os, signal
from sqlalchemy import Engine, event
from labmw.store import migrate

@event.listens_for(Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    if "CREATE TABLE outbox" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

migrate({url!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert revision_of(url) is None
    migrate(url)
    assert revision_of(url) == REVISION


def test_two_processes_may_make_the_same_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labmw.db'}"
    code = f"from labmw.store import migrate; migrate({url!r})"
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    for process in both:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    assert revision_of(url) == REVISION


def test_the_package_alone_is_enough(tmp_path: Path) -> None:
    """As installed from a wheel: no repository around it, another working folder, no alembic.ini."""
    root = Path(__file__).parents[3]
    shutil.copytree(root / "labmw", tmp_path / "site" / "labmw", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import labmw.store as s; s.migrate('sqlite:///new/labmw.db'); print(s.__file__, s.revision_of('sqlite:///new/labmw.db'))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "site") in answer.stdout
    assert answer.stdout.split()[-1] == REVISION
