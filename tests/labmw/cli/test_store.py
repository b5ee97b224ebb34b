"""labmw store: the commands, their sentences and exit codes, with the daemon up and down."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

pytestmark = pytest.mark.xdist_group("daemon")
DEPLOY = Path(__file__).parents[3] / "deploy" / "README.md"


def test_migrate_makes_a_store_once_and_refuses_a_newer_one(house: House) -> None:
    made, again = house.labmw("store", "migrate"), house.labmw("store", "migrate")
    assert (made.returncode, again.returncode) == (0, 0)
    assert "was made" in made.stdout and "up to date" in again.stdout
    assert "à jour" in house.labmw("store", "migrate", "--language", "fr").stdout
    with closing(sqlite3.connect(house.folder / "labmw.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = house.labmw("store", "migrate")
    assert newer.returncode == 2
    assert "restore the backup made before the upgrade" in newer.stderr


def test_migrate_waits_for_no_daemon(house: House, daemon: subprocess.Popen[str]) -> None:
    refused = house.labmw("store", "migrate")
    assert refused.returncode == 2 and "already serves" in refused.stderr


def test_a_served_store_is_checked_and_backed_up(house: House, daemon: subprocess.Popen[str]) -> None:
    house.send()
    done = house.labmw("store", "check", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["faults"] == 0
    assert "is sound" in house.labmw("store", "check").stdout
    saved = house.labmw("store", "backup", str(house.folder / "b"))
    assert saved.returncode == 0 and "results: 2" in saved.stdout
    other = f"sqlite:///{house.folder / 'other.db'}"
    restored = house.labmw("store", "restore", str(house.folder / "b"), "--into", other)
    assert restored.returncode == 0 and "results: 2" in restored.stdout
    assert house.labmw("store", "check", "--store", other).returncode == 0
    assert house.labmw("store", "export", str(house.folder / "out")).returncode == 0
    assert house.labmw("store", "backup", str(house.folder / "b")).returncode == 2


def test_a_faulty_store_is_said_with_an_exit_code(house: House) -> None:
    house.prepare()
    with closing(sqlite3.connect(house.folder / "labmw.db")) as database, database:
        database.execute(
            "INSERT INTO message (site, link, direction, protocol, received_at, raw, digest) VALUES ('TEST','l','>','astm','t',x'00','d')"
        )
        database.execute("INSERT INTO work (site, message, due_at, created_at) VALUES ('TEST', 1, 't', 't')")
    done = house.labmw("store", "check", "--language", "fr")
    assert done.returncode == 1
    assert "Toute tâche en attente a un résultat" in done.stdout and "défauts : 1" in done.stdout


def test_the_restore_drill_of_the_page_is_followed_to_the_letter(house: House) -> None:
    """Every command of the page, as it stands there, in a folder of its own."""
    house.prepare()
    page = DEPLOY.read_text(encoding="utf-8").split("## Restore drill", 1)[1].split("\n## ", 1)[0]
    [commands] = re.findall(r"(?s)```sh\n(.*?)```", page)
    folder = house.folder / "bin"
    folder.mkdir()
    labmw = folder / "labmw"
    labmw.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'from labmw.cli import main; main()' \"$@\"\n")
    labmw.chmod(0o755)
    script = commands.replace("/etc/labmw/labmw.toml", str(house.config)).replace("/var/backups", str(house.folder))
    assert "labmw store backup" in script and "labmw store restore" in script and "labmw store check" in script
    done = subprocess.run(
        ["sh", "-eu", "-c", f"PATH={shlex.quote(str(folder))}:$PATH\n{script}"],
        capture_output=True, text=True, check=False, cwd=house.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("is sound") == 2
