"""A person's decision, or a verdict, in a process that is killed after so many statements, or ends well: `decider.py DATABASE WHAT STATEMENTS`."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from packs import MG, low, panel, two

from labmw.lab.deciding import Decision
from labmw.lab.practice import Practice
from labmw.lab.reconsidering import reconsider
from labmw.lab.rights import Rights
from labmw.lab.stopping import stop
from labmw.lab.validation import Chosen, House, hold, reject, release, rerun
from labmw.lab.verification import verify
from labmw.store import SqliteStore
from labmw.store.transaction import Transaction

BY = Decision("TEST", "2026-11-01T09:00:00.000000Z", "Dr Alouette", "looked at it")
HOUSE = House(Rights.of({"biologist": (["biological", "hold", "reject", "rerun", "stop"], [BY.by])}), ("LIS",), "LIS")
ASKS = f'action = ["add-on:{MG}", "call", "rerun"]\nprotocol = "P-1"'


def judged(script: Any, kind: str) -> Transaction[Any]:
    """What the daemon would do with the oldest work of a kind."""
    database = Path(sys.argv[1])
    packs = two(database.parent / "two", panel(), low(ASKS, verdict="comment"), protocols=("P-1",))
    with closing(sqlite3.connect(database)) as store:
        work, message = store.execute(
            "SELECT id, message FROM work WHERE kind = ? ORDER BY id LIMIT 1", (kind,)
        ).fetchone()
    made: Transaction[Any] = script("TEST", work, message, BY.at, packs, ["LIS"], Practice(lis="LIS"))
    return made


SCRIPTS: dict[str, Any] = {
    "release": lambda: release(BY, Chosen("S1"), HOUSE, "biological"),
    "hold": lambda: hold(BY, Chosen("S2"), HOUSE),
    "reject": lambda: reject(BY, Chosen("S1"), HOUSE),
    "rerun": lambda: rerun(BY, Chosen("S1"), HOUSE),
    "stop": lambda: stop(BY, HOUSE.rights, "site", ""),
    "verdict": lambda: judged(verify, "verify"),
    "again": lambda: judged(reconsider, "again"),
}


def cut(script: Transaction[Any], statements: int) -> Transaction[Any]:
    """The same script, in a process that dies after so many statements; 0 = it lives."""
    done, step = 0, next(script)
    while True:
        answer = yield step
        done += 1
        if done == statements:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            step = script.send(answer)
        except StopIteration as end:
            return end.value


async def main() -> None:
    store = SqliteStore(f"sqlite:///{sys.argv[1]}")
    await store.start()
    await store.run(cut(SCRIPTS[sys.argv[2]](), int(sys.argv[3])))
    await store.stop()


if __name__ == "__main__":
    asyncio.run(main())
