"""How is something seen to for as long as a line lives? Step after step, woken or when the time has come, and never at the line's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from labmw.errors import StoreError
from labmw.line.health import LinkHealth

log = structlog.get_logger("labmw.line")

STORE_REST: Final = 1.0
"""Seconds until a step is tried again after the store has failed, or the step itself."""


async def tend(
    step: Callable[[], Awaitable[float | None]], signal: asyncio.Event, health: LinkHealth, *, link: str, failing: str
) -> None:
    """Do `step` until cancelled. It returns the seconds until the next one is due, None for not before `signal`; `failing` is what the log says of one that fails."""
    while True:
        signal.clear()
        try:
            rest = await step()
        except StoreError as error:
            health.trouble("store", why=str(error))
            rest = STORE_REST
        except Exception as error:
            log.exception(f"{failing}; it is tried again", link=link, why=str(error))
            rest = STORE_REST
        try:
            async with asyncio.timeout(rest):
                await signal.wait()
        except TimeoutError:
            pass
