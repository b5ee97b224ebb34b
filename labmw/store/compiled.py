"""What text does the database get for a statement? Compiled once per statement and set of names, then only values move."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

from labmw.errors import StoreError
from labmw.store.transaction import Values

_MAX = 1024  # statements kept; a caller that builds a new one for each value must not fill the memory


class Compiled(NamedTuple):
    """A statement as the database takes it: its text, the order of its values, and the values the statement brings itself."""

    text: str
    order: tuple[str, ...]
    constants: dict[str, Any]
    rows: bool  # answers rows (SELECT, RETURNING)
    row: str  # of a plain INSERT: its row of placeholders, which may be repeated; "" otherwise

    def values(self, parameters: Values) -> tuple[Any, ...]:
        """The values in the order of the text; raises StoreError naming the one that is missing."""
        source = {**self.constants, **parameters} if self.constants else parameters
        try:
            return tuple([source[name] for name in self.order])
        except KeyError as missing:
            raise StoreError(
                f"no value for {missing} in {self.text[:80]!r}; this is a fault in labmw, please report it"
            ) from None

    def all_values(self, rows: Iterable[Values]) -> list[tuple[Any, ...]]:
        """The values of many rows."""
        if self.constants or len(self.order) < 2:
            return [self.values(row) for row in rows]
        pick = itemgetter(*self.order)
        return [pick(row) for row in rows]


class Compiler:
    """Statement -> Compiled, for one database's dialect (positional placeholders)."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[tuple[int, tuple[str, ...]], tuple[Executable, Compiled]] = {}

    def __call__(self, statement: Executable, parameters: Values) -> Compiled:
        """The compiled form of a statement for values with these names."""
        # Keyed by identity: the statements of `labmw.store.statements` are built once. The entry holds the statement, so
        # that its id cannot be given to another one.
        key = (id(statement), tuple(parameters))
        known = self._known.get(key)
        if known is not None:
            return known[1]
        compiled, reusable = self._compile(statement, parameters)
        if reusable:
            if len(self._known) >= _MAX:
                self._known.clear()
            self._known[key] = (statement, compiled)
        return compiled

    def _compile(self, statement: Executable, parameters: Values) -> tuple[Compiled, bool]:
        names = list(parameters) if isinstance(statement, Insert) else None
        try:
            raw = statement.compile(dialect=self._dialect, column_keys=names)  # type: ignore[attr-defined]
            assert isinstance(raw, SQLCompiler)
            # An IN list is spelled out with its values at hand; the text can be kept when they are the statement's own.
            state = raw.construct_expanded_state(dict(parameters))
        except SQLAlchemyError as error:
            raise StoreError(f"a statement cannot be written ({error}); this is a fault in labmw, please report it") from error
        lists = {raw.bind_names[parameter] for parameter in raw.post_compile_params}
        order = tuple(state.positiontup or ())
        constants = {name: state.parameters[name] for name in order if name not in parameters}
        row = "(" + ", ".join("?" * len(order)) + ")"
        plain_insert = raw.isinsert and not constants and state.statement.endswith(f"VALUES {row}")
        rows = bool(raw.effective_returning) if raw.isinsert or raw.isupdate or raw.isdelete else True
        return Compiled(state.statement, order, constants, rows, row if plain_insert else ""), not lists & set(parameters)
