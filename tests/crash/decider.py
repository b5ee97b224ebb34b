"""A person's decision in a process that is killed after so many statements, or ends well: `decider.py DATABASE DECISION STATEMENTS`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from labmw.lab.deciding import Decision
from labmw.lab.rights import Rights
from labmw.lab.validation import Chosen, House, hold, reject, release, rerun
from labmw.store import SqliteStore
from labmw.store.transaction import Transaction

BY = Decision("TEST", "2026-11-01T09:00:00.000000Z", "Dr Alouette", "looked at it")
HOUSE = House(Rights.of({"biologist": (["biological", "hold", "reject", "rerun"], [BY.by])}), ("LIS",), "LIS")
SCRIPTS: dict[str, Any] = {
    "release": lambda: release(BY, Chosen("S1"), HOUSE, "biological"),
    "hold": lambda: hold(BY, Chosen("S2"), HOUSE),
    "reject": lambda: reject(BY, Chosen("S1"), HOUSE),
    "rerun": lambda: rerun(BY, Chosen("S1"), HOUSE),
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
