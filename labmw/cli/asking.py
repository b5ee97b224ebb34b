"""How does a command ask the store, and write into it beside the daemon?"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from labmw.cli.options import fail
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Transaction

T = TypeVar("T")
UNUSABLE = 2


def read(settings: Config, question: Callable[[], Transaction[T]], tongue: Language) -> T:
    """The answer of one moment, or the end of the command with a sentence."""
    from labmw.errors import StoreError
    from labmw.store import open_reader

    try:
        with open_reader(settings.store.url) as reader:
            return reader.look(question)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def write(settings: Config, script: Transaction[Any], tongue: Language) -> Any:
    """Write one step: the store lets one writer in at a time, and the daemon sees it within a second."""
    import asyncio

    from labmw.errors import StoreError
    from labmw.store import open_store

    async def run() -> Any:
        store = open_store(settings.store.url)
        await store.start()
        try:
            return await store.run(script)
        finally:
            await store.stop()

    try:
        return asyncio.run(run())
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def now() -> str:
    """This moment, as the store keeps it."""
    from labmw.clock import SYSTEM, stamp

    return stamp(SYSTEM.now())


def author(given: str | None) -> str:
    """Who decides: the name that was given, else that of the user who is logged in."""
    return (given or "").strip() or getpass.getuser()


def reason_given(why: str, tongue: Language) -> str:
    """The reason for a decision, or the end of the command: without one nothing is decided."""
    if not why.strip():
        fail(say("reason-missing", tongue), UNUSABLE)
    return why.strip()
