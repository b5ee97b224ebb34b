"""kill -9 while the store key is replaced: everything can be read wherever it strikes, and the next call brings it to its end."""

from __future__ import annotations

import os
from pathlib import Path

import forked
from atrest import SECRET, everything, message, read_all
from stage import Stage
from stores import open_queued

from labmw.store import open_reader
from labmw.store.encryption import key_file
from labmw.store.encryption.envelope import Unreadable

STEPS = ("begin", "half", "end", "ended", "partial")
PROGRAM = str(Path(__file__).with_name("rotator.py"))


async def test_a_rotation_that_is_killed_loses_nothing_and_ends_with_one_key(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 1, 2, key_file="store.key").build([])
    file, url = tmp_path / "store.key", stage.url or f"sqlite:///{stage.database}"
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    store = open_queued(url, key_file=file)
    await store.start()
    await store.run(everything())
    for number, step in enumerate(STEPS):
        killed = forked.run(step, "store", "key", "rotate", entry=PROGRAM, env=environment, together=True)
        assert killed.returncode == -9, (step, killed.stdout)
        await store.run(message(SECRET))  # who writes beside it goes on
        with open_reader(url, key_file=str(file)) as reader:
            found = reader.look(read_all)
        assert not any(isinstance(one, Unreadable) for one in found if one is not None), step
        assert sum(one == SECRET for one in found) > 8 + number, step
        again = forked.run("store", "key", "rotate", env=environment, together=True)
        assert again.returncode == 0, (step, again.stdout)
        assert len(key_file.read(file)) == 1, step  # no old key is left in the file
        assert not file.with_name("store.key.partial").exists()
    await store.stop()
