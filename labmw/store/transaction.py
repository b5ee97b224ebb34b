"""What does a step of work say to the store? A script that yields statements and receives rows; no executor in sight.

A transaction is a generator, so that the SQLite writer thread and an asyncpg executor run the same script:

    def keep(raw: bytes) -> Transaction[int]:
        rows = yield insert(schema.message, raw=raw, ...)
        yield insert(schema.work, message=rows[0].id, ...)
        return rows[0].id

    number = await store.run(keep(raw))  # returns once both rows are on the disk
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from sqlalchemy.sql.base import Executable

T = TypeVar("T")
Values: TypeAlias = Mapping[str, Any]
Parameters: TypeAlias = Values | Sequence[Values]

NONE: Values = MappingProxyType({})  # a statement that needs no values


class Row(tuple[Any, ...]):
    """One row of an answer: a tuple whose columns can also be asked for by name (`row.id`)."""

    __slots__ = ()
    columns: ClassVar[tuple[str, ...]] = ()

    def mapping(self) -> dict[str, Any]:
        """The row as column name -> value."""
        return dict(zip(self.columns, self, strict=True))

    if TYPE_CHECKING:
        # Columns of these names stand before the methods of a tuple.
        count: Any
        index: Any

        def __getattr__(self, name: str) -> Any: ...


@lru_cache(maxsize=512)
def row_type(names: tuple[str, ...]) -> type[Row]:
    """The kind of Row that has these columns."""
    fields: dict[str, Any] = {name: property(itemgetter(place)) for place, name in enumerate(names)}
    return type("Row", (Row,), fields | {"__slots__": (), "columns": names})


class Step(NamedTuple):
    """One statement with its values; a sequence of values runs the statement once for each and answers the rows of all, if it answers any."""

    statement: Executable
    parameters: Parameters = NONE


Transaction: TypeAlias = Generator[Step, list[Row], T]


def ask(step: Step) -> Transaction[list[Row]]:
    """A script of one question: `await store.view(ask(open_sessions(site)))`."""
    return (yield step)


class Commit(NamedTuple):
    """What one commit held, told to the metrics: transactions kept, transactions failed, and seconds from first statement to disk."""

    kept: int
    failed: int
    seconds: float


class Reader(Protocol):
    """A read-only view of a store for who does not run in an event loop; a context manager, used by one thread."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Let go of the database."""

    def read(self, statement: Executable, parameters: Values = NONE) -> list[Row]:
        """Ask one question; raises StoreError."""

    def view(self, script: Transaction[T]) -> T:
        """Ask several questions of one and the same moment; raises StoreError."""

    def look(self, make: Callable[[], Transaction[T]]) -> T:
        """The same, from the first question again where the store came into use meanwhile; raises StoreError."""


class Store(Protocol):
    """What the laboratory asks of its store, whichever database is behind it."""

    async def start(self) -> None:
        """Open; raises StoreError when the store is missing, of another revision, or cannot be written."""

    async def stop(self) -> None:
        """Commit what is queued, then close."""

    def calm(self) -> float:
        """For how many seconds no sender has waited for a commit (`run_beside`); 0 while one does."""

    def submit(self, transaction: Transaction[T]) -> asyncio.Future[T]:
        """Queue a transaction; the future has its return value once it is on disk. Raises StoreBusy when the queue is full."""

    def submit_beside(self, make: Callable[[], Transaction[T]], about: frozenset[str]) -> asyncio.Future[T]:
        """Queue a transaction that may be played side by side with others (decision 0070), as `run_beside` does."""

    def submit_rows(self, statement: Executable, rows: Sequence[Values]) -> asyncio.Future[None]:
        """Queue rows for one insert; all of them or none. Raises StoreBusy when the queue is full."""

    async def run(self, transaction: Transaction[T], timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Run a transaction and wait for the disk; StoreBusy after `timeout` seconds."""

    async def run_beside(
        self,
        make: Callable[[], Transaction[T]],
        about: frozenset[str],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> T:
        """Run the transaction that `make` makes (each time anew), which may share its statements with others whose `about` has nothing in common with its
        own: the names of all that such a transaction writes, and that one reads. StoreBusy after `timeout` seconds."""

    async def run_rows(
        self,
        statement: Executable,
        rows: Sequence[Values],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        """Insert rows and wait for the disk; StoreBusy after `timeout` seconds."""

    async def read(self, statement: Executable, parameters: Values = NONE) -> list[Row]:
        """Ask one question, beside the writer."""

    async def view(self, transaction: Transaction[T]) -> T:
        """Ask several questions of one and the same moment."""
