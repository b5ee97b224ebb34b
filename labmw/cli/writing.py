"""How does a command look into the store, and write one step into it beside the daemon?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labmw.cli.options import fail
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Transaction

UNUSABLE = 2


def look(settings: Config, question: Transaction[Any], tongue: Language) -> Any:
    """Ask the store; ends the command when it cannot be read."""
    from labmw.errors import StoreError
    from labmw.store import Reader

    try:
        with Reader(settings.store.url) as reader:
            return reader.view(question)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def write(settings: Config, *scripts: Transaction[Any], tongue: Language) -> list[Any]:
    """Write steps one after the other, each in a transaction of its own: the store lets one writer in at a time."""
    import asyncio

    from labmw.errors import StoreError
    from labmw.store import SqliteStore

    async def run() -> list[Any]:
        store = SqliteStore(settings.store.url)
        await store.start()
        try:
            return [await store.run(script) for script in scripts]
        finally:
            await store.stop()

    try:
        return asyncio.run(run())
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def who() -> str:
    """The person at the keyboard, as the system knows him or her."""
    import getpass

    return getpass.getuser()


def now() -> str:
    """The moment, as the store keeps it."""
    from labmw.clock import SYSTEM, stamp

    return stamp(SYSTEM.now())
