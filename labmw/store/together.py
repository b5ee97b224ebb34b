"""How do scripts that concern different things share their statements? Side by side: what they ask alike is asked once, what they insert goes in as one.

A script written for itself alone is a dozen statements; twenty of them in one commit are a dozen too. Whoever plays scripts together answers for it
that none reads or changes what another one writes (`Job.about`); then every order of their steps comes to the same. Decision 0070.

    each script runs on to its next question ─▶ what they insert meanwhile is kept back, table by table
      ▲                                          │ written, in the order in which tables refer to each other
      └── each is told the rows that are its own ◀── the questions, those of one kind as one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.dml import Insert

from labmw.store import schema
from labmw.store.transaction import Parameters, Row, Step, Transaction, Values

AMONG: Final = "labmw_among"
"""Execution option of a question: (the name of its list of values, the column that answers for which of them a row is)."""
TOLD_BY: Final = "labmw_told_by"
"""Execution option of an INSERT … RETURNING: the column by which each script knows its own row; never equal in two scripts played together."""
MOST_VALUES: Final = 30_000  # in the list of one question

_Pool: TypeAlias = dict[str, tuple[Insert, list[Values]]]  # by table
_Asked: TypeAlias = dict[int, Step]  # by the place of the script


def together(scripts: Sequence[Transaction[Any]]) -> Transaction[list[Any]]:
    """Play scripts side by side; returns what each of them returns. Whatever one of them raises ends them all."""
    ended: dict[int, Any] = {}
    try:
        asked: _Asked = {}
        pool: _Pool = {}
        for place, script in enumerate(scripts):
            _go_on(place, script, None, asked, pool, ended)
        while asked or pool:
            yield from _flush(pool)
            answers = yield from _answers(asked)
            asked = {}
            for place, rows in sorted(answers.items()):
                _go_on(place, scripts[place], rows, asked, pool, ended)
        return [ended[place] for place in range(len(scripts))]
    finally:
        for script in scripts:
            script.close()


def _go_on(
    place: int, script: Transaction[Any], rows: list[Row] | None, asked: _Asked, pool: _Pool, ended: dict[int, Any]
) -> None:
    """Let a script run until it asks something; what it inserts on the way is kept back."""
    try:
        step = next(script) if rows is None else script.send(rows)
        while (insert := _plain_insert(step.statement)) is not None:
            first, kept = pool.setdefault(insert.table.name, (insert, []))
            if first is not insert:  # another way into the same table: in its turn, so that rows keep their order
                break
            kept += _rows(step.parameters)
            step = script.send([])
    except StopIteration as end:
        ended[place] = end.value
    else:
        asked[place] = step


@lru_cache(maxsize=1024)
def _plain_insert(statement: Executable) -> Insert | None:
    """A statement that inserts rows and answers nothing; None for any other."""
    if isinstance(statement, Insert) and not statement.returning_column_descriptions and statement.select is None:
        return statement
    return None


def _rows(parameters: Parameters) -> Sequence[Values]:
    return [parameters] if isinstance(parameters, Mapping) else parameters


def _flush(pool: _Pool) -> Transaction[None]:
    """Write what was kept back; a row that another one refers to first."""
    kept = sorted(pool.values(), key=lambda one: _depth()[one[0].table.name])
    pool.clear()
    for statement, rows in kept:
        if rows:
            yield Step(statement, rows)


@cache
def _depth() -> Mapping[str, int]:
    return {table.name: place for place, table in enumerate(schema.metadata.sorted_tables)}


def _answers(asked: _Asked) -> Transaction[dict[int, list[Row]]]:
    """The rows for each script, by its place."""
    answers: dict[int, list[Row]] = {}
    for places in _alike(asked):
        steps = [asked[place] for place in places]
        if len(steps) == 1:
            answers[places[0]] = yield steps[0]
            continue
        options = steps[0].statement.get_execution_options()
        if TOLD_BY in options:
            found = yield from _inserted(steps, options[TOLD_BY])
        else:
            found = yield from _among(steps, *options[AMONG])
        answers.update(zip(places, found, strict=True))
    return answers


def _alike(asked: _Asked) -> list[list[int]]:
    """Which scripts ask what can be asked as one."""
    groups: dict[Any, list[int]] = {}
    values: dict[Any, int] = {}
    for place, step in asked.items():
        options = step.statement.get_execution_options()
        key: Any = place
        if isinstance(step.parameters, Mapping):
            if TOLD_BY in options:
                key = id(step.statement), tuple(step.parameters)
            elif AMONG in options:
                name = options[AMONG][0]
                others = {one: value for one, value in step.parameters.items() if one != name}
                key = id(step.statement), tuple(others.items())
                count = values.get(key, 0) + len(step.parameters[name])
                values[key] = count
                key = *key, count // MOST_VALUES
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def _inserted(steps: Sequence[Step], column: str) -> Transaction[list[list[Row]]]:
    """Insert one row for each script, and tell each its own."""
    rows = [dict(step.parameters) for step in steps if isinstance(step.parameters, Mapping)]
    answered = yield Step(steps[0].statement, rows)
    own = {row.mapping()[column]: row for row in answered}
    return [[own[row[column]]] for row in rows]


def _among(steps: Sequence[Step], name: str, column: str) -> Transaction[list[list[Row]]]:
    """Ask about the values of all, and tell each script the rows of its own values, in the order of the answer."""
    wanted = [step.parameters[name] for step in steps if isinstance(step.parameters, Mapping)]
    assert isinstance(steps[0].parameters, Mapping)
    asked = {**steps[0].parameters, name: list(dict.fromkeys(value for values in wanted for value in values))}
    by_value: dict[Any, list[tuple[int, Row]]] = {}
    for number, row in enumerate((yield Step(steps[0].statement, asked))):
        by_value.setdefault(row.mapping()[column], []).append((number, row))
    found = []
    for values in wanted:
        own = [one for value in dict.fromkeys(values) for one in by_value.get(value, ())]
        found.append([row for _, row in sorted(own, key=lambda one: one[0])])
    return found
