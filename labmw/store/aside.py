"""How is something asynchronous asked by code that does not run in an event loop, or that runs in somebody else's?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """An event loop in a thread of its own; whoever asks waits for the answer."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine over there and return what it returns."""
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()

    def close(self) -> None:
        """End the thread and its loop; may be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def ask(question: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine in a thread that ends with it."""
    aside = Aside("labmw-store-question")
    try:
        return aside.ask(question)
    finally:
        aside.close()
