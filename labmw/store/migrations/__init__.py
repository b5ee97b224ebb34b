"""How does a store get from one revision to the next? Alembic's scripts in versions/, run whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from labmw.store.address import server_of


def _config() -> Config:
    config = Config()  # without alembic.ini: the scripts are found inside the installed package
    config.set_main_option("script_location", "labmw.store:migrations")
    return config


def revisions() -> set[str]:
    """Every revision this labmw knows."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(file: Path) -> None:
    """Bring a SQLite file (made when absent) to the newest revision in one transaction; raises sqlite3.Error."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30, check_same_thread=False)) as database:
        database.execute("PRAGMA journal_mode = WAL")  # kept in the file
        database.execute("PRAGMA synchronous = FULL")
        engine = create_engine("sqlite://", creator=lambda: database, poolclass=StaticPool)
        event.listen(engine, "begin", _begin)
        try:
            with engine.begin() as connection:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:
            raise error.orig or error from None
        finally:
            engine.dispose()


def upgrade_database(url: str) -> None:
    """Bring a PostgreSQL database to the newest revision in one transaction; raises StoreError."""
    from labmw.store.aside import ask  # noqa: PLC0415 - what follows takes a second to load
    from labmw.store.postgresql.migration import upgrade  # noqa: PLC0415

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    ask(upgrade(server_of(url), run))


def _begin(connection: Connection) -> None:
    # Python's own transactions would commit before each CREATE TABLE; a migration that is cut off must leave nothing.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
