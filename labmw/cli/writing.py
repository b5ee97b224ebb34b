"""How does a command look into the store, and write one step into it beside the daemon?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from labmw.cli.options import fail
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Transaction

T = TypeVar("T")
UNUSABLE = 2


def look(settings: Config, question: Callable[[], Transaction[T]], tongue: Language) -> T:
    """Ask the store; ends the command when it cannot be read."""
    from labmw.errors import StoreError
    from labmw.store import open_reader

    try:
        with open_reader(settings.store.url, key_file=settings.store.key_file) as reader:
            return reader.look(question)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def write(settings: Config, *scripts: Transaction[Any], tongue: Language) -> list[Any]:
    """Write steps one after the other, each in a transaction of its own: the store lets one writer in at a time."""
    import asyncio

    from labmw.errors import StoreError
    from labmw.store import open_store

    async def run() -> list[Any]:
        store = open_store(settings.store.url, key_file=settings.store.key_file)
        await store.start()
        try:
            return [await store.run(script) for script in scripts]
        finally:
            await store.stop()

    try:
        return asyncio.run(run())
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def who(given: str | None = None) -> str:
    """Who decides: the name that was given, else the person at the keyboard as the system knows him or her.

    A container may run under a number that has no name (getpass raises KeyError until Python 3.12, OSError from 3.13 on).
    """
    import getpass
    import os

    if name := (given or "").strip():
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def now() -> str:
    """The moment, as the store keeps it."""
    from labmw.clock import SYSTEM, stamp

    return stamp(SYSTEM.now())


def reason_given(why: str, tongue: Language) -> str:
    """The reason for a decision, or the end of the command: without one nothing is decided."""
    if not why.strip():
        fail(say("reason-missing", tongue), UNUSABLE)
    return why.strip()
