"""A wrong, lost or unreadable key file: every command says so in a sentence with its remedy, and nothing is written open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from atrest import SECRET, lies, message
from stores import open_queued

from labmw.store.encryption import key_file

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

AT = "2026-11-26T08:00:00.000000Z"


@pytest.fixture
def shut(house: House) -> House:
    """A store with a message under a key."""
    house.config.write_text(house.config.read_text().replace("[store]", '[store]\nkey_file = "store.key"'))
    house.prepare(known=False)
    key_file.write(house.folder / "store.key", [key_file.fresh(AT)], new=True)
    asyncio.run(keep(house))
    return house


async def keep(house: House) -> None:
    store = open_queued(house.url, key_file=house.folder / "store.key", serves=True)
    await store.start()
    await store.run(message(SECRET))
    await store.stop()


def another(file: Path) -> None:
    file.unlink()
    key_file.write(file, [key_file.fresh(AT)], new=True)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "another": (another, "right file|key file back"),
    "lost": (Path.unlink, "its copy is kept"),
    "open": (lambda file: file.chmod(0o644), "chmod 600"),
    "folder": (folder, "cannot be read"),
    "damaged": (lambda file: file.write_text("[[key]]\n"), "its copy in its place"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_key_file_that_does_not_open_the_store_is_said_everywhere(shut: House, how: str) -> None:
    spoil, says = BAD[how]
    spoil(shut.folder / "store.key")
    before = lies(shut.url, "message", "raw")
    checked = shut.labmw("check", str(shut.config), "--language", "fr")
    assert checked.returncode == 1 and "store.key" in checked.stdout + checked.stderr, checked
    for command in (("store", "key", "rotate"), ("store", "encrypt")):
        done = shut.labmw(*command)
        said = done.stdout + done.stderr
        assert done.returncode == 2, (command, said)
        assert re.search(says, said) and "Traceback" not in said, (command, said)
    assert lies(shut.url, "message", "raw") == before


def test_a_lost_key_is_given_up_only_when_it_is_lost(shut: House) -> None:
    assert shut.labmw("store", "key", "new").returncode == 1
    refused = shut.labmw("store", "key", "new", "--lost")
    assert refused.returncode == 1
    (shut.folder / "store.key").unlink()
    assert shut.labmw("store", "key", "new").returncode == 1
    done = shut.labmw("store", "key", "new", "--lost", "--language", "fr")
    assert done.returncode == 0, done.stderr
    assert shut.labmw("store", "key", "rotate").returncode == 0
    assert shut.labmw("audit", "verify").returncode == 0
