"""What does an error of PostgreSQL mean to a laboratory, and what is to be done about it?"""

from __future__ import annotations

from typing import Final

import asyncpg

from labmw.errors import StoreBusy, StoreError, StoreUnfit
from labmw.store.failure import ASKED_AMISS, UNFIT

TROUBLES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)
"""What asyncpg raises (TimeoutError is an OSError)."""

# Classes of SQLSTATE (PostgreSQL manual, appendix A) that concern one statement; all others are the server's, the disk's or the network's.
_STATEMENT: Final = frozenset({"0A", "21", "22", "23", "42", "54", "P0"})

# SQLSTATE, or the class in front of it: the end of the phrase's code, what is wrong, and the remedy.
_TROUBLE: Final[dict[str, tuple[str, str, str]]] = {
    "53100": ("pg-full", "the disk of {place} is full", "free space there; labmw goes on by itself"),
    "53200": ("pg-memory", "{place} has no memory left", "end what uses it up; labmw goes on by itself"),
    "53300": (
        "pg-connections",
        "{place} takes no more connections",
        "raise max_connections there, or end who holds them",
    ),
    "55P03": ("pg-busy", "another process is writing to {place}", "end that process, or wait until it has finished"),
    "25006": (
        "pg-read-only",
        "{place} is read-only",
        "point store.url at the primary server, and look whether it has become a standby",
    ),
    "57": ("pg-stopping", "{place} is being stopped or started", "wait until it runs; labmw goes on by itself"),
    "58": (
        "pg-disk",
        "{place} cannot read or write its disk",
        "look at the server's log and its disk; labmw goes on by itself",
    ),
    "XX": ("pg-damaged", "{place} is damaged", "stop labmw, keep the data folder, and restore the last backup"),
    "28": (
        "pg-refused",
        "{place} does not let labmw in",
        "correct user and password in store.url, or pg_hba.conf on the server",
    ),
    "3D": (
        "pg-absent",
        "{place} does not exist",
        "make it: CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0",
    ),
    "40": ("pg-undone", "a transaction on {place} was undone by the server", "send again"),
    "08": (
        "pg-unreachable",
        "{place} cannot be reached",
        "check that the server runs, and the network; labmw goes on by itself",
    ),
}


def is_storage(error: BaseException) -> bool:
    """True when the server, its disk, the network or another process failed, and not one statement."""
    if isinstance(error, asyncpg.DataError):  # also raised here, for a value that no column can hold
        return False
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] not in _STATEMENT
    return isinstance(error, OSError | EOFError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def explain(error: Exception, place: str) -> StoreError:
    """The sentence for an error, ending with the remedy."""
    if isinstance(error, StoreError):
        return error
    if not is_storage(error):
        return _of_statement(error, place)
    state = (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else "08"
    trouble = _TROUBLE.get(state) or _TROUBLE.get(state[:2])
    if trouble is None:
        return StoreError(f"{place} failed ({_said(error)}); look at the server's log; labmw goes on by itself")
    code, problem, remedy = trouble
    kind = StoreBusy if state == "55P03" else StoreError
    name = place.removeprefix("the PostgreSQL database ").replace(" at ", " @ ")
    text = f"{problem.format(place=place)} ({_said(error)}); {remedy}"
    return kind(text, f"store-error-{code}", name=name, said=_said(error))


def _of_statement(error: Exception, place: str) -> StoreError:
    state = (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""
    if state.startswith("23"):
        return StoreUnfit(
            f"{place} holds something else under the same key, or lacks what this refers to ({_said(error)}); nothing was changed"
        )
    if state.startswith("54"):
        return StoreUnfit(f"a value is too large for {place} ({_said(error)}); lower limits.message_bytes")
    if isinstance(error, (asyncpg.DataError, *ASKED_AMISS)):
        return StoreUnfit(f"{place} can hold no such number or text ({_said(error)}); look at what was given")
    fits_not = isinstance(error, (asyncpg.PostgresError, *UNFIT))
    kind = StoreUnfit if fits_not else StoreError
    return kind(f"{place} refused a statement ({_said(error)}); this is a fault in labmw, please report it")


def _said(error: Exception) -> str:
    """What the server says, without its DETAIL: that repeats the row, which is a patient's and belongs in no log."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
