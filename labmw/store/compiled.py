"""What text does the database get for a statement? Compiled once per statement and set of names, then only values move."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

from labmw.errors import StoreError
from labmw.store.together import TOLD_BY
from labmw.store.transaction import Values

_MAX = 1024  # statements kept; a caller that builds a new one for each value must not fill the memory


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as the database takes it: its text, and how the values of a step become its positional values."""

    text: str
    order: tuple[str, ...]
    rows: bool  # answers rows (SELECT, RETURNING)
    row: str = ""  # of a plain INSERT: its row of placeholders, which may be repeated; "" otherwise
    end: str = ""  # what stands behind that row: RETURNING, where each answer says whose it is
    constants: dict[str, Any] = field(default_factory=dict)  # values that the statement brings itself
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the places that a list of values is spread over

    def repeated(self, count: int) -> str:
        """The text that inserts so many rows at once."""
        return self.text.removesuffix(self.end) + f", {self.row}" * (count - 1) + self.end

    def values(self, parameters: Values) -> tuple[Any, ...]:
        """The values in the order of the text; raises StoreError naming the one that is missing."""
        source = parameters
        if self.constants or self.lists:
            source = {**self.constants, **parameters}
            for name, places in self.lists.items():
                source.update(zip(places, _padded(parameters[name]), strict=True))
        try:
            return tuple([source[name] for name in self.order])
        except KeyError as missing:
            raise _fault(f"no value for {missing} in {self.text[:80]!r}") from None

    def all_values(self, rows: Iterable[Values]) -> list[tuple[Any, ...]]:
        """The values of many rows."""
        if self.constants or self.lists or len(self.order) < 2:
            return [self.values(row) for row in rows]
        pick = itemgetter(*self.order)
        return [pick(row) for row in rows]


_Key: TypeAlias = tuple[int, tuple[str, ...]]


class Compiler:
    """Statement -> Compiled, for one database's dialect (positional placeholders)."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # By identity: the statements of `labmw.store.statements` are built once. An entry holds its statement, so that the
        # id cannot pass to another one.
        self._raw: dict[_Key, tuple[Executable, SQLCompiler, frozenset[str]]] = {}
        self._known: dict[tuple[_Key, tuple[int, ...]], Compiled] = {}

    def __call__(self, statement: Executable, parameters: Values) -> Compiled:
        """The compiled form of a statement for values with these names; raises StoreError when there is none."""
        key = (id(statement), tuple(parameters))
        raw = self._raw.get(key)
        if raw is None:
            if len(self._raw) >= _MAX:
                self._raw.clear()
                self._known.clear()
            raw = self._raw[key] = self._compile(statement, parameters)
        # A list is spelled out as so many placeholders; padded to a round number there are few texts, not one per length.
        sizes = tuple([_size(parameters[name]) for name in parameters if name in raw[2]]) if raw[2] else ()
        known = self._known.get((key, sizes))
        if known is None:
            if len(self._known) >= _MAX:
                self._known.clear()
            known = self._known[key, sizes] = _expanded(raw[1], raw[2], parameters)
        return known

    def _compile(self, statement: Executable, parameters: Values) -> tuple[Executable, SQLCompiler, frozenset[str]]:
        names = list(parameters) if isinstance(statement, Insert) else None
        if isinstance(statement, Insert) and (unknown := parameters.keys() - set(statement.table.c.keys())):
            # SQLAlchemy would leave them out in silence.
            raise _fault(f"{statement.table.name} has no column {', '.join(sorted(unknown))}")
        try:
            # As for many rows: PostgreSQL's dialect would have every INSERT answer the new key, which nobody has asked for.
            many = isinstance(statement, Insert) and not statement.returning_column_descriptions
            raw = statement.compile(dialect=self._dialect, column_keys=names, for_executemany=many)  # type: ignore[attr-defined]
        except SQLAlchemyError as error:
            raise _fault(f"a statement cannot be written ({error})") from error
        assert isinstance(raw, SQLCompiler)
        lists = frozenset(raw.bind_names[one] for one in raw.post_compile_params if one.expanding)
        return statement, raw, lists & frozenset(parameters)


def _expanded(raw: SQLCompiler, lists: frozenset[str], parameters: Values) -> Compiled:
    given = {name: _padded(value) if name in lists else value for name, value in parameters.items()}
    try:
        state = raw.construct_expanded_state(given)
    except SQLAlchemyError as error:
        raise _fault(f"a statement lacks a value ({error})") from error
    order = tuple(state.positiontup or ())
    places = {name: tuple(state.parameter_expansion.get(name, ())) for name in lists}
    spread = {place for names in places.values() for place in names}
    constants = {name: state.parameters[name] for name in order if name not in parameters and name not in spread}
    row = "(" + ", ".join("?" * len(order)) + ")"
    _, found, end = state.statement.partition(f"VALUES {row}")
    # Rows that are inserted as one are answered in any order (sqlite.org/lang_returning.html, 3).
    told = end.startswith(" RETURNING ") and TOLD_BY in raw.statement.get_execution_options()  # type: ignore[union-attr]
    plain_insert = raw.isinsert and not constants and bool(found) and (not end or told)
    rows = bool(raw.effective_returning) if raw.isinsert or raw.isupdate or raw.isdelete else True
    if not plain_insert:
        row = end = ""
    return Compiled(state.statement, order, rows, row, end, constants, places)


def _size(values: Collection[Any]) -> int:
    """How many places a list gets: a power of two, from 1024 on a multiple of that."""
    count = len(values)
    if count > 1024:
        return -(-count // 1024) * 1024
    return 1 << (count - 1).bit_length() if count else 0


def _padded(values: Collection[Any]) -> list[Any]:
    """The values with the last one repeated: IN does not mind."""
    spread = list(values)
    return spread + spread[-1:] * (_size(spread) - len(spread))


def _fault(problem: str) -> StoreError:
    return StoreError(f"{problem}; this is a fault in labmw, please report it")
